"""Decide observations: what a channel was seen to show, how our writes ended, how far its feed was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from syncd.core import shown
from syncd.core.facts import AccountState, OutcomeFact, ScanFact, SeenFact
from syncd.core.kits import explode
from syncd.core.ledger import MovementKind, Posting
from syncd.core.shown import Base, Effect, Reading
from syncd.core.terms import SECOND_US, UNPLACED, AccountId, Instant, Outcome, OutcomeKind, Seen, Span
from syncd.engine import adopting, drifting
from syncd.engine.belief import history_of
from syncd.engine.gating import note_end, note_reading
from syncd.engine.orders import lift
from syncd.engine.rules import Rules
from syncd.engine.work import Answer, Hint, Work
from syncd.store import accounts, alerts, doubts, history, listings
from syncd.store.alerts import Alert
from syncd.store.doubts import Suspect
from syncd.store.history import NewEffect, Sent
from syncd.store.listings import Listing

_ENCODER = msgspec.json.Encoder()
SECOND_WRITER_US = 3_600 * SECOND_US
SECOND_WRITER_DRIFTS = 5
"""So many foreign changes within an hour are another tool, not a person."""

# --- what was seen ----------------------------------------------------------------------------------------------


def take_seen(work: Work, fact: SeenFact) -> None:
    """Judge readings: confirm, find suspect sales and drift, and make each the new base of its listing."""
    rules = work.house.rules.get(fact.account)
    if rules is None:
        return
    by_ref = _by_ref(work, fact.account, fact.seen)
    mine = [(by_ref[seen.ref], seen) for seen in fact.seen if seen.ref in by_ref]
    ids = [listing.id for listing, _ in mine]
    work.load_claims(ids)
    effects = history.effects(work.conn, ids)
    writes = history.open_writes(work.conn, ids)
    for listing, seen in mine:
        if seen.quantity is None:
            _vanish(work, listing, seen.answered_at)
            continue
        at = Span(earliest=seen.asked_at - rules.staleness_us, latest=seen.answered_at)
        listing.seen, listing.seen_at = seen.quantity, seen.answered_at
        work.heard[listing.id] = seen.answered_at
        work.stir(listing)
        if listing.vanished:
            listing.vanished = False
            _touch_sku(work, listing)
        if listing.base is None:
            work.rebase(listing, Base(value=seen.quantity, since=at.earliest, until=seen.answered_at))
            continue
        ahead = work.is_ahead(listing.base.until)
        changes, open_ = effects.get(listing.id, ()), writes.get(listing.id, ())
        told = history_of(listing.base, rules, changes, open_, at=at, ahead=ahead)
        if ahead:
            history.forget_ahead(work.conn, listing.id, after=work.now)
        reading = shown.judge(told, value=seen.quantity, at=at)
        if reading is not None:
            claim = work.claims.get(listing.id)
            if claim is not None:
                note_reading(claim, shown.shown(told), open_, value=seen.quantity, until=seen.answered_at)
            clear = not (listing.in_flight or open_)
            _take_reading(work, rules, listing, reading, clear=clear)


def _by_ref(work: Work, account: AccountId, seen: Sequence[Seen]) -> dict[object, Listing]:
    found = work.keep(listings.by_remote(work.conn, account, {one.ref.remote_id for one in seen}))
    return {listing.ref: listing for listing in found}


def _touch_sku(work: Work, listing: Listing) -> None:
    if listing.sku_id is not None:
        work.load_skus((listing.sku_id,))
        work.touch(listing.sku_id)


def _vanish(work: Work, listing: Listing, at: Instant) -> None:
    listing.vanished, listing.target, listing.seen, listing.seen_at = True, None, None, at
    listing.base, listing.stale = None, False
    work.stir(listing)


def _take_reading(work: Work, rules: Rules, listing: Listing, reading: Reading, *, clear: bool) -> None:
    before = (listing.low or 0, listing.high or 0)
    work.rebase(listing, reading.base)
    known = listing.sku_id is not None and listing.target is not None and _released(work, rules.account)
    if not known:
        return
    if rules.adopts:
        reading = adopting.watch(work, rules, listing, reading, clear=clear)
    if reading.missing:
        _suspect(work, rules, listing, reading)
    if reading.surplus:
        _surplus(work, rules, listing, reading, before)


def _suspect(work: Work, rules: Rules, listing: Listing, reading: Reading) -> None:
    """Hold what seems to be sold, at once, so that the others fall."""
    assert listing.sku_id is not None, "the caller checked it"  # noqa: S101  (our own invariant)
    location = listing.location or (rules.locations[0] if len(rules.locations) == 1 else UNPLACED)
    work.load_skus((listing.sku_id,))
    for sku_id, units in explode(listing.sku_id, reading.missing, work.kits):
        values = {
            "account": listing.account,
            "listing_id": listing.id,
            "sku_id": sku_id,
            "location": location,
            "quantity": units,
            "remaining": units,
            "since": reading.since - rules.skew_us,
            "until": reading.until + rules.skew_us,
        }
        name = f"suspect:{doubts.add_suspect(work.conn, values)}"
        posting = Posting(reference=name, sku_id=sku_id, location=location, kind=MovementKind.HOLD, held=units)
        work.post(posting, source=listing.account, at=work.now, reason="a sale that the channel has not told of yet")


def _surplus(work: Work, rules: Rules, listing: Listing, reading: Reading, before: tuple[int, int]) -> None:
    """Treat a number above what was believed: overwritten, or held for a person while the shop is new here."""
    since, until = reading.since - rules.skew_us, reading.until + rules.skew_us
    counted = drifting.counted(work, listing, listing.sku_id, units=reading.surplus, since=since, until=until)
    drifting.note(work, rules, listing, seen=reading.base.value, before=before, since=reading.since, counted=counted)


def _notice_second_writer(work: Work, account: AccountId, complete: Instant) -> None:
    """Pause an account where numbers keep changing that no order explains: another tool writes there too.

    Only changes are counted that the order feed has passed: a restore may be told of later than it is seen. None is
    counted of before the account was released last, nor a hand edit at the counting place: that is the place for them.
    """
    known = work.accounts.get(account)
    if known is None or known.state is not AccountState.LIVE:
        return
    rules = work.house.rules.get(account)
    states = (doubts.ENFORCED,) if rules is not None and rules.adopts else (doubts.PENDING, doubts.ENFORCED)
    since = max(known.since, work.now - SECOND_WRITER_US)
    if doubts.drifts_between(work.conn, account, since, complete, states=states) < SECOND_WRITER_DRIFTS:
        return
    reason = "numbers change here that nobody sold: does another tool write to this channel?"
    accounts.set_account(work.conn, account, {"state": AccountState.PAUSED.value, "reason": reason, "since": work.now})
    work.accounts = accounts.accounts(work.conn)
    work.emit("channel.down", key=account, body=_ENCODER.encode({"account": account, "reason": reason}))
    work.alarm("channel_down", account, account=account, reason=reason)


def _released(work: Work, account: AccountId) -> bool:
    """Say whether numbers of this account are ours: before it was ever released they are somebody else's."""
    known = work.accounts.get(account)
    return known is not None and known.state is not AccountState.NEW


