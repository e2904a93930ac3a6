"""What planning everything anew reads and writes: few columns of many rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, bindparam, not_, or_, select

from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.store.rows import BalanceRow, KitRow, ListingRow, SkuRow
from syncd.store.rows_exposure import DisplayRow
from syncd.store.rows_waiting import HoldRow
from syncd.store.statements import change_rows, fetch_all, table

_SKU, _BALANCE, _LISTING, _KIT = table(SkuRow), table(BalanceRow), table(ListingRow), table(KitRow)
_DISPLAY, _HOLD = table(DisplayRow), table(HoldRow)


class Plan(NamedTuple):
    """The part of a listing that planning needs.

    `active`: its page is open. `simple`: it is managed, is there, and sells from every place of its account. `certain`:
    nothing is under way or awaited, so its next write follows from its numbers. The database reckons the last two: few
    columns are fetched fast.
    """

    sku_id: SkuId
    id: int
    account: AccountId
    target: int | None
    base: int | None
    high: int | None
    lane: int | None
    due_at: Instant | None
    attempts: int
    demand: float
    active: bool
    simple: bool
    certain: bool


def _simple() -> ColumnElement[bool]:
    return and_(_LISTING.c.managed, _LISTING.c.vanished_at.is_(None), _LISTING.c.location == "")


def _certain() -> ColumnElement[bool]:
    known = and_(_LISTING.c.base.is_not(None), _LISTING.c.target.is_not(None))
    waits = or_(_LISTING.c.in_flight, _LISTING.c.stale, _LISTING.c.held != "", _LISTING.c.parked != "")
    return and_(known, not_(waits))


_PLANS = (
    select(*(_LISTING.c[name] for name in Plan._fields[:-2]), _simple(), _certain())
    .where(_LISTING.c.sku_id >= bindparam("first"), _LISTING.c.sku_id <= bindparam("last"))
    .order_by(_LISTING.c.sku_id)
)
_SKUS = (
    select(_SKU.c.id, _SKU.c.opened_at)
    .where(_SKU.c.id > bindparam("after"))
    .order_by(_SKU.c.id)
    .limit(bindparam("most"))
)
_UNITS = select(
    _BALANCE.c.sku_id, _BALANCE.c.location, _BALANCE.c.on_hand - _BALANCE.c.committed - _BALANCE.c.held
).where(_BALANCE.c.sku_id >= bindparam("first"), _BALANCE.c.sku_id <= bindparam("last"))


_KEPT = (
    select(_HOLD.c.sku_id)
    .where(_HOLD.c.sku_id >= bindparam("first"), _HOLD.c.sku_id <= bindparam("last"), _HOLD.c.ended_at.is_(None))
    .distinct()
)
_SKU_OF: Callable[[Plan], SkuId] = itemgetter(0)


def skus(conn: Connection, *, after: int, most: int) -> list[tuple[SkuId, bool]]:
    """Return the next SKUs by number, with whether they were counted."""
    return [(row[0], row[1] is not None) for row in fetch_all(conn, _SKUS, {"after": after, "most": most})]


def plans(conn: Connection, *, first: SkuId, last: SkuId) -> dict[SkuId, list[Plan]]:
    """Return the listings of a run of SKUs."""
    rows = map(Plan._make, fetch_all(conn, _PLANS, {"first": first, "last": last}))
    return {sku_id: list(mine) for sku_id, mine in groupby(rows, _SKU_OF)}


def units(conn: Connection, *, first: SkuId, last: SkuId) -> dict[SkuId, dict[Location, int]]:
    """Return what is available of a run of SKUs by location."""
    found: dict[SkuId, dict[Location, int]] = {}
    for sku_id, location, available in fetch_all(conn, _UNITS, {"first": first, "last": last}):
        found.setdefault(sku_id, {})[location] = available
    return found


def displayed(conn: Connection, *, first: SkuId, last: SkuId) -> set[SkuId]:
    """Return the SKUs of a run that have listings with more than a number."""
    query = select(_LISTING.c.sku_id).join(_DISPLAY, _DISPLAY.c.listing_id == _LISTING.c.id)
    return {SkuId(number) for number in conn.execute(query.where(_LISTING.c.sku_id.between(first, last))).scalars()}


def kept(conn: Connection, *, first: SkuId, last: SkuId) -> set[SkuId]:
    """Return the SKUs of a run of which units are shown on one channel alone, for those who wait there."""
    return {row[0] for row in fetch_all(conn, _KEPT, {"first": first, "last": last})}


def in_kits(conn: Connection) -> set[SkuId]:
    """Return every SKU that is a kit or part of one."""
    return {SkuId(number) for row in conn.execute(select(_KIT.c.kit_id, _KIT.c.component_id)) for number in row}


Aimed: TypeAlias = tuple[int, int, int, int | None, Instant | None, int]
"""What planning found for a listing of which it is certain what it shows: values of the columns of `AIMED`.

A plain tuple, because SQLite's driver binds these faster than any of a class of their own.
"""
AIMED: Final = ("target", "low", "high", "lane", "due_at", "id")


def save(conn: Connection, aimed: Sequence[Aimed]) -> None:
    """Write new targets with what is next for them."""
    change_rows(conn, ListingRow, AIMED, aimed)
