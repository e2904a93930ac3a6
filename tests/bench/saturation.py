"""The least time that a channel's limits allow for many changed listings, against the time that they take.

Every listing of a simulator is to fall by one unit; the channel is paused until all of them wait. The least time is
what the writes need, in batches as large as the API takes, at the rate that the channel allows. Each channel is played
alone, against a daemon of its own, in real time:

    shopify      points come back at the shop's rate; a mutation of 250 rows costs 10
    amazon       patches, five a second
    amazon_feed  one feed of all rows, against the time that Amazon works on it
    rakuten      400 rows in one call, one call a second
    qoo10        500 items in one call, an option row each, at the configured rate (none is published)
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from syncd.core.terms import SECOND_US
from syncd.testing.simulators import By, Shown, Simulator, serve
from tests.bench.clocks import BenchClock
from tests.bench.reaction import run
from tests.bench.report import arguments, report
from tests.bench.rig import LONG_S
from tests.system.processes import Daemon, daemon, until

SHOPIFY_ROWS, SHOPIFY_POINTS = 250, 10
"""Rows of one inventorySetQuantities, and what one costs, whatever it holds (a mutation with a plain payload)."""
AMAZON_PER_S, AMAZON_BURST = 5.0, 5
FEED_S = 120.0
LEAST_FOR_FEED = 5_000
RAKUTEN_ROWS = 400
QOO10_ROWS, QOO10_PER_S = 500, 20.0
WAIT_S = 1_200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One channel under load. `share` is how many of the asked listings it gets: slow ones get fewer.

    `least_s` answers the least seconds for what is shown; `settings` stand in place of the simulator's own, `ready`
    prepares the simulator at the moment of release.
    """

    adapter: str
    share: float
    least_s: Callable[[Any, list[Shown]], float]
    knobs: dict[str, Any] = field(default_factory=dict)
    settings: Callable[[Any], dict[str, Any]] = lambda _: {}
    ready: Callable[[Any], None] = lambda _: None


def home_of(simulator: Simulator) -> str:
    """Return the location where every item is stocked; some are at a second one too."""
    return Counter(shown.ref.remote_location for shown in simulator.shown()).most_common(1)[0][0]


def _empty_bucket(simulator: Any) -> None:
    bucket = simulator.shop.bucket
    assert bucket.take(bucket.status()["currentlyAvailable"])


