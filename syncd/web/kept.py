"""Answers that are kept for a while, so that asking often costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from syncd.sdk.channel import Clock

T = TypeVar("T")


class Kept(Generic[T]):
    """One answer, asked for anew when it is older than `seconds`; those who ask at once share one question."""

    def __init__(self, ask: Callable[[], Awaitable[T]], *, seconds: float, clock: Clock) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._turn = asyncio.Lock()
        self._answer: tuple[float, T] | None = None

    async def get(self) -> T:
        """Return the answer; raises what asking raises, and asks again the next time."""
        async with self._turn:
            now = self._clock.monotonic()
            if self._answer is None or now - self._answer[0] >= self._seconds:
                self._answer = (self._clock.monotonic(), await self._ask())
            return self._answer[1]
