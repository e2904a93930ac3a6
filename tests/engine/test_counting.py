"""Counts beside hand edits and beside each other: what a person found on the shelf is booked once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from syncd.core.facts import CountFact, CountRow, DriftFact, Verdict
from syncd.core.terms import SECOND_US, Instant, Location, Sku
from syncd.sdk.channel import WriteMode
from syncd.settings import PolicyDefaults
from syncd.store import alerts, doubts
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

Story = Callable[[World], Awaitable[Any]]
ADOPT = {"drift": "adopt", "counting": True}
YOUNG = {"hand_edit_days": 14}


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story of one SKU of which 7 are there, on one channel that is released and shows them."""

    def run(story: Story, **changes: object) -> Any:
        async def main() -> Any:
            clock = loop_running().clock
            one = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
            one.list("A-1", 7)
            async with running(quick_path / "a.db", clock, {"one": one}, **changes) as world:
                await asyncio.sleep(20)
                await world.count(a_1=7)
                await world.go()
                await asyncio.sleep(60)
                return await story(world)

        return run_virtual(main)

    return run


def put(world: World, number: int) -> None:
    """Let a person type a number at the channel."""
    one = world.doubles["one"]
    one.set(next(iter(one.numbers)), number, "person")


def shown(world: World) -> int:
    return next(iter(world.doubles["one"].numbers.values()))


async def held(world: World) -> None:
    """Wait until units are missing."""
    async with asyncio.timeout(400):
        while not (await world.shelf("A-1")).held:
            await asyncio.sleep(1)


async def count_of(world: World, quantity: int, at: Instant) -> str | None:
    row = CountRow(sku=Sku("A-1"), location=Location("main"), quantity=quantity, counted_at=at)
    return await world.say(CountFact(source="test", reference=world.plant.uuid(), rows=(row,)))


async def pending(world: World) -> list[Any]:
    return await world.plant.store.read(doubts.pending_drift)


async def standing(world: World) -> list[str]:
    return [x.kind for x in await world.plant.store.read(alerts.standing)]


def test_an_older_count_does_not_overrule_a_newer_one(tell: Callable[..., Any]) -> None:
    """What was counted before another count moves nothing once it comes, and the history says why."""

    async def story(world: World) -> None:
        monday = world.plant.clock.now()
        await asyncio.sleep(60)
        await world.count(a_1=3)
        assert await count_of(world, 0, monday) is None
        await asyncio.sleep(60)
        assert ((await world.shelf("A-1")).on_hand, shown(world)) == (3, 3)
        query = text("SELECT reason FROM movement WHERE kind = 'count' ORDER BY id DESC LIMIT 1")
        assert await world.plant.store.read(lambda conn: conn.execute(query).scalar()) == (
            "not applied: it was counted anew after that"
        )

    tell(story)


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "once missing"])
def test_what_is_typed_at_the_counting_place_and_counted_is_one_change(tell: Callable[..., Any], wait: bool) -> None:
    """Two broken units that a person takes off the number and off the count are taken off the stock once."""

    async def story(world: World) -> None:
        put(world, 5)
        if wait:
            await held(world)
        await world.count(a_1=5)
        await asyncio.sleep(900)
        assert ((await world.shelf("A-1")).on_hand, shown(world)) == (5, 5)

    tell(story, **ADOPT)


@pytest.mark.parametrize("wait", [0, 400])
def test_what_is_added_at_the_counting_place_and_counted_is_one_change(tell: Callable[..., Any], wait: int) -> None:
    """Units that a person adds to the number and to the count come in once."""

    async def story(world: World) -> None:
        put(world, 10)
        await asyncio.sleep(wait)
        await world.count(a_1=10)
        await asyncio.sleep(900)
        assert ((await world.shelf("A-1")).on_hand, shown(world)) == (10, 10)

    tell(story, **ADOPT)


def test_a_count_ends_a_hand_edit_that_waits(tell: Callable[..., Any]) -> None:
    """Who counts after a hand edit has decided it: it cannot be accepted any more, and its alert is over."""

    async def story(world: World) -> None:
        put(world, 10)
        await asyncio.sleep(400)
        (row,) = await pending(world)
        assert "drift" in await standing(world)
        await count_of(world, 7, row.at - SECOND_US)
        assert await pending(world) == [row]
        await world.count(a_1=10)
        assert (await pending(world), await standing(world)) == ([], [])
        assert "no drift waits" in (await world.say(DriftFact(ids=(row.id,), verdict=Verdict.ACCEPT)) or "")
        await asyncio.sleep(60)
        assert ((await world.shelf("A-1")).on_hand, shown(world)) == (10, 10)

    tell(story, **YOUNG)


def test_a_count_before_a_hand_edit_is_seen_decides_it_too(tell: Callable[..., Any]) -> None:
    """Where a number was typed and counted before anybody read it, nothing waits for a person."""

    async def story(world: World) -> None:
        put(world, 10)
        await world.count(a_1=10)
        await asyncio.sleep(900)
        assert await pending(world) == []
        assert ((await world.shelf("A-1")).on_hand, shown(world)) == (10, 10)

    tell(story, **YOUNG)


def test_of_two_hand_edits_one_goes_on_waiting(tell: Callable[..., Any]) -> None:
    """A listing with two hand edits stays held, and its alert stands, until both are decided."""

    async def story(world: World) -> None:
        for number in (5, 3):
            put(world, number)
            await asyncio.sleep(700)
        first, second = await pending(world)
        await world.say(DriftFact(ids=(first.id,), verdict=Verdict.ACCEPT))
        await asyncio.sleep(60)
        assert (shown(world), await standing(world)) == (3, ["drift"])
        await world.say(DriftFact(ids=(second.id,), verdict=Verdict.REFUSE))
        await asyncio.sleep(60)
        assert (shown(world), await standing(world)) == (5, [])

    tell(story, **YOUNG)


@pytest.mark.parametrize("typed", [7, 3])
def test_what_is_typed_where_not_all_is_shown_waits_for_a_person(tell: Callable[..., Any], typed: int) -> None:
    """With two units kept back a typed number may be a count or a change: it is held, and a count decides it."""

    async def story(world: World) -> None:
        assert shown(world) == 5
        put(world, typed)
        await asyncio.sleep(900)
        (row,) = await pending(world)
        assert ((await world.shelf("A-1")).on_hand, row.seen, row.expected_low) == (7, typed, 5)
        assert sorted(await standing(world)) == ["brake", "drift"]
        await world.count(a_1=typed)
        await asyncio.sleep(60)
        assert ((await world.shelf("A-1")).on_hand, shown(world)) == (typed, typed - 2)
        assert (await pending(world), await standing(world)) == ([], [])

    tell(story, policy=PolicyDefaults(raise_delay_s=2.0, exposure="pool", safety_stock=2), **ADOPT)
