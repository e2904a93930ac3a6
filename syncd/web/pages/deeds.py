"""What a person does on the pages: each is confirmed on a page of its own, and enters by the inbox like any word.

The form carries an id that was made with it, so that sending it twice changes nothing the second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec
from aiohttp import web

from syncd.core.facts import AccountFact, AccountState, BrakeFact, CountFact, CountRow, DriftFact, Fact, Verdict
from syncd.core.terms import Sku
from syncd.core.waitlist import ReleaseFact
from syncd.store import inbox
from syncd.store.incidents import close as close_incident
from syncd.store.views_incidents import incident
from syncd.store.views_listings import brakes, pending_drift, release_preview
from syncd.store.views_sku import SkuDetail, sku_detail
from syncd.store.views_tickets import one_escalation
from syncd.web.api_control import FOLLOW_S, MOST_DRIFT
from syncd.web.api_facts import MOST_UNITS, RequestId, Word, locations_of, submit
from syncd.web.api_listings import require_account
from syncd.web.api_wire import Fault
from syncd.web.pages.frame import READ_S, Ask, Frame, link

Row: TypeAlias = tuple[str, str]
"""A label (a key of the words) and what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a deed is about: `name` in its title, `rows` below it, `back` is where the browser goes after it."""

    name: str
    rows: Sequence[Row]
    back: str
    sku: SkuDetail | None = None
    places: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One deed: how its subject is found from the address, and which fact its form makes.

    `act` is of a deed that is no fact: it changes what is kept for people, and no number.
    """

    verb: str
    danger: bool
    find: Callable[[Frame, Ask], Awaitable[Subject]]
    fact: Callable[[Frame, Ask, Mapping[str, str]], Fact] | None = None
    act: Callable[[Frame, Ask, Mapping[str, str]], Awaitable[None]] | None = None
    back: str = "/"
    follows: bool = False
    """Something else enters the inbox behind it, and is waited for too."""


async def show_deed(frame: Frame, ask: Ask) -> web.StreamResponse:
    """Return the page that asks whether it is meant."""
    deed = _deed(ask)
    subject = await _found(frame, ask, deed)
    values = {"deed": deed, "subject": subject, "request_id": frame.plant.uuid(), "most_units": MOST_UNITS}
    return await frame.answer(ask, "deed.html", values)


async def do_deed(frame: Frame, ask: Ask) -> web.StreamResponse:
    """Do it, wait until it is decided, and go back; raises Fault with the reason where it was refused."""
    fields = await frame.form(ask)
    deed = _deed(ask)
    request_id = _word(fields.get("request_id", ""), RequestId)
    said = await _done(frame, ask, deed, fields, request_id)
    back = _back(ask, deed) if said != "held" else "/"
    return frame.move(link(back, said=said), ask)


async def _done(frame: Frame, ask: Ask, deed: Deed, fields: Mapping[str, str], request_id: str) -> str:
    if deed.act is not None:
        await deed.act(frame, ask, fields)
    if deed.fact is not None:
        return await _submitted(frame, deed, deed.fact(frame, ask, fields), request_id)
    return deed.verb


async def _submitted(frame: Frame, deed: Deed, fact: Fact, request_id: str) -> str:
    """Return a key of the words, below `said`, for how it ended."""
    answer = await submit(frame.service, fact, request_id=request_id)
    if deed.follows:
        newest = await frame.plant.store.read(inbox.newest)
        with suppress(TimeoutError):
            await frame.plant.intake.settle(newest, timeout_s=FOLLOW_S)
    if answer.body.get("held"):
        return "held"
    return "pending" if answer.body.get("pending") else deed.verb


def _deed(ask: Ask) -> Deed:
    found = DEEDS.get(ask.request.match_info["verb"])
    if found is None:
        raise Fault(404, ask.speech.say("do.unknown"))
    return found


async def _found(frame: Frame, ask: Ask, deed: Deed) -> Subject:
    async with asyncio.timeout(READ_S):
        return await deed.find(frame, ask)


def _back(ask: Ask, deed: Deed) -> str:
    """Return the page that the deed was begun on."""
    sku = ask.query("sku")
    return f"/stock/{sku}" if sku else deed.back


