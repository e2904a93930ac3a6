"""What listings show by exposure: whole engines on a virtual loop, with channels that are late, silent or away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import (
    AccountFact,
    AccountState,
    CatalogueFact,
    MoveFact,
    MoveRow,
    PolicyFact,
    PolicyRow,
    SkuFact,
    SkuRow,
    StockMove,
)
from syncd.core.plan import Lane
from syncd.core.season import Season
from syncd.core.terms import SECOND_US, AccountId, ListingInfo, Location, Sku, SkuId
from syncd.engine.outlook import Ground
from syncd.engine.why import explain
from syncd.sdk.channel import WriteMode
from syncd.settings import PolicyDefaults
from syncd.store import arrivals, claims
from syncd.store.alerts import standing
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double, Rates
from tests.engine.world import World, running

CAS, DELTA, ABSOLUTE = WriteMode.COMPARE_AND_SET, WriteMode.DELTA, WriteMode.ABSOLUTE
Story = Callable[[World], Awaitable[Any]]


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story in a new world of three channels with one offer each."""

    def run(story: Story, *, exposure: str = "adaptive", **more: Any) -> Any:
        async def main() -> Any:
            doubles = world_of(number=0, late_s=more.pop("late_s", 20.0))
            policy = PolicyDefaults(raise_delay_s=2.0, exposure=exposure, **more.pop("policy", {}))  # type: ignore[arg-type]
            clock = loop_running().clock
            async with running(quick_path / "a.db", clock, doubles, policy=policy, **more) as world:
                await asyncio.sleep(20)
                return await story(world)

        return run_virtual(main)

    return run


def world_of(*, number: int, late_s: float = 20.0) -> dict[str, Double]:
    clock = loop_running().clock
    doubles = {
        name: Double(mode=mode, clock=clock, dice=SeededRandom(seed), lateness_s=late_s)
        for seed, (name, mode) in enumerate({"one": CAS, "two": DELTA, "three": ABSOLUTE}.items())
    }
    for double in doubles.values():
        double.list("A-1", number)
    return doubles


def shown(world: World) -> dict[str, int]:
    return {name: next(iter(double.numbers.values())) for name, double in world.doubles.items()}


def buy(world: World, name: str, units: int = 1) -> str | None:
    double = world.doubles[name]
    return double.buy(next(iter(double.numbers)), units)


async def say(world: World, name: str, state: AccountState) -> None:
    await world.say(AccountFact(account=AccountId(name), state=state))


async def receive(world: World, units: int) -> None:
    row = MoveRow(sku=Sku("A-1"), location=Location("main"), quantity=units)
    name, at = world.plant.uuid(), world.plant.clock.now()
    await world.say(MoveFact(source="test", reference=name, move=StockMove.RECEIVE, rows=(row,), at=at))


async def trade(world: World, *, seconds: int, dice: SeededRandom, every_s: float = 8.0) -> int:
    """Let shoppers buy wherever something is shown; return how many units were bought."""
    sold, end = 0, world.plant.clock.now() + seconds * SECOND_US
    while world.plant.clock.now() < end:
        await asyncio.sleep(dice.between(0, 2 * every_s))
        units = 1 + int(dice.between(0, 3))
        if buy(world, ("one", "two", "three")[int(dice.between(0, 3))], units) is not None:
            sold += units
    return sold


# --- allotments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_allotments_never_oversell(tell: Callable[..., Any], seed: int) -> None:
    """With lost and late writes and late feeds, shoppers never get more than there is, and nearly all is sold."""

    async def story(world: World) -> None:
        dice = SeededRandom(seed)
        await world.count(a_1=40)
        await world.go()
        await asyncio.sleep(60)
        assert sum(shown(world).values()) == 40
        for double in world.doubles.values():
            double.rates = Rates(cut=0.1, lost=0.1, late=0.1)
        sold = await trade(world, seconds=900, dice=dice)
        await receive(world, 15)
        sold += await trade(world, seconds=1_800, dice=dice)
        assert 40 < sold <= 55

    tell(story, exposure="allotment")


