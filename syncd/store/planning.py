"""What planning everything anew reads and writes: few columns of many rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.store.rows import BalanceRow, KitRow, ListingRow, SkuRow
from syncd.store.rows_exposure import DisplayRow
from syncd.store.rows_waiting import HoldRow
from syncd.store.statements import change, fetch_all, table

_SKU, _BALANCE, _LISTING, _KIT = table(SkuRow), table(BalanceRow), table(ListingRow), table(KitRow)
_DISPLAY, _HOLD = table(DisplayRow), table(HoldRow)


class Plan(NamedTuple):
    """The part of a listing that planning needs."""

    sku_id: SkuId
    id: int
    account: AccountId
    location: Location
    managed: bool
    vanished_at: Instant | None
    target: int | None
    base: int | None
    high: int | None
    lane: int | None
    due_at: Instant | None
    attempts: int
    in_flight: bool
    stale: bool
    held: str
    parked: str
    demand: float


_PLANS = (
    select(*(_LISTING.c[name] for name in Plan._fields))
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


def skus(conn: Connection, *, after: int, most: int) -> list[tuple[SkuId, bool]]:
    """Return the next SKUs by number, with whether they were counted."""
    return [(row[0], row[1] is not None) for row in fetch_all(conn, _SKUS, {"after": after, "most": most})]


def plans(conn: Connection, *, first: SkuId, last: SkuId) -> dict[SkuId, list[Plan]]:
    """Return the listings of a run of SKUs."""
    found: dict[SkuId, list[Plan]] = {}
    for row in fetch_all(conn, _PLANS, {"first": first, "last": last}):
        found.setdefault(row[0], []).append(Plan._make(row))
    return found


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
    query = select(_HOLD.c.sku_id).where(_HOLD.c.sku_id.between(first, last), _HOLD.c.ended_at.is_(None)).distinct()
    return {SkuId(number) for number in conn.execute(query).scalars()}


def in_kits(conn: Connection) -> set[SkuId]:
    """Return every SKU that is a kit or part of one."""
    return {SkuId(number) for row in conn.execute(select(_KIT.c.kit_id, _KIT.c.component_id)) for number in row}


class Aimed(NamedTuple):
    """What planning found for a listing of which it is certain what it shows."""

    id: int
    target: int
    value: int
    lane: int | None
    due_at: Instant | None


def save(conn: Connection, aimed: Sequence[Aimed]) -> None:
    """Write new targets with what is next for them."""
    rows: Collection[dict[str, Any]] = [
        {"v_target": x.target, "v_low": x.value, "v_high": x.value, "v_lane": x.lane, "v_due_at": x.due_at, "k": x.id}
        for x in aimed
    ]
    change(conn, ListingRow, "id", list(rows))
