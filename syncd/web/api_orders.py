"""The API of orders, and of the ledger's own proof."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.store.verify import verify
from syncd.store.views_orders import WORDS, OrderFilter, order_detail, orders
from syncd.web.api_listings import require_account
from syncd.web.api_stock import MOST_PAGE
from syncd.web.api_wire import Answer, Fault, Route, Service, query_of


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which orders. `status` are words with commas between them, all of which fit; `text` is in the order's number.

    `delayed`: only those with units that the stock does not cover. `before` is the last `row` of the page before.
    """

    account: str = ""
    status: str = ""
    text: str = ""
    delayed: bool = False
    before: Annotated[int, Meta(ge=1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


async def get_orders(service: Service, request: web.Request) -> Answer:
    """Return a page of orders, newest first."""
    asked = query_of(request, OrderQuery)
    words = [word for word in asked.status.split(",") if word]
    strange = sorted(set(words) - WORDS)
    if strange:
        raise Fault(400, f"no order has the status {', '.join(strange)}; known: {', '.join(sorted(WORDS))}")
    wanted = OrderFilter(account=asked.account, words=words, text=asked.text, delayed=asked.delayed)
    found = await service.plant.store.read(lambda conn: orders(conn, wanted, before=asked.before, limit=asked.limit))
    return Answer(body={"rows": found, "next": found[-1].row if len(found) == asked.limit else None})


async def get_order(service: Service, request: web.Request) -> Answer:
    """Return one order with its lines."""
    account, order_id = request.match_info["account"], request.match_info["order_id"]
    found = await service.plant.store.read(lambda conn: order_detail(conn, account, order_id))
    if found is None:
        name = require_account(service.plant, account)
        raise Fault(404, f"{name} has no order {order_id}")
    return Answer(body=found)


async def get_verify(service: Service, _request: web.Request) -> Answer:
    """Compute the balances anew and return every difference."""
    found = await service.plant.store.read(verify)
    return Answer(body={"ok": not found, "discrepancies": found})


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/orders", get_orders),
    ("GET", "/orders/{account}/{order_id:.+}", get_order),
    ("GET", "/ledger/verify", get_verify),
)
