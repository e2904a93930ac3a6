"""Those who wait, in single situations: each story runs the whole engine with a desk on a virtual loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from syncd.core.facts import (
    MoveFact,
    MoveRow,
    SkuFact,
    SkuRow,
    StockMove,
)
from syncd.core.terms import SECOND_US, AccountId, Location, Sku
from syncd.core.tickets import Contact, DeskId, Language, MessageKind, TicketId, TicketState, TicketStatus
from syncd.core.waitlist import (
    ArrivalFact,
    ArrivalRow,
    CorrectionFact,
    DeskFact,
    LeaveFact,
    MessageFact,
    WaitFact,
    WaitRow,
)
from syncd.engine.promising import announce
from syncd.engine.rules import WaitRules
from syncd.engine.timing import today
from syncd.engine.work import Work
from syncd.sdk.channel import WriteMode
from syncd.sdk.desk import DeskProfile
from syncd.store import alerts, arrivals, changes, tickets, waiting
from syncd.store.changes import ChangeState
from syncd.store.rows_waiting import ChangeRow
from syncd.store.statements import table
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.desk_double import DeskDouble
from tests.engine.double import Double
from tests.engine.world import World, running

CAS = WriteMode.COMPARE_AND_SET
Story = Callable[[World, DeskDouble], Awaitable[Any]]
S = TicketState


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story in a new world with two channels that sell A-1, and one desk."""

    def run(
        story: Story,
        *,
        offers: tuple[tuple[str, str, int], ...] = (("one", "A-1", 7), ("two", "A-1", 7)),
        rules: WaitRules | None = None,
        live: bool = True,
        profile: DeskProfile | None = None,
    ) -> Any:
        async def main() -> Any:
            clock = loop_running().clock
            doubles = {
                name: Double(mode=CAS, clock=clock, dice=SeededRandom(3), lateness_s=5.0) for name in ("one", "two")
            }
            for name, sku, number in offers:
                doubles[name].list(sku, number)
            desk = DeskDouble(clock=clock, dice=SeededRandom(5))
            if profile is not None:
                desk.profile = profile
            async with running(quick_path / "a.db", clock, doubles, desks={"desk": desk}, waiting=rules) as world:
                await asyncio.sleep(20)
                if live:
                    await world.say(DeskFact(desk=DeskId("desk"), live=True))
                result = await story(world, desk)
                assert await world.plant.store.read(verify) == []
                return result

        return run_virtual(main)

    return run


async def receive(world: World, sku: str, units: int, reference: str = "") -> str | None:
    row = MoveRow(sku=Sku(sku), location=Location("main"), quantity=units)
    name = reference or world.plant.uuid()
    now = world.plant.clock.now()
    return await world.say(MoveFact(source="test", reference=name, move=StockMove.RECEIVE, at=now, rows=(row,)))


async def wait_for(world: World, *names: str, sku: str = "A-1", account: str = "one", **fields: Any) -> str | None:
    rows = tuple(WaitRow(key=name, sku=Sku(sku), account=AccountId(account), **fields) for name in names)
    return await world.say(WaitFact(source="page", rows=rows))


async def entries(world: World) -> list[waiting.Entry]:
    found = await world.plant.store.read(lambda conn: waiting.entries(conn, range(1, 200)))
    return [found[number] for number in sorted(found)]


async def states(world: World) -> list[TicketState]:
    return [entry.state for entry in await entries(world)]


async def in_states(world: World, *wanted: ChangeState) -> list[changes.Change]:
    return await world.plant.store.read(lambda conn: changes.page(conn, states=wanted))


def numbers(world: World) -> dict[str, list[int]]:
    return {name: list(double.numbers.values()) for name, double in world.doubles.items()}