def _word(given: str, kind: Any) -> str:
    try:
        found: str = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise Fault(400, str(error)) from None
    return found


def _number(given: str, name: str) -> int:
    if not (given.isascii() and given.isdigit()) or int(given) > MOST_UNITS:
        raise Fault(400, f"{name}: {given[:20]!r} is not a whole number of at most {MOST_UNITS}")
    return int(given)


# --- accounts -------------------------------------------------------------------------------------------------------


async def _find_account(frame: Frame, ask: Ask) -> Subject:
    name = require_account(frame.plant, ask.query("account"))
    speech = ask.speech
    preview = await frame.plant.store.read(lambda conn: release_preview(conn, name))
    numbers = ("listings", "changes", "to_zero", "falls", "raises", "unopened", "unmapped", "parked", "unread")
    rows = [(f"do.release.{key}", speech.number(getattr(preview, key))) for key in numbers]
    return Subject(name=name, rows=rows, back="/")


def _account_fact(state: AccountState) -> Callable[[Frame, Ask, Mapping[str, str]], Fact]:
    def make(frame: Frame, ask: Ask, fields: Mapping[str, str]) -> Fact:
        name = require_account(frame.plant, ask.query("account"))
        reason = _word(fields.get("reason", ""), Word)
        return AccountFact(account=name, state=state, reason=reason, actor=ask.visitor.name)

    return make


# --- the brake, hand edits ------------------------------------------------------------------------------------------


async def _find_brake(frame: Frame, ask: Ask) -> Subject:
    wanted, speech = _number(ask.query("id"), "id"), ask.speech
    for brake in await frame.plant.store.read(brakes):
        if brake.id == wanted:
            rows = [
                ("do.held.cause", brake.cause),
                ("do.held.at", speech.full(brake.at)),
                ("do.held.to_zero", speech.number(brake.to_zero)),
                ("do.held.raised", speech.number(brake.raised)),
                ("do.held.listings", speech.number(brake.listings)),
            ]
            return Subject(name=brake.cause, rows=rows, back="/")
    raise Fault(404, speech.say("do.gone"))


def _brake_fact(verdict: Verdict) -> Callable[[Frame, Ask, Mapping[str, str]], Fact]:
    def make(_frame: Frame, ask: Ask, _fields: Mapping[str, str]) -> Fact:
        return BrakeFact(ids=(_number(ask.query("id"), "id"),), verdict=verdict, actor=ask.visitor.name)

    return make


async def _find_drift(frame: Frame, ask: Ask) -> Subject:
    wanted, speech = _number(ask.query("id"), "id"), ask.speech
    for one in await frame.plant.store.read(lambda conn: pending_drift(conn, limit=MOST_DRIFT)):
        if one.id == wanted:
            low, high = speech.number(one.expected_low), speech.number(one.expected_high)
            rows = [
                ("do.drift.account", one.account),
                ("do.drift.listing", one.sku or one.remote_id),
                ("do.drift.seen", speech.number(one.seen)),
                ("do.drift.expected", low if low == high else f"{low}–{high}"),
                ("do.held.at", speech.full(one.at)),
            ]
            return Subject(name=f"{one.account} {one.sku or one.remote_id}", rows=rows, back="/")
    raise Fault(404, speech.say("do.gone"))


def _drift_fact(verdict: Verdict) -> Callable[[Frame, Ask, Mapping[str, str]], Fact]:
    def make(_frame: Frame, ask: Ask, _fields: Mapping[str, str]) -> Fact:
        return DriftFact(ids=(_number(ask.query("id"), "id"),), verdict=verdict, actor=ask.visitor.name)

    return make


# --- a count --------------------------------------------------------------------------------------------------------


async def _find_sku(frame: Frame, ask: Ask) -> Subject:
    code, speech = ask.query("sku"), ask.speech
    found = await frame.plant.store.read(lambda conn: sku_detail(conn, code))
    if found is None:
        raise Fault(404, speech.say("sku.unknown"))
    if found.stock.kit:
        raise Fault(409, speech.say("do.count.kit"))
    places = locations_of(frame.plant)
    return Subject(name=code, rows=(), back=f"/stock/{code}", sku=found, places=places)


