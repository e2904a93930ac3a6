"""Private sales from sign-up to shipment: the whole engine on the simulated Shopify, in virtual time."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.shopify.simulated.goods import InventoryLevel
from syncd.core.facts import MoveFact, MoveRow, StockMove
from syncd.core.terms import SECOND_US, AccountId, Location, Sku
from syncd.core.tickets import DeskId, MessageKind, TicketState
from syncd.core.waitlist import DeskFact, LeaveFact, WaitFact, WaitRow
from syncd.engine.rules import WaitRules
from syncd.store import alerts, doubts, offers, waiting
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.faults import Faults
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from syncd.testing.simulators import Refusal
from tests.adapters.shopify_stage import Stage, staged
from tests.engine.desk_double import DeskDouble
from tests.engine.world import World, running

SHOP = AccountId("shopify")
GOOD = "SKU-00001"
HOLD_S = 1800
RULES = WaitRules(private=frozenset({SHOP}), hold_us=HOLD_S * SECOND_US)
HOSTILE = Faults(cut_after_effect=0.15, refuse=0.1, error_5xx=0.1, too_many=0.05, html=0.05)


class Died(Exception):  # noqa: N818  (what happened)
    """The daemon ended amid what it did."""


@dataclass
class Shop:
    """A Shopify shop that sells in private, its desk, and the daemon on a store that outlives it."""

    stage: Stage
    path: Path
    desk: DeskDouble
    worlds: list[World] = field(default_factory=list)
    since: int = 0

    @property
    def world(self) -> World:
        return self.worlds[-1]

    @property
    def level(self) -> InventoryLevel:
        return next(iter(self.stage.shop.shop.goods.by_sku[GOOD][0].levels.values()))

    @property
    def stock(self) -> tuple[int, int, int]:
        """Return what Shopify itself has: available, reserved, committed."""
        return self.level.available, self.level.quantity("reserved"), self.level.committed

    async def run(self, story: Callable[[], Awaitable[None]], *, dies: bool = False) -> None:
        """Run the daemon for a story."""
        desks, doubles, clock = {"desk": self.desk}, {"shopify": self.stage.channel}, loop_running().clock
        try:
            async with running(self.path, clock, doubles, desks=desks, waiting=RULES) as world:  # type: ignore[arg-type]  # a channel is what it asks for
                self.worlds.append(world)
                await story()
                _end(dies=dies)
        except* Died:
            pass

    async def start(self) -> None:
        """Count the goods, none of which are there, and release everything."""
        await asyncio.sleep(60)
        self.stage.shop.set_shown(GOOD, 0)
        await self.world.say(DeskFact(desk=DeskId("desk"), live=True))
        assert await self.world.count(sku_00001=0) is None
        await self.world.go()
        self.since = self.world.plant.clock.now()

    async def sign_up(self, *names: str, quantity: int = 1) -> None:
        rows = tuple(WaitRow(key=name, sku=Sku(GOOD), account=SHOP, quantity=quantity) for name in names)
        assert await self.world.say(WaitFact(source="page", rows=rows)) is None

    async def receive(self, units: int) -> None:
        row = MoveRow(sku=Sku(GOOD), location=Location("main"), quantity=units)
        now, name = self.world.plant.clock.now(), self.world.plant.uuid()
        fact = MoveFact(source="test", reference=name, move=StockMove.RECEIVE, at=now, rows=(row,))
        assert await self.world.say(fact) is None

    async def entries(self) -> list[waiting.Entry]:
        found = await self.world.plant.store.read(lambda conn: waiting.entries(conn, range(1, 80)))
        return [found[number] for number in sorted(found)]

    def letters(self) -> list[str]:
        """Return every letter that says that goods are there."""
        found = [new.letter for new in self.desk.opened if new.letter is not None]
        return [letter.body for letter in found if letter.kind is MessageKind.RESTOCKED]

    def links(self) -> list[str]:
        """Return the drafts of all links in letters, by their numbers."""
        by_link = {draft.invoice_url: draft.legacy_resource_id for draft in self.stage.shop.shop.drafts.by_id.values()}
        found = re.findall(r"https://\S+/invoices/\S+", "\n".join(self.letters()))
        return [str(by_link[link]) for link in found if link in by_link]

    async def nothing_odd(self) -> None:
        """Nobody took a private sale for a sale, a person's edit or another tool, and the ledger sums."""
        assert await self.world.plant.store.read(lambda conn: doubts.drifts_between(conn, SHOP, self.since, 2**62)) == 0
        kinds = {alert.kind for alert in await self.world.plant.store.read(alerts.standing)}
        assert not kinds & {"oversell", "drift", "channel_down"}
        assert await self.world.plant.store.read(verify) == []


