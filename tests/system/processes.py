"""Real daemons for system tests and benchmarks: started from a settings file, spoken to by their socket, killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "syncd", "run", "--config")
if not (ROOT / "syncd" / "__main__.py").exists():
    _TEXT = """
import os, sys
from pathlib import Path
from syncd.app import run
from syncd.settings import load
from syncd.sdk.errors import ConfigError
try:
    settings = load(Path(sys.argv[1]), environ=os.environ)
except ConfigError as error:
    sys.stderr.write("".join(f"{p}\\n" for p in error.problems)); sys.exit(78)
sys.exit(run(settings))
"""
    COMMAND = (sys.executable, "-c", _TEXT)
START_S = 120.0
"""Longest wait until a daemon is ready; its end is a failure."""
SETTLE_S = 240.0
"""Longest wait for what has to come about; its end is a failure."""
STEP_S = 0.05
ANSWER_S = 120.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """Return tables as TOML; the values are texts, numbers, truths and lists of them."""
    lines = []
    for title, table in tables.items():
        lines += [f"[{title}]", *(f"{key} = {_value(value)}" for key, value in table.items()), ""]
    return "\n".join(lines)


def _value(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def until(condition: Callable[[], Awaitable[Any]], *, what: str, seconds: float = SETTLE_S) -> None:
    """Wait until a condition holds: until it returns nothing that is wrong. Raises AssertionError with what is."""
    wrong: Any = "never asked"
    try:
        async with asyncio.timeout(seconds):
            while wrong := await condition():
                await asyncio.sleep(STEP_S)
    except TimeoutError:
        raise AssertionError(f"{what}, not within {seconds:.0f} s: {wrong}") from None


class Refused(Exception):  # noqa: N818  (an answer of the daemon)
    """The daemon answered something else than 200."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Daemon:
    """One daemon process on a folder that outlives it; started as often as wanted, one at a time."""

    def __init__(self, folder: Path, tables: Mapping[str, Mapping[str, object]], *, port: int = 0) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.config = folder / "syncd.toml"
        self.log = folder / "daemon.log"
        self.process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        daemon = {"data_dir": str(folder), "log_form": "json", **tables.get("daemon", {})}
        http = {"listen": f"127.0.0.1:{self.port}", **tables.get("http", {})}
        self.config.touch(mode=0o600)
        self.config.write_text(toml({**tables, "daemon": daemon, "http": http}), encoding="utf-8")

    @property
    def url(self) -> str:
        """Return the address for webhooks and health."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Return the id of the process that runs."""
        assert self.process is not None
        return self.process.pid

    @property
    def database(self) -> Path:
        """Return the file of the embedded store."""
        return self.folder / "syncd.db"

    async def start(self, *, before: Callable[[], None] | None = None, **environ: str) -> None:
        """Start it; `before` runs in the child before the daemon does."""
        assert self.process is None, "it runs"
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *COMMAND,
                str(self.config),
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(self.folder), **environ},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=before,
            )

    async def ready(self) -> None:
        """Wait until it says that it can do its work."""
        async with aiohttp.ClientSession() as session:
            await until(lambda: self._unready(session), what="the daemon is ready", seconds=START_S)

    async def _unready(self, session: aiohttp.ClientSession) -> str:
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"it ended with {self.process.returncode}: {self.said()}")
        try:
            async with session.get(f"{self.url}/readyz") as answer:
                return "" if answer.status == 200 else await answer.text()
        except aiohttp.ClientError as error:
            return f"{error}: {self.said()}"

    async def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        await self._signal(signal.SIGKILL)

    async def stop(self, *, seconds: float = 90.0) -> int:
        """Ask it to end; return its exit code."""
        return await self._signal(signal.SIGTERM, seconds=seconds)

    async def _signal(self, number: signal.Signals, *, seconds: float = 90.0) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended(seconds=seconds)

    async def ended(self, *, seconds: float = 90.0) -> int:
        """Wait until it ends; return its exit code."""
        assert self.process is not None
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
        self.process = None
        return code

    def said(self) -> str:
        """Return the end of what it logged."""
        return self.log.read_text(encoding="utf-8")[-2_000:] if self.log.exists() else ""

    # --- the control socket ---

    async def get(self, path: str) -> Any:
        """Ask the API on the control socket."""
        return await self._call("GET", path, None)

    async def post(self, path: str, **body: object) -> Any:
        """Tell the API on the control socket; raises Refused for what is neither 200 nor 202."""
        return await self._call("POST", path, body)

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:
        link = aiohttp.UnixConnector(str(self.folder / "syncd.sock"))
        async with aiohttp.ClientSession(connector=link) as session, asyncio.timeout(ANSWER_S):
            async with session.request(method, f"http://syncd/api/v1{path}", json=body) as answer:
                found = await answer.json()
                if answer.status not in (200, 202):
                    raise Refused(answer.status, found)
                return found


@asynccontextmanager
async def daemon(folder: Path, tables: Mapping[str, Mapping[str, object]], *, port: int = 0) -> AsyncIterator[Daemon]:
    """Give a daemon that is ready; whatever runs of it is killed at the end."""
    made = Daemon(folder, tables, port=port)
    try:
        await made.start()
        await made.ready()
        yield made
    finally:
        if made.process is not None:
            await made.kill()
