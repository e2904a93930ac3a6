"""Hand edits at the counting place become movements: after two equal readings, reversed by what is told later."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from syncd.core import brake
from syncd.core.adoption import Edit, edit_of
from syncd.core.brake import Change
from syncd.core.ledger import MovementKind, Posting
from syncd.core.plan import Lane
from syncd.core.shown import Reading
from syncd.core.terms import SECOND_US, UNPLACED, AccountId, SkuId, Span
from syncd.engine import drifting
from syncd.engine.rooms import Rooms, load_policies, policy_of
from syncd.engine.rules import Rules
from syncd.engine.weighing import weighed
from syncd.engine.work import Hint, Work
from syncd.store import adoptions, counts, doubts, listings
from syncd.store.adoptions import ADOPTED, DROPPED, WATCHED, Adoption
from syncd.store.doubts import Suspect
from syncd.store.listings import Listing

ADOPTING: Final = "adopting"
"""What `Listing.held` says while a hand edit is watched: it is read again before it is believed or overwritten."""
BRAKE_US: Final = 3_600 * SECOND_US
"""Hand edits within this time count together for the brake."""


def watch(work: Work, rules: Rules, listing: Listing, reading: Reading, *, clear: bool) -> Reading:
    """Take a reading of the counting place into account; return it without what a watched hand edit explains."""
    one = adoptions.watched(work.conn, listing.id)
    if one is not None and listing.held != ADOPTING:
        one.state = DROPPED
        adoptions.save(work.conn, one)
        return reading
    if one is None:
        begun = bool(reading.surplus) and _begin(work, rules, listing, reading, clear=clear)
        return replace(reading, surplus=0) if begun else reading
    before = one.edit.units
    one.edit, one.seen = one.edit.read(reading, clear=clear), reading.base.value
    if one.edit.sure or one.edit.units == 0:
        _settle(work, rules, listing, one)
    adoptions.save(work.conn, one)
    return replace(reading, surplus=0, missing=max(0, reading.missing - before))


def _begin(work: Work, rules: Rules, listing: Listing, reading: Reading, *, clear: bool) -> bool:
    assert listing.sku_id is not None, "the caller checked it"  # noqa: S101  (our own invariant)
    work.load_skus((listing.sku_id,))
    if listing.sku_id in work.kits:
        return False
    edit = edit_of(_widened(reading, rules), clear=clear)
    _add(work, rules, listing, edit, sku_id=listing.sku_id, seen=reading.base.value)
    listing.held = ADOPTING
    work.stir(listing)
    return True


def _widened(reading: Reading, rules: Rules) -> Reading:
    return replace(reading, since=reading.since - rules.skew_us, until=reading.until + rules.skew_us)


def _add(work: Work, rules: Rules, listing: Listing, edit: Edit, *, sku_id: SkuId, seen: int) -> Adoption:
    location = listing.location or (rules.locations[0] if len(rules.locations) == 1 else UNPLACED)
    return adoptions.add(
        work.conn,
        edit,
        account=rules.account,
        listing_id=listing.id,
        sku_id=sku_id,
        location=location,
        seen=seen,
        now=work.now,
    )


def _settle(work: Work, rules: Rules, listing: Listing, one: Adoption) -> None:
    """Book a hand edit that is sure, or hold it for a person: where there are too many, or its sense is not clear."""
    listing.held = ""
    work.stir(listing)
    if one.edit.left == 0:
        one.state = DROPPED
    elif _counted(work, listing, one):
        # Who counts there says what the shelf holds, and has typed the same at the channel: it is one change, not two.
        one.state = DROPPED
        _note(work, listing, one, state=drifting.EXPLAINED)
    elif _braked(work, rules.account, one):
        _hold(work, listing, one, cause=f"hand edits at {listing.account}: `syncd drift list`")
    elif _hides(work, rules, listing, one):
        _hold(work, listing, one, cause=f"a hand edit at {listing.account} where not all units are shown: count them")
    else:
        one.state = ADOPTED
        _book(work, one, reason="a person changed the number at the channel")
        _note(work, listing, one, state="adopted")


def _counted(work: Work, listing: Listing, one: Adoption) -> bool:
    edit = one.edit
    return drifting.counted(work, listing, one.sku_id, units=edit.left, since=edit.since, until=edit.until)


def _braked(work: Work, account: AccountId, one: Adoption) -> bool:
    """Say whether this one more hand edit would be too much of a change within an hour."""
    rule, change = work.house.brake, Change(before=one.seen - one.edit.left, after=one.seen)
    if not brake.counts(change, rule):
        return False
    others = [Change(before=a, after=b) for a, b in adoptions.booked_since(work.conn, account, work.now - BRAKE_US)]
    alike = [other for other in others if (other.after > 0) == (change.after > 0)]
    return weighed(work.conn, [*alike, change], rule=rule) is not None


def _hides(work: Work, rules: Rules, listing: Listing, one: Adoption) -> bool:
    """Say whether a listing was to show fewer units than there are.

    Then a number that a person typed may be a count of the shelf, or a change of what was shown: nobody knows.
    """
    if listing.sku_id != one.sku_id or listing.target is None:
        return False
    load_policies(work, (one.sku_id,))
    where = (listing.location,) if listing.location else rules.locations
    available = Rooms(work).at(one.sku_id, where, policy_of(work, one.sku_id, rules.account), rules.account)
    # What was missing was held while the target was found, and is not held any more.
    return listing.target < available + min(0, one.edit.left)


def _hold(work: Work, listing: Listing, one: Adoption, *, cause: str) -> None:
    """Keep a hand edit for a person, as drift that waits: `syncd drift accept` or `overwrite`."""
    one.state = DROPPED
    listing.held = drifting.DRIFT
    _note(work, listing, one, state="pending")
    work.alarm("brake", f"drift:{listing.account}", cause=cause)
    work.alarm("drift", listing.account, account=listing.account, listing=listing.ref.remote_id, seen=one.seen)


def _note(work: Work, listing: Listing, one: Adoption, *, state: str) -> None:
    expected = one.seen - one.edit.left
    values = {
        "account": listing.account,
        "listing_id": listing.id,
        "sku_id": listing.sku_id,
        "seen": one.seen,
        "expected_low": expected,
        "expected_high": expected,
        "state": state,
        "at": work.now,
        "ended_at": None if state == "pending" else work.now,
    }
    doubts.add_drift(work.conn, values)


def _book(work: Work, one: Adoption, *, reason: str) -> None:
    """Book what is left of a hand edit beyond what was booked for it before."""
    units = one.edit.left - one.booked
    if not units:
        return
    posting = Posting(
        reference=f"adopted:{one.id}:{one.edit.orders}:{one.edit.gives}",
        sku_id=one.sku_id,
        location=one.location,
        kind=MovementKind.ADJUST,
        on_hand=units,
    )
    work.post(posting, source=one.account, at=one.edit.until, reason=reason)
    one.booked = one.edit.left


def missing(work: Work, rules: Rules, suspect: Suspect, units: int) -> None:
    """Take units that no order came for as taken away by hand."""
    for listing in work.keep(listings.by_id(work.conn, [suspect.listing_id])):
        edit = Edit(units=-units, since=suspect.since, until=suspect.until, readings=1)
        seen = 0 if listing.base is None else listing.base.value
        one = _add(work, rules, listing, edit, sku_id=suspect.sku_id, seen=seen)
        _settle(work, rules, listing, one)
        adoptions.save(work.conn, one)


def read_again(work: Work, suspect: Suspect, *, skew_us: int) -> bool:
    """Say whether a listing was read again, clear of own writes, after units were found missing; else have it read."""
    for listing in work.keep(listings.by_id(work.conn, [suspect.listing_id])):
        if listing.seen_at is not None and listing.seen_at > suspect.until - skew_us and not listing.in_flight:
            return True
        if not listing.in_flight:
            listing.lane, listing.due_at, listing.changed = int(Lane.READ), work.now, True
            work.hints.add((listing.account, Hint.READ))
    return False


def told(
    work: Work, account: AccountId, sku_id: SkuId, span: Span, *, orders: int = 0, gives: int = 0, skew_us: int = 0
) -> None:
    """Reverse hand edits by an order or a give that may lie in their span: it was no person, or not only."""
    for one in adoptions.open_to(work.conn, account, sku_id, since=span.earliest - skew_us):
        if not one.edit.covers(span):
            continue
        one.edit = one.edit.told(orders=orders, gives=gives)
        if one.state == ADOPTED and counts.counts_since(work.conn, sku_id, one.location, one.edit.until):
            one.state = DROPPED
        elif one.state == ADOPTED:
            _book(work, one, reason="told of later: an order or a restore explains it")
        elif one.state == WATCHED and one.edit.left == 0:
            one.state = DROPPED
            _let_go(work, one)
        adoptions.save(work.conn, one)
        return


def _let_go(work: Work, one: Adoption) -> None:
    for listing in work.keep(listings.by_id(work.conn, [one.listing_id])):
        listing.held = "" if listing.held == ADOPTING else listing.held
        work.stir(listing)


def ended_by_fall(listing: Listing, target: int | None) -> bool:
    """Say whether a lower target ends the wait for a second reading: what was sold elsewhere comes down at once."""
    fell = target is None or (listing.target is not None and target < listing.target)
    return listing.held == ADOPTING and fell
