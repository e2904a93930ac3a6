"""Webhook subscriptions: what is accepted, what a delivery of one looks like, and when one is deleted.

Facts: validation as recorded in 2026-04; headers, signature and dropped repeats from shopify.dev (webhooks, delivery
structure and best practices, 2026-10); eight retries over four hours with the original payload to the original address
(changelog of September 2024); a subscription made by the Admin API is deleted after eight consecutive failures.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from adapters.shopify.simulated import payloads
from adapters.shopify.simulated.goods import gid
from adapters.shopify.simulated.search import Field, is_qualified, search
from adapters.shopify.simulated.stock_writes import UserError
from adapters.shopify.simulated.times import precise
from syncd.sdk.channel import Clock, Instant

FAILURES_TO_DELETION = 8
RETRIES = 8
RETRY_SPAN_S = 4 * 3_600.0
MAX_NAME = 50

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_NAME = re.compile(r"[A-Za-z0-9_-]+")

BODIES: dict[str, Callable[[Any], payloads.Body]] = {
    "fulfillment_orders/moved": payloads.moved_work,
    "fulfillments/create": payloads.fulfillment,
    "app/scopes_update": payloads.scopes,
    "app/uninstalled": payloads.shop,
    "inventory_items/create": payloads.item,
    "inventory_items/update": payloads.item,
    "inventory_levels/connect": payloads.level,
    "inventory_levels/disconnect": payloads.lost_level,
    "inventory_levels/update": payloads.level,
    "orders/cancelled": payloads.order,
    "orders/create": payloads.order,
    "orders/fulfilled": payloads.order,
    "orders/paid": payloads.order,
    "orders/partially_fulfilled": payloads.order,
    "orders/updated": payloads.order,
    "products/update": payloads.product,
    "refunds/create": payloads.refund,
    "returns/approve": payloads.opened_return,
    "returns/close": payloads.closed_return,
    "variants/in_stock": payloads.variant,
    "variants/out_of_stock": payloads.variant,
    "bulk_operations/finish": payloads.bulk_operation,
}
"""The topics that this shop sends, and how their bodies are made."""


def retry_delays_s() -> tuple[float, ...]:
    """Return how long each retry waits after the try before it: doubling, four hours in all."""
    first = RETRY_SPAN_S / (2**RETRIES - 1)
    return tuple(first * 2**turn for turn in range(RETRIES))


@dataclass(slots=True, eq=False, kw_only=True)
class WebhookSubscription:
    """One subscription made by the Admin API. `header` is its topic as deliveries write it: `orders/create`."""

    id: str
    legacy_resource_id: int
    topic: str
    uri: str
    created_at: Instant
    updated_at: Instant
    format: str = "JSON"
    filter: str | None = None
    include_fields: tuple[str, ...] = ()
    metafield_namespaces: tuple[str, ...] = ()
    name: str | None = None
    failures: int = 0
    last_body: bytes = b""

    header: str = ""

    def __post_init__(self) -> None:
        self.header = topic_of(self.topic)


@dataclass(slots=True, kw_only=True)
class SubscriptionWritten:
    """The payload of a subscription mutation."""

    webhook_subscription: WebhookSubscription | None = None
    deleted_webhook_subscription_id: str | None = None
    user_errors: list[UserError] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One POST: where, with which headers, which bytes."""

    uri: str
    headers: Mapping[str, str]
    body: bytes


def topic_of(enum: str) -> str:
    """Return `inventory_levels/update` for `INVENTORY_LEVELS_UPDATE`."""
    resources = ("BULK_OPERATIONS", "FULFILLMENT_EVENTS", "FULFILLMENT_ORDERS", "INVENTORY_ITEMS", "INVENTORY_LEVELS")
    resource = next((known for known in (*resources, "REVERSE_FULFILLMENT_ORDERS") if enum.startswith(f"{known}_")), "")
    head = resource or enum.partition("_")[0]
    return f"{head}/{enum[len(head) + 1 :]}".lower()


