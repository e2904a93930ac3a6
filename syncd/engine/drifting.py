"""The end of hand edits that wait for a person: by a person's word, a restore told later, or a count after them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from syncd.core.counts import explain
from syncd.core.facts import CountRow
from syncd.core.terms import AccountId, Instant, SkuId
from syncd.engine.work import Work
from syncd.store import doubts, ledger, listings
from syncd.store.listings import Listing

DRIFT: Final = "drift"
"""What `Listing.held` says while a hand edit waits for a person."""
EXPLAINED: Final = "explained"


def counted(work: Work, listing: Listing, sku_id: SkuId | None, *, units: int, since: Instant, until: Instant) -> bool:
    """Say whether a change of a listing by hand, within a span of time, is explained by a count of a SKU."""
    if sku_id is None:
        return False
    made = ledger.counts_since(work.conn, sku_id, listing.location, since)
    return explain(made, units=units, until=until)


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
            work.calm("drift", AccountId(listing.account))


def end_by_counts(work: Work, counts: Collection[tuple[SkuId, CountRow]], *, actor: str) -> None:
    """End hand edits that waited when their SKU was counted where they sell from: the count says what is there."""
    by_sku: dict[SkuId, list[CountRow]] = {}
    for sku_id, row in counts:
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
