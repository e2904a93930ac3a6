"""What the parts of the simulated account share: its time, its chance, its faults, its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from syncd.sdk.channel import Clock, Instant
from syncd.testing.faults import Faults

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND_US
FIRST_ID: Final = 360_000_000_001


@dataclass(frozen=True, slots=True, kw_only=True)
class ZendeskFaults(Faults):
    """What the account does wrong beside the faults of every remote, and how late it is.

    `index_lag_s` is how late the search index is, `held_back_s` what the incremental export keeps back, `queue_s` how
    long a job waits before its first row, `row_s` how long each row takes. `database_conflicts` is the share of calls
    that write and are answered 409 DatabaseConflict without an effect, `failed_rows` the share of rows of a job that
    fail so; `too_many_jobs` the share of bulk calls refused for want of a free job, `lost_jobs` the share of jobs whose
    data are gone when they are over, `killed_jobs` the share of jobs that end in the middle. `stale_reads` are not
    known here: tickets are read fresh by their ids.
    """

    index_lag_s: float = 60.0
    held_back_s: float = 60.0
    queue_s: float = 1.0
    row_s: float = 0.02
    database_conflicts: float = 0.0
    failed_rows: float = 0.0
    too_many_jobs: float = 0.0
    lost_jobs: float = 0.0
    killed_jobs: float = 0.0


class Problem(Exception):  # noqa: N818  (an answer, not a fault of ours)
    """A request that is refused: its status and its body."""

    def __init__(self, status: int, error: Any, description: str = "", **more: Any) -> None:
        super().__init__(str(error))
        self.status = status
        self.body: dict[str, Any] = {"error": error} | ({"description": description} if description else {}) | more


class World:
    """Time and numbers of one account. `scale` multiplies its delays."""

    def __init__(
        self, *, clock: Clock, happens: Callable[[float], bool], faults: Callable[[], ZendeskFaults],
        scale: Callable[[], float],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ids = count(FIRST_ID)
        self._faults = faults
        self._scale = scale
        self.happens = happens
        self.url = ""

    @property
    def faults(self) -> ZendeskFaults:
        """Return what it does wrong now."""
        return self._faults()

    def now(self) -> Instant:
        """Return the time."""
        return self._clock.now()

    def scaled_us(self, seconds: float) -> int:
        """Return a delay of its own in microseconds."""
        return round(seconds * self._scale() * SECOND_US)

    def next_id(self) -> int:
        """Return a number that was never given."""
        return next(self._ids)


def stamp(at: Instant) -> str:
    """Return a time as the API writes it: to the second."""
    return datetime.fromtimestamp(at // SECOND_US, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def second(at: Instant) -> int:
    """Return a time in whole seconds."""
    return at // SECOND_US