def test_a_pool_oversells_where_allotments_do_not(tell: Callable[..., Any]) -> None:
    """The same trade with every listing showing all: so the test of allotments can fail."""

    async def story(world: World) -> int:
        dice = SeededRandom(1)
        await world.count(a_1=40)
        await world.go()
        await asyncio.sleep(60)
        return await trade(world, seconds=900, dice=dice)

    assert tell(story, exposure="pool") > 40


def test_units_move_to_a_listing_that_ran_down(tell: Callable[..., Any]) -> None:
    """A listing that has sold its part gets units of others, once their feeds have passed the fall."""

    async def story(world: World) -> None:
        await world.count(a_1=30)
        await world.go()
        await asyncio.sleep(60)
        before = shown(world)
        assert buy(world, "one", before["one"]) is not None
        await asyncio.sleep(300)
        after = shown(world)
        assert after["one"] > 0
        assert sum(after.values()) <= 30 - before["one"]

    tell(story, exposure="allotment")


def test_claims_end_with_allotments(tell: Callable[..., Any]) -> None:
    """A SKU that goes back to the pool keeps no claims, and every listing shows all again."""

    async def story(world: World) -> None:
        await world.count(a_1=12)
        await world.go()
        await asyncio.sleep(60)
        ids = [(await world.listing(name)).id for name in world.doubles]
        assert set(await world.plant.store.read(lambda conn: claims.load(conn, ids))) == set(ids)
        await world.say(PolicyFact(rows=(PolicyRow(sku=Sku("A-1"), exposure="pool"),)))
        await asyncio.sleep(120)
        assert await world.plant.store.read(lambda conn: claims.load(conn, ids)) == {}
        assert shown(world) == {"one": 12, "two": 12, "three": 12}

    tell(story, exposure="allotment")


# --- adaptive --------------------------------------------------------------------------------------------------------


async def learn(world: World, *, lines: int, released: Collection[str] = ("one", "two", "three")) -> None:
    """Have the shop sell a lot, so that a rate is known, and end with a few units."""
    await world.count(a_1=1_000)
    for name in released:
        await say(world, name, AccountState.LIVE)
    await asyncio.sleep(60)
    while not all(shown(world).values()):
        await asyncio.sleep(5)
    for number in range(lines):
        assert buy(world, ("one", "two", "three")[number % 3]) is not None
        await asyncio.sleep(6)
    await asyncio.sleep(60)


def test_demand_and_lag_keep_back_the_last_units(tell: Callable[..., Any]) -> None:
    """A fast seller with a few units left is not shown everywhere; one with plenty is."""

    async def story(world: World) -> None:
        await learn(world, lines=40)
        assert min(shown(world).values()) >= 950  # an absolute write keeps a margin for own sales
        await world.count(a_1=40 + 3)
        await asyncio.sleep(60)
        assert sum(shown(world).values()) < 9
        assert max(shown(world).values()) > 0
        found = await explain(world.plant, "A-1")
        assert found is not None
        told = [x.aim.exposure for x in found.listings if x.aim is not None and x.aim.exposure is not None]
        assert {x.rule for x in told} == {"adaptive"}
        assert all(x.lines_per_day > 100 and len(x.lags) == 3 for x in told)
        assert [x.limit for x in told] == [x.target for x in found.listings]

    tell(story)


def test_a_silent_channel_makes_the_others_careful_and_lets_go(tell: Callable[..., Any]) -> None:
    """Silence counts as lag: the other listings show less; when it is back they show more again."""

    async def story(world: World) -> None:
        await learn(world, lines=40)
        await world.count(a_1=40 + 8)
        await asyncio.sleep(120)
        before = shown(world)
        outlook = world.plant.house.outlook
        world.doubles["three"].rates = Rates(refused=1.0)
        await asyncio.sleep(900)
        assert outlook.lag(AccountId("three")).visible_by is Ground.DOWN
        silent = shown(world)
        assert silent["one"] + silent["two"] < before["one"] + before["two"]
        world.doubles["three"].rates = Rates()
        await asyncio.sleep(600)
        assert outlook.lag(AccountId("three")).visible_by is Ground.MEASURED
        after = shown(world)
        assert after["one"] + after["two"] > silent["one"] + silent["two"]

    tell(story)


