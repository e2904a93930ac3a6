"""The whole engine with the Zendesk adapter on the simulated account, which was written apart from it.

What is held at the end is what the account's own log says: each ticket moved once, each customer told once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapters.zendesk.simulated.bulk import MOST_ROWS
from adapters.zendesk.simulated.world import ZendeskFaults
from syncd.core.facts import AccountFact, AccountState
from syncd.core.terms import SECOND_US, AccountId, Sku
from syncd.core.tickets import Contact, TicketId, TicketState, TicketStatus
from syncd.core.waitlist import MessageFact, WaitFact, WaitRow
from syncd.engine.rules import WaitRules
from syncd.store import arrivals, changes
from syncd.store.changes import ChangeState
from syncd.testing.chance import SeededRandom
from syncd.testing.desk_simulators import DeskBy
from tests.adapters.zendesk_shop import CHANNELS, DESK, RESTOCKED, SKU, Shop, balanced, play

S = TicketState
READ_S = 200.0
"""The export holds a minute back, and is read each minute: after so long what customers wrote is known."""
LATE_S = 900.0
"""After so long nothing more comes of anything that was begun."""
SERVED = 1_200
MANY = WaitRules(most_messages=10_000)


async def sold_out(shop: Shop, *, orders: int) -> list[str]:
    """Count one unit and let shoppers buy one each from a channel that shows more; return the orders' numbers."""
    await shop.count(1)
    numbers = [shop.buy() for _ in range(orders)]
    for name in CHANNELS:
        await shop.world.say(AccountFact(account=AccountId(name), state=AccountState.LIVE))
    await asyncio.sleep(60)
    return numbers


async def crowd(shop: Shop, number: int) -> list[TicketId]:
    """Let so many customers wait for the goods without an order."""
    await shop.count(0)
    tickets = shop.write(number, sku=SKU, state=S.PENDING)
    await asyncio.sleep(READ_S)
    return tickets


def told_once(shop: Shop, served: int) -> None:
    """Hold that so many tickets were moved and told, each once, and all others not at all."""
    moved = Counter(entry.ticket_id for entry in shop.moves())
    assert (len(moved), set(moved.values())) == (served, {1})
    held = shop.held()
    letters = {ticket_id: len(one.letters) for ticket_id, one in held.items()}
    assert {ticket_id for ticket_id, number in letters.items() if number} == set(moved)
    assert set(letters.values()) <= {0, 1}
    assert {ticket_id for ticket_id, one in held.items() if one.state is S.RESTOCKED} == set(moved)


# --- the story -------------------------------------------------------------------------------------------------------


def test_a_sell_out_opens_tickets_and_a_delivery_moves_them_before_the_channels_open(quick_path: Path) -> None:
    """A ticket that names an order gets its SKU, short orders get a task; a delivery moves all before any raise."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            _, asks, silent = await sold_out(shop, orders=3)
            (ticket_id,) = shop.write(text=f"When does my order {asks} ship?")
            await asyncio.sleep(READ_S)
            mine = shop.held()[ticket_id]
            assert (mine.sku, mine.state, mine.order_number) == (SKU, S.PENDING, asks)
            await shop.until(lambda: bool(shop.of_order(silent)), seconds=600)
            (opened,) = shop.of_order(silent)
            assert (opened.sku, opened.state) == (SKU, S.PENDING)
            assert (opened.letters, len(opened.drafts)) == ((), 1), "nobody is told without a way to reach them"
            assert (shop.shown(), shop.moves(), shop.raised_at()) == ({"one": 0, "two": 0}, [], None)
            await shop.receive(5)
            await shop.until(lambda: shop.shown() == {"one": 3, "two": 3})
            assert sorted(entry.ticket_id for entry in shop.moves()) == sorted(shop.held())
            assert max(entry.at for entry in shop.moves()) < (shop.raised_at() or 0)
            assert [one.ticket_id for one in shop.held().values() if one.letters] == [ticket_id]
            await balanced(world)

    play(story, quick_path)


def test_somebody_who_left_an_address_is_told_at_a_ticket_of_their_own(quick_path: Path) -> None:
    """Who has no ticket yet gets one when the goods are there, with one letter, however often it is looked."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            await shop.count(0)
            row = WaitRow(key="a", sku=Sku(SKU), contact=Contact(address="a@example.test", name="A"))
            await world.say(WaitFact(source="page", rows=(row,)))
            await shop.receive(1)
            await shop.until(lambda: shop.told() == {1: 1})
            await asyncio.sleep(LATE_S)
            (held,) = shop.held().values()
            assert (held.state, len(held.letters)) == (S.RESTOCKED, 1)
            await balanced(world)

    play(story, quick_path)


