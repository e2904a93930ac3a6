"""Each cause of a mass fall or rise is held for a person, what orders bring about never is; writes that were lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import (
    AccountFact,
    AccountState,
    BrakeFact,
    DriftFact,
    MappingFact,
    MappingRow,
    SkuFact,
    SkuRow,
    Verdict,
)
from syncd.core.season import Season
from syncd.core.terms import SECOND_US, AccountId, ListingRef, Sku
from syncd.engine.resettle import run_resettle
from syncd.sdk.channel import Outcome, OutcomeKind, Profile, Write, WriteMode
from syncd.settings import PolicyDefaults
from syncd.store import accounts, alerts
from syncd.store.views_history import resent_writes
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import START, run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

ONE = AccountId("one")
GOODS = 12
Story = Callable[[World], Awaitable[Any]]


def played(
    path: Path, story: Story, double: Double | None = None, names: Sequence[str] = ("one",), **changes: Any
) -> None:
    """Tell a story of twelve SKUs on each of some channels; what is at `path` already goes on."""

    async def main() -> None:
        clock = loop_running().clock
        doubles = {
            name: double or Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3)) for name in names
        }
        for one in doubles.values():
            one.clock, one.lateness_s = clock, 5.0
            for number in range(GOODS):
                one.list(f"S-{number}", 5, remote_id=f"r{number}")
        async with running(path / "a.db", clock, doubles, **changes) as world:
            await asyncio.sleep(20)
            await story(world)

    run_virtual(main)


async def opened(world: World, **more: int) -> None:
    await world.count(**{f"s_{number}": 5 for number in range(GOODS)}, **more)
    await world.go()
    await asyncio.sleep(30)


def shown(world: World) -> list[int]:
    return list(world.doubles["one"].numbers.values())


async def held(world: World) -> int:
    (row,) = await world.plant.store.read(accounts.held)
    return row.id


def test_mappings_that_empty_many_listings_wait(quick_path: Path) -> None:
    """Listings that are mapped in mass to a SKU without stock keep their numbers until a person says so."""

    async def story(world: World) -> None:
        world.doubles["one"].list("NONE", 0, remote_id="none")
        await asyncio.sleep(120)
        await opened(world, none=0)
        rows = tuple(
            MappingRow(account=ONE, ref=ListingRef(remote_id=f"r{number}"), sku=Sku("NONE")) for number in range(GOODS)
        )
        assert "held by the brake" in (await world.say(MappingFact(rows=rows)) or "")
        await asyncio.sleep(60)
        assert shown(world) == [5] * GOODS + [0]
        assert await world.say(BrakeFact(ids=(await held(world),), verdict=Verdict.ACCEPT)) is None
        await asyncio.sleep(60)
        assert shown(world) == [0] * (GOODS + 1)

    played(quick_path, story, catalogue_s=60.0)


def test_first_counts_that_empty_a_released_channel_wait(quick_path: Path) -> None:
    """On a released channel first counts are weighed by what its listings show, for they have no target yet."""

    async def story(world: World) -> None:
        await world.go()
        await asyncio.sleep(30)
        assert "held by the brake" in (await world.count(**{f"s_{number}": 0 for number in range(GOODS)}) or "")
        await asyncio.sleep(60)
        assert shown(world) == [5] * GOODS
        assert await world.count(**{f"s_{number}": 4 for number in range(GOODS)}) is None

    played(quick_path, story)


def test_listings_of_channels_that_are_not_released_weigh_nothing(quick_path: Path) -> None:
    """A count that empties the only released channel waits, however many listings others have that are not released."""

    async def story(world: World) -> None:
        await world.count(**{f"s_{number}": 5 for number in range(GOODS)})
        await world.say(AccountFact(account=ONE, state=AccountState.LIVE))
        await asyncio.sleep(30)
        reason = await world.count(**{f"s_{number}": 0 for number in range(GOODS)}) or ""
        assert f"{GOODS} listings would fall to zero and 0 rise, of {GOODS}" in reason
        await asyncio.sleep(60)
        assert shown(world) == [5] * GOODS

    played(quick_path, story, names=("one", "two", "three", "four", "five", "six"))


def test_mappings_of_listings_without_a_sku_wait(quick_path: Path) -> None:
    """Listings that belonged to no SKU and are mapped in mass to one without stock go on showing what they show."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        strange = [one.list("", 50, remote_id=f"x{number}") for number in range(GOODS)]
        one.list("NONE", 0, remote_id="none")
        await opened(world)
        await asyncio.sleep(400)
        await world.count(none=0)
        rows = tuple(MappingRow(account=ONE, ref=ref, sku=Sku("NONE")) for ref in strange)
        assert "held by the brake" in (await world.say(MappingFact(rows=rows)) or "")
        await asyncio.sleep(60)
        assert {one.numbers[ref] for ref in strange} == {50}

    played(quick_path, story, catalogue_s=60.0)


