"""Webhooks of the simulated shop: who may subscribe, what a delivery says, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.shopify.simulated.webhooks import topic_of
from tests.adapters.shopify_simulation import Receiver, Scene, opened, receiving, signed, subscribe, subscribed

LIST = """{ webhookSubscriptions(first: 250) { nodes { id topic uri callbackUrl } } }"""
UPDATE = """mutation U($id: ID!, $sub: WebhookSubscriptionInput!) { webhookSubscriptionUpdate(id: $id,
  webhookSubscription: $sub) { webhookSubscription { uri includeFields } userErrors { message } } }"""
DELETE = """mutation D($id: ID!) { webhookSubscriptionDelete(id: $id) {
  deletedWebhookSubscriptionId userErrors { message } } }"""
PUBLIC = "https://sync.example.jp/webhooks/shopify"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


# --- subscribing -----------------------------------------------------------------------------------------------------


async def test_a_subscription_is_listed_changed_and_deleted(scene: Scene) -> None:
    """What was made is listed as it was made, until it is deleted."""
    identity = await subscribed(scene, "ORDERS_CREATE", uri=PUBLIC, name="syncd-orders", includeFields=["id"])
    (node,) = (await scene.data(LIST))["webhookSubscriptions"]["nodes"]
    assert node == {"id": identity, "topic": "ORDERS_CREATE", "uri": PUBLIC, "callbackUrl": PUBLIC}
    sub = {"uri": f"{PUBLIC}/2", "includeFields": ["id", "updated_at"]}
    changed = (await scene.data(UPDATE, id=identity, sub=sub))["webhookSubscriptionUpdate"]
    assert changed["webhookSubscription"] == sub
    assert (await scene.data(DELETE, id=identity))["webhookSubscriptionDelete"] == {
        "deletedWebhookSubscriptionId": identity,
        "userErrors": [],
    }
    assert (await scene.data(LIST))["webhookSubscriptions"]["nodes"] == []
    gone = (await scene.data(DELETE, id=identity))["webhookSubscriptionDelete"]
    assert gone["userErrors"] == [{"message": "Webhook subscription does not exist"}]


@pytest.mark.parametrize(
    ("sub", "told"),
    [
        ({"uri": "http://sync.example.jp/hook"}, "Address protocol http:// is not supported"),
        ({"uri": "ftp://sync.example.jp/hook"}, "Address protocol ftp:// is not supported"),
        ({"uri": "https://another.myshopify.com/hook"}, "Address is not allowed"),
        ({"uri": "https://localhost/hook"}, "Address is not allowed"),
        ({}, "Address can't be blank"),
        ({"uri": PUBLIC, "name": "no spaces"}, "Name name field can only contain alphanumeric"),
        ({"uri": PUBLIC, "name": "x" * 51}, "Name is too long (maximum is 50 characters)"),
        ({"uri": PUBLIC, "filter": "shoes"}, "The specified filter is invalid"),
        ({"uri": PUBLIC, "filter": "financial_status:paid AND shoes"}, "The specified filter is invalid"),
    ],
)
async def test_a_wrong_subscription_is_refused(scene: Scene, sub: dict[str, Any], told: str) -> None:
    """Addresses, names and filters are checked; plain http is let through to this machine only."""
    payload = await subscribe(scene, "ORDERS_CREATE", **sub)
    assert payload["webhookSubscription"] is None
    assert told in payload["userErrors"][0]["message"]


async def test_an_address_is_taken_once_per_topic(scene: Scene) -> None:
    """The same topic and address is refused, another topic is not, and names are unique whatever their case."""
    await subscribed(scene, "ORDERS_CREATE", uri=PUBLIC, name="orders")
    taken = await subscribe(scene, "ORDERS_CREATE", uri=PUBLIC)
    assert [error["message"] for error in taken["userErrors"]] == ["Address for this topic has already been taken"]
    await subscribed(scene, "ORDERS_UPDATED", uri=PUBLIC)
    named = await subscribe(scene, "ORDERS_PAID", uri=PUBLIC, name="ORDERS")
    assert [error["message"] for error in named["userErrors"]] == ["Name has already been taken"]


async def test_a_topic_needs_its_scope(scene: Scene) -> None:
    """Without the right there is no subscription."""
    await scene.post("/_sim/shopify/knobs", {"scopes": ["read_products"]})
    payload = await subscribe(scene, "ORDERS_CREATE", uri=PUBLIC)
    assert "permission" in payload["userErrors"][0]["message"]
    assert (await subscribe(scene, "PRODUCTS_UPDATE", uri=PUBLIC))["userErrors"] == []


@pytest.mark.parametrize(
    ("enum", "header"),
    [
        ("ORDERS_CREATE", "orders/create"),
        ("ORDERS_PARTIALLY_FULFILLED", "orders/partially_fulfilled"),
        ("INVENTORY_LEVELS_UPDATE", "inventory_levels/update"),
        ("FULFILLMENT_ORDERS_ORDER_ROUTING_COMPLETE", "fulfillment_orders/order_routing_complete"),
        ("REVERSE_FULFILLMENT_ORDERS_DISPOSE", "reverse_fulfillment_orders/dispose"),
        ("APP_SCOPES_UPDATE", "app/scopes_update"),
        ("VARIANTS_IN_STOCK", "variants/in_stock"),
    ],
)
def test_a_topic_has_two_names(enum: str, header: str) -> None:
    """Deliveries write a topic otherwise than the API."""
    assert topic_of(enum) == header


# --- what a delivery says --------------------------------------------------------------------------------------------


async def test_a_delivery_is_signed_and_says_where_it_is_from(scene: Scene, receiver: Receiver) -> None:
    """All headers of the real one are there, and the signature is that of the raw bytes."""
    await subscribed(scene, "ORDERS_CREATE", uri=receiver.url, name="orders")
    await scene.buy(("SKU-00001", 1))
    await receiver.topics(1)
    headers, raw = receiver.got[0]
    assert headers["x-shopify-hmac-sha256"] == signed(raw, scene.simulator.secrets[0])
    assert headers["x-shopify-topic"] == "orders/create"
    assert headers["x-shopify-shop-domain"] == scene.simulator.settings(scene.url)["shop"]
    assert headers["x-shopify-api-version"] == "2026-10"
    assert headers["x-shopify-name"] == "orders"
    assert headers["x-shopify-triggered-at"].startswith("2026-10-01T00:00:00.700000")
    assert headers["x-shopify-webhook-id"] != headers["x-shopify-event-id"]


async def test_one_purchase_is_one_event(scene: Scene, receiver: Receiver) -> None:
    """Its order and its levels bear one event id and webhook ids of their own; each topic comes once per resource."""
    for topic in ("ORDERS_CREATE", "ORDERS_PAID", "INVENTORY_LEVELS_UPDATE"):
        await subscribed(scene, topic, uri=receiver.url)
    await scene.buy(("SKU-00001", 1), ("SKU-00002", 1))
    topics = await receiver.topics(4)
    assert sorted(topics) == ["inventory_levels/update", "inventory_levels/update", "orders/create", "orders/paid"]
    assert len({headers["x-shopify-event-id"] for headers, _ in receiver.got}) == 1
    assert len({headers["x-shopify-webhook-id"] for headers, _ in receiver.got}) == 4


async def test_an_order_is_rest_shaped(scene: Scene, receiver: Receiver) -> None:
    """Numbers for ids, lower case for states, the shop's zone for times, and neither item nor location."""
    await subscribed(scene, "ORDERS_CREATE", uri=receiver.url)
    bought = await scene.buy(("SKU-00001", 2))
    await receiver.topics(1)
    (body,) = receiver.bodies("orders/create")
    (line,) = body["line_items"]
    assert body["id"] == int(bought["order_id"])
    assert body["admin_graphql_api_id"] == f"gid://shopify/Order/{bought['order_id']}"
    assert (body["financial_status"], body["fulfillment_status"], body["location_id"]) == ("paid", None, None)
    assert body["updated_at"] == "2026-10-01T09:00:00+09:00"
    assert (line["sku"], line["quantity"], line["current_quantity"], line["fulfillable_quantity"]) == (
        "SKU-00001",
        2,
        2,
        2,
    )
    assert "inventory_item_id" not in line
    assert line["variant_id"] == scene.item().variant.legacy_resource_id


