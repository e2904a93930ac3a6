"""A clock that moves only when it is told to."""

from __future__ import annotations

from syncd.core.terms import SECOND_US, Instant
from syncd.sdk.channel import Clock

START: Instant = 1_790_812_800_700_000
"""2026-10-01 00:00:00.7 UTC: not a whole second, so that a time that was cut to seconds is seen to be cut."""


class ManualClock:
    """A `Clock` for tests; `advance` moves both its times."""

    __slots__ = ("_now", "_seconds")

    def __init__(self, start: Instant = START) -> None:
        self._now = start
        self._seconds = 1_000.0

    def now(self) -> Instant:
        """Return the wall time."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; raises `ValueError` for less than none."""
        if seconds < 0.0:
            raise ValueError("time does not go back")
        self._now += round(seconds * SECOND_US)
        self._seconds += seconds


class LeapingClock:
    """A `Clock` that follows another one and can be moved ahead of it: hours pass without waiting for them."""

    __slots__ = ("_clock", "_leapt_s")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leapt_s = 0.0

    def now(self) -> Instant:
        """Return the wall time, leaps included."""
        return self._clock.now() + round(self._leapt_s * SECOND_US)

    def monotonic(self) -> float:
        """Return seconds, leaps included."""
        return self._clock.monotonic() + self._leapt_s

    def advance(self, seconds: float) -> None:
        """Leap ahead; raises `ValueError` for less than nothing."""
        if seconds < 0.0:
            raise ValueError("time does not go back")
        self._leapt_s += seconds
