"""The Rakuten adapter on the simulated shop, which was written apart from it: what one says the other understands."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from syncd.sdk.channel import ListingRef, OutcomeKind, Seen, Write
from syncd.sdk.errors import AuthError, RejectedError, TransientError
from syncd.sdk.features import CancelReason, CancelWish, Inquiries, KeyExpiry
from syncd.testing.faults import Faults
from syncd.testing.loop import running
from tests.adapters.rakuten_stage import Stage, play

SECOND_US = 1_000_000
DAY_S = 86_400.0


def test_catalogue_and_numbers_are_the_shops() -> None:
    """The catalogue lists every SKU, and reading them shows what the shop shows."""

    async def scene(stage: Stage) -> None:
        listings = await stage.catalogue()
        shown = stage.shop.shown()
        assert {listing.ref for listing in listings} == {one.ref for one in shown}
        assert len({listing.sku for listing in listings}) == len(listings)
        seen = await stage.channel.seen([one.ref for one in shown])
        assert [one.quantity for one in seen] == [one.quantity for one in shown]
        assert await stage.channel.check() == []

    play(scene, skus=250)


def test_difference_and_absolute() -> None:
    """A difference commutes with a sale, an absolute number replaces what was there."""

    async def scene(stage: Stage) -> None:
        (ref,) = stage.refs(1)
        before = stage.truth(ref)
        stage.shop.buy([(stage.sku(ref), 2)])
        assert await stage.push([stage.write(ref, before + 5, delta=5)]) == [OutcomeKind.APPLIED]
        assert stage.truth(ref) == before + 3
        await asyncio.sleep(2)
        assert await stage.push([stage.write(ref, 0)]) == [OutcomeKind.APPLIED]
        assert stage.truth(ref) == 0

    play(scene)


@pytest.mark.parametrize("paths", [False, True])
def test_row_below_zero_is_stale_alone(paths: bool) -> None:
    """Of a call that a difference below zero spoils, that row is stale and the others, untouched, are sent again."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(rule_paths=paths)
        first, second, third = stage.refs(3)
        before = stage.truth(first), stage.truth(second), stage.truth(third)
        await stage.channel.seen([first, second, third])
        await asyncio.sleep(600)
        stage.shop.buy([(stage.sku(second), 1)])
        writes = [
            stage.write(first, before[0] + 1, delta=1),
            stage.write(second, 0, delta=-before[1]),
            stage.write(third, before[2] + 1, delta=1),
        ]
        assert await stage.push(writes) == [OutcomeKind.UNSENT, OutcomeKind.STALE, OutcomeKind.UNSENT]
        assert (stage.truth(first), stage.truth(second), stage.truth(third)) == (before[0], before[1] - 1, before[2])

    play(scene)


