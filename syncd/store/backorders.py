"""Units that are owed: promised before they are here, as a policy allowed. How many, from which moment on."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from syncd.core.terms import Instant, SkuId
from syncd.store.rows_exposure import BackorderRow
from syncd.store.statements import Among, fetch_all, listed, table, upsert

_BACKORDER = table(BackorderRow)
_C = _BACKORDER.c
_LAST = select(_C.sku_id, func.max(_C.at).label("at")).where(Among(_C.sku_id, "ids")).group_by(_C.sku_id).subquery()
_OWED = select(_C.sku_id, _C.units).join(_LAST, (_LAST.c.sku_id == _C.sku_id) & (_LAST.c.at == _C.at))


def put(conn: Connection, sku_id: SkuId, units: int, *, now: Instant) -> None:
    """Note that so many units of a SKU are owed from now on."""
    upsert(conn, BackorderRow, keys=("sku_id", "at"), values=[{"sku_id": sku_id, "at": now, "units": units}])


def owed(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, int]:
    """Return how many units of these SKUs are owed; a SKU of which never any were has no entry."""
    rows = fetch_all(conn, _OWED, {"ids": listed(conn, ids)}) if ids else ()
    return {SkuId(sku_id): units for sku_id, units in rows}


def of_sku(conn: Connection, sku_id: SkuId) -> tuple[tuple[Instant, int], ...]:
    """Return from which moment on how many units of a SKU were owed, oldest first."""
    rows = conn.execute(select(_C.at, _C.units).where(_C.sku_id == sku_id).order_by(_C.at))
    return tuple((row.at, row.units) for row in rows)
