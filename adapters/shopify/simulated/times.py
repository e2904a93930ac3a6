"""Instants as the Admin API writes them (whole seconds, UTC) and as webhooks do (in the zone of the shop)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from syncd.sdk.channel import Instant

SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JAPAN = timezone(timedelta(hours=9))


def utc(moment: Instant) -> str:
    """Return `2026-11-22T00:00:00Z`."""
    return _seconds(moment // SECOND_US)


def local(moment: Instant) -> str:
    """Return `2026-11-22T09:00:00+09:00`."""
    return (_EPOCH + timedelta(seconds=moment // SECOND_US)).astimezone(_JAPAN).isoformat()


def precise(moment: Instant) -> str:
    """Return `2026-11-22T00:00:00.123456000Z`, as `X-Shopify-Triggered-At` has it."""
    return f"{_seconds(moment // SECOND_US)[:-1]}.{moment % SECOND_US:06d}000Z"


def instant_of(text: str) -> Instant | None:
    """Return the instant of an ISO 8601 text; without a zone it is UTC. None where it is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=4096)
def _seconds(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
