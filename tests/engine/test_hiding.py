"""What it costs that channels show less than is there, kept hour by hour."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from syncd.core.facts import PolicyFact, PolicyRow
from syncd.core.terms import SECOND_US, AccountId, Sku
from syncd.engine.hiding import HiddenWatch
from syncd.store.figures import HOUR_US, keep_hidden
from tests.engine.double import Double
from tests.engine.features import DAY_US, tell
from tests.engine.world import World

ONE = AccountId("one")


async def kept(world: World) -> dict[int, int]:
    """Return what is kept: milliunits by hour."""
    query = "SELECT hour, milliunits FROM hidden_sales WHERE account = 'one'"
    rows = await world.plant.store.read(lambda conn: conn.exec_driver_sql(query).all())
    return {row[0]: row[1] for row in rows}


async def sleep_to_the_turn(world: World) -> int:
    """Sleep until a little after the next full hour; return when the one that ended began."""
    now = world.plant.clock.now()
    turn = (now // HOUR_US + 1) * HOUR_US
    await asyncio.sleep((turn - now) / SECOND_US + 5.0)
    return turn - HOUR_US


def test_what_is_kept_back_costs_by_the_hour(quick_path: Path) -> None:
    """Nothing is hidden while all is shown; units that a policy keeps back cost what demand would take, each hour."""

    async def story(world: World, double: Double) -> None:
        await world.count(a_1=40)
        await world.go()
        await asyncio.sleep(60)
        for _ in range(20):
            assert double.buy(next(iter(double.numbers)), 1) is not None
            await asyncio.sleep(20)
        first = await sleep_to_the_turn(world)
        assert await kept(world) == {first: 0}
        row = PolicyRow(sku=Sku("A-1"), account=None, safety_stock=40)
        assert await world.say(PolicyFact(rows=(row,), forced=True)) is None
        await asyncio.sleep(60)
        await HiddenWatch(world.plant).step(first + HOUR_US, world.plant.stop)
        there = (await world.shelf("A-1")).on_hand
        assert 0 < (await kept(world))[first + HOUR_US] <= 1_000 * there / 24 + 1

    tell(quick_path, Double, story)


def test_old_hours_are_forgotten(quick_path: Path) -> None:
    """With each hour that is kept, those go that are older than the settings say."""

    async def story(world: World, _: Double) -> None:
        plant = world.plant
        plant.settings = replace(plant.settings, retention=replace(plant.settings.retention, figures_days=1))
        now = plant.clock.now()
        for age in (DAY_US * 2, DAY_US // 2):
            await plant.store.write(lambda conn, at=now - age: keep_hidden(conn, at, {ONE: 1.0}))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        await HiddenWatch(plant).step(now - HOUR_US, plant.stop)
        assert sorted(await kept(world)) == [now - DAY_US // 2, now - HOUR_US]

    tell(quick_path, Double, story)
