"""Deliveries of Shopify for tests: one whose signature is known, and a small order."""

from __future__ import annotations

import json
from typing import Any

from syncd.sdk.channel import RawRequest

SHOP = "example-jp.myshopify.com"
SECRET = b"shpss_test_secret"
BODY = (
    b'{"inventory_item_id":808950810,"location_id":655441491,"available":10,"updated_at":"2026-11-22T09:00:00+09:00",'
    b'"admin_graphql_api_id":"gid://shopify/InventoryLevel/110012006577?inventory_item_id=808950810"}'
)
HEADERS = {
    "x-shopify-topic": "inventory_levels/update",
    "x-shopify-hmac-sha256": "ttM7wQHoYMQZ062DI1vvyQH4IzEaGSLHJfoZZ+HWyII=",
    "x-shopify-shop-domain": SHOP,
    "x-shopify-api-version": "2026-10",
    "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
    "x-shopify-event-id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
    "x-shopify-triggered-at": "2026-11-22T00:00:00.123456789Z",
}
DELIVERY = RawRequest(headers=HEADERS, body=BODY)

ORDER: dict[str, Any] = {
    "id": 820982911946154508,
    "name": "#1001",
    "created_at": "2026-11-22T09:00:00+09:00",
    "updated_at": "2026-11-22T09:01:00+09:00",
    "cancelled_at": None,
    "closed_at": None,
    "test": False,
    "financial_status": "paid",
    "fulfillment_status": None,
    "line_items": [
        {"id": 11, "variant_id": 301, "sku": "TEE", "quantity": 2, "current_quantity": 2, "fulfillable_quantity": 2}
    ],
    "fulfillments": [],
    "refunds": [],
}
ORDER_ID = "820982911946154508"


def request(topic: str, body: object, **headers: str) -> RawRequest:
    return RawRequest(headers={**HEADERS, "x-shopify-topic": topic, **headers}, body=json.dumps(body).encode())
