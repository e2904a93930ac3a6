"""The adapter on the simulated shop, which was written apart from it: what one says the other understands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from syncd.sdk.channel import (
    Comeback,
    ListingRef,
    OutcomeKind,
    Seen,
    Write,
)
from syncd.testing.faults import Faults
from syncd.testing.loop import running
from tests.adapters.shopify_stage import INBOX, Stage, play


def test_catalogue_and_levels_are_the_shops() -> None:
    """The catalogue lists every level, active or not, and reading them shows what the shop shows."""

    async def scene(stage: Stage) -> None:
        listings = await stage.catalogue()
        active = {listing.ref: listing.sku for listing in listings if listing.active}
        assert active == {shown.ref: shown.sku for shown in stage.shop.shown()}
        seen = await stage.channel.seen(list(active))
        assert [one.quantity for one in seen] == [shown.quantity for shown in by_ref(stage, list(active))]
        assert await stage.channel.check() == []

    play(scene)


def by_ref(stage: Stage, wanted: list[ListingRef]) -> list[Any]:
    shown = {one.ref: one for one in stage.shop.shown()}
    return [shown[ref] for ref in wanted]


def test_bulk_and_pages_agree() -> None:
    """All levels by one bulk operation are the same as level by level."""

    async def scene(stage: Stage) -> None:
        refs = [listing.ref for listing in await stage.catalogue()]
        bulk: dict[ListingRef, Seen] = {}
        async for batch in await stage.channel.seen_all():
            bulk.update((seen.ref, seen) for seen in batch)
        single = await stage.channel.seen(refs)
        assert {(seen.ref, seen.quantity, seen.active) for seen in single} == {
            (seen.ref, seen.quantity, seen.active) for seen in bulk.values()
        }

    play(scene)


def test_catalogue_by_bulk_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue read by bulk operations has the same listings as one read by pages."""

    async def scene(stage: Stage) -> None:
        paged = await stage.catalogue()
        monkeypatch.setattr("adapters.shopify.listing_reader.PAGES_BEFORE_BULK", 0)
        assert set(await stage.catalogue()) == set(paged)

    play(scene)


def test_write_is_guarded() -> None:
    """A write takes effect where the number is what was expected, and not where somebody bought meanwhile."""

    async def scene(stage: Stage) -> None:
        ref = await stage.ref("SKU-00001")
        before = await stage.show(ref)
        assert before is not None
        assert await stage.set(ref, 9, expected=before) is OutcomeKind.APPLIED
        stage.shop.buy([("SKU-00001", 2)])
        assert await stage.set(ref, 20, expected=9) is OutcomeKind.STALE
        assert await stage.show(ref) == 7
        assert await stage.set(ref, 0, expected=None) is OutcomeKind.APPLIED
        assert await stage.set(ref, 0, expected=0) is OutcomeKind.APPLIED
        assert await stage.show(ref) == 0

    play(scene)


def test_stale_row_spoils_its_batch() -> None:
    """Of a batch with one stale row nothing is applied, and only that row is called stale."""

    async def scene(stage: Stage) -> None:
        listings = [listing.ref for listing in await stage.catalogue() if listing.active][:3]
        seen = await stage.channel.seen(listings)
        writes = [
            Write(key=f"k{place}", ref=one.ref, quantity=1, expected=(one.quantity or 0) + (place == 1))
            for place, one in enumerate(seen)
        ]
        kinds = [outcome.kind for outcome in await stage.channel.push(writes)]
        assert kinds == [OutcomeKind.UNSENT, OutcomeKind.STALE, OutcomeKind.UNSENT]
        assert [one.quantity for one in await stage.channel.seen(listings)] == [one.quantity for one in seen]

    play(scene)


