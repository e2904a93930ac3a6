"""One owner of a store: who is refused, who is told of whom, and when it is free again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from syncd.sdk.errors import ConfigError, TransientError
from syncd.store.driver import writer_engine
from syncd.store.owner import OwnedElsewhere, Ownership, acquire, fence
from syncd.store.schema import migrate
from tests.real_servers import Postgres

CHILD = Path(__file__).parent / "owning_child.py"


@contextmanager
def owning_child(url: str, holder: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run another process that wants to own the store; give it and what it says first."""
    command = [sys.executable, str(CHILD), url, holder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child, child.stdout.readline().strip()
        finally:
            if child.poll() is None:
                child.kill()


def acquire_soon(url: str, *, holder: str) -> Ownership:
    """Acquire what is given free by a process that has just ended: a server may take a moment to notice."""
    for _ in range(200):
        try:
            return acquire(url, holder=holder)
        except OwnedElsewhere:
            threading.Event().wait(0.02)
    raise AssertionError("the store is never free")


def set_meta(url: str, name: str, value: str) -> None:
    with writer_engine(url).begin() as connection:
        connection.execute(text("UPDATE meta SET value = :value WHERE name = :name"), {"name": name, "value": value})


def test_a_second_process_is_refused_and_told_who_owns(store_url: str) -> None:
    """While one process owns a store, another one is refused with the holder's own words and leaves with 75."""
    ownership = acquire(store_url, holder="first, pid 1")
    with owning_child(store_url, "second, pid 2") as (child, said):
        assert said == "refused: first, pid 1"
        assert child.wait(10) == 75
    ownership.check()
    ownership.release()


def test_kill_9_frees_the_store(store_url: str) -> None:
    """A store whose owner was killed is free again, under a higher epoch."""
    with owning_child(store_url, "second, pid 2") as (child, said):
        epoch = int(re.fullmatch(r"epoch (\d+)", said).group(1))  # type: ignore[union-attr]  # a mismatch fails the test
        with pytest.raises(OwnedElsewhere) as refused:
            acquire(store_url, holder="first")
        assert refused.value.owner == "second, pid 2"
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
    ownership = acquire_soon(store_url, holder="first")
    assert ownership.epoch == epoch + 1
    ownership.release()


def test_a_release_frees_the_store(store_url: str) -> None:
    """Each owner has a higher epoch than the one before; releasing twice does nothing."""
    epochs = []
    for name in ("a", "b", "c"):
        ownership = acquire_soon(store_url, holder=name)
        ownership.check()
        epochs.append(ownership.epoch)
        ownership.release()
        ownership.release()
    assert epochs == [1, 2, 3]


def test_one_process_cannot_own_a_store_twice(store_url: str) -> None:
    """The lock holds against a second daemon in the same process too."""
    ownership = acquire(store_url, holder="only")
    with pytest.raises(OwnedElsewhere, match="only"):
        acquire(store_url, holder="again")
    ownership.release()


def test_the_lock_comes_before_the_tables(store_url: str, clock: Any) -> None:
    """A store is owned before it is migrated, and the migration finds nothing in its way."""
    ownership = acquire(store_url, holder="first")
    assert migrate(store_url, backup_dir=None, clock=clock).before is None
    ownership.check()
    ownership.release()


def test_a_late_owner_is_told_by_the_epoch(store_url: str) -> None:
    """Once another epoch has begun, the owner before fails its check, in its own transactions too."""
    ownership = acquire(store_url, holder="first")
    set_meta(store_url, "epoch", str(ownership.epoch + 1))
    set_meta(store_url, "owner", "second")
    with pytest.raises(OwnedElsewhere, match="second"):
        ownership.check()
    with pytest.raises(OwnedElsewhere, match="second"), writer_engine(store_url).begin() as connection:
        fence(connection, epoch=ownership.epoch)
    ownership.release()


def test_a_removed_lock_file_is_noticed(sqlite_url: str) -> None:
    """When somebody removes the lock's file and a second daemon starts, the first one fails its check."""
    first = acquire(sqlite_url, holder="first")
    Path(sqlite_url.removeprefix("sqlite:///") + ".lock").unlink()
    second = acquire(sqlite_url, holder="second")
    with pytest.raises(OwnedElsewhere, match="second"):
        first.check()
    second.check()
    first.release()
    second.release()


def test_an_unreadable_lock_file_still_holds(sqlite_url: str) -> None:
    """A lock whose file does not tell its holder refuses all the same."""
    ownership = acquire(sqlite_url, holder="first")
    Path(sqlite_url.removeprefix("sqlite:///") + ".lock").write_text("")
    with pytest.raises(OwnedElsewhere, match="unknown"):
        acquire(sqlite_url, holder="second")
    ownership.release()


@pytest.mark.real
def test_a_lost_session_loses_the_lock(postgres_url: str) -> None:
    """When PostgreSQL ends the session that holds the lock, the check fails, again and again, and the store is free."""
    ownership = acquire(postgres_url, holder="first")
    with writer_engine(postgres_url).begin() as connection:
        end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        assert connection.execute(text(end)).scalars().all() == [True]
    for _ in range(2):
        with pytest.raises(OwnedElsewhere):
            ownership.check()
    acquire_soon(postgres_url, holder="second").release()
    ownership.release()


@pytest.mark.real
def test_two_databases_of_a_server_have_two_owners(postgres_server: Postgres, postgres_url: str) -> None:
    """The lock of one database does not hold in another one of the same server."""
    ownership = acquire(postgres_url, holder="first")
    with postgres_server.database("syncd_other") as other:
        acquire(other, holder="second").release()
    ownership.release()


def test_a_store_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    """A folder that is not there is a matter of settings, a server that is not there may come back."""
    with pytest.raises(ConfigError, match="create the folder"):
        acquire(f"sqlite:///{tmp_path}/none/syncd.db", holder="first")
    with pytest.raises(TransientError, match="cannot be reached"):
        acquire(f"postgresql://nobody@/none?host={tmp_path}", holder="first")
