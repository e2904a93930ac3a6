"""The simulated Amazon.co.jp: Login with Amazon, the Selling Partner API, its files, and an SQS queue, over real HTTP.

Beside the control API that every simulator has there is, for what only Amazon does:

    POST /_sim/orders/ID/pay              a pending order is paid now
    POST /_sim/orders/ID/request-cancel   the buyer asks for a cancel; {"reason"} may be left out
    POST /_sim/amazon/knobs               named fields of `Knobs` are changed, {} changes none; answers all of them
    POST /_sim/amazon/tokens              {}: every access token ends at once
    POST /_sim/amazon/feeds               {}: feeds that were stuck end now

Not the real one's: plain http, one host for all of it, and a query parameter that the models do not name is refused.
"""

from __future__ import annotations

import asyncio
import dataclasses
import heapq
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from adapters.amazon.simulated.feeds import Feeds
from adapters.amazon.simulated.inventory import Inventory
from adapters.amazon.simulated.knobs import Knobs
from adapters.amazon.simulated.listing_items import ListingItems
from adapters.amazon.simulated.notifications import Notifications
from adapters.amazon.simulated.order_search import CANARY_POSTCODE, OrderSearch
from adapters.amazon.simulated.queue import Queue
from adapters.amazon.simulated.relay import Relay, Send
from adapters.amazon.simulated.reports import Reports
from adapters.amazon.simulated.server import TOKEN_PATH, Server
from adapters.amazon.simulated.shop import Shop
from adapters.amazon.simulated.sqs import PATH as QUEUE_PATH
from adapters.amazon.simulated.sqs import REGION, Sqs
from syncd.sdk.channel import Clock, Instant, ListingRef
from syncd.testing import simulators
from syncd.testing.chance import SeededRandom
from syncd.testing.simulators import Receipt, Shown, Unknown

CONFIRM_S = 120
"""Longer than any patch of this Amazon takes, by its usual knobs."""
SWEEP_S = 180
"""What the published rate of searchOrders allows for good."""
_KEY_ID = "AKIASIMULATED0000001"
_ROUNDING_US = 2
_SECOND_US = 1_000_000

T = TypeVar("T")


class _Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str = "Ordered by mistake"


