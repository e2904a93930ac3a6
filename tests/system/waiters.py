"""A daemon with a desk on which thousands wait for one SKU; a truck comes, and the daemon is killed on the way.

The desk is the simulated Zendesk over real HTTP, in this process. What is held against the daemon is the account's own
log, and the ledger.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import connect
from typing import Any

import aiohttp

from adapters.zendesk.simulated.bulk import MOST_ROWS
from adapters.zendesk.simulated.world import ZendeskFaults
from adapters.zendesk.simulator import ZendeskSimulator, make
from syncd.clock import SystemClock
from syncd.core.terms import SECOND_US, WriteMode
from syncd.sdk.desk import TicketState
from syncd.store.driver import reader_engine
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.desk_simulators import DeskEntry, Wish, serve
from syncd.testing.market import Habits
from tests.system.processes import Daemon, Refused, daemon, until
from tests.system.street import Channels, Street, street

SHOP: Channels = {"shopify": (WriteMode.COMPARE_AND_SET, Habits())}
SKU = "SKU-00001"
RESTOCKED = TicketState.RESTOCKED
LONG_S = 3_600.0
STEP_S = 0.25
TRUCK = "truck-1"


@dataclass(slots=True, kw_only=True)
class Waiters:
    """Those who wait, and the daemon. `delivered_s` is when the daemon said that it has the delivery."""

    account: ZendeskSimulator
    shops: Street
    syncd: Daemon
    delivered_s: float = 0.0
    killed_at: list[int] = field(default_factory=list)
    """How many tickets were moved when the daemon was killed, each time."""

    @property
    def url(self) -> str:
        """Return the URL of the store."""
        return f"sqlite:///{self.syncd.database}"

    def moves(self) -> list[DeskEntry]:
        """Return every move of a ticket to restocked, by the account's own log."""
        return [entry for entry in self.account.log if (entry.what, entry.value) == ("state", RESTOCKED.value)]

    def moved(self) -> set[str]:
        """Return the tickets that were moved."""
        return {entry.ticket_id for entry in self.moves()}

    def count(self, query: str) -> int:
        """Return one number of the store."""
        with closing(connect(f"file:{self.syncd.database}?mode=ro", uri=True)) as conn:
            return int(conn.execute(query).fetchone()[0])

    async def crowd(self, waiting: int) -> None:
        """Let so many customers write that they wait, and the daemon learn of all."""
        for _ in range(waiting):
            self.account.open_ticket(Wish(state=TicketState.PENDING, sku=SKU))
        await self.shops.adopt(self.syncd, {SKU: 0})
        await self.syncd.post("/desks/zendesk/go")
        lacking = "SELECT count(*) FROM need WHERE units > 0"
        await until(lambda: self._lacking(lacking, waiting), what="all who wait are known", seconds=LONG_S)

    async def _lacking(self, query: str, wanted: int) -> int:
        await asyncio.sleep(STEP_S)
        return wanted - self.count(query)

    async def deliver(self, units: int) -> None:
        """Tell the daemon of the truck until it says that it has it: the same request, as often as it takes."""
        rows = [{"sku": SKU, "quantity": units}]
        while True:
            try:
                await self.syncd.post("/stock/move", move="receive", rows=rows, request_id=TRUCK, force=True)
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(STEP_S)
            except Refused as refused:
                if refused.status < 500:
                    raise
                await asyncio.sleep(STEP_S)
            else:
                self.delivered_s = asyncio.get_running_loop().time()
                return

    async def kill(self, dice: SeededRandom, *, kills: int, units: int, most_s: float) -> None:
        """Kill the daemon so often, evenly over what is to be moved, at a random moment of each piece."""
        for number in range(kills):
            wanted = units * number // kills
            await self._passed(wanted, seconds=most_s)
            await asyncio.sleep(dice.between(0.0, 1.5))
            self.killed_at.append(len(self.moved()))
            await self.syncd.kill()
            await self.syncd.start()
        await self.syncd.ready()

    async def _passed(self, wanted: int, *, seconds: float) -> None:
        """Wait until more tickets than so many are moved, or for so long."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + seconds
        while len(self.moved()) <= wanted and loop.time() < ends_s:
            await asyncio.sleep(STEP_S)

    async def done(self, units: int) -> float:
        """Wait until all are moved; return the seconds from the delivery to the last move."""
        await until(lambda: self._left(units), what="everybody who is served is moved", seconds=LONG_S)
        return asyncio.get_running_loop().time() - self.delivered_s

    async def _left(self, units: int) -> int:
        await asyncio.sleep(STEP_S)
        return units - len(self.moved())

    async def quiet(self) -> None:
        """Wait until the daemon has nothing more to do at the desk, and the delivery is done."""
        await until(self._busy, what="nothing is left to do", seconds=LONG_S)

    async def _busy(self) -> int:
        await asyncio.sleep(STEP_S)
        under_way = "SELECT count(*) FROM ticket_change WHERE state IN ('waiting', 'intended', 'indeterminate')"
        return self.count(under_way) + self.count("SELECT count(*) FROM delivery WHERE state <> 'done'")

    # --- the truth ---

    def wrong(self, units: int) -> list[str]:
        """Say what is not as it must be: each one served is moved once and told once, and each unit is given once."""
        found = []
        for ticket_id, number in Counter(entry.ticket_id for entry in self.moves()).items():
            if number > 1:
                found.append(f"ticket {ticket_id} was moved {number} times")
        held = self.account.tickets()
        found += [f"ticket {one.ticket_id} got {len(one.letters)} letters" for one in held if len(one.letters) > 1]
        told = {one.ticket_id for one in held if one.letters}
        if told != self.moved() or len(told) != units:
            found.append(f"{len(self.moved())} were moved and {len(told)} told, {units} units came")
        first = {one.ticket_id for one in sorted(held, key=lambda one: int(one.ticket_id))[:units]}
        if told != first:
            found.append(f"{len(told - first)} were told before others who waited longer")
        return found + self._wrong_books(units)

    def _wrong_books(self, units: int) -> list[str]:
        engine = reader_engine(self.url)
        try:
            with engine.connect() as conn, conn.begin():
                found = [str(one) for one in verify(conn)]
        finally:
            engine.dispose()
        sums = {
            "units promised": "SELECT coalesce(sum(units), 0) FROM hold WHERE ended_at IS NULL",
            "units on hand": "SELECT coalesce(sum(on_hand), 0) FROM balance",
            "units held": "SELECT coalesce(sum(held), 0) FROM balance",
            "people served": "SELECT count(*) FROM entry WHERE state = 'restocked'",
            "people told": "SELECT count(DISTINCT entry_id) FROM message WHERE kind = 'restocked'",
            "messages": "SELECT count(*) FROM message WHERE kind = 'restocked'",
        }
        return found + [
            f"{n} {what}, {units} came" for what, query in sums.items() if (n := self.count(query)) != units
        ]

    def least_s(self, units: int, *, scale: float) -> float:
        """Return the least time in which the account's jobs move so many tickets, one job after the other."""
        jobs = -(-units // MOST_ROWS)
        faults = ZendeskFaults()
        return (jobs * faults.queue_s + units * faults.row_s) * scale

    def took_s(self) -> float:
        """Return the seconds from the first move to the last, by the account's own clock."""
        times = [entry.at for entry in self.moves()]
        return (max(times) - min(times)) / SECOND_US


@asynccontextmanager
async def waiters(
    folder: Path, *, scale: float = 1.0, seed: int = 1, faults: ZendeskFaults | None = None
) -> AsyncIterator[Waiters]:
    """Run a daemon with one channel and the desk; `scale` multiplies the desk's own delays."""
    async with AsyncExitStack() as stack:
        account = make(skus=0, seed=seed, clock=SystemClock())
        account.time_scale = scale
        account.faults = faults or ZendeskFaults(index_lag_s=0.0)
        account.prepare()
        url = await stack.enter_async_context(serve(account))
        shops = await stack.enter_async_context(street(skus=1, seed=seed, channels=SHOP))
        tables: dict[str, Any] = shops.tables()
        tables["waitlist"] = {"most_messages": 1_000_000, "tell_first_s": LONG_S}
        tables["letters"] = {"quiet": ""}  # tests run at any hour
        tables["desks.zendesk"] = {"adapter": "zendesk", "poll_s": 60.0}
        tables["desks.zendesk.settings"] = account.settings(url)
        syncd = await stack.enter_async_context(daemon(folder, tables))
        yield Waiters(account=account, shops=shops, syncd=syncd)
