"""Demand over a restart, and the orders to learn it from where nothing was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, func, select

from syncd.core.demand import Demand, Pace
from syncd.core.terms import AccountId, Instant, SkuId
from syncd.core.week import Week
from syncd.store import accounts
from syncd.store.rows import OrderLineRow, OrderRow, SkuRow
from syncd.store.rows_exposure import DemandRow
from syncd.store.statements import table, upsert

SHOP = "demand"
"""The note of the store that has the demand of the whole shop."""

_DEMAND, _ORDER, _LINE, _SKU = table(DemandRow), table(OrderRow), table(OrderLineRow), table(SkuRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDemand:
    """The demand of one SKU at rest, with its lines by account."""

    sku_id: int
    demand: Demand
    lines: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptShop:
    """The demand of the whole shop at rest."""

    pace: Pace
    week: Week
    sizes: tuple[float, ...]
    lines: float
    accounts: Mapping[str, float]
    clock_s: float
    clock_at: Instant


_SHOPS = msgspec.json.Decoder(KeptShop)
_SKUS = msgspec.json.Decoder(KeptDemand)


def save(conn: Connection, shop: KeptShop, kept: Sequence[KeptDemand]) -> None:
    """Write the demand of the shop and of these SKUs."""
    accounts.set_note(conn, SHOP, msgspec.json.encode(shop).decode())
    rows = [{"sku_id": one.sku_id, "body": msgspec.json.encode(one)} for one in kept]
    upsert(conn, DemandRow, keys=("sku_id",), values=rows)


def load_shop(conn: Connection) -> KeptShop | None:
    """Return the demand of the shop; None where none was kept, or by a version that kept it otherwise."""
    text = accounts.note(conn, SHOP)
    try:
        return None if text is None else _SHOPS.decode(text)
    except msgspec.DecodeError:
        return None


def load_page(conn: Connection, *, after: int, limit: int) -> list[KeptDemand]:
    """Return the demand of the next SKUs by number."""
    query = select(_DEMAND.c.body).where(_DEMAND.c.sku_id > after).order_by(_DEMAND.c.sku_id).limit(limit)
    return [_SKUS.decode(body) for body in conn.execute(query).scalars()]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLine:
    """A line of an order that was heard of before demand was kept."""

    order_id: int
    account: AccountId
    at: Instant
    sku_id: SkuId
    units: int


def newest_orders(conn: Connection, *, most: int) -> int:
    """Return the row id after which the newest `most` orders begin."""
    newest = conn.execute(select(func.max(_ORDER.c.id))).scalar()
    return max(0, int(newest or 0) - most)


def past_lines(conn: Connection, *, after: int, limit: int) -> list[PastLine]:
    """Return the lines of the next `limit` orders after a row id, in the order of the rows."""
    heads = (
        select(_ORDER.c.id, _ORDER.c.account, _ORDER.c.ordered_at)
        .where(_ORDER.c.id > after)
        .order_by(_ORDER.c.id)
        .limit(limit)
        .subquery()
    )
    lines = _LINE.c
    query = (
        select(heads.c.id, heads.c.account, heads.c.ordered_at, lines.sku_id, lines.quantity)
        .join(_LINE, lines.order_id == heads.c.id)
        .where(lines.sku_id.is_not(None), lines.quantity > 0)
        .order_by(heads.c.id, lines.line_id)
    )
    return [
        PastLine(order_id=row_id, account=account, at=at, sku_id=sku_id, units=units)
        for row_id, account, at, sku_id, units in conn.execute(query)
    ]


def count_skus(conn: Connection) -> int:
    """Return how many SKUs there are."""
    return int(conn.execute(select(func.count()).select_from(_SKU)).scalar_one())
