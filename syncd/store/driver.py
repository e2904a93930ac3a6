"""How a store is opened on SQLite and on PostgreSQL, and what their errors mean.

SQLite: one connection writes and checkpoints, all others are read-only and never checkpoint. SQLite before 3.51.3 can
corrupt a WAL database when two connections checkpoint and write at the same instant (sqlite.org/releaselog/3_51_3.html,
2026-03-13), and many systems carry an older one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from syncd.sdk.errors import ConfigError, Problem, SyncdError, TransientError

READERS = 4
"""Connections that read at the same time."""
LOCK_WAIT_S = 5.0
"""Longest wait for a lock that another connection holds."""
CONNECT_S = 5
"""Longest wait for a PostgreSQL server to accept a connection."""
SILENCE_MS = 10_000
"""How long data sent to a PostgreSQL server may stay unacknowledged before the connection counts as lost."""

_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA wal_autocheckpoint=16384",
)
# No temp_store here: the sums over a whole ledger may go to a temporary file rather than fill the memory.
_READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA cache_size=-16384",
)
_SPACE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# PostgreSQL 15 manual, appendix A, 2026-11-22: classes 08 and 40 and 57P, lock_not_available; class 53, io_error,
# read_only_sql_transaction.
_PG_LATER = ("08", "40", "57P", "55P03")
_PG_SPACE = ("53", "58030", "25006")
_TOLD = 300  # characters of the server's own words


class StoreBusy(TransientError):  # noqa: N818  (says what is the matter, like RateLimited)
    """The store has more to do than it may queue, or another connection holds its lock: nothing was written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class StoreFull(TransientError):  # noqa: N818  (the same)
    """The disk is full, failing or read-only; works again by itself once it can be written."""


def parse(url: str) -> URL:
    """Return the URL with its driver; raises ConfigError unless it names a SQLite file or a PostgreSQL database."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _unusable("it is not a database URL") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise _unusable(f"{backend} is not supported")
    if not parsed.database or parsed.database == ":memory:":
        raise _unusable("SQLite needs a file")
    return parsed.set(drivername="sqlite", database=str(Path(parsed.database).absolute()))


def _unusable(message: str) -> ConfigError:
    remedy = "use sqlite:////path/to/syncd.db or postgresql://user@host/name"
    return ConfigError([Problem(place="database_url", message=message, remedy=remedy)])


def sqlite_path(url: str) -> Path | None:
    """Return the absolute path of a SQLite store, None for PostgreSQL."""
    parsed = parse(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def shown(url: str) -> str:
    """Return the URL as it may be told to a person: without its password."""
    return parse(url).render_as_string(hide_password=True)


def writer_engine(url: str) -> Engine:
    """Return an engine whose connections are durable and write; each is opened anew and closed after use."""
    path = sqlite_path(url)
    if path is None:
        return _postgres(url, {"poolclass": NullPool})
    return file_engine(path)


def file_engine(path: Path) -> Engine:
    """Return an engine as `writer_engine` does, for a SQLite file."""
    return _sqlite(lambda: _open_to_write(path), begin="BEGIN IMMEDIATE", options={"poolclass": NullPool})


def reader_engine(url: str) -> Engine:
    """Return an engine with a few connections that cannot write; a transaction sees one state of the store."""
    path = sqlite_path(url)
    pool = {"poolclass": QueuePool, "pool_size": READERS, "max_overflow": 0, "pool_timeout": LOCK_WAIT_S}
    if path is not None:
        return _sqlite(lambda: _open_to_read(path), begin="BEGIN", options=pool)
    engine = _postgres(url, {**pool, "pool_pre_ping": True, "isolation_level": "REPEATABLE READ"})
    return engine.execution_options(postgresql_readonly=True)


def source_engine(path: Path) -> Engine:
    """Return an engine to copy a SQLite file from; no transactions, and a `VACUUM INTO` is let through."""
    creator = partial(_connect, path, "mode=ro")
    return create_engine("sqlite://", creator=creator, hide_parameters=True, poolclass=NullPool)


def frozen_engine(path: Path) -> Engine:
    """Return an engine that reads a SQLite file nobody writes (a backup), leaving nothing beside it."""
    return _sqlite(lambda: _connect(path, "mode=ro&immutable=1"), begin="BEGIN", options={"poolclass": NullPool})


def _sqlite(creator: Any, *, begin: str, options: dict[str, Any]) -> Engine:
    engine = create_engine("sqlite://", creator=creator, hide_parameters=True, **options)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # isolation_level=None: the driver begins nothing by itself, the event above says how a transaction begins.
    return sqlite3.connect(
        f"file:{quote(str(path))}?{mode}",
        uri=True,
        timeout=LOCK_WAIT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def _open_to_write(path: Path) -> sqlite3.Connection:
    make_private(path)
    return _prepared(_connect(path, "mode=rw"), _WRITER_PRAGMAS)


def _open_to_read(path: Path) -> sqlite3.Connection:
    return _prepared(_connect(path, "mode=ro"), _READER_PRAGMAS)


def _prepared(connection: sqlite3.Connection, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def make_private(path: Path) -> None:
    """Make sure that the file exists; a new one is empty and only its owner may read it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError) as error:
        remedy = "create the folder and let the user of the daemon write to it"
        raise ConfigError([Problem(place=str(path), message=error.strerror or "unusable", remedy=remedy)]) from None
    except OSError as error:
        raise StoreFull(f"{path}: {error.strerror}") from error


