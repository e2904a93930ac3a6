"""A scripted HTTP server on this machine, and a client of it that loses no time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web

from syncd.clock import SystemClock
from syncd.sdk.http import Client, Timeouts

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Remote:
    """Answers by script: each request takes the next reply, the last one stays. `seen` holds what came."""

    def __init__(self) -> None:
        self.url = ""
        self.script: list[Reply] = []
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections: set[object] = set()
        self.released = asyncio.Event()

    def says(self, *replies: Reply | web.Response | int) -> None:
        """Set the script; a number is a status with an empty JSON object."""
        self.script = [_reply(item) for item in replies]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.method, request.path_qs, headers, await request.read()))
        reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await reply(request)

    async def hangs(self, request: web.Request) -> web.StreamResponse:
        """Take the request and never answer."""
        await self.released.wait()
        return web.Response()

    @staticmethod
    async def cuts(request: web.Request) -> web.StreamResponse:
        """Take the request, then break the connection."""
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


def _reply(item: Reply | web.Response | int) -> Reply:
    async def answer(_: web.Request) -> web.StreamResponse:
        if isinstance(item, int):
            return web.json_response({}, status=item)
        assert isinstance(item, web.Response)
        return web.Response(body=item.body, status=item.status, headers=item.headers)

    return item if callable(item) and not isinstance(item, web.Response) else answer


async def serve(remote: Remote) -> web.AppRunner:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", remote.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    remote.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    made = Remote()
    made.says(200)
    runner = await serve(made)
    yield made
    made.released.set()
    await runner.cleanup()


@pytest.fixture
async def other() -> AsyncIterator[Remote]:
    """Serve from a second origin."""
    made = Remote()
    made.says(200)
    runner = await serve(made)
    yield made
    made.released.set()
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


MakeClient = Callable[..., Client]


@pytest.fixture
def client_of(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    """Make clients that wait next to nothing between tries."""
    monkeypatch.setattr("syncd.sdk.http.FIRST_WAIT_S", 0.001)

    def make(remote: Remote | str, **options: Any) -> Client:
        settings: dict[str, Any] = {
            "base_url": remote if isinstance(remote, str) else remote.url,
            "clock": SystemClock(),
            "random": lambda: 0.5,
            "timeout": Timeouts(connect_s=2.0, total_s=5.0, budget_s=2.0),
            "user_agent": "syncd-test/1",
        }
        return Client(session, **(settings | options))

    return make


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Take back what `log.configure` sets for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
