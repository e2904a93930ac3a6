"""Decide private sales: whom one is made for, what the channel said of it, and which order came of it.

Their units are held for an entry (`account` of the hold is empty: nothing shows them). Making one takes them off the
channel's own listing at some instant until it has answered, ending or lapsing gives them back, and the order that comes
of one takes nothing more. While it is not certain that nobody can buy any more, the units stay held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncd.core.facts import AccountState
from syncd.core.offers import MAKING, OfferState, OfferWord, Sequel, turn
from syncd.core.restock import event_of
from syncd.core.retry import RetryRule, delay_s
from syncd.core.terms import SECOND_US, AccountId, Instant, SkuId, Span
from syncd.core.tickets import EventId, MessageKind, TicketState
from syncd.core.waitlist import OfferFact
from syncd.engine.holding import close_bought, lift, lift_all
from syncd.engine.moving import moment, take_back, tell
from syncd.engine.offer_effects import (
    MARGIN_US,
    lapse_of,
    note,
    note_bought,
    note_leaving,
    strike,
)
from syncd.engine.work import SERVE, Hint, Work
from syncd.store import changes, listings, offers, tickets, waiting
from syncd.store.listings import Listing
from syncd.store.offers import Offer
from syncd.store.waiting import Entry, Hold

PROOF_US: Final = 600 * SECOND_US
"""How long a private sale is looked for whose answer was lost: a search may be behind by some minutes."""
GIVE_UP_US: Final = 900 * SECOND_US
"""How long one may wait to be sent: then the channel is opened instead."""
RULE: Final = RetryRule(first_s=5.0, factor=2.0, most_s=300.0)
UNNAMED: Final = "-"
"""Stands for the order that came of one where the channel does not say which it is."""
BEATEN: Final = "beaten"
LEFT: Final = "left"
LATE: Final = "late"
"""It was found when most of its time was over already: nobody was told of it."""
_IN_LINE_AGAIN: Final = {
    BEATEN: "a paid order took the units that were held",
    LATE: "the private sale was found too late",
}


# --- whom one is made for ------------------------------------------------------------------------------------------


def place_of(work: Work, entry: Entry) -> Listing | None:
    """Return the listing of which units can be sold in private to whoever waits, None where that is not possible.

    Their channel sells in private and is released, has a listing of exactly what they want, and they can be told.
    """
    account = AccountId(entry.account)
    known = work.accounts.get(account)
    if account not in work.house.waiting.private or work.house.shadow:
        return None
    if known is None or known.state is not AccountState.LIVE:
        return None
    if work.house.waiting.desk is None and not tickets.of_entries(work.conn, [entry.id]):
        return None
    found = listings.of_skus(work.conn, [entry.sku_id])
    usable = [x for x in found if x.account == account and x.managed and not x.vanished and not x.parked]
    return next((x for x in usable if x.active), None)


def begin(work: Work, places: Mapping[int, Listing], entries: Sequence[Entry], *, event: EventId) -> None:
    """Have private sales made for these entries, whose units are held: they are told once theirs is there."""
    rows, keys = [], {}
    for entry in entries:
        listing = places[entry.id]
        key = keys[entry.id] = event_of("offer", entry.source, entry.key, event, str(work.now))
        row = {"key": key, "account": listing.account, "entry_id": entry.id, "event": event}
        row |= {"remote_id": listing.ref.remote_id, "remote_location": listing.ref.remote_location}
        rows.append(row | {"units": entry.quantity, "created_at": work.now})
        work.hints.add((listing.account, Hint.OFFER))
    offers.add(work.conn, rows)
    offers.assign(work.conn, keys)


def open_late(work: Work, *, limit: int) -> bool:
    """Open the channel for those whose private sale could not be sent for too long; return whether there were any."""
    found = offers.late(work.conn, before=work.now - GIVE_UP_US, limit=limit)
    for offer in found:
        _end(work, offer)
        _follow(work, offer, Sequel.OPEN_CHANNEL)
    return bool(found)


def free_abandoned(work: Work, *, limit: int) -> bool:
    """Free units of accounts that are not there any more, once the channel keeps them no longer; say whether any."""
    found = offers.abandoned(work.conn, known=work.house.rules, before=work.now - MARGIN_US, limit=limit)
    for offer in found:
        offer.cause = offer.cause or LATE
        _end(work, offer)
        _follow(work, offer, Sequel.RELEASE)
    return bool(found)


# --- what the channel said -----------------------------------------------------------------------------------------


def take_offer(work: Work, fact: OfferFact) -> None:
    """Take what a channel said of a private sale; what does not fit any more changes nothing."""
    offer = offers.by_keys(work.conn, [fact.key]).get(fact.key)
    if offer is None:
        return
    before, sent_at = offer.state, offer.created_at if offer.sent_at is None else offer.sent_at
    if fact.word is OfferWord.MADE and before in MAKING and _is_late(work, offer):
        offer.cause = offer.cause or LATE
    proven = fact.sent_at >= sent_at + PROOF_US + _effect_us(work, offer)
    found = turn(offer.state, fact.word, recalled=bool(offer.cause), proven=proven)
    offer.state = found.state
    if found.again:
        _again(work, offer, fact)
    elif offer.state is not before:
        # What was found later was made while its request could still take effect.
        found_late = before is OfferState.UNKNOWN
        latest = min(fact.answered_at, sent_at + _effect_us(work, offer)) if found_late else fact.answered_at
        _note_word(work, offer, fact, Span(earliest=sent_at, latest=latest))
        if offer.state is OfferState.ENDED:
            _end(work, offer)
    offers.save(work.conn, [offer])
    _follow(work, offer, found.sequel)
    work.hints.update({(offer.account, Hint.OFFER), SERVE})


def _is_late(work: Work, offer: Offer) -> bool:
    """Say whether less than half of the time is left in which the customer was to buy."""
    if offer.until is None or offer.sent_at is None:
        return False
    return offer.until - work.now < (offer.until - offer.sent_at) // 2


def _effect_us(work: Work, offer: Offer) -> int:
    rules = work.house.rules.get(offer.account)
    return 0 if rules is None else rules.effect_us


def _again(work: Work, offer: Offer, fact: OfferFact) -> None:
    """Let what was tried be tried again; what was certainly not sent took nothing."""
    offer.attempts += 1
    offer.reason = fact.reason
    if fact.word is OfferWord.REFUSED:
        work.alarm("private_sale_stays", offer.key, account=offer.account, entry=offer.entry_id, reason=fact.reason)
    asked = fact.again_s or None
    offer.due_at = work.now + int(delay_s(offer.attempts, rule=RULE, retry_after_s=asked, draw=0.0) * SECOND_US)
    if offer.state is OfferState.WAITING:
        strike(work, offer, "take")
    lapse = lapse_of(offer)
    if offer.state is OfferState.UNKNOWN and lapse is not None:
        if work.now < lapse:
            offer.due_at = min(offer.due_at, lapse)
        else:
            note(work, offer, "give", units=offer.units, span=Span(earliest=lapse, latest=None), maybe=True)


def _note_word(work: Work, offer: Offer, fact: OfferFact, made: Span) -> None:
    match fact.word:
        case OfferWord.MADE:
            offer.offer_id, offer.link, offer.answered_at = fact.offer_id, fact.link, fact.answered_at
            offer.attempts, offer.reason, offer.due_at = 0, "", work.now
            note(work, offer, "take", units=-offer.units, span=made)
            if offer.state is OfferState.WITHDRAWING:
                note_leaving(work, offer)
        case OfferWord.REFUSED | OfferWord.ABSENT | OfferWord.UNSENT:
            offer.reason = fact.reason
            strike(work, offer, "take")
            strike(work, offer, "give")
        case OfferWord.WITHDRAWN:
            lapse = lapse_of(offer)
            since = fact.sent_at if lapse is None else min(fact.sent_at, lapse)
            note(work, offer, "give", units=offer.units, span=Span(earliest=since, latest=fact.answered_at))
        case OfferWord.GONE:
            since = offer.answered_at or made.earliest
            note(work, offer, "give", units=offer.units, span=Span(earliest=since, latest=fact.answered_at))
        case OfferWord.BOUGHT:
            offer.order_id = fact.order_id or UNNAMED
            note_bought(work, offer, at=fact.answered_at)
        case OfferWord.UNKNOWN:
            pass


def _end(work: Work, offer: Offer) -> None:
    offer.state, offer.ended_at = OfferState.ENDED, work.now
    if offer.cause:
        work.calm("private_sale_stays", offer.key)
    offers.save(work.conn, [offer])


def _follow(work: Work, offer: Offer, sequel: Sequel) -> None:
    entry = waiting.entries(work.conn, [offer.entry_id]).get(offer.entry_id)
    match sequel:
        case Sequel.TELL:
            offer.until = work.now + work.house.waiting.hold_us if offer.until is None else offer.until
            offers.save(work.conn, [offer])
            offers.set_until(work.conn, offer.key, offer.until)
            work.calm("private_sale", offer.account)
            _tell(work, offer, entry, until=offer.until)
        case Sequel.OPEN_CHANNEL:
            why = offer.reason or "it could not be made"
            work.alarm("private_sale", offer.account, account=offer.account, reason=why)
            until = work.now + work.house.waiting.hold_us
            account = "" if entry is None else entry.account
            _touch(work, _holds(work, offer))
            offers.disband(work.conn, offer.key, account=account, until=until)
            _tell(work, offer, entry, until=until)
        case Sequel.RELEASE:
            _release(work, offer, entry)
        case Sequel.ORDER:
            _await_order(work, offer)
        case Sequel.NOTHING:
            pass


def _tell(work: Work, offer: Offer, entry: Entry | None, *, until: Instant) -> None:
    if entry is None or entry.closed_at is not None or entry.event != offer.event:
        return
    words = {entry.id: {"hold_until": moment(until)}}
    state, message = TicketState.RESTOCKED, MessageKind.RESTOCKED
    tell(work, [entry], event=offer.event, message=message, state=state, values=words)


def _of_holds(work: Work, holds: Iterable[Hold]) -> dict[str, Offer]:
    """Return the private sales that holds belong to, by key."""
    return offers.by_keys(work.conn, {hold.reference for hold in holds if hold.reference})


def _holds(work: Work, offer: Offer) -> list[Hold]:
    return [hold for hold in waiting.holds_of(work.conn, [offer.entry_id]) if hold.reference == offer.key]


def _touch(work: Work, holds: Iterable[Hold]) -> None:
    for hold in holds:
        work.touch(hold.sku_id)


def _release(work: Work, offer: Offer, entry: Entry | None) -> None:
    """Free the units of a private sale that nobody can buy any more."""
    holds = _holds(work, offer)
    kept: dict[SkuId, int] = {}
    for hold in holds:
        kept[hold.sku_id] = kept.get(hold.sku_id, 0) + hold.units
    lift_all(work, holds, cause=offer.cause)
    if entry is None or entry.closed_at is not None or entry.order_row is not None:
        return
    if offer.cause not in _IN_LINE_AGAIN:
        close_bought(work, {entry.id}, reason=offer.cause)
        return
    needs = waiting.needs_of(work.conn, [entry.id]).get(entry.id, {})
    for sku_id, units in kept.items():
        waiting.set_units(work.conn, sku_id, {entry.id: needs.get(sku_id, 0) + units})
    take_back(work, [entry], why=_IN_LINE_AGAIN[offer.cause])


def _await_order(work: Work, offer: Offer) -> None:
    """Keep the units for the order that came of it until that is known, or long enough for it to have come."""
    offers.set_until(work.conn, offer.key, work.now + work.house.waiting.hold_us)
    if offer.order_id == UNNAMED:
        return
    if offers.bought_line(work.conn, offer, offer.order_id) is not None:
        redeem(work, [(offer.key, offer.order_id)])
    else:
        work.want_orders(offer.account, [offer.order_id])


# --- not wanted any more -------------------------------------------------------------------------------------------


def recall(work: Work, offer: Offer, *, cause: str) -> bool:
    """Have a private sale ended; return whether its units stay held until the channel has said that it is.

    What was not told yet is not told any more.
    """
    if offer.state is OfferState.ENDED:
        return False
    changes.stop(work.conn, [offer.entry_id], event=offer.event, reason=cause, now=work.now)
    offer.cause = offer.cause or cause
    if offer.state is OfferState.WAITING or offer.account not in work.house.rules:
        _end(work, offer)  # nobody can have bought it, or nobody is there any more who could end it
        return False
    if offer.state is OfferState.OPEN:
        offer.state, offer.attempts, offer.due_at = OfferState.WITHDRAWING, 0, work.now
        note_leaving(work, offer)
    offers.save(work.conn, [offer])
    offers.set_until(work.conn, offer.key, None)
    work.hints.add((offer.account, Hint.OFFER))
    return True


def give_up(work: Work, holds: Collection[Hold], *, cause: str) -> set[int]:
    """Give back what is held there, once nobody can buy it; return the entries of which all is given back now."""
    known = _of_holds(work, holds)
    staying = {key for key, offer in known.items() if recall(work, offer, cause=cause)}
    gone = [hold for hold in holds if hold.reference not in staying]
    lift_all(work, gone, cause=cause)
    return {hold.entry_id for hold in gone} - {hold.entry_id for hold in holds if hold.reference in staying}


def recall_of(work: Work, holds: Iterable[Hold], *, cause: str) -> None:
    """Have the private sales of holds ended whose units went elsewhere."""
    for offer in _of_holds(work, holds).values():
        recall(work, offer, cause=cause)


def standing(work: Work, holds: Sequence[Hold]) -> list[Hold]:
    """Return the holds that an order may take: not of private sales that are bought, or not wanted any more."""
    known = _of_holds(work, holds)
    spoken_for = {
        key for key, one in known.items() if one.order_id or (one.cause and one.state is not OfferState.ENDED)
    }
    return [hold for hold in holds if hold.reference not in spoken_for]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beaten:
    """What orders took of holds: `lifted` units per entry at once, and `leaving` ones that private sales still keep."""

    lifted: Mapping[int, int]
    leaving: int


def beat(work: Work, holds: Sequence[Hold], given: Iterable[tuple[int, int]]) -> Beaten:
    """Take units of holds for orders that lack them; those of a private sale come once nobody can buy them."""
    by_id = {hold.id: hold for hold in holds}
    known = _of_holds(work, holds)
    lifted: dict[int, int] = {}
    leaving = 0
    for hold_id, taken in given:
        hold = by_id[hold_id]
        offer = known.get(hold.reference)
        if offer is not None and recall(work, offer, cause=BEATEN):
            leaving += taken
        else:
            lift(work, hold, taken, cause=BEATEN)
            lifted[hold.entry_id] = lifted.get(hold.entry_id, 0) + taken
    return Beaten(lifted=lifted, leaving=leaving)


# --- orders that came of them --------------------------------------------------------------------------------------


def is_ours(offer: Offer | None, order_id: str) -> bool:
    """Say whether an order that names a private sale takes the units that it has reserved."""
    if offer is None:
        return False
    return offer.state is not OfferState.ENDED or offer.order_id in (order_id, UNNAMED)


def redeem(work: Work, bought: Iterable[tuple[str, str]]) -> None:
    """Let orders, by the key of their private sale and their own id, take its units and be the order of its entry."""
    pairs = list(bought)
    known = offers.by_keys(work.conn, {key for key, _ in pairs})
    for key, order_id in pairs:
        offer = known.get(key)
        line = None if offer is None else offers.bought_line(work.conn, offer, order_id)
        if offer is not None and line is not None:
            _buy(work, offer, order_id, line)
            _link(work, offer, line)


def _buy(work: Work, offer: Offer, order_id: str, line: offers.BoughtLine) -> None:
    if not is_ours(offer, order_id):
        return  # it was ended, or bought by another order: this one is as any other
    if offer.state in (OfferState.INTENDED, OfferState.UNKNOWN):
        sent_at = offer.created_at if offer.sent_at is None else offer.sent_at
        note(work, offer, "take", units=-offer.units, span=Span(earliest=sent_at, latest=work.now))
    note_bought(work, offer, at=line.ordered_at)
    changes.stop(work.conn, [offer.entry_id], event=offer.event, reason="bought", now=work.now)
    offer.order_id = order_id
    if offer.state is not OfferState.ENDED:
        _end(work, offer)
    lift_all(work, _holds(work, offer), cause="bought")


def _link(work: Work, offer: Offer, line: offers.BoughtLine) -> None:
    """Let an entry be one with an order from now on: it lacks nothing but what the order lacks."""
    entry = waiting.entries(work.conn, [offer.entry_id]).get(offer.entry_id)
    if entry is None or entry.closed_at is not None or entry.order_row is not None:
        return
    waiting.set_order(work.conn, entry.id, order_row=line.order_row, line_id=line.line_id, number=line.number)
    for sku_id, units in waiting.needs_of(work.conn, [entry.id]).get(entry.id, {}).items():
        if units:
            waiting.set_units(work.conn, sku_id, {entry.id: 0})
            work.touch(sku_id)
    work.stated.add(line.order_row)
