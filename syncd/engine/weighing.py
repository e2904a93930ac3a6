"""Hold changes against the brake's rule; the listings of the shop are counted only where that decides."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from syncd.core import brake
from syncd.core.brake import BrakeRule, Change, Trip
from syncd.core.terms import AccountId
from syncd.store import listings


def weighed(
    conn: Connection, changes: Sequence[Change], *, rule: BrakeRule, account: AccountId | None = None
) -> Trip | None:
    """Return what is held of a change, of one account or of the whole shop; None when it may pass."""
    if brake.check(changes, listings=0, rule=rule) is None:
        return None  # too few to matter, however few listings there are
    released = listings.released(conn)
    number = sum(released.values()) if account is None else released.get(account, 0)
    return brake.check(changes, listings=number, rule=rule)
