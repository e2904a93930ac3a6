"""How soon a page is there in a shop of 100,000 SKUs and 400,000 listings, over HTTP on this machine.

Each figure is the median of `--rounds` requests, one after the other; `_p95` the slowest but one in twenty. `empty_ms`
is a page of the same frame on which nothing is shown. A search that finds nothing looks at every SKU. `ratio` is
the first page of *Stock* against the empty one. `html_kb` is its size, in units of 1,000 bytes.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.report import arguments, report
from tests.web.looking import Looker, looking
from tests.web.rig import Quiet, running, settings_of

PATHS: Final = {
    "empty": "/waiting",
    "stock": "/stock",
    "stock_next": "/stock?after={middle}",
    "search": "/stock?q=000777",
    "search_title": "/stock?q=玉露+12",
    "search_nothing": "/stock?q=nothing+fits",
    "sort_available": "/stock?sort=available",
    "filter_short": "/stock?only=short",
    "sku": "/stock/{middle}",
    "now": "/",
}
WARM: Final = 3


def dress(conn: Connection) -> None:
    """Give SKUs titles and numbers of their own, and some kits."""
    dice = random.Random(1)
    teas = ("煎茶", "玉露", "番茶", "抹茶", "ほうじ茶")
    rows = [
        {"i": i, "t": f"{dice.choice(teas)} {dice.randrange(100)} Tea of the shop", "o": dice.randrange(300),
         "c": dice.randrange(20)}
        for (i,) in conn.execute(text("SELECT id FROM sku"))
    ]  # fmt: skip
    conn.execute(text("UPDATE sku SET title = :t WHERE id = :i"), rows)
    conn.execute(text("UPDATE balance SET on_hand = :o, committed = :c WHERE sku_id = :i"), rows)
    kits = (
        "INSERT INTO kit (kit_id, component_id, quantity) SELECT id, id + 1, 2 FROM sku WHERE id % 50 = 0 AND id < :n"
    )
    conn.execute(text(kits), {"n": len(rows)})


async def measured(look: Looker, path: str, *, rounds: int) -> tuple[list[float], int]:
    """Return how long a page took each time, in milliseconds, and its size."""
    times, size, clock = [], 0, BenchClock()
    for number in range(WARM + rounds):
        began = clock.monotonic()
        async with look.session.get(look.base + path) as answer:
            body = await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        size = len(body)
        if number >= WARM:
            times.append(1_000 * (clock.monotonic() - began))
    return times, size


def p95(times: Sequence[float]) -> float:
    """Return the time that one in twenty exceeds."""
    return sorted(times)[min(len(times) - 1, round(0.95 * len(times)))]


async def run(*, skus: int, rounds: int) -> dict[str, float]:
    """Measure every page."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as name:
        folder = Path(name)
        store = await shop.new_store(folder / "syncd.db", BenchClock(), skus=skus)
        await store.write(dress)
        await store.close()
        channels = {str(account): Quiet() for account in shop.ACCOUNTS}
        settings = settings_of(folder, list(channels))
        async with running(folder, channels=channels, settings=settings) as rig, looking(rig) as look:
            for key, path in PATHS.items():
                times, size = await measured(look, path.format(middle=shop.code(skus // 2)), rounds=rounds)
                figures[f"{key}_ms"] = statistics.median(times)
                figures[f"{key}_p95_ms"] = p95(times)
                if key == "stock":
                    figures["html_kb"] = size / 1_000
    figures["ratio"] = figures["stock_ms"] / figures["empty_ms"]
    return figures


def main() -> None:
    """Measure, and say what was found."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--skus", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    figures = asyncio.run(run(skus=given.skus, rounds=given.rounds))
    settings = {"skus": given.skus, "rounds": given.rounds, "cpus": os.cpu_count()}
    report("pages", figures, settings, as_json=given.json)


if __name__ == "__main__":
    main()
