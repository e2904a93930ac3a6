"""Tickets that are for a person, and the figures of tickets. Read-only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, RowMapping, Select, and_, cast, func, select

from syncd.core.escalation import Reason
from syncd.core.ticketfigures import By, Row, Solved, Step, Steps, figures
from syncd.core.tickets import TicketState, TicketStatus
from syncd.store.rows import SkuRow
from syncd.store.rows_waiting import EntryRow, EscalationRow, TicketRow
from syncd.store.statements import table
from syncd.store.views import moment
from syncd.store.views_figures import DAY_US, Window

_ENTRY = table(EntryRow)
_ESCALATION = table(EscalationRow)
_SKU = table(SkuRow)
_TICKET = table(TicketRow)
_DONE: Final = (TicketStatus.SOLVED.value, TicketStatus.CLOSED.value)
_GONE: Final = (TicketState.CANCELLED.value, TicketState.REFUNDED.value)
_ENDS: Final = {state: Step(state) for state in (TicketState.SHIPPED, TicketState.CANCELLED, TicketState.REFUNDED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationView:
    """A ticket that is for a person, or was: `released_at` is null while it is. `reasons` are kinds, no words."""

    id: int
    desk: str
    ticket_id: str
    entry_id: int | None
    sku: str
    order_number: str
    reasons: tuple[Reason, ...]
    priority: str
    since: datetime
    released_at: datetime | None
    actor: str
    note: str


def escalations(
    conn: Connection, *, reason: str = "", released: bool = False, after: int = 0, limit: int
) -> list[EscalationView]:
    """Return escalations by number; released ones only where they are asked for."""
    c = _ESCALATION.c
    query = _escalations().where(c.id > after)
    if not released:
        query = query.where(c.released_at.is_(None))
    if reason:
        query = query.where((" " + c.reasons + " ").contains(f" {reason} ", autoescape=True))
    return [_escalation(row) for row in conn.execute(query.order_by(c.id).limit(limit)).mappings()]


def one_escalation(conn: Connection, escalation_id: int) -> EscalationView | None:
    """Return an escalation, None where there is none of the number."""
    row = conn.execute(_escalations().where(_ESCALATION.c.id == escalation_id)).mappings().one_or_none()
    return None if row is None else _escalation(row)


def _escalations() -> Select[Any]:
    c, e, t = _ESCALATION.c, _ENTRY.c, _TICKET.c
    columns = (c.id, c.entry_id, c.reasons, c.priority, c.since, c.released_at, c.actor, c.note)
    numbers = func.coalesce(e.order_number, t.order_number, "").label("order_number")
    return (
        select(*columns, t.desk, t.ticket_id, numbers, func.coalesce(_SKU.c.code, t.sku, "").label("sku"))
        .outerjoin(_TICKET, t.id == c.ticket_row)
        .outerjoin(_ENTRY, e.id == c.entry_id)
        .outerjoin(_SKU, _SKU.c.id == e.sku_id)
    )


def _escalation(row: RowMapping) -> EscalationView:
    return EscalationView(
        id=row["id"],
        desk=row["desk"] or "",
        ticket_id=row["ticket_id"] or "",
        entry_id=row["entry_id"],
        sku=row["sku"],
        order_number=row["order_number"],
        reasons=tuple(Reason(name) for name in row["reasons"].split()),
        priority=row["priority"],
        since=moment(row["since"]),
        released_at=None if row["released_at"] is None else moment(row["released_at"]),
        actor=row["actor"],
        note=row["note"],
    )


# --- figures ---------------------------------------------------------------------------------------------------------


def ticket_figures(conn: Connection, window: Window, *, by: By = By.DAY, sku: str = "") -> list[Row]:
    """Return the figures of tickets in a window, of one SKU or of all; walks through entries and tickets of it."""
    e = _ENTRY.c
    now = select(_SKU.c.code, func.count().label("many")).join(_SKU, _SKU.c.id == e.sku_id)
    now = now.where(e.closed_at.is_(None)).group_by(_SKU.c.code)
    waiting = {row.code: int(row.many) for row in conn.execute(_only(now, sku))}
    steps = list(_steps(conn, window, sku))
    return figures(steps, _solved(conn, window, sku), waiting, first=window.first, last=window.today, by=by)


def _only(query: Select[Any], sku: str) -> Select[Any]:
    return query.where(_SKU.c.code == sku) if sku else query


def _day(column: ColumnElement[Any], window: Window) -> ColumnElement[int]:
    return cast((column + window.offset_us) // DAY_US, BigInteger)


def _steps(conn: Connection, window: Window, sku: str) -> Iterator[Steps]:
    e = _ENTRY.c
    for step, column in ((Step.OPENED, e.since), (Step.MOVED, e.restocked_at)):
        day = _day(column, window)
        query = select(_SKU.c.code, day.label("day"), func.count().label("many")).join(_SKU, _SKU.c.id == e.sku_id)
        query = query.where(column.is_not(None), column >= window.since).group_by(_SKU.c.code, day)
        for row in conn.execute(_only(query, sku)):
            yield Steps(sku=row.code, day=int(row.day), step=step, count=int(row.many))
    day = _day(e.closed_at, window)
    ended = select(_SKU.c.code, day.label("day"), e.state, func.count().label("many"))
    ended = ended.join(_SKU, _SKU.c.id == e.sku_id).where(e.closed_at.is_not(None), e.closed_at >= window.since)
    for row in conn.execute(_only(ended.group_by(_SKU.c.code, day, e.state), sku)):
        step = _ENDS.get(TicketState(row.state), Step.LEFT)
        yield Steps(sku=row.code, day=int(row.day), step=step, count=int(row.many))


def _solved(conn: Connection, window: Window, sku: str) -> list[Solved]:
    t, e = _TICKET.c, _ENTRY.c
    query = select(_SKU.c.code, t.created_at, t.solved_at, t.rating, e.closed_at, e.state)
    query = query.join(_ENTRY, and_(t.entry_id.is_not(None), e.id == t.entry_id)).join(_SKU, _SKU.c.id == e.sku_id)
    query = query.where(t.status.in_(_DONE), t.solved_at.is_not(None), t.solved_at >= window.since)
    return [
        Solved(
            sku=row.code,
            day=(row.solved_at + window.offset_us) // DAY_US,
            created_at=row.created_at,
            solved_at=row.solved_at,
            rating=row.rating,
            cancelled_at=row.closed_at if row.state in _GONE else None,
        )
        for row in conn.execute(_only(query, sku))
    ]
