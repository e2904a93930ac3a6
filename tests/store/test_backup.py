"""Backups are made while the daemon writes, are whole, and come back with everything paused."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text, update

from syncd.core.terms import SECOND_US
from syncd.sdk.errors import ConfigError, TransientError
from syncd.store import backup as backup_module
from syncd.store.backup import RESTORED, BackupError, backup, expired, restore
from syncd.store.driver import frozen_engine, sqlite_path, writer_engine
from syncd.store.owner import OwnedElsewhere, acquire
from syncd.store.rows import AccountRow, BalanceRow, MovementRow, SkuRow
from syncd.store.schema import migrate
from syncd.store.session import Store
from syncd.store.statements import table
from syncd.store.verify import verify
from tests.store.planting import plant

DAY_US = 86_400 * SECOND_US
BALANCE, ACCOUNT = table(BalanceRow), table(AccountRow)


@pytest.fixture
def url(sqlite_url: str, clock: Any) -> str:
    """Give a migrated SQLite store with one SKU and two accounts."""
    migrate(sqlite_url, backup_dir=None, clock=clock)
    with writer_engine(sqlite_url).begin() as conn:
        plant(conn, SkuRow(id=1, code="A"), BalanceRow(sku_id=1, location=""))
        plant(conn, AccountRow(name="shop", state="live", since=1), AccountRow(name="fresh", since=1))
    return sqlite_url


def receive(conn: Connection, number: int) -> None:
    """Write a movement and its balance together, as the daemon does."""
    once = {"source": "test", "reference": str(number), "kind": "receive", "reason": "x" * 500}
    units = {"on_hand": 1, "committed": 0, "held": 0}
    plant(conn, MovementRow(sku_id=1, location="", at=0, recorded_at=0, **once, **units))
    conn.execute(update(BALANCE).values(on_hand=BALANCE.c.on_hand + 1))


def movements(path: Path) -> int:
    with frozen_engine(path).begin() as conn:
        assert verify(conn) == []
        return int(conn.execute(text("SELECT count(*) FROM movement")).scalar_one())


def states(url: str) -> set[tuple[str, str, int]]:
    with writer_engine(url).begin() as conn:
        return {tuple(row) for row in conn.execute(select(ACCOUNT.c.state, ACCOUNT.c.reason, ACCOUNT.c.since))}


async def test_backups_under_writes_are_whole(url: str, clock: Any, tmp_path: Path) -> None:
    """Copies made while the daemon writes sum up, hold all that was committed before, and stop nobody."""
    written = 0
    stop = asyncio.Event()

    async def write_on(store: Store) -> None:
        nonlocal written
        while not stop.is_set():
            await store.write(partial(receive, number=written))
            written += 1

    async with Store.open(url, clock=clock) as store, asyncio.TaskGroup() as group:
        group.create_task(write_on(store))
        rounds_with_writes = 0
        for _ in range(5):
            before = written
            clock.instant += SECOND_US
            path = await store.read(lambda _conn: backup(url, tmp_path / "backups", clock=clock))
            assert before <= movements(path) <= written
            rounds_with_writes += written > before
        stop.set()
    assert rounds_with_writes > 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in (tmp_path / "backups").iterdir()] == [path.name]


def test_a_backup_says_when_it_was_made(url: str, clock: Any, tmp_path: Path) -> None:
    """The name of a backup is its UTC time to the second."""
    assert backup(url, tmp_path / "backups", clock=clock).name == "syncd-20260921T141320Z.db"


def test_old_backups_go_and_the_last_of_each_day_and_week_stay(url: str, clock: Any, tmp_path: Path) -> None:
    """After forty days of two backups a day there are the last of 7 days and of 4 weeks, and what is not ours."""
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("syncd-before-upgrade-of-0001-1.db", "notes.txt", "syncd-20200101.db"):
        (folder / name).write_text("")
    for _half_day in range(78):
        clock.instant += DAY_US // 2
        (folder / f"syncd-{backup_module._moment_text(clock.now())}.db").write_text("")
    clock.instant += DAY_US // 2
    newest = backup(url, folder, clock=clock)
    ours = sorted(path.name for path in folder.iterdir() if len(path.name) == len(newest.name))
    assert ours[-1] == newest.name
    assert len(ours) == 7 + 4 - 2
    assert len(list(folder.iterdir())) == len(ours) + 3


def test_expired_decides_by_names_alone() -> None:
    """Of one day only the last stays; a week that a daily one covers needs no other."""
    names = ["syncd-20261118T100000Z.db", "syncd-20261118T230000Z.db", "syncd-20261110T100000Z.db", "other.db"]
    assert expired(names, keep_daily=1, keep_weekly=1) == ["syncd-20261118T100000Z.db", "syncd-20261110T100000Z.db"]
    assert expired(names, keep_daily=1, keep_weekly=2) == ["syncd-20261118T100000Z.db"]
    assert expired(names, keep_daily=9, keep_weekly=9) == ["syncd-20261118T100000Z.db"]


def test_wrong_balances_are_told_and_the_copy_kept_apart(url: str, clock: Any, tmp_path: Path) -> None:
    """A ledger that does not sum up is an error with its numbers; the copy is kept under another name."""
    with writer_engine(url).begin() as conn:
        receive(conn, 1)
        conn.execute(update(BALANCE).values(on_hand=5))
    with pytest.raises(BackupError, match="on_hand of A: 5, expected 1"):
        backup(url, tmp_path / "backups", clock=clock)
    assert [path.name for path in (tmp_path / "backups").iterdir()] == ["syncd-suspect.db"]


def test_a_damaged_copy_is_not_kept(url: str, clock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy whose pages are damaged is an error and leaves no file."""
    make = backup_module._copy

    def make_and_damage(source: Path, part: Path) -> None:
        make(source, part)
        damage(part)

    monkeypatch.setattr(backup_module, "_copy", make_and_damage)
    with pytest.raises(BackupError, match=r"damaged|cannot be read"):
        backup(url, tmp_path / "backups", clock=clock)
    assert list((tmp_path / "backups").iterdir()) == []


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(20 * 4096))


