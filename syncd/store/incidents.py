"""Incidents of oversell: opened once per dip below zero, kept up to date while it lasts, closed by a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, func, or_, select, update

from syncd.core.incidents import Alternative, Finding, OpenOrder, Prevention
from syncd.core.terms import Instant, Sku, SkuId
from syncd.store import backorders, doubts, ledger
from syncd.store.rows import AlertRow, BalanceRow, OrderLineRow, OrderRow, SkuRow
from syncd.store.rows_incidents import AlternativeRow, IncidentRow
from syncd.store.rows_waiting import ArrivalRow, ChangeRow
from syncd.store.statements import Among, insert_one, listed, table, upsert

MOST_OPEN_LINES: Final = 2_000
"""Most open order lines of a SKU that are looked at, the latest ones."""

_ALERT = table(AlertRow)
_ALTERNATIVE = table(AlternativeRow)
_ARRIVAL = table(ArrivalRow)
_BALANCE = table(BalanceRow)
_CHANGE = table(ChangeRow)
_INCIDENT = table(IncidentRow)
_LINE = table(OrderLineRow)
_ORDER = table(OrderRow)
_SKU = table(SkuRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is kept of an incident for good: who lost, what was offered, what would have prevented it.

    `event` is the marker of the changes on tickets. `drafted` are orders whose apology waits for a person, `sent` those
    whose went by itself, `untold` those that have no ticket.
    """

    event: str
    losers: tuple[OpenOrder, ...]
    prevention: tuple[Prevention, ...]
    alternatives: tuple[Alternative, ...] = ()
    drafted: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


