"""The doctor: each broken thing is named with a remedy, and what is well is left in peace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from syncd import doctor, messages
from syncd.clock import SystemClock
from syncd.core.terms import SECOND_US
from syncd.doctor import Finding, Patient, State, examine, has_wal_fix, named_files, quick_check
from syncd.sdk.channel import Adapter, Context
from syncd.sdk.errors import AuthError, TransientError
from syncd.store.driver import writer_engine
from syncd.store.schema import migrate
from tests.web.rig import Quiet, served

WELL: dict[str, Any] = {"daemon": {"ready": True, "version": "1", "epoch": 3}, "alerts": []}


def say(key: str, **values: object) -> str:
    return messages.text(key, "en", **values)


@dataclass(frozen=True, kw_only=True)
class PlainSettings:
    url: str = ""
    fault: str = ""


class Asked(Quiet):
    def __init__(self, settings: PlainSettings, context: Context) -> None:
        self.settings = settings
        self.context = context

    async def check(self) -> list[str]:
        match self.settings.fault:
            case "auth":
                raise AuthError("the key is refused")
            case "hang":
                await asyncio.Event().wait()
            case "bug":
                raise KeyError("bug")
            case "scope":
                return ["grant read_orders"]
        if self.settings.url:
            async with self.context.session.get(self.settings.url) as answer:
                assert answer.status == 200
        return []


@asynccontextmanager
async def opened(settings: PlainSettings, context: Context) -> AsyncIterator[Asked]:
    yield Asked(settings, context)


@asynccontextmanager
async def unasked(settings: PlainSettings, context: Context) -> AsyncIterator[Quiet]:
    yield Quiet()


ADAPTERS = {
    "plain": Adapter(name="plain", settings=PlainSettings, open=opened),
    "mute": Adapter(name="mute", settings=PlainSettings, open=unasked),
}


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """Give an installation where all is well: a store, a backup, one channel, a daemon that answers."""
    config = tmp_path / "syncd.toml"
    config.write_text('[daemon]\ndata_dir = "data"\n[channels.shop]\nadapter = "plain"\n')
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "backups").mkdir()
    (data / "backups" / "syncd-20260921T000000Z.db").touch()
    migrate(f"sqlite:///{data}/syncd.db", backup_dir=None, clock=SystemClock())
    return Patient(
        config=config, environ={}, say=say, clock=SystemClock(), status=lambda: WELL, adapters=ADAPTERS, offline=True
    )


def of(findings: list[Finding], check: str) -> Finding:
    (found,) = (finding for finding in findings if finding.check == check)
    return found


def add(patient: Patient, text: str) -> None:
    assert patient.config is not None
    patient.config.write_text(patient.config.read_text() + text)


def test_a_healthy_installation_has_no_complaints(patient: Patient) -> None:
    """Where all is well nothing is a warning or failed, whatever the size of the disk."""
    findings = [finding for finding in examine(patient) if finding.check != "disk"]
    assert {finding.state for finding in findings} == {State.OK, State.SKIPPED}
    assert len(findings) >= 11


def test_wrong_settings_are_findings(patient: Patient) -> None:
    """Each problem of the settings is a finding, and what can be examined without them is."""
    add(patient, '[nonsense]\n[http]\nlisten = "x"\n')
    findings = examine(patient)
    assert len([f for f in findings if f.check == "settings" and f.state is State.FAILED]) == 2
    assert of(findings, "store").state is State.OK


def test_a_folder_that_others_may_enter(patient: Patient, tmp_path: Path) -> None:
    """An open data directory is a warning with the command that closes it."""
    (tmp_path / "data").chmod(0o755)
    found = of(examine(patient), "data_dir")
    assert (found.state, found.remedy) == (State.WARNING, f"chmod 700 {tmp_path}/data")


def test_a_folder_that_cannot_be_written(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data directory that we may not write is a failure."""
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert of(examine(patient), "data_dir").state is State.FAILED


