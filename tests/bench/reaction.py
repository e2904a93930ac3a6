"""From a shopper's order to the write answered by the three other channels; the webhook's answer; the most it takes.

The daemon runs in its own process on SQLite with synchronous=FULL; shoppers, webhooks and four memory shops without a
rate limit run in another. An order counts from the moment its webhook was to be sent until the last of its lines was
written on, and answered by, the last of the three other shops. At a fixed rate a webhook that has to wait for its turn
counts from when its turn was.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.bench.loadgen import percentile
from tests.bench.report import arguments, report
from tests.bench.rig import Rig, running

IN_FLIGHT = 64
"""Webhooks under way at once when the rate is not fixed."""


async def at_rate(rig: Rig, *, rate: float, seconds: float) -> tuple[list[float], list[float]]:
    """Send orders at a fixed rate; return the seconds to the last write, and to the answer, of each."""
    first, acks = len(rig.tracker.bought), len(rig.sender.latencies_s)
    count = round(rate * seconds)
    began_s = time.perf_counter()
    for number in range(count):
        due_s = began_s + number / rate
        while (left_s := due_s - time.perf_counter()) > 0:
            await asyncio.sleep(left_s)
        rig.order(asked_s=due_s)
    await rig.idle()
    return rig.tracker.latencies_s(first), rig.sender.latencies_s[acks:]


async def saturated(rig: Rig, *, orders: int) -> float:
    """Send orders as fast as they are answered; return orders per second, all writes of all of them included."""
    began_s = time.perf_counter()
    left = orders

    def more() -> None:
        nonlocal left
        while left and rig.sender.under_way < IN_FLIGHT:
            left -= 1
            rig.order()

    rig.sender.on_room = more
    more()
    await rig.idle(seconds=300)
    while left:
        await rig.idle(seconds=300)
    rig.sender.on_room = lambda: None
    return orders / (time.perf_counter() - began_s)


async def measure(folder: Path, *, skus: int, seconds: float, orders: int, lines: int) -> dict[str, float]:
    """Return the figures."""
    async with running(folder, skus=skus, lines=lines) as rig:
        gc.collect()
        gc.freeze()
        await at_rate(rig, rate=100, seconds=min(1.0, seconds))
        writes, _ = await at_rate(rig, rate=100, seconds=seconds)
        whole_s, acks = await at_rate(rig, rate=1_000, seconds=seconds / 2)
        rate = await saturated(rig, orders=orders)
        assert rig.sender.refused == 0, f"{rig.sender.refused} webhooks were refused"
    return {
        "p50_ms": 1_000 * percentile(writes, 0.5),
        "p99_ms": 1_000 * percentile(writes, 0.99),
        "ack_p50_ms": 1_000 * percentile(acks, 0.5),
        "ack_p99_ms": 1_000 * percentile(acks, 0.99),
        "p99_at_1000_ms": 1_000 * percentile(whole_s, 0.99),
        "orders_per_s": rate,
    }


def run(work: Callable[[], Coroutine[Any, Any, dict[str, float]]]) -> dict[str, float]:
    """Run the loading side on the fastest loop that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--skus", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of load at 100 orders/s; half as long at 1,000/s")
    parser.add_argument("--orders", type=int, default=6_000, help="orders at saturation")
    parser.add_argument("--lines", type=int, default=2)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    size = {name: value for name, value in vars(options).items() if name != "json"}
    try:
        figures = run(lambda: measure(folder, **size))
        load = {"load_1min": round(os.getloadavg()[0], 2), "cores": os.cpu_count()}
        report("reaction", figures, {**size, **load}, as_json=options.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
