"""Instants as the Selling Partner API writes and reads them: ISO 8601, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from syncd.sdk.channel import Instant

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def utc(moment: Instant) -> str:
    """Return `2026-11-22T00:00:00Z`."""
    return _seconds(moment // SECOND_US)


def precise(moment: Instant) -> str:
    """Return `2026-11-22T00:00:00.123Z`, as notifications and feeds have it."""
    return f"{_seconds(moment // SECOND_US)[:-1]}.{moment % SECOND_US // 1000:03d}Z"


def minutes(moment: Instant) -> str:
    """Return `2026-11-22T00:00Z`, as the account health report has it."""
    return f"{_seconds(moment // SECOND_US)[:16]}Z"


def local_day(moment: Instant) -> str:
    """Return `2026/11/22 09:00:00 JST`, as listing reports of Japan have it."""
    text = (_EPOCH + timedelta(seconds=moment // SECOND_US + 9 * 3600)).strftime("%Y/%m/%d %H:%M:%S")
    return f"{text} JST"


def instant_of(text: str) -> Instant | None:
    """Return the instant of an RFC 3339 date-time with a zone, None where it is none."""
    if _DATE_TIME.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=4096)
def _seconds(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
