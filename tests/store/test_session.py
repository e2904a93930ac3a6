"""The writer, its groups, the readers, and what they do when the database fails."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from syncd.sdk.errors import ConfigError, TransientError
from syncd.store import writer as writer_module
from syncd.store.driver import frozen_engine, reader_engine
from syncd.store.rows import InboxRow
from syncd.store.schema import migrate
from syncd.store.session import GROUP_WORKS, Store, StoreBusy, Turn
from syncd.store.statements import table

INBOX = table(InboxRow)
Work = Callable[[Connection], Any]


def putting(key: str, *, source: str = "test") -> Work:
    row = {"kind": "hint", "source": source, "key": key, "body": b"{}", "received_at": 0}
    return lambda conn: conn.execute(insert(INBOX), row)


def keys(conn: Connection) -> list[str]:
    return list(conn.execute(select(INBOX.c.key).order_by(INBOX.c.id)).scalars())


def failing(error: BaseException) -> Work:
    def work(conn: Connection) -> None:
        putting("never")(conn)
        raise error

    return work


def files(url: str) -> list[Path]:
    return list(Path(url.removeprefix("sqlite:///")).parent.iterdir())


def damage(url: str) -> None:
    Path(url.removeprefix("sqlite:///")).write_bytes(b"not a database at all" * 100)


class Gate:
    """A work that holds the writer, so that what is written meanwhile becomes one group behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _conn: Connection) -> None:
        self.entered.set()
        assert self.opened.wait(10)

    async def held(self) -> None:
        """Wait until it holds the writer."""
        assert await asyncio.get_running_loop().run_in_executor(None, self.entered.wait, 10)


async def all_behind_a_gate(store: Store, works: list[Work]) -> list[Any]:
    """Write works that wait together; return what each gave or raised, in order."""
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(outcome(store, gate))
        await gate.held()
        tasks = [group.create_task(outcome(store, work)) for work in works]
        await asyncio.sleep(0)
        assert store.stats.queue_depth == len(works)
        gate.opened.set()
    return [task.result() for task in tasks]


async def outcome(store: Store, work: Work) -> Any:
    try:
        return await store.write(work)
    except Exception as error:  # noqa: BLE001  (the test looks at it)
        return error


class StoppedClock:
    """No time passes, so that only the number of works limits a group; or a fixed time at each look."""

    def __init__(self, step_s: float = 0.0) -> None:
        self._seconds = itertools.count(0.0, step_s)

    def now(self) -> int:
        return 0

    def monotonic(self) -> float:
        return next(self._seconds)


@contextlib.asynccontextmanager
async def opened(url: str, clock: Any, *, inline: bool = False) -> AsyncIterator[Store]:
    migrate(url, backup_dir=None, clock=clock)
    async with Store.open(url, clock=clock, inline=inline) as store:
        yield store


async def test_a_write_returns_the_works_result_and_is_read_afterwards(store: Store) -> None:
    """A write gives what its work returns, and every later read sees it."""
    assert await store.write(lambda conn: putting("a")(conn) and 42) == 42
    assert await store.read(keys) == ["a"]