@pytest.mark.parametrize(
    ("steps", "topics"),
    [
        ([], ["orders/create", "orders/paid", "orders/updated"]),
        (["ship"], ["orders/fulfilled", "orders/updated", "fulfillments/create"]),
        (["cancel"], ["orders/cancelled", "orders/updated"]),
        (["refund"], ["refunds/create", "orders/updated"]),
        (
            ["ship", "return"],
            ["returns/approve", "orders/updated", "returns/close", "refunds/create", "orders/updated"],
        ),
    ],
)
async def test_what_happens_to_an_order_is_told(
    scene: Scene, receiver: Receiver, steps: list[str], topics: list[str]
) -> None:
    """Each step has its topics."""
    for topic in (
        "ORDERS_CREATE",
        "ORDERS_PAID",
        "ORDERS_UPDATED",
        "ORDERS_CANCELLED",
        "ORDERS_FULFILLED",
        "FULFILLMENTS_CREATE",
        "REFUNDS_CREATE",
        "RETURNS_APPROVE",
        "RETURNS_CLOSE",
    ):
        await subscribed(scene, topic, uri=receiver.url)
    order_id = (await scene.buy(("SKU-00001", 1)))["order_id"]
    await receiver.topics(3)
    for step in steps:
        receiver.got.clear()
        await scene.post(f"/_sim/orders/{order_id}/{step}", {})
        await receiver.topics(3 if step == "ship" else len(topics))
    assert sorted(await receiver.topics(len(topics))) == sorted(topics)


