"""Claims, and how far a write may go within them."""

from __future__ import annotations

import pytest

from syncd.core.gate import Claim, added_by_reading, added_by_write, ceiling, room, room_within, standing, unheard_left
from syncd.core.shown import OpenWrite, Range
from syncd.core.terms import WriteMode

CAS, DELTA, ABSOLUTE = WriteMode.COMPARE_AND_SET, WriteMode.DELTA, WriteMode.ABSOLUTE
SHOWN = Range(low=2, high=5, likely=4)


@pytest.mark.parametrize(
    ("writes", "now", "expected"),
    [([], 10, 5), ([(0, 20)], 10, 0), ([(0, 20), (3, 15)], 10, 3), ([(0, 20)], 20, 5), ([(-2, 20)], 10, 0)],
)
def test_an_unguarded_write_under_way_leaves_only_what_it_writes(
    writes: list[tuple[int, int]], now: int, expected: int
) -> None:
    """What was there before counts as unheard already; once the write can no longer work, all counts again."""
    open_ = [OpenWrite(value=value, sent_at=1, until=until) for value, until in writes]
    assert standing(SHOWN, unguarded=open_, now=now) == expected
    assert standing(Range(low=-3, high=-1, likely=-2), now=now) == 0


@pytest.mark.parametrize(
    ("expected", "delta", "added"), [(None, None, 5), (5, None, 0), (3, None, 2), (7, None, 0), (None, -2, 0)]
)
def test_what_a_write_may_leave_unheard(expected: int | None, delta: int | None, added: int) -> None:
    """A write that checks the number proves what was not sold, one that moves it changes nothing."""
    assert added_by_write(5, expected=expected, delta=delta) == added


@pytest.mark.parametrize(("value", "added"), [(5, 0), (4, 1), (2, 3), (0, 3), (9, 0)])
def test_what_a_reading_may_leave_unheard(value: int, added: int) -> None:
    """Units between the top of the range and the reading may be sold; what is missing below it is held instead."""
    assert added_by_reading(5, low=2, value=value) == added


def test_room_is_what_no_other_claims() -> None:
    """A claim has what is shown and what may be sold, for a kit in units of what it is made of."""
    assert room(10, []) == 10
    assert room(10, [Claim(standing=2, unheard=1), Claim(standing=2, units=3)]) == 1
    assert room(3, [Claim(standing=5)]) == -2


@pytest.mark.parametrize(
    ("allowed", "others", "expected"),
    [
        (10, [], 10),
        (10, [(10, 4), (10, 3)], 3),
        (6, [(6, 2), (12, 7)], 3),
        (6, [(6, 5), (12, 2)], 1),
        (12, [(6, 5), (6, 4)], 3),
        (4, [(4, 1), (10, 6)], 3),
        (-2, [(10, 0)], -2),
    ],
)
def test_room_is_less_where_more_is_kept_back(allowed: int, others: list[tuple[int, int]], expected: int) -> None:
    """What is kept back from some listings stays there beside all that they claim together."""
    claims = [(theirs, Claim(standing=units)) for theirs, units in others]
    assert room_within(allowed, claims) == expected


@pytest.mark.parametrize(("mode", "expected"), [(CAS, 9), (DELTA, 9), (ABSOLUTE, 5)])
def test_an_absolute_write_needs_room_for_what_it_puts_back(mode: WriteMode, expected: int) -> None:
    """All that the listing shows may have been sold unread, and such a write would put it on sale again."""
    assert ceiling(mode, room=10, mine=Claim(standing=4, unheard=1)) == expected
    assert ceiling(mode, room=20, mine=Claim(standing=4, unheard=1, units=2)) == expected


@pytest.mark.parametrize(
    ("until", "passed", "expected"), [(None, 5, 0), (10, None, 3), (10, 9, 3), (10, 10, 0), (10, 11, 0)]
)
def test_unheard_units_end_when_the_feed_has_passed(until: int | None, passed: int | None, expected: int) -> None:
    """Until then they count; without a known feed they count on."""
    assert unheard_left(3, until=until, passed=passed) == expected
