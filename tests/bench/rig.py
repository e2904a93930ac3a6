"""A real daemon in its own process, and in this one four memory shops that it keeps in step, with their shoppers."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from aiohttp import web

from adapters.memory import wire
from adapters.memory.simulator import MemorySimulator
from syncd.core.terms import WriteMode
from syncd.engine.resettle import settings_mark
from syncd.testing.sales import Order
from syncd.testing.simulators import serve
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.loadgen import Sender, request_bytes
from tests.system.processes import Daemon, daemon

OPENING = 1_000_000
"""Units of each SKU at the start, as `shop` writes them."""
UNTHROTTLED = 1_000_000.0
LONG_S = 7 * 86_400.0
MODES = dict(
    zip(
        shop.ACCOUNTS, (WriteMode.ABSOLUTE, WriteMode.ABSOLUTE, WriteMode.DELTA, WriteMode.COMPARE_AND_SET), strict=True
    )
)


@dataclass(slots=True, kw_only=True)
class Bought:
    """An order on its way: when its webhook was sent, and how many writes are still to come for it."""

    sent_s: float
    missing: int
    last_s: float = 0.0


class Tracker:
    """Knows which write answers which order: one that brings a listing down to what is left after it."""

    def __init__(self, others: int) -> None:
        self.bought: list[Bought] = []
        self.open = 0
        self.writes = 0
        self._others = others
        self._sold: dict[str, int] = {}
        self._waiting: dict[tuple[str, str], deque[tuple[int, Bought]]] = {}
        self.taken: dict[tuple[str, str], float] = {}
        self.on_done: Callable[[], None] = lambda: None

    def note(self, seller: str, accounts: Sequence[str], lines: Sequence[tuple[str, int]], sent_s: float) -> None:
        """Note an order that was just sent."""
        order = Bought(sent_s=sent_s, missing=len(lines) * self._others)
        self.bought.append(order)
        self.open += 1
        for sku, quantity in lines:
            sold = self._sold[sku] = self._sold.get(sku, 0) + quantity
            for account in accounts:
                if account != seller:
                    self._waiting.setdefault((account, sku), deque()).append((OPENING - sold, order))

    def written(self, account: str, sku: str, quantity: int, at_s: float) -> None:
        """Note a write that was answered."""
        self.writes += 1
        waiting = self._waiting.get((account, sku))
        while waiting and quantity <= waiting[0][0]:
            order = waiting.popleft()[1]
            order.missing -= 1
            order.last_s = at_s
            if not order.missing:
                self.open -= 1
                self.on_done()

    def latencies_s(self, start: int = 0) -> list[float]:
        """Return per order the seconds from its webhook to the last of its writes."""
        return [order.last_s - order.sent_s for order in self.bought[start:] if not order.missing]


class Shop(MemorySimulator):
    """A memory shop that tells the tracker which writes it has answered, and sends no webhook by itself."""

    def __init__(self, name: str, tracker: Tracker, *, skus: int, clock: BenchClock, shows: int = OPENING) -> None:
        super().__init__(seed=1, clock=clock, write_mode=MODES[shop.AccountId(name)])
        self.name = name
        self.pushes_per_s = UNTHROTTLED
        self._tracker = tracker
        self._answered: list[wire.PushRow] = []
        self.pushes = 0
        self.changed: list[Order] = []
        self.shop.on_change = self.changed.append
        self._results = self.shop.results
        self.shop.results = self._watch  # type: ignore[method-assign]
        for number in range(1, skus + 1):
            self.shop.add(shop.code(number), shows, remote_id=f"{name}-{number}")

    def settings(self, url: str) -> dict[str, Any]:
        return {**super().settings(url), "pushes_per_s": self.pushes_per_s}

    def app(self) -> web.Application:
        application = super().app()
        application.middlewares.append(self._after)
        return application

    def _watch(self, rows: Sequence[wire.PushRow]) -> list[wire.PushResult]:
        self._answered = list(rows)
        self._tracker.taken.update({(self.name, row.listing.id): time.perf_counter() for row in rows})
        self.pushes += 1
        return self._results(rows)

    @web.middleware
    async def _after(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Send the answer to a push before its rows count as answered."""
        response = await handler(request)
        if request.path == "/push":
            rows, self._answered = self._answered, []
            await response.prepare(request)
            await response.write_eof()
            now_s = time.perf_counter()
            for row in rows:
                number = row.listing.id.rpartition("-")[2]
                self._tracker.written(self.name, shop.code(int(number)), row.quantity, now_s)
        return response

    def webhook(self, url: str, lines: Sequence[tuple[str, int]]) -> bytes:
        """Let a shopper buy; return the webhook that tells of it."""
        self.buy(lines)
        body = msgspec.json.encode(self._event([self.changed.pop()]))
        headers = {wire.SIGNATURE: wire.signature(self.webhook_secret, body)}
        return request_bytes(url, f"/webhooks/{self.name}", headers=headers, body=body)


