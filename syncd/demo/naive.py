"""The naive tool: channels in memory that get absolute numbers from a central count, on a clock and at no other time.

It is given every advantage but speed: its count knows every sale, cancel and delivery at once and without a mistake,
its writes never fail and take effect at once, and its channels are never down. When a clock strikes shortly before a
flash sale sells out it does well, and badly when shortly after: so the demo runs several, and tells their mean.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Final

from syncd.demo.books import Books
from syncd.demo.script import Ask

CLOCKS: Final = 5


class NaiveShop:
    """The same shoppers at the same channels, with the naive tool in place of syncd.

    `shown` is what each channel shows per SKU. `books` is the truth, which is also the tool's central count. The clock
    strikes at `first_s` and every `every_s` after.
    """

    def __init__(self, *, channels: Iterable[str], opening: Mapping[str, int], every_s: float, first_s: float) -> None:
        self.books = Books()
        self.books.arrive(opening)
        self.shown = {channel: dict(opening) for channel in channels}
        self.writes = 0
        self._every_s = every_s
        self._next_s = first_s
        self._cancels: list[tuple[float, int, Ask]] = []
        self._asked = 0

    def ask(self, ask: Ask) -> bool:
        """Let a shopper buy; return whether the channel showed enough. Asks come in order of time."""
        self.advance(ask.at_s)
        self._asked += 1
        shelf = self.shown[ask.channel]
        if shelf[ask.sku] < ask.quantity:
            self.books.refuse(ask.sku, ask.quantity)
            return False
        shelf[ask.sku] -= ask.quantity
        self.books.sell(ask.sku, ask.quantity)
        if ask.cancel_after_s is not None:
            heapq.heappush(self._cancels, (ask.at_s + ask.cancel_after_s, self._asked, ask))
        return True

    def deliver(self, goods: Mapping[str, int], *, at_s: float) -> None:
        """Take a delivery in; the channels hear of it when the clock strikes."""
        self.advance(at_s)
        self.books.arrive(goods)

    def lose(self, sku: str, quantity: int, *, at_s: float) -> None:
        """Write off what is broken; the channels hear of it when the clock strikes."""
        self.advance(at_s)
        self.books.lose(sku, quantity)

    def advance(self, to_s: float) -> None:
        """Let everything happen that is due by then: cancels, and the clock."""
        while True:
            cancel_s = self._cancels[0][0] if self._cancels else float("inf")
            if min(cancel_s, self._next_s) > to_s:
                return
            if cancel_s <= self._next_s:
                self._cancel(heapq.heappop(self._cancels)[2])
            else:
                self._sync()
                self._next_s += self._every_s

    def _cancel(self, ask: Ask) -> None:
        self.shown[ask.channel][ask.sku] += ask.quantity
        self.books.give_back(ask.sku, ask.quantity)

    def _sync(self) -> None:
        """Write what is there to every channel that shows something else."""
        for shelf in self.shown.values():
            for sku, there in self.books.there.items():
                if shelf.get(sku) != max(0, there):
                    shelf[sku] = max(0, there)
                    self.writes += 1


class NaiveShops:
    """The same shop with as many naive tools, whose clocks strike one after the other."""

    def __init__(self, *, channels: Iterable[str], opening: Mapping[str, int], every_s: float) -> None:
        names = tuple(channels)
        self.shops = [
            NaiveShop(channels=names, opening=opening, every_s=every_s, first_s=every_s * number / CLOCKS)
            for number in range(1, CLOCKS + 1)
        ]

    def ask(self, ask: Ask) -> None:
        """Let a shopper try to buy in each."""
        for shop in self.shops:
            shop.ask(ask)

    def deliver(self, goods: Mapping[str, int], *, at_s: float) -> None:
        """Take a delivery in, in each."""
        for shop in self.shops:
            shop.deliver(goods, at_s=at_s)

    def lose(self, sku: str, quantity: int, *, at_s: float) -> None:
        """Write off what is broken, in each."""
        for shop in self.shops:
            shop.lose(sku, quantity, at_s=at_s)

    def advance(self, to_s: float) -> None:
        """Let everything happen that is due by then."""
        for shop in self.shops:
            shop.advance(to_s)

    def mean(self) -> dict[str, float]:
        """Return the means of the units in the books, of what is left, and of the writes."""
        names = [part.name for part in fields(Books) if part.name != "there"] + ["left"]
        sums = {name: float(sum(getattr(shop.books, name) for shop in self.shops)) for name in names}
        sums["writes"] = float(sum(shop.writes for shop in self.shops))
        return {name: total / len(self.shops) for name, total in sums.items()}
