"""Incidents of oversell as tables: cause, losers, alternatives, prevention."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.core.crossings import incidents
from syncd.core.history import History
from syncd.core.incidents import (
    LETTERS,
    MOST_OFFERED,
    Alternative,
    Cause,
    Choice,
    Finding,
    Lesson,
    OpenOrder,
    choose,
    examine,
    lines_of,
    may_send,
    offer,
)
from tests.core.pasts import CASES, OPENING, at, moved, sold, story


def order(number: int, units: int = 1, amount: str = "") -> OpenOrder:
    return OpenOrder(
        account="mall",
        order_id=f"o{number}",
        line_id="1",
        number=f"#{number}",
        units=units,
        ordered_at=at(number),
        amount=amount,
    )


def found(history: History, *, late: bool = False, choice: Choice = Choice.LATEST) -> Finding:
    incident = incidents(history)[-1]
    return examine(incident, [order(2, 3), order(3, 2)], short=incident.short, choice=choice, late_supplier=late)


WANTED: dict[str, tuple[Cause, list[tuple[Lesson, str, int]]]] = {
    "orders crossed before the first was heard of": (Cause.CROSSED, [(Lesson.SAFETY_STOCK, "mall", 2)]),
    "orders crossed before the write was in effect": (Cause.CROSSED, [(Lesson.SAFETY_STOCK, "mall", 2)]),
    "a slow channel is a lag too": (Cause.CROSSED, [(Lesson.SAFETY_STOCK, "mall", 3)]),
    "a write that was refused": (Cause.CROSSED, [(Lesson.WRITES, "mall", 0)]),
    "nothing was written": (Cause.CROSSED, [(Lesson.WRITES, "mall", 0)]),
    "a count was wrong": (Cause.COUNT, [(Lesson.COUNT, "", 0)]),
    "somebody else wrote": (Cause.CROSSED, [(Lesson.WRITER, "mall", 0)]),
    "given back twice": (Cause.CROSSED, [(Lesson.WRITER, "mall", 0)]),
    "nothing explains it": (Cause.UNKNOWN, [(Lesson.NONE, "", 0)]),
}


@pytest.mark.parametrize("name", CASES)
def test_an_incident_is_explained(name: str) -> None:
    """Each kind of oversell has the cause that a customer may be told, and the rule that would have helped."""
    told = found(CASES[name][0])
    cause, lessons = WANTED[name]
    assert told.cause is cause
    assert [(one.lesson, one.account, one.value) for one in told.prevention] == lessons


def test_a_late_supplier_is_the_cause_unless_the_count_was_wrong() -> None:
    """Where a delivery is late that is why, with the margin as the lesson; a wrong count stays a wrong count."""
    late = found(CASES["nothing explains it"][0], late=True)
    assert (late.cause, [one.lesson for one in late.prevention]) == (Cause.SUPPLIER, [Lesson.MARGIN])
    assert found(CASES["a count was wrong"][0], late=True).cause is Cause.COUNT


def test_damage_is_a_matter_of_counting_whoever_lost_by_it() -> None:
    """Units that broke after they were sold are no crossing of orders."""
    history = story(OPENING, sold(2, "shop", 3, 100, 101), moved(3, "damage", 200, 200, on_hand=-1))
    told = found(history)
    assert told.cause is Cause.COUNT
    assert Lesson.COUNT in [one.lesson for one in told.prevention]


def test_a_dip_without_orders_is_explained_too() -> None:
    """Held units that are missing have no loser, and no cause that one could tell."""
    history = story(OPENING, replace(moved(2, "hold", 5, 5, held=4), source="shop"))
    told = found(history)
    assert (told.cause, told.short) == (Cause.UNKNOWN, 1)


@pytest.mark.parametrize(
    ("orders", "short", "choice", "lost"),
    [
        ([order(1, 2), order(2, 1)], 2, Choice.LATEST, [("o2", 1), ("o1", 1)]),
        ([order(1, 2), order(2, 5)], 2, Choice.LATEST, [("o2", 2)]),
        ([order(1, 1, "900"), order(2, 1, "100"), order(3, 1)], 2, Choice.SMALLEST, [("o2", 1), ("o1", 1)]),
        ([order(1, 1, "NaN"), order(2, 1, "100")], 1, Choice.SMALLEST, [("o2", 1)]),
        ([order(1, 1, "100"), order(2, 1, "100")], 1, Choice.SMALLEST, [("o2", 1)]),
        ([order(1, 1)], 3, Choice.LATEST, [("o1", 1)]),
        ([order(1, 0)], 3, Choice.LATEST, []),
    ],
)
def test_who_loses(orders: list[OpenOrder], short: int, choice: Choice, lost: list[tuple[str, int]]) -> None:
    """The latest order loses first, or the smallest where that is the policy, and no more units than are missing."""
    assert [(one.order_id, one.lost) for one in choose(orders, short, choice)] == lost


def test_of_orders_of_one_moment_the_one_that_was_stored_last_loses() -> None:
    """Orders with the same time lose in the order in which they are given, which is that of the line."""
    orders = [replace(order(number, 1), ordered_at=7) for number in (3, 1, 2)]
    assert [one.order_id for one in choose(orders, 2, Choice.LATEST)] == ["o3", "o1"]


@pytest.mark.parametrize(
    ("cause", "automatic", "sends"),
    [
        (Cause.CROSSED, ["crossed"], True),
        (Cause.CROSSED, ["count", "supplier"], False),
        (Cause.CROSSED, [], False),
        (Cause.UNKNOWN, ["unknown", "crossed"], False),
    ],
)
def test_an_apology_goes_by_itself_only_where_its_cause_is_named(
    cause: Cause, automatic: list[str], *, sends: bool
) -> None:
    """Without a rule an agent sends it, and one of an unknown cause never goes by itself."""
    assert may_send(cause, automatic) is sends
    assert cause in LETTERS


def test_only_what_is_there_is_offered() -> None:
    """Alternatives with too few units are left out, the rest come in the shop's order, a few at most."""
    rows = [Alternative(sku=f"S{n}", title="", note="", available=n) for n in range(10)]
    assert [one.sku for one in offer(rows, 3)] == ["S3", "S4", "S5", "S6", "S7"]
    assert len(offer(rows, 0)) == MOST_OFFERED
    red = Alternative(sku="R", title="Tea, red", note="same size", available=1)
    assert lines_of([red, replace(red, title="", note="")]) == "- Tea, red (same size)\n- R"
    assert lines_of([]) == ""
