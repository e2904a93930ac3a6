"""The adapter on the simulated account, which was written apart from it: what one says the other understands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from adapters.amazon import account_health, feeds
from syncd.sdk.channel import Comeback, FulfilmentStatus, ListingRef, OrderSnapshot, OutcomeKind
from syncd.sdk.errors import AuthError, ChannelError
from syncd.sdk.features import CancelLine, CancelReason, CancelWish
from syncd.testing.faults import Faults
from tests.adapters.amazon_stage import Stage, play

T = TypeVar("T")

TROUBLE = {"cut_after_effect": 0.15, "refuse": 0.1, "error_5xx": 0.1, "too_many": 0.05, "html": 0.05}


def test_catalogue_is_the_accounts() -> None:
    """The catalogue lists every offer, those of Amazon's warehouses as not managed, and reading shows the numbers."""

    async def scene(stage: Stage) -> None:
        listings = await stage.catalogue()
        managed = [listing for listing in listings if listing.managed]
        assert {listing.sku for listing in managed} == set(stage.truth())
        assert len(listings) > len(managed)
        seen = await stage.channel.seen([listing.ref for listing in managed])
        assert {one.ref.remote_id: one.quantity for one in seen} == stage.truth()
        assert await stage.channel.check() == []

    play(scene)


@pytest.mark.parametrize("knobs", [{}, {"report_gzip": False}, {"report_charset": "UTF-8"}])
def test_catalogue_by_report_is_the_same(monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any]) -> None:
    """A catalogue that is too large to be paged comes out of the report, with the same listings."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(**knobs)
        paged = {(listing.sku, listing.managed, listing.active) for listing in await stage.catalogue()}
        monkeypatch.setattr("adapters.amazon.listing_reader.MOST_BY_SEARCH", 0)
        monkeypatch.setattr("adapters.amazon.listing_reader.REPORT_PAGE", 7)
        listings = await stage.catalogue()
        assert {(listing.sku, listing.managed, listing.active) for listing in listings} == paged
        assert len(listings) == len(paged)

    play(scene)


def test_patch_is_accepted_and_takes_its_time() -> None:
    """A patch is accepted, not applied; it is in effect within the time that it says."""

    async def scene(stage: Stage) -> None:
        before = stage.truth()["SKU-00001"]
        outcome = await stage.set("SKU-00001", 77)
        assert (outcome.kind, outcome.effect_s) == (OutcomeKind.ACCEPTED, 120.0)
        assert stage.truth()["SKU-00001"] == before
        await asyncio.sleep(120.0)
        assert stage.truth()["SKU-00001"] == 77

    play(scene)


def test_amazons_own_stock_is_never_written() -> None:
    """A write to a listing that Amazon fulfils is rejected, and no request is sent for it."""

    async def scene(stage: Stage) -> None:
        amazons = next(listing.sku for listing in await stage.catalogue() if not listing.managed)
        outcome = await stage.set(amazons, 5)
        assert outcome.kind is OutcomeKind.REJECTED
        assert "FBA" in outcome.reason
        await asyncio.sleep(200.0)
        (listing,) = [each for each in await stage.catalogue() if each.sku == amazons]
        assert not listing.managed

    play(scene)


def test_many_rows_go_as_one_feed() -> None:
    """Many rows go as one feed, are accepted for hours, and late outcomes tell that they will be in effect soon."""

    async def scene(stage: Stage) -> None:
        await stage.catalogue()
        goods = list(stage.truth())[:60]
        assert stage.channel.push_size(10_000) == 10_000
        writes = [stage.write(sku, 50 + place) for place, sku in enumerate(goods)]
        outcomes = await stage.channel.push(writes)
        assert {(outcome.kind, outcome.effect_s) for outcome in outcomes} == {(OutcomeKind.ACCEPTED, feeds.DEADLINE_S)}
        assert stage.channel.push_size(10_000) == stage.channel.profile.max_push
        late = await told_late(stage)
        assert [outcome.key for outcome in late] == [write.key for write in writes]
        assert {(outcome.kind, outcome.effect_s) for outcome in late} == {(OutcomeKind.ACCEPTED, 120.0)}
        await asyncio.sleep(120.0)
        assert [stage.truth()[sku] for sku in goods] == [50 + place for place in range(60)]

    play(scene, skus=80, feed_from=1_000)


async def told_late(stage: Stage) -> list[Any]:
    for _ in range(60):
        if late := await stage.channel.late_outcomes():
            return late
        await asyncio.sleep(15.0)
    raise AssertionError("no end was told within a quarter of an hour")


@pytest.mark.parametrize("end", ["FATAL", "CANCELLED"])
def test_failed_feed_is_read_not_guessed(end: str) -> None:
    """Of a feed that failed as a whole every row may have been applied, and no other feed is sent for a while."""

    async def scene(stage: Stage) -> None:
        await stage.catalogue()
        stage.shop.turn(feed_end=end)
        await stage.channel.push([stage.write(sku, 9) for sku in list(stage.truth())[:50]])
        assert {outcome.kind for outcome in await told_late(stage)} == {OutcomeKind.ACCEPTED}
        assert stage.channel.push_size(10_000) == stage.channel.profile.max_push

    play(scene, skus=80, feed_from=1_000)


def test_fall_does_not_wait_for_a_stuck_feed() -> None:
    """Beside an open feed a fall goes out at once and is verified for long, a raise waits, and both end right."""

    async def scene(stage: Stage) -> None:
        await stage.catalogue()
        stage.shop.turn(stuck_feeds=True)
        goods = list(stage.truth())[:50]
        await stage.channel.push([stage.write(sku, 500) for sku in goods])
        fall = await stage.set(goods[0], 3)
        assert fall.kind is OutcomeKind.ACCEPTED
        assert (fall.effect_s or 0.0) > feeds.DEADLINE_S - 60.0
        assert (await stage.set(goods[1], 600)).kind is OutcomeKind.UNSENT
        await asyncio.sleep(120.0)
        assert stage.truth()[goods[0]] == 3
        await asyncio.sleep(feeds.DEADLINE_S)
        assert await stage.channel.late_outcomes() == []
        assert (await stage.set(goods[1], 600)).kind is OutcomeKind.ACCEPTED
        assert stage.channel.push_size(10_000) == stage.channel.profile.max_push

    play(scene, skus=80, feed_from=1_000)


def test_restart_finds_the_open_feed() -> None:
    """A feed that is open from before a restart keeps another one from being sent."""

    async def scene(stage: Stage) -> None:
        await stage.catalogue()
        goods = list(stage.truth())[:50]
        await stage.channel.push([stage.write(sku, 5) for sku in goods])
        stage.channel._feeds._open.clear()
        stage.channel._feeds._adopted = False
        outcomes = await stage.channel.push([stage.write(sku, 6) for sku in goods])
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.UNSENT}

    play(scene, skus=80, feed_from=1_000)


def test_lost_answer_of_a_feed_is_found() -> None:
    """A feed whose creation was cut off is not sent again: its rows are unknown, then found and told."""

    async def scene(stage: Stage) -> None:
        await stage.catalogue()
        goods = list(stage.truth())[:50]
        channel = stage.channel
        await channel._feeds._adopt()
        create = channel._feeds._create

        async def cut(document_id: str, file: feeds.File) -> Any:
            stage.shop.faults = Faults(cut_after_effect=1.0)
            try:
                return await create(document_id, file)
            finally:
                stage.shop.faults = Faults()

        channel._feeds._create = cut  # type: ignore[method-assign]  # the cut is to meet this one request
        outcomes = await channel.push([stage.write(sku, 21) for sku in goods])
        assert {(each.kind, each.effect_s) for each in outcomes} == {(OutcomeKind.INDETERMINATE, feeds.DEADLINE_S)}
        assert {outcome.kind for outcome in await told_late(stage)} == {OutcomeKind.ACCEPTED}
        await asyncio.sleep(120.0)
        assert {stage.truth()[sku] for sku in goods} == {21}

    play(scene, skus=80, feed_from=1_000)


# --- orders ------------------------------------------------------------------------------------------------------


async def known(stage: Stage, order_id: str, that: Callable[[OrderSnapshot], object] = lambda _: True) -> OrderSnapshot:
    for _ in range(40):
        found = [order for order in await stage.channel.fetch([order_id]) if that(order)]
        if found:
            return found[0]
        await asyncio.sleep(20.0)
    raise AssertionError("the order did not come to be what it should")


def test_order_is_committed_while_pending() -> None:
    """A pending order is told with its units taken, long before it is paid."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(pending_s=[90_000.0, 100_000.0])
        _, cursor = await stage.feed(None)
        receipt = stage.shop.buy([("SKU-00001", 2)])
        await asyncio.sleep(400.0)
        (order,), _ = await stage.feed(cursor)
        assert order.order_id == receipt.order_id
        assert order.fulfilment_raw == "PENDING"
        assert order.lines[0].take is not None
        assert order.lines[0].quantity == 2

    play(scene)


