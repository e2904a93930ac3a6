"""What counts have moved, and what moved since a moment of counting."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from syncd.core.counts import Made
from syncd.core.ledger import MovementKind
from syncd.core.terms import Instant, Location, SkuId
from syncd.store.rows import MovementRow
from syncd.store.statements import table

_MOVEMENT = table(MovementRow)


def counted_since(conn: Connection, sku_id: SkuId, location: Location, since: Instant) -> bool:
    """Say whether a count of a SKU at a place, the opening one too, has moved something at `since` or later."""
    m = _MOVEMENT.c
    counts = (MovementKind.COUNT.value, MovementKind.OPENING.value)
    mine = (m.sku_id == sku_id, m.location == location, m.kind.in_(counts), m.at >= since)
    return conn.execute(select(m.id).where(*mine).limit(1)).first() is not None


def counts_since(conn: Connection, sku_id: SkuId, location: Location, since: Instant) -> list[Made]:
    """Return what counts of a SKU at a place (`""`: at any) have moved at `since` or later, the opening one aside."""
    m = _MOVEMENT.c
    mine = [m.sku_id == sku_id, m.kind == MovementKind.COUNT.value, m.at >= since]
    if location:
        mine.append(m.location == location)
    return [Made(at=row.at, difference=row.on_hand) for row in conn.execute(select(m.at, m.on_hand).where(*mine))]


def moved_since(conn: Connection, sku_id: SkuId, location: Location, since: Instant) -> tuple[int, int, int]:
    """Return what movements after `since` sum up to: on hand, committed, held."""
    m = _MOVEMENT.c
    sums = (func.coalesce(func.sum(column), 0) for column in (m.on_hand, m.committed, m.held))
    row = conn.execute(select(*sums).where(m.sku_id == sku_id, m.location == location, m.at > since)).one()
    return int(row[0]), int(row[1]), int(row[2])
