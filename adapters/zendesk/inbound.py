"""What customers wrote, looked through for signs: the first message of a ticket, and comments that came since.

The words themselves go no further than this file. Comments are read for tickets of those who wait alone, where the
requester changed them lately (Zendesk, List Comments, and the `metric_sets` of tickets, 2026).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from adapters.zendesk import names, wire
from adapters.zendesk.api import Api, decode
from syncd.sdk.desk import Inbound, Instant, Lexicon, Sign

MOST_READ: Final = 50
"""Tickets whose comments are read with one page; the others follow with the next."""
MOST_COMMENTS: Final = 30
"""Of the newest comments of a ticket so many are looked through."""
MOST_KNOWN: Final = 20_000
OURS: Final = "syncd-"
"""External ids of tickets that syncd opened begin so: their first message is no customer's."""
_OVER: Final = ("closed", wire.DELETED)


class Comment(msgspec.Struct, frozen=True):
    """What is read of a comment."""

    author_id: int | None = None
    created_at: str | None = None
    public: bool = False
    plain_body: str | None = None
    body: str | None = None


class Comments(msgspec.Struct, frozen=True):
    """A page of comments."""

    comments: list[Comment]


class Listening:
    """Listens to the customers of one account. `later` are tickets whose comments are still to be read."""

    def __init__(self, api: Api, lexicon: Lexicon) -> None:
        self._api = api
        self._lexicon = lexicon
        self._first: OrderedDict[int, frozenset[Sign]] = OrderedDict()
        self.later: OrderedDict[int, None] = OrderedDict()

    async def heard(self, rows: Collection[wire.RemoteTicket], *, since: Instant) -> dict[int, tuple[Inbound, ...]]:
        """Return the messages of these tickets: the first of each, and comments of those that changed since."""
        fresh = [row for row in rows if wrote_since(row, since) or row.id in self.later]
        for row in fresh[MOST_READ:]:
            self.later[row.id] = None
        comments = {row.id: await self._comments(row) for row in fresh[:MOST_READ]}
        for row in fresh[:MOST_READ]:
            self.later.pop(row.id, None)
        return {row.id: (*self._opening(row), *comments.get(row.id, ())) for row in rows}

    def _opening(self, row: wire.RemoteTicket) -> Iterable[Inbound]:
        at = wire.instant(row.created_at)
        if at is None or names.TASK_TAG in row.tags or (row.external_id or "").startswith(OURS):
            return ()
        signs = self._first.get(row.id)
        if signs is None:
            signs = self._first[row.id] = self._lexicon.signs(f"{row.subject or ''}\n{row.description or ''}")
            if len(self._first) > MOST_KNOWN:
                self._first.popitem(last=False)
        return (Inbound(at=at, signs=signs),)

    async def _comments(self, row: wire.RemoteTicket) -> list[Inbound]:
        """Read the newest comments of a ticket's customer; the first one is told by the ticket itself."""
        params: dict[str, str | int] = {"sort": "-created_at", "page[size]": MOST_COMMENTS}
        answer = await self._api.call("GET", f"/tickets/{row.id}/comments", params=params)
        created = wire.instant(row.created_at)
        found = []
        for one in decode(answer, Comments).comments:
            at = wire.instant(one.created_at)
            if at is None or at == created or not one.public or one.author_id != row.requester_id:
                continue
            found.append(Inbound(at=at, signs=self._lexicon.signs(one.plain_body or one.body or "")))
        return found


def wrote_since(row: wire.RemoteTicket, since: Instant) -> bool:
    """Say whether the customer of somebody who waits may have written a comment since a moment."""
    told = row.metric_set.requester_updated_at if row.metric_set is not None else None
    at = wire.instant(told)
    if at is None or at < since or row.requester_id is None or row.status in _OVER:
        return False
    return at != wire.instant(row.created_at) and any(names.is_ours(tag) for tag in row.tags)
