"""Webhook bodies, REST shaped: field names and nesting of Shopify's own samples (2026-07), values of this shop.

Times are in the shop's zone, enums in lower case, ids are numbers with the global id beside them. There is neither an
inventory item nor a stock location in an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from adapters.shopify.simulated.bulk import BulkOperation
from adapters.shopify.simulated.goods import InventoryItem, InventoryLevel, Location, Product
from adapters.shopify.simulated.sales import (
    Customer,
    Fulfillment,
    FulfillmentOrder,
    LineItem,
    Order,
    Refund,
    RefundLineItem,
    Return,
)
from adapters.shopify.simulated.times import local
from syncd.sdk.channel import Instant

Body = dict[str, Any]


def _time(moment: Instant | None) -> str | None:
    return None if moment is None else local(moment)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def order(resource: Order) -> Body:
    """Return the body of `orders/*`."""
    person = _customer(resource.customer)
    address = _address(resource.customer)
    return {
        "id": resource.legacy_resource_id,
        "admin_graphql_api_id": resource.id,
        "app_id": 580111,
        "billing_address": address,
        "cancel_reason": _lower(resource.cancel_reason),
        "cancelled_at": _time(resource.cancelled_at),
        "closed_at": _time(resource.closed_at),
        "confirmed": True,
        "contact_email": resource.customer.email,
        "created_at": local(resource.created_at),
        "currency": "JPY",
        "current_total_price": str(resource.current_amount),
        "customer": person,
        "email": resource.customer.email,
        "financial_status": _lower(resource.display_financial_status),
        "fulfillment_status": _fulfillment_status(resource),
        "fulfillments": [fulfillment(parcel) for parcel in resource.fulfillments],
        "line_items": [_line(line) for line in resource.lines],
        "location_id": None,
        "name": resource.name,
        "note_attributes": [{"name": one["key"], "value": one["value"]} for one in resource.custom_attributes],
        "order_number": resource.number,
        "phone": resource.customer.phone,
        "processed_at": local(resource.created_at),
        "refunds": [refund(entry) for entry in resource.refunds],
        "returns": [],
        "shipping_address": address,
        "source_name": resource.source_name,
        "test": resource.test,
        "total_price": str(resource.amount),
        "updated_at": local(resource.updated_at),
    }


def _fulfillment_status(resource: Order) -> str | None:
    words = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}
    return words.get(resource.display_fulfillment_status)


def _customer(person: Customer) -> Body:
    return {
        "id": int(person.id.rsplit("/", 1)[1]),
        "admin_graphql_api_id": person.id,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "phone": person.phone,
        "default_address": _address(person),
    }


def _address(person: Customer) -> Body:
    return {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "name": person.name,
        "address1": person.address,
        "city": person.city,
        "zip": person.zip,
        "phone": person.phone,
        "country": "Japan",
        "country_code": "JP",
    }


def _line(line: LineItem, quantity: int | None = None) -> Body:
    whole = line.fulfilled and not line.unfulfilled_quantity
    return {
        "id": line.legacy_resource_id,
        "admin_graphql_api_id": line.id,
        "current_quantity": line.current_quantity,
        "fulfillable_quantity": line.unfulfilled_quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": "fulfilled" if whole else "partial" if line.fulfilled else None,
        "gift_card": False,
        "name": line.item.title,
        "price": str(line.item.price),
        "product_exists": True,
        "product_id": line.variant.product.legacy_resource_id,
        "quantity": line.quantity if quantity is None else quantity,
        "requires_shipping": line.item.requires_shipping,
        "sku": line.item.sku,
        "title": line.item.title,
        "variant_id": line.variant.legacy_resource_id,
        "variant_inventory_management": "shopify" if line.item.tracked else None,
    }


def fulfillment(parcel: Fulfillment) -> Body:
    """Return the body of `fulfillments/create`; a line's quantity is the one in this parcel."""
    url = f"https://example.com/track/{parcel.number}"
    return {
        "id": parcel.legacy_resource_id,
        "admin_graphql_api_id": parcel.id,
        "order_id": parcel.order.legacy_resource_id,
        "status": _lower(parcel.status),
        "created_at": local(parcel.created_at),
        "updated_at": local(parcel.updated_at),
        "service": "manual",
        "shipment_status": None,
        "location_id": parcel.location.legacy_resource_id,
        "email": parcel.order.customer.email,
        "destination": _address(parcel.order.customer),
        "name": parcel.name,
        "line_items": [_line(entry.line_item, entry.quantity) for entry in parcel.line_items],
        "tracking_company": parcel.company,
        "tracking_number": parcel.number,
        "tracking_numbers": [parcel.number],
        "tracking_url": url,
        "tracking_urls": [url],
    }


def refund(resource: Refund) -> Body:
    """Return the body of `refunds/create`; what counts is each line's `restock_type`, not the top `restock`."""
    return {
        "id": resource.legacy_resource_id,
        "admin_graphql_api_id": resource.id,
        "order_id": resource.order.legacy_resource_id,
        "created_at": local(resource.created_at),
        "processed_at": local(resource.created_at),
        "note": resource.note,
        "user_id": 548380009,
        "restock": any(entry.restocked for entry in resource.line_items),
        "refund_line_items": [_refund_line(entry) for entry in resource.line_items],
        "order_adjustments": [],
        "transactions": [],
        "return": None,
    }


