"""Which suspect sale an order explains."""

from __future__ import annotations

import pytest

from syncd.core.suspects import Missing, Restored, explained
from syncd.core.terms import Span

EARLY = Missing(since=0, until=100, units=2)
LATE = Missing(since=100, until=120, units=1)


@pytest.mark.parametrize(
    ("take", "units", "expected"),
    [
        (Span(earliest=10, latest=20), 1, (1, 0)),
        (Span(earliest=10, latest=20), 3, (2, 0)),
        (Span(earliest=95, latest=130), 1, (1, 0)),
        (Span(earliest=95, latest=130), 3, (2, 1)),
        (Span(earliest=90, latest=102), 1, (1, 0)),
        (Span(earliest=100, latest=100), 1, (1, 0)),
        (Span(earliest=101, latest=None), 1, (0, 1)),
        (Span(earliest=110, latest=None), 2, (0, 1)),
        (Span(earliest=121, latest=None), 2, (0, 0)),
        (Span(earliest=-9, latest=-1), 2, (0, 0)),
        (Span(earliest=10, latest=20), 0, (0, 0)),
    ],
)
def test_an_order_explains_what_it_may_be(take: Span, units: int, expected: tuple[int, int]) -> None:
    """Only suspect sales that may be the same one are explained, the one first that ends first."""
    assert explained(take, units, [EARLY, LATE]) == expected


def test_orders_that_explain_all_leave_nothing() -> None:
    """An order that fits two suspect sales leaves the one to others that only those can explain."""
    narrow, wide = Missing(since=38, until=45, units=1), Missing(since=41, until=64, units=4)
    left = [1, 4]
    for earliest, units in ((48, 2), (43, 1), (53, 2)):
        found = [Missing(since=x.since, until=x.until, units=n) for x, n in zip((narrow, wide), left, strict=True)]
        parts = explained(Span(earliest=earliest, latest=earliest + 3), units, found)
        left = [n - part for n, part in zip(left, parts, strict=True)]
    assert left == [0, 0]


@pytest.mark.parametrize(
    ("restored_at", "units", "expected"),
    [(60, 2, (0, 0)), (60, 1, (1, 0)), (101, 2, (2, 0)), (100, 2, (0, 0)), (200, 2, (2, 0))],
)
def test_what_was_put_back_before_explains_nothing(restored_at: int, units: int, expected: tuple[int, int]) -> None:
    """Units that the channel gave back before a reading are not those that it found missing; later ones are."""
    restored = [Restored(earliest=restored_at, units=units)]
    assert explained(Span(earliest=10, latest=20), 2, [EARLY, LATE], restored=restored) == expected
