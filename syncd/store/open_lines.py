"""Order lines that are still to be shipped, by the listing that sold them: they move with it to another SKU."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, and_, select, update

from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.store.rows import OrderLineRow, OrderRow
from syncd.store.statements import Among, listed, table

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An order line of which `units` are still to be shipped, with what is known of its order."""

    order_row: int
    order_id: str
    number: str
    account: str
    line_id: str
    sku_id: SkuId
    units: int
    ordered_at: Instant
    amount: str
    currency: str


def latest(conn: Connection, sku_id: SkuId, *, before: int, limit: int) -> tuple[list[Owed], int | None]:
    """Return the open lines of a SKU of the orders that were stored last, and from where to go on (None: no more).

    `before` is the row of an order: only those before it are looked at.
    """
    c, o = _LINE.c, _ORDER.c
    open_ = c.quantity > c.cancelled + c.shipped
    newest = select(c.order_id, c.line_id, (c.quantity - c.cancelled - c.shipped).label("units"))
    page = newest.where(c.sku_id == sku_id, open_, c.order_id < before).order_by(c.order_id.desc()).limit(limit)
    mine = page.subquery()
    columns = (o.id, o.remote_id, o.number, o.account, o.ordered_at, o.amount, o.currency, o.ignored)
    query = select(mine.c.line_id, mine.c.units, *columns).join(_ORDER, o.id == mine.c.order_id)
    rows = conn.execute(query).all()
    found = [
        Owed(
            order_row=row.id,
            order_id=row.remote_id,
            number=row.number,
            account=row.account,
            line_id=row.line_id,
            sku_id=sku_id,
            units=row.units,
            ordered_at=row.ordered_at,
            amount=row.amount,
            currency=row.currency,
        )
        for row in rows
        if not row.ignored
    ]
    return found, min(row.id for row in rows) if len(rows) == limit else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """An order line as it is stored, with how its order was paid."""

    sku_id: SkuId | None
    quantity: int
    cancelled: int
    shipped: int
    payment: str
    ordered_at: Instant


def stands(conn: Connection, order_rows: Collection[int]) -> dict[tuple[int, str], Stand]:
    """Return the lines of these orders by order row and line id."""
    c, o = _LINE.c, _ORDER.c
    columns = (c.order_id, c.line_id, c.sku_id, c.quantity, c.cancelled, c.shipped, o.payment, o.ordered_at)
    query = select(*columns).join(_ORDER, o.id == c.order_id).where(Among(c.order_id, "ids"))
    rows = conn.execute(query, {"ids": listed(conn, order_rows)}) if order_rows else ()
    return {
        (row.order_id, row.line_id): Stand(
            sku_id=row.sku_id,
            quantity=row.quantity,
            cancelled=row.cancelled,
            shipped=row.shipped,
            payment=row.payment,
            ordered_at=row.ordered_at,
        )
        for row in rows
    }
