"""The adapter on the simulated Qoo10, which was written apart from it: what one says the other understands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from adapters.qoo10.channel import DatingChannel
from adapters.qoo10.simulated.keys import USER
from adapters.qoo10.wire import japan
from syncd.sdk.channel import (
    Comeback,
    FulfilmentStatus,
    ListingRef,
    OrderSnapshot,
    OutcomeKind,
    PaymentStatus,
    ReturnStatus,
)
from syncd.sdk.errors import AuthError, ChannelError
from syncd.sdk.features import CancelLine, CancelReason, CancelWish
from syncd.sdk.secret import Secret
from syncd.testing.faults import Faults
from syncd.testing.loop import running
from tests.adapters.qoo10_stage import SETTLED_S, Stage, play

SKUS = [f"SKU-{number:05d}" for number in range(1, 31)]


def open_units(orders: list[OrderSnapshot]) -> dict[str, int]:
    """Return the units that are owed, by line, as the last snapshot of each order states them."""
    last = {order.order_id: order for order in orders}
    return {
        line.line_id: line.quantity - line.cancelled - line.shipped for order in last.values() for line in order.lines
    }


def test_catalogue_and_numbers_are_the_shops() -> None:
    """The catalogue lists every item and option row by the shop's SKU, and reading them shows what the shop shows."""

    async def scene(stage: Stage) -> None:
        listings = await stage.catalogue()
        assert {one.ref: one.sku for one in listings} == {one.ref: one.sku for one in stage.shop.shown()}
        refs = [one.ref for one in listings]
        assert any(":" in ref.remote_id for ref in refs)
        for start in range(0, len(refs), stage.channel.profile.max_seen):
            some = refs[start : start + stage.channel.profile.max_seen]
            assert [one.quantity for one in await stage.channel.seen(some)] == [stage.shown()[ref] for ref in some]
        uncoded = {one.ref.remote_id.partition(":")[0] for one in listings if ":=" in one.ref.remote_id}
        assert [all(item in sentence for item in uncoded) for sentence in await stage.channel.check()] == [True]

    play(scene)


def test_item_off_sale_stays_with_all_its_rows() -> None:
    """An item that waits is listed as not active, with its option rows, and reads as not active."""

    async def scene(stage: Stage) -> None:
        before = await stage.catalogue()
        option = next(one for one in before if ":" in one.ref.remote_id)
        stage.shop.hide(option.sku)
        after = {one.ref: one.active for one in await stage.catalogue()}
        assert set(after) == {one.ref for one in before}
        item = option.ref.remote_id.partition(":")[0]
        assert {active for ref, active in after.items() if ref.remote_id.startswith(f"{item}:")} == {False}
        (seen,) = await stage.channel.seen([option.ref])
        assert not seen.active

    play(scene)


def test_writes_change_nothing_but_the_number() -> None:
    """After writes of items and option rows price, end of sale and other rows are what they were."""

    async def scene(stage: Stage) -> None:
        refs = list(stage.shown())
        before = pages(stage)
        ends = await stage.set(*((ref, 70 + place) for place, ref in enumerate(refs)))
        assert {end.kind for end in ends} == {OutcomeKind.ACCEPTED}
        await asyncio.sleep(SETTLED_S)
        assert stage.shown() == {ref: 70 + place for place, ref in enumerate(refs)}
        assert pages(stage) == before

    play(scene)


def pages(stage: Stage) -> list[tuple[Any, ...]]:
    """Return what a write may not change."""
    return [
        (item.code, item.price, item.expires_on, item.status, [row.code for row in item.rows])
        for item in stage.shop.shop.goods.items.values()
    ]


def test_row_that_fails_is_found() -> None:
    """When rows of a bulk fail now and then, no outcome claims what is not true."""

    async def scene(stage: Stage) -> None:
        refs = [ref for ref in stage.shown() if ":" not in ref.remote_id]
        before = stage.shown()
        ends = await stage.set(*((ref, 70) for ref in refs))
        await asyncio.sleep(SETTLED_S)
        for ref, end in zip(refs, ends, strict=True):
            expected = {OutcomeKind.ACCEPTED: {70}, OutcomeKind.REJECTED: {70, before[ref]}}
            assert stage.shown()[ref] in expected.get(end.kind, {70, before[ref]})

    play(scene, knobs={"failed_rows": 0.1})


