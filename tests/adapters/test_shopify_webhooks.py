"""Webhooks of Shopify: signatures, what each topic means, and the subscriptions that bring them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.shopify import payloads, topics, webhooks, wire
from adapters.shopify.topics import TOPICS, Subscription
from adapters.shopify.webhooks import Knowledge
from syncd.sdk.channel import Forged, ListingRef, Notice, RawRequest
from syncd.sdk.errors import ProtocolError
from tests.adapters.shopify_samples import BODY, DELIVERY, HEADERS, ORDER, ORDER_ID, SECRET, SHOP, request

SHARED = Path(os.environ.get("SYNCD_SHARED", Path(__file__).resolve().parents[3] / "shared"))
SAMPLES = SHARED / "reference" / "shopify_webhook_samples"

NOW = wire.instant("2026-11-22T00:10:00Z")
KNOWN = Knowledge(variants={301: 501}, locations=frozenset(), now=NOW)


def parsed(topic: str, body: object, *, known: Knowledge = KNOWN, **headers: str) -> Notice:
    return webhooks.parse(request(topic, body, **headers), known)


# --- signatures --------------------------------------------------------------------------------------------------


def signed(secret: bytes) -> RawRequest:
    mac = base64.b64encode(hmac.new(secret, BODY, hashlib.sha256).digest()).decode()
    return replace(DELIVERY, headers={**HEADERS, "x-shopify-hmac-sha256": mac})


def test_documented_sample_is_genuine() -> None:
    """The sample delivery whose signature is known passes."""
    webhooks.verify(DELIVERY, secrets=[SECRET], shop=SHOP)


def test_both_secrets_of_a_rotation_are_taken() -> None:
    """While a secret is rotated, deliveries signed with the old and with the new one pass."""
    for secret in (b"new", SECRET):
        webhooks.verify(signed(secret), secrets=[b"new", SECRET], shop=SHOP)


@pytest.mark.parametrize(
    ("changes", "secrets", "status"),
    [
        ({"headers": {}}, [SECRET], 400),
        ({"headers": {**HEADERS, "x-shopify-hmac-sha256": ""}}, [SECRET], 400),
        ({"body": BODY + b"\n"}, [SECRET], 401),
        ({"body": BODY.replace(b":10,", b":11,")}, [SECRET], 401),
        ({"headers": {**HEADERS, "x-shopify-hmac-sha256": "ttM7"}}, [SECRET], 401),
        ({"headers": {**HEADERS, "x-shopify-hmac-sha256": "ｔｔ"}}, [SECRET], 401),
        ({"headers": {**HEADERS, "x-shopify-shop-domain": "other.myshopify.com"}}, [SECRET], 401),
        ({}, [b"another"], 401),
        ({}, [], 401),
    ],
)
def test_forged_delivery_is_refused(changes: dict[str, Any], secrets: list[bytes], status: int) -> None:
    """What Shopify did not sign for this shop is refused, with the status that tells why."""
    with pytest.raises(Forged) as refused:
        webhooks.verify(replace(DELIVERY, **changes), secrets=secrets, shop=SHOP)
    assert refused.value.status == status


# --- topics ------------------------------------------------------------------------------------------------------

LEVEL = {"inventory_item_id": 808950810, "location_id": 655441491}
READ = {"refs": (ListingRef(remote_id="808950810", remote_location="655441491"),)}
FETCH = {"order_ids": (ORDER_ID,)}
NUMBER = int(ORDER_ID)

MEANINGS = [
    ("inventory_levels/update", {**LEVEL, "available": 10}, READ),
    ("inventory_levels/update", {**LEVEL, "available": None}, READ),
    ("inventory_levels/connect", LEVEL, READ),
    ("inventory_levels/disconnect", LEVEL, READ),
    ("orders/edited", {"order_edit": {"id": 7, "order_id": NUMBER}}, FETCH),
    ("orders/delete", {"id": NUMBER}, FETCH),
    ("refunds/create", {"id": 7, "order_id": NUMBER, "refund_line_items": []}, FETCH),
    ("fulfillments/create", {"id": 7, "order_id": NUMBER, "status": "success"}, FETCH),
    ("fulfillments/update", {"id": 7, "order_id": NUMBER, "status": "cancelled"}, FETCH),
    ("fulfillment_events/create", {"id": 7, "fulfillment_id": 8, "order_id": NUMBER}, FETCH),
    ("returns/approve", {"id": 7, "status": "open", "order": {"id": NUMBER}}, FETCH),
    ("returns/close", {"id": 7, "status": "closed", "order_id": NUMBER}, FETCH),
    ("returns/process", {}, {}),
    ("returns/update", {"admin_graphql_api_id": "gid://shopify/Return/1"}, {}),
    ("reverse_fulfillment_orders/dispose", {"id": 7, "dispositions": []}, {}),
    ("fulfillment_orders/moved", {"source_location": {"id": "gid://shopify/Location/0"}}, {}),
    ("products/update", {"id": 7, "status": "active"}, {"catalogue": True}),
    ("products/delete", {"id": 7}, {"catalogue": True}),
    ("inventory_items/update", {"id": 7, "sku": "TEE"}, {"catalogue": True}),
    ("variants/in_stock", {"id": 7}, {"catalogue": True}),
    ("locations/deactivate", {"id": 7}, {"catalogue": True}),
    ("bulk_operations/finish", {"admin_graphql_api_id": "gid://shopify/BulkOperation/1"}, {}),
    ("carts/create", {}, {}),
]


@pytest.mark.parametrize(("topic", "body", "expected"), MEANINGS)
def test_topic_means_this(topic: str, body: dict[str, Any], expected: dict[str, Any]) -> None:
    """A topic names what to read, the order to fetch or the catalogue, and never a number to believe."""
    assert parsed(topic, body) == Notice(dedupe_key=HEADERS["x-shopify-webhook-id"], **expected)


def test_other_locations_mean_nothing() -> None:
    """A level at a location that was not chosen is not read."""
    known = replace(KNOWN, locations=frozenset({"1"}))
    assert parsed("inventory_levels/update", LEVEL, known=known).refs == ()


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/cancelled", "orders/paid"])
def test_order_comes_whole(topic: str) -> None:
    """An order payload is an order as of its event, with exact ids, ordered by its last change."""
    (order,) = parsed(topic, ORDER).orders
    assert (order.order_id, order.number, order.version) == (ORDER_ID, "#1001", NOW - 9 * 60 * 1_000_000)
    assert not order.fresh
    (line,) = order.lines
    assert (line.remote_id, line.remote_location, line.quantity) == ("501", "", 2)


def test_untracked_item_of_an_order_takes_nothing() -> None:
    """A line of an item that Shopify does not track is a line that takes nothing off a level."""
    line = ORDER["line_items"][0]
    for management, takes in (("shopify", True), (None, False)):
        body = {**ORDER, "line_items": [{**line, "variant_inventory_management": management}]}
        (order,) = parsed("orders/create", body).orders
        assert (order.lines[0].take is not None) is takes


@pytest.mark.parametrize(
    ("triggered", "expected"),
    [
        ("2026-11-22T00:02:00.5Z", "2026-11-22T00:02:00.5Z"),
        ("2026-11-22T00:00:00Z", "2026-11-22T00:01:00Z"),
        ("2099-01-01T00:00:00Z", "2026-11-22T00:10:00Z"),
        ("", "2026-11-22T00:01:00Z"),
        ("soon", "2026-11-22T00:01:00Z"),
    ],
)
def test_order_is_as_old_as_its_event(triggered: str, expected: str) -> None:
    """A late delivery counts as read when its event fired, not when it came; never later than now."""
    (order,) = parsed("orders/updated", ORDER, **{"x-shopify-triggered-at": triggered}).orders
    assert order.read_at == wire.instant(expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"line_items": [{**ORDER["line_items"][0], "variant_id": 999}]},
        {"line_items": [{"id": 11}]},
        {"fulfillments": [{"id": 61, "status": "success"}]},
        {"refunds": [{"id": 71, "created_at": "2026-11-22T00:00:00Z"}]},
        {"returns": [{"id": 1}]},
        {"updated_at": "soon"},
        {"name": None},
    ],
)
def test_order_that_is_not_whole_is_fetched(changes: dict[str, Any]) -> None:
    """A payload with an unknown variant, a missing part or a return is fetched by its id instead."""
    notice = parsed("orders/updated", {**ORDER, **changes})
    assert (notice.orders, notice.order_ids) == ((), (ORDER_ID,))


def test_removed_app_stops_the_channel() -> None:
    """The removal of the app stops the channel and tells a person, without what else the payload holds."""
    notice = parsed("app/uninstalled", {"id": 1, "email": "owner@example.jp"})
    assert notice.stop
    assert "install" in notice.text
    assert "@" not in notice.text


def test_lost_right_stops_the_channel() -> None:
    """A change of rights stops the channel only when a needed one is gone."""
    kept = ["read_orders", "write_inventory", "read_products", "read_locations"]
    assert not parsed("app/scopes_update", {"current": kept}).stop
    lost = parsed("app/scopes_update", {"current": kept[1:]})
    assert lost.stop
    assert "read_orders" in lost.text


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("orders/create", {}),
        ("orders/create", BODY.decode()),
        ("orders/edited", {"order_edit": 1}),
        ("refunds/create", []),
        ("inventory_levels/update", ORDER),
        ("products/update", LEVEL),
        ("app/uninstalled", {}),
        ("", {}),
    ],
)
def test_body_must_fit_its_topic(topic: str, body: object) -> None:
    """Headers are not signed, so a body under a foreign topic is refused."""
    with pytest.raises(ProtocolError):
        parsed(topic, body)


def test_every_sample_of_the_vendor_is_understood() -> None:
    """The vendor's own sample of every topic parses, and no order sample is taken with rounded ids."""
    if not SAMPLES.is_dir():
        pytest.skip(f"the vendor's samples are not at {SAMPLES} (set SYNCD_SHARED)")
    for path in sorted(SAMPLES.glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))["response"]
        notice = parsed(path.stem.replace("__", "/"), body)
        assert notice.orders == () or notice.orders[0].lines is not None, path.name


