"""How long something takes, as a running distribution that forgets: fixed memory, no clock, no list of measurements.

A lag falls into one of a fixed number of classes whose bounds grow by a fixed factor. A measurement weighs half as much
as one that is a half-life younger: weights grow with time instead of old ones being made smaller, so that adding one is
a few operations whatever is in there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from math import log2
from typing import Final

from syncd.core.terms import SECOND_US, Instant

HALF_LIFE_S: Final = 86_400.0
"""After so long a measurement weighs half."""
LEAST_S: Final = 0.001
"""Shorter lags are one class."""
PER_DOUBLING: Final = 8
"""Classes from a lag to its double: a quantile is off by less than 10 %."""
CLASSES: Final = 1 + 31 * PER_DOUBLING
"""The last class begins at about 23 days and holds all that is longer."""
MOST_HALF_LIVES: Final = 40.0
"""After so many half-lives the weights are brought down again."""
NEGLIGIBLE: Final = 1e-6
"""What weighs less is not kept over a restart."""


class Stage(StrEnum):
    """What a lag lies between."""

    FEED = "feed"
    """A sale, and our decision on it; it was heard of by the order feed."""
    MESSAGE = "message"
    """The same; it was heard of by a webhook or a queue."""
    ANSWER = "answer"
    """The decision that a listing is to fall, and the channel's answer to the write."""
    FALL = "fall"
    """The same decision, and the number in effect: by that answer where it is certain, else by a reading."""
    RAISE = "raise"
    """The decision that a listing is to rise, and the number in effect; raises are damped, so it tells of us too."""


KNOWLEDGE: Final = (Stage.FEED, Stage.MESSAGE)
"""The stages that tell how late we hear of a sale."""


def class_of(lag_s: float) -> int:
    """Return the number of the class that a lag falls into; below zero is as zero."""
    if lag_s < LEAST_S:
        return 0
    return min(CLASSES - 1, 1 + int(log2(lag_s / LEAST_S) * PER_DOUBLING))


def bound_s(number: int) -> float:
    """Return where a class begins; the first one begins at 0."""
    return 0.0 if number == 0 else LEAST_S * 2.0 ** ((number - 1) / PER_DOUBLING)


def _no_weights() -> list[float]:
    return [0.0] * CLASSES


@dataclass(slots=True, kw_only=True)
class Distribution:
    """Weights of the classes. One that is as old as `origin` weighs 1; `latest` is when the last one was added."""

    origin: Instant = 0
    latest: Instant = 0
    weights: list[float] = field(default_factory=_no_weights)

    def add(self, lag_s: float, *, at: Instant) -> None:
        """Take a measurement made at `at`; they may come in any order."""
        age = (at - self.origin) / (HALF_LIFE_S * SECOND_US)
        if age > MOST_HALF_LIVES:
            self._move_origin(at, age)
            age = 0.0
        self.weights[class_of(lag_s)] += 2.0**age
        self.latest = max(self.latest, at)

    def _move_origin(self, at: Instant, half_lives: float) -> None:
        factor = 2.0**-half_lives
        self.weights = [weight * factor for weight in self.weights]
        self.origin = at

    def count(self, at: Instant) -> float:
        """Return how many measurements it holds as of `at`, each by what it still weighs."""
        age = (at - self.origin) / (HALF_LIFE_S * SECOND_US)
        fading: float = 2.0 ** -max(0.0, age)
        return sum(self.weights) * fading

    def kept(self) -> dict[int, float]:
        """Return what each class weighs as of `latest`, without what is negligible: for a restart."""
        factor = 2.0 ** ((self.origin - self.latest) / (HALF_LIFE_S * SECOND_US))
        found = {number: weight * factor for number, weight in enumerate(self.weights)}
        return {number: weight for number, weight in found.items() if weight >= NEGLIGIBLE}


def restored(kept: Mapping[int, float], *, latest: Instant) -> Distribution:
    """Return the distribution of which this was kept; classes that there are none of are left out."""
    weights = _no_weights()
    for number, weight in kept.items():
        if 0 <= number < CLASSES:
            weights[number] = max(0.0, weight)
    return Distribution(origin=latest, latest=latest, weights=weights)


def merged(parts: Sequence[Distribution]) -> Distribution:
    """Return all measurements of several distributions in one."""
    origin = max((part.origin for part in parts), default=0)
    weights = _no_weights()
    for part in parts:
        factor = 2.0 ** ((part.origin - origin) / (HALF_LIFE_S * SECOND_US))
        weights = [mine + theirs * factor for mine, theirs in zip(weights, part.weights, strict=True)]
    return Distribution(origin=origin, latest=max((part.latest for part in parts), default=0), weights=weights)


def quantile(distribution: Distribution, share: float) -> float | None:
    """Return the lag in seconds that `share` (0 to 1) of the measurements do not exceed; None where there are none.

    Within a class lags are taken as evenly spread. In the last class it is where that begins.
    """
    assert 0.0 <= share <= 1.0, "a share is from 0 to 1"
    sums = list(accumulate(distribution.weights))
    if sums[-1] <= 0.0:
        return None
    wanted = share * sums[-1]
    number = next(n for n, reached in enumerate(sums) if reached >= wanted and distribution.weights[n] > 0.0)
    inside = (wanted - (sums[number] - distribution.weights[number])) / distribution.weights[number]
    begin, end = bound_s(number), bound_s(min(number + 1, CLASSES - 1))
    return begin + (end - begin) * min(1.0, max(0.0, inside))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A distribution in few numbers: lags in seconds, `count` measurements by what they still weigh."""

    stage: Stage
    count: float
    p50_s: float
    p95_s: float
    p99_s: float


def figures(stage: Stage, distribution: Distribution, *, at: Instant) -> Figures | None:
    """Return the figures of a distribution as of `at`, None where nothing was measured."""
    p50, p95, p99 = (quantile(distribution, share) for share in (0.5, 0.95, 0.99))
    if p50 is None or p95 is None or p99 is None:
        return None
    return Figures(stage=stage, count=distribution.count(at), p50_s=p50, p95_s=p95, p99_s=p99)


def differs(before: float | None, now: float | None, *, share: float) -> bool:
    """Say whether a lag is by more than `share` of the former one another one; to be known at all is another one."""
    if before is None or now is None:
        return before is not now
    return abs(now - before) > share * before
