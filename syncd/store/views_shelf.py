"""Stock as a table to look through: searched, sorted, page by page, beside what each channel shows. Read-only.

Sorted by code a page costs what its rows cost. Sorted by a number, or where a state is asked for, all balances are
summed once; SKUs that nothing ever moved have no number and are left out then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, and_, func, or_, select, union

from syncd.core.terms import SkuId
from syncd.store import ledger
from syncd.store.rows import BalanceRow, KitRow, ListingRow, SkuRow
from syncd.store.skuwords import SkuWords, version
from syncd.store.statements import table
from syncd.store.views import StockView, lane_name, opened_among, some_short, stock_view, total

_SKU = table(SkuRow)
_KIT = table(KitRow)
_BALANCE = table(BalanceRow)
_LISTING = table(ListingRow)

_Ids: TypeAlias = Select[Any] | CompoundSelect[Any]
_Hits: TypeAlias = list[int] | None
MOST_HITS: Final = 1_000
"""Where more SKUs hold a text, rows are read in their order: so many of them that a page is soon full."""

_SUMS: Final[Mapping[str, ColumnElement[int]]] = {
    "on_hand": func.sum(_BALANCE.c.on_hand),
    "committed": func.sum(_BALANCE.c.committed),
    "held": func.sum(_BALANCE.c.held),
    "available": func.sum(_BALANCE.c.on_hand - _BALANCE.c.committed - _BALANCE.c.held),
}


class Sort(StrEnum):
    """By what the table is sorted."""

    CODE = "code"
    ON_HAND = "on_hand"
    COMMITTED = "committed"
    HELD = "held"
    AVAILABLE = "available"


class Only(StrEnum):
    """Which SKUs are asked for."""

    ALL = "all"
    SHORT = "short"
    """More is promised than there is."""
    OUT = "out"
    """Nothing is left to sell."""
    WORK = "work"
    """A listing has something to be written or read."""
    UNCOUNTED = "uncounted"
    """Never counted: its listings are not written."""
    KITS = "kits"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfAsk:
    """What is asked for. `after` is the `next` of the page before; `falling`: largest first."""

    text: str = ""
    sort: Sort = Sort.CODE
    falling: bool = False
    only: Only = Only.ALL
    after: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownView:
    """What a listing is believed to show (`low` to `high`) and should show; None where it was never read, or counted.

    `lane` is what waits, `held` and `parked` why nothing is written.
    """

    remote_id: str
    low: int | None
    high: int | None
    target: int | None
    lane: str | None
    held: str
    parked: str
    managed: bool
    active: bool

    @property
    def differs(self) -> bool:
        """Return whether it shows something else than it should."""
        return self.target is not None and (self.low != self.target or self.high != self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfRow:
    """A SKU and its listings by account."""

    stock: StockView
    shown: Mapping[str, tuple[ShownView, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfPage:
    """Rows in order; `next` is where the next page goes on, empty on the last one."""

    rows: tuple[ShelfRow, ...]
    next: str


def shelf_page(conn: Connection, asked: ShelfAsk, *, words: SkuWords | None = None) -> ShelfPage:
    """Return a page of the table; raises ValueError where `after` is of another order.

    `words` is a copy to search in; one of another version is not used.
    """
    by_code = asked.sort is Sort.CODE
    hits = _hits(conn, asked, words)
    found = _by_code(conn, asked, hits) if by_code else _by_number(conn, asked, hits)
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    rows = _rows(conn, [SkuId(sku_id) for _, sku_id in shown])
    last = shown[-1] if more else None
    after = "" if last is None else rows[-1].stock.sku if by_code else f"{last[0]},{last[1]}"
    return ShelfPage(rows=tuple(rows), next=after)


def sku_count(conn: Connection) -> int:
    """Return how many SKUs there are."""
    return int(conn.execute(select(func.count()).select_from(_SKU)).scalar_one())


# --- which, and in what order ---------------------------------------------------------------------------------------


def _hits(conn: Connection, asked: ShelfAsk, words: SkuWords | None) -> _Hits:
    """Return the SKUs that hold the text; None where rows have to be read: many hold it, or no copy is of now."""
    if not asked.text or words is None or words.version != version(conn):
        return None
    return words.ids_of(asked.text, most=MOST_HITS)


def _by_code(conn: Connection, asked: ShelfAsk, hits: _Hits) -> list[tuple[int, int]]:
    c = _SKU.c
    query = select(c.id).limit(asked.limit + 1)
    query = query.order_by(c.code.desc() if asked.falling else c.code)
    if asked.after:
        query = query.where(c.code < asked.after if asked.falling else c.code > asked.after)
    for condition in _conditions(conn, asked, c.id, hits):
        query = query.where(condition)
    return [(0, int(row.id)) for row in conn.execute(query)]


def _by_number(conn: Connection, asked: ShelfAsk, hits: _Hits) -> list[tuple[int, int]]:
    value = _SUMS[asked.sort.value]
    b = _BALANCE.c
    kits = select(_KIT.c.kit_id)
    plain = select(b.sku_id.label("id"), value.label("value")).where(b.sku_id.not_in(kits)).group_by(b.sku_id)
    found = _sorted(conn, plain, b.sku_id, asked, hits)
    if asked.sort is Sort.AVAILABLE:
        found += _sorted(conn, _kits_available(), _KIT.c.kit_id, asked, hits)
        found.sort(reverse=asked.falling)
    return found[: asked.limit + 1]


def _sorted(
    conn: Connection, units: Select[Any], key: ColumnElement[int], asked: ShelfAsk, hits: _Hits
) -> list[tuple[int, int]]:
    for condition in _conditions(conn, asked, key, hits):
        units = units.where(condition)
    rows = units.subquery()
    value, sku_id = rows.c.value, rows.c.id
    order = (value.desc(), sku_id.desc()) if asked.falling else (value, sku_id)
    query = select(sku_id, value).order_by(*order).limit(asked.limit + 1)
    if asked.after:
        last, last_id = _numbers(asked.after)
        beyond = value < last if asked.falling else value > last
        behind = sku_id < last_id if asked.falling else sku_id > last_id
        query = query.where(or_(beyond, and_(value == last, behind)))
    return [(int(row.value), int(row.id)) for row in conn.execute(query)]


def _numbers(after: str) -> tuple[int, int]:
    value, _, sku_id = after.partition(",")
    return int(value), int(sku_id)


def _conditions(conn: Connection, asked: ShelfAsk, key: ColumnElement[int], hits: _Hits) -> list[ColumnElement[bool]]:
    """Return what holds for the asked SKUs, of which `key` is the column of their ids."""
    c = _SKU.c
    made: list[ColumnElement[bool]] = []
    if hits is not None:
        made.append(key.in_(hits))
    elif asked.text:
        match = or_(*(_holds(conn, column, asked.text) for column in (c.code, c.title)))
        made.append(match if key is c.id else key.in_(select(c.id).where(match)))
    chosen = _chosen(asked.only)
    return made if chosen is None else [*made, key.in_(chosen)]


def _holds(conn: Connection, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Return the condition that a column holds a text, letters A to Z in either case.

    SQLite's own LIKE does not tell them apart; asking it to lower every row first takes three times as long.
    """
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    if conn.dialect.name == "sqlite":
        return column.like(pattern, escape="\\")
    return column.ilike(pattern, escape="\\")


