"""What a simulated remote does besides answering: webhooks that it sends, and work in the background."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import aiohttp
from aiohttp import web

from syncd.testing.chance import SeededRandom
from syncd.testing.faults import Faults
from syncd.testing.loop import VirtualConnector, VirtualLoop

MOST_AT_WORK = 50_000
"""Deliveries and other work under way; more deliveries are lost."""
MOST_CONNECTIONS = 100
ANSWER_S = 5.0
"""How long a receiver may take."""


class Done(Protocol):
    """Hears how one copy of a webhook ended."""

    def __call__(self, *, delivered: bool) -> object:
        """Take note; what it answers is not looked at."""


class _Closing(Exception):  # noqa: N818  (a signal within this file)
    """The server stops: end everything that still runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook: where, with which headers (its signature among them), which bytes."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Courier:
    """Runs beside the server, within its lifetime.

    `faults` are asked at every delivery; `scale` multiplies every delay. While no server runs, nothing is sent.
    """

    def __init__(self, *, faults: Callable[[], Faults], scale: Callable[[], float], random: SeededRandom) -> None:
        self._faults = faults
        self._scale = scale
        self._random = random
        self._group: asyncio.TaskGroup | None = None
        self._session: aiohttp.ClientSession | None = None
        self._at_work = 0

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """Work from the start of the server to its end (an aiohttp cleanup context)."""
        try:
            async with aiohttp.ClientSession(connector=connector()) as session, asyncio.TaskGroup() as group:
                self._session, self._group = session, group
                yield
                self._session = self._group = None
                _close()
        except* _Closing:
            pass

    def spawn(self, work: Callable[[], Awaitable[None]], *, name: str) -> bool:
        """Start work in the background; answers False, and starts none, while no server runs or too much is under way.

        What it raises ends the server.
        """
        if self._group is None or self._at_work >= MOST_AT_WORK:
            return False
        self._at_work += 1
        self._group.create_task(self._counted(work), name=name)
        return True

    async def _counted(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._at_work -= 1

    async def pause(self, seconds: float) -> None:
        """Wait, by the simulator's scale of time."""
        await asyncio.sleep(seconds * self._scale())

    def send(self, delivery: Delivery, *, delay_s: float = 0.0, done: Done | None = None) -> None:
        """Deliver after `delay_s`, and as late, twice or never as the faults say.

        `done` hears for every copy whether it was answered by 2xx; one that is lost counts as answered, for the sender
        believes so.
        """
        faults = self._faults()
        for _ in range(1 + self._random.happens(faults.double_webhooks)):
            late_s = delay_s + self._random.between(0.0, faults.late_webhooks_s)
            if not self._random.happens(faults.lost_webhooks):
                self.spawn(functools.partial(self._deliver, delivery, late_s, done), name="webhook")
            elif done is not None:
                done(delivered=True)

    async def _deliver(self, delivery: Delivery, late_s: float, done: Done | None) -> None:
        await self.pause(late_s)
        delivered = await self._post(delivery)
        if done is not None:
            done(delivered=delivered)

    async def _post(self, delivery: Delivery) -> bool:
        session = self._session
        if session is None:
            return False
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                session.post(
                    delivery.url, data=delivery.body, headers=delivery.headers, allow_redirects=False
                ) as response,
            ):
                await response.read()
                return 200 <= response.status < 300
        except (aiohttp.ClientError, OSError):  # TimeoutError is an OSError
            return False


def _close() -> NoReturn:
    raise _Closing


def connector() -> aiohttp.BaseConnector:
    """Return a connector for the loop that runs: real sockets, or the network of a virtual loop."""
    if isinstance(asyncio.get_running_loop(), VirtualLoop):
        return VirtualConnector(limit=MOST_CONNECTIONS)
    return aiohttp.TCPConnector(limit=MOST_CONNECTIONS)
