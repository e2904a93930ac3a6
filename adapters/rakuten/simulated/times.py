"""The four ways in which Rakuten writes a time; all of them are Japan Standard Time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from syncd.sdk.channel import Instant

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US

JST: Final = timezone(timedelta(hours=9))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ORDER: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0900", re.ASCII)
_PLAIN: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)


def jst(at: Instant) -> datetime:
    """Return an instant as Japan's clocks show it."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(JST)


def instant(moment: datetime) -> Instant:
    """Return the instant of an aware time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def order_time(at: Instant) -> str:
    """Write a time as the order API does: an offset without a colon."""
    return jst(at).strftime("%Y-%m-%dT%H:%M:%S+0900")


def stock_time(at: Instant) -> str:
    """Write a time as the inventory and item APIs do: an offset with a colon."""
    return jst(at).strftime("%Y-%m-%dT%H:%M:%S+09:00")


def plain_time(at: Instant) -> str:
    """Write a time as the licence and inquiry APIs do: no offset at all."""
    return jst(at).strftime("%Y-%m-%dT%H:%M:%S")


def notice_time(at: Instant) -> str:
    """Write a time as the notices do."""
    return jst(at).strftime("%Y/%m/%d %H:%M:%S")


def read_order_time(text: object) -> Instant | None:
    """Read a time of the order API; None for any other form, `+09:00` and `+0000` included."""
    if not isinstance(text, str) or not _ORDER.fullmatch(text):
        return None
    return _read(text[:19])


def read_plain_time(text: object) -> Instant | None:
    """Read a time without an offset; None for any other form."""
    return _read(text) if isinstance(text, str) and _PLAIN.fullmatch(text) else None


def _read(text: str) -> Instant | None:
    try:
        return instant(datetime.fromisoformat(text).replace(tzinfo=JST))
    except ValueError:
        return None
