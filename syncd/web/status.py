"""How everything stands, in one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Final

from aiohttp import web
from sqlalchemy import Connection

from syncd.core.lag import Figures
from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.sdk.features import Key
from syncd.store import accounts, alerts, inbox, outbox
from syncd.store.accounts import Feed, KnownAccount
from syncd.store.alerts import Standing
from syncd.store.ledger import quarantine_size
from syncd.store.session import StoreStats
from syncd.store.views import moment, moment_or_none
from syncd.store.views_history import resent_writes
from syncd.store.views_listings import BrakeView, brakes
from syncd.store.views_status import (
    NO_LISTINGS,
    Tally,
    drift_counts,
    feeds,
    last_writes,
    oversold_units,
    tallies,
    waiting,
)
from syncd.web.api_shape import shaped
from syncd.web.api_wire import Answer, Route, Service
from syncd.web.kept import Kept
from syncd.web.plant import Account, NoDate, Plant

READ_S: Final = 30.0
"""Longest wait for what the store knows."""
TALLY_KEPT_S: Final = 15.0
"""How long sums over whole tables are kept."""
MOST_UNDATED: Final = 50
"""Most orders without a ship-by date that are named, per account."""
VERSION: Final = version("syncd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Events that wait for a sink, and for how long the oldest does."""

    events: int
    oldest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStatus:
    """The process and its store."""

    version: str
    instance: str
    epoch: int
    started_at: datetime
    uptime_s: float
    ready: bool
    shadow: bool
    inbox_depth: int
    outbox: Mapping[str, Waiting]
    store: StoreStats


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """A key that ends by itself; `left_s` is below zero once it has ended."""

    name: str
    expires_at: datetime | None
    left_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndatedStatus:
    """An order that was given no ship-by date, and why."""

    order_id: str
    order: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """One channel account. `feed_age_s` is how old the newest order could be that is not known (None: never read).

    `silent_s` is how long ago the last whole scan of its orders began, `lags` what was measured, `lags_delayed` how
    many lags since the start were left out because the account was not reached when they began. `resent` is how many of
    the last writes were accepted, not in effect, and sent again.
    `undated` are the first orders without a ship-by date, `undated_count` is how many there are.
    """

    name: str
    adapter: str
    state: str
    reason: str
    since: datetime | None
    down_since: datetime | None
    down_reason: str
    feed_age_s: float | None
    silent_s: float | None
    scanned_at: datetime | None
    waiting: Mapping[str, int]
    last_write_at: datetime | None
    listings: Tally
    drift_pending: int
    maintenance_until: datetime | None = None
    keys: tuple[KeyStatus, ...] = ()
    undated: tuple[UndatedStatus, ...] = ()
    undated_count: int = 0
    lags: tuple[Figures, ...] = ()
    lags_delayed: int = 0
    resent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertStatus:
    """An alert that stands."""

    kind: str
    key: str
    text: str
    raised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything at once."""

    daemon: DaemonStatus
    accounts: tuple[AccountStatus, ...]
    alerts: tuple[AlertStatus, ...]
    brakes: tuple[BrakeView, ...]
    quarantine: int
    oversold_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the store knows, read at one moment."""

    accounts: Mapping[AccountId, KnownAccount]
    feeds: Mapping[AccountId, Feed]
    waiting: Mapping[AccountId, Mapping[str, int]]
    last_writes: Mapping[AccountId, Instant]
    alerts: tuple[Standing, ...]
    brakes: tuple[BrakeView, ...]
    drift: Mapping[tuple[AccountId, str], int]
    quarantine: int
    inbox_depth: int
    outbox: Mapping[str, tuple[int, Instant]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What takes a walk through whole tables."""

    tallies: Mapping[AccountId, Tally]
    oversold_units: int
    resent: Mapping[AccountId, int]


def snapshot(conn: Connection) -> Snapshot:
    """Read what is cheap to read."""
    return Snapshot(
        accounts=accounts.accounts(conn),
        feeds=feeds(conn),
        waiting=waiting(conn),
        last_writes=last_writes(conn),
        alerts=tuple(alerts.standing(conn)),
        brakes=tuple(brakes(conn)),
        drift=drift_counts(conn),
        quarantine=quarantine_size(conn),
        inbox_depth=inbox.depth(conn),
        outbox=outbox.depth(conn),
    )


def _sums(conn: Connection) -> Sums:
    return Sums(tallies=tallies(conn), oversold_units=oversold_units(conn), resent=resent_writes(conn))


class Standings:
    """Reads how everything stands; sums over whole tables are kept for a while."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._sums = Kept(lambda: plant.store.read(_sums), seconds=TALLY_KEPT_S, clock=plant.clock)

    async def read(self) -> tuple[Snapshot, Sums]:
        """Return what the store knows; raises TimeoutError."""
        async with asyncio.timeout(READ_S):
            return await self._plant.store.read(snapshot), await self._sums.get()

    async def status(self) -> Status:
        """Return how everything stands."""
        found, sums = await self.read()
        return _status(self._plant, found, sums)


def _status(plant: Plant, found: Snapshot, sums: Sums) -> Status:
    now = plant.clock.now()
    names = list(dict.fromkeys([*plant.roster, *found.accounts]))
    return Status(
        daemon=_daemon(plant, found, now),
        accounts=tuple(_account(plant, name, found, sums, now) for name in names),
        alerts=tuple(
            AlertStatus(kind=a.kind, key=a.key, text=a.text, raised_at=moment(a.raised_at)) for a in found.alerts
        ),
        brakes=found.brakes,
        quarantine=found.quarantine,
        oversold_units=sums.oversold_units,
    )


def _daemon(plant: Plant, found: Snapshot, now: Instant) -> DaemonStatus:
    return DaemonStatus(
        version=VERSION,
        instance=plant.settings.daemon.instance,
        epoch=plant.epoch,
        started_at=moment(plant.started_at),
        uptime_s=seconds(now - plant.started_at),
        ready=plant.ready.is_set(),
        shadow=plant.house.shadow,
        inbox_depth=found.inbox_depth,
        outbox={s: Waiting(events=n, oldest_s=seconds(now - oldest)) for s, (n, oldest) in found.outbox.items()},
        store=plant.store.stats,
    )


def _account(plant: Plant, name: AccountId, found: Snapshot, sums: Sums, now: Instant) -> AccountStatus:
    known, feed, opened = found.accounts.get(name), found.feeds.get(name), plant.roster.get(name)
    settings = plant.settings.channels.get(name)
    last = found.last_writes.get(name)
    down_since, down_reason = _down(opened, known)
    return AccountStatus(
        name=name,
        adapter="" if settings is None else settings.adapter,
        state="closed" if opened is None else "new" if known is None else known.state.value,
        reason="" if known is None else known.reason,
        since=None if known is None else moment(known.since),
        down_since=moment_or_none(down_since),
        down_reason=down_reason,
        feed_age_s=feed_age_s(feed, now),
        silent_s=silent_s(feed, now),
        scanned_at=None if feed is None else moment_or_none(feed.scanned_at),
        waiting=found.waiting.get(name, {}),
        last_write_at=moment_or_none(last),
        listings=sums.tallies.get(name, NO_LISTINGS),
        drift_pending=found.drift.get((name, "pending"), 0),
        maintenance_until=None if opened is None else moment_or_none(opened.pulse.maintenance_until),
        keys=() if opened is None else tuple(_key(key, now) for key in opened.keys),
        undated=() if opened is None else tuple(_undated(one) for one in opened.undated[:MOST_UNDATED]),
        undated_count=0 if opened is None else len(opened.undated),
        lags=tuple(plant.house.lags.figures(name, at=now)),
        lags_delayed=plant.house.lags.delayed(name),
        resent=sums.resent.get(name, 0),
    )


def _key(key: Key, now: Instant) -> KeyStatus:
    left = None if key.expires_at is None else (key.expires_at - now) / SECOND_US
    return KeyStatus(name=key.name, expires_at=moment_or_none(key.expires_at), left_s=left)


def _undated(one: NoDate) -> UndatedStatus:
    return UndatedStatus(order_id=one.order_id, order=one.number, reason=one.reason)


def _down(opened: Account | None, known: KnownAccount | None) -> tuple[Instant | None, str]:
    """Return since when an account does not answer, and why: what the running daemon sees comes first."""
    if opened is not None:
        return opened.pulse.down_since, opened.pulse.reason
    return (None, "") if known is None else (known.down_since, known.down_reason)


def feed_age_s(feed: Feed | None, now: Instant) -> float | None:
    """Return how long ago the moment is up to which all orders are known; None where that is not known."""
    return None if feed is None or feed.complete_until is None else seconds(now - feed.complete_until)


def silent_s(feed: Feed | None, now: Instant) -> float | None:
    """Return how long ago the last scan of the order feed began that came to its end; None where none did."""
    return None if feed is None or feed.scanned_at is None else seconds(now - feed.scanned_at)


def seconds(microseconds: int) -> float:
    """Return a duration in seconds, never below zero."""
    return max(0, microseconds) / SECOND_US


def routes_of(standings: Standings) -> tuple[Route, ...]:
    """Return the route of the status."""

    @shaped(answer=Status)
    async def get_status(_service: Service, _request: web.Request) -> Answer:
        """Return how the daemon and each account stand, what is alerted, and what waits."""
        return Answer(body=await standings.status())

    return (("GET", "/status", get_status),)
