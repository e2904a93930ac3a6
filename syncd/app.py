"""The daemon: takes the store, opens the channels, runs every loop, and ends them in order."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import aiohttp
import structlog

from syncd.clock import SystemRandom
from syncd.core.brake import BrakeRule
from syncd.core.escalation import Lexicon
from syncd.core.facts import Fact
from syncd.core.restock import Line
from syncd.core.terms import SECOND_US, UNPLACED, AccountId, Location
from syncd.core.tickets import DeskId, Language
from syncd.edges.alerts import alert_sink
from syncd.edges.mqtt import Mqtt
from syncd.edges.outgoing import Outgoing, sink_name
from syncd.engine import upkeep
from syncd.engine.channels import Tools, open_accounts, seasons_of
from syncd.engine.crew import engine_loops, recover
from syncd.engine.desks import open_desks
from syncd.engine.escalating import escalation_limits
from syncd.engine.intake import Intake, Receipt
from syncd.engine.loops import Loop, Stage, run_loops
from syncd.engine.offering import private_accounts
from syncd.engine.outlook import outlook_of
from syncd.engine.plant import Plant
from syncd.engine.relay import Relay, Sink
from syncd.engine.resettle import run_resettle
from syncd.engine.rules import DAY_US, House, WaitRules
from syncd.engine.timing import nap
from syncd.letters import load_lexicon, load_texts
from syncd.listening import open_doors
from syncd.log import configure
from syncd.machine import Machine, real
from syncd.sdk.channel import Adapter, Clock
from syncd.sdk.desk import DeskAdapter
from syncd.sdk.errors import ConfigError, TransientError
from syncd.settings import Settings
from syncd.settings.adapters import Installed, InstalledDesks
from syncd.store import outbox
from syncd.store.keyfile import key_beside
from syncd.store.owner import OwnedElsewhere, Ownership, acquire
from syncd.store.schema import migrate
from syncd.store.session import Store, StoreBusy, StoreFull
from syncd.systemd import Notifier

EXIT_OK = 0
EXIT_BUG = 70
EXIT_OWNED = 75
EXIT_CONFIG = 78
OWNER_CHECK_S = 10.0
BEAT_S = 5.0
SWITCH_S = 0.0005
"""How long one thread computes before another has its turn."""
COLLECT_AFTER = 50_000
"""Allocations between two looks of the garbage collector: fewer pauses at the cost of a little memory."""

_log = structlog.get_logger("syncd.app")


def run(settings: Settings, *, adapters: Mapping[str, Adapter] | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT; return the exit code of the process."""
    configure(form=settings.daemon.log_form, level=settings.daemon.log_level)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(settings, adapters=adapters or Installed(), machine=real()))
    except BaseExceptionGroup as group:
        return _exit_of(group)
    except (OwnedElsewhere, ConfigError) as error:
        return _exit_of(BaseExceptionGroup("start", [error]))
    return EXIT_OK


def _exit_of(group: BaseExceptionGroup[BaseException]) -> int:
    """Say what ended the daemon; return the exit code for it."""
    owned, rest = group.split(OwnedElsewhere)
    config, bugs = (None, None) if rest is None else rest.split(ConfigError)
    for error in _leaves(owned):
        sys.stderr.write(f"{error}\n")
    for error in _leaves(config):
        for problem in getattr(error, "problems", ()):
            sys.stderr.write(f"{problem}\n")
    for error in _leaves(bugs):
        _log.error("daemon.failed", exc_info=error)
    if bugs is not None:
        return EXIT_BUG
    return EXIT_OWNED if owned is not None else EXIT_CONFIG


def _leaves(group: BaseExceptionGroup[BaseException] | None) -> list[BaseException]:
    if group is None:
        return []
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    loop: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return loop


async def serve(
    settings: Settings,
    *,
    adapters: Mapping[str, Adapter],
    machine: Machine,
    desks: Mapping[str, DeskAdapter] | None = None,
    started: Callable[[Plant], None] | None = None,
) -> None:
    """Run the daemon until it is told to stop; `started` is told once everything is up."""
    async with AsyncExitStack() as stack:
        owner = _take_store(settings, machine.clock)
        stack.callback(owner.release)
        opened = Store.open(settings.daemon.store_url, clock=machine.clock, inline=machine.inline)
        store = await stack.enter_async_context(opened)
        bulletin = upkeep.Bulletin()
        plant = await stack.enter_async_context(
            _plant(settings, adapters, desks or InstalledDesks(), store, owner, bulletin, machine)
        )
        await recover(plant)
        await _forget_endpoints(plant)
        sinks = _sinks(plant)
        web = await stack.enter_async_context(open_doors(plant, virtual=machine.virtual))
        loops = [*engine_loops(plant), *_edge_loops(plant, sinks, bulletin), *_keepers(plant, owner)]
        if not machine.virtual:
            _listen_to_signals(plant.stop)
            tame_collector()
            _share_the_processor()
        if started is not None:
            started(plant)
        accounts, pages = sorted(plant.roster), f"http://{web}/" if settings.pages.enabled else ""
        told = {"listen": web, "pages": pages, "accounts": accounts, "shadow": plant.house.shadow}
        _log.info("daemon.started", epoch=plant.epoch, **told)
        await run_loops(loops, stop=plant.stop, drain_s=settings.daemon.drain_s)
        _log.info("daemon.stopped")


