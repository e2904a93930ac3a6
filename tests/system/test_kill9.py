"""The daemon is killed with -9 again and again while shoppers buy: no order is lost, none is applied twice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import pytest

from syncd.rehearsal import SHARES
from syncd.testing.chance import SeededRandom
from syncd.testing.simulators import sku_name
from syncd.trace import Arrival, Ask, Trace, read_trace
from tests.system.processes import Daemon, Refused, daemon, free_port
from tests.system.street import Street, street

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SYNCD_SHARED", ROOT.parent / "shared")) / "data" / "online_retail_2011-09_10.csv.gz"
KILLS = 10
LINES = int(os.environ.get("SYNCD_KILL_LINES", "400"))
"""Order lines of the real orders that are replayed."""
LINES_PER_S = 20.0
SEED = int(os.environ.get("SYNCD_KILL_SEED", "1"))

pytestmark = pytest.mark.slow


async def killing(syncd: Daemon, dice: SeededRandom, *, kills: int = KILLS, most_s: float = 3.0) -> None:
    """Kill the daemon so often, each time at another moment of its start or its life, and start it again."""
    for _ in range(kills):
        await asyncio.sleep(dice.between(0.1, most_s))
        await syncd.kill()
        await syncd.start()
    await syncd.ready()


async def test_shoppers_and_kills(tmp_path: Path) -> None:
    """After ten kills amid sales and cancels every order is in the ledger once and every channel shows what is left."""
    port = free_port()
    async with street(seed=SEED) as shops:
        async with daemon(tmp_path, shops.tables(f"http://127.0.0.1:{port}"), port=port) as syncd:
            await shops.adopt(syncd, {shown.sku: 60 for shown in shops.shops["shopify"].shown()})
            async with asyncio.TaskGroup() as group:
                crowd = group.create_task(shops.crowd(pause_s=0.05, cancels=0.05))
                await killing(syncd, SeededRandom(SEED))
                crowd.cancel()
            assert len(shops.orders) > 50
            await shops.at_rest(syncd)


async def test_real_orders_and_kills(tmp_path: Path) -> None:
    """The replay of real orders with deliveries converges although the daemon is killed ten times on the way."""
    if not DATA.exists():
        pytest.skip(f"the real orders are not here: {DATA}; name their folder's parent by SYNCD_SHARED")
    trace = read_trace(DATA, shares=SHARES, seed=SEED, compress=1.0, most_lines=LINES)
    port = free_port()
    async with street(skus=len(trace.skus), seed=SEED) as shops:
        async with daemon(tmp_path, shops.tables(f"http://127.0.0.1:{port}"), port=port) as syncd:
            names = {sku: sku_name(number) for number, sku in enumerate(trace.skus, 1)}
            opening = {names[one.sku]: one.quantity for one in trace.arrivals if one.at_s == 0}
            await shops.adopt(syncd, opening)
            seconds = trace.lines / LINES_PER_S
            async with asyncio.TaskGroup() as group:
                group.create_task(live(trace, shops, syncd, names=names, seconds=seconds))
                await killing(syncd, SeededRandom(SEED), most_s=2 * seconds / KILLS)
            assert shops.orders
            await shops.at_rest(syncd, seconds=400)


async def live(trace: Trace, shops: Street, syncd: Daemon, *, names: Mapping[str, str], seconds: float) -> None:
    """Let everything of the trace happen, in so many seconds."""
    events: list[Ask | Arrival] = sorted(
        [*trace.asks, *(one for one in trace.arrivals if one.at_s > 0)], key=lambda event: event.at_s
    )
    loop = asyncio.get_running_loop()
    began_s, scale = loop.time(), seconds / trace.seconds
    for number, event in enumerate(events):
        await asyncio.sleep(max(0.0, began_s + event.at_s * scale - loop.time()))
        if isinstance(event, Ask):
            ask(shops, event, names)
        else:
            await deliver(shops, syncd, names[event.sku], event.quantity, request_id=f"delivery-{number}")


def ask(shops: Street, event: Ask, names: Mapping[str, str]) -> None:
    """Let a shopper take every line that the channel shows enough of."""
    shown = {one.sku: one.quantity for one in shops.shops[event.channel].shown()}
    lines = {names[sku]: quantity for sku, quantity in event.lines if shown[names[sku]] >= quantity}
    if lines:
        assert shops.buy(event.channel, lines)


async def deliver(shops: Street, syncd: Daemon, sku: str, quantity: int, *, request_id: str) -> None:
    """Tell the daemon of a delivery until it says that it has it: the same request, as often as it takes."""
    rows = [{"sku": sku, "quantity": quantity}]
    await insist(lambda: syncd.post("/stock/move", move="receive", rows=rows, request_id=request_id))
    shops.stock[sku] += quantity


async def insist(call: Callable[[], Awaitable[object]]) -> None:
    """Repeat a call while nobody answers."""
    while True:
        try:
            await call()
        except (aiohttp.ClientError, OSError):
            await asyncio.sleep(0.1)
        except Refused as refused:
            if refused.status < 500:
                raise
            await asyncio.sleep(0.1)
        else:
            return
