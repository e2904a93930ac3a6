"""The marketplace in memory: it sells whole orders, is late, coarse and old as its habits are, and logs changes."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.memory import wire
from adapters.memory.simulator import Habits, MemoryShop
from syncd.sdk.channel import ListingRef
from syncd.testing.clock import START, LeapingClock, ManualClock
from syncd.testing.market import Market
from syncd.testing.simulators import Refusal, Unknown

SECOND = 1_000_000
REF = ListingRef(remote_id="L-A")


def shop(**habits: object) -> tuple[MemoryShop, ManualClock]:
    clock = ManualClock()
    made = MemoryShop(clock=clock, seed=3, habits=Habits(**habits))  # type: ignore[arg-type]
    made.add("A", 10)
    made.add("B", 5)
    return made, clock


def numbers(made: Market) -> list[int]:
    return [shown.quantity for shown in made.shown()]


def row(key: str, quantity: int, **more: int) -> wire.PushRow:
    return wire.PushRow(key=key, listing=wire.Place(id="L-A"), quantity=quantity, **more)


def push(made: MemoryShop, *rows: wire.PushRow) -> list[str]:
    made.take(rows)
    return [result.result for result in made.results(rows)]


def reading(made: MemoryShop) -> int | None:
    return made.readings([wire.Place(id="L-A")])[0].quantity


# --- shoppers --------------------------------------------------------------------------------------------------------


def test_an_order_is_sold_whole_or_not_at_all() -> None:
    """A line that cannot be served refuses the whole order, and nothing is taken."""
    made, _ = shop()
    with pytest.raises(Refusal):
        made.buy([("A", 2), ("B", 6)])
    assert numbers(made) == [10, 5]
    made.buy([("A", 2), ("B", 5)])
    assert numbers(made) == [8, 0]


@pytest.mark.parametrize(("lines", "error"), [([], Refusal), ([("A", 0)], Refusal), ([("C", 1)], Unknown)])
def test_silly_orders_are_refused(lines: list[tuple[str, int]], error: type[Exception]) -> None:
    """An order of nothing, of no units or of unknown goods is refused."""
    made, _ = shop()
    with pytest.raises(error):
        made.buy(lines)


def test_one_sku_on_two_lines_is_one_demand() -> None:
    """Two lines of one SKU are sold only when there is enough for both."""
    made, _ = shop()
    with pytest.raises(Refusal):
        made.buy([("B", 3), ("B", 3)])
    assert made.buy([("B", 2), ("B", 3)]).lines[0].quantity == 5


def test_a_second_listing_sells_when_the_first_is_short() -> None:
    """A SKU with two listings is sold from one that has enough and is not hidden."""
    made, _ = shop()
    other = made.add("A", 30, remote_id="L-A2")
    assert made.buy([("A", 20)]).lines[0].ref == other
    made.shelf.at(REF).active = False
    assert made.buy([("A", 1)]).lines[0].ref == other
    with pytest.raises(Refusal):
        made.buy([("A", 10)])


def test_untracked_goods_are_always_sold() -> None:
    """A listing whose stock is not tracked sells without end, keeps its number and takes no write."""
    made, _ = shop()
    made.shelf.at(REF).managed = False
    receipt = made.buy([("A", 1_000)])
    made.cancel(receipt.order_id)
    assert numbers(made) == [10, 5]
    assert push(made, row("k", 3)) == ["rejected"]


def test_a_deleted_listing_is_gone() -> None:
    """A listing that was removed shows nothing, takes nothing and is not in the catalogue."""
    made, _ = shop()
    made.shelf.remove(REF)
    assert reading(made) is None
    assert push(made, row("k", 3)) == ["rejected"]
    assert [listing.sku for listing in made.listings_page(None).listings] == ["B"]
    with pytest.raises(Unknown):
        made.quantity("A")


# --- cancels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restore_s", "restock", "at_once", "later"),
    [
        ((0.0, 0.0), None, 10, 10),
        ((30.0, 60.0), None, 8, 10),
        (None, None, 8, 8),
        ((0.0, 0.0), False, 8, 8),
        (None, True, 10, 10),
    ],
)
def test_a_cancel_restores_by_habit(
    restore_s: tuple[float, float] | None, restock: Any, at_once: int, later: int
) -> None:
    """Cancelled units come back at once, later or never, by the shop's habit unless the cancel says otherwise."""
    made, clock = shop(restore_s=restore_s)
    receipt = made.buy([("A", 2)])
    made.cancel(receipt.order_id, restock=restock)
    assert made.quantity("A") == at_once
    clock.advance(60.0)
    assert made.quantity("A") == later
    gives = [give for line in made.fetched([receipt.order_id])[0].lines for give in line.gives]
    assert sum(give.quantity for give in gives if give.at is not None) == later - 8


