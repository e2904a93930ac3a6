"""The API of those who wait: entries, tickets, arrivals, deliveries, holds, desks, and what is to be sent."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.core.escalation import Lexicon
from syncd.core.facts import Fact
from syncd.core.terms import AccountId, Location, Sku
from syncd.core.tickets import Contact, DeskId, Language
from syncd.core.waitlist import (
    ArrivalFact,
    ArrivalRow,
    CorrectionFact,
    DeskFact,
    HoldFact,
    LeaveFact,
    MessageFact,
    WaitFact,
    WaitRow,
)
from syncd.store import changes, views_waiting
from syncd.store.changes import ChangeState
from syncd.store.views_waiting import (
    ArrivalView,
    ChangeView,
    DeliveryView,
    DeskView,
    EntryView,
    HoldView,
    TicketView,
)
from syncd.web.api_facts import MOST_ROWS, MOST_UNITS, Code, Said, When, Word, instant_of, locations_of, submit
from syncd.web.api_shape import Decided, Page, Rows, Scope, shaped
from syncd.web.api_wire import Answer, Fault, Route, Service, body_of, query_of

Limit = Annotated[int, Meta(ge=1, le=1_000)]
Day = Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?\Z")]


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a list goes on."""

    after: Annotated[int, Meta(ge=0)] = 0
    limit: Limit = 100


