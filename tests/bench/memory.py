"""What the daemon holds in memory with 1,000,000 listings, and how soon it is ready.

The store is written straight into a file, once (it is kept in the temporary folder). Four channels answer cheaply: no
orders, every listing shows what it should. The sweep runs as it does by default. `rss_mb` is resident memory at rest,
`peak_mb` the most since the start, in units of 1,000,000 bytes; `ready_s` is from the start of the process to the first
200 of /readyz.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from adapters.memory import wire
from syncd.store import rows, schema
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.report import arguments, report
from tests.bench.rig import LONG_S, OPENING, release
from tests.system.processes import Daemon

TOKEN = "bench-token"
KEPT_FROM = 10_000
"""A store of fewer SKUs is soon made, and is not kept."""


async def built(folder: Path, *, skus: int, clock: BenchClock) -> Path:
    """Return a store with so many SKUs; a large one that is there from an earlier run is taken."""
    sources = (Path(rows.__file__), Path(schema.__file__), Path(shop.__file__))
    mark = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    place = folder if skus < KEPT_FROM else Path(tempfile.gettempdir())
    kept = place / f"syncd-bench-{skus}-{mark}.db"
    if not kept.exists():
        made = kept.with_suffix(".making")
        made.unlink(missing_ok=True)
        store = await shop.new_store(made, clock, skus=skus)
        await store.close()
        made.rename(kept)
    return kept


@asynccontextmanager
async def channel() -> AsyncIterator[str]:
    """Serve a shop in which nothing happens; return its address."""
    clock = BenchClock()

    async def orders(_: web.Request) -> web.Response:
        return _json(wire.OrdersAnswer(orders=[], cursor="feed:0", more=False, complete_until=clock.now()))

    async def seen(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=wire.SeenRequest)
        found = [wire.Reading(listing=place, quantity=OPENING, active=True) for place in asked.listings]
        return _json(wire.SeenAnswer(readings=found))

    async def health(_: web.Request) -> web.Response:
        return _json(wire.HealthAnswer(problems=[]))

    app = web.Application()
    app.add_routes([web.get("/orders", orders), web.post("/seen", seen), web.get("/health", health)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def tables(url: str) -> dict[str, dict[str, object]]:
    """Return the settings: four accounts of that shop."""
    found: dict[str, dict[str, object]] = {}
    for account in shop.ACCOUNTS:
        found[f"channels.{account}"] = {"adapter": "memory", "catalogue_s": LONG_S}
        found[f"channels.{account}.settings"] = {"url": url, "token": TOKEN}
    return found


async def measure(folder: Path, *, skus: int, rest_s: float) -> dict[str, float]:
    """Return the figures."""
    clock = BenchClock()
    kept = await built(folder, skus=skus, clock=clock)
    async with channel() as url:
        syncd = Daemon(folder, tables(url))
        shutil.copyfile(kept, syncd.database)
        release(syncd.database, now=clock.now())
        began_s = time.perf_counter()
        await syncd.start()
        try:
            await syncd.ready()
            ready_s = time.perf_counter() - began_s
            await asyncio.sleep(rest_s)
            memory = _memory_mb(syncd.pid)
        finally:
            await syncd.kill()
    return {"rss_mb": memory["VmRSS"], "peak_mb": memory["VmHWM"], "ready_s": ready_s}


def _memory_mb(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    parts = [line.split() for line in lines if line.startswith(("VmRSS", "VmHWM"))]
    return {name.rstrip(":"): int(kilobytes) * 1_024 / 1e6 for name, kilobytes, _ in parts}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--skus", type=int, default=250_000, help="with four listings each")
    parser.add_argument("--rest-s", type=float, default=30.0, help="from being ready to looking at the memory")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    size = {name: value for name, value in vars(options).items() if name != "json"}
    try:
        figures = asyncio.run(measure(folder, **size))
        load = {"load_1min": round(os.getloadavg()[0], 2), "cores": os.cpu_count()}
        report("memory", figures, {**size, **load}, as_json=options.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
