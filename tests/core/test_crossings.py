"""When and why more was sold than there was, as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.core.crossings import incidents, smallest_safety_stock
from tests.core.pasts import CASES, OPENING, at, moved, sold, story


@pytest.mark.parametrize("name", CASES)
def test_a_cause_is_found(name: str) -> None:
    """Each kind of oversell is told by its cause, with the orders that crossed and the safety stock that helps."""
    history, cause, crossed, stock = CASES[name]
    found = incidents(history)
    loser = found[-1].losers[0]
    assert (loser.cause, loser.sale.account) == (cause, "mall")
    assert [one.sale.line.number for one in loser.crossed if one.sale.line is not None] == crossed
    assert smallest_safety_stock(found[-1:]) == {(account, "A"): units for account, units in stock.items()}


def refused(stock: int, *, left: int, unheard: int, wanted: int) -> bool:
    """Say whether a channel that keeps so much back refuses an order that would be oversold."""
    return max(0, left + unheard - stock) < wanted


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(1, 4) for b in range(1, 4) if a + b > 3])
def test_the_safety_stock_is_the_smallest(first: int, second: int) -> None:
    """The safety stock that is told would have refused the order, and one unit less would not."""
    found = incidents(story(OPENING, sold(2, "shop", first, 100, 130), sold(3, "mall", second, 110, 140)))
    stock = smallest_safety_stock(found)["mall", "A"]
    given = {"left": 3 - first, "unheard": first, "wanted": second}
    assert refused(stock, **given)
    assert not refused(stock - 1, **given)


def test_what_is_decided_together_counts_together() -> None:
    """A suspect sale that gives way to its order is no incident, and its hold is when the sale was known."""
    hold = replace(moved(2, "hold", 105, 105, held=2), source="shop", reference="suspect:7")
    unhold = replace(moved(4, "unhold", 130, 130, held=-2), source="shop", reference="suspect:7:0")
    history = story(OPENING, hold, sold(3, "shop", 2, 100, 130), unhold)
    assert incidents(history) == []
    (first,) = incidents(story(OPENING, hold, sold(3, "shop", 2, 100, 130), unhold, sold(5, "mall", 2, 104, 140)))
    assert [one.sale.known_at for one in first.losers[0].crossed] == [at(105)]
    assert (first.began_at, first.short) == (at(140), 1)


def test_before_the_first_count_nothing_is_oversold() -> None:
    """Orders before the opening count are no incident, and an incident ends with the delivery that covers it."""
    early = sold(1, "shop", 2, -50, -40)
    assert incidents(story(early, moved(2, "opening", 0, 0, on_hand=3))) == []
    (found,) = incidents(story(OPENING, sold(2, "shop", 5, 9, 10), moved(3, "receive", 50, 50, on_hand=2)))
    assert (found.began_at, found.ended_at, found.short) == (at(10), at(50), 2)
    assert found.losers[0].lost == 2


def test_the_latest_orders_lose() -> None:
    """The units that are missing are missing to the orders that were placed last, whenever they were heard of."""
    late, last = sold(3, "mall", 2, 110, 200), sold(2, "shop", 2, 120, 130)
    (found,) = incidents(story(OPENING, last, late, sold(4, "shop", 1, 90, 210)))
    assert [(loser.sale.key[1], loser.lost) for loser in found.losers] == [("o2:1", 2)]


def test_what_is_owed_makes_no_dip() -> None:
    """Units sold before they are here are no oversell; beyond them the latest order loses, until it is covered."""
    moves = (OPENING, sold(2, "shop", 5, 100, 101), sold(3, "mall", 2, 200, 201), sold(4, "shop", 1, 202, 203))
    assert [one.short for one in incidents(story(*moves))] == [5]
    owed = ((at(101), 2), (at(201), 4))
    (found,) = incidents(replace(story(*moves), backorders=owed))
    assert (found.began_at, found.short, [x.sale.key[1] for x in found.losers]) == (at(203), 1, ["o4:1"])
    covered = replace(story(*moves, moved(5, "receive", 300, 300, on_hand=4)), backorders=(*owed, (at(300), 1)))
    assert [one.ended_at for one in incidents(covered)] == [at(300)]


@pytest.mark.parametrize(("first", "kits"), [(1, 2), (2, 2), (3, 1), (3, 2), (4, 1)])
def test_the_safety_stock_of_a_kit_is_in_kits(first: int, kits: int) -> None:
    """Where an order of kits lost, the smallest safety stock that would have refused it is told, in kits."""
    history = story(replace(OPENING, on_hand=4), sold(2, "shop", first, 100, 130), sold(3, "mall", 2 * kits, 110, 140))
    line = replace(history.sold["mall", "o3:1"], sku="KIT", each=2)
    found = incidents(replace(history, sold={**history.sold, ("mall", "o3:1"): line}))
    ((place, stock),) = smallest_safety_stock(found).items()
    assert place == ("mall", "KIT")
    # The listing still showed all four units, as two kits.
    assert max(0, 2 - stock) < kits <= max(0, 2 - (stock - 1))
