"""An oversell as an incident: what it came from, who loses, what they may have instead, what would have helped.

Pure: the history of the SKU is read by the store, its dips below zero are found by `core.crossings`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from syncd.core.crossings import Incident, Loser, smallest_safety_stock
from syncd.core.terms import Instant
from syncd.core.tickets import MessageKind

MOST_OFFERED: Final = 5
"""Alternatives that a letter names."""


class Cause(StrEnum):
    """What an oversell came from, as a customer may be told."""

    CROSSED = "crossed"
    """Orders crossed: one channel did not show yet what another had sold."""
    COUNT = "count"
    """The count was wrong: units were missing or damaged."""
    SUPPLIER = "supplier"
    """Sold on a delivery that did not come in time."""
    UNKNOWN = "unknown"


LETTERS: Final[Mapping[Cause, MessageKind]] = {
    Cause.CROSSED: MessageKind.OVERSOLD_CROSSED,
    Cause.COUNT: MessageKind.OVERSOLD_DAMAGED,
    Cause.SUPPLIER: MessageKind.OVERSOLD_LATE_SUPPLIER,
    Cause.UNKNOWN: MessageKind.OVERSOLD_CROSSED,
}
"""The apology of each cause; one of an unknown cause is never sent without a person."""

_CAUSES: Final = {
    "lag": Cause.CROSSED,
    "write": Cause.CROSSED,
    "not_written": Cause.CROSSED,
    "drift": Cause.CROSSED,
    "restore": Cause.CROSSED,
    "count": Cause.COUNT,
    "unknown": Cause.UNKNOWN,
}
"""What the causes of `core.crossings` are to a customer: what another writer raised was not shown right either."""


class Choice(StrEnum):
    """Which orders lose."""

    LATEST = "latest"
    """Who ordered last."""
    SMALLEST = "smallest"
    """The smallest orders, of equal ones the latest."""


class Lesson(StrEnum):
    """Which rule would have prevented it."""

    SAFETY_STOCK = "safety_stock"
    """Keep so many units back on that channel."""
    COUNT = "count"
    """Count this SKU more often."""
    WRITES = "writes"
    """See why writes did not get through."""
    WRITER = "writer"
    """Somebody else writes this number."""
    MARGIN = "margin"
    """Promise deliveries later: the margin on expected days is too small."""
    NONE = "none"
    """Nothing that is set would have helped."""


_LESSONS: Final = {
    "lag": Lesson.SAFETY_STOCK,
    "write": Lesson.WRITES,
    "not_written": Lesson.WRITES,
    "drift": Lesson.WRITER,
    "restore": Lesson.WRITER,
    "count": Lesson.COUNT,
    "unknown": Lesson.NONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order line that still has units to be shipped. `lost` of them are missing."""

    account: str
    order_id: str
    line_id: str
    number: str
    units: int
    ordered_at: Instant
    amount: str = ""
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prevention:
    """What is learnt: a rule, and where it is set. `value` is the smallest number that would have done, 0 for none.

    `sku` is what it is set for where that has a number of its own: the SKU itself or a kit that holds it.
    """

    lesson: Lesson
    account: str = ""
    value: int = 0
    sku: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is known of an oversell: its cause, the orders that lose, and what would have prevented it."""

    began_at: Instant
    short: int
    cause: Cause
    losers: tuple[OpenOrder, ...]
    prevention: tuple[Prevention, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The same product in another colour or size; `available` units of it are there."""

    sku: str
    title: str
    note: str
    available: int


def examine(
    incident: Incident, orders: Sequence[OpenOrder], *, short: int, choice: Choice, late_supplier: bool
) -> Finding:
    """Return what is known of a dip that lasts; `short` units are missing now, `orders` are those that are open.

    `late_supplier` says that a delivery which was to be here is not.
    """
    assert short > 0, "a dip that lasts lacks units"
    counted = Counter[str]()
    for loser in incident.losers:
        counted[loser.cause] += loser.lost
    main = max(counted, key=lambda cause: (counted[cause], cause == "lag"), default="unknown")
    cause = Cause.SUPPLIER if late_supplier and main != "count" else _cause_of(main, incident)
    return Finding(
        began_at=incident.began_at,
        short=short,
        cause=cause,
        losers=tuple(choose(orders, short, choice)),
        prevention=tuple(_prevention(incident, cause)),
    )


