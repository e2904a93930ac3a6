"""What leaves the shop as webhooks: which event becomes which delivery, when, and what follows when one fails."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from adapters.shopify.simulated.goods import InventoryLevel
from adapters.shopify.simulated.shop import Shop
from adapters.shopify.simulated.webhooks import (
    BODIES,
    Delivery,
    Stationery,
    WebhookSubscription,
    retry_delays_s,
    write,
)
from syncd.sdk.channel import Instant

LATE_TOPICS = frozenset({"inventory_levels/update"})
"""Topics whose body is assembled some time after the event, with what is true by then."""


class Chance(Protocol):
    """Seeded randomness."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes."""

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""


class Done(Protocol):
    """Hears how a try ended."""

    def __call__(self, *, delivered: bool) -> object:
        """Take note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What carries webhooks: `send(delivery, delay_s, done)`, `later(work)` starts work, `pause(seconds)` waits."""

    send: Callable[[Delivery, float, Done], None]
    later: Callable[[Callable[[], Awaitable[None]]], object]
    pause: Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """One thing that happened: all its webhooks bear its id."""

    id: str
    at: Instant


class Outbox:
    """Makes deliveries out of events. `secrets` sign them: the oldest that is not revoked does."""

    def __init__(self, shop: Callable[[], Shop], *, post: Post, random: Chance, secrets: list[str]) -> None:
        self._shop = shop
        self._post = post
        self._random = random
        self._secrets = secrets
        self._event: _Event | None = None

    @contextmanager
    def event(self) -> Iterator[None]:
        """Give all webhooks of what happens inside one event id."""
        self._event = self._new_event()
        try:
            yield
        finally:
            self._event = None

    def announce(self, topic: str, resource: object) -> None:
        """Send an event to whoever subscribed to its topic."""
        known = self._shop().subscriptions.matching(topic)
        if not known or topic not in BODIES:
            return
        event = self._event or self._new_event()
        for subscription in known:
            if topic in LATE_TOPICS:
                self._assemble_later(subscription, resource, event)
            else:
                self._assemble(subscription, resource, event)

    def level_changed(self, level: InventoryLevel, _: str, before: int, after: int) -> None:
        """Send what follows from a level that changed: only `available` at an active level is told."""
        if before == after or not level.is_active:
            return
        self.announce("inventory_levels/update", level)
        stock = self._shop().goods.sellable_quantity(level.item)
        earlier = stock - (after - before)
        if (stock > 0) != (earlier > 0):
            topic = "variants/in_stock" if stock > 0 else "variants/out_of_stock"
            self.announce(topic, (level.item, earlier, stock))

    def _assemble_later(self, subscription: WebhookSubscription, resource: object, event: _Event) -> None:
        wait_s = self._random.between(*self._shop().knobs.level_delay_s)

        async def work() -> None:
            await self._post.pause(wait_s)
            self._assemble(subscription, resource, event)

        self._post.later(work)

    def _assemble(self, subscription: WebhookSubscription, resource: object, event: _Event) -> None:
        shop = self._shop()
        if not shop.tokens.installed and subscription.header != "app/uninstalled":
            return
        paper = Stationery(shop=shop.domain, version=shop.knobs.payload_version, secret=self._secrets[0].encode())
        ids = (self._new_id(), event.id)
        delivery = write(subscription, resource, at=event.at, ids=ids, paper=paper)
        if delivery is not None:
            self._try(subscription, delivery, tried=0, wait_s=0.0)

    def _try(self, subscription: WebhookSubscription, delivery: Delivery, *, tried: int, wait_s: float) -> None:
        heard = False

        def done(*, delivered: bool) -> None:
            nonlocal heard
            stands = self._shop().subscriptions.count_result(subscription, delivered=delivered)
            again = not delivered and not heard and stands and tried < len(retry_delays_s())
            heard = True
            if again:
                self._try(subscription, self._copy(delivery), tried=tried + 1, wait_s=retry_delays_s()[tried])

        self._post.send(delivery, wait_s, done)

    def _copy(self, delivery: Delivery) -> Delivery:
        """Return a delivery for another try: the old body to the old address."""
        if self._shop().knobs.retries_keep_id:
            return delivery
        headers: Mapping[str, str] = {**delivery.headers, "X-Shopify-Webhook-Id": self._new_id()}
        return replace(delivery, headers=headers)

    def _new_event(self) -> _Event:
        return _Event(id=self._new_id(), at=self._shop().clock.now())

    def _new_id(self) -> str:
        return str(uuid.UUID(bytes=self._random.bytes(16), version=4))
