"""Hand edits that are not adopted: noted, and ended by a person's word, a restore told later, or a count after them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec

from syncd.core.counts import explain
from syncd.core.facts import AccountState, CountRow
from syncd.core.terms import AccountId, Instant, SkuId
from syncd.engine.rules import Rules
from syncd.engine.work import Work
from syncd.store import counts, doubts, listings
from syncd.store.listings import Listing

_ENCODER = msgspec.json.Encoder()
DRIFT: Final = "drift"
"""What `Listing.held` says while a hand edit waits for a person."""
EXPLAINED: Final = "explained"


def counted(work: Work, listing: Listing, sku_id: SkuId | None, *, units: int, since: Instant, until: Instant) -> bool:
    """Say whether a change of a listing by hand, within a span of time, is explained by a count of a SKU."""
    if sku_id is None:
        return False
    made = counts.counts_since(work.conn, sku_id, listing.location, since)
    return explain(made, units=units, until=until)


def note(
    work: Work,
    rules: Rules,
    listing: Listing,
    *,
    seen: int,
    before: tuple[int, int],
    since: Instant,
    counted: bool,
) -> None:
    """Note a number that somebody changed after `since`; who `counted` the SKU meanwhile has said what is there."""
    waits = not counted and _waits(work, rules)
    paused = _was_paused(work, rules.account, since)
    state = EXPLAINED if counted else doubts.PENDING if waits else doubts.PAUSED if paused else doubts.ENFORCED
    values = {
        "account": listing.account,
        "listing_id": listing.id,
        "sku_id": listing.sku_id,
        "seen": seen,
        "expected_low": before[0],
        "expected_high": before[1],
        "state": state,
        "at": work.now,
        "ended_at": None if waits else work.now,
    }
    drift_id = doubts.add_drift(work.conn, values)
    name = listing.ref.remote_id
    told = {"account": listing.account, "listing": name, "seen": seen, "expected": list(before), "state": state}
    work.emit("drift", key=name, body=_ENCODER.encode({**told, "id": drift_id}))
    if waits:
        listing.held = DRIFT
        work.stir(listing)
        work.alarm("drift", rules.account, account=rules.account, listing=name, seen=seen)


def _was_paused(work: Work, account: AccountId, since: Instant) -> bool:
    """Say whether nothing was written there at some moment after `since`, once the account had been released."""
    known = work.accounts.get(account)
    if known is None or known.state is not AccountState.LIVE:
        return True
    return known.since != known.first_live_at and since < known.since


def _waits(work: Work, rules: Rules) -> bool:
    known = work.accounts.get(rules.account)
    if known is None or known.state is not AccountState.LIVE or known.first_live_at is None:
        return False
    return rules.hand_edit_us > 0 and work.now < known.first_live_at + rules.hand_edit_us


def end(work: Work, rows: Collection[Any], *, state: str, actor: str) -> None:
    """End hand edits that waited."""
    doubts.end_drift(work.conn, [row.id for row in rows], state=state, actor=actor, now=work.now)
    release(work, work.keep(listings.by_id(work.conn, {row.listing_id for row in rows})))


def release(work: Work, found: Iterable[Listing]) -> None:
    """Free listings, and end the alerts of their accounts, where no hand edit waits any more."""
    left = doubts.pending_drift(work.conn)
    waiting, accounts = {row.listing_id for row in left}, {row.account for row in left}
    for listing in found:
        if listing.held == DRIFT and listing.id not in waiting:
            listing.held = ""
        work.stir(listing)
        if listing.account not in accounts:
            work.calm("drift", listing.account)
            work.calm("brake", f"drift:{listing.account}")


def end_by_counts(work: Work, found: Collection[tuple[SkuId, CountRow]], *, actor: str) -> None:
    """End hand edits that waited when their SKU was counted where they sell from: the count says what is there."""
    by_sku: dict[SkuId, list[CountRow]] = {}
    for sku_id, row in found:
        by_sku.setdefault(sku_id, []).append(row)
    rows = [row for row in doubts.pending_drift(work.conn) if row.sku_id in by_sku]
    if not rows:
        return
    places = {x.id: x.location for x in work.keep(listings.by_id(work.conn, {row.listing_id for row in rows}))}
    ended = [
        row
        for row in rows
        if any(
            count.counted_at >= row.at and places[row.listing_id] in ("", count.location)
            for count in by_sku[SkuId(row.sku_id)]
        )
    ]
    if ended:
        end(work, ended, state=EXPLAINED, actor=actor)
