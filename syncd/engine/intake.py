"""The one door in: facts become durable here, before anybody is told so; who asks can wait until they are decided."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from syncd.core.facts import Fact
from syncd.sdk.channel import Clock
from syncd.store import inbox
from syncd.store.inbox import Entry
from syncd.store.session import Store, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A fact is durable. `duplicate`: it was there already under the same key, and `inbox_id` is that one's."""

    inbox_id: int
    duplicate: bool


class Intake:
    """Puts facts into the inbox. `hint` wakes the deciding loop; `decided` tells those who wait how far it is."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.hint = asyncio.Event()
        self._decided = 0
        self._progress = asyncio.Condition()

    async def put(self, facts: Sequence[Fact], *, source: str) -> None:
        """Make facts durable, in order."""
        await self.put_entries([Entry(fact=fact, source=source) for fact in facts])

    async def put_one(self, fact: Fact, *, source: str, key: str | None) -> Receipt:
        """Make one fact durable; a repeat of (source, key) answers the first one's id."""
        entry = Entry(fact=fact, source=source, key=key)
        now = self._clock.now()
        receipt = await self._store.write(lambda conn: _put_one(conn, entry, now), turn=Turn.URGENT)
        self.hint.set()
        return receipt

    async def put_entries(self, entries: Sequence[Entry]) -> list[int | None]:
        """Make facts durable, in order; None for one that was there already."""
        if not entries:
            return []
        now = self._clock.now()
        ids = await self._store.write(lambda conn: inbox.put(conn, entries, now=now), turn=Turn.URGENT)
        self.hint.set()
        return ids

    async def settle(self, inbox_id: int, *, timeout_s: float = 30.0) -> str | None:
        """Wait until a fact is decided; return why it was not applied, None when it was. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._progress:
            await self._progress.wait_for(lambda: self._decided >= inbox_id)
        return await self._store.read(lambda conn: inbox.parked(conn, inbox_id))

    async def news(self, after: int) -> int:
        """Wait until more than this is decided; return how far it is decided then."""
        async with self._progress:
            await self._progress.wait_for(lambda: self._decided > after)
            return self._decided

    async def advance(self, inbox_id: int) -> None:
        """Tell those who wait that everything up to this fact is decided."""
        async with self._progress:
            self._decided = inbox_id
            self._progress.notify_all()


def _put_one(conn: Connection, entry: Entry, now: int) -> Receipt:
    found = inbox.put(conn, [entry], now=now)[0]
    if found is not None:
        return Receipt(inbox_id=found, duplicate=False)
    known = inbox.known(conn, entry.source, entry.key or "")
    if known is None:
        raise LookupError("a fact that is there under its key cannot be found")
    return Receipt(inbox_id=known, duplicate=True)
