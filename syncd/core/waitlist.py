"""Facts of those who wait: entries, tickets, arrivals, holds, and a person's word on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from syncd.core.offers import OfferWord
from syncd.core.terms import AccountId, Instant, Location, OutcomeKind, Sku
from syncd.core.tickets import Contact, DeskId, Language, Sign, Ticket, TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRow:
    """Somebody who waits. `key` is unique for the fact's source: a repeat changes nothing.

    `order_number` names an order of any channel; `account` is where they want to buy, where it is known. `since` is
    their place in the line (None: now). Only the inbox ever holds the `contact`. `signs` are what their words show,
    where they wrote some.
    """

    key: str
    sku: Sku
    quantity: int = 1
    account: AccountId | None = None
    order_number: str = ""
    amount: str = ""
    currency: str = ""
    language: Language | None = None
    since: Instant | None = None
    due_on: str = ""
    contact: Contact | None = None
    signs: frozenset[Sign] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFact:
    """People wait: from a sign-up page, a file, the API, an inquiry. `source` says from which."""

    source: str
    rows: tuple[WaitRow, ...]
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveFact:
    """Entries end by their own word or a person's: by number, or by (source, key)."""

    ids: tuple[int, ...] = ()
    source: str = ""
    keys: tuple[str, ...] = ()
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFact:
    """A desk states tickets. `cursor` is where its feed goes on, None where they were read by their ids."""

    desk: DeskId
    tickets: tuple[Ticket, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketHintFact:
    """Something changed on these tickets: read them. Losing it loses time, never truth."""

    desk: DeskId
    ticket_ids: tuple[TicketId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEnd:
    """How one change of a ticket ended; `key` is the change's own, `ticket_id` the ticket it was made on or opened.

    `final` says of one whose end is not known that nobody can look it up: a person decides.
    """

    key: str
    ticket_id: TicketId
    kind: OutcomeKind
    reason: str = ""
    version: Instant | None = None
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOutcomeFact:
    """A batch of changes ended so. `again_s` is after how long the unsent and unknown ones are looked at again."""

    desk: DeskId
    ends: tuple[ChangeEnd, ...]
    again_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskFact:
    """Sending to a desk is released (`live`) or paused."""

    desk: DeskId
    live: bool
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalRow:
    """A line of a purchase order: so many units of a SKU are to come on a day (empty: not known yet).

    The row states the line as it is now. `quantity` is what was ordered in all; 0 takes the line back.
    """

    number: str
    sku: Sku
    location: Location
    quantity: int
    expected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalFact:
    """What suppliers will bring, as it is known now."""

    source: str
    rows: tuple[ArrivalRow, ...]
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFact:
    """Holds end: bought in private, or given up by a person."""

    ids: tuple[int, ...]
    bought: bool = False
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFact:
    """A channel said this of the private sale with `key`, or nothing. `sent_at` and `answered_at` are on our clock.

    `link` is the customer's secret. `order_id` is the order that came of it, where the channel names it.
    """

    account: AccountId
    key: str
    word: OfferWord
    sent_at: Instant
    answered_at: Instant
    offer_id: str = ""
    link: str = field(default="", repr=False)
    order_id: str = ""
    reason: str = ""
    again_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionFact:
    """A delivery was not what was said: `quantity` came in truth. What was not yet sent for it is stopped."""

    delivery_id: int
    quantity: int
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFact:
    """A person releases changes that are held (`accept`), or drops them. Empty ids with an event: all of that event."""

    ids: tuple[int, ...] = ()
    event: str = ""
    accept: bool
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFact:
    """A person releases escalated tickets by the numbers of their escalations: letters go out by themselves again."""

    ids: tuple[int, ...]
    reason: str = ""
    actor: str = ""
