"""Changing: each change is made once, on the right ticket, and leaves what is not syncd's alone."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from dataclasses import replace

from syncd.sdk.channel import OutcomeKind
from syncd.sdk.desk import (
    Contact,
    EventId,
    NewTicket,
    Priority,
    TicketChange,
    TicketId,
    TicketOutcome,
    TicketState,
    TicketStatus,
)
from syncd.testing.desk_casebook import DeskGroup
from syncd.testing.desk_stage import DeskStage, letter
from syncd.testing.stage import NotApplicable, hold
from syncd.testing.trade import Unsupported

UPDATE = DeskGroup("update")
CREATE = DeskGroup("create")

WORDS = "Your goods are here."
NOTE = "stock 12, due 2026-12-01, orders 3"
APPLIED, REJECTED, STALE = OutcomeKind.APPLIED, OutcomeKind.REJECTED, OutcomeKind.STALE


def restock(ticket_id: TicketId, event: EventId) -> TicketChange:
    """Return the change that tells a customer of goods that are back."""
    return TicketChange(ticket_id=ticket_id, event=event, state=TicketState.RESTOCKED, letter=letter(WORDS))


def kinds(ends: list[TicketOutcome]) -> list[OutcomeKind]:
    """Return how changes ended."""
    return [end.kind for end in ends]


@UPDATE.case
async def a_change_is_made_whole(stage: DeskStage) -> None:
    """State, status, SKU, quantity, day, amount, order number, priority and marker of a change stand on the ticket."""
    (ticket_id,) = await stage.waiting()
    event = stage.event()
    change = TicketChange(
        ticket_id=ticket_id, event=event, state=TicketState.PENDING, status=TicketStatus.WAITING, sku="UMBRELLA 赤/L",  # type: ignore[arg-type]  # a SKU is a text
        quantity=2, order_number="#1001", expected="2026-12-01", amount="12800", priority=Priority.HIGH, note=NOTE,
    )  # fmt: skip
    hold(kinds(await stage.make(change)) == [APPLIED], "a change is not made")
    held = stage.held(ticket_id)
    told = (held.state, held.status, held.sku, held.quantity, held.order_number, held.expected, held.amount)
    wanted = (TicketState.PENDING, TicketStatus.WAITING, "UMBRELLA 赤/L", 2, "#1001", "2026-12-01", "12800")
    hold(told == wanted, f"a change left the ticket as {told}")
    hold(held.priority is Priority.HIGH, "the priority is not set")
    hold(NOTE in held.notes and not held.letters, "a note is not on the ticket, or was sent to the customer")
    hold(event in (await stage.read(ticket_id)).markers, "the event's marker is not on the ticket")


@UPDATE.case
async def a_letter_reaches_the_customer(stage: DeskStage) -> None:
    """A letter is sent to the customer as it is, and a draft stands on the ticket and is sent to nobody."""
    sent, drafted = await stage.waiting(2, state=TicketState.PENDING)
    draft = replace(restock(drafted, stage.event()), draft=True)
    hold(kinds(await stage.make(restock(sent, stage.event()), draft)) == [APPLIED, APPLIED], "a change is not made")
    hold(stage.held(sent).letters == (WORDS,), "a letter did not reach the customer as it is")
    hold(not stage.held(drafted).letters, "a draft was sent to the customer")
    hold(any(WORDS in text for text in stage.held(drafted).drafts), "a draft is not on the ticket")


@UPDATE.case
async def a_mark_for_a_person_comes_and_goes(stage: DeskStage) -> None:
    """A ticket is marked as one for a person and told so, its priority is never lowered, and the mark is taken away."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    urgent = TicketChange(ticket_id=ticket_id, event=stage.event(), priority=Priority.URGENT)
    await stage.make(urgent)
    await stage.settled()
    mark = TicketChange(
        ticket_id=ticket_id, event=stage.event(), escalated=True, priority=Priority.HIGH, note="for a person"
    )
    hold(kinds(await stage.make(mark)) == [APPLIED], "a mark is not made")
    held = stage.held(ticket_id)
    hold(held.escalated and (await stage.read(ticket_id)).escalated, "a ticket for a person is not marked, or not told")
    hold(held.priority is Priority.URGENT, "the mark lowered the priority")
    hold("for a person" in held.notes and not held.letters, "the note is not there, or went to the customer")
    await stage.settled()
    free = TicketChange(ticket_id=ticket_id, event=stage.event(), escalated=False)
    hold(kinds(await stage.make(free)) == [APPLIED], "a mark is not taken away")
    hold(not stage.held(ticket_id).escalated, "the mark stays")
    hold(not (await stage.read(ticket_id)).escalated, "a mark that is gone is told")
    hold(stage.held(ticket_id).state is TicketState.PENDING, "the mark changed more than it should")