# --- how writes ended ---------------------------------------------------------------------------------------------


def take_outcomes(work: Work, fact: OutcomeFact) -> None:
    """Change what is believed by how writes ended; an outcome that is told twice changes nothing.

    What was only accepted may be told a second time, once the channel knows more.
    """
    rules = work.house.rules.get(fact.account)
    keys = [outcome.key for outcome in fact.outcomes]
    sent = history.sent(work.conn, keys)
    later = history.doubtful(work.conn, [key for key in keys if key not in sent]) if len(sent) < len(keys) else {}
    ids = {write.listing_id for known in (sent, later) for write in known.values()}
    work.load_claims(ids)
    by_id = {listing.id: listing for listing in work.keep(listings.by_id(work.conn, ids))}
    for outcome in fact.outcomes:
        write = sent.get(outcome.key) or later.get(outcome.key)
        listing = None if write is None else by_id.get(write.listing_id)
        if write is not None and listing is not None and rules is not None:
            end = _end if outcome.key in sent else _amend
            end(work, rules, fact, outcome, write, listing)


def _end(work: Work, rules: Rules, fact: OutcomeFact, outcome: Outcome, write: Sent, listing: Listing) -> None:
    listing.in_flight = False
    listing.attempts = _attempts(listing, outcome)
    until = _effect_until(rules, fact, outcome, write)
    open_ = outcome.kind in _OPEN
    claim = work.claims.get(listing.id)
    if claim is not None:
        note_end(claim, never=outcome.kind in _NEVER, until=until if open_ else fact.answered_at)
    _note_end(work, fact, outcome, write, open_=open_, until=until if open_ else fact.answered_at)
    work.stir(listing)
    _note_answer(work, fact, outcome, write, listing)
    match outcome.kind:
        case OutcomeKind.APPLIED:
            _applied(work, fact, write, listing)
        case OutcomeKind.STALE:
            listing.stale = True
        case OutcomeKind.REJECTED:
            _park(listing, outcome)
        case OutcomeKind.ACCEPTED | OutcomeKind.INDETERMINATE:
            if write.delta is not None:
                _delta(work, write, Span(earliest=write.intended_at, latest=until), maybe=True)
        case OutcomeKind.UNSENT:
            pass


