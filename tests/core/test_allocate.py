"""One number split over several places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.allocate import Stand, allot, split


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


def stands(*rows: tuple[float, int] | tuple[float, int, dict[str, Any]]) -> list[Stand]:
    return [Stand(weight=r[0], shows=r[1], **{"most": 100, **(r[2] if len(r) > 2 else {})}) for r in rows]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("available", "rows", "expected", "why"),
    [
        (0, [(1, 0), (1, 3)], (0, 0), "nothing is there"),
        (-2, [(1, 2)], (0,), "less than nothing is there"),
        (10, [(3, 0), (1, 0)], (8, 2), "by weight, the odd unit to the heavier"),
        (10, [(0, 0), (0, 0)], (5, 5), "without any demand all alike"),
        (1, [(1, 0), (3, 0), (2, 0)], (0, 1, 0), "the last unit to the strongest"),
        (10, [(3, 0, {"most": 4}), (1, 0)], (4, 6), "what does not fit goes to the others"),
        (10, [(1, 0, {"most": 3}), (1, 0, {"most": 2})], (3, 2), "caps leave units over"),
        (9, [(1, 4), (1, 5)], (4, 5), "an own sale consumes the own part only"),
        (10, [(1, 3), (1, 5)], (5, 5), "free units go where most is short"),
        (8, [(1, 6), (1, 4)], (4, 4), "what is not there is taken from who has most beyond the due"),
        (2, [(1, 6), (0, 4)], (2, 0), "and from others down to nothing"),
        (10, [(1, 1), (1, 9)], (5, 5), "who ran down to less than half gets units of others"),
        (10, [(1, 3), (1, 7)], (3, 7), "who did not keeps what it has"),
        (16, [(1, 1), (1, 5, {"costly": True}), (1, 7), (1, 3)], (4, 5, 4, 3), "cheap ones are asked first"),
        (12, [(1, 1), (1, 7, {"fixed": True}), (1, 4)], (3, 7, 2), "a silent one keeps what it may show"),
        (3, [(1, 1), (1, 7, {"fixed": True})], (0, 3), "also where that is more than there is"),
        (10, [(1, 0), (1, 9, {"fixed": True, "most": 2})], (1, 9), "its cap does not reach it"),
        (9, [(1, 0), (1, 0), (1, 9)], (3, 3, 3), "two that have nothing share what one gives"),
        (12, [(1, 0, {"room": 6}), (1, 0, {"room": 6})], (3, 3), "what is kept back is in nobody's part"),
        (12, [(1, 4, {"room": 6}), (1, 4, {"room": 6})], (3, 3), "nor is it left there"),
        (12, [(1, 1, {"room": 6}), (1, 5, {"room": 6})], (3, 3), "it is not given to who has run down"),
        (10, [(1, 0), (1, 0, {"room": 4}), (1, 0, {"room": 4})], (6, 2, 2), "two share what both may have"),
        (10, [(1, 0), (1, 4, {"room": 4}), (1, 0, {"room": 4})], (6, 2, 2), "one of them gives to the other alone"),
        (10, [(1, 0, {"room": 8}), (1, 0, {"room": 5}), (9, 0, {"room": 2})], (3, 3, 2), "rooms within rooms"),
        (10, [(1, 0), (1, 0, {"room": -3})], (10, 0), "less than no room"),
        (10, [(1, 0), (1, 0, {"room": 5}), (0, 4, {"room": 5, "fixed": True})], (5, 1, 4), "a silent one needs room"),
    ],
)
def test_allotments(available: int, rows: list[Any], expected: tuple[int, ...], why: str) -> None:
    """Parts are disjoint, follow the demand and move only when one has run down."""
    assert allot(available, stands(*rows)) == expected, why


@given(
    st.integers(-5, 60),
    st.lists(
        st.builds(
            Stand,
            weight=st.floats(0, 9),
            shows=st.integers(-2, 40),
            most=st.integers(0, 40),
            room=st.none() | st.integers(-5, 60),
            fixed=st.booleans(),
            costly=st.booleans(),
        ),
        max_size=6,
    ),
)
def test_allotments_are_disjoint_and_stay(available: int, listings: list[Stand]) -> None:
    """The parts never exceed what is available, and where they are reached nothing changes any more."""
    parts = allot(available, listings)
    assert all(part >= 0 for part in parts)
    assert sum(parts) <= max(0, available)
    for room in {x.room for x in listings if x.room is not None}:
        mine = [n for n, x in enumerate(listings) if x.room is not None and x.room <= room]
        silent = sum(parts[n] for n in mine if listings[n].fixed)
        assert sum(parts[n] for n in mine) <= max(silent, room)
    reached = [replace(x, shows=part) for x, part in zip(listings, parts, strict=True)]
    assert allot(available, reached) == parts