_RECORD: Final = msgspec.json.Decoder(Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dip:
    """A SKU of which more is promised than there is, since its alert was raised."""

    sku_id: SkuId
    sku: Sku
    title: str
    raised_at: Instant


def record_of(body: bytes) -> Record:
    """Return the record of an incident."""
    return _RECORD.decode(body)


# --- what there is to look at ---------------------------------------------------------------------------------------


def dips(conn: Connection, *, before: Instant, limit: int) -> list[Dip]:
    """Return SKUs whose alert of an oversell stands since before an instant, oldest first."""
    query = (
        select(_SKU.c.id, _SKU.c.code, _SKU.c.title, _ALERT.c.raised_at)
        .join(_SKU, _SKU.c.code == _ALERT.c.key)
        .where(_ALERT.c.kind == "oversell", _ALERT.c.cleared_at.is_(None), _ALERT.c.raised_at <= before)
        .order_by(_ALERT.c.raised_at, _SKU.c.id)
        .limit(limit)
    )
    return [Dip(sku_id=SkuId(row[0]), sku=Sku(row[1]), title=row[2], raised_at=row[3]) for row in conn.execute(query)]


def missing(conn: Connection, sku_id: SkuId) -> int:
    """Return how many promised or held units of a SKU are not there, and not owed from what is to come either.

    What only suspect sales hold may have been sold by nobody.
    """
    b = _BALANCE.c
    query = select(func.sum(b.on_hand - b.committed - b.held)).where(b.sku_id == sku_id)
    owed = backorders.owed(conn, [sku_id]).get(sku_id, 0) + doubts.guessed(conn, sku_id)
    return max(0, -int(conn.execute(query).scalar() or 0) - owed)


def open_orders(conn: Connection, sku_id: SkuId) -> list[OpenOrder]:
    """Return the order lines that still want units of a SKU, also by a kit that holds it, the latest first.

    `units` are those of the SKU itself.
    """
    factors = {sku_id: 1}
    for kit, parts in ledger.kits_touching(conn, [sku_id]).items():
        factors[kit] = sum(quantity for part, quantity in parts if part == sku_id)
    c, o = _LINE.c, _ORDER.c
    left = (c.quantity - c.cancelled - c.shipped).label("left")
    query = (
        select(o.account, o.remote_id, c.line_id, o.number, o.ordered_at, o.amount, c.sku_id, left)
        .join(_ORDER, o.id == c.order_id)
        .where(Among(c.sku_id, "ids"), left > 0, o.ignored.is_(False))
        .order_by(o.ordered_at.desc(), o.id.desc())
        .limit(MOST_OPEN_LINES)
    )
    rows = conn.execute(query, {"ids": listed(conn, sorted(factors))})
    return [
        OpenOrder(
            account=row.account,
            order_id=row.remote_id,
            line_id=row.line_id,
            number=row.number,
            units=row.left * factors[SkuId(row.sku_id)],
            ordered_at=row.ordered_at,
            amount=row.amount,
        )
        for row in rows
    ]


def order_rows(conn: Connection, orders: Collection[OpenOrder]) -> dict[int, str]:
    """Return the store's own numbers of orders, with their ids at their channels."""
    wanted = {(order.account, order.order_id) for order in orders}
    query = select(_ORDER.c.id, _ORDER.c.account, _ORDER.c.remote_id).where(Among(_ORDER.c.remote_id, "ids"))
    rows = conn.execute(query, {"ids": listed(conn, sorted({order_id for _, order_id in wanted}))}) if wanted else ()
    return {row.id: row.remote_id for row in rows if (row.account, row.remote_id) in wanted}


def is_supplier_late(conn: Connection, sku_id: SkuId, *, today: str) -> bool:
    """Say whether units of a SKU were to be here before today and are not."""
    c = _ARRIVAL.c
    late = and_(c.sku_id == sku_id, c.state == "open", c.expected != "", c.expected < today, c.received < c.quantity)
    return conn.execute(select(c.id).where(late).limit(1)).first() is not None


# --- incidents --------------------------------------------------------------------------------------------------------


def open_incident(
    conn: Connection, sku_id: SkuId, finding: Finding, *, event: str, alternatives: Sequence[Alternative], now: Instant
) -> int | None:
    """Open an incident; return its number, None where this dip has one already."""
    record = Record(event=event, losers=finding.losers, prevention=finding.prevention, alternatives=tuple(alternatives))
    values = {
        "sku_id": sku_id,
        "began_at": finding.began_at,
        "opened_at": now,
        "short": finding.short,
        "cause": finding.cause.value,
        "body": msgspec.json.encode(record),
        "reason": "",
        "actor": "",
    }
    return insert_one(conn, IncidentRow, values)


def note_told(
    conn: Connection, incident_id: int, *, drafted: Collection[str], sent: Collection[str], untold: Collection[str]
) -> None:
    """Keep which of the losing orders have an apology, and of which kind."""
    c = _INCIDENT.c
    body = conn.execute(select(c.body).where(c.id == incident_id)).scalar_one()
    told = replace(_RECORD.decode(body), drafted=tuple(drafted), sent=tuple(sent), untold=tuple(untold))
    conn.execute(update(_INCIDENT).where(c.id == incident_id).values(body=msgspec.json.encode(told)))


def stale(conn: Connection) -> list[tuple[int, int]]:
    """Return the incidents of which another number of units is missing by now, with that number."""
    c = _INCIDENT.c
    query = select(c.id, c.sku_id, c.short).where(c.closed_at.is_(None), c.covered_at.is_(None)).order_by(c.id)
    now = [(row.id, row.short, missing(conn, SkuId(row.sku_id))) for row in conn.execute(query).all()]
    return [(incident_id, short) for incident_id, before, short in now if short != before]


def renew(conn: Connection, *, now: Instant) -> None:
    """Note how many units are missing now of each incident that lasts; with none it is covered."""
    for incident_id, short in stale(conn):
        values: dict[str, Any] = {"short": short} if short else {"covered_at": now}
        conn.execute(update(_INCIDENT).where(_INCIDENT.c.id == incident_id).values(**values))


def close(conn: Connection, incident_id: int, *, reason: str, actor: str, now: Instant) -> bool:
    """Close an incident; return whether it was open. What waits for a person is dropped with it."""
    c = _INCIDENT.c
    body = conn.execute(select(c.body).where(c.id == incident_id, c.closed_at.is_(None))).scalar()
    if body is None:
        return False
    conn.execute(update(_INCIDENT).where(c.id == incident_id).values(closed_at=now, reason=reason, actor=actor))
    mine = and_(_CHANGE.c.event == _RECORD.decode(body).event, _CHANGE.c.state == "held")
    dropped = {"state": "refused", "reason": "the incident was closed", "actor": actor, "ended_at": now}
    conn.execute(update(_CHANGE).where(mine).values(**dropped))
    return True


def explain_held(conn: Connection, event: str, *, reason: str) -> None:
    """Say why the changes of an event wait for a person."""
    mine = and_(_CHANGE.c.event == event, _CHANGE.c.state == "held")
    conn.execute(update(_CHANGE).where(mine).values(reason=reason))


# --- what may be offered instead -------------------------------------------------------------------------------------


def set_alternatives(conn: Connection, rows: Mapping[SkuId, Sequence[tuple[SkuId, str]]]) -> None:
    """Set what may be offered instead of these SKUs, in this order; what was set for them before is taken away."""
    if rows:
        mine = Among(_ALTERNATIVE.c.sku_id, "ids")
        conn.execute(_ALTERNATIVE.delete().where(mine), {"ids": listed(conn, sorted(rows))})
    values = [
        {"sku_id": sku_id, "other_id": other, "place": place, "note": note}
        for sku_id, others in rows.items()
        for place, (other, note) in enumerate(others)
    ]
    upsert(conn, AlternativeRow, keys=("sku_id", "other_id"), values=values)


def alternatives_of(conn: Connection, sku_id: SkuId) -> list[Alternative]:
    """Return what may be offered instead of a SKU, in the shop's order, with what is available of each."""
    a, b = _ALTERNATIVE.c, _BALANCE.c
    units = func.coalesce(func.sum(b.on_hand - b.committed - b.held), 0)
    query = (
        select(_SKU.c.code, _SKU.c.title, a.note, units.label("available"))
        .join(_SKU, _SKU.c.id == a.other_id)
        .outerjoin(_BALANCE, b.sku_id == a.other_id)
        .where(a.sku_id == sku_id)
        .group_by(_SKU.c.code, _SKU.c.title, a.note, a.place)
        .order_by(a.place)
    )
    rows = conn.execute(query)
    return [Alternative(sku=r.code, title=r.title, note=r.note, available=int(r.available)) for r in rows]


def counts(conn: Connection) -> dict[str, int]:
    """Return how many incidents last, and how many wait for a person's word."""
    c = _INCIDENT.c
    query = select(func.count().filter(c.covered_at.is_(None)), func.count()).where(c.closed_at.is_(None))
    row = conn.execute(query).one()
    return {"lasting": int(row[0]), "open": int(row[1])}


def matches(state: str) -> Any:
    """Return the condition of incidents in a state: open, lasting, closed, or any when empty."""
    c = _INCIDENT.c
    return {
        "open": c.closed_at.is_(None),
        "lasting": and_(c.closed_at.is_(None), c.covered_at.is_(None)),
        "closed": c.closed_at.is_not(None),
        "": or_(c.closed_at.is_(None), c.closed_at.is_not(None)),
    }[state]
