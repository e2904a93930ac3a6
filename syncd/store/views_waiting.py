"""Those who wait, their tickets, what is to come and to be sent, as programs and commands list them. Read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, select

from syncd.core.terms import SkuId
from syncd.core.tickets import DeskId
from syncd.store import changes, offers, tickets, waiting
from syncd.store.changes import ChangeState
from syncd.store.offers import Offer
from syncd.store.rows import SkuRow
from syncd.store.rows_waiting import ArrivalRow, DeliveryRow, EntryRow, HoldRow, TicketRow
from syncd.store.statements import table
from syncd.store.views import moment

_ENTRY = table(EntryRow)
_TICKET = table(TicketRow)
_ARRIVAL = table(ArrivalRow)
_DELIVERY = table(DeliveryRow)
_HOLD = table(HoldRow)
_SKU = table(SkuRow)

OPEN_STATES: Final = (ChangeState.HELD, ChangeState.WAITING, ChangeState.INDETERMINATE, ChangeState.UNSURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """Somebody who waits, or waited: `closed_at` is null while they do. `lacks` are the units that are missing.

    `offer` is how the newest private sale made for them stands (`core.offers.OfferState`), empty where there is none;
    `offer_reason` says what went wrong with it, or why it was ended.
    """

    id: int
    source: str
    key: str
    sku: str
    quantity: int
    state: str
    account: str
    order_number: str
    expected: str
    promised: str
    amount: str
    currency: str
    language: str
    since: datetime
    told_at: datetime | None
    closed_at: datetime | None
    reason: str
    lacks: int
    offer: str = ""
    offer_reason: str = ""


def entries(
    conn: Connection, *, sku: str = "", state: str = "", closed: bool = False, after: int = 0, limit: int
) -> list[EntryView]:
    """Return entries by number; those that wait for nothing any more only where they are asked for."""
    e = _ENTRY.c
    query = select(_ENTRY, _SKU.c.code).join(_SKU, _SKU.c.id == e.sku_id).where(e.id > after)
    if not closed:
        query = query.where(e.closed_at.is_(None))
    if sku:
        query = query.where(_SKU.c.code == sku)
    if state:
        query = query.where(e.state == state)
    rows = conn.execute(query.order_by(e.id).limit(limit)).mappings().all()
    ids = [row["id"] for row in rows]
    needs, private = waiting.needs_of(conn, ids), offers.of_entries(conn, ids)
    return [_entry(row, needs.get(row["id"], {}), private.get(row["id"])) for row in rows]


def entry(conn: Connection, entry_id: int) -> EntryView | None:
    """Return one entry, None where there is none."""
    query = select(_ENTRY, _SKU.c.code).join(_SKU, _SKU.c.id == _ENTRY.c.sku_id).where(_ENTRY.c.id == entry_id)
    row = conn.execute(query).mappings().one_or_none()
    if row is None:
        return None
    needs, private = waiting.needs_of(conn, [entry_id]), offers.of_entries(conn, [entry_id])
    return _entry(row, needs.get(entry_id, {}), private.get(entry_id))


_PLAIN: Final = (
    "id", "source", "key", "quantity", "state", "account", "order_number", "expected", "promised", "amount",
    "currency", "language", "reason",
)  # fmt: skip


def _entry(row: RowMapping, needs: Mapping[SkuId, int], private: Offer | None) -> EntryView:
    return EntryView(
        **{name: row[name] for name in _PLAIN},
        sku=row["code"],
        since=moment(row["since"]),
        told_at=_moment(row["told_at"]),
        closed_at=_moment(row["closed_at"]),
        lacks=sum(needs.values()),
        offer="" if private is None else private.state.value,
        offer_reason="" if private is None else private.reason or private.cause,
    )


def _moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """A ticket as its desk stated it last; `agent` says why a person has to look at it."""

    id: int
    desk: str
    ticket_id: str
    entry_id: int | None
    status: str
    state: str
    sku: str
    quantity: int
    order_number: str
    language: str
    reachable: bool
    agent: str
    read_at: datetime


def ticket_page(
    conn: Connection, *, desk: str = "", agent: bool = False, after: int = 0, limit: int
) -> list[TicketView]:
    """Return tickets by our number, of one desk or all; `agent`: only those that a person has to look at."""
    t = _TICKET.c
    query = select(_TICKET).where(t.id > after)
    if desk:
        query = query.where(t.desk == desk)
    if agent:
        query = query.where(t.agent != "")
    return [_ticket(row) for row in conn.execute(query.order_by(t.id).limit(limit)).mappings()]


def tickets_of(conn: Connection, entry_id: int) -> list[TicketView]:
    """Return the tickets of an entry."""
    query = select(_TICKET).where(_TICKET.c.entry_id == entry_id).order_by(_TICKET.c.id)
    return [_ticket(row) for row in conn.execute(query).mappings()]


def one_ticket(conn: Connection, desk: str, ticket_id: str) -> TicketView | None:
    """Return a ticket by its desk and id, None where it is not known."""
    query = select(_TICKET).where(_TICKET.c.desk == desk, _TICKET.c.ticket_id == ticket_id)
    row = conn.execute(query).mappings().one_or_none()
    return None if row is None else _ticket(row)


def _ticket(row: RowMapping) -> TicketView:
    names = ("id", "desk", "ticket_id", "entry_id", "status", "state", "sku", "quantity", "order_number", "language",
             "agent")  # fmt: skip
    kept = {name: row[name] for name in names}
    return TicketView(**kept, reachable=bool(row["reachable"]), read_at=moment(row["read_at"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalView:
    """A line of a purchase order."""

    id: int
    number: str
    sku: str
    location: str
    quantity: int
    received: int
    expected: str
    promised: str
    state: str
    source: str


def arrival_page(
    conn: Connection, *, sku: str = "", closed: bool = False, after: int = 0, limit: int
) -> list[ArrivalView]:
    """Return lines of purchase orders by number; those that came or were cancelled only where they are asked for."""
    a = _ARRIVAL.c
    query = select(_ARRIVAL, _SKU.c.code).join(_SKU, _SKU.c.id == a.sku_id).where(a.id > after)
    if not closed:
        query = query.where(a.state == "open")
    if sku:
        query = query.where(_SKU.c.code == sku)
    names = ("id", "number", "location", "quantity", "received", "expected", "promised", "state", "source")
    rows = conn.execute(query.order_by(a.id).limit(limit)).mappings()
    return [ArrivalView(sku=row["code"], **{name: row[name] for name in names}) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """Units that came in while somebody waited: `remaining` of them are held for nobody yet."""

    id: int
    reference: str
    sku: str
    location: str
    quantity: int
    remaining: int
    state: str
    event: str
    at: datetime


def deliveries(conn: Connection, *, before: int = 2**62, limit: int) -> list[DeliveryView]:
    """Return deliveries, newest first."""
    d = _DELIVERY.c
    query = select(_DELIVERY, _SKU.c.code).join(_SKU, _SKU.c.id == d.sku_id).where(d.id < before)
    names = ("id", "reference", "location", "quantity", "remaining", "state", "event")
    rows = conn.execute(query.order_by(d.id.desc()).limit(limit)).mappings()
    return [DeliveryView(sku=row["code"], at=moment(row["at"]), **{name: row[name] for name in names}) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    """Units kept for an entry; `account` empty: they are sold in private."""

    id: int
    entry_id: int
    sku: str
    location: str
    account: str
    units: int
    until: datetime | None


def holds(conn: Connection, *, after: int = 0, limit: int) -> list[HoldView]:
    """Return open holds by number."""
    h = _HOLD.c
    query = select(_HOLD, _SKU.c.code).join(_SKU, _SKU.c.id == h.sku_id).where(h.ended_at.is_(None), h.id > after)
    names = ("id", "entry_id", "location", "account", "units")
    rows = conn.execute(query.order_by(h.id).limit(limit)).mappings()
    return [
        HoldView(sku=row["code"], until=_moment(row["until"]), **{name: row[name] for name in names}) for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """A change on its way to a desk, or one that a person has to decide."""

    id: int
    desk: str
    event: str
    kind: str
    message: str
    state: str
    sku: str
    order_number: str
    entry_id: int | None
    reason: str
    created_at: datetime
    values: Mapping[str, str]


def change_page(conn: Connection, *, state: str = "", event: str = "", after: int = 0, limit: int) -> list[ChangeView]:
    """Return changes by number: in one state, or in all that are not ended."""
    states = (ChangeState(state),) if state else OPEN_STATES
    found = changes.page(conn, states=states, after=after, limit=limit, event=event)
    return [
        ChangeView(
            id=one.id,
            desk=one.desk,
            event=one.event,
            kind=one.kind.value,
            message=one.message,
            state=one.state.value,
            sku=one.content.sku,
            order_number=one.content.order_number,
            entry_id=one.entry_id,
            reason=one.reason,
            created_at=moment(one.created_at),
            values=one.content.values,
        )
        for one in found
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskView:
    """A desk: whether sending is released, whether it answers, its tickets, and what is on its way there."""

    name: str
    state: str
    since: datetime
    reason: str
    read_at: datetime | None
    down_since: datetime | None
    down_reason: str
    tickets: Mapping[str, int]
    changes: Mapping[str, int]


def desk_views(conn: Connection) -> list[DeskView]:
    """Return every desk."""
    return [
        DeskView(
            name=name,
            state=desk.state.value,
            since=moment(desk.since),
            reason=desk.reason,
            read_at=_moment(desk.read_at),
            down_since=_moment(desk.down_since),
            down_reason=desk.down_reason,
            tickets=tickets.count(conn, DeskId(name)),
            changes=changes.counts(conn, name),
        )
        for name, desk in tickets.desks(conn).items()
    ]


def next_served(conn: Connection, sku_id: SkuId, units: int) -> list[int]:
    """Return the numbers of the entries that the next so many units of a SKU would serve wholly."""
    served: list[int] = []
    for _, need in waiting.line(conn, sku_id, limit=200):
        units -= need.units
        if units < 0:
            break
        served.append(need.entry_id)
    return served