def _postgres(url: str, options: dict[str, Any]) -> Engine:
    connect = {
        "connect_timeout": CONNECT_S,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": SILENCE_MS,
    }
    try:
        engine = create_engine(parse(url), connect_args=connect, hide_parameters=True, **options)
    except ModuleNotFoundError:
        remedy = "pip install 'syncd[postgres]'"
        raise ConfigError([Problem(place="database_url", message="psycopg is missing", remedy=remedy)]) from None
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _record: object) -> None:
    # Not as start-up options: poolers in between refuse them.
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO on")
        cursor.execute(f"SET lock_timeout TO '{int(LOCK_WAIT_S * 1000)}ms'")
    connection.commit()


def in_transaction(connection: Connection) -> bool:
    """Tell whether the transaction still stands, so that a commit would keep what was written.

    A statement may end it under a caller that goes on: SQLite rolls back by itself when the disk is full, PostgreSQL
    answers a commit of a failed transaction with a rollback and no error.
    """
    if connection.invalidated:
        return False
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        return bool(driver.in_transaction)
    return driver.info.transaction_status.name not in {"INERROR", "UNKNOWN"}


def failure(error: BaseException) -> SyncdError | None:
    """Return what a database error means for the caller; None where it is the caller's own (a constraint, a bug)."""
    if isinstance(error, PoolTimeoutError):
        return StoreBusy("no connection to the database is free")
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _sqlite_failure(cause)
    if isinstance(error, DBAPIError):
        return _postgres_failure(error)
    return None


@contextmanager
def named_errors() -> Iterator[None]:
    """Raise database errors as `failure` names them."""
    try:
        yield
    except DBAPIError as error:
        raise failure(error) or error from None


def _sqlite_failure(error: sqlite3.Error) -> SyncdError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _SPACE:
        return StoreFull(f"the database cannot be written: {error}")
    if code in _LOCKED:
        return StoreBusy(f"the database is in use: {error}")
    if code in _DAMAGED:
        return ConfigError([Problem(place="database", message=str(error), remedy="run `syncd restore` with a backup")])
    return None


def _postgres_failure(error: DBAPIError) -> SyncdError | None:
    state = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith(_PG_SPACE):
        return StoreFull(f"the database cannot be written (SQLSTATE {state})")
    lost = not state and type(error.orig).__name__ == "OperationalError"
    if lost or error.connection_invalidated or state.startswith(_PG_LATER):
        reason = " ".join(str(error.orig).split())[:_TOLD]
        return TransientError(f"the database cannot be reached: {reason}")
    return None