def test_late_orders_are_found_by_the_daily_look_back() -> None:
    """An order that Amazon tells hours late is found within a day all the same."""

    async def scene(stage: Stage) -> None:
        _, cursor = await stage.feed(None)
        stage.shop.turn(late_s=[10_800.0, 14_400.0])
        receipt = stage.shop.buy([("SKU-00001", 1)])
        told: set[str] = set()
        for _ in range(30):
            await asyncio.sleep(3_600.0)
            orders, cursor = await stage.feed(cursor)
            told |= {order.order_id for order in orders}
        assert receipt.order_id in told

    play(scene)


def test_cancel_goes_by_feed() -> None:
    """A cancel by the shop is sent as a feed, comes to be, and puts nothing back when there was no stock."""

    async def scene(stage: Stage) -> None:
        receipt = stage.shop.buy([("SKU-00001", 2)])
        wish = CancelWish(key="w1", order_id=receipt.order_id, reason=CancelReason.OUT_OF_STOCK)
        early = await stage.channel.cancel(wish)
        assert early.kind is OutcomeKind.REJECTED
        assert "pending" in early.reason
        order = await known(stage, receipt.order_id, lambda order: order.fulfilment is FulfilmentStatus.UNFULFILLED)
        part = CancelWish(
            key="w2",
            order_id=receipt.order_id,
            reason=CancelReason.OTHER,
            lines=(CancelLine(line_id=order.lines[0].line_id, quantity=1),),
        )
        assert (await stage.channel.cancel(part)).kind is OutcomeKind.REJECTED
        sent = await stage.channel.cancel(CancelWish(key="w3", order_id=receipt.order_id, reason=wish.reason))
        assert sent.kind is OutcomeKind.ACCEPTED
        done = await known(stage, receipt.order_id, lambda order: order.cancelled)
        assert done.lines[0].cancelled_as is Comeback.PHANTOM
        assert done.lines[0].gives == ()
        again = await stage.channel.cancel(CancelWish(key="w4", order_id=receipt.order_id, reason=wish.reason))
        assert again.kind is OutcomeKind.APPLIED

    play(scene)


