"""Which changes wait for a person."""

from __future__ import annotations

import pytest

from syncd.core.brake import BrakeRule, Change, Trip, check, counts, held

RULE = BrakeRule(share=0.2, minimum=3, factor=10.0)


def changes(*pairs: tuple[int | None, int]) -> list[Change]:
    return [Change(before=before, after=after) for before, after in pairs]


@pytest.mark.parametrize(
    ("given", "listings", "expected"),
    [
        ([], 0, None),
        ([(5, 0)] * 3, 14, Trip(to_zero=3, raised=0, listings=14)),
        ([(5, 0)] * 3, 15, None),
        ([(5, 0)] * 2, 2, None),
        ([(5, -1)] * 3, 3, Trip(to_zero=3, raised=0, listings=3)),
        ([(5, 1)] * 50, 50, None),
        ([(0, 0)] * 50, 50, None),
        ([(0, 1)] * 3, 10, Trip(to_zero=0, raised=3, listings=10)),
        ([(-2, 1)] * 3, 10, Trip(to_zero=0, raised=3, listings=10)),
        ([(2, 20)] * 50, 50, None),
        ([(2, 21)] * 3, 10, Trip(to_zero=0, raised=3, listings=10)),
        ([(None, 0)] * 50 + [(None, 900)] * 50, 100, None),
        ([(5, 0)] * 2 + [(0, 5)] * 2, 4, None),
        ([(5, 0)] * 4 + [(0, 5)] * 2, 10, Trip(to_zero=4, raised=2, listings=10)),
    ],
)
def test_check(given: list[tuple[int | None, int]], listings: int, expected: Trip | None) -> None:
    """Falls to zero and raises trip from the minimum on and above the share; other falls never do."""
    assert check(changes(*given), listings=listings, rule=RULE) == expected


@pytest.mark.parametrize(
    ("shows", "after", "expected"),
    [
        (5, 0, Trip(to_zero=3, raised=0, listings=13)),
        (2, 21, Trip(to_zero=0, raised=3, listings=13)),
        (5, 4, None),
        (0, 900, None),
        (None, 0, None),
    ],
)
def test_first_targets(shows: int | None, after: int, expected: Trip | None) -> None:
    """What a listing shows stands for the target that it never had, but opening it from nothing is no raise."""
    first = [Change(before=None, after=after, shows=shows)] * 3
    assert check(first, listings=10, rule=RULE) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (3, 0, {"a": Trip(to_zero=3, raised=0, listings=10)}),
        (2, 0, {}),
        (2, 3, {"b": Trip(to_zero=3, raised=0, listings=10), "a": Trip(to_zero=2, raised=0, listings=10)}),
        (2, 2, {}),
        (0, 5, {"b": Trip(to_zero=5, raised=0, listings=10)}),
    ],
)
def test_parts(first: int, second: int, expected: dict[str, Trip]) -> None:
    """Each part is weighed against its own listings, and all together: then every part is held that has a share."""
    parts = {"a": changes(*[(5, 0)] * first), "b": changes(*[(5, 0)] * second)}
    assert held(parts, listings={"a": 10, "b": 10}, rule=RULE) == expected


def test_parts_that_are_too_much_together() -> None:
    """Small parts of many accounts are as much as one large part; one that changes nothing of weight is let pass."""
    small = changes((5, 0))
    found = held(
        {"a": small, "b": small, "c": small, "d": changes((5, 1))},
        listings=dict.fromkeys("abcd", 3),
        rule=RULE,
    )
    assert found == {name: Trip(to_zero=1, raised=0, listings=3) for name in "abc"}


def test_defaults() -> None:
    """By default a fifth of the listings, twenty at least, may not fall to zero at once."""
    assert check(changes(*[(1, 0)] * 20), listings=100, rule=BrakeRule()) is None
    assert check(changes(*[(1, 0)] * 19), listings=20, rule=BrakeRule()) is None
    assert check(changes(*[(1, 0)] * 20), listings=99, rule=BrakeRule()) == Trip(to_zero=20, raised=0, listings=99)


@pytest.mark.parametrize(("before", "after", "expected"), [(5, 0, True), (5, 1, False), (5, 50, False), (5, 51, True)])
def test_counts(before: int, after: int, *, expected: bool) -> None:
    """A single change counts where it falls to zero or rises by more than the factor."""
    assert counts(Change(before=before, after=after), RULE) is expected
