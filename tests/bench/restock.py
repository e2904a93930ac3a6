"""Benchmark `restock`: so many wait for one SKU, a delivery comes, and all of it is decided.

    python -m tests.bench.restock --json

Half of those who wait have an order and a ticket at a desk. It is done three times, each on a copy of the same file:

- while orders on other SKUs come: `seconds_to_decide`, from the delivery's fact in the inbox until everybody whom it
  serves is moved and has a change on its way; `ack_p99_ms`, how long the facts of those orders took into the inbox;
  `longest_transaction_ms`, of the writer, commit included; `longest_cpu_ms`, the most that one of its rounds needed of
  the processor, which other work on the machine does not lengthen;
- with nothing else to do: `quiet_s` and, of the processor, `cpu_s`;
- with every statement noted, which are then run again by the sqlite3 module alone on another copy: `ratio_to_raw` is
  that time divided by `quiet_s`.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, func, select

from syncd.app import tame_collector
from syncd.core.facts import CountFact, CountRow, Fact, MoveFact, MoveRow, OrderFact, StockMove
from syncd.core.terms import Location, OrderLine, OrderSnapshot, Sku
from syncd.core.tickets import DeskId, Ticket, TicketId, TicketState, TicketStatus
from syncd.core.waitlist import DeskFact, TicketFact, WaitFact, WaitRow
from syncd.engine.attending import Attending
from syncd.engine.ingest import Ingest
from syncd.engine.intake import Intake
from syncd.engine.rules import House, WaitRules
from syncd.store import tickets
from syncd.store.rows_waiting import ChangeRow, EntryRow
from syncd.store.session import Store
from syncd.store.statements import table
from syncd.store.writer import Committer, Job
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.ingest import Recorder, replay
from tests.bench.loadgen import percentile
from tests.bench.report import arguments, report

SKUS = 2_000
ORDER_S = 0.01
"""Seconds between two orders."""
DESK = DeskId("desk")
PIECE = 25


SKU = Sku(shop.code(1))
OTHER = Sku(shop.code(2))
FEW = 50
"""So many wait for another SKU, whose delivery comes before anything is measured: a daemon that runs is warm."""
ACCOUNT = shop.ACCOUNTS[3]


def order(number: int, clock: BenchClock) -> OrderFact:
    """Return an order of one unit."""
    line = OrderLine(line_id="1", remote_id=f"{ACCOUNT}-1", remote_sku=SKU, quantity=1)
    now, name = clock.now(), f"{number:06d}"
    snapshot = OrderSnapshot(
        order_id=f"o{name}", number=f"#{name}", version=1, read_at=now, ordered_at=now + number, lines=(line,)
    )
    return OrderFact(account=ACCOUNT, order=snapshot)


def ticket(number: int, clock: BenchClock) -> Ticket:
    """Return a ticket that names an order."""
    return Ticket(
        ticket_id=TicketId(str(number)),
        version=clock.now(),
        read_at=clock.now(),
        status=TicketStatus.OPEN,
        order_numbers=(f"#{number:06d}",),
    )


def crowd(waiting: int, clock: BenchClock) -> list[Fact]:
    """Return what lets so many wait: half with an order and a ticket, half without."""
    half = waiting // 2
    count = CountRow(sku=SKU, location=Location("main"), quantity=0, counted_at=clock.now())
    numbers = range(half)
    facts: list[Fact] = [CountFact(source="bench", reference="c", rows=(count,), forced=True)]
    facts.append(DeskFact(desk=DESK, live=True))
    facts += [order(number, clock) for number in numbers]
    for start in range(0, half, PIECE):
        pieces = tuple(ticket(number, clock) for number in numbers[start : start + PIECE])
        facts.append(TicketFact(desk=DESK, tickets=pieces))
    zero = CountRow(sku=OTHER, location=Location("main"), quantity=0, counted_at=clock.now())
    facts.append(CountFact(source="bench", reference="c2", rows=(zero,), forced=True))
    facts.append(
        WaitFact(source="bench", rows=tuple(WaitRow(key=f"x{n}", sku=OTHER, account=ACCOUNT) for n in range(FEW)))
    )
    for start in range(0, waiting - half, PIECE):
        rows = tuple(WaitRow(key=f"w{number:06d}", sku=SKU, account=ACCOUNT) for number in range(start, start + PIECE))
        facts.append(WaitFact(source="bench", rows=rows))
    return facts


def counted(conn: Connection) -> dict[str, float]:
    """Return how many were moved, and how many changes tell somebody of it."""
    e, c = table(EntryRow).c, table(ChangeRow).c
    mine = select(e.id).where(e.sku_id == 1)
    moved = select(func.count()).where(e.id.in_(mine), e.state == TicketState.RESTOCKED.value)
    told = select(func.count()).where(c.entry_id.in_(mine), c.message != "")
    return {"moved": conn.execute(moved).scalar_one(), "changes": conn.execute(told).scalar_one()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is needed to decide on one store."""

    store: Store
    clock: BenchClock
    intake: Intake
    ingest: Ingest
    house: House

    async def decide(self) -> None:
        """Decide all that is in the inbox."""
        while await self.ingest.step():
            pass

    async def receive(self, units: int, sku: Sku = SKU) -> None:
        """Let units come in, and work off what follows from it."""
        row = MoveRow(sku=sku, location=Location("main"), quantity=units)
        at = self.clock.now()
        fact = MoveFact(source="bench", reference=sku, move=StockMove.RECEIVE, at=at, rows=(row,), forced=True)
        await self.intake.put([fact], source="bench")
        await self.decide()
        plant: Any = SimpleNamespace(store=self.store, clock=self.clock, house=self.house, wake=lambda *_: None)
        await Attending(plant).work_off(asyncio.Event())


