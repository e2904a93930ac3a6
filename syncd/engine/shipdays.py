"""The shop's calendar: by which day an order can leave the house. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

from syncd.core.terms import Instant
from syncd.settings import ShipDateSettings
from syncd.settings.windows import WEEKDAYS, moment_of, read_time, read_zone

MOST_CLOSED_DAYS = 400
"""Most days in a row that are looked at for one on which the shop ships."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When the shop ships. `closed` are days of the week (0 is Monday); from `cutoff` on an order is the next day's."""

    days: int
    cutoff: time
    closed: frozenset[int]
    holidays: frozenset[date]
    zone: ZoneInfo

    def ships_on(self, day: date) -> bool:
        """Say whether the shop ships on a day."""
        return day.weekday() not in self.closed and day not in self.holidays

    def first_day(self, moment: Instant) -> date:
        """Return the working day that an order of this moment belongs to."""
        local = moment_of(moment).astimezone(self.zone)
        late = local.time() >= self.cutoff
        return self.at_or_after(local.date() + timedelta(days=1) if late else local.date())

    def at_or_after(self, day: date) -> date:
        """Return the first working day from this one on."""
        for _ in range(MOST_CLOSED_DAYS):
            if self.ships_on(day):
                return day
            day += timedelta(days=1)
        raise AssertionError("a shop that is closed for more than a year")

    def later(self, day: date) -> date:
        """Return the working day that lies `days` working days after this one."""
        for _ in range(self.days):
            day = self.at_or_after(day + timedelta(days=1))
        return day

    def day_for(self, *, ordered_at: Instant, now: Instant, delayed: bool) -> date:
        """Return the day to promise: counted from the order, or from now where that day cannot be held any more."""
        today, own = self.first_day(now), self.later(self.first_day(ordered_at))
        return self.later(today) if delayed or own < today else own


def calendar_of(settings: ShipDateSettings) -> Calendar:
    """Return the calendar that the settings mean; they were checked when they were read."""
    return Calendar(
        days=settings.days,
        cutoff=read_time(settings.cutoff),
        closed=frozenset(WEEKDAYS.index(day) for day in settings.closed),
        holidays=frozenset(date.fromisoformat(text) for text in settings.holidays),
        zone=read_zone(settings.zone),
    )
