"""Listings as people look at them: what each should show, seems to show and was seen to show. Read-only."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from syncd.core.terms import AccountId, Instant
from syncd.store import accounts
from syncd.store.rows import BalanceRow, BrakeRow, DriftRow, KitRow, ListingRow, SkuRow
from syncd.store.statements import table
from syncd.store.views import contains, lane_name, moment, moment_or_none

_SKU = table(SkuRow)
_LISTING = table(ListingRow)
_DRIFT = table(DriftRow)
_BRAKE = table(BrakeRow)
_KIT = table(KitRow)
_BALANCE = table(BalanceRow)
_PROMISED = select(_BALANCE.c.sku_id, func.sum(_BALANCE.c.committed).label("units")).group_by(_BALANCE.c.sku_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingView:
    """A place where a channel shows a number: `low` to `high` is what it is believed to show, `lane` what waits."""

    id: int
    account: str
    remote_id: str
    remote_location: str
    remote_sku: str
    title: str
    sku: str | None
    location: str
    active: bool
    managed: bool
    vanished: bool
    target: int | None
    low: int | None
    high: int | None
    seen: int | None
    seen_at: datetime | None
    lane: str | None
    due_at: datetime | None
    in_flight: bool
    held: str
    parked: str


_SHOWN = (
    "id", "account", "remote_id", "remote_location", "remote_sku", "title", "location", "active", "managed", "target",
    "low", "high", "seen", "in_flight", "held", "parked",
)  # fmt: skip


def listing_views(conn: Connection, *where: ColumnElement[bool], limit: int | None) -> list[ListingView]:
    """Return the listings for which all conditions hold, in the order of their ids."""
    columns = [_LISTING.c[name] for name in (*_SHOWN, "vanished_at", "seen_at", "lane", "due_at")]
    query = select(*columns, _SKU.c.code).outerjoin(_SKU, _SKU.c.id == _LISTING.c.sku_id)
    rows = conn.execute(query.where(*where).order_by(_LISTING.c.id).limit(limit))
    return [
        ListingView(
            **{name: row[name] for name in _SHOWN},
            sku=row["code"],
            vanished=row["vanished_at"] is not None,
            seen_at=moment_or_none(row["seen_at"]),
            lane=lane_name(row["lane"]),
            due_at=moment_or_none(row["due_at"]),
        )
        for row in rows.mappings()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingFilter:
    """Which listings are asked for; what is None or empty asks for nothing."""

    account: str = ""
    text: str = ""
    unmapped: bool | None = None
    parked: bool | None = None
    held: bool | None = None
    vanished: bool | None = None


def listings(conn: Connection, asked: ListingFilter, *, after: int = 0, limit: int) -> list[ListingView]:
    """Return listings in the order of their ids, those above `after`."""
    c = _LISTING.c
    where: list[ColumnElement[bool]] = [c.id > after]
    if asked.account:
        where.append(c.account == asked.account)
    if asked.text:
        where.append(contains(asked.text, c.remote_id, c.remote_sku, c.title))
    for wanted, condition in (
        (asked.unmapped, c.sku_id.is_(None)),
        (asked.parked, c.parked != ""),
        (asked.held, c.held != ""),
        (asked.vanished, c.vanished_at.is_not(None)),
    ):
        if wanted is not None:
            where.append(condition if wanted else ~condition)
    return listing_views(conn, *where, limit=limit)


NAMED = 5
"""Listings that are named where many are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """How many listings of an account belong to no SKU, went from it lately or were refused, and the first of each."""

    unmapped: int = 0
    vanished: int = 0
    parked: int = 0
    unmapped_names: tuple[str, ...] = ()
    vanished_names: tuple[str, ...] = ()
    parked_names: tuple[str, ...] = ()


def strays(conn: Connection, account: AccountId, *, since: Instant) -> Strays:
    """Count the listings of an account without a SKU, those that vanished at `since` or later, and refused ones."""
    c = _LISTING.c
    unmapped = and_(c.account == account, c.vanished_at.is_(None), c.sku_id.is_(None))
    vanished = and_(c.account == account, c.vanished_at >= since)
    parked = and_(c.account == account, c.vanished_at.is_(None), c.parked != "")
    wanted = (unmapped, vanished, parked)
    counts = select(*(func.count().filter(one) for one in wanted)).where(c.account == account)
    first, second, third = tuple(conn.execute(counts).one())
    return Strays(
        unmapped=first,
        vanished=second,
        parked=third,
        unmapped_names=_names(conn, unmapped) if first else (),
        vanished_names=_names(conn, vanished) if second else (),
        parked_names=_names(conn, parked) if third else (),
    )


