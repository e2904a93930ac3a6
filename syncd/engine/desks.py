"""The open desks, and how their tickets are read: by the feed of what changed, and by number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from syncd.core.escalation import Lexicon
from syncd.core.terms import SECOND_US, AccountId
from syncd.core.tickets import DeskId, TicketId
from syncd.core.waitlist import TicketFact
from syncd.engine.channels import CALL_S, Pulse, Tools, guarded
from syncd.engine.intake import Intake
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.sdk.channel import Clock
from syncd.sdk.desk import Desk, DeskAdapter, DeskContext
from syncd.settings import DeskSettings
from syncd.store import accounts, tickets
from syncd.store.session import Store
from syncd.store.shelf import StoreShelf

PIECE = 25
"""Tickets of one fact: each may be joined to somebody who waits."""
FETCH_RETRY_US = 30 * SECOND_US
"""After how long a ticket is asked for again that was not read."""
IDLE_S = 30.0
MOST_PAGES = 1_000
"""Most pages of one read of what changed."""


@dataclass(slots=True, kw_only=True)
class OpenDesk:
    """An open desk. The events are hints to look: for changes to be sent, and for tickets to be read by number."""

    name: DeskId
    desk: Desk
    settings: DeskSettings
    pulse: Pulse
    writes: asyncio.Event = field(default_factory=asyncio.Event)
    fetches: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, hint: Hint) -> None:
        """Hint that something may be due."""
        match hint:
            case Hint.WRITE:
                self.writes.set()
            case Hint.FETCH:
                self.fetches.set()
            case Hint.READ | Hint.TELL | Hint.SERVE:
                pass


Desks = dict[DeskId, OpenDesk]


@asynccontextmanager
async def open_desks(
    desks: Mapping[str, DeskSettings],
    adapters: Mapping[str, DeskAdapter],
    tools: Tools,
    *,
    store: Store,
    shop: Mapping[str, str],
    lexicon: Lexicon,
) -> AsyncIterator[Desks]:
    """Open every enabled desk; they are closed when the block ends."""
    async with AsyncExitStack() as stack:
        found: Desks = {}
        for settings in desks.values():
            if settings.enabled:
                context = DeskContext(
                    desk=settings.name,
                    session=tools.session,
                    clock=tools.clock,
                    uuid=tools.uuid,
                    random=tools.random,
                    shelf=StoreShelf(store, settings.name),
                    shop=shop,
                    lexicon=lexicon,
                )
                opened = adapters[settings.adapter].open(settings.settings, context)
                desk = await stack.enter_async_context(opened)
                pulse = desk_pulse(settings.name, tools)
                found[settings.name] = OpenDesk(name=settings.name, desk=desk, settings=settings, pulse=pulse)
        yield found


def desk_pulse(name: DeskId, tools: Tools) -> Pulse:
    """Return the pulse of a desk that has not been asked yet."""
    return Pulse(account=AccountId(name), clock=tools.clock, random=tools.random, report=tools.report)


class TicketReading:
    """Reads the tickets of one desk."""

    def __init__(self, open_desk: OpenDesk, *, store: Store, intake: Intake, clock: Clock) -> None:
        self._open = open_desk
        self._store = store
        self._intake = intake
        self._clock = clock

    async def run_feed(self, stop: asyncio.Event) -> None:
        """Read what changed until told to stop."""
        await self._run(stop, self.read_changed, self._open.settings.poll_s, None)

    async def run_found(self, stop: asyncio.Event) -> None:
        """Read tickets that are wanted until told to stop."""
        await self._run(stop, self.read_wanted, IDLE_S, self._open.fetches)

    async def _run(
        self,
        stop: asyncio.Event,
        work: Callable[[], Awaitable[int]],
        rest_s: float,
        hint: asyncio.Event | None,
    ) -> None:
        self._open.pulse.ending = stop
        while not stop.is_set():
            if hint is not None:
                hint.clear()
            found = await guarded(self._open, work)
            if hint is None or not found:
                await nap(rest_s, stop, *([] if hint is None else [hint]))

    async def read_changed(self) -> int:
        """Read the feed to its end; return how many pages it had."""
        name = self._open.name
        known = (await self._store.read(tickets.desks)).get(name)
        cursor = known.cursor if known is not None and known.cursor else None
        for pages in range(1, MOST_PAGES):
            async with asyncio.timeout(CALL_S):
                page = await self._open.desk.changed(cursor)
            cursor = page.cursor
            pieces = [page.tickets[start : start + PIECE] for start in range(0, len(page.tickets), PIECE)] or [()]
            # The cursor goes with the last piece: whoever has it has all tickets before it.
            facts = [TicketFact(desk=name, tickets=piece, cursor=None) for piece in pieces[:-1]]
            await self._intake.put([*facts, TicketFact(desk=name, tickets=pieces[-1], cursor=cursor)], source=name)
            if not page.more:
                return pages
        return MOST_PAGES

    async def read_wanted(self) -> int:
        """Read tickets that somebody hinted at; return how many were asked for."""
        name, limit, now = AccountId(self._open.name), self._open.desk.profile.max_find, self._clock.now()
        wanted = await self._store.read(lambda conn: accounts.wanted_orders(conn, name, now=now, limit=limit))
        if not wanted:
            return 0
        later = now + FETCH_RETRY_US
        await self._store.write(lambda conn: accounts.postpone_orders(conn, name, wanted, due_at=later))
        async with asyncio.timeout(CALL_S):
            found = await self._open.desk.find([TicketId(ticket_id) for ticket_id in wanted])
        for start in range(0, len(found), PIECE):
            piece = tuple(found[start : start + PIECE])
            await self._intake.put([TicketFact(desk=self._open.name, tickets=piece)], source=name)
        gone = set(wanted).difference(ticket.ticket_id for ticket in found)
        await self._store.write(lambda conn: accounts.fetched(conn, name, gone, read_at=now))
        return len(wanted)
