"""Desks and their tickets as they were last stated."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select, update

from syncd.core.facts import AccountState
from syncd.core.mentions import Mentioned
from syncd.core.terms import Instant, Sku
from syncd.core.tickets import DeskId, TicketId, TicketState, TicketStatus
from syncd.store.rows import OrderLineRow, OrderRow, SkuRow
from syncd.store.rows_waiting import ChangeRow, DeskRow, EntryRow, TicketRow
from syncd.store.statements import Among, change, insert_new, listed, table, upsert

_CHANGE = table(ChangeRow)
_DESK = table(DeskRow)
_ENTRY = table(EntryRow)
_TICKET = table(TicketRow)
_ORDER = table(OrderRow)
_LINE = table(OrderLineRow)
_SKU = table(SkuRow)
_OPEN_CHANGES = ("waiting", "held", "intended", "indeterminate")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDesk:
    """A desk as the store knows it."""

    name: DeskId
    state: AccountState
    reason: str
    since: Instant
    first_live_at: Instant | None
    cursor: str
    read_at: Instant | None
    down_since: Instant | None
    down_reason: str

    @property
    def live(self) -> bool:
        """Say whether sending is released."""
        return self.state is AccountState.LIVE


def desks(conn: Connection) -> dict[DeskId, KnownDesk]:
    """Return every desk."""
    rows = conn.execute(select(_DESK).order_by(_DESK.c.name)).mappings()
    return {DeskId(row["name"]): KnownDesk(**{**row, "state": AccountState(row["state"])}) for row in rows}


def know(conn: Connection, names: Collection[DeskId], *, now: Instant) -> None:
    """Make desks known, not released."""
    rows = [{"name": name, "state": AccountState.NEW.value, "since": now} for name in names]
    insert_new(conn, DeskRow, keys=("name",), values=rows)


def set_desk(conn: Connection, name: DeskId, values: Mapping[str, Any]) -> None:
    """Change columns of a desk."""
    conn.execute(update(_DESK).where(_DESK.c.name == name).values(**values))


@dataclass(slots=True, kw_only=True)
class KnownTicket:
    """A ticket as it was last stated (`TicketRow`)."""

    id: int
    desk: DeskId
    ticket_id: TicketId
    entry_id: int | None
    status: TicketStatus
    state: TicketState | None
    sku: str
    quantity: int
    order_number: str
    language: str
    reachable: bool
    agent: str
    version: Instant | None
    read_at: Instant
    asked_at: Instant | None
    replied_at: Instant | None
    created_at: Instant | None
    follow_up_of: str
    escalated: bool
    solved_at: Instant | None
    rating: str
    rated_at: Instant | None

    @property
    def frozen(self) -> bool:
        """Say whether nothing can be changed on it any more."""
        return self.status in (TicketStatus.CLOSED, TicketStatus.GONE)


def _load(conn: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[KnownTicket]:
    rows = conn.execute(query.order_by(_TICKET.c.id), values).mappings()
    return [
        KnownTicket(
            **{
                **row,
                "status": TicketStatus(row["status"]),
                "state": TicketState(row["state"]) if row["state"] else None,
            }
        )
        for row in rows
    ]


def by_remote(conn: Connection, desk: DeskId, ticket_ids: Collection[TicketId]) -> dict[TicketId, KnownTicket]:
    """Return the known tickets of a desk among these."""
    if not ticket_ids:
        return {}
    query = select(_TICKET).where(_TICKET.c.desk == desk, Among(_TICKET.c.ticket_id, "ids"))
    return {ticket.ticket_id: ticket for ticket in _load(conn, query, {"ids": listed(conn, ticket_ids)})}


def by_id(conn: Connection, ids: Collection[int]) -> dict[int, KnownTicket]:
    """Return tickets by our own numbers."""
    if not ids:
        return {}
    found = _load(conn, select(_TICKET).where(Among(_TICKET.c.id, "ids")), {"ids": listed(conn, ids)})
    return {ticket.id: ticket for ticket in found}


def of_entries(conn: Connection, entry_ids: Collection[int]) -> dict[int, list[KnownTicket]]:
    """Return the tickets of these entries that are still there."""
    if not entry_ids:
        return {}
    query = select(_TICKET).where(_TICKET.c.entry_id.is_not(None), Among(_TICKET.c.entry_id, "ids"))
    found: dict[int, list[KnownTicket]] = {}
    for ticket in _load(conn, query, {"ids": listed(conn, entry_ids)}):
        if ticket.entry_id is not None and ticket.status is not TicketStatus.GONE:
            found.setdefault(ticket.entry_id, []).append(ticket)
    return found


def save(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write tickets as they are stated: all columns of `TicketRow` but its number."""
    upsert(conn, TicketRow, keys=("desk", "ticket_id"), values=rows)


def set_states(conn: Connection, states: Mapping[int, TicketState]) -> None:
    """Note what state tickets show since a change was applied."""
    change(conn, TicketRow, "id", [{"k": k, "v_state": state.value} for k, state in states.items()])


def set_marks(conn: Connection, marks: Mapping[int, bool]) -> None:
    """Note which tickets are marked as ones for a person since a change was applied."""
    change(conn, TicketRow, "id", [{"k": k, "v_escalated": marked} for k, marked in marks.items()])


