"""A private way to buy: each story runs the whole engine with a channel that sells in private, and a desk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import AccountFact, AccountState, HintFact, MoveFact, MoveRow, SkuFact, SkuRow, StockMove
from syncd.core.offers import OfferState, OfferWord
from syncd.core.terms import SECOND_US, AccountId, Location, Sku, Span
from syncd.core.tickets import DeskId, MessageKind, TicketState
from syncd.core.waitlist import CorrectionFact, DeskFact, HoldFact, LeaveFact, OfferFact, WaitFact, WaitRow
from syncd.engine.rules import WaitRules
from syncd.sdk.channel import WriteMode
from syncd.store import alerts, doubts, offers, waiting
from syncd.store.offers import Offer
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.desk_double import DeskDouble
from tests.engine.double import Double
from tests.engine.offer_double import LINK, Selling
from tests.engine.world import World, running

ONE = AccountId("one")
HOLD_S = 1800
RULES = WaitRules(private=frozenset({ONE}), hold_us=HOLD_S * SECOND_US)
Story = Callable[[World, Selling, DeskDouble], Awaitable[Any]]


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story in a new world: `one` sells A-1 in private too, `two` sells it as well; nothing is there."""

    def run(story: Story, *, rules: WaitRules = RULES, stock: int = 0) -> Any:
        async def main() -> Any:
            clock = loop_running().clock
            one = Selling(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
            two = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(4), lateness_s=5.0)
            one.list("A-1", stock)
            two.list("A-1", stock)
            desk = DeskDouble(clock=clock, dice=SeededRandom(5))
            doubles = {"one": one, "two": two}
            async with running(quick_path / "a.db", clock, doubles, desks={"desk": desk}, waiting=rules) as world:
                await asyncio.sleep(20)
                await world.say(DeskFact(desk=DeskId("desk"), live=True))
                await world.count(a_1=stock)
                await world.go()
                result = await story(world, one, desk)
                assert await world.plant.store.read(verify) == []
                return result

        return run_virtual(main)

    return run


async def sign_up(world: World, *names: str, quantity: int = 1, sku: str = "A-1") -> None:
    rows = tuple(WaitRow(key=name, sku=Sku(sku), account=ONE, quantity=quantity) for name in names)
    assert await world.say(WaitFact(source="page", rows=rows)) is None
    await asyncio.sleep(20)


async def receive(world: World, units: int, sku: str = "A-1") -> None:
    row = MoveRow(sku=Sku(sku), location=Location("main"), quantity=units)
    now, name = world.plant.clock.now(), world.plant.uuid()
    fact = MoveFact(source="test", reference=name, move=StockMove.RECEIVE, at=now, rows=(row,))
    assert await world.say(fact) is None


async def served(world: World, *, after_s: float) -> None:
    """Let one customer sign up and one unit come, and look so many seconds later."""
    await sign_up(world, "a")
    await receive(world, 1)
    await asyncio.sleep(after_s)


async def entries(world: World) -> list[waiting.Entry]:
    found = await world.plant.store.read(lambda conn: waiting.entries(conn, range(1, 50)))
    return [found[number] for number in sorted(found)]


async def standing(world: World) -> list[Offer]:
    """Return the newest private sale of each entry."""
    found = await world.plant.store.read(lambda conn: offers.of_entries(conn, range(1, 50)))
    return [found[number] for number in sorted(found)]


async def states(world: World) -> list[str]:
    return [offer.state.value for offer in await standing(world)]


async def nothing_odd(world: World) -> None:
    """Nobody took a number of a private sale for a sale, a person's edit, or another tool."""
    assert await world.plant.store.read(lambda conn: doubts.suspects(conn, ONE)) == []
    assert await world.plant.store.read(lambda conn: doubts.drifts_between(conn, ONE, 0, 2**62)) == 0
    kinds = {alert.kind for alert in await world.plant.store.read(alerts.standing)}
    assert not kinds & {"oversell", "drift", "channel_down"}


