"""What a person does on the pages: each is confirmed on a page of its own, and enters by the inbox like any word.

The form carries an id that was made with it, so that sending it twice changes nothing the second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from aiohttp import web

from syncd.core.facts import AccountFact, AccountState, BrakeFact, CountFact, CountRow, DriftFact, Fact, Verdict
from syncd.core.terms import Sku
from syncd.store.incidents import close as close_incident
from syncd.store.views_incidents import incident
from syncd.store.views_listings import brakes, pending_drift, release_preview
from syncd.store.views_sku import sku_detail
from syncd.web.api_control import MOST_DRIFT
from syncd.web.api_facts import MOST_UNITS, RequestId, Word, locations_of, release, submit
from syncd.web.api_listings import require_account
from syncd.web.api_wire import Fault
from syncd.web.pages.cancelling import CANCELLING
from syncd.web.pages.deed import Deed, Subject, number_of, word_of
from syncd.web.pages.frame import READ_S, Ask, Frame, link
from syncd.web.pages.letters import LETTERS
from syncd.web.pages.persons import RELEASING
from syncd.web.pages.tokens import REVOKING


async def show_deed(frame: Frame, ask: Ask) -> web.StreamResponse:
    """Return the page that asks whether it is meant."""
    deed = _deed(ask)
    subject = await _found(frame, ask, deed)
    values = {
        "deed": deed,
        "subject": subject,
        "back": deed.back(ask),
        "request_id": frame.plant.uuid(),
        "most_units": MOST_UNITS,
    }
    return await frame.answer(ask, "deed.html", values)


async def do_deed(frame: Frame, ask: Ask) -> web.StreamResponse:
    """Do it, wait until it is decided, and go back; raises Fault with the reason where it was refused."""
    fields = await frame.form(ask)
    deed = _deed(ask)
    request_id = word_of(fields.get("request_id", ""), RequestId)
    said = await _done(frame, ask, deed, fields, request_id)
    return frame.move(link("/" if said == "held" else deed.back(ask), said=said), ask)


async def _done(frame: Frame, ask: Ask, deed: Deed, fields: Mapping[str, str], request_id: str) -> str:
    if deed.act is not None:
        return await deed.act(frame, ask, fields, request_id)
    if deed.fact is not None:
        return await _submitted(frame, deed, deed.fact(frame, ask, fields), request_id)
    return deed.verb


async def _submitted(frame: Frame, deed: Deed, fact: Fact, request_id: str) -> str:
    """Return a key of the words, below `said`, for how it ended."""
    if isinstance(fact, BrakeFact):
        answer = await release(frame.service, fact, request_id=request_id)
    else:
        answer = await submit(frame.service, fact, request_id=request_id)
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


# --- accounts -------------------------------------------------------------------------------------------------------


async def _find_account(frame: Frame, ask: Ask) -> Subject:
    name = require_account(frame.plant, ask.query("account"))
    speech = ask.speech
    preview = await frame.plant.store.read(lambda conn: release_preview(conn, name))
    numbers = ("listings", "changes", "to_zero", "falls", "raises", "unopened", "unmapped", "parked", "unread")
    rows = [(f"do.release.{key}", speech.number(getattr(preview, key))) for key in numbers]
    return Subject(name=name, rows=rows)


def _account_fact(state: AccountState) -> Callable[[Frame, Ask, Mapping[str, str]], Fact]:
    def make(frame: Frame, ask: Ask, fields: Mapping[str, str]) -> Fact:
        name = require_account(frame.plant, ask.query("account"))
        reason = word_of(fields.get("reason", ""), Word)
        return AccountFact(account=name, state=state, reason=reason, actor=ask.visitor.name)

    return make


# --- the brake, hand edits ------------------------------------------------------------------------------------------


async def _find_brake(frame: Frame, ask: Ask) -> Subject:
    wanted, speech = number_of(ask.query("id"), "id"), ask.speech
    for brake in await frame.plant.store.read(brakes):
        if brake.id == wanted:
            rows = [
                ("do.held.cause", brake.cause),
                ("do.held.at", speech.full(brake.at)),
                ("do.held.to_zero", speech.number(brake.to_zero)),
                ("do.held.raised", speech.number(brake.raised)),
                ("do.held.listings", speech.number(brake.listings)),
            ]
            return Subject(name=brake.cause, rows=rows)
    raise Fault(404, speech.say("do.gone"))


def _brake_fact(verdict: Verdict) -> Callable[[Frame, Ask, Mapping[str, str]], Fact]:
    def make(_frame: Frame, ask: Ask, _fields: Mapping[str, str]) -> Fact:
        return BrakeFact(ids=(number_of(ask.query("id"), "id"),), verdict=verdict, actor=ask.visitor.name)

    return make


async def _find_drift(frame: Frame, ask: Ask) -> Subject:
    wanted, speech = number_of(ask.query("id"), "id"), ask.speech
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
            return Subject(name=f"{one.account} {one.sku or one.remote_id}", rows=rows)
    raise Fault(404, speech.say("do.gone"))


def _drift_fact(verdict: Verdict) -> Callable[[Frame, Ask, Mapping[str, str]], Fact]:
    def make(_frame: Frame, ask: Ask, _fields: Mapping[str, str]) -> Fact:
        return DriftFact(ids=(number_of(ask.query("id"), "id"),), verdict=verdict, actor=ask.visitor.name)

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
    return Subject(name=code, rows=(), sku=found, places=places)


def _count_fact(frame: Frame, ask: Ask, fields: Mapping[str, str]) -> Fact:
    places = locations_of(frame.plant)
    place = next((place for place in places if place == fields.get("location")), None)
    if place is None:
        raise Fault(400, ask.speech.say("do.count.no_place"))
    reason = word_of(fields.get("reason", ""), Word)
    if not reason:
        raise Fault(400, ask.speech.say("do.count.no_reason"))
    row = CountRow(
        sku=Sku(ask.query("sku")),
        location=place,
        quantity=number_of(fields.get("quantity", ""), "quantity"),
        counted_at=frame.plant.clock.now(),
    )
    reference = frame.plant.uuid()
    return CountFact(source="pages", reference=reference, rows=(row,), reason=reason, actor=ask.visitor.name)


# --- an incident ----------------------------------------------------------------------------------------------------


async def _find_incident(frame: Frame, ask: Ask) -> Subject:
    wanted, speech = number_of(ask.query("id"), "id"), ask.speech
    found = await frame.plant.store.read(lambda conn: incident(conn, wanted))
    if found is None or found.closed_at is not None:
        raise Fault(404, speech.say("do.gone"))
    rows = [
        ("do.incident-close.sku", found.sku),
        ("do.held.at", speech.full(found.began_at)),
        ("do.incident-close.short", speech.number(found.short)),
        ("do.incident-close.orders", speech.number(len(found.losers))),
    ]
    return Subject(name=str(wanted), rows=rows)


async def _close_incident(frame: Frame, ask: Ask, fields: Mapping[str, str], _request_id: str) -> str:
    wanted, reason = number_of(ask.query("id"), "id"), word_of(fields.get("reason", ""), Word)
    now = frame.plant.clock.now()
    work = partial(close_incident, incident_id=wanted, reason=reason, actor=ask.visitor.name, now=now)
    if not await frame.plant.store.write(work):
        raise Fault(409, ask.speech.say("do.gone"))
    return "incident-close"


def _of_sku(ask: Ask) -> str:
    return f"/stock/{ask.query('sku')}"


_GO, _PAUSE = (("POST", f"/accounts/{{account}}/{verb}") for verb in ("go", "pause"))
DEEDS: Final[Mapping[str, Deed]] = {
    deed.verb: deed
    for deed in (
        Deed(verb="go", api=_GO, find=_find_account, fact=_account_fact(AccountState.LIVE), reason=True),
        Deed(verb="pause", api=_PAUSE, danger=True, find=_find_account, fact=_account_fact(AccountState.PAUSED),
             reason=True),
        Deed(verb="brake-release", api=("POST", "/brake/release"), danger=True, find=_find_brake,
             fact=_brake_fact(Verdict.ACCEPT)),
        Deed(verb="brake-refuse", api=("POST", "/brake/refuse"), find=_find_brake, fact=_brake_fact(Verdict.REFUSE)),
        Deed(verb="drift-accept", api=("POST", "/drift/accept"), find=_find_drift, fact=_drift_fact(Verdict.ACCEPT)),
        Deed(verb="drift-overwrite", api=("POST", "/drift/overwrite"), danger=True, find=_find_drift,
             fact=_drift_fact(Verdict.REFUSE)),
        Deed(verb="incident-close", api=("POST", r"/incidents/{number:\d+}/close"), find=_find_incident,
             act=_close_incident, back=lambda _: "/incidents", reason=True),
        Deed(verb="count", api=("POST", "/stock/count"), find=_find_sku, fact=_count_fact, back=_of_sku, reason=True),
        CANCELLING,
        *LETTERS,
        REVOKING,
        RELEASING,
    )
}  # fmt: skip
"""Every deed by its verb, as it stands in the address."""
