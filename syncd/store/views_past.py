"""The shop's past as movements that changed what may be sold, in slices. Read-only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from syncd.core.ledger import MovementKind
from syncd.core.terms import AccountId, Instant, SkuId
from syncd.core.whatif import Moved
from syncd.store.rows import BalanceRow, MovementRow
from syncd.store.statements import table

_MOVEMENT = table(MovementRow)
_BALANCE = table(BalanceRow)

SLICE: Final = 20_000
"""Movements of one slice: other readers wait no longer than it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """Where the past ends: the last movement, and what may be sold of each SKU with it."""

    last_id: int
    there: Mapping[SkuId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Movements, newest first; `before_id` is where the next slice goes on, None: that was all."""

    moves: tuple[Moved, ...]
    before_id: int | None


def now_of(conn: Connection) -> Now:
    """Return where the past ends."""
    b = _BALANCE.c
    query = select(b.sku_id, func.sum(b.on_hand) - func.sum(b.committed)).group_by(b.sku_id)
    there = {SkuId(sku_id): int(units) for sku_id, units in conn.execute(query)}
    return Now(last_id=int(conn.execute(select(func.coalesce(func.max(_MOVEMENT.c.id), 0))).scalar_one()), there=there)


def slice_of(conn: Connection, *, upto_id: int, since: Instant, accounts: Collection[AccountId]) -> Slice:
    """Return the movements up to one, of which syncd knew since a moment; channels are the places of `accounts`.

    A commit of a channel is a sale. Whatever else changes what may be sold, a cancel too, came or went by itself.
    """
    c = _MOVEMENT.c
    columns = (c.id, c.sku_id, c.at, c.recorded_at, c.kind, c.on_hand, c.committed, c.source, c.reference)
    rows = conn.execute(select(*columns).where(c.id <= upto_id).order_by(c.id.desc()).limit(SLICE)).all()
    places = {name: place for place, name in enumerate(accounts)}
    moves = []
    for row in rows:
        units = row.on_hand - row.committed
        if row.recorded_at < since or not units:
            continue
        place = places.get(row.source) if row.kind == MovementKind.COMMIT and units < 0 else None
        if place is None:
            moves.append(Moved(sku=row.sku_id, at=row.at, units=units))
        else:
            order = row.reference.split(":", 1)[0]
            moves.append(Moved(sku=row.sku_id, at=row.at, units=units, channel=place, order=order))
    more = len(rows) == SLICE and rows[-1].recorded_at >= since
    return Slice(moves=tuple(moves), before_id=rows[-1].id - 1 if more else None)
