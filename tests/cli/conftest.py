"""The command line against a small daemon on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from syncd.cli import entry
from syncd.web.api import control_app, control_socket
from tests.web.rig import Rig, running, served


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the one JSON value on standard output."""
        return json.loads(self.out)


class Shell:
    """Runs commands with the settings of a folder, in a thread, so that the daemon in the loop can answer."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "syncd.toml"
        self.config.write_text('[daemon]\ndata_dir = "."\nlanguage = "en"\n', encoding="utf-8")
        self._capsys = capsys

    async def run(self, *argv: str, config: bool = True) -> Ended:
        """Run one command."""
        given = [*argv, "--config", str(self.config)] if config else list(argv)
        self._capsys.readouterr()
        code = await asyncio.get_running_loop().run_in_executor(None, partial(entry, given))
        out, err = self._capsys.readouterr()
        return Ended(code=code, out=out, err=err)

    async def json(self, *argv: str) -> Any:
        """Run a command that succeeds; return its JSON."""
        ended = await self.run(*argv, "--json")
        assert ended.code == 0, ended
        return ended.json

    def file(self, name: str, text: str, encoding: str = "utf-8") -> str:
        """Write a file; return its path."""
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return str(path)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYNCD_CONFIG", "SYNCD_DAEMON__LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    # A command sets the log of its process up, which here is that of all other tests.
    monkeypatch.setattr("syncd.log.configure", lambda **_: None)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.fixture
async def rig(shell: Shell) -> AsyncIterator[Rig]:
    """Give a daemon that answers on the socket of the shell's settings."""
    async with running(shell.folder) as made:
        path = made.plant.settings.daemon.socket_path
        async with served(control_app(made.plant), sock=control_socket(path)):
            yield made
