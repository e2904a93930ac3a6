"""Escalation in the whole engine: a desk, those who wait, and a person who does the talking until they release it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncd.core.escalation import Limits, Reason
from syncd.core.terms import SECOND_US, AccountId, Sku
from syncd.core.tickets import Contact, DeskId, MessageKind, Priority, Sign, TicketState, TicketStatus
from syncd.core.waitlist import DeskFact, LeaveFact, ReleaseFact, WaitFact, WaitRow
from syncd.engine.rules import WaitRules
from syncd.sdk.channel import WriteMode
from syncd.store import alerts, escalations, outbox
from syncd.store.escalations import Escalation
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.desk_double import DeskDouble
from tests.engine.double import Double
from tests.engine.test_waiting import entries, receive, wait_for
from tests.engine.world import World, running

MINUTE = 60
"""An hour of time rules, and of what is one contact, is a minute here."""
Story = Callable[[World, DeskDouble], Awaitable[Any]]
RULES = WaitRules(escalation=Limits(amounts={"JPY": Decimal(100_000)}, contacts=3))


@pytest.fixture
def tell(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a story in a world with a channel that sells A-1 and a desk that is released."""
    monkeypatch.setattr("syncd.engine.timekeeping.LOOK_S", 60.0)
    monkeypatch.setattr("syncd.engine.timekeeping._HOUR_US", MINUTE * SECOND_US)
    monkeypatch.setattr("syncd.core.escalation.APART_US", MINUTE * SECOND_US)

    def run(story: Story, *, rules: WaitRules = RULES) -> Any:
        async def main() -> Any:
            clock = loop_running().clock
            one = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
            one.list("A-1", 7)
            desk = DeskDouble(clock=clock, dice=SeededRandom(5))
            async with running(quick_path / "a.db", clock, {"one": one}, desks={"desk": desk}, waiting=rules) as world:
                await asyncio.sleep(20)
                await world.say(DeskFact(desk=DeskId("desk"), live=True))
                await world.count(a_1=0)
                return await story(world, desk)

        return run_virtual(main)

    return run


async def opened(world: World) -> list[Escalation]:
    found = await world.plant.store.read(lambda conn: escalations.by_ids(conn, range(1, 50)))
    return [one for one in found if one.released_at is None]


async def alerted(world: World) -> list[str]:
    found = await world.plant.store.read(alerts.standing)
    return [one.key for one in found if one.kind == "escalated"]


def test_words_of_the_law_keep_letters_as_drafts_until_a_person_releases_them(tell: Callable[..., Any]) -> None:
    """The units are reserved, the ticket moves and is marked, the letter is a draft; after the release letters go."""

    async def story(world: World, desk: DeskDouble) -> None:
        angry, calm = desk.write(sku="A-1", state=TicketState.PENDING), desk.write(sku="A-1", state=TicketState.PENDING)
        desk.hear(angry, Sign.LEGAL)
        await asyncio.sleep(90)
        (one,) = await opened(world)
        assert (one.reasons, one.priority) == ({Reason.LEGAL}, Priority.URGENT)
        assert desk.tickets[angry].escalated
        assert not desk.tickets[calm].escalated
        assert desk.priorities[angry] is Priority.URGENT
        assert [name for name, note in desk.notes if "words of the law" in note] == [angry]
        assert await alerted(world) == [str(one.id)]
        await receive(world, "A-1", 2)
        await asyncio.sleep(90)
        assert [entry.state for entry in await entries(world)] == [TicketState.RESTOCKED] * 2
        assert (await world.shelf("A-1")).held == 2
        assert desk.tickets[angry].state is TicketState.RESTOCKED
        assert [(name, letter.kind) for name, letter in desk.letters] == [(calm, MessageKind.RESTOCKED)]
        assert [(name, letter.kind) for name, letter in desk.drafts] == [(angry, MessageKind.RESTOCKED)]
        told = {entry.key: entry.told_at is not None for entry in await entries(world)}
        assert told == {angry: False, calm: True}
        assert await world.say(ReleaseFact(ids=(one.id,), actor="yuki")) is None
        await asyncio.sleep(90)
        assert not desk.tickets[angry].escalated
        assert await opened(world) == []
        assert await alerted(world) == []
        assert await world.say(ReleaseFact(ids=(one.id,))) == f"no open escalation has the number {one.id}"
        await asyncio.sleep(120)
        assert await opened(world) == []  # what was read before the release is no reason again
        assert [name for name, _ in desk.letters] == [calm]

    tell(story)


