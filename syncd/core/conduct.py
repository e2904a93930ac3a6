"""How the shop's own cancels stand against the rules of its channels, computed from the ledger, with what is to come.

A channel counts what the shop cancelled itself, by a rate, by points or by how many came in a row. Which rule a channel
has its adapter states (`Profile.conduct`). A cancel of which nobody told whose doing it was counts as none; how many
there are is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from syncd.core.terms import SECOND_US, CancelledBy, Instant

DAY_US: Final = 86_400 * SECOND_US
WARN: Final = 0.6
"""The part of a limit from which a person is warned, and from which less is risked."""
LAST_STEP: Final = 0.8
"""Which part of a limit counts as used up where one more cancel reaches it, though there was only one or so."""
DEAREST: Final = 4.0
"""How many times as dear an oversold unit is on an account that has reached a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRate:
    """Orders that the shop cancelled, of all its orders within `days`. `limit` is a share, None where none is known."""

    name: str
    days: int
    limit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRun:
    """Orders that the shop cancelled one after another within `days`, with none shipped in between."""

    name: str
    days: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPoints:
    """Points for each order that the shop cancelled, summed up over a calendar year at `utc_offset_s`."""

    name: str
    each: int
    limit: int
    utc_offset_s: int = 0


ConductRule: TypeAlias = CancelRate | CancelRun | CancelPoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """An order of which at least a unit was cancelled: when it was placed, and when its cancel was heard of first."""

    at: Instant
    ordered_at: Instant
    by: CancelledBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the ledger knows of an account.

    `orders` are numbers of orders per 24 hours, the last 24 hours first. `shipped_at` is when the latest order was
    placed that has shipped, None: none. `at_risk` orders are open and cannot be served by what is there. `since` is
    from when on its cancels are heard of, None: for longer than any rule looks back.
    """

    cancels: Sequence[Cancel]
    orders: Sequence[int]
    shipped_at: Instant | None = None
    at_risk: int = 0
    since: Instant | None = None


class Level(StrEnum):
    """How near a limit is."""

    GOOD = "good"
    WARNED = "warned"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule's state. `value`, `forecast` and `limit` are shares for a rate, points, or orders; None: unknown.

    `count` of `total` orders were cancelled by the shop, of `unknown` more it is not known. `forecast` is the worst
    that comes if every order at risk has to be cancelled, `step` what one more cancel adds (0: that depends). `young`:
    the ledger does not reach back to the begin of the window yet, so that a share says little.
    """

    name: str
    count: int
    total: int
    unknown: int
    value: float | None
    forecast: float | None
    limit: float | None
    rate: bool = False
    step: float = 0.0
    young: bool = False

    @property
    def used(self) -> float:
        """Return the part of the limit that is used up; 0.0 where there is none."""
        return self.value / self.limit if self.limit and self.value is not None else 0.0

    @property
    def coming(self) -> float:
        """Return the part of the limit that the forecast uses up."""
        return self.forecast / self.limit if self.limit and self.forecast is not None else 0.0

    @property
    def last(self) -> bool:
        """Say whether the shop has cancelled and one cancel more reaches the limit."""
        return bool(self.limit and self.step and self.value) and (self.value or 0.0) + self.step >= (self.limit or 0.0)

    @property
    def level(self) -> Level:
        """Say whether a person has to know; of a share that says little nobody is warned."""
        if self.young:
            return Level.GOOD
        if self.used >= 1.0:
            return Level.OVER
        return Level.WARNED if self.used >= WARN or self.coming >= 1.0 or self.last else Level.GOOD


def days_needed(rules: Sequence[ConductRule]) -> int:
    """Return how many days of orders the rules look at."""
    return max((rule.days for rule in rules if not isinstance(rule, CancelPoints)), default=0)


def judge(rule: ConductRule, past: Past, *, now: Instant) -> Finding:
    """Return how the shop stands by a rule."""
    if isinstance(rule, CancelRate):
        return _rate(rule, past, now)
    if isinstance(rule, CancelRun):
        return _run(rule, past, now)
    return _points(rule, past, now)


