"""Expected days: when somebody in the line can be served by what suppliers will bring, and what to say of it.

Days are texts as 2026-12-01, which sort as days do; empty is a day that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from syncd.core.terms import Instant, PaymentStatus
from syncd.core.tickets import MessageKind

SOON_DAYS = 3
"""So many days ahead a promised day is announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Units that are to come on a day."""

    day: str
    units: int


def expected_day(upto: int, incoming: Sequence[Incoming]) -> str:
    """Return the first day on which `upto` units have come in all; empty where so many are not on their way.

    `upto` are the units of one in the line and of all before it; `incoming` is in the order of days.
    """
    for arrival in incoming:
        if not arrival.day:
            continue
        upto -= arrival.units
        if upto <= 0:
            return arrival.day
    return ""


def days_of_line(before: int, units: Iterable[int], incoming: Sequence[Incoming]) -> list[str]:
    """Return the expected day of each in a part of the line, `before` units being wanted ahead of it."""
    found = []
    for wanted in units:
        before += wanted
        found.append(expected_day(before, incoming))
    return found


def news(*, promised: str, expected: str) -> MessageKind | None:
    """Say what a customer has to be told of the day, None where nothing: an earlier day is told by the goods.

    A day that is taken back without another one is a slip as well.
    """
    if expected == promised:
        return None
    if not promised:
        return MessageKind.EXPECTED
    return MessageKind.SLIPPED if not expected or expected > promised else None


def is_soon(days_left: int) -> bool:
    """Say whether a promised day is to be announced now."""
    return 0 <= days_left <= SOON_DAYS


def outlives(payment: PaymentStatus, *, ordered_at: Instant, valid_us: int, needed_until: Instant) -> bool:
    """Say whether the authorisation of a payment still holds when the goods are expected.

    Only an authorised payment can end; `valid_us` is for how long the channel lets one stand.
    """
    return payment is not PaymentStatus.AUTHORIZED or ordered_at + valid_us >= needed_until
