"""Who gets what came in: orders that were short first, then those who wait without an order, the rest last of all.

The line of a SKU is kept by the store in this order; here it is only served. Every function works on a part of the
line and is right by itself, so that a delivery for thousands can be assigned in chunks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from syncd.core.terms import Instant
from syncd.core.tickets import EventId

WITH_ORDER: Final = 0
"""The tier of those who have an order."""
WITHOUT_ORDER: Final = 1
"""The tier of those who wait without one: they come after all orders."""
LAST: Final = 2**62
"""The rank of somebody of whom the policy knows nothing: behind all others."""


class Line(StrEnum):
    """In which order those of one tier are served."""

    OLDEST = "oldest"
    """Who waits longest is first."""
    AMOUNT = "amount"
    """The largest order is first."""
    DUE = "due"
    """Who was promised the earliest day is first."""


def rank(line: Line, *, since: Instant, amount: str, due: Instant | None) -> int:
    """Return the place in the line: lower is served earlier; equal ones in the order in which they were heard of."""
    if line is Line.AMOUNT:
        return LAST - cents(amount)
    if line is Line.DUE:
        return LAST if due is None else due
    return since


def cents(amount: str) -> int:
    """Return a decimal text in hundredths, 0 where it is none."""
    try:
        value = Decimal(amount)
    except InvalidOperation:
        return 0
    return int(value * 100) if value.is_finite() and 0 <= value < 10**15 else 0


def event_of(*parts: str) -> EventId:
    """Return the marker of what these parts name: short, safe in a tag, and the same however often it is asked."""
    return EventId(hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:20])


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Units that one entry lacks of one SKU."""

    entry_id: int
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Units that one entry gets; `whole` says that it lacks none of that SKU any more."""

    entry_id: int
    units: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What a part of the line gets, and what is left for the next."""

    portions: tuple[Portion, ...]
    left: int


def assign(units: int, line: Sequence[Need]) -> Shares:
    """Serve the line from its head until the units are spent.

    The last one served may get a part: it keeps it and is first again next time, so that nobody small overtakes.
    """
    assert units >= 0, "a delivery is not negative"
    portions: list[Portion] = []
    for need in line:
        if units == 0:
            break
        assert need.units > 0, "who lacks nothing does not stand in the line"
        given = min(units, need.units)
        units -= given
        portions.append(Portion(entry_id=need.entry_id, units=given, whole=given == need.units))
    return Shares(portions=tuple(portions), left=units)


def lacking(*, on_hand: int, committed: int, held: int) -> int:
    """Return how many promised units of a SKU are not there."""
    return max(0, committed + held - on_hand)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An open order line, or a kit's part of one, under a key of the caller's own.

    `units` are still to be shipped, `lacks` of them are known to be missing.
    """

    key: int
    units: int
    lacks: int


def blame(units: int, claims: Iterable[Claim]) -> list[tuple[int, int]]:
    """Say which orders lack so many units more, as (key, units): `claims` come latest order first.

    Where all orders together want less than is missing, the rest is nobody's.
    """
    found: list[tuple[int, int]] = []
    for claim in claims:
        if units <= 0:
            break
        more = min(units, claim.units - claim.lacks)
        if more > 0:
            found.append((claim.key, more))
            units -= more
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Units that are held for an entry."""

    hold_id: int
    units: int


def take(units: int, holds: Iterable[Kept]) -> list[tuple[int, int]]:
    """Say which holds give so many units, in the order in which they are given, as (hold, units).

    An order on the channel that was opened for them takes the oldest first; a paid order elsewhere beats the newest.
    """
    found: list[tuple[int, int]] = []
    for hold in holds:
        if units <= 0:
            break
        given = min(units, hold.units)
        if given > 0:
            found.append((hold.hold_id, given))
            units -= given
    return found
