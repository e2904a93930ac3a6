"""Time rules in the whole engine: a desk is told what is due, once, whatever runs beside."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.core.terms import SECOND_US, Sku
from syncd.core.tickets import Contact, DeskId, MessageKind
from syncd.core.waitlist import DeskFact, WaitFact, WaitRow
from syncd.sdk.channel import WriteMode
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.desk_double import DeskDouble
from tests.engine.double import Double
from tests.engine.world import running

HOUR = 3_600 * SECOND_US
LOOK_S = 20.0


def test_somebody_who_waits_unheard_is_told_by_the_desk(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who left an address half a day ago and heard nothing gets one letter from the desk, and no second one."""
    monkeypatch.setattr("syncd.engine.timekeeping.LOOK_S", LOOK_S)

    async def main() -> DeskDouble:
        clock = loop_running().clock
        channel = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
        channel.list("A-1", 0)
        desk = DeskDouble(clock=clock, dice=SeededRandom(5))
        async with running(quick_path / "a.db", clock, {"one": channel}, desks={"desk": desk}) as world:
            await asyncio.sleep(20)
            await world.say(DeskFact(desk=DeskId("desk"), live=True))
            contact = Contact(address="a@b.test", name="A")
            rows = [
                WaitRow(key=str(hours), sku=Sku("A-1"), since=clock.now() - hours * HOUR, contact=contact)
                for hours in (2, 13)
            ]
            await world.say(WaitFact(source="page", rows=tuple(rows)))
            await asyncio.sleep(4 * LOOK_S)
        return desk

    desk = run_virtual(main)
    assert [(ticket.letter.kind, ticket.draft) for ticket in desk.opened if ticket.letter is not None] == [
        (MessageKind.ACKNOWLEDGED, False)
    ]