def caution(findings: Sequence[Finding]) -> float:
    """Return how many times as dear an oversold unit is on this account: 1.0 while all is well, at most DEAREST."""
    worst = max(
        (max(one.used, min(one.coming, 1.0), LAST_STEP * one.last) for one in findings if not one.young), default=0.0
    )
    return 1.0 + (DEAREST - 1.0) * min(1.0, max(0.0, (worst - WARN) / (1.0 - WARN)))


def _since(cancels: Sequence[Cancel], since: Instant, by: CancelledBy) -> list[Cancel]:
    return [one for one in cancels if one.at >= since and one.by is by]


def _rate(rule: CancelRate, past: Past, now: Instant) -> Finding:
    since = now - rule.days * DAY_US
    mine = _since(past.cancels, since, CancelledBy.SELLER)
    total = sum(past.orders[: rule.days])
    return Finding(
        name=rule.name,
        count=len(mine),
        total=total,
        unknown=len(_since(past.cancels, since, CancelledBy.UNKNOWN)),
        value=None if total == 0 else len(mine) / total,
        forecast=_worst_rate(rule, past, [one.at for one in mine], now),
        limit=rule.limit,
        rate=True,
        young=past.since is not None and past.since > since,
    )


def _worst_rate(rule: CancelRate, past: Past, cancels: Sequence[Instant], now: Instant) -> float | None:
    """Return the highest rate of the coming window, with the orders at risk cancelled and trade going on as it did.

    Day by day old orders and old cancels leave the window, and as many orders come as there were per day in it.
    """
    per_day = sum(past.orders[: rule.days]) / rule.days
    rates = []
    for day in range(rule.days):
        left = sum(past.orders[: rule.days - day]) + day * per_day
        inside = sum(at >= now + (day - rule.days) * DAY_US for at in cancels) + past.at_risk
        if left > 0:
            rates.append(inside / left)
    return max(rates, default=None)


def _run(rule: CancelRun, past: Past, now: Instant) -> Finding:
    since = now - rule.days * DAY_US
    after = since if past.shipped_at is None else past.shipped_at
    mine = [one for one in _since(past.cancels, since, CancelledBy.SELLER) if one.ordered_at > after]
    unknown = [one for one in _since(past.cancels, since, CancelledBy.UNKNOWN) if one.ordered_at > after]
    return Finding(
        name=rule.name,
        count=len(mine),
        total=sum(past.orders[: rule.days]),
        unknown=len(unknown),
        value=float(len(mine)),
        forecast=float(len(mine) + past.at_risk),
        limit=float(rule.limit),
        step=1.0,
    )


def _points(rule: CancelPoints, past: Past, now: Instant) -> Finding:
    since = year_start(now, utc_offset_s=rule.utc_offset_s)
    mine = _since(past.cancels, since, CancelledBy.SELLER)
    return Finding(
        name=rule.name,
        count=len(mine),
        total=sum(past.orders),
        unknown=len(_since(past.cancels, since, CancelledBy.UNKNOWN)),
        value=float(rule.each * len(mine)),
        forecast=float(rule.each * (len(mine) + past.at_risk)),
        limit=float(rule.limit),
        step=float(rule.each),
    )


def year_start(now: Instant, *, utc_offset_s: int) -> Instant:
    """Return when the calendar year of a moment began."""
    day = (now // SECOND_US + utc_offset_s) // 86_400
    # Years of March to February in cycles of 400: the leap day is their last one.
    of_cycle = (day + 719_468) % 146_097
    of_era = (of_cycle - of_cycle // 1_460 + of_cycle // 36_524 - of_cycle // 146_096) // 365
    of_year = of_cycle - (365 * of_era + of_era // 4 - of_era // 100)
    leap = (of_era % 4 == 0 and of_era % 100 != 0) or of_era % 400 == 0
    since_january = of_year - 306 if of_year >= 306 else of_year + 59 + leap
    return ((day - since_january) * 86_400 - utc_offset_s) * SECOND_US
