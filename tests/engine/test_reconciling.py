"""Own writes, sales under way and hand edits are told apart: stories of the whole engine on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import SeenFact
from syncd.core.terms import SECOND_US, AccountId, Seen
from syncd.sdk.channel import WriteMode
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

Story = Callable[[World], Awaitable[Any]]


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story of one SKU on channel `one` of a mode and channel `two`; both show 7 of it and are released."""

    def run(story: Story, *, mode: WriteMode = WriteMode.COMPARE_AND_SET, **changes: object) -> Any:
        async def main() -> Any:
            clock = loop_running().clock
            modes = {"one": mode, "two": WriteMode.COMPARE_AND_SET}
            doubles = {n: Double(mode=m, clock=clock, dice=SeededRandom(3), lateness_s=5.0) for n, m in modes.items()}
            for double in doubles.values():
                double.list("A-1", 7)
            async with running(quick_path / "a.db", clock, doubles, **changes) as world:
                await asyncio.sleep(20)
                await world.count(a_1=7)
                await world.go()
                await asyncio.sleep(20)
                return await story(world)

        return run_virtual(main)

    return run


@pytest.mark.parametrize("mode", WriteMode)
def test_a_reading_of_a_write_in_flight_is_no_sale(tell: Callable[..., Any], mode: WriteMode) -> None:
    """A number that our own write has brought about already, though its answer is still to come, holds nothing."""

    async def story(world: World) -> None:
        one, two = world.doubles["one"], world.doubles["two"]
        one.answers_after_s = 5.0
        two.buy(next(iter(two.numbers)), 3)
        async with asyncio.timeout(60):
            while not one.pushed:
                await asyncio.sleep(0.1)
        ref, now = next(iter(one.numbers)), world.plant.clock.now()
        seen = Seen(ref=ref, quantity=one.numbers[ref], asked_at=now + SECOND_US, answered_at=now + SECOND_US)
        await world.say(SeenFact(account=AccountId("one"), seen=(seen,)))
        assert (await world.listing("one")).in_flight, "the story is of a write in flight"
        assert (await world.shelf("A-1")).held == 0
        await asyncio.sleep(40)
        assert one.numbers[ref] == 4
        assert (await world.shelf("A-1")).on_hand == 7

    tell(story, mode=mode)
