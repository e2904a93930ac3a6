"""Inquiries from the question to the reply: the whole engine, the real desk adapter, and a simulated inbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from adapters.rakuten.desk import ADAPTER, InquirySettings
from adapters.rakuten.desk.simulator import InquirySimulator
from adapters.rakuten.simulated.inquiries import RESTOCK
from syncd.core.facts import MoveFact, MoveRow, StockMove
from syncd.core.terms import AccountId, Location, Sku
from syncd.core.tickets import DeskId
from syncd.core.waitlist import DeskFact
from syncd.engine.rules import WaitRules
from syncd.sdk.channel import WriteMode
from syncd.sdk.desk import DeskContext
from syncd.sdk.secret import Secret
from syncd.store import tickets
from syncd.testing.chance import SeededRandom
from syncd.testing.desk_simulators import serve
from syncd.testing.faults import Faults
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from syncd.testing.simulators import connector
from tests.engine.double import Double
from tests.engine.world import World, running

INBOX, MALL = DeskId("inbox"), AccountId("mall")


def test_a_question_stands_in_the_line_and_is_answered_once(quick_path: Path) -> None:
    """Who asks of a page with one good waits for it, of several a person decides, and a delivery is told once."""

    async def main() -> None:
        clock = loop_running().clock
        simulator = InquirySimulator(seed=1, clock=clock)
        pages = simulator.shop.goods.pages
        one = next(page for page in pages if len(page.variants) == 1)
        many = next(page for page in pages if len(page.variants) > 1)
        (sku,) = (variant.sku for variant in one.variants.values())
        mall = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
        mall.list(sku, 0)
        async with serve(simulator) as url, aiohttp.ClientSession(connector=connector()) as session:
            given = simulator.settings(url)
            keys = {name: Secret(given[name]) for name in ("service_secret", "license_key")}
            context = DeskContext(
                desk=INBOX,
                session=session,
                clock=clock,
                uuid=lambda: "0",
                random=lambda: 0.5,
                shelf=simulator.shelf,
            )
            rules = WaitRules(homes={INBOX: MALL})
            async with (
                ADAPTER.open(InquirySettings(**keys, base_url=url), context) as desk,
                running(quick_path / "a.db", clock, {MALL: mall}, desks={INBOX: desk}, waiting=rules) as world,
            ):
                await story(world, simulator, sku=sku, pages=(one.manage_number, many.manage_number))

    run_virtual(main)


async def story(world: World, simulator: InquirySimulator, *, sku: str, pages: tuple[str, str]) -> None:
    await asyncio.sleep(20)
    await world.say(DeskFact(desk=INBOX, live=True))
    await world.count(**{sku.replace("-", "_"): 0})
    asked, doubtful = (simulator.shop.inquiries.ask(RESTOCK, about=page, title="お茶") for page in pages)
    await asyncio.sleep(120)
    (shown,) = await world.plant.store.read(tickets.needing_agents)
    assert (shown.ticket_id, shown.agent) == (doubtful.number, "several_goods")
    assert (asked.replies, doubtful.replies) == ([], [])
    simulator.faults = Faults(cut_writes=1.0)
    await receive(world, sku, 1, "delivery")
    await asyncio.sleep(60)
    assert len(asked.replies) == 1, "the answer to it was lost"
    simulator.faults = Faults()
    await asyncio.sleep(900)
    (reply,) = asked.replies
    assert (reply["replyFrom"], "入荷" in reply["message"]) == ("merchant", True)
    assert doubtful.replies == []


async def receive(world: World, sku: str, units: int, reference: str) -> None:
    row = MoveRow(sku=Sku(sku), location=Location("main"), quantity=units)
    now = world.plant.clock.now()
    fact = MoveFact(source="test", reference=reference, move=StockMove.RECEIVE, at=now, rows=(row,), forced=True)
    assert await world.say(fact) is None
