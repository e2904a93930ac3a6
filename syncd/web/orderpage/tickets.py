"""What proves that somebody has just seen an order: signed, for half an hour, for one thing. Nothing is stored."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from syncd.core.terms import SECOND_US, Instant

LIFE_US: Final = 1_800 * SECOND_US
_FORM: Final = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})\.([0-9a-f]{40})")


def make(key: bytes, row: int, *, now: Instant) -> str:
    """Return a ticket for an order by its row."""
    until = now + LIFE_US
    return f"{row}.{until}.{_mark(key, row, until)}"


def read(key: bytes, ticket: str, *, now: Instant) -> int | None:
    """Return the row of the order that a ticket is for; None for one that is none, forged or too old."""
    parts = _FORM.fullmatch(ticket)
    if parts is None:
        return None
    row, until = int(parts[1]), int(parts[2])
    fits = hmac.compare_digest(parts[3], _mark(key, row, until))
    return row if fits and now < until else None


def _mark(key: bytes, row: int, until: Instant) -> str:
    return hashlib.blake2b(f"cancel.{row}.{until}".encode(), key=key, digest_size=20).hexdigest()
