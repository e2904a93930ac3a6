"""Those who wait, as people look at them: lines by SKU, what is expected, and who gets the next units. Read-only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, cast, func, select

from syncd.core.terms import SkuId
from syncd.store.arrivals import Arrival, open_arrivals
from syncd.store.rows import SkuRow
from syncd.store.rows_offers import OfferRow
from syncd.store.rows_waiting import EntryRow, HoldRow, NeedRow, TicketRow
from syncd.store.statements import table
from syncd.store.views import contains, moment
from syncd.store.views_figures import DAY_US, Days, Window

_ENTRY = table(EntryRow)
_NEED = table(NeedRow)
_HOLD = table(HoldRow)
_SKU = table(SkuRow)
_TICKET = table(TicketRow)
_OFFER = table(OfferRow)

BEGAN: Final = "+"
ENDED: Final = "\N{MINUS SIGN}"
MOST_LINE: Final = 200
"""Most entries of one line that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """The line of one SKU: how many wait for how many units, and how many are held for them already."""

    sku_id: int
    sku: str
    title: str
    entries: int
    with_order: int
    units: int
    held: int
    since: datetime
    next_arrival: str
    coming: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiterView:
    """Somebody who waits. `ahead` are the units of all before; `served` says that the next arrival reaches them."""

    id: int
    source: str
    order_number: str
    account: str
    units: int
    quantity: int
    state: str
    expected: str
    promised: str
    amount: str
    currency: str
    language: str
    since: datetime
    ahead: int
    served: bool


def lines(conn: Connection, *, text: str = "", after: int = 0, limit: int) -> list[LineView]:
    """Return lines in the order of their SKUs' ids, those above `after`; `text` is in code or title."""
    n, e = _NEED.c, _ENTRY.c
    query = select(
        n.sku_id,
        _SKU.c.code,
        _SKU.c.title,
        func.count().label("entries"),
        func.count(e.order_row).label("with_order"),
        func.sum(n.units).label("units"),
        func.min(e.since).label("since"),
    )
    query = query.join(_ENTRY, e.id == n.entry_id).join(_SKU, _SKU.c.id == n.sku_id)
    query = query.where(e.closed_at.is_(None), n.units > 0, n.sku_id > after)
    if text:
        query = query.where(contains(text, _SKU.c.code, _SKU.c.title))
    rows = conn.execute(query.group_by(n.sku_id, _SKU.c.code, _SKU.c.title).order_by(n.sku_id).limit(limit)).all()
    ids = [SkuId(row.sku_id) for row in rows]
    held, coming = _held(conn, ids), _coming(conn, ids)
    return [
        LineView(
            sku_id=row.sku_id,
            sku=row.code,
            title=row.title,
            entries=int(row.entries),
            with_order=int(row.with_order),
            units=int(row.units),
            held=held.get(row.sku_id, 0),
            since=moment(row.since),
            next_arrival=coming[row.sku_id][0].expected if coming.get(row.sku_id) else "",
            coming=sum(one.missing for one in coming.get(row.sku_id, ())),
        )
        for row in rows
    ]


def waiters(conn: Connection, sku_id: SkuId) -> list[WaiterView]:
    """Return those who wait for a SKU in the order in which they will be served, the first ones."""
    n, e = _NEED.c, _ENTRY.c
    names = ("source", "order_number", "account", "quantity", "state", "expected", "promised", "amount", "currency",
             "language")  # fmt: skip
    query = select(e.id, e.since, n.units, *(e[name] for name in names)).join(_NEED, n.entry_id == e.id)
    query = query.where(n.sku_id == sku_id, n.units > 0, e.closed_at.is_(None))
    rows = conn.execute(query.order_by(n.tier, n.rank, n.entry_id).limit(MOST_LINE)).mappings().all()
    first = _coming(conn, [sku_id]).get(sku_id, [])
    reach = first[0].missing if first else 0
    found, ahead = [], 0
    for row in rows:
        served = ahead + row["units"] <= reach
        kept = {name: row[name] for name in names}
        found.append(
            WaiterView(id=row["id"], units=row["units"], since=moment(row["since"]), ahead=ahead, served=served, **kept)
        )
        ahead += row["units"]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateView:
    """A private sale that is not ended, of units of a SKU. Its link is the customer's alone."""

    entry_id: int
    source: str
    account: str
    units: int
    state: str
    since: datetime
    until: datetime | None


def private_sales(conn: Connection, sku_id: SkuId) -> list[PrivateView]:
    """Return the private sales of a SKU that are being made, open, or being ended, the oldest first."""
    o, e = _OFFER.c, _ENTRY.c
    query = select(o.entry_id, e.source, o.account, o.units, o.state, o.created_at, o.until)
    query = query.join(_ENTRY, e.id == o.entry_id).where(o.state != "ended", e.sku_id == sku_id)
    return [
        PrivateView(
            entry_id=row.entry_id,
            source=row.source,
            account=row.account,
            units=row.units,
            state=row.state,
            since=moment(row.created_at),
            until=None if row.until is None else moment(row.until),
        )
        for row in conn.execute(query.order_by(o.id).limit(MOST_LINE))
    ]


def arrivals_of(conn: Connection, sku_id: SkuId) -> list[Arrival]:
    """Return what is expected of a SKU, the next one first."""
    return _coming(conn, [sku_id]).get(sku_id, [])


def _held(conn: Connection, ids: list[SkuId]) -> dict[int, int]:
    c = _HOLD.c
    query = select(c.sku_id, func.sum(c.units).label("units")).where(c.sku_id.in_(ids), c.ended_at.is_(None))
    return {row.sku_id: int(row.units) for row in conn.execute(query.group_by(c.sku_id))} if ids else {}


def _coming(conn: Connection, ids: list[SkuId]) -> dict[int, list[Arrival]]:
    found: dict[int, list[Arrival]] = defaultdict(list)
    for one in open_arrivals(conn, ids):
        if one.missing:
            found[one.sku_id].append(one)
    return found


def tickets_per_day(conn: Connection, window: Window) -> Days:
    """Return how many people began to wait, and how many waits ended, by day."""
    c = _ENTRY.c
    return {
        BEGAN: _per_day(conn, c.since, window, c.id.is_not(None)),
        ENDED: _per_day(conn, c.closed_at, window, c.closed_at.is_not(None)),
    }


def _per_day(conn: Connection, column: Any, window: Window, which: ColumnElement[bool]) -> dict[int, int]:
    day = cast((column + window.offset_us) // DAY_US, BigInteger)
    query = select(day.label("day"), func.count().label("many")).where(and_(which, column >= window.since))
    return {int(row.day): int(row.many) for row in conn.execute(query.group_by(day)) if row.day <= window.today}


def tickets(conn: Connection) -> dict[tuple[str, str], int]:
    """Return how many tickets each desk has, by status."""
    c = _TICKET.c
    query = select(c.desk, c.status, func.count().label("many")).group_by(c.desk, c.status)
    return {(row.desk, row.status): int(row.many) for row in conn.execute(query)}
