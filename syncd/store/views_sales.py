"""The last sales, as they come in. Read-only; costs what its rows cost, however large the shop is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from syncd.store.rows import OrderLineRow, OrderRow, SkuRow
from syncd.store.statements import table
from syncd.store.views import moment

_ORDER = table(OrderRow)
_LINE = table(OrderLineRow)
_SKU = table(SkuRow)

MOST_PARTS = 4
"""Most lines of one order that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldPart:
    """Units of one line; `sku` is empty while the line is in quarantine, then `remote_sku` is the channel's code."""

    sku: str
    remote_sku: str
    title: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleView:
    """An order as it was first heard of; `more` lines are left out."""

    account: str
    order_id: str
    number: str
    ordered_at: datetime
    cancelled: bool
    parts: tuple[SoldPart, ...]
    more: int


def last_sales(conn: Connection, *, limit: int) -> list[SaleView]:
    """Return the orders that were heard of last, newest first; those that move nothing are left out."""
    c = _ORDER.c
    names = (c.id, c.account, c.remote_id, c.number, c.ordered_at, c.cancelled)
    rows = conn.execute(select(*names).where(~c.ignored).order_by(c.id.desc()).limit(limit)).all()
    parts = _parts(conn, [row.id for row in rows])
    return [
        SaleView(
            account=row.account,
            order_id=row.remote_id,
            number=row.number,
            ordered_at=moment(row.ordered_at),
            cancelled=row.cancelled,
            parts=tuple(parts[row.id][:MOST_PARTS]),
            more=max(0, len(parts[row.id]) - MOST_PARTS),
        )
        for row in rows
    ]


def _parts(conn: Connection, ids: list[int]) -> dict[int, list[SoldPart]]:
    c = _LINE.c
    query = select(c.order_id, c.remote_sku, c.quantity, _SKU.c.code, _SKU.c.title)
    query = query.outerjoin(_SKU, _SKU.c.id == c.sku_id).where(c.order_id.in_(ids)).order_by(c.order_id, c.line_id)
    found: dict[int, list[SoldPart]] = defaultdict(list)
    for row in conn.execute(query) if ids else ():
        part = SoldPart(sku=row.code or "", remote_sku=row.remote_sku, title=row.title or "", units=row.quantity)
        found[row.order_id].append(part)
    return found