@pytest.mark.parametrize("goods", [60, 120])
def test_kits_that_empty_many_listings_wait(quick_path: Path, goods: int) -> None:
    """Kits that suddenly need more of a part than there is are held, in a small file and in one taken in slices."""

    def kits(quantity: int) -> SkuFact:
        rows = (SkuRow(sku=Sku(f"K-{number}"), components=((Sku("PART"), quantity),)) for number in range(goods))
        return SkuFact(rows=tuple(rows))

    async def story(world: World) -> None:
        one = world.doubles["one"]
        offers = [one.list(f"K-{number}", 5, remote_id=f"k{number}") for number in range(goods)]
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("PART")),)))
        await world.say(kits(1))
        await opened(world, part=5)
        await asyncio.sleep(600)
        assert "held by the brake" in (await world.say(kits(100)) or "")
        await asyncio.sleep(60)
        assert {one.numbers[ref] for ref in offers} == {5}

    played(quick_path, story, catalogue_s=60.0)


def test_a_count_that_raises_many_listings_waits_and_can_be_refused(quick_path: Path) -> None:
    """A count of many times as much is as suspect as one of nothing; refused, nothing of it is left."""

    async def story(world: World) -> None:
        await opened(world)
        assert "held by the brake" in (await world.count(**{f"s_{number}": 500 for number in range(GOODS)}) or "")
        assert await world.say(BrakeFact(ids=(await held(world),), verdict=Verdict.REFUSE)) is None
        await asyncio.sleep(60)
        assert (shown(world), (await world.shelf("S-1")).on_hand) == ([5] * GOODS, 5)

    played(quick_path, story)


PLAIN = PolicyDefaults(raise_delay_s=2.0, exposure="pool")
CAREFUL = replace(PLAIN, safety_stock=5)


@asynccontextmanager
async def settling(world: World) -> AsyncIterator[None]:
    """Bring targets in line with the settings beside a story, as a start does."""
    stop = asyncio.Event()
    task = asyncio.get_running_loop().create_task(run_resettle(world.plant, stop))
    await asyncio.sleep(60)
    yield
    stop.set()
    await task


async def settled(world: World) -> None:
    await opened(world)
    async with settling(world):
        assert shown(world) == [5] * GOODS


async def say_brake(world: World, verdict: Verdict) -> None:
    assert await world.say(BrakeFact(ids=(await held(world),), verdict=verdict)) is None
    await asyncio.sleep(60)


def test_settings_that_empty_a_channel_wait(quick_path: Path) -> None:
    """A start with settings that would take a channel to zero goes on by the old ones until a person releases them."""

    async def second(world: World) -> None:
        async with settling(world):
            (row,) = await world.plant.store.read(accounts.held)
            assert (row.cause, row.to_zero, row.listings) == ("settings of one", GOODS, GOODS)
            assert ("brake", str(row.id)) in {(x.kind, x.key) for x in await world.plant.store.read(alerts.standing)}
            assert (await world.plant.store.read(accounts.accounts))[ONE].state is AccountState.LIVE
            await world.count(s_0=7)
            await asyncio.sleep(60)
            assert shown(world) == [7, *[5] * (GOODS - 1)]
            await say_brake(world, Verdict.ACCEPT)
            assert shown(world) == [2, *[0] * (GOODS - 1)]
            assert not await world.plant.store.read(alerts.standing)

    async def third(world: World) -> None:
        async with settling(world):
            assert not await world.plant.store.read(accounts.held)
            assert world.plant.house.policy(ONE, 0).safety_stock == 5

    played(quick_path, settled, policy=PLAIN)
    played(quick_path, second, policy=CAREFUL)
    played(quick_path, third, policy=CAREFUL)


