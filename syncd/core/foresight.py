"""The adaptive rule over a trace: learns demand from what is heard, and decides what every listing shows.

It is to `syncd.core.hindsight` what ingest is to the daemon: what the shop's orders teach about each SKU, and when a
SKU is decided anew though nothing of it was sold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from syncd.core.adaptive import Reach, targets
from syncd.core.demand import Demand, Pace, add_size
from syncd.core.hindsight import Event, Lag

LOOK_ORDERS: Final = 40
"""After so many orders of the shop all SKUs are looked at: where the demand moved, the targets are computed anew."""
MOVED: Final = 1.6
"""By which factor a demand has to move for that."""
SIZES: Final = 12
"""A new shop's first guess: lines of 1 to so many units, all alike."""
PRIOR: Final = 10.0
"""With so many lines, orders and orders of each channel a new shop starts."""
LEAST_SHARE: Final = 0.001
"""No channel is taken to be without any demand."""


class Foresight:
    """A rule for `replay`: adaptive targets at `loss`, the number of sold units that one oversold unit costs."""

    def __init__(self, *, skus: int, lags: Sequence[Lag], loss: float) -> None:
        self.loss = loss
        self.lags = lags
        self.reach = self._reach([1.0] * len(lags))
        self.pace = Pace()
        self.known = [Demand()] * skus
        self.available = [0] * skus
        self.shares = [PRIOR] * len(lags)
        self.sizes: tuple[float, ...] = (1.0,) * SIZES
        self.lines = PRIOR
        self.orders: set[str] = set()
        self.decided = [0.0] * skus
        self.next_look = 2

    def heard(self, event: Event, *, at_s: float, available: int) -> Iterable[int]:
        """Learn of a line; return the SKUs whose demand has moved."""
        if event.order not in self.orders:
            self.orders.add(event.order)
            self.pace = self.pace.heard(at_s)
            self.shares[event.channel] += 1
            self.reach = self._reach(self.shares)
        self.lines += 1
        self.sizes = add_size(self.sizes, event.units, kept=0.999)
        self._learn(event.sku, event.units, available)
        return self._moved()

    def arrived(self, event: Event, *, available: int) -> None:
        """Learn of a delivery."""
        self._learn(event.sku, 0, available)

    def decide(self, sku: int, available: int) -> Sequence[int]:
        """Return what each listing should show."""
        lines_per_s = self.decided[sku] = self.lines_per_s(sku)
        return targets(
            available,
            reach=self.reach,
            lines_per_s=lines_per_s,
            sizes=self.known[sku].sized(self.sizes),
            loss=self.loss,
        )

    def lines_per_s(self, sku: int) -> float:
        """Return how many lines of a SKU are taken to come per second, on all channels."""
        usual = self.lines / (self.pace.orders + PRIOR) / len(self.known)
        return self.known[sku].per_order(usual, self.pace) * self.pace.per_s * self.pace.caution

    def _reach(self, shares: Sequence[float]) -> list[Reach]:
        """Return the listings; shares are rounded as the daemon rounds them."""
        whole = sum(shares)
        return [
            Reach(share=max(LEAST_SHARE, round(share / whole, 2)), heard_s=lag.heard_s, visible_s=lag.visible_s)
            for share, lag in zip(shares, self.lags, strict=True)
        ]

    def _learn(self, sku: int, units: int, available: int) -> None:
        self.known[sku] = self.known[sku].heard(units=units, pace=self.pace, open_=available > 0)
        self.available[sku] = available

    def _moved(self) -> list[int]:
        """Return the SKUs whose demand has moved since they were decided; looked for now and then."""
        if self.pace.orders < self.next_look:
            return []
        self.next_look = self.pace.orders + min(LOOK_ORDERS, self.pace.orders)
        found = []
        for sku, units in enumerate(self.available):
            if units > 0:
                lines_per_s, before = self.lines_per_s(sku), self.decided[sku]
                if lines_per_s > before * MOVED or lines_per_s * MOVED < before:
                    found.append(sku)
        return found
