"""The clock of the benchmarks."""

from __future__ import annotations

import time


class BenchClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        return time.perf_counter()  # finer than the daemon needs, which is what a benchmark wants
