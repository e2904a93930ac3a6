"""Which webhooks syncd asks for, and the plan that brings the subscriptions of a shop to that: pure.

Source: shopify.dev, webhook topics and their scopes, 2026-07. A subscription made by the API is deleted by Shopify
after eight failed deliveries in a row, so the plan is made again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters.shopify import payloads
from adapters.shopify.wire import Page, UserError

NAME_PREFIX = "syncd-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic by its header name. `scopes`: any one of them is needed, none is needed where it is empty."""

    name: str
    scopes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    needed: bool = True

    @property
    def enum(self) -> str:
        """Return the name that the API uses."""
        return self.name.replace("/", "_").upper()

    @property
    def label(self) -> str:
        """Return the name of our subscription, by which we know it again."""
        return NAME_PREFIX + self.name.replace("/", "-").replace("_", "-")


_ORDERS = ("read_orders",)
_SHIPMENTS = ("read_fulfillments",)
_RETURNS = ("read_returns",)
_STOCK = ("read_inventory",)
_GOODS = ("read_products",)
_PLACES = ("read_locations",)


def _order_topics(*, offers: bool) -> tuple[Topic, ...]:
    names = ("orders/create", "orders/updated", "orders/cancelled")
    return tuple(Topic(name=name, scopes=_ORDERS, fields=payloads.fields(offers=offers)) for name in names)


_OTHERS: tuple[Topic, ...] = (
    Topic(name="orders/edited", scopes=_ORDERS, fields=("order_edit.id", "order_edit.order_id")),
    Topic(name="refunds/create", scopes=_ORDERS, fields=("id", "order_id", "created_at")),
    *(
        Topic(name=name, scopes=_SHIPMENTS, fields=("id", "order_id", "status", "updated_at"), needed=False)
        for name in ("fulfillments/create", "fulfillments/update")
    ),
    *(
        Topic(name=name, scopes=_RETURNS, fields=("id", "status", "order.id"), needed=False)
        for name in ("returns/request", "returns/approve", "returns/decline")
    ),
    *(
        Topic(name=name, scopes=_RETURNS, fields=("id", "status", "order_id"), needed=False)
        for name in ("returns/cancel", "returns/close", "returns/reopen")
    ),
    *(
        Topic(name=name, scopes=_STOCK, fields=("inventory_item_id", "location_id", "available", "updated_at"))
        for name in ("inventory_levels/connect", "inventory_levels/update")
    ),
    Topic(name="inventory_levels/disconnect", scopes=_STOCK),
    *(
        Topic(name=name, scopes=(*_STOCK, *_GOODS), fields=("id", "sku", "tracked", "updated_at"))
        for name in ("inventory_items/create", "inventory_items/update")
    ),
    Topic(name="inventory_items/delete", scopes=(*_STOCK, *_GOODS)),
    *(
        Topic(name=name, scopes=_GOODS, fields=("id", "status", "updated_at"))
        for name in ("products/create", "products/update")
    ),
    Topic(name="products/delete", scopes=_GOODS),
    *(
        Topic(name=name, scopes=_PLACES, fields=("id", "updated_at"), needed=False)
        for name in ("locations/activate", "locations/deactivate", "locations/update")
    ),
    Topic(name="app/uninstalled", fields=("id", "updated_at")),
    Topic(name="app/scopes_update"),
)
TOPICS: tuple[Topic, ...] = (*_order_topics(offers=False), *_OTHERS)
"""What is asked for. Moves between locations and dispositions of returns name no order; their levels speak for them."""


TOPICS_AND_OFFERS: tuple[Topic, ...] = (*_order_topics(offers=True), *_OTHERS)
"""The same for a shop with private sales."""


class Subscription(msgspec.Struct, frozen=True, rename="camel"):
    """A subscription as the shop has it."""

    id: str
    topic: str
    uri: str
    format: str
    include_fields: list[str]
    name: str | None = None


class WebhooksData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdWebhooks."""

    webhook_subscriptions: Page[Subscription]


class ChangePayload(msgspec.Struct, frozen=True, rename="camel"):
    """How making or deleting a subscription ended."""

    user_errors: list[UserError]


class CreatedData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdWebhookCreate."""

    webhook_subscription_create: ChangePayload | None = None


class DeletedData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdWebhookDelete."""

    webhook_subscription_delete: ChangePayload | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to change: subscriptions of ours to delete first, topics to make, needed topics that no scope allows."""

    delete: tuple[Subscription, ...]
    create: tuple[Topic, ...]
    forbidden: tuple[Topic, ...]


def plan(
    existing: Sequence[Subscription], *, url: str, scopes: frozenset[str], topics: Sequence[Topic] = TOPICS
) -> Plan:
    """Plan the way to every topic delivered to `url`, each once. Only what bears our name is deleted.

    A subscription of somebody else's at our address serves as it is, since Shopify allows one per topic and address.
    """
    allowed = [topic for topic in topics if not topic.scopes or scopes.intersection(topic.scopes)]
    wanted = {topic.enum: topic for topic in allowed}
    kept: set[str] = set()
    delete: list[Subscription] = []
    for found in existing:
        topic = wanted.get(found.topic)
        serves = topic is not None and found.uri == url and found.topic not in kept
        if _is_ours(found) and not (serves and topic is not None and _is_current(found, topic)):
            delete.append(found)
        elif serves:
            kept.add(found.topic)
    return Plan(
        delete=tuple(delete),
        create=tuple(topic for topic in allowed if topic.enum not in kept),
        forbidden=tuple(topic for topic in topics if topic.needed and topic not in allowed),
    )


def subscription(topic: Topic, *, url: str) -> dict[str, Any]:
    """Return the variables that make a subscription."""
    sub: dict[str, Any] = {"uri": url, "format": "JSON", "name": topic.label}
    if topic.fields:
        sub["includeFields"] = list(topic.fields)
    return {"topic": topic.enum, "sub": sub}


def _is_ours(found: Subscription) -> bool:
    return (found.name or "").lower().startswith(NAME_PREFIX)


def _is_current(found: Subscription, topic: Topic) -> bool:
    return found.format == "JSON" and set(found.include_fields) == set(topic.fields)