def test_emptied_cancel_is_a_cancel() -> None:
    """A cancelled order whose items are shown as ordered 0 times is cancelled with all its units."""

    async def scene(stage: Stage) -> None:
        stage.turn(cancel_empties=True)
        receipt = stage.shop.buy([("SKU-00001", 2)])
        await known(stage, receipt.order_id)
        stage.shop.cancel(receipt.order_id)
        order = await known(stage, receipt.order_id, lambda order: order.cancelled)
        assert [(line.quantity, line.cancelled) for line in order.lines] == [(2, 2)]
        assert sum(give.quantity for give in order.lines[0].gives) == 2

    play(scene)


def test_unknown_order_cannot_be_cancelled() -> None:
    """An order that is not there is a plain refusal."""

    async def scene(stage: Stage) -> None:
        wish = CancelWish(key="w", order_id="250-0000000-0000000", reason=CancelReason.BUYER)
        assert (await stage.channel.cancel(wish)).kind is OutcomeKind.REJECTED

    play(scene)


# --- the account -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", [False, True])
def test_account_health_is_told(example: bool) -> None:
    """The account's rates are told in either spelling of the report."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(health_example=example)
        figures = await patiently(stage.channel.account_health)
        assert account_health.CANCEL_RATE in {figure.name for figure in figures}

    play(scene)


def test_missing_subscriptions_are_told_and_made_once() -> None:
    """The check names notifications that nobody subscribed to; they are made by a word, and not made twice."""

    async def scene(stage: Stage) -> None:
        advice = await stage.channel.check()
        assert any("ORDER_CHANGE" in sentence for sentence in advice)
        report = await stage.channel.provision()
        assert report.failed == ()
        assert len(report.restored) == 6
        assert await stage.channel.check() == []
        assert (await stage.channel.provision()).restored == ()

    play(scene, queue=True)


@pytest.mark.parametrize(
    ("role", "word"), [("Product Listing", "Listings"), ("Inventory and Order Tracking", "Orders")]
)
def test_missing_role_is_told(role: str, word: str) -> None:
    """A role that the app lacks is named, with what cannot be read without it."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(roles_missing=[role])
        advice = await stage.channel.check()
        assert any(sentence.startswith(word) and role in sentence for sentence in advice)

    play(scene)


