"""Everything that is known of one SKU: balances, listings, the last movements and writes. Read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from syncd.core.terms import Sku, SkuId
from syncd.store import ledger
from syncd.store.ledger import Balance
from syncd.store.rows import KitRow, ListingRow, MovementRow, SkuRow, WriteRow
from syncd.store.rows_exposure import PolicyRow
from syncd.store.statements import chunks, table
from syncd.store.views import (
    ComponentView,
    StockView,
    components,
    lane_name,
    moment,
    moment_or_none,
    opened_among,
    stock_view,
    total,
)
from syncd.store.views_listings import ListingView, listing_views

_SKU = table(SkuRow)
_KIT = table(KitRow)
_LISTING = table(ListingRow)
_MOVEMENT = table(MovementRow)
_POLICY = table(PolicyRow)
_WRITE = table(WriteRow)

MOVEMENTS = 50
"""Movements that are told of one SKU, the last ones."""
WRITES = 20
"""Writes that are told of one SKU, the last ones."""
WRITES_LOOKED_AT = 200_000
"""Among so many of the last writes of all listings: there is no index by listing, and none is worth its cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """Units of a SKU at one location; `location` is empty where a channel does not tell from where it sells."""

    location: str
    on_hand: int
    committed: int
    held: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementView:
    """One entry of the ledger."""

    at: datetime
    recorded_at: datetime
    kind: str
    location: str
    on_hand: int
    committed: int
    held: int
    source: str
    reference: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteView:
    """One number that was sent to a channel, and how it ended."""

    account: str
    remote_id: str
    quantity: int
    expected: int | None
    delta: int | None
    lane: str
    state: str
    intended_at: datetime
    answered_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """What a SKU may show on one account, or on all where `account` is empty; None falls back to the settings."""

    account: str
    safety_stock: int | None
    safety_percent: int | None
    cap: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuDetail:
    """Everything that is known of one SKU."""

    stock: StockView
    components: tuple[ComponentView, ...]
    part_of: tuple[str, ...]
    places: tuple[PlaceView, ...]
    policies: tuple[PolicyView, ...]
    listings: tuple[ListingView, ...]
    movements: tuple[MovementView, ...]
    writes: tuple[WriteView, ...]


def sku_detail(conn: Connection, code: str) -> SkuDetail | None:
    """Return what is known of a SKU; None where it is not known."""
    known = ledger.skus_by_code(conn, [code]).get(Sku(code))
    if known is None:
        return None
    sku_id: SkuId = known.sku_id
    listings = listing_views(conn, _LISTING.c.sku_id == sku_id, limit=None)
    head = conn.execute(select(_SKU).where(_SKU.c.id == sku_id)).one()
    made = ledger.kits(conn, [sku_id])
    shelves = ledger.shelves(conn, {sku_id} | {part for parts in made.values() for part, _ in parts})
    totals = {key: total(shelf.values()) for key, shelf in shelves.items()}
    return SkuDetail(
        stock=stock_view(head, made, totals, opened_among(conn, list(shelves))),
        components=components(conn, [sku_id]).get(sku_id, ()),
        part_of=_part_of(conn, sku_id),
        places=tuple(_place(name, balance) for name, balance in sorted(shelves[sku_id].items())),
        policies=_policies(conn, sku_id),
        listings=tuple(listings),
        movements=_movements(conn, sku_id),
        writes=_writes(conn, listings),
    )


def _part_of(conn: Connection, sku_id: SkuId) -> tuple[str, ...]:
    query = select(_SKU.c.code).join(_KIT, _KIT.c.kit_id == _SKU.c.id).where(_KIT.c.component_id == sku_id)
    return tuple(conn.execute(query.order_by(_SKU.c.code)).scalars())


def _place(name: str, balance: Balance) -> PlaceView:
    return PlaceView(
        location=name,
        on_hand=balance.on_hand,
        committed=balance.committed,
        held=balance.held,
        available=balance.available,
    )


def _policies(conn: Connection, sku_id: SkuId) -> tuple[PolicyView, ...]:
    c = _POLICY.c
    query = select(c.account, c.safety_stock, c.safety_percent, c.cap).where(c.sku_id == sku_id).order_by(c.account)
    return tuple(PolicyView(**row) for row in conn.execute(query).mappings())


def _movements(conn: Connection, sku_id: SkuId) -> tuple[MovementView, ...]:
    c = _MOVEMENT.c
    query = select(_MOVEMENT).where(c.sku_id == sku_id).order_by(c.id.desc()).limit(MOVEMENTS)
    return tuple(
        MovementView(
            at=moment(row.at),
            recorded_at=moment(row.recorded_at),
            kind=row.kind,
            location=row.location,
            on_hand=row.on_hand,
            committed=row.committed,
            held=row.held,
            source=row.source,
            reference=row.reference,
            reason=row.reason,
            actor=row.actor,
        )
        for row in conn.execute(query)
    )


def _writes(conn: Connection, listings: Sequence[ListingView]) -> tuple[WriteView, ...]:
    names = {listing.id: listing.remote_id for listing in listings}
    c = _WRITE.c
    newest = int(conn.execute(select(func.max(c.id))).scalar() or 0)
    recent = select(_WRITE).where(c.id > newest - WRITES_LOOKED_AT).order_by(c.id.desc()).limit(WRITES)
    rows = [row for ids in chunks(names) for row in conn.execute(recent.where(c.listing_id.in_(ids)))]
    return tuple(
        WriteView(
            account=row.account,
            remote_id=names[row.listing_id],
            quantity=row.quantity,
            expected=row.expected,
            delta=row.delta,
            lane=lane_name(row.lane) or "",
            state=row.state,
            intended_at=moment(row.intended_at),
            answered_at=moment_or_none(row.answered_at),
            reason=row.reason,
        )
        for row in sorted(rows, key=lambda row: -row.id)[:WRITES]
    )
