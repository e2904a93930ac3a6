"""Stock as people look at it: SKUs, their balances, and what kits are made of. Read-only.

Instants leave as aware datetimes in UTC, so that they are RFC 3339 in JSON. Pages go on after the last key.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, text

from syncd.core import kits
from syncd.core.plan import Lane
from syncd.core.terms import Instant, SkuId
from syncd.store import ledger
from syncd.store.ledger import Balance, Kits
from syncd.store.rows import BalanceRow, SkuRow
from syncd.store.statements import table

_SKU = table(SkuRow)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(instant: Instant) -> datetime:
    """Return an instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


def moment_or_none(instant: Instant | None) -> datetime | None:
    """Return the same, None for None."""
    return None if instant is None else moment(instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockView:
    """A SKU with its units at all locations together; of a kit only what is available is told, the rest is 0."""

    sku: str
    title: str
    opened: bool
    kit: bool
    on_hand: int
    committed: int
    held: int
    available: int


def stock(conn: Connection, *, text: str = "", prefix: str = "", after: str = "", limit: int) -> list[StockView]:
    """Return SKUs in the order of their codes; `text` is looked for in code and title, `prefix` is exact."""
    found = conn.execute(_sku_page(text=text, prefix=prefix, after=after, limit=limit)).all()
    made = ledger.kits(conn, [SkuId(row.id) for row in found])
    wanted = {SkuId(row.id) for row in found} | {part for parts in made.values() for part, _ in parts}
    totals = {sku_id: total(shelf.values()) for sku_id, shelf in ledger.shelves(conn, wanted).items()}
    opened = opened_among(conn, wanted)
    return [stock_view(row, made, totals, opened) for row in found]


def _sku_page(*, text: str, prefix: str, after: str, limit: int) -> Any:
    c = _SKU.c
    query = select(c.id, c.code, c.title, c.opened_at).where(c.code > after).order_by(c.code).limit(limit)
    if prefix:
        query = query.where(func.substr(c.code, 1, len(prefix)) == prefix)
    return query.where(contains(text, c.code, c.title)) if text else query


def contains(text: str, *columns: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that one of the columns holds a text; letters A to Z in either case."""
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def some_short() -> Select[tuple[int]]:
    """Select the SKUs of which more is promised than there is at any location: few, and found by an index.

    A SKU that is short as a whole is among them. The condition is the index's own text: with a parameter in it no
    database would know it again.
    """
    short = text("balance.on_hand - balance.committed - balance.held < 0")
    return select(table(BalanceRow).c.sku_id).where(short)


def opened_among(conn: Connection, ids: Collection[SkuId]) -> set[SkuId]:
    """Return those of these SKUs that have an opening count."""
    return {sku_id for sku_id, known in ledger.skus_by_id(conn, ids).items() if known.opened}


def total(shelf: Collection[Balance]) -> Balance:
    """Return the sum of balances."""
    return Balance(sum(b.on_hand for b in shelf), sum(b.committed for b in shelf), sum(b.held for b in shelf))


def stock_view(row: Any, made: Kits, totals: dict[SkuId, Balance], opened: set[SkuId]) -> StockView:
    """Return how a SKU stands: `row` has id, code, title and opened_at; a kit is opened once all its components are."""
    parts = made.get(SkuId(row.id), ())
    own = totals[SkuId(row.id)]
    available = kits.available((totals[part].available, units) for part, units in parts) if parts else own.available
    return StockView(
        sku=row.code,
        title=row.title,
        opened=all(part in opened for part, _ in parts) if parts else row.opened_at is not None,
        kit=bool(parts),
        on_hand=own.on_hand,
        committed=own.committed,
        held=own.held,
        available=available,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentView:
    """A SKU and how many units of it are in a kit."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuView:
    """A SKU as it is imported and exported."""

    sku: str
    title: str
    opened: bool
    components: tuple[ComponentView, ...]


def skus(conn: Connection, *, text: str = "", prefix: str = "", after: str = "", limit: int) -> list[SkuView]:
    """Return SKUs in the order of their codes, with what kits are made of."""
    found = conn.execute(_sku_page(text=text, prefix=prefix, after=after, limit=limit)).all()
    made = components(conn, [SkuId(row.id) for row in found])
    return [
        SkuView(sku=r.code, title=r.title, opened=r.opened_at is not None, components=made.get(SkuId(r.id), ()))
        for r in found
    ]


def components(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, tuple[ComponentView, ...]]:
    """Return what these kits are made of, by code; a SKU that is no kit is left out."""
    made = ledger.kits(conn, ids)
    codes = ledger.skus_by_id(conn, {part for parts in made.values() for part, _ in parts})
    return {
        kit: tuple(ComponentView(sku=c, quantity=units) for c, units in sorted((codes[p].code, n) for p, n in parts))
        for kit, parts in made.items()
    }


def lane_name(lane: int | None) -> str | None:
    """Return the word for a lane."""
    return None if lane is None else Lane(lane).name.lower()