async def sell_short(world: World, *amounts: int) -> list[str]:
    """Count one unit, then let shoppers buy from a channel that shows more."""
    await world.count(a_1=1)
    one = world.doubles["one"]
    names = []
    for amount in amounts:
        name = one.buy(next(iter(one.numbers)), amount)
        assert name is not None
        names.append(name)
        await asyncio.sleep(30)
    return names


def test_a_short_order_waits_and_a_delivery_serves_it_before_the_channels_open(tell: Callable[..., Any]) -> None:
    """An order that cannot be served waits; a delivery moves its ticket first, and only the rest is shown."""

    async def story(world: World, desk: DeskDouble) -> None:
        names = await sell_short(world, 1, 2)
        await world.go()
        await asyncio.sleep(60)
        (entry,) = await entries(world)
        assert (entry.order_number, entry.quantity, entry.state) == (f"#{names[1]}", 2, S.PENDING)
        ticket = desk.write(words=(f"#{names[1]}",))
        await asyncio.sleep(90)
        assert (desk.tickets[ticket].sku, desk.tickets[ticket].state) == ("A-1", S.PENDING)
        before = len(world.doubles["two"].pushed)
        await receive(world, "A-1", 5)
        moved_at = None
        for _ in range(200):
            await asyncio.sleep(0.5)
            if desk.tickets[ticket].state is S.RESTOCKED and moved_at is None:
                moved_at = len(world.doubles["two"].pushed)
        assert moved_at == before, "the ticket moves before a channel is opened"
        assert numbers(world) == {"one": [3], "two": [3]}
        assert await states(world) == [S.RESTOCKED]
        assert [letter.kind for _, letter in desk.letters] == [MessageKind.RESTOCKED]
        world.doubles["one"].ship(names[1])
        await asyncio.sleep(60)
        assert (await states(world), desk.tickets[ticket].state) == ([S.SHIPPED], S.SHIPPED)

    tell(story)


@pytest.mark.parametrize("slow_s", [20.0, 120.0, 0.0])
def test_who_gets_a_ticket_while_units_come_is_told_on_that_one(tell: Callable[..., Any], slow_s: float) -> None:
    """A short order whose ticket the desk has not answered for gets no second one; channels open once it is moved."""

    async def story(world: World, desk: DeskDouble) -> None:
        desk.slow_s = slow_s
        await sell_short(world, 1, 2)
        await world.go()
        while not desk.opened:
            await asyncio.sleep(1)
        await receive(world, "A-1", 5)
        await asyncio.sleep(5)
        assert await states(world) == [S.RESTOCKED]
        if slow_s:
            assert (desk.moves, numbers(world)) == ([], {"one": [0], "two": [0]})
        await asyncio.sleep(400)
        assert (len(desk.opened), desk.states()) == (1, [S.RESTOCKED])
        assert [letter.kind for _, letter in desk.letters] == [MessageKind.RESTOCKED]
        assert numbers(world) == {"one": [3], "two": [3]}
        assert await states(world) == [S.RESTOCKED]

    tell(story, rules=WaitRules(desk=DeskId("desk")))


def test_the_oldest_order_is_served_first_and_keeps_a_part(tell: Callable[..., Any]) -> None:
    """Partial arrivals go to the order that waits longest, and a smaller one behind it does not overtake."""

    async def story(world: World, desk: DeskDouble) -> None:
        await sell_short(world, 1, 3, 1)
        assert await states(world) == [S.PENDING, S.PENDING]
        await receive(world, "A-1", 2)
        await asyncio.sleep(30)
        assert await states(world) == [S.PENDING, S.PENDING]
        await receive(world, "A-1", 1)
        await asyncio.sleep(30)
        assert await states(world) == [S.RESTOCKED, S.PENDING]
        await receive(world, "A-1", 1)
        await asyncio.sleep(30)
        assert await states(world) == [S.RESTOCKED, S.RESTOCKED]
        assert (await world.shelf("A-1")).available == 0

    tell(story)


