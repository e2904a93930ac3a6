"""The one writer: many works in one transaction, on one connection, in one thread."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection, Engine

from syncd.sdk.channel import Clock
from syncd.store.driver import StoreBusy, failure, in_transaction

T = TypeVar("T")

GROUP_WORKS = 256
"""Most works in one transaction."""
GROUP_S = 0.004
"""No work is added to a transaction that has lasted this long."""
QUEUE_WORKS = 10_000
"""Most works that wait for the writer."""
CHECKPOINT_ROWS = 2_000
"""Changed rows after which SQLite's log is moved into its file as soon as the writer is idle."""
PATIENT_ROWS = 16_000
"""The same while there are patient works, which leave no idle moment: often costs time, seldom makes others wait."""
IDLE_S = 0.002
"""The writer is idle once nothing was asked of it for this long."""
GRACE_S = 0.001
"""Whoever was just served may ask for so long for the next work before a patient one has its turn."""
PASSED_OVER = 8
"""So many times others go before a patient work; then it has its turn."""


class Turn(Enum):
    """When a work has its turn.

    URGENT: short works for which somebody outside waits; before all others, and not together with them. USUAL: in the
    order of the calls. PATIENT: what nobody waits for; alone, and after the others where these do not take up the
    whole of the writer.
    """

    URGENT = auto()
    USUAL = auto()
    PATIENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """What the writer has done so far.

    `works` are the works that took effect, in `commits` transactions. `last_commit_s` and `longest_s` are the seconds
    from the begin of a transaction to the end of its commit: of the last one, and of the longest since the start.
    `queue_depth` works wait.
    """

    commits: int = 0
    works: int = 0
    last_commit_s: float = 0.0
    longest_s: float = 0.0
    queue_depth: int = 0


class Job(Generic[T]):
    """A work on its way, and how it ended: `outcome` may be asked once it has."""

    __slots__ = ("_error", "_result", "_work", "done", "turn")

    def __init__(
        self, work: Callable[[Connection], T], done: asyncio.Future[None] | None = None, *, turn: Turn = Turn.USUAL
    ) -> None:
        self._work = work
        self._result: T | None = None
        self._error: BaseException | None = None
        self.done = done
        self.turn = turn

    def run(self, connection: Connection) -> None:
        """Do the work; raises what it raises."""
        self._result = self._work(connection)

    def fail(self, error: BaseException) -> None:
        """Note that it failed."""
        self._error = error

    def outcome(self) -> T:
        """Return the work's result, or raise its error."""
        if self._error is not None:
            raise self._error
        return cast("T", self._result)


class Committer:
    """Runs works on the one writing connection, several in a transaction. Belongs to one thread."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._connection: Connection | None = None
        self._begun = False
        self._checkpointed = 0
        self.stats = StoreStats()

    def commit(self, jobs: Iterator[Job[Any]]) -> list[Job[Any]]:
        """Take jobs up to the limits and bring each to its end; return those that were taken, at least one.

        They run in order in one transaction. When one fails, all are undone and each runs again in a transaction of
        its own, so that only the guilty one fails. When the database fails, all of them do.
        """
        taken = [next(jobs)]
        try:
            with self._transaction() as connection:
                self._run_group(taken, jobs, connection)
        except BaseException as error:  # noqa: BLE001  (every error goes to the caller that waits for this work)
            self._after_failure(taken, jobs, error)
        else:
            self._count(len(taken))
        return taken

    def close(self) -> None:
        """Close the connection; the next work opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def rest(self, *, rows: int) -> None:
        """Use an idle moment: move SQLite's log of so many changed rows or more into its file, still a short work.

        Left alone, the log grows to the limit of `wal_autocheckpoint`, and a commit then waits for all of it.
        """
        connection = self._connection
        if connection is None or connection.dialect.name != "sqlite":
            return
        driver: Any = connection.connection.dbapi_connection
        if driver.total_changes - self._checkpointed >= rows:
            self._checkpointed = driver.total_changes
            with suppress(sqlite3.Error):  # readers or a full disk are in its way: more rows bring another try
                driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _run_group(self, taken: list[Job[Any]], jobs: Iterator[Job[Any]], connection: Connection) -> None:
        until = self._clock.monotonic() + GROUP_S
        _run(taken[0], connection)
        while len(taken) < GROUP_WORKS and self._clock.monotonic() < until:
            job = next(jobs, None)
            if job is None:
                return
            taken.append(job)
            _run(job, connection)

    def _after_failure(self, taken: list[Job[Any]], jobs: Iterator[Job[Any]], error: BaseException) -> None:
        if not self._begun:
            # The database is away or locked: whoever waits would only wait as long again.
            taken.extend(jobs)
        if not self._begun or failure(error) is not None:
            self._fail(taken, error)
        elif len(taken) == 1:
            taken[0].fail(error)
        else:
            self._run_each(taken)

    def _run_each(self, jobs: list[Job[Any]]) -> None:
        for number, job in enumerate(jobs):
            try:
                with self._transaction() as connection:
                    _run(job, connection)
            except BaseException as error:  # noqa: BLE001  (as in commit)
                if not self._begun or failure(error) is not None:
                    self._fail(jobs[number:], error)
                    return
                job.fail(error)
            else:
                self._count(1)

    def _fail(self, jobs: Iterable[Job[Any]], error: BaseException) -> None:
        """End all of them with what the error means, and drop the connection: the next work opens another."""
        for job in jobs:
            job.fail(failure(error) or error)
        with suppress(Exception):  # it is broken: how its end fails tells nothing more
            if self._connection is not None:
                self._connection.invalidate()
        with suppress(Exception):  # the same
            self.close()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        self._begun = False
        if self._connection is None:
            self._connection = self._engine.connect()
            self._checkpointed = 0
        began = self._clock.monotonic()
        with self._connection.begin():
            self._begun = True
            yield self._connection
        self._measure(self._clock.monotonic() - began)

    def _measure(self, seconds: float) -> None:
        longest_s = max(self.stats.longest_s, seconds)
        self.stats = replace(self.stats, commits=self.stats.commits + 1, last_commit_s=seconds, longest_s=longest_s)

    def _count(self, works: int) -> None:
        self.stats = replace(self.stats, works=self.stats.works + works)


