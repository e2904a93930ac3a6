"""A whole engine on a virtual loop, with doubles for channels: what engine tests drive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from syncd.clock import uuid7
from syncd.core.brake import BrakeRule
from syncd.core.facts import AccountFact, AccountState, CountFact, CountRow, Fact
from syncd.core.season import Season
from syncd.core.terms import AccountId, Location, Sku
from syncd.core.tickets import DeskId
from syncd.engine.channels import Account, Pulse, pulse_of, rules_of
from syncd.engine.crew import engine_loops, recover
from syncd.engine.desks import OpenDesk
from syncd.engine.intake import Intake
from syncd.engine.loops import run_loops
from syncd.engine.plant import Plant
from syncd.engine.rules import House, WaitRules
from syncd.sdk.channel import Clock
from syncd.sdk.desk import Desk
from syncd.settings import ChannelSettings, Daemon, DeskSettings, PolicyDefaults, Settings
from syncd.store import ledger, listings, rows
from syncd.store.driver import writer_engine
from syncd.store.session import Store
from syncd.testing.chance import SeededRandom
from tests.engine.double import Double


def make_schema(url: str) -> None:
    """Make all tables, as the migrations would."""
    engine = writer_engine(url)
    with engine.begin() as conn:
        rows.SQLModel.metadata.create_all(conn)
    engine.dispose()


class World:
    """A running engine and its channels."""

    def __init__(self, plant: Plant, doubles: Mapping[str, Double]) -> None:
        self.plant = plant
        self.doubles = dict(doubles)

    async def say(self, fact: Fact, *, key: str | None = None) -> str | None:
        """Put a fact in and wait until it is decided; return why it was refused."""
        receipt = await self.plant.intake.put_one(fact, source="test", key=key)
        return await self.plant.intake.settle(receipt.inbox_id)

    async def count(self, **stock: int) -> str | None:
        """Count SKUs (`a_1=5` counts A-1)."""
        now = self.plant.clock.now()
        rows = tuple(
            CountRow(sku=Sku(name.upper().replace("_", "-")), location=Location("main"), quantity=n, counted_at=now)
            for name, n in stock.items()
        )
        return await self.say(CountFact(source="test", reference=self.plant.uuid(), rows=rows))

    async def go(self) -> None:
        """Release every account."""
        for name in self.doubles:
            await self.say(AccountFact(account=AccountId(name), state=AccountState.LIVE))

    async def shelf(self, code: str) -> ledger.Balance:
        """Return the balance of a SKU over all locations."""
        found = await self.plant.store.read(lambda conn: _shelf(conn, code))
        total = ledger.Balance()
        for balance in found.values():
            total.on_hand += balance.on_hand
            total.committed += balance.committed
            total.held += balance.held
        return total

    async def listing(self, name: str) -> listings.Listing:
        """Return the only listing of an account."""
        found = await self.plant.store.read(
            lambda conn: listings.page(conn, after=0, limit=100, account=AccountId(name))
        )
        return found[0]


def _shelf(conn: object, code: str) -> ledger.Shelf:
    sku = ledger.skus_by_code(conn, [code])[Sku(code)]  # type: ignore[arg-type]
    return ledger.shelves(conn, [sku.sku_id])[sku.sku_id]  # type: ignore[arg-type]


def pulse_of_desk(plant: Plant, name: DeskId) -> Pulse:
    return Pulse(account=AccountId(name), clock=plant.clock, random=plant.random, report=lambda *_: None)


@asynccontextmanager
async def running(
    path: Path,
    clock: Clock,
    doubles: Mapping[str, Double],
    *,
    inline: bool = True,
    desks: Mapping[str, Desk] | None = None,
    waiting: WaitRules | None = None,
    policy: PolicyDefaults | None = None,
    seasons: tuple[Season, ...] = (),
    own_changes: Mapping[str, Mapping[str, object]] | None = None,
    **changes: object,
) -> AsyncIterator[World]:
    """Run the whole engine on a store at `path` until the block ends; without a policy channels share a pool.

    `changes` are settings of every channel, `own_changes` of some.
    """
    url = f"sqlite:///{path}"
    make_schema(url)
    dice = SeededRandom(7)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store.open(url, clock=clock, inline=inline))
        defaults = policy or PolicyDefaults(raise_delay_s=2.0, exposure="pool")
        plant = Plant(
            settings=Settings(daemon=Daemon(data_dir=path.parent), policy=defaults),
            store=store,
            intake=Intake(store, clock=clock),
            clock=clock,
            uuid=uuid7(clock, dice.bytes),
            random=dice,
            roster={},
            epoch=1,
            started_at=clock.now(),
        )
        for name, double in doubles.items():
            settings = {"poll_s": 10.0, "sweep_s": 300.0, "hand_edit_days": 0, **changes}
            settings |= (own_changes or {}).get(name, {})
            own = ChannelSettings(name=AccountId(name), adapter="double", **settings)  # type: ignore[arg-type]
            pulse = pulse_of(own, clock=clock, random=dice, report=lambda *_: None)
            rules = rules_of(own, double, defaults)
            plant.roster[own.name] = Account(name=own.name, channel=double, rules=rules, settings=own, pulse=pulse)
        for name, desk in (desks or {}).items():
            desk_id = DeskId(name)
            pulse = pulse_of_desk(plant, desk_id)
            settings_of_desk = DeskSettings(
                name=desk_id, adapter="double", poll_s=max(30.0, float(changes.get("poll_s", 0.0)))
            )
            plant.desks[desk_id] = OpenDesk(name=desk_id, desk=desk, settings=settings_of_desk, pulse=pulse)
        first = next(iter(plant.desks), None)
        plant.house = House(
            waiting=replace(waiting or WaitRules(), desk=first, desks=frozenset(plant.desks)),
            rules={name: account.rules for name, account in plant.roster.items()},
            sinks=frozenset({"mqtt"}),
            brake=BrakeRule(minimum=5),
            seasons=seasons,
        )
        await recover(plant)
        async with asyncio.TaskGroup() as group:
            group.create_task(run_loops(engine_loops(plant), stop=plant.stop, drain_s=60.0))
            await plant.ready.wait()
            yield World(plant, doubles)
            plant.stop.set()
