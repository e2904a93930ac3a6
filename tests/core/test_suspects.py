"""Which suspect sale an order explains."""

from __future__ import annotations

import pytest

from syncd.core.suspects import Missing, explained
from syncd.core.terms import Span

EARLY = Missing(since=0, until=100, units=2)
LATE = Missing(since=100, until=120, units=1)


@pytest.mark.parametrize(
    ("take", "units", "expected"),
    [
        (Span(earliest=10, latest=20), 1, (1, 0)),
        (Span(earliest=10, latest=20), 3, (2, 0)),
        (Span(earliest=95, latest=130), 1, (0, 1)),
        (Span(earliest=95, latest=130), 3, (2, 1)),
        (Span(earliest=90, latest=102), 1, (1, 0)),
        (Span(earliest=100, latest=100), 1, (0, 1)),
        (Span(earliest=110, latest=None), 2, (0, 1)),
        (Span(earliest=121, latest=None), 2, (0, 0)),
        (Span(earliest=-9, latest=-1), 2, (0, 0)),
        (Span(earliest=10, latest=20), 0, (0, 0)),
    ],
)
def test_an_order_explains_what_it_fits_best(take: Span, units: int, expected: tuple[int, int]) -> None:
    """Only suspect sales that may be the same one are explained, those with most time in common first."""
    assert explained(take, units, [EARLY, LATE]) == expected
