"""Announced maintenance of a channel: windows in which it is neither asked nor written. Pure, but for the time zones.

Two forms: one time, `2026-11-29T02:00+09:00/2026-11-29T08:00+09:00`, and every week, `sun 02:00/08:00 Asia/Tokyo`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncd.core.terms import Instant

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_DAYS: Final = 31
"""The longest window of one time: a longer one is a slip of the pen, and the channel would stay silent."""
FORMS: Final = '"2026-11-29T02:00+09:00/2026-11-29T08:00+09:00" or "sun 02:00/08:00 Asia/Tokyo"'

_WEEKLY: Final = re.compile(r"(\w{3}) (\d\d:\d\d)/(\d\d:\d\d) (\S+)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A window from `start` up to `end`."""

    start: Instant
    end: Instant

    def end_if_in(self, now: Instant) -> Instant | None:
        """Return when the window ends that `now` lies in, None outside of it."""
        return self.end if self.start <= now < self.end else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """A window on a day of every week (0 is Monday). An end that is not after the start is on the next day."""

    weekday: int
    start: time
    end: time
    zone: ZoneInfo

    def end_if_in(self, now: Instant) -> Instant | None:
        """Return when the window ends that `now` lies in, None outside of it."""
        today = moment_of(now).astimezone(self.zone).date()
        for day in (today - timedelta(days=1), today):
            if day.weekday() == self.weekday:
                last = day if self.end > self.start else day + timedelta(days=1)
                start = instant_of(datetime.combine(day, self.start, self.zone))
                end = instant_of(datetime.combine(last, self.end, self.zone))
                if start <= now < end:
                    return end
        return None


Window = Once | Weekly


def read_window(text: str) -> Window:
    """Return the window that a text means; raises ValueError that says what is wrong with it."""
    weekly = _WEEKLY.fullmatch(text)
    if weekly is None:
        return _once(text)
    day, start, end, zone = weekly.groups()
    if day not in WEEKDAYS:
        raise ValueError(f"{day} is no day of the week ({', '.join(WEEKDAYS)})")
    return Weekly(weekday=WEEKDAYS.index(day), start=read_time(start), end=read_time(end), zone=read_zone(zone))


def _once(text: str) -> Once:
    first, separator, last = text.partition("/")
    if not separator:
        raise ValueError(f"{text!r} is no window of time")
    start, end = _moment(first), _moment(last)
    if end <= start:
        raise ValueError(f"{text} ends before it begins")
    if end - start > timedelta(days=MOST_DAYS):
        raise ValueError(f"{text} is longer than {MOST_DAYS} days")
    return Once(start=instant_of(start), end=instant_of(end))


def read_season(since: str, until: str, *, zone: str) -> tuple[Instant, Instant]:
    """Return begin and end of a season, each a moment with its offset or a whole day of the zone.

    Raises ValueError that says what is wrong.
    """
    start, end = _begin(since, zone, whole_day=False), _begin(until, zone, whole_day=True)
    if end <= start:
        raise ValueError(f"{until} is not after {since}")
    return instant_of(start), instant_of(end)


def _begin(text: str, zone: str, *, whole_day: bool) -> datetime:
    if len(text) > len("2026-12-04"):
        return _moment(text)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day") from None
    return datetime.combine(day + timedelta(days=whole_day), time(), read_zone(zone))


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time") from None
    if found.tzinfo is None:
        raise ValueError(f"{text} has no offset, such as +09:00")
    return found


def read_time(text: str) -> time:
    """Return a time of day, `15:00`; raises ValueError that says what is wrong with it."""
    try:
        found = time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time of day") from None
    if found.tzinfo is not None:
        raise ValueError(f"{text!r} is no plain time of day")
    return found


def read_quiet(text: str) -> tuple[time, time]:
    """Return start and end of a part of every day, `21:00/08:00`; raises ValueError that says what is wrong with it."""
    start, separator, end = text.partition("/")
    if not separator:
        raise ValueError(f"{text!r} is no part of a day")
    found = read_time(start), read_time(end)
    if found[0] == found[1]:
        raise ValueError(f"{text} is empty, or the whole day")
    return found


@cache
def read_zone(name: str) -> ZoneInfo:
    """Return a time zone by its name, `Asia/Tokyo`; raises ValueError where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"this machine knows no time zone {name!r}") from None


def end_of(windows: Iterable[Window], now: Instant) -> Instant | None:
    """Return when the windows that `now` lies in are over, None outside of all; those that touch are one."""
    kept, end = tuple(windows), None
    upto = now
    for _ in kept:
        ends = [found for window in kept if (found := window.end_if_in(upto)) is not None]
        if not ends:
            break
        end = upto = max(ends)
    return end


def moment_of(instant: Instant) -> datetime:
    """Return an instant as a time in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


def instant_of(moment: datetime) -> Instant:
    """Return a time with its offset as an instant."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
