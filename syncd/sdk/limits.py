"""Rate budgets: token buckets and sliding windows that several takers share without ever spending more than there is.

A taker calls `take` before a request and `done` when its answer is here (`syncd.sdk.http.Client` does both). What a
channel says it has left (`correct`) is true for the moment of its answer: the cost of calls that are still in flight,
or that overlapped with the answered one, is taken off, for nobody knows whether the channel had counted them.

Takers wait in line: urgent ones first, then in the order in which they came. Others cannot be passed for ever: once
urgent ones took `PATIENCE` times what the first of the others asks for, that one is next. Only `take` waits; bound it
by `asyncio.timeout`.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeGuard

from syncd.sdk.channel import Clock
from syncd.sdk.errors import TransientError

__all__ = ["MOST_PENALTY_S", "MOST_WAITING", "Budget", "Window"]

MOST_WAITING = 10_000
"""Takers that may wait in one line."""
MOST_PENALTY_S = 3_600.0
"""The longest pause that one `penalize` makes; a longer one is asked for again by the next refused call."""
PATIENCE = 3.0
"""How many times its own cost urgent takers take at most while another one is first in its line."""
IN_FLIGHT_S = 120.0
"""A call without `done` counts as in flight for so long."""
_SLACK = 1e-6  # tokens that the rounding of seconds may lack


@dataclass(slots=True, eq=False)
class _Taker:
    """One who waits in line; `woken` is set when it should look again.

    `passed` is what urgent ones took while this one, not urgent, was the first in its line.
    """

    cost: float
    urgent: bool
    passed: float = 0.0
    woken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, kw_only=True)
class _Call:
    """A cost that was taken. `began` and `ended` are numbers in the order of what happened: times may be equal."""

    cost: float
    began_s: float
    began: int
    ended: int = 0


class _Flight:
    """Which calls the channel may not have counted yet when it said what is left."""

    def __init__(self) -> None:
        self._open: deque[_Call] = deque()
        self._closed: deque[_Call] = deque()
        self._numbers = itertools.count(1)
        self._overlapped = 0.0

    def begin(self, cost: float, now_s: float) -> None:
        """Note that a call starts."""
        self._open.append(_Call(cost=cost, began_s=now_s, began=next(self._numbers)))

    def end(self, cost: float) -> None:
        """Close the oldest call of `cost`: the one with the longest overlap."""
        call = next((call for call in self._open if call.cost == cost), None)
        if call is None:
            return
        self._open.remove(call)
        call.ended = next(self._numbers)
        self._overlapped = sum(other.cost for other in self._closed if other.ended > call.began)
        oldest = self._open[0].began if self._open else call.ended
        self._closed.append(call)
        while self._closed and self._closed[0].ended <= oldest:
            self._closed.popleft()

    def cost_open(self, now_s: float) -> float:
        """Return the cost of calls without an answer; one that never ended counts for `IN_FLIGHT_S`."""
        while self._open and self._open[0].began_s + IN_FLIGHT_S <= now_s:
            self._open.popleft()
        return sum(call.cost for call in self._open)

    def cost_uncounted(self, now_s: float) -> float:
        """Return the cost that the last ended call's answer may not hold: what is open, and what overlapped with it."""
        return self.cost_open(now_s) + self._overlapped