def test_order_lives_its_life() -> None:
    """A cart is in the feed as it is bought; one line is cancelled, the other shipped and sent back."""

    async def scene(stage: Stage) -> None:
        _, page = await stage.scan(None)
        made = stage.shop.buy([(SKUS[0], 2), (SKUS[1], 1)])
        bought_at = running().clock.now()
        await asyncio.sleep(90)
        (order,), page = await stage.scan(page.cursor)
        assert (order.number, order.payment) == (made.number, PaymentStatus.PAID)
        assert [(line.quantity, line.remote_sku) for line in order.lines] == [(2, SKUS[0]), (1, SKUS[1])]
        assert {line.remote_id for line in order.lines} == {line.ref.remote_id for line in made.lines}
        take = order.lines[0].take
        assert take is not None
        assert take.earliest <= bought_at <= (take.latest or 0)
        stage.shop.cancel(made.order_id, quantity=2)
        await asyncio.sleep(90)
        (order,), page = await stage.scan(page.cursor)
        assert [line.cancelled for line in order.lines] == [2, 0]
        assert not order.cancelled
        assert [give.quantity for give in order.lines[0].gives] == [2]
        stage.shop.ship(made.order_id)
        await asyncio.sleep(400)
        (order,), page = await stage.scan(page.cursor)
        assert [line.shipped for line in order.lines] == [0, 1]
        assert (order.closed, order.fulfilment) == (True, FulfilmentStatus.FULFILLED)
        (fetched,) = await stage.channel.fetch([order.order_id])
        assert fetched.fresh
        assert fetched.lines == order.lines

    play(scene)


def test_returned_goods_are_damaged_until_counted() -> None:
    """A finished return brings units back, not for sale unless the settings say so."""

    async def scene(stage: Stage) -> None:
        made = stage.shop.buy([(SKUS[0], 2)])
        stage.shop.ship(made.order_id)
        for line in stage.shop.shop.orders.pack(made.order_id):
            stage.shop.shop.orders.send_back(line, running().clock.now())
        await asyncio.sleep(3 * 86_400)
        (order,) = await stage.channel.fetch([made.order_id])
        assert order.returns is ReturnStatus.RETURNED
        assert [(line.returned, line.returned_as) for line in order.lines] == [(2, Comeback.DAMAGED)]

    play(scene)


def test_unpaid_orders_commit_and_are_freed() -> None:
    """Unpaid carts are told at once; in the end each is paid, or cancelled, and no unit is owed twice or forgotten."""

    async def scene(stage: Stage) -> None:
        _, page = await stage.scan(None)
        made = [stage.shop.buy([(sku, 1)]) for sku in SKUS[:20]]
        await asyncio.sleep(90)
        orders, page = await stage.scan(page.cursor)
        assert sum(open_units(orders).values()) == 20
        assert {order.payment for order in orders} == {PaymentStatus.PENDING}
        for _ in range(60):
            await asyncio.sleep(7_200)
            news, page = await stage.scan(page.cursor)
            orders += news
        last = {order.order_id: order for order in orders}
        assert {order.payment for order in last.values()} <= {
            PaymentStatus.PAID,
            PaymentStatus.VOIDED,
            PaymentStatus.REFUNDED,
        }
        paid = {order.number for order in last.values() if order.payment is PaymentStatus.PAID}
        truth = {
            receipt.number
            for receipt in made
            if all(line.paid_at is not None and line.left for line in stage.shop.shop.orders.pack(receipt.order_id))
        }
        assert paid == truth
        assert 0 < len(paid) < 20

    play(scene, knobs={"unpaid": 1.0})


def test_restart_forgets_no_line_of_a_cart() -> None:
    """After a restart a cart is told with all its lines, though only one of them changed and another was cancelled."""

    async def scene(stage: Stage) -> None:
        _, page = await stage.scan(None)
        made = stage.shop.buy([(SKUS[0], 1), (SKUS[1], 1), (SKUS[2], 1)])
        await asyncio.sleep(90)
        _, page = await stage.scan(page.cursor)
        stage.shop.cancel(made.order_id, quantity=1)
        await asyncio.sleep(5_000)
        async with stage.restarted() as channel:
            stage.channel = channel
            orders, page = await stage.scan(page.cursor)
            (order,) = orders
            assert [(line.quantity, line.cancelled) for line in order.lines] == [(1, 1), (1, 0), (1, 0)]
            (fetched,) = await channel.fetch([made.number])
            assert [line.cancelled for line in fetched.lines] == [1, 0, 0]
        async with stage.restarted() as channel:
            (fetched,) = await channel.fetch([made.number])
            assert len(fetched.lines) == 3

    play(scene)


