"""The API of tickets that are for a person, and of the figures of tickets."""

from __future__ import annotations

import asyncio
import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterable
from dataclasses import fields
from datetime import date, timedelta
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.core.escalation import Reason
from syncd.core.ticketfigures import SPAN, By, Row
from syncd.core.waitlist import ReleaseFact
from syncd.store.views_figures import Window
from syncd.store.views_tickets import EscalationView, escalations, ticket_figures
from syncd.web.api_facts import Said, submit
from syncd.web.api_figures import shop_window
from syncd.web.api_shape import Decided, Page, shaped
from syncd.web.api_wire import Answer, Route, Service, body_of, query_of
from syncd.web.plant import Plant

READ_S: Final = 30.0
EPOCH: Final = date(1970, 1, 1)


class EscalationQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which: for a reason; `released` brings those that were released too."""

    reason: Reason | None = None
    released: bool = False
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


@shaped(query=EscalationQuery, answer=Page[EscalationView])
async def get_escalations(service: Service, request: web.Request) -> Answer:
    """Return tickets that are for a person: no letter goes to their customers by itself."""
    asked = query_of(request, EscalationQuery)
    reason = "" if asked.reason is None else asked.reason.value
    rows = await service.plant.store.read(
        lambda conn: escalations(conn, reason=reason, released=asked.released, after=asked.after, limit=asked.limit)
    )
    return Answer(body={"rows": rows, "next": rows[-1].id if len(rows) == asked.limit else None})


class ReleaseBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which escalations, by number."""

    ids: Annotated[tuple[int, ...], Meta(min_length=1, max_length=1_000)]


@shaped(body=ReleaseBody, answer=Decided, accepts=(200, 202))
async def post_release(service: Service, request: web.Request) -> Answer:
    """Let letters go out by themselves again: a person has taken care."""
    body = await body_of(request, ReleaseBody)
    fact = ReleaseFact(ids=body.ids, reason=body.reason, actor=body.actor)
    return await submit(service, fact, request_id=body.request_id)


# --- figures ---------------------------------------------------------------------------------------------------------


class FigureQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of how many days up to today, by day or by week, of one SKU or of all."""

    days: Annotated[int, Meta(ge=1, le=400)] = 30
    by: By = By.DAY
    sku: str = ""


class FigureRow(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a period and a SKU; `since` is its first day, empty: the whole span. `sku` empty: of all.

    `waiting` counts those who wait at its end. Hours to solve are calendar hours from the ticket's opening to its last
    solving; null where none is known. `unrated` tickets were solved and not rated.
    """

    since: str
    sku: str
    opened: int
    moved: int
    shipped: int
    cancelled: int
    refunded: int
    left: int
    waiting: int
    solved: int
    solve_median_h: float | None
    solve_p90_h: float | None
    good: int
    bad: int
    unrated: int
    cancelled_after_solving: int


class FigureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of tickets from the day `first` to `last` in the time zone `zone`."""

    first: str
    last: str
    zone: str
    by: By
    rows: list[FigureRow]


@shaped(query=FigureQuery, answer=FigureAnswer)
async def get_figures(service: Service, request: web.Request) -> Answer:
    """Return how many waited, were served and left, time to solve, ratings, and cancels within 48 h after solving."""
    asked = query_of(request, FigureQuery)
    window, rows = await _read(service.plant, asked)
    body = FigureAnswer(
        first=day_text(window.first),
        last=day_text(window.today),
        zone=service.plant.settings.pages.zone,
        by=asked.by,
        rows=rows,
    )
    return Answer(body=body)


@shaped(query=FigureQuery, content_type="text/csv")
async def get_figures_csv(service: Service, request: web.Request) -> Answer:
    """Return the same figures as a file: a row for each period and SKU."""
    window, rows = await _read(service.plant, query_of(request, FigureQuery))
    name = f"tickets-{day_text(window.first)}-{day_text(window.today)}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(body=csv_of(rows), content_type="text/csv; charset=utf-8", headers=headers)


async def _read(plant: Plant, asked: FigureQuery) -> tuple[Window, list[FigureRow]]:
    window = shop_window(plant, days=asked.days)
    async with asyncio.timeout(READ_S):
        found = await plant.store.read(lambda conn: ticket_figures(conn, window, by=asked.by, sku=asked.sku))
    return window, [figure_row(row) for row in found]


def day_text(day: int) -> str:
    """Return a day as 2026-12-01, an empty text for the whole span."""
    return "" if day == SPAN else (EPOCH + timedelta(days=day)).isoformat()


def figure_row(row: Row) -> FigureRow:
    """Return figures with their day as a text."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return FigureRow(**{**values, "since": day_text(row.since)})


_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_of(rows: Iterable[FigureRow]) -> bytes:
    """Return rows as CSV in UTF-8 with BOM; what is not known is empty, and no text is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    names = FigureRow.__struct_fields__
    writer.writerow(names)
    writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    return BOM_UTF8 + out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/escalations", get_escalations),
    ("POST", "/escalations/release", post_release),
    ("GET", "/tickets/figures", get_figures),
    ("GET", "/tickets/figures.csv", get_figures_csv),
)
