"""What listings take of units that they share, and what of that is oversold: the model behind adaptive exposure.

A line that comes to a listing meets a number that was decided `visible_s` before, from what had been heard of by then.
What other listings took in their `heard_s` before that, and since, is not in that number: these units may be gone. What
the listing took itself is in it, for it counts its own sales down at once. A listing takes a line whole while it shows
enough; so what it takes within a time is a random number of lines that walks up to what it shows and stops there. A
listing whose writes show sooner than those of the one that is looked at is decided again meanwhile: what it takes ends
only with what there is, though no line is larger than what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

MOST_LINES: Final = 64
"""So many lines within a lag, or more, are taken for so many: they sell out what there is."""
FEWEST: Final = 1e-9
"""No mean number of lines is taken for smaller."""
SPREAD: Final = 2.0
"""Lines of a SKU come in clusters, and nobody knows its rate for certain: how many come within a time is a Poisson
number whose mean has a gamma distribution of this shape, more where many are to come. Two are half as often again as
many close together as chance would have it; in the orders of a gift shop they are 1.1 to 1.6 times as many."""
PARTS: Final = (1.5, 2.0, 3.0, 4.0)
"""Beside the sizes of lines and all there is, a listing may show so many times the largest size."""
STEP: Final = 16
"""Spectra have a length that is a multiple of this, which keeps their computation fast."""

Reals = npt.NDArray[np.float64]
Spectra = npt.NDArray[np.complex128]
Sizes = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """A listing: its lines per second, its lags, and what it goes on showing for now, whatever is decided."""

    lines_per_s: float
    heard_s: float
    visible_s: float
    still: int = 0


def lots_of(sizes: Sizes, *, lot: int) -> tuple[float, list[tuple[int, float]]]:
    """Return which part of the lines takes a lot of so many units or more, and the sizes of these, in lots.

    The mean stays what it is: a size between two numbers of lots counts as both, by parts.
    """
    found: dict[int, float] = {}
    for units, chance in sizes:
        whole, rest = divmod(units, lot)
        for lots, part in ((whole, 1.0 - rest / lot), (whole + 1, rest / lot)):
            if lots and part:
                found[lots] = found.get(lots, 0.0) + chance * part
    kept = sum(found.values())
    return kept, [(lots, chance / kept) for lots, chance in sorted(found.items())]


def choices(available: int, sizes: Sizes, *, more: Sequence[int] = ()) -> list[int]:
    """Return the numbers that a listing may show, rising, from 0 to all that is available; `more` are among them."""
    largest = sizes[-1][0]
    found = {0, available, *(units for units, _ in sizes), *(int(part * largest) for part in PARTS), *more}
    return sorted(units for units in found if units <= available)


class Shared:
    """One decision: what the listings sell and oversell, for every number of `shown` on each; lives as long as it.

    All units are in lots. `levels` are places in `shown`, one for each listing. `loss` is how many sold units one
    oversold unit costs.
    """

    def __init__(self, available: int, *, takers: Sequence[Taker], sizes: Sizes, shown: Sequence[int], loss: float):
        self.available = available
        self.takers = takers
        self.shown = np.array(shown)
        self.every = np.arange(len(takers))
        fitting = [(units, chance) for units, chance in sizes if units <= available]
        own, theirs = self._taken(fitting)
        gain, cost = self._weighed(own, fitting, loss)
        self._transform(theirs, gain, cost)

    def worths(self, listing: int, levels: Sequence[int]) -> Reals:
        """Return for each choice of one listing what all sell less what they lose, while the others stay as they are.

        What it changes nothing of is left out.
        """
        beside = self.together[self.every, :, levels]
        beside[listing] = 1.0
        others = np.multiply.reduce(beside, axis=0)
        behind = self.kept[self.every, levels] * others
        behind[listing] = 0.0
        mine = self.kept[listing] @ others[listing]
        theirs = np.einsum("jcf,jf->c", self.together[listing], behind)
        found: Reals = self.base[listing] + (mine + theirs).real
        return found

    def worth(self, levels: Sequence[int]) -> float:
        """Return what all listings sell per second less what they lose, in lots."""
        others = np.multiply.reduce(self.together[self.every, :, levels], axis=0)
        found = self.base[self.every, levels] + (self.kept[self.every, levels] * others).real.sum(axis=1)
        return float(found.sum())

    def _taken(self, sizes: Sizes) -> tuple[Reals, Reals]:
        """Return the chances of what is taken by a listing within its own lag, and by one within the lag to another.

        The first are (listing, choice, units), the others (from, to, choice, units).
        """
        rates = np.array([x.lines_per_s for x in self.takers])
        heard_s = np.array([x.heard_s for x in self.takers])
        visible_s = np.array([x.visible_s for x in self.takers])
        chances = line_chances(rates[:, None] * (heard_s[:, None] + visible_s[None, :]))
        # Walks that end with what is shown, then those that end with what there is.
        ends = np.concatenate((self.shown, np.where(self.shown > 0, self.available, 0)))
        largest = np.concatenate((self.shown, self.shown))
        walked = np.tensordot(chances, self._walks(sizes, ends, largest, lines=chances.shape[2]), axes=1)
        count = len(self.shown)
        sooner = (visible_s[None, :] > visible_s[:, None])[:, :, None, None]
        found = np.where(sooner, walked[:, :, count:], walked[:, :, :count])
        own = found[self.every, self.every].copy()
        for i, taker in enumerate(self.takers):
            if taker.still:
                held = np.searchsorted(self.shown, np.maximum(self.shown, min(taker.still, self.available)))
                found[i] = found[i][:, held]
        return own, found

    def _walks(self, sizes: Sizes, ends: npt.NDArray[np.int64], largest: npt.NDArray[np.int64], *, lines: int) -> Reals:
        """Return the chances of the units that 0, 1, 2, ... lines take (lines, walk, units).

        A walk takes no line above its `largest`, and none that would take it beyond its end.
        """
        most = self.available
        places = np.arange(most + 1)
        step = places[None, :] - places[:, None]
        chances = np.zeros(2 * most + 1)
        for units, chance in sizes:
            chances[most + units] = chance
        moves = chances[most + step] * ((places <= ends[:, None, None]) & (step <= largest[:, None, None]))
        moves[:, places, places] = 1.0 - moves.sum(axis=2)
        found = np.zeros((lines, len(ends), most + 1))
        found[0, :, 0] = 1.0
        for number in range(1, lines):
            found[number] = np.matmul(found[number - 1][:, None, :], moves)[:, 0, :]
        return found

    def _weighed(self, own: Reals, sizes: Sizes, loss: float) -> tuple[Reals, Reals]:
        """Return per second what each listing takes by what it shows, and what of that is lost by what others took.

        The first are (listing, choice); the others are (listing, choice, units that others took before).
        """
        places = np.arange(self.available + 1)
        short = [np.zeros(self.available + 1)]
        taken = [0.0]
        for units, chance in sizes:
            missing = np.minimum(units, np.maximum(0, units - self.available + places))
            short.append(short[-1] + (1.0 + loss) * chance * missing)
            taken.append(taken[-1] + units * chance)
        fitting = np.searchsorted([units for units, _ in sizes], places, side="right")
        left = np.maximum(0, self.shown[:, None] - places)
        level = fitting[left]
        gone = np.minimum(self.available, places[:, None] + places)
        costs = np.array(short)[level[:, :, None], gone[None, :, :]]
        rates = np.array([x.lines_per_s for x in self.takers])
        gain = rates[:, None] * (own * np.array(taken)[level]).sum(axis=2)
        cost = rates[:, None, None] * np.matmul(own.transpose(1, 0, 2), costs).transpose(1, 0, 2)
        return gain, cost

    def _transform(self, taken: Reals, gain: Reals, cost: Reals) -> None:
        """Turn chances and costs into spectra: where these are multiplied, the units of several listings add up.

        From all that is there on, a cost stays what it is; so only fewer units are looked at, as what is still kept.
        """
        most = self.available
        length = -(-max(1, len(self.takers) - 1) * most // STEP) * STEP
        self.together: Spectra = np.fft.rfft(taken[..., :most], n=length)
        self.together[self.every, self.every] = 1.0
        weights = np.full(length // 2 + 1, 2.0 / length)
        weights[[0, -1]] = 1.0 / length
        self.kept: Spectra = np.conj(np.fft.rfft(cost[..., most:] - cost[..., :most], n=length)) * weights
        self.base: Reals = gain - cost[..., most]


Number = TypeVar("Number", float, Reals)


def spread_of(mean: Number) -> tuple[Number, Number]:
    """Return the shape and the chance of one more of the negative binomial number of lines of this mean."""
    shape = mean + SPREAD
    return shape, mean / (mean + shape)


def line_chances(means: Reals) -> Reals:
    """Return the chances of 0, 1, 2, ... lines along one more axis, for each mean; the last holds all that is more."""
    highest = float(means.max())
    count = min(MOST_LINES, 5 + math.ceil(highest + 8.0 * math.sqrt(highest)))
    more = np.maximum(FEWEST, means)
    shape, again = spread_of(more)
    found = np.empty((*means.shape, count))
    found[..., 0] = (1.0 - again) ** shape
    for number in range(1, count):
        found[..., number] = found[..., number - 1] * again * (number - 1 + shape) / number
    found[..., -1] += np.maximum(0.0, 1.0 - found.sum(axis=-1))
    return found