def test_two_backups_at_once_do_not_meet(url: str, clock: Any, tmp_path: Path) -> None:
    """A second backup into one folder is refused as transient while the first is under way; leftovers are removed."""
    folder = tmp_path / "backups"
    with backup_module._alone_in(folder), pytest.raises(TransientError, match="another backup"):
        backup(url, folder, clock=clock)
    (folder / "syncd-backup.part").write_text("cut off by a kill")
    path = backup(url, folder, clock=clock)
    assert [p.name for p in folder.iterdir()] == [path.name]


@pytest.mark.real
def test_postgres_is_left_to_its_own_tools(postgres_url: str, clock: Any, tmp_path: Path) -> None:
    """A backup of PostgreSQL is refused with the name of the tool that makes it."""
    with pytest.raises(ConfigError, match="pg_dump"):
        backup(postgres_url, tmp_path, clock=clock)
    with pytest.raises(ConfigError, match="pg_dump"):
        restore(tmp_path / "a.db", postgres_url)


def test_a_restore_pauses_everything_and_keeps_what_was_there(url: str, clock: Any, tmp_path: Path) -> None:
    """A restored store has the backup's stock and only paused accounts; the store before it lies aside, whole."""
    with writer_engine(url).begin() as conn:
        receive(conn, 1)
    saved = backup(url, tmp_path / "backups", clock=clock)
    with writer_engine(url).begin() as conn:
        receive(conn, 2)
    aside = restore(saved, url, clock=clock)
    assert states(url) == {("paused", RESTORED, clock.now())}
    target = sqlite_path(url)
    assert target is not None
    assert aside is not None
    assert (movements(target), movements(aside), movements(saved)) == (1, 2, 1)
    assert target.stat().st_mode & 0o777 == 0o600
    assert restore(saved, url) != aside


def test_the_log_of_the_store_before_stays_with_it(url: str, clock: Any, tmp_path: Path) -> None:
    """A log left by a kill is neither lost nor read into the restored store."""
    saved = backup(url, tmp_path / "backups", clock=clock)
    target = sqlite_path(url)
    assert target is not None
    with closing(sqlite3.connect(target)) as killed:
        killed.execute("INSERT INTO sku (code, title) VALUES ('only in the log', '')")
        killed.commit()
        assert Path(f"{target}-wal").stat().st_size > 0
        aside = restore(saved, url)
        assert aside is not None
        assert not Path(f"{target}-wal").exists()
        assert not Path(f"{target}-shm").exists()
    for path, codes in ((target, ["A"]), (aside, ["A", "only in the log"])):
        with closing(sqlite3.connect(path)) as found:
            assert [code for (code,) in found.execute("SELECT code FROM sku ORDER BY id")] == codes


def test_a_restore_into_an_empty_place_needs_no_store(url: str, clock: Any, tmp_path: Path) -> None:
    """On a new machine there is nothing to set aside."""
    saved = backup(url, tmp_path / "backups", clock=clock)
    other = f"sqlite:///{tmp_path}/other.db"
    assert restore(saved, other) is None
    assert {state for state, _, _ in states(other)} == {"paused"}


def test_a_store_in_use_is_not_replaced(url: str, clock: Any, tmp_path: Path) -> None:
    """While a daemon owns the store a restore is refused; nothing is changed."""
    saved = backup(url, tmp_path / "backups", clock=clock)
    ownership = acquire(url, holder="the daemon")
    with pytest.raises(OwnedElsewhere, match="the daemon"):
        restore(saved, url)
    ownership.check()
    ownership.release()
    assert {state for state, _, _ in states(url)} == {"live", "new"}
    restore(saved, url)


@pytest.mark.parametrize("kind", ["missing", "text", "damaged", "foreign", "newer"])
def test_only_a_good_backup_is_restored(kind: str, url: str, clock: Any, tmp_path: Path) -> None:
    """What is missing, damaged, not ours or too new is refused with its name, and the store stays as it was."""
    saved = backup(url, tmp_path / "backups", clock=clock)
    spoil(saved, kind)
    target = sqlite_path(url)
    assert target is not None
    before = target.read_bytes()
    with pytest.raises(ConfigError, match=saved.name):
        restore(saved, url)
    assert target.read_bytes() == before
    assert not list(tmp_path.glob("*.restore"))


def spoil(path: Path, kind: str) -> None:
    if kind == "damaged":
        damage(path)
    elif kind == "newer":
        with closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE alembic_version SET version_num = '9999'")
            file.commit()
    else:
        path.unlink()
    if kind == "text":
        path.write_text("a backup of something else")
    elif kind == "foreign":
        with closing(sqlite3.connect(path)) as file:
            file.execute("CREATE TABLE stranger (a)")


def test_a_full_disk_is_named(url: str, clock: Any, tmp_path: Path) -> None:
    """A folder that cannot be written is a transient failure that names it."""
    (tmp_path / "backups").write_text("a file where the folder should be")
    with pytest.raises(TransientError, match="backups"):
        backup(url, tmp_path / "backups", clock=clock)
