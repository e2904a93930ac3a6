"""What is done with the store's file itself, without the daemon: prove it, copy it, put a copy in its place."""

from __future__ import annotations

from pathlib import Path

from syncd.clock import SystemClock
from syncd.sdk.errors import ConfigError, Problem
from syncd.settings import Daemon
from syncd.store.backup import backup, restore
from syncd.store.driver import named_errors, reader_engine, shown
from syncd.store.schema import info
from syncd.store.verify import Discrepancy, verify


def verify_store(daemon: Daemon) -> list[Discrepancy]:
    """Return every difference in the ledger. Raises ConfigError where there is no store of this version."""
    url = daemon.store_url
    found = info(url)
    if found.current != found.head:
        message = "there is no store yet" if found.current is None else f"its schema is {found.current}"
        remedy = "start the daemon once: it makes or upgrades the store"
        raise ConfigError([Problem(place=shown(url), message=message, remedy=remedy)])
    engine = reader_engine(url)
    try:
        with named_errors(), engine.connect() as connection:
            return verify(connection)
    finally:
        engine.dispose()


def backup_store(daemon: Daemon, folder: Path | None) -> Path:
    """Write a verified copy of the store into a folder (left out: where the daemon's own backups lie)."""
    return backup(daemon.store_url, folder or daemon.data_dir / "backups", clock=SystemClock())


def restore_store(daemon: Daemon, file: Path) -> Path | None:
    """Put a copy in the place of the store; return where the store before it lies, None where there was none."""
    return restore(file, daemon.store_url, clock=SystemClock())
