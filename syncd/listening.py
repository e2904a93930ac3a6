"""Open the doors: the port for webhooks, health and the API, and the socket for the command line."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from aiohttp import web

from syncd.edges import webhook
from syncd.engine.plant import Plant
from syncd.engine.why import explain
from syncd.sdk.errors import ConfigError, Problem
from syncd.systemd import inherited_socket
from syncd.web.api import control_app, control_socket, public_app
from syncd.web.orderpage.install import install_order_page
from syncd.web.pages.install import install_pages

BACKLOG = 1_024
GRACE_S = 0.1
"""Between closing the door and ending connections: what was under way is answered."""
SHUTDOWN_S = 5.0


@asynccontextmanager
async def open_doors(plant: Plant, *, virtual: bool) -> AsyncIterator[str]:
    """Listen until the block ends; answer the address."""
    async with AsyncExitStack() as stack:
        app = public_app(plant, webhook.routes(plant), explain=partial(explain, plant))
        install_pages(app, plant)
        install_order_page(app, plant)
        public = await stack.enter_async_context(_serving(app))
        host, port = plant.settings.http.address
        inherited = None if virtual else inherited_socket(os.environ)
        try:
            site: web.BaseSite = (
                web.TCPSite(public, host, port, backlog=BACKLOG)
                if inherited is None
                else web.SockSite(public, inherited, backlog=BACKLOG)
            )
            await _start(site, stack)
        except OSError as error:
            place, remedy = f"[http] listen = {host}:{port}", "is another daemon there? name another port"
            problem = Problem(place=place, message=error.strerror or "cannot be used", remedy=remedy)
            raise ConfigError([problem]) from None
        if not virtual:
            await _open_control(plant, stack)
        yield _address(public, inherited, f"{host}:{port}")


async def _open_control(plant: Plant, stack: AsyncExitStack) -> None:
    path = plant.settings.daemon.socket_path
    link = control_socket(path)
    stack.callback(_unlink, path)
    runner = await stack.enter_async_context(_serving(control_app(plant, explain=partial(explain, plant))))
    await _start(web.SockSite(runner, link), stack)


@asynccontextmanager
async def _serving(app: web.Application) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


async def _start(site: web.BaseSite, stack: AsyncExitStack) -> None:
    await site.start()
    stack.push_async_callback(_close, site)


async def _close(site: web.BaseSite) -> None:
    await site.stop()
    await asyncio.sleep(GRACE_S)


def _address(runner: web.AppRunner, inherited: socket.socket | None, asked: str) -> str:
    if inherited is None and runner.addresses:
        found = runner.addresses[0]
        return f"{found[0]}:{found[1]}"
    return asked


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
