"""The machine's clock and ids."""

from __future__ import annotations

import asyncio
import time
import uuid

from syncd.clock import LoopClock, SystemClock, SystemRandom, uuid7
from syncd.sdk.channel import Clock


class SetClock:
    """Time that a test sets."""

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us

    def now(self) -> int:
        return self.at_us

    def monotonic(self) -> float:
        return self.at_us / 1e6


def test_the_system_clock_counts_microseconds_utc() -> None:
    """Wall time is in whole microseconds of today, monotonic time is asyncio's own."""
    clock: Clock = SystemClock()
    assert abs(clock.now() - time.time_ns() // 1_000) < 5_000_000
    loop = asyncio.new_event_loop()
    assert abs(clock.monotonic() - loop.time()) < 5
    loop.close()


def test_the_loop_clock_starts_where_it_is_told() -> None:
    """A loop clock is at its start when it is made, and follows the loop."""
    loop = asyncio.new_event_loop()
    clock: Clock = LoopClock(loop, 1_000_000)
    assert 1_000_000 <= clock.now() < 3_000_000
    assert clock.monotonic() >= 0
    loop.close()


def test_system_randomness() -> None:
    """Numbers lie in [0, 1), bytes are as many as asked for."""
    source = SystemRandom()
    assert all(0 <= source() < 1 for _ in range(100))
    assert len(source.bytes(10)) == 10
    assert source.bytes(16) != source.bytes(16)


def test_ids_are_version_7_and_hold_the_time() -> None:
    """An id is a UUID version 7 of the RFC's variant, its first 48 bits are milliseconds."""
    made = uuid.UUID(uuid7(SetClock(1_790_812_800_123_456), SystemRandom().bytes)())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 1_790_812_800_123


def test_ids_ascend_whatever_the_clock_does() -> None:
    """Ids made within one millisecond, and while the clock goes back, are still in order and all different."""
    clock = SetClock(1_790_812_800_000_000)
    make = uuid7(clock, SystemRandom().bytes)
    ids = []
    for number in range(5_000):
        clock.at_us += (-7_000, 0, 400, 900)[number % 4]
        ids.append(make())
    assert ids == sorted(set(ids))
    assert {uuid.UUID(text).version for text in ids} == {7}


def test_ids_ascend_when_the_random_part_is_full() -> None:
    """An overflow of the random part moves to the next millisecond."""
    make = uuid7(SetClock(1_000_000_000), lambda count: b"\xff" * count)
    ids = [make() for _ in range(10)]
    assert ids == sorted(set(ids))


def test_ids_are_a_function_of_clock_and_randomness() -> None:
    """Equal clock and bytes give equal ids."""
    first, second = (uuid7(SetClock(5_000_000), lambda count: bytes(range(count))) for _ in range(2))
    assert [first() for _ in range(3)] == [second() for _ in range(3)]