def test_nothing_is_claimed_of_a_neighbour_that_changed() -> None:
    """Where calls are not atomic, a neighbour that changed around the refused call is not said to be untouched."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(atomic=False, rule_paths=True)
        first, second = stage.refs(2)
        before = stage.truth(first)
        await stage.channel.seen([first, second])
        await asyncio.sleep(600)
        writes = [stage.write(first, before + 1, delta=1), stage.write(second, 0, delta=-99_000)]
        assert await stage.push(writes) == [OutcomeKind.INDETERMINATE, OutcomeKind.STALE]
        assert stage.truth(first) == before + 1

    play(scene)


def test_unknown_pair_makes_no_ghost() -> None:
    """A write to a pair that Rakuten does not know is rejected and leaves no row, absolute or not."""

    async def scene(stage: Stage) -> None:
        (ref,) = stage.refs(1)
        ghost = ListingRef(remote_id=f"{ref.remote_id.partition('/')[0]}/no-such-sku")
        kinds = await stage.push([stage.write(ghost, 5), stage.write(ref, 7)])
        assert kinds == [OutcomeKind.REJECTED, OutcomeKind.APPLIED]
        assert await stage.show(ghost) is None
        assert stage.truth(ref) == 7

    play(scene)


def test_conflicts_and_faults_of_the_server() -> None:
    """A conflict leaves a single write unsent, a fault of the server leaves it open."""

    async def scene(stage: Stage) -> None:
        (ref,) = stage.refs(1)
        await stage.show(ref)
        stage.shop.turn(conflicts=1.0)
        assert await stage.push([stage.write(ref, 3, delta=1)]) == [OutcomeKind.UNSENT]
        stage.shop.turn(conflicts=0.0, broken=1.0)
        await asyncio.sleep(2)
        assert await stage.push([stage.write(ref, 3, delta=1)]) == [OutcomeKind.INDETERMINATE]

    play(scene)


def test_order_lives_its_life() -> None:
    """An order is told as it is made, then as shipped; another as cancelled, without a restore where there is none."""

    async def scene(stage: Stage) -> None:
        _, cursor = await stage.feed(None)
        one, two = stage.refs(2)
        made = stage.shop.buy([(stage.sku(one), 2), (stage.sku(two), 1)])
        other = stage.shop.buy([(stage.sku(two), 3)])
        bought_at = running().clock.now()
        await asyncio.sleep(60)
        found, cursor = await stage.feed(cursor)
        assert {order.order_id for order in found} == {made.order_id, other.order_id}
        lines = {line.remote_id: line for order in found if order.order_id == made.order_id for line in order.lines}
        assert {name: line.quantity for name, line in lines.items()} == {one.remote_id: 2, two.remote_id: 1}
        take = lines[one.remote_id].take
        assert take is not None
        assert take.latest is not None
        assert take.earliest <= bought_at <= take.latest
        stage.shop.ship(made.order_id)
        stage.shop.cancel(other.order_id)
        await asyncio.sleep(60)
        found, cursor = await stage.feed(cursor)
        shipped, gone = sorted(found, key=lambda order: order.order_id != made.order_id)
        assert {line.shipped for line in shipped.lines} == {1, 2}
        assert gone.cancelled
        assert [(line.cancelled, line.gives) for line in gone.lines] == [(3, ())]

    play(scene)


def test_restore_is_told_where_the_sku_restores() -> None:
    """Where a SKU is set to restock on cancel, the cancelled units are a give in a span that holds the restore."""

    async def scene(stage: Stage) -> None:
        (ref,) = stage.refs(1)
        restocking(stage, ref)
        _, cursor = await stage.feed(None)
        made = stage.shop.buy([(stage.sku(ref), 2)])
        await asyncio.sleep(60)
        alive_at = running().clock.now()
        await stage.feed(cursor)
        logged = len(stage.shop.log)
        stage.shop.cancel(made.order_id)
        await asyncio.sleep(90)
        (restored,) = stage.shop.log.after(logged)
        order = (await stage.feed(cursor))[0][-1]
        (give,) = order.lines[0].gives
        assert give.quantity == restored.after - restored.before == 2
        assert give.span.latest is not None
        assert alive_at - 10 * SECOND_US <= give.span.earliest <= restored.at <= give.span.latest
        (again,) = await stage.channel.fetch([made.order_id])
        assert again.lines[0].gives == order.lines[0].gives

    play(scene)


def restocking(stage: Stage, ref: ListingRef) -> None:
    next(variant for variant in stage.shop.goods.variants() if variant.ref == ref).restock_on_cancel = True


def test_late_cancel_is_found_by_the_sweeps() -> None:
    """A cancel of an order of days ago, which no search by time brings, is found; what is unchanged is told once."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(confirm_s=(10 * DAY_S, 10 * DAY_S))
        _, cursor = await stage.feed(None)
        (ref,) = stage.refs(1)
        old, older = (stage.shop.buy([(stage.sku(ref), 1)]) for _ in range(2))
        told = []
        for turn in range(40):
            if turn == 12:
                stage.shop.cancel(old.order_id)
            if turn == 32:
                stage.shop.cancel(older.order_id)
            await asyncio.sleep(DAY_S / 8)
            found, cursor = await stage.feed(cursor)
            told += [(turn, order.order_id, order.cancelled) for order in found]
        assert [entry for entry in told if not entry[2]] == [(0, old.order_id, False), (0, older.order_id, False)]
        cancels = [entry[:2] for entry in told if entry[2]]
        assert cancels[0] == (12, old.order_id)
        late = [turn for turn, number in cancels if number == older.order_id]
        assert 32 <= late[0] <= 40
        assert len(cancels) <= 4, "what was told once is told again and again"

    play(scene)


def test_a_page_of_a_sweep_can_be_asked_for_again() -> None:
    """What a sweep told is told again for the same cursor, whose page may never have been stored."""

    async def scene(stage: Stage) -> None:
        _, cursor = await stage.feed(None)
        (ref,) = stage.refs(1)
        made = stage.shop.buy([(stage.sku(ref), 1)])
        await asyncio.sleep(6 * 3_600)
        _, cursor = await stage.feed(cursor)
        stage.shop.cancel(made.order_id)
        await asyncio.sleep(6 * 3_600)
        while not (page := await stage.channel.orders(cursor)).orders:
            assert page.more, "the cancel was not told"
            cursor = page.cursor
        again = await stage.channel.orders(cursor)
        assert [order.cancelled for order in again.orders] == [order.cancelled for order in page.orders] == [True]

    play(scene)


