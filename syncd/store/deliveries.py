"""How orders come to their buyers: parcels and promised days, as channels tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete

from syncd.core.carriers import key_of
from syncd.core.terms import Delivery, Shipment
from syncd.store.rows_orders import OrderDeliveryRow, ShipmentRow
from syncd.store.statements import Among, listed, table, upsert

MOST_TEXT = 255
"""Longest word or number of a carrier that is kept."""
MOST_LINK = 500
MOST_PARCELS = 100
"""Most parcels of one order that are kept."""

_SHIPMENT = table(ShipmentRow)
_GONE = delete(_SHIPMENT).where(Among(_SHIPMENT.c.order_id, "ids"))


def save(conn: Connection, told: Mapping[int, Delivery]) -> None:
    """Keep what was told of orders, by row id: their parcels are those and no others."""
    if not told:
        return
    dates = [{"order_id": k, "ship_by": d.ship_by, "deliver_by": d.deliver_by} for k, d in told.items()]
    upsert(conn, OrderDeliveryRow, keys=("order_id",), values=dates)
    conn.execute(_GONE, {"ids": listed(conn, list(told))})
    rows = [_values(k, one) for k, delivery in told.items() for one in delivery.shipments[:MOST_PARCELS]]
    upsert(conn, ShipmentRow, keys=("order_id", "shipment_id"), values=rows)


def _values(order_id: int, one: Shipment) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "shipment_id": one.shipment_id,
        "carrier": key_of(one.carrier),
        "carrier_raw": one.carrier[:MOST_TEXT],
        "number": one.number[:MOST_TEXT],
        "url": one.url if len(one.url) <= MOST_LINK else "",
        "shipped_at": one.shipped_at,
        "expected_at": one.expected_at,
        "delivered_at": one.delivered_at,
    }