def _end(*, dies: bool) -> None:
    if dies:
        raise Died


def play(path: Path, story: Callable[[Shop], Awaitable[Any]], *, seed: int = 7) -> None:
    async def main() -> None:
        async with staged(seed=seed, private_sales=True) as stage:
            desk = DeskDouble(clock=loop_running().clock, dice=SeededRandom(seed))
            await story(Shop(stage=stage, path=path / "a.db", desk=desk))

    run_virtual(main, seed=seed)


def test_from_sign_up_to_shipment(quick_path: Path) -> None:
    """A delivery makes a draft with a link, its payment takes the hold along, and all numbers are right at rest."""

    async def whole(shop: Shop) -> None:
        async def story() -> None:
            await shop.start()
            await shop.sign_up("a")
            await shop.receive(3)
            await asyncio.sleep(120)
            assert shop.stock == (2, 1, 0)
            (offer_id,) = shop.links()
            bought = shop.stage.shop.pay_offer(offer_id)
            await asyncio.sleep(120)
            assert shop.stock == (2, 0, 1)
            shelf = await shop.world.shelf(GOOD)
            assert (shelf.on_hand, shelf.committed, shelf.held) == (3, 1, 0)
            (entry,) = await shop.entries()
            assert (entry.state, entry.order_number, entry.closed_at) == (TicketState.RESTOCKED, bought.number, None)
            shop.stage.shop.ship(bought.order_id)
            await asyncio.sleep(HOLD_S + 4_000)
            (entry,) = await shop.entries()
            assert (entry.state, entry.reason) == (TicketState.SHIPPED, "shipped")
            shelf = await shop.world.shelf(GOOD)
            assert (shelf.on_hand, shelf.committed, shelf.held) == (2, 0, 0)
            assert shop.stock == (2, 0, 0)
            assert len(shop.letters()) == 1
            await shop.nothing_odd()

        await shop.run(story)

    play(quick_path, whole)


def test_unpaid_it_goes_to_the_next_and_then_to_all(quick_path: Path) -> None:
    """A draft that nobody pays is deleted when the hold ends; the unit goes down the line, and is for sale at last."""

    async def whole(shop: Shop) -> None:
        async def story() -> None:
            await shop.start()
            await shop.sign_up("a", "b")
            await shop.receive(1)
            await asyncio.sleep(120)
            assert shop.stock == (-1, 1, 0)
            await asyncio.sleep(HOLD_S + 60)
            assert [entry.reason for entry in await shop.entries()] == ["lapsed", ""]
            assert shop.stock == (-1, 1, 0)
            assert len(shop.letters()) == 2
            await asyncio.sleep(HOLD_S + 120)
            assert shop.stock == (1, 0, 0)
            assert shop.stage.shop.shop.drafts.by_id == {}
            await shop.nothing_odd()

        await shop.run(story)

    play(quick_path, whole)