class _Line(ABC):
    """Who may take next, and when. A subclass knows how much there is."""

    def __init__(self, name: str, clock: Clock, reserve: float) -> None:
        if not 0.0 <= reserve < 1.0:
            raise ValueError(f"budget {name}: reserve {reserve} is not a share in [0, 1)")
        self.name = name
        self._clock = clock
        self._reserve = reserve
        self._barred_until_s = 0.0
        self._lines: dict[bool, deque[_Taker]] = {True: deque(), False: deque()}
        self._flight = _Flight()

    @abstractmethod
    def _missing_s(self, cost: float, *, kept: float, ahead: float, now_s: float) -> float:
        """Return seconds until `cost` is there with the share `kept` left over and `ahead` taken before."""

    @abstractmethod
    def _spend(self, cost: float, now_s: float) -> None:
        """Take `cost` off."""

    @abstractmethod
    def _give_back(self, cost: float, now_s: float) -> None:
        """Put `cost` back."""

    @property
    def in_flight(self) -> float:
        """The cost of calls whose answer is not here yet."""
        return self._flight.cost_open(self._clock.monotonic())

    def delay_s(self, cost: float, *, urgent: bool = True) -> float:
        """Return seconds until `cost` could be taken, those in line before it included; 0.0 when now."""
        ahead = sum(taker.cost for taker in self._lines[True])
        if urgent and (due := self._overdue()):
            ahead += due.cost
        if not urgent:
            ahead += sum(taker.cost for taker in self._lines[False])
        return self._due_s(cost, urgent=urgent, ahead=ahead)

    def take_now(self, cost: float, urgent: bool = True) -> bool:  # noqa: FBT001, FBT002  (reads well at the call)
        """Take `cost` if it is there and nobody waits before; otherwise change nothing and return False."""
        if self.delay_s(cost, urgent=urgent) > 0.0:
            return False
        self._book(cost, urgent=urgent)
        return True

    async def take(self, cost: float, *, urgent: bool = True) -> None:
        """Wait in line until `cost` is there, and take it. Cancelled, it has taken nothing.

        Raises `TransientError` (not sent) when `MOST_WAITING` wait already.
        """
        if self.take_now(cost, urgent):
            return
        taker = self._join(cost, urgent=urgent)
        try:
            while (wait_s := self._wait_s(taker)) != 0.0:
                await _pause(taker.woken, wait_s)
            self._book(cost, urgent=urgent)
        finally:
            self._lines[urgent].remove(taker)
            self._look_again()

    def done(self, cost: float) -> None:
        """Say that the answer of a call of `cost` is here; a `correct` right after it speaks of this call."""
        self._flight.end(cost)

    def refund(self, cost: float) -> None:
        """Put back what a call did not cost after all."""
        self._give_back(cost, self._clock.monotonic())
        self._look_again()

    def penalize(self, seconds: float) -> None:
        """Let nothing through for `seconds` (a Retry-After), at most `MOST_PENALTY_S`."""
        until_s = self._clock.monotonic() + min(max(seconds, 0.0), MOST_PENALTY_S)
        self._barred_until_s = max(self._barred_until_s, until_s)
        self._look_again()

    def _due_s(self, cost: float, *, urgent: bool, ahead: float) -> float:
        now_s = self._clock.monotonic()
        kept = 0.0 if urgent else self._reserve
        return max(self._missing_s(cost, kept=kept, ahead=ahead, now_s=now_s), self._barred_until_s - now_s, 0.0)

    def _book(self, cost: float, *, urgent: bool) -> None:
        now_s = self._clock.monotonic()
        if urgent and self._lines[False]:
            self._lines[False][0].passed += cost
        self._spend(cost, now_s)
        self._flight.begin(cost, now_s)

    def _join(self, cost: float, *, urgent: bool) -> _Taker:
        line = self._lines[urgent]
        if len(line) >= MOST_WAITING:
            raise TransientError(
                f"budget {self.name}: {MOST_WAITING} calls wait already", retry_after_s=1.0, sent=False
            )
        taker = _Taker(cost, urgent)
        line.append(taker)
        return taker

    def _wait_s(self, taker: _Taker) -> float | None:
        """Return how long this taker waits before it looks again; None until it is woken; 0.0 when it may take."""
        due = self._overdue()
        first = due or (self._lines[True] or self._lines[False])[0]
        return self._due_s(taker.cost, urgent=taker.urgent or due is taker, ahead=0.0) if first is taker else None

    def _overdue(self) -> _Taker | None:
        """Return the one that urgent takers passed long enough, None where there is none."""
        first = self._lines[False][0] if self._lines[False] else None
        return first if first is not None and first.passed >= PATIENCE * first.cost else None

    def _look_again(self) -> None:
        for line in self._lines.values():
            if line:
                line[0].woken.set()