def tame_collector() -> None:
    """Leave what lives for ever out of garbage collection, and look less often: pauses cost acknowledgements."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 100)


def _share_the_processor() -> None:
    """Let the loop have its turn soon while the writer's thread computes: who waits for an answer waits for both."""
    sys.setswitchinterval(SWITCH_S)


def _take_store(settings: Settings, clock: Clock) -> Ownership:
    folder = settings.daemon.data_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    holder = f"pid {os.getpid()} on {socket.gethostname()}"
    owner = acquire(settings.daemon.store_url, holder=holder)
    try:
        migrate(settings.daemon.store_url, backup_dir=folder / "backups", clock=clock)
    except BaseException:
        owner.release()
        raise
    return owner


@asynccontextmanager
async def _plant(
    settings: Settings,
    adapters: Mapping[str, Adapter],
    desks: Mapping[str, DeskAdapter],
    store: Store,
    owner: Ownership,
    bulletin: upkeep.Bulletin,
    machine: Machine,
) -> AsyncIterator[Plant]:
    clock, uuid, random = machine.clock, machine.uuid, machine.random
    texts = load_texts(settings.letters.templates, shop=settings.letters.shop)
    lexicon = load_lexicon(settings.escalation.words) if settings.escalation.enabled else Lexicon()
    async with aiohttp.ClientSession(connector=machine.connector()) as session:
        tools = Tools(clock=clock, uuid=uuid, random=random, report=bulletin.report, session=session)
        async with (
            open_accounts(settings.channels, adapters, settings.policy, tools) as roster,
            open_desks(settings.desks, desks, tools, store=store, shop=settings.letters.shop, lexicon=lexicon) as open_,
        ):
            plant = Plant(
                settings=settings,
                store=store,
                intake=Intake(store, clock=clock),
                clock=clock,
                uuid=uuid,
                random=random,
                roster=roster,
                desks=open_,
                epoch=owner.epoch,
                started_at=clock.now(),
                texts=texts,
                lexicon=lexicon,
                proof_key=_proof_key(settings),
            )
            plant.house = house_of(plant)
            yield plant


async def _forget_endpoints(plant: Plant) -> None:
    """End events that wait for endpoints which the settings do not name any more."""
    kept, now = [sink_name(name) for name in plant.settings.webhooks], plant.clock.now()
    await plant.store.write(lambda conn: outbox.abandon(conn, prefix=sink_name(""), kept=kept, now=now))


def _proof_key(settings: Settings) -> bytes:
    """Return what proofs of buyers are made with, where the order page needs it."""
    if not settings.orderpage.enabled:
        return b""
    return key_beside(settings.daemon.data_dir / "orderpage.key", chance=SystemRandom().bytes)


def house_of(plant: Plant) -> House:
    """Return what the deciding room knows of this daemon's accounts and settings."""
    settings = plant.settings
    rule = settings.brake
    return House(
        rules={name: account.rules for name, account in plant.roster.items()},
        sinks=frozenset({"mqtt"} if settings.mqtt.url else ()) | {sink_name(name) for name in settings.webhooks},
        brake=BrakeRule(share=rule.share, minimum=rule.minimum, factor=rule.factor),
        low_stock=settings.alerts.low_stock,
        shadow=settings.daemon.shadow,
        waiting=wait_rules(plant),
        seasons=seasons_of(settings),
        outlook=outlook_of(settings, now=plant.clock.now()),
    )


def wait_rules(plant: Plant) -> WaitRules:
    """Return how those who wait are treated, by the settings and by what channels and desks can do."""
    rules, desks, limits = plant.settings.waitlist, plant.desks, plant.settings.escalation
    open_there = [name for name, found in desks.items() if found.desk.profile.opens]
    only = open_there[0] if len(open_there) == 1 else None
    return WaitRules(
        line=Line(rules.line),
        hold_us=int(rules.hold_hours * 3_600 * SECOND_US),
        tell_us=int(rules.tell_first_s * SECOND_US),
        most_messages=rules.most_messages,
        margin_days=rules.margin_days,
        authorised_us=rules.authorised_days * DAY_US,
        language=Language(rules.language),
        zone=plant.settings.letters.zone,
        desk=DeskId(rules.desk) if rules.desk in open_there else only,
        desks=frozenset(desks),
        escalation=escalation_limits(limits),
        private=private_accounts(plant.roster),
        homes={name: AccountId(found.settings.account) for name, found in desks.items() if found.settings.account},
    )