@dataclass(slots=True, kw_only=True)
class Rig:
    """Everything that runs. `orders` yields (shop, lines) without end."""

    daemon: Daemon
    shops: list[Shop]
    tracker: Tracker
    sender: Sender
    orders: Iterator[tuple[Shop, list[tuple[str, int]]]]
    names: list[str] = field(default_factory=list)

    def order(self, *, asked_s: float | None = None) -> None:
        """Let a shopper buy somewhere and send the webhook."""
        seller, lines = next(self.orders)
        request = seller.webhook(self.daemon.url, lines)
        at_s = time.perf_counter() if asked_s is None else asked_s
        self.tracker.note(seller.name, self.names, lines, at_s)
        self.sender.send(request, asked_s=at_s)

    async def idle(self, *, seconds: float = 60.0) -> None:
        """Wait until every order was answered by every write."""
        async with asyncio.timeout(seconds):
            await self.sender.quiet()
            while self.tracker.open:
                await asyncio.sleep(0.005)


def stream(shops: Sequence[Shop], *, skus: int, lines: int, seed: int) -> Iterator[tuple[Shop, list[tuple[str, int]]]]:
    """Yield orders over all shops; every SKU is bought once before one is bought again."""
    numbers = list(range(1, skus + 1))
    random.Random(seed).shuffle(numbers)
    goods = itertools.cycle(numbers)
    for seller in itertools.cycle(shops):
        yield seller, [(shop.code(next(goods)), 1) for _ in range(lines)]


def release(path: Path, *, now: int) -> None:
    """Make every account of a built store live, with feeds that were just read and settings that are known."""
    conn = sqlite3.connect(path)
    conn.execute("UPDATE account SET state = 'live', first_live_at = ?, adopted_at = 0", (now,))
    conn.execute("UPDATE listing SET catalogued_at = ?", (now,))
    rules = {name: SimpleNamespace(rules=rule) for name, rule in shop.house().rules.items()}
    for account in shop.ACCOUNTS:
        mark = settings_mark(SimpleNamespace(roster=rules, house=shop.house()), account)  # type: ignore[arg-type]  # all that it asks for
        conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"settings:{account}", mark))
        for feed, cursor in (("catalogue", ""), ("orders", "feed:0")):
            row = (account, feed, cursor, now, now)
            conn.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?, ?)", row)
    conn.commit()
    conn.close()


def lower(path: Path, account: str) -> None:
    """Let a raise by one unit wait on every listing of an account."""
    conn = sqlite3.connect(path)
    raised = "base = base - 1, low = low - 1, high = high - 1, seen = seen - 1, lane = 2, due_at = base_from"
    conn.execute(f"UPDATE listing SET {raised} WHERE account = ?", (account,))
    conn.commit()
    conn.close()


@asynccontextmanager
async def running(
    folder: Path, *, skus: int, lines: int, seed: int = 1, low: str = "", low_per_s: float = UNTHROTTLED
) -> AsyncIterator[Rig]:
    """Build a store of `skus` SKUs on four channels and run a daemon on it.

    On the channel `low` every listing shows one unit less than it should, and it takes `low_per_s` pushes a second.
    """
    clock = BenchClock()
    store = await shop.new_store(folder / "syncd.db", clock, skus=skus)
    await store.close()
    release(folder / "syncd.db", now=clock.now())
    lower(folder / "syncd.db", low)
    tracker = Tracker(others=len(shop.ACCOUNTS) - 1)
    async with AsyncExitStack() as stack:
        shops = [Shop(name, tracker, skus=skus, clock=clock, shows=OPENING - (name == low)) for name in shop.ACCOUNTS]
        tables: dict[str, dict[str, object]] = {"brake": {"minimum": 1_000_000}}
        for one in shops:
            one.pushes_per_s = low_per_s if one.name == low else UNTHROTTLED
            url = await stack.enter_async_context(serve(one))
            tables[f"channels.{one.name}"] = {
                "adapter": "memory",
                "poll_s": 3_600.0,
                "sweep_s": LONG_S,
                "catalogue_s": LONG_S,
                "hand_edit_days": 0,
            }
            tables[f"channels.{one.name}.settings"] = one.settings(url)
        process = await stack.enter_async_context(daemon(folder, tables))
        sender = Sender()
        await sender.open("127.0.0.1", process.port)
        stack.callback(sender.close)
        orders = stream(shops, skus=skus, lines=lines, seed=seed)
        names = [one.name for one in shops]
        yield Rig(daemon=process, shops=shops, tracker=tracker, sender=sender, orders=orders, names=names)
