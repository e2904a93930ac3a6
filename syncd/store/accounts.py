"""Channel accounts: their state, how far their feeds were read, orders to fetch, and what the brake holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from syncd.core.facts import AccountState
from syncd.core.terms import AccountId, Instant
from syncd.store.rows import AccountRow, BrakeRow, CursorRow, FetchRow, MetaRow
from syncd.store.statements import fetch_all, insert_new, new_id, table, upsert

_ACCOUNT = table(AccountRow)
_CURSOR = table(CursorRow)
_FETCH = table(FetchRow)
_BRAKE = table(BrakeRow)
_META = table(MetaRow)
_ACCOUNTS = select(
    _ACCOUNT.c.name,
    _ACCOUNT.c.state,
    _ACCOUNT.c.reason,
    _ACCOUNT.c.since,
    _ACCOUNT.c.first_live_at,
    _ACCOUNT.c.adopted_at,
    _ACCOUNT.c.down_since,
    _ACCOUNT.c.down_reason,
)
_FEED = select(_CURSOR.c.cursor, _CURSOR.c.complete_until, _CURSOR.c.scanned_at).where(
    _CURSOR.c.account == bindparam("account"), _CURSOR.c.feed == bindparam("feed")
)
SETTINGS = 0
"""Stands for the fact where the brake holds changed settings."""
ORDERS = "orders"
CATALOGUE = "catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAccount:
    """A channel account as the store knows it."""

    name: AccountId
    state: AccountState
    reason: str
    since: Instant
    first_live_at: Instant | None
    adopted_at: Instant | None
    down_since: Instant | None
    down_reason: str


def accounts(conn: Connection) -> dict[AccountId, KnownAccount]:
    """Return every account."""
    return {AccountId(row[0]): _known(*row) for row in fetch_all(conn, _ACCOUNTS, {})}


def _known(name: AccountId, state: str, reason: str, since: Instant, *rest: Any) -> KnownAccount:
    first_live_at, adopted_at, down_since, down_reason = rest
    return KnownAccount(
        name=name,
        state=AccountState(state),
        reason=reason,
        since=since,
        first_live_at=first_live_at,
        adopted_at=adopted_at,
        down_since=down_since,
        down_reason=down_reason,
    )


def know(conn: Connection, names: Collection[AccountId], *, now: Instant) -> None:
    """Make accounts known, not released; orders before `now` that are closed are none of ours."""
    rows = [{"name": n, "state": AccountState.NEW.value, "since": now, "adopted_at": now, "reason": ""} for n in names]
    insert_new(conn, AccountRow, keys=("name",), values=rows)


def set_account(conn: Connection, name: AccountId, values: Mapping[str, Any]) -> None:
    """Change columns of an account."""
    conn.execute(update(_ACCOUNT).where(_ACCOUNT.c.name == name).values(**values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """How far a feed was read."""

    cursor: str
    complete_until: Instant | None
    scanned_at: Instant | None


def feed(conn: Connection, account: AccountId, name: str) -> Feed | None:
    """Return how far a feed was read; None when never."""
    rows = fetch_all(conn, _FEED, {"account": account, "feed": name})
    return Feed(cursor=rows[0][0], complete_until=rows[0][1], scanned_at=rows[0][2]) if rows else None


def save_feed(conn: Connection, account: AccountId, name: str, found: Feed) -> None:
    """Write how far a feed was read."""
    row = {"account": account, "feed": name, "cursor": found.cursor, "complete_until": found.complete_until}
    upsert(conn, CursorRow, keys=("account", "feed"), values=[{**row, "scanned_at": found.scanned_at}])


def want_orders(conn: Connection, account: AccountId, remote_ids: Collection[str], *, now: Instant) -> None:
    """Note orders to be fetched; one that waits already is moved up to now."""
    rows = [{"account": account, "remote_id": r, "since": now, "due_at": now, "attempts": 0} for r in remote_ids]
    upsert(conn, FetchRow, keys=("account", "remote_id"), values=rows)


def wanted_orders(conn: Connection, account: AccountId, *, now: Instant, limit: int) -> list[str]:
    """Return orders to be fetched that are due."""
    c = _FETCH.c
    query = select(c.remote_id).where(c.account == account, c.due_at <= now).order_by(c.due_at).limit(limit)
    return list(conn.execute(query).scalars())


def postpone_orders(conn: Connection, account: AccountId, remote_ids: Collection[str], *, due_at: Instant) -> None:
    """Fetch these orders later."""
    c = _FETCH.c
    conn.execute(update(_FETCH).where(c.account == account, c.remote_id.in_(list(remote_ids))).values(due_at=due_at))


def fetched(conn: Connection, account: AccountId, remote_ids: Collection[str], *, read_at: Instant) -> None:
    """Strike orders that were read at `read_at`; one wanted after that stays."""
    c = _FETCH.c
    conn.execute(
        delete(_FETCH).where(and_(c.account == account, c.remote_id.in_(list(remote_ids)), c.since <= read_at))
    )


def hold(conn: Connection, values: Mapping[str, Any]) -> int:
    """Note a change that the brake holds; return its id."""
    return new_id(conn, BrakeRow, values)


def held(conn: Connection, ids: Sequence[int] = ()) -> list[Any]:
    """Return what the brake holds: all, or these."""
    query = select(_BRAKE).where(_BRAKE.c.state == "held").order_by(_BRAKE.c.id)
    return list(conn.execute(query.where(_BRAKE.c.id.in_(list(ids))) if ids else query))


def hold_states(conn: Connection, ids: Collection[int]) -> dict[int, str]:
    """Return how these changes stand that the brake held: held, released or refused."""
    return {row.id: row.state for row in conn.execute(select(_BRAKE).where(_BRAKE.c.id.in_(list(ids))))}


def end_hold(conn: Connection, brake_id: int, *, state: str, actor: str, now: Instant) -> None:
    """End a brake."""
    conn.execute(update(_BRAKE).where(_BRAKE.c.id == brake_id).values(state=state, actor=actor, ended_at=now))


def note(conn: Connection, name: str) -> str | None:
    """Return a named note of the store."""
    return conn.execute(select(_META.c.value).where(_META.c.name == name)).scalar()


def set_note(conn: Connection, name: str, value: str) -> None:
    """Write a named note."""
    upsert(conn, MetaRow, keys=("name",), values=[{"name": name, "value": value}])
