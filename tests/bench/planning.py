"""Seconds to plan 1,000,000 listings anew with adaptive exposure, and how long an order is held up meanwhile.

250,000 SKUs on four channels with 0 to 199 units each, and demand learned from orders that prefer few of the SKUs. A
unit more of safety stock changes the target of nearly every listing: `plan_s` is until all are computed and written.
Orders come all the while; `longest_hold_ms` is the longest time from the arrival of one until it is decided, its own
work included, `usual_hold_ms` the median. `cpu_s` is the processor's time of planning and orders together: on a machine
with other work it says more than `plan_s`. `again_s` is planning once more, when hardly anything changes. `rss_mb` is
the most memory that the process ever had, in units of 1,000,000 bytes. `raw_s` is the baseline: the same columns read
and written by plain sqlite3 in pieces of RAW_SKUS, with nothing computed and no orders; `ratio_to_raw` is `plan_s` to
it.
"""

from __future__ import annotations

import asyncio
import random
import resource
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, text

from syncd.app import tame_collector
from syncd.core.exposure import Exposure, Policy
from syncd.core.terms import SkuId
from syncd.engine.demand import Sold
from syncd.engine.ingest import Ingest
from syncd.engine.intake import Intake
from syncd.engine.planning import Planner
from syncd.engine.rules import House
from syncd.store.session import Store
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.ingest import PRAGMAS
from tests.bench.memory import built
from tests.bench.report import arguments, report

LEARNED = 20_000
"""Orders from which demand is learned."""
ORDER_S = 0.05
"""Seconds between two orders."""
RAW_SKUS = 250
"""SKUs of a transaction of the baseline, about what a piece of planning has."""


def spread_stock(conn: Connection) -> None:
    """Give every SKU its own small number of units, shown everywhere."""
    conn.execute(text("UPDATE balance SET on_hand = (sku_id * 7919) % 200"))
    number = "(sku_id * 7919) % 200"
    conn.execute(text(f"UPDATE listing SET target = {number}, base = {number}, low = {number}, high = {number}"))


def learn(house: House, *, skus: int, seed: int) -> None:
    """Teach demand: few SKUs are asked for often, most hardly ever."""
    dice, book = random.Random(seed), house.outlook.book
    book.skus = skus
    for number in range(LEARNED):
        sku_id = SkuId(1 + int(skus * dice.random() ** 6))
        units = dice.choice((1, 1, 1, 2, 3, 6))
        at = shop.START + number * 20_000_000
        book.heard(Sold(account=dice.choice(shop.ACCOUNTS), at=at, lines=((sku_id, units, True),)))


def raw_s(path: Path, *, skus: int) -> float:
    """Return the seconds that reading and writing all listings takes without planning."""
    columns = "id, account, target, base, high, lane, due_at, attempts, demand"
    query = f"SELECT {columns} FROM listing WHERE sku_id BETWEEN ? AND ? ORDER BY sku_id"
    change = "UPDATE listing SET target = ?, low = ?, high = ?, lane = ?, due_at = ? WHERE id = ?"
    started = time.perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for pragma in PRAGMAS:
            conn.execute(f"PRAGMA {pragma}")
        for first in range(1, skus + 1, RAW_SKUS):
            conn.execute("BEGIN IMMEDIATE")
            rows = conn.execute(query, (first, first + RAW_SKUS - 1)).fetchall()
            conn.executemany(change, [(1, 1, 1, 2, shop.START, row[0]) for row in rows])
            conn.execute("COMMIT")
    return time.perf_counter() - started


async def trade(store: Store, clock: BenchClock, house: House, stop: asyncio.Event, *, skus: int) -> list[float]:
    """Let orders come until told to stop; return the seconds that each was held up."""
    intake, held = Intake(store, clock=clock), list[float]()
    ingest = Ingest(store, intake=intake, clock=clock, house=lambda: house, changed=lambda *_: None)
    for fact in shop.orders(skus=skus, lines=2, seed=3):
        if stop.is_set():
            break
        started = time.perf_counter()
        await intake.put([fact], source="bench")
        while not await ingest.step():
            pass
        held.append(time.perf_counter() - started)
        await asyncio.sleep(ORDER_S)
    return held


async def measure(folder: Path, *, skus: int) -> dict[str, float]:
    """Plan everything anew while orders come, then once more."""
    clock = BenchClock()
    path = folder / "syncd.db"
    shutil.copy(await built(folder / "made", skus=skus, clock=clock), path)
    baseline_s = raw_s(Path(shutil.copy(path, folder / "raw.db")), skus=skus)
    (folder / "raw.db").unlink()
    async with Store.open(f"sqlite:///{path}", clock=clock) as store:
        await store.write(spread_stock)
        house = shop.house(policy=Policy(exposure=Exposure.ADAPTIVE, safety_stock=1))
        learn(house, skus=skus, seed=1)
        plant: Any = SimpleNamespace(store=store, clock=clock, house=house, roster={})
        stop, trading = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            trade_task = group.create_task(trade(store, clock, house, trading, skus=skus))
            started, spent = time.perf_counter(), time.process_time()
            changed = await Planner(plant).run(stop, survey=False)
            plan_s, cpu_s = time.perf_counter() - started, time.process_time() - spent
            trading.set()
        held = trade_task.result()
        started = time.perf_counter()
        again = await Planner(plant).run(stop, survey=True)
        again_s = time.perf_counter() - started
    return {
        "plan_s": plan_s,
        "raw_s": baseline_s,
        "ratio_to_raw": plan_s / baseline_s,
        "cpu_s": cpu_s,
        "longest_hold_ms": 1_000 * max(held),
        "usual_hold_ms": 1_000 * median(held),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000,
        "changed": changed,
        "orders": len(held),
        "again_s": again_s,
        "changed_again": again,
    }


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--skus", type=int, default=250_000, help="SKUs, with four listings each")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    (folder / "made").mkdir()
    tame_collector()  # as the daemon does
    try:
        report("planning", asyncio.run(measure(folder, skus=options.skus)), vars(options), as_json=options.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
