"""A fall to zero behind many waiting raises: how long until it is on its way, against one tick of the channel's budget.

A real daemon in its own process, with four memory shops. On one of them every listing waits to be raised and the shop
takes one push of 250 rows per tick, so the raises wait for minutes. Then SKU after SKU sells out on another shop, at
any moment of a tick, and the write of zero is awaited. `ticks` are from the commit of the sale to the answer to that
write, `taken_ticks` to the moment when the channel has it before it, which is when it was on its way; `webhook_ms` is
from the webhook of the sale to the answer.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from syncd.core.terms import SECOND_US
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.reaction import percentile, run
from tests.bench.report import arguments, report
from tests.bench.rig import OPENING, Rig, running

SLOW = "shopify"
SELLER = "amazon"
WAIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """How long a write of zero took, from the commit of the sale and from its webhook, and until it was taken."""

    committed_s: float
    taken_s: float
    webhook_s: float


async def sell_out(rig: Rig, number: int) -> Fall:
    """Sell all of a SKU and wait until the other channels are written zero."""
    seller = next(one for one in rig.shops if one.name == SELLER)
    lines = [(shop.code(number), OPENING)]
    request = seller.webhook(rig.daemon.url, lines)
    sent_s = time.perf_counter()
    rig.tracker.note(seller.name, rig.names, lines, sent_s)
    rig.sender.send(request, asked_s=sent_s)
    await rig.idle(seconds=WAIT_S)
    order = rig.tracker.bought[-1]
    since_s = committed_at(rig.daemon.database, number) / SECOND_US
    epoch_s = BenchClock().now() / SECOND_US - time.perf_counter()
    return Fall(
        committed_s=epoch_s + order.last_s - since_s,
        taken_s=epoch_s + rig.tracker.taken[SLOW, f"{SLOW}-{number}"] - since_s,
        webhook_s=order.last_s - order.sent_s,
    )


def committed_at(database: Path, sku_id: int) -> int:
    """Return when the sale of a SKU was decided."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as conn:
        query = "SELECT max(recorded_at) FROM movement WHERE sku_id = ? AND kind = 'commit'"
        return int(conn.execute(query, (sku_id,)).fetchone()[0])


def waiting(database: Path) -> int:
    """Return how many raises wait."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as conn:
        found = conn.execute("SELECT count(*) FROM listing WHERE account = ? AND lane = 2", (SLOW,)).fetchone()
        return int(found[0])


async def measure(folder: Path, *, listings: int, falls: int, tick_s: float) -> dict[str, float]:
    """Return the figures."""
    dice = random.Random(1)
    async with running(folder, skus=listings, lines=1, low=SLOW, low_per_s=1 / tick_s) as rig:
        before = waiting(rig.daemon.database)
        found = []
        for number in dice.sample(range(1, listings + 1), falls):
            found.append(await sell_out(rig, number))
            await asyncio.sleep(dice.uniform(0, tick_s))
        left = waiting(rig.daemon.database)
        assert rig.sender.refused == 0, f"{rig.sender.refused} webhooks were refused"
    took_s = [fall.committed_s for fall in found]
    taken_s = [fall.taken_s for fall in found]
    return {
        "p50_ticks": percentile(took_s, 0.5) / tick_s,
        "worst_ticks": max(took_s) / tick_s,
        "p50_taken_ticks": percentile(taken_s, 0.5) / tick_s,
        "worst_taken_ticks": max(taken_s) / tick_s,
        "webhook_ms": 1_000 * max(fall.webhook_s for fall in found),
        "tick_ms": 1_000 * tick_s,
        "raises_before": before,
        "raises_left": left,
        "falls": falls,
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--listings", type=int, default=100_000)
    parser.add_argument("--falls", type=int, default=60)
    parser.add_argument("--tick-s", type=float, default=1.0)
    options = parser.parse_args()
    size = {name: value for name, value in vars(options).items() if name != "json"}
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    try:
        figures = run(lambda: measure(folder, **size))
        load = {"load_1min": round(os.getloadavg()[0], 2), "cores": os.cpu_count()}
        report("overtake", figures, {**size, **load}, as_json=options.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
