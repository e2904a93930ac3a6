"""Tickets that are for a person, and the messages of customers that made them so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, and_, exists, or_, select

from syncd.core.escalation import Reason
from syncd.core.terms import Instant
from syncd.core.tickets import Priority, Sign, TicketStatus
from syncd.store.rows_waiting import EntryRow, EscalationRow, InboundRow, TicketRow
from syncd.store.statements import Among, change, insert_new, listed, new_id, table

_ESCALATION = table(EscalationRow)
_INBOUND = table(InboundRow)
_ENTRY = table(EntryRow)
_TICKET = table(TicketRow)
_OPEN: Final = _ESCALATION.c.released_at.is_(None)


@dataclass(slots=True, kw_only=True)
class Escalation:
    """A ticket, or an entry with all its tickets, that is for a person (`EscalationRow`)."""

    id: int
    entry_id: int | None
    ticket_row: int | None
    reasons: frozenset[Reason]
    priority: Priority
    since: Instant
    released_at: Instant | None
    actor: str
    note: str


def _load(conn: Connection, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[Escalation]:
    return [
        Escalation(
            **{
                **row,
                "reasons": frozenset(Reason(name) for name in row["reasons"].split()),
                "priority": Priority(row["priority"]),
            }
        )
        for row in conn.execute(query.order_by(_ESCALATION.c.id), values or {}).mappings()
    ]


def of(conn: Connection, *, entry_ids: Collection[int], ticket_rows: Collection[int]) -> list[Escalation]:
    """Return all escalations of these entries and tickets, released ones too, oldest first."""
    if not entry_ids and not ticket_rows:
        return []
    c = _ESCALATION.c
    mine = or_(
        and_(c.entry_id.is_not(None), Among(c.entry_id, "entries")),
        and_(c.ticket_row.is_not(None), Among(c.ticket_row, "tickets")),
    )
    values = {"entries": listed(conn, sorted(entry_ids)), "tickets": listed(conn, sorted(ticket_rows))}
    return _load(conn, select(_ESCALATION).where(mine), values)


def by_ids(conn: Connection, ids: Collection[int]) -> list[Escalation]:
    """Return escalations by number."""
    query = select(_ESCALATION).where(Among(_ESCALATION.c.id, "ids"))
    return _load(conn, query, {"ids": listed(conn, sorted(ids))}) if ids else []


Subject: TypeAlias = tuple[int | None, int | None]
"""An entry and the row of a ticket."""


def held_back(conn: Connection, subjects: Collection[Subject]) -> set[Subject]:
    """Return those of which a person does the talking."""
    entries = {entry for entry, _ in subjects if entry is not None}
    tickets = {row for _, row in subjects if row is not None}
    found = [one for one in of(conn, entry_ids=entries, ticket_rows=tickets) if one.released_at is None]
    held_entries = {one.entry_id for one in found} - {None}
    held_tickets = {one.ticket_row for one in found} - {None}
    return {(entry, row) for entry, row in subjects if entry in held_entries or row in held_tickets}


def add(
    conn: Connection,
    *,
    entry_id: int | None,
    ticket_row: int | None,
    reasons: Collection[Reason],
    priority: Priority,
    now: Instant,
) -> Escalation:
    """Let a ticket, or an entry with its tickets, be for a person."""
    values: dict[str, Any] = {"entry_id": entry_id, "ticket_row": ticket_row, "reasons": _text(reasons)}
    number = new_id(conn, EscalationRow, values | {"priority": priority.value, "since": now, "actor": "", "note": ""})
    return by_ids(conn, [number])[0]


def save(conn: Connection, changed: Sequence[Escalation]) -> None:
    """Write what changes on an escalation."""
    rows = [
        {
            "k": one.id,
            "v_entry_id": one.entry_id,
            "v_reasons": _text(one.reasons),
            "v_priority": one.priority.value,
            "v_released_at": one.released_at,
            "v_actor": one.actor,
            "v_note": one.note[:200],
        }
        for one in changed
    ]
    change(conn, EscalationRow, "id", rows)


def _text(names: Collection[Reason] | Collection[Sign]) -> str:
    return " ".join(sorted(name.value for name in names))


def over(conn: Connection, *, limit: int) -> list[Escalation]:
    """Return open escalations of which nobody waits and no ticket is alive any more."""
    c, e, t = _ESCALATION.c, _ENTRY.c, _TICKET.c
    waits = exists(select(e.id).where(e.id == c.entry_id, e.closed_at.is_(None)))
    gone = (TicketStatus.CLOSED.value, TicketStatus.GONE.value)
    its = or_(t.id == c.ticket_row, and_(t.entry_id.is_not(None), t.entry_id == c.entry_id))
    alive = exists(select(t.id).where(its, t.status.not_in(gone)))
    return _load(conn, select(_ESCALATION).where(_OPEN, ~waits, ~alive).limit(limit))


# --- what customers wrote --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message of a customer: when it was written, when syncd heard of it, and what it shows."""

    at: Instant
    heard_at: Instant
    signs: frozenset[Sign]


def heard(conn: Connection, rows: Sequence[tuple[int, Instant, frozenset[Sign]]], *, now: Instant) -> None:
    """Note messages: ticket row, when, and what they show. One that is known changes nothing."""
    values = [{"ticket_row": row, "at": at, "heard_at": now, "signs": _text(signs)} for row, at, signs in rows]
    insert_new(conn, InboundRow, keys=("ticket_row", "at"), values=values)


def inbound(conn: Connection, ticket_rows: Collection[int]) -> dict[int, list[Heard]]:
    """Return the messages of these tickets, oldest first."""
    c = _INBOUND.c
    query = select(c.ticket_row, c.at, c.heard_at, c.signs).where(Among(c.ticket_row, "rows")).order_by(c.at)
    found: dict[int, list[Heard]] = defaultdict(list)
    for row in conn.execute(query, {"rows": listed(conn, sorted(ticket_rows))}) if ticket_rows else ():
        signs = frozenset(Sign(name) for name in row.signs.split())
        found[row.ticket_row].append(Heard(at=row.at, heard_at=row.heard_at, signs=signs))
    return dict(found)
