"""Those who wait, in the demo: a good sells out, units turn out to be broken, customers ask, a truck comes.

What is told of it is read at the simulated desk and at the channels, not in the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, Instant
from syncd.core.tickets import DeskId
from syncd.core.waitlist import DeskFact
from syncd.demo.play import Play
from syncd.demo.script import BROKEN, DELIVERY, FREE, LOSS, Script
from syncd.demo.stage import Stage
from syncd.engine.timing import nap
from syncd.rehearsal import toml
from syncd.sdk.channel import Clock
from syncd.sdk.desk import Language, Provisionable, TicketId, TicketState
from syncd.settings.adapters import InstalledDesks
from syncd.store import tickets, views_waiting
from syncd.testing.desk_simulators import DeskSimulator, Wish
from syncd.testing.simulators import serve

DESK: Final = "zendesk"
LOOK_S: Final = 0.2
MOST_SHORT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How the story stands. `tickets` of short orders wait, `moved` of them say that the good is there.

    `moved_s` and `reopened_s` are seconds from the delivery to the last ticket moved, and to the first channel that
    showed more; None while that is still to come.
    """

    sku: str
    sold_out: bool = False
    tickets: int = 0
    delivered: bool = False
    moved: int = 0
    moved_s: float | None = None
    reopened_s: float | None = None

    @property
    def done(self) -> bool:
        """Say whether the story is told to its end."""
        return self.moved_s is not None and self.reopened_s is not None


class Waiting:
    """The story of one good. `wait` is how it stands, None where the show is too short for it."""

    def __init__(self, stage: Stage, script: Script, desk: DeskSimulator) -> None:
        self._stage = stage
        self._script = script
        self._desk = desk
        self._tickets: dict[str, TicketId] = {}
        self._known = False
        self._sold_out = False
        self._delivered_at: Instant | None = None

    async def open(self) -> None:
        """Set the desk up and release sending, as an owner does once."""
        plant = self._stage.plant
        desk = plant.desks[DeskId(DESK)].desk
        if isinstance(desk, Provisionable):
            url = f"{plant.settings.http.public_url}/webhooks/{DESK}"
            await desk.provision(language=Language.JA, texts=plant.texts, webhook_url=url)
        await self._stage.say(DeskFact(desk=DeskId(DESK), live=True))

    async def run(self, play: Play, closing: asyncio.Event) -> None:
        """Tell the story once; where the doors close before its end, it stays unfinished."""
        if not self._script.awaited:
            return
        await self._until(play, LOSS, closing)
        if closing.is_set():
            return
        self._sold_out = True
        await play.lose(self._script.awaited, BROKEN)
        while not closing.is_set() and (play.now_s < DELIVERY * self._script.round_s or not self._known):
            await self._ask()
            await nap(LOOK_S, closing)
        if not closing.is_set():
            self._stage.watch.forget_raise(self._script.awaited)
            self._delivered_at = self._stage.plant.clock.now()
            owed = max(0, -play.books.there[self._script.awaited])
            await play.arrive({self._script.awaited: owed + FREE})

    async def _until(self, play: Play, share: float, closing: asyncio.Event) -> None:
        while not closing.is_set() and play.now_s < share * self._script.round_s:
            await nap(LOOK_S, closing)

    async def _ask(self) -> None:
        """Let the customer of each order that is newly short write, and look whether the daemon knows whose tickets."""
        found = await self._stage.plant.store.read(self._orders)
        for number in sorted(found - set(self._tickets)):
            wish = Wish(subject="いつ届きますか", text=f"注文番号 {number} はいつ発送されますか。")
            self._tickets[number] = self._desk.open_ticket(wish)
        self._known = await self._stage.plant.store.read(self._all_known)

    def _orders(self, conn: Connection) -> set[str]:
        rows = views_waiting.entries(
            conn, sku=self._script.awaited, state="pending", closed=False, after=0, limit=MOST_SHORT
        )
        return {row.order_number for row in rows if row.order_number}

    def _all_known(self, conn: Connection) -> bool:
        """Say whether as many orders as units broke are short at least, and each is joined to its ticket."""
        known = tickets.by_remote(conn, DeskId(DESK), list(self._tickets.values()))
        joined = [ticket for ticket in known.values() if ticket.entry_id is not None]
        return len(joined) == len(self._tickets) >= BROKEN

    @property
    def wait(self) -> Wait | None:
        """Return how the story stands now."""
        if not self._script.awaited:
            return None
        mine = set(self._tickets.values())
        moves = {
            entry.ticket_id: entry.at
            for entry in self._desk.log
            if (entry.what, entry.value) == ("state", TicketState.RESTOCKED.value) and entry.ticket_id in mine
        }
        raised_at = self._stage.watch.raised_at(self._script.awaited)
        return Wait(
            sku=self._script.awaited,
            sold_out=self._sold_out,
            tickets=len(mine),
            delivered=self._delivered_at is not None,
            moved=len(moves),
            moved_s=self._since(max(moves.values())) if moves and set(moves) == mine else None,
            reopened_s=None if raised_at is None else self._since(raised_at),
        )

    def _since(self, at: Instant) -> float | None:
        return None if self._delivered_at is None else (at - self._delivered_at) / SECOND_US


@asynccontextmanager
async def open_desk(*, seed: int, clock: Clock) -> AsyncIterator[tuple[DeskSimulator, str]]:
    """Serve the simulated desk; give it with the TOML that opens it."""
    module, _, name = InstalledDesks()[DESK].simulator.partition(":")
    simulator: Any = getattr(import_module(module), name)(skus=0, seed=seed, clock=clock)
    simulator.faults = replace(simulator.faults, index_lag_s=0.0, held_back_s=0.0)  # minutes that no demo has
    async with serve(simulator) as url:
        lines = [f"[desks.{DESK}]", "poll_s = 10.0", "", f"[desks.{DESK}.settings]"]
        lines += [f"{key} = {toml(value)}" for key, value in simulator.settings(url).items()]
        yield simulator, "\n".join([*lines, ""])
