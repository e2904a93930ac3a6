"""The least time that a channel's rate budget allows for many changed listings, against the time that they take.

Every listing of the Shopify simulator is to fall by one unit; the shop is paused until all of them wait, and its bucket
is empty when it is released. The least time is what the writes cost, in batches as large as the API takes, at the rate
at which points come back.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from adapters.shopify.simulator import ShopifySimulator
from syncd.core.terms import SECOND_US
from syncd.testing.simulators import By, serve
from tests.bench.clocks import BenchClock
from tests.bench.reaction import run
from tests.bench.report import arguments, report
from tests.bench.rig import LONG_S
from tests.system.processes import Daemon, daemon, until

BATCH = 250
"""Rows of one inventorySetQuantities."""
WRITE_POINTS = 10
"""What one costs, whatever it holds (a mutation with a plain payload)."""


def least_s(listings: int, *, points_per_s: float) -> float:
    """Return the least seconds in which so many listings can be written with an empty bucket."""
    return -(-listings // BATCH) * WRITE_POINTS / points_per_s


def home_of(simulator: ShopifySimulator) -> str:
    """Return the location where every item is stocked; some are at a second one too."""
    return Counter(shown.ref.remote_location for shown in simulator.shown()).most_common(1)[0][0]


def tables(simulator: ShopifySimulator) -> dict[str, dict[str, object]]:
    """Return the settings of a daemon that does nothing but write, at the shop's main location."""
    channel = {
        "adapter": "shopify",
        "poll_s": 3_600.0,
        "sweep_s": LONG_S,
        "catalogue_s": LONG_S,
        "hand_edit_days": 0,
    }
    return {
        "brake": {"minimum": 1_000_000},
        "channels.shopify": channel,
        "channels.shopify.settings": {**simulator.settings(simulator.url), "location_ids": [home_of(simulator)]},
    }


async def prepare(syncd: Daemon, simulator: ShopifySimulator) -> None:
    """Count one unit less of every SKU than the shop shows, and wait until every listing waits to be written."""
    home = home_of(simulator)
    here = [shown for shown in simulator.shown() if shown.ref.remote_location == home]
    rows = [{"sku": shown.sku, "quantity": shown.quantity - 1} for shown in here]
    await until(lambda: _missing(syncd, len(rows), "1"), what="the catalogue is known", seconds=300)
    await syncd.post("/stock/count", rows=rows, force=True)
    await until(lambda: _missing(syncd, len(rows), "lane IN (0, 1)"), what="every listing waits", seconds=300)


async def _missing(syncd: Daemon, wanted: int, where: str) -> int:
    with closing(sqlite3.connect(f"file:{syncd.database}?mode=ro", uri=True)) as conn:
        found = conn.execute(f"SELECT count(*) FROM listing WHERE {where}").fetchone()[0]
    await asyncio.sleep(0.2)
    return int(wanted - found)


async def measure(folder: Path, *, listings: int) -> dict[str, float]:
    """Return the figures."""
    clock = BenchClock()
    simulator = ShopifySimulator(skus=listings, seed=1, clock=clock)
    async with serve(simulator), daemon(folder, tables(simulator)) as syncd:
        await prepare(syncd, simulator)
        bucket = simulator.shop.bucket
        assert bucket.take(bucket.status()["currentlyAvailable"])
        began = clock.now()
        await syncd.post("/accounts/shopify/go")
        await until(lambda: _unwritten(simulator, listings), what="every listing is right", seconds=300)
        took_s = (max(entry.at for entry in simulator.log) - began) / SECOND_US
        least = least_s(listings, points_per_s=bucket.restore_rate)
    return {"shopify": least / took_s, "shopify_s": took_s, "shopify_least_s": least}


async def _unwritten(simulator: ShopifySimulator, wanted: int) -> int:
    return wanted - sum(entry.by is By.API for entry in simulator.log)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--listings", type=int, default=20_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    try:
        figures = run(lambda: measure(folder, listings=options.listings))
        settings = {"listings": options.listings, "load_1min": round(os.getloadavg()[0], 2), "cores": os.cpu_count()}
        report("saturation", figures, settings, as_json=options.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
