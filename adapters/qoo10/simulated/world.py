"""What every part of the simulated shop shares: its time, its luck, its knobs, and what is going to happen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from adapters.qoo10.simulated.knobs import Knobs, Seconds
from adapters.qoo10.simulated.times import SECOND_US, today
from syncd.sdk.channel import Clock, Instant
from syncd.testing.chance import SeededRandom
from syncd.testing.sales import Agenda


class World:
    """Time and chance. Nothing runs by itself: what is due happens, as of its time, when somebody settles."""

    def __init__(self, *, clock: Clock, random: SeededRandom, scale: Callable[[], float]) -> None:
        self.clock = clock
        self.random = random
        self.knobs = Knobs()
        self.scale = scale
        self._agenda = Agenda()

    def settle(self) -> Instant:
        """Let everything happen that is due; return the time."""
        now = self.clock.now()
        self._agenda.settle(now)
        return now

    def later(self, at: Instant, action: Callable[[Instant], object]) -> None:
        """Let something happen at a time."""
        self._agenda.add(at, action)

    def drawn_us(self, delay: Seconds) -> int:
        """Draw a delay, in microseconds."""
        return round(self.random.between(*delay) * self.scale() * SECOND_US)

    def day(self, at: Instant | None = None) -> date:
        """Return the day in Japan, of now or of a time."""
        return today(self.clock.now() if at is None else at)