class EntryQuery(Turn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries: of a SKU, in a state; `closed` brings those that wait for nothing any more too."""

    sku: str = ""
    state: str = ""
    closed: bool = False


@shaped(query=EntryQuery, answer=Page[EntryView])
async def get_entries(service: Service, request: web.Request) -> Answer:
    """Return those who wait, by number."""
    asked = query_of(request, EntryQuery)
    rows = await service.plant.store.read(
        lambda conn: views_waiting.entries(
            conn, sku=asked.sku, state=asked.state, closed=asked.closed, after=asked.after, limit=asked.limit
        )
    )
    return _page(rows, asked.limit)


def _page(rows: list[Any], limit: int) -> Answer:
    return Answer(body={"rows": rows, "next": rows[-1].id if len(rows) == limit else None})


@shaped()
async def get_entry(service: Service, request: web.Request) -> Answer:
    """Return one entry with its tickets and what it was told."""
    number = _number(request.match_info["entry"])
    found = await service.plant.store.read(
        lambda conn: (
            views_waiting.entry(conn, number),
            views_waiting.tickets_of(conn, number),
            changes.messages_of(conn, entry_id=number),
        )
    )
    if found[0] is None:
        raise Fault(404, f"no entry has the number {number}")
    return Answer(body={**msgspec.to_builtins(found[0]), "tickets": found[1], "told": found[2]})


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise Fault(404, "an entry is named by its number")
    return int(text)


class EntryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who waits; a `key` that is known changes nothing, the `address` is told when goods come.

    A `note` is what they wrote: it is looked through for words that are for a person, and not kept.
    """

    key: Annotated[str, Meta(min_length=1, max_length=200)]
    sku: Code
    quantity: Annotated[int, Meta(ge=1, le=1_000)] = 1
    account: Word = ""
    order_number: Word = ""
    amount: Word = ""
    currency: Word = ""
    language: Language | None = None
    since: When | None = None
    due_on: Day = ""
    address: Annotated[str, Meta(max_length=254)] = ""
    name: Word = ""
    note: Annotated[str, Meta(max_length=10_000)] = ""


class EntriesBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People who wait."""

    rows: Annotated[tuple[EntryBody, ...], Meta(min_length=1, max_length=1_000)]


@shaped(body=EntriesBody, answer=Decided, accepts=(200, 202))
async def post_entries(service: Service, request: web.Request) -> Answer:
    """Let people wait for goods."""
    body = await body_of(request, EntriesBody)
    now = service.plant.clock.now()
    lexicon = service.plant.lexicon
    rows = tuple(_wait_row(row, instant_of(row.since, now=now, name="since"), lexicon) for row in body.rows)
    return await _say(service, WaitFact(source=service.source, rows=rows, actor=body.actor), body, len(rows))


def _wait_row(row: EntryBody, since: int, lexicon: Lexicon) -> WaitRow:
    return WaitRow(
        key=row.key,
        sku=Sku(row.sku),
        quantity=row.quantity,
        account=AccountId(row.account) if row.account else None,
        order_number=row.order_number,
        amount=row.amount,
        currency=row.currency,
        language=row.language,
        since=since,
        due_on=row.due_on,
        contact=Contact(address=row.address, name=row.name) if row.address else None,
        signs=lexicon.signs(row.note),
    )


async def _say(service: Service, fact: Fact, body: Said, taken: int) -> Answer:
    answer = await submit(service, fact, request_id=body.request_id)
    return Answer(body={**answer.body, "taken": taken}, status=answer.status, headers=answer.headers)


class IdsBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of them, by number."""

    ids: Annotated[tuple[int, ...], Meta(min_length=1, max_length=1_000)]


@shaped(body=IdsBody, answer=Decided, accepts=(200, 202))
async def post_leave(service: Service, request: web.Request) -> Answer:
    """Let entries wait no more: they are neither served nor told."""
    body = await body_of(request, IdsBody)
    fact = LeaveFact(ids=body.ids, reason=body.reason, actor=body.actor)
    return await _say(service, fact, body, len(body.ids))


# --- tickets and desks ---------------------------------------------------------------------------------------------


class TicketQuery(Turn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tickets: of a desk; `agent`: only those that a person has to look at."""

    desk: str = ""
    agent: bool = False


@shaped(query=TicketQuery, answer=Page[TicketView])
async def get_tickets(service: Service, request: web.Request) -> Answer:
    """Return tickets as their desks stated them last, without what customers wrote."""
    asked = query_of(request, TicketQuery)
    rows = await service.plant.store.read(
        lambda conn: views_waiting.ticket_page(
            conn, desk=asked.desk, agent=asked.agent, after=asked.after, limit=asked.limit
        )
    )
    return _page(rows, asked.limit)


@shaped(answer=TicketView)
async def get_ticket(service: Service, request: web.Request) -> Answer:
    """Return one ticket."""
    desk, ticket_id = request.match_info["desk"], request.match_info["ticket"]
    found = await service.plant.store.read(lambda conn: views_waiting.one_ticket(conn, desk, ticket_id))
    if found is None:
        raise Fault(404, f"{desk} has no ticket {ticket_id} that is known here")
    return Answer(body=found)


@shaped(answer=Rows[DeskView])
async def get_desks(service: Service, _request: web.Request) -> Answer:
    """Return the desks: whether sending is released, whether they answer, and what is on its way."""
    return Answer(body={"rows": await service.plant.store.read(views_waiting.desk_views)})


@shaped(body=Said, scope=Scope.ADMIN, answer=Decided, accepts=(200, 202))
async def post_desk_go(service: Service, request: web.Request) -> Answer:
    """Release sending to a desk; what was written before stays for a person."""
    return await _desk(service, request, live=True)


@shaped(body=Said, scope=Scope.ADMIN, answer=Decided, accepts=(200, 202))
async def post_desk_pause(service: Service, request: web.Request) -> Answer:
    """Stop sending to a desk: it is read on."""
    return await _desk(service, request, live=False)


async def _desk(service: Service, request: web.Request, *, live: bool) -> Answer:
    body = await body_of(request, Said)
    desk = DeskId(request.match_info["desk"])
    fact = DeskFact(desk=desk, live=live, reason=body.reason, actor=body.actor)
    return await submit(service, fact, request_id=body.request_id)


# --- what is to come ------------------------------------------------------------------------------------------------


class ArrivalQuery(Turn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which arrivals: of a SKU; `closed` brings those that came or were cancelled too."""

    sku: str = ""
    closed: bool = False


@shaped(query=ArrivalQuery, answer=Page[ArrivalView])
async def get_arrivals(service: Service, request: web.Request) -> Answer:
    """Return what suppliers will bring."""
    asked = query_of(request, ArrivalQuery)
    rows = await service.plant.store.read(
        lambda conn: views_waiting.arrival_page(
            conn, sku=asked.sku, closed=asked.closed, after=asked.after, limit=asked.limit
        )
    )
    return _page(rows, asked.limit)


class ArrivalBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a purchase order as it is now; 0 units take it back, no day is a day that nobody knows."""

    number: Code
    sku: Code
    quantity: Annotated[int, Meta(ge=0, le=MOST_UNITS)]
    expected: Day = ""
    location: Word = ""


class ArrivalsBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines of purchase orders."""

    rows: Annotated[tuple[ArrivalBody, ...], Meta(min_length=1, max_length=MOST_ROWS)]


@shaped(body=ArrivalsBody, answer=Decided, accepts=(200, 202))
async def post_arrivals(service: Service, request: web.Request) -> Answer:
    """State what suppliers will bring; the expected days of those who wait follow."""
    body = await body_of(request, ArrivalsBody)
    home = locations_of(service.plant)[0]
    rows = tuple(
        ArrivalRow(
            number=row.number,
            sku=Sku(row.sku),
            location=Location(row.location or home),
            quantity=row.quantity,
            expected=row.expected,
        )
        for row in body.rows
    )
    return await _say(service, ArrivalFact(source=service.source, rows=rows, actor=body.actor), body, len(rows))


class Back(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a list that begins with the newest goes on."""

    before: Annotated[int, Meta(ge=1)] = 2**62
    limit: Limit = 100


@shaped(query=Back, answer=Page[DeliveryView])
async def get_deliveries(service: Service, request: web.Request) -> Answer:
    """Return deliveries that somebody waited for, newest first."""
    asked = query_of(request, Back)
    rows = await service.plant.store.read(
        lambda conn: views_waiting.deliveries(conn, before=asked.before, limit=asked.limit)
    )
    return _page(rows, asked.limit)


class CorrectionBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came in truth."""

    quantity: Annotated[int, Meta(ge=0, le=MOST_UNITS)]


@shaped(body=CorrectionBody, answer=Decided, accepts=(200, 202))
async def post_correction(service: Service, request: web.Request) -> Answer:
    """Correct a delivery: what was not yet sent for it is stopped, and who was told in vain is named by an alert."""
    body = await body_of(request, CorrectionBody)
    number = _number(request.match_info["delivery"])
    fact = CorrectionFact(delivery_id=number, quantity=body.quantity, reason=body.reason, actor=body.actor)
    return await submit(service, fact, request_id=body.request_id)


@shaped(query=Turn, answer=Page[HoldView])
async def get_holds(service: Service, request: web.Request) -> Answer:
    """Return units that are kept for those who wait without an order."""
    asked = query_of(request, Turn)
    rows = await service.plant.store.read(lambda conn: views_waiting.holds(conn, after=asked.after, limit=asked.limit))
    return _page(rows, asked.limit)


class EndBody(IdsBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Holds that end: because they were bought in private, or because a person gives them up."""

    bought: bool = False


@shaped(body=EndBody, answer=Decided, accepts=(200, 202))
async def post_holds_end(service: Service, request: web.Request) -> Answer:
    """End holds; their units are free."""
    body = await body_of(request, EndBody)
    return await _say(service, HoldFact(ids=body.ids, bought=body.bought, actor=body.actor), body, len(body.ids))


# --- what is to be sent ----------------------------------------------------------------------------------------------


class MessageQuery(Turn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which changes: in a state (held, waiting, unsure, ...), of an event."""

    state: ChangeState | None = None
    event: str = ""


@shaped(query=MessageQuery, answer=Page[ChangeView])
async def get_messages(service: Service, request: web.Request) -> Answer:
    """Return changes that are on their way to desks, or that a person has to decide."""
    asked = query_of(request, MessageQuery)
    state = "" if asked.state is None else asked.state.value
    rows = await service.plant.store.read(
        lambda conn: views_waiting.change_page(
            conn, state=state, event=asked.event, after=asked.after, limit=asked.limit
        )
    )
    return _page(rows, asked.limit)


class DecisionBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which changes that are held: by number, or all of an event."""

    ids: Annotated[tuple[int, ...], Meta(max_length=1_000)] = ()
    event: Word = ""


@shaped(body=DecisionBody, answer=Decided, accepts=(200, 202))
async def post_release(service: Service, request: web.Request) -> Answer:
    """Send what is held."""
    return await _decide(service, request, accept=True)


@shaped(body=DecisionBody, answer=Decided, accepts=(200, 202))
async def post_refuse(service: Service, request: web.Request) -> Answer:
    """Drop what is held."""
    return await _decide(service, request, accept=False)


async def _decide(service: Service, request: web.Request, *, accept: bool) -> Answer:
    body = await body_of(request, DecisionBody)
    if bool(body.ids) == bool(body.event):
        raise Fault(400, "name the ids, or an event")
    fact = MessageFact(ids=body.ids, event=body.event, accept=accept, actor=body.actor)
    return await submit(service, fact, request_id=body.request_id)


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/waitlist", get_entries),
    ("POST", "/waitlist", post_entries),
    ("POST", "/waitlist/leave", post_leave),
    ("GET", "/waitlist/{entry}", get_entry),
    ("GET", "/tickets", get_tickets),
    ("GET", "/tickets/{desk}/{ticket}", get_ticket),
    ("GET", "/desks", get_desks),
    ("POST", "/desks/{desk}/go", post_desk_go),
    ("POST", "/desks/{desk}/pause", post_desk_pause),
    ("GET", "/arrivals", get_arrivals),
    ("POST", "/arrivals", post_arrivals),
    ("GET", "/deliveries", get_deliveries),
    ("POST", "/deliveries/{delivery}/correct", post_correction),
    ("GET", "/holds", get_holds),
    ("POST", "/holds/end", post_holds_end),
    ("GET", "/messages", get_messages),
    ("POST", "/messages/release", post_release),
    ("POST", "/messages/refuse", post_refuse),
)