def _attempts(listing: Listing, outcome: Outcome) -> int:
    """Return how often in a row a row could not be written; what was only accepted may still be refused."""
    match outcome.kind:
        case OutcomeKind.UNSENT if not outcome.deferred:
            return listing.attempts + 1
        case OutcomeKind.REJECTED:
            return listing.attempts + 1
        case OutcomeKind.ACCEPTED if listing.parked:
            return listing.attempts
        case _:
            return 0


def _note_answer(work: Work, fact: OutcomeFact, outcome: Outcome, write: Sent, listing: Listing) -> None:
    """Note when the channel took a write, and that what it shows from now on came of it."""
    if outcome.kind in (OutcomeKind.APPLIED, OutcomeKind.ACCEPTED):
        work.heard[listing.id] = fact.answered_at
        answer = Answer(account=fact.account, listing_id=listing.id, intended_at=write.intended_at, at=fact.answered_at)
        work.answers.append(answer)


_OPEN = (OutcomeKind.ACCEPTED, OutcomeKind.INDETERMINATE)
_NEVER = (OutcomeKind.REJECTED, OutcomeKind.UNSENT, OutcomeKind.STALE)


def _amend(work: Work, rules: Rules, fact: OutcomeFact, outcome: Outcome, write: Sent, listing: Listing) -> None:
    """Take a later word on a write that was only accepted: until when it may work, or that it never will.

    One that is told to be in effect may have been overtaken by another: a reading says what is shown.
    """
    never = outcome.kind in _NEVER
    until = _effect_until(rules, fact, outcome, write) if outcome.kind in _OPEN else fact.answered_at
    _note_end(work, fact, outcome, write, open_=not never, until=until)
    if write.delta is not None:
        span = Span(earliest=write.intended_at, latest=until)
        _delta(work, replace(write, delta=0) if never else write, span, maybe=True)
    if outcome.kind is OutcomeKind.REJECTED:
        listing.attempts += 1
        _park(listing, outcome)
    work.stir(listing)


def _note_end(work: Work, fact: OutcomeFact, outcome: Outcome, write: Sent, *, open_: bool, until: Instant) -> None:
    work.end_write(
        {
            "k": write.id,
            "v_state": outcome.kind.value,
            "v_open": open_,
            "v_answered_at": fact.answered_at,
            "v_effect_until": until,
            "v_reason": outcome.reason[:200],
        }
    )


def _effect_until(rules: Rules, fact: OutcomeFact, outcome: Outcome, write: Sent) -> Instant:
    """Return until when a write may still take effect: by its own answer, else by what the channel promises."""
    if outcome.effect_s is not None:
        return fact.answered_at + round(outcome.effect_s * SECOND_US)
    return max(write.intended_at, fact.sent_at) + rules.effect_us


def _park(listing: Listing, outcome: Outcome) -> None:
    listing.parked = outcome.reason[:200] or "refused by the channel"


