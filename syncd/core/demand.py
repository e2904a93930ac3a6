"""How often a SKU is asked for and in which sizes: estimates that decay, shared between SKUs and channels.

The shop's own pace is the clock: a SKU has a chance to be on the next order, and orders come at the shop's rate of the
hour. So nights, campaigns and quiet months move all SKUs at once, and a SKU without sales has the chance of the shop's
average. Times are seconds of any one clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PACE_ORDERS: Final = 50
"""Over so many orders the pace of a shop is averaged."""
LONGEST_GAP: Final = 10.0
"""A gap counts as at most so many usual ones: a night is no fall of demand."""
YOUNG: Final = 3.0
"""While nothing is known, a SKU is taken to be asked for this many times more than it seems, on top."""
YOUNG_ORDERS: Final = 100.0
"""After so many orders, half of that. The first orders come late to our ears, and hot SKUs are not known yet."""
LONG_ORDERS: Final = 1000.0
"""After so many orders of the shop, what a SKU sold counts half."""
SHAPE: Final = 0.8
"""How alike SKUs are: their rates are spread like a gamma distribution of this shape around the shop's average."""
PRIOR_LINES: Final = 8.0
"""The shop's sizes count as so many lines of the SKU."""
KEPT_LINE: Final = 0.99
"""Each later line of a SKU leaves this much of an earlier one's weight in its sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast orders of the whole shop come: how many were heard of, the usual gap between two, when the last was."""

    orders: int = 0
    gap_s: float = 3600.0
    at_s: float = 0.0

    def heard(self, at_s: float) -> Pace:
        """Return the pace after one more order; one that is heard of late counts as one of now."""
        waited_s = max(0.0, at_s - self.at_s)
        weight = max(1.0 / PACE_ORDERS, 1.0 / (self.orders + 1))
        longest_s = waited_s if self.orders < PACE_ORDERS else LONGEST_GAP * self.gap_s
        gap_s = self.gap_s + weight * (min(waited_s, longest_s) - self.gap_s)
        return Pace(orders=self.orders + 1, gap_s=gap_s, at_s=max(at_s, self.at_s))

    @property
    def per_s(self) -> float:
        """Orders per second."""
        return 1.0 / max(self.gap_s, 1e-3)

    @property
    def caution(self) -> float:
        """By which factor rates are taken for higher, because little has been heard of so far."""
        return 1.0 + YOUNG / (1.0 + self.orders / YOUNG_ORDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is known of one SKU. Hits are lines, exposure the orders of the shop while the SKU could be bought.

    `seen` is the shop's count of orders when this was brought up to date, `open` whether it could be bought since.
    `sizes` has the weights of the sizes 1, 2, ... units; the last stands for all that are larger.
    """

    hits: float = 0.0
    exposure: float = 0.0
    seen: int = 0
    open: bool = False
    sizes: tuple[float, ...] = ()

    def heard(self, *, units: int, pace: Pace, open_: bool) -> Demand:
        """Return the demand after a line of `units` (0: none, only time passed) at this pace of the shop.

        `open_` says whether the SKU can be bought from now on.
        """
        assert units >= 0, "a line takes units"
        hits, exposure = self._as_of(pace)
        return Demand(
            hits=hits + (1.0 if units else 0.0),
            exposure=exposure,
            seen=pace.orders,
            open=open_,
            sizes=add_size(self.sizes, units, kept=KEPT_LINE) if units else self.sizes,
        )

    def per_order(self, usual: float, pace: Pace) -> float:
        """Return the lines of this SKU per order of the shop; `usual`, above 0, is that of an average SKU.

        The mean of a gamma distribution of what it may be, after the lines that came and the orders that had none.
        """
        hits, exposure = self._as_of(pace)
        return (hits + SHAPE) / (exposure + SHAPE / usual)

    def _as_of(self, pace: Pace) -> tuple[float, float]:
        """Return hits and exposure with the orders that came since."""
        passed = pace.orders - self.seen if self.open else 0
        if not passed:
            return self.hits, self.exposure
        kept = math.exp2(-passed / LONG_ORDERS)
        return self.hits * kept, self.exposure * kept + (1.0 - kept) * LONG_ORDERS / math.log(2)

    def sized(self, usual: Sequence[float]) -> tuple[float, ...]:
        """Return the chance of each size of a line; `usual` are the weights of the whole shop, at least one above 0."""
        total = sum(usual)
        length = max(len(usual), len(self.sizes))
        weights = [PRIOR_LINES * weight / total for weight in usual] + [0.0] * (length - len(usual))
        for place, weight in enumerate(self.sizes):
            weights[place] += weight
        whole = sum(weights)
        return tuple(weight / whole for weight in weights)


def add_size(sizes: Sequence[float], units: int, *, kept: float, most: int = 24) -> tuple[float, ...]:
    """Return weights of sizes after a line of `units`; sizes from `most` on share the last weight."""
    assert units > 0, "a line takes units"
    place = min(units, most) - 1
    weights = [weight * kept for weight in sizes] + [0.0] * (place + 1 - len(sizes))
    weights[place] += 1.0
    return tuple(weights)