async def believed(world: World) -> tuple[int | None, int | None]:
    """Return what the listing of `one` is believed to show."""
    listing = await world.listing("one")
    return listing.low, listing.high


def numbers(world: World) -> dict[str, int]:
    return {name: next(iter(double.numbers.values())) for name, double in world.doubles.items()}


def told(desk: DeskDouble) -> list[str]:
    """Return the letters that say that goods are there, as texts; those to nobody's address are drafts."""
    every = [*desk.letters, *desk.drafts]
    opened = [new.letter for new in desk.opened if new.letter is not None]
    letters = {letter.body for _, letter in every if letter.kind is MessageKind.RESTOCKED}
    return sorted(letters | {one.body for one in opened if one.kind is MessageKind.RESTOCKED})


def test_whoever_waits_is_sold_to_in_private(tell: Callable[..., Any]) -> None:
    """The units are shown nowhere, the letter bears the link once, and the order takes the hold and the entry along."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        assert numbers(world) == {"one": -1, "two": 0}
        assert await states(world) == ["open"]
        (letter,) = told(desk)
        assert one.links()[0] in letter
        (request,) = one.requests
        assert request.until > world.plant.clock.now() + HOLD_S * SECOND_US
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (1, 0, 1)
        assert await believed(world) == (-1, -1)
        name = one.pay("D1")
        assert name is not None
        await asyncio.sleep(20)
        assert await believed(world) == (-1, -1)
        await asyncio.sleep(40)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (1, 1, 0)
        (entry,) = await entries(world)
        assert (entry.state, entry.order_number, entry.closed_at) == (TicketState.RESTOCKED, f"#{name}", None)
        await nothing_odd(world)
        one.ship(name)
        await asyncio.sleep(HOLD_S + 4000)
        (entry,) = await entries(world)
        assert (entry.state, entry.reason) == (TicketState.SHIPPED, "shipped")
        assert numbers(world) == {"one": -1, "two": 0}
        assert len(told(desk)) == 1
        assert one.withdrawals == []
        await nothing_odd(world)

    tell(story)


def test_a_private_sale_takes_nothing_from_others(tell: Callable[..., Any]) -> None:
    """With more units than are waited for all channels show the rest, and the private sale is no sale of theirs."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a")
        await receive(world, 5)
        await asyncio.sleep(90)
        assert numbers(world) == {"one": 4, "two": 4}
        one.pay("D1")
        await asyncio.sleep(90)
        assert numbers(world) == {"one": 4, "two": 4}
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (5, 1, 0)
        await nothing_odd(world)

    tell(story)


def test_unbought_it_ends_and_the_next_is_served(tell: Callable[..., Any]) -> None:
    """When the hold ends the private sale is withdrawn, its unit goes to the next in line, and at last to everybody."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a", "b")
        await receive(world, 1)
        await asyncio.sleep(HOLD_S + 120)
        assert [entry.reason for entry in await entries(world)] == ["lapsed", ""]
        assert await states(world) == ["ended", "open"]
        assert one.withdrawals == ["D1"]
        assert one.pay("D1") is None
        assert numbers(world) == {"one": -1, "two": 0}
        assert [one.links()[n] in "".join(told(desk)) for n in (0, 1)] == [True, True]
        await asyncio.sleep(HOLD_S + 120)
        assert [entry.reason for entry in await entries(world)] == ["lapsed", "lapsed"]
        assert numbers(world) == {"one": 1, "two": 1}
        await nothing_odd(world)

    tell(story)


def test_paid_as_the_hold_ends_it_is_served(tell: Callable[..., Any]) -> None:
    """Who pays while the private sale is being withdrawn has bought, and the unit is nobody else's for a moment."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a", "b")
        await receive(world, 1)
        await asyncio.sleep(60)
        one.away = True
        await asyncio.sleep(HOLD_S + 60)
        assert await states(world) == ["withdrawing"]
        assert numbers(world)["two"] == 0
        one.pay("D1")
        one.away = False
        await asyncio.sleep(400)
        assert await states(world) == ["ended"]
        shelf = await world.shelf("A-1")
        assert (shelf.committed, shelf.held) == (1, 0)
        assert [entry.order_number for entry in await entries(world)] == ["#000001", ""]
        await nothing_odd(world)

    tell(story)


