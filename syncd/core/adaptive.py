"""What each listing of a SKU may show, from demand, lag and what an oversold unit costs: pool, allotments or between.

A line that one listing takes is oversold by what the others took and we, or they, have not heard of. With lines of
random sizes at a rate, that is a pair of lines closer together than the lag between the two listings: the time until we
hear of the first and until our write shows on the second. A target is good where what it sells is worth more than what
such pairs oversell; the targets of all listings are chosen together, because each pair has two ends.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SMALL: Final = 0.02
"""A size of a smaller chance is not looked at by itself but counts as the next larger one."""
NEGLIGIBLE: Final = 0.1
"""A loss below this part of what is sold is none."""
BACKGROUND: Final = 1.0
"""Which part of what all listings take within the lags stands behind a pair. A half is the mean over its course; where
lines come close together, listings still take what they are no longer meant to take, and one is better."""
ROUNDS: Final = 6
"""How often all listings are gone through at most; two or three times settle nearly all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A listing as the exposure sees it.

    `share` is its part of the demand (any unit, the same for all). `heard_s`: from a sale there until we know of it.
    `visible_s`: from our decision until it shows. `still` is what it may show until an open write is visible, 0 for
    nothing beyond its target.
    """

    share: float
    heard_s: float
    visible_s: float
    still: int = 0


def plenty(*, available: int, lines_per_s: float, longest_s: float, largest: int, loss: float) -> bool:
    """Say whether all listings can show all that is there: the early exit for most SKUs.

    `longest_s` is the longest time from a sale on one listing until it shows on another; `largest` the largest size. A
    line oversells at most itself, and only where so many others cross it, before or after, that all do not fit.
    """
    return _never_dear(available, lines=2.0 * lines_per_s * longest_s, largest=largest, loss=loss)


def _never_dear(available: int, *, lines: float, largest: int, loss: float) -> bool:
    """Say whether a unit that is sold always outweighs what it may oversell, where so many lines cross another."""
    needed = max(1, available // largest)
    return lines < needed and math.log(loss) + _log_reach(lines, needed) < math.log(NEGLIGIBLE)


def _log_reach(mean: float, lines: int) -> float:
    """Return the logarithm of a bound on P(Poisson(mean) >= lines), for lines above the mean."""
    if mean <= 0.0:
        return -math.inf
    return lines * math.log(mean) - mean - math.lgamma(lines + 1) - math.log1p(-mean / (lines + 1))


def targets(
    available: int, *, reach: Sequence[Reach], lines_per_s: float, sizes: Sequence[float], loss: float
) -> tuple[int, ...]:
    """Return what each listing should show, in their order.

    `lines_per_s` is the demand on all listings together, `sizes` the chances of lines of 1, 2, ... units, `loss` how
    many sold units one oversold unit costs.
    """
    if available <= 0:
        return (0,) * len(reach)
    if len(reach) < 2 or lines_per_s <= 0.0:
        return (available,) * len(reach)
    whole = sum(x.share for x in reach)
    speed = [lines_per_s * x.share / whole for x in reach]
    lags = [[0.0 if a is b else _lag_s(a, b) for b in reach] for a in reach]
    lines = max(sum(map(operator.mul, speed, row)) for row in lags)
    if _never_dear(available, lines=lines, largest=len(sizes), loss=loss):
        return (available,) * len(reach)
    field = _field(available, reach=reach, lines_per_s=lines_per_s, sizes=sizes, loss=loss)
    return field.targets(_best(field))


class _Field:
    """One decision: gains and losses of all sizes on all listings; lives within one call of `targets`.

    `gain[k]` is what a line of the k-th size sells, weighed with its chance; `loss[n][k]` what it oversells against a
    listing that takes the first n sizes, per unit of `pair`; `floor` how many sizes a listing takes at least for now.
    """

    __slots__ = ("available", "floor", "gain", "loss", "pair", "sizes", "speed")

    def __init__(
        self,
        *,
        available: int,
        sizes: Sequence[int],
        gain: Sequence[float],
        loss: Sequence[Sequence[float]],
        speed: Sequence[float],
        pair: Sequence[Sequence[float]],
        floor: Sequence[int],
    ) -> None:
        self.available = available
        self.sizes = sizes
        self.gain = gain
        self.loss = loss
        self.speed = speed
        self.pair = pair
        self.floor = floor

    def targets(self, levels: Sequence[int]) -> tuple[int, ...]:
        """Return what to show where the first so many sizes are to be taken."""
        full = len(self.sizes)
        return tuple(self.available if n == full else self.sizes[n - 1] if n else 0 for n in levels)

    def worth(self, levels: Sequence[int]) -> float:
        """Return what is sold less what is lost per second."""
        total = 0.0
        for j, mine in enumerate(levels):
            total += self.speed[j] * sum(self.gain[:mine])
            for i in range(j):
                other = max(levels[i], self.floor[i])
                total -= self.pair[i][j] * sum(self.loss[other][:mine])
        return total

    def best_level(self, j: int, levels: Sequence[int]) -> int:
        """Return how many sizes listing j should take while the others stay as they are."""
        others = [
            (self.pair[i][j], self.loss[max(levels[i], self.floor[i])])
            for i in range(len(levels))
            if i != j and (levels[i] or self.floor[i])
        ]
        speed = self.speed[j]
        best = total = 0.0
        level = 0
        for k, gain in enumerate(self.gain):
            total += speed * gain
            for weight, row in others:
                total -= weight * row[k]
            if total >= best:
                best, level = total, k + 1
        return level


def _field(
    available: int, *, reach: Sequence[Reach], lines_per_s: float, sizes: Sequence[float], loss: float
) -> _Field:
    whole = sum(x.share for x in reach)
    speed = [lines_per_s * x.share / whole for x in reach]
    pair = [[speed[i] * speed[j] * _lag_s(a, b) for j, b in enumerate(reach)] for i, a in enumerate(reach)]
    folded = _fold(sizes)
    lines = BACKGROUND * sum(map(sum, pair)) / (2 * lines_per_s)
    excess = _excess(lines, sizes=folded, most=available)
    kept = [(size, chance) for size, chance in folded if size <= available]
    row = [0.0] * len(kept)
    rows = [row]
    for size, chance in kept:
        weight, alone, left = loss * chance, excess[available - size], available - size
        row = [
            before + weight * other * _beyond(excess, left - units, (alone + excess[available - units]) / 2)
            for before, (units, other) in zip(row, kept, strict=True)
        ]
        rows.append(row)
    return _Field(
        available=available,
        sizes=[size for size, _ in kept],
        gain=[size * chance for size, chance in kept],
        loss=rows,
        speed=speed,
        pair=pair,
        floor=[sum(size <= x.still for size, _ in kept) for x in reach],
    )


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


def _beyond(excess: Sequence[float], left: int, alone: float) -> float:
    """Return the units that two lines oversell together beyond what each does alone; they leave `left` units."""
    return max(0.0, (excess[left] if left >= 0 else excess[0] - left) - alone)


def _excess(lines: float, *, sizes: Sequence[tuple[int, float]], most: int) -> list[float]:
    """Return for d = 0 ... most the mean of what a Poisson number of lines takes beyond d units."""
    steps = [(size, lines * size * chance) for size, chance in sizes]
    chances = [math.exp(-lines)]
    for units in range(1, most):
        chance = 0.0
        for size, step in steps:
            if size > units:
                break
            chance += step * chances[units - size]
        chances.append(chance / units)
    left = sum(step for _, step in steps)
    excess = [left]
    known = 0.0
    for chance in chances:
        known += chance
        left = max(0.0, left - 1.0 + known)
        excess.append(left)
    return excess


def _best(field: _Field) -> list[int]:
    """Return the best levels found from two starts: all listings open, and only the strongest."""
    full = len(field.sizes)
    weakest_first = sorted(range(len(field.speed)), key=lambda j: (field.speed[j], j))
    strongest = weakest_first[-1]
    pool = _settle(field, [full] * len(weakest_first), weakest_first)
    if all(level == full for level in pool):
        return pool
    alone = _settle(field, [full if j == strongest else 0 for j in range(len(weakest_first))], weakest_first[::-1])
    return alone if field.worth(alone) > field.worth(pool) else pool


def _settle(field: _Field, levels: list[int], order: Sequence[int]) -> list[int]:
    """Improve one listing after the other until each is best beside the others."""
    settled = asked = 0
    while settled < len(order) and asked < ROUNDS * len(order):
        j = order[asked % len(order)]
        level = field.best_level(j, levels)
        settled = settled + 1 if level == levels[j] else 1
        levels[j] = level
        asked += 1
    return levels
