"""What SKUs are called."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from syncd.core.terms import Sku, SkuId
from syncd.store.rows import SkuRow
from syncd.store.statements import Among, listed, table

_SKU = table(SkuRow)


def titles(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, tuple[Sku, str]]:
    """Return the codes and titles of SKUs."""
    query = select(_SKU.c.id, _SKU.c.code, _SKU.c.title).where(Among(_SKU.c.id, "ids"))
    rows = conn.execute(query, {"ids": listed(conn, ids)}) if ids else ()
    return {SkuId(sku_id): (Sku(code), title) for sku_id, code, title in rows}
