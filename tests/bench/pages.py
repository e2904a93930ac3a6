"""How soon a page is there in a shop of 100,000 SKUs, 400,000 listings and 100,000 orders, over HTTP on this machine.

Each figure is the median of `--rounds` requests, one after the other; `_p95` the slowest but one in twenty; `_cpu_ms`
the processor's time of a request, of the browser's part too, which other programs of the machine change little.
`empty_ms` is a page of the same frame on which nothing is shown; `_ratio` is processor's time against the empty one's.
A `cold` search reads the rows: no page of *Stock* was open since a SKU was changed. `html_kb` is the size of the first
page of *Stock*, in units of 1,000 bytes.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, text

from syncd.store.rows import OrderLineRow, OrderRow
from syncd.store.rows_orders import OrderDeliveryRow, ShipmentRow
from syncd.store.statements import table
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.report import arguments, report
from tests.web.looking import Looker, looking
from tests.web.rig import Quiet, running, settings_of

PATHS: Final = {
    "empty": "/waiting",
    "stock": "/stock",
    "stock_next": "/stock?after={middle}",
    "cold": "/stock?q=000777",
    "cold_nothing": "/stock?q=nothing+fits",
    "open": "",
    "search": "/stock?q=000777",
    "search_title": "/stock?q=玉露+12",
    "search_nothing": "/stock?q=nothing+fits",
    "sort_available": "/stock?sort=available",
    "filter_short": "/stock?only=short",
    "sku": "/stock/{middle}",
    "now": "/",
    "orders": "/orders",
    "orders_500": "/orders?rows=500",
    "orders_next": "/orders?before={half}",
    "orders_search": "/orders?q=50077",
    "orders_open": "/orders?state=open&account=amazon",
    "orders_late": "/orders?delay=late",
    "orders_delayed": "/orders?delay=delayed",
    "orders_carrier": "/orders?carrier=yamato",
    "order": "/orders/amazon/{order}",
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


def sell(conn: Connection, *, skus: int, count: int) -> None:
    """Give the shop orders of two lines: most are shipped, of the others some are late, and some short of stock."""
    dice = random.Random(2)
    orders, lines, parcels, dates = [], [], [], []
    for number in range(1, count + 1):
        account, at = shop.ACCOUNTS[number % len(shop.ACCOUNTS)], shop.START + number * 60_000_000
        sent = number < 0.95 * count
        head = {"account": account, "remote_id": str(5_000_000_000 + number), "number": f"#{5_000_000_000 + number}"}
        times = {"read_at": at, "ordered_at": at, "recorded_at": at}
        words = {"payment": "paid", "fulfilment": "fulfilled" if sent else "unfulfilled", "closed": sent}
        orders.append({"id": number, **head, **times, **words, "amount": "4200", "currency": "JPY"})
        for line in ("1", "2"):
            sku = dice.randrange(1, skus + 1)
            item = {"account": account, "remote_id": f"{account}-{sku}", "sku_id": sku, "quantity": 1, "state": b""}
            lines.append({"order_id": number, "line_id": line, **item, "shipped": int(sent)})
        dates.append({"order_id": number, "ship_by": at + 2 * 86_400_000_000})
        if sent:
            carrier = "yamato" if number % 100 == 0 else "sagawa"
            parcels.append({"order_id": number, "shipment_id": "1", "carrier": carrier, "number": str(number)})
    for row, values in ((OrderRow, orders), (OrderLineRow, lines), (OrderDeliveryRow, dates), (ShipmentRow, parcels)):
        conn.execute(insert(table(row)), values)


async def open_stock(look: Looker) -> None:
    """Have *Stock* open in a browser for as long as its first event takes."""
    async with look.session.get(look.base + "/stock", headers={"Accept": "text/event-stream"}) as answer:
        while b"event: part" not in await answer.content.readuntil(b"\n\n"):
            pass


async def measured(look: Looker, path: str, *, rounds: int) -> tuple[list[float], list[float], int]:
    """Return how long a page took each time and the processor's time of it, in milliseconds, and its size."""
    times, costs, size, clock = [], [], 0, BenchClock()
    for number in range(WARM + rounds):
        began, cpu_s = clock.monotonic(), time.process_time()
        async with look.session.get(look.base + path) as answer:
            body = await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        size = len(body)
        if number >= WARM:
            times.append(1_000 * (clock.monotonic() - began))
            costs.append(1_000 * (time.process_time() - cpu_s))
    return times, costs, size


def p95(times: Sequence[float]) -> float:
    """Return the time that one in twenty exceeds."""
    return sorted(times)[min(len(times) - 1, round(0.95 * len(times)))]


async def run(*, skus: int, orders: int, rounds: int) -> dict[str, float]:
    """Measure every page."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as name:
        folder = Path(name)
        store = await shop.new_store(folder / "syncd.db", BenchClock(), skus=skus)
        await store.write(dress)
        await store.write(lambda conn: sell(conn, skus=skus, count=orders))
        await store.close()
        channels = {str(account): Quiet() for account in shop.ACCOUNTS}
        settings = settings_of(folder, list(channels))
        async with running(folder, channels=channels, settings=settings) as rig, looking(rig) as look:
            for key, path in PATHS.items():
                if not path:
                    await open_stock(look)
                    continue
                half = orders // 8 * 4
                named = path.format(middle=shop.code(skus // 2), half=half, order=5_000_000_000 + half)
                times, costs, size = await measured(look, named, rounds=rounds)
                figures[f"{key}_ms"] = statistics.median(times)
                figures[f"{key}_p95_ms"] = p95(times)
                figures[f"{key}_cpu_ms"] = statistics.median(costs)
                figures[f"{key}_ratio"] = figures[f"{key}_cpu_ms"] / figures["empty_cpu_ms"]
                if key == "stock":
                    figures["html_kb"] = size / 1_000
    return figures


def main() -> None:
    """Measure, and say what was found."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--skus", type=int, default=100_000)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    figures = asyncio.run(run(skus=given.skus, orders=given.orders, rounds=given.rounds))
    settings = {"skus": given.skus, "orders": given.orders, "rounds": given.rounds, "cpus": os.cpu_count()}
    report("pages", figures, settings, as_json=given.json)


if __name__ == "__main__":
    main()
