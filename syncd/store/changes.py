"""Changes of tickets on their way to a desk, each exactly once per event, and who was told what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, Select, bindparam, func, select, update

from syncd.core.terms import Instant
from syncd.core.tickets import EventId, MessageKind
from syncd.store.rows_waiting import ChangeRow, EntryRow, MessageRow
from syncd.store.statements import Among, change, fetch_all, insert_new, listed, table

_CHANGE = table(ChangeRow)
_ENTRY = table(EntryRow)
_MESSAGE = table(MessageRow)
MOST_TOLD: Final = 1_000
"""Most names of those who were told that one answer has."""


class ChangeState(StrEnum):
    """How far a change is."""

    WAITING = "waiting"
    HELD = "held"
    INTENDED = "intended"
    INDETERMINATE = "indeterminate"
    APPLIED = "applied"
    REJECTED = "rejected"
    UNSURE = "unsure"
    """It may or may not have reached the customer, and nobody can look it up: a person decides."""
    STOPPED = "stopped"
    """What it told of was taken back before it was sent."""
    REFUSED = "refused"


UNSENT: Final = (ChangeState.WAITING, ChangeState.HELD)
UNDER_WAY: Final = (ChangeState.WAITING, ChangeState.INTENDED, ChangeState.INDETERMINATE)


class ChangeKind(StrEnum):
    """What is done to a desk."""

    UPDATE = "update"
    CREATE = "create"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a change brings; None and empty texts leave a thing as it is. `values` fill the text of the message."""

    state: str = ""
    status: str = ""
    sku: str = ""
    quantity: int | None = None
    order_number: str = ""
    expected: str | None = None
    amount: str = ""
    priority: str = ""
    language: str = ""
    subject: str = ""
    note: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    follow_up_of: str = ""
    escalated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChange:
    """A change to be made once: `key` is its own for ever."""

    desk: str
    key: str
    event: EventId
    kind: ChangeKind
    entry_id: int | None
    ticket_row: int | None
    message: str
    content: Content


def of_ticket(
    *,
    desk: str,
    ticket_row: int,
    event: EventId,
    entry_id: int | None,
    content: Content,
    message: MessageKind | None = None,
) -> NewChange:
    """Return a change of a ticket that is there: once for the ticket and the event."""
    return NewChange(
        desk=desk,
        key=f"t{ticket_row}:{event}",
        event=event,
        kind=ChangeKind.UPDATE,
        entry_id=entry_id,
        ticket_row=ticket_row,
        message="" if message is None else message.value,
        content=content,
    )