# --- subscriptions -----------------------------------------------------------------------------------------------

URL = "https://sync.example.jp/webhooks/shopify"
ALL_SCOPES = frozenset(scope for topic in TOPICS for scope in topic.scopes)


def subscribed(topic: topics.Topic, **changes: Any) -> Subscription:
    made = topics.subscription(topic, url=URL)["sub"]
    found = Subscription(
        id=f"gid://shopify/WebhookSubscription/{topic.name}",
        topic=topic.enum,
        uri=made["uri"],
        format=made["format"],
        include_fields=made.get("includeFields", []),
        name=made["name"],
    )
    return msgspec.structs.replace(found, **changes)


def test_empty_shop_gets_every_topic() -> None:
    """Without subscriptions every topic is made, each with a name of its own."""
    plan = topics.plan([], url=URL, scopes=ALL_SCOPES)
    assert (plan.delete, plan.create, plan.forbidden) == ((), TOPICS, ())
    assert len({topic.label for topic in TOPICS}) == len(TOPICS)
    assert len({topic.enum for topic in TOPICS}) == len(TOPICS)


def test_what_is_right_is_left_alone() -> None:
    """A shop that has everything is not touched."""
    plan = topics.plan([subscribed(topic) for topic in TOPICS], url=URL, scopes=ALL_SCOPES)
    assert (plan.delete, plan.create) == ((), ())


