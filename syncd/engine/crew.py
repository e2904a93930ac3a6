"""Set the engine up on an open store: accounts known, the last run's loose ends facts, and every loop named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

from syncd.core.facts import OutcomeFact
from syncd.core.terms import AccountId, Instant, Outcome, OutcomeKind
from syncd.engine.audit import Audit
from syncd.engine.channels import Account
from syncd.engine.dispatch import Dispatch
from syncd.engine.ingest import Ingest
from syncd.engine.loops import Loop, Stage
from syncd.engine.plant import Plant
from syncd.engine.poll import Poll
from syncd.engine.shadow import Shadow
from syncd.store import accounts, history, inbox
from syncd.store.inbox import Entry

RECOVERED = 100
"""Outcomes of one fact that recovery makes."""


async def recover(plant: Plant) -> int:
    """Make the accounts known, and what the last run sent without hearing the answer an outcome that is not known."""
    names, now = list(plant.roster), plant.clock.now()
    found = await plant.store.write(lambda conn: _recover(conn, names, now))
    plant.intake.hint.set()
    return found


def _recover(conn: Connection, names: list[AccountId], now: Instant) -> int:
    accounts.know(conn, names, now=now)
    count = 0
    for name in names:
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


def engine_loops(plant: Plant) -> list[Loop]:
    """Return every loop of the engine."""
    ingest = Ingest(plant.store, intake=plant.intake, clock=plant.clock, house=lambda: plant.house, changed=plant.wake)

    async def decide(stop: asyncio.Event) -> None:
        while await ingest.step():
            pass
        await plant.intake.advance(await plant.store.read(inbox.decided))
        plant.ready.set()
        await ingest.run(stop)

    loops = [Loop(name="ingest", stage=Stage.INGEST, run=decide)]
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
    return [
        Loop(name=f"orders.{name}", stage=Stage.READERS, run=poll.run_orders),
        Loop(name=f"fetch.{name}", stage=Stage.READERS, run=poll.run_fetch),
        Loop(name=f"catalogue.{name}", stage=Stage.READERS, run=poll.run_catalogue),
        Loop(name=f"verify.{name}", stage=Stage.READERS, run=audit.run_due),
        Loop(name=f"sweep.{name}", stage=Stage.READERS, run=audit.run_sweep),
        Loop(name=f"dispatch.{name}", stage=Stage.DISPATCH, run=_after_ready(plant, writer)),
    ]


def _after_ready(plant: Plant, writer: Dispatch | Shadow) -> Callable[[asyncio.Event], Awaitable[None]]:
    async def run(stop: asyncio.Event) -> None:
        await plant.ready.wait()
        await writer.run(stop)

    return run
