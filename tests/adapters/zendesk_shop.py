"""A shop whose customers write to a simulated Zendesk: the whole engine, the real adapter, in virtual time.

The account and the channels outlive the engine: it may be opened again on the same store, and it may die at any moment.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from adapters.zendesk import ADAPTER
from adapters.zendesk.desk import ZendeskDesk
from adapters.zendesk.simulated.world import ZendeskFaults
from adapters.zendesk.simulator import ZendeskSimulator, make
from syncd.core.facts import MoveFact, MoveRow, StockMove
from syncd.core.terms import Instant, Location, Sku
from syncd.core.tickets import DeskId, TicketId, TicketState
from syncd.core.waitlist import DeskFact
from syncd.engine.rules import WaitRules
from syncd.letters import load_lexicon
from syncd.sdk.channel import ListingRef, WriteMode
from syncd.sdk.desk import DeskContext
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.desk_simulators import DeskEntry, Held, Wish, serve
from syncd.testing.desk_stage import MemoryShelf
from syncd.testing.loop import VirtualConnector, run_virtual
from syncd.testing.loop import running as loop_running
from syncd.testing.stage import settings_of
from tests.engine.double import Double
from tests.engine.world import World, running

DESK = DeskId("zendesk")
SKU = "TEA-1"
CHANNELS = ("one", "two")
CATALOGUE_S = 20.0
RESTOCKED = TicketState.RESTOCKED.value


class Died(Exception):  # noqa: N818  (what happened)
    """The engine was ended in the middle of whatever it did."""


def _end(*, dies: bool) -> None:
    if dies:
        raise Died


@dataclass(slots=True, kw_only=True)
class Shop:
    """What outlives the engine, and the engine that runs."""

    path: Path
    account: ZendeskSimulator
    doubles: dict[str, Double]
    session: aiohttp.ClientSession
    rules: WaitRules
    numbers: Any = field(default_factory=lambda: count(1))
    worlds: list[World] = field(default_factory=list)

    @property
    def world(self) -> World:
        """Return the engine that runs."""
        return self.worlds[-1]

    @asynccontextmanager
    async def open(self, *, dies: bool = False) -> AsyncIterator[World]:
        """Run the engine on the shop's store; with `dies` it ends amid what it does, with no word to anybody."""
        clock = loop_running().clock
        context = DeskContext(
            desk=DESK,
            session=self.session,
            clock=clock,
            uuid=lambda: f"00000000-0000-7000-8000-{next(self.numbers):012x}",
            random=SeededRandom(11),
            shelf=MemoryShelf(),
            lexicon=load_lexicon(None),
        )
        settings = settings_of(ADAPTER, self.account.settings(self.account.url))
        try:
            async with ADAPTER.open(settings, context) as desk:
                assert isinstance(desk, ZendeskDesk)
                desks = {DESK: desk}
                async with running(self.path, clock, self.doubles, desks=desks, waiting=self.rules) as world:
                    self.worlds.append(world)
                    yield world
                    _end(dies=dies)
        except* Died:
            pass

    async def go(self) -> None:
        """Release sending."""
        assert await self.world.say(DeskFact(desk=DESK, live=True)) is None

    async def count(self, units: int) -> None:
        """Count the goods, once the catalogues are read."""
        await asyncio.sleep(CATALOGUE_S)
        assert await self.world.count(tea_1=units) is None

    # --- shoppers ---

    def buy(self, units: int = 1, *, channel: str = "one") -> str:
        """Let a shopper buy; return the order's number."""
        double = self.doubles[channel]
        name = double.buy(self.listing(channel), units)
        assert name is not None, "the channel shows too little"
        return f"#{name}"

    def listing(self, channel: str) -> ListingRef:
        """Return the listing of a channel."""
        return next(iter(self.doubles[channel].numbers))

    def shown(self) -> dict[str, int]:
        """Return what each channel shows."""
        return {name: double.numbers[self.listing(name)] for name, double in self.doubles.items()}

    def raised_at(self) -> Instant | None:
        """Return when syncd first let a channel show more."""
        raises = [
            at for d in self.doubles.values() for at, _, before, after, by in d.log if by == "api" and after > before
        ]
        return min(raises, default=None)

    async def receive(self, units: int, *, reference: str = "") -> None:
        """Let a delivery come."""
        row = MoveRow(sku=Sku(SKU), location=Location("main"), quantity=units)
        name, now = reference or self.world.plant.uuid(), self.world.plant.clock.now()
        fact = MoveFact(source="test", reference=name, move=StockMove.RECEIVE, at=now, rows=(row,), forced=True)
        assert await self.world.say(fact) is None

    # --- customers ---

    def write(self, number: int = 1, **wish: Any) -> list[TicketId]:
        """Let customers write to the shop."""
        return [self.account.open_ticket(Wish(**wish)) for _ in range(number)]

    def held(self) -> dict[TicketId, Held]:
        """Return every ticket as it stands."""
        return {held.ticket_id: held for held in self.account.tickets()}

    def of_order(self, number: str) -> list[Held]:
        """Return the tickets that show an order's number."""
        return [held for held in self.held().values() if held.order_number == number]

    def moves(self, state: str = RESTOCKED) -> list[DeskEntry]:
        """Return how often, and when, syncd moved tickets to a state, by the account's own log."""
        return [entry for entry in self.account.log if (entry.what, entry.value) == ("state", state)]

    def told(self) -> Counter[int]:
        """Return how many tickets have how many letters."""
        return Counter(len(held.letters) for held in self.held().values())

    async def until(self, condition: Callable[[], bool], *, seconds: float = 7_200.0, step_s: float = 1.0) -> None:
        """Let time pass until a condition holds."""
        for _ in range(int(seconds / step_s)):
            if condition():
                return
            await asyncio.sleep(step_s)
        raise AssertionError(f"not within {seconds:.0f} s: {self.told()}, {len(self.moves())} moves, {self.shown()}")


def play(
    story: Callable[[Shop], Awaitable[None]],
    path: Path,
    *,
    shows: int = 7,
    rules: WaitRules | None = None,
    faults: ZendeskFaults | None = None,
    seed: int = 1,
) -> None:
    """Run a story in a shop with two channels that show so many units each; at the end the ledger must sum."""

    async def main() -> None:
        clock = loop_running().clock
        doubles = {}
        for number, name in enumerate(CHANNELS):
            double = Double(
                mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(seed + number), lateness_s=5.0
            )
            double.list(SKU, shows)
            doubles[name] = double
        account = make(skus=0, seed=seed, clock=clock)
        account.faults = faults or ZendeskFaults()
        account.prepare()
        async with serve(account), aiohttp.ClientSession(connector=VirtualConnector()) as session:
            shop = Shop(
                path=path / "shop.db", account=account, doubles=doubles, session=session, rules=rules or WaitRules()
            )
            await story(shop)

    run_virtual(main, seed=seed)


async def balanced(world: World) -> None:
    """Hold that the ledger sums."""
    assert await world.plant.store.read(verify) == []
