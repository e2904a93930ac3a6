"""How often each SKU is asked for, on which account and in which sizes: learned from orders while deciding.

Written on the writer's thread only. Others read: what they get may lack the last order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from syncd.core.demand import KEPT_LINE, Demand, Pace, add_size
from syncd.core.terms import SECOND_US, AccountId, Instant, SkuId
from syncd.core.week import Week
from syncd.store.demand import KeptDemand, KeptShop

SHOP_KEPT: Final = 0.999
"""Each later line leaves so much of an earlier one's weight in the sizes of the whole shop."""
FIRST_LINES: Final = 10.0
"""The shop begins as if it had heard of so many lines and orders."""
PRIOR_SHARE: Final = 4.0
"""How an account's part of the shop's orders counts, in lines of a SKU, against where the SKU itself was sold."""
DAY_US: Final = 86_400 * SECOND_US
MONDAY: Final = 4
"""1970-01-05 was a Monday: days are numbered from there."""


@dataclass(slots=True, kw_only=True)
class Known:
    """What is known of one SKU: its demand, and its lines by account, decayed alike. `changed`: not saved yet."""

    demand: Demand = field(default_factory=Demand)
    lines: dict[str, float] = field(default_factory=dict)
    changed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """Lines of one order that was not known before: the SKU, the units, and whether it can be bought from now on."""

    account: AccountId
    at: Instant
    lines: tuple[tuple[SkuId, int, bool], ...]


