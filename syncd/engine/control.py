"""Decide a person's word: accounts released and paused, drift accepted or overwritten, what the brake holds."""

from __future__ import annotations

from typing import Any

import msgspec

from syncd.core.facts import AccountFact, AccountState, DriftFact, HintFact, Verdict
from syncd.core.ledger import MovementKind, Posting
from syncd.core.plan import Lane
from syncd.core.terms import SECOND_US, UNPLACED, SkuId
from syncd.engine import drifting
from syncd.engine.stock import Refused
from syncd.engine.work import Hint, Work
from syncd.store import accounts, doubts, listings

GATHER_US = SECOND_US
"""How long a hint waits for others, so that listings are read together: a channel tells of our own writes, too."""

_ENCODER = msgspec.json.Encoder()


def take_account(work: Work, fact: AccountFact) -> None:
    """Release or pause an account."""
    known = work.accounts.get(fact.account)
    if known is None:
        raise Refused(f"no account named {fact.account}; it has: {', '.join(sorted(work.accounts)) or 'none'}")
    values: dict[str, Any] = {"state": fact.state.value, "reason": fact.reason, "since": work.now}
    if fact.state is AccountState.LIVE:
        values["first_live_at"] = known.first_live_at or work.now
        work.calm("channel_down", fact.account)
        work.hints.add((fact.account, Hint.WRITE))
    accounts.set_account(work.conn, fact.account, values)
    event = "channel.up" if fact.state is AccountState.LIVE else "channel.down"
    body = {"account": fact.account, "state": fact.state, "reason": fact.reason, "actor": fact.actor}
    work.emit(event, key=fact.account, body=_ENCODER.encode(body))


def take_hint(work: Work, fact: HintFact) -> None:
    """Note what is to be read: orders to fetch, listings to look at, a catalogue to refresh."""
    if fact.order_ids:
        work.want_orders(fact.account, fact.order_ids)
    if fact.refs:
        found = work.keep(listings.by_remote(work.conn, fact.account, {ref.remote_id for ref in fact.refs}))
        for listing in found:
            if listing.lane in (None, int(Lane.READ)):
                listing.lane, listing.due_at, listing.changed = int(Lane.READ), work.now + GATHER_US, True
                work.hints.add((listing.account, Hint.READ))
    if fact.catalogue:
        feed = accounts.Feed(cursor="", complete_until=None, scanned_at=None)
        accounts.save_feed(work.conn, fact.account, accounts.CATALOGUE, feed)


def take_drift(work: Work, fact: DriftFact) -> None:
    """Accept hand edits as the truth of stock, or let them be overwritten."""
    rows = doubts.pending_drift(work.conn, fact.ids)
    if not rows and not fact.ids:
        raise Refused("no hand edit waits")
    missing = sorted(set(fact.ids).difference(row.id for row in rows))
    if missing:
        raise Refused(f"no drift waits with number {', '.join(str(number) for number in missing)}")
    found = work.keep(listings.by_id(work.conn, {row.listing_id for row in rows}))
    by_id = {listing.id: listing for listing in found}
    for row in rows:
        if fact.verdict is Verdict.ACCEPT and row.sku_id is not None:
            _adopt(work, row, by_id[row.listing_id], fact.actor)
    state = "accepted" if fact.verdict is Verdict.ACCEPT else "overwritten"
    drifting.end(work, rows, state=state, actor=fact.actor)


def _adopt(work: Work, row: Any, listing: listings.Listing, actor: str) -> None:
    sku_id = SkuId(row.sku_id)
    work.load_skus((sku_id,))
    if sku_id in work.kits:
        raise Refused("a hand edit of a kit cannot become stock: count its components, or have it overwritten")
    rules = work.house.rules.get(listing.account)
    location = listing.location or (rules.locations[0] if rules is not None else UNPLACED)
    expected = row.expected_high if row.seen > row.expected_high else row.expected_low
    posting = Posting(
        reference=f"drift:{row.id}",
        sku_id=sku_id,
        location=location,
        kind=MovementKind.ADJUST,
        on_hand=row.seen - expected,
    )
    work.post(posting, source=listing.account, at=row.at, reason="hand edit at the channel, accepted", actor=actor)