def test_full_pushes_keep_the_published_rate() -> None:
    """Full pushes one after the other are never refused for their rate, and are hardly slower than it allows."""

    async def scene(stage: Stage) -> None:
        refs = stage.refs(2_000)
        await stage.catalogue()
        began_s = running().clock.monotonic()
        for start in range(0, len(refs), 400):
            writes = [stage.write(ref, 0) for ref in refs[start : start + 400]]
            assert set(await stage.push(writes)) == {OutcomeKind.APPLIED}
        assert running().clock.monotonic() - began_s <= 5 * 1.2
        assert all(shown.quantity == 0 for shown in stage.shop.shown())

    play(scene, skus=2_000)


def test_maintenance_is_waited_out() -> None:
    """In a maintenance reading fails for now, a write is not claimed, and what was sold meanwhile is told after it."""

    async def scene(stage: Stage) -> None:
        (ref,) = stage.refs(1)
        await stage.show(ref)
        _, cursor = await stage.feed(None)
        stage.shop.turn(maintenance=True)
        with pytest.raises(TransientError):
            await stage.channel.orders(cursor)
        with pytest.raises(TransientError):
            await stage.show(ref)
        assert await stage.push([stage.write(ref, 5, delta=1)]) == [OutcomeKind.INDETERMINATE]
        made = stage.shop.buy([(stage.sku(ref), 1)])
        await asyncio.sleep(6 * 3_600)
        stage.shop.turn(maintenance=False)
        assert made.order_id in {order.order_id for order in (await stage.feed(cursor))[0]}

    play(scene)


def test_rush_is_read_whole() -> None:
    """Of more orders than a page within one second, and more after it, none is lost and none is read for ever."""

    async def scene(stage: Stage) -> None:
        _, cursor = await stage.feed(None)
        (ref,) = stage.refs(1)
        stage.shop.set_shown(ref, 5_000)
        made = {stage.shop.buy([(stage.sku(ref), 1)]).order_id for _ in range(250)}
        await asyncio.sleep(3)
        made |= {stage.shop.buy([(stage.sku(ref), 1)]).order_id for _ in range(130)}
        await asyncio.sleep(60)
        found, _ = await stage.feed(cursor)
        assert {order.order_id for order in found} == made

    play(scene)


def test_notifications_lead_to_orders() -> None:
    """Notifications verify, name the order, and a cancelled one again; wishes for a restock are words for a person."""

    async def scene(stage: Stage) -> None:
        (ref,) = stage.refs(1)
        made = stage.shop.buy([(stage.sku(ref), 1)])
        await asyncio.sleep(30)
        assert made.order_id in {number for notice in stage.notices() for number in notice.order_ids}
        stage.shop.cancel(made.order_id)
        await asyncio.sleep(30)
        assert made.order_id in {number for notice in stage.notices() for number in notice.order_ids}
        stage.shop.wish_restock(stage.sku(ref))
        await asyncio.sleep(30)
        (wish,) = stage.notices()
        assert "back in stock" in wish.text
        assert not wish.stop

    play(scene)


def test_key_that_ends_is_told_and_then_refused() -> None:
    """The end of the licence key is told ahead; after it every call is an error of the keys."""

    async def scene(stage: Stage) -> None:
        assert isinstance(stage.channel, KeyExpiry)
        (key,) = await stage.channel.keys()
        ends = stage.shop.gateway.licenses[-1].ends
        assert key.expires_at is not None
        assert abs(key.expires_at - ends) < SECOND_US
        stage.shop.gateway.licenses[-1].ends = running().clock.now() + round(5 * DAY_S * SECOND_US)
        assert any("licenseKey ends in" in sentence for sentence in await stage.channel.check())
        await asyncio.sleep(5 * DAY_S + 60)
        for call in (stage.channel.orders(None), stage.channel.listings(None), stage.channel.keys()):
            with pytest.raises(AuthError):
                await call
        with pytest.raises(AuthError):
            await stage.push([stage.write(stage.refs(1)[0], 0)])

    play(scene)


def test_settings_that_oversell_are_said() -> None:
    """Stock without limit, and a restock at cancels, are said in sentences, as is a function that is off."""

    async def scene(stage: Stage) -> None:
        one, two = stage.refs(2)
        stage.shop.unmanage(stage.sku(one))
        restocking(stage, two)
        functions = stage.shop.world.knobs.functions
        without = [name for name in functions if name != "purchaseItem.getOrderItem"]
        stage.shop.turn(functions=without)
        said = " ".join(await stage.channel.check())
        assert "unlimitedInventoryFlag" in said
        assert "restockOnCancel" in said
        assert "purchaseItem.getOrderItem" in said
        assert "bulk.get" not in said

    play(scene)


