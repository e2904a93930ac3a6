"""A clock that follows an event loop, for virtual time."""

from __future__ import annotations

import asyncio

from syncd.core.terms import SECOND_US, Instant


class LoopClock:
    """A `Clock` on an event loop's time; at its making it is `start`."""

    __slots__ = ("_began_s", "_loop", "_start")

    def __init__(self, loop: asyncio.AbstractEventLoop, start: Instant) -> None:
        self._loop = loop
        self._start = start
        self._began_s = loop.time()

    def now(self) -> Instant:
        """Return `start` and the loop's time since then."""
        return self._start + round((self._loop.time() - self._began_s) * SECOND_US)

    def monotonic(self) -> float:
        """Return the loop's own time in seconds."""
        return self._loop.time()