async def test_a_level_says_what_is_true_when_it_is_assembled(scene: Scene, receiver: Receiver) -> None:
    """Two quick edits give two webhooks with the later number: a pulse is lost, as with the real one."""
    scene.simulator.time_scale = 1.0
    await scene.post("/_sim/shopify/knobs", {"level_delay_s": [0.05, 0.05]})
    await subscribed(scene, "INVENTORY_LEVELS_UPDATE", uri=receiver.url)
    await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": 0})
    await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": 9})
    await receiver.topics(2)
    bodies = receiver.bodies("inventory_levels/update")
    assert [body["available"] for body in bodies] == [9, 9]
    assert bodies[0].keys() == {"inventory_item_id", "location_id", "available", "updated_at", "admin_graphql_api_id"}


async def test_own_writes_come_back_without_a_name(scene: Scene, receiver: Receiver) -> None:
    """A write by the API fires the level's webhook; nothing in it says who wrote."""
    await subscribed(scene, "INVENTORY_LEVELS_UPDATE", uri=receiver.url)
    await scene.set(scene.row())
    await receiver.topics(1)
    (body,) = receiver.bodies("inventory_levels/update")
    assert body["available"] == 7


async def test_the_first_and_the_last_unit_are_told(scene: Scene, receiver: Receiver) -> None:
    """A variant that runs out, and one that comes back, have topics of their own."""
    for topic in ("VARIANTS_OUT_OF_STOCK", "VARIANTS_IN_STOCK"):
        await subscribed(scene, topic, uri=receiver.url)
    for quantity in (0, 5):
        await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": quantity})
    assert sorted(await receiver.topics(2)) == ["variants/in_stock", "variants/out_of_stock"]
    assert receiver.bodies("variants/in_stock")[0]["inventory_quantity"] == 5


