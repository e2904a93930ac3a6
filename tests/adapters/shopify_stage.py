"""The adapter opened on the simulated shop, with an inbox for its webhooks, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from adapters.shopify import ADAPTER, ShopifySettings
from adapters.shopify.channel import ShopifyChannel
from adapters.shopify.simulator import ShopifySimulator, make
from syncd.sdk.channel import (
    AccountId,
    Context,
    ListingInfo,
    ListingRef,
    Notice,
    OrderSnapshot,
    OutcomeKind,
    RawRequest,
    Write,
)
from syncd.sdk.secret import Secret
from syncd.testing.loop import VirtualConnector, run_virtual, running
from syncd.testing.simulators import serve

SKUS = 30
INBOX = "http://127.0.0.1:8090/hooks"


@dataclass
class Stage:
    """A served shop, the adapter opened on it, and the webhooks that came."""

    shop: ShopifySimulator
    channel: ShopifyChannel
    mail: list[RawRequest] = field(default_factory=list)
    keys: int = 0

    async def catalogue(self) -> list[ListingInfo]:
        found: list[ListingInfo] = []
        cursor: str | None = None
        while True:
            page = await self.channel.listings(cursor)
            found += page.listings
            cursor = page.cursor
            if cursor is None:
                return found

    async def ref(self, sku: str) -> ListingRef:
        return next(listing.ref for listing in await self.catalogue() if listing.sku == sku and listing.active)

    async def show(self, ref: ListingRef) -> int | None:
        (seen,) = await self.channel.seen([ref])
        return seen.quantity

    async def set(self, ref: ListingRef, quantity: int, *, expected: int | None) -> OutcomeKind:
        self.keys += 1
        (outcome,) = await self.channel.push(
            [Write(key=f"key-{self.keys}", ref=ref, quantity=quantity, expected=expected)]
        )
        return outcome.kind

    async def feed(self, cursor: str | None) -> tuple[list[OrderSnapshot], str]:
        found: list[OrderSnapshot] = []
        while True:
            page = await self.channel.orders(cursor)
            found += page.orders
            cursor = page.cursor
            if not page.more:
                return found, cursor

    def notices(self) -> list[Notice]:
        """Verify and parse every webhook so far, oldest first."""
        notices = []
        for request in self.mail:
            self.channel.verify(request)
            notices.append(self.channel.parse(request))
        self.mail.clear()
        return notices


@asynccontextmanager
async def staged(*, seed: int = 7, rotated: bool = False, **changes: Any) -> AsyncIterator[Stage]:
    simulator = make(skus=SKUS, seed=seed, clock=running().clock)
    if rotated:
        changes["old_client_secret"] = Secret(simulator.secrets[-1])
        simulator.rotate_secret()
    async with serve(simulator) as url, aiohttp.ClientSession(connector=VirtualConnector()) as session:
        given = simulator.settings(url)
        settings = ShopifySettings(**{**given, "client_secret": Secret(given["client_secret"]), **changes})
        numbers = iter(range(1_000_000))
        context = Context(
            account=AccountId("shopify"),
            session=session,
            clock=running().clock,
            uuid=lambda: f"00000000-0000-7000-8000-{next(numbers):012d}",
            random=lambda: 0.5,
        )
        async with ADAPTER.open(settings, context) as channel:
            assert isinstance(channel, ShopifyChannel)
            stage = Stage(shop=simulator, channel=channel)
            async with inbox(stage):
                yield stage


@asynccontextmanager
async def inbox(stage: Stage) -> AsyncIterator[None]:
    """Take the webhooks of the shop."""

    async def receive(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        stage.mail.append(RawRequest(headers=headers, body=await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hooks", receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8090).start()
    try:
        yield
    finally:
        await runner.cleanup()


def play(scene: Callable[[Stage], Coroutine[Any, Any, None]], *, seed: int = 7, **changes: Any) -> None:
    async def main() -> None:
        async with staged(seed=seed, **changes) as stage:
            await scene(stage)

    run_virtual(main, seed=seed)