def _refund_line(entry: RefundLineItem) -> Body:
    return {
        "id": entry.legacy_resource_id,
        "line_item_id": entry.line_item.legacy_resource_id,
        "quantity": entry.quantity,
        "location_id": entry.location.legacy_resource_id if entry.location else None,
        "restock_type": entry.restock_type.lower(),
        "subtotal": entry.quantity * entry.line_item.item.price,
        "total_tax": 0,
        "line_item": _line(entry.line_item),
    }


def opened_return(resource: Return) -> Body:
    """Return the body of `returns/request` and `returns/approve`."""
    return {
        "id": resource.legacy_resource_id,
        "admin_graphql_api_id": resource.id,
        "status": _lower(resource.status),
        "name": resource.name,
        "order": {"id": resource.order.legacy_resource_id, "admin_graphql_api_id": resource.order.id},
        "total_return_line_items": len(resource.line_items),
        "return_line_items": [],
    }


def closed_return(resource: Return) -> Body:
    """Return the body of `returns/close`."""
    return {
        "id": resource.legacy_resource_id,
        "admin_graphql_api_id": resource.id,
        "order_id": resource.order.legacy_resource_id,
        "status": _lower(resource.status),
    }


def moved_work(resource: tuple[FulfillmentOrder, Location]) -> Body:
    """Return the body of `fulfillment_orders/moved`: the work as it is now, and where it was."""
    work, source = resource
    return {
        "original_fulfillment_order": {"id": work.id, "status": "closed", "assigned_location_id": source.id},
        "moved_fulfillment_order": {"id": work.id, "status": "open", "assigned_location_id": work.location.id},
        "source_location": {"id": source.id},
        "destination_location_id": work.location.id,
        "fulfillment_order_line_items_requested": [
            {"id": entry.id, "quantity": entry.remaining_quantity} for entry in work.line_items
        ],
    }


def level(resource: InventoryLevel) -> Body:
    """Return the body of `inventory_levels/update` and `/connect`, with the value of this moment."""
    return {
        "inventory_item_id": resource.item.legacy_resource_id,
        "location_id": resource.location.legacy_resource_id,
        "available": resource.available if resource.item.tracked else None,
        "updated_at": local(resource.updated_at),
        "admin_graphql_api_id": resource.id,
    }


def lost_level(resource: InventoryLevel) -> Body:
    """Return the body of `inventory_levels/disconnect`."""
    return {
        "inventory_item_id": resource.item.legacy_resource_id,
        "location_id": resource.location.legacy_resource_id,
    }


def item(resource: InventoryItem) -> Body:
    """Return the body of `inventory_items/create` and `/update`."""
    return {
        "id": resource.legacy_resource_id,
        "sku": resource.sku,
        "created_at": local(resource.created_at),
        "updated_at": local(resource.updated_at),
        "requires_shipping": resource.requires_shipping,
        "cost": None,
        "tracked": resource.tracked,
        "admin_graphql_api_id": resource.id,
    }


def product(resource: Product) -> Body:
    """Return the body of `products/update`."""
    return {
        "id": resource.legacy_resource_id,
        "admin_graphql_api_id": resource.id,
        "status": resource.status.lower(),
        "title": resource.item.title,
        "updated_at": local(resource.item.updated_at),
        "variants": [{"id": resource.item.variant.legacy_resource_id, "sku": resource.item.sku}],
    }


def shop(resource: tuple[str, Instant]) -> Body:
    """Return the body of `app/uninstalled`: the shop, here its name and the moment."""
    domain, moment = resource
    return {"id": 548380009, "name": "syncd simulated", "myshopify_domain": domain, "updated_at": local(moment)}


def scopes(resource: tuple[Sequence[str], Sequence[str], Instant]) -> Body:
    """Return the body of `app/scopes_update`: what was granted before, and now."""
    before, now, moment = resource
    return {
        "id": 1,
        "shop_id": "gid://shopify/Shop/548380009",
        "previous": list(before),
        "current": list(now),
        "updated_at": local(moment),
    }


def variant(resource: tuple[InventoryItem, int, int]) -> Body:
    """Return the body of `variants/in_stock` and `/out_of_stock`: the item, and its stock before and after."""
    good, before, after = resource
    return {
        "id": good.variant.legacy_resource_id,
        "admin_graphql_api_id": good.variant.id,
        "product_id": good.variant.product.legacy_resource_id,
        "title": good.title,
        "sku": good.sku,
        "inventory_policy": good.policy.lower(),
        "inventory_quantity": after,
        "old_inventory_quantity": before,
        "updated_at": local(good.updated_at),
    }


def bulk_operation(resource: BulkOperation) -> Body:
    """Return the body of `bulk_operations/finish`: neither the query nor the address of the result."""
    return {
        "admin_graphql_api_id": resource.id,
        "completed_at": _time(resource.completed_at),
        "created_at": local(resource.created_at),
        "error_code": _lower(resource.error_code),
        "status": resource.status.lower(),
        "type": "query",
    }


def cut(body: Body, fields: Iterable[str]) -> Body:
    """Return only these fields of a body; `line_items.sku` reaches into objects and lists."""
    wanted: dict[str, list[str]] = {}
    for path in fields:
        head, _, rest = path.partition(".")
        wanted.setdefault(head, []).append(rest)
    return {name: _within(body[name], rests) for name, rests in wanted.items() if name in body}


def _within(value: Any, rests: list[str]) -> Any:
    if "" in rests:
        return value
    if isinstance(value, list):
        return [_within(entry, rests) for entry in value]
    return cut(value, rests) if isinstance(value, dict) else value
