"""What SKUs are called."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from syncd.core.terms import Sku, SkuId
from syncd.store.rows import SkuRow
from syncd.store.statements import Among, fetch_all, listed, table

_SKU = table(SkuRow)
_TITLES = select(_SKU.c.id, _SKU.c.code, _SKU.c.title).where(Among(_SKU.c.id, "ids"))


def titles(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, tuple[Sku, str]]:
    """Return the codes and titles of SKUs."""
    rows = fetch_all(conn, _TITLES, {"ids": listed(conn, ids)}) if ids else ()
    return {SkuId(sku_id): (Sku(code), title) for sku_id, code, title in rows}
