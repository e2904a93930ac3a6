"""*Figures*: sold, cancelled, oversold and hidden units, lags and tickets, as charts and as tables beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from syncd.core.lag import Figures as LagFigures
from syncd.core.lag import Stage
from syncd.core.ticketfigures import ALL, SPAN, Row
from syncd.store.views_figures import (
    Days,
    Hidden,
    Shares,
    Window,
    cancelled,
    date_of,
    hidden,
    hidden_sales,
    oversold,
    sold,
)
from syncd.store.views_line import tickets_per_day
from syncd.store.views_tickets import ticket_figures
from syncd.web.api_figures import csv_of, shop_window
from syncd.web.api_wire import Fault
from syncd.web.kept import Kept
from syncd.web.pages.charts import THEMES, Bars, Chart, Lags, Theme, can_draw, picture
from syncd.web.pages.frame import READ_S, Ask, Frame

DAYS: Final = 30
KEPT_S: Final = 60.0
"""How long figures and their charts are kept."""
PICTURES: Final = ("sold", "oversold", "hidden_sales", "cancelled", "tickets", "care", "heard", "shown")
TOTALS: Final = ("sold", "cancelled", "oversold", "hidden_sales", "tickets")
HEARD: Final = (Stage.FEED, Stage.MESSAGE)
SHOWN: Final = (Stage.FALL, Stage.RAISE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All figures as of one moment."""

    window: Window
    sold: Days
    cancelled: Days
    oversold: Days
    hidden_sales: Shares
    tickets: Days
    care: Days
    hidden: Mapping[str, Hidden]
    lags: Mapping[str, Sequence[LagFigures]]


class Figures:
    """Reads the page and draws its charts."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        clock = frame.plant.clock
        self._told = Kept(self._read, seconds=KEPT_S, clock=clock)
        self._drawing = asyncio.Lock()
        self._pictures = {
            (name, theme): Kept(partial(self._draw, name, theme), seconds=KEPT_S, clock=clock)
            for name in PICTURES
            for theme in THEMES
        }

    async def read(self, _ask: Ask) -> Mapping[str, Any]:
        """Return what the page shows."""
        told = await self._told.get()
        charts = {name: chart_of(told, name) for name in PICTURES}
        return {
            "told": told,
            "charts": charts,
            "days": DAYS,
            "drawn": can_draw(),
            "totals": {name: total(getattr(told, name)) for name in TOTALS},
            "accounts": tuple(self._frame.plant.roster),
        }

    async def picture(self, ask: Ask) -> web.StreamResponse:
        """Return one chart; raises Fault for one that there is not."""
        name, theme = ask.request.match_info["name"], ask.request.match_info["theme"]
        kept = next((one for key, one in self._pictures.items() if key == (name, theme)), None)
        if kept is None or not can_draw():
            raise Fault(404, ask.speech.say("figures.unknown"))
        made = self._frame.sealed(web.Response(body=await kept.get(), content_type="image/png"), ask)
        made.headers["Cache-Control"] = f"private, max-age={KEPT_S:.0f}"
        return made

    async def export(self, ask: Ask) -> web.StreamResponse:
        """Return the days of the page as a file for a spreadsheet."""
        plant = self._frame.plant
        made = web.Response(body=await csv_of(plant, days=DAYS), content_type="text/csv", charset="utf-8")
        made.headers["Content-Disposition"] = f'attachment; filename="figures-{ask.speech.now:%Y%m%d}.csv"'
        return self._frame.sealed(made, ask)

    async def _draw(self, name: str, theme: Theme) -> bytes:
        chart = chart_of(await self._told.get(), name)
        async with self._drawing:
            found: bytes = await self._frame.paint(lambda: picture(chart, theme))
        return found

    async def _read(self) -> Told:
        plant = self._frame.plant
        now = plant.clock.now()
        window = shop_window(plant, days=DAYS)
        lags = {str(name): tuple(plant.house.lags.figures(name, at=now)) for name in plant.roster}
        async with asyncio.timeout(READ_S):
            return await plant.store.read(lambda conn: _told(conn, window, lags))


def _told(conn: Connection, window: Window, lags: Mapping[str, Sequence[LagFigures]]) -> Told:
    return Told(
        window=window,
        sold=sold(conn, window),
        cancelled=cancelled(conn, window),
        oversold=oversold(conn, window),
        hidden_sales=hidden_sales(conn, window),
        tickets=tickets_per_day(conn, window),
        care=care_of(ticket_figures(conn, window)),
        hidden=hidden(conn),
        lags=lags,
    )


CARE: Final = ("moved", "shipped", "cancelled", "refunded", "solved", "cancelled_after_solving")


def care_of(rows: Iterable[Row]) -> Days:
    """Return the figures of tickets that the chart has, of all SKUs, by their names and by day."""
    every = [row for row in rows if row.sku == ALL and row.since != SPAN]
    return {name: {row.since: getattr(row, name) for row in every if getattr(row, name)} for name in CARE}


def chart_of(told: Told, name: str) -> Chart:
    """Return what a chart shows."""
    if name in ("heard", "shown"):
        stages = HEARD if name == "heard" else SHOWN
        return Lags(rows=dict(_lag_rows(told.lags, stages)))
    found: Shares = getattr(told, name)
    days = range(told.window.first, told.window.today + 1)
    series = {who: [float(units.get(day, 0)) for day in days] for who, units in sorted(found.items()) if units}
    inks = {who: number for number, who in enumerate(dict.fromkeys([*told.lags, *sorted(found)]))}
    if name in ("tickets", "care"):
        inks = {who: number for number, who in enumerate(sorted(found))}
    return Bars(labels=[day_name(day) for day in days], series=series, inks=inks)


def _lag_rows(
    lags: Mapping[str, Sequence[LagFigures]], stages: Sequence[Stage]
) -> Iterable[tuple[str, tuple[float, float, float]]]:
    for account, measured in lags.items():
        for one in measured:
            if one.stage in stages and one.count > 0:
                yield f"{account} {one.stage.value}", (one.p50_s, one.p95_s, one.p99_s)


def day_name(day: int) -> str:
    """Return month and day."""
    return date_of(day)[5:]


def total(found: Shares) -> Mapping[str, float]:
    """Return the units of all days, by account."""
    return {who: sum(units.values()) for who, units in sorted(found.items())}