def test_a_folder_that_is_not_there(patient: Patient, tmp_path: Path) -> None:
    """Before the first start there is no data directory and no store, and nothing of that is a failure."""
    patient = replace(patient, environ={"SYNCD_DAEMON__DATA_DIR": str(tmp_path / "none")})
    findings = examine(patient)
    assert of(findings, "data_dir").state is State.WARNING
    assert of(findings, "store").state is State.SKIPPED
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("free", "state"), [(10**6, State.FAILED), (10**9, State.WARNING), (10**11, State.OK)])
def test_a_disk_that_fills_up(patient: Patient, monkeypatch: pytest.MonkeyPatch, free: int, state: State) -> None:
    """Little free space is a warning, almost none a failure."""

    class Usage:
        pass

    usage = Usage()
    usage.free = free  # type: ignore[attr-defined]
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert of(examine(patient), "disk").state is state


def test_secrets_that_others_may_read(patient: Patient, tmp_path: Path) -> None:
    """A file of a secret that others may read is named with its remedy."""
    (tmp_path / "token").write_text("x" * 30)
    (tmp_path / "token").chmod(0o644)
    add(patient, '[http]\napi_token_file = "token"\n')
    found = of(examine(patient), "secrets")
    assert (found.state, found.remedy) == (State.WARNING, f"chmod 600 {tmp_path}/token")
    assert named_files(patient.config) == [tmp_path / "token"]
    assert named_files(tmp_path / "missing.toml") == []