def test_orders_pass_while_settings_wait(quick_path: Path) -> None:
    """What is sold on another channel falls on one whose changed settings are held."""

    async def second(world: World) -> None:
        async with settling(world):
            assert len(await world.plant.store.read(accounts.held)) == 2
            two = world.doubles["two"]
            assert two.buy(next(iter(two.numbers)), 5) is not None
            await asyncio.sleep(60)
            assert shown(world) == [0, *[5] * (GOODS - 1)]

    played(quick_path, settled, policy=PLAIN, names=("one", "two"))
    played(quick_path, second, policy=CAREFUL, names=("one", "two"))


def test_settings_that_are_refused_are_asked_for_again_until_they_are_mended(quick_path: Path) -> None:
    """Refused settings stay out of force; each start with them asks once, and one with other settings asks no more."""

    async def refused(world: World) -> None:
        async with settling(world):
            await say_brake(world, Verdict.REFUSE)
            assert shown(world) == [5] * GOODS

    async def again(world: World) -> None:
        async with settling(world):
            assert await held(world)

    async def mended(world: World) -> None:
        async with settling(world):
            assert not await world.plant.store.read(accounts.held)
            assert not await world.plant.store.read(alerts.standing)
            assert shown(world) == [5] * GOODS

    played(quick_path, settled, policy=PLAIN)
    played(quick_path, refused, policy=CAREFUL)
    played(quick_path, again, policy=CAREFUL)
    played(quick_path, again, policy=CAREFUL)
    played(quick_path, mended, policy=PLAIN)


def test_a_season_that_ended_meanwhile_does_not_let_settings_through(quick_path: Path) -> None:
    """Settings changed with a season that ended while syncd was off are weighed before they change a target."""

    async def second(world: World) -> None:
        async with settling(world):
            assert await held(world)
            assert shown(world) == [5] * GOODS

    async def first(world: World) -> None:
        await settled(world)
        at = str(world.plant.started_at - 3_600 * SECOND_US)
        await world.plant.store.write(lambda conn: accounts.set_note(conn, "seasons", at))

    over = Season(name="sale", since=0, until=START - 60 * SECOND_US, cap=100)
    played(quick_path, first, policy=PLAIN)
    played(quick_path, second, policy=CAREFUL, seasons=(over,))


def test_a_stocktake_at_the_counting_place_is_taken_for_stock(quick_path: Path) -> None:
    """Many small hand edits where people count are no other tool, and only those are held that multiply or empty."""

    async def story(world: World) -> None:
        await opened(world)
        one = world.doubles["one"]
        for ref in one.numbers:
            one.set(ref, 6, "person")
        await asyncio.sleep(900)
        assert (await world.plant.store.read(accounts.accounts))[ONE].state is AccountState.LIVE
        assert {(await world.shelf(f"S-{number}")).on_hand for number in range(GOODS)} == {6}
        for ref in one.numbers:
            one.set(ref, 61, "person")
        await asyncio.sleep(900)
        found = [(await world.shelf(f"S-{number}")).on_hand for number in range(GOODS)]
        assert (found.count(61), found.count(6)) == (4, 8)
        assert (await world.plant.store.read(accounts.accounts))[ONE].state is AccountState.LIVE
        assert await world.say(DriftFact(ids=(), verdict=Verdict.ACCEPT)) is None
        assert {(await world.shelf(f"S-{number}")).on_hand for number in range(GOODS)} == {61}
        assert not await world.plant.store.read(alerts.standing)

    played(quick_path, story, drift="adopt", counting=True)


