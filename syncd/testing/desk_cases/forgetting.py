"""Forgetting: a desk that keeps its tickets itself deletes them whole, and others not."""

from __future__ import annotations

from syncd.sdk.desk import Forgetting, TicketState
from syncd.testing.desk_casebook import DeskGroup
from syncd.testing.desk_stage import DeskStage
from syncd.testing.stage import NotApplicable, hold

FORGET = DeskGroup("forget")


@FORGET.case
async def a_deleted_ticket_leaves_nothing(stage: DeskStage) -> None:
    """Tickets that are deleted are gone with all that they held, twice is as once, and the others stay."""
    desk = stage.desk
    if not isinstance(desk, Forgetting):
        raise NotApplicable("the desk keeps its tickets elsewhere")
    gone, kept = await stage.waiting(2, state=TicketState.PENDING)
    hold(await desk.forget([gone]) == [gone], "a ticket is not deleted")
    hold(await desk.forget([gone]) == [gone], "a ticket that is deleted already is not told as gone")
    found = await desk.find([gone, kept])
    hold([ticket.ticket_id for ticket in found] == [kept], "a deleted ticket is found, or another one was deleted")
    hold([held.ticket_id for held in stage.simulator.tickets()] == [kept], "a deleted ticket is still there")
    tickets, _ = await stage.scan(None)
    hold(gone not in {ticket.ticket_id for ticket in tickets}, "a deleted ticket is told")
