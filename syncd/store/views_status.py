"""How everything stands: sums for the status, the health and the metrics. Read-only.

What walks through a whole table says so; whoever asks often keeps the answer for a while.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from syncd.core.terms import AccountId, Instant
from syncd.store import accounts
from syncd.store.accounts import Feed
from syncd.store.rows import BalanceRow, CursorRow, DriftRow, ListingRow, SkuRow, WriteRow
from syncd.store.statements import table
from syncd.store.views import lane_name

_LISTING = table(ListingRow)
_CURSOR = table(CursorRow)
_WRITE = table(WriteRow)
_DRIFT = table(DriftRow)
_BALANCE = table(BalanceRow)
_SKU = table(SkuRow)

WRITES_LOOKED_AT = 5_000
"""Among so many of the last writes the last one of each account is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Numbers of listings of one account; those that vanished from the channel are in none but `vanished`."""

    listings: int = 0
    unmapped: int = 0
    unmanaged: int = 0
    parked: int = 0
    held: int = 0
    vanished: int = 0


NO_LISTINGS = Tally()


def tallies(conn: Connection) -> dict[AccountId, Tally]:
    """Return the numbers of listings by account; walks through all listings."""
    c = _LISTING.c
    here = c.vanished_at.is_(None)
    counted = {
        "listings": here,
        "unmapped": and_(here, c.sku_id.is_(None)),
        "unmanaged": and_(here, ~c.managed),
        "parked": and_(here, c.parked != ""),
        "held": and_(here, c.held != ""),
        "vanished": ~here,
    }
    sums = [func.count().filter(condition).label(name) for name, condition in counted.items()]
    rows = conn.execute(select(c.account, *sums).group_by(c.account)).mappings()
    return {AccountId(row["account"]): Tally(**{name: row[name] for name in counted}) for row in rows}


def waiting(conn: Connection) -> dict[AccountId, dict[str, int]]:
    """Return how many listings have work, by account and lane."""
    c = _LISTING.c
    query = select(c.account, c.lane, func.count()).where(c.lane.is_not(None)).group_by(c.account, c.lane)
    found: dict[AccountId, dict[str, int]] = defaultdict(dict)
    for account, lane, count in conn.execute(query):
        found[AccountId(account)][lane_name(lane) or ""] = int(count)
    return dict(found)


def last_writes(conn: Connection) -> dict[AccountId, Instant]:
    """Return when each account answered a write last; one whose last write is long ago is left out."""
    c = _WRITE.c
    newest = int(conn.execute(select(func.max(c.id))).scalar() or 0)
    query = select(c.account, func.max(c.answered_at)).where(c.id > newest - WRITES_LOOKED_AT).group_by(c.account)
    return {AccountId(account): int(at) for account, at in conn.execute(query) if at is not None}


def feeds(conn: Connection) -> dict[AccountId, Feed]:
    """Return how far the order feed of each account was read."""
    c = _CURSOR.c
    query = select(c.account, c.cursor, c.complete_until, c.scanned_at).where(c.feed == accounts.ORDERS)
    return {
        AccountId(row.account): Feed(cursor=row.cursor, complete_until=row.complete_until, scanned_at=row.scanned_at)
        for row in conn.execute(query)
    }


def oversold_units(conn: Connection) -> int:
    """Return how many units are promised that are not there, over all counted SKUs; walks through all balances."""
    b = _BALANCE.c
    available = func.sum(b.on_hand - b.committed - b.held).label("available")
    counted = select(available).join(_SKU, _SKU.c.id == b.sku_id).where(_SKU.c.opened_at.is_not(None))
    per_sku = counted.group_by(b.sku_id).subquery()
    query = select(func.coalesce(func.sum(-per_sku.c.available), 0)).where(per_sku.c.available < 0)
    return int(conn.execute(query).scalar_one())


def drift_counts(conn: Connection) -> dict[tuple[AccountId, str], int]:
    """Return how many foreign changes are kept, by account and state."""
    d = _DRIFT.c
    query = select(d.account, d.state, func.count()).group_by(d.account, d.state)
    return {(AccountId(account), state): int(count) for account, state, count in conn.execute(query)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How many writes ended, by account and outcome; `upto` is the id up to which all are counted."""

    upto: int
    counts: dict[tuple[AccountId, str], int]


def newest_write(conn: Connection) -> int:
    """Return the id of the last write, 0 when there is none."""
    return int(conn.execute(select(func.max(_WRITE.c.id))).scalar() or 0)


def ended_writes(conn: Connection, after: int) -> Ended:
    """Count writes above an id that ended, up to the first that has no outcome yet."""
    c = _WRITE.c
    pending = conn.execute(select(func.min(c.id)).where(c.open, c.state == "intended", c.id > after)).scalar()
    upto = newest_write(conn) if pending is None else int(pending) - 1
    query = select(c.account, c.state, func.count()).where(c.id > after, c.id <= upto).group_by(c.account, c.state)
    counts = {(AccountId(account), state): int(count) for account, state, count in conn.execute(query)}
    return Ended(upto=max(after, upto), counts=counts)