@pytest.mark.parametrize("names", [True, False])
def test_bought_as_it_was_to_end_its_order_takes_the_units(tell: Callable[..., Any], names: bool) -> None:
    """What the channel calls bought is kept for its order, which may come much later, whether it is named or not."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        one.names_orders = names
        await sign_up(world, "a", "b")
        await receive(world, 1)
        await asyncio.sleep(HOLD_S)
        name = one.pay("D1")
        assert name is not None
        late = one.placed.pop(name)
        await asyncio.sleep(120)
        assert await states(world) == ["ended"]
        shelf = await world.shelf("A-1")
        assert (shelf.committed, shelf.held) == (0, 1)
        one.placed[name] = replace(late, told_at=world.plant.clock.now())
        await asyncio.sleep(120)
        shelf = await world.shelf("A-1")
        assert (shelf.committed, shelf.held) == (1, 0)
        assert [entry.order_number for entry in await entries(world)] == [f"#{name}", ""]
        await nothing_odd(world)

    tell(story)


def test_a_kit_is_sold_in_private_as_a_whole(tell: Callable[..., Any]) -> None:
    """Whoever waits for a kit buys the kit, and its order takes the components that are held."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        parts = ((Sku("B-1"), 2), (Sku("C-1"), 1))
        kit = SkuRow(sku=Sku("K-1"), components=parts)
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("B-1")), SkuRow(sku=Sku("C-1")), kit)))
        one.list("K-1", 0)
        await world.say(HintFact(account=ONE, catalogue=True))
        await asyncio.sleep(400)
        await world.count(b_1=0, c_1=1)
        await sign_up(world, "a", sku="K-1")
        await receive(world, 2, sku="B-1")
        await asyncio.sleep(60)
        assert await states(world) == ["open"]
        held = [(await world.shelf(sku)).held for sku in ("B-1", "C-1")]
        assert held == [2, 1]
        assert one.pay("D1") is not None
        await asyncio.sleep(60)
        shelves = [await world.shelf(sku) for sku in ("B-1", "C-1")]
        assert [(shelf.committed, shelf.held) for shelf in shelves] == [(2, 0), (1, 0)]
        await nothing_odd(world)

    tell(story)


def test_a_refusal_opens_the_channel(tell: Callable[..., Any]) -> None:
    """Where the private sale is refused the entry's channel shows the units, and the letter goes without a link."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        one.ends = ["refused"]
        await served(world, after_s=60)
        assert numbers(world) == {"one": 1, "two": 0}
        (letter,) = told(desk)
        assert LINK not in letter
        standing_alerts = await world.plant.store.read(alerts.standing)
        assert [alert.text for alert in standing_alerts if alert.kind == "private_sale"] == [
            "account one, reason the product is not published"
        ]
        one.buy(next(iter(one.numbers)), 1)
        await asyncio.sleep(60)
        assert [entry.reason for entry in await entries(world)] == ["bought"]
        await sign_up(world, "b")
        await receive(world, 1)
        await asyncio.sleep(60)
        assert "private_sale" not in {alert.kind for alert in await world.plant.store.read(alerts.standing)}

    tell(story)


@pytest.mark.parametrize("ends", [["cut"], ["html"], ["down", "cut"], ["down", "down"], ["auth", "cut"]])
def test_a_lost_answer_is_looked_for(tell: Callable[..., Any], ends: list[str]) -> None:
    """What is not known is looked for by its key, and nobody is sold to twice, or told before it is there."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        one.ends = list(ends)
        await served(world, after_s=5)
        assert told(desk) == []
        await asyncio.sleep(300)
        assert len(one.private) == 1
        assert len({request.key for request in one.requests}) == 1
        (letter,) = told(desk)
        assert one.links()[0] in letter
        assert numbers(world) == {"one": -1, "two": 0}
        await nothing_odd(world)

    tell(story)


