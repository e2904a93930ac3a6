"""What is really there, whatever a tool believes: the one measure for syncd and for the naive tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Books:
    """The truth about one shop. All numbers are units.

    `there` is what can still be promised, per SKU: below zero somebody cannot be served. `oversold` were sold although
    they were not there at that moment, `hidden` were refused although they were. At any time demand = sold + refused
    and the sum of `there` = stocked - sold + cancelled.
    """

    there: Counter[str] = field(default_factory=Counter)
    stocked: int = 0
    demand: int = 0
    sold: int = 0
    oversold: int = 0
    refused: int = 0
    hidden: int = 0
    cancelled: int = 0

    def arrive(self, goods: Mapping[str, int]) -> None:
        """Take a delivery in."""
        for sku, quantity in goods.items():
            self.there[sku] += quantity
            self.stocked += quantity

    def lose(self, sku: str, quantity: int) -> None:
        """Write off what turned out to be broken."""
        self.there[sku] -= quantity
        self.stocked -= quantity

    def sell(self, sku: str, quantity: int) -> int:
        """Let a shopper have units; return how many of them are not there."""
        over = max(0, quantity - max(0, self.there[sku]))
        self.there[sku] -= quantity
        self.demand += quantity
        self.sold += quantity
        self.oversold += over
        return over

    def refuse(self, sku: str, quantity: int) -> None:
        """Send a shopper away."""
        self.demand += quantity
        self.refused += quantity
        if self.there[sku] >= quantity:
            self.hidden += quantity

    def give_back(self, sku: str, quantity: int) -> None:
        """Take back what a shopper cancelled."""
        self.there[sku] += quantity
        self.cancelled += quantity

    @property
    def left(self) -> int:
        """Return what can still be promised of everything together."""
        return sum(self.there.values())