def test_a_damaged_store(patient: Patient, tmp_path: Path) -> None:
    """A page that is overwritten is found, and the remedy is a backup."""
    path = tmp_path / "data" / "syncd.db"
    raw = bytearray(path.read_bytes())
    for page in range(4, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(raw)
    found = of(examine(patient), "store")
    assert (found.state, "syncd restore" in found.remedy) == (State.FAILED, True)


def test_a_store_of_an_older_version(patient: Patient, tmp_path: Path) -> None:
    """A store without tables yet is no damage, one of another program is a failure."""
    other = f"sqlite:///{tmp_path}/other.db"
    with writer_engine(other).begin() as conn:
        conn.exec_driver_sql("CREATE TABLE sku (id INTEGER)")
    assert quick_check(other) == ""
    patient = replace(patient, environ={"SYNCD_DAEMON__DATA_DIR": str(tmp_path)})
    (tmp_path / "other.db").rename(tmp_path / "syncd.db")
    assert of(examine(patient), "store").state is State.FAILED


def test_backups_that_are_old_or_missing(patient: Patient, tmp_path: Path) -> None:
    """A backup of last month, or none, is a warning."""
    copy = tmp_path / "data" / "backups" / "syncd-20260921T000000Z.db"
    old = copy.stat().st_mtime - timedelta(days=30).total_seconds()
    os.utime(copy, (old, old))
    assert "30 days" in of(examine(patient), "backup").message
    copy.unlink()
    assert of(examine(patient), "backup").state is State.WARNING


def test_a_daemon_that_does_not_answer(patient: Patient) -> None:
    """A daemon that is not there is a failure, one that still works off its inbox a warning."""

    def silent() -> Mapping[str, Any]:
        raise TransientError("no answer", sent=False)

    assert of(examine(replace(patient, status=silent)), "daemon").state is State.FAILED
    busy = {**WELL, "daemon": {**WELL["daemon"], "ready": False}}
    assert of(examine(replace(patient, status=lambda: busy)), "daemon").state is State.WARNING


def test_listings_that_are_not_kept_in_step_are_named(patient: Patient) -> None:
    """Listings without a SKU and listings that are gone are a warning with what to do, none is silence."""
    accounts = [
        {"name": "shop", "listings": {"unmapped": 2, "vanished": 0}},
        {"name": "mall", "listings": {"unmapped": 0, "vanished": 3}},
    ]
    found = examine(replace(patient, status=lambda: {**WELL, "accounts": accounts}))
    told = {one.check: one for one in found if one.check.startswith("listings.")}
    assert set(told) == {"listings.shop", "listings.mall"}
    assert all(one.state is State.WARNING for one in told.values())
    assert "2 listings of shop" in told["listings.shop"].message
    assert "syncd listings unmapped" in told["listings.shop"].remedy
    assert "syncd listings show --vanished" in told["listings.mall"].remedy
    assert not [one for one in examine(patient) if one.check.startswith("listings.")]


def test_webhooks_that_do_not_come(patient: Patient) -> None:
    """An address without TLS is a warning, lost subscriptions are a failure with their text."""
    add(patient, '[http]\npublic_url = "http://127.0.0.1:1"\n')
    assert of(examine(patient), "webhooks").state is State.WARNING
    assert patient.config is not None
    patient.config.write_text(patient.config.read_text().replace("http://127.0.0.1:1", "https://shop.example.org"))
    assert of(examine(patient), "webhooks").state is State.OK
    lost = {**WELL, "alerts": [{"kind": "webhook_lost", "text": "orders/create"}]}
    found = of(examine(replace(patient, status=lambda: lost)), "webhooks")
    assert (found.state, "orders/create" in found.message) == (State.FAILED, True)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("auth", "the key is refused"), ("hang", "no answer"), ("bug", "KeyError"), ("scope", "grant read_orders")],
)
def test_channels_that_do_not_work(patient: Patient, monkeypatch: pytest.MonkeyPatch, fault: str, words: str) -> None:
    """A channel that refuses, hangs, breaks or lacks a right is a failure by its name, and the others are asked."""
    monkeypatch.setattr(doctor, "CHANNEL_S", 0.05)
    add(patient, f'[channels.shop.settings]\nfault = "{fault}"\n[channels.mute]\n[channels.off]\nadapter = "plain"\n')
    add(patient, "enabled = false\n")
    findings = examine(replace(patient, offline=False))
    found = of(findings, "channel shop")
    assert (found.state, words in found.message) == (State.FAILED, True)
    assert of(findings, "channel mute").state is State.SKIPPED
    assert of(findings, "channel off").state is State.SKIPPED
    assert of(findings, "clock").state is State.SKIPPED


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(0, State.OK), (30, State.WARNING), (-30, State.WARNING), (900, State.FAILED)]
)
async def test_a_clock_that_is_off(patient: Patient, ahead_s: int, state: State) -> None:
    """The machine's clock is held against the time that channels answer with."""

    async def answer(_: web.Request) -> web.Response:
        now = datetime.fromtimestamp(SystemClock().now() / SECOND_US, UTC) + timedelta(seconds=ahead_s)
        return web.Response(headers={"Date": format_datetime(now, usegmt=True)})

    app = web.Application()
    app.router.add_get("/", answer)
    async with served(app) as url:
        add(patient, f'[channels.shop.settings]\nurl = "{url}"\n')
        loop = asyncio.get_running_loop()
        findings = await loop.run_in_executor(None, examine, replace(patient, offline=False))
    assert of(findings, "clock").state is state


async def test_a_broker_that_does_not_answer(patient: Patient) -> None:
    """A broker whose port is closed is a failure, in little time."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    add(patient, f'[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n')
    findings = await asyncio.get_running_loop().run_in_executor(None, examine, replace(patient, offline=False))
    found = of(findings, "mqtt")
    assert (found.state, "[mqtt]" in found.remedy) == (State.FAILED, True)


def test_versions_with_the_fix_are_known() -> None:
    """The releases that have the fix of the WAL-reset bug are told apart from those that have not."""
    fixed = [(3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 53, 0)]
    broken = [(3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 50, 6), (3, 51, 2)]
    assert [version for version in fixed + broken if has_wal_fix(version)] == fixed