def test_readings_while_nobody_knows(tell: Callable[..., Any]) -> None:
    """While a private sale is looked for its units may be gone: no reading makes a sale or a person of that."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        one.ends, one.found_after_s = ["cut"], 560.0
        await served(world, after_s=400)
        assert await states(world) == ["unknown"]
        await nothing_odd(world)
        await asyncio.sleep(400)
        assert await states(world) == ["open"]
        assert await believed(world) == (-1, -1)
        await nothing_odd(world)

    tell(story)


def test_what_was_never_made_opens_the_channel(tell: Callable[..., Any]) -> None:
    """A private sale that is not found for long enough is none: the channel opens and the letter has no link."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        one.ends = ["lost"]
        await served(world, after_s=500)
        assert told(desk) == []
        assert numbers(world) == {"one": 0, "two": 0}
        await asyncio.sleep(600)
        assert (await states(world), len(one.requests)) == (["ended"], 1)
        assert numbers(world) == {"one": 1, "two": 0}
        assert [LINK in letter for letter in told(desk)] == [False]
        await nothing_odd(world)

    tell(story)


def test_a_channel_that_is_away_for_long_is_opened(tell: Callable[..., Any]) -> None:
    """What could not be sent for a quarter of an hour is not tried any more: the customer is told without a link."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        one.ends = ["down"] * 50
        await served(world, after_s=1100)
        assert (await states(world), len(one.private)) == (["ended"], 0)
        assert [LINK in letter for letter in told(desk)] == [False]
        assert numbers(world) == {"one": 1, "two": 0}

    tell(story)


def test_a_paid_order_beats_it_after_the_withdrawal(tell: Callable[..., Any]) -> None:
    """An order that lacks the unit gets it once the private sale is withdrawn; the entry waits, a person knows."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        two = world.doubles["two"]
        ref = next(iter(two.numbers))
        two.set(ref, 1, "person")
        assert two.buy(ref, 1) is not None
        await asyncio.sleep(60)
        assert one.withdrawals == ["D1"]
        assert one.pay("D1") is None
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (1, 1, 0)
        (entry,) = await entries(world)
        assert (entry.source, entry.state) == ("page", TicketState.PENDING)
        kinds = {alert.kind for alert in await world.plant.store.read(alerts.standing)}
        assert "told_in_vain" in kinds
        assert not kinds & {"oversell", "drift"}
        await receive(world, 1)
        await asyncio.sleep(60)
        assert [entry.state for entry in await entries(world)] == [TicketState.RESTOCKED]
        assert len(one.private) == 2

    tell(story)


def test_nobody_is_short_of_what_comes_in_a_moment(tell: Callable[..., Any]) -> None:
    """While a private sale is being ended for an order, that order is neither oversold nor does it wait in the line."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        one.away = True
        two = world.doubles["two"]
        ref = next(iter(two.numbers))
        two.set(ref, 1, "person")
        assert two.buy(ref, 1) is not None
        await asyncio.sleep(30)
        await sign_up(world, "b")
        assert {entry.source for entry in await entries(world)} == {"page"}
        assert "oversell" not in {alert.kind for alert in await world.plant.store.read(alerts.standing)}
        one.away = False
        await asyncio.sleep(200)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (1, 1, 0)
        assert {entry.source for entry in await entries(world)} == {"page"}

    tell(story)


def test_who_leaves_frees_the_unit_once_it_is_withdrawn(tell: Callable[..., Any]) -> None:
    """Somebody who leaves cannot buy any more, and only then the unit is for sale."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        one.away = True
        await world.say(LeaveFact(ids=(1,)))
        await asyncio.sleep(20)
        assert (await world.shelf("A-1")).held == 1
        assert numbers(world)["two"] == 0
        one.away = False
        await asyncio.sleep(60)
        assert one.withdrawals[-1] == "D1"
        assert numbers(world) == {"one": 1, "two": 1}
        assert [entry.reason for entry in await entries(world)] == ["left"]
        await nothing_odd(world)

    tell(story)


