"""What is known of a shop before it is adopted: everything a plan needs, read at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, select

from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.store import ledger, listings
from syncd.store.ledger import Balance, Kits, Shelf
from syncd.store.listings import Listing
from syncd.store.rows import BalanceRow, KitRow, OrderLineRow, OrderRow, SkuRow
from syncd.store.statements import table

_SKU = table(SkuRow)
_KIT = table(KitRow)
_BALANCE = table(BalanceRow)
_ORDER = table(OrderRow)
_LINE = table(OrderLineRow)

EVERYTHING = 1 << 40
"""A page that holds all listings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuHead:
    """A SKU by its names."""

    code: str
    title: str
    opened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Units of a line of an open order that are still to be shipped."""

    location: Location
    units: int
    ordered_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A line of an open order that no SKU is known for."""

    account: AccountId
    remote_id: str
    remote_sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that is there. `listings` are those that did not vanish; `promises` are of lines of the SKU itself."""

    skus: Mapping[SkuId, SkuHead]
    kits: Kits
    shelves: Mapping[SkuId, Shelf]
    listings: Sequence[Listing]
    promises: Mapping[tuple[AccountId, SkuId], Sequence[Promise]]
    strays: Sequence[Stray]


def situation(conn: Connection) -> Situation:
    """Read everything; walks through all SKUs, balances and listings, and the lines of all orders."""
    found = listings.page(conn, after=0, limit=EVERYTHING)
    promises, strays = _open_lines(conn)
    return Situation(
        skus=_skus(conn),
        kits=ledger.kits(conn, set(conn.execute(select(_KIT.c.kit_id)).scalars())),
        shelves=_shelves(conn),
        listings=[listing for listing in found if not listing.vanished],
        promises=promises,
        strays=strays,
    )


def _skus(conn: Connection) -> dict[SkuId, SkuHead]:
    c = _SKU.c
    rows = conn.execute(select(c.id, c.code, c.title, c.opened_at).order_by(c.code))
    return {SkuId(r.id): SkuHead(code=r.code, title=r.title, opened=r.opened_at is not None) for r in rows}


def _shelves(conn: Connection) -> dict[SkuId, Shelf]:
    found: dict[SkuId, Shelf] = defaultdict(dict)
    b = _BALANCE.c
    for sku_id, location, on_hand, committed, held in conn.execute(
        select(b.sku_id, b.location, b.on_hand, b.committed, b.held)
    ):
        found[SkuId(sku_id)][Location(location)] = Balance(on_hand, committed, held)
    return found


def _open_lines(conn: Connection) -> tuple[dict[tuple[AccountId, SkuId], list[Promise]], list[Stray]]:
    c = _LINE.c
    open_units = (c.quantity - c.cancelled - c.shipped).label("units")
    query = (
        select(c.account, c.sku_id, c.remote_id, c.remote_sku, c.location, open_units, _ORDER.c.ordered_at)
        .join(_ORDER, _ORDER.c.id == c.order_id)
        .where(and_(c.quantity > c.cancelled + c.shipped, ~_ORDER.c.ignored))
    )
    promises: dict[tuple[AccountId, SkuId], list[Promise]] = defaultdict(list)
    strays: dict[Stray, None] = {}
    for row in conn.execute(query):
        account = AccountId(row.account)
        if row.sku_id is None:
            strays[Stray(account=account, remote_id=row.remote_id, remote_sku=row.remote_sku)] = None
        else:
            promise = Promise(location=Location(row.location), units=int(row.units), ordered_at=row.ordered_at)
            promises[account, SkuId(row.sku_id)].append(promise)
    return promises, list(strays)
