"""The search of the simulated account: an index that is late, of a few words, and cursors that end after an hour."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, Final

from adapters.zendesk.simulated.tickets import STATUSES, Past, Ticket, Tickets
from adapters.zendesk.simulated.world import HOUR_US, Problem, World, stamp
from syncd.sdk.channel import Instant

MOST_PAGE: Final = 1_000
MOST_RESULTS: Final = 1_000
_TERM: Final = re.compile(r"(?P<name>status|tags|updated|type)(?P<sign><|>=|:|>)(?P<value>\S+)")

Match = Callable[[Past], bool]


class Search:
    """Finds tickets as the index knows them: as they were a while ago."""

    def __init__(self, world: World, tickets: Tickets) -> None:
        self._world = world
        self._tickets = tickets

    def export(self, query: str, *, size: int, cursor: str) -> dict[str, Any]:
        """Return a page of the search export; raises `Problem` for a query or cursor that is none."""
        if "type:" in query:
            raise Problem(422, "invalid", "The query may not hold a type: give filter[type]")
        after, asked_at = self._place(cursor)
        found = [ticket for ticket in self._found(query) if ticket.ticket_id > after]
        page = found[: min(max(size, 1), MOST_PAGE)]
        more = len(found) > len(page)
        mark = _mark(page[-1].ticket_id, asked_at) if page and more else None
        return {
            "results": [self._row(ticket) for ticket in page],
            "facets": None,
            "meta": {"has_more": more, "after_cursor": mark, "before_cursor": None},
            "links": {"next": f"{self._world.url}/api/v2/search/export?cursor={mark}" if mark else None, "prev": None},
        }

    def plain(self, query: str, *, page: int) -> dict[str, Any]:
        """Return a page of the plain search: no more than a thousand results in all."""
        if page > MOST_RESULTS // 100:
            raise Problem(422, "invalid", "Search Response Limits: no more than 1000 results")
        found = self._found(query.replace("type:ticket", ""))
        rows = [self._row(ticket) for ticket in found[(page - 1) * 100 : page * 100]]
        return {"results": rows, "count": len(found), "facets": None, "next_page": None, "previous_page": None}

    def _found(self, query: str) -> list[Ticket]:
        tests = [_test(match) for match in _TERM.finditer(query)]
        if not tests:
            raise Problem(422, "invalid", "The query is not understood")
        as_of = self._world.now() - self._world.scaled_us(self._world.faults.index_lag_s)
        return [
            ticket
            for ticket in self._tickets.all()
            if not ticket.deleted and (past := _known(ticket, as_of)) and all(test(past) for test in tests)
        ]

    def _place(self, cursor: str) -> tuple[int, Instant]:
        if not cursor:
            return 0, self._world.now()
        try:
            last, asked_at = map(int, base64.urlsafe_b64decode(cursor).decode().split("|"))
        except ValueError:
            raise Problem(400, "InvalidCursor", "The cursor is none") from None
        if self._world.now() - asked_at > HOUR_US:
            raise Problem(400, "InvalidCursor", "The cursor has expired")
        return last, asked_at

    def _row(self, ticket: Ticket) -> dict[str, Any]:
        return {
            "id": ticket.ticket_id,
            "result_type": "ticket",
            "created_at": stamp(ticket.created_at),
            "updated_at": stamp(ticket.updated_at),
            "url": f"{self._world.url}/api/v2/tickets/{ticket.ticket_id}.json",
        }


def _known(ticket: Ticket, as_of: Instant) -> Past | None:
    return next((past for past in reversed(ticket.past) if past.since <= as_of), None)


def _mark(last: int, asked_at: Instant) -> str:
    return base64.urlsafe_b64encode(f"{last}|{asked_at}".encode()).decode()


def _test(match: re.Match[str]) -> Match:
    name, sign, value = match["name"], match["sign"], match["value"].strip('"')
    if name == "status" and value in STATUSES:
        rank = STATUSES.index(value)
        return (lambda past: STATUSES.index(past.status) < rank) if sign == "<" else (lambda past: past.status == value)
    if name == "tags" and sign == ":":
        return lambda past: value in past.tags
    if name == "updated" and sign in (">", ">="):
        return lambda past: stamp(past.updated_at) >= value
    raise Problem(422, "invalid", f"{name} is not understood")
