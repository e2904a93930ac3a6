"""Quiet hours: what would reach a customer waits for their end, whoever wrote it; what reaches nobody does not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from syncd.core.facts import MoveFact, MoveRow, StockMove
from syncd.core.terms import SECOND_US, AccountId, Location, Sku
from syncd.core.tickets import Contact, DeskId, Language, TicketState
from syncd.core.waitlist import DeskFact, WaitFact, WaitRow
from syncd.sdk.channel import WriteMode
from syncd.settings import Letters, TimeRules
from syncd.testing.chance import SeededRandom
from syncd.testing.clock import START
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.desk_double import DeskDouble
from tests.engine.double import Double
from tests.engine.world import World, running

HALF_HOUR = 1_800 * SECOND_US


def test_a_restock_at_night_is_told_in_the_morning(quick_path: Path) -> None:
    """Letters wait for the end of the customer's night, each goes once, and whoever is awake or unreached is let go."""

    async def main() -> None:
        # It is nine in Tokyo when the world begins, and quiet there until half past; in Shanghai it is eight.
        clock = loop_running().clock
        one = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
        one.list("A-1", 0)
        desk = DeskDouble(clock=clock, dice=SeededRandom(5))
        async with running(quick_path / "a.db", clock, {"one": one}, desks={"desk": desk}) as world:
            world.plant.settings = replace(
                world.plant.settings,
                letters=Letters(quiet="09:00/09:30"),
                timerules=TimeRules(zones={"zh": "Asia/Shanghai"}),
            )
            await asyncio.sleep(20)
            await world.say(DeskFact(desk=DeskId("desk"), live=True))
            await world.count(a_1=0)
            asleep, awake, nobody = (desk.write(sku="A-1", state=TicketState.PENDING) for _ in range(3))
            desk.set(awake, language=Language.ZH)
            desk.set(nobody, reachable=False)
            await asyncio.sleep(90)
            await wait_by_mail(world)
            await receive(world, 10)
            await asyncio.sleep(120)
            assert clock.now() < START + HALF_HOUR
            assert [name for name, _ in desk.letters] == [awake]
            assert [name for name, _ in desk.drafts] == [nobody]
            assert (desk.opened, desk.tickets[asleep].state) == ([], TicketState.PENDING)
            await asyncio.sleep((START + HALF_HOUR - clock.now()) / SECOND_US - 1.0)
            assert len(desk.letters) == 1
            await asyncio.sleep(120)
            told = [name for name, _ in desk.letters]
            assert sorted(told) == sorted({awake, asleep, *desk.keys.values()})
            assert (len(desk.opened), desk.tickets[asleep].state) == (1, TicketState.RESTOCKED)
            await asyncio.sleep(600)
            assert len(desk.letters) == 3

    run_virtual(main)


async def wait_by_mail(world: World) -> None:
    row = WaitRow(key="a", sku=Sku("A-1"), account=AccountId("one"), contact=Contact(address="a@example.org"))
    await world.say(WaitFact(source="page", rows=(row,)))


async def receive(world: World, units: int) -> None:
    row = MoveRow(sku=Sku("A-1"), location=Location("main"), quantity=units)
    now = world.plant.clock.now()
    await world.say(MoveFact(source="test", reference="r", move=StockMove.RECEIVE, at=now, rows=(row,)))
