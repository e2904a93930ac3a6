"""Own writes, sales under way and hand edits are told apart: stories of the whole engine on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.brake import BrakeRule
from syncd.core.facts import DriftFact, SeenFact, Verdict
from syncd.core.terms import SECOND_US, AccountId, Seen, Span
from syncd.sdk.channel import WriteMode
from syncd.store import alerts, doubts
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


ADOPT = {"drift": "adopt", "counting": True}


def put(double: Double, number: int) -> None:
    """Let a person change the number at a channel."""
    double.set(next(iter(double.numbers)), number, "person")


async def doubted(world: World) -> None:
    """Wait until the first reading of a hand edit."""
    async with asyncio.timeout(330):
        while (await world.listing("one")).held != "adopting":
            await asyncio.sleep(1)


def test_a_raise_by_hand_at_the_counting_place_is_taken_for_stock(tell: Callable[..., Any]) -> None:
    """Where people count, a higher number is read twice and then is stock; the other channel follows."""

    async def story(world: World) -> None:
        one, two = world.doubles["one"], world.doubles["two"]
        put(one, 10)
        await doubted(world)
        await asyncio.sleep(40)
        assert (await world.shelf("A-1")).on_hand == 10
        assert (list(one.numbers.values()), list(two.numbers.values())) == ([10], [10])
        assert not one.pushed, "nobody overwrote it meanwhile"

    tell(story, **ADOPT)


def test_a_number_that_is_gone_again_is_no_stock(tell: Callable[..., Any]) -> None:
    """A higher number that only one reading shows is not believed."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        put(one, 10)
        await doubted(world)
        put(one, 7)
        await asyncio.sleep(120)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.held) == (7, 0)

    tell(story, **ADOPT)


def test_a_sale_elsewhere_does_not_wait_for_a_second_reading(tell: Callable[..., Any]) -> None:
    """While a higher number is doubted a sale on another channel still comes down at once."""

    async def story(world: World) -> None:
        one, two = world.doubles["one"], world.doubles["two"]
        two.lateness_s = 0.0
        put(one, 10)
        await doubted(world)
        two.buy(next(iter(two.numbers)), 7)
        world.plant.roster[AccountId("two")].orders.set()
        async with asyncio.timeout(5):
            while not one.pushed:
                await asyncio.sleep(0.1)
        assert [write.quantity for write in one.pushed[0]] == [0]
        assert (await world.shelf("A-1")).on_hand == 7

    tell(story, **ADOPT)


def test_a_fall_by_hand_is_reversed_by_the_order_that_explains_it(tell: Callable[..., Any]) -> None:
    """A lower number that no order explains in time is taken for stock; an order that is told late gives it back."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        name = one.buy(next(iter(one.numbers)), 2)
        assert name is not None
        late = one.placed.pop(name)
        await asyncio.sleep(400)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (5, 0, 0)
        one.placed[name] = late
        late.told_at = world.plant.clock.now()
        await asyncio.sleep(60)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (7, 2, 0)

    tell(story, **ADOPT)


def test_a_restore_that_is_told_late_reverses_a_hand_edit(tell: Callable[..., Any]) -> None:
    """Units that seemed to be added by hand were a cancel's: once it is told they are taken off the stock again."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        name = one.buy(next(iter(one.numbers)), 2)
        assert name is not None
        await asyncio.sleep(60)
        one.cancel(name, restore=True)
        told = one.placed[name]
        told.told_at = world.plant.clock.now() + 10_000 * SECOND_US
        await asyncio.sleep(400)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed) == (9, 2)
        told.told_at = world.plant.clock.now()
        await asyncio.sleep(60)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed) == (7, 0)

    tell(story, **ADOPT)


def test_many_hand_edits_wait_for_a_person(tell: Callable[..., Any]) -> None:
    """More hand edits than the brake allows are held as drift, with an alert that names the cause."""

    async def story(world: World) -> None:
        object.__setattr__(world.plant.house, "brake", BrakeRule(minimum=1, share=0.2, factor=1.1))
        put(world.doubles["one"], 10)
        await doubted(world)
        await asyncio.sleep(40)
        assert (await world.shelf("A-1")).on_hand == 7
        found = await world.plant.store.read(alerts.standing)
        assert {("brake", "drift:one"), ("drift", "one")} <= {(alert.kind, alert.key) for alert in found}
        (row,) = await world.plant.store.read(doubts.pending_drift)
        await world.say(DriftFact(ids=(row.id,), verdict=Verdict.ACCEPT))
        assert (await world.shelf("A-1")).on_hand == 10
        assert await world.plant.store.read(alerts.standing) == []

    tell(story, **ADOPT)


def test_what_is_taken_off_by_hand_on_two_channels_is_no_oversell(quick_path: Path) -> None:
    """A good that a shop stops selling on two channels by hand is held twice, but oversold only by real orders."""

    async def main() -> None:
        clock = loop_running().clock
        doubles = {
            name: Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=300.0)
            for name in ("one", "two")
        }
        for double in doubles.values():
            double.list("A-1", 7)
        async with running(quick_path / "a.db", clock, doubles) as world:
            await asyncio.sleep(20)
            await world.count(a_1=7)
            await world.go()
            await asyncio.sleep(400)
            for double in doubles.values():
                double.set(next(iter(double.numbers)), 0, "person")
            async with asyncio.timeout(400):
                while (await world.shelf("A-1")).available >= 0:
                    await asyncio.sleep(1)
            await asyncio.sleep(100)
            assert await world.plant.store.read(alerts.standing) == []
            for name, double in doubles.items():
                placed = double.placed[double.order(next(iter(double.numbers)), 4 if name == "one" else 7)]
                placed.told_at = clock.now()
                line = replace(placed.order.lines[0], take=Span(earliest=0, latest=None))
                placed.order = replace(placed.order, lines=(line,))
            await asyncio.sleep(30)
            (alert,) = await world.plant.store.read(alerts.standing)
            assert (alert.kind, alert.text) == ("oversell", "sku A-1, units 4")

    run_virtual(main)
