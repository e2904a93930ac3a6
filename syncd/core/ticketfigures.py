"""Figures of backorder tickets: who began to wait, was served and left, how long solving took, and how it was rated.

Days are numbers counted from 1970-01-01 in the shop's zone. A SKU of `ALL` stands for all of them together, a period of
`SPAN` for the whole time that is looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Final, TypeAlias

from syncd.core.terms import SECOND_US, Instant

ALL: Final = ""
SPAN: Final = -1
SOON_US: Final = 48 * 3_600 * SECOND_US
"""A cancel so soon after solving says that it was not solved."""

Key: TypeAlias = tuple[int, str]
"""First day of a period, and SKU."""


class By(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"


class Step(StrEnum):
    """What happens to somebody who waits. LEFT: they wait no more, for another reason than the order's state."""

    OPENED = "opened"
    MOVED = "moved"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    LEFT = "left"


ENDS: Final = (Step.SHIPPED, Step.CANCELLED, Step.REFUNDED, Step.LEFT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """So many did a step on a day."""

    sku: str
    day: int
    step: Step
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A ticket that is solved. `rating` is good, bad or empty; `cancelled_at` is when its wait ended by a cancel."""

    sku: str
    day: int
    created_at: Instant | None
    solved_at: Instant
    rating: str
    cancelled_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The figures of one period and SKU. `since` is its first day; `waiting` are those who wait at its end.

    Of the `solved` tickets: hours to solve (None: of none is it known), how customers rated them, how many are
    `unrated`, and how many were cancelled within 48 h.
    """

    since: int
    sku: str
    opened: int
    moved: int
    shipped: int
    cancelled: int
    refunded: int
    left: int
    waiting: int
    solved: int
    solve_median_h: float | None
    solve_p90_h: float | None
    good: int
    bad: int
    unrated: int
    cancelled_after_solving: int


def period(day: int, by: By) -> int:
    """Return the first day of the period that a day is in; weeks begin on Monday."""
    return day if by is By.DAY else day - (day + 3) % 7


def figures(
    steps: Iterable[Steps], solved: Iterable[Solved], waiting: Mapping[str, int], *, first: int, last: int, by: By
) -> list[Row]:
    """Return the figures of all periods from `first` to `last`, and of the whole span, of each SKU and of all.

    `waiting` are those who wait now, by SKU. Rows in which nothing is other than 0 are left out, but not those of all.
    """
    counts: dict[Key, Counter[Step]] = defaultdict(Counter)
    flow: dict[str, Counter[int]] = defaultdict(Counter)
    for one in steps:
        for sku in (one.sku, ALL):
            flow[sku][one.day] += _weight(one.step) * one.count
            for since in (period(one.day, by), SPAN):
                counts[since, sku][one.step] += one.count
    done: dict[Key, list[Solved]] = defaultdict(list)
    for ticket in solved:
        for sku in (ticket.sku, ALL):
            for since in (period(ticket.day, by), SPAN):
                done[since, sku].append(ticket)
    now = Counter(dict(waiting)) + Counter({ALL: sum(waiting.values())})
    starts = sorted({period(day, by) for day in range(first, last + 1)})
    skus = sorted({ALL, *now, *flow, *(sku for _, sku in done)})
    ends = {start: min(last, start + (0 if by is By.DAY else 6)) for start in starts} | {SPAN: last}
    rows = [
        _row(since, sku, counts[since, sku], done[since, sku], now[sku] - _after(flow[sku], ends[since]))
        for since in (*starts, SPAN)
        for sku in skus
    ]
    return [row for row in rows if row.sku == ALL or _says_something(row)]


def _weight(step: Step) -> int:
    """Return by how many more people wait after a step."""
    return 1 if step is Step.OPENED else -1 if step in ENDS else 0


def _after(flow: Mapping[int, int], day: int) -> int:
    return sum(change for at, change in flow.items() if at > day)


def _row(since: int, sku: str, counts: Mapping[Step, int], done: Sequence[Solved], waiting: int) -> Row:
    hours = sorted((one.solved_at - one.created_at) / (3_600 * SECOND_US) for one in done if one.created_at is not None)
    ratings = Counter(one.rating for one in done)
    soon = [one for one in done if one.cancelled_at is not None and 0 <= one.cancelled_at - one.solved_at <= SOON_US]
    return Row(
        since=since,
        sku=sku,
        **{step.value: counts.get(step, 0) for step in Step},
        waiting=waiting,
        solved=len(done),
        solve_median_h=_quantile(hours, 0.5),
        solve_p90_h=_quantile(hours, 0.9),
        good=ratings["good"],
        bad=ratings["bad"],
        unrated=ratings[""],
        cancelled_after_solving=len(soon),
    )


def _quantile(values: Sequence[float], part: float) -> float | None:
    """Return the smallest value that so large a part is not above, to a tenth."""
    return round(values[ceil(part * len(values)) - 1], 1) if values else None


def _says_something(row: Row) -> bool:
    return any((row.waiting, row.solved, *(getattr(row, step.value) for step in Step)))


__all__ = ["ALL", "SPAN", "By", "Row", "Solved", "Step", "Steps", "figures", "period"]
