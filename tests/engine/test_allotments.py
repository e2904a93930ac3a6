"""What allotments keep back and share out: whole engines on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import PolicyFact, PolicyRow, SkuFact, SkuRow
from syncd.core.terms import AccountId, Sku
from syncd.sdk.channel import WriteMode
from syncd.settings import PolicyDefaults
from syncd.store import arrivals
from syncd.store.alerts import standing
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

ONE = AccountId("one")
NAMES = ("one", "two", "three")


def play(
    path: Path,
    story: Callable[[World], Awaitable[None]],
    *,
    exposure: str = "allotment",
    skus: tuple[str, ...] = ("A-1",),
) -> None:
    """Run a story in a new world of three channels that list these SKUs."""

    async def main() -> None:
        clock = loop_running().clock
        doubles = {
            name: Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(seed), lateness_s=20.0)
            for seed, name in enumerate(NAMES)
        }
        for double in doubles.values():
            for sku in skus:
                double.list(sku, 0)
        policy = PolicyDefaults(raise_delay_s=2.0, exposure=exposure)  # type: ignore[arg-type]
        async with running(path / "a.db", clock, doubles, policy=policy) as world:
            await asyncio.sleep(20)
            await story(world)

    run_virtual(main)


def shown(world: World, sku: str = "A-1") -> dict[str, int]:
    return {
        name: sum(units for ref, units in double.numbers.items() if double.skus[ref] == sku)
        for name, double in world.doubles.items()
    }


def burst(world: World, sku: str = "A-1") -> int:
    """Buy all that is shown of a SKU, unit by unit, before anybody hears of it."""
    sold = 0
    for double in world.doubles.values():
        ref = next(ref for ref, mine in double.skus.items() if mine == sku)
        while double.buy(ref, 1) is not None:
            sold += 1
    return sold


async def set_policy(world: World, sku: str = "A-1", **values: Any) -> None:
    assert await world.say(PolicyFact(rows=(PolicyRow(sku=Sku(sku), **values),), forced=True)) is None
    await asyncio.sleep(600)


@pytest.mark.parametrize("values", [{"safety_stock": 6}, {"safety_percent": 50}])
def test_what_is_kept_back_is_in_nobodys_part(quick_path: Path, values: Mapping[str, int]) -> None:
    """Under allotment all parts together leave the safety stock: a burst on every channel does not sell it."""

    async def story(world: World) -> None:
        await world.count(a_1=12)
        await world.go()
        await asyncio.sleep(120)
        assert sum(shown(world).values()) == 12
        await set_policy(world, **values)
        assert sum(shown(world).values()) == 6
        assert min(shown(world).values()) > 0
        assert burst(world) == 6
        await asyncio.sleep(300)
        assert (await world.shelf("A-1")).available == 6

    play(quick_path, story)


def test_units_for_one_channel_are_in_no_other_part(quick_path: Path) -> None:
    """Under allotment the units of a priority are for its channel alone; the other parts share what is above."""

    async def story(world: World) -> None:
        await world.count(a_1=12)
        await world.go()
        await asyncio.sleep(120)
        await set_policy(world, priority="two", priority_units=10)
        assert shown(world)["one"] + shown(world)["three"] == 2
        assert shown(world)["two"] == 10

    play(quick_path, story)


@pytest.mark.parametrize("exposure", ["pool", "adaptive", "allotment"])
def test_a_priority_of_a_channel_without_the_sku_holds_nothing_back(quick_path: Path, exposure: str) -> None:
    """The last units are shown where the SKU is sold when the channel that has priority does not list it."""

    async def story(world: World) -> None:
        await world.count(a_1=3)
        await world.go()
        await asyncio.sleep(600)
        before = shown(world)
        assert min(before.values()) > 0
        await set_policy(world, priority="gone", priority_units=3)
        assert shown(world) == before
        await asyncio.sleep(3_700)
        assert shown(world) == before

    play(quick_path, story, exposure=exposure)


def test_preorders_of_one_channel_hide_nothing_on_the_others(quick_path: Path) -> None:
    """Where one channel sells units on their way, the parts together are all that is here and to come."""

    async def story(world: World) -> None:
        await world.count(a_1=4)
        await world.go()
        await asyncio.sleep(60)
        sku_id = (await world.listing("one")).sku_id
        row = {"number": "PO-1", "sku_id": sku_id, "location": "main", "quantity": 6, "received": 0}
        more = {"expected": "2026-12-24", "promised": "2026-12-24", "state": "open", "source": "test"}
        at = {"created_at": 0, "changed_at": 0}
        await world.plant.store.write(lambda conn: arrivals.set_arrivals(conn, [row | more | at]))
        await set_policy(world, account=ONE, preorder=True)
        await asyncio.sleep(600)
        found = shown(world)
        assert sum(found.values()) == 10
        assert 0 < found["two"] + found["three"] <= 4
        assert burst(world) == 10
        await asyncio.sleep(600)
        assert "oversell" not in {one.kind for one in await world.plant.store.read(standing)}

    play(quick_path, story)


@pytest.mark.parametrize("divided", ["A-1", "KIT"])
def test_an_allotment_of_a_kit_or_its_component_is_one_of_both(quick_path: Path, divided: str) -> None:
    """Where a kit or what it is made of has allotments both have: a burst sells no unit twice."""

    async def story(world: World) -> None:
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("KIT"), components=((Sku("A-1"), 2),)),)))
        await world.count(a_1=20)
        await world.go()
        await asyncio.sleep(120)
        assert shown(world, "KIT") == dict.fromkeys(NAMES, 10)
        await set_policy(world, divided, exposure="allotment")
        assert sum(shown(world).values()) > 0
        assert sum(shown(world, "KIT").values()) > 0
        assert burst(world) + 2 * burst(world, "KIT") <= 20
        await asyncio.sleep(300)
        assert (await world.shelf("A-1")).available >= 0
        await set_policy(world, divided, exposure=None)
        await world.count(a_1=60)
        await asyncio.sleep(120)
        left = (await world.shelf("A-1")).available
        assert shown(world) == dict.fromkeys(NAMES, left)

    play(quick_path, story, exposure="pool", skus=("A-1", "KIT"))


def test_other_units_of_an_allotted_kit_are_not_divided(quick_path: Path) -> None:
    """A kit that has allotments because of one component is not held back by another one that all show."""

    async def story(world: World) -> None:
        rows = (
            SkuRow(sku=Sku("KIT"), components=((Sku("A-1"), 1), (Sku("B-1"), 1))),
            SkuRow(sku=Sku("SET"), components=((Sku("B-1"), 3),)),
        )
        await world.say(SkuFact(rows=rows))
        await world.count(a_1=30, b_1=30)
        await world.go()
        await set_policy(world, "SET", exposure="allotment")
        assert shown(world) == dict.fromkeys(NAMES, 30)
        assert 0 < sum(shown(world, "KIT").values()) <= 30
        assert sum(shown(world, "SET").values()) > 0
        units = sum(shown(world, "KIT").values()) + 3 * sum(shown(world, "SET").values())
        assert units + sum(shown(world, "B-1").values()) <= 30

    play(quick_path, story, exposure="pool", skus=("A-1", "KIT", "B-1", "SET"))