async def test_works_that_wait_share_a_transaction(store_url: str) -> None:
    """Works that wait for the writer are committed together, never more than the limit of a group."""
    async with opened(store_url, StoppedClock()) as store:
        await all_behind_a_gate(store, [putting(str(n)) for n in range(600)])
        stats = store.stats
        assert (stats.works, stats.commits, stats.queue_depth) == (601, -(-601 // GROUP_WORKS), 0)


async def test_a_group_stops_growing_with_time(sqlite_url: str) -> None:
    """No work is added to a transaction that has lasted for the limit of a group."""
    async with opened(sqlite_url, StoppedClock(step_s=writer_module.GROUP_S / 2)) as store:
        await all_behind_a_gate(store, [putting(str(n)) for n in range(20)])
        assert store.stats.commits >= 10


async def test_works_keep_their_order(store: Store) -> None:
    """Works take effect in the order of the calls, within a group and across groups."""
    await all_behind_a_gate(store, [putting(f"{n:04}") for n in range(700)])
    assert await store.read(keys) == [f"{n:04}" for n in range(700)]


async def order_of(url: str, works: Sequence[tuple[str, Turn]]) -> list[str]:
    """Queue works behind a gate; return the order in which they ran, each with the number of its transaction."""
    order: list[str] = []
    gate = Gate()

    def noting(name: str) -> Work:
        return lambda conn: order.append(f"{name}:{store.stats.commits}")

    async with opened(url, StoppedClock()) as store, asyncio.TaskGroup() as group:
        group.create_task(outcome(store, gate))
        await gate.held()
        for name, turn in works:
            group.create_task(store.write(noting(name), turn=turn))
        await asyncio.sleep(0)
        gate.opened.set()
    return order


async def test_urgent_works_go_first_and_alone(store_url: str) -> None:
    """Works for which somebody outside waits overtake the others and share no transaction with them."""
    works = [("a", Turn.USUAL), ("A", Turn.URGENT), ("b", Turn.USUAL), ("B", Turn.URGENT)]
    assert await order_of(store_url, works) == ["A:1", "B:1", "a:2", "b:2"]


async def test_urgent_works_do_not_starve_the_others(store: Store) -> None:
    """While urgent works keep coming the others have every second transaction."""
    done = asyncio.Event()

    async def hurry() -> None:
        while not done.is_set():
            await store.write(lambda conn: None, turn=Turn.URGENT)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(hurry())
        for number in range(20):
            await store.write(putting(f"slow{number}"))
        done.set()
    assert len(await store.read(keys)) == 20


async def test_patient_works_go_last_and_alone(store_url: str) -> None:
    """Works that nobody waits for let all others go first, each in a transaction of its own."""
    works = [("a last", Turn.PATIENT), ("a", Turn.USUAL), ("b last", Turn.PATIENT), ("b", Turn.USUAL)]
    assert await order_of(store_url, works) == ["a:0", "b:0", "a last:1", "b last:2"]


async def test_who_was_served_and_asks_again_goes_before_a_patient_work(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A work that follows another at once does not wait for a patient one that came between them."""
    monkeypatch.setattr(writer_module, "GRACE_S", 30.0)
    order: list[str] = []

    async def twice() -> None:
        await store.write(lambda conn: order.append("first"), turn=Turn.URGENT)
        await store.write(lambda conn: order.append("second"))

    async def patient() -> None:
        await store.write(lambda conn: order.append("patient"), turn=Turn.PATIENT)

    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(outcome(store, gate))
        await gate.held()
        group.create_task(patient())
        group.create_task(twice())
        await asyncio.sleep(0)
        gate.opened.set()
        while len(order) < 2:
            await asyncio.sleep(0)
        monkeypatch.setattr(writer_module, "GRACE_S", 0.0)
        while len(order) < 3:
            await store.write(lambda conn: None)
    assert order == ["first", "second", "patient"]


async def test_others_do_not_starve_a_patient_work(store: Store) -> None:
    """While other works keep coming a patient one has its turn every now and then."""
    done = asyncio.Event()

    async def go_on() -> None:
        while not done.is_set():
            await store.write(lambda conn: None)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(go_on())
        for number in range(5):
            await store.write(putting(f"patient{number}"), turn=Turn.PATIENT)
        done.set()
    assert len(await store.read(keys)) == 5


@pytest.mark.parametrize("place", [0, 7, 19])
async def test_only_the_guilty_work_fails(store: Store, place: int) -> None:
    """A work that raises takes nobody with it: all others of its group take effect once and in order."""
    works = [putting(f"{n:02}") for n in range(20)]
    works[place] = failing(ValueError("guilty"))
    outcomes = await all_behind_a_gate(store, works)
    assert [n for n, result in enumerate(outcomes) if isinstance(result, Exception)] == [place]
    assert str(outcomes[place]) == "guilty"
    assert await store.read(keys) == [f"{n:02}" for n in range(20) if n != place]


async def test_a_constraint_fails_only_its_caller(store: Store) -> None:
    """A row that exists already fails its own caller with the database's error, which holds no values."""
    outcomes = await all_behind_a_gate(store, [putting("a"), putting("b"), putting("a"), putting("c")])
    assert [type(result) for result in outcomes].count(IntegrityError) == 1
    assert isinstance(outcomes[2], IntegrityError)
    assert "parameters hidden" in str(outcomes[2])
    assert await store.read(keys) == ["a", "b", "c"]


async def test_a_work_must_not_go_on_after_a_failed_statement(store: Store, store_url: str) -> None:
    """A work that swallows an error which ended its transaction is refused; its neighbours take effect."""
    verb = "INSERT OR ROLLBACK" if store_url.startswith("sqlite") else "INSERT"
    repeat = text(f"{verb} INTO inbox (kind, source, key, body, received_at) VALUES ('hint', 'test', 'a', '', 0)")

    def careless(conn: Connection) -> None:
        with contextlib.suppress(IntegrityError):
            conn.execute(repeat)

    await store.write(putting("a"))
    outcomes = await all_behind_a_gate(store, [putting("b"), careless, putting("c")])
    assert [type(result) for result in outcomes].count(AssertionError) == 1
    assert isinstance(outcomes[1], AssertionError)
    assert await store.read(keys) == ["a", "b", "c"]


async def test_every_kind_of_error_reaches_its_caller(store: Store) -> None:
    """Errors that a future cannot carry still end the wait: StopIteration comes out as RuntimeError."""
    for door in (store.write, store.read):
        with pytest.raises(RuntimeError):
            await door(lambda _conn: next(iter(())))
    await store.write(putting("after"))


async def test_a_cancelled_caller_leaves_the_others_alone(store: Store) -> None:
    """A caller that gives up does not disturb the group its work is in."""
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(store.write(gate))
        impatient = group.create_task(store.write(putting("a")))
        patient = group.create_task(store.write(putting("b")))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        await patient
    assert impatient.cancelled()
    assert "b" in await store.read(keys)


async def test_too_many_waiting_works_are_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue refuses at once with StoreBusy, says that nothing was done, and takes works again later."""
    monkeypatch.setattr(writer_module, "QUEUE_WORKS", 3)
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(store.write(gate))
        await gate.held()
        for n in range(3):
            group.create_task(store.write(putting(str(n))))
        await asyncio.sleep(0)
        with pytest.raises(StoreBusy) as refused:
            await store.write(putting("refused"))
        gate.opened.set()
    assert refused.value.sent is False
    await store.write(putting("later"))
    assert await store.read(keys) == ["0", "1", "2", "later"]


async def test_too_many_waiting_reads_are_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More reads than may wait are refused at once with StoreBusy."""
    monkeypatch.setattr("syncd.store.session.READS_WAITING", 1)
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(store.read(gate))
        await asyncio.sleep(0)
        with pytest.raises(StoreBusy):
            await store.read(keys)
        gate.opened.set()
    assert await store.read(keys) == []


async def test_a_read_sees_one_state_and_never_holds_the_writer(store: Store) -> None:
    """A long read keeps the state that it began with, while writes go on and other reads see them."""
    gate = Gate()

    def twice(conn: Connection) -> tuple[list[str], list[str]]:
        before = keys(conn)
        gate(conn)
        return before, keys(conn)

    await store.write(putting("a"))
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(store.read(twice))
        await gate.held()
        await store.write(putting("b"))
        assert await store.read(keys) == ["a", "b"]
        gate.opened.set()
    assert reading.result() == (["a"], ["a"])


async def test_a_read_cannot_write(store: Store) -> None:
    """A work that writes through the door for reading is refused."""
    with pytest.raises(TransientError, match="cannot be written"):
        await store.read(putting("a"))
    assert await store.read(keys) == []


async def test_closing_ends_what_is_queued(store_url: str, clock: Any) -> None:
    """Queued works are committed before the store is closed; later calls are refused, closing again does nothing."""
    async with opened(store_url, clock) as store:
        async with asyncio.TaskGroup() as group:
            writes = [group.create_task(store.write(putting(str(n)))) for n in range(50)]
            await asyncio.sleep(0)
            await store.close()
        assert all(task.exception() is None for task in writes)
        for door in (store.write, store.read):
            with pytest.raises(StoreBusy, match="closed"):
                await door(keys)
        await store.close()
    engine = reader_engine(store_url)
    with engine.connect() as connection:
        assert len(keys(connection)) == 50
    engine.dispose()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("syncd-")]


async def test_inline_works_run_at_once_without_threads(store_url: str, clock: Any) -> None:
    """An inline store does the same in the calling thread, and never waits."""
    async with opened(store_url, clock, inline=True) as store:
        ran_in = await store.write(lambda _conn: threading.current_thread())
        assert ran_in is threading.current_thread()
        assert await store.read(lambda _conn: threading.current_thread()) is ran_in
        await store.write(putting("a"))
        with pytest.raises(ValueError, match="guilty"):
            await store.write(failing(ValueError("guilty")))
        await store.write(putting("b"))
        assert await store.read(keys) == ["a", "b"]
        assert (store.stats.works, store.stats.commits) == (3, 3)
    with pytest.raises(StoreBusy):
        await store.write(putting("c"))


async def test_stats_tell_how_long_transactions_take(store: Store) -> None:
    """The longest transaction stays on record when later ones are shorter."""
    await store.write(lambda _conn: threading.Event().wait(0.03))
    longest_s = store.stats.longest_s
    assert longest_s >= 0.03
    await store.write(putting("a"))
    assert store.stats.longest_s == longest_s
    assert 0 < store.stats.last_commit_s <= longest_s


async def test_sqlite_is_opened_to_last(sqlite_url: str, clock: Any) -> None:
    """The writer is durable and checkpoints alone; readers can neither write nor checkpoint."""

    def pragmas(conn: Connection) -> dict[str, Any]:
        names = ("journal_mode", "synchronous", "wal_autocheckpoint", "query_only", "foreign_keys", "mmap_size")
        return {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    async with opened(sqlite_url, clock) as store:
        writing = await store.write(pragmas)
        reading = await store.read(pragmas)
    assert (writing["journal_mode"], writing["synchronous"], writing["foreign_keys"]) == ("wal", 2, 1)
    assert (writing["wal_autocheckpoint"], reading["wal_autocheckpoint"]) == (16384, 0)
    assert (writing["query_only"], reading["query_only"]) == (0, 1)
    assert (writing["mmap_size"], reading["mmap_size"]) == (0, 0)
    modes = {path.name: path.stat().st_mode & 0o777 for path in files(sqlite_url)}
    assert modes == {"syncd.db": 0o600}


async def test_an_idle_writer_empties_its_log(sqlite_url: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once enough rows have changed, the log goes into the file as soon as the writer is idle, and not before."""
    monkeypatch.setattr(writer_module, "CHECKPOINT_ROWS", 10)
    rested: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    rest = writer_module.Committer.rest

    def rest_and_tell(committer: writer_module.Committer, *, rows: int) -> None:
        rest(committer, rows=rows)
        told = (committer.stats.works, rows_in_the_file_alone(sqlite_url))
        loop.call_soon_threadsafe(rested.put_nowait, told)

    async def in_file_after(works: int) -> int:
        while (told := await rested.get())[0] < works:
            pass
        return told[1]

    monkeypatch.setattr(writer_module.Committer, "rest", rest_and_tell)
    async with opened(sqlite_url, clock) as store:
        for stage, (count, in_file) in enumerate(((5, 0), (5, 10), (1, 10))):
            await all_behind_a_gate(store, [putting(f"{stage} {n}") for n in range(count)])
            assert await in_file_after(store.stats.works) == in_file


async def test_patient_works_empty_the_log(sqlite_url: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patient works one after the other leave no idle moment: where nobody waits the log goes into the file between."""
    monkeypatch.setattr(writer_module, "PATIENT_ROWS", 10)
    monkeypatch.setattr(writer_module, "IDLE_S", 60.0)
    async with opened(sqlite_url, clock) as store:
        number = 0
        while not await store.write(lambda conn: rows_in_the_file_alone(sqlite_url)):
            await store.write(putting(str(number)), turn=Turn.PATIENT)
            number += 1
    assert number >= 10


def rows_in_the_file_alone(url: str) -> int:
    """Count the rows that are in the database's file, whatever its log holds."""
    engine = frozen_engine(Path(url.removeprefix("sqlite:///")))
    with engine.connect() as connection:
        return len(keys(connection))


@pytest.mark.real
async def test_a_lost_connection_fails_its_group_and_comes_back(postgres_url: str, clock: Any) -> None:
    """When PostgreSQL ends the writer's session, the works of that group fail as transient and the next ones work."""
    async with opened(postgres_url, clock) as store:
        await store.write(putting("before"))
        end_session = text("SELECT pg_terminate_backend(pg_backend_pid())")
        outcomes = await all_behind_a_gate(store, [putting("a"), lambda conn: conn.execute(end_session), putting("b")])
        assert {type(result) for result in outcomes if isinstance(result, Exception)} == {TransientError}
        await store.write(putting("after"))
        with pytest.raises(TransientError):
            await store.read(lambda conn: conn.execute(end_session))
        stored = await store.read(keys)
    assert stored[0] == "before"
    assert stored[-1] == "after"
    failed = {key for key, result in zip("a_b", outcomes, strict=True) if isinstance(result, Exception)}
    assert failed.isdisjoint(stored)


@pytest.mark.real
async def test_a_server_that_is_away_fails_all_who_wait(postgres_url: str, clock: Any) -> None:
    """Works fail as transient, not one by one after a long wait each, while no connection can be opened."""
    async with Store.open(postgres_url.replace("/syncd_", "/gone_"), clock=clock) as store:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(outcome(store, putting(str(n)))) for n in range(100)]
        assert {type(task.result()) for task in tasks} == {TransientError}
        assert "does not exist" in str(tasks[-1].result())
        assert store.stats.commits == 0


async def test_a_damaged_database_is_named_with_its_remedy(sqlite_url: str, clock: Any) -> None:
    """A file that is not a database ends in a ConfigError that names `syncd restore`."""
    damage(sqlite_url)
    async with Store.open(sqlite_url, clock=clock) as store:
        with pytest.raises(ConfigError, match="syncd restore"):
            await store.write(putting("a"))


@pytest.mark.parametrize(
    "url",
    ["mysql://user:hush@host/db", "sqlite://", "sqlite:///:memory:", "nonsense:hush", "sqlite:////no/such/dir/a.db"],
)
async def test_an_unusable_url_is_refused_without_telling_it(url: str, clock: Any) -> None:
    """A URL that cannot be used is a ConfigError, which does not repeat a password."""
    with pytest.raises(ConfigError) as refused:
        async with Store.open(url, clock=clock) as store:
            await store.write(putting("a"))
    assert "hush" not in str(refused.value)


async def test_counts_are_exact_under_load(store: Store) -> None:
    """Hundreds of writers at once lose nothing and double nothing."""

    async def write_some(name: str) -> None:
        for n in range(5):
            await store.write(putting(str(n), source=name))

    async with asyncio.TaskGroup() as group:
        for n in range(100):
            group.create_task(write_some(f"writer {n}"))
    total = select(func.count(), func.count(INBOX.c.source.distinct())).select_from(INBOX)
    assert tuple(await store.read(lambda conn: conn.execute(total).one())) == (500, 100)
