"""What a listing shows, from what is stored of it; a part of the deciding room that others build on."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.core import shown
from syncd.core.shown import Base, Effect, History, Range
from syncd.core.terms import AccountId, Instant, Span
from syncd.engine.rules import Rules
from syncd.engine.work import Work, is_ahead
from syncd.store import accounts
from syncd.store.history import Unsettled
from syncd.store.listings import Listing


def watermark(work: Work, account: AccountId, known: dict[AccountId, Instant | None]) -> Instant | None:
    """Return up to when the order feed of an account is complete."""
    if account not in known:
        feed = accounts.feed(work.conn, account, accounts.ORDERS)
        known[account] = None if feed is None else feed.complete_until
    return known[account]


def history_of(
    base: Base, rules: Rules, effects: Sequence[Effect], writes: Sequence[Unsettled], *, at: Span, ahead: bool
) -> History:
    """Return everything that says what a listing shows at a time; `ahead`: its base has a time that is not yet."""
    flying = [x.flying for x in writes if x.flying is not None]
    told = History(
        base=base,
        effects=[*effects, *flying] if flying else effects,
        writes=[x.write for x in writes if not x.relative],
        floor=None if rules.profile.shows_negative else 0,
    )
    return shown.rewound(told, at) if ahead else told


def range_of(
    listing: Listing, rules: Rules, effects: Sequence[Effect], writes: Sequence[Unsettled], *, now: Instant
) -> Range | None:
    """Return what a listing shows; None while nothing was ever read."""
    if listing.base is None:
        return None
    if not effects and not writes:
        value = listing.base.value if rules.profile.shows_negative else max(0, listing.base.value)
        return Range(low=value, high=value, likely=value)
    ahead, at = is_ahead(listing.base.until, now), Span(earliest=now, latest=now)
    return shown.shown(history_of(listing.base, rules, effects, writes, at=at, ahead=ahead))
