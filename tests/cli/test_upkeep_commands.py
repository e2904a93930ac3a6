"""Checks, backups, the proof of the ledger, simulators and the kit on the command line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from syncd.cli import entry
from syncd.cli.daemon import settings_block
from syncd.sdk.channel import Adapter
from syncd.sdk.errors import AuthError
from syncd.sdk.secret import Secret
from syncd.store.driver import writer_engine
from syncd.testing.simulators import Simulator, Unknown
from tests.cli.conftest import Shell
from tests.web.rig import Quiet, Rig, running


async def test_the_ledger_is_proved_beside_the_daemon(rig: Rig, shell: Shell) -> None:
    """The proof reads the store itself, says when it sums up, and ends with 1 and the difference when not."""
    await rig.know("A")
    await rig.count(A=5)
    assert (await shell.run("ledger", "verify")).out == "The ledger sums up.\n"
    await rig.plant.store.write(lambda conn: conn.execute(text("UPDATE balance SET on_hand = 6")))
    ended = await shell.run("ledger", "verify")
    assert (ended.code, "on_hand of A at main: 6, expected 5" in ended.out) == (1, True)
    ended = await shell.run("ledger", "verify", "--json")
    assert (ended.code, ended.json["ok"]) == (1, False)


async def test_without_a_store_there_is_nothing_to_prove(shell: Shell) -> None:
    """Before the first start the proof says what to do."""
    ended = await shell.run("ledger", "verify")
    assert (ended.code, "start the daemon" in ended.err) == (78, True)


async def test_a_store_is_backed_up_and_restored(shell: Shell, tmp_path: Path) -> None:
    """A backup made beside the daemon is put back when it does not run, and all channels are paused then."""
    async with running(shell.folder) as rig:
        await rig.know("A")
        await rig.count(A=5)
        told = await shell.json("backup", str(tmp_path / "copies"))
        await rig.count(A=9)
    assert Path(told["path"]).parent == tmp_path / "copies"
    assert (await shell.run("restore", told["path"])).code == 64
    restored = await shell.json("restore", told["path"], "--yes")
    assert restored["before"].endswith("syncd.db.before-restore-1")
    engine = writer_engine(f"sqlite:///{shell.folder}/syncd.db")
    with engine.connect() as conn:
        assert conn.execute(text("SELECT on_hand FROM balance")).scalar() == 5
        assert set(conn.execute(text("SELECT state FROM account")).scalars()) == {"paused"}
    ended = await shell.run("restore", shell.file("not.db", "nothing"), "--yes")
    assert (ended.code, "choose another backup" in ended.err) == (78, True)


async def test_backups_lie_in_the_data_directory(rig: Rig, shell: Shell) -> None:
    """Without a folder a backup lies where the daemon's own ones do."""
    ended = await shell.run("backup")
    assert (ended.code, f"{shell.folder}/backups/syncd-2" in ended.out) == (0, True)


# --- channels -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PlainSettings:
    key: Secret
    sentence: str = ""


class Checked(Quiet):
    def __init__(self, settings: PlainSettings) -> None:
        self.settings = settings

    async def check(self) -> list[str]:
        if self.settings.key.reveal() != "right":
            raise AuthError("the key is refused")
        return [self.settings.sentence] if self.settings.sentence else []


class Shop(Simulator):
    """A simulated remote that has nothing to sell."""

    def __init__(self, *, skus: int, seed: int, clock: Any) -> None:
        super().__init__(seed=seed, clock=clock)
        self.skus = skus

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "skus": self.skus, "tags": ["a", 'b"'], "strict": True}

    def routes(self) -> list[Any]:
        return []

    def shown(self) -> list[Any]:
        return []

    def buy(self, lines: Any) -> Any:
        raise Unknown("nothing is for sale")

    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Any:
        raise Unknown(order_id)

    def ship(self, order_id: str) -> Any:
        raise Unknown(order_id)

    def set_shown(self, place: Any, quantity: int) -> None:
        raise Unknown(str(place))


@asynccontextmanager
async def opened(settings: PlainSettings, _: Any) -> Any:
    yield Checked(settings)


ADAPTER = Adapter(name="plain", settings=PlainSettings, open=opened, simulator=f"{__name__}:Shop")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let one adapter be installed."""
    for module in ("syncd.cli.adapter", "syncd.settings.loading", "syncd.doctor"):
        monkeypatch.setattr(f"{module}.Installed", lambda: {"plain": ADAPTER})
    return iter(())


@pytest.mark.usefixtures("installed")
async def test_credentials_are_checked(shell: Shell) -> None:
    """Each channel is opened and asked, and all that is wrong is told at once with exit 78."""
    shell.config.chmod(0o600)
    good = '[channels.one]\nadapter = "plain"\n[channels.one.settings]\nkey = "right"\n'
    shell.config.write_text(good)
    ended = await shell.run("check")
    assert (ended.code, "credentials and rights are right" in ended.out) == (0, True)
    assert (await shell.json("check"))["ok"] is True
    bad = good + '[channels.two]\nadapter = "plain"\n[channels.two.settings]\nkey = "wrong"\n'
    bad += '[channels.three]\nadapter = "plain"\n[channels.three.settings]\nkey = "right"\nsentence = "grant read_x"\n'
    shell.config.write_text(bad)
    ended = await shell.run("check")
    assert ended.code == 78
    assert all(word in ended.err for word in ("channel two", "the key is refused", "grant read_x", "2 problems"))


def test_a_settings_block_is_toml() -> None:
    """The lines that connect a simulator are what a settings file takes."""
    made = Shop(skus=3, seed=1, clock=None).settings("http://x")
    parsed = tomllib.loads(settings_block("plain", made))
    assert parsed == {"channels": {"plain": {"adapter": "plain", "settings": made}}}


@pytest.mark.usefixtures("installed")
def test_a_simulator_is_served(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """A simulator runs alone and tells its URL and how to connect; an adapter that is not there is told."""
    config = ["--config", str(shell.config)]
    assert entry(["simulate", "plain", "--seconds", "0.01", "--json", "--skus", "5", *config]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["control"] == f"{told['url']}/_sim"
    assert told["settings"] == {"base_url": told["url"], "skus": 5, "tags": ["a", 'b"'], "strict": True}
    assert entry(["simulate", "plain", "--seconds", "0.01", *config]) == 0
    assert "[channels.plain.settings]" in capsys.readouterr().out
    assert entry(["simulate", "nobody", *config]) == 64
