"""Order lines that are still to be shipped, by the listing that sold them: they move with it to another SKU."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, and_, select, update

from syncd.core.terms import AccountId, Location, SkuId
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
