"""The door to the database: every write on one thread, every read beside it.

A *work* is a plain function of a SQLAlchemy `Connection`. It runs inside a transaction that others may share, and may
run twice (see `Store.write`): it has no effect outside the database, does not begin, commit or roll back, and does not
go on after a statement of it has failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine

from syncd.sdk.channel import Clock
from syncd.store.driver import READERS, StoreBusy, StoreFull, failure, reader_engine, writer_engine
from syncd.store.writer import GROUP_S, GROUP_WORKS, QUEUE_WORKS, Committer, Job, StoreStats, Turn, Writer

__all__ = ["GROUP_S", "GROUP_WORKS", "QUEUE_WORKS", "Store", "StoreBusy", "StoreFull", "StoreStats", "Turn"]

T = TypeVar("T")

READS_WAITING = 1_000
"""Most reads that run or wait."""
CLOSE_S = 60.0
"""Longest wait for queued works and running reads when the store is closed."""


class Store:
    """One database, opened once in a process. Made by `open`; closed by `close` or by leaving `async with`."""

    def __init__(self, committer: Committer, readers: Engine, *, inline: bool) -> None:
        self._committer = committer
        self._readers = readers
        self._closed = False
        self._reading = 0
        self._pool = None if inline else ThreadPoolExecutor(READERS, thread_name_prefix="syncd-reader")
        self._writer = None if inline else Writer(committer, at_end=self._end_reading)

    @classmethod
    def open(cls, url: str, *, clock: Clock, inline: bool = False) -> Self:
        """Open a store that is migrated already (see `syncd.store.schema`).

        `inline` runs every work at once in the calling thread, for a simulated loop: the same transactions, no
        threads. Raises ConfigError where the URL cannot be used.
        """
        return cls(Committer(writer_engine(url), clock), reader_engine(url), inline=inline)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def stats(self) -> StoreStats:
        """Return what the writer has done so far."""
        depth = 0 if self._writer is None else self._writer.depth
        return replace(self._committer.stats, queue_depth=depth)

    async def write(self, work: Callable[[Connection], T], *, turn: Turn = Turn.USUAL) -> T:
        """Run a work in a transaction; return its result once that is committed and durable.

        Works run in the order of the calls, up to GROUP_WORKS of them in one transaction; `turn` lets one go before
        the others or after them, and not together with them. When one raises, the
        transaction is rolled back and each of them runs again in a transaction of its own: only the guilty caller gets
        the error. A caller that is cancelled meanwhile does not know whether its work took effect.

        Raises what the work raises; StoreBusy where too many wait; StoreFull where the disk is full or failing;
        another TransientError where the database was lost, then the work may have taken effect; ConfigError where
        the database is damaged.
        """
        self._check_open()
        if self._writer is None:
            return self._write_inline(work)
        return await self._writer.write(work, turn=turn)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a work that only reads, beside the writer; it sees one committed state from begin to end.

        Raises as `write` does.
        """
        self._check_open()
        job = Job(work)
        if self._pool is None:
            self._run_reading(job)
            return job.outcome()
        if self._reading >= READS_WAITING:
            raise StoreBusy(f"{READS_WAITING} reads wait for the database")
        self._reading += 1
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._run_reading, job)
        finally:
            self._reading -= 1
        return job.outcome()

    async def close(self) -> None:
        """End what is queued and close all connections; later calls raise StoreBusy. May be repeated."""
        if self._closed:
            return
        self._closed = True
        if self._writer is None:
            self._end_reading()
            self._committer.close()
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._writer.stop()
        except TimeoutError:
            raise StoreBusy(f"the database did not end its work within {CLOSE_S:.0f} s") from None

    def _check_open(self) -> None:
        if self._closed:
            raise StoreBusy("the store is closed")

    def _write_inline(self, work: Callable[[Connection], T]) -> T:
        job = Job(work)
        self._committer.commit(iter((job,)))
        return job.outcome()

    def _run_reading(self, job: Job[Any]) -> None:
        """Bring a reading job to its end; never raises, for the executor cannot carry every error."""
        try:
            with self._readers.connect() as connection:
                self._read_once(job, connection)
        except BaseException as error:  # noqa: BLE001  (every error goes to the caller that waits for this work)
            job.fail(failure(error) or error)

    def _read_once(self, job: Job[Any], connection: Connection) -> None:
        try:
            with connection.begin():
                job.run(connection)
        except BaseException as error:
            if failure(error) is not None:
                connection.invalidate()
            raise

    def _end_reading(self) -> None:
        """Wait for running reads and close their connections, before the writer's: the last one out checkpoints."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
        self._readers.dispose()
