"""The HTTP API of a memory shop, as its simulator serves it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from adapters.memory import wire

T = TypeVar("T")

SECOND_US = 1_000_000


class Shop(Protocol):
    """What the API is made of."""

    def orders_page(self, cursor: str | None) -> wire.OrdersAnswer:
        """Return a page of the feed; raises `ValueError` for a cursor that is none."""

    def fetched(self, order_ids: Sequence[str]) -> list[wire.RemoteOrder]:
        """Return orders, unknown ones left out."""

    def listings_page(self, cursor: str | None) -> wire.ListingsAnswer:
        """Return a page of the catalogue; raises `ValueError` for a cursor that is none."""

    def readings(self, listings: Sequence[wire.Place], *, stale_us: int = 0) -> list[wire.Reading]:
        """Return what listings show, or showed so long ago."""

    def display(self, rows: Sequence[wire.Display]) -> list[bool]:
        """Take what listings show beside their numbers; say of each whether it is there."""

    def make_offer(self, wish: wire.OfferRow) -> wire.OfferAnswer:
        """Make a private sale, or say why not."""

    def find_offer(self, key: str) -> wire.OfferAnswer:
        """Return the private sale with a key."""

    def withdraw_offer(self, offer_id: str) -> wire.WithdrawAnswer:
        """End a private sale that is not bought."""

    def take(self, rows: Sequence[wire.PushRow]) -> int:
        """Take writes; return after how many microseconds they can be answered."""

    def results(self, rows: Sequence[wire.PushRow]) -> list[wire.PushResult]:
        """Return how writes that were taken ended."""


class Remote:
    """The handlers. `stale_us` draws how old a reading is; `subscribe` answers which topics are new to an address."""

    def __init__(
        self,
        shop: Shop,
        *,
        token: str,
        stale_us: Callable[[], int],
        subscribe: Callable[[wire.Subscription], list[str]],
    ) -> None:
        self._shop = shop
        self._token = token
        self._stale_us = stale_us
        self._subscribe = subscribe

    def routes(self) -> list[web.RouteDef]:
        """Return the whole API."""
        return [
            web.get("/orders", self._guarded(self._orders)),
            web.post("/orders/fetch", self._guarded(self._fetch)),
            web.get("/listings", self._guarded(self._listings)),
            web.post("/seen", self._guarded(self._seen)),
            web.post("/push", self._guarded(self._push)),
            web.post("/display", self._guarded(self._display)),
            web.post("/offers", self._guarded(self._offer)),
            web.get("/offers", self._guarded(self._offered)),
            web.post("/offers/withdraw", self._guarded(self._withdraw)),
            web.post("/webhooks", self._guarded(self._webhooks)),
            web.get("/health", self._guarded(self._health)),
        ]

    def _guarded(self, answer: Callable[[web.Request], Awaitable[object]]) -> Callable[..., Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return _json({"error": "the token is not valid"}, status=401)
            try:
                return _json(await answer(request))
            except (msgspec.DecodeError, ValueError) as fault:  # ValidationError is among them
                return _json({"error": str(fault)}, status=400)

        return handler

    async def _orders(self, request: web.Request) -> wire.OrdersAnswer:
        return self._shop.orders_page(request.query.get("cursor"))

    async def _fetch(self, request: web.Request) -> wire.FetchAnswer:
        return wire.FetchAnswer(orders=self._shop.fetched((await _read(request, wire.FetchRequest)).ids))

    async def _listings(self, request: web.Request) -> wire.ListingsAnswer:
        return self._shop.listings_page(request.query.get("cursor"))

    async def _display(self, request: web.Request) -> object:
        rows = msgspec.json.decode(await request.read(), type=wire.DisplayRequest).rows
        return wire.DisplayAnswer(known=self._shop.display(rows))

    async def _seen(self, request: web.Request) -> wire.SeenAnswer:
        wanted = await _read(request, wire.SeenRequest)
        return wire.SeenAnswer(readings=self._shop.readings(wanted.listings, stale_us=self._stale_us()))

    async def _push(self, request: web.Request) -> wire.PushAnswer:
        rows = (await _read(request, wire.PushRequest)).rows
        await asyncio.sleep(self._shop.take(rows) / SECOND_US)
        return wire.PushAnswer(results=self._shop.results(rows))

    async def _offer(self, request: web.Request) -> wire.OfferAnswer:
        return self._shop.make_offer(await _read(request, wire.OfferRow))

    async def _offered(self, request: web.Request) -> wire.OfferAnswer:
        return self._shop.find_offer(request.query.get("key", ""))

    async def _withdraw(self, request: web.Request) -> wire.WithdrawAnswer:
        return self._shop.withdraw_offer((await _read(request, wire.WithdrawRequest)).id)

    async def _webhooks(self, request: web.Request) -> wire.SubscriptionAnswer:
        return wire.SubscriptionAnswer(created=self._subscribe(await _read(request, wire.Subscription)))

    async def _health(self, _: web.Request) -> wire.HealthAnswer:
        return wire.HealthAnswer(problems=[])


async def _read(request: web.Request, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read(), type=kind)


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
