"""The adapter opened on the simulated account, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from adapters.amazon import ADAPTER, AmazonSettings
from adapters.amazon.channel import AmazonChannel
from adapters.amazon.simulator import AmazonSimulator, make
from syncd.sdk.channel import AccountId, Context, ListingInfo, ListingRef, OrderSnapshot, Outcome, Write
from syncd.sdk.loop_clock import LoopClock
from syncd.sdk.secret import Secret
from syncd.testing.clock import START
from syncd.testing.loop import run_virtual
from syncd.testing.simulators import connector, serve

SECRETS = ("client_secret", "refresh_token", "aws_secret_access_key")


@dataclass
class Stage:
    """A served account and the adapter opened on it."""

    shop: AmazonSimulator
    channel: AmazonChannel
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

    def write(self, sku: str, quantity: int) -> Write:
        self.keys += 1
        return Write(key=f"key-{self.keys}", ref=ListingRef(remote_id=sku), quantity=quantity)

    async def set(self, sku: str, quantity: int) -> Outcome:
        (outcome,) = await self.channel.push([self.write(sku, quantity)])
        return outcome

    async def feed(self, cursor: str | None) -> tuple[list[OrderSnapshot], str]:
        found: list[OrderSnapshot] = []
        while True:
            page = await self.channel.orders(cursor)
            found += page.orders
            cursor = page.cursor
            if not page.more:
                return found, cursor

    def turn(self, **knobs: Any) -> None:
        self.shop.turn(**knobs)

    def truth(self) -> dict[str, int]:
        return {shown.sku: shown.quantity for shown in self.shop.shown()}


@asynccontextmanager
async def staged(
    *,
    skus: int = 30,
    seed: int = 7,
    queue: bool = False,
    tamper: Callable[[AmazonSimulator], None] | None = None,
    **changes: Any,
) -> AsyncIterator[Stage]:
    clock = LoopClock(asyncio.get_running_loop(), START)
    simulator = make(skus=skus, seed=seed, clock=clock)
    if tamper is not None:
        tamper(simulator)
    async with serve(simulator) as url, aiohttp.ClientSession(connector=connector()) as session:
        given = simulator.settings(url) | (simulator.queue_settings(url) if queue else {}) | {"sweep_s": 0.0} | changes
        given |= {name: Secret(given[name]) for name in SECRETS if name in given}
        numbers = iter(range(1_000_000))
        context = Context(
            account=AccountId("amazon"),
            session=session,
            clock=clock,
            uuid=lambda: f"00000000-0000-7000-8000-{next(numbers):012d}",
            random=lambda: 0.5,
        )
        async with ADAPTER.open(AmazonSettings(**given), context) as channel:
            assert isinstance(channel, AmazonChannel)
            yield Stage(shop=simulator, channel=channel)


def play(scene: Callable[[Stage], Coroutine[Any, Any, None]], *, seed: int = 7, **changes: Any) -> None:
    """Run a scene in virtual time."""

    async def main() -> None:
        async with staged(seed=seed, **changes) as stage:
            await scene(stage)

    run_virtual(main, seed=seed)