def test_drafts_until_go_then_sent(quick_path: Path) -> None:
    """Before `go` the account is only read; what was written until then waits for a person, who releases it."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await crowd(shop, 3)
            await shop.receive(3)
            await asyncio.sleep(READ_S)
            assert [entry for entry in shop.account.log if entry.by is DeskBy.API] == []
            await shop.go()
            await asyncio.sleep(READ_S)
            assert shop.moves() == []
            held = await world.plant.store.read(lambda conn: changes.page(conn, states=(ChangeState.HELD,)))
            assert {change.message for change in held} == {RESTOCKED}
            await world.say(MessageFact(event=held[0].event, accept=True))
            await shop.until(lambda: len(shop.moves()) == 3)
            await asyncio.sleep(READ_S)
            told_once(shop, 3)

    play(story, quick_path)


@pytest.mark.parametrize("known", [True, False], ids=["read", "unread"])
def test_a_closed_ticket_gets_its_follow_up(quick_path: Path, *, known: bool) -> None:
    """A ticket that was closed, whether syncd has read that or not, stays; a new one that follows it is told once."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            closed, other = await crowd(shop, 2)
            shop.account.close(closed)
            await asyncio.sleep(READ_S if known else 0)
            await shop.receive(2)
            await shop.until(lambda: shop.told() == {1: 2, 0: 1})
            await asyncio.sleep(READ_S)
            held = shop.held()
            follow_up = next(one for one in held.values() if one.follow_up_of == closed)
            assert (held[closed].status, held[closed].state) == (TicketStatus.CLOSED, S.PENDING)
            assert held[closed].letters == ()
            assert (follow_up.state, len(follow_up.letters)) == (S.RESTOCKED, 1)
            assert (held[other].state, len(held[other].letters)) == (S.RESTOCKED, 1)
            await balanced(world)

    play(story, quick_path)


def test_moving_many_takes_the_least_time_that_the_account_allows(quick_path: Path) -> None:
    """The jobs of an account run one after the other: from the delivery to the last ticket it is that time and 10 %."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            await crowd(shop, SERVED + 100)
            began, faults = world.plant.clock.now(), shop.account.faults
            await shop.receive(SERVED)
            await shop.until(lambda: len(shop.moves()) >= SERVED, seconds=600)
            took_s = (max(entry.at for entry in shop.moves()) - began) / SECOND_US
            least_s = SERVED / MOST_ROWS * faults.queue_s + SERVED * faults.row_s
            assert took_s <= 1.1 * least_s, f"{took_s:.1f} s, the least is {least_s:.1f} s"
            told_once(shop, SERVED)

    play(story, quick_path, rules=MANY)


# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [
        {"database_conflicts": 0.4, "failed_rows": 0.2},
        {"too_many_jobs": 0.6},
        {"lost_jobs": 0.7, "queue_s": 5.0},
        {"killed_jobs": 0.6},
        {"index_lag_s": 900.0, "held_back_s": 300.0},
        {"cut_after_effect": 0.3},
        {"cut_writes": 0.5, "lost_jobs": 0.5, "queue_s": 20.0},
        {"html": 0.2, "too_many": 0.2, "error_5xx": 0.2, "refuse": 0.2},
    ],
    ids=lambda faults: "-".join(faults),
)
def test_each_ticket_is_moved_once_in_any_trouble(quick_path: Path, faults: dict[str, Any]) -> None:
    """Conflicts, too many jobs, lost data, a late index, cuts after effect: who is served is moved and told once."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            await crowd(shop, 130)
            shop.account.faults = ZendeskFaults(**faults)
            await shop.receive(110)
            await shop.until(lambda: len({entry.ticket_id for entry in shop.moves()}) == 110, seconds=3_600, step_s=10)
            await asyncio.sleep(LATE_S)
            told_once(shop, 110)
            assert await world.plant.store.read(arrivals.unfinished) == []
            await balanced(world)

    play(story, quick_path, rules=MANY)