def _chosen(only: Only) -> _Ids | None:
    match only:
        case Only.ALL:
            return None
        case Only.SHORT:
            return _available_below(0)
        case Only.OUT:
            return _available_below(1)
        case Only.WORK:
            return select(_LISTING.c.sku_id).where(_LISTING.c.lane.is_not(None), _LISTING.c.sku_id.is_not(None))
        case Only.UNCOUNTED:
            return select(_SKU.c.id).where(_SKU.c.opened_at.is_(None), _SKU.c.id.not_in(select(_KIT.c.kit_id)))
        case Only.KITS:
            return select(_KIT.c.kit_id)


def _available_below(bound: int) -> _Ids:
    """Select counted SKUs, and kits of them, of which less is available."""
    b = _BALANCE.c
    units = select(b.sku_id)
    if bound == 0:
        units = units.where(b.sku_id.in_(some_short()))
    few = units.group_by(b.sku_id).having(_SUMS["available"] < bound).subquery()
    plain = select(few.c.sku_id.label("id")).join(_SKU, _SKU.c.id == few.c.sku_id)
    plain = plain.where(_SKU.c.opened_at.is_not(None), few.c.sku_id.not_in(select(_KIT.c.kit_id)))
    made = _kits_available()
    if bound == 0:
        made = made.where(_KIT.c.kit_id.in_(_short_kits()))
    kits = made.subquery()
    parts = select(_KIT.c.kit_id).join(_SKU, _SKU.c.id == _KIT.c.component_id)
    uncounted = parts.where(_SKU.c.opened_at.is_(None))
    return union(plain, select(kits.c.id).where(kits.c.value < bound, kits.c.id.not_in(uncounted)))