def test_a_cancel_serves_the_next_and_moves_its_own_ticket(tell: Callable[..., Any]) -> None:
    """Units that a cancelled order gives back go to the next in the line, and its own ticket is moved."""

    async def story(world: World, desk: DeskDouble) -> None:
        names = await sell_short(world, 1, 1, 1)
        for name in names[1:]:
            desk.write(words=(name,))
        await asyncio.sleep(60)
        world.doubles["one"].cancel(names[0], restore=False)
        await asyncio.sleep(60)
        assert await states(world) == [S.RESTOCKED, S.PENDING]
        world.doubles["one"].cancel(names[1], restore=False)
        await asyncio.sleep(60)
        assert await states(world) == [S.CANCELLED, S.RESTOCKED]
        assert desk.states() == [S.CANCELLED, S.RESTOCKED]

    tell(story)


def test_an_entry_without_an_order_opens_its_own_channel_first(tell: Callable[..., Any]) -> None:
    """Units for entries without an order are shown on their channel alone; an order there consumes the hold."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        await world.go()
        await wait_for(world, "a", "b")
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [0], "two": [0]}
        await receive(world, "A-1", 2)
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [2], "two": [0]}
        assert await states(world) == [S.RESTOCKED, S.RESTOCKED]
        one = world.doubles["one"]
        one.buy(next(iter(one.numbers)), 1)
        await asyncio.sleep(60)
        assert [entry.reason for entry in await entries(world)] == ["bought", ""]
        assert numbers(world) == {"one": [1], "two": [0]}
        await asyncio.sleep(1900)
        assert [entry.reason for entry in await entries(world)] == ["bought", "lapsed"]
        assert numbers(world) == {"one": [1], "two": [1]}

    tell(story, rules=WaitRules(hold_us=1800 * SECOND_US))


def test_a_paid_order_beats_a_hold(tell: Callable[..., Any]) -> None:
    """When an order elsewhere takes the last unit the newest hold ends, its entry waits again, and is told nothing."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        await wait_for(world, "a", account="two")
        await receive(world, "A-1", 1)
        await asyncio.sleep(30)
        assert await states(world) == [S.RESTOCKED]
        one = world.doubles["one"]
        one.buy(next(iter(one.numbers)), 1)
        await asyncio.sleep(60)
        assert await states(world) == [S.PENDING]
        shelf = await world.shelf("A-1")
        assert (shelf.held, shelf.committed, shelf.available) == (0, 1, 0)
        await receive(world, "A-1", 1)
        await asyncio.sleep(60)
        assert await states(world) == [S.RESTOCKED]

    tell(story)


def test_a_kit_waits_for_all_its_components(tell: Callable[..., Any]) -> None:
    """An order of a kit is moved when the last missing component is there, and never for a part of it."""

    async def story(world: World, desk: DeskDouble) -> None:
        parts = ((Sku("B-1"), 2), (Sku("C-1"), 1))
        await world.say(
            SkuFact(rows=(SkuRow(sku=Sku("B-1")), SkuRow(sku=Sku("C-1")), SkuRow(sku=Sku("A-1"), components=parts)))
        )
        await world.count(b_1=0, c_1=0)
        one = world.doubles["one"]
        one.buy(next(iter(one.numbers)), 1)
        await asyncio.sleep(60)
        assert await states(world) == [S.PENDING]
        await receive(world, "B-1", 2)
        await asyncio.sleep(30)
        assert await states(world) == [S.PENDING]
        await receive(world, "C-1", 3)
        await asyncio.sleep(30)
        assert await states(world) == [S.RESTOCKED]
        assert ((await world.shelf("B-1")).available, (await world.shelf("C-1")).available) == (0, 2)

    tell(story)


