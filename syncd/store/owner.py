"""One owner of a store: a lock that ends with its process, and an epoch that tells its owners apart.

SQLite: a kernel lock on `<database>.lock`. PostgreSQL: an advisory lock of a session that is kept open; it needs a
direct connection or a pooler in session mode.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from syncd.sdk.errors import SyncdError
from syncd.store.driver import make_private, named_errors, reader_engine, sqlite_path, writer_engine

# "syncd" in ASCII; advisory locks are apart for each database.
_ADVISORY = 0x73796E6364
_UNKNOWN = "unknown"
# The lock comes before the migrations, so the first owner makes this table: as migration 0001 states it, for ever.
_META = "CREATE TABLE IF NOT EXISTS meta (name VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY (name))"
_SET = "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_GET = "SELECT value FROM meta WHERE name = :name"


class OwnedElsewhere(SyncdError):  # noqa: N818  (a state of things, like RateLimited)
    """Somebody else owns the store; `owner` is the holder's own words: who, where, since when."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"the store is owned by {owner}")
        self.owner = owner


class _Lock(Protocol):
    """A lock that the system takes back when the process ends."""

    def check(self, epoch: int) -> None:
        """Raise OwnedElsewhere where the lock is lost or this epoch is not the newest."""

    def release(self) -> None:
        """Give the lock back."""


class Ownership:
    """A store that is ours. `epoch` is higher than that of every owner before."""

    def __init__(self, *, epoch: int, lock: _Lock) -> None:
        self.epoch = epoch
        self._lock = lock

    def check(self) -> None:
        """Raise OwnedElsewhere when the lock is lost or another owner came after; blocks for a short read."""
        self._lock.check(self.epoch)

    def release(self) -> None:
        """Give the store back; may be repeated."""
        self._lock.release()


def acquire(store_url: str, *, holder: str) -> Ownership:
    """Become the owner of a store; `holder` tells others who that is (host, pid, since when).

    Works on a store without tables. Raises OwnedElsewhere where it is owned, ConfigError where the URL cannot be used,
    TransientError where the database cannot be reached.
    """
    with ExitStack() as undo:
        lock = _lock(store_url, holder=holder)
        undo.callback(lock.release)
        epoch = _begin_epoch(store_url, holder=holder)
        undo.pop_all()
    return Ownership(epoch=epoch, lock=lock)


def _lock(store_url: str, *, holder: str) -> _Lock:
    if sqlite_path(store_url) is not None:
        return FileLock(store_url, holder=holder)
    with named_errors():
        return _AdvisoryLock(store_url)


def fence(connection: Connection, *, epoch: int) -> None:
    """Raise OwnedElsewhere unless this epoch is the newest; inside a writing transaction it keeps a late owner out."""
    newest = connection.execute(text(_GET), {"name": "epoch"}).scalar()
    if newest != str(epoch):
        raise OwnedElsewhere(_told_owner(connection))


def _told_owner(connection: Connection) -> str:
    return str(connection.execute(text(_GET), {"name": "owner"}).scalar() or _UNKNOWN)


def _begin_epoch(store_url: str, *, holder: str) -> int:
    with named_errors(), writer_engine(store_url).begin() as connection:
        connection.execute(text(_META))
        epoch = int(connection.execute(text(_GET), {"name": "epoch"}).scalar() or 0) + 1
        connection.execute(text(_SET), [{"name": "epoch", "value": str(epoch)}, {"name": "owner", "value": holder}])
    return epoch


class FileLock:
    """The kernel's lock on `<database>.lock`; its content says who holds it."""

    def __init__(self, store_url: str, *, holder: str) -> None:
        """Take the lock of a SQLite store; raises OwnedElsewhere where it is taken."""
        self._url = store_url
        path = Path(f"{sqlite_path(store_url)}.lock")
        make_private(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _read_owner(self._descriptor)
            os.close(self._descriptor)
            raise OwnedElsewhere(owner) from None
        _write_owner(self._descriptor, holder)

    def check(self, epoch: int) -> None:
        """Raise OwnedElsewhere where a later owner came: somebody took the lock's file away."""
        engine = reader_engine(self._url)
        try:
            with named_errors(), engine.connect() as connection:
                fence(connection, epoch=epoch)
        finally:
            engine.dispose()

    def release(self) -> None:
        """Give the lock back; the file stays, for removing it would let two processes lock two files of one name."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _write_owner(descriptor: int, holder: str) -> None:
    owner = {"holder": holder, "host": socket.gethostname(), "pid": os.getpid()}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode(), 0)


def _read_owner(descriptor: int) -> str:
    try:
        return str(json.loads(os.pread(descriptor, 4096, 0))["holder"])
    except (ValueError, KeyError, TypeError):
        return _UNKNOWN  # it has the lock and has not said yet who it is


class _AdvisoryLock:
    """A PostgreSQL session that holds the lock for as long as it lives."""

    def __init__(self, store_url: str) -> None:
        engine = writer_engine(store_url).execution_options(isolation_level="AUTOCOMMIT")
        self._connection = engine.connect()
        try:
            self._take()
        except BaseException:
            self._connection.close()
            raise

    def _take(self) -> None:
        # A host that vanished must not hold the lock for the hours of the system's own keepalive.
        for setting in ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3"):
            self._connection.execute(text(f"SET {setting}"))
        taken = self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY}).scalar()
        if not taken:
            exists = self._connection.execute(text("SELECT to_regclass('meta') IS NOT NULL")).scalar()
            raise OwnedElsewhere(_told_owner(self._connection) if exists else _UNKNOWN)

    def check(self, epoch: int) -> None:
        """Raise OwnedElsewhere where the session has ended, its lock went with it, or a later owner came."""
        try:
            fence(self._connection, epoch=epoch)
        except SQLAlchemyError:
            raise OwnedElsewhere("nobody for certain: the session that held the lock was lost") from None

    def release(self) -> None:
        """End the session, and the lock with it."""
        self._connection.close()