async def test_only_the_fields_that_were_asked_for_are_sent(scene: Scene, receiver: Receiver) -> None:
    """`includeFields` keeps personal data out, also within lines."""
    fields = ["id", "updated_at", "line_items.sku", "line_items.current_quantity"]
    await subscribed(scene, "ORDERS_CREATE", uri=receiver.url, includeFields=fields)
    bought = await scene.buy(("SKU-00001", 2))
    await receiver.topics(1)
    (body,) = receiver.bodies("orders/create")
    assert body == {
        "id": int(bought["order_id"]),
        "updated_at": "2026-10-01T09:00:00+09:00",
        "line_items": [{"sku": "SKU-00001", "current_quantity": 2}],
    }
    assert not any(canary.encode() in receiver.got[0][1] for canary in scene.simulator.canaries)


async def test_the_whole_order_holds_personal_data(scene: Scene, receiver: Receiver) -> None:
    """Whoever takes every field gets the canary."""
    await subscribed(scene, "ORDERS_CREATE", uri=receiver.url)
    await scene.buy(("SKU-00001", 1))
    await receiver.topics(1)
    assert all(canary.encode() in receiver.got[0][1] for canary in scene.simulator.canaries)


@pytest.mark.parametrize(("fields", "count"), [(["inventory_item_id"], 1), (["inventory_item_id", "updated_at"], 2)])
async def test_equal_bodies_without_a_time_are_dropped(
    scene: Scene, receiver: Receiver, fields: list[str], count: int
) -> None:
    """Without `updated_at` a second equal body is taken for a repeat and not sent."""
    await subscribed(scene, "INVENTORY_LEVELS_UPDATE", uri=receiver.url, includeFields=fields)
    for quantity in (1, 2):
        await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": quantity})
    await scene.post("/_sim/set", {"sku": "SKU-00002", "quantity": 1})
    await receiver.topics(count + 1)
    items = [body["inventory_item_id"] for body in receiver.bodies("inventory_levels/update")]
    assert items.count(scene.item().legacy_resource_id) == count


async def test_a_filter_holds_back_what_does_not_match(scene: Scene, receiver: Receiver) -> None:
    """Only what the filter names is delivered."""
    await subscribed(scene, "ORDERS_CREATE", uri=receiver.url, filter="line_items.sku:SKU-00002")
    await scene.buy(("SKU-00001", 1))
    await scene.buy(("SKU-00002", 1))
    await receiver.topics(1)
    assert [body["name"] for body in receiver.bodies("orders/create")] == ["#1002"]


async def test_the_old_secret_signs_until_it_is_revoked(scene: Scene, receiver: Receiver) -> None:
    """After a rotation the oldest secret still signs; after it is revoked the new one does."""
    await subscribed(scene, "ORDERS_CREATE", uri=receiver.url)
    old = scene.simulator.settings(scene.url)["client_secret"]
    new = (await scene.post("/_sim/shopify/secret", {})).body["client_secret"]
    assert scene.simulator.settings(scene.url)["client_secret"] == new != old
    await scene.buy(("SKU-00001", 1))
    await receiver.topics(1)
    await scene.post("/_sim/shopify/secret", {"revoke": True})
    await scene.buy(("SKU-00001", 1))
    await receiver.topics(2)
    signatures = [(headers["x-shopify-hmac-sha256"], raw) for headers, raw in receiver.got]
    assert signatures[0][0] == signed(signatures[0][1], old)
    assert signatures[1][0] == signed(signatures[1][1], new)


async def test_the_end_of_the_app_is_the_last_that_is_told(scene: Scene, receiver: Receiver) -> None:
    """When the app is removed or its rights change it hears of that, and of nothing after the removal."""
    for topic in ("APP_UNINSTALLED", "APP_SCOPES_UPDATE", "ORDERS_CREATE"):
        await subscribed(scene, topic, uri=receiver.url)
    await scene.post("/_sim/shopify/knobs", {"scopes": ["read_products"]})
    await receiver.topics(1)
    assert receiver.bodies("app/scopes_update")[0]["current"] == ["read_products"]
    scene.simulator.uninstall()
    await scene.buy(("SKU-00001", 1))
    assert (await receiver.topics(2))[1] == "app/uninstalled"
    assert len(receiver.got) == 2
