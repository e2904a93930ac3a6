"""Suspect sales and drift: what a channel shows that no order explains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, func, select, update

from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.store.rows import DriftRow, SuspectRow
from syncd.store.statements import Among, change, listed, new_id, table

_SUSPECT = table(SuspectRow)
_DRIFT = table(DriftRow)

PENDING: Final = "pending"
ENFORCED: Final = "enforced"
PAUSED: Final = "paused"
"""It may have been changed while nothing was written there."""


@dataclass(slots=True, kw_only=True)
class Suspect:
    """An open suspect sale."""

    id: int
    account: AccountId
    listing_id: int
    sku_id: SkuId
    location: Location
    remaining: int
    since: Instant
    until: Instant


def suspects(conn: Connection, account: AccountId, ids: Collection[SkuId] | None = None) -> list[Suspect]:
    """Return the open suspect sales of an account, of these SKUs or of all."""
    c = _SUSPECT.c
    columns = (c.id, c.account, c.listing_id, c.sku_id, c.location, c.remaining, c.since, c.until)
    query = select(*columns).where(c.account == account, c.closed_at.is_(None)).order_by(c.id)
    if ids is None:
        return [Suspect(**row._mapping) for row in conn.execute(query)]  # noqa: SLF001  (public by its documentation)
    rows = conn.execute(query.where(Among(c.sku_id, "ids")), {"ids": listed(conn, ids)})
    return [Suspect(**row._mapping) for row in rows]  # noqa: SLF001  (public by its documentation)


def guessed(conn: Connection, sku_id: SkuId) -> int:
    """Return how many units of a SKU suspect sales hold, on all accounts."""
    c = _SUSPECT.c
    query = select(func.coalesce(func.sum(c.remaining), 0)).where(c.sku_id == sku_id, c.closed_at.is_(None))
    return int(conn.execute(query).scalar_one())


def add_suspect(conn: Connection, values: Mapping[str, Any]) -> int:
    """Open a suspect sale; return its id."""
    return new_id(conn, SuspectRow, values)


def save_suspects(conn: Connection, changed: Iterable[Suspect], *, now: Instant) -> None:
    """Write how many units remain; none closes the suspect sale."""
    rows = [{"k": s.id, "v_remaining": s.remaining, "v_closed_at": None if s.remaining else now} for s in changed]
    if rows:
        change(conn, SuspectRow, "id", rows)


def date_suspect(conn: Connection, suspect_id: int, *, since: Instant, until: Instant) -> None:
    """Set the span of a suspect sale."""
    change(conn, SuspectRow, "id", [{"k": suspect_id, "v_since": since, "v_until": until}])


def add_drift(conn: Connection, values: Mapping[str, Any]) -> int:
    """Note that somebody else changed a number; return its id."""
    return new_id(conn, DriftRow, values)


def explain_drift(conn: Connection, listing_id: int, *, since: Instant, now: Instant) -> int:
    """Note that a restore told of later explains foreign changes of a listing; return how many."""
    c = _DRIFT.c
    mine = and_(c.listing_id == listing_id, c.state.in_((PENDING, ENFORCED, PAUSED)), c.at >= since)
    return conn.execute(update(_DRIFT).where(mine).values(state="explained", ended_at=now)).rowcount


def drifts_between(
    conn: Connection,
    account: AccountId,
    since: Instant,
    until: Instant,
    *,
    states: Collection[str] = (PENDING, ENFORCED),
) -> int:
    """Return how many changes by somebody else in these states were seen on an account in that time."""
    query = select(func.count()).where(_DRIFT.c.account == account, _DRIFT.c.at >= since)
    open_ = (_DRIFT.c.at <= until, _DRIFT.c.state.in_(list(states)))
    return int(conn.execute(query.where(*open_)).scalar_one())


def pending_drift(conn: Connection, ids: Collection[int] = ()) -> list[Any]:
    """Return drifts that wait for a person: all, or those with these ids."""
    query = select(_DRIFT).where(_DRIFT.c.state == PENDING).order_by(_DRIFT.c.id)
    return list(conn.execute(query.where(_DRIFT.c.id.in_(list(ids))) if ids else query))


def end_drift(conn: Connection, ids: Collection[int], *, state: str, actor: str, now: Instant) -> None:
    """End drifts."""
    if ids:
        rows = [{"k": i, "v_state": state, "v_ended_at": now, "v_actor": actor} for i in ids]
        change(conn, DriftRow, "id", rows)
