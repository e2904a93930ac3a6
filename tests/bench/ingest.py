"""Order lines per second from the inbox to committed targets for four channels, against the same SQL done raw.

The raw baseline runs every statement of the measured run again, with the same parameters, in the same transactions,
on a copy of the same file, by the sqlite3 module alone: what is left out is all reading of facts and all deciding.
`--exposure adaptive` lets demand be learned and every target be reckoned from it, as a shop without settings of its own
has it.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from syncd.app import tame_collector
from syncd.core.exposure import Exposure, Policy
from syncd.core.facts import OrderFact
from syncd.engine.ingest import Ingest
from syncd.engine.intake import Intake
from syncd.engine.rules import House
from syncd.store import statements
from syncd.store.session import Store
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.report import arguments, report

Script = list[tuple[str, Any, bool]]
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=16384")
"""How the daemon's own writing connection is set; a baseline's is set alike."""


async def fill(intake: Intake, facts: list[OrderFact]) -> None:
    """Put facts into the inbox."""
    for start in range(0, len(facts), 1_000):
        await intake.put(facts[start : start + 1_000], source="bench")


async def drain(store: Store, clock: BenchClock, facts: list[OrderFact], house: House) -> float:
    """Decide all facts; return the seconds it took."""
    intake = Intake(store, clock=clock)
    await fill(intake, facts)
    ingest = Ingest(store, intake=intake, clock=clock, house=lambda: house, changed=lambda *_: None)
    started = time.perf_counter()
    while await ingest.step():
        pass
    return time.perf_counter() - started


def replay(path: Path, script: Script) -> float:
    """Run the recorded statements by sqlite3 alone; return the seconds."""
    conn = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        conn.execute(f"PRAGMA {pragma}")
    started = time.perf_counter()
    for statement, parameters, many in script:
        if many:
            conn.executemany(statement, parameters)
        else:
            conn.execute(statement, parameters).fetchall()
    seconds = time.perf_counter() - started
    conn.close()
    return seconds


class Recorder:
    """Keeps every statement that a run executes, with its transactions."""

    def __init__(self) -> None:
        self.script: Script = []
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "begin", self._begin)
        event.listen(Engine, "commit", self._commit)
        self._rows, self._write = statements._rows, statements._write
        statements._rows, statements._write = self._read, self._wrote

    def _statement(self, _c: Any, _cur: Any, statement: str, parameters: Any, _ctx: Any, many: bool) -> None:
        if not statement.startswith("BEGIN"):
            self.script.append((statement, parameters, many))

    def _begin(self, _conn: Any) -> None:
        self.script.append(("BEGIN IMMEDIATE", (), False))

    def _commit(self, _conn: Any) -> None:
        self.script.append(("COMMIT", (), False))

    def _read(self, conn: Any, text: str, given: Any) -> list[tuple[Any, ...]]:
        self.script.append((text, given, False))
        return self._rows(conn, text, given)

    def _wrote(self, conn: Any, text: str, given: Any, *, many: bool = False) -> Any:
        self.script.append((text, given, many))
        return self._write(conn, text, given, many=many)

    def stop(self) -> None:
        statements._rows, statements._write = self._rows, self._write
        event.remove(Engine, "before_cursor_execute", self._statement)
        event.remove(Engine, "begin", self._begin)
        event.remove(Engine, "commit", self._commit)


async def measure(
    folder: Path, *, skus: int, orders: int, lines: int, ledger_rows: int, record: bool, exposure: Exposure
) -> tuple[float, float]:
    """Return (lines per second, raw lines per second or 0) on a ledger of the given size."""
    clock = BenchClock()
    path = folder / f"shop{ledger_rows}.db"
    store = await shop.new_store(path, clock, skus=skus, ledger_rows=ledger_rows)
    stream = shop.orders(skus=skus, lines=lines, seed=1)
    house = shop.house(policy=Policy(exposure=exposure))
    await drain(store, clock, list(itertools.islice(stream, orders // 10)), house)
    facts = list(itertools.islice(stream, orders))
    seconds = await drain(store, clock, facts, house)
    raw = 0.0
    if record:
        facts = list(itertools.islice(stream, orders))
        raw = orders * lines / await _raw(folder, store, clock, path, facts, house)
    await store.close()
    return orders * lines / seconds, raw


async def _raw(
    folder: Path, store: Store, clock: BenchClock, path: Path, facts: list[OrderFact], house: House
) -> float:
    """Decide all facts, and return the seconds that the SQL of it takes alone."""
    intake = Intake(store, clock=clock)
    await fill(intake, facts)
    await store.write(lambda conn: None)
    copy = folder / "raw.db"
    source = sqlite3.connect(path)
    source.execute("VACUUM INTO ?", (str(copy),))
    source.close()
    ingest = Ingest(store, intake=intake, clock=clock, house=lambda: house, changed=lambda *_: None)
    recorder = Recorder()
    while await ingest.step():
        pass
    recorder.stop()
    return replay(copy, recorder.script)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--lines", type=int, default=2)
    parser.add_argument("--skus", type=int, default=20_000)
    parser.add_argument("--ledger", type=int, default=3_000_000, help="rows of the full ledger; 0 leaves it out")
    parser.add_argument("--exposure", choices=("pool", "adaptive"), default="pool")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    tame_collector()  # as the daemon does
    try:
        size = {"skus": options.skus, "orders": options.orders, "lines": options.lines}
        exposure = Exposure(options.exposure)
        rate, raw = asyncio.run(measure(folder, **size, ledger_rows=0, record=True, exposure=exposure))
        figures = {"lines_per_s": rate, "raw_lines_per_s": raw, "ratio_to_raw": rate / raw}
        if options.ledger:
            full, _ = asyncio.run(measure(folder, **size, ledger_rows=options.ledger, record=False, exposure=exposure))
            figures |= {"full_lines_per_s": full, "ratio_full_to_empty": full / rate}
        report("ingest", figures, vars(options), as_json=options.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