def test_inactive_level_is_stocked_then_written() -> None:
    """With activate_levels a level that is not stocked is stocked first and written by the next push."""

    async def scene(stage: Stage) -> None:
        levels = [listing.ref for listing in await stage.catalogue()]
        idle = next(seen for seen in await stage.channel.seen(levels) if not seen.active)
        assert await stage.set(idle.ref, 3, expected=idle.quantity) is OutcomeKind.UNSENT
        (awake,) = await stage.channel.seen([idle.ref])
        assert (awake.active, awake.quantity) == (True, idle.quantity)
        assert await stage.set(idle.ref, 3, expected=awake.quantity) is OutcomeKind.APPLIED

    play(scene, activate_levels=True)


def test_order_lives_its_life() -> None:
    """An order is in the feed as it is made, shipped in part by its refunds, cancelled, and read by its id."""

    async def scene(stage: Stage) -> None:
        _, cursor = await stage.feed(None)
        made = stage.shop.buy([("SKU-00001", 2), ("SKU-00002", 1)])
        other = stage.shop.buy([("SKU-00003", 3)])
        found, cursor = await stage.feed(cursor)
        assert {order.order_id for order in found} == {made.order_id, other.order_id}
        bought_at = running().clock.now()
        line = next(order for order in found if order.order_id == made.order_id).lines[0]
        assert line.take is not None
        assert line.take.latest is not None
        assert line.take.earliest <= bought_at <= line.take.latest
        await asyncio.sleep(60)
        stage.shop.ship(made.order_id)
        stage.shop.cancel(other.order_id, quantity=1)
        found, cursor = await stage.feed(cursor)
        shipped, cut = sorted(found, key=lambda order: order.order_id != made.order_id)
        assert [one.shipped for one in shipped.lines] == [2, 1]
        assert [(one.cancelled, one.cancelled_as, len(one.gives)) for one in cut.lines] == [(1, Comeback.SELLABLE, 1)]
        give = cut.lines[0].gives[0]
        assert give.quantity == 1
        assert give.span.earliest <= running().clock.now() <= (give.span.latest or 0)
        await asyncio.sleep(60)
        stage.shop.cancel(other.order_id, restock=False)
        (order,) = await stage.channel.fetch([other.order_id])
        assert order.fresh
        assert order.lines[0].cancelled == 3
        assert order.lines[0].cancelled_as is Comeback.PHANTOM
        assert len(order.lines[0].gives) == 1

    play(scene)


def test_feed_is_complete_in_pages() -> None:
    """Of more orders than a page holds none is lost, and the scan tells up to when it is complete."""

    async def scene(stage: Stage) -> None:
        for number in range(1, 12):
            stage.shop.stock(f"SKU-{number:05d}", 100)
        made = set()
        for number in range(1, 12):
            for _ in range(11):
                made.add(stage.shop.buy([(f"SKU-{number:05d}", 1)]).order_id)
        found, cursor = await stage.feed(None)
        assert {order.order_id for order in found} == made
        assert len(found) == len(made) == 121
        again, _ = await stage.feed(cursor)
        assert {order.order_id for order in again} == made  # all of them changed within the overlap

    play(scene)


def test_webhooks_say_what_a_fetch_says() -> None:
    """Webhooks verify, and the orders in them are those that a fetch brings, but for how parcels are followed."""

    async def scene(stage: Stage) -> None:
        await stage.catalogue()
        report = await stage.channel.subscribe(INBOX)
        assert report.failed == ()
        assert (await stage.channel.subscribe(INBOX)).restored == ()
        made = stage.shop.buy([("SKU-00001", 2), ("SKU-00002", 1)])
        await asyncio.sleep(5)
        stage.shop.cancel(made.order_id, quantity=1)
        await asyncio.sleep(5)
        stage.shop.ship(made.order_id)
        await asyncio.sleep(30)
        notices = stage.notices()
        (truth,) = await stage.channel.fetch([made.order_id])
        stated = [order for notice in notices for order in notice.orders]
        newest = max(stated, key=lambda order: (order.version or 0, order.read_at))
        assert replace(newest, read_at=0, fresh=False, fulfilment_raw="", closed=True) == replace(
            truth, read_at=0, fresh=False, fulfilment_raw="", closed=True, delivery=None
        )
        assert {ref for notice in notices for ref in notice.refs} >= {await stage.ref("SKU-00001")}
        assert made.order_id in {order_id for notice in notices for order_id in notice.order_ids}
        assert all(notice.dedupe_key for notice in notices)

    play(scene)