def _count_fact(frame: Frame, ask: Ask, fields: Mapping[str, str]) -> Fact:
    places = locations_of(frame.plant)
    place = next((place for place in places if place == fields.get("location")), None)
    if place is None:
        raise Fault(400, ask.speech.say("do.count.no_place"))
    reason = _word(fields.get("reason", ""), Word)
    if not reason:
        raise Fault(400, ask.speech.say("do.count.no_reason"))
    row = CountRow(
        sku=Sku(ask.query("sku")),
        location=place,
        quantity=_number(fields.get("quantity", ""), "quantity"),
        counted_at=frame.plant.clock.now(),
    )
    reference = frame.plant.uuid()
    return CountFact(source="pages", reference=reference, rows=(row,), reason=reason, actor=ask.visitor.name)


# --- an incident ----------------------------------------------------------------------------------------------------


async def _find_incident(frame: Frame, ask: Ask) -> Subject:
    wanted, speech = _number(ask.query("id"), "id"), ask.speech
    found = await frame.plant.store.read(lambda conn: incident(conn, wanted))
    if found is None or found.closed_at is not None:
        raise Fault(404, speech.say("do.gone"))
    rows = [
        ("do.incident-close.sku", found.sku),
        ("do.held.at", speech.full(found.began_at)),
        ("do.incident-close.short", speech.number(found.short)),
        ("do.incident-close.orders", speech.number(len(found.losers))),
    ]
    return Subject(name=str(wanted), rows=rows, back="/incidents")


async def _close_incident(frame: Frame, ask: Ask, fields: Mapping[str, str]) -> None:
    wanted, reason = _number(ask.query("id"), "id"), _word(fields.get("reason", ""), Word)
    now = frame.plant.clock.now()
    work = partial(close_incident, incident_id=wanted, reason=reason, actor=ask.visitor.name, now=now)
    if not await frame.plant.store.write(work):
        raise Fault(409, ask.speech.say("do.gone"))


# --- a ticket that is for a person ----------------------------------------------------------------------------------


async def _find_person(frame: Frame, ask: Ask) -> Subject:
    wanted, speech = _number(ask.query("id"), "id"), ask.speech
    found = await frame.plant.store.read(lambda conn: one_escalation(conn, wanted))
    if found is None or found.released_at is not None:
        raise Fault(404, speech.say("do.gone"))
    rows = [
        ("do.ticket-release.reasons", ", ".join(speech.word("escalation", reason) for reason in found.reasons)),
        ("do.ticket-release.priority", speech.word("priority", found.priority)),
        ("do.ticket-release.sku", found.sku or "–"),
        ("do.held.at", speech.full(found.since)),
    ]
    name = f"{found.desk} {found.ticket_id or found.order_number or found.entry_id}".strip()
    return Subject(name=name, rows=rows, back="/waiting")


def _person_fact(_frame: Frame, ask: Ask, fields: Mapping[str, str]) -> Fact:
    reason = _word(fields.get("reason", ""), Word)
    return ReleaseFact(ids=(_number(ask.query("id"), "id"),), reason=reason, actor=ask.visitor.name)


DEEDS: Final[Mapping[str, Deed]] = {
    deed.verb: deed
    for deed in (
        Deed(verb="go", danger=False, find=_find_account, fact=_account_fact(AccountState.LIVE)),
        Deed(verb="pause", danger=True, find=_find_account, fact=_account_fact(AccountState.PAUSED)),
        Deed(verb="brake-release", danger=True, find=_find_brake, fact=_brake_fact(Verdict.ACCEPT), follows=True),
        Deed(verb="brake-refuse", danger=False, find=_find_brake, fact=_brake_fact(Verdict.REFUSE)),
        Deed(verb="drift-accept", danger=False, find=_find_drift, fact=_drift_fact(Verdict.ACCEPT)),
        Deed(verb="drift-overwrite", danger=True, find=_find_drift, fact=_drift_fact(Verdict.REFUSE)),
        Deed(verb="incident-close", danger=False, find=_find_incident, act=_close_incident, back="/incidents"),
        Deed(verb="ticket-release", danger=False, find=_find_person, fact=_person_fact, back="/waiting"),
        Deed(verb="count", danger=False, find=_find_sku, fact=_count_fact),
    )
}
"""Every deed by its verb, as it stands in the address."""