def test_a_delivery_for_many_is_assigned_in_chunks(tell: Callable[..., Any]) -> None:
    """A delivery for more than fit into one transaction serves as many as there are units, each once."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        await world.go()
        await wait_for(world, *(f"k{number:03d}" for number in range(150)))
        await receive(world, "A-1", 120)
        await asyncio.sleep(900)
        found = Counter(await states(world))
        assert found == {S.RESTOCKED: 120, S.PENDING: 30}
        assert [entry.state for entry in await entries(world)][:120] == [S.RESTOCKED] * 120
        assert numbers(world) == {"one": [120], "two": [0]}
        assert (await world.shelf("A-1")).held == 120
        assert await world.plant.store.read(arrivals.unfinished) == []

    tell(story)


def test_nobody_is_told_twice_whatever_is_cut(tell: Callable[..., Any]) -> None:
    """With calls cut after some tickets and answers lost every ticket is moved once and every customer told once."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        tickets_ = [desk.write(sku="A-1", state=S.PENDING) for _ in range(40)]
        await asyncio.sleep(90)
        desk.cut, desk.lost = 0.1, 0.3
        await receive(world, "A-1", 33)
        await asyncio.sleep(3600)
        assert Counter(name for name, _, _ in desk.moves) == Counter(tickets_[:33])
        assert Counter(name for name, _ in desk.letters) == Counter(tickets_[:33])
        assert Counter(desk.states()) == {S.RESTOCKED: 33, S.PENDING: 7}

    tell(story)


def test_the_same_delivery_twice_is_one(tell: Callable[..., Any]) -> None:
    """A delivery that is told twice under its reference serves once."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        await wait_for(world, "a", "b")
        assert await receive(world, "A-1", 1, "r1") is None
        assert await receive(world, "A-1", 1, "r1") is not None
        await asyncio.sleep(60)
        assert await states(world) == [S.RESTOCKED, S.PENDING]

    tell(story)


def test_nothing_is_sent_before_sending_is_released(tell: Callable[..., Any]) -> None:
    """Before `go` there are drafts only; afterwards they wait for a person, who releases them."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        desk.write(sku="A-1", state=S.PENDING)
        await asyncio.sleep(90)
        await receive(world, "A-1", 1)
        await asyncio.sleep(600)
        assert (desk.moves, desk.letters) == ([], [])
        await world.say(DeskFact(desk=DeskId("desk"), live=True))
        await asyncio.sleep(600)
        assert (desk.moves, desk.letters) == ([], [])
        (held,) = await in_states(world, ChangeState.HELD)
        assert await world.say(MessageFact(ids=(held.id,), accept=True)) is None
        await asyncio.sleep(60)
        assert [letter.kind for _, letter in desk.letters] == [MessageKind.RESTOCKED]
        assert await world.say(MessageFact(ids=(held.id,), accept=True)) == "nothing of this is held"

    tell(story, live=False)


