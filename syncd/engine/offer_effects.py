"""Note what private sales take of what a listing shows: made, ended, lapsed, and bought, each at its own time."""

from __future__ import annotations

from typing import Final

from syncd.core.offers import OfferState
from syncd.core.shown import Effect
from syncd.core.terms import SECOND_US, AccountId, Instant, OrderLine, Span
from syncd.engine.work import Work
from syncd.store import listings, offers
from syncd.store.history import NewEffect
from syncd.store.listings import Listing
from syncd.store.offers import Offer

MARGIN_US: Final = 3_600 * SECOND_US
"""How much longer than the customer is told a channel keeps the units: who began to pay in time is served."""


def listings_of(work: Work, offer: Offer) -> list[Listing]:
    """Return the listings of which a channel may take its units, as with a line of an order."""
    wanted = (offer.account, offer.remote_id)
    found = [x for x in listings.by_remotes(work.conn, {wanted}) if (x.account, x.ref.remote_id) == wanted]
    return work.keep(found)


def note(work: Work, offer: Offer, name: str, *, units: int, span: Span, maybe: bool = False) -> None:
    """Note a change that a private sale makes, or may make, to what its listing shows; a repeat replaces the first."""
    rules = work.house.rules.get(offer.account)
    where = listings_of(work, offer)
    if rules is None:
        return
    latest = None if span.latest is None else span.latest + rules.skew_us
    wide = Span(earliest=span.earliest - rules.skew_us, latest=latest)
    for listing in where:
        effect = Effect(quantity=units, span=wide, maybe=maybe or len(where) > 1)
        work.effects.append(NewEffect(listing_id=listing.id, reference=f"offer:{offer.id}:{name}", effect=effect))
        work.stir(listing)


def lapse_of(offer: Offer) -> Instant | None:
    """Return when the channel gives its units back by itself; None where it was not sent yet."""
    return None if offer.until is None else offer.until + MARGIN_US


def note_bought(work: Work, offer: Offer, *, at: Instant) -> None:
    """Note whether its units were given back before somebody bought it, who takes them once more then."""
    lapse = lapse_of(offer)
    if lapse is not None and lapse < at:
        note(work, offer, "give", units=offer.units, span=Span(earliest=lapse, latest=at))
    elif offer.cause or offer.state is OfferState.UNKNOWN:
        strike(work, offer, "give")


def strike(work: Work, offer: Offer, name: str) -> None:
    """Take back a change that was thought possible and never came."""
    at = offer.created_at
    note(work, offer, name, units=0, span=Span(earliest=at, latest=at))


def note_sent(work: Work, offer: Offer) -> None:
    """Note that it is sent from now on: its units may go at any time."""
    note(work, offer, "take", units=-offer.units, span=Span(earliest=work.now, latest=None))


def note_leaving(work: Work, offer: Offer) -> None:
    """Note that its units may come back at any time from now on, or have come by its own end."""
    lapse = lapse_of(offer)
    since = work.now if lapse is None else min(work.now, lapse)
    note(work, offer, "give", units=offer.units, span=Span(earliest=since, latest=None))


def is_reserved(offer: Offer, line: OrderLine, *, ordered_at: Instant) -> bool:
    """Say whether a line sold what a private sale had reserved, and not what was added, or bought after the lapse."""
    lapse = lapse_of(offer)
    return line.remote_id == offer.remote_id and (lapse is None or ordered_at <= lapse)


def may_come_of_one(work: Work, account: AccountId, line: OrderLine) -> bool:
    """Say whether a line that names no private sale may be of one all the same: what names it may get lost on its way.

    Then nobody knows whether it took units off the listing.
    """
    return account in work.house.waiting.private and offers.sells(work.conn, account, line.remote_id)


def note_order(work: Work, offer: Offer, line: OrderLine, *, at: Span) -> None:
    """Note what an order takes beyond its private sale, or leaves of it: a person may have changed its units."""
    more = line.quantity - offer.units
    if more:
        note(work, offer, "order", units=-more, span=at, maybe=True)
