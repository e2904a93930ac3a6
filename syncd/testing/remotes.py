"""Simulated remotes, whatever they simulate: an aiohttp server with faults, webhooks and work in the background.

`Simulator` (a channel) and `DeskSimulator` (a desk) are made of it; each says what its real and its control API are.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

from aiohttp import web

from syncd.sdk.channel import Clock
from syncd.testing import control
from syncd.testing.chance import SeededRandom
from syncd.testing.courier import Courier, Delivery, Done
from syncd.testing.faults import Faults, Trouble, draw
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME, CANARY_PHONE

__all__ = ["MOST_BODY_BYTES", "STOP_S", "SimulatedRemote", "serve"]

MOST_BODY_BYTES = 16 * 1024 * 1024
STOP_S = 0.2
"""How long requests that are under way may take when the server stops."""
RETRY_AFTER_S = 1

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGE = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Please come back later.</body></html>"
_BROKEN = (500, 502, 504)


class SimulatedRemote(ABC):
    """The simulated remote of one account.

    `time_scale` multiplies every delay of its own. `canaries` are made-up personal data that it holds. `url` is where
    it is served, empty while it is not. `notify_url` is where its notices go if a person sets that there, and no API.
    """

    def __init__(self, *, seed: int, clock: Clock) -> None:
        self.clock = clock
        self.random = SeededRandom(seed)
        self.faults = Faults()
        self.time_scale = 1.0
        self.canaries: tuple[str, ...] = (CANARY_NAME, CANARY_MAIL, CANARY_PHONE)
        self.url = ""
        self.notify_url = ""
        self._under_way: set[asyncio.Task[Any]] = set()
        self.courier = Courier(faults=lambda: self.faults, scale=lambda: self.time_scale, random=SeededRandom(seed + 1))

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return the real API."""

    @abstractmethod
    def control_routes(self) -> list[web.RouteDef]:
        """Return the control API, which has no faults."""

    @abstractmethod
    def settings(self, url: str) -> dict[str, Any]:
        """Return adapter settings that open it at `url`: as they stand in TOML, secrets as plain text."""

    def queue_settings(self, url: str) -> dict[str, Any]:  # noqa: ARG002  (most have no queue)
        """Return the adapter settings that read its own queue of notices; empty where it has none."""
        return {}

    def settle(self) -> None:  # noqa: B027  (most need none)
        """Let everything happen that is due by now; for remotes where things happen when somebody looks."""

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
        application.add_routes(self.control_routes())
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
                return await self._answer(
                    draw(self.faults, self.random, writes=request.method != "GET"), request, handler
                )

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
async def serve(simulator: SimulatedRemote, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
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