@pytest.mark.parametrize("pause", [False, True])
def test_a_channel_goes_on_after_another_tool_wrote_there(quick_path: Path, *, pause: bool) -> None:
    """Released again a channel stays so: what another tool wrote before, or during a pause, is not held against it."""

    async def story(world: World) -> None:
        await opened(world)
        one = world.doubles["one"]
        if pause:
            await world.say(AccountFact(account=ONE, state=AccountState.PAUSED))
        for ref in list(one.numbers)[:6]:
            one.set(ref, 9, "another tool")
        await asyncio.sleep(400)
        assert (await world.plant.store.read(accounts.accounts))[ONE].state is AccountState.PAUSED
        if pause:
            for ref in list(one.numbers)[6:]:
                one.set(ref, 9, "another tool")
        await world.go()
        await asyncio.sleep(400)
        assert (await world.plant.store.read(accounts.accounts))[ONE].state is AccountState.LIVE
        assert shown(world) == [5] * GOODS

    played(quick_path, story)


def test_a_catalogue_that_lacks_many_listings_waits(quick_path: Path) -> None:
    """Listings that are gone in mass are written on until a person says that they are gone, or they are there again."""

    async def story(world: World) -> None:
        await opened(world)
        one, two = world.doubles["one"], world.doubles["two"]
        offers = dict(one.skus)
        one.skus.clear()
        await asyncio.sleep(400)
        (row,) = await world.plant.store.read(accounts.held)
        assert (row.cause, row.to_zero, row.listings) == ("catalogue from one", GOODS, GOODS)
        assert two.buy(next(iter(two.numbers)), 5) is not None
        await asyncio.sleep(60)
        assert shown(world) == [0, *[5] * (GOODS - 1)]
        one.skus.update(offers)
        await asyncio.sleep(120)
        assert not await world.plant.store.read(accounts.held)
        assert not await world.plant.store.read(alerts.standing)
        one.skus.clear()
        await asyncio.sleep(120)
        await say_brake(world, Verdict.ACCEPT)
        assert (await world.listing("one")).vanished
        await asyncio.sleep(120)
        assert not await world.plant.store.read(accounts.held)

    played(quick_path, story, names=("one", "two"), catalogue_s=60.0)


def test_a_word_on_nothing_is_refused(quick_path: Path) -> None:
    """Who decides all that waits is told where nothing does."""

    async def story(world: World) -> None:
        assert await world.say(BrakeFact(ids=(), verdict=Verdict.ACCEPT)) == "the brake holds nothing"
        assert await world.say(DriftFact(ids=(), verdict=Verdict.ACCEPT)) == "no hand edit waits"

    played(quick_path, story)


def test_orders_are_never_held(quick_path: Path) -> None:
    """Every listing sold out by orders falls at once, however many they are."""

    async def story(world: World) -> None:
        await opened(world)
        one = world.doubles["one"]
        for ref in list(one.numbers):
            assert one.buy(ref, 5) is not None
        await asyncio.sleep(60)
        assert not await world.plant.store.read(accounts.held)
        stock = [await world.shelf(f"S-{number}") for number in range(GOODS)]
        assert {balance.available for balance in stock} == {0}

    played(quick_path, story)


class Forgetful(Double):
    """A channel that says of every write that it was accepted, and forgets the first ones."""

    forgets = 0

    @property
    def profile(self) -> Profile:
        return replace(super().profile, effect_delay_s=20.0)

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        await self._call()
        self.pushed.append(list(writes))
        for write in writes:
            if self.forgets:
                self.forgets -= 1
            else:
                self.apply(write)
        return [Outcome(key=write.key, kind=OutcomeKind.ACCEPTED) for write in writes]


@pytest.mark.parametrize("mode", WriteMode)
def test_what_was_accepted_and_not_done_is_sent_again_and_counted(quick_path: Path, mode: WriteMode) -> None:
    """A number that a channel took and forgot is found by reading, sent again, and the count says how often."""

    async def story(world: World) -> None:
        await opened(world)
        one = world.doubles["one"]
        assert isinstance(one, Forgetful)
        one.forgets = 2
        await world.count(s_1=3, s_2=9)
        await asyncio.sleep(900)
        assert (shown(world)[1], shown(world)[2]) == (3, 9)
        assert await world.plant.store.read(resent_writes) == {ONE: 2}
        assert not (await world.shelf("S-1")).held

    played(quick_path, story, Forgetful(mode=mode, clock=None, dice=SeededRandom(3)))  # type: ignore[arg-type]  # set when the loop runs
