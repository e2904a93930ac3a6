"""The last units of a fast seller under adaptive exposure, where not every listing can show them: whole engines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import (
    AccountFact,
    AccountState,
    CatalogueFact,
    CountFact,
    CountRow,
    MoveFact,
    MoveRow,
    PolicyFact,
    PolicyRow,
    SkuFact,
    SkuRow,
    StockMove,
)
from syncd.core.terms import SECOND_US, AccountId, ListingInfo, Location, Sku
from syncd.engine.outlook import Ground
from syncd.engine.why import explain
from syncd.sdk.channel import WriteMode
from syncd.settings import PolicyDefaults
from syncd.store import listings
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double, Rates
from tests.engine.world import World, running

STRONG = ("one", "one", "two", "three")
"""Where it is bought: half of it on `one`."""


def play(
    path: Path,
    story: Callable[[World], Awaitable[None]],
    *,
    names: Sequence[str] = ("one", "two", "three"),
    pages: int = 1,
    **changes: Any,
) -> None:
    """Run a story in a new world of channels with adaptive exposure; `one` has so many pages of the SKU."""

    async def main() -> None:
        clock = loop_running().clock
        doubles = {
            name: Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(seed), lateness_s=20.0)
            for seed, name in enumerate(names)
        }
        for name, double in doubles.items():
            for page in range(pages if name == "one" else 1):
                double.list("A-1", 0, f"page-{page}")
        policy = PolicyDefaults(raise_delay_s=2.0, exposure="adaptive")
        async with running(path / "a.db", clock, doubles, policy=policy, **changes) as world:
            await asyncio.sleep(20)
            await story(world)

    run_virtual(main)


def shown(world: World) -> dict[str, int]:
    return {name: sum(double.numbers.values()) for name, double in world.doubles.items()}


async def learn(world: World, *, where: Sequence[str] = STRONG, lines: int = 40) -> None:
    """Have the shop sell a lot, so that a rate is known."""
    await world.count(a_1=1_000)
    await world.go()
    await asyncio.sleep(100)
    for number in range(lines):
        double = world.doubles[where[number % len(where)]]
        pages = list(double.numbers)
        assert double.buy(pages[number // 2 % len(pages)], 1) is not None
        await asyncio.sleep(6)
    await asyncio.sleep(60)


async def leave(world: World, units: int) -> None:
    """Count so that so many units are available."""
    await world.count(a_1=units + (await world.shelf("A-1")).committed)
    await asyncio.sleep(120)


async def receive(world: World, units: int) -> None:
    row = MoveRow(sku=Sku("A-1"), location=Location("main"), quantity=units)
    name, at = world.plant.uuid(), world.plant.clock.now()
    await world.say(MoveFact(source="test", reference=name, move=StockMove.RECEIVE, rows=(row,), at=at))
    await asyncio.sleep(120)


async def set_policy(world: World, **values: Any) -> None:
    assert await world.say(PolicyFact(rows=(PolicyRow(sku=Sku("A-1"), **values),), forced=True)) is None
    await asyncio.sleep(120)


def test_two_pages_share_the_last_units(quick_path: Path) -> None:
    """Two listings of one account share the last units: together they show all of them, and each its own part."""

    async def story(world: World) -> None:
        await learn(world, where=("one",))
        for units in (4, 2, 1):
            await leave(world, units)
            assert shown(world) == {"one": units}
        found = await explain(world.plant, "A-1")
        assert found is not None
        told = [x.aim.exposure for x in found.listings if x.aim is not None and x.aim.exposure is not None]
        assert sorted(x.limit or 0 for x in told) == [0, 1]

    play(quick_path, story, names=("one",), pages=2)


@pytest.mark.parametrize(
    ("values", "units", "expected"),
    [
        ({"account": AccountId("one"), "cap": 0}, 1, {"one": 0, "two": 0, "three": 1}),
        ({"account": AccountId("one"), "safety_stock": 1}, 1, {"one": 0, "two": 0, "three": 1}),
        ({"priority": "two", "priority_units": 1}, 1, {"one": 0, "two": 1, "three": 0}),
        ({"priority": "two", "priority_units": 5}, 5, {"one": 0, "two": 5, "three": 0}),
    ],
)
def test_the_last_units_are_where_the_policy_allows_them(
    quick_path: Path, values: Mapping[str, Any], units: int, expected: Mapping[str, int]
) -> None:
    """What the strongest channel may not show by its policy is shown on another one, all of it."""

    async def story(world: World) -> None:
        await learn(world)
        await leave(world, 1)
        assert shown(world) == {"one": 1, "two": 0, "three": 0}
        await set_policy(world, **values)
        await leave(world, units)
        assert shown(world) == expected
        await asyncio.sleep(7_300)
        assert shown(world) == expected

    play(quick_path, story)


def test_a_channel_that_is_down_at_zero_leaves_the_last_unit_to_others(quick_path: Path) -> None:
    """While the strongest channel is down and shows nothing, a unit that comes in is shown elsewhere."""

    async def story(world: World) -> None:
        await learn(world)
        await leave(world, 0)
        world.doubles["one"].rates = Rates(refused=1.0)
        await asyncio.sleep(300)
        assert world.plant.house.outlook.lag(AccountId("one")).visible_by is Ground.DOWN
        await receive(world, 1)
        assert sum(shown(world).values()) == 1
        await asyncio.sleep(7_300)
        assert shown(world)["one"] == 0
        assert sum(shown(world).values()) == 1

    play(quick_path, story)


def test_a_paused_channel_leaves_the_last_unit_to_others(quick_path: Path) -> None:
    """While the strongest channel is paused at zero a unit that comes in is shown elsewhere; released it gets it."""

    async def story(world: World) -> None:
        await learn(world)
        await leave(world, 0)
        one = AccountId("one")
        await world.say(AccountFact(account=one, state=AccountState.PAUSED, reason="holiday"))
        await receive(world, 1)
        assert sum(shown(world).values()) == 1
        found = await explain(world.plant, "A-1", "one")
        assert found is not None
        assert [x.target for x in found.listings] == [0]
        await asyncio.sleep(7_300)
        assert shown(world)["one"] == 0
        assert sum(shown(world).values()) == 1
        await world.say(AccountFact(account=one, state=AccountState.LIVE))
        await asyncio.sleep(300)
        assert shown(world) == {"one": 1, "two": 0, "three": 0}

    play(quick_path, story)


def test_what_a_paused_channel_shows_is_not_shown_again(quick_path: Path) -> None:
    """A paused channel goes on selling what it shows; the others show the rest."""

    async def story(world: World) -> None:
        await learn(world)
        await leave(world, 1)
        await world.say(AccountFact(account=AccountId("one"), state=AccountState.PAUSED))
        await receive(world, 3)
        assert shown(world)["one"] == 1
        assert shown(world)["two"] + shown(world)["three"] == 3

    play(quick_path, story)


def test_a_page_that_was_taken_down_leaves_the_last_units_to_others(quick_path: Path) -> None:
    """Units are shown where they can be bought, not on a page that somebody took down; it is not raised either."""

    async def story(world: World) -> None:
        await learn(world)
        await leave(world, 1)
        assert shown(world) == {"one": 1, "two": 0, "three": 0}
        number = (await world.listing("one")).id
        await world.plant.store.write(lambda conn: listings.set_active(conn, number, active=False))
        await leave(world, 2)
        assert shown(world)["one"] == 1
        assert shown(world)["two"] + shown(world)["three"] == 2

    play(quick_path, story)


def test_a_page_that_is_open_again_gets_the_last_unit_back(quick_path: Path) -> None:
    """When a catalogue says that a page was taken down, or is open again, the last unit goes where it can sell."""

    async def story(world: World) -> None:
        await learn(world)
        await leave(world, 1)
        one, ref = AccountId("one"), next(iter(world.doubles["one"].numbers))
        for active in (False, True):
            info, now = ListingInfo(ref=ref, sku="A-1", active=active), world.plant.clock.now()
            await world.say(CatalogueFact(account=one, listings=(info,), started_at=now))
            await asyncio.sleep(60)
            assert shown(world)["two"] + shown(world)["three"] == (0 if active else 1)
        assert shown(world)["one"] == 1

    play(quick_path, story)


def test_a_unit_that_no_kit_can_take_is_shown_by_itself(quick_path: Path) -> None:
    """The last unit of a SKU that sells best in kits of two is shown on its own pages: no kit can be made of it."""

    async def story(world: World) -> None:
        kit = world.doubles["one"].list("KIT", 0)
        info = ListingInfo(ref=kit, sku="KIT")
        await world.say(CatalogueFact(account=AccountId("one"), listings=(info,), started_at=0))
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("KIT"), components=((Sku("A-1"), 2),)),)))
        await learn(world, where=("two",), lines=10)
        for _ in range(40):
            assert world.doubles["one"].buy(kit, 1) is not None
            await asyncio.sleep(6)
        await asyncio.sleep(60)
        await leave(world, 2)
        assert world.doubles["one"].numbers[kit] == 1
        await leave(world, 1)
        assert world.doubles["one"].numbers[kit] == 0
        assert sum(shown(world).values()) == 1

    play(quick_path, story)


def test_listings_of_other_places_sell_other_units(quick_path: Path) -> None:
    """A channel whose place no other channel sells from shows all that is there, however few."""

    async def story(world: World) -> None:
        await count_places(world, main=500, shop=500)
        await world.go()
        await asyncio.sleep(60)
        for number in range(40):
            double = world.doubles["two" if number % 4 == 0 else "one"]
            assert double.buy(next(iter(double.numbers)), 1) is not None
            await asyncio.sleep(6)
        await asyncio.sleep(60)
        for units in (4, 1):
            await count_places(world, main=30 + units, shop=10 + units)
            await asyncio.sleep(120)
            assert shown(world) == {"one": units, "two": units}

    play(quick_path, story, names=("one", "two"), own_changes={"two": {"locations": ("shop",)}})


async def count_places(world: World, **units: int) -> None:
    now = world.plant.clock.now()
    rows = tuple(
        CountRow(sku=Sku("A-1"), location=Location(place), quantity=number, counted_at=now)
        for place, number in units.items()
    )
    assert await world.say(CountFact(source="test", reference=world.plant.uuid(), rows=rows, forced=True)) is None


def test_a_delivery_ends_the_wait_of_a_margin(quick_path: Path) -> None:
    """What an absolute channel keeps hidden for sales that were not read is no reason to wait once much more came."""

    async def main() -> None:
        clock = loop_running().clock
        double = Double(mode=WriteMode.ABSOLUTE, clock=clock, dice=SeededRandom(1), lateness_s=20.0)
        double.list("A-1", 0, "page-0")
        policy = PolicyDefaults(raise_delay_s=2.0, exposure="pool")
        async with running(quick_path / "a.db", clock, {"one": double}, policy=policy) as world:
            await asyncio.sleep(20)
            await world.count(a_1=40)
            await world.go()
            await asyncio.sleep(100)
            (page,) = double.numbers
            for _ in range(40):
                if double.buy(page, 1) is not None:
                    await asyncio.sleep(1)
            await asyncio.sleep(100)
            await leave(world, 2)
            listing = await world.listing("one")
            assert listing.target == 2
            assert listing.due_at is not None
            assert listing.due_at > clock.now() + 60 * SECOND_US, "it waits for its margin"
            await receive(world, 60)
            assert double.numbers[page] > 40

    run_virtual(main)
