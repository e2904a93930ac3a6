"""Scenes for the virtual loop; run as a program, it prints the fingerprint of a scene for a seed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from syncd.testing.loop import Faults, VirtualConnector, run_virtual, running

HOUR_S = 3_600.0


@dataclass
class Shop:
    """A server that counts what it did; `done` is its effect, `told` what callers know of."""

    done: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    body_bytes: int = 0

    async def order(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.body_bytes = len(body)
        self.done.append(request.query.get("id", ""))
        await asyncio.sleep(0.05)
        return web.json_response({"stock": len(self.done)})


@asynccontextmanager
async def served(shop: Shop, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve a shop in the network of the virtual loop."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/order", shop.order)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    yield f"http://{host}:{runner.addresses[0][1]}"
    await runner.cleanup()


async def buys(session: aiohttp.ClientSession, url: str, shop: Shop, name: str) -> None:
    """Buy about once a minute for an hour of virtual time."""
    loop = running()
    ends_s = loop.time() + HOUR_S
    for number in range(1_000):
        if loop.time() >= ends_s:
            return
        order = f"{name}-{number}"
        try:
            async with asyncio.timeout(10), session.post(f"{url}/order", params={"id": order}) as response:
                await response.json()
                shop.told.append(order)
        except (aiohttp.ClientError, TimeoutError) as fault:
            shop.failed.append(type(fault).__name__)
        await asyncio.sleep(loop.random.between(30, 90))


async def an_hour_of_trade() -> tuple[Shop, str]:
    """Run a server and eight buyers for an hour; answers what happened and its fingerprint."""
    shop = Shop()
    async with (
        served(shop) as url,
        aiohttp.ClientSession(connector=VirtualConnector()) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(8):
            group.create_task(buys(session, url, shop, f"b{number}"), name=f"buyer {number}")
    running().tell(f"{shop.done} {shop.told} {shop.failed} {await a_group_that_fails()}")
    return shop, running().trace()


async def a_group_that_fails() -> list[int]:
    """Let a group of many tasks fail; answers the order in which they heard of it, and of a set of them."""
    heard: list[int] = []
    waiting = asyncio.Event()

    async def waits(number: int) -> None:
        try:
            await waiting.wait()
        finally:
            heard.append(number)

    async def fails() -> None:
        await asyncio.sleep(1)
        raise LookupError

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(waits(number))
            group.create_task(fails())
    except* LookupError:
        waiting.set()
    tasks = {running().create_task(waits(number), name=str(number)) for number in range(100, 140)}
    done, _ = await asyncio.wait(tasks)
    return heard + [int(task.get_name()) for task in done]


ROUGH = Faults(latency_s=(0.001, 0.2), refuse=0.03, reset=0.03, black_hole=0.01)

if __name__ == "__main__":
    for seed in sys.argv[1:]:
        sys.stdout.write(run_virtual(an_hour_of_trade, seed=int(seed), faults=ROUGH)[1] + "\n")
