"""The API of stock: balances, counts, movements, SKUs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.core.facts import (
    Counted,
    CountFact,
    CountRow,
    MoveFact,
    MoveRow,
    SkuFact,
    SkuRow,
    StockMove,
)
from syncd.core.terms import Location, Sku
from syncd.sdk.errors import Problem
from syncd.store import views
from syncd.store.views_names import check_kits, sku_kinds
from syncd.store.views_sku import SkuDetail, sku_detail
from syncd.web.api_facts import (
    MOST_ROWS,
    MOST_UNITS,
    Code,
    Forceable,
    When,
    Word,
    instant_of,
    location_problems,
    locations_of,
    repeated,
    submit,
)
from syncd.web.api_shape import Decided, Page, shaped
from syncd.web.api_wire import Answer, Fault, Route, Service, bad_rows, body_of, query_of, row_problem
from syncd.web.plant import Plant

MOST_PAGE: Final = 1_000
MOST_PARTS: Final = 100


class SkuQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which SKUs: `text` in code or title, `prefix` of the code; `after` is the last code of the page before."""

    text: str = ""
    prefix: str = ""
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


@shaped(query=SkuQuery, answer=Page[views.StockView])
async def get_stock(service: Service, request: web.Request) -> Answer:
    """Return a page of SKUs with their units."""
    asked = query_of(request, SkuQuery)
    found = await service.plant.store.read(
        lambda conn: views.stock(conn, text=asked.text, prefix=asked.prefix, after=asked.after, limit=asked.limit)
    )
    return Answer(body={"rows": found, "next": found[-1].sku if len(found) == asked.limit else None})


@shaped(query=SkuQuery, answer=Page[views.SkuView])
async def get_skus(service: Service, request: web.Request) -> Answer:
    """Return a page of SKUs as they are imported."""
    asked = query_of(request, SkuQuery)
    found = await service.plant.store.read(
        lambda conn: views.skus(conn, text=asked.text, prefix=asked.prefix, after=asked.after, limit=asked.limit)
    )
    return Answer(body={"rows": found, "next": found[-1].sku if len(found) == asked.limit else None})


@shaped(answer=SkuDetail)
async def get_sku(service: Service, request: web.Request) -> Answer:
    """Return everything that is known of one SKU."""
    code = request.match_info["sku"]
    found = await service.plant.store.read(lambda conn: sku_detail(conn, code))
    if found is None:
        raise Fault(404, f"unknown SKU: {code}")
    return Answer(body=found)


# --- counts and movements ---------------------------------------------------------------------------------------


class CountedRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One counted number."""

    sku: Code
    quantity: Annotated[int, Meta(ge=0, le=MOST_UNITS)]
    location: Word = ""
    counted: Counted | None = None
    counted_at: When | None = None


class CountBody(Forceable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stock count; `counted`, `counted_at` and `location` hold for rows that do not say."""

    rows: Annotated[tuple[CountedRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]
    counted: Counted = Counted.ON_HAND
    counted_at: When | None = None
    location: Word = ""


@shaped(body=CountBody, answer=Decided, accepts=(200, 202))
async def post_count(service: Service, request: web.Request) -> Answer:
    """Take a stock count."""
    body = await body_of(request, CountBody)
    plant = service.plant
    now, places = plant.clock.now(), locations_of(plant)
    home = body.location or places[0]
    rows = tuple(
        CountRow(
            sku=Sku(row.sku),
            location=Location(row.location or home),
            quantity=row.quantity,
            counted=row.counted or body.counted,
            counted_at=instant_of(row.counted_at or body.counted_at, now=now, name="counted_at"),
        )
        for row in body.rows
    )
    bad_rows(await _stock_problems(plant, rows, places))
    fact = CountFact(
        source=service.source,
        reference=plant.uuid(),
        rows=rows,
        reason=body.reason,
        actor=body.actor,
        forced=body.force,
    )
    return await submit(service, fact, request_id=body.request_id)


class MovedRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one SKU: positive came, negative went."""

    sku: Code
    quantity: Annotated[int, Meta(ge=-MOST_UNITS, le=MOST_UNITS)]
    location: Word = ""


class MoveBody(Forceable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units that moved: `receive` is a delivery, `damage` takes units away, `adjust` does both."""

    move: Literal["receive", "adjust", "damage"]
    rows: Annotated[tuple[MovedRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]
    at: When | None = None
    location: Word = ""


@shaped(body=MoveBody, answer=Decided, accepts=(200, 202))
async def post_move(service: Service, request: web.Request) -> Answer:
    """Take a movement."""
    body = await body_of(request, MoveBody)
    plant = service.plant
    places = locations_of(plant)
    home = body.location or places[0]
    rows = tuple(
        MoveRow(sku=Sku(row.sku), location=Location(row.location or home), quantity=row.quantity) for row in body.rows
    )
    bad_rows([*_signs(body), *await _stock_problems(plant, rows, places)])
    fact = MoveFact(
        source=service.source,
        reference=plant.uuid(),
        move=StockMove(body.move),
        at=instant_of(body.at, now=plant.clock.now(), name="at"),
        rows=rows,
        reason=body.reason,
        actor=body.actor,
        forced=body.force,
    )
    return await submit(service, fact, request_id=body.request_id)


def _signs(body: MoveBody) -> Iterator[Problem]:
    for number, row in enumerate(body.rows, 1):
        if row.quantity == 0:
            yield row_problem(number, f"{row.sku}: 0 units move nothing")
        elif body.move == "receive" and row.quantity < 0:
            yield row_problem(number, f"{row.sku}: a delivery is positive", "use adjust for units that went")
        elif body.move == "damage" and row.quantity > 0:
            yield row_problem(number, f"{row.sku}: damage takes units away", "write a negative number")


async def _stock_problems(
    plant: Plant, rows: Sequence[CountRow | MoveRow], places: tuple[Location, ...]
) -> list[Problem]:
    """Return what is wrong with rows that name SKUs and locations."""
    named = [(number, str(row.sku), str(row.location)) for number, row in enumerate(rows, 1)]
    codes = {code for _, code, _ in named}
    kinds = await plant.store.read(lambda conn: sku_kinds(conn, codes))
    kits = [
        row_problem(number, f"{code} is a kit and has no stock of its own", "use its components")
        for number, code, _ in named
        if kinds.get(code)
    ]
    return [
        *unknown_skus(((number, code) for number, code, _ in named), kinds),
        *kits,
        *location_problems(((number, place) for number, _, place in named), places),
        *repeated((number, (code, place)) for number, code, place in named),
    ]


def unknown_skus(numbered: Iterator[tuple[int, str]], kinds: Mapping[str, bool]) -> Iterator[Problem]:
    """Yield the rows whose SKU is not known."""
    for number, code in numbered:
        if code not in kinds:
            yield row_problem(number, f"unknown SKU {code}", "make it known by `syncd skus import`")


# --- SKUs, kits -------------------------------------------------------------------------------------------------


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of a SKU in a kit."""

    sku: Code
    quantity: Annotated[int, Meta(ge=1, le=MOST_UNITS)]


class KnownRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A SKU to know; components make it a kit."""

    sku: Code
    title: Word = ""
    components: Annotated[tuple[Part, ...], Meta(max_length=MOST_PARTS)] = ()


class SkusBody(Forceable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SKUs to know or to change."""

    rows: Annotated[tuple[KnownRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]


@shaped(body=SkusBody, answer=Decided, accepts=(200, 202))
async def post_skus(service: Service, request: web.Request) -> Answer:
    """Make SKUs and kits known."""
    body = await body_of(request, SkusBody)
    kits = {row.sku: tuple((part.sku, part.quantity) for part in row.components) for row in body.rows if row.components}
    plain = {str(row.sku) for row in body.rows if not row.components}
    check = await service.plant.store.read(lambda conn: check_kits(conn, kits, plain=plain))
    numbered = list(enumerate(body.rows, 1))
    faulty = [row_problem(n, f"{row.sku}: {check.faults[row.sku]}") for n, row in numbered if row.sku in check.faults]
    bad_rows([*faulty, *repeated((number, (row.sku,)) for number, row in numbered)])
    # A kit that stays as it is needs no change of what it is made of, which open orders would forbid. Kits come last:
    # a large fact is decided in slices, and what a kit is made of has to be known before it.
    rows = [
        SkuRow(
            sku=Sku(row.sku),
            title=row.title,
            components=() if row.sku in check.unchanged else tuple((Sku(p.sku), p.quantity) for p in row.components),
        )
        for row in body.rows
    ]
    rows.sort(key=lambda row: bool(row.components))
    return await submit(
        service, SkuFact(rows=tuple(rows), actor=body.actor, forced=body.force), request_id=body.request_id
    )


def account_problems(numbered: Iterator[tuple[int, str]], plant: Plant) -> Iterator[Problem]:
    """Yield the rows whose account is not there."""
    names = ", ".join(sorted(plant.roster)) or "none"
    for number, name in numbered:
        if name not in plant.roster:
            yield row_problem(number, f"no account is called {name}", f"there is: {names}")


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/stock", get_stock),
    ("GET", "/stock/{sku:.+}", get_sku),
    ("POST", "/stock/count", post_count),
    ("POST", "/stock/move", post_move),
    ("GET", "/skus", get_skus),
    ("POST", "/skus", post_skus),
)