def test_ended_token_is_renewed() -> None:
    """When all tokens end at once, calls go on with a new one."""

    async def scene(stage: Stage) -> None:
        await stage.catalogue()
        stage.shop.shop.tokens.revoke()
        assert (await stage.set("SKU-00001", 5)).kind is OutcomeKind.ACCEPTED

    play(scene)


# --- faults --------------------------------------------------------------------------------------------------------


async def patiently(call: Callable[[], Awaitable[T]], *, pause_s: float = 30.0) -> T:
    for _ in range(60):
        try:
            return await call()
        except AuthError:
            raise
        except ChannelError:
            await asyncio.sleep(pause_s)
    raise AssertionError("never answered")


@pytest.mark.parametrize("seed", range(4))
def test_crowd_of_faults_ends_right(seed: int) -> None:
    """Under cuts, refusals, pages and lost writes numbers come right once the faults end, and no order is lost."""

    async def scene(stage: Stage) -> None:
        listings = await patiently(stage.catalogue)
        wanted = {listing.sku: 40 + place for place, listing in enumerate(listings) if listing.managed}
        _, cursor = await patiently(lambda: stage.feed(None))
        stage.shop.turn(lost_writes=0.2)
        orders: dict[str, int] = {}
        made: set[str] = set()
        for turn in range(30):
            troubled = turn < 12
            stage.shop.faults = Faults(**TROUBLE, stale_reads=0.2) if troubled else Faults()
            if not troubled:
                stage.shop.turn(lost_writes=0.0)
            if troubled:
                made.add(stage.shop.buy([(sorted(wanted)[turn], 1)]).order_id)
            cursor = await hear(stage, cursor, orders)
            if not await push_what_differs(stage, wanted) and not troubled:
                break
            await asyncio.sleep(130.0)
        stage.shop.faults = Faults()
        assert {sku: stage.truth()[sku] for sku in wanted} == wanted
        await asyncio.sleep(900.0)
        await hear(stage, cursor, orders)
        assert made <= set(orders)
        assert all(units == 1 for order_id, units in orders.items() if order_id in made)

    play(scene, seed=seed, skus=25)


async def hear(stage: Stage, cursor: str, orders: dict[str, int]) -> str:
    """Read the feed as far as it lets; a scan that breaks off goes on from its cursor next time."""
    for _ in range(10):
        try:
            page = await stage.channel.orders(cursor)
        except ChannelError:
            return cursor
        cursor = page.cursor
        orders.update((order.order_id, sum(line.quantity for line in order.lines)) for order in page.orders)
        if not page.more:
            break
    return cursor


async def push_what_differs(stage: Stage, wanted: dict[str, int]) -> int:
    """Read all, write what differs, and hold what is said of each write that certainly had no effect."""
    refs = [ListingRef(remote_id=sku) for sku in wanted]
    try:
        seen = await stage.channel.seen(refs)
        writes = [
            stage.write(one.ref.remote_id, wanted[one.ref.remote_id])
            for one in seen
            if one.quantity != wanted[one.ref.remote_id]
        ]
        outcomes = await stage.channel.push(writes)
    except ChannelError:
        return len(refs)
    assert [outcome.key for outcome in outcomes] == [write.key for write in writes]
    assert OutcomeKind.APPLIED not in {outcome.kind for outcome in outcomes}
    assert OutcomeKind.REJECTED not in {outcome.kind for outcome in outcomes}
    return len(writes)
