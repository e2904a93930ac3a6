"""Who gets what came in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.restock import (
    LAST,
    Claim,
    Kept,
    Line,
    Need,
    Portion,
    Shares,
    assign,
    blame,
    cents,
    event_of,
    lacking,
    rank,
    take,
)


def needs(*units: int) -> list[Need]:
    return [Need(entry_id=number, units=wanted) for number, wanted in enumerate(units, 1)]


@pytest.mark.parametrize(
    ("units", "line", "given", "left"),
    [
        (0, (1, 2), [], 0),
        (5, (), [], 5),
        (3, (1, 2), [(1, 1, True), (2, 2, True)], 0),
        (4, (1, 2), [(1, 1, True), (2, 2, True)], 1),
        (2, (1, 2), [(1, 1, True), (2, 1, False)], 0),
        (1, (3, 1), [(1, 1, False)], 0),
    ],
)
def test_a_delivery_serves_the_line_from_its_head(
    units: int, line: tuple[int, ...], given: list[tuple[int, int, bool]], left: int
) -> None:
    """The head of the line is served first, the last one may get a part, and nobody overtakes."""
    portions = tuple(Portion(entry_id=entry, units=got, whole=whole) for entry, got, whole in given)
    assert assign(units, needs(*line)) == Shares(portions=portions, left=left)


@given(
    units=st.integers(0, 60), line=st.lists(st.integers(1, 9), max_size=12), cut=st.integers(1, 5)
)  # fmt: skip
def test_chunks_assign_what_the_whole_would(units: int, line: list[int], cut: int) -> None:
    """A line served in chunks gives everybody the same as served at once, and no unit is given twice."""
    whole = assign(units, needs(*line))
    left, got = units, []
    for start in range(0, len(line), cut):
        shares = assign(left, needs(*line)[start : start + cut])
        left, got = shares.left, [*got, *shares.portions]
    assert (tuple(got), left) == (whole.portions, whole.left)
    assert sum(portion.units for portion in got) + left == units


@pytest.mark.parametrize(
    ("line", "amount", "due", "place"),
    [
        (Line.OLDEST, "9.00", 5, 100),
        (Line.AMOUNT, "9.00", 5, LAST - 900),
        (Line.AMOUNT, "", 5, LAST),
        (Line.DUE, "9.00", 5, 5),
        (Line.DUE, "9.00", None, LAST),
    ],
)
def test_the_place_in_the_line_follows_the_policy(line: Line, amount: str, due: int | None, place: int) -> None:
    """Who waits longest, pays most or was promised the earliest day comes first, as the owner chose."""
    assert rank(line, since=100, amount=amount, due=due) == place


@pytest.mark.parametrize(
    ("text", "value"),
    [("12.34", 1234), ("5", 500), ("", 0), ("a", 0), ("NaN", 0), ("-1", 0), ("Infinity", 0), ("1e30", 0)],
)
def test_amounts_that_are_none_count_nothing(text: str, value: int) -> None:
    """An amount is read in hundredths, and a text that is no sensible amount is worth nothing."""
    assert cents(text) == value


def test_a_marker_is_short_and_the_same_each_time() -> None:
    """The same parts make the same marker, other parts or another cut of them another one."""
    assert event_of("delivery", "cli", "r1") == event_of("delivery", "cli", "r1")
    assert len({event_of("a", "bc"), event_of("ab", "c"), event_of("abc")}) == 3
    assert len(event_of("x")) == 20


@pytest.mark.parametrize(("balance", "units"), [((5, 3, 2), 0), ((5, 3, 3), 1), ((0, 0, 0), 0), ((-2, 1, 0), 3)])
def test_what_is_promised_and_not_there_is_lacking(balance: tuple[int, int, int], units: int) -> None:
    """Promised and held units above those on hand are lacking."""
    on_hand, committed, held = balance
    assert lacking(on_hand=on_hand, committed=committed, held=held) == units


@pytest.mark.parametrize(
    ("units", "claims", "found"),
    [
        (0, ((1, 5, 0),), []),
        (2, ((1, 5, 0),), [(1, 2)]),
        (2, ((1, 5, 5), (2, 3, 1)), [(2, 2)]),
        (4, ((1, 2, 1), (2, 9, 0)), [(1, 1), (2, 3)]),
        (9, ((1, 2, 0),), [(1, 2)]),
    ],
)
def test_the_latest_orders_are_short(
    units: int, claims: tuple[tuple[int, int, int], ...], found: list[tuple[int, int]]
) -> None:
    """Missing units are taken from the latest orders, from none more than it still wants."""
    assert blame(units, [Claim(key=key, units=all_, lacks=lacks) for key, all_, lacks in claims]) == found


@pytest.mark.parametrize(
    ("units", "holds", "found"),
    [
        (0, ((1, 2),), []),
        (3, ((1, 2), (2, 5)), [(1, 2), (2, 1)]),
        (3, ((1, 0), (2, 1)), [(2, 1)]),
        (9, (), []),
    ],
)
def test_holds_give_in_their_order(
    units: int, holds: tuple[tuple[int, int], ...], found: list[tuple[int, int]]
) -> None:
    """Holds give what is asked for in the order in which they are given, none more than it has."""
    assert take(units, [Kept(hold_id=hold, units=kept) for hold, kept in holds]) == found