def test_inquiries_about_stock() -> None:
    """Questions about stock are listed, those about other things are not, and no answer at all is none."""

    async def scene(stage: Stage) -> None:
        assert isinstance(stage.channel, Inquiries)
        before = await stage.channel.inquiries(None)
        ref = stage.refs(1)[0]
        page = next(variant for variant in stage.shop.goods.variants() if variant.ref == ref).page
        stage.shop.inquiries.ask("再入荷・在庫", about=page.manage_number, title=page.title)
        stage.shop.inquiries.ask("配送", about=page.manage_number, title=page.title)
        await asyncio.sleep(60)
        after = await stage.channel.inquiries(None)
        new = {one.inquiry_id: one for one in after.inquiries}.keys() - {one.inquiry_id for one in before.inquiries}
        assert len(new) == 1
        assert all(one.category == "再入荷・在庫" for one in after.inquiries)
        assert not [name for name in stage.shop.canaries if name in str(after)]

    play(scene)


def test_cancel_by_a_persons_word() -> None:
    """A whole order is cancelled, for want of stock without a restore; parts and buyers' reasons are refused."""

    async def scene(stage: Stage) -> None:
        (ref,) = stage.refs(1)
        restocking(stage, ref)
        made = stage.shop.buy([(stage.sku(ref), 1)])
        await asyncio.sleep(60)
        left = stage.truth(ref)
        wish = CancelWish(key="k", order_id=made.order_id, reason=CancelReason.OUT_OF_STOCK)
        assert (await stage.channel.cancel(wish)).kind is OutcomeKind.ACCEPTED
        await asyncio.sleep(1_200)
        (order,) = await stage.channel.fetch([made.order_id])
        assert order.cancelled
        assert order.lines[0].cancelled_as.value == "phantom"
        assert order.lines[0].gives == ()
        assert stage.truth(ref) == left
        assert (await stage.channel.cancel(wish)).kind is OutcomeKind.REJECTED
        buyer = CancelWish(key="k", order_id=made.order_id, reason=CancelReason.BUYER)
        with pytest.raises(RejectedError):
            await stage.channel.cancel(buyer)

    play(scene)


@pytest.mark.parametrize("seed", range(5))
def test_crowd_of_faults_ends_right(seed: int) -> None:
    """Under cuts, refusals, pages of HTML and conflicts no outcome is wrong, and the numbers come right in the end."""

    async def scene(stage: Stage) -> None:
        refs = stage.refs(20)
        stage.shop.turn(conflicts=0.1, broken=0.05)
        stage.shop.faults = Faults(cut_after_effect=0.2, refuse=0.1, error_5xx=0.1, too_many=0.05, html=0.05)
        wanted = {ref: 40 + place for place, ref in enumerate(refs)}
        for _ in range(200):
            left = await different(stage, wanted)
            if not left:
                return
            writes = [
                stage.write(seen.ref, wanted[seen.ref], delta=wanted[seen.ref] - (seen.quantity or 0)) for seen in left
            ]
            await judged(stage, writes)
        raise AssertionError("never came right")

    play(scene, seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_no_order_is_lost_in_trouble(seed: int) -> None:
    """With a feed that fails now and then, and late and doubled notices, every order is told and means the same."""

    async def scene(stage: Stage) -> None:
        _, cursor = await stage.feed(None)
        stage.shop.faults = Faults(
            refuse=0.1,
            error_5xx=0.1,
            too_many=0.1,
            html=0.1,
            stale_reads=0.3,
            double_webhooks=0.3,
            late_webhooks_s=60.0,
        )
        refs = stage.refs(10)
        bought: dict[str, int] = {}
        told: dict[str, int] = {}
        for turn in range(40):
            made = stage.shop.buy([(stage.sku(refs[turn % 10]), 1 + turn % 3)])
            bought[made.order_id] = 1 + turn % 3
            page = await patiently(functools.partial(stage.channel.orders, cursor))
            told.update((order.order_id, sum(line.quantity for line in order.lines)) for order in page.orders)
            cursor = page.cursor
            await asyncio.sleep(60)
        stage.shop.faults = Faults()
        await asyncio.sleep(600)
        found, _ = await stage.feed(cursor)
        told.update((order.order_id, sum(line.quantity for line in order.lines)) for order in found)
        assert told == bought

    play(scene, seed=seed)


async def patiently(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    for _ in range(12):
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
    await asyncio.sleep(70.0)
