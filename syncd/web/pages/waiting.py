"""*Waiting*: the line of each SKU, what is expected, and who gets the next units."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from syncd.core.terms import Sku
from syncd.store import ledger
from syncd.store.views_line import arrivals_of, lines, private_sales, tickets, waiters
from syncd.store.views_tickets import escalations
from syncd.web.api_wire import Fault
from syncd.web.pages.frame import READ_S, Ask, Frame
from syncd.web.pages.letters import held_letters, order_of, product_of
from syncd.web.pages.stock import MOST_TEXT

ROWS: Final = 50
MOST_PERSONS: Final = 50
"""Tickets that are for a person: `syncd tickets escalated` has them all."""


class Waiting:
    """Reads both pages."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def read(self, ask: Ask) -> Mapping[str, Any]:
        """Return the lines of all SKUs."""
        text, after = ask.query("q").strip()[:MOST_TEXT], ask.query("after")
        if after and not (after.isascii() and after.isdigit() and len(after) < 19):
            raise Fault(400, ask.speech.say("stock.no_page"))
        last = int(after) if after else 0
        store = self._frame.plant.store
        async with asyncio.timeout(READ_S):
            found = await store.read(lambda conn: lines(conn, text=text, after=last, limit=ROWS + 1))
            told = await store.read(tickets)
            persons = await store.read(lambda conn: escalations(conn, limit=MOST_PERSONS + 1))
            letters = await store.read(held_letters)
        return {
            "lines": found[:ROWS],
            "text": text,
            "after": after,
            "next": found[ROWS - 1].sku_id if len(found) > ROWS else "",
            "tickets": sorted(told.items()),
            "persons": persons[:MOST_PERSONS],
            "more_persons": len(persons) > MOST_PERSONS,
            "letters": [(one, product_of(one), order_of(one)) for one in letters],
        }

    async def read_one(self, ask: Ask) -> Mapping[str, Any]:
        """Return the line of one SKU; raises Fault for an unknown one."""
        code = ask.request.match_info["sku"]
        async with asyncio.timeout(READ_S):
            found = await self._frame.plant.store.read(lambda conn: _line(conn, code))
        if found is None:
            raise Fault(404, ask.speech.say("sku.unknown"))
        return {"sku": code, **found}


def _line(conn: Connection, code: str) -> dict[str, Any] | None:
    known = ledger.skus_by_code(conn, [code]).get(Sku(code))
    if known is None:
        return None
    return {
        "waiters": waiters(conn, known.sku_id),
        "arrivals": arrivals_of(conn, known.sku_id),
        "private": private_sales(conn, known.sku_id),
    }
