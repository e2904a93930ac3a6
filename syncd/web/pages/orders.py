"""*Orders*: those of all channels in one table, and one of them with its lines and parcels."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from syncd.core.carriers import CARRIERS, OTHER, name_of
from syncd.core.terms import FulfilmentStatus, PaymentStatus, ReturnStatus
from syncd.store.views_orders import FLAGS, WORDS, OrderFilter, order_detail, orders
from syncd.web.api_orders import export
from syncd.web.api_wire import Fault
from syncd.web.order_csv import Coding
from syncd.web.pages.cancelling import can_cancel
from syncd.web.pages.frame import READ_S, Ask, Frame
from syncd.web.pages.stock import MOST_TEXT, one_of

ROWS: Final = (50, 200, 500)
"""How many orders one page may have."""
DELAYS: Final = ("late", "delayed")
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "state": FLAGS,
    "payment": tuple(PaymentStatus),
    "fulfilment": tuple(FulfilmentStatus),
    "returns": tuple(ReturnStatus),
}
"""The words by which orders are chosen, by the name of the parameter."""


class Orders:
    """Reads both pages, and the file."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def read(self, ask: Ask) -> Mapping[str, Any]:
        """Return what the table shows."""
        plant, wanted, rows = self._frame.plant, filter_of(ask), _rows(ask)
        before, now = ask.query("before"), plant.clock.now()
        if before and not (before.isascii() and before.isdigit() and len(before) < 19):
            raise Fault(400, ask.speech.say("stock.no_page"))
        last = int(before) if before else None
        async with asyncio.timeout(READ_S):
            found = await plant.store.read(lambda conn: orders(conn, wanted, now=now, before=last, limit=rows + 1))
        kept = {name: ask.query(name) for name in ("q", "account", *GROUPS, "delay", "carrier", "rows")}
        return {
            "orders": found[:rows],
            "next": found[rows - 1].row if len(found) > rows else "",
            "kept": kept,
            "chosen": any(value for name, value in kept.items() if name != "rows"),
            "first": not before,
            "accounts": tuple(plant.roster),
            "groups": GROUPS,
            "delays": DELAYS,
            "carriers": [(key, carrier_name(key, ask)) for key in (*(one.key for one in CARRIERS), OTHER)],
            "carrier_name": lambda key: carrier_name(key, ask),
            "sizes": ROWS,
            "size": rows,
            "codings": tuple(Coding),
        }

    async def read_one(self, ask: Ask) -> Mapping[str, Any]:
        """Return what the page of an order shows; raises Fault for an unknown one."""
        account, order_id = ask.request.match_info["account"], ask.request.match_info["order_id"]
        plant = self._frame.plant
        now = plant.clock.now()
        async with asyncio.timeout(READ_S):
            found = await plant.store.read(lambda conn: order_detail(conn, account, order_id, now=now))
        if found is None:
            raise Fault(404, ask.speech.say("orders.unknown"))
        return {
            "found": found,
            "order": found.order,
            "carrier_name": lambda key: carrier_name(key, ask),
            "may_cancel": can_cancel(self._frame, found),
        }

    async def export(self, ask: Ask) -> web.StreamResponse:
        """Return the chosen orders as a file for a spreadsheet."""
        coding = one_of(Coding, ask.query("encoding"), Coding.UTF_8)
        body = await export(self._frame.plant, filter_of(ask), coding=coding, language=ask.speech.language)
        made = web.Response(body=body, content_type="text/csv", charset=coding.value)
        made.headers["Content-Disposition"] = f'attachment; filename="orders-{ask.speech.now:%Y%m%d-%H%M}.csv"'
        return self._frame.sealed(made, ask)


def filter_of(ask: Ask) -> OrderFilter:
    """Return what the address asks for; words that there are not ask for nothing."""
    delay = ask.query("delay")
    return OrderFilter(
        account=ask.query("account"),
        words=[word for name in GROUPS if (word := ask.query(name)) in WORDS],
        text=ask.query("q").strip()[:MOST_TEXT],
        late=delay == "late",
        delayed=delay == "delayed",
        carrier=ask.query("carrier"),
    )


def carrier_name(key: str, ask: Ask) -> str:
    """Return what people call a carrier."""
    return (
        ask.speech.say("orders.other_carrier") if key == OTHER else name_of(key, language=ask.speech.language, word=key)
    )


def _rows(ask: Ask) -> int:
    return next((size for size in ROWS if str(size) == ask.query("rows")), ROWS[0])
