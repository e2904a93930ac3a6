"""Reading tickets: as they are now, and those that changed.

Changes come from the incremental export, which only an admin may read: without a cursor first the open tickets, found
by search and read as they are now, then everything since a while before that search. The export holds back the last
minute, may repeat, and tells deleted tickets (Zendesk, Incremental Exports, 2026). Where the user is no admin, changes
are found by search, whose index is some minutes late, and deleted tickets are not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from adapters.zendesk import wire
from adapters.zendesk.api import Api, Kind, decode
from adapters.zendesk.fields import Setup
from adapters.zendesk.inbound import MOST_READ, Listening
from adapters.zendesk.settings import ZendeskSettings
from syncd.sdk.channel import Clock, Instant
from syncd.sdk.desk import Lexicon, Ticket, TicketId, TicketPage
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError
from syncd.sdk.http import Answer

MOST_SHOWN: Final = 100
METRICS: Final = "metric_sets"
"""What is loaded beside tickets: when each was solved, and when its requester changed it last."""
PAGE: Final = 100
OVERLAP_US: Final = 900 * wire.SECOND_US
"""How far back a scan begins before a search: its index is "up to a few minutes" late (article 4408886879258)."""
HELD_BACK_US: Final = 60 * wire.SECOND_US
"""The export starts a minute ago at the latest."""
EXPIRED: Final = (400, 422)
"""How a cursor is refused: one of the search export ends after an hour."""


class Phase(StrEnum):
    """What a cursor reads: the open tickets by search, the export, or (no admin) changes by search."""

    OPEN = "open"
    EXPORT = "export"
    SEARCH = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cursor. `since` is in seconds; `mark` is Zendesk's own cursor, empty at the beginning; `began` as `since`."""

    phase: Phase
    since: int
    mark: str = ""
    began: int = 0

    def text(self) -> str:
        """Return it as a text."""
        return f"{self.phase} {self.since} {self.began} {self.mark}"

    @classmethod
    def of(cls, text: str) -> Place:
        """Take a cursor apart; raises `ProtocolError` for one that is none."""
        phase, _, rest = text.partition(" ")
        since, _, rest = rest.partition(" ")
        began, _, mark = rest.partition(" ")
        if phase not in set(Phase) or not (since.isdigit() and began.isdigit()):
            raise ProtocolError("Zendesk: a cursor that is none")
        return cls(phase=Phase(phase), since=int(since), began=int(began), mark=mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Tickets as they were read, by id. `settled_until` is the second before which nothing can change any more."""

    tickets: dict[int, wire.RemoteTicket]
    read_at: Instant
    settled_until: Instant


class Reader:
    """Reads tickets of one account. `is_admin` is None until the export was tried."""

    def __init__(self, api: Api, settings: ZendeskSettings, setup: Setup, clock: Clock, lexicon: Lexicon) -> None:
        self._api = api
        self._listening = Listening(api, lexicon)
        self._settings = settings
        self._setup = setup
        self._clock = clock
        self.is_admin: bool | None = None

    async def find(self, ticket_ids: Sequence[TicketId]) -> list[Ticket]:
        """Read tickets as they are now, in the order asked; unknown ones are left out."""
        wanted = [int(each) for each in dict.fromkeys(ticket_ids) if each.isdecimal()]
        if not wanted:
            return []
        fields = await self._setup.map()
        look = await self.look(wanted, metrics=True)
        rows = [look.tickets[each] for each in wanted if each in look.tickets]
        return await self._told(rows, fields, look.read_at, since=look.read_at - OVERLAP_US)

    async def look(self, wanted: Sequence[int], *, urgent: bool = False, metrics: bool = False) -> Look:
        """Read at most 100 tickets fresh, by their ids; `metrics` with when they were solved and answered."""
        params = {"ids": ",".join(map(str, wanted))} | ({"include": METRICS} if metrics else {})
        answer = await self._api.call("GET", "/tickets/show_many", params=params, urgent=urgent)
        rows = decode(answer, wire.Tickets).tickets
        return Look(
            tickets={row.id: row for row in rows if row.status != wire.DELETED},
            read_at=answer.asked_at,
            settled_until=settled_until(answer),
        )

    async def _told(
        self, rows: Sequence[wire.RemoteTicket], fields: wire.FieldMap, read_at: Instant, *, since: Instant
    ) -> list[Ticket]:
        """Return tickets with what their customers' messages show."""
        heard = await self._listening.heard(rows, since=since)
        currency = self._settings.currency
        return [wire.ticket(row, fields, read_at=read_at, currency=currency, inbound=heard[row.id]) for row in rows]

    # --- changes -------------------------------------------------------------------------------------------------

    async def changed(self, cursor: str | None) -> TicketPage:
        """Read a page of tickets that changed; None begins with those that are open now.

        Tickets whose comments are still to be read come with it.
        """
        page = await self._changed(cursor)
        later = list(self._listening.later)[:MOST_READ]
        if not later:
            return page
        return replace(page, tickets=(*page.tickets, *await self.find([TicketId(str(each)) for each in later])))

    async def _changed(self, cursor: str | None) -> TicketPage:
        now = self._clock.now()
        if cursor is None:
            began = now // wire.SECOND_US
            return await self._open(Place(phase=Phase.OPEN, since=began - OVERLAP_US // wire.SECOND_US, began=began))
        place = Place.of(cursor)
        match place.phase:
            case Phase.OPEN:
                return await self._open(place)
            case Phase.EXPORT:
                return await self._exported(place)
            case Phase.SEARCH:
                return await self._searched(place)

    async def _open(self, place: Place) -> TicketPage:
        """Find open tickets by search, and read each as it is now."""
        page = await self._search("status<solved", place.mark)
        if page is None:  # its cursor has ended: once more from the beginning
            again = Place(phase=Phase.OPEN, since=place.since, began=place.began)
            return TicketPage(tickets=(), cursor=again.text(), more=True)
        tickets = await self._fresh(page)
        mark = page.meta.after_cursor if page.meta.has_more else None
        following = (
            Place(phase=Phase.OPEN, since=place.since, began=place.began, mark=mark)
            if mark
            else Place(phase=Phase.EXPORT, since=place.since)
        )
        return TicketPage(tickets=tuple(tickets), cursor=following.text(), more=True)

    async def _exported(self, place: Place) -> TicketPage:
        """Read a page of the export; a user who is no admin goes on by search."""
        if self.is_admin is False:
            return await self._searched(place)
        latest = (self._clock.now() - HELD_BACK_US) // wire.SECOND_US - 1
        params: dict[str, str | int] = (
            {"cursor": place.mark} if place.mark else {"start_time": min(place.since, latest)}
        )
        params["include"] = METRICS
        fields = await self._setup.map()
        expect = (200, 403, *(EXPIRED if place.mark else ()))
        answer = await self._api.call(
            "GET", "/incremental/tickets/cursor", params=params, kind=Kind.EXPORT, admin=True, expect=expect
        )
        if answer.status == HTTPStatus.FORBIDDEN:
            self.is_admin = False
            return await self._searched(Place(phase=Phase.SEARCH, since=place.since))
        if answer.status in EXPIRED:  # the cursor is not taken any more: once more from where the last scan ended
            again = Place(phase=Phase.EXPORT, since=place.since)
            return TicketPage(tickets=(), cursor=again.text(), more=True)
        self.is_admin = True
        page = decode(answer, wire.Export)
        mark = page.after_cursor or place.mark
        more = not page.end_of_stream
        if more and mark == place.mark:
            raise ProtocolError("Zendesk: the export goes on without a new cursor")
        since_us = place.since * wire.SECOND_US
        tickets = tuple(await self._told(page.tickets, fields, answer.asked_at, since=since_us))
        # Where a scan ends there is nothing older to tell: a new start need not go back further.
        since = place.since if more else max(place.since, (answer.asked_at - OVERLAP_US) // wire.SECOND_US)
        return TicketPage(tickets=tickets, cursor=Place(phase=Phase.EXPORT, since=since, mark=mark).text(), more=more)

    async def _searched(self, place: Place) -> TicketPage:
        """Find changes by search; each scan goes back behind the start of the one before, for the index is late."""
        now = self._clock.now() // wire.SECOND_US
        if place.phase is not Phase.SEARCH:  # a cursor of the export, from when the user was an admin
            place = Place(phase=Phase.SEARCH, since=max(place.since, now - 30 * 86_400))
        began = place.began or now
        since = wire.stamp(place.since * wire.SECOND_US)
        page = await self._search(f"updated>={since}", place.mark)
        if page is None:
            again = Place(phase=Phase.SEARCH, since=place.since)
            return TicketPage(tickets=(), cursor=again.text(), more=True)
        tickets = await self._fresh(page)
        if page.meta.has_more and page.meta.after_cursor:
            following = Place(phase=Phase.SEARCH, since=place.since, began=began, mark=page.meta.after_cursor)
            return TicketPage(tickets=tuple(tickets), cursor=following.text(), more=True)
        following = Place(phase=Phase.SEARCH, since=began - OVERLAP_US // wire.SECOND_US)
        return TicketPage(tickets=tuple(tickets), cursor=following.text(), more=False)

    async def _search(self, query: str, mark: str) -> wire.Search | None:
        params: dict[str, str | int] = {"query": query, "filter[type]": "ticket", "page[size]": PAGE}
        if mark:
            params["page[after]"] = mark
        expect = (200, *EXPIRED) if mark else (200,)
        answer = await self._api.call("GET", "/search/export", params=params, kind=Kind.SEARCH, expect=expect)
        return None if answer.status in EXPIRED else decode(answer, wire.Search)

    async def _fresh(self, page: wire.Search) -> list[Ticket]:
        return await self.find([TicketId(str(found.id)) for found in page.results])

    async def try_export(self) -> bool:
        """Say whether the export may be read; learns it."""
        start = (self._clock.now() - 2 * HELD_BACK_US) // wire.SECOND_US
        try:
            await self._api.call(
                "GET", "/incremental/tickets/cursor", params={"start_time": start}, kind=Kind.EXPORT, admin=True
            )
        except (AuthError, RejectedError):
            self.is_admin = False
        else:
            self.is_admin = True
        return self.is_admin


def settled_until(answer: Answer) -> Instant:
    """Return the second before which no ticket of this answer can change any more, by Zendesk's own clock.

    Zendesk guards a change by the second of the last one: two changes in one second look the same. Its clock is in the
    Date header, to the second; the reading was made before, by at most the time that the answer took.
    """
    try:
        told = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        told = answer.asked_at / wire.SECOND_US
    took_s = (answer.answered_at - answer.asked_at) / wire.SECOND_US
    return int(told - took_s) * wire.SECOND_US


__all__ = ["MOST_SHOWN", "Look", "Phase", "Place", "Reader", "settled_until"]
