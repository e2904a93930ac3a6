"""Deliveries that are being assigned, and what suppliers will bring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, literal_column, select, update

from syncd.core.promises import Incoming
from syncd.core.terms import Instant, Location, SkuId
from syncd.store.rows import SkuRow
from syncd.store.rows_waiting import ArrivalRow, DeliveryRow, QueueRow
from syncd.store.statements import Among, change, fetch_all, insert_one, listed, run_many, table, upsert
from syncd.store.waiting import START, Place

_DELIVERY = table(DeliveryRow)
_ARRIVAL = table(ArrivalRow)
_QUEUE = table(QueueRow)
_SKU = table(SkuRow)

ASSIGNING = "assigning"
TELLING = "telling"
DONE = "done"
OPEN = "open"
MOST_OVERDUE = 1_000
"""Most overdue lines of purchase orders that are looked at, the oldest ones."""


@dataclass(slots=True)
class Delivery:
    """A delivery in the hands of a decision (`DeliveryRow`); its fields are in the order in which it is read."""

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


# Conditions in the words of the partial indexes, without parameters, so that they are used.
_DELIVERIES = select(*(_DELIVERY.c[field.name] for field in fields(Delivery)))
_UNFINISHED = (
    _DELIVERIES.where(_DELIVERY.c.state != literal_column("'done'")).order_by(_DELIVERY.c.id).limit(bindparam("most"))
)
_ONE = _DELIVERIES.where(_DELIVERY.c.id == bindparam("k"))
_BY_EVENT = _DELIVERIES.where(_DELIVERY.c.event == bindparam("event"))


def unfinished(conn: Connection, *, limit: int = 50) -> list[Delivery]:
    """Return deliveries of which something is still held, oldest first."""
    return _load(conn, _UNFINISHED, {"most": limit})


def one(conn: Connection, delivery_id: int) -> Delivery | None:
    """Return a delivery, None where there is none."""
    return next(iter(_load(conn, _ONE, {"k": delivery_id})), None)


def by_event(conn: Connection, event: str) -> Delivery | None:
    """Return the delivery of an event, None where it is of something else."""
    return next(iter(_load(conn, _BY_EVENT, {"event": event})), None)


def _load(conn: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Delivery]:
    return [Delivery(*row) for row in fetch_all(conn, query, values)]


# --- arrivals ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Arrival:
    """A line of a purchase order (`ArrivalRow`); its fields are in the order in which it is read."""

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


_A = _ARRIVAL.c
_STILL = _A.state == literal_column("'open'")
_ARRIVALS = select(*(_A[field.name] for field in fields(Arrival)))
_OF_NUMBERS = _ARRIVALS.where(Among(_A.number, "numbers"))
_TO_COME = _ARRIVALS.where(Among(_A.sku_id, "ids"), _STILL).order_by(_A.promised == "", _A.promised, _A.id)
_PROMISED = select(_A.sku_id).where(Among(_A.sku_id, "ids"), _STILL).distinct()


def arrivals(conn: Connection, numbers: Collection[str]) -> dict[tuple[str, SkuId, Location], Arrival]:
    """Return the lines of these purchase orders."""
    rows = fetch_all(conn, _OF_NUMBERS, {"numbers": listed(conn, numbers)}) if numbers else ()
    return {(line.number, line.sku_id, line.location): line for line in (Arrival(*row) for row in rows)}


def set_arrivals(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write lines of purchase orders."""
    upsert(conn, ArrivalRow, keys=("number", "sku_id", "location"), values=rows)


def open_arrivals(conn: Connection, sku_ids: Collection[SkuId]) -> list[Arrival]:
    """Return what is still to come of these SKUs, by day; what has no day is last."""
    return [Arrival(*row) for row in fetch_all(conn, _TO_COME, {"ids": listed(conn, sku_ids)})] if sku_ids else []


def incoming(conn: Connection, sku_ids: Collection[SkuId]) -> dict[SkuId, list[Incoming]]:
    """Return the units of each SKU that are to come, by the day that may be promised (empty: not known), in order."""
    found: dict[SkuId, list[Incoming]] = defaultdict(list)
    for arrival in open_arrivals(conn, sku_ids):
        if arrival.missing:
            found[arrival.sku_id].append(Incoming(day=arrival.promised, units=arrival.missing))
    return dict(found)


def overdue(conn: Connection, *, today: str) -> list[tuple[SkuId, str]]:
    """Return what was to be here before today and is not, as SKUs with a name of order and SKU; the oldest first."""
    query = select(_A.sku_id, _A.number, _SKU.c.code).join(_SKU, _SKU.c.id == _A.sku_id)
    query = query.where(_STILL, _A.promised != "", _A.promised < today, _A.received < _A.quantity)
    rows = conn.execute(query.order_by(_A.promised, _A.id).limit(MOST_OVERDUE))
    return [(SkuId(row.sku_id), f"{row.number} {row.code}") for row in rows]


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
    found = [row[0] for row in fetch_all(conn, _PROMISED, {"ids": listed(conn, sku_ids)})] if sku_ids else []
    stale_line(conn, found, now=now)
    return bool(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleLine:
    """A line to be computed anew since a moment, how far that came, and what those before it lack."""

    sku_id: SkuId
    after: Place
    units: int
    since: Instant


_Q = _QUEUE.c
_NEXT_STALE = select(_Q.sku_id, _Q.tier, _Q.rank, _Q.entry_id, _Q.units, _Q.since).order_by(_Q.sku_id).limit(1)
_GO_ON = (
    update(_QUEUE)
    .where(_Q.sku_id == bindparam("k"))
    .values({name: bindparam(f"v_{name}") for name in ("tier", "rank", "entry_id", "units")})
)


def next_stale(conn: Connection) -> StaleLine | None:
    """Return a line to be computed anew, None where there is none."""
    for sku_id, tier, rank, entry_id, units, since in fetch_all(conn, _NEXT_STALE, {}):
        after = Place(tier=tier, rank=rank, entry_id=entry_id)
        return StaleLine(sku_id=SkuId(sku_id), after=after, units=units, since=since)
    return None


def go_on(conn: Connection, sku_id: SkuId, place: Place | None, units: int) -> None:
    """Note how far a line was computed; None: to its end."""
    if place is None:
        conn.execute(delete(_QUEUE).where(_Q.sku_id == sku_id))
        return
    values = {"v_tier": place.tier, "v_rank": place.rank, "v_entry_id": place.entry_id, "v_units": units}
    run_many(conn, _GO_ON, (), [{"k": sku_id, **values}])


def stale_lines(conn: Connection) -> int:
    """Return how many lines are to be computed anew."""
    return int(conn.execute(select(func.count()).select_from(_QUEUE)).scalar_one())