@pytest.mark.parametrize(
    ("changes", "deleted", "created"),
    [
        ({"uri": "https://old.example.jp/x"}, True, True),
        ({"include_fields": ["id"]}, True, True),
        ({"format": "XML"}, True, True),
        ({"name": "SYNCD-orders-create", "uri": "https://old.example.jp/x"}, True, True),
        ({"name": None}, False, False),
        ({"name": "other-tool", "uri": "https://other.example.jp/x"}, False, True),
        ({"name": None, "uri": "https://other.example.jp/x"}, False, True),
    ],
)
def test_only_our_own_are_deleted(changes: dict[str, Any], deleted: bool, created: bool) -> None:
    """Ours at another address or with other fields are replaced; other tools' stay and serve where they are right."""
    existing = [subscribed(TOPICS[0], **changes), *(subscribed(topic) for topic in TOPICS[1:])]
    plan = topics.plan(existing, url=URL, scopes=ALL_SCOPES)
    assert plan.delete == ((existing[0],) if deleted else ())
    assert plan.create == ((TOPICS[0],) if created else ())


def test_second_subscription_of_ours_is_deleted() -> None:
    """Of two subscriptions of one topic at one address one stays."""
    plan = topics.plan([subscribed(topic) for topic in (*TOPICS, TOPICS[0])], url=URL, scopes=ALL_SCOPES)
    assert (len(plan.delete), plan.create) == (1, ())


def test_topic_without_its_right_is_not_asked_for() -> None:
    """A needed topic that no right allows is reported, a useful one is left out."""
    plan = topics.plan([], url=URL, scopes=frozenset({"read_inventory"}))
    made = {topic.name for topic in plan.create}
    assert "inventory_levels/update" in made
    assert "returns/close" not in made | {topic.name for topic in plan.forbidden}
    assert "orders/create" in {topic.name for topic in plan.forbidden}


def test_nothing_personal_is_delivered() -> None:
    """Payloads of orders are cut down to what is read, and keep the time that tells equal ones apart."""
    fields = topics.subscription(TOPICS[0], url=URL)["sub"]["includeFields"]
    assert "updated_at" in fields
    personal = ("customer", "address", "mail", "phone", "note", "client", "ip", "token", "gateway")
    assert not [name for name in fields if any(word in name.split(".")[-1].split("_") for word in personal)]
    assert all(name.count(".") <= 1 for name in fields)


def test_asked_fields_are_enough() -> None:
    """A payload cut to the fields that are asked for is still an order."""
    fields = {name.split(".")[0] for name in payloads.fields()}
    cut = {key: value for key, value in ORDER.items() if key in fields}
    assert parsed("orders/create", cut).orders
