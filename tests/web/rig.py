"""A daemon small enough for a test: a real store, the real deciding room, channels that only know their profile."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from syncd.core.brake import BrakeRule
from syncd.core.facts import CatalogueFact, CountFact, CountRow, Fact, OrderFact, SeenFact, SkuFact, SkuRow
from syncd.core.terms import (
    SECOND_US,
    AccountId,
    ListingInfo,
    ListingRef,
    Location,
    OrderLine,
    OrderSnapshot,
    Seen,
    Sku,
    Span,
    WriteMode,
)
from syncd.engine.channels import Account, Pulse, rules_of
from syncd.engine.ingest import Ingest
from syncd.engine.intake import Intake
from syncd.engine.plant import Plant
from syncd.engine.rules import House
from syncd.sdk.channel import Profile
from syncd.sdk.secret import Secret
from syncd.settings import ChannelSettings, Settings, load
from syncd.store import accounts
from syncd.store.schema import migrate
from syncd.store.session import Store

START = 1_790_000_000_000_000
"""2026-09-21 13:33:20 UTC, in microseconds."""
TOKEN = "a-token-of-more-than-22-characters"


class RigClock:
    """Wall time that a test moves; monotonic time that runs."""

    def __init__(self) -> None:
        self.instant = START

    def now(self) -> int:
        return self.instant

    def monotonic(self) -> float:
        return time.perf_counter()


class Quiet:
    """A channel that has a profile and nothing else."""

    profile = Profile(write_mode=WriteMode.COMPARE_AND_SET, max_push=100, max_seen=100)


class Rig:
    """A plant and what a test does to it."""

    def __init__(self, plant: Plant, clock: RigClock) -> None:
        self.plant = plant
        self.clock = clock

    async def tell(self, fact: Fact) -> str | None:
        """Put a fact in, wait for its decision, return why it was not applied."""
        receipt = await self.plant.intake.put_one(fact, source="test", key=None)
        return await self.plant.intake.settle(receipt.inbox_id)

    async def know(self, *codes: str, **kits: dict[str, int]) -> None:
        """Make SKUs and kits known."""
        rows = [SkuRow(sku=Sku(code)) for code in codes]
        rows += [
            SkuRow(sku=Sku(code), components=tuple((Sku(part), units) for part, units in parts.items()))
            for code, parts in kits.items()
        ]
        assert await self.tell(SkuFact(rows=tuple(rows))) is None

    async def count(self, **quantities: int) -> None:
        """Count SKUs at `main`."""
        rows = tuple(
            CountRow(sku=Sku(code), location=Location("main"), quantity=units, counted_at=self.clock.instant)
            for code, units in quantities.items()
        )
        fact = CountFact(source="test", reference=f"count-{next(_NUMBERS)}", rows=rows)
        assert await self.tell(fact) is None

    async def catalogue(self, account: str, *infos: tuple[str, str], finished: bool = False) -> None:
        """Have a channel tell its listings: (remote id or id@location, SKU)."""
        made = tuple(ListingInfo(ref=ref_of(remote), sku=sku, title=f"Title of {sku}") for remote, sku in infos)
        fact = CatalogueFact(
            account=AccountId(account), started_at=self.clock.instant, listings=made, finished=finished
        )
        assert await self.tell(fact) is None

    async def see(self, account: str, **shown: int) -> None:
        """Have a channel show numbers, by remote id."""
        now = self.clock.instant
        seen = tuple(
            Seen(ref=ref_of(remote), quantity=units, asked_at=now, answered_at=now) for remote, units in shown.items()
        )
        assert await self.tell(SeenFact(account=AccountId(account), seen=seen)) is None

    async def order(self, account: str, number: str, *lines: tuple[str, str, int], **fields: Any) -> None:
        """Have a channel state an order: lines are (remote id, SKU, units)."""
        assert (
            await self.tell(OrderFact(account=AccountId(account), order=self.snapshot(number, *lines, **fields)))
            is None
        )

    def snapshot(self, number: str, *lines: tuple[str, str, int], **fields: Any) -> OrderSnapshot:
        """Return an order that was placed a second from now."""
        at = self.clock.instant + SECOND_US
        made = tuple(
            OrderLine(
                line_id=str(position),
                remote_id=remote,
                remote_sku=sku,
                quantity=units,
                take=Span(earliest=at, latest=at),
            )
            for position, (remote, sku, units) in enumerate(lines, 1)
        )
        plain = OrderSnapshot(order_id=f"o-{number}", number=number, version=1, read_at=at, ordered_at=at, lines=made)
        return replace(plain, **fields)


_NUMBERS = itertools.count(1)


def ref_of(remote: str) -> ListingRef:
    remote_id, _, location = remote.partition("@")
    return ListingRef(remote_id=remote_id, remote_location=location)


def settings_of(folder: Path, channels: Sequence[str], *, token: str = TOKEN, **changes: Any) -> Settings:
    """Return settings with these channels, which share a pool; `changes` are of [daemon]."""
    plain = load(None, environ={"HOME": str(folder), "STATE_DIRECTORY": str(folder)}, adapters={})
    made = {name: ChannelSettings(name=AccountId(name), adapter="quiet", settings=object()) for name in channels}
    return replace(
        plain,
        channels=made,
        policy=replace(plain.policy, exposure="pool"),
        daemon=replace(plain.daemon, **changes),
        http=replace(plain.http, api_token=Secret(token)),
    )


@asynccontextmanager
async def running(
    folder: Path,
    *,
    channels: dict[str, Any] | None = None,
    settings: Settings | None = None,
    rule: BrakeRule | None = None,
    change: Callable[[ChannelSettings], ChannelSettings] = lambda found: found,
) -> AsyncIterator[Rig]:
    """Run a plant with these channels; `rule` is the brake's."""
    channels = {"shop": Quiet(), "mall": Quiet()} if channels is None else channels
    clock = RigClock()
    settings = settings or settings_of(folder, list(channels))
    settings = replace(settings, channels={name: change(found) for name, found in settings.channels.items()})
    migrate(settings.daemon.store_url, backup_dir=None, clock=clock)
    async with Store.open(settings.daemon.store_url, clock=clock) as store:
        plant = _plant(settings, store, clock, channels)
        plant.house = House(
            rules={name: account.rules for name, account in plant.roster.items()}, brake=rule or BrakeRule()
        )
        names = list(plant.roster)
        await store.write(lambda conn: accounts.know(conn, names, now=clock.now()))
        ingest = Ingest(store, intake=plant.intake, clock=clock, house=lambda: plant.house, changed=plant.wake)
        stop = asyncio.Event()
        plant.ready.set()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ingest.run(stop))
            try:
                yield Rig(plant, clock)
            finally:
                stop.set()
                plant.intake.hint.set()
                await task


def _plant(settings: Settings, store: Store, clock: RigClock, channels: dict[str, Any]) -> Plant:
    ids = (f"id-{number}" for number in itertools.count(1))
    roster = {}
    for name, channel in channels.items():
        found = settings.channels[name]
        pulse = Pulse(account=AccountId(name), clock=clock, random=lambda: 0.5, report=lambda *_: None)
        roster[AccountId(name)] = Account(
            name=AccountId(name),
            channel=channel,
            rules=rules_of(found, channel, settings.policy),
            settings=found,
            pulse=pulse,
        )
    return Plant(
        settings=settings,
        store=store,
        intake=Intake(store, clock=clock),
        clock=clock,
        uuid=lambda: next(ids),
        random=lambda: 0.5,
        roster=roster,
        epoch=7,
        started_at=clock.now() - 60 * SECOND_US,
    )


@asynccontextmanager
async def served(app: web.Application, *, sock: Any = None) -> AsyncIterator[str]:
    """Serve an application on a free port, or on an open socket; answer its URL (empty for a socket)."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        if sock is not None:
            await web.SockSite(runner, sock).start()
            yield ""
        else:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
