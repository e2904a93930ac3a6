"""Set the scene: simulators, broker and daemon in one process, and the shop adopted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from syncd.app import serve
from syncd.core.facts import (
    AccountFact,
    AccountState,
    CountFact,
    CountRow,
    Fact,
    MoveFact,
    MoveRow,
    PolicyFact,
    PolicyRow,
    StockMove,
)
from syncd.core.terms import AccountId, Location, Sku
from syncd.demo.events import Events
from syncd.demo.lags import Lags
from syncd.demo.script import CALM, parts
from syncd.demo.watch import Watch
from syncd.engine.plant import Plant
from syncd.engine.timing import nap
from syncd.machine import Machine
from syncd.rehearsal import open_simulators, settings_of, settings_text
from syncd.sdk.channel import Adapter
from syncd.sdk.features import Provisions
from syncd.settings.policies import ExposureName
from syncd.store import listings
from syncd.testing.broker import embedded_broker
from syncd.testing.simulators import Simulator

INSTANCE: Final = "demo"
SOURCE: Final = "demo"
MAIN: Final = Location("main")
MOST_WAIT_S: Final = 60.0
"""Longest wait for the catalogue, and for a fact to be decided."""
LOOK_S: Final = 0.1
GRACE_S: Final = 0.2
"""Between the end of its clients and the end of the broker: it notices that they are gone."""
_MORE_SETTINGS: Final = f"""
[daemon]
instance = "{INSTANCE}"
drain_s = 5.0

[incidents]
enabled = false

[letters]
quiet = ""

[policy]
raise_delay_s = 1.0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs. `events` is None where there is no broker."""

    plant: Plant
    simulators: Mapping[str, Simulator]
    watch: Watch
    lags: Lags
    events: Events | None

    async def say(self, fact: Fact) -> None:
        """Tell syncd something, and wait until it is decided."""
        receipt = await self.plant.intake.put_one(fact, source=SOURCE, key=None)
        reason = await self.plant.intake.settle(receipt.inbox_id, timeout_s=MOST_WAIT_S)
        if reason is not None:
            raise AssertionError(f"the demo's own fact was refused: {reason}")

    async def catalogues(self, goods: int, stop: asyncio.Event) -> None:
        """Wait until the catalogues of all channels are known, or until told to stop."""
        async with asyncio.timeout(MOST_WAIT_S):
            while not stop.is_set() and await self.plant.store.read(self._known) < goods * len(self.simulators):
                await nap(LOOK_S, stop)

    def _known(self, conn: Connection) -> int:
        return sum(listings.count(conn, name) for name in self.plant.roster)

    async def count(self, goods: Mapping[str, int]) -> None:
        """Tell what is there: the first count."""
        now = self.plant.clock.now()
        rows = [CountRow(sku=Sku(sku), location=MAIN, quantity=units, counted_at=now) for sku, units in goods.items()]
        await self.say(CountFact(source=SOURCE, reference=self.plant.uuid(), rows=tuple(rows), forced=True))

    async def keep_back(self, units: Mapping[tuple[str, str], int]) -> None:
        """Tell how much of a SKU is kept back on a channel, by channel and SKU."""
        rows = [
            PolicyRow(sku=Sku(sku), account=AccountId(channel), safety_stock=kept)
            for (channel, sku), kept in units.items()
        ]
        await self.say(PolicyFact(rows=tuple(rows), forced=True))

    async def release(self) -> None:
        """Let syncd write to every channel."""
        for name in self.plant.roster:
            await self.say(AccountFact(account=name, state=AccountState.LIVE))

    async def deliver(self, goods: Mapping[str, int]) -> None:
        """Tell that goods arrived."""
        await self.plant.intake.put([self._move(StockMove.RECEIVE, goods)], source=SOURCE)

    async def write_off(self, goods: Mapping[str, int]) -> None:
        """Tell that so many units are broken, and wait until it is decided."""
        await self.say(self._move(StockMove.DAMAGE, {sku: -units for sku, units in goods.items()}))

    def _move(self, move: StockMove, goods: Mapping[str, int]) -> Fact:
        rows = [MoveRow(sku=Sku(sku), location=MAIN, quantity=units) for sku, units in goods.items()]
        now, name = self.plant.clock.now(), self.plant.uuid()
        return MoveFact(source=SOURCE, reference=name, move=move, at=now, rows=tuple(rows), forced=True)


@asynccontextmanager
async def open_stage(
    *,
    adapters: Mapping[str, Adapter],
    skus: int,
    seed: int,
    folder: Path,
    machine: Machine,
    exposure: ExposureName = "adaptive",
    more: str = "",
) -> AsyncIterator[Stage]:
    """Run everything, with `more` settings, until the block ends; then the daemon is told to stop, and has done so."""
    async with AsyncExitStack() as stack:
        played = parts()
        opened = open_simulators(adapters, skus=skus, seed=seed, clock=machine.clock, parts=played)
        simulators = await stack.enter_async_context(opened)
        for name, simulator in simulators.items():
            simulator.faults = CALM[name]
        broker = await _broker(stack)
        extra = f'{_MORE_SETTINGS}exposure = "{exposure}"\n\n{more}'
        text = settings_text(simulators, listen=_free_address(), mqtt_url=broker, extra=extra, parts=played)
        settings = settings_of(text, folder, adapters)
        lags = Lags(simulators)
        events = Events(lambda account, order, at: lags.known(account, order, at=at)) if broker else None
        group = await stack.enter_async_context(asyncio.TaskGroup())
        started: asyncio.Future[Plant] = asyncio.get_running_loop().create_future()
        group.create_task(
            serve(settings, adapters=adapters, machine=machine, started=started.set_result), name="daemon"
        )
        plant = await started
        stack.callback(plant.stop.set)
        for account in plant.roster.values():
            if isinstance(account.channel, Provisions):
                await account.channel.provision()
        if events is not None:
            listening = group.create_task(events.listen(broker, INSTANCE), name="events")
            stack.push_async_callback(_end, listening)
        yield Stage(plant=plant, simulators=simulators, watch=Watch(simulators, lags), lags=lags, events=events)


async def _broker(stack: AsyncExitStack) -> str:
    """Start the broker; return where it is, empty where the extra `demo` is not installed."""
    try:
        address = await stack.enter_async_context(embedded_broker())
    except ModuleNotFoundError:
        return ""
    stack.push_async_callback(asyncio.sleep, GRACE_S)
    return address


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: the MQTT client loses a cancel that comes while it subscribes."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=GRACE_S)


def _free_address() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"