def _applied(work: Work, fact: OutcomeFact, write: Sent, listing: Listing) -> None:
    since = max(write.intended_at, fact.sent_at)
    listing.parked = ""
    if write.delta is not None:
        _delta(work, write, Span(earliest=since, latest=fact.answered_at), maybe=False)
        return
    work.rebase(listing, Base(value=write.quantity, since=since, until=max(since, fact.answered_at)))


def _delta(work: Work, write: Sent, span: Span, *, maybe: bool) -> None:
    assert write.delta is not None, "the caller checked it"  # noqa: S101  (our own invariant)
    effect = Effect(quantity=write.delta, span=span, maybe=maybe)
    work.effects.append(NewEffect(listing_id=write.listing_id, reference=f"write:{write.key}", effect=effect))


# --- feeds ----------------------------------------------------------------------------------------------------


def take_scan(work: Work, fact: ScanFact) -> None:
    """Move the order feed on; suspect sales that it has passed are let go."""
    before = accounts.feed(work.conn, fact.account, accounts.ORDERS)
    if before is not None and before.scanned_at is not None and work.is_ahead(before.scanned_at):
        _clock_went_back(work, fact.account, by_us=before.scanned_at - work.now)
        before = replace(before, complete_until=None, scanned_at=None)
    complete = None if before is None else before.complete_until
    if fact.finished:
        complete = max(complete or 0, _passed(work, fact))
    scanned = fact.started_at if fact.finished or before is None else before.scanned_at
    feed = accounts.Feed(cursor=fact.cursor, complete_until=complete, scanned_at=scanned)
    accounts.save_feed(work.conn, fact.account, accounts.ORDERS, feed)
    if complete is not None and fact.finished:
        _release_suspects(work, fact.account, complete)
        _notice_second_writer(work, fact.account, complete)


def _clock_went_back(work: Work, account: AccountId, *, by_us: int) -> None:
    """Forget how far the feed was known, which lies ahead, and date open suspect sales by the clock as it is now."""
    for suspect in doubts.suspects(work.conn, account):
        if work.is_ahead(suspect.until):
            doubts.date_suspect(work.conn, suspect.id, since=suspect.since - by_us, until=suspect.until - by_us)
    minutes = round(by_us / 60 / SECOND_US)
    text = f"account {account}, at least {minutes} minutes"
    told = Alert(kind="clock", key=account, text=text, values={"account": account, "minutes": minutes})
    alerts.tell(work.conn, told, now=work.now)
    work.hints.add((AccountId(""), Hint.TELL))


def _passed(work: Work, fact: ScanFact) -> Instant:
    """Return up to when no order can be missing any more."""
    rules = work.house.rules.get(fact.account)
    if fact.complete_until is not None:
        return fact.complete_until
    return fact.started_at - (0 if rules is None else rules.lateness_us)


def _release_suspects(work: Work, account: AccountId, complete: Instant) -> None:
    for suspect in doubts.suspects(work.conn, account):
        if suspect.until < complete:
            kept = work.suspects.setdefault(suspect.id, suspect)
            _let_go(work, kept)


def _let_go(work: Work, suspect: Suspect) -> None:
    """No order came: somebody else lowered the number. The counting place is believed, others are put right."""
    rules = work.house.rules.get(suspect.account)
    units = suspect.remaining
    if units <= 0:
        return
    if rules is not None and rules.adopts and not adopting.read_again(work, suspect, skew_us=rules.skew_us):
        return
    work.load_skus((suspect.sku_id,))
    lift(work, suspect, units, cause="no order came for it")
    if rules is not None and not rules.adopts:
        _fell_by_hand(work, rules, suspect, units)
    if rules is not None and rules.adopts:
        adopting.missing(work, rules, suspect, units)


def _fell_by_hand(work: Work, rules: Rules, suspect: Suspect, units: int) -> None:
    found = work.keep(listings.by_id(work.conn, [suspect.listing_id]))
    for listing in found:
        if listing.base is not None and listing.sku_id == suspect.sku_id:
            expected = listing.base.value + units
            since, until = suspect.since, suspect.until
            counted = drifting.counted(work, listing, suspect.sku_id, units=-units, since=since, until=until)
            before = expected, expected
            drifting.note(work, rules, listing, seen=listing.base.value, before=before, since=since, counted=counted)
