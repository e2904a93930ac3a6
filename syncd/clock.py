"""Time, randomness and ids of the machine: the only file that asks it for them. Everything else is given them."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

from syncd.core.terms import Instant
from syncd.sdk.channel import Clock
from syncd.sdk.loop_clock import LoopClock

__all__ = ["LoopClock", "SystemClock", "SystemRandom", "uuid7"]

_TAIL_BITS = 74  # random bits of a UUID version 7: 12 and 62
_STEP_BITS = 32  # by how much at most two ids of one millisecond differ
_MAX_MS = (1 << 48) - 1


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now(self) -> Instant:
        """Return the wall time, microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Return seconds that never go back; the same clock that asyncio's own loop uses."""
        return time.monotonic()  # noqa: TID251  (here it is asked)


class SystemRandom:
    """The machine's randomness: callable for numbers in [0, 1), `bytes` for ids and keys."""

    __slots__ = ()

    def __call__(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()  # noqa: S311, TID251  (the one source of jitter; nothing secret is made of it)

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes fit for keys."""
        return os.urandom(count)


def uuid7(clock: Clock, random_bytes: Callable[[int], bytes]) -> Callable[[], str]:
    """Return a maker of UUID version 7 texts (RFC 9562, section 5.7), each greater than the one before.

    Within a millisecond, and while the wall clock stands behind, the 74 bits after the time count up by a random step
    (section 6.2, method 2).
    """
    last_ms, tail = -1, 0

    def make() -> str:
        nonlocal last_ms, tail
        now_ms = clock.now() // 1_000
        if now_ms > last_ms:
            # The highest bit stays free, so that counting up has room.
            last_ms, tail = now_ms, int.from_bytes(random_bytes(10), "big") >> (80 - _TAIL_BITS + 1)
        else:
            tail += 1 + (int.from_bytes(random_bytes(4), "big") & ((1 << _STEP_BITS) - 1))
            if tail >> _TAIL_BITS:
                last_ms, tail = last_ms + 1, tail & ((1 << _TAIL_BITS) - 1)
        return _text(last_ms, tail)

    return make


def _text(time_ms: int, tail: int) -> str:
    high, low = tail >> 62, tail & ((1 << 62) - 1)
    number = (time_ms & _MAX_MS) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
