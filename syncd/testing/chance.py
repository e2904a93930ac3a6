"""Repeatable randomness for simulations."""

from __future__ import annotations

import random
from typing import Any


class SeededRandom:
    """Callable for numbers in [0, 1), as `Context.random`; equal seeds give equal numbers in every process."""

    __slots__ = ("_source",)

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)  # noqa: S311  (repeatable on purpose, nothing secret is made of it)

    def __call__(self) -> float:
        """Return a number in [0, 1)."""
        return self._source.random()

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes."""
        return self._source.randbytes(count)

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self._source.random()

    def happens(self, chance: float) -> bool:
        """Say yes with this chance; a chance of zero draws nothing, so that later numbers stay as they are."""
        return chance > 0.0 and self._source.random() < chance

    def shuffle(self, things: list[Any]) -> None:
        """Bring `things` into a random order, in place."""
        self._source.shuffle(things)
