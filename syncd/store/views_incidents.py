"""Oversells and the incidents that they became, as people and programs read them. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, func, select

from syncd.core.incidents import OpenOrder
from syncd.core.terms import SECOND_US, Instant, SkuId
from syncd.store.incidents import matches, missing, record_of
from syncd.store.rows import AlertRow, SkuRow
from syncd.store.rows_incidents import AlternativeRow, IncidentRow
from syncd.store.statements import table
from syncd.store.views import moment, moment_or_none

DAY_US: Final = 24 * 3_600 * SECOND_US
MOST_ALTERNATIVES: Final = 10_000
"""Most rows of one answer."""

_ALERT = table(AlertRow)
_ALTERNATIVE = table(AlternativeRow)
_INCIDENT = table(IncidentRow)
_SKU = table(SkuRow)
_OTHER = _SKU.alias("other")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoserView:
    """An order that lacks `lost` of its units. `told` is drafted, sent or untold."""

    account: str
    order_id: str
    order: str
    units: int
    lost: int
    amount: str
    ordered_at: datetime
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """What may be offered instead; `available` as it was when the incident was opened."""

    sku: str
    title: str
    note: str
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreventionView:
    """The rule that would have helped: its `lesson` (`core.incidents.Lesson`), where and for what, the least value."""

    lesson: str
    account: str
    value: int
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """An incident. `state` is lasting, covered or closed; `contact_by` the first contact that customers are owed."""

    id: int
    sku: str
    title: str
    state: str
    cause: str
    short: int
    began_at: datetime
    opened_at: datetime
    covered_at: datetime | None
    closed_at: datetime | None
    contact_by: datetime
    reason: str
    actor: str
    event: str
    losers: tuple[LoserView, ...]
    alternatives: tuple[OfferView, ...]
    prevention: tuple[PreventionView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeView:
    """One SKU that may be offered instead of another."""

    sku: str
    alternative: str
    note: str


def incidents(
    conn: Connection, *, state: str = "", sku: str = "", before: int | None = None, limit: int = 100
) -> list[IncidentView]:
    """Return incidents, the latest first; `before` is the last number of the page before."""
    query = _all().where(matches(state))
    if sku:
        query = query.where(_SKU.c.code == sku)
    if before is not None:
        query = query.where(_INCIDENT.c.id < before)
    return [_view(row) for row in conn.execute(query.order_by(_INCIDENT.c.id.desc()).limit(limit)).mappings()]


def incident(conn: Connection, incident_id: int) -> IncidentView | None:
    """Return one incident."""
    row = conn.execute(_all().where(_INCIDENT.c.id == incident_id)).mappings().first()
    return None if row is None else _view(row)


def alternatives(conn: Connection, *, sku: str = "", limit: int = MOST_ALTERNATIVES) -> list[AlternativeView]:
    """Return what may be offered instead of what, by SKU and in the shop's order."""
    a = _ALTERNATIVE.c
    query = (
        select(_SKU.c.code, _OTHER.c.code, a.note)
        .join(_SKU, _SKU.c.id == a.sku_id)
        .join(_OTHER, _OTHER.c.id == a.other_id)
    )
    if sku:
        query = query.where(_SKU.c.code == sku)
    rows = conn.execute(query.order_by(_SKU.c.code, a.place).limit(limit))
    return [AlternativeView(sku=row[0], alternative=row[1], note=row[2]) for row in rows]


def lessons(conn: Connection, *, since: Instant) -> dict[str, int]:
    """Return how often each cause was that of an incident since an instant."""
    query = select(_INCIDENT.c.cause, func.count()).where(_INCIDENT.c.began_at >= since).group_by(_INCIDENT.c.cause)
    return {cause: int(number) for cause, number in conn.execute(query)}


def _all() -> Select[Any]:
    return select(_INCIDENT, _SKU.c.code, _SKU.c.title).join(_SKU, _SKU.c.id == _INCIDENT.c.sku_id)


def _view(row: RowMapping) -> IncidentView:
    record = record_of(row["body"])
    told = dict.fromkeys(record.drafted, "drafted") | dict.fromkeys(record.sent, "sent")
    return IncidentView(
        id=row["id"],
        sku=row["code"],
        title=row["title"],
        state=_state(row),
        cause=row["cause"],
        short=row["short"],
        began_at=moment(row["began_at"]),
        opened_at=moment(row["opened_at"]),
        covered_at=moment_or_none(row["covered_at"]),
        closed_at=moment_or_none(row["closed_at"]),
        contact_by=moment(min([one.ordered_at for one in record.losers], default=row["began_at"]) + DAY_US),
        reason=row["reason"],
        actor=row["actor"],
        event=record.event,
        losers=tuple(_loser(one, told.get(f"{one.account}/{one.order_id}", "untold")) for one in record.losers),
        alternatives=tuple(
            OfferView(sku=one.sku, title=one.title, note=one.note, available=one.available)
            for one in record.alternatives
        ),
        prevention=tuple(
            PreventionView(lesson=one.lesson.value, account=one.account, value=one.value, sku=one.sku or row["code"])
            for one in record.prevention
        ),
    )


def _state(row: RowMapping) -> str:
    if row["closed_at"] is not None:
        return "closed"
    return "lasting" if row["covered_at"] is None else "covered"


def _loser(one: OpenOrder, told: str) -> LoserView:
    return LoserView(
        account=one.account,
        order_id=one.order_id,
        order=one.number or one.order_id,
        units=one.units,
        lost=one.lost,
        amount=one.amount,
        ordered_at=moment(one.ordered_at),
        told=told,
    )


# --- oversells, incidents or not -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversell:
    """The last oversell of a SKU. `over_at` is None while it lasts; then `short` units are missing."""

    sku: str
    title: str
    began_at: datetime
    over_at: datetime | None
    short: int


def oversells(conn: Connection, *, limit: int) -> list[Oversell]:
    """Return the last oversell of each SKU that had one: those that last first, then the newest."""
    a = _ALERT.c
    query = select(a.key, a.raised_at, a.cleared_at, _SKU.c.id, _SKU.c.title)
    query = query.outerjoin(_SKU, _SKU.c.code == a.key).where(a.kind == "oversell")
    query = query.order_by(a.cleared_at.is_not(None), a.raised_at.desc()).limit(limit)
    return [
        Oversell(
            sku=row.key,
            title=row.title or "",
            began_at=moment(row.raised_at),
            over_at=moment_or_none(row.cleared_at),
            short=0 if row.cleared_at is not None or row.id is None else missing(conn, SkuId(row.id)),
        )
        for row in conn.execute(query).all()
    ]