def test_a_give_is_open_until_it_happened() -> None:
    """A restore that is still to come has no time, and then has its own."""
    made, clock = shop(restore_s=(10.0, 10.0))
    receipt = made.buy([("A", 2)])
    made.cancel(receipt.order_id)
    before = made.fetched([receipt.order_id])[0]
    clock.advance(15.0)
    after = made.fetched([receipt.order_id])[0]
    assert before.lines[0].gives[0].at is None
    assert after.lines[0].gives[0].at == START + 10 * SECOND
    assert after.lines[0].gives[0].id == before.lines[0].gives[0].id
    assert (after.revision or 0) > (before.revision or 0)


def test_cancels_in_parts() -> None:
    """Units are cancelled line by line, each part is its own give, and never more than is left."""
    made, _ = shop()
    receipt = made.buy([("A", 2), ("B", 2)])
    made.cancel(receipt.order_id, quantity=1)
    made.cancel(receipt.order_id, quantity=2)
    lines = made.fetched([receipt.order_id])[0].lines
    assert [line.cancelled for line in lines] == [2, 1]
    assert [give.quantity for line in lines for give in line.gives] == [1, 1, 1]
    with pytest.raises(Refusal):
        made.cancel(receipt.order_id, quantity=2)
    made.ship(receipt.order_id)
    order = made.fetched([receipt.order_id])[0]
    assert (order.closed, order.cancelled, order.lines[1].shipped) == (True, False, 1)
    with pytest.raises(Refusal):
        made.ship(receipt.order_id)


# --- the feed --------------------------------------------------------------------------------------------------------


def scan(made: MemoryShop, cursor: str | None) -> tuple[list[str], str, int | None]:
    told: list[str] = []
    while True:
        page = made.orders_page(cursor)
        told += [order.number for order in page.orders]
        cursor = page.cursor
        if not page.more:
            return told, cursor, page.complete_until


def test_orders_are_told_late() -> None:
    """An order appears in the feed after a lateness within the range, and completeness respects the longest one."""
    made, clock = shop(feed_lateness_s=(20.0, 60.0))
    _, cursor, _ = scan(made, None)
    made.buy([("A", 1)])
    clock.advance(19.0)
    assert scan(made, cursor)[0] == []
    clock.advance(41.0)
    told, _, complete = scan(made, cursor)
    assert told == ["#1001"]
    assert complete == clock.now() - 60 * SECOND - 1


def test_the_first_scan_has_what_is_open() -> None:
    """Without a cursor open orders come page by page, closed ones do not, and changes meanwhile come after them."""
    made, _ = shop(page=2)
    receipts = [made.buy([("A", 1)]) for _ in range(5)]
    made.ship(receipts[1].order_id)
    first = made.orders_page(None)
    made.cancel(receipts[0].order_id)
    rest, _, _ = scan(made, first.cursor)
    assert [order.number for order in first.orders] == ["#1001", "#1003"]
    assert rest == ["#1004", "#1005", "#1001"]


def test_a_page_has_an_order_once() -> None:
    """An order that changed twice within a page comes once, as it is now."""
    made, _ = shop()
    _, cursor, _ = scan(made, None)
    receipt = made.buy([("A", 1)])
    made.ship(receipt.order_id)
    assert scan(made, cursor)[0] == ["#1001"]


def test_a_shop_that_says_little() -> None:
    """A shop may have no versions and not say how far its feed is complete."""
    made, _ = shop(versions=False, feed_complete=False)
    receipt = made.buy([("A", 1)])
    assert made.fetched([receipt.order_id, "O-9"])[0].revision is None
    assert scan(made, None)[2] is None


@pytest.mark.parametrize("cursor", ["feed", "feed:x", "open:1", "other:1", ":"])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    """A cursor that the shop never gave is an error of the caller."""
    made, _ = shop()
    with pytest.raises(ValueError, match=r"none|invalid"):
        made.orders_page(cursor)


def test_times_are_cut() -> None:
    """Times in orders are cut to multiples of the precision, which is told with them."""
    made, clock = shop(precision_s=7.0)
    clock.advance(3.0)
    receipt = made.buy([("A", 1)])
    order = made.fetched([receipt.order_id])[0]
    assert order.at % (7 * SECOND) == 0
    assert order.at <= clock.now() <= order.at + order.precision_us


# --- writes and readings ---------------------------------------------------------------------------------------------


