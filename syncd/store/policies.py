"""Policies of SKUs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from syncd.core.terms import SkuId
from syncd.store.rows_exposure import PolicyRow
from syncd.store.statements import Among, listed, table, upsert

_POLICY = table(PolicyRow)
_POLICIES = select(_POLICY).where(Among(_POLICY.c.sku_id, "ids"))


def policies(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, dict[str, PolicyRow]]:
    """Return the policy rows of these SKUs by account (`""`: on all)."""
    found: dict[SkuId, dict[str, PolicyRow]] = {}
    for row in conn.execute(_POLICIES, {"ids": listed(conn, ids)}).all() if ids else ():
        found.setdefault(SkuId(row.sku_id), {})[row.account] = PolicyRow(**row._mapping)  # noqa: SLF001  (public by its documentation)
    return found


def set_policies(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set policy rows (all columns of `PolicyRow`)."""
    upsert(conn, PolicyRow, keys=("sku_id", "account"), values=rows)