def test_a_letter_that_waits_becomes_a_draft_when_the_customer_names_a_lawyer_first(tell: Callable[..., Any]) -> None:
    """What was decided before and not sent yet is held back too."""

    async def story(world: World, desk: DeskDouble) -> None:
        name = desk.write(sku="A-1", state=TicketState.PENDING)
        await asyncio.sleep(90)
        desk.busy_until = world.plant.clock.now() + 300 * SECOND_US
        await receive(world, "A-1", 1)
        await asyncio.sleep(5)
        desk.hear(name, Sign.LEGAL)
        await asyncio.sleep(400)
        assert desk.letters == []
        assert [kind.kind for _, kind in desk.drafts] == [MessageKind.RESTOCKED]

    tell(story)


def test_a_customer_who_writes_again_and_again_and_is_angry_is_urgent(tell: Callable[..., Any]) -> None:
    """Three contacts are a reason, anger another; reasons are added, each is told at the desk once."""

    async def story(world: World, desk: DeskDouble) -> None:
        name = desk.write(sku="A-1", state=TicketState.PENDING)
        for _ in range(2):
            desk.hear(name)
            desk.hear(name)
            await asyncio.sleep(2 * MINUTE)
        assert await opened(world) == []
        desk.hear(name)
        await asyncio.sleep(2 * MINUTE)
        (one,) = await opened(world)
        assert (one.reasons, one.priority) == ({Reason.REPEAT}, Priority.HIGH)
        desk.hear(name, Sign.ANGER)
        await asyncio.sleep(120)
        (one,) = await opened(world)
        assert (one.reasons, one.priority) == ({Reason.REPEAT, Reason.ANGER}, Priority.URGENT)
        notes = [note for _, note in desk.notes if "for a person" in note]
        assert len(notes) == 2
        assert "anger" in notes[1]
        await world.say(ReleaseFact(ids=(one.id,)))
        await asyncio.sleep(120)
        desk.hear(name)
        await asyncio.sleep(120)
        assert await opened(world) == []
        desk.hear(name, Sign.ANGER)
        await asyncio.sleep(120)
        (again,) = await opened(world)
        assert again.id != one.id
        assert again.reasons == {Reason.ANGER}

    tell(story)


def test_a_large_order_amount_opens_its_ticket_with_a_draft_for_a_person(tell: Callable[..., Any]) -> None:
    """Above the limit nothing goes by itself, not even the first letter; a small one is told as ever."""

    async def story(world: World, desk: DeskDouble) -> None:
        contact = Contact(address="a@b.test")
        rows = [
            WaitRow(key=key, sku=Sku("A-1"), account=AccountId("one"), amount=amount, currency="JPY", contact=contact)
            for key, amount in (("large", "100000"), ("small", "99999"))
        ]
        await world.say(WaitFact(source="page", rows=tuple(rows)))
        (one,) = await opened(world)
        assert one.reasons == {Reason.AMOUNT}
        assert await alerted(world) == [str(one.id)]
        await receive(world, "A-1", 2)
        await asyncio.sleep(90)
        ends = {(new.amount, new.draft, new.escalated) for new in desk.opened}
        assert ends == {("100000", True, True), ("99999", False, False)}
        first, second = await entries(world)
        assert first.told_at is None
        assert second.told_at is not None
        await world.say(LeaveFact(ids=(first.id,)))

    tell(story)


def test_words_at_the_door_count_and_who_left_needs_nobody(tell: Callable[..., Any]) -> None:
    """A sign that came with an entry escalates it; once it is over, and no ticket is open, so is the escalation."""

    async def story(world: World, _desk: DeskDouble) -> None:
        await wait_for(world, "a", signs=frozenset({Sign.ANGER}))
        (one,) = await opened(world)
        assert one.reasons == {Reason.ANGER}
        assert one.ticket_row is None
        await world.say(LeaveFact(ids=(1,)))
        await asyncio.sleep(120)
        assert await opened(world) == []
        assert await alerted(world) == []

    tell(story)