def test_one_that_cannot_be_ended_is_told(tell: Callable[..., Any]) -> None:
    """While the channel refuses to end a private sale its units stay held, and a person knows why."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        one.keeps = True
        await world.say(LeaveFact(ids=(1,)))
        await asyncio.sleep(400)
        assert (await states(world), (await world.shelf("A-1")).held) == (["withdrawing"], 1)
        found = [alert.text for alert in await world.plant.store.read(alerts.standing)]
        assert found == ["account one, entry 1, reason a draft of somebody else"]
        one.keeps = False
        await asyncio.sleep(600)
        assert (await states(world), (await world.shelf("A-1")).held) == (["ended"], 0)
        assert await world.plant.store.read(alerts.standing) == []

    tell(story)


@pytest.mark.parametrize("bought", [True, False])
def test_a_person_ends_a_hold(tell: Callable[..., Any], bought: bool) -> None:
    """A hold that a person gives up is free once it is withdrawn; one that was bought otherwise is gone at once."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        assert await world.say(HoldFact(ids=(1,), bought=bought)) is None
        await asyncio.sleep(60)
        assert one.withdrawals == ["D1"]
        assert [entry.reason for entry in await entries(world)] == ["bought" if bought else "given up"]
        assert (await world.shelf("A-1")).held == 0

    tell(story)


def test_a_corrected_delivery_withdraws_those_that_lose(tell: Callable[..., Any]) -> None:
    """When less came than was said the latest private sale is withdrawn, and its entry waits again."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a", "b")
        await receive(world, 2)
        await asyncio.sleep(60)
        await world.say(CorrectionFact(delivery_id=1, quantity=1))
        await asyncio.sleep(60)
        assert one.withdrawals == ["D2"]
        assert [entry.state for entry in await entries(world)] == [TicketState.RESTOCKED, TicketState.PENDING]
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.held) == (1, 1)
        assert one.pay("D1") is not None

    tell(story)


def test_an_order_before_the_answer(tell: Callable[..., Any]) -> None:
    """An order that comes while nobody knows whether its private sale is there takes the units all the same."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        one.ends, one.found_after_s = ["cut"], 400.0
        await served(world, after_s=30)
        assert await states(world) == ["unknown"]
        one.pay("D1")
        await asyncio.sleep(900)
        assert await states(world) == ["ended"]
        shelf = await world.shelf("A-1")
        assert (shelf.committed, shelf.held) == (1, 0)
        assert told(desk) == []
        assert [entry.order_number for entry in await entries(world)] == ["#000001"]
        await nothing_odd(world)

    tell(story)


@pytest.mark.parametrize("units", [1, 3])
def test_bought_for_another_number_of_units(tell: Callable[..., Any], units: int) -> None:
    """Where a person changed the private sale the order counts as it is, and the numbers come right at rest."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a", quantity=2)
        await receive(world, 6)
        await asyncio.sleep(90)
        assert numbers(world) == {"one": 4, "two": 4}
        one.pay("D1", quantity=units)
        await asyncio.sleep(120)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (6, units, 0)
        assert numbers(world) == {"one": 6 - units, "two": 6 - units}

    tell(story)


def test_what_is_added_to_its_order_is_taken_as_of_any(tell: Callable[..., Any]) -> None:
    """A line that a person adds to the order takes units of its own listing, and is no sale that nobody told of."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("B-1")),)))
        one.list("B-1", 5)
        await world.say(HintFact(account=ONE, catalogue=True))
        await asyncio.sleep(400)
        await world.count(b_1=5)
        await served(world, after_s=60)
        name = one.pay("D1")
        assert name is not None
        await asyncio.sleep(60)
        now, order = world.plant.clock.now(), one.placed[name].order
        ref = next(ref for ref, sku in one.skus.items() if sku == "B-1")
        one.set(ref, 3, "person")
        (line,) = order.lines
        added = replace(line, line_id="2", remote_id=ref.remote_id, remote_sku="B-1", quantity=2)
        taken = replace(added, take=Span(earliest=now, latest=now + SECOND_US))
        one.place(replace(order, version=now, read_at=now, lines=(line, taken)))
        await asyncio.sleep(400)
        assert [(await world.shelf(sku)).committed for sku in ("A-1", "B-1")] == [1, 2]
        assert one.numbers[ref] == 3
        await nothing_odd(world)

    tell(story)


