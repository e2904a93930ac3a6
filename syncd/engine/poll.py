"""Ask the channels: orders by their feed, orders by id, the catalogue. It becomes facts; nothing is decided."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace

import structlog

from syncd.core.facts import CatalogueFact, Fact, OrderFact, ScanFact
from syncd.core.terms import SECOND_US, Instant, OrderSnapshot
from syncd.engine.channels import CALL_S, Account, guarded
from syncd.engine.intake import Intake
from syncd.engine.timing import nap
from syncd.sdk.channel import Clock
from syncd.store import accounts
from syncd.store.session import Store

REMEMBERED = 20_000
"""Most snapshots remembered per account, so that the overlap of the feed is not put into the inbox again and again."""
IDLE_S = 30.0
"""How long a loop rests that was not hinted; a lost hint costs this much."""
FETCH_RETRY_US = 30 * SECOND_US
CATALOGUE_PIECE = 50
"""Listings of one catalogue fact: its decision must stay within one short transaction."""

_log = structlog.get_logger("syncd.poll")


class Poll:
    """The reading loops of one account."""

    def __init__(self, account: Account, *, store: Store, intake: Intake, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._intake = intake
        self._clock = clock
        self._seen: OrderedDict[str, OrderSnapshot] = OrderedDict()

    async def run_orders(self, stop: asyncio.Event) -> None:
        """Scan the order feed every `poll_s`, at once on a hint."""
        while not stop.is_set():
            self._account.orders.clear()
            await guarded(self._account, self.scan)
            await nap(self._account.settings.poll_s, stop, self._account.orders)

    async def run_fetch(self, stop: asyncio.Event) -> None:
        """Fetch orders that something said to have changed."""
        while not stop.is_set():
            self._account.fetches.clear()
            found = await guarded(self._account, self.fetch)
            if not found:
                await nap(IDLE_S, stop, self._account.fetches)

    async def run_catalogue(self, stop: asyncio.Event) -> None:
        """Read the catalogue at start, every `catalogue_s`, and on a hint."""
        while not stop.is_set():
            if await self._catalogue_due():
                await guarded(self._account, self.catalogue)
            await nap(min(IDLE_S, self._account.settings.catalogue_s), stop)

    async def scan(self) -> int:
        """Read the order feed to its end; return how many pages it had."""
        name = self._account.name
        feed = await self._store.read(lambda conn: accounts.feed(conn, name, accounts.ORDERS))
        cursor = feed.cursor if feed is not None and feed.cursor else None
        started, pages, more = self._clock.now(), 0, True
        while more:
            async with asyncio.timeout(CALL_S):
                page = await self._account.channel.orders(cursor)
            facts: list[Fact] = [OrderFact(account=name, order=order) for order in page.orders if self._is_new(order)]
            facts.append(
                ScanFact(
                    account=name,
                    cursor=page.cursor,
                    started_at=started,
                    complete_until=page.complete_until,
                    finished=not page.more,
                )
            )
            await self._intake.put(facts, source=name)
            for order in page.orders:
                self._remember(order)
            cursor, more, pages = page.cursor, page.more, pages + 1
        return pages

    def _is_new(self, order: OrderSnapshot) -> bool:
        known = self._seen.get(order.order_id)
        return known is None or known != replace(order, read_at=known.read_at)

    def _remember(self, order: OrderSnapshot) -> None:
        self._seen[order.order_id] = order
        self._seen.move_to_end(order.order_id)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    async def fetch(self) -> int:
        """Fetch orders that are wanted; return how many were asked for."""
        name, limit, now = self._account.name, self._account.channel.profile.max_fetch, self._clock.now()
        wanted = await self._store.read(lambda conn: accounts.wanted_orders(conn, name, now=now, limit=limit))
        if not wanted:
            return 0
        later = now + FETCH_RETRY_US
        await self._store.write(lambda conn: accounts.postpone_orders(conn, name, wanted, due_at=later))
        async with asyncio.timeout(CALL_S):
            orders = await self._account.channel.fetch(wanted)
        await self._intake.put([OrderFact(account=name, order=order) for order in orders], source=name)
        gone = set(wanted).difference(order.order_id for order in orders)
        if gone:
            _log.warning("order.gone", account=name, orders=sorted(gone)[:10])
            await self._store.write(lambda conn: accounts.fetched(conn, name, gone, read_at=now))
        return len(wanted)

    async def _catalogue_due(self) -> bool:
        name = self._account.name
        feed = await self._store.read(lambda conn: accounts.feed(conn, name, accounts.CATALOGUE))
        if feed is None or feed.scanned_at is None:
            return True
        return self._clock.now() >= feed.scanned_at + int(self._account.settings.catalogue_s * SECOND_US)

    async def catalogue(self) -> int:
        """Read the whole catalogue; return how many listings it has."""
        name, started, count = self._account.name, self._clock.now(), 0
        cursor: str | None = None
        while True:
            async with asyncio.timeout(CALL_S):
                page = await self._account.channel.listings(cursor)
            count += len(page.listings)
            pieces = [page.listings[i : i + CATALOGUE_PIECE] for i in range(0, len(page.listings), CATALOGUE_PIECE)]
            last = page.cursor is None
            facts = [CatalogueFact(account=name, started_at=started, listings=piece) for piece in pieces]
            if last:
                facts.append(CatalogueFact(account=name, started_at=started, listings=(), finished=True))
            await self._intake.put(facts, source=name)
            if last:
                break
            cursor = page.cursor
        await self._note_catalogue(started)
        return count

    async def _note_catalogue(self, started: Instant) -> None:
        name = self._account.name
        feed = accounts.Feed(cursor="", complete_until=None, scanned_at=started)
        await self._store.write(lambda conn: accounts.save_feed(conn, name, accounts.CATALOGUE, feed))
