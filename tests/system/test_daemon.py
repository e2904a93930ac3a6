"""The daemon as a process: one owner, an end that loses nothing, a full disk, wrong settings, kill -9 after an ack."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from sqlite3 import connect

import aiohttp
import msgspec
import pytest

from adapters.memory import wire
from adapters.memory.simulator import MemorySimulator
from syncd.core.terms import WriteMode
from syncd.testing.market import Habits
from tests.system.processes import Daemon, daemon, free_port, until
from tests.system.street import Street, street

OWNED, WRONG_SETTINGS = 75, 78
SILENT = {"shopify": (WriteMode.COMPARE_AND_SET, Habits(feed_lateness_s=(3_600.0, 3_600.0)))}
"""A shop whose feed tells nothing for an hour."""
PLENTY = 100_000
ROUNDS = 4
DISK_BYTES = 16 * 1024 * 1024

pytestmark = pytest.mark.slow


@asynccontextmanager
async def living(folder: Path, *, seed: int = 1, **channel: object) -> AsyncIterator[tuple[Daemon, Street]]:
    """Run four shops and a daemon that keeps 30 units of each SKU in step on them."""
    port = free_port()
    async with street(seed=seed) as made:
        async with daemon(folder, made.tables(f"http://127.0.0.1:{port}", **channel), port=port) as syncd:
            await made.adopt(syncd, {shown.sku: 30 for shown in made.shops["shopify"].shown()})
            await made.at_rest(syncd)
            yield syncd, made


def rows(syncd: Daemon, query: str) -> list[tuple[object, ...]]:
    with closing(connect(f"file:{syncd.database}?mode=ro", uri=True)) as conn:
        return conn.execute(query).fetchall()


# --- one owner --------------------------------------------------------------------------------------------------------


async def test_a_second_daemon_ends_and_names_the_owner(tmp_path: Path) -> None:
    """A second daemon on the same data ends with 75 and names the process that has it, until that one is killed."""
    async with daemon(tmp_path, {}) as first:
        second = Daemon(tmp_path, {})
        second.log = tmp_path / "second.log"
        await second.start()
        assert await second.ended() == OWNED
        assert f"pid {first.pid} " in second.said()
        await first.kill()
        await second.start()
        await second.ready()
        await second.kill()


# --- an end -----------------------------------------------------------------------------------------------------------


async def test_a_stop_in_the_rush_loses_nothing(tmp_path: Path) -> None:
    """SIGTERM while shoppers buy ends with 0 in time, with every write recorded; the next start catches up."""
    async with living(tmp_path) as (syncd, shops), asyncio.TaskGroup() as group:
        crowd = group.create_task(shops.crowd(pause_s=0.01))
        await asyncio.sleep(2)
        assert await syncd.stop(seconds=90) == 0
        assert rows(syncd, "SELECT count(*) FROM write WHERE state = 'intended'") == [(0,)]
        assert rows(syncd, "SELECT count(*) FROM listing WHERE in_flight") == [(0,)]
        crowd.cancel()
        await syncd.start()
        await syncd.ready()
        await shops.at_rest(syncd)


async def test_a_stop_ends_at_once_when_nothing_happens(tmp_path: Path) -> None:
    """SIGTERM to a daemon at rest ends with 0 within seconds."""
    async with living(tmp_path) as (syncd, _):
        assert await syncd.stop(seconds=15) == 0


# --- kill -9 after an ack ---------------------------------------------------------------------------------------------


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """An order whose webhook got its 200 is in the ledger after `kill -9` and a start, though no feed ever tells it."""
    async with street(skus=5, channels=SILENT) as made:
        shop = made.shops["shopify"]
        for good in shop.shown():
            shop.set_shown(good.sku, PLENTY)
        async with daemon(tmp_path, made.tables()) as syncd:
            await made.adopt(syncd, {good.sku: PLENTY for good in shop.shown()})
            acked: set[str] = set()
            for number in range(ROUNDS):
                acked |= await acked_until_killed(syncd, made, most=3 + 20 * number)
                await syncd.start()
                await syncd.ready()
                assert acked <= {str(row[0]) for row in rows(syncd, "SELECT remote_id FROM orders")}
            assert rows(syncd, "SELECT count(*) - count(DISTINCT remote_id) FROM orders") == [(0,)]


async def acked_until_killed(syncd: Daemon, made: Street, *, most: int) -> set[str]:
    """Send webhooks, several at a time, and kill the daemon at the `most`-th 200; return the orders acknowledged."""
    acked: set[str] = set()
    enough = asyncio.Event()

    async def send(session: aiohttp.ClientSession) -> None:
        while not enough.is_set():
            order_id = made.buy("shopify", {"SKU-00001": 1})
            with suppress(aiohttp.ClientError, OSError):
                if await deliver(session, syncd, made.shops["shopify"], order_id) == 200:
                    acked.add(order_id)
            if len(acked) >= most:
                enough.set()

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(send(session))
        await enough.wait()
        await syncd.kill()
    return acked


async def deliver(session: aiohttp.ClientSession, syncd: Daemon, shop: MemorySimulator, order_id: str) -> int:
    """Send the webhook of an order; return the status of the answer."""
    body = msgspec.json.encode(shop._event([shop.shop.order(order_id)]))
    headers = {wire.SIGNATURE: wire.signature(shop.webhook_secret, body)}
    async with session.post(f"{syncd.url}/webhooks/shopify", data=body, headers=headers) as answer:
        return answer.status


# --- a full disk ------------------------------------------------------------------------------------------------------


async def test_files_that_may_not_grow_are_survived(tmp_path: Path) -> None:
    """While no file may grow, webhooks get 503 and the daemon stays up; once it may, it catches up by itself."""
    async with living(tmp_path) as (syncd, shops):
        limit = resource.prlimit(syncd.pid, resource.RLIMIT_FSIZE)
        largest = max(path.stat().st_size for path in tmp_path.glob("syncd.db*"))
        resource.prlimit(syncd.pid, resource.RLIMIT_FSIZE, (largest, limit[1]))
        await refuses(syncd, shops)
        resource.prlimit(syncd.pid, resource.RLIMIT_FSIZE, limit)
        await recovers(syncd, shops)


async def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """The same on a disk that is full."""
    with tiny_disk(tmp_path / "disk") as disk:
        async with living(disk / "data") as (syncd, shops):
            fill(disk / "ballast")
            await refuses(syncd, shops)
            (disk / "ballast").unlink()
            await recovers(syncd, shops)


async def refuses(syncd: Daemon, shops: Street) -> None:
    """Let shoppers buy until webhooks are refused for want of room, and some more."""
    async with aiohttp.ClientSession() as session:

        async def taken() -> str:
            order_id = shops.buy("shopify", {sorted(shops.stock)[len(shops.orders) % len(shops.stock)]: 1})
            status = await deliver(session, syncd, shops.shops["shopify"], order_id) if order_id else 0
            async with session.get(f"{syncd.url}/readyz") as ready:
                return "" if status == ready.status == 503 else f"answered {status}, ready {ready.status}"

        await until(taken, what="webhooks are refused", seconds=90)
        for name in shops.shops:
            shops.buy(name, {"SKU-00001": 1})
        async with session.get(f"{syncd.url}/livez") as alive:
            assert alive.status == 200


async def recovers(syncd: Daemon, shops: Street) -> None:
    assert syncd.process is not None
    assert syncd.process.returncode is None
    await syncd.ready()
    await shops.at_rest(syncd)


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path]:
    """Mount a small disk; skips where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a disk to fill")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until nothing more goes onto the disk."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (1_048_576, 4_096, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass


# --- settings ---------------------------------------------------------------------------------------------------------


async def test_wrong_settings_are_told_all_at_once(tmp_path: Path) -> None:
    """Settings with several faults end the start with 78, each fault on stderr with its key and a remedy."""
    faulty = {
        "policy": {"raise_delay_s": -1, "safty_stock": 3},
        "channels.shop": {"adapter": "nowhere"},
        "channels.other": {"adapter": "memory", "poll_s": 0.1},
        "channels.other.settings": {"url": "ftp://nothing"},
    }
    wrong = Daemon(tmp_path, faulty)
    await wrong.start()
    assert await wrong.ended() == WRONG_SETTINGS
    told = wrong.said()
    for name in ("raise_delay_s", "safty_stock", "nowhere", "poll_s"):
        assert name in told
    assert "syncd.toml" in told
    assert "Traceback" not in told


async def test_without_any_settings_it_runs(tmp_path: Path) -> None:
    """Without channels, broker and credentials the daemon runs on its embedded store."""
    async with daemon(tmp_path, {}) as syncd:
        assert (await syncd.get("/status"))["accounts"] == []