class AmazonSimulator(simulators.Simulator):
    """One seller's account. `shop` is its inside, `queue` its SQS queue, for tests in the same process."""

    def __init__(self, *, skus: int, seed: int, clock: Clock) -> None:
        super().__init__(seed=seed, clock=clock)
        self.canaries = (*self.canaries, CANARY_POSTCODE)
        self.shop = Shop(
            simulators.opening_stock(skus, seed),
            clock=clock,
            random=self.random,
            log=self.log,
            scale=lambda: self.time_scale,
        )
        chance = SeededRandom(seed + 2)
        self.queue = Queue(clock, lambda: chance.bytes(16).hex())
        self.aws_secret = chance.bytes(20).hex()
        self.feeds = Feeds(self.shop)
        self.notifications = Notifications(self.shop)
        self.inventory = Inventory(self.shop)
        self.relay = Relay(
            self.shop,
            self.notifications,
            courier=self.courier,
            faults=lambda: self.faults,
            random=chance,
            send=self.queue.put,
        )
        parts = (ListingItems(self.shop), OrderSearch(self.shop), self.feeds, Reports(self.shop))
        operations = [each for part in (*parts, self.notifications, self.inventory) for each in part.operations()]
        self.server = Server(self.shop, operations, base_url=lambda: self.url, stale_us=self.stale_us)
        self._sqs = Sqs(self.queue, key_id=_KEY_ID)
        self._dues: list[Instant] = []
        self._next_look: Instant | None = None
        self._listen()

    def _listen(self) -> None:
        self.shop.goods.on_change = self.relay.quantity
        self.shop.goods.on_status = self.relay.status
        self.shop.orders.on_change = self.relay.order
        self.shop.on_plan = self._look_after
        self.feeds.on_end = self.relay.feed

    # --- the shop behind it ------------------------------------------------------------------------------------------

    def settings(self, url: str) -> dict[str, Any]:
        """Return the adapter settings that open it; see `queue_settings` for the queue."""
        return {
            "seller_id": self.shop.seller,
            "client_id": self.shop.tokens.client_id,
            "client_secret": self.shop.tokens.client_secret,
            "refresh_token": self.shop.tokens.refresh_token,
            "marketplace_id": self.shop.marketplace,
            "base_url": url,
            "lwa_url": f"{url}{TOKEN_PATH}",
            "confirm_s": CONFIRM_S,
            "sweep_s": SWEEP_S,
        }

    def queue_settings(self, url: str) -> dict[str, Any]:
        """Return the adapter settings that read notifications from its own queue."""
        return {
            "queue_url": f"{url}{QUEUE_PATH}",
            "queue_region": REGION,
            "queue_endpoint": url,
            "aws_access_key_id": _KEY_ID,
            "aws_secret_access_key": self.aws_secret,
        }

    def shown(self) -> list[Shown]:
        """Return what every offer of the seller's own stock shows; stock at Amazon is not among it."""
        self.shop.settle()
        goods = self.shop.goods.shelf.all()
        return [Shown(ref=good.ref, sku=good.sku, quantity=good.quantity) for good in goods if good.managed]

    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell to a shopper; the quantity falls at once, also while the order is pending."""
        return self.shop.orders.place(lines, self.shop.settle()).receipt()

    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Cancel by the buyer; with `restock` False by the seller, for want of stock."""
        now = self.shop.settle()
        order = self.shop.orders.at(order_id)
        self.shop.orders.cancel_all(order, quantity=quantity, restock=restock, now=now)
        return order.receipt()

    def ship(self, order_id: str) -> Receipt:
        """Ship what is left of an order; a pending one is paid first."""
        now = self.shop.settle()
        order = self.shop.orders.at(order_id)
        self.shop.orders.ship(order, now)
        return order.receipt()

    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit the quantity in Seller Central."""
        now = self.shop.settle()
        listing = self.shop.goods.at(place if isinstance(place, str) else place.remote_id)
        if listing.fba is not None or (isinstance(place, ListingRef) and place.remote_location):
            raise Unknown(f"{listing.sku}: no quantity of the seller's own")
        self.shop.goods.change(listing, quantity, simulators.By.PERSON, at=now)

    def hide(self, sku: str) -> None:
        """Close the offer."""
        self.shop.goods.close(self.shop.goods.at(sku), at=self.shop.settle())

    def settle(self) -> None:
        """Let everything happen that is due."""
        self.shop.settle()

    # --- for tests in the same process -------------------------------------------------------------------------------

    def turn(self, **knobs: Any) -> Knobs:
        """Change knobs; raises `ValueError` for one that there is not, or that does not fit."""
        known = {each.name for each in dataclasses.fields(Knobs)}
        if unknown := sorted(knobs.keys() - known):
            raise ValueError(f"no such knob: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        after = msgspec.convert(msgspec.to_builtins(self.shop.knobs) | knobs, Knobs)
        for name in known:
            setattr(self.shop.knobs, name, getattr(after, name))
        return self.shop.knobs

    def attach(self, send: Send) -> None:
        """Put notifications somewhere else: `send` is given the text of each message."""
        self.relay.send = send

    # --- the real API ------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """Return the API, the queue, and the control of what only Amazon does."""
        queue = [web.post(path, self._ask_queue) for path in ("/", "/sqs", "/sqs/", QUEUE_PATH)]
        control = [
            web.post("/_sim/orders/{order_id}/pay", self._pay),
            web.post("/_sim/orders/{order_id}/request-cancel", self._request_cancel),
            web.post("/_sim/amazon/knobs", self._turn),
            web.post("/_sim/amazon/tokens", self._revoke),
            web.post("/_sim/amazon/feeds", self._release),
        ]
        return [*control, *queue, *self.server.routes()]

    def too_many(self, request: web.Request) -> web.StreamResponse:
        """Answer QuotaExceeded, and without a Retry-After; the token endpoint and the queue have forms of their own."""
        if request.path == TOKEN_PATH:
            body = {"error": "temporarily_unavailable", "error_description": "Too many requests"}
            return _json(body, status=429)
        if request.path.startswith("/sqs") or request.path == "/":
            return _json({"__type": "com.amazonaws.sqs#RequestThrottled", "message": "Throttled"}, status=400)
        return self.server.too_many()

    async def _ask_queue(self, request: web.Request) -> web.StreamResponse:
        self.shop.settle()
        return await self._sqs.answer(request, self.url or str(request.url.origin()))

    # --- the control of what only Amazon does ------------------------------------------------------------------------

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        now = self.shop.settle()
        order = self.shop.orders.at(request.match_info["order_id"])
        self.shop.orders.pay(order, now)
        return _json({"order_id": order.order_id, "status": order.status})

    async def _request_cancel(self, request: web.Request) -> web.StreamResponse:
        wish, now = await _read(request, _Reason), self.shop.settle()
        order = self.shop.orders.at(request.match_info["order_id"])
        self.shop.orders.request_cancel(order, wish.reason, now)
        return _json({"order_id": order.order_id, "status": order.status})

    async def _turn(self, request: web.Request) -> web.StreamResponse:
        return _json(msgspec.to_builtins(self.turn(**await _read(request, dict[str, Any]))))

    async def _revoke(self, _: web.Request) -> web.StreamResponse:
        self.shop.tokens.revoke()
        return _json({})

    async def _release(self, _: web.Request) -> web.StreamResponse:
        self.feeds.release()
        return _json({})

    # --- time --------------------------------------------------------------------------------------------------------

    def _look_after(self, delay_us: int) -> None:
        """Look when something is due, so that it happens, and is told, in time."""
        heapq.heappush(self._dues, self.clock.now() + delay_us)
        self._plan_look()

    def _plan_look(self) -> None:
        if not self._dues or (self._next_look is not None and self._next_look <= self._dues[0]):
            return
        due = self._dues[0]

        async def look() -> None:
            await asyncio.sleep(max(0, due - self.clock.now() + _ROUNDING_US) / _SECOND_US)
            self._looked(due)

        if self.courier.spawn(look, name="look"):
            self._next_look = due

    def _looked(self, due: Instant) -> None:
        now = self.shop.settle()
        while self._dues and self._dues[0] <= max(now, due):
            heapq.heappop(self._dues)
        if self._next_look == due:
            self._next_look = None
        self._plan_look()


def make(*, skus: int, seed: int, clock: Clock) -> AmazonSimulator:
    """Return a simulated account with `skus` offers; from 20 on, one of fifty is fulfilled by Amazon."""
    return AmazonSimulator(skus=skus, seed=seed, clock=clock)


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


async def _read(request: web.Request, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read() or b"{}", type=kind)
