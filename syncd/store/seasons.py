"""Dated policies of SKUs: which hold now, which begin or end next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select

from syncd.core.exposure import FIELDS
from syncd.core.season import Season
from syncd.core.terms import Instant, SkuId
from syncd.store.rows_exposure import SeasonRow
from syncd.store.statements import Among, listed, table, upsert

_SEASON = table(SeasonRow)
_OF_SKUS = select(_SEASON).where(Among(_SEASON.c.sku_id, "ids")).order_by(_SEASON.c.since, _SEASON.c.name)


def of_skus(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, list[Season]]:
    """Return the dated policies of these SKUs, past and future ones too."""
    found: dict[SkuId, list[Season]] = {}
    for row in conn.execute(_OF_SKUS, {"ids": listed(conn, ids)}) if ids else ():
        found.setdefault(SkuId(row.sku_id), []).append(season_of(row))
    return found


def season_of(row: Any) -> Season:
    """Return a row as the core knows it."""
    changes = {name: getattr(row, name) for name in FIELDS}
    accounts = (row.account,) if row.account else ()
    return Season(name=row.name, since=row.since, until=row.until, accounts=accounts, **changes)


def put(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set dated policies; one of the same SKU, account and name is replaced."""
    upsert(conn, SeasonRow, keys=("sku_id", "account", "name"), values=rows)


def remove(conn: Connection, sku_id: SkuId, account: str, name: str) -> None:
    """Take a dated policy away."""
    c = _SEASON.c
    conn.execute(delete(_SEASON).where(c.sku_id == sku_id, c.account == account, c.name == name))


def next_turn(conn: Connection, *, now: Instant) -> Instant | None:
    """Return when the next dated policy begins or ends after `now`."""
    c = _SEASON.c
    query = select(c.since, c.until).where(c.until > now).order_by(c.until)
    return min((at for row in conn.execute(query) for at in row if at > now), default=None)


def turned(conn: Connection, *, since: Instant, now: Instant) -> list[SkuId]:
    """Return the SKUs of which a dated policy began or ended after `since` and up to `now`."""
    c = _SEASON.c
    query = (
        select(c.sku_id)
        .distinct()
        .where(or_(and_(c.since > since, c.since <= now), and_(c.until > since, c.until <= now)))
    )
    return sorted(SkuId(sku_id) for sku_id in conn.execute(query).scalars())


def forget(conn: Connection, *, before: Instant) -> None:
    """Drop dated policies that ended long ago."""
    conn.execute(delete(_SEASON).where(_SEASON.c.until < before))