def test_what_is_not_measured_is_not_said_to_be(tell: Callable[..., Any]) -> None:
    """While few sales of a channel were heard of its lag is its promise; what was measured is told beside it."""

    async def story(world: World) -> None:
        await world.count(a_1=1_000)
        await world.go()
        await asyncio.sleep(60)
        for name, sales in (("two", 20), ("one", 2)):
            for _ in range(sales):
                assert buy(world, name) is not None
                await asyncio.sleep(30)
        await asyncio.sleep(300)
        found = await explain(world.plant, "A-1")
        assert found is not None
        exposed = found.listings[0].aim and found.listings[0].aim.exposure
        assert exposed
        lags = {late.account: late for late in exposed.lags}
        one, two = lags["one"], lags["two"]
        assert (one.heard_by, one.visible_by) == ("promised", "measured")
        assert one.heard_measured_s is None
        assert two.heard_measured_s is not None
        assert one.visible_measured_s is not None
        assert one.heard_s > two.heard_measured_s

    tell(story)


@pytest.mark.parametrize("state", [AccountState.NEW, AccountState.PAUSED, AccountState.LIVE])
def test_a_channel_that_nobody_may_write_is_not_slow(tell: Callable[..., Any], state: AccountState) -> None:
    """A fall that waits because its channel is not released, is paused, or in shadow mode hides nothing elsewhere."""

    async def story(world: World) -> None:
        one, plant = world.doubles["one"], world.plant
        one.set(next(iter(one.numbers)), 500, "before")
        await asyncio.sleep(400)
        others = ("two", "three")
        await learn(world, lines=40, released=others if state is AccountState.NEW else (*others, "one"))
        if state is AccountState.PAUSED:
            await say(world, "one", state)
        await asyncio.sleep(60)
        plant.house = replace(plant.house, shadow=state is AccountState.LIVE)
        await world.count(a_1=40 + 8)
        await asyncio.sleep(120)
        assert (await world.listing("one")).lane == Lane.FALL
        written = [len(world.doubles[name].log) for name in others]
        lags = set()
        for _ in range(40):
            await asyncio.sleep(15)
            lags.add(plant.house.outlook.lag(AccountId("one")).visible_by)
        assert lags <= {Ground.MEASURED, Ground.PROMISED}
        assert [len(world.doubles[name].log) for name in others] == written

    tell(story)


def test_a_fall_that_waits_is_due_since_it_was_first(tell: Callable[..., Any]) -> None:
    """Deciding a fall anew that could not be sent yet does not hide for how long it has waited."""

    async def story(world: World) -> None:
        await world.count(a_1=20)
        await world.go()
        await asyncio.sleep(60)
        await say(world, "one", AccountState.PAUSED)
        await world.count(a_1=5)
        first = (await world.listing("one")).due_at
        for units in (4, 0, 3):
            await asyncio.sleep(30)
            await world.count(a_1=units)
            found = await world.listing("one")
            assert (found.target, found.due_at) == (units, first)

    tell(story, exposure="pool")


def test_a_limit_that_comes_near_is_felt_at_once(tell: Callable[..., Any]) -> None:
    """Where an oversold unit became much dearer, listings show less within a minute."""

    async def story(world: World) -> None:
        await learn(world, lines=40)
        await world.count(a_1=40 + 4)
        await asyncio.sleep(120)
        before = sum(shown(world).values())
        world.plant.house.cautions.update({AccountId(name): 100.0 for name in world.doubles})
        await asyncio.sleep(60)
        assert sum(shown(world).values()) < before

    tell(story, policy={"loss": 5})