def test_a_mark_of_the_desk_counts_and_taken_away_there_it_is_released(tell: Callable[..., Any]) -> None:
    """An agent, or a rule of the desk, may mark a ticket; nothing is written over it, and unmarking it is a release."""

    async def story(world: World, desk: DeskDouble) -> None:
        name = desk.write(sku="A-1", state=TicketState.PENDING)
        await asyncio.sleep(90)
        desk.set(name, escalated=True)
        await asyncio.sleep(90)
        (one,) = await opened(world)
        assert one.reasons == {Reason.DESK}
        assert not [note for _, note in desk.notes if "for a person" in note]
        desk.set(name, escalated=False)
        await asyncio.sleep(90)
        assert await opened(world) == []
        (ended,) = await world.plant.store.read(lambda conn: escalations.by_ids(conn, [one.id]))
        assert ended.actor == "desk:desk"

    tell(story)


def test_a_release_right_after_the_mark_is_not_undone_by_what_the_desk_tells_late(tell: Callable[..., Any]) -> None:
    """Between our mark and its reading a person may release: the reading of the mark opens nothing."""

    async def story(world: World, desk: DeskDouble) -> None:
        name = desk.write(sku="A-1", state=TicketState.PENDING)
        await asyncio.sleep(90)
        desk.hear(name, Sign.LEGAL)
        while not desk.tickets[name].escalated:
            await asyncio.sleep(0.5)
        await asyncio.sleep(1)
        (one,) = await opened(world)
        desk.busy_until = world.plant.clock.now() + 200 * SECOND_US
        await world.say(ReleaseFact(ids=(one.id,)))
        await asyncio.sleep(120)
        assert desk.tickets[name].escalated
        assert await opened(world) == []
        await asyncio.sleep(240)
        assert not desk.tickets[name].escalated
        assert await opened(world) == []

    tell(story)


def test_time_rules_leave_an_escalated_ticket_alone(tell: Callable[..., Any]) -> None:
    """Nobody is reminded of a question while a person does the talking; the refund is still called for."""

    async def story(world: World, desk: DeskDouble) -> None:
        angry, calm = (desk.write(sku="A-1", state=TicketState.PENDING) for _ in range(2))
        desk.hear(angry, Sign.ANGER)
        await asyncio.sleep(120)
        asked = {"status": TicketStatus.WAITING, "asked_at": world.plant.clock.now()}
        desk.set(angry, **asked)
        desk.set(calm, **asked)
        await asyncio.sleep(60 * MINUTE)
        assert {name for name, _ in desk.letters} == {calm}
        assert not desk.drafts

    tell(story)


def test_tickets_of_others_are_left_alone(tell: Callable[..., Any]) -> None:
    """A ticket of the shop that waits for nothing is not syncd's to mark, whatever its customer writes."""

    async def story(world: World, desk: DeskDouble) -> None:
        name = desk.write()
        desk.hear(name, Sign.LEGAL, Sign.ANGER)
        await asyncio.sleep(120)
        assert await opened(world) == []
        assert not desk.tickets[name].escalated

    tell(story)


def test_switched_off_nothing_is_looked_for_and_marks_of_the_desk_count(tell: Callable[..., Any]) -> None:
    """Without limits words and amounts are no reason."""

    async def story(world: World, desk: DeskDouble) -> None:
        words, marked = (desk.write(sku="A-1", state=TicketState.PENDING) for _ in range(2))
        desk.hear(words, Sign.LEGAL)
        desk.set(marked, escalated=True)
        await wait_for(world, "a", amount="9999999", currency="JPY")
        await asyncio.sleep(120)
        (one,) = await opened(world)
        assert one.reasons == {Reason.DESK}

    tell(story, rules=replace(RULES, escalation=None))


def test_programs_hear_of_it_without_a_customers_words(tell: Callable[..., Any]) -> None:
    """An event says which ticket, why and how soon, another that it was released."""

    async def story(world: World, desk: DeskDouble) -> None:
        name = desk.write(sku="A-1", state=TicketState.PENDING)
        desk.hear(name, Sign.LEGAL)
        await asyncio.sleep(90)
        (one,) = await opened(world)
        await world.say(ReleaseFact(ids=(one.id,), actor="yuki"))
        rows = await world.plant.store.read(lambda conn: outbox.waiting(conn, "mqtt", after_id=0, limit=500))
        told = {row.type: row.body.decode() for row in rows if row.type.startswith("ticket.")}
        assert set(told) == {"ticket.escalated", "ticket.released"}
        assert '"reasons":["legal"]' in told["ticket.escalated"]
        assert '"actor":"yuki"' in told["ticket.released"]

    tell(story)