def _shopify_s(simulator: Any, here: list[Shown]) -> float:
    return -(-len(here) // SHOPIFY_ROWS) * SHOPIFY_POINTS / float(simulator.shop.bucket.restore_rate)


def _qoo10_s(_: Any, here: list[Shown]) -> float:
    rows = sum(":" in shown.ref.remote_id for shown in here)
    return (rows + -(-(len(here) - rows) // QOO10_ROWS)) / QOO10_PER_S


TRIALS: dict[str, Trial] = {
    "shopify": Trial(
        adapter="shopify",
        share=1.0,
        least_s=_shopify_s,
        settings=lambda simulator: {"location_ids": [home_of(simulator)]},
        ready=_empty_bucket,
    ),
    "amazon": Trial(
        adapter="amazon",
        share=0.03,
        least_s=lambda _, here: (len(here) - AMAZON_BURST) / AMAZON_PER_S,
        knobs={"effect_s": (0.0, 0.0)},
        settings=lambda _: {"feed_from": 0},
    ),
    "amazon_feed": Trial(
        adapter="amazon",
        share=1.0,
        least_s=lambda *_: FEED_S,
        knobs={"feed_s": (FEED_S, FEED_S), "effect_s": (0.0, 0.0), "rate_factor": 20.0},
    ),
    "rakuten": Trial(adapter="rakuten", share=1.0, least_s=lambda _, here: float(-(-len(here) // RAKUTEN_ROWS) - 1)),
    "qoo10": Trial(
        adapter="qoo10",
        share=0.1,
        least_s=_qoo10_s,
        knobs={"shows_s": (0.0, 0.0), "calls_per_s": 1e6, "burst": 1e6},
        settings=lambda _: {"calls_per_s": QOO10_PER_S},
    ),
}


def make(trial: Trial, listings: int) -> Any:
    """Return the simulator of a trial."""
    made: Any = import_module(f"adapters.{trial.adapter}.simulator").make(skus=listings, seed=1, clock=BenchClock())
    if trial.knobs:
        made.turn(**trial.knobs)
    return made


def tables(trial: Trial, simulator: Any) -> dict[str, dict[str, object]]:
    """Return the settings of a daemon that does nothing but write, at the shop's main location."""
    channel = {
        "adapter": trial.adapter,
        "poll_s": 3_600.0,
        "sweep_s": LONG_S,
        "catalogue_s": LONG_S,
        "hand_edit_days": 0,
    }
    return {
        "brake": {"minimum": 1_000_000},
        "channels.one": channel,
        "channels.one.settings": {**simulator.settings(simulator.url), **trial.settings(simulator)},
    }


async def prepare(syncd: Daemon, here: list[Shown]) -> None:
    """Count one unit less of every SKU than the shop shows, and wait until every listing waits to be written."""
    rows = [{"sku": shown.sku, "quantity": shown.quantity - 1} for shown in here]
    await until(lambda: _missing(syncd, len(rows), "1"), what="the catalogue is known", seconds=WAIT_S)
    await syncd.post("/stock/count", rows=rows, force=True)
    await until(lambda: _missing(syncd, len(rows), "lane IN (0, 1)"), what="every listing waits", seconds=WAIT_S)


async def _missing(syncd: Daemon, wanted: int, where: str) -> int:
    with closing(sqlite3.connect(f"file:{syncd.database}?mode=ro", uri=True)) as conn:
        found = conn.execute(f"SELECT count(*) FROM listing WHERE {where}").fetchone()[0]
    await asyncio.sleep(0.2)
    return max(0, int(wanted - found))


async def measure(folder: Path, name: str, *, listings: int) -> dict[str, float]:
    """Return the figures of one trial."""
    trial = TRIALS[name]
    simulator = make(trial, max(20, round(listings * trial.share)))
    async with serve(simulator), daemon(folder, tables(trial, simulator)) as syncd:
        home = home_of(simulator)
        here = [shown for shown in simulator.shown() if shown.ref.remote_location == home and shown.quantity > 0]
        await prepare(syncd, here)
        trial.ready(simulator)
        before, began = len(simulator.log), simulator.clock.now()
        await syncd.post("/accounts/one/go")
        await until(lambda: _unwritten(simulator, before, len(here)), what="every listing is right", seconds=WAIT_S)
        took_s = (max(entry.at for entry in simulator.log.after(before)) - began) / SECOND_US
        least_s = trial.least_s(simulator, here)
    return {name: least_s / took_s, f"{name}_s": took_s, f"{name}_least_s": least_s, f"{name}_rows": float(len(here))}


async def _unwritten(simulator: Any, before: int, wanted: int) -> int:
    simulator.settle()
    await asyncio.sleep(0.1)
    return wanted - len({entry.ref for entry in simulator.log.after(before) if entry.by is By.API})


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--listings", type=int, default=20_000)
    parser.add_argument("--only", choices=TRIALS, action="append", help="this channel; may be given several times")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for name in options.only or TRIALS:
        if name == "amazon_feed" and options.listings < LEAST_FOR_FEED:
            continue  # so few go by patch
        folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
        try:
            figures |= run(lambda folder=folder, name=name: measure(folder, name, listings=options.listings))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        finally:
            shutil.rmtree(folder)
    settings = {"listings": options.listings, "load_1min": round(os.getloadavg()[0], 2), "cores": os.cpu_count()}
    report("saturation", figures, settings, as_json=options.json)


if __name__ == "__main__":
    main()