def _sinks(plant: Plant) -> list[Sink]:
    sinks: list[Sink] = [alert_sink(plant.settings, clock=plant.clock)]
    mqtt = plant.settings.mqtt
    if mqtt.url:
        sinks.append(
            Mqtt(
                url=mqtt.url,
                username=mqtt.username,
                password=mqtt.password,
                protocol=mqtt.protocol,
                instance=plant.settings.daemon.instance,
                clock=plant.clock,
                random=plant.random,
                home=_home(plant),
            )
        )
    instance = plant.settings.daemon.instance
    webhooks = plant.settings.webhooks.values()
    sinks += [Outgoing(settings=webhook, instance=instance, clock=plant.clock) for webhook in webhooks]
    return sinks


def _home(plant: Plant) -> Location:
    """Return the location that a shop with only one need not name."""
    places = {place for account in plant.roster.values() for place in account.rules.locations}
    return places.pop() if len(places) == 1 else UNPLACED


def _edge_loops(plant: Plant, sinks: list[Sink], bulletin: upkeep.Bulletin) -> list[Loop]:
    loops = [Loop(name="bulletin", stage=Stage.INGEST, run=partial(bulletin.run, plant))]
    for sink in sinks:
        hint = asyncio.Event()
        plant.tells.append(hint)
        relay = Relay(plant.store, sink=sink, clock=plant.clock, random=plant.random, hint=hint)
        loops.append(Loop(name=f"relay.{sink.name}", stage=Stage.RELAY, run=relay.run))
        if isinstance(sink, Mqtt):
            loops += _mqtt_loops(plant, sink)
        if isinstance(sink, Outgoing):
            loops.append(Loop(name=f"watch.{sink.name}", stage=Stage.EDGES, run=partial(sink.watch, plant.store)))
    if plant.settings.http.public_url:
        loops.append(Loop(name="subscriptions", stage=Stage.EDGES, run=partial(upkeep.run_subscriptions, plant)))
    return loops


def _mqtt_loops(plant: Plant, mqtt: Mqtt) -> list[Loop]:
    async def put(fact: Fact, source: str, key: str) -> Receipt:
        return await plant.intake.put_one(fact, source=source, key=key)

    async def settle(receipt: Receipt) -> str | None:
        return await plant.intake.settle(receipt.inbox_id)

    return [
        Loop(name="mqtt", stage=Stage.RELAY, run=partial(mqtt.run, intake=put, settle=settle)),
        Loop(name="states", stage=Stage.EDGES, run=partial(upkeep.run_states, plant, mqtt.forgotten)),
    ]


def _keepers(plant: Plant, owner: Ownership) -> list[Loop]:
    notifier = Notifier(os.environ)
    return [
        Loop(name="settings", stage=Stage.EDGES, run=partial(run_resettle, plant)),
        Loop(name="pruning", stage=Stage.EDGES, run=partial(upkeep.run_pruning, plant)),
        Loop(name="disk", stage=Stage.EDGES, run=partial(upkeep.run_disk, plant, free=upkeep.free_bytes)),
        Loop(name="checks", stage=Stage.EDGES, run=partial(upkeep.run_checks, plant)),
        Loop(name="owner", stage=Stage.EDGES, run=partial(_watch_owner, owner)),
        Loop(name="life", stage=Stage.RELAY, run=partial(_show_life, plant, notifier)),
    ]


async def _watch_owner(owner: Ownership, stop: asyncio.Event) -> None:
    """End everything once the store belongs to another daemon."""
    while not stop.is_set():
        try:
            await asyncio.get_running_loop().run_in_executor(None, owner.check)
        except TransientError as error:
            _log.warning("owner.unchecked", reason=str(error))
        await nap(OWNER_CHECK_S, stop)


async def _show_life(plant: Plant, notifier: Notifier, stop: asyncio.Event) -> None:
    """Tell systemd that we are ready, alive, and stopping; alive means that the store still commits."""
    await plant.ready.wait()
    notifier.send("READY=1")
    while not stop.is_set():
        with suppress(StoreBusy, StoreFull):  # a full disk is no reason to be killed: we recover by ourselves
            await plant.store.write(lambda _: None)
        notifier.send("WATCHDOG=1")
        if plant.stop.is_set():
            notifier.send("STOPPING=1")
        await nap(min(notifier.watchdog_s or BEAT_S, BEAT_S), stop)


def _listen_to_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
