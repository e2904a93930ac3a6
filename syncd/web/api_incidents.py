"""The API of oversells: incidents with their causes and orders, and what may be offered instead of a SKU."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.core.terms import SkuId
from syncd.sdk.errors import Problem
from syncd.store import incidents, ledger, views_incidents
from syncd.store.views_incidents import AlternativeView, IncidentView
from syncd.web.api_facts import MOST_ROWS, Code, Said, Word, repeated
from syncd.web.api_shape import Page, Rows, shaped
from syncd.web.api_stock import MOST_PAGE
from syncd.web.api_wire import Answer, Fault, Route, Service, bad_rows, body_of, query_of, row_problem

MOST_NUMBER: Final = 2**63 - 1
"""The largest number that a row can have."""


class IncidentQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which incidents: `open` ones are not closed by a person, `lasting` ones lack units still.

    `before` is the last number of the page before.
    """

    state: Literal["", "open", "lasting", "closed"] = ""
    sku: str = ""
    before: Annotated[int, Meta(ge=1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


@shaped(query=IncidentQuery, answer=Page[IncidentView])
async def get_incidents(service: Service, request: web.Request) -> Answer:
    """Return a page of incidents, the latest first."""
    asked = query_of(request, IncidentQuery)
    found = await service.plant.store.read(
        lambda conn: views_incidents.incidents(
            conn, state=asked.state, sku=asked.sku, before=asked.before, limit=asked.limit
        )
    )
    return Answer(body={"rows": found, "next": found[-1].id if len(found) == asked.limit else None})


@shaped(answer=IncidentView)
async def get_incident(service: Service, request: web.Request) -> Answer:
    """Return one incident: its cause, the orders that lose, what to offer, what would have prevented it."""
    number = _number(request)
    found = await service.plant.store.read(lambda conn: views_incidents.incident(conn, number))
    if found is None:
        raise Fault(404, f"there is no incident {number}")
    return Answer(body=found)


def _number(request: web.Request) -> int:
    return min(int(request.match_info["number"][:19]), MOST_NUMBER)


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The incident that was closed."""

    closed: int


class CloseBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an incident is closed."""


@shaped(body=CloseBody, answer=Closed)
async def post_close(service: Service, request: web.Request) -> Answer:
    """Close an incident; apologies that still wait for a person are dropped with it."""
    body = await body_of(request, CloseBody)
    number, now = _number(request), service.plant.clock.now()
    actor = body.actor or service.source
    done = await service.plant.store.write(
        lambda conn: incidents.close(conn, number, reason=body.reason, actor=actor, now=now)
    )
    if not done:
        raise Fault(404, f"no open incident has the number {number}")
    return Answer(body=Closed(closed=number))


# --- what may be offered instead -------------------------------------------------------------------------------------


class AlternativeQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instead of which SKU; of all when empty."""

    sku: str = ""


@shaped(query=AlternativeQuery, answer=Rows[AlternativeView])
async def get_alternatives(service: Service, request: web.Request) -> Answer:
    """Return what may be offered instead of a SKU, in the shop's order."""
    asked = query_of(request, AlternativeQuery)
    found = await service.plant.store.read(lambda conn: views_incidents.alternatives(conn, sku=asked.sku))
    return Answer(body={"rows": found})


class AlternativeRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`alternative` may be offered instead of `sku`; `note` says what differs."""

    sku: Code
    alternative: Code
    note: Word = ""


class AlternativesBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be offered, the best first. All that was set before for the SKUs that are named is replaced."""

    rows: Annotated[tuple[AlternativeRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows were taken."""

    taken: int


@shaped(body=AlternativesBody, answer=Taken)
async def post_alternatives(service: Service, request: web.Request) -> Answer:
    """Set what may be offered instead of SKUs: the same product in another colour or size."""
    body = await body_of(request, AlternativesBody)
    codes = {code for row in body.rows for code in (row.sku, row.alternative)}
    known = await service.plant.store.read(
        lambda conn: {str(code): found.sku_id for code, found in ledger.skus_by_code(conn, codes).items()}
    )
    bad_rows(_problems(body, known))
    wanted: dict[SkuId, list[tuple[SkuId, str]]] = defaultdict(list)
    for row in body.rows:
        wanted[known[row.sku]].append((known[row.alternative], row.note))
    await service.plant.store.write(lambda conn: incidents.set_alternatives(conn, wanted))
    return Answer(body=Taken(taken=len(body.rows)))


def _problems(body: AlternativesBody, known: dict[str, SkuId]) -> list[Problem]:
    numbered = list(enumerate(body.rows, 1))
    unknown = [
        row_problem(number, f"unknown SKU {code}", "make it known by `syncd skus import`")
        for number, row in numbered
        for code in (row.sku, row.alternative)
        if code not in known
    ]
    same = [
        row_problem(number, "a SKU is no alternative to itself")
        for number, row in numbered
        if row.sku == row.alternative
    ]
    return [*unknown, *same, *repeated((number, (row.sku, row.alternative)) for number, row in numbered)]


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/incidents", get_incidents),
    ("GET", r"/incidents/{number:\d+}", get_incident),
    ("POST", r"/incidents/{number:\d+}/close", post_close),
    ("GET", "/alternatives", get_alternatives),
    ("POST", "/alternatives", post_alternatives),
)
