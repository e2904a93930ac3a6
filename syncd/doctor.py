"""Examine an installation: what is in the way of the daemon, each finding with a remedy. Changes nothing."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import sqlite3
import ssl
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from syncd.core.terms import SECOND_US
from syncd.edges.broker import Connection, Login
from syncd.machine import opened
from syncd.sdk.channel import Adapter, Clock, Health
from syncd.sdk.errors import ConfigError, Problem, SyncdError
from syncd.sdk.features import Key, KeyExpiry
from syncd.settings import ChannelSettings, Daemon, Mqtt, Settings, load, load_daemon
from syncd.settings.adapters import Installed
from syncd.store.driver import failure, reader_engine, sqlite_path
from syncd.store.schema import info

CHANNEL_S: Final = 30.0
"""Longest wait for one channel."""
BROKER_S: Final = 15.0
DISK_LEAST: Final = 200 * 1024 * 1024
DISK_FAIR: Final = 2 * 1024 * 1024 * 1024
SKEW_FAIR_S: Final = 5.0
SKEW_MOST_S: Final = 60.0
KEY_FAIR_DAYS: Final = 14
BACKUP_OLD: Final = timedelta(days=7)
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
MEGABYTE: Final = 1024 * 1024


class Say(Protocol):
    """Gives a text in the language of the person, by its key."""

    def __call__(self, key: str, **values: object) -> str:
        """Return the text with the values in it."""


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The end of one check, and what mends it."""

    check: str
    state: State
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined. `status` asks the running daemon for its status; it raises SyncdError where none answers."""

    config: Path | None
    environ: Mapping[str, str]
    say: Say
    clock: Clock
    status: Callable[[], Mapping[str, Any]]
    adapters: Mapping[str, Adapter] | None = None
    offline: bool = False

    def find(self, check: str, state: State, key: str, **values: object) -> Finding:
        """Return a finding with its texts."""
        message, _, remedy = self.say(f"doctor.{key}", **values).partition(" -> ")
        return Finding(check=check, state=state, message=message, remedy=remedy)


def examine(patient: Patient) -> list[Finding]:
    """Return every finding; a check that cannot be made because of another is skipped."""
    settings, findings = _settings(patient)
    daemon = settings.daemon if settings is not None else _daemon_alone(patient)
    found = [_sqlite(patient, daemon), *findings]
    if daemon is not None:
        found += [
            *_data_dir(patient, daemon),
            *_secret_files(patient),
            _store(patient, daemon),
            _backup(patient, daemon),
        ]
    status, running = _running(patient)
    found.append(running)
    if settings is not None:
        found += [
            *_strays(patient, status),
            _webhooks(patient, settings, status),
            *asyncio.run(_outside(patient, settings)),
        ]
    return found


# --- this machine -----------------------------------------------------------------------------------------------


def _settings(patient: Patient) -> tuple[Settings | None, list[Finding]]:
    try:
        settings = load(patient.config, environ=patient.environ, adapters=patient.adapters)
    except ConfigError as error:
        return None, [_problem("settings", State.FAILED, problem) for problem in error.problems]
    if settings.warnings:
        return settings, [_problem("settings", State.WARNING, problem) for problem in settings.warnings]
    key = "settings.ok" if settings.channels else "settings.no_channels"
    state = State.OK if settings.channels else State.WARNING
    return settings, [patient.find("settings", state, key, path=patient.config, count=len(settings.channels))]


def _problem(check: str, state: State, problem: Problem) -> Finding:
    return Finding(check=check, state=state, message=f"{problem.place}: {problem.message}", remedy=problem.remedy)


def _daemon_alone(patient: Patient) -> Daemon | None:
    try:
        return load_daemon(patient.config, environ=patient.environ)
    except ConfigError:
        return None


def _sqlite(patient: Patient, daemon: Daemon | None) -> Finding:
    if daemon is not None and daemon.database_url:
        return patient.find("sqlite", State.SKIPPED, "sqlite.postgres")
    key = "sqlite.ok" if has_wal_fix(sqlite3.sqlite_version_info) else "sqlite.mitigated"
    return patient.find("sqlite", State.OK, key, version=sqlite3.sqlite_version)


def has_wal_fix(version: tuple[int, ...]) -> bool:
    """Say whether SQLite has the fix of the WAL-reset bug (sqlite.org/releaselog/3_51_3.html, 2026-03-13)."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def _data_dir(patient: Patient, daemon: Daemon) -> Iterator[Finding]:
    folder = daemon.data_dir
    if not folder.is_dir():
        yield patient.find("data_dir", State.WARNING, "data_dir.missing", path=folder)
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield patient.find("data_dir", State.FAILED, "data_dir.not_writable", path=folder, uid=os.geteuid())
    elif mode & OTHERS:
        yield patient.find("data_dir", State.WARNING, "data_dir.open", path=folder, mode=f"{mode:04o}")
    else:
        yield patient.find("data_dir", State.OK, "data_dir.ok", path=folder)
    free = shutil.disk_usage(folder).free
    state = State.FAILED if free < DISK_LEAST else State.WARNING if free < DISK_FAIR else State.OK
    key = "disk.ok" if state is State.OK else "disk.low"
    yield patient.find("disk", state, key, free=free // MEGABYTE, path=folder)


def _secret_files(patient: Patient) -> Iterator[Finding]:
    files = [path for path in named_files(patient.config) if path.is_file()]
    loose = [path for path in files if path.stat().st_mode & OTHERS]
    for path in loose:
        yield patient.find("secrets", State.WARNING, "secrets.open", path=path)
    if not loose:
        yield patient.find("secrets", State.OK, "secrets.ok", count=len(files))


def named_files(config: Path | None) -> list[Path]:
    """Return the files of secrets that a settings file names; none where it cannot be read."""
    try:
        tables = tomllib.loads(config.read_text(encoding="utf-8")) if config is not None else {}
    except (OSError, ValueError):
        return []
    folder = Path.cwd() if config is None else config.absolute().parent
    return [folder / name for name in _file_keys(tables)]


def _file_keys(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _file_keys(value)
        elif key.endswith("_file") and isinstance(value, str) and value:
            yield value


# --- the store --------------------------------------------------------------------------------------------------


def _store(patient: Patient, daemon: Daemon) -> Finding:
    try:
        found = info(daemon.store_url)
        if found.current is None:
            return patient.find("store", State.SKIPPED, "store.none")
        if found.current != found.head:
            return patient.find("store", State.WARNING, "store.behind", current=found.current, head=found.head)
        damage = quick_check(daemon.store_url)
    except ConfigError as error:
        return _problem("store", State.FAILED, error.problems[0])
    except SyncdError as error:
        return patient.find("store", State.FAILED, "store.failed", reason=str(error))
    if damage:
        return patient.find("store", State.FAILED, "store.damaged", reason=damage)
    return patient.find("store", State.OK, "store.ok", revision=found.current)


def quick_check(url: str) -> str:
    """Look through a store's pages; return what is wrong, an empty text when nothing is. Raises SyncdError."""
    query = "SELECT 'ok'" if sqlite_path(url) is None else "PRAGMA quick_check(1)"
    engine = reader_engine(url)
    try:
        with engine.connect() as connection:
            found = str(connection.execute(text(query)).scalar())
    except DBAPIError as error:
        known = failure(error)
        if known is None or isinstance(known, ConfigError):
            return str(error.orig)
        raise known from None
    finally:
        engine.dispose()
    return "" if found == "ok" else found


def _backup(patient: Patient, daemon: Daemon) -> Finding:
    if daemon.database_url:
        return patient.find("backup", State.SKIPPED, "backup.postgres")
    folder = daemon.data_dir / "backups"
    dates = [path.stat().st_mtime for path in folder.glob("syncd-2*.db")] if folder.is_dir() else []
    if not dates:
        return patient.find("backup", State.WARNING, "backup.none", folder=folder)
    age = datetime.fromtimestamp(patient.clock.now() / SECOND_US, UTC) - datetime.fromtimestamp(max(dates), UTC)
    state = State.OK if age <= BACKUP_OLD else State.WARNING
    return patient.find("backup", state, "backup.ok" if state is State.OK else "backup.old", days=max(0, age.days))


# --- the daemon -------------------------------------------------------------------------------------------------


def _running(patient: Patient) -> tuple[Mapping[str, Any] | None, Finding]:
    try:
        status = patient.status()
    except SyncdError as error:
        return None, patient.find("daemon", State.FAILED, "daemon.silent", reason=str(error))
    daemon = status["daemon"]
    if not daemon["ready"]:
        return status, patient.find("daemon", State.WARNING, "daemon.not_ready")
    return status, patient.find("daemon", State.OK, "daemon.ok", version=daemon["version"], epoch=daemon["epoch"])


def _strays(patient: Patient, status: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Yield what is the matter with the listings of each channel, as the running daemon counts them."""
    for account in (status or {}).get("accounts", ()):
        name, check, found = account["name"], f"listings.{account['name']}", account["listings"]
        if count := found["unmapped"]:
            yield patient.find(check, State.WARNING, "listings.unmapped", count=count, account=name)
        if count := found["vanished"]:
            yield patient.find(check, State.WARNING, "listings.vanished", count=count, account=name)


def _webhooks(patient: Patient, settings: Settings, status: Mapping[str, Any] | None) -> Finding:
    url = settings.http.public_url
    if not url:
        return patient.find("webhooks", State.SKIPPED, "webhooks.none")
    if not url.startswith("https://"):
        return patient.find("webhooks", State.WARNING, "webhooks.plain", url=url)
    lost = [alert for alert in (status or {}).get("alerts", ()) if alert["kind"] == "webhook_lost"]
    if lost:
        told = "; ".join(alert["text"] for alert in lost)
        return patient.find("webhooks", State.FAILED, "webhooks.lost", reason=told)
    return patient.find("webhooks", State.OK, "webhooks.ok", url=url)


# --- outside ----------------------------------------------------------------------------------------------------


async def _outside(patient: Patient, settings: Settings) -> list[Finding]:
    if patient.offline:
        return [patient.find(check, State.SKIPPED, "offline") for check in ("channels", "clock", "mqtt")]
    dates: list[float] = []
    channels = [
        finding
        for channel in settings.channels.values()
        for finding in await examine_channel(patient, channel, dates=dates)
    ]
    return [*channels, _clock(patient, dates), await _mqtt(patient, settings)]


async def examine_channel(
    patient: Patient, channel: ChannelSettings, *, dates: list[float] | None = None
) -> list[Finding]:
    """Open a channel and ask for its health; `dates` collects how far its clock is ahead of ours, in seconds."""
    check = f"channel {channel.name}"
    if not channel.enabled:
        return [patient.find(check, State.SKIPPED, "channel.disabled")]
    try:
        async with asyncio.timeout(CHANNEL_S), _opened(patient, channel, dates) as found:
            if not isinstance(found, Health):
                return [patient.find(check, State.SKIPPED, "channel.unchecked")]
            sentences = await found.check()
            keys = await found.keys() if isinstance(found, KeyExpiry) else []
    except TimeoutError:
        return [patient.find(check, State.FAILED, "channel.silent", seconds=int(CHANNEL_S))]
    except SyncdError as error:
        return [patient.find(check, State.FAILED, "channel.failed", fault=type(error).__name__, reason=str(error))]
    except Exception as error:  # noqa: BLE001  (a fault of one adapter must not hide the other findings)
        return [patient.find(check, State.FAILED, "channel.fault", fault=type(error).__name__)]
    if sentences:
        return [Finding(check=check, state=State.FAILED, message=sentence) for sentence in sentences]
    return [patient.find(check, State.OK, "channel.ok"), *_keys(patient, check, keys)]


def _keys(patient: Patient, check: str, keys: Sequence[Key]) -> Iterator[Finding]:
    """Yield how long each key holds."""
    for key in keys:
        if key.expires_at is not None:
            days = (key.expires_at - patient.clock.now()) / SECOND_US / 86_400
            state = State.FAILED if days <= 0 else State.WARNING if days <= KEY_FAIR_DAYS else State.OK
            word = {State.OK: "key.ok", State.WARNING: "key.soon", State.FAILED: "key.ended"}[state]
            yield patient.find(check, state, word, name=key.name, days=max(0, math.floor(days)))


def _opened(
    patient: Patient, channel: ChannelSettings, dates: list[float] | None
) -> AbstractAsyncContextManager[object]:
    adapters = Installed() if patient.adapters is None else patient.adapters
    watch = _watch(patient.clock, dates if dates is not None else [])
    return opened(channel, adapters=adapters, clock=patient.clock, traces=(watch,))


def _watch(clock: Clock, dates: list[float]) -> aiohttp.TraceConfig:
    """Note how far the clock of whoever answers is ahead of ours."""

    async def ended(_session: object, _context: object, params: aiohttp.TraceRequestEndParams) -> None:
        try:
            theirs = parsedate_to_datetime(params.response.headers["Date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            return
        dates.append(theirs - clock.now() / SECOND_US)

    config = aiohttp.TraceConfig()
    config.on_request_end.append(ended)
    return config


def _clock(patient: Patient, dates: list[float]) -> Finding:
    if not dates:
        return patient.find("clock", State.SKIPPED, "clock.unknown")
    skew = min(dates, key=abs)
    fair, most = abs(skew) <= SKEW_FAIR_S, abs(skew) <= SKEW_MOST_S
    state = State.OK if fair else State.WARNING if most else State.FAILED
    return patient.find("clock", state, "clock.ok" if fair else "clock.off", seconds=f"{-skew:+.0f}")


async def _mqtt(patient: Patient, settings: Settings) -> Finding:
    mqtt = settings.mqtt
    if not mqtt.url:
        return patient.find("mqtt", State.SKIPPED, "mqtt.none")
    connection = Connection(_login(mqtt, settings.daemon.instance))
    try:
        async with asyncio.timeout(BROKER_S):
            await connection.open()
            await connection.leave()
    except TimeoutError:
        return patient.find("mqtt", State.FAILED, "mqtt.silent", url=mqtt.url)
    except SyncdError as error:
        return patient.find("mqtt", State.FAILED, "mqtt.failed", url=mqtt.url, reason=str(error))
    return patient.find("mqtt", State.OK, "mqtt.ok", url=mqtt.url)


def _login(mqtt: Mqtt, instance: str) -> Login:
    """Return a login beside the daemon's own: the same client id would throw the daemon out."""
    parts = urlsplit(mqtt.url)
    tls = parts.scheme == "mqtts"
    return Login(
        host=parts.hostname or "",
        port=parts.port or (8883 if tls else 1883),
        client_id=f"syncd-{instance}-doctor",
        username=mqtt.username,
        password=mqtt.password,
        five=mqtt.protocol == "5",
        tls=ssl.create_default_context() if tls else None,
        will_topic=f"syncd/{instance}/doctor",
    )
