"""The Rakuten adapter opened on the simulated shop, with an inbox for its notifications, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from adapters.rakuten import ADAPTER, RakutenSettings
from adapters.rakuten.channel import RakutenChannel
from adapters.rakuten.simulator import RakutenSimulator, make
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
    """A served shop, the adapter opened on it, and the notifications that came."""

    shop: RakutenSimulator
    channel: RakutenChannel
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

    def refs(self, count: int) -> list[ListingRef]:
        return [shown.ref for shown in self.shop.shown()[:count]]

    def sku(self, ref: ListingRef) -> str:
        return next(shown.sku for shown in self.shop.shown() if shown.ref == ref)

    def truth(self, ref: ListingRef) -> int:
        return next(shown.quantity for shown in self.shop.shown() if shown.ref == ref)

    async def show(self, ref: ListingRef) -> int | None:
        (seen,) = await self.channel.seen([ref])
        return seen.quantity

    def write(self, ref: ListingRef, quantity: int, *, delta: int | None = None) -> Write:
        self.keys += 1
        return Write(key=f"key-{self.keys}", ref=ref, quantity=quantity, delta=delta)

    async def push(self, writes: Sequence[Write]) -> list[OutcomeKind]:
        return [outcome.kind for outcome in await self.channel.push(writes)]

    async def feed(self, cursor: str | None) -> tuple[list[OrderSnapshot], str]:
        found: list[OrderSnapshot] = []
        while True:
            page = await self.channel.orders(cursor)
            found += page.orders
            cursor = page.cursor
            if not page.more:
                return found, cursor

    def notices(self) -> list[Notice]:
        """Verify and parse every notification so far, oldest first."""
        notices = []
        for request in self.mail:
            self.channel.verify(request)
            notices.append(self.channel.parse(request))
        self.mail.clear()
        return notices


@asynccontextmanager
async def staged(*, seed: int = 7, skus: int = SKUS, **changes: Any) -> AsyncIterator[Stage]:
    simulator = make(skus=skus, seed=seed, clock=running().clock)
    async with serve(simulator) as url, aiohttp.ClientSession(connector=VirtualConnector()) as session:
        given = simulator.settings(url)
        secrets = {name: Secret(given[name]) for name in ("service_secret", "license_key", "notify_auth_key")}
        context = Context(
            account=AccountId("rakuten"),
            session=session,
            clock=running().clock,
            uuid=lambda: "00000000-0000-7000-8000-000000000001",
            random=lambda: 0.5,
        )
        async with ADAPTER.open(RakutenSettings(**{**given, **secrets, **changes}), context) as channel:
            assert isinstance(channel, RakutenChannel)
            stage = Stage(shop=simulator, channel=channel)
            async with inbox(stage):
                yield stage


@asynccontextmanager
async def inbox(stage: Stage) -> AsyncIterator[None]:
    """Take the notifications of the shop, which has been told where they go."""

    async def receive(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        stage.mail.append(RawRequest(headers=headers, body=await request.read()))
        kind, body = stage.channel.answer(accepted=True)
        return web.Response(body=body, content_type=kind)

    app = web.Application()
    app.router.add_post("/hooks", receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8090).start()
    stage.shop.notify_url = INBOX
    try:
        yield
    finally:
        await runner.cleanup()


def play(scene: Callable[[Stage], Coroutine[Any, Any, None]], *, seed: int = 7, **changes: Any) -> None:
    """Run a scene in virtual time."""

    async def main() -> None:
        async with staged(seed=seed, **changes) as stage:
            await scene(stage)

    run_virtual(main, seed=seed)
