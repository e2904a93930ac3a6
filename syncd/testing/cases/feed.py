"""The order feed: nothing missing, nothing invented, always forward."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from dataclasses import replace

from syncd.core.terms import OrderSnapshot
from syncd.testing.casebook import Group
from syncd.testing.simulators import Receipt
from syncd.testing.stage import NotApplicable, Scan, Stage, hold

FEED = Group("feed")

DAY_S = 86_400.0
ROUNDS = 5


@FEED.case
async def a_new_order_appears(stage: Stage) -> None:
    """An order that is placed now is told within the profile's lateness."""
    since = await stage.start()
    await stage.told(_buy_one(stage), since)


@FEED.case
async def open_orders_come_without_a_cursor(stage: Stage) -> None:
    """Without a cursor a scan starts with what is open."""
    since = await stage.start()
    receipts = [_buy_one(stage, place) for place in range(3)]
    for receipt in receipts:
        await stage.told(receipt, since)
    numbers = {order.number for order in (await stage.scan(None)).orders}
    hold(all(receipt.number in numbers for receipt in receipts), "an open order is missing from the first scan")


@FEED.large
async def no_order_is_missing_over_pages(stage: Stage) -> None:
    """Of more orders than a page holds, a scan brings every one."""
    since = await stage.start()
    receipts = [_buy_one(stage, place) for place in range(stage.kit.orders)]
    await stage.all_told(receipts, since)


@FEED.large
async def the_first_scan_is_whole(stage: Stage) -> None:
    """Of more open orders than a page holds, a scan without a cursor brings every one."""
    since = await stage.start()
    receipts = [_buy_one(stage, place) for place in range(stage.kit.orders)]
    await stage.all_told(receipts, since)
    await stage.all_told(receipts, None)


@FEED.case
async def the_same_cursor_brings_the_same(stage: Stage) -> None:
    """A page that is asked for again with the same cursor has the same orders."""
    since = await stage.start()
    for place in range(3):
        await stage.told(_buy_one(stage, place), since)
    first, second = await stage.channel.orders(since), await stage.channel.orders(since)
    missing = {order.order_id for order in first.orders} - {order.order_id for order in second.orders}
    hold(not missing, "a page that was repeated lost an order")


@FEED.case
async def the_cursor_goes_forward(stage: Stage) -> None:
    """Orders that were told long ago, and did not change, are not told again."""
    since = await stage.start()
    receipts = [_buy_one(stage, place) for place in range(3)]
    for receipt in receipts:
        await stage.told(receipt, since)
    await stage.wait(DAY_S + 2 * stage.profile.feed_lateness_s)
    cursor = (await stage.scan(since)).cursor
    await stage.wait(DAY_S)
    cursor = (await stage.scan(cursor)).cursor
    await stage.wait(DAY_S)
    again = {order.number for order in (await stage.scan(cursor)).orders}
    hold(again.isdisjoint(receipt.number for receipt in receipts), "old orders are told again: the cursor went back")


@FEED.case
async def a_quiet_feed_ends(stage: Stage) -> None:
    """A scan without news ends, and its cursor can be used."""
    scan = await stage.scan(await stage.start())
    hold(isinstance(scan.cursor, str), "a scan without news has no cursor")
    await stage.told(_buy_one(stage), scan.cursor)


@FEED.large
async def changes_during_paging_are_not_missed(stage: Stage) -> None:
    """Orders that change while their pages are read come again as they are then."""
    since = await stage.start()
    receipts = [_buy_one(stage, place) for place in range(stage.kit.orders)]
    await stage.all_told(receipts, since)
    page = await stage.channel.orders(since)
    if not page.more:
        raise NotApplicable(f"{stage.kit.orders} orders fit on one page")
    changed = [receipts[0], receipts[-1]]
    for receipt in changed:
        stage.simulator.cancel(receipt.order_id)
    rest = await stage.scan(page.cursor)
    done = {order.number for order in rest.orders if _is_cancelled(order)}
    for receipt in changed:
        if receipt.number not in done:
            await stage.told(receipt, rest.cursor, _is_cancelled)


@FEED.case
async def doubles_are_equal(stage: Stage) -> None:
    """Snapshots of one order with one version are equal, in one scan and the next."""
    since = await stage.start()
    await stage.told(_buy_one(stage), since)
    scans = [await stage.scan(since), await stage.scan(since)]
    known: dict[tuple[str, int | None], OrderSnapshot] = {}
    for order in (order for scan in scans for order in scan.orders):
        timeless = replace(order, read_at=0)
        first = known.setdefault((order.order_id, order.version), timeless)
        hold(first == timeless, "two snapshots of one order and version differ")


@FEED.case
async def versions_never_fall(stage: Stage) -> None:
    """A later state of an order has no smaller version."""
    since = await stage.start()
    receipt = _buy_one(stage)
    first = await stage.told(receipt, since)
    await stage.wait(2.0)
    stage.simulator.cancel(receipt.order_id)
    second = await stage.told(receipt, since, _is_cancelled)
    hold((first.version is None) == (second.version is None), "an order has a version, and then has none")
    hold((second.version or 0) >= (first.version or 0), "the version of a cancelled order is smaller than before")
    hold(second.read_at >= first.read_at, "a later snapshot was read earlier")


@FEED.case
async def complete_means_complete(stage: Stage) -> None:
    """What a scan says to be complete up to a time has every order placed before it, and no time lies ahead."""
    if not stage.profile.feed_complete:
        raise NotApplicable("the feed does not say up to when it is complete")
    cursor = await stage.start()
    placed: list[tuple[int, str]] = []
    told: set[str] = set()
    best = 0
    for turn in range(ROUNDS):
        placed.append((stage.clock.now(), _buy_one(stage, turn).number))
        scan = await stage.scan(cursor)
        told |= {order.number for order in scan.orders}
        cursor, best = scan.cursor, max(best, _complete(stage, scan))
        late = [number for at, number in placed if at <= _complete(stage, scan) and number not in told]
        hold(not late, "an order is missing from a time that is said to be complete")
        await stage.wait(max(1.0, stage.profile.feed_lateness_s / 2))
    hold(best >= placed[0][0], "the feed never becomes complete")


def _complete(stage: Stage, scan: Scan) -> int:
    until = scan.complete_until
    hold(until is not None, "the last page does not say up to when the feed is complete")
    hold((until or 0) <= stage.clock.now(), "the feed is said to be complete up to a time that lies ahead")
    return until or 0


def _buy_one(stage: Stage, place: int = 0) -> Receipt:
    """Buy a unit of one of the goods that still have some."""
    goods = [shown for shown in stage.simulator.shown() if shown.quantity > 0]
    return stage.simulator.buy([(goods[place % len(goods)].sku, 1)])


def _is_cancelled(order: OrderSnapshot) -> bool:
    return order.cancelled or all(line.cancelled == line.quantity for line in order.lines)
