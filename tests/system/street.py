"""Four simulated channels over real HTTP, shoppers on all of them, and the truth that a daemon is held against."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import text

from adapters.memory.simulator import MemorySimulator
from syncd.clock import SystemClock
from syncd.core.terms import WriteMode
from syncd.store.driver import reader_engine
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.market import Habits
from syncd.testing.simulators import Refusal, serve
from tests.system.processes import Daemon, until

Channels: TypeAlias = Mapping[str, tuple[WriteMode, Habits]]
"""How each channel takes numbers, and what else it is like."""

CHANNELS: Channels = {
    "amazon": (WriteMode.ABSOLUTE, Habits(effect_s=(0.1, 0.5), confirms=False, feed_lateness_s=(0.2, 1.0))),
    "rakuten": (WriteMode.DELTA, Habits(effect_s=(0.0, 0.1), feed_lateness_s=(0.0, 0.5))),
    "shopify": (WriteMode.COMPARE_AND_SET, Habits()),
    "qoo10": (WriteMode.ABSOLUTE, Habits(effect_s=(0.0, 0.1), feed_lateness_s=(0.0, 0.5), precision_s=1.0)),
}
EFFECT_S = 2.0
"""How late a write may have its effect: on this machine a cut request is through or lost at once."""
MARGIN = 1
"""How far below its target an absolute channel may stay while it sells."""


@dataclass(slots=True, kw_only=True)
class Street:
    """The shops. `stock` is what was counted, `orders` is every order that was made: (shop, order id) to units."""

    channels: Channels
    shops: dict[str, MemorySimulator]
    dice: SeededRandom
    stock: dict[str, int] = field(default_factory=dict)
    orders: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def tables(self, daemon_url: str = "", **channel: object) -> dict[str, dict[str, Any]]:
        """Return the settings of a daemon that keeps them in step; with its address it gets webhooks."""
        # In a pool every channel shows what is there, so that what is wrong at rest can be told.
        pool = {"raise_delay_s": 0.2, "exposure": "pool"}
        found: dict[str, dict[str, Any]] = {
            "brake": {"minimum": 1_000_000},
            "policy": pool,
            "daemon": {"drain_s": 60.0},
        }
        if daemon_url:
            found["http"] = {"public_url": daemon_url}
        for name, shop in self.shops.items():
            settings = shop.settings(shop.url)
            late = self.channels[name][1].effect_s[1]
            found[f"channels.{name}"] = {"adapter": "memory", "poll_s": 1.0, "hand_edit_days": 0, **channel}
            found[f"channels.{name}.settings"] = {**settings, "effect_delay_s": EFFECT_S + late}
        return found

    async def adopt(self, syncd: Daemon, stock: Mapping[str, int]) -> None:
        """Wait for the catalogues, count, and release every channel."""
        wanted = len(self.shops) * len(stock)
        await until(lambda: self._unlisted(syncd, wanted), what="the catalogues are known")
        rows = [{"sku": sku, "quantity": units} for sku, units in stock.items()]
        await syncd.post("/stock/count", rows=rows, force=True)
        self.stock.update(stock)
        for name in self.shops:
            await syncd.post(f"/accounts/{name}/go")

    async def _unlisted(self, syncd: Daemon, wanted: int) -> int:
        after: int | None = 0
        while after is not None:
            page = await syncd.get(f"/listings?limit=1000&after={after}")
            wanted, after = wanted - len(page["rows"]), page["next"]
        return wanted

    # --- shoppers ---

    def buy(self, name: str, lines: Mapping[str, int]) -> str:
        """Let a shopper buy if the shop shows enough of all; return the order's id, empty when it does not."""
        try:
            receipt = self.shops[name].buy(list(lines.items()))
        except Refusal:
            return ""
        self.orders[name, receipt.order_id] = Counter(lines)
        return receipt.order_id

    def cancel(self, name: str, order_id: str) -> None:
        """Cancel a whole order; the shop puts its units back by itself."""
        self.shops[name].cancel(order_id)
        self.orders[name, order_id] = Counter()

    async def crowd(self, *, pause_s: float = 0.03, cancels: float = 0.0) -> None:
        """Let shoppers buy at random, until cancelled."""
        names, skus = sorted(self.shops), sorted(self.stock)
        while True:
            await asyncio.sleep(self.dice.between(0, 2 * pause_s))
            name = names[int(self.dice.between(0, len(names)))]
            sku = skus[int(self.dice.between(0, len(skus)))]
            self.buy(name, {sku: 1 + int(self.dice.between(0, 2))})
            if self.dice.happens(cancels):
                self._cancel_some()

    def _cancel_some(self) -> None:
        living = sorted(key for key, units in self.orders.items() if units)
        if living:
            self.cancel(*living[int(self.dice.between(0, len(living)))])

    # --- the truth ---

    def sold(self) -> Counter[str]:
        """Return the units that are owed."""
        return sum(self.orders.values(), Counter[str]())

    def there(self, sku: str) -> int:
        """Return what every channel should show."""
        return max(0, self.stock[sku] - self.sold()[sku])

    def wrong_numbers(self) -> list[str]:
        """Say which channel shows something else than what is there."""
        found = []
        for name, shop in self.shops.items():
            slack = MARGIN if self.channels[name][0] is WriteMode.ABSOLUTE else 0
            for shown in shop.shown():
                there = self.there(shown.sku)
                if not there - slack <= shown.quantity <= there:
                    found.append(f"{name} shows {shown.quantity} of {shown.sku}, there are {there}")
        return found

    def wrong_books(self, store_url: str) -> list[str]:
        """Say what of the ledger differs from the orders that were made: each once, none lost."""
        engine = reader_engine(store_url)
        try:
            with engine.connect() as conn, conn.begin():
                return [str(one) for one in verify(conn)] + self._wrong_orders(conn)
        finally:
            engine.dispose()

    def _wrong_orders(self, conn: Any) -> list[str]:
        kept = Counter((row[0], row[1]) for row in conn.execute(text("SELECT account, remote_id FROM orders")))
        found = [f"{name} {order} is not in the ledger" for name, order in self.orders if not kept[name, order]]
        found += [f"{key} is in the ledger and was never made" for key in kept if key not in self.orders]
        found += [f"{key} is there {count} times" for key, count in kept.items() if count > 1]
        balances = conn.execute(text(_BALANCES)).all()
        sold = self.sold()
        for sku, on_hand, committed, held in balances:
            if (on_hand, committed, held) != (self.stock[sku], sold[sku], 0):
                found.append(f"{sku}: {on_hand} on hand, {committed} committed, {held} held; sold {sold[sku]}")
        return found

    async def at_rest(self, syncd: Daemon, *, store_url: str = "", seconds: float = 240.0) -> None:
        """Wait until every channel shows what is there, and the books agree."""
        url = store_url or f"sqlite:///{syncd.database}"

        async def wrong() -> list[str]:
            return self.wrong_numbers() or self.wrong_books(url)

        await until(wrong, what="everything is right", seconds=seconds)


_BALANCES = """
SELECT s.code, SUM(b.on_hand), SUM(b.committed), SUM(b.held) FROM balance AS b JOIN sku AS s ON s.id = b.sku_id
GROUP BY s.code
"""


@asynccontextmanager
async def street(*, skus: int = 12, seed: int = 1, channels: Channels = CHANNELS) -> AsyncIterator[Street]:
    """Serve the shops, each with numbers of its own making."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        shops = {}
        for number, (name, (mode, habits)) in enumerate(channels.items()):
            shop = MemorySimulator(skus=skus, seed=seed + number, clock=clock, write_mode=mode, habits=habits)
            await stack.enter_async_context(serve(shop))
            shops[name] = shop
        yield Street(channels=channels, shops=shops, dice=SeededRandom(seed))