def test_a_clock_that_jumps_does_no_harm(tell: Callable[..., Any]) -> None:
    """An order from the future and one from long ago are learned as orders of now."""

    async def story(world: World) -> None:
        await learn(world, lines=5)
        book = world.plant.house.outlook.book
        before = book.pace.per_s
        one = world.doubles["one"]
        for shift_s in (10 * 86_400, -300 * 86_400):
            name = buy(world, "one")
            assert name is not None
            order = one.placed[name].order
            at = order.ordered_at + shift_s * SECOND_US
            one.placed[name].order = type(order)(**{f: getattr(order, f) for f in order.__slots__} | {"ordered_at": at})
        await asyncio.sleep(60)
        assert book.pace.orders == 7
        assert 0.1 * before < book.pace.per_s < 10 * before

    tell(story)


# --- seasons ---------------------------------------------------------------------------------------------------------


def season(*, since_s: float, until_s: float, **changes: Any) -> Season:
    now = loop_running().clock.now()
    return Season(name="sale", since=now + int(since_s * SECOND_US), until=now + int(until_s * SECOND_US), **changes)


def test_a_season_begins_and_ends_by_itself(quick_path: Path) -> None:
    """While it lasts it changes what is shown on its channels; afterwards everything is as before."""

    async def main() -> None:
        doubles = world_of(number=0)
        mine = season(since_s=300, until_s=900, accounts=("two",), safety_stock=4)
        clock = loop_running().clock
        async with running(quick_path / "a.db", clock, doubles, seasons=(mine,)) as world:
            await asyncio.sleep(20)
            await world.count(a_1=10)
            await world.go()
            await asyncio.sleep(200)
            assert shown(world) == {"one": 10, "two": 10, "three": 10}
            await asyncio.sleep(300)
            assert shown(world) == {"one": 10, "two": 6, "three": 10}
            await asyncio.sleep(600)
            assert shown(world) == {"one": 10, "two": 10, "three": 10}

    run_virtual(main)


def test_a_season_of_a_sku_that_ends_while_syncd_is_away_ends(quick_path: Path) -> None:
    """What a season of one SKU changed is changed back at the next start."""

    async def main() -> None:
        doubles, clock = world_of(number=0), loop_running().clock
        now = clock.now()
        async with running(quick_path / "a.db", clock, doubles) as world:
            await asyncio.sleep(20)
            await world.count(a_1=10)
            await world.go()
            until = now + 600 * SECOND_US
            row = PolicyRow(sku=Sku("A-1"), season="sale", since=now, until=until, cap=3)
            assert await world.say(PolicyFact(rows=(row,))) is None
            await asyncio.sleep(60)
            assert shown(world) == {"one": 3, "two": 3, "three": 3}
        await asyncio.sleep(3_000)
        async with running(quick_path / "a.db", clock, doubles) as world:
            await asyncio.sleep(120)
            assert shown(world) == {"one": 10, "two": 10, "three": 10}

    run_virtual(main)


def test_a_policy_changes_what_waits_to_be_written(tell: Callable[..., Any]) -> None:
    """A new policy while raises wait replaces them: nothing that is no longer wanted is written."""

    async def story(world: World) -> None:
        await world.go()
        for double in world.doubles.values():
            double.rates = Rates(refused=1.0)
        await world.count(a_1=50)
        await asyncio.sleep(5)
        await world.say(PolicyFact(rows=(PolicyRow(sku=Sku("A-1"), cap=2),)))
        for double in world.doubles.values():
            double.rates = Rates()
        await asyncio.sleep(200)
        written = {write.quantity for double in world.doubles.values() for push in double.pushed for write in push}
        assert written == {2}

    tell(story, exposure="pool")


# --- demand over a restart -------------------------------------------------------------------------------------------


