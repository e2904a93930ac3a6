"""What a daemon that runs for months does beside its work: forget what is old, watch the disk, tell who is down."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import Connection

from syncd.core.terms import AccountId, Instant
from syncd.core.tickets import DeskId
from syncd.engine.plant import Plant
from syncd.engine.replan import tell_states
from syncd.engine.rules import DAY_US
from syncd.engine.timing import nap
from syncd.engine.work import Work
from syncd.sdk.channel import Health, Webhooks
from syncd.sdk.errors import ChannelError
from syncd.store import accounts, alerts, ledger, listings, outbox, tickets
from syncd.store.retention import Prunable, prune

PRUNE_S = 3_600.0
PRUNE_ROWS = 200
"""Rows forgotten in one transaction."""
DISK_S = 60.0
DISK_LEAST = 200 * 1024 * 1024
"""Bytes that must be free; below, a person is told."""
STATES = 200
"""States put into the outbox in one transaction."""
SUBSCRIBE_S = 600.0
CHECK_S = 86_400.0

_log = structlog.get_logger("syncd.upkeep")


class Bulletin:
    """Writes down which channel is up or down, in the order of the reports."""

    def __init__(self) -> None:
        self._reports: asyncio.Queue[tuple[AccountId, str]] = asyncio.Queue()

    def report(self, account: AccountId, reason: str) -> None:
        """Take a report: down for a reason, or up again (an empty one)."""
        self._reports.put_nowait((account, reason))

    async def run(self, plant: Plant, stop: asyncio.Event) -> None:
        """Write reports until told to stop."""
        while not stop.is_set():
            if self._reports.empty():
                await nap(1.0, stop)
                continue
            account, reason = self._reports.get_nowait()
            now = plant.clock.now()
            await plant.store.write(lambda conn, a=account, r=reason, n=now: _write_down(conn, plant, a, r, n))  # type: ignore[misc]  # mypy cannot infer a lambda with defaults


def _write_down(conn: Connection, plant: Plant, account: AccountId, reason: str, now: Instant) -> None:
    down_since = now if reason else None
    values: dict[str, str | int | None] = {"down_since": down_since, "down_reason": reason[:200]}
    desk = DeskId(account)
    if desk in plant.desks:
        tickets.set_desk(conn, desk, values)
        _sound_desk(conn, desk, reason, now)
        return
    accounts.set_account(conn, account, values)
    if reason:
        told = {"account": account, "reason": reason}
        text = f"account {account}, reason {reason}"
        alerts.raise_alert(conn, kind="channel_down", key=account, text=text, values=told, now=now)
    else:
        alerts.clear_alert(conn, kind="channel_down", key=account, now=now)
        plant.house.lags.resume(account, now)
    body = msgspec.json.encode({"account": account, "reason": reason})
    kind = "channel.down" if reason else "channel.up"
    outbox.put(conn, plant.house.events(kind, key=account, body=body), now=now)


def _sound_desk(conn: Connection, desk: DeskId, reason: str, now: Instant) -> None:
    if reason:
        told = {"desk": desk, "reason": reason}
        text = f"desk {desk}, reason {reason}"
        alerts.raise_alert(conn, kind="desk_down", key=desk, text=text, values=told, now=now)
    else:
        alerts.clear_alert(conn, kind="desk_down", key=desk, now=now)


async def run_pruning(plant: Plant, stop: asyncio.Event) -> None:
    """Forget what the retention rules say, a little at a time."""
    while not stop.is_set():
        rules, now = plant.settings.retention, plant.clock.now()
        kept = {
            Prunable.FACTS: rules.inbox_days,
            Prunable.WRITES: rules.writes_days,
            Prunable.EVENTS: rules.events_days,
        }
        for what, days in kept.items():
            while not stop.is_set() and await _prune(plant, now - days * DAY_US, what) == PRUNE_ROWS:
                await nap(0.05, stop)
        await nap(PRUNE_S, stop)


async def _prune(plant: Plant, before: Instant, what: Prunable) -> int:
    return await plant.store.write(lambda conn: prune(conn, before=before, limit=PRUNE_ROWS, what=(what,)))


async def run_states(plant: Plant, forgotten: asyncio.Event, stop: asyncio.Event) -> None:
    """Put the state of every SKU into the outbox once the broker has forgotten what it retained."""
    while not stop.is_set():
        await nap(3_600.0, forgotten, stop)
        if not forgotten.is_set():
            continue
        forgotten.clear()
        after = 0
        while not stop.is_set() and (last := await _put_states(plant, after)) is not None:
            after = last
            await nap(0.02, stop)


async def _put_states(plant: Plant, after: int) -> int | None:
    return await plant.store.write(lambda conn: _states(conn, plant, after))


def _states(conn: Connection, plant: Plant, after: int) -> int | None:
    ids = ledger.sku_page(conn, after=after, limit=STATES)
    if not ids:
        return None
    work = Work(conn, house=plant.house, now=plant.clock.now())
    work.load_skus(ids)
    work.load_shelves(ids)
    work.keep(listings.of_skus(conn, ids))
    for sku_id in ids:
        work.touch(sku_id)
    tell_states(work)
    outbox.put(conn, work.events, now=work.now)
    return ids[-1]


async def run_disk(plant: Plant, stop: asyncio.Event, *, free: Callable[[Path], int]) -> None:
    """Tell a person while there is room, not when it is gone."""
    while not stop.is_set():
        left, now = free(plant.settings.daemon.data_dir), plant.clock.now()
        await plant.store.write(lambda conn, n=left, t=now: _note_disk(conn, n, t))  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
        await nap(DISK_S, stop)


def free_bytes(path: Path) -> int:
    """Return the bytes that this process may still use where `path` lies."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _note_disk(conn: Connection, left: int, now: Instant) -> None:
    if left >= DISK_LEAST:
        alerts.clear_alert(conn, kind="disk", key="data_dir", now=now)
        return
    megabytes = left // 1024 // 1024
    text = f"{megabytes} MB left in the data directory"
    alerts.raise_alert(conn, kind="disk", key="data_dir", text=text, values={"free_mb": megabytes}, now=now)