@UPDATE.case
async def the_same_event_twice_is_one_change(stage: DeskStage) -> None:
    """A change that comes again is APPLIED and left alone: nobody is told twice, and a later state stays."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    change = restock(ticket_id, stage.event())
    await stage.make(change)
    await stage.settled()
    await stage.make(TicketChange(ticket_id=ticket_id, event=stage.event(), state=TicketState.SHIPPED))
    await stage.settled()
    hold(kinds(await stage.make(change)) == [APPLIED], "a change that was made before is not told as applied")
    held = stage.held(ticket_id)
    hold(len(held.letters) == 1, f"the customer was told {len(held.letters)} times")
    hold(held.state is TicketState.SHIPPED, "an old change took a later state back")


@UPDATE.case
async def events_keep_their_names(stage: DeskStage) -> None:
    """An event of any name is found again on its ticket by exactly that name."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    events = [EventId("01JD8Z-Upper"), EventId("delivery:42/赤い傘 L"), EventId("a" * 60)]
    for event in events:
        await stage.make(TicketChange(ticket_id=ticket_id, event=event, state=TicketState.PENDING))
        await stage.settled()
    markers = (await stage.read(ticket_id)).markers
    hold(set(events) <= markers, "an event is not found again by its name")


@UPDATE.case
async def a_stale_change_is_not_made(stage: DeskStage) -> None:
    """A change guarded by a version that has passed is STALE and has no effect."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    version = (await stage.read(ticket_id)).version
    stage.simulator.edit(ticket_id, state=TicketState.CANCELLED)
    await stage.settled()
    change = replace(restock(ticket_id, stage.event()), version=version)
    hold(kinds(await stage.make(change)) == [STALE], "a change of a ticket that is another by now is not stale")
    held = stage.held(ticket_id)
    hold(held.state is TicketState.CANCELLED and not held.letters, "a stale change had an effect")


@UPDATE.case
async def a_closed_ticket_is_refused_alone(stage: DeskStage) -> None:
    """On a closed ticket a change is REJECTED as `closed`, on an unknown one as `gone`; the others are made."""
    first, closed, last = await stage.waiting(3, state=TicketState.PENDING)
    try:
        stage.simulator.close(closed)
    except Unsupported as reason:
        raise NotApplicable(str(reason)) from None
    await stage.settled()
    ids = [first, closed, TicketId("999999999"), last]
    ends = await stage.make(*(restock(ticket_id, stage.event()) for ticket_id in ids))
    hold(kinds(ends) == [APPLIED, REJECTED, REJECTED, APPLIED], f"changes end as {kinds(ends)}")
    hold([end.reason for end in ends][1:3] == ["closed", "gone"], "the reason is neither closed nor gone")
    hold([end.ticket_id for end in ends] == ids, "outcomes are not in the order of their changes")
    hold(not stage.held(closed).letters, "a closed ticket was written on")


@UPDATE.case
async def as_many_as_it_says(stage: DeskStage) -> None:
    """As many changes as the profile says are made in one call, each once, also with unknown tickets in between."""
    number = min(stage.profile.max_update, 100) - 1
    opened = await stage.waiting(number, state=TicketState.PENDING)
    ids = [*opened[: number // 2], TicketId("999999999"), *opened[number // 2 :]]
    ends = await stage.make(*(restock(ticket_id, stage.event()) for ticket_id in ids))
    hold(kinds(ends).count(APPLIED) == number, "a bulk is not made whole because of one row")
    hold(ends[number // 2].kind is REJECTED, "the unknown ticket among them is not refused")
    hold(all(len(stage.held(ticket_id).letters) == 1 for ticket_id in opened), "a customer was not told exactly once")


@UPDATE.case
async def what_is_the_shops_stays(stage: DeskStage) -> None:
    """What the shop has put on a ticket stays there, through several changes and a follow-up of states."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING, sku="A")
    own = stage.held(ticket_id).own
    for state in (TicketState.RESTOCKED, TicketState.SHIPPED, TicketState.REFUNDED):
        change = TicketChange(ticket_id=ticket_id, event=stage.event(), state=state, sku="B", amount="1", note=NOTE)  # type: ignore[arg-type]  # a SKU is a text
        await stage.make(change)
        await stage.settled()
    held = stage.held(ticket_id)
    hold(held.own == own, f"of the shop's own {sorted(own ^ held.own)} came or went")
    hold((held.state, held.sku) == (TicketState.REFUNDED, "B"), "the last state is not there")


