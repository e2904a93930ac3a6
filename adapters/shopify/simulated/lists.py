"""The lists of the API: what they can be searched by, and how they are sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.shopify.simulated.drafts import DraftOrder
from adapters.shopify.simulated.goods import InventoryItem, InventoryLevel, Location, ProductVariant
from adapters.shopify.simulated.orders import Orders
from adapters.shopify.simulated.relay import Key
from adapters.shopify.simulated.sales import Order
from adapters.shopify.simulated.search import Field
from adapters.shopify.simulated.times import SECOND_US
from syncd.sdk.channel import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list's search fields and sort keys; its rows come in the order of the first key."""

    fields: Mapping[str, Field]
    keys: Mapping[str, Key]

    def key(self, name: str | None) -> Key:
        """Return a sort key; one that this simulator does not know sorts like the first."""
        return self.keys.get(name or "", next(iter(self.keys.values())))

    def is_natural(self, name: str | None) -> bool:
        """Say whether the rows come in the order of this key already."""
        return self.key(name) is next(iter(self.keys.values()))


def _text(read: Callable[[Any], Any], *, loose: bool = False) -> Field:
    return Field(read=read, loose=loose)


def _time(read: Callable[[Any], Instant]) -> Field:
    return Field(read=read, times=True)


def _item(variant: ProductVariant) -> InventoryItem:
    return variant.inventory_item


ITEMS = Listing(
    fields={
        "created_at": _time(lambda item: item.created_at),
        "id": _text(lambda item: item.legacy_resource_id),
        "sku": _text(lambda item: item.sku, loose=True),
        "updated_at": _time(lambda item: item.updated_at),
    },
    keys={"ID": lambda item: (item.legacy_resource_id,)},
)

VARIANTS = Listing(
    fields={
        "barcode": _text(lambda _: None),
        "id": _text(lambda variant: variant.legacy_resource_id),
        "product_id": _text(lambda variant: variant.product.legacy_resource_id),
        "product_status": _text(lambda variant: variant.product.status),
        "sku": _text(lambda variant: variant.inventory_item.sku, loose=True),
        "title": _text(lambda variant: variant.inventory_item.title, loose=True),
        "updated_at": _time(lambda variant: variant.inventory_item.updated_at),
    },
    keys={
        "ID": lambda variant: (variant.legacy_resource_id,),
        "SKU": lambda variant: (_item(variant).sku, variant.legacy_resource_id),
        "TITLE": lambda variant: (_item(variant).title, variant.legacy_resource_id),
    },
)


def _level_key(level: InventoryLevel) -> tuple[int, int]:
    return level.item.legacy_resource_id, level.location.legacy_resource_id


LEVELS = Listing(
    fields={
        "created_at": _time(lambda level: level.created_at),
        "id": _text(lambda level: level.id),
        "inventory_group_id": _text(lambda level: level.location.legacy_resource_id),
        "inventory_item_id": _text(lambda level: level.item.legacy_resource_id),
        "updated_at": _time(lambda level: level.updated_at),
    },
    keys={"": _level_key},
)


def _location_key(location: Location) -> tuple[int]:
    return (location.legacy_resource_id,)


LOCATIONS = Listing(
    fields={
        "id": _text(lambda location: location.legacy_resource_id),
        "name": _text(lambda location: location.name, loose=True),
        "active": _text(lambda location: str(location.is_active).lower()),
    },
    keys={"ID": _location_key, "NAME": lambda location: (location.name, location.legacy_resource_id)},
)

SUBSCRIPTIONS = Listing(
    fields={
        "id": _text(lambda known: known.legacy_resource_id),
        "topic": _text(lambda known: known.topic),
        "created_at": _time(lambda known: known.created_at),
        "updated_at": _time(lambda known: known.updated_at),
        "uri": _text(lambda known: known.uri),
    },
    keys={"CREATED_AT": lambda known: (known.legacy_resource_id,)},
)


def _draft_key(draft: DraftOrder) -> tuple[int]:
    return (draft.legacy_resource_id,)


BULKS = Listing(
    fields={
        "created_at": _time(lambda operation: operation.created_at),
        "id": _text(lambda operation: operation.id.rpartition("/")[2]),
        "operation_type": _text(lambda operation: operation.type),
        "status": _text(lambda operation: operation.status),
    },
    keys={"CREATED_AT": lambda operation: (operation.id,)},
)


DRAFTS = Listing(
    fields={
        "created_at": _time(lambda draft: draft.created_at),
        "id": _text(lambda draft: draft.legacy_resource_id),
        "status": _text(lambda draft: draft.status),
        "tag": _text(lambda draft: tuple(draft.tags), loose=True),
        "updated_at": _time(lambda draft: draft.updated_at),
    },
    keys={"ID": _draft_key},
)


def _order_status(order: Order) -> tuple[str, ...]:
    if order.cancelled_at is not None:
        return ("cancelled", "any")
    return ("closed", "any") if order.closed_at is not None else ("open", "not_closed", "any")


def _order_work(order: Order) -> tuple[str, ...]:
    words = {"FULFILLED": ("shipped", "fulfilled"), "PARTIALLY_FULFILLED": ("partial", "unfulfilled")}
    return words.get(order.display_fulfillment_status, ("unshipped", "unfulfilled"))


def _dated(read: Callable[[Order], Instant]) -> Key:
    return lambda order: (read(order) // SECOND_US, order.legacy_resource_id)


ORDERS = Listing(
    fields={
        "created_at": _time(lambda order: order.created_at),
        "financial_status": _text(lambda order: order.display_financial_status),
        "fulfillment_status": _text(_order_work),
        "id": _text(lambda order: order.legacy_resource_id),
        "location_id": _text(lambda order: tuple(x.location.legacy_resource_id for x in order.fulfillment_orders)),
        "name": _text(lambda order: (order.name, str(order.number))),
        "processed_at": _time(lambda order: order.created_at),
        "return_status": _text(lambda order: order.return_status),
        "sku": _text(lambda order: tuple(line.item.sku for line in order.lines), loose=True),
        "source_name": _text(lambda order: order.source_name),
        "status": _text(_order_status),
        "test": _text(lambda order: str(order.test).lower()),
        "updated_at": _time(lambda order: order.updated_at),
    },
    keys={
        "PROCESSED_AT": _dated(lambda order: order.created_at),
        "CREATED_AT": _dated(lambda order: order.created_at),
        "UPDATED_AT": _dated(lambda order: order.updated_at),
        "ID": lambda order: (order.legacy_resource_id,),
    },
)


def order_rows(orders: Orders, *, since: Instant | None) -> Iterable[Order]:
    """Yield orders, the one that changed last first, down to a bound of `updated_at` where there is one."""
    for order in reversed(orders.by_number.values()):
        if since is not None and order.updated_at < since:
            return
        yield order