def _short_kits() -> Select[Any]:
    """Select the kits of which a part may be short."""
    other = _KIT.alias("other")
    return select(other.c.kit_id).where(other.c.component_id.in_(some_short()))


def _kits_available() -> Select[Any]:
    """Select kits with how many can be made; of one that is short, how many are missing at most.

    Rounded down: in both databases integers divide towards zero.
    """
    parts = select(_KIT.c.component_id)
    own = select(_BALANCE.c.sku_id, _SUMS["available"].label("units")).where(_BALANCE.c.sku_id.in_(parts))
    sums = own.group_by(_BALANCE.c.sku_id).subquery()
    units, per_kit = func.coalesce(sums.c.units, 0), _KIT.c.quantity
    floor = (units - ((units % per_kit) + per_kit) % per_kit) // per_kit
    kits = select(_KIT.c.kit_id.label("id"), func.min(floor).label("value"))
    return kits.outerjoin(sums, sums.c.sku_id == _KIT.c.component_id).group_by(_KIT.c.kit_id)


# --- what is told of them -------------------------------------------------------------------------------------------


def _rows(conn: Connection, ids: Sequence[SkuId]) -> list[ShelfRow]:
    if not ids:
        return []
    c = _SKU.c
    heads = {row.id: row for row in conn.execute(select(c.id, c.code, c.title, c.opened_at).where(c.id.in_(ids)))}
    made = ledger.kits(conn, ids)
    wanted = {*ids, *(part for parts in made.values() for part, _ in parts)}
    totals = {sku_id: total(shelf.values()) for sku_id, shelf in ledger.shelves(conn, wanted).items()}
    opened = opened_among(conn, wanted)
    shown = _shown(conn, ids)
    return [
        ShelfRow(stock=stock_view(heads[sku_id], made, totals, opened), shown=shown.get(sku_id, {})) for sku_id in ids
    ]


def _shown(conn: Connection, ids: Collection[SkuId]) -> dict[int, dict[str, tuple[ShownView, ...]]]:
    c = _LISTING.c
    names = ("remote_id", "low", "high", "target", "held", "parked", "managed", "active")
    query = select(c.sku_id, c.account, c.lane, *(c[name] for name in names))
    query = query.where(c.sku_id.in_(ids), c.vanished_at.is_(None)).order_by(c.id)
    found: dict[int, dict[str, tuple[ShownView, ...]]] = defaultdict(dict)
    for row in conn.execute(query).mappings():
        view = ShownView(lane=lane_name(row["lane"]), **{name: row[name] for name in names})
        of_sku = found[int(row["sku_id"])]
        of_sku[row["account"]] = (*of_sku.get(row["account"], ()), view)
    return dict(found)
