"""The only caller of `seen`: verifies what is uncertain, sweeps all listings in turn; what it saw becomes a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog
from sqlalchemy import Connection

from syncd.core.facts import SeenFact
from syncd.core.plan import Lane
from syncd.core.terms import SECOND_US, Seen
from syncd.engine.adopting import ADOPTING
from syncd.engine.channels import CALL_S, Account, guarded
from syncd.engine.intake import Intake
from syncd.engine.timing import nap
from syncd.sdk.channel import Clock
from syncd.store import history, inbox, listings
from syncd.store.inbox import Entry
from syncd.store.listings import Listing
from syncd.store.session import Store

READ_RETRY_US = 5 * SECOND_US
"""When a reading that failed is due again."""
TRIES = 3
"""How often a page of a round is asked for."""
PIECE = 50
"""Readings of one fact: its decision must stay within one short transaction."""
IDLE_S = 30.0
"""How long the loop rests that was not hinted; a lost hint costs this much."""

_log = structlog.get_logger("syncd.audit")


class Audit:
    """The observing loops of one account."""

    def __init__(self, account: Account, *, store: Store, intake: Intake, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._intake = intake
        self._clock = clock

    async def run_due(self, stop: asyncio.Event) -> None:
        """Read listings whose range is to be narrowed."""
        while not stop.is_set():
            self._account.reads.clear()
            if not await guarded(self._account, self.verify):
                await nap(await self._idle_s(), stop, self._account.reads)

    async def _idle_s(self) -> float:
        name = self._account.name
        due_at = await self._store.read(lambda conn: listings.next_due(conn, name, lanes=(Lane.READ,)))
        wait = IDLE_S if due_at is None else (due_at - self._clock.now()) / SECOND_US
        return min(IDLE_S, max(0.01, wait))

    async def run_sweep(self, stop: asyncio.Event) -> None:
        """Read all listings in turn, one round every `sweep_s`; it is what repairs the rest, so it never stops."""
        while not stop.is_set():
            started = self._clock.monotonic()
            await self.sweep(stop)
            await nap(self._account.settings.sweep_s - (self._clock.monotonic() - started), stop)

    async def verify(self) -> int:
        """Read what is due once; return how many listings."""
        name, now, most = self._account.name, self._clock.now(), self._account.rules.profile.max_seen
        found = await self._store.write(lambda conn: _take_due(conn, name, now, most))
        if found:
            await self._read(found)
        return len(found)

    async def sweep(self, stop: asyncio.Event) -> int:
        """Read every listing once, spread over the round; return how many were read."""
        name, most, after, total = self._account.name, self._account.rules.profile.max_seen, 0, 0
        pace_s, due_s, passed = await self._pace_s(most), self._clock.monotonic(), list[int]()
        while not stop.is_set():
            begin = after
            found = await self._store.read(lambda conn, b=begin: listings.page(conn, after=b, limit=most, account=name))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            if not found:
                break
            after = found[-1].id
            total += await self._read_passed(passed, stop)
            there = [x for x in found if not x.vanished and not x.in_flight]
            read = await self._read_surely(there, stop)
            passed = [x.id for x in found if x.in_flight or (there and not read)]
            total, due_s = total + read, due_s + pace_s
            await nap(due_s - self._clock.monotonic(), stop)
        return total + await self._read_passed(passed, stop)

    async def _read_passed(self, ids: Sequence[int], stop: asyncio.Event) -> int:
        """Read what had a write in flight when its turn came, now with or without one, and what could not be read."""
        most, total = self._account.rules.profile.max_seen, 0
        for start in range(0, len(ids), most):
            some = ids[start : start + most]
            found = await self._store.read(lambda conn, some=some: listings.by_id(conn, some))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            total += await self._read_surely([x for x in found if not x.vanished], stop)
        return total

    async def _read_surely(self, there: Sequence[Listing], stop: asyncio.Event) -> int:
        """Read a page of a round; one that fails is tried again, one that goes on failing does not stop the round."""
        for _ in range(TRIES if there else 0):
            read = await guarded(self._account, partial(self._read, there))
            if read or stop.is_set():
                return read
        return 0

    async def _pace_s(self, most: int) -> float:
        """Return how long a page of a round may take, so that it is done a little before the next one begins."""
        name = self._account.name
        count = await self._store.read(lambda conn: listings.count(conn, name))
        return self._account.settings.sweep_s / max(1, -(-count // most)) * 0.9

    async def _read(self, found: Sequence[Listing]) -> int:
        if not found:
            return 0
        async with asyncio.timeout(CALL_S):
            seen = await self._account.channel.seen([listing.ref for listing in found])
        now, name = self._clock.now(), self._account.name
        await self._store.write(lambda conn: _keep(conn, name, found, seen, now))
        self._intake.hint.set()
        return len(found)


def _take_due(conn: Connection, account: str, now: int, most: int) -> list[Listing]:
    """Take listings that are to be read; should the reading fail, they are due again soon."""
    found = listings.due(conn, account, lanes=(Lane.READ,), now=now, limit=most)  # type: ignore[arg-type]  # AccountId
    for listing in found:
        listing.due_at = now + READ_RETRY_US
    listings.save(conn, found, now=now)
    return found


def _keep(conn: Connection, account: str, found: Sequence[Listing], seen: Sequence[Seen], now: int) -> None:
    """Touch what confirms a belief; put everything else into the inbox."""
    by_id = {listing.id: listing for listing in listings.by_id(conn, [listing.id for listing in found])}
    busy = history.with_history(conn, list(by_id))
    news: list[Seen] = []
    touched: list[tuple[int, int, int]] = []
    for listing, one in zip(found, seen, strict=True):
        current = by_id[listing.id]
        if one.quantity is not None and current.id not in busy and _confirms(current, listing, one.quantity):
            touched.append((current.id, one.quantity, one.answered_at))
        else:
            news.append(one)
    listings.touch_seen(conn, touched)
    facts = [SeenFact(account=account, seen=tuple(news[i : i + PIECE])) for i in range(0, len(news), PIECE)]  # type: ignore[arg-type]  # AccountId
    inbox.put(conn, [Entry(fact=fact, source=account) for fact in facts], now=now) if facts else None


def _confirms(current: Listing, asked: Listing, quantity: int) -> bool:
    """Say whether a reading says only what is believed, of a listing where nothing happened since it was asked."""
    at_rest = not current.in_flight and current.held != ADOPTING
    quiet = at_rest and current.base == asked.base and current.lane in (None, int(Lane.READ))
    settled = current.target is None or current.target == quantity  # else a margin may have shrunk since: decide anew
    return quiet and settled and current.low == current.high == quantity and not current.stale and not current.vanished
