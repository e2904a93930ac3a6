"""What listings show beside their numbers: as it is at the channel, as it is wanted, and what is due."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, select

from syncd.core.terms import AccountId, Instant, ListingRef
from syncd.store.rows import ListingRow
from syncd.store.rows_exposure import DisplayRow
from syncd.store.statements import Among, listed, table, upsert

_DISPLAY, _LISTING = table(DisplayRow), table(ListingRow)
_BY_ID = select(_DISPLAY).where(Among(_DISPLAY.c.listing_id, "ids"))
_DUE = (
    select(_DISPLAY, _LISTING.c.remote_id, _LISTING.c.remote_location)
    .join(_LISTING, _LISTING.c.id == _DISPLAY.c.listing_id)
    .where(_DISPLAY.c.account == bindparam("account"), _DISPLAY.c.due_at <= bindparam("now"))
    .order_by(_DISPLAY.c.due_at)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What stands beside a number: the most units of one order, a closed page, the day from which units leave."""

    purchase_limit: int | None = None
    hidden: bool = False
    ready_day: str = ""


NOTHING = Showing()
KINDS: Final = ("purchase_limit", "ready_day", "hidden")
"""The kinds of what stands beside a number: the fields of a `Showing`, in the order in which they are brought."""


@dataclass(slots=True, kw_only=True)
class Display:
    """A listing's display in the hands of a decision. `reason` says why its page is closed, `since` since when.

    `unsure` are the kinds whose last call had no certain end: `there` does not hold for them.
    """

    listing_id: int
    account: AccountId
    there: Showing = NOTHING
    wanted: Showing = NOTHING
    due_at: Instant | None = None
    attempts: int = 0
    since: Instant = 0
    reason: str = ""
    unsure: frozenset[str] = frozenset()

    def is_open(self, kind: str) -> bool:
        """Say whether a kind is still to be brought to the channel: it differs there, or it may."""
        return kind in self.unsure or getattr(self.wanted, kind) != getattr(self.there, kind)


def load(conn: Connection, ids: Collection[int]) -> dict[int, Display]:
    """Return what is known of these listings."""
    rows = conn.execute(_BY_ID, {"ids": listed(conn, ids)}) if ids else ()
    return {row.listing_id: _display(row) for row in rows}


def due(conn: Connection, account: AccountId, *, now: Instant, most: int) -> list[tuple[ListingRef, Display]]:
    """Return what is to be brought to a channel."""
    rows = conn.execute(_DUE, {"account": account, "now": now, "most": most})
    return [(ListingRef(remote_id=r.remote_id, remote_location=r.remote_location), _display(r)) for r in rows]


def save(conn: Connection, displays: Iterable[Display]) -> None:
    """Write displays."""
    rows = [
        {
            "listing_id": x.listing_id,
            "account": x.account,
            "purchase_limit": x.there.purchase_limit,
            "hidden": x.there.hidden,
            "ready_day": x.there.ready_day,
            "wanted_limit": x.wanted.purchase_limit,
            "wanted_hidden": x.wanted.hidden,
            "wanted_ready_day": x.wanted.ready_day,
            "due_at": x.due_at,
            "attempts": x.attempts,
            "since": x.since,
            "reason": x.reason,
            "unsure": " ".join(sorted(x.unsure)),
        }
        for x in displays
    ]
    upsert(conn, DisplayRow, keys=("listing_id",), values=rows)


def _display(row: object) -> Display:
    value = {name: getattr(row, name) for name in _DISPLAY.c.keys()}  # noqa: SIM118  (columns, no dictionary)
    return Display(
        listing_id=value["listing_id"],
        account=value["account"],
        there=Showing(
            purchase_limit=value["purchase_limit"], hidden=bool(value["hidden"]), ready_day=value["ready_day"]
        ),
        wanted=Showing(
            purchase_limit=value["wanted_limit"],
            hidden=bool(value["wanted_hidden"]),
            ready_day=value["wanted_ready_day"],
        ),
        due_at=value["due_at"],
        attempts=value["attempts"],
        since=value["since"],
        reason=value["reason"],
        unsure=frozenset(value["unsure"].split()),
    )
