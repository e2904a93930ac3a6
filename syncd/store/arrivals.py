"""Deliveries that are being assigned, and what suppliers will bring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, update

from syncd.core.promises import Incoming
from syncd.core.terms import Instant, Location, SkuId
from syncd.store.rows_waiting import ArrivalRow, DeliveryRow, QueueRow
from syncd.store.statements import Among, change, insert_one, listed, table, upsert
from syncd.store.waiting import START, Place

_DELIVERY = table(DeliveryRow)
_ARRIVAL = table(ArrivalRow)
_QUEUE = table(QueueRow)

ASSIGNING = "assigning"
TELLING = "telling"
DONE = "done"
OPEN = "open"


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A delivery in the hands of a decision (`DeliveryRow`)."""

    id: int
    source: str
    reference: str
    event: str
    sku_id: SkuId
    location: Location
    quantity: int
    remaining: int
    state: str
    at: Instant
    open_at: Instant | None
    closed_at: Instant | None


def add(conn: Connection, values: Mapping[str, Any]) -> int | None:
    """Add a delivery; return its number, None where it is there already."""
    return insert_one(conn, DeliveryRow, values)


def save(conn: Connection, delivery: Delivery) -> None:
    """Write how far a delivery is."""
    row = {
        "k": delivery.id,
        "v_quantity": delivery.quantity,
        "v_remaining": delivery.remaining,
        "v_state": delivery.state,
        "v_open_at": delivery.open_at,
        "v_closed_at": delivery.closed_at,
    }
    change(conn, DeliveryRow, "id", [row])


def unfinished(conn: Connection, *, limit: int = 50) -> list[Delivery]:
    """Return deliveries of which something is still held, oldest first."""
    return _load(conn, select(_DELIVERY).where(_DELIVERY.c.state != DONE).order_by(_DELIVERY.c.id).limit(limit))


def one(conn: Connection, delivery_id: int) -> Delivery | None:
    """Return a delivery, None where there is none."""
    return next(iter(_load(conn, select(_DELIVERY).where(_DELIVERY.c.id == delivery_id))), None)


def by_event(conn: Connection, event: str) -> Delivery | None:
    """Return the delivery of an event, None where it is of something else."""
    return next(iter(_load(conn, select(_DELIVERY).where(_DELIVERY.c.event == event))), None)


def _load(conn: Connection, query: Select[Any]) -> list[Delivery]:
    return [Delivery(**row) for row in conn.execute(query).mappings()]


# --- arrivals ------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A line of a purchase order (`ArrivalRow`)."""

    id: int
    number: str
    sku_id: SkuId
    location: Location
    quantity: int
    received: int
    expected: str
    promised: str
    state: str
    source: str
    created_at: Instant
    changed_at: Instant

    @property
    def missing(self) -> int:
        """Return the units that are still to come."""
        return max(0, self.quantity - self.received) if self.state == OPEN else 0


def arrivals(conn: Connection, numbers: Collection[str]) -> dict[tuple[str, SkuId, Location], Arrival]:
    """Return the lines of these purchase orders."""
    if not numbers:
        return {}
    query = select(_ARRIVAL).where(Among(_ARRIVAL.c.number, "numbers"))
    rows = conn.execute(query, {"numbers": listed(conn, numbers)}).mappings()
    return {(row["number"], row["sku_id"], row["location"]): Arrival(**row) for row in rows}


def set_arrivals(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write lines of purchase orders."""
    upsert(conn, ArrivalRow, keys=("number", "sku_id", "location"), values=rows)


def open_arrivals(conn: Connection, sku_ids: Collection[SkuId]) -> list[Arrival]:
    """Return what is still to come of these SKUs, by day; what has no day is last."""
    if not sku_ids:
        return []
    a = _ARRIVAL.c
    query = select(_ARRIVAL).where(Among(a.sku_id, "ids"), a.state == OPEN)
    rows = conn.execute(query.order_by(a.promised == "", a.promised, a.id), {"ids": listed(conn, sku_ids)})
    return [Arrival(**row) for row in rows.mappings()]


def incoming(conn: Connection, sku_ids: Collection[SkuId]) -> dict[SkuId, list[Incoming]]:
    """Return the units of each SKU that are to come, by the day that may be promised (empty: not known), in order."""
    found: dict[SkuId, list[Incoming]] = defaultdict(list)
    for arrival in open_arrivals(conn, sku_ids):
        if arrival.missing:
            found[arrival.sku_id].append(Incoming(day=arrival.promised, units=arrival.missing))
    return dict(found)


def save_received(conn: Connection, changed: Sequence[Arrival], *, now: Instant) -> None:
    """Write how much has come of these lines."""
    rows = [{"k": a.id, "v_received": a.received, "v_state": a.state, "v_changed_at": now} for a in changed]
    change(conn, ArrivalRow, "id", rows)


# --- lines whose expected days are to be computed anew --------------------------------------------------------------


def stale_line(conn: Connection, sku_ids: Collection[SkuId], *, now: Instant) -> None:
    """Have the expected days of these SKUs' lines computed anew, from the head."""
    start = {"tier": START.tier, "rank": START.rank, "entry_id": START.entry_id, "units": 0, "since": now}
    rows = [{"sku_id": sku_id, **start} for sku_id in sku_ids]
    upsert(conn, QueueRow, keys=("sku_id",), values=rows)


def stale_if_promised(conn: Connection, sku_ids: Collection[SkuId], *, now: Instant) -> bool:
    """Have the expected days computed anew of those SKUs of which something is to come; say if there is any."""
    a = _ARRIVAL.c
    query = select(a.sku_id).where(Among(a.sku_id, "ids"), a.state == OPEN).distinct()
    found = list(conn.execute(query, {"ids": listed(conn, sku_ids)}).scalars()) if sku_ids else []
    stale_line(conn, found, now=now)
    return bool(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleLine:
    """A line to be computed anew since a moment, how far that came, and what those before it lack."""

    sku_id: SkuId
    after: Place
    units: int
    since: Instant


def next_stale(conn: Connection) -> StaleLine | None:
    """Return a line to be computed anew, None where there is none."""
    row = conn.execute(select(_QUEUE).order_by(_QUEUE.c.sku_id).limit(1)).one_or_none()
    if row is None:
        return None
    after = Place(tier=row.tier, rank=row.rank, entry_id=row.entry_id)
    return StaleLine(sku_id=SkuId(row.sku_id), after=after, units=row.units, since=row.since)


def go_on(conn: Connection, sku_id: SkuId, place: Place | None, units: int) -> None:
    """Note how far a line was computed; None: to its end."""
    mine = _QUEUE.c.sku_id == sku_id
    if place is None:
        conn.execute(delete(_QUEUE).where(mine))
        return
    values = {"tier": place.tier, "rank": place.rank, "entry_id": place.entry_id, "units": units}
    conn.execute(update(_QUEUE).where(mine).values(**values))


def stale_lines(conn: Connection) -> int:
    """Return how many lines are to be computed anew."""
    return int(conn.execute(select(func.count()).select_from(_QUEUE)).scalar_one())