def test_what_is_bought_is_not_taken_by_another_order(tell: Callable[..., Any]) -> None:
    """While the order of a bought private sale is on its way its units are that customer's, whoever lacks some."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=HOLD_S)
        name = one.pay("D1")
        assert name is not None
        late = one.placed.pop(name)
        await asyncio.sleep(120)
        assert await states(world) == ["ended"]
        two = world.doubles["two"]
        ref = next(iter(two.numbers))
        two.set(ref, 1, "person")
        assert two.buy(ref, 1) is not None
        await asyncio.sleep(60)
        assert (await world.shelf("A-1")).held == 1
        assert "told_in_vain" not in {alert.kind for alert in await world.plant.store.read(alerts.standing)}
        one.placed[name] = replace(late, told_at=world.plant.clock.now())
        await asyncio.sleep(120)
        shelf = await world.shelf("A-1")
        assert (shelf.committed, shelf.held) == (2, 0)
        first = (await entries(world))[0]
        assert (first.state, first.order_number) == (TicketState.RESTOCKED, f"#{name}")

    tell(story)


def test_a_cancel_of_its_order_gives_back_once(tell: Callable[..., Any]) -> None:
    """A cancel with restock gives the unit back as that of any order, and the entry is one of a cancelled order."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a")
        await receive(world, 3)
        await asyncio.sleep(60)
        name = one.pay("D1")
        assert name is not None
        await asyncio.sleep(60)
        one.cancel(name, restore=True)
        await asyncio.sleep(120)
        assert numbers(world) == {"one": 3, "two": 3}
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (3, 0, 0)
        assert [entry.state for entry in await entries(world)] == [TicketState.CANCELLED]
        await nothing_odd(world)

    tell(story)


def test_an_order_of_a_private_sale_that_nobody_knows(tell: Callable[..., Any]) -> None:
    """An order that names a strange private sale is as any other, whether or not it took units off the listing."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        ref = next(iter(one.numbers))
        one.order(ref, 1, offer="somebodyelses")
        await asyncio.sleep(60)
        one.set(ref, one.numbers[ref] - 1, "private")
        one.order(ref, 1, offer="somebodyelses")
        await asyncio.sleep(400)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed) == (5, 2)
        assert numbers(world) == {"one": 3, "two": 3}

    tell(story, stock=5)


def test_nothing_is_sold_in_private_where_nothing_is_written(tell: Callable[..., Any]) -> None:
    """While the account is paused the entry's channel is opened as without private sales; nothing is sent there."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await world.say(AccountFact(account=ONE, state=AccountState.PAUSED))
        await served(world, after_s=60)
        assert one.requests == []
        assert [LINK in letter for letter in told(desk)] == [False]
        assert await standing(world) == []

    tell(story)


def test_in_shadow_mode_nothing_is_sold_in_private(tell: Callable[..., Any]) -> None:
    """A daemon that writes nothing makes no private sale, and ends none that is open."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        world.plant.house = replace(world.plant.house, shadow=True)
        await sign_up(world, "b")
        await receive(world, 1)
        await world.say(LeaveFact(ids=(1,)))
        await asyncio.sleep(120)
        assert (len(one.requests), one.withdrawals) == (1, [])
        assert [offer.state for offer in await standing(world)] == [OfferState.WITHDRAWING]

    tell(story)


def test_without_anybody_to_tell_nothing_is_sold_in_private(tell: Callable[..., Any]) -> None:
    """A link that would reach nobody is not made: the channel is opened."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        rules = replace(world.plant.house.waiting, desk=None)
        world.plant.house = replace(world.plant.house, waiting=rules)
        await served(world, after_s=60)
        assert one.requests == []
        assert numbers(world) == {"one": 1, "two": 0}

    tell(story)


