"""A hand edit at the counting place."""

from __future__ import annotations

import pytest

from syncd.core.adoption import Edit, edit_of
from syncd.core.shown import Base, Reading
from syncd.core.terms import Span


def reading(*, surplus: int = 0, missing: int = 0) -> Reading:
    base = Base(value=9, since=30, until=40)
    return Reading(base=base, missing=missing, surplus=surplus, since=10, until=40)


def test_two_equal_readings_make_it_sure() -> None:
    """A reading beside an own write counts for nothing, and another number begins anew."""
    edit = edit_of(reading(surplus=3), clear=True)
    assert (edit.units, edit.since, edit.until, edit.sure) == (3, 10, 40, False)
    assert not edit.read(reading(), clear=False).sure
    assert edit.read(reading(), clear=True).sure
    again = edit.read(reading(surplus=2), clear=True)
    assert (again.units, again.readings) == (5, 1)
    less = edit.read(reading(missing=1), clear=False)
    assert (less.units, less.readings) == (2, 0)
    assert edit.read(reading(missing=5), clear=True).units == 0
    assert edit_of(reading(surplus=1), clear=False).readings == 0


@pytest.mark.parametrize(
    ("units", "orders", "gives", "left"),
    [
        (3, 0, 0, 3),
        (3, 0, 2, 1),
        (3, 0, 5, -2),
        (3, 2, 0, 3),
        (-3, 0, 0, -3),
        (-3, 2, 0, -1),
        (-3, 5, 0, 0),
        (-3, 0, 1, -4),
    ],
)
def test_what_is_told_later_explains_it(units: int, orders: int, gives: int, left: int) -> None:
    """Orders explain what was missing, gives what was there, and nothing ever adds more than was seen."""
    edit = Edit(units=units, since=10, until=40, readings=2).told(orders=orders, gives=gives)
    assert edit.left == left


@pytest.mark.parametrize(
    ("earliest", "latest", "covered"),
    [(0, 9, False), (0, 10, True), (40, 50, True), (41, None, False), (0, None, True)],
)
def test_only_what_may_lie_in_its_span_explains_it(earliest: int, latest: int | None, covered: bool) -> None:
    """A sale before or after the span of an edit is another thing."""
    edit = Edit(units=1, since=10, until=40, readings=1)
    assert edit.covers(Span(earliest=earliest, latest=latest)) is covered
