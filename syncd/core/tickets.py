"""The words of those who wait: a ticket at a desk, what is changed on it, and what its customer is told.

No value here holds a name, an address or what a customer wrote; a `Contact` exists only on its way to a desk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from syncd.core.terms import Instant, OutcomeKind, Sku

DeskId = NewType("DeskId", str)
"""The name of a desk in the settings: `[desks.NAME]`."""

TicketId = NewType("TicketId", str)
"""A ticket's id at its desk."""

EventId = NewType("EventId", str)
"""What a change belongs to: a ticket that bears it as a marker is never changed by it again."""


class TicketState(StrEnum):
    """How it stands with the goods that a ticket waits for: the field "backorder status"."""

    PENDING = "pending"
    RESTOCKED = "restocked"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class TicketStatus(StrEnum):
    """Whose turn it is at the desk. A closed ticket cannot be changed any more; one that is gone was deleted."""

    OPEN = "open"
    WAITING = "waiting"
    SOLVED = "solved"
    CLOSED = "closed"
    GONE = "gone"


class Language(StrEnum):
    """Languages of letters to customers."""

    JA = "ja"
    EN = "en"
    ZH = "zh"


class MessageKind(StrEnum):
    """What a letter to a customer, or to an agent who calls, is about; each has a text per language."""

    ACKNOWLEDGED = "acknowledged"
    RESTOCKED = "restocked"
    EXPECTED = "expected"
    SLIPPED = "slipped"
    DUE_SOON = "due_soon"
    STILL_WAITING = "still_waiting"
    ALTERNATIVE = "alternative"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    OVERSOLD_CROSSED = "oversold_crossed"
    OVERSOLD_DAMAGED = "oversold_damaged"
    OVERSOLD_LATE_SUPPLIER = "oversold_late_supplier"
    LATE = "late"
    LATE_AND_OUT = "late_and_out"
    PHONE_SCRIPT = "phone_script"
    BUMP_FIRST = "bump_first"
    BUMP_SECOND = "bump_second"
    SOLVED_UNANSWERED = "solved_unanswered"
    CANCEL_FOLLOW_UP = "cancel_follow_up"
    SIGN_UP_CONFIRM = "sign_up_confirm"


class Priority(StrEnum):
    """How soon an agent should look."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Sign(StrEnum):
    """What a customer's words show that no machine may answer (`core.escalation`)."""

    LEGAL = "legal"
    ANGER = "anger"


class Rating(StrEnum):
    """How a customer rated what was done for them; unrated is no rating."""

    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message of a customer: when it was written and what it shows; its words are not kept."""

    at: Instant
    signs: frozenset[Sign] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket as its desk states it at one moment.

    `version` is the desk's own time of the last change, `read_at` the start of the read that brought it. `quantity` is
    in units, `expected` a day as 2026-12-01 or empty, `amount` decimal text. `order_numbers` are words of the ticket
    that look like order numbers of any channel, in their order; the text itself is not kept. `skus` are those that it
    may be about where the desk does not know which. `markers` are the events that it bears. `reachable` says that the
    desk can tell the customer. `asked_at` is when we last wrote to the customer, `replied_at` when the customer did.
    `inbound` are messages of the customer, as many as this reading brought. `escalated` says that the desk has it
    marked as one for a person. `solved_at` is when it was solved last, where the desk tells; `rating` is theirs.
    """

    ticket_id: TicketId
    version: Instant | None
    read_at: Instant
    status: TicketStatus
    state: TicketState | None = None
    sku: Sku | None = None
    quantity: int = 1
    order_number: str = ""
    order_numbers: tuple[str, ...] = ()
    skus: tuple[Sku, ...] = ()
    expected: str = ""
    amount: str = ""
    currency: str = ""
    language: Language | None = None
    markers: frozenset[EventId] = frozenset()
    reachable: bool = True
    asked_at: Instant | None = None
    replied_at: Instant | None = None
    created_at: Instant | None = None
    follow_up_of: TicketId | None = None
    inbound: tuple[Inbound, ...] = ()
    escalated: bool = False
    solved_at: Instant | None = None
    rating: Rating | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A text for the customer, whole: nothing is left to fill in.

    `leave_url` is where its reader leaves the list by one click (RFC 8058), empty for who is on none.
    """

    kind: MessageKind
    language: Language
    subject: str
    body: str = field(repr=False)
    leave_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketChange:
    """What is to be changed on one ticket; None and empty texts leave a thing as it is.

    `version` guards it: the change is STALE where the ticket is another by now. `note` is for agents only. `letter`
    goes to the customer, or where `draft` is set stands as a draft for an agent. `escalated` marks the ticket as one
    for a person, or (False) takes the mark away.
    """

    ticket_id: TicketId
    event: EventId
    version: Instant | None = None
    state: TicketState | None = None
    status: TicketStatus | None = None
    sku: Sku | None = None
    quantity: int | None = None
    order_number: str | None = None
    expected: str | None = None
    amount: str | None = None
    priority: Priority | None = None
    note: str = ""
    letter: Letter | None = None
    draft: bool = False
    escalated: bool | None = None

    def fields(self) -> dict[str, Any]:
        """Return what the change states of the ticket itself, by name; a priority is told by `raised`."""
        names = ("state", "status", "sku", "quantity", "order_number", "expected", "amount", "escalated")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def raised(self, there: Priority) -> Priority:
        """Return the priority after the change of a ticket that had this one: an escalation never lowers it."""
        if self.priority is None:
            return there
        return max(there, self.priority, key=list(Priority).index) if self.escalated else self.priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom a new ticket is for: personal data, never stored by us outside the inbox, never logged."""

    address: str = field(repr=False)
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """A ticket to be opened. `key` is unique: a repeat answers the ticket that is there already.

    Without a `contact` it is a task for an agent. An `escalated` one is marked as one for a person.
    """

    key: str
    event: EventId
    subject: str
    note: str
    state: TicketState = TicketState.PENDING
    sku: Sku | None = None
    quantity: int = 1
    order_number: str = ""
    expected: str = ""
    amount: str = ""
    language: Language = Language.JA
    priority: Priority = Priority.NORMAL
    contact: Contact | None = None
    letter: Letter | None = None
    draft: bool = False
    follow_up_of: TicketId | None = None
    escalated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOutcome:
    """How a change or an opening ended; `version` is the ticket's version after it, where the desk tells."""

    ticket_id: TicketId
    event: EventId
    kind: OutcomeKind
    reason: str = ""
    version: Instant | None = None
