"""Reading: tickets are told as they are, none is missing, nobody's data come along."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

import math
from typing import Any

from syncd.sdk.desk import Sign, TicketId, TicketState, TicketStatus
from syncd.testing.desk_casebook import DeskGroup
from syncd.testing.desk_stage import DeskStage
from syncd.testing.stage import NotApplicable, hold, plain
from syncd.testing.trade import Unsupported

READING = DeskGroup("reading")

HOUR_S = 3_600.0
UNKNOWN = (TicketId("999999999"), TicketId("no-such-ticket"))


@READING.bare
async def the_profile_is_sane(stage: DeskStage) -> None:
    """The profile's limits can be used, and opening the desk changed nothing there."""
    profile = stage.profile
    for name in ("max_find", "max_update", "max_create"):
        hold(getattr(profile, name) >= 1, f"{name} is below 1")
    hold(0.0 <= profile.resend_after_s < math.inf, "resend_after_s is no time")
    hold(not len(stage.simulator.log), "opening the desk changed a ticket")


@READING.case
async def a_ticket_is_told_as_it_is(stage: DeskStage) -> None:
    """State, SKU, quantity, day, amount, order number and version of a ticket are those at the desk."""
    wish: dict[str, Any] = {
        "state": TicketState.PENDING,
        "sku": "赤い 傘 L",
        "quantity": 3,
        "order_number": "250-1234567-7654321",
    }
    (ticket_id,) = await stage.waiting(expected="2026-12-01", amount="12800", text="My order #1001 please", **wish)
    ticket = await stage.read(ticket_id)
    hold(ticket.status is TicketStatus.OPEN, "a new ticket is not open")
    told = (ticket.state, ticket.sku, ticket.quantity, ticket.order_number, ticket.expected, ticket.amount)
    hold(told == (*wish.values(), "2026-12-01", "12800"), f"a ticket is told as {told}")
    hold("#1001" in ticket.order_numbers, "an order number in the text is not told")
    hold(ticket.version is not None and ticket.version <= stage.clock.now(), "a ticket has no version, or a future one")
    hold(ticket.read_at <= stage.clock.now(), "a ticket was read in the future")


@READING.case
async def what_customers_write_is_told_as_signs(stage: DeskStage) -> None:
    """Messages of a customer are told with their time and with what they show; what we quote in them does not count."""
    if not stage.profile.hears:
        raise NotApplicable("the desk does not learn of replies")
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING, text="Do the lawyers of the garden come back?")
    _, cursor = await stage.scan(None)
    for text in ("Is it here yet?\n\n> ask your lawyer", "I am FED UP and will call my Lawyers."):
        await stage.wait(HOUR_S / 60)
        stage.simulator.reply(ticket_id, text)
    await stage.settled()
    await stage.scan(cursor)  # a mailbox is read for what changed
    told = (await stage.read(ticket_id)).inbound
    signs = [message.signs for message in sorted(told, key=lambda message: message.at)][-2:]
    hold(signs == [frozenset(), frozenset(Sign)], f"what customers wrote is told as {signs}")
    hold(len({message.at for message in told}) == len(told), "a message is told twice")
    hold(all(message.at <= stage.clock.now() for message in told), "a message was written in the future")


@READING.case
async def unknown_tickets_are_left_out(stage: DeskStage) -> None:
    """Tickets that do not exist are left out, and the others are found, up to as many as the profile says."""
    known = await stage.waiting(min(stage.profile.max_find - 2, 20), state=TicketState.PENDING)
    found = await stage.desk.find([*known, *UNKNOWN])
    hold({ticket.ticket_id for ticket in found} == set(known), "not exactly the known tickets are found")
    hold(await stage.desk.find([]) == [], "where nothing is asked something is found")


@READING.case
async def open_tickets_come_first(stage: DeskStage) -> None:
    """Without a cursor every open ticket is told, over as many pages as it takes."""
    opened = {stage.open_ticket(state=TicketState.PENDING) for _ in range(stage.kit.many)}
    await stage.wait(HOUR_S)
    tickets, _ = await stage.scan(None)
    hold(opened <= {ticket.ticket_id for ticket in tickets}, "an open ticket is missing from the first scan")


@READING.case
async def a_change_is_told(stage: DeskStage) -> None:
    """From a cursor on every change is told: by a customer, by an agent, and a new ticket; also after a quiet scan."""
    first, second = await stage.waiting(2, state=TicketState.PENDING)
    await stage.wait(HOUR_S)
    _, cursor = await stage.scan(None)
    _, cursor = await stage.scan(cursor)
    stage.simulator.reply(first, "Any news?")
    stage.simulator.edit(second, state=TicketState.CANCELLED)
    third = stage.open_ticket(state=TicketState.PENDING)
    await stage.wait(HOUR_S)
    tickets, cursor = await stage.scan(cursor)
    told = {ticket.ticket_id: ticket for ticket in tickets}
    hold({first, second, third} <= set(told), "a change is not told")
    hold(told[second].state is TicketState.CANCELLED, "a ticket is not told as an agent changed it")
    stage.simulator.edit(third, status=TicketStatus.SOLVED)
    await stage.wait(HOUR_S)
    tickets, _ = await stage.scan(cursor)
    hold([one.status for one in tickets if one.ticket_id == third][-1:] == [TicketStatus.SOLVED], "a solve is not told")


@READING.case
async def a_deleted_ticket_is_gone(stage: DeskStage) -> None:
    """A ticket that was deleted is told as gone, and is no longer found."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    await stage.wait(HOUR_S)
    _, cursor = await stage.scan(None)
    try:
        stage.simulator.delete(ticket_id)
    except Unsupported as reason:
        raise NotApplicable(str(reason)) from None
    await stage.wait(HOUR_S)
    tickets, _ = await stage.scan(cursor)
    gone = [ticket for ticket in tickets if ticket.ticket_id == ticket_id]
    hold([ticket.status for ticket in gone][-1:] == [TicketStatus.GONE], "a deleted ticket is not told as gone")
    hold(await stage.desk.find([ticket_id]) == [], "a deleted ticket is found")


@READING.case
async def no_personal_data_comes_along(stage: DeskStage) -> None:
    """Nothing that is told of a ticket holds a name, an address or what its customer wrote."""
    (ticket_id,) = await stage.waiting(text="Please hurry, it is a present", state=TicketState.PENDING)
    stage.simulator.reply(ticket_id, "It is a present for my mother")
    await stage.wait(HOUR_S)
    tickets, _ = await stage.scan(None)
    texts = [plain(ticket) for ticket in [*tickets, *await stage.desk.find([ticket_id])]]
    stage.tells_nothing(texts, "a ticket")
    hold(not [text for text in texts if "present" in text], "a ticket tells what its customer wrote")
