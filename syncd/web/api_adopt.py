"""The API by which a shop that already trades is adopted: a plan, and the opening stock entered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta
from sqlalchemy import Connection

from syncd.core.facts import Counted, CountFact, CountRow
from syncd.core.terms import AccountId, Instant, Location, Sku
from syncd.store import accounts as feeds
from syncd.store.views_adoption import situation
from syncd.web.adoption import Asked, Kind, Mismatch, Plan, PlannedSku, Treatment, make_plan
from syncd.web.api_facts import (
    MOST_ROWS,
    Forceable,
    Word,
    instant_of,
    location_problems,
    locations_of,
    repeated,
    submit,
)
from syncd.web.api_listings import require_account
from syncd.web.api_shape import Scope, shaped
from syncd.web.api_stock import CountedRow
from syncd.web.api_wire import Answer, Fault, Route, Service, bad_rows, body_of, query_of
from syncd.web.plant import Plant

MOST_TOLD: Final = 100_000
"""Most SKUs and mismatches in one answer; the sums are of all."""


class PlanQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which account's numbers are believed (none when empty), and how many SKUs and mismatches are told."""

    believe: str = ""
    limit: Annotated[int, Meta(ge=0, le=MOST_TOLD)] = 1_000


class AdoptBody(Forceable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same with a count, and whether the opening stock is entered (`apply`)."""

    believe: Word = ""
    rows: Annotated[tuple[CountedRow, ...], Meta(max_length=MOST_ROWS)] = ()
    counted: Counted = Counted.ON_HAND
    location: Word = ""
    limit: Annotated[int, Meta(ge=0, le=MOST_TOLD)] = 1_000
    apply: bool = False


@shaped(query=PlanQuery)
async def get_adopt(service: Service, request: web.Request) -> Answer:
    """Return the plan without a count; nothing is changed."""
    asked = query_of(request, PlanQuery)
    plan = await _plan(service.plant, believe=asked.believe, counts=(), now=service.plant.clock.now())
    return Answer(body=_told(plan, service.plant, asked.limit))


@shaped(body=AdoptBody, scope=Scope.ADMIN, accepts=(200, 202))
async def post_adopt(service: Service, request: web.Request) -> Answer:
    """Return the plan with a count, or enter its opening stock; nothing is written to channels."""
    body = await body_of(request, AdoptBody)
    plant = service.plant
    if body.rows and body.believe:
        raise Fault(400, "opening stock comes from a count or from a channel, not from both")
    now = plant.clock.now()
    plan = await _plan(plant, believe=body.believe, counts=_counts(plant, body, now), now=now)
    if not body.apply:
        return Answer(body=_told(plan, plant, body.limit))
    if not plan.counts:
        raise Fault(409, "the plan has no opening stock to enter; give a count, or a channel to believe")
    fact = CountFact(
        source=service.source,
        reference=plant.uuid(),
        rows=plan.counts,
        reason=body.reason or "opening stock",
        actor=body.actor,
        forced=body.force,
    )
    answer = await submit(service, fact, request_id=body.request_id)
    return Answer(body={**_told(plan, plant, body.limit), **answer.body}, status=answer.status)


def _counts(plant: Plant, body: AdoptBody, now: Instant) -> tuple[CountRow, ...]:
    places = locations_of(plant)
    rows = tuple(
        CountRow(
            sku=Sku(row.sku),
            location=Location(row.location or body.location or places[0]),
            quantity=row.quantity,
            counted=row.counted or body.counted,
            counted_at=instant_of(row.counted_at, now=now, name="counted_at"),
        )
        for row in body.rows
    )
    numbered = list(enumerate(rows, 1))
    bad_rows(
        [
            *location_problems(((number, row.location) for number, row in numbered), places),
            *repeated((number, (row.sku, row.location)) for number, row in numbered),
        ]
    )
    return rows


async def _plan(plant: Plant, *, believe: str, counts: tuple[CountRow, ...], now: Instant) -> Plan:
    accounts = {
        name: Treatment(
            locations=account.rules.locations,
            location_map=account.rules.location_map,
        )
        for name, account in plant.roster.items()
    }
    believed: AccountId | None = require_account(plant, believe) if believe else None
    asked = Asked(accounts=accounts, counts=counts, believed=believed, now=now)

    def work(conn: Connection) -> Plan:
        # In the reader's thread: with a million listings it takes seconds.
        plan = make_plan(situation(conn), asked, partial(plant.foretold, conn))
        return replace(plan, mismatches=(*_unread(conn, accounts), *plan.mismatches))

    return await plant.store.read(work)


def _unread(conn: Connection, names: Iterable[AccountId]) -> Iterator[Mismatch]:
    """Yield what is still being read: until then a plan is not whole."""
    for name in names:
        catalogue = feeds.feed(conn, name, feeds.CATALOGUE)
        if catalogue is None or catalogue.scanned_at is None:
            yield Mismatch(kind=Kind.CATALOGUE, account=name)
        orders = feeds.feed(conn, name, feeds.ORDERS)
        if orders is None or orders.complete_until is None:
            yield Mismatch(kind=Kind.ORDERS, account=name)


def _told(plan: Plan, plant: Plant, limit: int) -> dict[str, object]:
    shown = [listing for sku in plan.skus for listing in sku.listings]
    changes = [x for x in shown if x.would_show is not None and x.would_show != x.shows]
    return {
        "shadow": plant.house.shadow,
        "totals": {
            "skus": len(plan.skus),
            "openings": len(plan.counts),
            "units": sum(row.quantity for row in plan.counts),
            "listings": len(shown),
            "would_change": len(changes),
            "would_be_zero": sum(1 for x in changes if x.would_show == 0),
        },
        "origins": Counter(sku.origin for sku in plan.skus),
        "changes": Counter(x.account for x in changes),
        "mismatch_counts": Counter(mismatch.kind for mismatch in plan.mismatches),
        "mismatches": plan.mismatches[:limit],
        "skus": sorted(plan.skus, key=_importance)[:limit],
    }


def _importance(sku: PlannedSku) -> tuple[bool, str]:
    """Order SKUs: those that an opening stock is planned for first."""
    return not sku.opening, sku.sku


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/adopt", get_adopt),
    ("POST", "/adopt", post_adopt),
)
