"""Those who wait with the tickets at which they are told, as the time rules look at them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, exists, func, or_, select

from syncd.core.terms import Instant, PaymentStatus
from syncd.core.tickets import DeskId, EventId, MessageKind, TicketState, TicketStatus
from syncd.core.timerules import Told
from syncd.store.rows import OrderRow, SkuRow
from syncd.store.rows_waiting import ChangeRow, EntryRow, EscalationRow, MessageRow, TicketRow
from syncd.store.statements import Among, listed, table

_CHANGE = table(ChangeRow)
_ENTRY = table(EntryRow)
_ESCALATION = table(EscalationRow)
_MESSAGE = table(MessageRow)
_ORDER = table(OrderRow)
_SKU = table(SkuRow)
_TICKET = table(TicketRow)

_UNDER_WAY: Final = ("waiting", "held", "intended", "indeterminate", "unsure")
"""States of changes of which the customer may hear, or may have heard, without our knowing it yet."""
_OWED: Final = frozenset({PaymentStatus.PAID.value, PaymentStatus.PARTIALLY_PAID.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """Somebody who waits, and the ticket at which they are told: of several the first.

    `busy` says that a letter is on its way, or waits for a person, `escalated` that a person does the talking.
    """

    ticket_row: int
    desk: DeskId
    status: TicketStatus
    asked_at: Instant | None
    replied_at: Instant | None
    reachable: bool
    entry_id: int
    state: TicketState
    since: Instant
    cancelled_at: Instant | None
    owed: bool
    told: tuple[Told, ...]
    busy: bool
    escalated: bool
    sku: str
    title: str
    quantity: int
    order_number: str
    expected: str
    amount: str
    currency: str
    language: str


def waiters(
    conn: Connection, *, after: int = 0, limit: int = 500, entry_ids: Collection[int] | None = None
) -> tuple[list[Waiter], int | None]:
    """Return those who wait behind a ticket, a page of them, and the last ticket of it (None: there are no more).

    With `entry_ids` only these.
    """
    query = _query().where(_TICKET.c.id > after).order_by(_TICKET.c.id).limit(limit)
    values: dict[str, Any] = {}
    if entry_ids is not None:
        query = query.where(Among(_TICKET.c.entry_id, "entry_ids"))
        values = {"entry_ids": listed(conn, entry_ids)}
    rows = conn.execute(query, values).mappings().all()
    told = _told(conn, {row["entry_id"] for row in rows})
    found = [_waiter(row, told.get(row["entry_id"], ())) for row in rows]
    return found, rows[-1]["ticket_row"] if len(rows) == limit else None


def _query() -> Select[Any]:
    t, e = _TICKET.c, _ENTRY.c
    other = _TICKET.alias("other")
    alive = t.status.in_((TicketStatus.OPEN.value, TicketStatus.WAITING.value, TicketStatus.SOLVED.value))
    first = (
        select(func.min(other.c.id))
        .where(other.c.entry_id == t.entry_id, other.c.status.in_(("open", "waiting", "solved")))
        .correlate(_TICKET)
        .scalar_subquery()
    )
    busy = exists(
        select(_CHANGE.c.id).where(
            _CHANGE.c.entry_id == t.entry_id, _CHANGE.c.message != "", _CHANGE.c.state.in_(_UNDER_WAY)
        )
    )
    p = _ESCALATION.c
    escalated = exists(select(p.id).where(p.released_at.is_(None), or_(p.entry_id == t.entry_id, p.ticket_row == t.id)))
    return (
        select(
            t.id.label("ticket_row"),
            t.desk,
            t.status,
            t.asked_at,
            t.replied_at,
            t.reachable,
            e.id.label("entry_id"),
            e.state,
            e.since,
            e.closed_at,
            e.quantity,
            e.order_number,
            e.expected,
            e.amount,
            e.currency,
            e.language,
            _SKU.c.code,
            _SKU.c.title,
            _ORDER.c.ordered_at,
            _ORDER.c.payment,
            busy.label("busy"),
            escalated.label("escalated"),
        )
        .join(_ENTRY, e.id == t.entry_id)
        .join(_SKU, _SKU.c.id == e.sku_id)
        .outerjoin(_ORDER, _ORDER.c.id == e.order_row)
        .where(t.entry_id.is_not(None), alive, t.id == first)
    )


def _told(conn: Connection, entry_ids: Collection[int]) -> dict[int, tuple[Told, ...]]:
    found: dict[int, list[Told]] = defaultdict(list)
    c = _MESSAGE.c
    query = select(c.entry_id, c.kind, c.at).where(c.entry_id.is_not(None), Among(c.entry_id, "ids"))
    rows = conn.execute(query.order_by(c.at, c.id), {"ids": listed(conn, sorted(entry_ids))}) if entry_ids else ()
    for entry_id, kind, at in rows:
        if kind in set(MessageKind):
            found[entry_id].append(Told(kind=MessageKind(kind), at=at))
    return {entry_id: tuple(told) for entry_id, told in found.items()}


def _waiter(row: Mapping[Any, Any], told: tuple[Told, ...]) -> Waiter:
    state = TicketState(row["state"])
    ended = state in (TicketState.CANCELLED, TicketState.REFUNDED)
    return Waiter(
        ticket_row=row["ticket_row"],
        desk=DeskId(row["desk"]),
        status=TicketStatus(row["status"]),
        asked_at=row["asked_at"],
        replied_at=row["replied_at"],
        reachable=bool(row["reachable"]),
        entry_id=row["entry_id"],
        state=state,
        since=row["since"] if row["ordered_at"] is None else row["ordered_at"],
        cancelled_at=row["closed_at"] if ended else None,
        owed=row["payment"] in _OWED,
        told=told,
        busy=bool(row["busy"]),
        escalated=bool(row["escalated"]),
        sku=row["code"],
        title=row["title"],
        quantity=row["quantity"],
        order_number=row["order_number"],
        expected=row["expected"],
        amount=row["amount"],
        currency=row["currency"],
        language=row["language"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """Somebody who waits, has no ticket, and whom nothing was told or is on its way to. `own` names their channel."""

    entry_id: int
    account: str
    own: bool
    since: Instant
    sku: str
    title: str
    quantity: int
    order_number: str
    expected: str
    amount: str
    currency: str
    language: str


def unheard(conn: Connection, *, before: Instant, after: int, limit: int) -> list[Unheard]:
    """Return those who wait since before an instant and never heard of the shop, by number, behind `after`."""
    e = _ENTRY.c
    since = func.coalesce(_ORDER.c.ordered_at, e.since).label("since")
    columns = (e.id, e.account, e.order_row, e.source, e.quantity, e.order_number, e.expected, e.amount, e.currency)
    none = [~exists(select(rows.c.id).where(rows.c.entry_id == e.id)) for rows in (_TICKET, _CHANGE, _MESSAGE)]
    query = (
        select(*columns, e.language, _SKU.c.code, _SKU.c.title, since)
        .join(_SKU, _SKU.c.id == e.sku_id)
        .outerjoin(_ORDER, _ORDER.c.id == e.order_row)
        .where(e.closed_at.is_(None), e.id > after, e.state == TicketState.PENDING.value, since <= before, *none)
        .order_by(e.id)
        .limit(limit)
    )
    return [
        Unheard(
            entry_id=row["id"],
            account=row["account"],
            own=row["order_row"] is not None or row["source"] == "inquiry",
            since=row["since"],
            sku=row["code"],
            title=row["title"],
            quantity=row["quantity"],
            order_number=row["order_number"],
            expected=row["expected"],
            amount=row["amount"],
            currency=row["currency"],
            language=row["language"],
        )
        for row in conn.execute(query).mappings()
    ]


def event_for(rule: str, entry_id: int, anchor: Instant) -> EventId:
    """Return the marker of what a rule does for somebody once: the same rule from the same moment is the same."""
    return EventId(f"{rule.replace('_', '-')}-{entry_id}-{anchor:x}")