def test_a_daemon_that_slept_finds_its_drafts_lapsed(quick_path: Path) -> None:
    """After a night without the daemon the reservation is over by itself, and nothing is taken for a person's edit."""

    async def whole(shop: Shop) -> None:
        async def evening() -> None:
            await shop.start()
            await shop.sign_up("a")
            await shop.receive(1)
            await asyncio.sleep(120)

        async def morning() -> None:
            await asyncio.sleep(400)
            assert [entry.reason for entry in await shop.entries()] == ["lapsed"]
            assert shop.stock == (1, 0, 0)
            assert (await shop.world.shelf(GOOD)).held == 0
            await shop.nothing_odd()

        await shop.run(evening)
        await asyncio.sleep(8 * 3_600)
        await shop.run(morning)

    play(quick_path, whole)


async def customers(shop: Shop, dice: SeededRandom, turns: int, names: list[str], seen: Counter[str]) -> None:
    """Let customers sign up, pay by their links, leave, and buy what is shown."""
    for _ in range(turns):
        chance = dice.between(0.0, 1.0)
        if chance < 0.3:
            names.append(f"p{len(names)}")
            await shop.sign_up(names[-1], quantity=1 + len(names) % 2)
        elif chance < 0.5:
            await shop.receive(1 + int(dice.between(0.0, 3.0)))
        elif chance < 0.75:
            links = shop.links()
            if links:
                seen["paid"] += _happens(lambda found=links: shop.stage.shop.pay_offer(found[-1]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        elif chance < 0.85:
            seen["bought"] += _happens(lambda: shop.stage.shop.buy([(GOOD, 1)]))
        elif open_ := [entry.id for entry in await shop.entries() if entry.closed_at is None]:
            await shop.world.say(LeaveFact(ids=(open_[0],)))
        await asyncio.sleep(dice.between(30.0, 120.0))


def _happens(deed: Callable[[], Any]) -> int:
    try:
        deed()
    except Refusal:
        return 0
    return 1


async def at_rest(shop: Shop) -> None:
    """Let everything end, and hold what has to be true then."""
    shop.stage.shop.faults = Faults()
    for entry in await shop.entries():
        if entry.closed_at is None and entry.order_row is None:
            await shop.world.say(LeaveFact(ids=(entry.id,)))
            await asyncio.sleep(10)
    await asyncio.sleep(2 * HOLD_S + 4_000)
    shelf = await shop.world.shelf(GOOD)
    assert shelf.held == 0
    assert shelf.available >= 0, "a unit is promised twice"
    assert shop.stock == (shelf.available or min(0, shop.stock[0]), 0, shelf.committed)
    assert {draft.status for draft in shop.stage.shop.shop.drafts.by_id.values()} <= {"COMPLETED"}
    made = await shop.world.plant.store.read(lambda conn: offers.of_entries(conn, range(1, 500)))
    assert {offer.state.value for offer in made.values()} <= {"ended"}
    told = Counter(link for letter in shop.letters() for link in re.findall(r"https://\S+/invoices/\S+", letter))
    assert max(told.values(), default=1) == 1, "a link was told twice"
    await shop.nothing_odd()


@pytest.mark.parametrize(("seed", "deaths"), [(1, 0), (2, 6)])
def test_faults_and_deaths_end_right(quick_path: Path, seed: int, deaths: int) -> None:
    """With cut answers, limits, a search that is behind and a daemon that dies, no unit is promised twice."""

    async def whole(shop: Shop) -> None:
        dice, names, seen = SeededRandom(seed), list[str](), Counter[str]()

        async def first() -> None:
            await shop.start()
            shop.stage.shop.turn(search_lag_s=60.0)
            shop.stage.shop.faults = HOSTILE
            await customers(shop, dice, 40 // (deaths + 1), names, seen)

        async def later() -> None:
            await customers(shop, dice, 40 // (deaths + 1), names, seen)

        await shop.run(first, dies=bool(deaths))
        for _ in range(deaths):
            await shop.run(later, dies=True)
        await shop.run(lambda: at_rest(shop))
        assert seen["paid"] >= 1

    play(quick_path, whole, seed=seed)
