"""A hand edit at the counting place, as long as it is doubted, and what of it is left once more is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from syncd.core.shown import Reading
from syncd.core.terms import Instant, Span

NEEDED: Final = 2
"""So many equal readings, clear of own writes, make a hand edit a movement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Units that somebody seems to have added (or taken, below zero) by hand, at any moment of a span of time.

    `readings` is how many readings in a row have shown it, clear of own writes. `orders` and `gives` are units that
    were told of later and may lie in the span.
    """

    units: int
    since: Instant
    until: Instant
    readings: int
    orders: int = 0
    gives: int = 0

    @property
    def left(self) -> int:
        """Return the units that nothing else explains.

        An order in the span explains units that were missing, a give units that were there. What cannot be told apart
        is taken for fewer units: never more are added than were seen.
        """
        return min(max(self.units, 0), self.units + self.orders - self.gives)

    @property
    def sure(self) -> bool:
        """Say whether it was read often enough."""
        return self.readings >= NEEDED

    def covers(self, span: Span) -> bool:
        """Say whether something that happened in `span` may lie in the span of the edit."""
        return span.earliest <= self.until and (span.latest is None or span.latest >= self.since)

    def read(self, reading: Reading, *, clear: bool) -> Edit:
        """Return it after another reading of the listing; `clear` says that no own write was open meanwhile.

        What is missing then is what was added before, as far as it goes.
        """
        if reading.surplus or reading.missing:
            units = max(0, self.units + reading.surplus - reading.missing)
            return replace(self, units=units, until=reading.until, readings=int(clear))
        return replace(self, readings=self.readings + 1) if clear else self

    def told(self, *, orders: int = 0, gives: int = 0) -> Edit:
        """Return it after an order or a give was told that may lie in its span."""
        return replace(self, orders=self.orders + orders, gives=self.gives + gives)


def edit_of(reading: Reading, *, clear: bool) -> Edit:
    """Return the hand edit that a reading may show: one that is above what is believed."""
    assert reading.surplus > 0, "what is missing is a suspect sale first"
    return Edit(units=reading.surplus, since=reading.since, until=reading.until, readings=int(clear))
