"""Bring the schema of a store to what this version of syncd needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from sqlalchemy import Connection, inspect
from sqlmodel import SQLModel

from syncd.sdk.channel import Clock
from syncd.sdk.errors import ConfigError, Problem
from syncd.store import (  # noqa: F401  (they declare the tables)
    rows,
    rows_adoptions,
    rows_conduct,
    rows_exposure,
    rows_figures,
    rows_incidents,
    rows_offers,
    rows_orders,
    rows_waiting,
    rows_web,
)
from syncd.store.backup import snapshot
from syncd.store.driver import named_errors, reader_engine, shown, sqlite_path, writer_engine
from syncd.store.revisions import configuration, head, refuse_newer


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaInfo:
    """Revision of a store (None: it has no tables yet) and the newest that this version of syncd knows."""

    current: str | None
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What a migration did: the revision before (None: a new store) and after, and the backup made before it."""

    before: str | None
    after: str
    backup: Path | None


def info(url: str) -> SchemaInfo:
    """Read the revision of a store; creates nothing. Raises as `migrate` does."""
    path = sqlite_path(url)
    current = None
    if path is None or path.exists():
        engine = reader_engine(url)
        try:
            with named_errors(), engine.connect() as connection:
                current = _inspect(connection, place=shown(url))
        finally:
            engine.dispose()
    return SchemaInfo(current=current, head=head())


def migrate(url: str, *, backup_dir: Path | None, clock: Clock) -> MigrationReport:
    """Bring a store to the newest revision in one transaction; the caller owns the store.

    A SQLite store that has data is copied into `backup_dir` before, unless that is None. There is no way back but such
    a copy. Raises ConfigError where the store is newer than this version of syncd or belongs to another program.
    """
    before = info(url).current
    after = head()
    if before == after:
        return MigrationReport(before=before, after=after, backup=None)
    copy = None if before is None else _copy(url, backup_dir, before=before, clock=clock)
    with named_errors(), writer_engine(url).begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return MigrationReport(before=before, after=after, backup=copy)


def _copy(url: str, backup_dir: Path | None, *, before: str, clock: Clock) -> Path | None:
    if backup_dir is None or sqlite_path(url) is None:
        return None
    # By microsecond, and not by the name of the daily ones: it stays until a person removes it.
    return snapshot(url, backup_dir, name=f"syncd-before-upgrade-of-{before}-{clock.now()}.db")


def _inspect(connection: Connection, *, place: str) -> str | None:
    """Return the revision; raises ConfigError where the store is too new or somebody else's."""
    revision = refuse_newer(connection, place=place)
    if revision is not None:
        return revision
    ours = set(SQLModel.metadata.tables) - {"meta"}  # made by the first owner, before any migration
    foreign = sorted(ours & set(inspect(connection).get_table_names()))
    if not foreign:
        return None
    message = f"it holds tables that syncd did not make: {', '.join(foreign)}"
    raise ConfigError([Problem(place=place, message=message, remedy="give syncd a database of its own")])
