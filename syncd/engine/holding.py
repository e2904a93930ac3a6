"""Units that are held for entries without an order: how they are given back, and what becomes of the entries."""

from __future__ import annotations

from collections.abc import Collection

from syncd.core.ledger import MovementKind, Posting
from syncd.engine.work import Work
from syncd.store import waiting
from syncd.store.waiting import Hold

SOURCE = "waitlist"
"""Source of the movements that are made for those who wait."""


def lift(work: Work, hold: Hold, units: int, *, cause: str) -> None:
    """Take units of a hold away; a hold without any ends."""
    hold.units -= units
    if hold.units == 0:
        hold.ended_at, hold.cause = work.now, cause
    waiting.save_holds(work.conn, [hold])
    posting = Posting(
        reference=f"hold:{hold.id}:{cause}:{hold.units}@{work.now}",
        sku_id=hold.sku_id,
        location=hold.location,
        kind=MovementKind.UNHOLD,
        held=-units,
    )
    work.post(posting, source=SOURCE, at=work.now, reason=f"a hold ended: {cause}")


def lift_all(work: Work, holds: Collection[Hold], *, cause: str) -> None:
    """Give everything back that is held there."""
    for hold in holds:
        lift(work, hold, hold.units, cause=cause)


def close_bought(work: Work, entry_ids: Collection[int], *, reason: str = "bought") -> None:
    """End the entries of which nothing is held any more."""
    still = {hold.entry_id for hold in waiting.holds_of(work.conn, entry_ids)}
    done = list(waiting.entries(work.conn, set(entry_ids) - still).values())
    for entry in done:
        entry.closed_at, entry.reason = work.now, reason
    waiting.save_entries(work.conn, done)
