"""Hand edits at the counting place: watched until they are sure, and kept to be reversed by what is told later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from syncd.core.adoption import Edit
from syncd.core.terms import AccountId, Instant, Location, SkuId
from syncd.store.rows_adoptions import AdoptionRow
from syncd.store.statements import change, new_id, table

_ADOPTION = table(AdoptionRow)

WATCHED: Final = "watched"
ADOPTED: Final = "adopted"
DROPPED: Final = "dropped"


@dataclass(slots=True, kw_only=True)
class Adoption:
    """A hand edit of a listing, by how much stock was changed for it, and how far it is."""

    id: int
    account: AccountId
    listing_id: int
    sku_id: SkuId
    location: Location
    edit: Edit
    booked: int
    seen: int
    state: str


def add(
    conn: Connection,
    edit: Edit,
    *,
    account: AccountId,
    listing_id: int,
    sku_id: SkuId,
    location: Location,
    seen: int,
    now: Instant,
) -> Adoption:
    """Begin to watch a hand edit."""
    values: dict[str, Any] = {"account": account, "listing_id": listing_id, "sku_id": sku_id, "location": location}
    row = {**values, **_edit_values(edit), "seen": seen, "booked": 0, "state": WATCHED, "at": now}
    adoption_id = new_id(conn, AdoptionRow, row)
    return Adoption(id=adoption_id, edit=edit, booked=0, seen=seen, state=WATCHED, **values)


def watched(conn: Connection, listing_id: int) -> Adoption | None:
    """Return the hand edit of a listing that is not sure yet."""
    c = _ADOPTION.c
    query = select(_ADOPTION).where(c.listing_id == listing_id, c.state == WATCHED).order_by(c.id.desc()).limit(1)
    row = conn.execute(query).first()
    return None if row is None else _adoption(row)


def open_to(conn: Connection, account: AccountId, sku_id: SkuId, *, since: Instant) -> list[Adoption]:
    """Return the hand edits of a SKU whose span had not ended at `since`, the latest first."""
    c = _ADOPTION.c
    mine = (c.account == account, c.sku_id == sku_id, c.until >= since, c.state != DROPPED)
    return [_adoption(row) for row in conn.execute(select(_ADOPTION).where(*mine).order_by(c.id.desc()))]


def save(conn: Connection, one: Adoption) -> None:
    """Write what is known of a hand edit now."""
    values = {**_edit_values(one.edit), "booked": one.booked, "seen": one.seen, "state": one.state}
    change(conn, AdoptionRow, "id", [{"k": one.id, **{f"v_{name}": value for name, value in values.items()}}])


def booked_since(conn: Connection, account: AccountId, since: Instant) -> list[tuple[int, int]]:
    """Return the numbers before and after each hand edit that became stock since a moment."""
    c = _ADOPTION.c
    query = select(c.seen - c.booked, c.seen).where(c.account == account, c.at >= since, c.state == ADOPTED)
    return [(int(before), int(after)) for before, after in conn.execute(query)]


def _edit_values(edit: Edit) -> dict[str, int]:
    return {name: getattr(edit, name) for name in ("units", "since", "until", "readings", "orders", "gives")}


def _adoption(row: Any) -> Adoption:
    edit = Edit(
        units=row.units,
        since=row.since,
        until=row.until,
        readings=row.readings,
        orders=row.orders,
        gives=row.gives,
    )
    return Adoption(
        id=row.id,
        account=AccountId(row.account),
        listing_id=row.listing_id,
        sku_id=SkuId(row.sku_id),
        location=Location(row.location),
        edit=edit,
        booked=row.booked,
        seen=row.seen,
        state=row.state,
    )
