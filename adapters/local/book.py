"""The desk's documents on its shelf: tickets, the keys and marks by which they are found, and what changed when.

ticket/ID    a ticket whole            key/HASH     the ticket of an opening
mark/MARK    the ticket of a mark      change/N     the ticket that the Nth change was on
count/NAME   how far ids and changes are counted
mailbox      how far the mailbox was read
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from adapters.local import wire
from adapters.local.wire import TicketDoc
from syncd.sdk.desk import Shelf
from syncd.sdk.errors import TransientError

MOST_TRIES: Final = 10
"""Times that a document is taken up again because another hand was on it."""
PAGE: Final = 100


class Clash(TransientError):  # noqa: N818  (what happened)
    """A document was changed by another hand again and again."""

    def __init__(self) -> None:
        super().__init__("the desk's documents are being changed by somebody else", sent=False)


class Book:
    """Tickets by their id. What is stored is stored over the version that was read."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def find(self, ticket_id: str) -> TicketDoc | None:
        """Return a ticket."""
        found = await self._shelf.get(f"ticket/{ticket_id}")
        return None if found is None else wire.unpack(found[0])

    async def by_mark(self, mark: str) -> TicketDoc | None:
        """Return the ticket of a mark."""
        found = await self._shelf.get(f"mark/{mark}")
        return None if found is None else await self.find(found[0].decode())

    async def edit(self, ticket_id: str, change: Callable[[TicketDoc], TicketDoc | None]) -> TicketDoc | None:
        """Change a ticket and note that it changed; return it as it is then.

        `change` is asked anew when another hand was faster; where it returns None the ticket stays as it is.
        """
        for _ in range(MOST_TRIES):
            found = await self._shelf.get(f"ticket/{ticket_id}")
            if found is None:
                return None
            doc = change(wire.unpack(found[0]))
            if doc is None:
                return wire.unpack(found[0])
            if await self._shelf.put(f"ticket/{ticket_id}", wire.pack(doc), version=found[1]):
                await self.note_change(ticket_id)
                return doc
        raise Clash

    async def open(self, key: str, make: Callable[[str], TicketDoc]) -> TicketDoc:
        """Return the ticket of a key: the one that is there, or the one that `make` makes of a new id.

        The key is taken first, so that a repeat after a stop finds the same id and goes on from there.
        """
        place = _place(key)
        taken = await self._shelf.get(place)
        if taken is None:
            ticket_id = f"L{await self._count('ticket'):06d}"
            await self._shelf.put(place, ticket_id.encode(), version=0)
            taken = await self._shelf.get(place)
        if taken is None:
            raise Clash
        ticket_id = taken[0].decode()
        there = await self.find(ticket_id)
        if there is not None:
            return there
        doc = make(ticket_id)
        await self._shelf.put(f"mark/{doc.mark}", ticket_id.encode(), version=0)
        await self._shelf.put(f"ticket/{ticket_id}", wire.pack(doc), version=0)
        await self.note_change(ticket_id)
        return await self.find(ticket_id) or doc

    async def forget(self, ticket_id: str) -> bool:
        """Delete a ticket with its key and its mark; False where another hand is on it.

        The ticket goes first: only it holds whom it is for, and a stop in between leaves two words that lead nowhere.
        """
        found = await self._shelf.get(f"ticket/{ticket_id}")
        if found is None:
            return True
        doc = wire.unpack(found[0])
        if not await self._shelf.delete(f"ticket/{ticket_id}", version=found[1]):
            return False
        for place in (_place(doc.key), f"mark/{doc.mark}"):
            if (kept := await self._shelf.get(place)) is not None:
                await self._shelf.delete(place, version=kept[1])
        return True

    async def clear_changes(self) -> None:
        """Delete the oldest notes of changes whose ticket is not there any more, a page of them."""
        for key, body, version in await self._shelf.scan("change/", limit=PAGE):
            if await self._shelf.get(f"ticket/{body.decode()}") is not None:
                break
            await self._shelf.delete(key, version=version)

    # --- what changed ---

    async def note_change(self, ticket_id: str) -> None:
        """Note that a ticket changed, after it did."""
        number = await self._count("change")
        await self._shelf.put(f"change/{number:016d}", ticket_id.encode(), version=0)

    async def changes(self, after: int) -> tuple[list[str], int]:
        """Return ids of tickets that changed after the change of this number, and the number of the last of them."""
        rows = await self._shelf.scan("change/", after=f"change/{after:016d}", limit=PAGE)
        ids = list(dict.fromkeys(body.decode() for _, body, _ in rows))
        return ids, int(rows[-1][0].partition("/")[2]) if rows else after

    async def last_change(self) -> int:
        """Return the number of the last change."""
        found = await self._shelf.get("count/change")
        return int(found[0]) if found else 0

    async def page(self, after: str) -> tuple[list[TicketDoc], str]:
        """Return tickets behind an id, a page of them, and the last id; empty at the end."""
        rows = await self._shelf.scan("ticket/", after=f"ticket/{after}", limit=PAGE)
        docs = [wire.unpack(body) for _, body, _ in rows]
        return docs, rows[-1][0].partition("/")[2] if rows else ""

    async def _count(self, name: str) -> int:
        for _ in range(MOST_TRIES):
            found = await self._shelf.get(f"count/{name}")
            number, version = (int(found[0]), found[1]) if found else (0, 0)
            if await self._shelf.put(f"count/{name}", str(number + 1).encode(), version=version):
                return number + 1
        raise Clash

    # --- the mailbox ---

    async def place(self) -> tuple[bytes, int] | None:
        """Return how far the mailbox was read, and the version of that."""
        return await self._shelf.get("mailbox")

    async def keep_place(self, body: bytes, *, version: int) -> None:
        """Keep how far the mailbox was read."""
        await self._shelf.put("mailbox", body, version=version)


def _place(key: str) -> str:
    return f"key/{hashlib.sha256(key.encode()).hexdigest()}"
