"""Order lines that are still to be shipped, by the listing that sold them: they move with it to another SKU."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, select, update

from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.store.rows import OrderLineRow, OrderRow
from syncd.store.statements import Among, fetch_all, listed, table

_LINE = table(OrderLineRow)
_ORDER = table(OrderRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLine:
    """An order line of which `units` are still to be shipped. `order_row` is the store's own number of its order."""

    order_row: int
    order_id: str
    line_id: str
    remote_id: str
    sku_id: SkuId
    location: Location
    units: int

    def belongs(self, remote_id: str, sku_id: SkuId) -> bool:
        """Say whether it was sold by this listing, as this SKU."""
        return (self.remote_id, self.sku_id) == (remote_id, sku_id)


def of_listings(conn: Connection, account: AccountId, remote_ids: Collection[str]) -> list[OpenLine]:
    """Return the lines of these listings that are mapped and not shipped yet."""
    c = _LINE.c
    units = (c.quantity - c.cancelled - c.shipped).label("units")
    columns = (
        c.order_id.label("order_row"),
        _ORDER.c.remote_id.label("order_id"),
        c.line_id,
        c.remote_id,
        c.sku_id,
        c.location,
        units,
    )
    query = select(*columns).select_from(_LINE.join(_ORDER, _ORDER.c.id == c.order_id))
    mine = and_(c.account == account, Among(c.remote_id, "ids"), c.sku_id.is_not(None), units > 0)
    wanted = query.where(mine, _ORDER.c.ignored.is_(False)).order_by(c.order_id, c.line_id)
    rows = conn.execute(wanted, {"ids": listed(conn, remote_ids)})
    return [OpenLine(**row._mapping) for row in rows]  # noqa: SLF001  (public by its documentation)


def move(conn: Connection, line: OpenLine, sku_id: SkuId) -> None:
    """Let an order line belong to another SKU."""
    c = _LINE.c
    mine = and_(c.order_id == line.order_row, c.line_id == line.line_id)
    conn.execute(update(_LINE).where(mine).values(sku_id=sku_id))


@dataclass(frozen=True, slots=True)
class Owed:
    """An order line of which `units` are still to be shipped, with what is known of its order.

    Its fields are in the order in which it is read.
    """

    line_id: str
    units: int
    order_row: int
    order_id: str
    number: str
    account: str
    ordered_at: Instant
    amount: str
    currency: str
    sku_id: SkuId


def _newest() -> Select[Any]:
    c, o = _LINE.c, _ORDER.c
    units = (c.quantity - c.cancelled - c.shipped).label("units")
    mine = (c.sku_id == bindparam("sku_id"), c.quantity > c.cancelled + c.shipped, c.order_id < bindparam("before"))
    newest = (
        select(c.order_id, c.line_id, c.sku_id, units).where(*mine).order_by(c.order_id.desc()).limit(bindparam("most"))
    )
    page = newest.subquery()
    columns = (o.id, o.remote_id, o.number, o.account, o.ordered_at, o.amount, o.currency, page.c.sku_id, o.ignored)
    return select(page.c.line_id, page.c.units, *columns).join(_ORDER, o.id == page.c.order_id)


_NEWEST = _newest()


def latest(conn: Connection, sku_id: SkuId, *, before: int, limit: int) -> tuple[list[Owed], int | None]:
    """Return the open lines of a SKU of the orders that were stored last, and from where to go on (None: no more).

    `before` is the row of an order: only those before it are looked at.
    """
    rows = fetch_all(conn, _NEWEST, {"sku_id": sku_id, "before": before, "most": limit})
    found = [Owed(*row[:10]) for row in rows if not row[10]]
    return found, min(row[2] for row in rows) if len(rows) == limit else None


@dataclass(frozen=True, slots=True)
class Stand:
    """An order line as it is stored, with how its order was paid; its fields are in the order in which it is read."""

    sku_id: SkuId | None
    quantity: int
    cancelled: int
    shipped: int
    payment: str
    ordered_at: Instant


_STANDS = (
    select(
        _LINE.c.order_id,
        _LINE.c.line_id,
        _LINE.c.sku_id,
        _LINE.c.quantity,
        _LINE.c.cancelled,
        _LINE.c.shipped,
        _ORDER.c.payment,
        _ORDER.c.ordered_at,
    )
    .join(_ORDER, _ORDER.c.id == _LINE.c.order_id)
    .where(Among(_LINE.c.order_id, "ids"))
)


def stands(conn: Connection, order_rows: Collection[int]) -> dict[tuple[int, str], Stand]:
    """Return the lines of these orders by order row and line id."""
    rows = fetch_all(conn, _STANDS, {"ids": listed(conn, order_rows)}) if order_rows else ()
    return {(order_row, line_id): Stand(*rest) for order_row, line_id, *rest in rows}
