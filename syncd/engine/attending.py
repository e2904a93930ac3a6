"""The loop that works off what is left to do for those who wait, in pieces that each are right by themselves.

A delivery for thousands is assigned chunk by chunk between the decisions on orders; what is left of it opens once those
who wait were told; holds end in time; expected days are computed anew; days that are near are announced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.engine.holding import close_bought
from syncd.engine.offers import free_abandoned, give_up, open_late
from syncd.engine.plant import Plant
from syncd.engine.promising import announce, repromise
from syncd.engine.replan import replan
from syncd.engine.rules import House
from syncd.engine.serving import open_rest, serve_delivery
from syncd.engine.timing import nap
from syncd.engine.work import Hint, Work
from syncd.sdk.channel import Clock
from syncd.store import arrivals, waiting
from syncd.store.arrivals import ASSIGNING

AIM_S: Final = 0.010
"""How long a piece should take; the limit of the design for a transaction is 20 ms."""
LEAST: Final = 40
FIRST: Final = 80
MOST: Final = 400
"""Of a line so many are worked off in one transaction, at least, at first and at most; in between by measured time."""
ROUNDS: Final = 20
"""So often steps that find something are repeated before those that found nothing look again."""
IDLE_S = 60.0
"""Longest rest: a hint that got lost costs this much time."""
Step = Callable[[Work, int], bool]


async def run_attending(plant: Plant, stop: asyncio.Event) -> None:
    """Work until told to stop."""
    await plant.ready.wait()
    attending = Attending(plant)
    while not stop.is_set():
        plant.serves.clear()
        await attending.work_off(stop)
        await nap(await plant.store.read(lambda conn: _rest_s(conn, plant.clock.now())), plant.serves, stop)


class Attending:
    """Does what is due, step by step, each in pieces whose size follows from how long the last one took."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._sizes = dict.fromkeys(STEPS, FIRST)

    async def work_off(self, stop: asyncio.Event) -> None:
        """Work until nothing is due, or until told to stop."""
        while not stop.is_set():
            busy = [step for step in STEPS if await self._do(step)]
            if not busy:
                return
            for _ in range(ROUNDS):
                busy = [step for step in busy if not stop.is_set() and await self._do(step)]

    async def _do(self, step: Step) -> bool:
        plant, size = self._plant, self._sizes[step]
        done = await plant.store.write(lambda conn: do_step(conn, plant.house, plant.clock, step, size))
        if done.found:
            self._sizes[step] = next_size(size, done.seconds)
        for account, hint in sorted(done.hints):
            if hint is not Hint.SERVE:
                plant.wake(account, hint)
        return done.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a step did: whether there was anything to do, what may be due now, and how long it took."""

    found: bool
    hints: set[tuple[AccountId, Hint]]
    seconds: float


def do_step(conn: Connection, house: House, clock: Clock, step: Step, size: int) -> Done:
    """Do one step in a transaction, for at most `size` of those who wait."""
    started = clock.monotonic()
    work = Work(conn, house=house, now=clock.now())
    found = step(work, size)
    if found:
        replan(work)
        work.flush()
    return Done(found=found, hints=work.hints, seconds=clock.monotonic() - started)


def next_size(size: int, seconds: float) -> int:
    """Return how many the next piece should have."""
    if seconds > AIM_S:
        return max(LEAST, int(size * max(0.3, AIM_S / seconds)))
    return min(MOST, size + size // 8 + 1)


def _assign(work: Work, size: int) -> bool:
    """Assign a piece of the oldest delivery."""
    delivery = next((one for one in arrivals.unfinished(work.conn) if one.state == ASSIGNING), None)
    if delivery is None:
        return False
    serve_delivery(work, delivery, limit=size)
    return True


def _open(work: Work, _size: int) -> bool:
    """Open what is left of a delivery of which those who wait were told."""
    for delivery in arrivals.unfinished(work.conn):
        if delivery.state != ASSIGNING:
            before = delivery.state
            open_rest(work, delivery)
            if delivery.state != before:
                arrivals.save(work.conn, delivery)
                return True
    return False


def _end_holds(work: Work, size: int) -> bool:
    """Give back what was held for somebody who did not come."""
    due = waiting.holds_due(work.conn, now=work.now, limit=size)
    close_bought(work, give_up(work, due, cause="lapsed"), reason="lapsed")
    return bool(due)


def _open_late(work: Work, size: int) -> bool:
    """Open the channel for those whose private sale could not be made."""
    return open_late(work, limit=size)


def _free_abandoned(work: Work, size: int) -> bool:
    """Free what is kept by private sales of accounts that are not there any more."""
    return free_abandoned(work, limit=size)


STEPS: Final[tuple[Step, ...]] = (_assign, _open, _end_holds, _open_late, _free_abandoned, repromise, announce)
"""What is done in turn."""


def _rest_s(conn: Connection, now: Instant) -> float:
    """Return for how long there is nothing to do, as far as the tables tell."""
    moments = [one.open_at for one in arrivals.unfinished(conn) if one.open_at is not None]
    until = waiting.next_hold_end(conn)
    moments += [] if until is None else [until]
    left = min(((moment - now) / SECOND_US for moment in moments), default=IDLE_S)
    return min(IDLE_S, max(0.05, left))