def test_agents_who_change_tickets_meanwhile_lose_nothing(quick_path: Path) -> None:
    """A ticket that an agent changes while the job waits is read again and moved once; their word on it stays."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            tickets = await crowd(shop, 20)
            shop.account.faults = ZendeskFaults(queue_s=10.0)
            await shop.receive(20)
            await shop.until(lambda: bool(shop.account.bulk.running))
            await asyncio.sleep(3)
            for ticket_id in tickets[::2]:
                shop.account.edit(ticket_id, status=TicketStatus.WAITING)
            await shop.until(lambda: len({entry.ticket_id for entry in shop.moves()}) == 20)
            await asyncio.sleep(LATE_S)
            told_once(shop, 20)
            found = await world.plant.store.read(lambda c: changes.page(c, states=(ChangeState.APPLIED,)))
            assert sum(change.attempts for change in found) >= 10, "their changes clashed"

    play(story, quick_path, rules=MANY)


# --- ended in the middle ---------------------------------------------------------------------------------------------


async def died_sending(shop: Shop, dice: SeededRandom) -> int:
    """Run the engine and let it die, most often between an intent and its end; return how many intents it left."""
    async with shop.open(dies=True) as world:
        for _ in range(40):
            intended = await world.plant.store.read(lambda c: changes.counts(c, DESK).get("intended", 0))
            if intended or dice.happens(0.01):
                break
            await asyncio.sleep(0.25)
        await asyncio.sleep(dice.between(0.0, 1.0))
        return await world.plant.store.read(lambda c: changes.counts(c, DESK).get("intended", 0))


@pytest.mark.parametrize("seed", range(3))
def test_an_engine_that_dies_again_and_again_moves_each_ticket_once(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Ended twenty times amid sending, with jobs under way and answers lost, it goes on where the tables stand."""
    monkeypatch.setattr("adapters.zendesk.desk.MOST_SHOWN", 10)

    async def story(shop: Shop) -> None:
        dice = SeededRandom(seed)
        async with shop.open():
            await shop.go()
            await crowd(shop, 150)
        shop.account.faults = ZendeskFaults(latency_s=0.5, cut_writes=0.2, lost_jobs=0.3, queue_s=3.0)
        async with shop.open(dies=True):
            await shop.receive(120, reference="truck")
        left = [await died_sending(shop, dice) for _ in range(20)]
        assert sum(map(bool, left)) >= 5, "it never died between an intent and its end"
        async with shop.open() as world:
            await shop.until(lambda: len({entry.ticket_id for entry in shop.moves()}) == 120, seconds=3_600, step_s=10)
            await asyncio.sleep(LATE_S)
            told_once(shop, 120)
            assert (await world.shelf(SKU)).held == 120
            assert await world.plant.store.read(arrivals.unfinished) == []
            ended = await world.plant.store.read(lambda c: changes.counts(c, DESK))
            assert ended == {}, "nothing is left under way"
            await balanced(world)

    play(story, quick_path, rules=MANY, seed=seed)
