"""What each listing of a SKU may show, from demand, lag and what an oversold unit costs: pool, allotments or between.

A line that one listing takes is oversold by what the others took and we, or they, have not heard of. A target is good
where what it sells is worth more than what it oversells; the targets of all listings are chosen together, because
whoever crosses has somebody whom it crosses. `syncd.core.sharing` says what so many shown units sell and lose.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from syncd.core.sharing import Shared, Sizes, Taker, choices, lots_of, spread_of

MOST_LOTS: Final = 64
"""More units than these are reckoned with in lots of several."""
SMALL: Final = 0.02
"""A size of a smaller chance is not looked at by itself but counts as the next larger one."""
NEGLIGIBLE: Final = 0.1
"""A loss below this part of what is sold is none."""
CALM: Final = 0.05
"""Where no line loses more than this part of what it sells, all listings show all, and nothing more is reckoned."""
ROUNDS: Final = 5
"""How often all listings are gone through at most; two or three times settle nearly all."""
RUSH: Final = 3.0
"""Of a rush that takes more than so many times what is there within the lags, no more is looked at."""
HASTE: Final = 1.15
"""Rates are taken for so much higher: what is oversold is oversold when they are above their mean."""
TIED: Final = 1e-12
"""A choice that is not better by more than this is no better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A listing as the exposure sees it.

    `share` is its part of the demand (any unit, the same for all). `heard_s`: from a sale there until we know of it.
    `visible_s`: from our decision until it shows. `still` is what it may show until an open write is visible, 0 for
    nothing beyond its target. `most` is the most that it can show, None for all: a policy allows no more, or nothing
    can be written there.
    """

    share: float
    heard_s: float
    visible_s: float
    still: int = 0
    most: int | None = None

    @property
    def sells(self) -> bool:
        """Say whether shoppers can buy anything there."""
        return self.still > 0 or self.most is None or self.most > 0


def plenty(*, available: int, lines_per_s: float, longest_s: float, largest: int, loss: float) -> bool:
    """Say whether all listings can show all that is there: the early exit for most SKUs.

    `longest_s` is the longest time from a sale on one listing until it shows on another; `largest` the largest size. A
    line oversells at most itself, and only where so many others cross it, before or after, that all do not fit.
    """
    return _never_dear(available, lines=2.0 * HASTE * lines_per_s * longest_s, largest=largest, loss=loss)


def _never_dear(available: int, *, lines: float, largest: int, loss: float) -> bool:
    """Say whether a unit that is sold always outweighs what it may oversell, where so many lines cross another."""
    needed = max(1, available // largest)
    return lines < needed and math.log(loss) + _log_reach(lines, needed) < math.log(NEGLIGIBLE)


def _log_reach(mean: float, lines: int) -> float:
    """Return the logarithm of a bound on the chance of so many lines or more, for lines above the mean."""
    if mean <= 0.0:
        return -math.inf
    shape, again = spread_of(mean)
    ways = math.lgamma(lines + shape) - math.lgamma(shape) - math.lgamma(lines + 1)
    first = ways + lines * math.log(again) + shape * math.log1p(-again)
    return first - math.log1p(-again * (lines + shape) / (lines + 1))


def targets(
    available: int, *, reach: Sequence[Reach], lines_per_s: float, sizes: Sequence[float], loss: float
) -> tuple[int, ...]:
    """Return what each listing should show, in their order.

    `lines_per_s` is the demand on all listings together, `sizes` the chances of lines of 1, 2, ... units, `loss` how
    many sold units one oversold unit costs.
    """
    mosts = [max(0, available if x.most is None else min(available, x.most)) for x in reach]
    whole = sum(x.share for x in reach)
    # Shoppers of a listing that shows nothing do not go elsewhere: its share of the demand is nobody's.
    open_ = [place for place, x in enumerate(reach) if x.sells]
    if available <= 0 or len(open_) < 2 or lines_per_s <= 0.0:
        return tuple(mosts)
    rates = [HASTE * lines_per_s * reach[place].share / whole for place in open_]
    found = _targets(available, reach=[reach[place] for place in open_], rates=rates, sizes=sizes, loss=loss)
    for place, units in zip(open_, found, strict=True):
        mosts[place] = min(mosts[place], units)
    return tuple(mosts)


def _targets(
    available: int, *, reach: Sequence[Reach], rates: Sequence[float], sizes: Sequence[float], loss: float
) -> tuple[int, ...]:
    """Return the same for listings that sell something, of so many lines per second; what one can show is not cut."""
    everywhere = (available,) * len(reach)
    crossing = [sum(rate * _lag_s(a, b) for rate, b in zip(rates, reach, strict=True) if a is not b) for a in reach]
    if _never_dear(available, lines=max(crossing), largest=len(sizes), loss=loss):
        return everywhere
    lot = -(-available // MOST_LOTS)
    lots, (part, folded) = available // lot, lots_of(_fold(sizes), lot=lot)
    own = [rate * (x.heard_s + x.visible_s) for rate, x in zip(rates, reach, strict=True)]
    if _calm(lots, lines=part * max(map(operator.add, crossing, own)), sizes=folded, loss=loss):
        return everywhere
    part *= _calmed(lots, lines=part * sum(own), sizes=folded)
    takers = [
        Taker(lines_per_s=rate * part, heard_s=x.heard_s, visible_s=x.visible_s, still=x.still // lot)
        for rate, x in zip(rates, reach, strict=True)
    ]
    mosts = [lots if x.most is None else min(lots, -(-x.most // lot)) for x in reach]
    # Beside one that shows no more than its limit, the others may show the rest.
    limits = {units for most in mosts if most < lots for units in (most, lots - most)}
    shown = choices(lots, folded, more=[*(x.still for x in takers), *limits])
    tops = [shown.index(most) for most in mosts]
    levels = _best(Shared(lots, takers=takers, sizes=folded, shown=shown, loss=loss), tops)
    return tuple(available if shown[level] == lots else shown[level] * lot for level in levels)


def _fold(sizes: Sequence[float]) -> list[tuple[int, float]]:
    """Return few sizes with their chances: a rare one counts as the next larger."""
    folded = []
    waiting = 0.0
    for size, chance in enumerate(sizes, 1):
        waiting += chance
        if waiting >= SMALL or size == len(sizes):
            folded.append((size, waiting))
            waiting = 0.0
    return folded


def _lag_s(a: Reach, b: Reach) -> float:
    """Return how close two lines on two listings have to be to be taken both, whichever is first, added up."""
    return a.heard_s + b.visible_s + b.heard_s + a.visible_s


def _calm(available: int, *, lines: float, sizes: Sizes, loss: float) -> bool:
    """Say whether a line of any size sells well more than it loses where all show all and so many lines cross it."""
    excess = _excess(lines, sizes=sizes, most=available)
    lost = [(units, loss * (excess[available - units] - excess[available])) for units, _ in sizes if units <= available]
    return all(dear < CALM * units for units, dear in lost)


def _calmed(available: int, *, lines: float, sizes: Sizes) -> float:
    """Return the part of a rush that is looked at.

    Where all is sold long before anybody hears of it, it matters who may take it, not that nobody can take more.
    """
    taken = lines * sum(units * chance for units, chance in sizes)
    return min(1.0, RUSH * available / taken)


def _excess(lines: float, *, sizes: Sizes, most: int) -> list[float]:
    """Return for d = 0 ... most the mean of what a random number of lines takes beyond d units, by Panjer's recursion.

    Panjer, Recursive evaluation of a family of compound distributions, ASTIN Bulletin 12 (1981).
    """
    shape, again = spread_of(lines)
    steps = [(size, again * chance, again * chance * (shape - 1.0) * size) for size, chance in sizes]
    chances = [(1.0 - again) ** shape]
    for units in range(1, most):
        chance = 0.0
        for size, step, more in steps:
            if size > units:
                break
            chance += (step + more / units) * chances[units - size]
        chances.append(chance)
    left = lines * sum(size * chance for size, chance in sizes)
    excess = [left]
    known = 0.0
    for chance in chances:
        known += chance
        left = max(0.0, left - 1.0 + known)
        excess.append(left)
    return excess


def _best(shared: Shared, tops: Sequence[int]) -> list[int]:
    """Return the best levels found from these starts: all listings show what they can, and only the strongest does.

    Where the strongest cannot show all, one start more is the strongest of those that can show most.
    """
    strongest_first = sorted(range(len(tops)), key=lambda j: (tops[j] > 0, shared.takers[j].lines_per_s, j))[::-1]
    best = _settle(shared, list(tops), tops=tops, order=strongest_first[::-1])
    if best == list(tops):
        return best
    widest = max(tops)
    for first in dict.fromkeys((strongest_first[0], next(j for j in strongest_first if tops[j] == widest))):
        start = [tops[j] if j == first else 0 for j in range(len(tops))]
        alone = _settle(shared, start, tops=tops, order=strongest_first)
        best = alone if shared.worth(alone) > shared.worth(best) else best
    return best


def _settle(shared: Shared, levels: list[int], *, tops: Sequence[int], order: Sequence[int]) -> list[int]:
    """Improve one listing after the other until each is best beside the others; none goes above its top."""
    settled = asked = 0
    while settled < len(order) and asked < ROUNDS * len(order):
        j = order[asked % len(order)]
        worths = shared.worths(j, levels)[: tops[j] + 1]
        level = int(worths.argmax())
        if worths[level] > worths[levels[j]] + TIED:
            levels[j], settled = level, 1
        else:
            settled += 1
        asked += 1
    return levels
