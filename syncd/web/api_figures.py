"""The API of figures: what was sold, cancelled, oversold and hidden, by day and channel."""

from __future__ import annotations

import asyncio
import csv
import io
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta
from sqlalchemy import Connection

from syncd.core.terms import SECOND_US
from syncd.settings.windows import read_zone
from syncd.store.views_figures import DayFigures, Hidden, Window, date_of, day_figures, hidden, window_of
from syncd.store.views_line import BEGAN, ENDED, tickets_per_day
from syncd.web.api_shape import shaped
from syncd.web.api_wire import Answer, Route, Service, query_of
from syncd.web.plant import Plant

MOST_DAYS: Final = 800
READ_S: Final = 60.0
"""Longest wait: it walks through the ledger of these days."""


class FigureQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to and with today, in the shop's zone (`zone` in `[pages]`)."""

    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 30


class TicketDay(msgspec.Struct, frozen=True, kw_only=True):
    """How many people began to wait on a day, and how many waits ended."""

    day: str
    began: int
    ended: int


class FigureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Days and accounts that have figures, and by account what is not shown at this moment although it is there."""

    rows: list[DayFigures]
    tickets: list[TicketDay]
    hidden_now: Mapping[str, Hidden]


@shaped(query=FigureQuery, answer=FigureAnswer)
async def get_figures(service: Service, request: web.Request) -> Answer:
    """Return the figures of the last days.

    `hidden_sales` is an estimate: at the end of each hour, of every SKU of which a channel shows fewer units than are
    there, the units that buyers want of it there in a day (as adaptive exposure has learned) and could have had, less
    those that they could have had of what was shown; of that the 24th part. Hours in which syncd did not run have none.
    """
    window = shop_window(service.plant, days=query_of(request, FigureQuery).days)
    async with asyncio.timeout(READ_S):
        return Answer(body=await service.plant.store.read(lambda conn: _answer(conn, window)))


def _answer(conn: Connection, window: Window) -> FigureAnswer:
    return FigureAnswer(rows=day_figures(conn, window), tickets=_tickets(conn, window), hidden_now=hidden(conn))


def _tickets(conn: Connection, window: Window) -> list[TicketDay]:
    found = tickets_per_day(conn, window)
    began, ended = found[BEGAN], found[ENDED]
    return [
        TicketDay(day=date_of(day), began=began.get(day, 0), ended=ended.get(day, 0))
        for day in sorted({*began, *ended})
    ]


@shaped(query=FigureQuery, content_type="text/csv")
async def get_export(service: Service, request: web.Request) -> Answer:
    """Return the same days and accounts as CSV in UTF-8."""
    days = query_of(request, FigureQuery).days
    headers = {"Content-Disposition": 'attachment; filename="figures.csv"'}
    body = await csv_of(service.plant, days=days)
    return Answer(body=body, content_type="text/csv; charset=utf-8", headers=headers)


async def csv_of(plant: Plant, *, days: int) -> bytes:
    """Return the figures of the last days as a file for spreadsheets."""
    window = shop_window(plant, days=days)
    async with asyncio.timeout(READ_S):
        return _csv(await plant.store.read(lambda conn: day_figures(conn, window)))


def _csv(rows: Sequence[DayFigures]) -> bytes:
    names = [field.name for field in fields(DayFigures)]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([getattr(row, name) for name in names] for row in rows)
    return BOM_UTF8 + out.getvalue().encode()


def shop_window(plant: Plant, *, days: int) -> Window:
    """Return the last days by the shop's clocks."""
    now = plant.clock.now()
    here = datetime.fromtimestamp(now / SECOND_US, tz=read_zone(plant.settings.pages.zone)).utcoffset()
    offset_us = 0 if here is None else int(here.total_seconds()) * SECOND_US
    return window_of(now, days=days, offset_us=offset_us)


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/figures", get_figures),
    ("GET", "/figures.csv", get_export),
)
