"""Run real orders through the whole daemon and four simulated channels, in virtual time; equal seeds, equal results."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from syncd.app import serve
from syncd.clock import uuid7
from syncd.core.facts import AccountFact, AccountState, CountFact, CountRow, Fact, MoveFact, MoveRow, StockMove
from syncd.core.terms import Location, Sku
from syncd.engine.plant import Plant
from syncd.machine import Machine
from syncd.rehearsal import MOST_LISTINGS, SHARES, margins, open_simulators, settings_of, settings_text, sized
from syncd.sdk.channel import Adapter
from syncd.settings.adapters import Installed
from syncd.settings.policies import ExposureName
from syncd.store import listings
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import VirtualConnector, run_virtual, running
from syncd.testing.simulators import Refusal, Simulator, Unknown, sku_name
from syncd.trace import Arrival, Ask, Trace, read_trace

LISTEN = "127.0.0.1:8377"
FIRST_PORT = 9_001
MAIN = Location("main")
SETTLE_S = 3_600.0
"""How long everything may take to come to rest after the last order, in virtual seconds."""
STEP_S = 30.0
COUNT_ROWS = 500


@dataclass(slots=True, kw_only=True)
class Result:
    """What a replay found, in units.

    `oversold`: taken beyond what was there. `hidden`: refused although there. `wrong`: listings that do not show their
    target at the end. `unbalanced`: differences in the ledger. `left`: what is there at the end, less what is owed.
    """

    lines: int = 0
    demand: int = 0
    sold: int = 0
    oversold: int = 0
    hidden: int = 0
    refused: int = 0
    writes: int = 0
    wrong: int = 0
    unbalanced: int = 0
    left: int = 0
    virtual_s: float = 0.0
    settle_s: float = 0.0
    by_channel: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Truth:
    """What is really there, SKU by SKU, whatever anybody believes."""

    names: Mapping[str, str]
    there: Counter[str] = field(default_factory=Counter)
    result: Result = field(default_factory=Result)

    def ask(self, simulator: Simulator, ask: Ask) -> None:
        """Let a shopper take every line that the channel shows enough of."""
        shown = _shown(simulator)
        taken = []
        for sku, quantity in ask.lines:
            if self.names[sku] not in shown:
                continue  # not the shop's own to sell there (its stock is at the marketplace)
            self.result.demand += quantity
            if shown.get(self.names[sku], 0) >= quantity:
                taken.append((sku, quantity))
            else:
                self._refuse(sku, quantity)
        self._take(simulator, ask, taken)

    def _take(self, simulator: Simulator, ask: Ask, taken: list[tuple[str, int]]) -> None:
        if not taken:
            return
        try:
            simulator.buy([(self.names[sku], quantity) for sku, quantity in taken])
        except (Refusal, Unknown):
            for sku, quantity in taken:
                self._refuse(sku, quantity)
            return
        for sku, quantity in taken:
            over = max(0, quantity - max(0, self.there[sku]))
            self.there[sku] -= quantity
            self.result.sold += quantity
            self.result.oversold += over
            self.result.by_channel[ask.channel] = self.result.by_channel.get(ask.channel, 0) + quantity

    def _refuse(self, sku: str, quantity: int) -> None:
        self.result.refused += quantity
        if self.there[sku] >= quantity:
            self.result.hidden += quantity


def _aims(conn: Connection, plant: Plant) -> dict[tuple[str, str], int | None]:
    """Return the target of every listing, by account and SKU."""
    return {
        (name, listing.remote_sku): listing.target
        for name in plant.roster
        for listing in listings.page(conn, after=0, limit=MOST_LISTINGS, account=name)
        if listing.active
    }


def _shown(simulator: Simulator) -> dict[str, int]:
    return (
        simulator.shown_by_sku()
        if hasattr(simulator, "shown_by_sku")
        else {s.sku: s.quantity for s in simulator.shown()}
    )


def replay(
    trace: Trace,
    *,
    seed: int,
    adapters: Mapping[str, Adapter] | None = None,
    folder: Path,
    exposure: ExposureName = "adaptive",
) -> Result:
    """Run a trace to its end and until everything is at rest."""

    async def story() -> Result:
        found = adapters or Installed()
        return await _Story(trace, seed=seed, adapters=found, folder=folder, exposure=exposure).run()

    return run_virtual(story, seed=seed, most_s=400 * 86_400.0)


class _Story:
    """One replay, inside a virtual loop."""

    def __init__(
        self, trace: Trace, *, seed: int, adapters: Mapping[str, Adapter], folder: Path, exposure: ExposureName
    ) -> None:
        self.trace = trace
        self.exposure = exposure
        self.seed = seed
        self.adapters = adapters
        self.folder = folder
        self.clock = running().clock
        self.dice = SeededRandom(seed)
        self.truth = _Truth(names={sku: sku_name(number) for number, sku in enumerate(trace.skus, 1)})
        self.plant: asyncio.Future[Plant] = running().create_future()
        # No queue of notices is read: its client brings its own connections, which virtual time has not.
        self.parts = {name: replace(part, notices=False) for name, part in sized(trace.compress).items()}

    async def run(self) -> Result:
        async with open_simulators(
            self.adapters,
            skus=len(self.trace.skus),
            seed=self.seed,
            clock=self.clock,
            port=FIRST_PORT,
            parts=self.parts,
        ) as simulators:
            policy = f'[policy]\nexposure = "{self.exposure}"\n'
            text = settings_text(simulators, listen=LISTEN, parts=self.parts, extra=policy)
            settings = settings_of(text, self.folder, self.adapters)
            machine = Machine(
                clock=self.clock,
                uuid=uuid7(self.clock, self.dice.bytes),
                random=self.dice,
                connector=VirtualConnector,
                inline=True,
                virtual=True,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(
                    serve(settings, adapters=self.adapters, machine=machine, started=self.plant.set_result)
                )
                plant = await self.plant
                await self._live(plant, simulators)
                plant.stop.set()
        return self.truth.result

    async def _live(self, plant: Plant, simulators: Mapping[str, Simulator]) -> None:
        await self._adopt(plant)
        begin = running().time()
        arrivals = [arrival for arrival in self.trace.arrivals if arrival.at_s > 0]
        events: list[Ask | Arrival] = sorted([*self.trace.asks, *arrivals], key=lambda event: event.at_s)
        for event in events:
            await asyncio.sleep(max(0.0, begin + event.at_s - running().time()))
            if isinstance(event, Ask):
                self.truth.ask(simulators[event.channel], event)
            else:
                await self._deliver(plant, event)
        self.truth.result.virtual_s = running().time() - begin
        await self._settle(plant, simulators)

    async def _adopt(self, plant: Plant) -> None:
        """Wait until every catalogue is known, count what is there, and release all channels."""
        wanted = len(self.trace.skus) * len(self.parts)
        while await self._known(plant) < wanted:  # noqa: ASYNC110  (a rehearsal looks as a person would)
            await asyncio.sleep(1.0)
        opening = [arrival for arrival in self.trace.arrivals if arrival.at_s == 0]
        for start in range(0, len(opening), COUNT_ROWS):
            await self._say(plant, self._count(opening[start : start + COUNT_ROWS], plant))
        for name in plant.roster:
            await self._say(plant, AccountFact(account=name, state=AccountState.LIVE))
        await asyncio.sleep(300.0)

    async def _known(self, plant: Plant) -> int:
        return await plant.store.read(lambda conn: sum(listings.count(conn, name) for name in plant.roster))

    def _count(self, opening: list[Arrival], plant: Plant) -> CountFact:
        rows = []
        for arrival in opening:
            self.truth.there[arrival.sku] += arrival.quantity
            sku = Sku(self.truth.names[arrival.sku])
            rows.append(CountRow(sku=sku, location=MAIN, quantity=arrival.quantity, counted_at=plant.clock.now()))
        return CountFact(source="replay", reference=plant.uuid(), rows=tuple(rows), forced=True)

    async def _say(self, plant: Plant, fact: Fact) -> None:
        receipt = await plant.intake.put_one(fact, source="replay", key=None)
        reason = await plant.intake.settle(receipt.inbox_id, timeout_s=600.0)
        if reason is not None:
            raise AssertionError(f"the rehearsal's own fact was refused: {reason}")

    async def _deliver(self, plant: Plant, arrival: Arrival) -> None:
        self.truth.there[arrival.sku] += arrival.quantity
        row = MoveRow(sku=Sku(self.truth.names[arrival.sku]), location=MAIN, quantity=arrival.quantity)
        fact = MoveFact(
            source="replay", reference=plant.uuid(), move=StockMove.RECEIVE, at=plant.clock.now(), rows=(row,)
        )
        await plant.intake.put([fact], source="replay")

    async def _settle(self, plant: Plant, simulators: Mapping[str, Simulator]) -> None:
        """Wait until every channel shows what it should, then look at the books."""
        result, waited, wrong = self.truth.result, 0.0, ["not looked at yet"]
        while waited < SETTLE_S:
            await asyncio.sleep(STEP_S)
            waited += STEP_S
            busy = await plant.store.read(listings.busy)
            aims = await plant.store.read(lambda conn: _aims(conn, plant))
            wrong = self._wrong(simulators, aims, await self._margins(plant))
            if busy == 0 and not wrong:
                break
        result.settle_s = waited
        result.wrong = len(wrong)
        result.examples = wrong[:5]
        result.lines = self.trace.lines
        result.left = sum(self.truth.there.values())
        result.writes = sum(1 for simulator in simulators.values() for entry in simulator.log if entry.by == "api")
        result.unbalanced = len(await plant.store.read(verify))

    async def _margins(self, plant: Plant) -> dict[tuple[str, str], int]:
        """Return how far each listing of an absolute channel stays below its target while its demand is fresh."""
        return await plant.store.read(lambda conn: margins(conn, plant))

    def _wrong(
        self,
        simulators: Mapping[str, Simulator],
        aims: Mapping[tuple[str, str], int | None],
        margins: Mapping[tuple[str, str], int],
    ) -> list[str]:
        """Return listings that do not show their target, less their margin, or that have a wrong one.

        A target is wrong that is above what is there; with exposure "pool" also one below.
        """
        found = []
        for name, simulator in simulators.items():
            shown = _shown(simulator)
            for sku in self.trace.skus:
                if self.truth.names[sku] not in shown:
                    continue
                there = max(0, self.truth.there[sku])
                place = (name, self.truth.names[sku])
                number, target = max(0, shown[place[1]]), aims.get(place)
                if target is None or target > there or (target < there and self.exposure == "pool"):
                    found.append(f"{name} {sku}: its target is {target}, there are {there}")
                elif not max(0, target - margins.get(place, 0)) <= number <= target:
                    found.append(f"{name} {sku}: shows {number}, its target is {target}, there are {there}")
        return found


def run_replay(
    path: Path,
    *,
    compress: float = 200.0,
    seed: int = 1,
    shares: Mapping[str, float] = SHARES,
    most_lines: int | None = None,
    exposure: ExposureName = "adaptive",
    as_json: bool = False,
    say: Callable[[str], object] = sys.stdout.write,
) -> int:
    """Replay a file and print what came of it; 0 when every channel shows its target and the books balance.

    Raises ConfigError where the file cannot be used.
    """
    trace = read_trace(path, shares=shares, seed=seed, compress=compress, most_lines=most_lines)
    with tempfile.TemporaryDirectory(prefix="syncd-replay-", dir=_memory_folder()) as folder:
        result = replay(trace, seed=seed, folder=Path(folder), exposure=exposure)
    settings = {
        "file": path.name, "compress": compress, "seed": seed, "shares": dict(shares), "exposure": exposure,
    }  # fmt: skip
    if as_json:
        say(json.dumps({"name": "replay", "figures": asdict(result), "settings": settings}) + "\n")
    else:
        say(_table(result, settings))
    return 0 if result.wrong == 0 and result.unbalanced == 0 else 1


def _memory_folder() -> str | None:
    """Return a folder in memory where there is one: nothing of a rehearsal needs to outlive it."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  (a private folder is made in it)


def _table(result: Result, settings: Mapping[str, object]) -> str:
    rows = {key: value for key, value in asdict(result).items() if key not in ("by_channel", "examples")} | {
        f"sold on {name}": units for name, units in sorted(result.by_channel.items())
    }
    width = max(len(key) for key in rows)
    head = ", ".join(f"{key} {value}" for key, value in settings.items())
    lines = [f"{key.replace('_', ' '):<{width}}  {value:>12,}" for key, value in rows.items()]
    return "\n".join([head, *lines, *result.examples, ""])