def test_line_that_is_told_late_joins_its_cart() -> None:
    """A second line that the feed tells minutes later is not dropped, and takes nothing from the first."""

    async def scene(stage: Stage) -> None:
        _, page = await stage.scan(None)
        made = stage.shop.buy([(SKUS[0], 1), (SKUS[1], 1)])
        counts = []
        for _ in range(40):
            await asyncio.sleep(30)
            orders, page = await stage.scan(page.cursor)
            counts += [len(order.lines) for order in orders if order.number == made.number]
        assert counts == sorted(counts)
        assert counts[-1] == 2

    play(scene, knobs={"late_line_s": (60.0, 300.0)})


def test_person_who_confirms_first_hides_nothing() -> None:
    """Orders that were moved on by hand before the first poll are told all the same."""

    async def scene(stage: Stage) -> None:
        _, page = await stage.scan(None)
        made = {stage.shop.buy([(sku, 1)]).number for sku in SKUS[:5]}
        await asyncio.sleep(90)
        orders, _ = await stage.scan(page.cursor)
        assert {order.number for order in orders} == made

    play(scene, knobs={"confirmed_by_person": 1.0})


@pytest.mark.parametrize("layout", ["%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d", "%Y/%m/%d"])
def test_dates_are_read_in_any_layout(layout: str) -> None:
    """Whatever the layout of dates, a sale lies within its take."""

    async def scene(stage: Stage) -> None:
        _, page = await stage.scan(None)
        stage.shop.buy([(SKUS[0], 1)])
        bought_at = running().clock.now()
        await asyncio.sleep(90)
        (order,), _ = await stage.scan(page.cursor)
        take = order.lines[0].take
        assert take is not None
        assert take.earliest <= bought_at <= (take.latest or 0)

    play(scene, knobs={"date_layout": layout})


def test_quiet_shop_is_told_once() -> None:
    """What did not change is not told by every scan, the deep ones included."""

    async def scene(stage: Stage) -> None:
        _, page = await stage.scan(None)
        for sku in SKUS[:10]:
            stage.shop.buy([(sku, 1)])
        told: list[OrderSnapshot] = []
        for _ in range(60):
            await asyncio.sleep(600)
            orders, page = await stage.scan(page.cursor)
            told += orders
        assert len(told) == 10

    play(scene)


def test_ship_date_is_promised_once() -> None:
    """An undated order gets its day, is not undated any more, and the customer is told once."""

    async def scene(stage: Stage) -> None:
        assert isinstance(stage.channel, DatingChannel)
        made = stage.shop.buy([(SKUS[0], 1), (SKUS[1], 1)])
        await asyncio.sleep(90)
        (one,) = await stage.channel.undated()
        assert (one.order_id, one.delayed) == (made.number, False)
        day = japan(running().clock.now() + 3 * 86_400_000_000).date()
        assert (await stage.channel.set_ship_date(made.number, day)).kind is OutcomeKind.ACCEPTED
        await asyncio.sleep(90)
        assert await stage.channel.undated() == []
        await asyncio.sleep(5 * 86_400)
        (late,) = await stage.channel.undated()
        assert (late.delayed, late.current) == (True, day)
        later = japan(running().clock.now() + 3 * 86_400_000_000).date()
        assert (await stage.channel.set_ship_date(made.number, later)).kind is OutcomeKind.ACCEPTED
        await asyncio.sleep(90)
        assert await stage.channel.undated() == []

    play(scene, ship_dates=True)


def test_cancel_by_a_person() -> None:
    """A line that a person cancels is told as cancelled, as a phantom where it was not there."""

    async def scene(stage: Stage) -> None:
        made = stage.shop.buy([(SKUS[0], 1), (SKUS[1], 2)])
        await asyncio.sleep(90)
        (order,) = await stage.channel.fetch([made.number])
        line = order.lines[1]
        wish = CancelWish(
            key="wish",
            order_id=order.order_id,
            reason=CancelReason.OUT_OF_STOCK,
            lines=(CancelLine(line_id=line.line_id, quantity=2),),
        )
        assert (await stage.channel.cancel(wish)).kind is OutcomeKind.ACCEPTED
        await asyncio.sleep(600)
        (order,) = await stage.channel.fetch([made.number])
        assert [(one.cancelled, one.cancelled_as) for one in order.lines] == [
            (0, Comeback.SELLABLE),
            (2, Comeback.PHANTOM),
        ]

    play(scene)


def test_new_key_goes_on_after_the_password_was_changed() -> None:
    """A changed password ends the key; a new one is made by login and opens the shop."""

    async def scene(stage: Stage) -> None:
        stage.shop.change_password()
        with pytest.raises(AuthError):
            await stage.scan(None)
        keys = stage.shop.shop.keys
        issued = await stage.channel.issue_key(USER, Secret(keys.password))
        assert issued.expires_at > running().clock.now() + 364 * 86_400_000_000
        assert issued.key.reveal() == keys.current

    play(scene)


