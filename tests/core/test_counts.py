"""Counts as of the time of counting."""

from __future__ import annotations

import pytest

from syncd.core.counts import Made, Since, count_posting, explain
from syncd.core.facts import Counted, CountRow
from syncd.core.ledger import MovementKind, Posting
from syncd.core.terms import Location, Sku, SkuId

SHELF = Location("shelf")
QUIET = Since(on_hand=0, committed=0, held=0)


def count(
    quantity: int,
    *,
    balance: tuple[int, int, int],
    counted: Counted = Counted.ON_HAND,
    since: Since = QUIET,
    opened: bool = True,
) -> Posting | None:
    row = CountRow(sku=Sku("s"), location=SHELF, quantity=quantity, counted_at=100, counted=counted)
    on_hand, committed, held = balance
    return count_posting(
        row,
        sku_id=SkuId(4),
        reference="c",
        on_hand=on_hand,
        committed=committed,
        held=held,
        since=since,
        opened=opened,
    )


@pytest.mark.parametrize(
    ("quantity", "counted", "balance", "since", "expected"),
    [
        (12, Counted.ON_HAND, (10, 3, 1), QUIET, 2),
        (7, Counted.ON_HAND, (10, 3, 1), QUIET, -3),
        (0, Counted.ON_HAND, (-2, 0, 0), QUIET, 2),
        # Two were shipped after ten were counted: eight are right.
        (10, Counted.ON_HAND, (7, 0, 0), Since(on_hand=-2, committed=-2, held=0), 1),
        (8, Counted.AVAILABLE, (10, 3, 1), QUIET, 2),
        # A sale of two after the count of six available: ten, four promised, is right.
        (6, Counted.AVAILABLE, (10, 4, 0), Since(on_hand=0, committed=2, held=0), -2),
        (6, Counted.AVAILABLE, (10, 3, 2), Since(on_hand=0, committed=0, held=2), -1),
        (6, Counted.AVAILABLE, (13, 3, 0), Since(on_hand=5, committed=0, held=0), 1),
    ],
)
def test_count_moves_the_difference(
    quantity: int, counted: Counted, balance: tuple[int, int, int], since: Since, expected: int
) -> None:
    """A count moves on hand by its difference to what the ledger said at that moment, and nothing else."""
    assert count(quantity, balance=balance, counted=counted, since=since) == Posting(
        reference="c", sku_id=SkuId(4), location=SHELF, kind=MovementKind.COUNT, on_hand=expected
    )


@pytest.mark.parametrize(
    ("quantity", "since", "balance"), [(5, QUIET, (5, 2, 0)), (5, Since(on_hand=-1, committed=0, held=0), (4, 0, 0))]
)
def test_count_that_agrees_is_no_movement(quantity: int, since: Since, balance: tuple[int, int, int]) -> None:
    """A count that finds what the ledger says writes nothing."""
    assert count(quantity, since=since, balance=balance) is None


@pytest.mark.parametrize(("quantity", "expected"), [(0, 0), (9, 9)])
def test_first_count_opens(quantity: int, expected: int) -> None:
    """The first count is a movement even of nothing, since it opens the SKU."""
    assert count(quantity, balance=(0, 0, 0), opened=False) == Posting(
        reference="c", sku_id=SkuId(4), location=SHELF, kind=MovementKind.OPENING, on_hand=expected
    )


def test_an_overruled_count_moves_nothing() -> None:
    """A count of a moment before that of another one stands in the ledger without moving anything."""
    row = CountRow(sku=Sku("s"), location=SHELF, quantity=0, counted_at=100)
    found = count_posting(
        row, sku_id=SkuId(4), reference="c", on_hand=3, committed=0, held=0, since=QUIET, opened=True, overruled=True
    )
    assert found == Posting(reference="c", sku_id=SkuId(4), location=SHELF, kind=MovementKind.COUNT)


@pytest.mark.parametrize(
    ("counts", "units", "expected"),
    [
        ([], -2, False),
        ([Made(at=50, difference=-2)], -2, True),
        ([Made(at=50, difference=-1), Made(at=60, difference=-1)], -2, True),
        ([Made(at=50, difference=4)], 3, False),
        ([Made(at=100, difference=4)], 3, True),
    ],
)
def test_what_counts_explain(counts: list[Made], units: int, expected: bool) -> None:
    """A count after a change by hand explains it, one that may have come before it only where both are as large."""
    assert explain(counts, units=units, until=100) is expected
