"""The API of orders, and of the ledger's own proof."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.core.carriers import CARRIERS, OTHER
from syncd.store.verify import Discrepancy, verify
from syncd.store.views import moment
from syncd.store.views_orders import WORDS, OrderDetail, OrderFilter, OrderView, order_detail, orders
from syncd.web import order_csv
from syncd.web.api_facts import When, instant
from syncd.web.api_listings import require_account
from syncd.web.api_shape import Page, shaped
from syncd.web.api_stock import MOST_PAGE
from syncd.web.api_wire import Answer, Fault, Route, Service, query_of
from syncd.web.order_csv import Coding
from syncd.web.plant import Plant

MOST_EXPORT: Final = 100_000
"""Most orders in one file."""


class OrdersWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which orders. `status` are words with commas between them, all of which fit; `text` is in the order's number.

    `delayed`: only those with units that the stock does not cover; `late`: only those that should have been shipped by
    now; `carrier`: with a parcel by this one; `cancel_asked`: only those
    whose buyer asked to cancel them on the order page; `since` and `until`: of when they were made.
    """

    account: str = ""
    status: str = ""
    text: str = ""
    delayed: bool = False
    late: bool = False
    carrier: str = ""
    cancel_asked: bool = False
    since: When | None = None
    until: When | None = None


class OrderQuery(OrdersWanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, in pages: `before` is the last `row` of the page before."""

    before: Annotated[int, Meta(ge=1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


class ExportQuery(OrdersWanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, as a file in this encoding, with heads in this language."""

    encoding: Coding = Coding.UTF_8
    language: Literal["ja", "en"] = "ja"


def filter_of(asked: OrdersWanted) -> OrderFilter:
    """Return the filter that a query asks for; raises Fault for a word that there is not."""
    words = [word for word in asked.status.split(",") if word]
    strange = sorted(set(words) - WORDS)
    if strange:
        raise Fault(400, f"no order has the status {', '.join(strange)}; known: {', '.join(sorted(WORDS))}")
    if asked.carrier and asked.carrier not in _CARRIERS:
        raise Fault(400, f"no carrier is called {asked.carrier}; known: {', '.join(sorted(_CARRIERS))}")
    return OrderFilter(
        account=asked.account,
        words=words,
        text=asked.text,
        delayed=asked.delayed,
        late=asked.late,
        carrier=asked.carrier,
        cancel_asked=asked.cancel_asked,
        since=None if asked.since is None else instant(asked.since),
        until=None if asked.until is None else instant(asked.until),
    )


_CARRIERS: Final = frozenset({OTHER, *(carrier.key for carrier in CARRIERS)})


@shaped(query=OrderQuery, answer=Page[OrderView])
async def get_orders(service: Service, request: web.Request) -> Answer:
    """Return a page of orders, newest first."""
    asked = query_of(request, OrderQuery)
    wanted, now = filter_of(asked), service.plant.clock.now()
    found = await service.plant.store.read(
        lambda conn: orders(conn, wanted, now=now, before=asked.before, limit=asked.limit)
    )
    return Answer(body={"rows": found, "next": found[-1].row if len(found) == asked.limit else None})


@shaped(query=ExportQuery, content_type="text/csv")
async def get_export(service: Service, request: web.Request) -> Answer:
    """Return orders as CSV, newest first, at most 100,000."""
    asked = query_of(request, ExportQuery)
    body = await export(service.plant, filter_of(asked), coding=asked.encoding, language=asked.language)
    name = f"orders-{moment(service.plant.clock.now()):%Y%m%d-%H%M}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(body=body, content_type=f"text/csv; charset={asked.encoding}", headers=headers)


async def export(plant: Plant, wanted: OrderFilter, *, coding: Coding, language: str) -> bytes:
    """Return a whole file of orders; it is read page by page, so that nobody waits long for a reader."""
    now = plant.clock.now()
    parts = [order_csv.head(coding=coding, language=language)]
    before: int | None = None
    for _ in range(MOST_EXPORT // MOST_PAGE):
        page = await plant.store.read(partial(orders, asked=wanted, now=now, before=before, limit=MOST_PAGE))
        parts.append(order_csv.rows(page, coding=coding, language=language))
        if len(page) < MOST_PAGE:
            break
        before = page[-1].row
    return b"".join(parts)


@shaped(answer=OrderDetail)
async def get_order(service: Service, request: web.Request) -> Answer:
    """Return one order with its lines and parcels."""
    account, order_id = request.match_info["account"], request.match_info["order_id"]
    now = service.plant.clock.now()
    found = await service.plant.store.read(lambda conn: order_detail(conn, account, order_id, now=now))
    if found is None:
        name = require_account(service.plant, account)
        raise Fault(404, f"{name} has no order {order_id}")
    return Answer(body=found)


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the ledger sums up, and every place where it does not."""

    ok: bool
    discrepancies: list[Discrepancy]


@shaped(answer=Proof)
async def get_verify(service: Service, _request: web.Request) -> Answer:
    """Compute the balances anew and return every difference."""
    found = await service.plant.store.read(verify)
    return Answer(body={"ok": not found, "discrepancies": found})


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/orders", get_orders),
    ("GET", "/orders.csv", get_export),
    ("GET", "/orders/{account}/{order_id:.+}", get_order),
    ("GET", "/ledger/verify", get_verify),
)
