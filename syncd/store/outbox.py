"""The outbox: events that wait for a sink, written in the transaction that made them true."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, insert, select, update

from syncd.core.terms import Instant
from syncd.store.rows import OutboxRow
from syncd.store.statements import chunks, table

STATE: Final = "state"
"""Type of an event that states everything about its key: a newer one replaces all older ones."""

_OUTBOX = table(OutboxRow)
_WAITS = _OUTBOX.c.delivered_at.is_(None)
_PUT = insert(_OUTBOX)
_WAITING = (
    select(_OUTBOX.c.id, _OUTBOX.c.key, _OUTBOX.c.type, _OUTBOX.c.body, _OUTBOX.c.created_at)
    .where(_OUTBOX.c.sink == bindparam("sink"), _WAITS, _OUTBOX.c.id > bindparam("after_id"))
    .order_by(_OUTBOX.c.id)
    .limit(bindparam("most"))
)
_DEPTH = select(_OUTBOX.c.sink, func.count(), func.min(_OUTBOX.c.created_at)).where(_WAITS).group_by(_OUTBOX.c.sink)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to tell a sink (`mqtt`, `alerts`). Events of one `key` are told in order. `body` is JSON."""

    sink: str
    key: str
    type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An event that was not delivered yet."""

    id: int
    key: str
    type: str
    body: bytes
    created_at: Instant

    @property
    def event_id(self) -> str:
        """Return the id that receivers tell repeats by: a UUIDv7 (RFC 9562) made of time and row id, never changing.

        48 bits of milliseconds, 12 bits with the microseconds that are left, 62 bits with the row id.
        """
        milliseconds, microseconds = divmod(self.created_at, 1_000)
        return str(UUID(int=milliseconds << 80 | 7 << 76 | microseconds << 64 | 0b10 << 62 | self.id))


def put(conn: Connection, events: Sequence[Event], *, now: Instant) -> None:
    """Add events in this order to the transaction."""
    if events:
        rows = [{"sink": e.sink, "key": e.key, "type": e.type, "body": e.body, "created_at": now} for e in events]
        conn.execute(_PUT, rows)


def waiting(conn: Connection, sink: str, *, after_id: int, limit: int) -> list[Waiting]:
    """Return the next events of a sink in order, at most `limit` with an id above `after_id`."""
    rows = conn.execute(_WAITING, {"sink": sink, "after_id": after_id, "most": limit})
    return [Waiting(id=r.id, key=r.key, type=r.type, body=bytes(r.body), created_at=r.created_at) for r in rows]


def mark_delivered(conn: Connection, ids: Sequence[int], *, now: Instant) -> None:
    """Say that the sink has these; one that was marked before keeps its time."""
    for piece in chunks(ids):
        conn.execute(update(_OUTBOX).where(_OUTBOX.c.id.in_(piece), _WAITS).values(delivered_at=now))


def abandon(conn: Connection, *, prefix: str, kept: Collection[str], now: Instant) -> int:
    """End what waits for sinks whose names start so and are not kept: nobody reads it any more; return how many."""
    c = _OUTBOX.c
    gone = update(_OUTBOX).where(_WAITS, c.sink.startswith(prefix, autoescape=True), c.sink.not_in(sorted(kept)))
    return conn.execute(gone.values(delivered_at=now)).rowcount


def depth(conn: Connection) -> dict[str, tuple[int, Instant]]:
    """Return per sink how many events wait and since when the oldest does; a sink without any is left out."""
    return {sink: (count, oldest) for sink, count, oldest in conn.execute(_DEPTH)}
