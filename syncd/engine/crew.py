"""Set the engine up on an open store: accounts known, the last run's loose ends facts, and every loop named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy import Connection

from syncd.core.facts import OutcomeFact
from syncd.core.terms import AccountId, Instant, Outcome, OutcomeKind
from syncd.core.tickets import DeskId
from syncd.engine.attending import run_attending
from syncd.engine.audit import Audit
from syncd.engine.channels import Account
from syncd.engine.conduct import ConductWatch
from syncd.engine.desks import OpenDesk, TicketReading
from syncd.engine.dispatch import Dispatch
from syncd.engine.displays import Displays, can_display
from syncd.engine.drafting import Drafting
from syncd.engine.forgetting import Forgetful
from syncd.engine.hiding import HiddenWatch
from syncd.engine.incidents import IncidentWatch
from syncd.engine.ingest import Ingest
from syncd.engine.judging import HealthWatch
from syncd.engine.keywatch import KeyWatch
from syncd.engine.lagwatch import LagWatch, take_up_lags
from syncd.engine.late import LateEnds
from syncd.engine.linking import Links, screens_of
from syncd.engine.lookout import Lookout, take_up_demand
from syncd.engine.loops import Loop, Stage
from syncd.engine.maintenance import run_maintenance
from syncd.engine.notices import Queue
from syncd.engine.offering import Offering
from syncd.engine.overdue import OverdueWatch
from syncd.engine.planning import Planner
from syncd.engine.plant import Plant
from syncd.engine.poll import Poll
from syncd.engine.proving import Proving
from syncd.engine.quiet import quiet_of
from syncd.engine.resettle import take_up_settings
from syncd.engine.sending import Sending
from syncd.engine.shadow import Shadow
from syncd.engine.shipdates import ShipDating
from syncd.engine.strays import StrayWatch
from syncd.engine.timekeeping import TimeKeeping
from syncd.sdk.desk import Forgetting
from syncd.sdk.features import AccountHealth, KeyExpiry, LateOutcomes, Notices, PrivateSale, Proofs, ShipDates
from syncd.store import accounts, actions, changes, history, inbox, offers, tickets
from syncd.store.inbox import Entry

RECOVERED = 100
"""Outcomes of one fact that recovery makes."""


async def recover(plant: Plant) -> int:
    """Make the accounts known, and what the last run sent without hearing the answer an outcome that is not known."""
    names, now = list(plant.roster), plant.clock.now()
    found = await plant.store.write(lambda conn: _recover(conn, names, now))
    await plant.store.write(lambda conn: _recover_desks(conn, list(plant.desks), now))
    await take_up_settings(plant)
    await take_up_lags(plant)
    await take_up_demand(plant)
    plant.intake.hint.set()
    return found


def _recover(conn: Connection, names: list[AccountId], now: Instant) -> int:
    accounts.know(conn, names, now=now)
    count = 0
    for name in names:
        lost = [action.remote_id for action in actions.recover(conn, name, now=now)]
        accounts.want_orders(conn, name, lost, now=now)
        offers.recover(conn, name)
        sent = history.unanswered(conn, name)
        count += len(sent)
        for start in range(0, len(sent), RECOVERED):
            piece = sent[start : start + RECOVERED]
            outcomes = tuple(
                Outcome(key=write.key, kind=OutcomeKind.INDETERMINATE, reason="syncd ended before the answer came")
                for write in piece
            )
            fact = OutcomeFact(
                account=name, sent_at=min(w.intended_at for w in piece), answered_at=now, outcomes=outcomes
            )
            inbox.put(conn, [Entry(fact=fact, source=name)], now=now)
    return count


def _recover_desks(conn: Connection, names: list[DeskId], now: Instant) -> None:
    tickets.know(conn, names, now=now)
    for name in names:
        changes.recover(conn, name)


async def catch_up(plant: Plant, ingest: Ingest) -> None:
    """Decide what the inbox holds now, and no more: facts that go on coming must not keep the others from beginning."""
    newest = await plant.store.read(inbox.newest)
    while await plant.store.read(inbox.decided) < newest and await ingest.step():
        pass
    await plant.intake.advance(await plant.store.read(inbox.decided))


def engine_loops(plant: Plant) -> list[Loop]:
    """Return every loop of the engine."""
    ingest = Ingest(plant.store, intake=plant.intake, clock=plant.clock, house=lambda: plant.house, changed=plant.wake)

    async def decide(stop: asyncio.Event) -> None:
        await catch_up(plant, ingest)
        plant.ready.set()
        await ingest.run(stop)

    planner = Planner(plant)
    loops = [
        Loop(name="ingest", stage=Stage.INGEST, run=decide),
        Loop(name="lags", stage=Stage.RELAY, run=LagWatch(plant).run),
        Loop(name="attending", stage=Stage.DISPATCH, run=partial(run_attending, plant)),
        Loop(name="exposure", stage=Stage.READERS, run=Lookout(plant, planner).run),
        Loop(name="overdue", stage=Stage.READERS, run=OverdueWatch(plant, planner).run),
        Loop(name="strays", stage=Stage.READERS, run=StrayWatch(plant).run),
        Loop(name="incidents", stage=Stage.READERS, run=IncidentWatch(plant).run),
        Loop(name="hidden", stage=Stage.READERS, run=HiddenWatch(plant).run),
    ]
    if plant.desks and not plant.house.shadow:
        profiles = {name: found.desk.profile for name, found in plant.desks.items()}
        loops.append(Loop(name="timerules", stage=Stage.READERS, run=TimeKeeping(plant, lambda: profiles).run))
    for desk in plant.desks.values():
        loops += desk_loops(plant, desk)
    for account in plant.roster.values():
        loops += account_loops(plant, account)
    return loops


def account_loops(plant: Plant, account: Account) -> list[Loop]:
    """Return the loops of one account; none asks or writes before the inbox of the last run is decided."""
    poll = Poll(account, store=plant.store, intake=plant.intake, clock=plant.clock)
    audit = Audit(account, store=plant.store, intake=plant.intake, clock=plant.clock)
    writer: Dispatch | Shadow = Dispatch(
        account,
        store=plant.store,
        intake=plant.intake,
        clock=plant.clock,
        uuid=plant.uuid,
        house=lambda: plant.house,
    )
    if plant.house.shadow:
        writer = Shadow(account, store=plant.store, clock=plant.clock)
    name = account.name
    readers = {
        "orders": poll.run_orders,
        "fetch": poll.run_fetch,
        "catalogue": poll.run_catalogue,
        "verify": audit.run_due,
        "sweep": audit.run_sweep,
    }
    return [
        *(Loop(name=f"{w}.{name}", stage=Stage.READERS, run=_reading(account, r)) for w, r in readers.items()),
        Loop(name=f"dispatch.{name}", stage=Stage.DISPATCH, run=_after_ready(plant, writer.run)),
        *feature_loops(plant, account),
        *private_loops(plant, account),
    ]


def desk_loops(plant: Plant, desk: OpenDesk) -> list[Loop]:
    """Return the loops of one desk; in shadow it is read and nothing is sent."""
    reading = TicketReading(desk, store=plant.store, intake=plant.intake, clock=plant.clock)
    loops = [
        Loop(name=f"tickets.{desk.name}", stage=Stage.READERS, run=_after_ready(plant, reading.run_feed)),
        Loop(name=f"found.{desk.name}", stage=Stage.READERS, run=_after_ready(plant, reading.run_found)),
    ]
    if isinstance(desk.desk, Forgetting):
        run = Forgetful(plant, desk, desk.desk).run
        loops.append(Loop(name=f"forgetting.{desk.name}", stage=Stage.EDGES, run=run))
    if not plant.house.shadow:
        language = plant.house.waiting.language
        links = Links(public_url=plant.settings.http.public_url, key=plant.proof_key, screens=screens_of(plant.roster))
        drafting = Drafting(desk.desk.profile, texts=plant.texts, language=language, links=links)
        sending = Sending(
            desk,
            store=plant.store,
            intake=plant.intake,
            clock=plant.clock,
            drafting=drafting,
            quiet=lambda language_, now: quiet_of(plant.settings, language_, now),
        )
        loops.append(Loop(name=f"sending.{desk.name}", stage=Stage.DISPATCH, run=_after_ready(plant, sending.run)))
    return loops


def private_loops(plant: Plant, account: Account) -> list[Loop]:
    """Return the loop of private sales; also where none is wanted any more, for what is open has to be ended."""
    channel = account.channel
    if not isinstance(channel, PrivateSale):
        return []
    return [Loop(name=f"offers.{account.name}", stage=Stage.DISPATCH, run=Offering(plant, account, channel).run)]


def feature_loops(plant: Plant, account: Account) -> list[Loop]:
    """Return the loops of what else the channel of an account can do, each asked for by type."""
    name, channel = account.name, account.channel
    store, intake, clock, random = plant.store, plant.intake, plant.clock, plant.random
    runs: dict[str, Callable[[asyncio.Event], Awaitable[None]]] = {}
    if isinstance(channel, Notices):
        queue = Queue(account, channel, store=store, intake=intake, clock=clock, random=random)
        runs["notices"] = queue.run
    if isinstance(channel, LateOutcomes):
        runs["late"] = LateEnds(account, channel, intake=intake, clock=clock, random=random).run
    if isinstance(channel, KeyExpiry):
        runs["keys"] = KeyWatch(account, channel, store=store, clock=clock, random=random).run
    if isinstance(channel, AccountHealth):
        runs["health"] = HealthWatch(account, channel, store=store, clock=clock, random=random).run
    if account.rules.profile.conduct:
        runs["conduct"] = ConductWatch(plant, account).run
    if isinstance(channel, ShipDates) and account.settings.ship_dates.enabled:
        runs["ship_dates"] = ShipDating(plant, account, channel).run
    if isinstance(channel, Proofs) and plant.proof_key:
        runs["proofs"] = Proving(plant, account, channel).run
    if can_display(channel):
        runs["displays"] = Displays(plant, account).run
    if account.pulse.windows:
        runs["maintenance"] = partial(run_maintenance, plant, account)
    return [Loop(name=f"{what}.{name}", stage=Stage.READERS, run=run) for what, run in runs.items()]


def _reading(
    account: Account, reader: Callable[[asyncio.Event], Awaitable[None]]
) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Have a wait for the channel end with the loop: announced maintenance may last for hours."""

    async def run(stop: asyncio.Event) -> None:
        account.pulse.ending = stop
        await reader(stop)

    return run


def _after_ready(
    plant: Plant, loop: Callable[[asyncio.Event], Awaitable[None]]
) -> Callable[[asyncio.Event], Awaitable[None]]:
    async def run(stop: asyncio.Event) -> None:
        await plant.ready.wait()
        await loop(stop)

    return run
