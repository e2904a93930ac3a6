"""Simulated remotes: an aiohttp server that speaks the real API of a channel, and a control API the same for all.

An adapter's simulator subclasses `Simulator`: `routes` are its real API, `settings` opens an adapter on it, and the
shop behind it (what it shows, who buys) is `shown`, `buy`, `cancel`, `ship`, `set_shown`. The base has the control API
(`syncd.testing.control`), the faults of the real API, webhooks and background work (`syncd.testing.courier`).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

from aiohttp import web

from syncd.core.terms import SECOND_US, ListingRef
from syncd.sdk.channel import Clock
from syncd.testing import control
from syncd.testing.chance import SeededRandom
from syncd.testing.courier import Courier, Delivery, Done, connector
from syncd.testing.faults import Faults, Trouble, draw
from syncd.testing.trade import (
    CANARY_MAIL,
    CANARY_NAME,
    CANARY_PHONE,
    Applied,
    By,
    Log,
    Receipt,
    ReceiptLine,
    Refusal,
    Shown,
    Unknown,
    Unsupported,
    opening_stock,
    sku_name,
    units,
)

__all__ = [
    "CANARY_MAIL",
    "CANARY_NAME",
    "CANARY_PHONE",
    "Applied",
    "By",
    "Courier",
    "Delivery",
    "Done",
    "Faults",
    "Log",
    "Receipt",
    "ReceiptLine",
    "Refusal",
    "Shown",
    "Simulator",
    "Unknown",
    "Unsupported",
    "connector",
    "opening_stock",
    "serve",
    "sku_name",
    "units",
]

MOST_BODY_BYTES = 16 * 1024 * 1024
STOP_S = 0.2
"""How long requests that are under way may take when the server stops."""
RETRY_AFTER_S = 1

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGE = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Please come back later.</body></html>"
_BROKEN = (500, 502, 504)


class Simulator(ABC):
    """The simulated remote of one channel account.

    `time_scale` multiplies every delay of its own. `staleness_s` is how far a stale read may look back. `canaries` are
    made-up personal data that its orders hold. `url` is where it is served, empty while it is not. `notify_url` is
    where its notices go if a person sets that there, and no API; `signs` says that webhooks are signed: otherwise they
    hold no more than a shared key, and a change elsewhere cannot be told.
    """

    signs = True

    def __init__(self, *, seed: int, clock: Clock) -> None:
        self.clock = clock
        self.random = SeededRandom(seed)
        self.faults = Faults()
        self.time_scale = 1.0
        self.staleness_s = 5.0
        self.canaries: tuple[str, ...] = (CANARY_NAME, CANARY_MAIL, CANARY_PHONE)
        self.url = ""
        self.notify_url = ""
        self.log = Log(clock)
        self._under_way: set[asyncio.Task[Any]] = set()
        self.courier = Courier(faults=lambda: self.faults, scale=lambda: self.time_scale, random=SeededRandom(seed + 1))

    # --- what a channel's own simulator says ---

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return the real API."""

    @abstractmethod
    def settings(self, url: str) -> dict[str, Any]:
        """Return adapter settings that open it at `url`: as they stand in TOML, secrets as plain text."""

    @abstractmethod
    def shown(self) -> list[Shown]:
        """Return what every listing shows now."""

    @abstractmethod
    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell (SKU, quantity) lines to a shopper: whole, or not at all.

        Raises `Refusal` when too little is shown, `Unknown` for a SKU that is not for sale.
        """

    @abstractmethod
    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Cancel units of an order that were not shipped: so many, lines in order, or all.

        `restock` says whether they are for sale again; None leaves it to the channel's own rule. Raises `Unknown`,
        `Refusal` when there is nothing to cancel, `Unsupported` where the channel cannot cancel in parts.
        """

    @abstractmethod
    def ship(self, order_id: str) -> Receipt:
        """Ship what is left of an order; raises `Unknown`, and `Refusal` when nothing is left."""

    @abstractmethod
    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit the number of a SKU's first listing, or of a listing; raises `Unknown`."""

    def queue_settings(self, url: str) -> dict[str, Any]:  # noqa: ARG002  (most have no queue)
        """Return the adapter settings that read its own queue of notices; empty where it has none."""
        return {}

    def stock(self, sku: str, quantity: int) -> None:
        """Let a SKU show `quantity`; raises `Unknown`."""
        self.set_shown(sku, quantity)

    def hide(self, sku: str) -> None:
        """Take a SKU off sale without deleting it; raises `Unsupported` where the channel has no such thing."""
        raise Unsupported(f"{sku}: cannot be taken off sale here")

    def unmanage(self, sku: str) -> None:
        """Let the channel no longer track the stock of a SKU; raises `Unsupported` where it always does."""
        raise Unsupported(f"{sku}: stock is always tracked here")

    def settle(self) -> None:  # noqa: B027  (most shops need none)
        """Let everything happen that is due by now; for shops where things happen when somebody looks."""

    # --- what it can use ---

    def stale_us(self) -> int:
        """Draw how far back this read looks: 0, or up to `staleness_s` when it is a stale one."""
        if not self.random.happens(self.faults.stale_reads):
            return 0
        return round(self.random.between(0.0, self.staleness_s * self.time_scale) * SECOND_US)

    def notify(self, delivery: Delivery, *, delay_s: float = 0.0, done: Done | None = None) -> None:
        """Send a signed webhook after `delay_s`, and as late, twice or never as the faults say; see `Courier.send`."""
        self.courier.send(delivery, delay_s=delay_s, done=done)

    def too_many(self, _: web.Request) -> web.StreamResponse:
        """Answer a request that came too soon."""
        return web.json_response(
            {"error": "too many requests"}, status=429, headers={"Retry-After": str(RETRY_AFTER_S)}
        )

    def app(self) -> web.Application:
        """Return a server of the real API, with faults, and of the control API, without."""
        application = web.Application(
            middlewares=[control.speak_plainly, self._troubled()], client_max_size=MOST_BODY_BYTES
        )
        application.add_routes(control.routes(self))
        application.add_routes(self.routes())
        application.cleanup_ctx.extend([self.courier.running, self._requests_end])
        return application

    async def _requests_end(self, _: web.Application) -> AsyncIterator[None]:
        """End the requests whose callers have gone away: aiohttp lets them run on when the server stops."""
        yield
        left = set(self._under_way)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=STOP_S)

    def _troubled(self) -> Any:
        @web.middleware
        async def troubled(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(control.PREFIX):
                return await handler(request)
            async with self._counted():
                await asyncio.sleep(self.faults.latency_s)
                return await self._answer(draw(self.faults, self.random), request, handler)

        return troubled

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        if task is not None:
            self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way -= {task}

    async def _answer(self, trouble: Trouble, request: web.Request, handler: Handler) -> web.StreamResponse:
        match trouble:
            case Trouble.NONE:
                return await handler(request)
            case Trouble.CUT:
                with suppress(web.HTTPException):
                    await handler(request)
                return _hang_up(request)
            case Trouble.DROPPED:
                return _hang_up(request)
            case Trouble.TOO_MANY:
                return self.too_many(request)
            case Trouble.HTML:
                return web.Response(text=_PAGE, content_type="text/html")
            case Trouble.UNAVAILABLE:
                return web.Response(text=_PAGE, content_type="text/html", status=503)
            case Trouble.BROKEN:
                status = _BROKEN[int(self.random.between(0, len(_BROKEN)))]
                return web.Response(text=_PAGE, content_type="text/html", status=status)


def _hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer; the one that is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


@asynccontextmanager
async def serve(simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve a simulator and answer its URL; port 0 takes a free one. Everything it started ends with it."""
    runner = web.AppRunner(simulator.app(), access_log=None, shutdown_timeout=STOP_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        simulator.url = f"http://{host}:{runner.addresses[0][1]}"
        yield simulator.url
    finally:
        simulator.url = ""
        await runner.cleanup()
