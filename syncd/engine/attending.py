"""The loop that works off what is left to do for those who wait, in pieces that each are right by themselves.

A delivery for thousands is assigned chunk by chunk between the decisions on orders; what is left of it opens once those
who wait were told; holds end in time; expected days are computed anew; days that are near are announced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.engine.holding import close_bought, lift_all
from syncd.engine.plant import Plant
from syncd.engine.promising import announce, repromise
from syncd.engine.replan import replan
from syncd.engine.rules import House
from syncd.engine.serving import CHUNK, open_rest, serve_delivery
from syncd.engine.timing import nap
from syncd.engine.work import Hint, Work
from syncd.store import arrivals, waiting
from syncd.store.arrivals import ASSIGNING

MOST_HOLDS = 50
"""Holds that end in one transaction."""
IDLE_S = 60.0
"""Longest rest: a hint that got lost costs this much time."""
Step = Callable[[Work], bool]


async def run_attending(plant: Plant, stop: asyncio.Event) -> None:
    """Work until told to stop."""
    await plant.ready.wait()
    while not stop.is_set():
        plant.serves.clear()
        while not stop.is_set() and await attend(plant):
            pass
        await nap(await plant.store.read(lambda conn: _rest_s(conn, plant.clock.now())), plant.serves, stop)


async def attend(plant: Plant) -> bool:
    """Do a piece of everything that is due; return whether there was anything."""
    found = False
    for step in STEPS:
        done, hints = await plant.store.write(lambda conn, s=step: do_step(conn, plant.house, plant.clock.now(), s))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        for account, hint in sorted(hints):
            if hint is not Hint.SERVE:
                plant.wake(account, hint)
        found = found or done
    return found


def do_step(conn: Connection, house: House, now: Instant, step: Step) -> tuple[bool, set[tuple[AccountId, Hint]]]:
    """Do one step in a transaction; return whether there was anything to do, and what may be due now."""
    work = Work(conn, house=house, now=now)
    done = step(work)
    if done:
        replan(work)
        work.flush()
    return done, work.hints


def _assign(work: Work) -> bool:
    """Assign a chunk of the oldest delivery."""
    delivery = next((one for one in arrivals.unfinished(work.conn) if one.state == ASSIGNING), None)
    if delivery is None:
        return False
    serve_delivery(work, delivery, limit=CHUNK)
    return True


def _open(work: Work) -> bool:
    """Open what is left of a delivery of which those who wait were told."""
    for delivery in arrivals.unfinished(work.conn):
        if delivery.state != ASSIGNING:
            before = delivery.state
            open_rest(work, delivery)
            if delivery.state != before:
                arrivals.save(work.conn, delivery)
                return True
    return False


def _end_holds(work: Work) -> bool:
    """Give back what was held for somebody who did not come."""
    due = waiting.holds_due(work.conn, now=work.now, limit=MOST_HOLDS)
    lift_all(work, due, cause="lapsed")
    close_bought(work, {hold.entry_id for hold in due}, reason="lapsed")
    return bool(due)


STEPS: Final[tuple[Step, ...]] = (_assign, _open, _end_holds, repromise, announce)
"""What is done in turn."""


def _rest_s(conn: Connection, now: Instant) -> float:
    """Return for how long there is nothing to do, as far as the tables tell."""
    moments = [one.open_at for one in arrivals.unfinished(conn) if one.open_at is not None]
    until = waiting.next_hold_end(conn)
    moments += [] if until is None else [until]
    left = min(((moment - now) / SECOND_US for moment in moments), default=IDLE_S)
    return min(IDLE_S, max(0.05, left))