def test_demand_is_kept_and_learned_from_history(quick_path: Path) -> None:
    """After a restart the same is known; where nothing was kept, it is learned from the orders that there are."""

    async def main() -> None:
        doubles, clock = world_of(number=0), loop_running().clock
        async with running(quick_path / "a.db", clock, doubles) as world:
            await asyncio.sleep(20)
            await learn(world, lines=12)
            told = world.plant.house.outlook.book.shop()
            listing = await world.listing("one")
            sku_id = listing.sku_id
            assert sku_id is not None
            shares = world.plant.house.outlook.book.sold_on(sku_id)
        async with running(quick_path / "a.db", clock, doubles) as world:
            book = world.plant.house.outlook.book
            assert book.shop() == told
            assert book.sold_on(sku_id) == shares
            await world.plant.store.write(forget_demand)
        async with running(quick_path / "a.db", clock, doubles) as world:
            book = world.plant.house.outlook.book
            assert book.pace.orders == told.pace.orders
            assert set(book.sold_on(sku_id)) == {"one", "two", "three"}

    run_virtual(main)


def forget_demand(conn: Any) -> None:
    conn.exec_driver_sql("DELETE FROM demand")
    conn.exec_driver_sql("DELETE FROM meta WHERE name = 'demand'")


def test_the_demand_of_kits_counts_for_what_they_are_made_of(tell: Callable[..., Any]) -> None:
    """A kit that sells fast keeps back the last units of its component on every channel."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        kit = one.list("KIT", 0)
        info = ListingInfo(ref=kit, sku="KIT")
        await world.say(CatalogueFact(account=AccountId("one"), listings=(info,), started_at=0))
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("KIT"), components=((Sku("A-1"), 2),)),)))
        await learn(world, lines=0)
        while not one.numbers[kit]:
            await asyncio.sleep(5)
        for _ in range(30):
            assert one.buy(kit, 1) is not None
            await asyncio.sleep(6)
        await asyncio.sleep(60)
        await world.count(a_1=60 + 4)
        await asyncio.sleep(60)
        found = await explain(world.plant, "A-1")
        assert found is not None
        told = [x.aim.exposure for x in found.listings if x.aim is not None and x.aim.exposure is not None]
        assert all(x.lines_per_day > 100 and x.share < 0.6 and x.units_per_line > 1.3 for x in told)
        assert sum(shown(world).values()) < 12

    tell(story)


def test_units_on_their_way_are_sold_early(tell: Callable[..., Any]) -> None:
    """With preorder dated units on their way are shown; promising them is a backorder, no oversell."""

    async def story(world: World) -> None:
        await world.count(a_1=2)
        await world.go()
        await asyncio.sleep(60)
        assert shown(world) == {"one": 2, "two": 2, "three": 2}
        sku_id = (await world.listing("one")).sku_id
        assert sku_id is not None
        await world.plant.store.write(lambda conn: arrive(conn, sku_id, {"2026-12-24": 5, "": 9}))
        await world.say(PolicyFact(rows=(PolicyRow(sku=Sku("A-1"), preorder=True),)))
        await asyncio.sleep(60)
        assert shown(world) == {"one": 7, "two": 7, "three": 7}
        assert buy(world, "one", 4) is not None
        await asyncio.sleep(60)
        assert shown(world) == {"one": 3, "two": 3, "three": 3}
        raised = await world.plant.store.read(lambda conn: {one.kind for one in standing(conn)})
        assert "oversell" not in raised

    tell(story, exposure="pool")


def arrive(conn: Any, sku_id: SkuId, units: dict[str, int]) -> None:
    """Have units on their way, by day."""
    for day, quantity in units.items():
        row = {"number": f"PO-{day}", "sku_id": sku_id, "location": "main", "quantity": quantity, "received": 0}
        more = {"expected": day, "promised": day, "state": "open", "source": "test", "created_at": 0, "changed_at": 0}
        arrivals.set_arrivals(conn, [row | more])
