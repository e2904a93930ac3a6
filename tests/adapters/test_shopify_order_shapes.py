"""The two shapes in which an order of Shopify comes, and where a scan of the feed stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.shopify import feed, order_nodes, orders, payloads, wire
from syncd.sdk.channel import Delivery, Shipment
from syncd.sdk.errors import ProtocolError

S = 1_000_000
CREATED = wire.instant("2026-11-22T00:00:00Z")

# --- two shapes of one order -------------------------------------------------------------------------------------

NODE: dict[str, Any] = {
    "id": "gid://shopify/Order/1",
    "name": "#1001",
    "createdAt": "2026-11-22T00:00:00Z",
    "updatedAt": "2026-11-22T00:01:00Z",
    "cancelledAt": None,
    "closed": False,
    "confirmed": True,
    "test": False,
    "displayFinancialStatus": "PARTIALLY_REFUNDED",
    "displayFulfillmentStatus": "PARTIALLY_FULFILLED",
    "returnStatus": "NO_RETURN",
    "lineItems": {
        "nodes": [
            {
                "id": "gid://shopify/LineItem/11",
                "sku": "TEE",
                "quantity": 3,
                "currentQuantity": 2,
                "unfulfilledQuantity": 1,
                "variant": {
                    "id": "gid://shopify/ProductVariant/301",
                    "inventoryItem": {"id": "gid://shopify/InventoryItem/501", "tracked": True},
                },
            },
            {
                "id": "gid://shopify/LineItem/12",
                "sku": "GONE",
                "quantity": 1,
                "currentQuantity": 1,
                "unfulfilledQuantity": 1,
                "variant": None,
            },
        ],
        "pageInfo": {"hasNextPage": False, "endCursor": "c"},
    },
    "fulfillments": [
        {
            "id": "gid://shopify/Fulfillment/61",
            "status": "SUCCESS",
            "fulfillmentLineItems": {
                "nodes": [{"id": "gid://shopify/FulfillmentLineItem/1", "quantity": 1, "lineItem": {"id": "gid://shopify/LineItem/11"}}]
            },
        },
        {
            "id": "gid://shopify/Fulfillment/62",
            "status": "CANCELLED",
            "fulfillmentLineItems": {
                "nodes": [{"id": "gid://shopify/FulfillmentLineItem/2", "quantity": 1, "lineItem": {"id": "gid://shopify/LineItem/12"}}]
            },
        },
    ],
    "refunds": [
        {
            "id": "gid://shopify/Refund/71",
            "createdAt": "2026-11-22T00:00:30Z",
            "refundLineItems": {
                "nodes": [
                    {
                        "id": "gid://shopify/RefundLineItem/81",
                        "quantity": 1,
                        "restockType": "CANCEL",
                        "restocked": True,
                        "location": {"id": "gid://shopify/Location/9"},
                        "lineItem": {"id": "gid://shopify/LineItem/11"},
                    }
                ]
            },
        }
    ],
}  # fmt: skip

PAYLOAD: dict[str, Any] = {
    "id": 1,
    "name": "#1001",
    "created_at": "2026-11-22T09:00:00+09:00",
    "updated_at": "2026-11-22T09:01:00+09:00",
    "cancelled_at": None,
    "closed_at": None,
    "confirmed": True,
    "test": False,
    "financial_status": "partially_refunded",
    "fulfillment_status": "partial",
    "line_items": [
        {
            "id": 11,
            "variant_id": 301,
            "sku": "TEE",
            "quantity": 3,
            "current_quantity": 2,
            "fulfillable_quantity": 1,
            "variant_inventory_management": "shopify",
        },
        {"id": 12, "variant_id": None, "sku": "GONE", "quantity": 1, "current_quantity": 1, "fulfillable_quantity": 1},
    ],
    "fulfillments": [
        {"id": 61, "status": "success", "line_items": [{"id": 11, "quantity": 1}]},
        {"id": 62, "status": "cancelled", "line_items": [{"id": 12, "quantity": 1}]},
    ],
    "refunds": [
        {
            "id": 71,
            "created_at": "2026-11-22T09:00:30+09:00",
            "refund_line_items": [{"line_item_id": 11, "quantity": 1, "restock_type": "cancel", "location_id": 9}],
        }
    ],
    "returns": [],
}


def test_api_and_webhook_state_the_same() -> None:
    """The API's order and the webhook's order of one moment give equal snapshots, but for how parcels are followed."""
    node = msgspec.convert(NODE, order_nodes.OrderNode)
    payload = msgspec.convert(PAYLOAD, payloads.OrderPayload)
    by_api = orders.snapshot(order_nodes.facts(node), read_at=CREATED)
    by_webhook = orders.snapshot(payloads.facts(payload, variants={301: 501}), read_at=CREATED)
    assert replace(by_api, delivery=None) == by_webhook
    assert [(line.remote_id, line.cancelled, line.shipped) for line in by_api.lines] == [("501", 1, 1), ("", 0, 0)]


def test_variants_are_learned_from_orders() -> None:
    """An order tells which inventory item its variants stand for."""
    node = msgspec.convert(NODE, order_nodes.OrderNode)
    assert list(order_nodes.variants([node])) == [("301", "501")]


def test_unknown_variant_is_not_guessed() -> None:
    """A payload that sells a variant without a known item cannot be taken as an order."""
    payload = msgspec.convert(PAYLOAD, payloads.OrderPayload)
    with pytest.raises(payloads.UnknownVariant):
        payloads.facts(payload, variants={})


def test_full_lists_are_taken_for_cut() -> None:
    """An order whose lines go on, or with a list that is just full, is read again whole."""
    node = msgspec.convert(NODE, order_nodes.OrderNode)
    assert not order_nodes.is_cut(node, lines=2, parts=3)
    assert order_nodes.is_cut(node, lines=1, parts=3)
    assert order_nodes.is_cut(node, lines=2, parts=2)
    more = msgspec.structs.replace(
        node,
        line_items=wire.Page(nodes=node.line_items.nodes, page_info=wire.PageInfo(has_next_page=True, end_cursor="c")),
    )
    assert order_nodes.is_cut(more, lines=9, parts=9)


def test_far_ends_are_joined_once() -> None:
    """Rows that both ends of a parcel or refund show count once, also where rows have no id."""
    rows = [dict(NODE["refunds"][0]["refundLineItems"]["nodes"][0], id=None, quantity=number) for number in (1, 2, 3)]
    near = msgspec.convert(
        {**NODE, "refunds": [{**NODE["refunds"][0], "refundLineItems": {"nodes": rows[:2]}}]}, order_nodes.OrderNode
    )
    far = msgspec.convert(
        {**NODE, "refunds": [{**NODE["refunds"][0], "refundLineItems": {"nodes": rows[:0:-1]}}]}, order_nodes.TailsNode
    )
    joined = order_nodes.with_tails(near, far)
    assert [row.quantity for row in joined.refunds[0].refund_line_items.nodes] == [1, 2, 3]
    assert len(joined.fulfillments[0].fulfillment_line_items.nodes) == 1


# --- the feed ----------------------------------------------------------------------------------------------------

NOW = CREATED + 3_600 * S


def test_first_scan_reads_open_orders() -> None:
    """Without a cursor the feed reads what is open, whenever it changed."""
    assert feed.search(feed.resume(None, now=NOW)) == "status:open"


def test_scan_ends_before_it_began() -> None:
    """A scan is complete up to its start less the overlap, and the next one begins there."""
    first = feed.resume(None, now=NOW)
    paged = feed.resume(feed.text(feed.onward(first, after="c1", count=50, changed_at=NOW)), now=NOW + 9 * S)
    assert (paged.after, paged.began) == ("c1", NOW)
    end = feed.finished(paged, overlap_us=120 * S)
    assert end.since == NOW - 120 * S
    following = feed.resume(feed.text(end), now=NOW + 60 * S)
    assert (following.began, following.after) == (NOW + 60 * S, None)
    assert feed.search(following) == "updated_at:>='2026-11-22T00:58:00Z'"


def test_deep_search_is_left() -> None:
    """A search near the limit of its depth goes on as a new one from the last change, within the same scan."""
    deep = feed.Cursor(since=CREATED, only_open=True, began=NOW, after="c", read=feed.MOST_IN_SEARCH - 50)
    following = feed.onward(deep, after="d", count=50, changed_at=CREATED + 5 * S)
    assert (following.after, following.read, following.since) == (None, 0, CREATED + 5 * S)
    assert feed.search(following) == "status:open updated_at:>='2026-11-22T00:00:05Z'"


def test_deep_search_of_one_second_goes_on() -> None:
    """More orders of one second than a search should hold are paged on, for a new search would begin there again."""
    deep = feed.Cursor(since=CREATED + 5 * S, began=NOW, after="c", read=feed.MOST_IN_SEARCH)
    assert feed.onward(deep, after="d", count=50, changed_at=CREATED + 5 * S).after == "d"


@pytest.mark.parametrize("text", ["", "{}", "x", '{"since":1,"more":2}', '{"since":"a"}'])
def test_foreign_cursor_is_refused(text: str) -> None:
    """A stored place that is not ours stops the feed instead of starting it somewhere."""
    with pytest.raises(ProtocolError):
        feed.resume(text, now=NOW)


def test_parcels_are_told_with_each_of_their_numbers() -> None:
    """A parcel with two numbers is two shipments, one without any is one, and a cancelled one is none."""
    way = {"company": "Yamato (JA)", "number": "1234", "url": "https://example.com/1234"}
    parcel = {**NODE["fulfillments"][0], "createdAt": "2026-11-22T01:00:00Z", "trackingInfo": [way, {"number": "55"}]}
    plain = {**NODE["fulfillments"][0], "id": "gid://shopify/Fulfillment/62", "deliveredAt": "2026-11-23T00:00:00Z"}
    gone = {**parcel, "id": "gid://shopify/Fulfillment/63", "status": "CANCELLED"}
    node = msgspec.convert({**NODE, "fulfillments": [parcel, plain, gone]}, order_nodes.OrderNode)
    shipped_at = CREATED + 3600 * S
    assert orders.snapshot(order_nodes.facts(node), read_at=CREATED).delivery == Delivery(
        shipments=(
            Shipment(shipment_id="61", carrier=way["company"], number="1234", url=way["url"], shipped_at=shipped_at),
            Shipment(shipment_id="61/1", number="55", shipped_at=shipped_at),
            Shipment(shipment_id="62", delivered_at=CREATED + 86_400 * S),
        )
    )
