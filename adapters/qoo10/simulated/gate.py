"""How many calls are let in: the real limit is not published; ten a second are said to be safe by experience."""

from __future__ import annotations

from syncd.sdk.channel import Clock


class Gate:
    """A token bucket by the clock's steady time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: float | None = None
        self._at = clock.monotonic()
        self.turned_away = 0

    def lets_in(self, *, rate: float, burst: float) -> bool:
        """Take a token; says no, and counts that, when there is none."""
        now = self._clock.monotonic()
        left = burst if self._left is None else min(burst, self._left + (now - self._at) * rate)
        self._at = now
        let_in = left >= 1.0
        self._left = left - let_in
        self.turned_away += not let_in
        return let_in