def test_messages_above_the_limit_wait_for_a_person(tell: Callable[..., Any]) -> None:
    """Of one event only so many messages go out by themselves; a person refuses or releases the others."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        for _ in range(5):
            desk.write(sku="A-1", state=S.PENDING)
        await asyncio.sleep(90)
        await receive(world, "A-1", 5)
        await asyncio.sleep(120)
        assert len(desk.letters) == 3
        held = await in_states(world, ChangeState.HELD)
        assert len(held) == 2
        await world.say(MessageFact(ids=(held[0].id,), accept=False))
        await world.say(MessageFact(event=held[1].event, accept=True))
        await asyncio.sleep(120)
        assert len(desk.letters) == 4
        assert [change.id for change in await in_states(world, ChangeState.REFUSED)] == [held[0].id]

    tell(story, rules=WaitRules(most_messages=3))


def test_a_corrected_delivery_stops_what_was_not_sent_and_names_who_was_told(tell: Callable[..., Any]) -> None:
    """When less came than was said the latest wait again: unsent messages stop, and those told are in an alert."""

    async def story(world: World, desk: DeskDouble) -> None:
        names = await sell_short(world, 1, 1, 1)
        for name in names[1:]:
            desk.write(words=(name,))
        await asyncio.sleep(90)
        desk.down = True
        await receive(world, "A-1", 2)
        await asyncio.sleep(5)
        assert await states(world) == [S.RESTOCKED, S.RESTOCKED]
        assert await world.say(CorrectionFact(delivery_id=1, quantity=1, reason="one was missing")) is None
        assert await states(world) == [S.RESTOCKED, S.PENDING]
        desk.down = False
        await asyncio.sleep(600)
        assert desk.states() == [S.RESTOCKED, S.PENDING]
        assert len(desk.letters) == 1
        assert await world.say(CorrectionFact(delivery_id=1, quantity=0, reason="none came")) is None
        await asyncio.sleep(120)
        assert (await states(world), desk.states()) == ([S.PENDING, S.PENDING], [S.PENDING, S.PENDING])
        told = await world.plant.store.read(alert_keys)
        assert "told_in_vain" in told
        assert (await world.shelf("A-1")).on_hand == 1

    tell(story)


def alert_keys(conn: Any) -> list[str]:
    return [alert.kind for alert in alerts.standing(conn)]


def test_a_ticket_that_may_be_about_several_goods_is_shown_to_a_person(tell: Callable[..., Any]) -> None:
    """Of several goods none is guessed: the ticket waits for nobody, and a person is shown it, with one note."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        name = desk.write(state=S.PENDING)
        desk.set(name, skus=(Sku("A-1"), Sku("A-2")))
        await asyncio.sleep(60)
        desk.set(name, asked_at=world.plant.clock.now())
        await asyncio.sleep(120)
        (shown,) = await world.plant.store.read(tickets.needing_agents)
        assert (shown.ticket_id, shown.agent, shown.entry_id) == (name, "several_goods", None)
        assert await entries(world) == []
        assert len(desk.notes) == 1
        assert desk.letters == []

    tell(story)


def test_who_must_be_written_to_by_hand_is_shown_with_a_link(
    tell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A customer whom no desk reaches is an agent's task with the text and the seller's screen, and nobody is told."""
    link = "https://seller.example/orders/"
    monkeypatch.setattr(Double, "order_screen", lambda _self, order_id, _number: link + order_id, raising=False)

    async def story(world: World, desk: DeskDouble) -> None:
        names = await sell_short(world, 1, 2)
        await receive(world, "A-1", 2)
        await asyncio.sleep(60)
        (task,) = desk.opened
        assert (task.contact, task.draft, desk.letters) == (None, True, [])
        assert f"{link}{names[1]}" in task.note
        assert f"#{names[1]}" in task.note
        (entry,) = await entries(world)
        assert (entry.state, entry.told_at) == (S.RESTOCKED, None)

    tell(story)


def test_who_asks_at_a_channels_own_desk_buys_there(tell: Callable[..., Any]) -> None:
    """A ticket of a desk that belongs to a channel waits at that channel, and it alone is opened for its customer."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        await world.go()
        desk.write(sku="A-1", state=S.PENDING)
        await asyncio.sleep(60)
        assert [entry.account for entry in await entries(world)] == ["two"]
        await receive(world, "A-1", 1)
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [0], "two": [1]}

    tell(story, rules=WaitRules(homes={DeskId("desk"): AccountId("two")}))


