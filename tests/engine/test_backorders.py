"""Units that are sold before they are here, as a policy allows: owed, not oversold, and no orders at risk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from syncd.core.facts import PolicyFact, PolicyRow, SkuFact, SkuRow
from syncd.core.terms import SECOND_US, Location, Sku
from syncd.core.waitlist import ArrivalFact, ArrivalRow
from syncd.engine.rules import WaitRules
from syncd.sdk.channel import WriteMode
from syncd.settings import PolicyDefaults
from syncd.store import alerts, conduct, views_incidents
from syncd.store.views_history import sku_histories
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from syncd.web.postmortem import postmortem
from tests.engine.double import Double
from tests.engine.test_exposing import arrive
from tests.engine.world import World, running

FAR = "2030-01-01"
Story = Callable[[World, Double], Awaitable[None]]


def play(path: Path, story: Story, *, skus: tuple[str, ...] = ("A-1",), waiting: WaitRules | None = None) -> None:
    """Tell a story in a shop with one channel that shows all that there is."""

    async def main() -> None:
        clock = loop_running().clock
        one = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(1), lateness_s=10.0)
        for sku in skus:
            one.list(sku, 0)
        policy = PolicyDefaults(exposure="pool", raise_delay_s=2.0)
        async with running(path / "a.db", clock, {"one": one}, policy=policy, waiting=waiting) as world:
            await asyncio.sleep(20)
            await story(world, one)

    run_virtual(main)


async def sell_early(world: World, units: int, *, day: str = FAR, **season: int | str) -> None:
    """Have units of A-1 on their way, and sell them before they are here."""
    sku_id = (await world.listing("one")).sku_id
    assert sku_id is not None
    await world.plant.store.write(lambda conn: arrive(conn, sku_id, {day: units}))
    await world.say(PolicyFact(rows=(PolicyRow(sku=Sku("A-1"), preorder=True, **season),), forced=True))  # type: ignore[arg-type]  # a table of values
    await asyncio.sleep(60)


async def oversold(world: World) -> int:
    """Return how many units are oversold, as the alert that stands tells it."""
    found = await world.plant.store.read(alerts.standing)
    return next((int(one.text.rsplit(" ", 1)[1]) for one in found if one.kind == "oversell"), 0)


async def told(world: World) -> list[tuple[int, list[tuple[str, int]]]]:
    """Return the oversells that the post-mortem tells: units, and the orders that lose."""
    found = await world.plant.store.read(lambda conn: sku_histories(conn, "A-1", since=0))
    assert found is not None
    return [(one.short, [(x.order_id, x.lost) for x in one.losers]) for one in postmortem(found[0]).incidents]


def test_what_is_sold_beyond_what_is_to_come_is_oversold_and_no_more(quick_path: Path) -> None:
    """Of 2 units here and 5 to come 7 are sold and nobody loses; the eighth order alone is an incident."""

    async def story(world: World, one: Double) -> None:
        ref = next(iter(one.numbers))
        await world.count(a_1=2)
        await world.go()
        await asyncio.sleep(60)
        await sell_early(world, 5)
        for _ in range(7):
            assert one.buy(ref, 1) is not None
            await asyncio.sleep(2)
        await asyncio.sleep(600)
        assert (await world.shelf("A-1")).available == -5
        assert (await oversold(world), await told(world)) == (0, [])
        last = one.order(ref, 1)
        await asyncio.sleep(600)
        assert (await oversold(world), await told(world)) == (1, [(1, [(last, 1)])])
        (incident,) = await world.plant.store.read(lambda conn: views_incidents.incidents(conn, limit=9))
        assert (incident.short, [x.order_id for x in incident.losers]) == (1, [last])
        (row,) = await world.plant.store.read(lambda conn: views_incidents.oversells(conn, limit=9))
        assert row.short == 1
        assert await world.plant.store.read(conduct.at_risk) == {"one": {last}}

    play(quick_path, story)


def test_what_was_sold_early_stays_owed_after_its_season(quick_path: Path) -> None:
    """The end of a season makes no oversell of what was sold in it; a unit that breaks later is one."""

    async def story(world: World, one: Double) -> None:
        await world.count(a_1=2)
        await world.go()
        await asyncio.sleep(60)
        now = world.plant.clock.now()
        await sell_early(world, 50, season="early", since=now, until=now + 600 * SECOND_US)
        assert one.buy(next(iter(one.numbers)), 6) is not None
        await asyncio.sleep(1_200)
        await world.count(a_1=2)
        await asyncio.sleep(600)
        assert (await oversold(world), await told(world)) == (0, [])
        await world.count(a_1=1)
        await asyncio.sleep(600)
        assert await oversold(world) == 1
        assert [short for short, _ in await told(world)] == [1]
        await world.count(a_1=2)
        await asyncio.sleep(60)
        assert await oversold(world) == 0

    play(quick_path, story)


def test_orders_that_are_owed_or_of_what_was_never_counted_are_not_at_risk(quick_path: Path) -> None:
    """A preorder is served by what is to come, and of a SKU that was never counted nothing is known."""

    async def story(world: World, one: Double) -> None:
        refs = list(one.numbers)
        await world.count(a_1=2)
        await world.go()
        await asyncio.sleep(60)
        await sell_early(world, 5)
        for ref in refs:
            one.order(ref, 4)
        await asyncio.sleep(60)
        assert (await world.shelf("A-1")).available == -2
        assert (await world.shelf("B-1")).available == -4
        assert await world.plant.store.read(conduct.at_risk) == {}

    play(quick_path, story, skus=("A-1", "B-1"))


def test_orders_of_kits_are_at_risk_with_their_components(quick_path: Path) -> None:
    """An order of a kit takes the units of its components: the latest are at risk until enough are named."""

    async def story(world: World, one: Double) -> None:
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("KIT"), components=((Sku("A-1"), 2),)),)))
        await world.count(a_1=20)
        await world.go()
        await asyncio.sleep(60)
        kit = next(ref for ref, sku in one.skus.items() if sku == "KIT")
        names = []
        for _ in range(4):
            names.append(one.buy(kit, 1))
            await asyncio.sleep(5)
        await asyncio.sleep(60)
        await world.count(a_1=3)
        assert await world.plant.store.read(conduct.at_risk) == {"one": set(names[1:])}

    play(quick_path, story, skus=("A-1", "KIT"))


def test_what_is_overdue_is_not_sold(quick_path: Path) -> None:
    """A delivery is sold up to the end of its day; then a person is told, until it is here or put off."""

    async def story(world: World, one: Double) -> None:
        ref = next(iter(one.numbers))
        await world.count(a_1=0)
        await world.go()
        await sell_early(world, 5, day="2026-09-30")
        assert one.buy(ref, 2) is not None
        await asyncio.sleep(60)
        assert one.numbers[ref] == 3
        assert await overdue(world) == []
        await asyncio.sleep(3_600)
        assert one.numbers[ref] == 0
        assert await overdue(world) == ["count 1, names PO-2026-09-30 A-1"]
        assert await oversold(world) == 0, "what was sold in time is still to come"
        later = ArrivalRow(number="PO-2026-09-30", sku=Sku("A-1"), location=Location("main"), quantity=5, expected=FAR)
        await world.say(ArrivalFact(source="test", rows=(later,)))
        await asyncio.sleep(120)
        assert one.numbers[ref] == 3
        assert await overdue(world) == []

    # It is 23:00 there when the story begins.
    play(quick_path, story, waiting=WaitRules(zone="Atlantic/Cape_Verde"))


async def overdue(world: World) -> list[str]:
    """Return what is told of deliveries that are overdue."""
    return [one.text for one in await world.plant.store.read(alerts.standing) if one.kind == "overdue"]
