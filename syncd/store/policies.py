"""Policies of SKUs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, exists, or_, select

from syncd.core.exposure import Exposure
from syncd.core.terms import Instant, SkuId
from syncd.store.rows import KitRow
from syncd.store.rows_exposure import PolicyRow, SeasonRow
from syncd.store.statements import Among, listed, table, upsert

_POLICY, _SEASON, _KIT = table(PolicyRow), table(SeasonRow), table(KitRow)
_POLICIES = select(_POLICY).where(Among(_POLICY.c.sku_id, "ids"))
_DIVIDING = (
    select(_KIT.c.kit_id)
    .distinct()
    .where(Among(_KIT.c.component_id, "ids"))
    .where(
        or_(
            exists().where(_POLICY.c.sku_id == _KIT.c.kit_id, _POLICY.c.exposure == Exposure.ALLOTMENT.value),
            exists().where(
                _SEASON.c.sku_id == _KIT.c.kit_id,
                _SEASON.c.exposure == Exposure.ALLOTMENT.value,
                _SEASON.c.since <= bindparam("now"),
                _SEASON.c.until > bindparam("now"),
            ),
        )
    )
)


def policies(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, dict[str, PolicyRow]]:
    """Return the policy rows of these SKUs by account (`""`: on all)."""
    found: dict[SkuId, dict[str, PolicyRow]] = {}
    for row in conn.execute(_POLICIES, {"ids": listed(conn, ids)}).all() if ids else ():
        found.setdefault(SkuId(row.sku_id), {})[row.account] = PolicyRow(**row._mapping)  # noqa: SLF001  (public by its documentation)
    return found


def kits_with_allotments(conn: Connection, parts: Collection[SkuId], *, now: Instant) -> list[SkuId]:
    """Return the kits with one of these components that have, on some account, an allotment of their own."""
    if not parts:
        return []
    found = conn.execute(_DIVIDING, {"ids": listed(conn, parts), "now": now})
    return [SkuId(number) for number in found.scalars()]


def set_policies(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set policy rows (all columns of `PolicyRow`)."""
    upsert(conn, PolicyRow, keys=("sku_id", "account"), values=rows)
