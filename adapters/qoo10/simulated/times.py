"""Instants as QAPI reads and writes them: always Japan Standard Time, never with a zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from syncd.sdk.channel import Instant

DAY_US = 86_400_000_000
SECOND_US = 1_000_000
JAPAN = timezone(timedelta(hours=9))

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPACT_DAY = re.compile(r"\d{8}")
_COMPACT_SECOND = re.compile(r"\d{14}")


def japanese(at: Instant) -> datetime:
    """Return the time in Japan."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(JAPAN)


def today(at: Instant) -> date:
    """Return the day in Japan."""
    return japanese(at).date()


def written(at: Instant | None, layout: str) -> str:
    """Return a time in a layout of `strftime`; blank where there is none."""
    return "" if at is None else japanese(at).strftime(layout)


def window(start: str, end: str) -> tuple[Instant, Instant] | None:
    """Return the first and the last instant of a search, each `yyyyMMdd` or `yyyyMMddHHmmss`; None where one is none.

    A day without a time means all of it, a second all of it.
    """
    first, last = _parsed(start), _parsed(end)
    if first is None or last is None:
        return None
    span_us = SECOND_US if _COMPACT_SECOND.fullmatch(end) else DAY_US
    return _instant(first), _instant(last) + span_us - 1


def day_of(text: str, layout: str) -> date | None:
    """Return the day of a text that has exactly this layout, None where it is none."""
    try:
        found = datetime.strptime(text, layout).replace(tzinfo=JAPAN)
    except ValueError:
        return None
    return found.date() if found.strftime(layout) == text else None


def _parsed(text: str) -> datetime | None:
    layout = "%Y%m%d%H%M%S" if _COMPACT_SECOND.fullmatch(text) else "%Y%m%d" if _COMPACT_DAY.fullmatch(text) else ""
    try:
        return datetime.strptime(text, layout).replace(tzinfo=JAPAN) if layout else None
    except ValueError:
        return None


def _instant(moment: datetime) -> Instant:
    return (moment - _EPOCH) // timedelta(microseconds=1)
