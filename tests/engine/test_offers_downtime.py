"""Private sales when the daemon, its store or the channel was away: nothing is made twice, told late, held for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.tickets import DeskId, TicketState
from syncd.core.waitlist import DeskFact, LeaveFact, OfferFact
from syncd.engine.offer_effects import MARGIN_US
from syncd.engine.rules import WaitRules
from syncd.sdk.channel import WriteMode
from syncd.sdk.errors import TransientError
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.desk_double import DeskDouble
from tests.engine.double import Double
from tests.engine.offer_double import LINK, Selling
from tests.engine.test_offers import (
    HOLD_S,
    RULES,
    believed,
    entries,
    nothing_odd,
    numbers,
    receive,
    served,
    sign_up,
    states,
    told,
)
from tests.engine.world import World, running

LONG_S = HOLD_S + MARGIN_US / 1e6 + 600


class Shop:
    """What stays while daemons come and go: the channels, the desk and the store."""

    def __init__(self, path: Path) -> None:
        clock = loop_running().clock
        self.path = path
        self.one = Selling(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
        self.two = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(4), lateness_s=5.0)
        self.desk = DeskDouble(clock=clock, dice=SeededRandom(5))
        self.one.list("A-1", 0)
        self.two.list("A-1", 0)

    @asynccontextmanager
    async def daemon(self, *names: str, rules: WaitRules = RULES) -> AsyncIterator[World]:
        """Run a daemon on these accounts, at first with nothing there and the desk live."""
        clock = loop_running().clock
        doubles = {"one": self.one, "two": self.two}
        chosen = {name: doubles[name] for name in names or doubles}
        async with running(self.path, clock, chosen, desks={"desk": self.desk}, waiting=rules) as world:
            await asyncio.sleep(20)
            if not await entries(world):
                await world.say(DeskFact(desk=DeskId("desk"), live=True))
                await world.count(a_1=0)
                await world.go()
            yield world
            assert await world.plant.store.read(verify) == []


@pytest.fixture
def path(quick_path: Path) -> Path:
    return quick_path / "a.db"


def test_an_answer_that_could_not_be_stored_makes_no_second_one(path: Path) -> None:
    """Where the store takes nothing for a while after the channel has answered, the private sale is looked for."""

    async def main() -> None:
        shop = Shop(path)
        async with shop.daemon() as world:
            intake, full = world.plant.intake, [True, True]
            put_one = intake.put_one

            async def put(fact: Any, **more: Any) -> Any:
                if isinstance(fact, OfferFact) and full:
                    full.pop()
                    raise TransientError("the disk is full")
                return await put_one(fact, **more)

            intake.put_one = put  # type: ignore[method-assign]
            await served(world, after_s=400)
            assert (len(shop.one.requests), len(shop.one.private)) == (1, 1)
            assert shop.one.withdrawals == []
            assert await states(world) == ["open"]
            assert len(told(shop.desk)) == 1
            await nothing_odd(world)

    run_virtual(main)


def test_one_that_lapsed_while_nobody_was_there(path: Path) -> None:
    """A private sale whose reservation is over gives its units back once, and they are for sale."""

    async def main() -> None:
        shop = Shop(path)
        async with shop.daemon() as world:
            await served(world, after_s=60)
            assert await states(world) == ["open"]
        await asyncio.sleep(LONG_S)
        async with shop.daemon() as world:
            await asyncio.sleep(120)
            assert await states(world) == ["ended"]
            assert numbers(world) == {"one": 1, "two": 1}
            assert await believed(world) == (1, 1)
            assert (await world.shelf("A-1")).available == 1
            await nothing_odd(world)

    run_virtual(main)


def test_one_that_lapsed_while_it_was_being_ended(path: Path) -> None:
    """Units that came back by the lapse do not come back a second time when the channel ends it at last."""

    async def main() -> None:
        shop = Shop(path)
        async with shop.daemon() as world:
            await served(world, after_s=60)
            shop.one.away = True
            await asyncio.sleep(LONG_S)
            assert await states(world) == ["withdrawing"]
            assert numbers(world)["one"] == 0
            shop.one.away = False
            for _ in range(400):
                await asyncio.sleep(1)
                _, high = await believed(world)
                assert high is not None
                assert high <= 1, "the units came back twice"
            assert await states(world) == ["ended"]
            assert numbers(world) == {"one": 1, "two": 1}
            await nothing_odd(world)

    run_virtual(main)


def test_one_that_is_found_too_late_is_not_told(path: Path) -> None:
    """Nobody is told a link that is over: what is found too late is ended, and whoever waits is sold to anew."""

    async def main() -> None:
        shop = Shop(path)
        async with shop.daemon() as world:
            shop.one.ends = ["cut"]
            await served(world, after_s=10)
            assert await states(world) == ["unknown"]
        await asyncio.sleep(HOLD_S - 60)
        async with shop.daemon() as world:
            await asyncio.sleep(120)
            first, second = shop.one.links()
            (letter,) = told(shop.desk)
            assert (first in letter, second in letter) == (False, True)
            assert shop.one.withdrawals == ["D1"]
            (entry,) = await entries(world)
            assert (entry.state, entry.closed_at) == (TicketState.RESTOCKED, None)
            assert numbers(world) == {"one": -1, "two": 0}
            await nothing_odd(world)

    run_virtual(main)


def test_who_was_never_told_is_not_taken_for_one_who_did_not_come(path: Path) -> None:
    """While a private sale is looked for the time of its hold does not run: nobody was told yet."""

    async def main() -> None:
        shop = Shop(path)
        async with shop.daemon() as world:
            shop.one.ends, shop.one.found_after_s = ["cut"], 0.0
            await served(world, after_s=1)
            shop.one.away = True
            await asyncio.sleep(LONG_S)
            (entry,) = await entries(world)
            assert entry.closed_at is None
            assert told(shop.desk) == []
            shop.one.away = False
            await asyncio.sleep(900)
            (entry,) = await entries(world)
            assert (entry.state, entry.closed_at) == (TicketState.RESTOCKED, None)
            (letter,) = told(shop.desk)
            assert LINK in letter
            await nothing_odd(world)

    run_virtual(main)


@pytest.mark.parametrize("leaves", [True, False])
def test_what_an_account_left_behind_is_not_held_for_ever(path: Path, leaves: bool) -> None:
    """Where the account is not there any more units are free once its reservation is over, whatever stood open."""

    async def main() -> None:
        shop = Shop(path)
        async with shop.daemon() as world:
            await served(world, after_s=60)
            shop.one.away = True
            if leaves:
                await world.say(LeaveFact(ids=(1,)))
                await asyncio.sleep(20)
                assert await states(world) == ["withdrawing"]
        async with shop.daemon("two") as world:
            assert (await world.shelf("A-1")).held == 1
            await asyncio.sleep(LONG_S)
            assert await states(world) == ["ended"]
            assert (await world.shelf("A-1")).held == 0
            assert numbers(world) == {"two": 1}

    run_virtual(main)


def test_bought_after_it_lapsed_it_takes_what_the_listing_shows(path: Path) -> None:
    """Who pays after the reservation is over takes units off the listing as anybody does, and nothing looks odd."""

    async def main() -> None:
        shop = Shop(path)
        async with shop.daemon() as world:
            await sign_up(world, "a")
            await receive(world, 3)
            await asyncio.sleep(60)
            shop.one.away = True
            await asyncio.sleep(LONG_S)
            before = numbers(world)["one"]
            assert shop.one.pay("D1") is not None
            assert numbers(world)["one"] == before - 1
            await asyncio.sleep(400)
            shop.one.away = False
            await asyncio.sleep(700)
            shelf = await world.shelf("A-1")
            assert (shelf.on_hand, shelf.committed, shelf.held) == (3, 1, 0)
            assert numbers(world) == {"one": 2, "two": 2}
            assert await believed(world) == (2, 2)
            await nothing_odd(world)

    run_virtual(main)


def test_one_that_waits_is_not_made_once_private_sales_are_off(path: Path) -> None:
    """What was to be made when an operator switched private sales off is not made: the channel opens instead."""

    async def main() -> None:
        shop = Shop(path)
        async with shop.daemon() as world:
            shop.one.away = True
            await served(world, after_s=60)
            assert await states(world) == ["waiting"]
        shop.one.away, shop.one.requests = False, []
        async with shop.daemon(rules=replace(RULES, private=frozenset())) as world:
            await asyncio.sleep(60)
            assert (await states(world), shop.one.requests) == (["ended"], [])
            assert numbers(world) == {"one": 1, "two": 0}
            assert [LINK in letter for letter in told(shop.desk)] == [False]

    run_virtual(main)
