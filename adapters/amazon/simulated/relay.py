"""Carries notifications into a queue: late, twice, or never, as the faults say."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from adapters.amazon.simulated import events
from adapters.amazon.simulated.feeds import Feed
from adapters.amazon.simulated.goods import Listing
from adapters.amazon.simulated.notifications import ORDER_CHANGE, Notifications
from adapters.amazon.simulated.orders import Order, Status
from adapters.amazon.simulated.shop import Shop
from syncd.sdk.channel import Instant
from syncd.testing.chance import SeededRandom
from syncd.testing.courier import Courier
from syncd.testing.faults import Faults

Send = Callable[[str], Awaitable[None] | None]
"""Puts the text of one message into a queue."""


class Relay:
    """Hears of changes and writes notifications of them to whoever subscribed. `send` may be changed at any time."""

    def __init__(
        self,
        shop: Shop,
        notifications: Notifications,
        *,
        courier: Courier,
        faults: Callable[[], Faults],
        random: SeededRandom,
        send: Send,
    ) -> None:
        self._shop = shop
        self._notifications = notifications
        self._courier = courier
        self._faults = faults
        self._random = random
        self.send = send

    def order(self, order: Order, change: str, why: str) -> None:
        """Tell of an order; of one that is Pending only where the knob says so."""
        if order.status is Status.PENDING and not self._shop.knobs.notify_pending:
            return
        state = order.states[-1]
        payload = events.order_change(self._shop, order, state, change, why)
        self._tell(ORDER_CHANGE, payload, at=state.at, change=change)

    def quantity(self, listing: Listing, at: Instant) -> None:
        """Tell of a live quantity."""
        self._tell("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", events.quantity_change(self._shop, listing), at=at)

    def status(self, listing: Listing, at: Instant) -> None:
        """Tell of an offer that can be bought, or no longer."""
        self._tell("LISTINGS_ITEM_STATUS_CHANGE", events.status_change(self._shop, listing), at=at)

    def feed(self, feed: Feed) -> None:
        """Tell of a feed that ended."""
        at = self._shop.clock.now() if feed.ended_at is None else feed.ended_at
        self._tell("FEED_PROCESSING_FINISHED", events.feed_finished(self._shop, feed), at=at)

    def _tell(self, kind: str, payload: dict[str, Any], *, at: Instant, change: str = "") -> None:
        for subscription, resource in self._notifications.wanted(kind, change):
            body = events.notification(
                kind,
                payload,
                subscription_id=subscription.subscription_id,
                notification_id=self._identity(),
                event_at=at,
                at=self._shop.clock.now(),
            )
            if "eventBridge" in resource:
                bridge, event_id = resource["eventBridge"], self._identity()
                body = events.bridged(body, kind=kind, resource=bridge, event_id=event_id, at=self._shop.clock.now())
            self._post(msgspec.json.encode(body).decode())

    def _post(self, text: str) -> None:
        faults = self._faults()
        for _ in range(1 + self._random.happens(faults.double_webhooks)):
            late_s = self._random.between(*self._shop.knobs.notice_s) + self._random.between(
                0.0, faults.late_webhooks_s
            )
            if not self._random.happens(faults.lost_webhooks):
                self._courier.spawn(functools.partial(self._deliver, text, late_s), name="notification")

    async def _deliver(self, text: str, late_s: float) -> None:
        await self._courier.pause(late_s)
        sent = self.send(text)
        if sent is not None:
            await sent

    def _identity(self) -> str:
        text = self._random.bytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"
