"""Sales that are not made because a channel shows less than is there: an estimate, pure.

Buyers of one channel want a Poisson number of units in a day. It sells no more of them than it shows, where it could
sell no more than are there; the difference is hidden. All channels together could not sell more than are there either,
so their parts are cut down to that. So ten units that are kept back on three channels never count as thirty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

FAR: Final = 12.0
"""So many standard deviations above the mean nobody wants another unit."""
DENSE: Final = 500.0
"""From this mean on the spread is small beside it, and the mean alone counts."""


def sellable(wanted: float, units: int) -> float:
    """Return how many of `wanted` units (a mean) are sold where `units` are for sale."""
    assert wanted >= 0, "demand is not below zero"
    assert units >= 0, "nor is what is for sale"
    if wanted >= DENSE or units > wanted + FAR * math.sqrt(wanted) + FAR:
        return min(wanted, float(units))
    chance = math.exp(-wanted)
    at_most, sold = chance, 0.0
    for place in range(1, units + 1):
        sold += 1.0 - at_most
        chance *= wanted / place
        at_most += chance
    return min(wanted, max(0.0, sold))


def hidden_sales(wanted: Mapping[str, float], shown: Mapping[str, int], *, there: int) -> dict[str, float]:
    """Return the units that a day like this costs, by account; accounts that hide nothing are left out.

    `wanted` are units that the buyers of each account want in a day, `shown` what each of those that show less than are
    `there` shows. An account that is not in `wanted` has no demand.
    """
    assert there > 0, "nothing is hidden where nothing is there"
    most = {account: sellable(wanted.get(account, 0.0), there) for account in shown}
    together = sum(most.values())
    if together <= 0.0:
        return {}
    part = min(1.0, sellable(sum(wanted.get(account, 0.0) for account in shown), there) / together)
    lost = {account: part * (most[account] - sellable(wanted.get(account, 0.0), shown[account])) for account in shown}
    return {account: units for account, units in lost.items() if units > 0.0}