def test_key_is_in_no_address() -> None:
    """No call has the key in its address, where proxies would log it."""

    async def scene(stage: Stage) -> None:
        await stage.catalogue()
        await stage.scan(None)
        assert stage.shop.keys_in_urls == 0

    play(scene)


def test_pace_is_kept() -> None:
    """However much there is to do, Qoo10 is called no faster than the settings say, and turns nothing away."""

    async def scene(stage: Stage) -> None:
        began_s = asyncio.get_running_loop().time()

        async with asyncio.TaskGroup() as group:
            group.create_task(stage.scan(None), name="orders")
            for _ in range(3):
                group.create_task(stage.catalogue(), name="catalogue")
        assert asyncio.get_running_loop().time() - began_s > 60.0
        assert stage.shop.gate.turned_away == 0

    play(scene, knobs={"calls_per_s": 2.0, "burst": 8.0})


# --- faults --------------------------------------------------------------------------------

CROWD = Faults(cut_after_effect=0.1, refuse=0.1, error_5xx=0.05, too_many=0.02, html=0.05, stale_reads=0.1)


async def patiently(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    for _ in range(40):
        try:
            return await call()
        except ChannelError as fault:
            await asyncio.sleep(getattr(fault, "retry_after_s", None) or 2.0)
    raise AssertionError("never answered")


@pytest.mark.parametrize("seed", range(5))
def test_crowd_of_faults_ends_right(seed: int) -> None:
    """Under cuts, refusals, pages and stale reads the numbers come right in the end, and no outcome is ever wrong."""

    async def scene(stage: Stage) -> None:
        wanted = {ref: 40 + place for place, ref in enumerate(stage.shown())}
        stage.shop.faults = CROWD
        for _ in range(60):
            left = await different(stage, wanted)
            if not left:
                break
            await judged(stage, {ref: wanted[ref] for ref in left})
            await asyncio.sleep(SETTLED_S)
        stage.shop.faults = Faults()
        await asyncio.sleep(SETTLED_S)
        assert stage.shown() == wanted

    play(scene, seed=seed)


async def different(stage: Stage, wanted: dict[ListingRef, int]) -> list[ListingRef]:
    refs, most = list(wanted), stage.channel.profile.max_seen
    found = []
    for start in range(0, len(refs), most):
        some = refs[start : start + most]
        seen = await patiently(partial(stage.channel.seen, some))
        found += [one.ref for one in seen if one.quantity != wanted[one.ref]]
    return found


async def judged(stage: Stage, numbers: dict[ListingRef, int]) -> None:
    """Push, and compare each outcome with what the shop shows when everything late has come."""
    before = stage.shown()
    try:
        ends = await stage.set(*numbers.items())
    except ChannelError:
        await asyncio.sleep(SETTLED_S)
        assert stage.shown() == before
        return
    await asyncio.sleep(SETTLED_S)
    after = stage.shown()
    for (ref, quantity), end in zip(numbers.items(), ends, strict=True):
        if end.kind is OutcomeKind.ACCEPTED:
            assert after[ref] == quantity
        elif end.kind is not OutcomeKind.INDETERMINATE:
            assert after[ref] == before[ref], end


@pytest.mark.parametrize("seed", range(5))
def test_orders_in_a_crowd_of_faults_are_counted_once(seed: int) -> None:
    """Under faults, late lines, restarts and cancels every order is told, and what is owed in the end is the truth."""

    async def scene(stage: Stage) -> None:
        _, page = await stage.scan(None)
        cursor, told, made = page.cursor, [], []
        stage.shop.faults = CROWD
        for turn in range(25):
            made.append(stage.shop.buy([(SKUS[turn % 30], 1), (SKUS[(turn + 7) % 30], 2)]))
            if turn % 4 == 3:
                stage.shop.cancel(made[turn - 2].order_id, quantity=1)
            if turn % 5 == 4:
                stage.shop.ship(made[turn - 4].order_id)
            await asyncio.sleep(120)
            page = await patiently(partial(stage.channel.orders, cursor))
            told += page.orders
            cursor = page.cursor
            if turn == 12:
                async with stage.restarted() as channel:
                    stage.channel = channel
        stage.shop.faults = Faults()
        await asyncio.sleep(600)
        told += (await stage.scan(cursor))[0]
        lines = [line for one in made for line in stage.shop.shop.orders.pack(one.order_id)]
        assert open_units(told) == {str(line.order_no): line.left for line in lines}

    play(scene, seed=seed, knobs={"late_line_s": (0.0, 200.0)})
