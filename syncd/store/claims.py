"""Claims of listings with an allotment: what they may have sold without our knowing (see `core.gate`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from syncd.core.terms import Instant
from syncd.store.rows_exposure import ClaimRow
from syncd.store.statements import Among, listed, table, upsert

_CLAIM = table(ClaimRow)
_BY_ID = select(_CLAIM.c.listing_id, _CLAIM.c.unheard, _CLAIM.c.until, _CLAIM.c.sending).where(
    Among(_CLAIM.c.listing_id, "ids")
)


@dataclass(slots=True, kw_only=True)
class Unheard:
    """The unheard units of a listing in the hands of a decision; `changed` says that they must be saved.

    `sending` of them are those that a write in flight adds.
    """

    listing_id: int
    units: int = 0
    until: Instant | None = None
    sending: int = 0
    changed: bool = False

    def add(self, units: int, until: Instant) -> None:
        """Take more units that may be sold unheard, up to a moment."""
        if units > 0:
            self.units += units
            self.until = until if self.until is None else max(self.until, until)
            self.changed = True


def load(conn: Connection, ids: Collection[int]) -> dict[int, Unheard]:
    """Return the unheard units of those of these listings that have an allotment."""
    rows = conn.execute(_BY_ID, {"ids": listed(conn, ids)}) if ids else ()
    return {row[0]: Unheard(listing_id=row[0], units=row[1], until=row[2], sending=row[3]) for row in rows}


def save(conn: Connection, claims: Iterable[Unheard]) -> None:
    """Write unheard units."""
    rows = [
        {"listing_id": x.listing_id, "unheard": x.units, "until": x.until, "sending": x.sending}
        for x in claims
        if x.changed
    ]
    upsert(conn, ClaimRow, keys=("listing_id",), values=rows)


def drop(conn: Connection, ids: Collection[int]) -> None:
    """Forget the claims of listings that have no allotment any more."""
    if ids:
        conn.execute(delete(_CLAIM).where(_CLAIM.c.listing_id.in_(list(ids))))
