"""Oversells as people look for them: which SKUs, since when, and whether they are over. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from syncd.store.rows import AlertRow, BalanceRow, SkuRow
from syncd.store.statements import table
from syncd.store.views import moment, moment_or_none

_ALERT = table(AlertRow)
_BALANCE = table(BalanceRow)
_SKU = table(SkuRow)


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
    a, b = _ALERT.c, _BALANCE.c
    units = select(func.sum(b.on_hand - b.committed - b.held)).where(b.sku_id == _SKU.c.id)
    left = units.correlate(_SKU).scalar_subquery()
    query = select(a.key, a.raised_at, a.cleared_at, _SKU.c.title, left.label("left"))
    query = query.outerjoin(_SKU, _SKU.c.code == a.key).where(a.kind == "oversell")
    query = query.order_by(a.cleared_at.is_not(None), a.raised_at.desc()).limit(limit)
    return [
        Oversell(
            sku=row.key,
            title=row.title or "",
            began_at=moment(row.raised_at),
            over_at=moment_or_none(row.cleared_at),
            short=0 if row.cleared_at is not None else max(0, -int(row.left or 0)),
        )
        for row in conn.execute(query)
    ]
