"""Tickets that a desk keeps here are deleted a while after the wait is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from syncd.core.tickets import DeskId, TicketId, TicketState
from syncd.core.waitlist import DeskFact, LeaveFact
from syncd.engine import forgetting
from syncd.engine.rules import DAY_US
from syncd.sdk.channel import WriteMode
from syncd.sdk.errors import TransientError
from syncd.store import waiting
from syncd.store.rows_waiting import EntryRow, TicketRow
from syncd.store.statements import table
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.desk_double import DeskDouble
from tests.engine.double import Double
from tests.engine.world import running

DAYS = 30


@dataclass
class Keeper(DeskDouble):
    """A desk that keeps its tickets here; it is in trouble once."""

    asked: list[TicketId] = field(default_factory=list)
    trouble: int = 1

    async def forget(self, ticket_ids: Sequence[TicketId]) -> list[TicketId]:
        """Delete tickets."""
        self.asked += ticket_ids
        if self.trouble:
            self.trouble -= 1
            raise TransientError("the store is busy", sent=False)
        for ticket_id in ticket_ids:
            self.tickets.pop(ticket_id, None)
        return list(ticket_ids)


def test_a_ticket_is_deleted_a_while_after_the_wait_is_over(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who left is forgotten after the days of the settings, trouble is tried again, and who still waits is kept."""
    monkeypatch.setattr(forgetting, "REST_S", 60.0)

    async def main() -> None:
        clock = loop_running().clock
        one = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
        one.list("A-1", 0)
        desk = Keeper(clock=clock, dice=SeededRandom(5))
        async with running(quick_path / "a.db", clock, {"one": one}, desks={"desk": desk}) as world:
            await asyncio.sleep(20)
            await world.say(DeskFact(desk=DeskId("desk"), live=True))
            await world.count(a_1=0)
            left = desk.write(sku="A-1", state=TicketState.PENDING)
            await asyncio.sleep(5)
            stays = desk.write(sku="A-1", state=TicketState.PENDING)
            await asyncio.sleep(90)
            await world.say(LeaveFact(ids=(1,)))
            await asyncio.sleep(200)
            assert desk.asked == []
            await world.plant.store.write(lambda conn: age(conn, clock.now() - (DAYS - 1) * DAY_US))
            await asyncio.sleep(200)
            assert desk.asked == []
            await world.plant.store.write(lambda conn: age(conn, clock.now() - DAYS * DAY_US))
            await asyncio.sleep(200)
            kept = await world.plant.store.read(lambda conn: waiting.entries(conn, [1, 2]))
        assert (kept[1].closed_at is None, kept[2].closed_at) == (False, None)
        assert list(desk.tickets) == [stays]
        assert desk.asked == [left, left]

    run_virtual(main)


def age(conn: Connection, at: int) -> None:
    """Let all that is over have ended at a moment."""
    entry, ticket = table(EntryRow), table(TicketRow)
    conn.execute(update(entry).where(entry.c.closed_at.is_not(None)).values(closed_at=at))
    conn.execute(update(ticket).values(version=at))
