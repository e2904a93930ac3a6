"""The whole engine in virtual time: an hour of a busy shop, with faults, ends with every number right."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.sdk.channel import Clock, WriteMode
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double, Rates
from tests.engine.world import World, running

FAULTS = Rates(refused=0.05, cut=0.05, late=0.1, lost=0.05, html=0.02, stale=0.3, partial=0.05)


def doubles(clock: Clock, seed: int, rates: Rates) -> dict[str, Double]:
    made = {}
    for number, mode in enumerate(WriteMode):
        dice = SeededRandom(seed * 10 + number)
        made[mode.value] = Double(mode=mode, clock=clock, dice=dice, rates=rates, precision_s=(1, 60, 1)[number])
        for sku in ("A-1", "B-2", "C-3"):
            made[mode.value].list(sku, int(dice.between(0, 30)))
    return made


async def shop_day(world: World, seed: int, *, busy_s: int, quiet_s: int) -> None:
    """Let shoppers buy and cancel for a while, then leave everything alone."""
    dice = SeededRandom(seed)
    await asyncio.sleep(30)
    await world.count(a_1=40, b_2=15, c_3=5)
    await world.go()
    orders: list[tuple[Double, str]] = []
    for _ in range(busy_s // 5):
        await asyncio.sleep(5)
        for double in world.doubles.values():
            wanted = [ref for ref in double.numbers if dice.happens(0.04)]
            bought = [double.buy(ref, 1 + int(dice.between(0, 2))) for ref in wanted]
            orders += [(double, name) for name in bought if name]
        if orders and dice.happens(0.05):
            double, name = orders.pop(int(dice.between(0, len(orders))))
            double.cancel(name, restore=dice.happens(0.7))
    for double in world.doubles.values():
        double.rates = Rates()
    await asyncio.sleep(quiet_s)


async def wrong(world: World) -> list[str]:
    """Compare the ledger and every number shown with the truth."""
    found = []
    for sku, counted in (("A-1", 40), ("B-2", 15), ("C-3", 5)):
        sold = sum(
            line.quantity - line.cancelled
            for double in world.doubles.values()
            for placed in double.placed.values()
            for line in placed.order.lines
            if line.remote_sku == sku
        )
        shelf = await world.shelf(sku)
        if (shelf.on_hand, shelf.committed, shelf.held) != (counted, sold, 0):
            found.append(f"{sku}: {shelf}, sold {sold}")
        there = max(0, counted - sold)
        found += [
            f"{name} shows {double.numbers[ref]} of {sku}, not {there}"
            for name, double in world.doubles.items()
            for ref, code in double.skus.items()
            if code == sku and not there - MARGIN[double.mode] <= double.numbers[ref] <= there
        ]
    return found


MARGIN = {WriteMode.COMPARE_AND_SET: 0, WriteMode.DELTA: 0, WriteMode.ABSOLUTE: 1}
"""How far below its target a listing may stay while its own sales are fresh."""


def run_world(path: Path, seed: int, rates: Rates, *, busy_s: int = 2_400, quiet_s: int = 1_200) -> list[str]:
    async def story() -> list[str]:
        clock = loop_running().clock
        async with running(path, clock, doubles(clock, seed, rates)) as world:
            await shop_day(world, seed, busy_s=busy_s, quiet_s=quiet_s)
            return await wrong(world)

    return run_virtual(story, seed=seed)


def test_an_hour_without_faults(quick_path: Path) -> None:
    """An hour of sales on three channels ends with every listing at its target and the ledger equal to the orders."""
    assert run_world(quick_path / "a.db", 1, Rates()) == []


@pytest.mark.parametrize("seed", range(5))
def test_an_hour_with_faults(quick_path: Path, seed: int) -> None:
    """The same with refused, cut, late and lost calls, old readings and coarse times."""
    assert run_world(quick_path / "a.db", seed, FAULTS) == []


def calm_hour(path: Path) -> list[str]:
    """Run an hour of a small shop: a sale every two minutes on one of three channels."""

    async def story() -> list[str]:
        clock = loop_running().clock
        shop = doubles(clock, 1, Rates())
        async with running(path, clock, shop, poll_s=120.0, sweep_s=3_600.0) as world:
            await asyncio.sleep(30)
            await world.count(a_1=40, b_2=15, c_3=5)
            await world.go()
            for number in range(24):
                await asyncio.sleep(120)
                double = list(shop.values())[number % 3]
                double.buy(next(iter(double.numbers)), 1)
            await asyncio.sleep(690)
            return await wrong(world)

    return run_virtual(story)


def test_a_calm_hour(quick_path: Path) -> None:
    """An hour of virtual time, the whole engine in it, ends right; `tests.bench.hour` tells how long it takes."""
    assert calm_hour(quick_path / "a.db") == []
