"""The resolvers of goods and orders that are more than an attribute of the same name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.shopify.simulated.goods import NAMES, InventoryItem, InventoryLevel, Location, Product
from adapters.shopify.simulated.lists import LEVELS, VARIANTS, Listing
from adapters.shopify.simulated.reads import Resolver, api_version, paged, request_of, shop_of
from adapters.shopify.simulated.sales import Customer, Fulfillment, FulfillmentOrder
from adapters.shopify.simulated.shop import Info, Shop
from adapters.shopify.simulated.stock_writes import InventoryAdjustmentGroup, InventoryChange
from syncd.sdk.channel import Instant


@dataclass(slots=True, kw_only=True)
class InventoryQuantity:
    """One named quantity of a level. Only `available` has a time, as recorded."""

    level: InventoryLevel
    name: str
    quantity: int
    updated_at: Instant | None

    @property
    def id(self) -> str:
        """Return its global id."""
        return f"{self.level.id.replace('InventoryLevel', 'InventoryQuantity')}&name={self.name}"


@dataclass(frozen=True, slots=True)
class MailingAddress:
    """Where an order goes: personal data that syncd never asks for."""

    person: Customer

    @property
    def id(self) -> str:
        """Return its global id."""
        return self.person.id.replace("Customer", "MailingAddress")


# --- goods -----------------------------------------------------------------------------------------------------------


def _level_rows(levels: Iterable[InventoryLevel], info: Info, args: Mapping[str, Any]) -> Iterable[InventoryLevel]:
    everything = bool(args.get("includeInactive"))
    until = request_of(info).indexed_until if args.get("query") else None
    return (
        level for level in levels if (everything or level.is_active) and (until is None or level.updated_at <= until)
    )


def _item_levels(item: InventoryItem, info: Info, args: Mapping[str, Any]) -> Iterable[InventoryLevel]:
    levels = sorted(item.levels.values(), key=lambda level: level.location.legacy_resource_id)
    return _level_rows(levels, info, args)


def _location_levels(location: Location, info: Info, args: Mapping[str, Any]) -> Iterable[InventoryLevel]:
    return _level_rows(location.levels, info, args)


def _level_at(item: object, location: object, *, everything: bool) -> InventoryLevel | None:
    if not isinstance(item, InventoryItem) or not isinstance(location, Location):
        return None
    level = item.levels.get(location.legacy_resource_id)
    return level if level is not None and (everything or level.is_active) else None


def _item_level(item: InventoryItem, info: Info, **args: Any) -> InventoryLevel | None:
    location = shop_of(info).goods.by_id.get(args["locationId"])
    return _level_at(item, location, everything=bool(args.get("includeInactive")))


def _location_level(location: Location, info: Info, **args: Any) -> InventoryLevel | None:
    item = shop_of(info).goods.by_id.get(args["inventoryItemId"])
    return _level_at(item, location, everything=bool(args.get("includeInactive")))


def _quantities(level: InventoryLevel, info: Info, names: Sequence[str]) -> list[InventoryQuantity]:
    request = request_of(info)
    found = []
    for name in names:
        if name == "available":
            value = level.available
            if request.stale_us:
                value = level.available_as_of(request.shop.clock.now() - request.stale_us)
            found.append(InventoryQuantity(level=level, name=name, quantity=value, updated_at=level.available_at))
        elif name in NAMES:
            found.append(InventoryQuantity(level=level, name=name, quantity=level.quantity(name), updated_at=None))
    return found


def _stock(item: InventoryItem, info: Info) -> int:
    return shop_of(info).goods.sellable_quantity(item)


def _one_variant(source: Any, _: Info, __: Mapping[str, Any]) -> Iterable[Any]:
    return [source.item.variant if isinstance(source, Product) else source.variant]


def _duplicates(item: InventoryItem, info: Info) -> int:
    return len(shop_of(info).goods.by_sku[item.sku]) - 1 if item.sku else 0


def _changes(group: InventoryAdjustmentGroup, _: Info, **args: Any) -> Iterable[InventoryChange]:
    names, items, places = args.get("quantityNames"), args.get("inventoryItemIds"), args.get("locationIds")
    return [
        change
        for change in group.moved
        if (names is None or change.name in names)
        and (items is None or change.item.id in items)
        and (places is None or change.location.id in places)
    ]


# --- orders ----------------------------------------------------------------------------------------------------------


def _listed(attribute: str) -> Resolver:
    """Page through a list that is an attribute; its ids rise."""

    def rows(source: Any, _: Info, __: Mapping[str, Any]) -> Sequence[Any]:
        found: Sequence[Any] = getattr(source, attribute)
        return found

    return paged(rows, Listing(fields={}, keys={"": lambda row: (row.id,)}))


def _first(attribute: str) -> Resolver:
    def resolve(source: Any, _: Info, first: int | None = None, **__: Any) -> Sequence[Any]:
        found: Sequence[Any] = getattr(source, attribute)
        return found[:first]

    return resolve


def _assigned(work: FulfillmentOrder, _: Info) -> Mapping[str, object]:
    return {"location": work.location, "name": work.location.name}


def _tracking(parcel: Fulfillment, _: Info, first: int | None = None) -> Sequence[Mapping[str, object]]:
    url = f"https://example.com/track/{parcel.number}"
    return [{"company": parcel.company, "number": parcel.number, "url": url}][:first]


def _money(amount: int) -> Mapping[str, object]:
    money = {"amount": f"{amount}.0", "currencyCode": Shop.currency}
    return {"shopMoney": money, "presentmentMoney": money}


def _always(value: object) -> Resolver:
    return lambda *_: value


def _units(source: Any, _: Info) -> int:
    return sum(entry.quantity for entry in source.line_items)


def _through(path: str) -> Resolver:
    """Read an attribute of an attribute: `item.sku`."""
    names = path.split(".")

    def resolve(source: Any, _: Info, **__: Any) -> Any:
        for name in names:
            source = getattr(source, name)
        return source

    return resolve


RESOLVERS: dict[str, Callable[..., Any]] = {
    "Customer.displayName": _through("name"),
    "Fulfillment.fulfillmentLineItems": _listed("line_items"),
    "Fulfillment.totalQuantity": _units,
    "Fulfillment.trackingInfo": _tracking,
    "FulfillmentOrder.assignedLocation": _assigned,
    "FulfillmentOrder.lineItems": _listed("line_items"),
    "FulfillmentOrder.orderId": _through("order.id"),
    "FulfillmentOrder.orderName": _through("order.name"),
    "FulfillmentOrderLineItem.inventoryItemId": _through("line_item.item.id"),
    "FulfillmentOrderLineItem.sku": _through("line_item.item.sku"),
    "FulfillmentOrderLineItem.variant": _through("line_item.variant"),
    "InventoryAdjustmentGroup.app": _always(None),
    "InventoryAdjustmentGroup.changes": _changes,
    "InventoryItem.duplicateSkuCount": _duplicates,
    "InventoryItem.inventoryLevel": _item_level,
    "InventoryItem.inventoryLevels": paged(_item_levels, LEVELS),
    "InventoryItem.locationsCount": lambda item, _: {"count": len(item.levels), "precision": "EXACT"},
    "InventoryItem.variants": paged(_one_variant, VARIANTS),
    "InventoryLevel.canDeactivate": lambda level, _: level.is_active and len(level.item.levels) > 1,
    "InventoryLevel.deactivationAlert": _always(None),
    "InventoryLevel.quantities": _quantities,
    "LineItem.fulfillableQuantity": _through("unfulfilled_quantity"),
    "LineItem.name": _through("item.title"),
    "LineItem.nonFulfillableQuantity": lambda line, _: line.quantity - line.unfulfilled_quantity,
    "LineItem.originalUnitPriceSet": lambda line, _: _money(line.item.price),
    "LineItem.product": _through("variant.product"),
    "LineItem.refundableQuantity": _through("current_quantity"),
    "LineItem.requiresShipping": _through("item.requires_shipping"),
    "LineItem.restockable": lambda line, _: bool(line.current_quantity),
    "LineItem.sku": _through("item.sku"),
    "LineItem.title": _through("item.title"),
    "Location.hasActiveInventory": lambda location, _: any(level.is_active for level in location.levels),
    "Location.inventoryLevel": _location_level,
    "Location.inventoryLevels": paged(_location_levels, LEVELS),
    "MailingAddress.address1": _through("person.address"),
    "MailingAddress.city": _through("person.city"),
    "MailingAddress.country": _always("Japan"),
    "MailingAddress.firstName": _through("person.first_name"),
    "MailingAddress.lastName": _through("person.last_name"),
    "MailingAddress.name": _through("person.name"),
    "MailingAddress.phone": _through("person.phone"),
    "MailingAddress.zip": _through("person.zip"),
    "Order.app": _always({"id": "gid://shopify/OrderApp/580111", "name": "Online Store"}),
    "Order.cancellation": lambda order, _: {"staffNote": order.staff_note} if order.cancelled_at else None,
    "Order.closed": lambda order, _: order.closed_at is not None,
    "Order.confirmed": lambda *_: True,
    "Order.currencyCode": _always(Shop.currency),
    "Order.currentSubtotalLineItemsQuantity": lambda order, _: sum(line.current_quantity for line in order.lines),
    "Order.currentTotalPriceSet": lambda order, _: _money(order.current_amount),
    "Order.email": _through("customer.email"),
    "Order.fulfillmentOrders": _listed("fulfillment_orders"),
    "Order.fulfillments": _first("fulfillments"),
    "Order.fullyPaid": lambda order, _: order.display_financial_status == "PAID",
    "Order.lineItems": _listed("lines"),
    "Order.note": lambda order, _: f"Ring twice, {order.customer.name}",
    "Order.phone": _through("customer.phone"),
    "Order.presentmentCurrencyCode": _always(Shop.currency),
    "Order.processedAt": _through("created_at"),
    "Order.refunds": _first("refunds"),
    "Order.returns": _listed("returns"),
    "Order.shippingAddress": lambda order, _: MailingAddress(order.customer),
    "Order.tags": _always([]),
    "Order.totalPriceSet": lambda order, _: _money(order.amount),
    "Product.createdAt": _through("item.created_at"),
    "Product.handle": lambda product, _: product.item.sku.lower(),
    "Product.title": _through("item.title"),
    "Product.totalInventory": lambda product, info: _stock(product.item, info),
    "Product.tracksInventory": _through("item.tracked"),
    "Product.updatedAt": _through("item.updated_at"),
    "Product.variants": paged(_one_variant, VARIANTS),
    "ProductVariant.availableForSale": lambda variant, info: _stock(variant.inventory_item, info) > 0,
    "ProductVariant.barcode": _always(None),
    "ProductVariant.createdAt": _through("inventory_item.created_at"),
    "ProductVariant.displayName": _through("inventory_item.title"),
    "ProductVariant.inventoryPolicy": _through("inventory_item.policy"),
    "ProductVariant.inventoryQuantity": lambda variant, info: _stock(variant.inventory_item, info),
    "ProductVariant.price": lambda variant, _: str(variant.inventory_item.price),
    "ProductVariant.sku": _through("inventory_item.sku"),
    "ProductVariant.title": _always("Default Title"),
    "ProductVariant.updatedAt": _through("inventory_item.updated_at"),
    "Refund.processedAt": _through("created_at"),
    "Refund.refundLineItems": _listed("line_items"),
    "Refund.return": _always(None),
    "Refund.updatedAt": _through("created_at"),
    "Return.returnLineItems": _listed("line_items"),
    "Return.totalQuantity": _units,
    "ReturnLineItem.refundableQuantity": lambda entry, _: entry.quantity - entry.processed_quantity,
    "ReturnLineItem.refundedQuantity": _through("processed_quantity"),
    "ReturnLineItem.unprocessedQuantity": lambda entry, _: entry.quantity - entry.processed_quantity,
    "WebhookSubscription.apiVersion": lambda _, info: api_version(shop_of(info).knobs.payload_version),
    "WebhookSubscription.callbackUrl": _through("uri"),
}
"""By `Type.field`."""
