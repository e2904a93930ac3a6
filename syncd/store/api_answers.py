"""Answers of the API that were given under an idempotency key: a repeat gets the same one for a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select

from syncd.core.terms import SECOND_US, Instant
from syncd.store.rows_web import AnswerRow
from syncd.store.statements import insert_new, table

KEPT_US: Final = 86_400 * SECOND_US
FORGOTTEN: Final = 20
"""Old answers that one new answer takes away: they cannot pile up."""

_ANSWER = table(AnswerRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer. `fingerprint` is a hash of the request that it was given to."""

    fingerprint: str
    status: int
    body: bytes


def find(conn: Connection, owner: str, key: str, *, now: Instant) -> Kept | None:
    """Return the answer that was given under a key, None where there was none within a day."""
    c = _ANSWER.c
    query = select(c.fingerprint, c.status, c.body).where(c.owner == owner, c.key == key, c.at > now - KEPT_US)
    row = conn.execute(query).first()
    return None if row is None else Kept(fingerprint=row[0], status=row[1], body=bytes(row[2]))


def keep(conn: Connection, owner: str, key: str, answer: Kept, *, now: Instant) -> None:
    """Keep the answer to a request; one that is there stays. Old ones go."""
    c = _ANSWER.c
    old = select(c.id).where(c.at <= now - KEPT_US).order_by(c.id).limit(FORGOTTEN)
    conn.execute(delete(_ANSWER).where(c.id.in_(old)))
    conn.execute(delete(_ANSWER).where(c.owner == owner, c.key == key, c.at <= now - KEPT_US))
    values = {
        "owner": owner,
        "key": key,
        "fingerprint": answer.fingerprint,
        "status": answer.status,
        "body": answer.body,
        "at": now,
    }
    insert_new(conn, AnswerRow, keys=("owner", "key"), values=[values])
