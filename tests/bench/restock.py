"""Benchmark `restock`: so many wait for one SKU, a delivery comes, and all of it is decided.

    python -m tests.bench.restock --json

Half of those who wait have an order and a ticket at a desk. Figure: `seconds_to_decide`, from the delivery's fact in
the inbox until everybody whom it serves is moved and has a change on its way; the longest transaction beside it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from sqlalchemy import Connection, func, select

from syncd.core.facts import CountFact, CountRow, Fact, MoveFact, MoveRow, OrderFact, StockMove
from syncd.core.terms import Location, OrderLine, OrderSnapshot, Sku
from syncd.core.tickets import DeskId, Ticket, TicketId, TicketState, TicketStatus
from syncd.core.waitlist import DeskFact, TicketFact, WaitFact, WaitRow
from syncd.engine.attending import STEPS, do_step
from syncd.engine.ingest import Ingest
from syncd.engine.intake import Intake
from syncd.engine.rules import House, WaitRules
from syncd.store import tickets
from syncd.store.rows_waiting import ChangeRow, EntryRow
from syncd.store.session import Store
from syncd.store.statements import table
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.report import arguments, report

DESK = DeskId("desk")
PIECE = 25


SKU = Sku(shop.code(1))
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
    for start in range(0, waiting - half, PIECE):
        rows = tuple(WaitRow(key=f"w{number:06d}", sku=SKU, account=ACCOUNT) for number in range(start, start + PIECE))
        facts.append(WaitFact(source="bench", rows=rows))
    return facts


def counted(conn: Connection) -> dict[str, float]:
    """Return how many were moved, and how many changes tell somebody of it."""
    e, c = table(EntryRow).c, table(ChangeRow).c
    moved = select(func.count()).where(e.state == TicketState.RESTOCKED.value)
    told = select(func.count()).where(c.message != "")
    return {"moved": conn.execute(moved).scalar_one(), "changes": conn.execute(told).scalar_one()}


async def attend(store: Store, house: House, clock: BenchClock) -> float:
    """Work off what is left to do; return the longest transaction in milliseconds."""
    longest, busy = 0.0, True
    while busy:
        busy = False
        for step in STEPS:
            started = time.perf_counter()
            done, _ = await store.write(lambda conn, s=step: do_step(conn, house, clock.now(), s))  # type: ignore[misc]
            longest = max(longest, (time.perf_counter() - started) * 1_000)
            busy = busy or done
    return longest


async def measure(folder: Path, *, waiting: int, units: int) -> dict[str, float]:
    """Return the figures."""
    clock = BenchClock()
    store = await shop.new_store(folder / "shop.db", clock, skus=10)
    await store.write(lambda conn: tickets.know(conn, [DESK], now=clock.now()))
    rules = WaitRules(desk=DESK, desks=frozenset({DESK}), most_messages=1_000_000)
    house = House(rules=shop.house().rules, waiting=rules)
    intake = Intake(store, clock=clock)
    ingest = Ingest(store, intake=intake, clock=clock, house=lambda: house, changed=lambda *_: None)
    for start in range(0, len(facts := crowd(waiting, clock)), 500):
        await intake.put(facts[start : start + 500], source="bench")
    while await ingest.step():
        pass
    row = MoveRow(sku=SKU, location=Location("main"), quantity=units)
    fact = MoveFact(source="bench", reference="d", move=StockMove.RECEIVE, at=clock.now(), rows=(row,), forced=True)
    started = time.perf_counter()
    await intake.put([fact], source="bench")
    while await ingest.step():
        pass
    longest_ms = await attend(store, house, clock)
    seconds = time.perf_counter() - started
    figures = await store.read(counted)
    await store.close()
    return {"seconds_to_decide": seconds, "longest_transaction_ms": longest_ms, **figures}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=6_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    try:
        figures = asyncio.run(measure(folder, waiting=options.waiting, units=options.units))
        report("restock", figures, vars(options), as_json=options.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