class Subscriptions:
    """All subscriptions of one app on one shop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = count(1389476151346)
        self.by_id: dict[str, WebhookSubscription] = {}

    def create(self, topic: str, given: Mapping[str, Any]) -> SubscriptionWritten:
        """Apply `webhookSubscriptionCreate`."""
        number, now = next(self._ids), self._clock.now()
        wanted = WebhookSubscription(
            id=gid("WebhookSubscription", number),
            legacy_resource_id=number,
            topic=topic,
            uri="",
            created_at=now,
            updated_at=now,
        )
        return self._save(wanted, given)

    def update(self, identity: str, given: Mapping[str, Any]) -> SubscriptionWritten:
        """Apply `webhookSubscriptionUpdate`."""
        known = self.by_id.get(identity)
        if known is None:
            return _refused("Webhook subscription does not exist", ("id",))
        return self._save(known, {"uri": known.uri, **given})

    def delete(self, identity: str) -> SubscriptionWritten:
        """Apply `webhookSubscriptionDelete`."""
        if self.by_id.pop(identity, None) is None:
            return _refused("Webhook subscription does not exist", ("id",))
        return SubscriptionWritten(deleted_webhook_subscription_id=identity)

    def matching(self, topic: str) -> list[WebhookSubscription]:
        """Return the subscriptions of a topic in header form."""
        return [known for known in self.by_id.values() if known.header == topic]

    def count_result(self, subscription: WebhookSubscription, *, delivered: bool) -> bool:
        """Note how a try ended; answers False when the subscription is gone, now or before."""
        subscription.failures = 0 if delivered else subscription.failures + 1
        if subscription.failures >= FAILURES_TO_DELETION:
            self.by_id.pop(subscription.id, None)
        return subscription.id in self.by_id

    def _save(self, wanted: WebhookSubscription, given: Mapping[str, Any]) -> SubscriptionWritten:
        place = "uri" if given.get("uri") or not given.get("callbackUrl") else "callbackUrl"
        uri = given.get(place) or ""
        errors = [UserError(field=("webhookSubscription", place), message=text) for text in _address_faults(uri)]
        errors += self._taken(wanted, uri, given, place)
        errors += self._name_errors(wanted, given.get("name"))
        if given.get("filter") and not is_qualified(given["filter"]):
            text = "The specified filter is invalid, please ensure you specify the field(s) you wish to filter on."
            errors.append(UserError(field=("webhookSubscription", "filter"), message=text))
        if errors:
            return SubscriptionWritten(user_errors=errors)
        wanted.uri, wanted.updated_at = uri, self._clock.now()
        wanted.format = given.get("format") or wanted.format
        wanted.filter = given.get("filter", wanted.filter)
        wanted.name = given.get("name", wanted.name)
        wanted.include_fields = tuple(given.get("includeFields") or wanted.include_fields)
        wanted.metafield_namespaces = tuple(given.get("metafieldNamespaces") or wanted.metafield_namespaces)
        self.by_id[wanted.id] = wanted
        return SubscriptionWritten(webhook_subscription=wanted)

    def _taken(self, wanted: WebhookSubscription, uri: str, given: Mapping[str, Any], place: str) -> list[UserError]:
        same = (
            known.topic == wanted.topic and known.uri == uri and known.filter == given.get("filter")
            for known in self.by_id.values()
            if known is not wanted
        )
        text = "Address for this topic has already been taken"
        return [UserError(field=("webhookSubscription", place), message=text)] if any(same) else []

    def _name_errors(self, wanted: WebhookSubscription, name: str | None) -> list[UserError]:
        if name is None:
            return []
        others = {(known.name or "").lower() for known in self.by_id.values() if known is not wanted}
        faults = []
        if not _NAME.fullmatch(name):
            faults.append("Name name field can only contain alphanumeric characters, underscores, and hyphens")
        if len(name) > MAX_NAME:
            faults.append(f"Name is too long (maximum is {MAX_NAME} characters)")
        if name.lower() in others:
            faults.append("Name has already been taken")
        return [UserError(field=("webhookSubscription", "name"), message=text) for text in faults]


def _refused(text: str, place: tuple[str, ...]) -> SubscriptionWritten:
    return SubscriptionWritten(user_errors=[UserError(field=place, message=text)])


def _address_faults(uri: str) -> Iterable[str]:
    if not uri:
        yield "Address can't be blank"
        return
    parts = urlsplit(uri)
    host = parts.hostname or ""
    # The real one takes https only. Plain http to this machine is let through, because rehearsals have no certificate.
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        yield f"Address protocol {parts.scheme or 'http'}:// is not supported"
    elif host.endswith(("shopify.com", "shopify.dev", ".internal")) or (parts.scheme == "https" and host in _LOOPBACK):
        yield "Address is not allowed"


class _AnyField(dict[str, Field]):
    """Search fields of a body: any dotted name reads that value, or the values in a list."""

    def __contains__(self, name: object) -> bool:
        return bool(name)

    def __getitem__(self, name: str) -> Field:
        return Field(read=lambda body: _values(body, name.split(".")))


def _values(value: Any, path: list[str]) -> Any:
    for position, name in enumerate(path):
        if isinstance(value, list):
            return tuple(_values(entry, path[position:]) for entry in value)
        value = value.get(name) if isinstance(value, dict) else None
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Stationery:
    """What every delivery of this shop says of itself. `secret` is the oldest one that is not revoked."""

    shop: str
    version: str
    secret: bytes


def write(
    subscription: WebhookSubscription, resource: object, *, at: Instant, ids: tuple[str, str], paper: Stationery
) -> Delivery | None:
    """Make the delivery of an event as the resource is now; None where the filter or a repeat holds it back.

    `at` is when the event fired, `ids` are those of the delivery and of the event.
    """
    body = BODIES[subscription.header](resource)
    if not search(subscription.filter, _AnyField()).matches(body):
        return None
    if subscription.include_fields:
        body = payloads.cut(body, subscription.include_fields)
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    timeless = bool(subscription.include_fields) and "updated_at" not in subscription.include_fields
    if timeless and raw == subscription.last_body:
        return None  # equal bodies without a time are taken for the same event
    subscription.last_body = raw
    return Delivery(uri=subscription.uri, headers=_headers(subscription, raw, at=at, ids=ids, paper=paper), body=raw)


def _headers(
    subscription: WebhookSubscription, raw: bytes, *, at: Instant, ids: tuple[str, str], paper: Stationery
) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Shopify-Captain-Hook",
        "X-Shopify-Topic": subscription.header,
        "X-Shopify-Hmac-Sha256": signature(raw, paper.secret),
        "X-Shopify-Shop-Domain": paper.shop,
        "X-Shopify-API-Version": paper.version,
        "X-Shopify-Webhook-Id": ids[0],
        "X-Shopify-Event-Id": ids[1],
        "X-Shopify-Triggered-At": precise(at),
    }
    return headers | ({"X-Shopify-Name": subscription.name} if subscription.name else {})


def signature(raw: bytes, secret: bytes) -> str:
    """Return the base64 HMAC-SHA256 of the raw body."""
    return base64.b64encode(hmac.new(secret, raw, hashlib.sha256).digest()).decode()
