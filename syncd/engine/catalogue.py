"""Decide what the catalogue of a channel holds, and what is gone from it; a mass of listings is not gone at a word."""

from __future__ import annotations

from sqlalchemy import Connection

from syncd.core.brake import BrakeRule, Change, Trip
from syncd.core.facts import AccountState, CatalogueFact
from syncd.engine.orders import apply_mapped
from syncd.engine.rules import Rules
from syncd.engine.weighing import weighed
from syncd.engine.work import Work
from syncd.store import accounts, ledger, listings
from syncd.store.listings import Listing


def lost(conn: Connection, fact: CatalogueFact, *, rule: BrakeRule) -> Trip | None:
    """Return what the brake holds of the end of a catalogue read: too many listings of a released account are gone.

    An answer that lacks them by a fault of the channel would end all writes there, while they can still be bought.
    """
    if not fact.finished or fact.forced:
        return None
    known = accounts.accounts(conn).get(fact.account)
    if known is None or known.state is not AccountState.LIVE:
        return None
    gone = listings.going(conn, fact.account, before=fact.started_at)
    return weighed(conn, [Change(before=target, after=0) for target in gone], rule=rule, account=fact.account)


def take_catalogue(work: Work, fact: CatalogueFact) -> None:
    """Make listings and their SKUs known; a listing is mapped by the exact code of its SKU."""
    rules = work.house.rules.get(fact.account)
    titles = {info.sku: info.title[:200] for info in fact.listings if info.sku}
    known = ledger.skus_by_code(work.conn, titles)
    fresh = {code: title for code, title in titles.items() if code not in known}
    ledger.add_skus(work.conn, fresh)
    if fresh:
        known.update(ledger.skus_by_code(work.conn, fresh))
    ids = {str(code): sku.sku_id for code, sku in known.items()}
    remote_ids = {info.ref.remote_id for info in fact.listings}
    closed = listings.closed_among(work.conn, fact.account, remote_ids)
    turned = {info.ref for info in fact.listings if info.active == (info.ref in closed)}
    listings.catalogue(work.conn, fact.account, fact.listings, skus=ids, now=fact.started_at)
    if fact.finished:
        listings.vanish(work.conn, fact.account, before=fact.started_at, now=work.now)
    for listing in work.keep(listings.by_remote(work.conn, fact.account, remote_ids)):
        _place(work, listing, rules, turned=listing.ref in turned)
    apply_mapped(work, fact.account, remote_ids, titles)


def _place(work: Work, listing: Listing, rules: Rules | None, *, turned: bool) -> None:
    """Take where a listing sells from; what was moved, refused, opened or taken down (`turned`) is decided anew."""
    place = None if rules is None else rules.location_map.get(listing.ref.remote_location)
    moved = place is not None and listing.location != place
    if place is not None and moved:
        listing.location = place
    refused, listing.parked = bool(listing.parked), ""
    if moved or refused or turned or listing.target is None:
        if listing.sku_id is not None:
            work.load_skus((listing.sku_id,))
            work.touch(listing.sku_id)
        work.stir(listing)
