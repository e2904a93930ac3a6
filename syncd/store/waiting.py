"""Those who wait: entries, what each of them lacks, and the units that are held for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select, tuple_, update

from syncd.core.restock import WITH_ORDER, Need
from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.core.tickets import TicketState
from syncd.store.rows_waiting import DeliveryRow, EntryRow, HoldRow, NeedRow
from syncd.store.statements import Among, append, change, insert_one, listed, table, upsert

_ENTRY = table(EntryRow)
_NEED = table(NeedRow)
_HOLD = table(HoldRow)
_DELIVERY = table(DeliveryRow)
_LACKING = _NEED.c.units > 0
_OPEN_HOLD = _HOLD.c.ended_at.is_(None)
_PRESENT = select(
    exists(select(_NEED.c.entry_id).where(_LACKING)),
    exists(select(_ENTRY.c.id).where(_ENTRY.c.closed_at.is_(None))),
    exists(select(_HOLD.c.id).where(_OPEN_HOLD)),
    exists(select(_DELIVERY.c.id).where(_DELIVERY.c.state != "done")),
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
    row = conn.execute(_PRESENT).one()
    return Presence(needs=bool(row[0]), entries=bool(row[1]), holds=bool(row[2]), deliveries=bool(row[3]))


@dataclass(slots=True, kw_only=True)
class Entry:
    """A waitlist entry in the hands of a decision (`EntryRow`)."""

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


def _entries(conn: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Entry]:
    rows = conn.execute(query, values).mappings()
    return [Entry(**{**row, "state": TicketState(row["state"])}) for row in rows]


def entries(conn: Connection, ids: Collection[int]) -> dict[int, Entry]:
    """Return these entries by number."""
    if not ids:
        return {}
    query = select(_ENTRY).where(Among(_ENTRY.c.id, "ids"))
    return {entry.id: entry for entry in _entries(conn, query, {"ids": listed(conn, ids)})}


def of_orders(conn: Connection, order_rows: Collection[int]) -> list[Entry]:
    """Return the entries of these orders, closed ones too."""
    if not order_rows:
        return []
    query = select(_ENTRY).where(_ENTRY.c.order_row.is_not(None), Among(_ENTRY.c.order_row, "ids"))
    return _entries(conn, query.order_by(_ENTRY.c.id), {"ids": listed(conn, order_rows)})


def by_keys(conn: Connection, source: str, keys: Collection[str]) -> dict[str, Entry]:
    """Return the entries of a source by their keys."""
    if not keys:
        return {}
    query = select(_ENTRY).where(_ENTRY.c.source == source, Among(_ENTRY.c.key, "keys"))
    return {entry.key: entry for entry in _entries(conn, query, {"keys": listed(conn, keys)})}


def open_of_sku(conn: Connection, sku_id: SkuId, *, after: int, limit: int) -> list[Entry]:
    """Return open entries of a SKU by number."""
    query = select(_ENTRY).where(_ENTRY.c.sku_id == sku_id, _ENTRY.c.closed_at.is_(None), _ENTRY.c.id > after)
    return _entries(conn, query.order_by(_ENTRY.c.id).limit(limit), {})


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


def set_units(conn: Connection, sku_id: SkuId, units: Mapping[int, int]) -> None:
    """Set how many units of a SKU these entries lack."""
    if units:
        mine = and_(_NEED.c.sku_id == sku_id, Among(_NEED.c.entry_id, "ids"))
        for wanted in sorted(set(units.values())):
            ids = [entry_id for entry_id, lacks in units.items() if lacks == wanted]
            conn.execute(update(_NEED).where(mine).values(units=wanted), {"ids": listed(conn, ids)})


def set_days(conn: Connection, sku_id: SkuId, days: Mapping[int, str]) -> None:
    """Set when what these entries lack of a SKU will have come."""
    mine = and_(_NEED.c.sku_id == sku_id, Among(_NEED.c.entry_id, "ids"))
    for day in sorted(set(days.values())):
        ids = [entry_id for entry_id, found in days.items() if found == day]
        conn.execute(update(_NEED).where(mine).values(day=day), {"ids": listed(conn, ids)})


def days_of(conn: Connection, entry_ids: Collection[int]) -> dict[int, list[str]]:
    """Return when what these entries lack will have come, one day for each SKU of which they lack some."""
    query = select(_NEED.c.entry_id, _NEED.c.day).where(Among(_NEED.c.entry_id, "ids"), _LACKING)
    found: dict[int, list[str]] = defaultdict(list)
    for entry_id, day in conn.execute(query, {"ids": listed(conn, entry_ids)}) if entry_ids else ():
        found[entry_id].append(day)
    return dict(found)


def soon(conn: Connection, *, first: str, last: str, limit: int) -> list[Entry]:
    """Return entries that still wait and were promised a day in this span that was not announced yet."""
    e = _ENTRY.c
    query = select(_ENTRY).where(e.closed_at.is_(None), e.state == TicketState.PENDING.value)
    query = query.where(e.promised >= first, e.promised <= last, e.announced != e.promised)
    return _entries(conn, query.order_by(e.id).limit(limit), {})


def needs_of(conn: Connection, entry_ids: Collection[int]) -> dict[int, dict[SkuId, int]]:
    """Return what these entries lack, by entry and SKU; 0 where they have got it."""
    if not entry_ids:
        return {}
    columns = (_NEED.c.entry_id, _NEED.c.sku_id, _NEED.c.units)
    query = select(*columns).where(Among(_NEED.c.entry_id, "ids"))
    found: dict[int, dict[SkuId, int]] = defaultdict(dict)
    for entry_id, sku_id, units in conn.execute(query, {"ids": listed(conn, entry_ids)}):
        found[entry_id][SkuId(sku_id)] = units
    return dict(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the line of a SKU; the one after it is found by it."""

    tier: int
    rank: int
    entry_id: int


