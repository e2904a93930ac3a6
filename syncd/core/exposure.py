"""What a channel may show of what is available, and what it may sell before we hear of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from statistics import NormalDist
from typing import Any, Final, Protocol

NORMAL_ABOVE: Final = 500.0
"""From this mean on a Poisson quantile is taken from the normal distribution (off by at most a few units there)."""


class Exposure(StrEnum):
    """How listings that sell the same units share them."""

    POOL = "pool"
    """Every listing shows all that is available."""
    ALLOTMENT = "allotment"
    """Every listing shows a part of its own: together never more than is available."""
    ADAPTIVE = "adaptive"
    """Every listing shows as much as demand and lag allow at the owner's level of loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a listing may show of what is available.

    Kept back is the larger of `safety_stock` units and `safety_percent` of what is available. `cap` is the most that
    the listing shows, `share` the most in percent of what is available, None for no limit. The last `priority_units`
    are shown on the account `priority` alone (`""`: on all). `loss` is how many sold units one oversold unit costs.
    `preorder` sells units that are on their way, too. `hide` closes the page at zero. `purchase_limit` is the most
    units that one order may have, None for no limit.
    """

    exposure: Exposure = Exposure.POOL
    loss: int = 300
    safety_stock: int = 0
    safety_percent: int = 0
    cap: int | None = None
    share: int | None = None
    priority: str = ""
    priority_units: int = 0
    preorder: bool = False
    hide: bool = False
    purchase_limit: int | None = None


FIELDS: Final = tuple(field.name for field in fields(Policy))


class PolicyLike(Protocol):
    """A policy with gaps: None takes the value of the row before. `exposure` is the text of one."""

    @property
    def exposure(self) -> str | None:
        """How listings share units."""

    @property
    def loss(self) -> int | None:
        """Sold units that one oversold unit costs."""

    @property
    def safety_stock(self) -> int | None:
        """Units kept back."""

    @property
    def safety_percent(self) -> int | None:
        """Percent of what is available that is kept back."""

    @property
    def cap(self) -> int | None:
        """The most that is shown."""

    @property
    def share(self) -> int | None:
        """The most that is shown, in percent of what is available."""

    @property
    def priority(self) -> str | None:
        """The account that alone shows the last units."""

    @property
    def priority_units(self) -> int | None:
        """How many these are."""

    @property
    def preorder(self) -> bool | None:
        """Whether units on their way are sold."""

    @property
    def hide(self) -> bool | None:
        """Whether the page is closed at zero."""

    @property
    def purchase_limit(self) -> int | None:
        """The most units of one order."""


def overlay(defaults: Policy, *rows: PolicyLike) -> Policy:
    """Return the policy in force: later rows win over earlier ones and over the defaults, field by field."""
    given: dict[str, Any] = {}
    for row in rows:
        for name in FIELDS:
            value = getattr(row, name)
            if value is not None:
                given[name] = value
    if "exposure" in given:
        given["exposure"] = Exposure(given["exposure"])
    return replace(defaults, **given) if given else defaults


def among(policy: Policy, accounts: Collection[str]) -> Policy:
    """Return the policy of a SKU that only these accounts sell: a priority of another one holds nobody back."""
    if not policy.priority or policy.priority in accounts:
        return policy
    return replace(policy, priority="", priority_units=0)


def kept_back(available: int, policy: Policy, *, account: str = "") -> int:
    """Return how many units a listing of an account leaves: to nobody, or to the account that has priority.

    A percentage of safety stock is rounded up to whole units.
    """
    percent_units = -(-available * policy.safety_percent // 100)
    kept = max(policy.safety_stock, percent_units)
    return max(kept, policy.priority_units) if policy.priority and policy.priority != account else kept


def pool_target(available: int, policy: Policy, *, account: str = "") -> int:
    """Return what a listing of an account shows that shares its units with all others; never below zero.

    A share is rounded down to whole units.
    """
    target = available - kept_back(available, policy, account=account)
    if policy.cap is not None:
        target = min(target, policy.cap)
    if policy.share is not None:
        target = min(target, available * policy.share // 100)
    return max(0, target)


def margin(
    *,
    rate_per_s: float,
    window_s: float,
    quantile: float = 0.999,
    most: int = 1000,
    sizes: Sequence[float] = (1.0,),
) -> int:
    """Return how many units a listing sells at most within a window of time, with the chance `quantile`.

    It is the smallest q with P(sales <= q) >= quantile, sales being orders that come by themselves (Poisson), each of
    1, 2, ... units with the chances `sizes`, and with the mean rate times window. It is never above `most`. 0 where
    nothing sells or no time passes.
    """
    assert 0.5 <= quantile < 1, "a margin covers more than the median"
    if rate_per_s <= 0 or window_s <= 0:
        return 0
    mean = rate_per_s * window_s
    if mean >= most:
        return most
    size = math.fsum(chance * units for units, chance in enumerate(sizes, 1))
    if mean > NORMAL_ABOVE:
        square = math.fsum(chance * units * units for units, chance in enumerate(sizes, 1))
        return min(most, _normal_quantile(mean, mean * square / size, quantile))
    return _compound_quantile(mean / size, sizes, quantile=quantile, most=most)


def _normal_quantile(mean: float, variance: float, quantile: float) -> int:
    """Return the quantile of many sales; half a unit corrects for whole units."""
    return math.ceil(mean + NormalDist().inv_cdf(quantile) * math.sqrt(variance) - 0.5)


def _compound_quantile(orders: float, sizes: Sequence[float], *, quantile: float, most: int) -> int:
    """Return the smallest q with P(units of so many orders in the mean <= q) >= quantile, at most `most`.

    Panjer's recursion: the chance of n units from those of fewer.
    """
    chances = [math.exp(-orders)]
    total = chances[0]
    while total < quantile and len(chances) <= most:
        n = len(chances)
        parts = (j * chance * chances[n - j] for j, chance in enumerate(sizes[:n], 1))
        chances.append(orders / n * math.fsum(parts))
        total += chances[-1]
    return len(chances) - 1


def decay(rate_per_s: float, *, units: int, elapsed_s: float, half_life_s: float = 6 * 3600.0) -> float:
    """Return the rate of sales after a sale of `units`, `elapsed_s` after the rate was last brought up to date.

    What was sold counts half after each half life; a steady sale of r units per second settles at r. A sale that is
    heard of late (`elapsed_s` below zero) counts as one of now. With no units it only brings the rate up to date.
    """
    assert half_life_s > 0, "a half life is a time"
    assert units >= 0, "a sale takes units"
    kept = math.exp2(-max(0.0, elapsed_s) / half_life_s)
    return rate_per_s * kept + units * math.log(2) / half_life_s


def share_targets(available: int, percents: Sequence[int]) -> tuple[int, ...]:
    """Return disjoint parts of what is available, one for each percentage, in their order.

    Together they are the sum of the percentages (at most 100) of what is available, rounded down; units that are left
    by rounding go to the largest remainders, the earlier first.
    """
    whole = sum(percents)
    assert all(percent >= 0 for percent in percents), "a share is not negative"
    assert whole <= 100, "shares are parts of one whole"
    units = max(0, available)
    parts = [units * percent // 100 for percent in percents]
    left = units * whole // 100 - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda place: (-(units * percents[place] % 100), place))
    for place in by_remainder[:left]:
        parts[place] += 1
    return tuple(parts)


def even_targets(available: int, listings: int) -> tuple[int, ...]:
    """Return disjoint parts of what is available, as equal as can be; what is odd goes to the earlier listings."""
    assert listings > 0, "there is a listing"
    each, odd = divmod(max(0, available), listings)
    return tuple(each + (place < odd) for place in range(listings))


def priority_targets(available: int, *, listings: int, first: int, kept: int) -> tuple[int, ...]:
    """Return targets where the listing at place `first` shows all, and the others what is above `kept` units."""
    assert 0 <= first < listings, "the first one is one of them"
    assert kept >= 0, "units kept are not negative"
    units = max(0, available)
    return tuple(units if place == first else max(0, units - kept) for place in range(listings))
