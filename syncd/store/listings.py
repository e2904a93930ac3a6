"""Listings: what each should show, is believed to show and was seen to show, and our writes to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, not_, or_, select, update

from syncd.core.facts import AccountState
from syncd.core.plan import Lane
from syncd.core.shown import Base
from syncd.core.terms import AccountId, Instant, ListingInfo, ListingRef, Location, SkuId
from syncd.store.rows import AccountRow, ListingRow
from syncd.store.statements import Among, change, fetch_all, insert_new, listed, table

_LISTING, _ACCOUNT = table(ListingRow), table(AccountRow)


@dataclass(slots=True, kw_only=True)
class Listing:
    """A listing in the hands of a decision; `changed` says that it must be saved.

    `place` is where it belonged when it was loaded: its SKU, its location, and whether it had vanished.
    """

    id: int
    account: AccountId
    ref: ListingRef
    sku_id: SkuId | None
    location: Location
    remote_sku: str
    active: bool
    managed: bool
    vanished: bool
    target: int | None
    base: Base | None
    low: int | None
    high: int | None
    lane: int | None
    due_at: Instant | None
    attempts: int
    in_flight: bool
    stale: bool
    held: str
    parked: str
    seen: int | None
    seen_at: Instant | None
    demand: float
    demand_at: Instant | None
    place: tuple[SkuId | None, str, bool]
    changed: bool = False


_COLUMNS = tuple(
    _LISTING.c[name]
    for name in (
        "id", "account", "remote_id", "remote_location", "sku_id", "location", "remote_sku", "active", "managed",
        "vanished_at", "target", "base", "base_from", "base_until", "low", "high", "lane", "due_at", "attempts",
        "in_flight", "stale", "held", "parked", "seen", "seen_at", "demand", "demand_at",
    )
)  # fmt: skip


def _listing(row: Sequence[Any]) -> Listing:
    (
        row_id, account, remote_id, remote_location, sku_id, location, remote_sku, active, managed, vanished_at,
        target, base, base_from, base_until, low, high, lane, due_at, attempts, in_flight, stale, held, parked, seen,
        seen_at, demand, demand_at,
    ) = row  # fmt: skip
    return Listing(
        id=row_id,
        account=account,
        ref=ListingRef(remote_id=remote_id, remote_location=remote_location),
        sku_id=sku_id,
        location=location,
        remote_sku=remote_sku,
        active=active == 1,
        managed=managed == 1,
        vanished=vanished_at is not None,
        target=target,
        base=None if base is None else Base(value=base, since=base_from, until=base_until),
        low=low,
        high=high,
        lane=lane,
        due_at=due_at,
        attempts=attempts,
        in_flight=in_flight == 1,
        stale=stale == 1,
        held=held,
        parked=parked,
        seen=seen,
        seen_at=seen_at,
        demand=demand,
        demand_at=demand_at,
        place=(sku_id, location, vanished_at is not None),
    )


def _load(conn: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Listing]:
    return [_listing(row) for row in fetch_all(conn, query, values)]


_OF_SKUS = select(*_COLUMNS).where(Among(_LISTING.c.sku_id, "ids"))
_BY_REMOTE = select(*_COLUMNS).where(_LISTING.c.account == bindparam("account"), Among(_LISTING.c.remote_id, "ids"))
_BY_REMOTES = select(*_COLUMNS).where(Among(_LISTING.c.account, "accounts"), Among(_LISTING.c.remote_id, "ids"))
_BY_ID = select(*_COLUMNS).where(Among(_LISTING.c.id, "ids"))
_PAGE = select(*_COLUMNS).where(_LISTING.c.id > bindparam("after")).order_by(_LISTING.c.id).limit(bindparam("most"))
# The empty text keeps the planner on the primary key: the index on accounts would sort a whole account for each page.
_PAGE_OF = _PAGE.where((_LISTING.c.account + "") == bindparam("account"))
_DUE_WHERE = and_(
    _LISTING.c.account == bindparam("account"), Among(_LISTING.c.lane, "lanes"), _LISTING.c.in_flight.is_(False)
)
_DUE = (
    select(*_COLUMNS)
    .where(_DUE_WHERE, _LISTING.c.due_at <= bindparam("now"))
    .order_by(_LISTING.c.lane, _LISTING.c.due_at)
    .limit(bindparam("most"))
)
_DUE_COUNT = select(func.count()).select_from(
    select(_LISTING.c.id).where(_DUE_WHERE, _LISTING.c.due_at <= bindparam("now")).limit(bindparam("most")).subquery()
)
_NEXT_DUE = select(func.min(_LISTING.c.due_at)).where(_DUE_WHERE)


def of_skus(conn: Connection, ids: Collection[SkuId], *, known: Collection[int] = ()) -> list[Listing]:
    """Return every listing of these SKUs, but those with a `known` id."""
    rows = fetch_all(conn, _OF_SKUS, {"ids": listed(conn, ids)}) if ids else []
    return [_listing(row) for row in rows if row[0] not in known]


def by_remote(conn: Connection, account: AccountId, remote_ids: Collection[str]) -> list[Listing]:
    """Return every listing of an account with one of these remote ids, at any remote location."""
    return _load(conn, _BY_REMOTE, {"account": account, "ids": listed(conn, remote_ids)}) if remote_ids else []


def by_remotes(conn: Connection, wanted: Collection[tuple[AccountId, str]]) -> list[Listing]:
    """Return every listing with one of these (account, remote id); some with another pair of both may be among them."""
    if not wanted:
        return []
    names, ids = {account for account, _ in wanted}, {remote_id for _, remote_id in wanted}
    return _load(conn, _BY_REMOTES, {"accounts": listed(conn, sorted(names)), "ids": listed(conn, sorted(ids))})


def by_id(conn: Connection, ids: Collection[int]) -> list[Listing]:
    """Return these listings."""
    return _load(conn, _BY_ID, {"ids": listed(conn, ids)}) if ids else []


def page(conn: Connection, *, after: int, limit: int, account: AccountId | None = None) -> list[Listing]:
    """Return the next listings by id, of one account or of all."""
    values = {"after": after, "most": limit, "account": account}
    return _load(conn, _PAGE if account is None else _PAGE_OF, values)


def due(conn: Connection, account: AccountId, *, lanes: Collection[Lane], now: Instant, limit: int) -> list[Listing]:
    """Return listings with work that is due and not in flight, most urgent first."""
    wanted = listed(conn, [int(lane) for lane in lanes])
    return _load(conn, _DUE, {"account": account, "lanes": wanted, "now": now, "most": limit})


def due_count(conn: Connection, account: AccountId, *, lanes: Collection[Lane], now: Instant, most: int) -> int:
    """Return how many listings have work that is due in these lanes; counting ends at `most`."""
    values = {"account": account, "lanes": listed(conn, [int(lane) for lane in lanes]), "now": now, "most": most}
    return int(fetch_all(conn, _DUE_COUNT, values)[0][0])


def next_due(conn: Connection, account: AccountId, *, lanes: Collection[Lane]) -> Instant | None:
    """Return when the next work of these lanes is due."""
    wanted = listed(conn, [int(lane) for lane in lanes])
    found: Instant | None = fetch_all(conn, _NEXT_DUE, {"account": account, "lanes": wanted})[0][0]
    return found


def count(conn: Connection, account: AccountId) -> int:
    """Return how many listings an account has."""
    return int(conn.execute(select(func.count()).where(_LISTING.c.account == account)).scalar_one())


def any_placed(conn: Connection) -> bool:
    """Say whether a listing sells from a place of its own."""
    return conn.execute(select(_LISTING.c.id).where(_LISTING.c.location != "").limit(1)).first() is not None


def busy(conn: Connection) -> int:
    """Return how many listings have a write under way, or a fall to be sent; a raise may wait for long."""
    c = _LISTING.c
    return int(conn.execute(select(func.count()).where(or_(c.lane.in_([0, 1]), c.in_flight))).scalar_one())


def released(conn: Connection) -> dict[AccountId, int]:
    """Return how many listings of each released account have a target."""
    live = select(_ACCOUNT.c.name).where(_ACCOUNT.c.state == AccountState.LIVE.value)
    mine = (_LISTING.c.target.is_not(None), _LISTING.c.account.in_(live))
    query = select(_LISTING.c.account, func.count()).where(*mine).group_by(_LISTING.c.account)
    return {AccountId(name): int(number) for name, number in conn.execute(query)}


def save(conn: Connection, listings: Iterable[Listing], *, now: Instant) -> None:
    """Write what was decided on listings."""
    stayed: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for listing in listings:
        values = _values(listing)
        if listing.place == (listing.sku_id, listing.location, listing.vanished):
            stayed.append(values)  # an index is not written again for a column that is not named
        else:
            moved.append(values | _place_values(listing, now))
    for rows in (stayed, moved):
        if rows:
            change(conn, ListingRow, "id", rows)


def take(conn: Connection, listings: Iterable[Listing]) -> None:
    """Note that a write to each of these listings is under way: nothing else of them has changed."""
    rows = [{"k": x.id, "v_in_flight": True, "v_lane": None, "v_due_at": None} for x in listings]
    if rows:
        change(conn, ListingRow, "id", rows)


def _place_values(listing: Listing, now: Instant) -> dict[str, Any]:
    vanished_at = now if listing.vanished else None
    return {"v_sku_id": listing.sku_id, "v_location": listing.location, "v_vanished_at": vanished_at}


def _values(listing: Listing) -> dict[str, Any]:
    base = listing.base
    return {
        "k": listing.id,
        "v_target": listing.target,
        "v_base": None if base is None else base.value,
        "v_base_from": None if base is None else base.since,
        "v_base_until": None if base is None else base.until,
        "v_low": listing.low,
        "v_high": listing.high,
        "v_lane": listing.lane,
        "v_due_at": listing.due_at,
        "v_attempts": listing.attempts,
        "v_in_flight": listing.in_flight,
        "v_stale": listing.stale,
        "v_held": listing.held,
        "v_parked": listing.parked,
        "v_seen": listing.seen,
        "v_seen_at": listing.seen_at,
        "v_demand": listing.demand,
        "v_demand_at": listing.demand_at,
    }


def touch_seen(conn: Connection, values: Sequence[tuple[int, int, Instant]]) -> None:
    """Note readings that confirm a belief, so that there is nothing to do: (listing id, quantity, instant)."""
    if values:
        rows = [{"k": k, "v_seen": seen, "v_seen_at": at, "v_lane": None, "v_due_at": None} for k, seen, at in values]
        change(conn, ListingRow, "id", rows)


def closed_among(conn: Connection, account: AccountId, remote_ids: Collection[str]) -> set[ListingRef]:
    """Return the listings of an account with one of these remote ids that nobody can buy, as far as is known."""
    c = _LISTING.c
    query = select(c.remote_id, c.remote_location).where(c.account == account, not_(c.active))
    rows = conn.execute(query.where(Among(c.remote_id, "ids")), {"ids": listed(conn, remote_ids)}) if remote_ids else ()
    return {ListingRef(remote_id=remote_id, remote_location=place) for remote_id, place in rows}


def catalogue(
    conn: Connection, account: AccountId, infos: Sequence[ListingInfo], *, skus: Mapping[str, SkuId], now: Instant
) -> None:
    """Make listings known, or refresh what the channel says of them; a mapping that is there stays."""
    rows = [_catalogue_values(account, info, skus, now) for info in infos]
    insert_new(conn, ListingRow, keys=("account", "remote_id", "remote_location"), values=rows)
    c = _LISTING.c
    for row in rows:
        where = and_(c.account == account, c.remote_id == row["remote_id"], c.remote_location == row["remote_location"])
        fresh = {name: row[name] for name in ("remote_sku", "title", "active", "managed", "catalogued_at")}
        conn.execute(update(_LISTING).where(where).values(**fresh, vanished_at=None))


def _catalogue_values(account: AccountId, info: ListingInfo, skus: Mapping[str, SkuId], now: Instant) -> dict[str, Any]:
    return {
        "account": account,
        "remote_id": info.ref.remote_id,
        "remote_location": info.ref.remote_location,
        "remote_sku": info.sku,
        "title": info.title[:200],
        "sku_id": skus.get(info.sku),
        "active": info.active,
        "managed": info.managed,
        "catalogued_at": now,
    }


def set_active(conn: Connection, listing_id: int, *, active: bool) -> None:
    """Note whether a listing can be bought, until the next catalogue says so."""
    conn.execute(update(_LISTING).where(_LISTING.c.id == listing_id).values(active=active))


def _unseen(account: AccountId, before: Instant) -> ColumnElement[bool]:
    c = _LISTING.c
    return and_(c.account == account, c.vanished_at.is_(None), or_(c.catalogued_at < before, c.catalogued_at.is_(None)))


def going(conn: Connection, account: AccountId, *, before: Instant) -> list[int]:
    """Return the targets of listings that a finished catalogue read did not show, of those that have one."""
    query = select(_LISTING.c.target).where(_unseen(account, before), _LISTING.c.target.is_not(None))
    return list(conn.execute(query).scalars())


def vanish(conn: Connection, account: AccountId, *, before: Instant, now: Instant) -> int:
    """Note listings that a finished catalogue read did not show; return how many are new.

    Nobody watches their numbers from now on: what was believed of them is forgotten, so that they are read first when
    they come back.
    """
    unknown = dict.fromkeys(("lane", "due_at", "target", "base", "base_from", "base_until", "low", "high"))
    gone = {"vanished_at": now, "stale": False, **unknown}
    return conn.execute(update(_LISTING).where(_unseen(account, before)).values(**gone)).rowcount
