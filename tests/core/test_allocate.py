"""One number split over several places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.allocate import split


@pytest.mark.parametrize(
    ("total", "rooms", "expected"),
    [
        (5, [], ()),
        (5, [9], (5,)),
        (50, [9, 3], (9, 3)),
        (12, [9, 3], (9, 3)),
        (8, [10, 3], (5, 3)),
        (10, [10, 9, 1], (5, 4, 1)),
        (10, [9, 10, 1], (5, 4, 1)),
        (2, [5, 5, 5], (1, 1, 0)),
        (0, [5, 5], (0, 0)),
        (-4, [5, 5], (0, 0)),
        (6, [-3, 5, 4], (0, 3, 3)),
        (6, [-3, -1], (0, 0)),
        (7, [3, 3, 3], (3, 2, 2)),
        (3, [0, 2, 0, 2], (0, 2, 0, 1)),
    ],
)
def test_split(total: int, rooms: list[int], expected: tuple[int, ...]) -> None:
    """The largest rooms give first, down to one level; odd units go to the earlier ones."""
    assert split(total, rooms) == expected


@given(total=st.integers(-20, 200), rooms=st.lists(st.integers(-5, 40), max_size=8))
def test_split_takes_unit_by_unit_from_the_largest(total: int, rooms: list[int]) -> None:
    """The parts are the rooms with one unit after the other taken from what is largest, of equals the last."""
    parts = [max(0, room) for room in rooms]
    wanted = min(max(0, total), sum(parts))
    while sum(parts) > wanted:
        largest = max(range(len(parts)), key=lambda position: (parts[position], position))
        parts[largest] -= 1
    assert split(total, rooms) == tuple(parts)
    assert sum(split(total, rooms)) == wanted
