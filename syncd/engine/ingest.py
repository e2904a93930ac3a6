"""The only room that decides: facts in order, each batch in one transaction with everything that follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from syncd.core.brake import Trip
from syncd.core.facts import OrderFact, OutcomeFact
from syncd.core.terms import AccountId
from syncd.engine.deciding import booked_once, decide, groups, hold, weigh
from syncd.engine.intake import Intake
from syncd.engine.replan import replan
from syncd.engine.rules import House
from syncd.engine.stock import Refused, StockFact, rows_of, slice_of, take_stock
from syncd.engine.timing import nap
from syncd.engine.work import Hint, Work
from syncd.sdk.channel import Clock
from syncd.store import accounts, inbox
from syncd.store.inbox import Received
from syncd.store.session import Store

MOST_FACTS = 64
"""Most facts in one transaction; it shrinks by itself while transactions take too long."""
SLICE_ROWS = 100
"""Rows of a large import that are decided in one transaction."""
AIM_S = 0.014
"""How long a transaction should take; the limit of the design is 20 ms."""
BUSY_AIM_S = 0.007
"""The same while others wait for the store: whoever sent a webhook waits for this one to end."""
IDLE_S = 30.0
_SLICE = "slice"
_PLAIN = (OrderFact, OutcomeFact)
"""Facts that are never large, and whose decision puts none into the inbox."""

_log = structlog.get_logger("syncd.ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What one transaction did: up to which fact, how many, how long; a large import that waits at the front.

    `drained`: the inbox held nothing else, and what was decided put nothing there.
    """

    upto: int
    facts: int
    seconds: float
    hints: frozenset[tuple[AccountId, Hint]] = frozenset()
    large: Received | None = None
    drained: bool = False


class Ingest:
    """The deciding loop. `changed` is told after a transaction what may be due on which account."""

    def __init__(
        self,
        store: Store,
        *,
        intake: Intake,
        clock: Clock,
        house: Callable[[], House],
        changed: Callable[[AccountId, Hint], None],
    ) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock
        self._house = house
        self._changed = changed
        self._limit = MOST_FACTS
        self._drained = False

    async def run(self, stop: asyncio.Event) -> None:
        """Decide facts until told to stop, then what is left in the inbox."""
        while True:
            self._intake.hint.clear()
            done = await self.step()
            if done == 0 and stop.is_set():
                return
            if done == 0 or self._drained:
                await nap(IDLE_S, self._intake.hint, stop)

    async def step(self) -> int:
        """Decide one batch; return how many facts it had."""
        house = self._house()
        decided = await self._store.write(lambda conn: self._batch(conn, house))
        self._drained = decided.drained
        if decided.large is not None:
            hints = await self._take_large(decided.large, house)
            decided = Decided(upto=decided.large.inbox_id, facts=1, seconds=0.0, hints=hints)
        if decided.facts:
            self._adapt(decided)
            for account, hint in sorted(decided.hints):
                self._changed(account, hint)
            await self._intake.advance(decided.upto)
        return decided.facts

    def _adapt(self, decided: Decided) -> None:
        aim_s = BUSY_AIM_S if self._store.stats.queue_depth else AIM_S
        if decided.seconds > aim_s:
            self._limit = max(1, int(self._limit * 0.7))
        elif self._limit < MOST_FACTS:
            self._limit += 1

    # --- on the writer's thread ---

    def _batch(self, conn: Connection, house: House) -> Decided:
        started = self._clock.monotonic()
        before = inbox.decided(conn)
        facts = inbox.waiting(conn, after=before, limit=self._limit)
        small = facts
        for index, received in enumerate(facts):
            if isinstance(received.fact, StockFact) and rows_of(received.fact) > SLICE_ROWS:
                small = facts[:index]
                break
        upto = before
        hints: set[tuple[AccountId, Hint]] = set()
        for group in groups(small):
            hints |= decide(conn, group, house=house, now=self._clock.now())
            upto = group[-1].inbox_id
        if upto != before:
            inbox.set_decided(conn, upto)
        large = facts[0] if facts and not small else None
        drained = len(facts) < self._limit and all(isinstance(received.fact, _PLAIN) for received in facts)
        return Decided(
            upto=upto,
            facts=len(small),
            seconds=self._clock.monotonic() - started,
            hints=frozenset(hints),
            large=large,
            drained=drained,
        )

    # --- large imports: weighed as a whole by a reader, applied in slices ---

    async def _take_large(self, received: Received, house: House) -> frozenset[tuple[AccountId, Hint]]:
        hints: set[tuple[AccountId, Hint]] = set()
        fact = received.fact
        assert isinstance(fact, StockFact), "only these are large"  # noqa: S101  (our own invariant)
        try:
            trip = await self._store.read(lambda c: weigh(c, fact, house, self._clock.now()))
        except Refused as refused:
            reason = str(refused)
            await self._store.write(lambda conn: self._end_large(conn, received, reason))
            return frozenset()
        if trip is not None and not fact.forced:
            await self._store.write(lambda conn: self._hold_large(conn, received, trip))
            return frozenset()
        start = await self._store.read(lambda conn: int(accounts.note(conn, _slice_name(received)) or 0))
        while start < rows_of(fact):
            begin = start
            try:
                hints |= await self._store.write(partial(self._take_slice, received=received, start=begin, house=house))
            except Refused as refused:
                reason = f"stopped at row {begin + 1}, the rows before it are applied: {refused}"
                await self._store.write(partial(self._end_large, received=received, reason=reason))
                return frozenset(hints)
            start += SLICE_ROWS
        await self._store.write(lambda conn: self._end_large(conn, received, None))
        return frozenset(hints)

    def _take_slice(
        self, conn: Connection, received: Received, start: int, house: House
    ) -> set[tuple[AccountId, Hint]]:
        fact = received.fact
        assert isinstance(fact, StockFact), "only these are large"  # noqa: S101  (our own invariant)
        work = Work(conn, house=house, now=self._clock.now())
        part = slice_of(fact, start, SLICE_ROWS)
        with conn.begin_nested(), booked_once():
            take_stock(work, part, offset=start)
            replan(work)
            work.flush()
        accounts.set_note(conn, _slice_name(received), str(start + SLICE_ROWS))
        return work.hints

    def _end_large(self, conn: Connection, received: Received, reason: str | None) -> None:
        if reason is not None:
            inbox.park(conn, received.inbox_id, reason=reason, now=self._clock.now())
        inbox.set_decided(conn, received.inbox_id)

    def _hold_large(self, conn: Connection, received: Received, trip: Trip) -> None:
        hold(conn, received, trip, self._clock.now())
        inbox.set_decided(conn, received.inbox_id)


def _slice_name(received: Received) -> str:
    return f"{_SLICE}:{received.inbox_id}"
