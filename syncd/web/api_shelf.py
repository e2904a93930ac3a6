"""The API of what the pages list: stock beside what channels show, oversells, and the lines of those who wait."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.core.terms import Sku
from syncd.store import ledger
from syncd.store.views_incidents import Oversell, oversells
from syncd.store.views_line import LineView, WaiterView, lines, waiters
from syncd.store.views_shelf import Only, ShelfAsk, ShelfRow, Sort, shelf_page
from syncd.store.views_waiting import ArrivalView, arrival_page
from syncd.web.api_shape import Page, Rows, shaped
from syncd.web.api_stock import MOST_PAGE
from syncd.web.api_wire import Answer, Fault, Route, Service, query_of

MOST_TEXT: Final = 100


class ShelfQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which SKUs, in which order: `text` is in code or title; `only` and `sort` as on the page *Stock*."""

    text: Annotated[str, Meta(max_length=MOST_TEXT)] = ""
    only: Only = Only.ALL
    sort: Sort = Sort.CODE
    falling: bool = False
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


@shaped(query=ShelfQuery, answer=Page[ShelfRow])
async def get_shelf(service: Service, request: web.Request) -> Answer:
    """Return a page of stock beside what each channel shows and should show."""
    asked = query_of(request, ShelfQuery)
    wanted = ShelfAsk(
        text=asked.text, only=asked.only, sort=asked.sort, falling=asked.falling, after=asked.after, limit=asked.limit
    )
    try:
        found = await service.plant.store.read(lambda conn: shelf_page(conn, wanted))
    except ValueError:
        raise Fault(400, "the cursor is of another order; begin anew without one") from None
    return Answer(body={"rows": found.rows, "next": found.next or None})


class OversellQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most how many."""

    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


@shaped(query=OversellQuery, answer=Rows[Oversell])
async def get_oversells(service: Service, request: web.Request) -> Answer:
    """Return the last oversell of each SKU that had one, an incident or not: those that last first."""
    limit = query_of(request, OversellQuery).limit
    return Answer(body={"rows": await service.plant.store.read(lambda conn: oversells(conn, limit=limit))})


class LineQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which SKUs: `text` is in code or title."""

    text: Annotated[str, Meta(max_length=MOST_TEXT)] = ""
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


@shaped(query=LineQuery, answer=Page[LineView])
async def get_lines(service: Service, request: web.Request) -> Answer:
    """Return the line of each SKU that somebody waits for."""
    asked = query_of(request, LineQuery)
    found = await service.plant.store.read(
        lambda conn: lines(conn, text=asked.text, after=asked.after, limit=asked.limit)
    )
    return Answer(body={"rows": found, "next": found[-1].sku_id if len(found) == asked.limit else None})


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who waits for a SKU, in the order in which they are served, and what is expected of it."""

    sku: str
    waiters: list[WaiterView]
    arrivals: list[ArrivalView]


@shaped(answer=LineAnswer)
async def get_line(service: Service, request: web.Request) -> Answer:
    """Return the line of one SKU: the first 200, with who is reached by the next arrival."""
    code = Sku(request.match_info["sku"])
    known = (await service.plant.store.read(lambda conn: ledger.skus_by_code(conn, [code]))).get(code)
    if known is None:
        raise Fault(404, f"unknown SKU: {code}")
    waiting, coming = await service.plant.store.read(
        lambda conn: (waiters(conn, known.sku_id), arrival_page(conn, sku=code, limit=MOST_PAGE))
    )
    return Answer(body=LineAnswer(sku=code, waiters=waiting, arrivals=coming))


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/shelf", get_shelf),
    ("GET", "/oversells", get_oversells),
    ("GET", "/lines", get_lines),
    ("GET", "/lines/{sku:.+}", get_line),
)