async def run_subscriptions(plant: Plant, stop: asyncio.Event) -> None:
    """Keep webhook subscriptions in place; where one was missing, orders are read at once."""
    while not stop.is_set():
        for account in plant.roster.values():
            if isinstance(account.channel, Webhooks) and account.pulse.maintenance_until is None:
                await _subscribe(plant, account.name, account.channel)
        await nap(SUBSCRIBE_S, stop)


async def _subscribe(plant: Plant, name: AccountId, channel: Webhooks) -> None:
    url = f"{plant.settings.http.public_url.rstrip('/')}/webhooks/{name}"
    try:
        async with asyncio.timeout(120):
            found = await channel.subscribe(url)
    except (ChannelError, TimeoutError) as error:
        _log.warning("webhook.unchecked", account=name, reason=str(error))
        return
    if found.restored:
        _log.info("webhook.restored", account=name, topics=list(found.restored))
        plant.roster[name].orders.set()
    now = plant.clock.now()
    await plant.store.write(lambda conn: _note_webhooks(conn, name, found.failed, now))


def _note_webhooks(conn: Connection, name: AccountId, failed: tuple[str, ...], now: Instant) -> None:
    if not failed:
        alerts.clear_alert(conn, kind="webhook_lost", key=name, now=now)
        return
    topics = ", ".join(failed)
    text = f"account {name}, topics {topics}"
    values = {"account": name, "topics": topics}
    alerts.raise_alert(conn, kind="webhook_lost", key=name, text=text, values=values, now=now)


async def run_checks(plant: Plant, stop: asyncio.Event) -> None:
    """Ask each channel once a day what a person should mend, and say it in the log."""
    while not stop.is_set():
        for account in plant.roster.values():
            if isinstance(account.channel, Health) and account.pulse.maintenance_until is None:
                try:
                    async with asyncio.timeout(120):
                        found = await account.channel.check()
                except (ChannelError, TimeoutError) as error:
                    found = [f"{type(error).__name__}: {error}"]
                for problem in found:
                    _log.warning("channel.problem", account=account.name, problem=problem)
        await nap(CHECK_S, stop)