START = Place(tier=-1, rank=0, entry_id=0)


def line(
    conn: Connection, sku_id: SkuId, *, limit: int, tier: int | None = None, after: Place = START
) -> list[tuple[Place, Need]]:
    """Return the next of the line of a SKU, of one tier or of both."""
    c = _NEED.c
    here = tuple_(c.tier, c.rank, c.entry_id) > tuple_(after.tier, after.rank, after.entry_id)
    query = select(c.tier, c.rank, c.entry_id, c.units).where(c.sku_id == sku_id, _LACKING, here)
    if tier is not None:
        query = query.where(c.tier == tier)
    rows = conn.execute(query.order_by(c.tier, c.rank, c.entry_id).limit(limit))
    return [
        (Place(tier=t, rank=rank, entry_id=entry_id), Need(entry_id=entry_id, units=units))
        for t, rank, entry_id, units in rows
    ]


def wanted(conn: Connection, sku_ids: Collection[SkuId], *, tier: int = WITH_ORDER) -> dict[SkuId, int]:
    """Return how many units of each SKU those of a tier lack together."""
    c = _NEED.c
    query = select(c.sku_id, func.sum(c.units)).where(Among(c.sku_id, "ids"), _LACKING, c.tier == tier)
    rows = conn.execute(query.group_by(c.sku_id), {"ids": listed(conn, sku_ids)}) if sku_ids else ()
    return {SkuId(sku_id): int(units) for sku_id, units in rows}


def awaited(conn: Connection, sku_ids: Collection[SkuId]) -> set[SkuId]:
    """Return those of these SKUs that somebody lacks."""
    if not sku_ids:
        return set()
    query = select(_NEED.c.sku_id).where(Among(_NEED.c.sku_id, "ids"), _LACKING).distinct()
    return {SkuId(sku_id) for sku_id in conn.execute(query, {"ids": listed(conn, sku_ids)}).scalars()}


# --- what is held --------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Hold:
    """Units held for an entry, in the hands of a decision (`HoldRow`)."""

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