def _names(conn: Connection, where: ColumnElement[bool]) -> tuple[str, ...]:
    query = select(_LISTING.c.remote_sku, _LISTING.c.remote_id).where(where).order_by(_LISTING.c.id).limit(NAMED)
    return tuple(row.remote_sku or row.remote_id for row in conn.execute(query))


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuCode:
    """A SKU to compare codes with: `settled` when it was counted or is a kit; `promised` units wait to be shipped."""

    sku_id: int
    code: str
    settled: bool
    promised: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingCode:
    """A listing that is there, and the code that its channel has for it."""

    account: str
    remote_id: str
    remote_location: str
    remote_sku: str
    sku_id: int | None


def codes(conn: Connection) -> tuple[list[SkuCode], list[ListingCode]]:
    """Return all SKUs and all listings that are there, in the order of their ids."""
    promised = {row.sku_id: int(row.units) for row in conn.execute(_PROMISED)}
    kits = set(conn.execute(select(_KIT.c.kit_id).distinct()).scalars())
    skus = [
        SkuCode(
            sku_id=row.id,
            code=row.code,
            settled=row.opened_at is not None or row.id in kits,
            promised=promised.get(row.id, 0),
        )
        for row in conn.execute(select(_SKU.c.id, _SKU.c.code, _SKU.c.opened_at).order_by(_SKU.c.id))
    ]
    c = _LISTING.c
    names = ("account", "remote_id", "remote_location", "remote_sku", "sku_id")
    query = select(*(c[name] for name in names)).where(c.vanished_at.is_(None)).order_by(c.id)
    return skus, [ListingCode(**row) for row in conn.execute(query).mappings()]


def fold(code: str) -> str:
    """Return a code without differences of case, width (Unicode NFKC) and surrounding space."""
    return unicodedata.normalize("NFKC", code).casefold().strip()


# --- what waits for a person ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftView:
    """A number that somebody else changed and that waits for a person's word."""

    id: int
    account: str
    remote_id: str
    remote_location: str
    sku: str | None
    seen: int
    expected_low: int
    expected_high: int
    at: datetime


def pending_drift(conn: Connection, *, limit: int) -> list[DriftView]:
    """Return drift that waits, oldest first."""
    d, c = _DRIFT.c, _LISTING.c
    query = (
        select(d.id, d.account, c.remote_id, c.remote_location, d.seen, d.expected_low, d.expected_high, d.at)
        .add_columns(_SKU.c.code.label("sku"))
        .join(_LISTING, c.id == d.listing_id)
        .outerjoin(_SKU, _SKU.c.id == d.sku_id)
        .where(d.state == "pending")
        .order_by(d.id)
        .limit(limit)
    )
    return [DriftView(**{**row, "at": moment(row["at"])}) for row in conn.execute(query).mappings()]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeView:
    """A change that the brake holds: how many listings would fall to zero or rise, of how many.

    `inbox_id` is the fact that is held, 0 for changed settings.
    """

    id: int
    inbox_id: int
    cause: str
    to_zero: int
    raised: int
    listings: int
    at: datetime


def brakes(conn: Connection) -> list[BrakeView]:
    """Return what the brake holds."""
    names = ("id", "inbox_id", "cause", "to_zero", "raised", "listings")
    return [BrakeView(**{n: getattr(row, n) for n in names}, at=moment(row.at)) for row in accounts.held(conn)]


# --- before an account is released --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    """What writing to an account would do: of `listings`, how many would change, and why others would not.

    `unopened` have a SKU without an opening count (or its place is not known), `unread` were never seen.
    """

    listings: int
    changes: int
    to_zero: int
    raises: int
    falls: int
    unopened: int
    unmapped: int
    unmanaged: int
    parked: int
    unread: int


def release_preview(conn: Connection, account: str) -> ReleaseView:
    """Return what writing to an account would do, by what is believed now."""
    c = _LISTING.c
    falls = c.target.is_not(None) & (c.high > c.target)
    writable = c.target.is_not(None) & (c.parked == "")
    counted: dict[str, ColumnElement[bool]] = {
        "listings": c.id.is_not(None),
        "changes": or_(falls, writable & or_(c.low != c.target, c.high != c.target)),
        "to_zero": falls & (c.target == 0),
        "raises": writable & (c.high < c.target),
        "falls": falls,
        "unopened": c.target.is_(None) & c.sku_id.is_not(None) & c.managed,
        "unmapped": c.sku_id.is_(None),
        "unmanaged": ~c.managed,
        "parked": c.parked != "",
        "unread": c.low.is_(None),
    }
    sums = [func.count().filter(condition).label(name) for name, condition in counted.items()]
    row = conn.execute(select(*sums).where(c.account == account, c.vanished_at.is_(None))).mappings().one()
    return ReleaseView(**row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How the brake ended for a fact: `state` is held, released or refused."""

    id: int
    state: str


def held_by(conn: Connection, inbox_id: int) -> Held | None:
    """Return what the brake did with a fact, None where it let it pass."""
    b = _BRAKE.c
    row = conn.execute(select(b.id, b.state).where(b.inbox_id == inbox_id).order_by(b.id.desc()).limit(1)).first()
    return None if row is None else Held(id=row.id, state=row.state)