def test_nothing_personal_comes_in() -> None:
    """Neither webhooks nor answers hold anything about the buyer."""

    async def scene(stage: Stage) -> None:
        await stage.channel.subscribe(INBOX)
        made = stage.shop.buy([("SKU-00001", 1)])
        stage.shop.ship(made.order_id)
        await asyncio.sleep(30)
        everything = b"".join(request.body for request in stage.mail)
        assert everything
        assert not [canary for canary in stage.shop.canaries if canary.encode() in everything]

    play(scene)


def test_rotated_secret_keeps_webhooks_and_tokens() -> None:
    """While a secret is rotated webhooks still come signed with the old one, and pass; tokens come by the new one."""

    async def scene(stage: Stage) -> None:
        await stage.channel.subscribe(INBOX)
        stage.shop.buy([("SKU-00001", 1)])
        await asyncio.sleep(10)
        assert stage.notices()
        stage.shop.rotate_secret(revoke=True)
        stage.shop.shop.tokens.revoke()
        stage.shop.buy([("SKU-00001", 1)])
        await asyncio.sleep(10)
        assert stage.notices()
        assert await stage.catalogue()

    play(scene, rotated=True)


@pytest.mark.parametrize("seed", range(5))
def test_crowd_of_faults_ends_right(seed: int) -> None:
    """Under cuts, refusals and pages of HTML no outcome is ever wrong, and the numbers come right in the end."""

    async def scene(stage: Stage) -> None:
        refs = [listing.ref for listing in await stage.catalogue() if listing.active]
        stage.shop.faults = Faults(cut_after_effect=0.2, refuse=0.1, error_5xx=0.1, too_many=0.05, html=0.05)
        wanted = {ref: 40 + place for place, ref in enumerate(refs)}
        for turn in range(200):
            left = await different(stage, wanted)
            if not left:
                return
            writes = [
                Write(key=f"{turn}-{place}", ref=seen.ref, quantity=wanted[seen.ref], expected=seen.quantity)
                for place, seen in enumerate(left)
            ]
            await judged(stage, writes)
        raise AssertionError("never came right")

    play(scene, seed=seed)


async def patiently(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    for _ in range(5):
        try:
            return await call()
        except Exception as fault:  # noqa: BLE001  (any fault of the channel is waited out)
            await asyncio.sleep(getattr(fault, "retry_after_s", None) or 1.0)
    raise AssertionError("never answered")


async def different(stage: Stage, wanted: dict[ListingRef, int]) -> list[Seen]:
    found: list[Seen] = await patiently(lambda: stage.channel.seen(list(wanted)))
    return [seen for seen in found if seen.quantity != wanted[seen.ref]]


async def judged(stage: Stage, writes: list[Write]) -> None:
    """Push, and compare each outcome with what the shop shows then."""
    before = {one.ref: one.quantity for one in stage.shop.shown()}
    try:
        outcomes = await stage.channel.push(writes)
    except Exception:  # noqa: BLE001  (whatever it is, it promises that nothing was applied)
        assert {one.ref: one.quantity for one in stage.shop.shown()} == before
        await asyncio.sleep(1.0)
        return
    after = {one.ref: one.quantity for one in stage.shop.shown()}
    for write, outcome in zip(writes, outcomes, strict=True):
        if outcome.kind is OutcomeKind.APPLIED:
            assert after[write.ref] == write.quantity
        elif outcome.kind is not OutcomeKind.INDETERMINATE:
            assert after[write.ref] == before[write.ref], outcome
