"""The clock of the machine is set back by hours: readings and the feed are believed at once all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from syncd.core.terms import SECOND_US, Instant
from syncd.sdk.channel import Clock, ListingRef, OrderPage, Seen, WriteMode
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

BACK_S = 7_200
Story = Callable[[World, "Wrong"], Awaitable[Any]]


class Wrong:
    """A clock that is ahead until somebody sets it right."""

    def __init__(self, right: Clock) -> None:
        self._right = right
        self.ahead_us = BACK_S * SECOND_US

    def now(self) -> Instant:
        return self._right.now() + self.ahead_us

    def monotonic(self) -> float:
        return self._right.monotonic()


@dataclass
class Watched(Double):
    """A channel with the right time whose adapter dates what it reads by the clock of the machine."""

    mine: Wrong = field(kw_only=True)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        asked_at = self.mine.now()
        found = await super().seen(refs)
        return [replace(one, asked_at=asked_at, answered_at=self.mine.now()) for one in found]

    async def orders(self, cursor: str | None) -> OrderPage:
        page = await super().orders(cursor)
        ahead_us = self.mine.ahead_us
        read = tuple(replace(order, read_at=order.read_at + ahead_us) for order in page.orders)
        complete = None if page.complete_until is None else page.complete_until + ahead_us
        return replace(page, orders=read, complete_until=complete)


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story of one SKU of which 7 are there on two channels, told once the clock was set right."""

    def run(story: Story, *, mode: WriteMode, lateness_s: float = 5.0) -> None:
        async def main() -> None:
            right = loop_running().clock
            clock = Wrong(right)
            doubles = {
                name: Watched(mode=mode, clock=right, dice=SeededRandom(3), mine=clock, lateness_s=lateness_s)
                for name in ("one", "two")
            }
            for double in doubles.values():
                double.list("A-1", 7)
            async with running(quick_path / "a.db", clock, doubles) as world:
                await asyncio.sleep(20)
                await world.count(a_1=7)
                await world.go()
                await asyncio.sleep(60)
                clock.ahead_us = 0
                await asyncio.sleep(60)
                await story(world, clock)

        run_virtual(main)

    return run


def shown(world: World) -> tuple[int, ...]:
    return tuple(number for double in world.doubles.values() for number in double.numbers.values())


async def becomes(world: World, numbers: tuple[int, int], *, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while shown(world) != numbers:
            await asyncio.sleep(1)


@pytest.mark.parametrize("mode", WriteMode)
def test_sales_and_hand_edits_are_put_right_at_once(tell: Callable[..., Any], mode: WriteMode) -> None:
    """After the clock was set back by hours numbers are right as soon as ever, and a person is told once an account."""

    async def story(world: World, _clock: Wrong) -> None:
        one = world.doubles["one"]
        ref = next(iter(one.numbers))
        one.buy(ref, 2)
        await becomes(world, (5, 5), within_s=60)
        await asyncio.sleep(400)
        one.set(ref, 50, "person")
        await becomes(world, (5, 5), within_s=400)
        await asyncio.sleep(60)
        one.set(ref, 3, "person")
        await becomes(world, (5, 5), within_s=700)
        query = text("SELECT body FROM outbox WHERE sink = 'alerts'")
        bodies = await world.plant.store.read(lambda conn: [bytes(row.body) for row in conn.execute(query)])
        assert sum(b'"clock"' in body for body in bodies) == 2

    tell(story, mode=mode)


def test_a_sale_that_is_not_told_is_noticed(tell: Callable[..., Any]) -> None:
    """Units that the first reading after it finds missing are held, though the base of the listing lies ahead."""

    async def story(world: World, _clock: Wrong) -> None:
        one = world.doubles["one"]
        name = one.buy(next(iter(one.numbers)), 7)
        assert name is not None
        one.placed[name].told_at = one.clock.now() + 590 * SECOND_US
        await becomes(world, (0, 0), within_s=400)
        await asyncio.sleep(900)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (7, 7, 0)

    tell(story, mode=WriteMode.COMPARE_AND_SET, lateness_s=600.0)
