"""The API of a person's word: release and pause accounts, drift, the brake, a test of the alerts."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta
from sqlalchemy import Connection

from syncd.core.facts import AccountFact, AccountState, BrakeFact, DriftFact, Verdict
from syncd.core.terms import Instant
from syncd.store import alerts, outbox
from syncd.store.views_listings import BrakeView, DriftView, brakes, pending_drift, release_preview
from syncd.web.api_facts import Said, release, submit
from syncd.web.api_listings import require_account
from syncd.web.api_shape import Decided, Rows, Scope, shaped
from syncd.web.api_wire import Answer, Fault, Handler, Route, Service, body_of

MOST_DRIFT: Final = 10_000


@shaped(scope=Scope.READ)
async def get_release(service: Service, request: web.Request) -> Answer:
    """Return what releasing an account would write; nothing is changed."""
    name = require_account(service.plant, request.match_info["account"])
    found = await service.plant.store.read(lambda conn: release_preview(conn, name))
    return Answer(body={"account": name, "shadow": service.plant.house.shadow, **msgspec.to_builtins(found)})


@shaped(body=Said, scope=Scope.ADMIN, answer=Decided, accepts=(200, 202))
async def post_go(service: Service, request: web.Request) -> Answer:
    """Release an account: from now on syncd writes to it."""
    return await _account(service, request, AccountState.LIVE)


@shaped(body=Said, scope=Scope.ADMIN, answer=Decided, accepts=(200, 202))
async def post_pause(service: Service, request: web.Request) -> Answer:
    """Pause an account: it is read on, and nothing is written."""
    return await _account(service, request, AccountState.PAUSED)


async def _account(service: Service, request: web.Request, state: AccountState) -> Answer:
    name = require_account(service.plant, request.match_info["account"])
    body = await body_of(request, Said)
    fact = AccountFact(account=name, state=state, reason=body.reason, actor=body.actor)
    return await submit(service, fact, request_id=body.request_id)


class Chosen(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of those that wait: these ids, or by `all` every one."""

    ids: Annotated[tuple[int, ...], Meta(max_length=MOST_DRIFT)] = ()
    all: bool = False


async def _chosen(request: web.Request) -> Chosen:
    body = await body_of(request, Chosen)
    if bool(body.ids) == body.all:
        raise Fault(400, 'name the ids, or say "all": true')
    return body


def _drift(verdict: Verdict) -> Handler:
    @shaped(body=Chosen, answer=Decided, accepts=(200, 202))
    async def post(service: Service, request: web.Request) -> Answer:
        """Decide hand edits that wait."""
        body = await _chosen(request)
        fact = DriftFact(ids=body.ids, verdict=verdict, actor=body.actor)
        return await submit(service, fact, request_id=body.request_id)

    return post


def _brake(verdict: Verdict) -> Handler:
    @shaped(body=Chosen, answer=Decided, accepts=(200, 202))
    async def post(service: Service, request: web.Request) -> Answer:
        """Decide what the brake holds."""
        body = await _chosen(request)
        fact = BrakeFact(ids=body.ids, verdict=verdict, actor=body.actor)
        return await release(service, fact, request_id=body.request_id)

    return post


@shaped(answer=Rows[DriftView])
async def get_drift(service: Service, _request: web.Request) -> Answer:
    """Return hand edits that wait for a person's word."""
    return Answer(body={"rows": await service.plant.store.read(lambda conn: pending_drift(conn, limit=MOST_DRIFT))})


@shaped(answer=Rows[BrakeView])
async def get_brake(service: Service, _request: web.Request) -> Answer:
    """Return what the brake holds."""
    return Answer(body={"rows": await service.plant.store.read(brakes)})


@shaped(scope=Scope.ADMIN, accepts=(202,))
async def post_alert_test(service: Service, _request: web.Request) -> Answer:
    """Send an alert that says it is a test, by every way that alerts take."""
    told = service.plant.settings.alerts
    ways = [name for name, is_set in (("mail", told.smtp_url), ("webhook", told.webhook_url)) if is_set]
    if not ways:
        raise Fault(409, "no way for alerts is set; fill in [alerts]")
    now = service.plant.clock.now()
    await service.plant.store.write(lambda conn: _tell_test(conn, now))
    return Answer(body={"ways": ways}, status=202)


def _tell_test(conn: Connection, now: Instant) -> None:
    alert = alerts.Alert(kind="test", key="syncd", text="This is a test of the alerts of syncd.")
    event = outbox.Event(sink=alerts.SINK, key=f"test/{now}", type=alerts.RAISED, body=msgspec.json.encode(alert))
    outbox.put(conn, [event], now=now)


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/accounts/{account}/go", get_release),
    ("POST", "/accounts/{account}/go", post_go),
    ("POST", "/accounts/{account}/pause", post_pause),
    ("GET", "/drift", get_drift),
    ("POST", "/drift/accept", _drift(Verdict.ACCEPT)),
    ("POST", "/drift/overwrite", _drift(Verdict.REFUSE)),
    ("GET", "/brake", get_brake),
    ("POST", "/brake/release", _brake(Verdict.ACCEPT)),
    ("POST", "/brake/refuse", _brake(Verdict.REFUSE)),
    ("POST", "/alerts/test", post_alert_test),
)