def test_a_closed_ticket_gets_a_follow_up(tell: Callable[..., Any]) -> None:
    """A message for a closed ticket opens a ticket that follows it, once."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        name = desk.write(sku="A-1", state=S.PENDING)
        await asyncio.sleep(90)
        desk.set(name, status=TicketStatus.CLOSED)
        await receive(world, "A-1", 1)
        await asyncio.sleep(300)
        assert [new.follow_up_of for new in desk.opened] == [name]
        assert [letter.kind for _, letter in desk.letters] == [MessageKind.RESTOCKED]

    tell(story)


def test_a_desk_that_takes_nothing_now_is_asked_when_it_does(tell: Callable[..., Any]) -> None:
    """A desk that says for how long it takes no changes gets none until then, and then without delay."""

    async def story(world: World, desk: DeskDouble) -> None:
        names = await sell_short(world, 1, 2)
        await world.go()
        ticket = desk.write(words=(f"#{names[1]}",))
        await asyncio.sleep(90)
        desk.busy_until = desk.clock.now() + 300 * SECOND_US
        await receive(world, "A-1", 5)
        await asyncio.sleep(290)
        assert desk.tickets[ticket].state is S.PENDING
        await asyncio.sleep(20)
        assert desk.tickets[ticket].state is S.RESTOCKED

    tell(story)


def test_a_stale_ticket_is_read_again_and_changed(tell: Callable[..., Any]) -> None:
    """A ticket that an agent changed in between is read anew, and then moved."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        name = desk.write(sku="A-1", state=S.PENDING)
        await asyncio.sleep(90)
        desk.set(name, amount="12.00")
        await receive(world, "A-1", 1)
        await asyncio.sleep(120)
        assert desk.tickets[name].state is S.RESTOCKED
        assert len(desk.letters) == 1

    tell(story)


def test_a_letter_that_cannot_be_looked_up_is_never_sent_again(tell: Callable[..., Any]) -> None:
    """At a desk that cannot promise once an unknown end is shown to a person and not repeated."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        desk.write(sku="A-1", state=S.PENDING)
        await asyncio.sleep(90)
        desk.cut = 1.0
        await receive(world, "A-1", 1)
        await asyncio.sleep(60)
        desk.cut = 0.0
        await asyncio.sleep(3600)
        assert desk.letters == []
        (unsure,) = await in_states(world, ChangeState.UNSURE)
        assert unsure.message == MessageKind.RESTOCKED
        assert "message_unsure" in await world.plant.store.read(alert_keys)

    tell(story, profile=DeskProfile(certain=False, resend_after_s=1.0))


def test_an_order_number_that_fits_several_goes_to_an_agent(tell: Callable[..., Any]) -> None:
    """Nobody guesses between orders: the ticket gets a note once, and the agent's field decides."""

    async def story(world: World, desk: DeskDouble) -> None:
        names = await sell_short(world, 1, 1)
        name = desk.write(words=tuple(names))
        await asyncio.sleep(200)
        assert [ticket for ticket, _ in desk.notes] == [name]
        desk.set(name, order_number=names[1])
        await asyncio.sleep(200)
        assert desk.tickets[name].state is S.PENDING
        assert len(desk.notes) == 1

    tell(story)


def test_an_agent_may_refund_and_a_leaver_is_not_told(tell: Callable[..., Any]) -> None:
    """An agent's cancel ends an entry without an order, and who left is neither served nor told."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        one, two = (desk.write(sku="A-1", state=S.PENDING) for _ in range(2))
        await asyncio.sleep(90)
        desk.set(one, state=S.CANCELLED)
        await asyncio.sleep(90)
        await world.say(LeaveFact(source="desk:desk", keys=(two,)))
        await receive(world, "A-1", 2)
        await asyncio.sleep(300)
        assert desk.letters == []
        assert [entry.reason for entry in await entries(world)] == ["cancelled", "left"]
        assert (await world.shelf("A-1")).held == 0

    tell(story)


def test_expected_days_follow_arrivals_and_slips_are_told(tell: Callable[..., Any]) -> None:
    """A day is promised with the owner's margin, a later one told as a slip, and a near one announced once."""

    async def story(world: World, desk: DeskDouble) -> None:
        await sell_short(world, 1, 1)
        (entry,) = await entries(world)
        name = desk.write(words=(entry.order_number,))
        await asyncio.sleep(90)
        kinds = lambda: [letter.kind for _, letter in desk.letters]  # noqa: E731  (read three times)
        await arrive(world, "po1", 4, today_plus(world, 1))
        await asyncio.sleep(60)
        assert desk.tickets[name].expected == today_plus(world, 3)
        await arrive(world, "po1", 4, today_plus(world, 2))
        await asyncio.sleep(60)
        assert desk.tickets[name].expected == today_plus(world, 4)
        assert kinds() == [MessageKind.EXPECTED, MessageKind.SLIPPED]
        await a_day_later(world)
        await asyncio.sleep(60)
        assert kinds() == [MessageKind.EXPECTED, MessageKind.SLIPPED, MessageKind.DUE_SOON]
        await receive(world, "A-1", 1)
        await asyncio.sleep(60)
        (arrival,) = await world.plant.store.read(lambda conn: arrivals.open_arrivals(conn, [entry.sku_id]))
        assert (arrival.received, arrival.missing) == (1, 3)

    tell(story)


