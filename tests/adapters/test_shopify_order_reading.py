"""The open channel against a stand-in: the order feed, and orders in many parts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.shopify.channel import ShopifyChannel
from syncd.sdk.errors import ProtocolError, TransientError
from syncd.testing.loop import running
from tests.adapters.shopify_samples import ORDER, request
from tests.adapters.shopify_stub import Stub, line, order, page, play

# --- orders ------------------------------------------------------------------------------------------------------


def test_feed_goes_from_open_to_changed() -> None:
    """The first scan reads open orders page by page, the next one what changed since the first began."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdOrders", {"orders": page([order(1)], "c1")}, {"orders": page([order(2)])}, {"orders": page([])})
        began = running().clock.now()
        first = await channel.orders(None)
        await asyncio.sleep(5)
        second = await channel.orders(first.cursor)
        third = await channel.orders(second.cursor)
        assert [(found.more, found.complete_until) for found in (first, second)] == [
            (True, None),
            (False, began - 120_000_000),
        ]
        asked = [request.variables for request in stub.of("SyncdOrders")]
        assert [variables["after"] for variables in asked] == [None, "c1", None]
        assert asked[0]["query"] == asked[1]["query"] == "status:open"
        assert asked[2]["query"] == "updated_at:>='2026-09-30T23:58:00Z'"
        assert third.orders == ()
        assert [found.orders[0].order_id for found in (first, second)] == ["1", "2"]

    play(scene)


def test_ignored_filter_stops_the_feed() -> None:
    """A feed whose filter was ignored is not taken for what changed."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        report = {"search": [{"path": ["orders"], "warnings": [{"code": "invalid_field", "field": "updated_at"}]}]}
        stub.says("SyncdOrders", {"data": {"orders": page([])}, "extensions": report})
        with pytest.raises(ProtocolError):
            await channel.orders(None)

    play(scene)


def test_no_line_of_a_long_order_is_lost() -> None:
    """An order with more lines than a page holds is read to its end, once in the feed and once by its id."""
    long = order(7, lineItems=page([line(number) for number in range(100, 350)], "l1"))
    short = order(7, lineItems=page([line(number) for number in range(100, 150)], "x"))

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdOrders", {"orders": page([order(6), short])})
        stub.says("SyncdOrdersById", {"nodes": [long]})
        rest = {
            "id": long["id"],
            "updatedAt": long["updatedAt"],
            "lineItems": page([line(number) for number in range(350, 420)]),
        }
        stub.says("SyncdOrderLines", {"order": rest})
        found = (await channel.orders(None)).orders
        assert [(snapshot.order_id, len(snapshot.lines)) for snapshot in found] == [("6", 1), ("7", 320)]
        (again,) = await channel.fetch(["7"])
        assert (len(again.lines), again.fresh) == (320, True)

    play(scene)


def test_no_shipped_unit_of_a_long_parcel_is_lost() -> None:
    """A parcel of more lines than a page holds is read from both ends."""
    numbers = list(range(100, 400))

    def parcel(some: list[int]) -> dict[str, Any]:
        rows = [
            {"id": f"gid://shopify/F/{number}", "quantity": 1, "lineItem": {"id": f"gid://shopify/LineItem/{number}"}}
            for number in some
        ]
        return {"id": "gid://shopify/Fulfillment/1", "status": "SUCCESS", "fulfillmentLineItems": {"nodes": rows}}

    long = order(
        7, lineItems=page([line(number) for number in numbers[:250]], "l1"), fulfillments=[parcel(numbers[:250])]
    )

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdOrdersById", {"nodes": [long]})
        head = {"id": long["id"], "updatedAt": long["updatedAt"]}
        stub.says("SyncdOrderLines", {"order": {**head, "lineItems": page([line(number) for number in numbers[250:]])}})
        far = [*reversed(numbers)][:250]
        stub.says("SyncdOrderTails", {"order": {**head, "fulfillments": [parcel(far)], "refunds": []}})
        (found,) = await channel.fetch(["7"])
        assert len(found.lines) == 300
        assert {line.shipped for line in found.lines} == {1}

    play(scene)


def test_order_that_changes_while_read_is_read_again() -> None:
    """Parts of an order from different moments are never put together."""
    head = {"id": "gid://shopify/Order/7"}

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        old = order(7, lineItems=page([line(1)], "l1"))
        new = order(7, lineItems=page([line(1)], "l1"), updatedAt="2026-09-30T23:45:00Z")
        stub.says("SyncdOrdersById", {"nodes": [old]}, {"nodes": [new]})
        stub.says("SyncdOrderLines", {"order": {**head, "updatedAt": new["updatedAt"], "lineItems": page([line(2)])}})
        (found,) = await channel.fetch(["7"])
        assert len(found.lines) == 2
        stub.says("SyncdOrdersById", {"nodes": [old]})
        with pytest.raises(TransientError):
            await channel.fetch(["7"])

    play(scene)


def test_missing_orders_are_left_out() -> None:
    """Ids that are no order, or of one that is gone, are left out; each order is asked for once."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdOrdersById", {"nodes": [None, order(2), {}]})
        found = await channel.fetch(["1", "2", "3", "2", "gone"])
        assert [snapshot.order_id for snapshot in found] == ["2"]
        assert len(stub.requests[0].variables["ids"]) == 3
        assert await channel.fetch(["nothing"]) == []

    play(scene)


def test_fetched_order_teaches_webhooks() -> None:
    """Once a variant was seen in an order, a webhook that sells it is understood without a request."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdOrdersById", {"nodes": [order(1)]})
        body = {**ORDER, "line_items": [{**ORDER["line_items"][0], "variant_id": 103}]}
        assert channel.parse(request("orders/create", body)).orders == ()
        await channel.fetch(["1"])
        (found,) = channel.parse(request("orders/create", body)).orders
        assert found.lines[0].remote_id == "105"

    play(scene)
