"""Those who wait: entries, what each of them lacks, and the units that are held for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, literal_column, or_, select, tuple_, update

from syncd.core.restock import WITH_ORDER, Need
from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.core.tickets import TicketState
from syncd.store.rows_waiting import DeliveryRow, EntryRow, HoldRow, NeedRow
from syncd.store.statements import Among, append, change, fetch_all, insert_one, listed, run_many, table, upsert

_ENTRY = table(EntryRow)
_NEED = table(NeedRow)
_HOLD = table(HoldRow)
_DELIVERY = table(DeliveryRow)
# In the words of the partial index, without a parameter, so that it is used.
_LACKING = _NEED.c.units > literal_column("0")
_UNDONE = _DELIVERY.c.state != literal_column("'done'")
_OPEN_HOLD = _HOLD.c.ended_at.is_(None)
_PRESENT = select(
    exists(select(_NEED.c.entry_id).where(_LACKING)),
    exists(select(_ENTRY.c.id).where(_ENTRY.c.closed_at.is_(None))),
    exists(select(_HOLD.c.id).where(_OPEN_HOLD)),
    exists(select(_DELIVERY.c.id).where(_UNDONE)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Whether anybody waits, any entry is open, any unit is held and any delivery is being assigned at all."""

    needs: bool
    entries: bool
    holds: bool
    deliveries: bool


def present(conn: Connection) -> Presence:
    """Say what there is, so that nobody looks for what cannot be found."""
    needs, entries_, holds_, deliveries = map(bool, fetch_all(conn, _PRESENT, {})[0])
    return Presence(needs=needs, entries=entries_, holds=holds_, deliveries=deliveries)


@dataclass(slots=True)
class Entry:
    """A waitlist entry in the hands of a decision (`EntryRow`); its fields are in the order in which it is read."""

    id: int
    source: str
    key: str
    sku_id: SkuId
    quantity: int
    account: str
    order_row: int | None
    line_id: str
    order_number: str
    state: TicketState
    expected: str
    promised: str
    announced: str
    due_on: str
    amount: str
    currency: str
    language: str
    since: Instant
    contact_id: int | None
    event: str
    told_at: Instant | None
    closed_at: Instant | None
    reason: str
    restocked_at: Instant | None


_E = _ENTRY.c
_ENTRIES = select(*(_E[field.name] for field in fields(Entry)))
_BY_ID = _ENTRIES.where(Among(_E.id, "ids"))
_OF_ORDERS = _ENTRIES.where(_E.order_row.is_not(None), Among(_E.order_row, "ids")).order_by(_E.id)
_BY_KEY = _ENTRIES.where(_E.source == bindparam("source"), Among(_E.key, "keys"))
_OPEN_OF_SKU = (
    _ENTRIES.where(_E.sku_id == bindparam("sku_id"), _E.closed_at.is_(None), _E.id > bindparam("after"))
    .order_by(_E.id)
    .limit(bindparam("most"))
)
_SOON = (
    _ENTRIES.where(_E.closed_at.is_(None), _E.state == bindparam("state"))
    .where(_E.promised >= bindparam("first"), _E.promised <= bindparam("last"), _E.announced != _E.promised)
    .order_by(_E.id)
    .limit(bindparam("most"))
)
_STATES = {state.value: state for state in TicketState}


def _entries(conn: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Entry]:
    """Return entries; the query is one of those above, made once."""
    found = [Entry(*row) for row in fetch_all(conn, query, values)]
    for entry in found:
        entry.state = _STATES[entry.state]
    return found


def entries(conn: Connection, ids: Collection[int]) -> dict[int, Entry]:
    """Return these entries by number."""
    return {entry.id: entry for entry in _entries(conn, _BY_ID, {"ids": listed(conn, ids)})} if ids else {}


def of_orders(conn: Connection, order_rows: Collection[int]) -> list[Entry]:
    """Return the entries of these orders, closed ones too."""
    return _entries(conn, _OF_ORDERS, {"ids": listed(conn, order_rows)}) if order_rows else []


def by_keys(conn: Connection, source: str, keys: Collection[str]) -> dict[str, Entry]:
    """Return the entries of a source by their keys."""
    if not keys:
        return {}
    values = {"source": source, "keys": listed(conn, keys)}
    return {entry.key: entry for entry in _entries(conn, _BY_KEY, values)}


