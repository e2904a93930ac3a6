"""Copies of a SQLite store that can be trusted: made while the daemon runs, verified before they count."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from syncd.core.terms import SECOND_US, Instant
from syncd.sdk.channel import Clock
from syncd.sdk.errors import ConfigError, Problem, SyncdError, TransientError
from syncd.store.driver import (
    StoreFull,
    file_engine,
    frozen_engine,
    make_private,
    named_errors,
    source_engine,
    sqlite_path,
)
from syncd.store.owner import FileLock
from syncd.store.revisions import refuse_newer
from syncd.store.verify import verify

RESTORED = "restored from backup"
"""Why the accounts of a restored store are paused."""
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"syncd-(\d{8}T\d{6}Z)\.db")
_TOLD = 3


class BackupError(SyncdError):
    """A copy was made and does not verify."""


def backup(url: str, target_dir: Path, *, clock: Clock, keep_daily: int = 7, keep_weekly: int = 4) -> Path:
    """Write `syncd-<UTC time>.db` into a folder; return its path. Blocks; the daemon may run meanwhile.

    The copy is checked whole: pages, and balances against movements. Then older copies go: the last one of each of
    `keep_daily` days and of `keep_weekly` weeks stays. Raises BackupError where the copy does not verify (one with
    wrong balances is kept as `syncd-suspect.db`), ConfigError for PostgreSQL, TransientError where another backup
    is under way or the disk is full.
    """
    path = snapshot(url, target_dir, name=f"syncd-{_moment_text(clock.now())}.db", check=_check_balances)
    for name in expired((p.name for p in target_dir.iterdir()), keep_daily=keep_daily, keep_weekly=keep_weekly):
        (target_dir / name).unlink(missing_ok=True)
    return path


def snapshot(url: str, target_dir: Path, *, name: str, check: Callable[[Path], None] | None = None) -> Path:
    """Copy a store into a folder under a name, for its owner's eyes only; `check` raises to refuse the copy.

    Every page is checked. The copy is on the disk before it has its name.
    """
    source = _sqlite_only(url, doing="back up")
    part = target_dir / "syncd-backup.part"
    with _disk_errors(), _alone_in(target_dir) as folder, _removed_at_end(part):
        _copy(source, part)
        _check_pages(part)
        if check is not None:
            check(part)
        _sync(part)
        part.replace(target_dir / name)
        os.fsync(folder)
    return target_dir / name


def expired(names: Iterable[str], *, keep_daily: int, keep_weekly: int) -> list[str]:
    """Return which backups are to go, by their names alone; other names never."""
    by_age = sorted((name for name in names if _NAME.fullmatch(name)), reverse=True)
    kept: set[str] = set()
    for period, most in (("%Y-%m-%d", keep_daily), ("%G-%V", keep_weekly)):
        newest: dict[str, str] = {}
        for name in by_age:
            newest.setdefault(_moment(name).strftime(period), name)
        kept.update(list(newest.values())[:most])
    return [name for name in by_age if name not in kept]


def restore(backup_path: Path, url: str, *, clock: Clock | None = None) -> Path | None:
    """Put a backup in the place of a store; return where the store before it lies now, None where there was none.

    All accounts of it are paused: its stock is old, and a person releases them again; with a `clock` they are paused as
    of now. Raises OwnedElsewhere while a daemon runs, ConfigError where the backup cannot be used or is newer than
    this version of syncd.
    """
    target = _sqlite_only(url, doing="restore")
    lock = FileLock(url, holder="a restore of a backup")
    try:
        _check_restorable(backup_path)
        part = target.with_name(target.name + ".restore")
        with _disk_errors(), _removed_at_end(part):
            _copy_file(backup_path, part)
            _pause_accounts(part, clock)
            _sync(part)
            aside = _set_aside(target)
            part.replace(target)
            _sync(target.parent)
    finally:
        lock.release()
    return aside


def _sqlite_only(url: str, *, doing: str) -> Path:
    path = sqlite_path(url)
    if path is not None:
        return path
    remedy = "use pg_dump and pg_restore, and `syncd pause` all channels after a restore"
    raise ConfigError([Problem(place="database_url", message=f"syncd does not {doing} PostgreSQL", remedy=remedy)])


def _moment_text(instant: Instant) -> str:
    return datetime.fromtimestamp(instant // SECOND_US, UTC).strftime(_STAMP)


def _moment(name: str) -> datetime:
    return datetime.strptime(name[6:-3], _STAMP).replace(tzinfo=UTC)


@contextmanager
def _alone_in(folder: Path) -> Iterator[int]:
    """Make a folder and hold the kernel's lock on it, so that two backups do not write one file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(descriptor, folder)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TransientError(f"another backup is being written to {folder}", sent=False) from None


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        with named_errors():
            yield
    except OSError as error:
        raise StoreFull(f"{error.filename or 'a file'}: {error.strerror}") from None


@contextmanager
def _removed_at_end(part: Path) -> Iterator[None]:
    """Start and end without an unfinished file."""
    part.unlink(missing_ok=True)
    try:
        yield
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> None:
    make_private(part)
    with source_engine(source).connect() as connection:
        connection.execute(text("VACUUM INTO :part"), {"part": str(part)})


def _check_pages(path: Path) -> None:
    try:
        with frozen_engine(path).begin() as connection:
            found = connection.execute(text("PRAGMA integrity_check(1)")).scalar()
    except DBAPIError as error:
        raise BackupError(f"{path.name} cannot be read: {error.orig}") from None
    if found != "ok":
        raise BackupError(f"{path.name} is damaged: {found}")


def _check_balances(part: Path) -> None:
    with frozen_engine(part).begin() as connection:
        found = verify(connection)
    if found:
        suspect = part.with_name("syncd-suspect.db")
        part.replace(suspect)
        told = "; ".join(str(discrepancy) for discrepancy in found[:_TOLD])
        raise BackupError(
            f"the ledger does not sum up, the copy is kept as {suspect}: {len(found)} differences, {told}"
        )


def _check_restorable(backup_path: Path) -> None:
    problem: str | None = None
    if not backup_path.is_file():
        problem = "there is no such file"
    else:
        with suppress(BackupError):
            _check_pages(backup_path)
            with frozen_engine(backup_path).begin() as connection:
                if refuse_newer(connection, place=str(backup_path)) is not None:
                    return
        problem = "it is damaged or not a backup of syncd"
    raise ConfigError([Problem(place=str(backup_path), message=problem, remedy="choose another backup")])


def _copy_file(source: Path, part: Path) -> None:
    make_private(part)
    with source.open("rb") as reading, part.open("wb") as writing:
        shutil.copyfileobj(reading, writing)


def _pause_accounts(part: Path, clock: Clock | None) -> None:
    with file_engine(part).begin() as connection:
        pause = "UPDATE account SET state = 'paused', reason = :reason"
        connection.execute(text(pause), {"reason": RESTORED})
        if clock is not None:
            connection.execute(text("UPDATE account SET since = :now"), {"now": clock.now()})


def _set_aside(target: Path) -> Path | None:
    """Give the store a second name, and free its own from the log that belongs to it."""
    if not target.exists():
        return None
    names = (target.with_name(f"{target.name}.before-restore-{n}") for n in count(1))
    aside = next(name for name in names if not name.exists())
    aside.hardlink_to(target)
    log = Path(f"{target}-wal")
    if log.exists():
        # The last commits may be in the log alone, so it stays with the file; beside the new file it would damage it.
        log.replace(f"{aside}-wal")
    Path(f"{target}-shm").unlink(missing_ok=True)
    return aside


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