@asynccontextmanager
async def room(path: Path) -> AsyncIterator[Room]:
    """Open a store to decide on."""
    clock = BenchClock()
    rules = WaitRules(desk=DESK, desks=frozenset({DESK}), most_messages=1_000_000)
    house = House(rules=shop.house().rules, waiting=rules)
    async with Store.open(f"sqlite:///{path}", clock=clock) as store:
        intake = Intake(store, clock=clock)
        ingest = Ingest(store, intake=intake, clock=clock, house=lambda: house, changed=lambda *_: None)
        yield Room(store=store, clock=clock, intake=intake, ingest=ingest, house=house)


async def made(path: Path, *, waiting: int) -> None:
    """Make the store with all who wait."""
    clock = BenchClock()
    store = await shop.new_store(path, clock, skus=SKUS)
    await store.write(lambda conn: tickets.know(conn, [DESK], now=clock.now()))
    await store.close()
    async with room(path) as here:
        for start in range(0, len(facts := crowd(waiting, clock)), 500):
            await here.intake.put(facts[start : start + 500], source="bench")
        await here.decide()
        await here.receive(FEW, OTHER)


async def trade(here: Room, stop: asyncio.Event) -> list[float]:
    """Let orders of other SKUs come until told to stop; return the seconds until each was acknowledged."""
    acks = list[float]()
    for fact in itertools.takewhile(lambda _: not stop.is_set(), shop.orders(skus=SKUS, lines=2, seed=3)):
        if all(line.remote_sku != SKU for line in fact.order.lines):
            started = time.perf_counter()
            await here.intake.put([fact], source="bench")
            acks.append(time.perf_counter() - started)
            await asyncio.sleep(ORDER_S)
    return acks


class Spent:
    """Watches how much of the processor each round of the writer takes."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._commit = Committer.commit
        setattr(Committer, "commit", lambda committer, jobs: self._timed(committer, jobs))  # noqa: B010  (mypy is told nothing)

    def _timed(self, committer: Committer, jobs: Iterator[Job[Any]]) -> list[Job[Any]]:
        started = time.thread_time()
        done = self._commit(committer, jobs)
        self.longest_s = max(self.longest_s, time.thread_time() - started)
        return done

    def stop(self) -> None:
        """Watch no more."""
        setattr(Committer, "commit", self._commit)  # noqa: B010  (the same)


async def busy(path: Path, *, units: int) -> dict[str, float]:
    """Measure while others order."""
    async with room(path) as here:
        stop, spent = asyncio.Event(), Spent()
        async with asyncio.TaskGroup() as group:
            trading = group.create_task(trade(here, stop))
            deciding = group.create_task(here.ingest.run(stop))
            await asyncio.sleep(20 * ORDER_S)
            started = time.perf_counter()
            await here.receive(units)
            seconds = time.perf_counter() - started
            stop.set()
        deciding.result()
        spent.stop()
        acks = trading.result()
        longest = {"longest_transaction_ms": 1_000 * here.store.stats.longest_s}
        longest["longest_cpu_ms"] = 1_000 * spent.longest_s
        ack = {"ack_p99_ms": 1_000 * percentile(acks, 0.99), "orders": len(acks)}
        return {"seconds_to_decide": seconds, **ack, **longest, **await here.store.read(counted)}


async def quiet(path: Path, *, units: int) -> dict[str, float]:
    """Measure with nothing else to do."""
    async with room(path) as here:
        started, spent = time.perf_counter(), time.process_time()
        await here.receive(units)
        return {"quiet_s": time.perf_counter() - started, "cpu_s": time.process_time() - spent}


async def raw(path: Path, copy: Path, *, units: int) -> float:
    """Return the seconds that the same statements take by sqlite3 alone."""
    async with room(path) as here:
        recorder = Recorder()
        await here.receive(units)
        recorder.stop()
    return replay(copy, recorder.script)


async def measure(folder: Path, *, waiting: int, units: int) -> dict[str, float]:
    """Return the figures."""
    path = folder / "made.db"
    await made(path, waiting=waiting)
    copies = [Path(shutil.copy(path, folder / f"{name}.db")) for name in ("busy", "quiet", "noted", "raw")]
    figures = await busy(copies[0], units=units)
    figures |= await quiet(copies[1], units=units)
    raw_s = await raw(copies[2], copies[3], units=units)
    return {**figures, "raw_s": raw_s, "ratio_to_raw": raw_s / figures["quiet_s"]}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=6_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    tame_collector()  # as the daemon does
    try:
        figures = asyncio.run(measure(folder, waiting=options.waiting, units=options.units))
        report("restock", figures, vars(options), as_json=options.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
