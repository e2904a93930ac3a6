"""What a listing shows, from what is stored of it; a part of the deciding room that others build on."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.core import shown
from syncd.core.shown import Base, Effect, History, Range
from syncd.core.terms import AccountId, Instant
from syncd.engine.rules import Rules
from syncd.engine.work import Work
from syncd.store import accounts
from syncd.store.history import Unsettled
from syncd.store.listings import Listing


def watermark(work: Work, account: AccountId, known: dict[AccountId, Instant | None]) -> Instant | None:
    """Return up to when the order feed of an account is complete."""
    if account not in known:
        feed = accounts.feed(work.conn, account, accounts.ORDERS)
        known[account] = None if feed is None else feed.complete_until
    return known[account]


def history_of(base: Base, rules: Rules, effects: Sequence[Effect], writes: Sequence[Unsettled]) -> History:
    """Return everything that says what a listing shows."""
    flying = [x.flying for x in writes if x.flying is not None]
    return History(
        base=base,
        effects=[*effects, *flying] if flying else effects,
        writes=[x.write for x in writes if not x.relative],
        floor=None if rules.profile.shows_negative else 0,
    )


def range_of(listing: Listing, rules: Rules, effects: Sequence[Effect], writes: Sequence[Unsettled]) -> Range | None:
    """Return what a listing shows; None while nothing was ever read."""
    if listing.base is None:
        return None
    if not effects and not writes:
        value = listing.base.value if rules.profile.shows_negative else max(0, listing.base.value)
        return Range(low=value, high=value, likely=value)
    return shown.shown(history_of(listing.base, rules, effects, writes))