class Book:
    """The demand of a shop. `skus` is how many SKUs there are, `surge` how many times the usual is expected at a time.

    Its clock is warped by the day of the week and by expected surges: so their begin moves every rate at once.
    """

    def __init__(self, *, surge: Callable[[Instant], float] = lambda _: 1.0, offset_us: int = 0) -> None:
        self.surge = surge
        self.offset_us = offset_us
        self.skus = 1
        self.pace = Pace()
        self.week = Week()
        self.sizes: tuple[float, ...] = (1.0,)
        self.lines = FIRST_LINES
        self.accounts: dict[str, float] = {}
        self.known: dict[SkuId, Known] = {}
        self.clock_s = 0.0
        self.clock_at: Instant = 0
        self.changed = False
        self._factor: tuple[Instant, float] = (-1, 1.0)
        self._unsold: tuple[tuple[Instant, int], float] = ((-1, 0), 0.0)

    # --- learning ---

    def heard(self, sold: Sold) -> None:
        """Learn of an order."""
        self._tick(sold.at)
        self.week = self.week.heard(self._day(self.clock_at))
        self.pace = self.pace.heard(self.clock_s)
        self.accounts[sold.account] = self.accounts.get(sold.account, 0.0) + 1.0
        self.changed = True
        for sku_id, units, open_ in sold.lines:
            self.lines += 1.0
            self.sizes = add_size(self.sizes, units, kept=SHOP_KEPT)
            known = self.known.get(sku_id)
            if known is None:
                known = self.known[sku_id] = Known()
            known.demand = known.demand.heard(units=units, pace=self.pace, open_=open_)
            known.lines = {account: weight * KEPT_LINE for account, weight in known.lines.items()}
            known.lines[sold.account] = known.lines.get(sold.account, 0.0) + 1.0
            known.changed = True

    def opened(self, sku_id: SkuId, *, open_: bool) -> None:
        """Learn that a SKU can, or cannot, be bought from now on; one that was never sold needs no note."""
        known = self.known.get(sku_id)
        if known is not None and known.demand.open is not open_:
            known.demand = known.demand.heard(units=0, pace=self.pace, open_=open_)
            known.changed = True

    def _tick(self, at: Instant) -> None:
        if self.clock_at == 0:
            # As long before the first order as is usual there was none: else one order alone would be a rush.
            self.clock_at, self.clock_s = at, self.pace.gap_s
        elif at > self.clock_at:
            self.clock_s += (at - self.clock_at) / SECOND_US * self.factor(at)
            self.clock_at = at

    def _day(self, at: Instant) -> int:
        return (at + self.offset_us) // DAY_US - MONDAY

    # --- asked ---

    def factor(self, at: Instant) -> float:
        """Return how many times the usual is expected at a time."""
        if self._factor[0] != at:
            self._factor = (at, self.week.factor(self._day(at)) * self.surge(at))
        return self._factor[1]

    def lines_per_s(self, sku_id: SkuId, at: Instant) -> float:
        """Return how many lines of a SKU come per second."""
        known = self.known.get(sku_id)
        if known is None:
            if self._unsold[0] != (at, self.pace.orders):
                self._unsold = ((at, self.pace.orders), self._rate(_NOTHING, at))
            return self._unsold[1]
        return self._rate(known.demand, at)

    def _rate(self, demand: Demand, at: Instant) -> float:
        return demand.per_order(self.usual, self.pace) * self.pace.per_s * self.factor(at)

    @property
    def usual(self) -> float:
        """Return the chance that an order has an average SKU."""
        return self.lines / (self.pace.orders + FIRST_LINES) / max(self.skus, len(self.known))

    def sized(self, sku_id: SkuId) -> tuple[float, ...]:
        """Return the chance of each size of a line."""
        known = self.known.get(sku_id)
        return (_NOTHING if known is None else known.demand).sized(self.sizes)

    def largest(self, sku_id: SkuId) -> int:
        """Return the largest size that a line is reckoned with."""
        known = self.known.get(sku_id)
        return max(len(self.sizes), 0 if known is None else len(known.demand.sizes))

    def shares(self, sku_id: SkuId, accounts: Sequence[AccountId]) -> list[float]:
        """Return the parts of a SKU's demand that come on these accounts, in their order; together 1."""
        known = self.known.get(sku_id)
        mine = {} if known is None else known.lines
        # An account counts as if it had had an order at the start, so that a new one is not without any demand.
        whole = sum(self.accounts.get(account, 0.0) + 1.0 for account in accounts)
        weights = [
            PRIOR_SHARE * (self.accounts.get(account, 0.0) + 1.0) / whole + mine.get(account, 0.0)
            for account in accounts
        ]
        total = sum(weights)
        return [weight / total for weight in weights]

    def sold_on(self, sku_id: SkuId) -> dict[str, float]:
        """Return the accounts on which a SKU was sold, with their parts of it; empty where it never was."""
        known = self.known.get(sku_id)
        if known is None:
            return {}
        whole = sum(known.lines.values())
        return {account: weight / whole for account, weight in known.lines.items()}

    # --- over a restart ---

    def unsaved(self, most: int) -> list[KeptDemand]:
        """Return SKUs whose demand changed since it was asked for last, at most so many."""
        kept = []
        for sku_id, known in self.known.items():
            if known.changed:
                known.changed = False
                kept.append(KeptDemand(sku_id=sku_id, demand=known.demand, lines=dict(known.lines)))
                if len(kept) == most:
                    break
        return kept

    def shop(self) -> KeptShop:
        """Return what is known of the shop as a whole, for the store."""
        return KeptShop(
            pace=self.pace,
            week=self.week,
            sizes=self.sizes,
            lines=self.lines,
            accounts=dict(self.accounts),
            clock_s=self.clock_s,
            clock_at=self.clock_at,
        )

    def restore(self, shop: KeptShop, kept: Iterable[KeptDemand]) -> None:
        """Take up what was known before the restart."""
        self.pace, self.week, self.sizes, self.lines = shop.pace, shop.week, shop.sizes, shop.lines
        self.accounts, self.clock_s, self.clock_at = dict(shop.accounts), shop.clock_s, shop.clock_at
        for one in kept:
            self.known[SkuId(one.sku_id)] = Known(demand=one.demand, lines=dict(one.lines), changed=False)


_NOTHING: Final = Demand(open=True)
"""A SKU that was never sold: it could be bought all the time."""