def open_of_sku(conn: Connection, sku_id: SkuId, *, after: int, limit: int) -> list[Entry]:
    """Return open entries of a SKU by number."""
    return _entries(conn, _OPEN_OF_SKU, {"sku_id": sku_id, "after": after, "most": limit})


def add_entry(conn: Connection, values: Mapping[str, Any]) -> int | None:
    """Add an entry; return its number, None where (source, key) is there already."""
    return insert_one(conn, EntryRow, values)


def save_entries(conn: Connection, changed: Collection[Entry]) -> None:
    """Write what changes on an entry while it waits."""
    rows = [
        {
            "k": entry.id,
            "v_state": entry.state.value,
            "v_quantity": entry.quantity,
            "v_expected": entry.expected,
            "v_promised": entry.promised,
            "v_announced": entry.announced,
            "v_event": entry.event,
            "v_told_at": entry.told_at,
            "v_closed_at": entry.closed_at,
            "v_reason": entry.reason,
            "v_restocked_at": entry.restocked_at,
        }
        for entry in changed
    ]
    change(conn, EntryRow, "id", rows)


# --- what is lacking -----------------------------------------------------------------------------------------------


def add_needs(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set what entries lack: entry_id, sku_id, units, tier, rank."""
    upsert(conn, NeedRow, keys=("entry_id", "sku_id"), values=rows)


_OF_NEED = and_(_NEED.c.entry_id == bindparam("k"), _NEED.c.sku_id == bindparam("s"))
_SET_UNITS = update(_NEED).where(_OF_NEED).values(units=bindparam("v"))
_SET_DAY = update(_NEED).where(_OF_NEED).values(day=bindparam("v"))


def set_units(conn: Connection, sku_id: SkuId, units: Mapping[int, int]) -> None:
    """Set how many units of a SKU these entries lack."""
    if units:
        run_many(conn, _SET_UNITS, (), [{"k": entry_id, "s": sku_id, "v": v} for entry_id, v in units.items()])


def set_days(conn: Connection, sku_id: SkuId, days: Mapping[int, str]) -> None:
    """Set when what these entries lack of a SKU will have come."""
    if days:
        run_many(conn, _SET_DAY, (), [{"k": entry_id, "s": sku_id, "v": v} for entry_id, v in days.items()])


_N = _NEED.c
_DAYS = (
    select(_N.entry_id, _N.day, _E.expected)
    .join(_ENTRY, _E.id == _N.entry_id)
    .where(Among(_N.entry_id, "ids"), _LACKING, _E.closed_at.is_(None), _E.state == TicketState.PENDING.value)
)
_NEEDS = select(_N.entry_id, _N.sku_id, _N.units).where(Among(_N.entry_id, "ids"))
_HERE = tuple_(_N.tier, _N.rank, _N.entry_id) > tuple_(bindparam("tier"), bindparam("rank"), bindparam("entry_id"))
_LINE = (
    select(_N.tier, _N.rank, _N.entry_id, _N.units, _N.day)
    .where(_N.sku_id == bindparam("sku_id"), _LACKING, _HERE)
    .order_by(_N.tier, _N.rank, _N.entry_id)
    .limit(bindparam("most"))
)
_TIER = _LINE.where(_N.tier == bindparam("only"))
_WANTED = (
    select(_N.sku_id, func.sum(_N.units))
    .where(Among(_N.sku_id, "ids"), _LACKING, _N.tier == bindparam("tier"))
    .group_by(_N.sku_id)
)
_AWAITED = select(_N.sku_id).where(Among(_N.sku_id, "ids"), _LACKING).distinct()


def unlike_expected(conn: Connection, entry_ids: Collection[int]) -> dict[int, str]:
    """Return the day that is expected now for those of these entries that wait and have another one stored.

    An entry that lacks several SKUs has the last of their days, and none while one of them has none.
    """
    found: dict[int, list[str]] = defaultdict(list)
    stored: dict[int, str] = {}
    for entry_id, day, expected in fetch_all(conn, _DAYS, {"ids": listed(conn, entry_ids)}) if entry_ids else ():
        found[entry_id].append(day)
        stored[entry_id] = expected
    days = {entry_id: "" if "" in mine else max(mine) for entry_id, mine in found.items()}
    return {entry_id: day for entry_id, day in days.items() if day != stored[entry_id]}


def soon(conn: Connection, *, first: str, last: str, limit: int) -> list[Entry]:
    """Return entries that still wait and were promised a day in this span that was not announced yet."""
    state = TicketState.PENDING.value
    return _entries(conn, _SOON, {"state": state, "first": first, "last": last, "most": limit})


def needs_of(conn: Connection, entry_ids: Collection[int]) -> dict[int, dict[SkuId, int]]:
    """Return what these entries lack, by entry and SKU; 0 where they have got it."""
    found: dict[int, dict[SkuId, int]] = defaultdict(dict)
    for entry_id, sku_id, units in fetch_all(conn, _NEEDS, {"ids": listed(conn, entry_ids)}) if entry_ids else ():
        found[entry_id][SkuId(sku_id)] = units
    return dict(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the line of a SKU; the one after it is found by it. `day` is the one that is noted there."""

    tier: int
    rank: int
    entry_id: int
    day: str = ""


START = Place(tier=-1, rank=0, entry_id=0)


def line(
    conn: Connection, sku_id: SkuId, *, limit: int, tier: int | None = None, after: Place = START
) -> list[tuple[Place, Need]]:
    """Return the next of the line of a SKU, of one tier or of both."""
    values = {"sku_id": sku_id, "tier": after.tier, "rank": after.rank, "entry_id": after.entry_id, "most": limit}
    rows = fetch_all(conn, _LINE, values) if tier is None else fetch_all(conn, _TIER, {**values, "only": tier})
    return [
        (Place(tier=t, rank=rank, entry_id=entry_id, day=day), Need(entry_id=entry_id, units=units))
        for t, rank, entry_id, units, day in rows
    ]


def wanted(conn: Connection, sku_ids: Collection[SkuId], *, tier: int = WITH_ORDER) -> dict[SkuId, int]:
    """Return how many units of each SKU those of a tier lack together."""
    rows = fetch_all(conn, _WANTED, {"ids": listed(conn, sku_ids), "tier": tier}) if sku_ids else ()
    return {SkuId(sku_id): int(units) for sku_id, units in rows}


def awaited(conn: Connection, sku_ids: Collection[SkuId]) -> set[SkuId]:
    """Return those of these SKUs that somebody lacks."""
    rows = fetch_all(conn, _AWAITED, {"ids": listed(conn, sku_ids)}) if sku_ids else ()
    return {SkuId(row[0]) for row in rows}


# --- what is held --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Hold:
    """Units held for an entry, in the hands of a decision (`HoldRow`); its fields are in the order of reading."""

    id: int
    entry_id: int
    delivery_id: int | None
    sku_id: SkuId
    location: Location
    account: AccountId
    reference: str
    units: int
    since: Instant
    until: Instant | None
    ended_at: Instant | None
    cause: str


_H, _D = _HOLD.c, _DELIVERY.c
_HOLDS = select(*(_H[field.name] for field in fields(Hold))).where(_OPEN_HOLD).order_by(_H.id)
_HOLDS_OF_SKUS = _HOLDS.where(Among(_H.sku_id, "ids"))
_HOLDS_BY_ID = _HOLDS.where(Among(_H.id, "ids"))
_HOLDS_OF = _HOLDS.where(Among(_H.entry_id, "ids"))
_HOLDS_DUE = _HOLDS.where(_H.until <= bindparam("now")).limit(bindparam("most"))
_KEPT = select(_H.sku_id, func.sum(_H.units)).where(Among(_H.sku_id, "ids"), _OPEN_HOLD).group_by(_H.sku_id)
_COMING = select(_D.sku_id, func.sum(_D.remaining)).where(Among(_D.sku_id, "ids"), _UNDONE).group_by(_D.sku_id)
_OPENED = (
    select(_H.account, _H.sku_id, _H.location, func.sum(_H.units))
    .where(Among(_H.sku_id, "ids"), _OPEN_HOLD, _H.account != "", _H.until.is_not(None))
    .group_by(_H.account, _H.sku_id, _H.location)
)


def _holds(conn: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Hold]:
    """Return holds; the query is one of those above, made once."""
    return [Hold(*row) for row in fetch_all(conn, query, values)]


def holds(conn: Connection, sku_ids: Collection[SkuId]) -> list[Hold]:
    """Return the open holds of these SKUs, oldest first."""
    return _holds(conn, _HOLDS_OF_SKUS, {"ids": listed(conn, sku_ids)}) if sku_ids else []


def holds_by_id(conn: Connection, ids: Collection[int]) -> list[Hold]:
    """Return these holds, those that are open."""
    return _holds(conn, _HOLDS_BY_ID, {"ids": listed(conn, ids)}) if ids else []


def holds_of(conn: Connection, entry_ids: Collection[int]) -> list[Hold]:
    """Return the open holds of these entries."""
    return _holds(conn, _HOLDS_OF, {"ids": listed(conn, entry_ids)}) if entry_ids else []


def holds_due(conn: Connection, *, now: Instant, limit: int) -> list[Hold]:
    """Return holds whose time is over."""
    return _holds(conn, _HOLDS_DUE, {"now": now, "most": limit})


def held(conn: Connection, sku_ids: Collection[SkuId]) -> dict[SkuId, int]:
    """Return how many units of each SKU are held for entries or by deliveries that are being assigned."""
    found: dict[SkuId, int] = defaultdict(int)
    if sku_ids:
        values = {"ids": listed(conn, sku_ids)}
        for sku_id, units in (*fetch_all(conn, _KEPT, values), *fetch_all(conn, _COMING, values)):
            found[SkuId(sku_id)] += int(units)
    return found


def opened_for(conn: Connection, sku_ids: Collection[SkuId]) -> dict[AccountId, dict[tuple[SkuId, Location], int]]:
    """Return the units that one channel alone shows, for the entries that wait there."""
    found: dict[AccountId, dict[tuple[SkuId, Location], int]] = defaultdict(dict)
    rows = fetch_all(conn, _OPENED, {"ids": listed(conn, sku_ids)}) if sku_ids else ()
    for account, sku_id, location, units in rows:
        found[AccountId(account)][SkuId(sku_id), Location(location)] = int(units)
    return dict(found)


def add_holds(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add holds."""
    append(conn, HoldRow, rows)


def save_holds(conn: Connection, changed: Collection[Hold]) -> None:
    """Write what changes on a hold."""
    rows = [
        {
            "k": hold.id,
            "v_units": hold.units,
            "v_until": hold.until,
            "v_ended_at": hold.ended_at,
            "v_cause": hold.cause,
            "v_reference": hold.reference,
        }
        for hold in changed
    ]
    change(conn, HoldRow, "id", rows)


_BEGUN = (
    update(_HOLD)
    .values(until=bindparam("v"))
    .where(Among(_H.entry_id, "ids"), _OPEN_HOLD, or_(_H.until.is_(None), _H.until < bindparam("v")))
)


def start_holds(conn: Connection, entry_ids: Collection[int], *, until: Instant) -> None:
    """Let the time of these entries' holds begin: nothing is missing any more."""
    if entry_ids:
        run_many(conn, _BEGUN, (), [{"ids": listed(conn, entry_ids), "v": until}])


def set_sku(conn: Connection, entry_id: int, sku_id: SkuId) -> None:
    """Let an entry wait for another SKU: its order line was mapped anew."""
    conn.execute(update(_ENTRY).where(_ENTRY.c.id == entry_id).values(sku_id=sku_id))


def set_order(conn: Connection, entry_id: int, *, order_row: int, line_id: str, number: str) -> None:
    """Let an entry be one with an order: it has bought what it waited for."""
    values = {"order_row": order_row, "line_id": line_id, "order_number": number}
    conn.execute(update(_ENTRY).where(_ENTRY.c.id == entry_id).values(**values))


def next_hold_end(conn: Connection) -> Instant | None:
    """Return when the next hold ends, None where none has an end."""
    return conn.execute(select(func.min(_HOLD.c.until)).where(_OPEN_HOLD)).scalar()