def opening(*, desk: str, entry_id: int, event: EventId, content: Content, message: MessageKind) -> NewChange:
    """Return a ticket to be opened for an entry: once for the entry and the event."""
    return NewChange(
        desk=desk,
        key=f"e{entry_id}:{event}",
        event=event,
        kind=ChangeKind.CREATE,
        entry_id=entry_id,
        ticket_row=None,
        message=message.value,
        content=content,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A stored change."""

    id: int
    desk: str
    key: str
    event: EventId
    kind: ChangeKind
    entry_id: int | None
    ticket_row: int | None
    message: str
    content: Content
    state: ChangeState
    due_at: Instant
    attempts: int
    created_at: Instant
    intended_at: Instant | None
    ended_at: Instant | None
    reason: str
    actor: str
    drafted: bool


_CONTENT = msgspec.json.Decoder(Content)
_ENCODER = msgspec.json.Encoder()


def add(conn: Connection, changes: Sequence[NewChange], *, limit: int, now: Instant) -> None:
    """Add changes; one whose key is there already changes nothing.

    Of the changes of one event at most `limit` with a message are sent by themselves; the others wait for a person.
    """
    sent = _messages_of(conn, {new.event for new in changes if new.message})
    rows = []
    for new in changes:
        held = False
        if new.message:
            sent[new.event] = sent.get(new.event, 0) + 1
            held = sent[new.event] > limit
        state = ChangeState.HELD if held else ChangeState.WAITING
        row: dict[str, Any] = {"desk": new.desk, "key": new.key, "event": new.event, "kind": new.kind.value}
        row |= {"entry_id": new.entry_id}
        row |= {"ticket_row": new.ticket_row, "message": new.message, "body": _ENCODER.encode(new.content)}
        row |= {"state": state.value, "due_at": now, "created_at": now}
        rows.append(row | {"reason": f"more than {limit} messages of one event" if held else ""})
    insert_new(conn, ChangeRow, keys=("key",), values=rows)


_MESSAGES = (
    select(_CHANGE.c.event, func.count())
    .where(Among(_CHANGE.c.event, "events"), _CHANGE.c.message != bindparam("none"))
    .group_by(_CHANGE.c.event)
)


def _messages_of(conn: Connection, events: Collection[EventId]) -> dict[EventId, int]:
    values = {"events": listed(conn, sorted(events)), "none": ""}
    rows = fetch_all(conn, _MESSAGES, values) if events else ()
    return {EventId(event): int(number) for event, number in rows}


def _load(conn: Connection, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[Change]:
    return [_change(row) for row in conn.execute(query, values or {}).mappings()]


def _change(row: RowMapping) -> Change:
    values: dict[str, Any] = {name: value for name, value in row.items() if name != "body"}
    values |= {"kind": ChangeKind(row["kind"]), "state": ChangeState(row["state"]), "drafted": bool(row["drafted"])}
    return Change(**values, content=_CONTENT.decode(row["body"]))


def due(conn: Connection, desk: str, *, kind: ChangeKind, now: Instant, limit: int) -> list[Change]:
    """Return changes to be sent now, of each ticket the oldest only, and none of a ticket with one under way."""
    c, older = _CHANGE.c, _CHANGE.alias("older")
    blocked = (
        select(older.c.id)
        .where(older.c.ticket_row == c.ticket_row, older.c.desk == desk, older.c.id < c.id)
        .where(older.c.state.in_(("waiting", "intended", "indeterminate")))
        .exists()
    )
    query = select(_CHANGE).where(c.desk == desk, _under_way(), c.state == ChangeState.WAITING.value)
    query = query.where(c.kind == kind.value, c.due_at <= now, ~blocked)
    return _load(conn, query.order_by(c.due_at, c.id).limit(limit))


def _under_way() -> Any:
    # In the words of the partial index, so that it is used.
    return _CHANGE.c.state.in_(("waiting", "intended", "indeterminate"))


def unknown(conn: Connection, desk: str, *, kind: ChangeKind, due_at: Instant, limit: int) -> list[Change]:
    """Return changes whose end is not known and that were to be looked up by then."""
    c = _CHANGE.c
    query = select(_CHANGE).where(c.desk == desk, _under_way(), c.state == ChangeState.INDETERMINATE.value)
    return _load(conn, query.where(c.kind == kind.value, c.due_at <= due_at).order_by(c.due_at, c.id).limit(limit))


def next_due(conn: Connection, desk: str) -> Instant | None:
    """Return when the next change of a desk is due, None where none waits."""
    query = select(func.min(_CHANGE.c.due_at)).where(_CHANGE.c.desk == desk, _under_way())
    return conn.execute(query).scalar()


def by_keys(conn: Connection, keys: Collection[str]) -> dict[str, Change]:
    """Return changes by their keys."""
    if not keys:
        return {}
    query = select(_CHANGE).where(Among(_CHANGE.c.key, "keys"))
    return {found.key: found for found in _load(conn, query, {"keys": listed(conn, keys)})}


def page(
    conn: Connection, *, states: Collection[ChangeState], after: int = 0, limit: int = 100, event: str = ""
) -> list[Change]:
    """Return changes in these states by number."""
    query = select(_CHANGE).where(_CHANGE.c.state.in_(sorted(states)), _CHANGE.c.id > after)
    if event:
        query = query.where(_CHANGE.c.event == event)
    return _load(conn, query.order_by(_CHANGE.c.id).limit(limit))


def opening_for(conn: Connection, entry_ids: Collection[int]) -> set[int]:
    """Return those entries for which a ticket is being opened."""
    if not entry_ids:
        return set()
    mine = (Among(_CHANGE.c.entry_id, "ids"), _CHANGE.c.kind == ChangeKind.CREATE.value, _under_way())
    found = conn.execute(select(_CHANGE.c.entry_id).where(*mine).distinct(), {"ids": listed(conn, entry_ids)})
    return {int(entry_id) for entry_id in found.scalars()}


def has_any(conn: Connection, entry_id: int, event: EventId) -> bool:
    """Say whether anything was ever to be changed for an entry by an event."""
    query = select(_CHANGE.c.id).where(_CHANGE.c.entry_id == entry_id, _CHANGE.c.event == event).limit(1)
    return conn.execute(query).first() is not None


def by_ids(conn: Connection, ids: Collection[int]) -> list[Change]:
    """Return changes by number."""
    query = select(_CHANGE).where(Among(_CHANGE.c.id, "ids")).order_by(_CHANGE.c.id)
    return _load(conn, query, {"ids": listed(conn, ids)}) if ids else []


def intend(conn: Connection, ids: Collection[int], *, drafted: Collection[int] = (), now: Instant) -> None:
    """Store that these are about to be sent, some of them with their letter as a draft."""
    state = ChangeState.INTENDED.value
    rows = [{"k": k, "v_state": state, "v_intended_at": now, "v_drafted": k in drafted} for k in ids]
    change(conn, ChangeRow, "id", rows)


def postpone(conn: Connection, due_at: Mapping[int, Instant]) -> None:
    """Let changes that wait be sent later."""
    for at in sorted(set(due_at.values())):
        ids = [number for number, found in due_at.items() if found == at]
        mine = (Among(_CHANGE.c.id, "ids"), _CHANGE.c.state == ChangeState.WAITING.value)
        conn.execute(update(_CHANGE).where(*mine).values(due_at=at), {"ids": listed(conn, ids)})


def recover(conn: Connection, desk: str) -> int:
    """Make what the last run sent without hearing the answer indeterminate; return how many there were."""
    mine = _CHANGE.c.desk == desk, _CHANGE.c.state == ChangeState.INTENDED.value
    values = {"state": ChangeState.INDETERMINATE.value, "reason": "syncd ended before the answer came"}
    return conn.execute(update(_CHANGE).where(*mine, _under_way()).values(**values)).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a change goes on: its state, and when it is due where it is still under way."""

    id: int
    state: ChangeState
    due_at: Instant
    attempts: int
    reason: str
    ended_at: Instant | None


def end(conn: Connection, ends: Sequence[Ended]) -> None:
    """Write how changes ended or go on."""
    rows = [
        {
            "k": e.id,
            "v_state": e.state.value,
            "v_due_at": e.due_at,
            "v_attempts": e.attempts,
            "v_reason": e.reason[:200],
            "v_ended_at": e.ended_at,
        }
        for e in ends
    ]
    change(conn, ChangeRow, "id", rows)


def stop(conn: Connection, entry_ids: Collection[int], *, event: str, reason: str, now: Instant) -> set[int]:
    """Stop what was not yet sent to these entries for an event; return the entries of which something was sent."""
    if not entry_ids:
        return set()
    c = _CHANGE.c
    values = {"ids": listed(conn, entry_ids)}
    mine = (c.event == event, Among(c.entry_id, "ids"))
    sent = select(c.entry_id).where(*mine, c.state.in_(("intended", "indeterminate", "applied", "unsure"))).distinct()
    told = {int(entry_id) for entry_id in conn.execute(sent, values).scalars()}
    ended = {"state": ChangeState.STOPPED.value, "reason": reason[:200], "ended_at": now}
    conn.execute(update(_CHANGE).where(*mine, c.state.in_(("waiting", "held"))).values(**ended), values)
    return told


def decide(conn: Connection, *, ids: Collection[int], event: str, accept: bool, actor: str, now: Instant) -> int:
    """Release what is held, or drop it; return how many changes that were."""
    c = _CHANGE.c
    query = update(_CHANGE).where(c.state == ChangeState.HELD.value)
    query = query.where(c.id.in_(sorted(ids))) if ids else query.where(c.event == event)
    state = ChangeState.WAITING if accept else ChangeState.REFUSED
    ended = None if accept else now
    values = {"state": state.value, "actor": actor, "due_at": now, "reason": "", "ended_at": ended}
    return conn.execute(query.values(**values)).rowcount


def hold_all(conn: Connection, desk: str, *, reason: str) -> int:
    """Let everything that waits at a desk wait for a person; return how many changes that were."""
    mine = _CHANGE.c.desk == desk, _CHANGE.c.state == ChangeState.WAITING.value
    values = {"state": ChangeState.HELD.value, "reason": reason}
    return conn.execute(update(_CHANGE).where(*mine, _under_way()).values(**values)).rowcount


def desks_of(conn: Connection, event: str) -> set[str]:
    """Return the desks to which changes of an event are on their way, or which open a ticket to be told of it."""
    c = _CHANGE.c
    own = select(c.desk).where(c.event == event, _under_way()).distinct()
    opening = select(c.desk).join(_ENTRY, _ENTRY.c.id == c.entry_id)
    opening = opening.where(c.kind == ChangeKind.CREATE.value, _under_way(), _ENTRY.c.event == event).distinct()
    return {*conn.execute(own).scalars(), *conn.execute(opening).scalars()}


def counts(conn: Connection, desk: str) -> dict[str, int]:
    """Return how many changes of a desk are in each state that somebody may want to know of."""
    c = _CHANGE.c
    told = [s.value for s in (*UNDER_WAY, ChangeState.HELD, ChangeState.UNSURE, ChangeState.REJECTED)]
    query = select(c.state, func.count()).where(c.desk == desk, c.state.in_(told)).group_by(c.state)
    return {state: int(number) for state, number in conn.execute(query)}


# --- who was told what ---------------------------------------------------------------------------------------------


def told(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note that somebody was told something: key, event, kind, language, route, entry_id, ticket_row, at."""
    insert_new(conn, MessageRow, keys=("key",), values=rows)


def was_told(conn: Connection, keys: Collection[str]) -> set[str]:
    """Return those of these keys that stand for something that was told."""
    query = select(_MESSAGE.c.key).where(Among(_MESSAGE.c.key, "keys"))
    return set(conn.execute(query, {"keys": listed(conn, keys)}).scalars()) if keys else set()


def messages_of(conn: Connection, *, entry_id: int) -> list[Mapping[str, Any]]:
    """Return what somebody was told, oldest first."""
    query = select(_MESSAGE).where(_MESSAGE.c.entry_id == entry_id).order_by(_MESSAGE.c.id).limit(MOST_TOLD)
    return [dict(row) for row in conn.execute(query).mappings()]