def _cause_of(main: str, incident: Incident) -> Cause:
    """Return the customer's cause; a dip that a count or a damage began is one of counting, whoever lost by it."""
    return Cause.COUNT if incident.by in _COUNTING else _CAUSES[main]


_COUNTING: Final = frozenset({"count", "adjust", "damage", "phantom"})


def choose(orders: Iterable[OpenOrder], short: int, choice: Choice) -> list[OpenOrder]:
    """Return the orders that lose, with the units that each lacks, until as many are named as are missing.

    Of orders of one moment the first of `orders` loses: these come as the line takes them, the one stored last first.
    """
    found: list[OpenOrder] = []
    for order in sorted(orders, key=lambda order: _rank(order, choice)):
        lost = min(short, order.units)
        if lost > 0:
            short -= lost
            found.append(_with_lost(order, lost))
    return found


def _with_lost(order: OpenOrder, lost: int) -> OpenOrder:
    return OpenOrder(
        account=order.account,
        order_id=order.order_id,
        line_id=order.line_id,
        number=order.number,
        units=order.units,
        ordered_at=order.ordered_at,
        amount=order.amount,
        lost=lost,
    )


def _rank(order: OpenOrder, choice: Choice) -> tuple[Decimal, Instant]:
    size = _amount(order.amount) if choice is Choice.SMALLEST else Decimal(0)
    return size, -order.ordered_at


def _amount(text: str) -> Decimal:
    """Return an amount; one that nobody knows loses last."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return Decimal(10**15)
    return value if value.is_finite() else Decimal(10**15)


def _prevention(incident: Incident, cause: Cause) -> Iterable[Prevention]:
    """Say what would have helped, the most important first, each once."""
    found: dict[tuple[Lesson, str, str], Prevention] = {}
    if cause is Cause.SUPPLIER:
        found[Lesson.MARGIN, "", ""] = Prevention(lesson=Lesson.MARGIN)
    if cause is Cause.COUNT:
        found[Lesson.COUNT, "", ""] = Prevention(lesson=Lesson.COUNT)
    stocks = smallest_safety_stock([incident])
    for loser in incident.losers:
        lesson = _LESSONS[loser.cause]
        if lesson is not Lesson.NONE:
            one = _lesson(loser, lesson, stocks)
            found.setdefault((lesson, one.account, one.sku), one)
    return found.values() or [Prevention(lesson=Lesson.NONE)]


def _lesson(loser: Loser, lesson: Lesson, stocks: Mapping[tuple[str, str], int]) -> Prevention:
    if lesson is Lesson.COUNT:
        return Prevention(lesson=lesson)
    account = loser.sale.account
    if lesson is not Lesson.SAFETY_STOCK:
        return Prevention(lesson=lesson, account=account)
    return Prevention(lesson=lesson, account=account, value=stocks[account, loser.sku], sku=loser.sku)


def may_send(cause: Cause, automatic: Iterable[str]) -> bool:
    """Say whether an apology goes out without a person: only for a cause that is known and named for it."""
    return cause is not Cause.UNKNOWN and cause.value in set(automatic)


def offer(alternatives: Iterable[Alternative], units: int) -> tuple[Alternative, ...]:
    """Return the alternatives of which there is enough for somebody who wants so many, in the shop's order."""
    return tuple([one for one in alternatives if one.available >= units][:MOST_OFFERED])


def lines_of(alternatives: Iterable[Alternative]) -> str:
    """Return alternatives as the lines of a letter."""
    return "\n".join(_line(one) for one in alternatives)


def _line(one: Alternative) -> str:
    name = one.title or one.sku
    return f"- {name} ({one.note})" if one.note else f"- {name}"