def test_each_kind_of_write() -> None:
    """Absolute writes set, guarded ones only what is expected, deltas add and never lead below zero."""
    made, _ = shop()
    assert push(made, row("a", 7)) == ["applied"]
    assert push(made, row("b", 9, expected=8)) == ["stale"]
    assert push(made, row("c", 9, expected=7)) == ["applied"]
    assert push(made, row("d", 0, delta=-4)) == ["applied"]
    assert made.quantity("A") == 5
    assert push(made, row("e", 0, delta=-6)) == ["stale"]
    assert push(made, row("f", -1)) == ["rejected"]
    assert made.quantity("A") == 5


def test_a_key_counts_once() -> None:
    """A key that was taken is answered as it was then, and applied no second time."""
    made, _ = shop()
    assert push(made, row("k", 0, delta=2)) == push(made, row("k", 0, delta=2)) == ["applied"]
    assert push(made, row("s", 9, expected=1)) == ["stale"]
    made.set_shown("A", 1)
    assert push(made, row("s", 9, expected=1)) == ["stale"]
    assert made.quantity("A") == 1


def test_a_late_effect_judges_when_it_comes() -> None:
    """A write that takes effect later is accepted first, and meets what is shown then."""
    made, clock = shop(effect_s=(10.0, 10.0), confirms=False)
    assert push(made, row("k", 3, expected=10)) == ["accepted"]
    made.buy([("A", 1)])
    clock.advance(10.0)
    assert made.quantity("A") == 9
    assert made.results([row("k", 3)])[0].result == "stale"
    assert made.take([row("n", 4)]) == 0
    assert [entry.after for entry in made.log] == [9]


def test_a_confirming_shop_lets_the_caller_wait() -> None:
    """A shop that confirms says how long to wait for its answer."""
    made, clock = shop(effect_s=(10.0, 10.0))
    wait_us = made.take([row("k", 3)])
    clock.advance(wait_us / SECOND)
    assert made.results([row("k", 3)])[0].result == "applied"
    assert 10 * SECOND <= wait_us < 11 * SECOND


def test_readings_are_as_old_as_the_habit() -> None:
    """A reading is a number that was shown within the staleness, and not an older one."""
    made, clock = shop(staleness_s=5.0)
    clock.advance(100.0)
    made.set_shown("A", 3)
    assert {reading(made) for _ in range(30)} == {10}
    clock.advance(2.5)
    assert {reading(made) for _ in range(60)} == {3, 10}
    clock.advance(2.5)
    assert {reading(made) for _ in range(30)} == {3}


def test_what_is_late_happens_in_its_order() -> None:
    """Effects that were due at different times happen in the order of their times, however late anybody looks."""
    made, clock = shop(restore_s=(5.0, 5.0), effect_s=(10.0, 10.0), confirms=False)
    receipt = made.buy([("A", 2)])
    made.take([row("k", 3)])
    made.cancel(receipt.order_id)
    clock.advance(1_000.0)
    assert made.quantity("A") == 3
    assert [(entry.at - START, entry.by.value) for entry in made.log] == [
        (0, "shopper"),
        (5 * SECOND, "cancel"),
        (10 * SECOND, "api"),
    ]


def test_equal_seeds_are_equally_late() -> None:
    """Two shops with one seed draw the same delays."""
    waits = [[shop(effect_s=(0.0, 60.0))[0].take([row(str(n), n)]) for n in range(5)] for _ in range(2)]
    assert waits[0] == waits[1]


def test_the_catalogue_in_pages() -> None:
    """The catalogue comes in pages, each listing once."""
    made, _ = shop(page=1)
    first = made.listings_page(None)
    second = made.listings_page(first.cursor)
    assert [listing.sku for page in (first, second) for listing in page.listings] == ["A", "B"]
    assert second.cursor is None


def test_a_listing_is_put_up_once() -> None:
    """The same listing cannot be added twice."""
    made, _ = shop()
    with pytest.raises(ValueError, match="there already"):
        made.add("A", 1)


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_clocks_only_go_forward() -> None:
    """A manual and a leaping clock move both times by what they are told, and never back."""
    manual = ManualClock()
    leaping = LeapingClock(manual)
    began = manual.now(), manual.monotonic(), leaping.now(), leaping.monotonic()
    manual.advance(2.0)
    leaping.advance(3.0)
    ended = manual.now(), manual.monotonic(), leaping.now(), leaping.monotonic()
    passed = [after - before for before, after in zip(began, ended, strict=True)]
    assert passed == [2 * SECOND, 2.0, 5 * SECOND, 5.0]
    for clock in (manual, leaping):
        with pytest.raises(ValueError, match="back"):
            clock.advance(-1.0)