def test_one_who_waits_for_several_gets_one_private_sale(tell: Callable[..., Any]) -> None:
    """An entry that is served in parts is sold to once nothing is missing, all of it together."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a", quantity=2)
        await receive(world, 1)
        await asyncio.sleep(60)
        assert one.requests == []
        await receive(world, 1)
        await asyncio.sleep(60)
        assert [request.quantity for request in one.requests] == [2]
        assert numbers(world) == {"one": -2, "two": 0}
        assert len(told(desk)) == 1

    tell(story)


def test_a_word_that_is_told_twice_changes_nothing(tell: Callable[..., Any]) -> None:
    """What comes again, or too late, neither moves a number nor tells anybody once more."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        (offer,) = await standing(world)
        now = world.plant.clock.now()
        for word in OfferWord:
            again = OfferFact(
                account=ONE,
                key=offer.key,
                word=word,
                sent_at=now,
                answered_at=now,
                offer_id="D9",
                link="x",
            )
            assert await world.say(again) is None
        assert await world.say(replace(again, key="nobodys")) is None
        await asyncio.sleep(20)
        assert await standing(world) == [offer]
        assert await believed(world) == (-1, -1)
        assert len(told(desk)) == 1

    tell(story)


def test_the_link_is_in_no_text(tell: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the log nor what a private sale prints of itself holds the customer's link."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await served(world, after_s=60)
        (offer,) = await standing(world)
        assert offer.state is OfferState.OPEN
        assert offer.link == one.links()[0]
        assert LINK not in repr(offer) + repr(replace(desk.opened[0], contact=None))

    tell(story)
    printed = capsys.readouterr()
    assert "offer.made" in printed.out + printed.err
    assert LINK not in printed.out + printed.err


@pytest.mark.parametrize("restore", [True, False])
def test_its_order_that_was_cancelled_before_it_was_told(tell: Callable[..., Any], restore: bool) -> None:
    """Bought and cancelled before anybody told of it, it is over, and its units are as after any cancel."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a")
        await receive(world, 3)
        await asyncio.sleep(60)
        name = one.pay("D1")
        assert name is not None
        one.cancel(name, restore=restore)
        await asyncio.sleep(HOLD_S + 400)
        shelf = await world.shelf("A-1")
        assert (shelf.committed, shelf.held) == (0, 0)
        assert numbers(world) == {"one": 3, "two": 3}
        assert await believed(world) == (3, 3)
        await nothing_odd(world)

    tell(story)


@pytest.mark.parametrize("stock", [1, 3])
def test_an_order_that_does_not_say_what_it_comes_of(tell: Callable[..., Any], stock: int) -> None:
    """Where the channel does not name the private sale in its order, the end of it does: nothing is sold twice."""

    async def story(world: World, one: Selling, desk: DeskDouble) -> None:
        await sign_up(world, "a")
        await receive(world, stock)
        await asyncio.sleep(60)
        name = one.pay("D1")
        assert name is not None
        late = one.placed[name]
        one.placed[name] = replace(late, order=replace(late.order, offer=""))
        await asyncio.sleep(HOLD_S + 1000)
        shelf = await world.shelf("A-1")
        assert (shelf.committed, shelf.held) == (1, 0)
        assert [entry.order_number for entry in await entries(world)] == [f"#{name}"]
        shown = {name: max(0, number) for name, number in numbers(world).items()}
        assert shown == {"one": stock - 1, "two": stock - 1}
        await nothing_odd(world)

    tell(story)
