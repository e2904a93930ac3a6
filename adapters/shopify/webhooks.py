"""Webhooks of Shopify: who sent them, and what they mean. Pure.

Facts (shopify.dev, webhook delivery and HTTPS subscriptions, 2026-11): the signature is the Base64 HMAC-SHA256 of the
raw body with the app's client secret, after a rotation for up to an hour the old one; it covers no header, so a payload
must fit its topic, and nothing is believed that is not read again or guarded by its version. Deliveries come late,
twice, in any order or never.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from adapters.shopify import orders, payloads, wire
from adapters.shopify.scopes import lacking
from syncd.sdk.channel import Forged, Instant, ListingRef, Notice, OrderSnapshot, RawRequest
from syncd.sdk.errors import ProtocolError
from syncd.sdk.strict import decode

SIGNATURE = "x-shopify-hmac-sha256"
SHOP = "x-shopify-shop-domain"
TOPIC = "x-shopify-topic"
DELIVERY = "x-shopify-webhook-id"
TRIGGERED = "x-shopify-triggered-at"
VERSION = "x-shopify-api-version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What a webhook is read with: variants to inventory items, the chosen locations (empty: all), and the time.

    `offers` says that orders may come of private sales: one whose attributes are not told is read.
    """

    variants: Mapping[int, int]
    locations: Collection[str]
    now: Instant
    offers: bool = False


class _Named(msgspec.Struct, frozen=True):
    """Anything with an id."""

    id: int


class _OfOrder(msgspec.Struct, frozen=True):
    """Anything that names its order, in one of two ways, or does not."""

    order_id: int | None = None
    order: _Named | None = None


class _Edit(msgspec.Struct, frozen=True):
    """What an edit of an order says: only ids and differences."""

    order_edit: _OfOrder


class _Level(msgspec.Struct, frozen=True):
    """A level that changed. Its number may be a later one already, so it is not read."""

    inventory_item_id: int
    location_id: int


class _Scopes(msgspec.Struct, frozen=True):
    """The rights of the app after a change."""

    current: list[str]


def verify(request: RawRequest, *, secrets: Sequence[bytes], shop: str) -> None:
    """Raise `Forged` unless these bytes were signed with one of the secrets, for this shop."""
    header = request.headers.get(SIGNATURE)
    if not header:
        raise Forged(400, "no signature")
    if not secrets:
        raise Forged(401, "no client_secret is set, so that nothing can be verified")
    given = header.encode("ascii", "replace")
    # Every secret is tried, so that the time does not tell which one fits.
    fits = [hmac.compare_digest(_signature(request.body, secret), given) for secret in secrets]
    if not any(fits):
        raise Forged(401, "wrong signature")
    if shop and request.headers.get(SHOP, "").lower() != shop.lower():
        raise Forged(401, "signed for another shop")


def _signature(body: bytes, secret: bytes) -> bytes:
    return base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest())


def parse(request: RawRequest, known: Knowledge) -> Notice:
    """Say what a verified request means; a topic that is of no use here means nothing.

    Raises `ProtocolError` where the body does not fit the topic.
    """
    topic = request.headers.get(TOPIC, "").lower()
    if not topic:
        raise ProtocolError("Shopify webhook: no topic")
    read = _READERS.get(topic) or _READERS.get(topic.partition("/")[0] + "/*")
    notice = Notice() if read is None else read(request, known)
    return dataclasses.replace(notice, dedupe_key=request.headers.get(DELIVERY) or None)


def _order(request: RawRequest, known: Knowledge) -> Notice:
    """Take the order as it is stated; where it is not whole, or sells something unknown, have it read."""
    named = decode(request.body, _Named)
    try:
        payload = wire.shape(request.body, payloads.OrderPayload)
        if payload.returns or (known.offers and payload.note_attributes is msgspec.UNSET):
            return _to_fetch(named.id)
        return Notice(orders=(_snapshot(payload, request, known),))
    except (ProtocolError, payloads.UnknownVariant):
        return _to_fetch(named.id)


def _snapshot(payload: payloads.OrderPayload, request: RawRequest, known: Knowledge) -> OrderSnapshot:
    """Return the order as of the event: a delivery that is tried again hours later still brings the old state."""
    stated_at = max(_triggered_at(request), payloads.updated_at(payload))
    facts = payloads.facts(payload, variants=known.variants)
    return orders.snapshot(facts, read_at=min(stated_at, known.now))


def _triggered_at(request: RawRequest) -> Instant:
    try:
        return wire.instant(request.headers.get(TRIGGERED, ""))
    except ProtocolError:
        return 0


def _to_fetch(*order_ids: int) -> Notice:
    return Notice(order_ids=tuple(str(order_id) for order_id in order_ids))


def _named_order(request: RawRequest, _: Knowledge) -> Notice:
    return _to_fetch(decode(request.body, _Named).id)


def _edited(request: RawRequest, _: Knowledge) -> Notice:
    return _of_order(decode(request.body, _Edit).order_edit)


def _belonging(request: RawRequest, _: Knowledge) -> Notice:
    return _of_order(decode(request.body, _OfOrder))


def _of_order(found: _OfOrder) -> Notice:
    order_id = found.order.id if found.order else found.order_id
    return Notice() if order_id is None else _to_fetch(order_id)


def _level(request: RawRequest, known: Knowledge) -> Notice:
    level = decode(request.body, _Level)
    ref = ListingRef(remote_id=str(level.inventory_item_id), remote_location=str(level.location_id))
    return Notice(refs=(ref,)) if not known.locations or ref.remote_location in known.locations else Notice()


def _catalogue(request: RawRequest, _: Knowledge) -> Notice:
    decode(request.body, _Named)
    return Notice(catalogue=True)


def _uninstalled(request: RawRequest, _: Knowledge) -> Notice:
    decode(request.body, _Named)
    return Notice(text="The app was removed from the shop: install it again, then resume the channel.", stop=True)


def _scopes(request: RawRequest, _: Knowledge) -> Notice:
    missing = lacking(wire.with_implied(decode(request.body, _Scopes).current))
    if not missing:
        return Notice(text="The rights of the app were changed; it still has what it needs.")
    return Notice(text=f"The app has lost rights that it needs: {', '.join(missing)}.", stop=True)


_READERS: Mapping[str, Callable[[RawRequest, Knowledge], Notice]] = {
    "orders/edited": _edited,
    "orders/delete": _named_order,
    "orders/*": _order,
    "refunds/*": _belonging,
    "fulfillments/*": _belonging,
    "fulfillment_events/*": _belonging,
    "fulfillment_orders/*": _belonging,
    "returns/*": _belonging,
    "reverse_fulfillment_orders/*": _belonging,
    "inventory_levels/*": _level,
    "inventory_items/*": _catalogue,
    "products/*": _catalogue,
    "variants/*": _catalogue,
    "locations/*": _catalogue,
    "app/uninstalled": _uninstalled,
    "app/scopes_update": _scopes,
}