async def a_day_later(world: World) -> None:
    """Announce the days that are near tomorrow."""

    def announced(conn: Any) -> None:
        work = Work(conn, house=world.plant.house, now=world.plant.clock.now() + 86_400 * SECOND_US)
        assert announce(work, 100)
        assert not announce(work, 100)
        work.flush()
        due = table(ChangeRow)
        conn.execute(update(due).where(due.c.message == MessageKind.DUE_SOON).values(due_at=world.plant.clock.now()))

    await world.plant.store.write(announced)
    world.plant.desks[DeskId("desk")].writes.set()


async def arrive(world: World, number: str, units: int, day: str) -> str | None:
    row = ArrivalRow(number=number, sku=Sku("A-1"), location=Location("main"), quantity=units, expected=day)
    return await world.say(ArrivalFact(source="test", rows=(row,)))


def today_plus(world: World, days: int) -> str:
    return (today(world.plant.clock.now(), "Asia/Tokyo") + timedelta(days=days)).isoformat()


def test_who_signed_up_gets_a_ticket_with_their_address(tell: Callable[..., Any]) -> None:
    """A sign-up without a ticket has one opened for its own address when goods are back; others are agents' tasks."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        await wait_for(world, "a", contact=Contact(address="a@example.com"), language=Language.EN)
        await wait_for(world, "b")
        await receive(world, "A-1", 2)
        await asyncio.sleep(120)
        assert [new.contact is not None for new in desk.opened] == [True, False]
        assert ([letter.language for _, letter in desk.letters], len(desk.drafts)) == ([Language.EN], 1)
        first, second = await entries(world)
        assert (first.told_at is not None, second.told_at) == (True, None)

    tell(story)


def test_what_is_wrong_with_an_entry_is_said(tell: Callable[..., Any]) -> None:
    """An unknown SKU, no units, a wrong day and goods that nobody sells are refused, and nothing of it is left."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("Z-9")),)))
        assert "unknown SKU" in str(await wait_for(world, "a", sku="NO"))
        assert "units" in str(await wait_for(world, "a", quantity=0))
        assert "2026-12-01" in str(await wait_for(world, "a", due_on="tomorrow"))
        refused = await world.say(WaitFact(source="page", rows=(WaitRow(key="a", sku=Sku("Z-9")),)))
        assert "sold on no channel" in str(refused)
        assert await entries(world) == []

    tell(story)


def test_a_desk_that_is_gone_is_known_by_its_tickets(tell: Callable[..., Any]) -> None:
    """Hints lead to a read by number; what is not there any more ends its entry."""

    async def story(world: World, desk: DeskDouble) -> None:
        await world.count(a_1=0)
        name = desk.write(sku="A-1", state=S.PENDING)
        await asyncio.sleep(90)
        desk.set(name, status=TicketStatus.GONE)
        await asyncio.sleep(90)
        assert [entry.reason for entry in await entries(world)] == ["its ticket is gone"]
        found = await world.plant.store.read(lambda conn: tickets.count(conn, DeskId("desk")))
        assert found["open"] == 0
        assert TicketId("1") in desk.tickets

    tell(story)