@UPDATE.case
async def nothing_given_nothing_done(stage: DeskStage) -> None:
    """No change is no call, and no outcome."""
    before = len(stage.simulator.log)
    hold(await stage.desk.update([]) == [], "nothing changed has an outcome")
    hold(await stage.desk.create([]) == [], "nothing opened has an outcome")
    hold(len(stage.simulator.log) == before, "something happened")


def new_ticket(stage: DeskStage, key: str) -> NewTicket:
    """Return a ticket to be opened for a customer; raises `NotApplicable` where none can be opened."""
    if not stage.profile.opens:
        raise NotApplicable("tickets are opened by customers alone")
    return NewTicket(
        key=key, event=stage.event(), subject="Your order #1001", note=NOTE, sku="A", quantity=2, order_number="#1001",  # type: ignore[arg-type]  # a SKU is a text
        expected="2026-12-01", amount="12800", letter=letter("We look into it."),
        contact=Contact(address="canary@example.jp", name="Canary Person"),
    )  # fmt: skip


@CREATE.case
async def a_key_opens_one_ticket(stage: DeskStage) -> None:
    """A ticket is opened with all that was given, and its key opens no second one, hours later either."""
    wanted = new_ticket(stage, "order:#1001/line 1")
    (first,) = await stage.desk.create([wanted])
    (again,) = await stage.desk.create([wanted])
    await stage.wait(20_000.0)
    (late,) = await stage.desk.create([replace(wanted, event=stage.event(), note="other words")])
    hold([first.kind, again.kind, late.kind] == [APPLIED] * 3, "a ticket is not opened, or its key is refused later")
    hold(first.ticket_id == again.ticket_id == late.ticket_id, "one key opened two tickets")
    held = stage.held(first.ticket_id)
    told = (held.state, held.sku, held.quantity, held.order_number, held.expected, held.amount)
    hold(told == (TicketState.PENDING, "A", 2, "#1001", "2026-12-01", "12800"), f"a ticket is opened as {told}")
    hold(held.letters == ("We look into it.",), "the customer of a new ticket was not told exactly once")
    hold(NOTE in held.notes, "the note of a new ticket is not on it")
    hold(wanted.event in (await stage.read(first.ticket_id)).markers, "a new ticket does not bear its event")


@CREATE.case
async def what_cannot_be_opened_is_refused(stage: DeskStage) -> None:
    """A desk at which only customers open tickets refuses to open one, and does nothing."""
    if stage.profile.opens:
        raise NotApplicable("tickets can be opened here")
    wanted = NewTicket(key="k", event=stage.event(), subject="Your order", note=NOTE, letter=letter(WORDS))
    hold(kinds(await stage.desk.create([wanted])) == [REJECTED], "an opening that cannot be is not refused")
    hold(not stage.simulator.tickets(), "something was opened")


@CREATE.case
async def a_task_is_sent_to_nobody(stage: DeskStage) -> None:
    """A ticket without a contact is a task for an agent: nobody is told, and it says that nobody can be."""
    (end,) = await stage.desk.create([replace(new_ticket(stage, "task-1"), contact=None)])
    hold(end.kind is APPLIED, "a task is not opened")
    hold(not stage.held(end.ticket_id).letters, "a task was sent to somebody")
    hold(not (await stage.read(end.ticket_id)).reachable, "a task says that it has a customer")


@CREATE.case
async def a_closed_ticket_is_followed(stage: DeskStage) -> None:
    """A follow-up of a closed ticket reaches the same customer, and inherits neither events nor states."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING, sku="A")
    old = stage.event()
    await stage.make(TicketChange(ticket_id=ticket_id, event=old, state=TicketState.CANCELLED))
    try:
        stage.simulator.close(ticket_id)
    except Unsupported as reason:
        raise NotApplicable(str(reason)) from None
    await stage.settled()
    wanted = replace(new_ticket(stage, "follow-1"), contact=None, follow_up_of=ticket_id, state=TicketState.RESTOCKED)
    (end,) = await stage.desk.create([wanted])
    hold(end.kind is APPLIED, f"a follow-up is not opened: {end.reason}")
    held, ticket = stage.held(end.ticket_id), await stage.read(end.ticket_id)
    hold(ticket.follow_up_of == ticket_id, "a follow-up does not say what it follows")
    hold(held.state is TicketState.RESTOCKED, f"a follow-up is in the state {held.state}")
    hold(old not in ticket.markers, "a follow-up bears an event of the closed ticket")
    hold(held.letters == ("We look into it.",), "a follow-up did not reach the customer exactly once")