def _run(job: Job[Any], connection: Connection) -> None:
    job.run(connection)
    if not in_transaction(connection):
        raise AssertionError("a work went on after a statement of it had failed")


class Writer:
    """The thread that commits, and the queues before it, one for each `Turn`.

    Urgent works go first and share no transaction with the others, so that nobody who waits for an answer outside
    waits for a long decision as well; between two transactions of urgent works there is one of the usual ones. A
    patient work runs once neither is left, so that who was just answered and asks again does not wait for it.
    """

    def __init__(self, committer: Committer, *, at_end: Callable[[], None]) -> None:
        """Start the thread; `at_end` runs in it after the last work, before the writing connection is closed."""
        self._committer = committer
        self._at_end = at_end
        self._queue: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._turns: dict[Turn, deque[Job[Any]]] = {turn: deque() for turn in Turn}
        self._urgent, self._usual, self._patient = self._turns.values()
        self._passed_over = 0
        self._stopping = False
        self._ended: asyncio.Future[None] | None = None
        self._thread = threading.Thread(target=self._run, name="syncd-writer", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Return how many works wait."""
        return self._queue.qsize() + sum(map(len, self._turns.values()))

    async def write(self, work: Callable[[Connection], T], *, turn: Turn) -> T:
        """Queue a work and wait for its outcome. Raises StoreBusy when too many wait."""
        if self.depth >= QUEUE_WORKS:
            raise StoreBusy(f"{QUEUE_WORKS} works wait for the database")
        done = asyncio.get_running_loop().create_future()
        job = Job(work, done, turn=turn)
        self._queue.put(job)
        await done
        return job.outcome()

    async def stop(self) -> None:
        """Let the queued works end and the thread with them."""
        self._ended = asyncio.get_running_loop().create_future()
        self._queue.put(None)
        await self._ended
        self._thread.join()  # it has nothing left to do

    def _run(self) -> None:
        while True:
            if not any(self._turns.values()):
                if self._stopping:
                    break
                self._sort(self._next())
            self._collect()
            busy = self._others_wait()
            if self._urgent:
                _settle(self._committer.commit(self._all_urgent()))
            if self._usual:
                _settle(self._committer.commit(self._some_usual()))
            if self._patient and self._is_free(busy=busy):
                _settle(self._committer.commit(iter([self._patient.popleft()])))
                self._tidy()
        self._end()

    def _next(self) -> Job[Any] | None:
        """Wait for the next work; None ends the thread."""
        try:
            return self._queue.get(timeout=IDLE_S)
        except queue.Empty:
            self._committer.rest(rows=CHECKPOINT_ROWS)
        return self._queue.get()

    def _is_free(self, *, busy: bool) -> bool:
        """Say whether a patient work has its turn; `busy`: others were just served."""
        if busy and not self._others_wait() and not self._stopping:
            with suppress(queue.Empty):
                self._sort(self._queue.get(timeout=GRACE_S))
        if self._others_wait() and self._passed_over < PASSED_OVER:
            self._passed_over += 1
            return False
        self._passed_over = 0
        return True

    def _others_wait(self) -> bool:
        return bool(self._urgent or self._usual)

    def _tidy(self) -> None:
        """After a patient work do what an idle moment is for, where nobody waits: there may be none for long."""
        self._collect()
        if not self._others_wait():
            self._committer.rest(rows=PATIENT_ROWS)

    def _sort(self, job: Job[Any] | None) -> None:
        if job is None:
            self._stopping = True
        else:
            self._turns[job.turn].append(job)

    def _collect(self) -> None:
        """Take over what has been queued meanwhile."""
        with suppress(queue.Empty):
            while not self._stopping:
                self._sort(self._queue.get_nowait())

    def _all_urgent(self) -> Iterator[Job[Any]]:
        while self._urgent:
            yield self._urgent.popleft()
            self._collect()

    def _some_usual(self) -> Iterator[Job[Any]]:
        """Yield the usual ones, at least one, until something urgent comes."""
        yield self._usual.popleft()
        self._collect()
        while self._usual and not self._urgent:
            yield self._usual.popleft()
            self._collect()

    def _end(self) -> None:
        with suppress(Exception):  # the works are committed; a close that fails loses nothing
            self._at_end()
        with suppress(Exception):  # the same
            self._committer.close()
        if self._ended is not None:
            _wake(self._ended.get_loop(), [self._ended])


def _settle(jobs: Iterable[Job[Any]]) -> None:
    """Wake those who wait for these works: one call into each event loop, not one for each work."""
    waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for job in jobs:
        if job.done is not None:
            waiting.setdefault(job.done.get_loop(), []).append(job.done)
    for loop, futures in waiting.items():
        _wake(loop, futures)


def _wake(loop: asyncio.AbstractEventLoop, futures: list[asyncio.Future[None]]) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_set_all, futures)


def _set_all(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
