"""Days of the week: how much more or less is ordered on each, from orders that decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAYS: Final = 7
KEPT_DAY: Final = 0.985
"""Each later day leaves so much of an earlier one's weight: a half after 46 days."""
PRIOR_DAYS: Final = 2.0
"""The mean of all days counts as if so many days of each kind had been seen."""
MOST_DAYS: Final = 60
"""After a longer silence nothing is known of the days in between: they count as not seen."""
_NONE: Final = (0.0,) * DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """Orders by day of the week (0 is Monday), and how many such days were seen; `day` is the last one, by number."""

    orders: tuple[float, ...] = _NONE
    days: tuple[float, ...] = _NONE
    day: int | None = None

    def heard(self, day: int) -> Week:
        """Return the week after an order of `day` (days since a Monday); an earlier day counts as the last one."""
        if self.day is None:
            return Week(orders=_added(_NONE, day, 1.0), days=_added(_NONE, day, 1.0), day=day)
        if day <= self.day:
            return Week(orders=_added(self.orders, self.day, 1.0), days=self.days, day=self.day)
        passed = day - self.day
        kept = KEPT_DAY**passed
        orders = tuple(x * kept for x in self.orders)
        days = tuple(x * kept for x in self.days)
        for seen in range(self.day + 1, day + 1) if passed <= MOST_DAYS else (day,):
            days = _added(days, seen, 1.0)
        return Week(orders=_added(orders, day, 1.0), days=days, day=day)

    def factor(self, day: int) -> float:
        """Return how many times the orders of a usual day come on this one; about 1 while little is known."""
        seen = sum(self.days)
        if seen <= 0:
            return 1.0
        mean = sum(self.orders) / seen
        place = day % DAYS
        return (self.orders[place] + PRIOR_DAYS * mean) / (self.days[place] + PRIOR_DAYS) / mean


def _added(weights: tuple[float, ...], day: int, more: float) -> tuple[float, ...]:
    place = day % DAYS
    return (*weights[:place], weights[place] + more, *weights[place + 1 :])
