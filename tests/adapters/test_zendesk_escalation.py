"""The whole engine with the Zendesk adapter on the simulated account: who needs a person, and figures of tickets."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from adapters.zendesk import ADAPTER
from adapters.zendesk.desk import ZendeskDesk
from syncd.core.escalation import Limits, Reason
from syncd.core.terms import Sku
from syncd.core.ticketfigures import ALL, SPAN
from syncd.core.tickets import Contact, Language, Priority, TicketState, TicketStatus
from syncd.core.waitlist import ReleaseFact, WaitFact, WaitRow
from syncd.engine.rules import WaitRules
from syncd.letters import load_lexicon
from syncd.sdk.desk import DeskContext
from syncd.store import escalations
from syncd.store.escalations import Escalation
from syncd.store.views_figures import window_of
from syncd.store.views_tickets import ticket_figures
from syncd.testing.desk_stage import MemoryShelf, PlainTexts
from syncd.testing.loop import running as loop_running
from syncd.testing.stage import settings_of
from tests.adapters.test_zendesk_end_to_end import READ_S, crowd
from tests.adapters.zendesk_shop import DESK, SKU, Shop, balanced, play

S = TicketState
WORDS = "もう我慢の限界です。弁護士の熊五郎に相談します。"


async def opened(shop: Shop) -> list[Escalation]:
    found = await shop.world.plant.store.read(lambda conn: escalations.by_ids(conn, range(1, 50)))
    return [one for one in found if one.released_at is None]


def test_a_customer_who_names_a_lawyer_is_answered_by_a_person_until_released(quick_path: Path) -> None:
    """The ticket is marked, urgent and has the reason; goods are reserved, the letter is a draft; words are nowhere."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            angry, calm = await crowd(shop, 2)
            shop.account.reply(calm, "ありがとうございます。待っています。")
            shop.account.reply(angry, WORDS)
            await asyncio.sleep(READ_S)
            (one,) = await opened(shop)
            assert (one.reasons, one.priority) == ({Reason.LEGAL, Reason.ANGER}, Priority.URGENT)
            held = shop.held()[angry]
            assert (held.escalated, held.priority, held.letters) == (True, Priority.URGENT, ())
            assert sum("words of the law" in note for note in held.notes) >= 1
            assert not shop.held()[calm].escalated
            await shop.receive(2)
            await asyncio.sleep(READ_S)
            assert [entry.ticket_id for entry in shop.moves()] == [angry, calm]
            assert {name: (len(one.letters), len(one.drafts)) for name, one in shop.held().items()} == {
                angry: (0, 1),
                calm: (1, 0),
            }
            await world.say(ReleaseFact(ids=(one.id,), actor="yuki"))
            await asyncio.sleep(READ_S)
            assert not shop.held()[angry].escalated
            assert await opened(shop) == []
            assert shop.held()[angry].letters == ()
            await balanced(world)
        for path in quick_path.iterdir():
            assert "熊五郎".encode() not in path.read_bytes(), "what a customer wrote is kept nowhere"

    play(story, quick_path)


def test_a_trigger_marks_at_once_and_syncd_adds_its_note_once(quick_path: Path) -> None:
    """Rules that were set up know the same words: the mark comes first, and what syncd does is not done twice."""

    async def story(shop: Shop) -> None:
        await _provision(shop)
        async with shop.open():
            await shop.go()
            angry, calm = await crowd(shop, 2)
            shop.account.reply(angry, "I have had it: my lawyers will write to you.")
            held = shop.held()[angry]
            assert (held.escalated, held.priority) == (True, Priority.URGENT), "the trigger is the first"
            await asyncio.sleep(READ_S)
            (one,) = await opened(shop)
            assert Reason.LEGAL in one.reasons
            notes = [note for note in shop.held()[angry].notes if "for a person" in note]
            assert len(set(notes)) == 1
            assert not shop.held()[calm].escalated
            assert shop.held()[angry].letters == ()

    play(story, quick_path)


async def _provision(shop: Shop) -> None:
    """Set the account up as `syncd desk provision` does."""
    context = DeskContext(
        desk=DESK,
        session=shop.session,
        clock=loop_running().clock,
        uuid=lambda: "0",
        random=lambda: 0.0,
        shelf=MemoryShelf(),
        lexicon=load_lexicon(None),
    )
    async with ADAPTER.open(settings_of(ADAPTER, shop.account.settings(shop.account.url)), context) as desk:
        assert isinstance(desk, ZendeskDesk)
        await desk.provision(language=Language.JA, texts=PlainTexts(), webhook_url="")


def test_figures_of_tickets_are_those_of_the_account(quick_path: Path) -> None:
    """Opened, moved, left, time to solve, ratings and a cancel after solving are told as they happened."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            first, second, third = await crowd(shop, 3)
            await shop.receive(1)
            await asyncio.sleep(READ_S)
            for name in (first, second):
                shop.account.edit(name, status=TicketStatus.SOLVED)
            await asyncio.sleep(READ_S)
            shop.account.rate(first, "good")
            shop.account.rate(second, "offered")
            shop.account.reply(second, "キャンセルしてください")
            await asyncio.sleep(READ_S)
            shop.account.edit(second, state=S.CANCELLED)
            shop.account.edit(second, status=TicketStatus.SOLVED)
            await asyncio.sleep(READ_S)
            window = window_of(world.plant.clock.now(), days=2, offset_us=0)
            rows = await world.plant.store.read(lambda conn: ticket_figures(conn, window))
            (found,) = [row for row in rows if (row.since, row.sku) == (SPAN, SKU)]
            assert (found.opened, found.moved, found.cancelled, found.waiting) == (3, 1, 1, 2)
            assert (found.solved, found.good, found.bad, found.unrated) == (2, 1, 0, 1)
            assert found.solve_median_h is not None
            assert 0.1 <= found.solve_median_h <= 0.2
            (none,) = [row for row in rows if (row.since, row.sku) == (window.first, ALL)]
            assert (none.solved, none.solve_median_h) == (0, None)
            assert third in shop.held()

    play(story, quick_path)


def test_an_opening_for_whom_a_person_must_speak_is_a_draft_with_the_mark(quick_path: Path) -> None:
    """A large order gets its ticket with the letter as a draft and the mark, and is released like any other."""

    async def story(shop: Shop) -> None:
        async with shop.open() as world:
            await shop.go()
            await shop.count(0)
            contact = Contact(address="a@example.test", name="A")
            row = WaitRow(key="a", sku=Sku(SKU), contact=contact, amount="250000", currency="JPY")
            await world.say(WaitFact(source="page", rows=(row,)))
            await shop.receive(1)
            await shop.until(lambda: bool(shop.held()), seconds=600)
            await asyncio.sleep(READ_S)
            (held,) = shop.held().values()
            assert (held.escalated, held.letters, len(held.drafts)) == (True, (), 1)
            (one,) = await opened(shop)
            assert one.reasons == {Reason.AMOUNT}

    play(story, quick_path, rules=WaitRules(escalation=Limits(amounts={"JPY": Decimal(100_000)})))