def join(conn: Connection, ticket_row: int, entry_id: int | None, *, agent: str = "") -> None:
    """Let a ticket belong to an entry, or note why a person has to say to which."""
    conn.execute(update(_TICKET).where(_TICKET.c.id == ticket_row).values(entry_id=entry_id, agent=agent))


def count(conn: Connection, desk: DeskId) -> dict[str, int]:
    """Return how many tickets of a desk wait, need a person, and are there."""
    c = _TICKET.c
    alive = c.status.not_in((TicketStatus.CLOSED.value, TicketStatus.GONE.value))
    query = select(
        func.count().filter(alive),
        func.count().filter(alive, c.entry_id.is_not(None)),
        func.count().filter(alive, c.agent != ""),
    )
    row = conn.execute(query.where(c.desk == desk)).one()
    return {"open": int(row[0]), "joined": int(row[1]), "agent": int(row[2])}


def over(conn: Connection, desk: DeskId, *, before: Instant, limit: int) -> list[KnownTicket]:
    """Return tickets whose wait was over before an instant, and at which nothing is to be done any more.

    A ticket that no entry belongs to is over once it is solved or closed. A customer who wrote since keeps it.
    """
    t, e, c = _TICKET.c, _ENTRY.c, _CHANGE.c
    waited = exists(select(e.id).where(e.id == t.entry_id, e.closed_at < before))
    loose = t.entry_id.is_(None) & t.status.in_((TicketStatus.SOLVED.value, TicketStatus.CLOSED.value))
    silent = and_(*(or_(moment.is_(None), moment < before) for moment in (t.asked_at, t.replied_at, t.version)))
    busy = exists(select(c.id).where(c.ticket_row == t.id, c.state.in_(_OPEN_CHANGES)))
    query = select(_TICKET).where(t.desk == desk, t.status != TicketStatus.GONE.value, waited | loose, silent, ~busy)
    return _load(conn, query.limit(limit), {})


def forget(conn: Connection, ticket_rows: Collection[int]) -> None:
    """Note that these tickets were deleted at their desk."""
    gone = update(_TICKET).where(Among(_TICKET.c.id, "ids")).values(status=TicketStatus.GONE.value)
    if ticket_rows:
        conn.execute(gone, {"ids": listed(conn, ticket_rows)})


# --- orders that tickets name -------------------------------------------------------------------------------------


def mentioned(conn: Connection, numbers: Collection[str]) -> dict[str, list[Mentioned]]:
    """Return the orders of any channel that have one of these numbers, by number."""
    if not numbers:
        return {}
    o = _ORDER.c
    accounts = select(o.account).distinct().scalar_subquery()
    by_number = Among(o.number, "numbers") & (o.number != o.remote_id)
    by_remote = o.account.in_(accounts) & Among(o.remote_id, "numbers")
    values = {"numbers": listed(conn, list(numbers))}
    heads = {
        row.id: row
        for condition in (by_number, by_remote)
        for row in conn.execute(select(o.id, o.account, o.number, o.remote_id).where(condition, ~o.ignored), values)
    }
    lines = _lines_of(conn, list(heads))
    found: dict[str, list[Mentioned]] = {}
    for row in heads.values():
        order = Mentioned(order_row=row.id, account=row.account, number=row.number, lines=lines.get(row.id, ()))
        for name in {row.number, row.remote_id} & set(numbers):
            found.setdefault(name, []).append(order)
    return found


def _lines_of(conn: Connection, order_rows: Sequence[int]) -> dict[int, tuple[tuple[str, Sku, int], ...]]:
    if not order_rows:
        return {}
    c = _LINE.c
    units = c.quantity - c.cancelled - c.shipped
    query = select(c.order_id, c.line_id, _SKU.c.code, units).join(_SKU, _SKU.c.id == c.sku_id)
    found: dict[int, list[tuple[str, Sku, int]]] = {}
    for order_id, line_id, code, left in conn.execute(
        query.where(Among(c.order_id, "ids")).order_by(c.order_id, c.line_id), {"ids": listed(conn, order_rows)}
    ):
        found.setdefault(order_id, []).append((line_id, Sku(code), max(0, left)))
    return {order_id: tuple(rows) for order_id, rows in found.items()}


def order_ids(conn: Connection, order_rows: Collection[int]) -> dict[int, str]:
    """Return what channels call these orders, by our own numbers."""
    query = select(_ORDER.c.id, _ORDER.c.remote_id).where(Among(_ORDER.c.id, "ids"))
    rows = conn.execute(query, {"ids": listed(conn, order_rows)}) if order_rows else ()
    return {row[0]: row[1] for row in rows}


def needing_agents(conn: Connection, *, after: int = 0, limit: int = 100) -> list[KnownTicket]:
    """Return tickets that a person has to look at."""
    c = _TICKET.c
    alive = or_(c.status == TicketStatus.OPEN.value, c.status == TicketStatus.WAITING.value)
    return _load(conn, select(_TICKET).where(c.agent != "", alive, c.id > after).limit(limit), {})
