"""An order as its buyer sees it: how far it is, what is in it, its parcels. No personal data is in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from syncd.core.terms import Instant
from syncd.store.proofs import Candidate
from syncd.store.rows import ListingRow, SkuRow
from syncd.store.rows_waiting import EntryRow
from syncd.store.statements import table
from syncd.store.views_orders import OrderDetail, OrderLineView, OrderView, ShipmentView, order_detail

_SKU = table(SkuRow)
_LISTING = table(ListingRow)
_ENTRY = table(EntryRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that was ordered."""

    title: str
    sku: str | None
    quantity: int
    cancelled: int
    shipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOrder:
    """The order. `stage` is one word of the page; `expected` a day as 2026-12-01, or empty."""

    row: int
    account: str
    number: str
    ordered_at: datetime
    stage: str
    expected: str
    ship_by: datetime | None
    deliver_by: datetime | None
    items: tuple[Item, ...]
    parcels: tuple[ShipmentView, ...]
    can_cancel: bool
    cancel_asked_at: datetime | None


def customer_order(conn: Connection, found: Candidate, *, now: Instant) -> CustomerOrder | None:
    """Return an order for its buyer; None where it is gone."""
    detail = order_detail(conn, found.account, found.order_id, now=now)
    if detail is None:
        return None
    order, stage = detail.order, stage_of(detail)
    waits = stage in {"waiting", "preparing", "paying"}
    return CustomerOrder(
        row=order.row,
        account=order.account,
        number=order.number,
        ordered_at=order.ordered_at,
        stage=stage,
        expected=_expected(conn, order.row) if waits or stage == "partly" else "",
        ship_by=order.ship_by if waits and not order.late else None,
        deliver_by=order.deliver_by if waits or stage in {"partly", "shipped"} else None,
        items=_items(conn, order, detail.lines),
        parcels=detail.shipments,
        can_cancel=waits and order.units_shipped == 0,
        cancel_asked_at=detail.cancel_asked_at,
    )


def stage_of(detail: OrderDetail) -> str:
    """Return how far an order is, as one word."""
    order = detail.order
    left = order.units - order.units_cancelled - order.units_shipped
    if order.cancelled or order.units_cancelled == order.units:
        return "cancelled"
    if order.returns in {"requested", "in_progress"}:
        return "returning"
    if order.returns == "returned":
        return "returned"
    if left <= 0:
        sent = detail.shipments
        return "delivered" if sent and all(one.delivered_at is not None for one in sent) else "shipped"
    if order.units_shipped:
        return "partly"
    if order.delayed:
        return "waiting"
    return "paying" if order.payment == "pending" else "preparing"


def _expected(conn: Connection, row: int) -> str:
    """Return the last day that was promised, or is thought of, for what the order still waits for."""
    c = _ENTRY.c
    day = func.max(func.coalesce(func.nullif(c.promised, ""), c.expected))
    return conn.execute(select(day).where(c.order_row == row, c.closed_at.is_(None))).scalar() or ""


def _items(conn: Connection, order: OrderView, lines: tuple[OrderLineView, ...]) -> tuple[Item, ...]:
    codes = [line.sku for line in lines if line.sku is not None]
    titles = {
        row.code: row.title for row in conn.execute(select(_SKU.c.code, _SKU.c.title).where(_SKU.c.code.in_(codes)))
    }
    remote = [line.remote_id for line in lines]
    query = select(_LISTING.c.remote_id, _LISTING.c.title)
    shown = conn.execute(query.where(_LISTING.c.account == order.account, _LISTING.c.remote_id.in_(remote)))
    names = {row.remote_id: row.title for row in shown if row.title}
    return tuple(
        Item(
            title=titles.get(line.sku or "") or names.get(line.remote_id) or line.remote_sku or line.sku or "",
            sku=line.sku,
            quantity=line.quantity,
            cancelled=line.cancelled,
            shipped=line.shipped,
        )
        for line in lines
    )
