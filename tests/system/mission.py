"""A whole shop of processes, as an owner would run it: simulators by `syncd simulate`, the daemon by its unit."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.system.processes import ROOT, Daemon

UNIT = ROOT / "config" / "systemd" / "syncd.service"
SYNCD = Path(sys.executable).parent / "syncd"
READY_S = 120.0
INSTALL_S = 180.0


def install(project: Path, target: Path) -> None:
    """Install a package into a folder, with nothing fetched."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--target", str(target), str(project)]
    subprocess.run(command, check=True, timeout=INSTALL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A simulated remote in a process of its own, spoken to by its control API."""

    name: str
    table: str
    settings: Mapping[str, Any]
    control: str
    session: aiohttp.ClientSession

    async def get(self, path: str) -> Any:
        """Ask the control API."""
        async with self.session.get(self.control + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, **body: Any) -> Any:
        """Tell the control API."""
        async with self.session.post(self.control + path, json=body) as answer:
            assert answer.status in (200, 201), await answer.text()
            return await answer.json()

    async def shows(self, sku: str) -> int:
        """Return what a channel shows of a SKU: its first listing."""
        return int(next(row["shown"] for row in await self.get("/listings") if row["sku"] == sku))

    async def buy(self, sku: str, quantity: int) -> str:
        """Let a shopper buy; return the order's number, or its id where it has none."""
        receipt = await self.post("/orders", lines=[{"sku": sku, "quantity": quantity}])
        return str(receipt["number"] or receipt["order_id"])


class UnitDaemon(Daemon):
    """A daemon that is started as its systemd unit would start it; `states` is what it told the service manager."""

    def __init__(self, folder: Path, tables: Mapping[str, Mapping[str, object]], *, port: int, packages: Path) -> None:
        super().__init__(folder, tables, port=port)
        self.packages = packages
        self.states: list[str] = []
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(folder / "notify"))
        self._manager.settimeout(0.0)
        asyncio.get_running_loop().add_reader(self._manager, self.hear)

    def command(self) -> Sequence[str]:
        """Return the unit's ExecStart, with the program and the settings file of this test in the places of its own."""
        program, *words = shlex.split(_of_unit("ExecStart")[-1])
        assert program.endswith("/syncd"), program
        place = words.index("--config") + 1
        assert words[place] == "/etc/syncd/syncd.toml"
        words[place] = str(self.config)
        return [str(SYNCD), *words]

    def environ(self) -> dict[str, str]:
        """Return what systemd puts into the unit's environment, and where the fifth channel is installed."""
        own = dict(pair.split("=", 1) for line in _of_unit("Environment") for pair in line.split())
        return {
            **own,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.packages),
            "STATE_DIRECTORY": str(self.folder),
            "RUNTIME_DIRECTORY": str(self.folder),
            "NOTIFY_SOCKET": str(self.folder / "notify"),
        }

    async def start(self, **_: Any) -> None:
        """Start it as the unit says."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command(), cwd="/", env=self.environ(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def hear(self) -> list[str]:
        """Return everything that it told the service manager so far."""
        while True:
            try:
                self.states.append(self._manager.recv(4_096).decode())
            except BlockingIOError:
                return self.states

    def close(self) -> None:
        """Let go of the socket."""
        asyncio.get_running_loop().remove_reader(self._manager)
        self._manager.close()


def _of_unit(key: str) -> list[str]:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


@dataclass(slots=True, kw_only=True)
class Processes:
    """Starts simulators, and ends all of them."""

    packages: Path
    folder: Path
    session: aiohttp.ClientSession
    stack: AsyncExitStack
    started: list[Remote] = field(default_factory=list)

    async def simulate(self, name: str, *, skus: int, seed: int, time_scale: float) -> None:
        """Run `syncd simulate NAME` and wait until it serves."""
        words = ["simulate", name, "--json", "--skus", str(skus), "--seed", str(seed), "--time-scale", str(time_scale)]
        log = self.stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = await asyncio.create_subprocess_exec(
            str(SYNCD),
            *words,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(self.packages)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        self.stack.push_async_callback(_end, process)
        assert process.stdout is not None
        async with asyncio.timeout(READY_S):
            line = await process.stdout.readline()
        assert line, (self.folder / f"{name}.log").read_text()
        told = msgspec.json.decode(line)
        table = "desks" if name == "zendesk" else "channels"
        self.started.append(
            Remote(name=name, table=table, settings=told["settings"], control=told["control"], session=self.session)
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def remotes(
    names: Sequence[str], folder: Path, *, packages: Path, skus: int, time_scale: float
) -> AsyncIterator[dict[str, Remote]]:
    """Run a simulator for each of these adapters."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = Processes(packages=packages, folder=folder, session=session, stack=stack)
        for seed, name in enumerate(names, 1):
            await made.simulate(name, skus=skus, seed=seed, time_scale=time_scale)
        yield {remote.name: remote for remote in made.started}
