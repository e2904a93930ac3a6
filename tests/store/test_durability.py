"""What was acknowledged is there: after kill -9, and after a disk that was full."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select

from syncd.store.driver import reader_engine
from syncd.store.rows import InboxRow
from syncd.store.schema import migrate
from syncd.store.session import Store, StoreFull
from syncd.store.statements import table

INBOX = table(InboxRow)
HERE = Path(__file__).parent
ROUNDS = 5


def killed_after(url: str, name: str, acks: int) -> set[tuple[str, str]]:
    """Run the writing child, kill it with -9 after so many acks; return all that it acknowledged."""
    command = [sys.executable, str(HERE / "acking_child.py"), url, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(acks)]
        os.kill(child.pid, signal.SIGKILL)
        # What stands in the pipe was acknowledged before the kill. A last line may be cut; then it was not.
        lines += [line for line in child.stdout if line.endswith(b"\n")]
    assert child.returncode == -signal.SIGKILL
    return {(source, key) for source, key in (line.decode().split() for line in lines)}


def stored(url: str) -> list[tuple[str, str]]:
    engine = reader_engine(url)
    try:
        with engine.connect() as connection:
            return [(source, key) for source, key in connection.execute(select(INBOX.c.source, INBOX.c.key))]
    finally:
        engine.dispose()


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_acknowledged(store_url: str, clock: Any) -> None:
    """A process killed at any moment leaves every row it acknowledged, each once, and the next one goes on."""
    migrate(store_url, backup_dir=None, clock=clock)
    dice = random.Random(20261122)
    acked: set[tuple[str, str]] = set()
    for number in range(ROUNDS):
        acked |= killed_after(store_url, f"round{number}", dice.randint(1, 400))
        rows = stored(store_url)
        assert len(rows) == len(set(rows))
        assert acked <= set(rows)
    assert len({source.split(".")[0] for source, _ in acked}) == ROUNDS


def test_a_file_that_may_not_grow_is_survived(sqlite_url: str, clock: Any) -> None:
    """Refused works have no effect, reads go on, and the store writes again by itself once it may."""
    migrate(sqlite_url, backup_dir=None, clock=clock)
    command = [sys.executable, str(HERE / "full_disk_child.py"), sqlite_url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(ended.stdout)
    assert told["acked"] > 1
    assert told["readable"] == told["acked"] + told["refused"]
    assert told["stored"] == told["readable"] + 1


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of 2 MB; skips where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "syncd-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tiny disk needs root; the limit on file size is tested in any case")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def put(conn: Connection) -> None:
    conn.execute(insert(INBOX), {"kind": "hint", "source": "full", "body": bytes(4_000), "received_at": 0})


def rows(conn: Connection) -> int:
    return int(conn.execute(select(func.count()).select_from(INBOX)).scalar_one())


def driver_connection(conn: Connection) -> object:
    return conn.connection.dbapi_connection


async def fill(store: Store) -> int:
    for number in range(2_000):
        try:
            await store.write(put)
        except StoreFull:
            return number
    raise AssertionError("the disk was never full")


async def test_a_full_disk_is_survived(tmp_path: Path, clock: Any) -> None:
    """On a full disk works are refused as StoreFull and take no effect; with space again the next work succeeds."""
    with tiny_disk(tmp_path / "disk") as disk:
        url = f"sqlite:///{disk}/syncd.db"
        migrate(url, backup_dir=None, clock=clock)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(600_000))
        async with Store.open(url, clock=clock) as store:
            opened_first = await store.write(driver_connection)
            acked = await fill(store)
            assert acked > 0
            assert await store.read(rows) == acked
            for _ in range(3):
                with pytest.raises(StoreFull):
                    await store.write(put)
            ballast.unlink()
            await store.write(put)
            assert await store.read(rows) == acked + 1
            assert await store.write(driver_connection) is not opened_first
