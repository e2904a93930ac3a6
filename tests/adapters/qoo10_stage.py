"""The adapter opened on the simulated Qoo10, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from adapters.qoo10 import ADAPTER, Qoo10Settings
from adapters.qoo10.channel import Qoo10Channel
from adapters.qoo10.simulator import Qoo10Simulator, make
from syncd.sdk.channel import AccountId, Context, ListingInfo, ListingRef, OrderPage, OrderSnapshot, Outcome, Write
from syncd.sdk.secret import Secret
from syncd.testing.loop import VirtualConnector, run_virtual, running
from syncd.testing.simulators import serve

SKUS = 30
SETTLED_S = 1_300.0
"""Longer than a number takes to sell and to show."""


@dataclass
class Stage:
    """A served shop and the adapter opened on it."""

    shop: Qoo10Simulator
    channel: Qoo10Channel
    context: Context
    settings: Qoo10Settings
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

    async def set(self, *numbers: tuple[ListingRef, int]) -> list[Outcome]:
        writes = []
        for ref, quantity in numbers:
            self.keys += 1
            writes.append(Write(key=f"key-{self.keys}", ref=ref, quantity=quantity))
        ends: dict[str, Outcome] = {}
        left = writes
        while left:
            ends.update((end.key, end) for end in await self.channel.push(left))
            left = [write for write in left if ends[write.key].deferred]
        return [ends[write.key] for write in writes]

    async def scan(self, cursor: str | None) -> tuple[list[OrderSnapshot], OrderPage]:
        """Read the feed to its end; return the orders and the last page."""
        found: list[OrderSnapshot] = []
        while True:
            page = await self.channel.orders(cursor)
            found += page.orders
            cursor = page.cursor
            if not page.more:
                return found, page

    def shown(self) -> dict[ListingRef, int]:
        return {one.ref: one.quantity for one in self.shop.shown()}

    @asynccontextmanager
    async def restarted(self) -> AsyncIterator[Qoo10Channel]:
        """Open the adapter anew, as after a restart: it remembers nothing."""
        async with ADAPTER.open(self.settings, self.context) as channel:
            assert isinstance(channel, Qoo10Channel)
            yield channel


@asynccontextmanager
async def staged(*, seed: int = 7, knobs: dict[str, Any] | None = None, **changes: Any) -> AsyncIterator[Stage]:
    simulator = make(skus=SKUS, seed=seed, clock=running().clock)
    simulator.turn(**(knobs or {}))
    async with serve(simulator) as url, aiohttp.ClientSession(connector=VirtualConnector()) as session:
        given = simulator.settings(url)
        secrets = {name: Secret(given[name]) for name in ("key", "api_key")}
        settings = Qoo10Settings(**{**given, **secrets, **changes})
        context = Context(
            account=AccountId("qoo10"),
            session=session,
            clock=running().clock,
            uuid=lambda: "00000000-0000-7000-8000-000000000001",
            random=lambda: 0.5,
        )
        async with ADAPTER.open(settings, context) as channel:
            assert isinstance(channel, Qoo10Channel)
            yield Stage(shop=simulator, channel=channel, context=context, settings=settings)


def play(
    scene: Callable[[Stage], Coroutine[Any, Any, None]],
    *,
    seed: int = 7,
    knobs: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    async def main() -> None:
        async with staged(seed=seed, knobs=knobs, **changes) as stage:
            await scene(stage)

    run_virtual(main, seed=seed)