async def _pause(woken: asyncio.Event, wait_s: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await woken.wait()
    woken.clear()


class Budget(_Line):
    """A token bucket of `capacity` that refills by `rate_per_s`; full at the start.

    Takers that are not urgent leave the share `reserve` of the capacity to urgent ones. A cost above the capacity is
    taken when the bucket is full, and leaves a debt.
    """

    def __init__(self, name: str, *, capacity: float, rate_per_s: float, clock: Clock, reserve: float = 0.0) -> None:
        super().__init__(name, clock, reserve)
        if capacity <= 0.0 or rate_per_s <= 0.0:
            raise ValueError(f"budget {name}: capacity and rate must be above zero")
        self._capacity = capacity
        self._rate_per_s = rate_per_s
        self._level = capacity
        self._level_at_s = clock.monotonic()

    @property
    def capacity(self) -> float:
        """The most tokens that the bucket holds."""
        return self._capacity

    @property
    def rate_per_s(self) -> float:
        """Tokens that come back each second."""
        return self._rate_per_s

    @property
    def available(self) -> float:
        """The tokens that are there now; below zero is a debt."""
        return self._level_now(self._clock.monotonic())

    def correct(
        self, *, available: float | None = None, capacity: float | None = None, rate_per_s: float | None = None
    ) -> None:
        """Believe what the channel answered: tokens left, the bucket's size, its refill. None keeps what is known.

        Figures that cannot be (not finite, a size or refill of zero or less) are not believed.
        """
        now_s = self._clock.monotonic()
        self._level_now(now_s)
        if _is_size(capacity):
            self._capacity = capacity
        if _is_size(rate_per_s):
            self._rate_per_s = rate_per_s
        if available is not None and math.isfinite(available):
            self._level = available - self._flight.cost_uncounted(now_s)
        self._level = min(self._level, self._capacity)
        self._look_again()

    def penalize(self, seconds: float) -> None:
        """Let nothing through for `seconds`; the bucket is empty, for the channel has just said so."""
        self._level = min(self._level_now(self._clock.monotonic()), 0.0)
        super().penalize(seconds)

    def _level_now(self, now_s: float) -> float:
        refilled = self._level + (now_s - self._level_at_s) * self._rate_per_s
        self._level, self._level_at_s = min(refilled, self._capacity), now_s
        return self._level

    def _missing_s(self, cost: float, *, kept: float, ahead: float, now_s: float) -> float:
        needed = min(cost + kept * self._capacity, self._capacity) + ahead
        missing = needed - self._level_now(now_s)
        return missing / self._rate_per_s if missing > _SLACK else 0.0

    def _spend(self, cost: float, now_s: float) -> None:
        self._level = self._level_now(now_s) - cost

    def _give_back(self, cost: float, now_s: float) -> None:
        self._level = min(self._level_now(now_s) + cost, self._capacity)


class Window(_Line):
    """At most `calls` in any `per_s` seconds (an API of "100 a minute"); takers that are not urgent leave `reserve`.

    A call counts from the moment it was taken until `per_s + margin_s` later; `margin_s` is for calls that reach the
    channel closer together than they were sent.
    """

    def __init__(
        self, name: str, *, calls: int, per_s: float, clock: Clock, reserve: float = 0.0, margin_s: float = 0.0
    ) -> None:
        super().__init__(name, clock, reserve)
        if calls <= 0 or per_s <= 0.0 or margin_s < 0.0:
            raise ValueError(f"window {name}: calls and seconds must be above zero")
        self._calls = float(calls)
        self._held_s = per_s + margin_s
        self._taken: deque[tuple[float, float]] = deque()  # (when, cost), oldest first
        self._used = 0.0

    @property
    def available(self) -> float:
        """The calls that fit into the window now."""
        self._forget(self._clock.monotonic())
        return self._calls - self._used

    def _forget(self, now_s: float) -> None:
        while self._taken and self._taken[0][0] + self._held_s <= now_s + _SLACK:
            self._used -= self._taken.popleft()[1]

    def _missing_s(self, cost: float, *, kept: float, ahead: float, now_s: float) -> float:
        self._forget(now_s)
        needed = min(cost + kept * self._calls, self._calls) + ahead
        missing = needed - (self._calls - self._used)
        if missing <= _SLACK:
            return 0.0
        for taken_at_s, taken in self._taken:
            missing -= taken
            if missing <= _SLACK:
                return max(taken_at_s + self._held_s - now_s, _SLACK)
        # More wait ahead than one window holds: each further window takes its full length.
        return self._held_s * (1 + math.ceil(missing / self._calls))

    def _spend(self, cost: float, now_s: float) -> None:
        self._taken.append((now_s, cost))
        self._used += cost

    def _give_back(self, cost: float, now_s: float) -> None:
        self._forget(now_s)
        while cost > 0.0 and self._taken:
            taken_at_s, taken = self._taken.pop()
            if taken > cost:
                self._taken.append((taken_at_s, taken - cost))
            self._used -= min(taken, cost)
            cost -= taken


def _is_size(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value) and value > 0.0