def _holds(conn: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Hold]:
    return [Hold(**row) for row in conn.execute(query.order_by(_HOLD.c.id), values).mappings()]


def holds(conn: Connection, sku_ids: Collection[SkuId]) -> list[Hold]:
    """Return the open holds of these SKUs, oldest first."""
    if not sku_ids:
        return []
    query = select(_HOLD).where(Among(_HOLD.c.sku_id, "ids"), _OPEN_HOLD)
    return _holds(conn, query, {"ids": listed(conn, sku_ids)})


def holds_by_id(conn: Connection, ids: Collection[int]) -> list[Hold]:
    """Return these holds, those that are open."""
    query = select(_HOLD).where(Among(_HOLD.c.id, "ids"), _OPEN_HOLD)
    return _holds(conn, query, {"ids": listed(conn, ids)}) if ids else []


def holds_of(conn: Connection, entry_ids: Collection[int]) -> list[Hold]:
    """Return the open holds of these entries."""
    query = select(_HOLD).where(Among(_HOLD.c.entry_id, "ids"), _OPEN_HOLD)
    return _holds(conn, query, {"ids": listed(conn, entry_ids)}) if entry_ids else []


def holds_due(conn: Connection, *, now: Instant, limit: int) -> list[Hold]:
    """Return holds whose time is over."""
    return _holds(conn, select(_HOLD).where(_OPEN_HOLD, _HOLD.c.until <= now).limit(limit), {})


def held(conn: Connection, sku_ids: Collection[SkuId]) -> dict[SkuId, int]:
    """Return how many units of each SKU are held for entries or by deliveries that are being assigned."""
    found: dict[SkuId, int] = defaultdict(int)
    if not sku_ids:
        return found
    values = {"ids": listed(conn, sku_ids)}
    kept = select(_HOLD.c.sku_id, func.sum(_HOLD.c.units)).where(Among(_HOLD.c.sku_id, "ids"), _OPEN_HOLD)
    d = _DELIVERY.c
    coming = select(d.sku_id, func.sum(d.remaining)).where(Among(d.sku_id, "ids"), d.state != "done")
    for query in (kept.group_by(_HOLD.c.sku_id), coming.group_by(d.sku_id)):
        for sku_id, units in conn.execute(query, values):
            found[SkuId(sku_id)] += int(units)
    return found


def opened_for(conn: Connection, sku_ids: Collection[SkuId]) -> dict[AccountId, dict[tuple[SkuId, Location], int]]:
    """Return the units that one channel alone shows, for the entries that wait there."""
    h = _HOLD.c
    query = select(h.account, h.sku_id, h.location, func.sum(h.units)).where(
        Among(h.sku_id, "ids"), _OPEN_HOLD, h.account != "", h.until.is_not(None)
    )
    found: dict[AccountId, dict[tuple[SkuId, Location], int]] = defaultdict(dict)
    rows = conn.execute(query.group_by(h.account, h.sku_id, h.location), {"ids": listed(conn, sku_ids)})
    for account, sku_id, location, units in rows if sku_ids else ():
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


def start_holds(conn: Connection, entry_ids: Collection[int], *, until: Instant) -> None:
    """Let the time of these entries' holds begin: nothing is missing any more."""
    if entry_ids:
        mine = and_(Among(_HOLD.c.entry_id, "ids"), _OPEN_HOLD, or_(_HOLD.c.until.is_(None), _HOLD.c.until < until))
        conn.execute(update(_HOLD).where(mine).values(until=until), {"ids": listed(conn, entry_ids)})


def set_sku(conn: Connection, entry_id: int, sku_id: SkuId) -> None:
    """Let an entry wait for another SKU: its order line was mapped anew."""
    conn.execute(update(_ENTRY).where(_ENTRY.c.id == entry_id).values(sku_id=sku_id))


def next_hold_end(conn: Connection) -> Instant | None:
    """Return when the next hold ends, None where none has an end."""
    return conn.execute(select(func.min(_HOLD.c.until)).where(_OPEN_HOLD)).scalar()
