"""The documents that the desk keeps: a ticket whole, and what it says of it. Pure.

Only these documents hold whom a ticket is for; nothing else that the desk answers does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from syncd.sdk.desk import (
    EventId,
    Inbound,
    Instant,
    Language,
    Letter,
    NewTicket,
    Priority,
    Sign,
    Sku,
    Ticket,
    TicketChange,
    TicketId,
    TicketState,
    TicketStatus,
)
from syncd.sdk.errors import ProtocolError

MOST_KEPT: Final = 100
"""Letters, drafts, notes and replies that a ticket keeps; the oldest leave first. Markers all stay."""


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A letter, or a draft of one, as it was written."""

    event: str
    kind: str
    subject: str
    body: str
    at: Instant


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something for agents only."""

    event: str
    text: str
    at: Instant


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the customer: when, and what it shows; its words are not kept."""

    at: Instant
    signs: tuple[Sign, ...] = ()


class TicketDoc(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket. `changed_at` counts up with every change and is its version.

    `mark` is what replies are known by. `sending` are events whose letter was begun: one that is still here after a
    stop may or may not have gone out. `unsure` are letters of which nobody knows. `thread` are ids of mails, ours and
    theirs, in their order. `bounced` is the status of the mail that came back. `mentions` look like order numbers.
    `inbound` are the customer's messages; one that is `escalated` is for a person.
    """

    ticket_id: str
    key: str
    mark: str
    subject: str
    created_at: Instant
    changed_at: Instant
    address: str = ""
    name: str = ""
    language: Language = Language.JA
    status: TicketStatus = TicketStatus.OPEN
    state: TicketState | None = None
    sku: str = ""
    quantity: int = 1
    order_number: str = ""
    mentions: tuple[str, ...] = ()
    expected: str = ""
    amount: str = ""
    priority: Priority = Priority.NORMAL
    markers: tuple[str, ...] = ()
    sending: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    letters: tuple[Paper, ...] = ()
    drafts: tuple[Paper, ...] = ()
    notes: tuple[Note, ...] = ()
    thread: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    asked_at: Instant | None = None
    replied_at: Instant | None = None
    bounced: str = ""
    follow_up_of: str = ""
    inbound: tuple[Heard, ...] = ()
    escalated: bool = False


MOST_MENTIONS: Final = 20
_NUMBER: Final = re.compile(r"#?(?=[A-Za-z0-9_-]*\d)(?:(?<=#)[A-Za-z0-9_-]{1,40}|[A-Za-z0-9_-]{4,40})")

_DECODER: Final = msgspec.json.Decoder(TicketDoc)


def pack(doc: TicketDoc) -> bytes:
    """Return a document's bytes."""
    return msgspec.json.encode(doc)


def unpack(body: bytes) -> TicketDoc:
    """Return a document; raises ProtocolError, which names no content."""
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError:
        raise ProtocolError("a ticket of the local desk cannot be read") from None


def stated(doc: TicketDoc, *, read_at: Instant) -> Ticket:
    """Return what the desk says of a ticket: nothing of whom it is for."""
    return Ticket(
        ticket_id=TicketId(doc.ticket_id),
        version=doc.changed_at,
        read_at=read_at,
        status=doc.status,
        state=doc.state,
        sku=Sku(doc.sku) if doc.sku else None,
        quantity=doc.quantity,
        order_number=doc.order_number,
        order_numbers=tuple(dict.fromkeys(word for word in (doc.order_number, *doc.mentions) if word)),
        expected=doc.expected,
        amount=doc.amount,
        language=doc.language,
        markers=frozenset(EventId(event) for event in doc.markers),
        reachable=bool(doc.address) and not doc.bounced,
        asked_at=doc.asked_at,
        replied_at=doc.replied_at,
        created_at=doc.created_at,
        follow_up_of=TicketId(doc.follow_up_of) if doc.follow_up_of else None,
        inbound=tuple(Inbound(at=one.at, signs=frozenset(one.signs)) for one in doc.inbound),
        escalated=doc.escalated,
    )


def mentioned(text: str) -> tuple[str, ...]:
    """Return words that look like order numbers: they have a digit and four signs at least, or begin with #."""
    words = (word.strip(",;:!?()[]<>\"'、。「」（）【】") for word in text.split())
    return tuple(word for word in words if _NUMBER.fullmatch(word))[:MOST_MENTIONS]


# --- changes ---------------------------------------------------------------------------------------------------------


def opened(wish: NewTicket, *, ticket_id: str, mark: str, now: Instant, parent: TicketDoc | None) -> TicketDoc:
    """Return a new ticket; one that follows up another has the other's customer where it names none itself."""
    contact = wish.contact
    return TicketDoc(
        ticket_id=ticket_id,
        key=wish.key,
        mark=mark,
        subject=wish.subject,
        created_at=now,
        changed_at=now,
        address=contact.address if contact else parent.address if parent else "",
        name=contact.name if contact else parent.name if parent else "",
        language=wish.language,
        state=wish.state,
        sku=wish.sku or "",
        quantity=wish.quantity,
        order_number=wish.order_number,
        mentions=mentioned(wish.subject),
        expected=wish.expected,
        amount=wish.amount,
        priority=wish.priority,
        escalated=wish.escalated,
        follow_up_of=wish.follow_up_of or "",
    )


def changed(doc: TicketDoc, change: TicketChange) -> TicketDoc:
    """Return a ticket with the fields of a change; what the change leaves out stays."""
    return msgspec.structs.replace(doc, **change.fields(), priority=change.raised(doc.priority))


def noted(doc: TicketDoc, text: str, *, event: str, now: Instant) -> TicketDoc:
    """Return a ticket with a note, where there is one to add."""
    if not text:
        return doc
    return msgspec.structs.replace(doc, notes=_kept(doc.notes, Note(event=event, text=text, at=now)))


def drafted(doc: TicketDoc, letter: Letter, *, event: str, now: Instant) -> TicketDoc:
    """Return a ticket with a draft for an agent."""
    return msgspec.structs.replace(doc, drafts=_kept(doc.drafts, _paper(letter, event, now)))


def begun(doc: TicketDoc, event: str) -> TicketDoc:
    """Return a ticket whose letter is about to be handed over."""
    return msgspec.structs.replace(doc, sending=(*doc.sending, event))


def unsent(doc: TicketDoc, event: str) -> TicketDoc:
    """Return a ticket whose letter certainly did not go out."""
    return msgspec.structs.replace(doc, sending=_without(doc.sending, event))


def sent(doc: TicketDoc, letter: Letter, *, event: str, mail_id: str, now: Instant) -> TicketDoc:
    """Return a ticket whose letter went out."""
    return msgspec.structs.replace(
        doc,
        sending=_without(doc.sending, event),
        letters=_kept(doc.letters, _paper(letter, event, now)),
        thread=_kept(doc.thread, mail_id),
        asked_at=now,
    )


def doubted(doc: TicketDoc, event: str, *, mail_id: str) -> TicketDoc:
    """Return a ticket of whose letter nobody knows whether it went out; a reply to it is known all the same."""
    return msgspec.structs.replace(
        doc,
        sending=_without(doc.sending, event),
        unsure=_kept(_without(doc.unsure, event), event),
        thread=_kept(doc.thread, mail_id),
    )


def marked(doc: TicketDoc, event: str) -> TicketDoc:
    """Return a ticket that bears an event."""
    return msgspec.structs.replace(doc, markers=(*_without(doc.markers, event), event))


def replied(doc: TicketDoc, *, mail_id: str, at: Instant, signs: Iterable[Sign] = ()) -> TicketDoc:
    """Return a ticket whose customer wrote; a solved one is open again. `signs` are what the mail shows."""
    status = doc.status if doc.status in {TicketStatus.CLOSED, TicketStatus.GONE} else TicketStatus.OPEN
    return msgspec.structs.replace(
        doc,
        status=status,
        heard=_kept(doc.heard, mail_id),
        thread=_kept(doc.thread, mail_id),
        replied_at=max(at, doc.replied_at or 0),
        inbound=_kept(doc.inbound, Heard(at=at, signs=tuple(sorted(signs)))),
    )


def came_back(doc: TicketDoc, *, mail_id: str, status: str) -> TicketDoc:
    """Return a ticket whose mail came back for good: its customer cannot be reached."""
    return msgspec.structs.replace(doc, heard=_kept(doc.heard, mail_id), bounced=status or "5")


def touched(doc: TicketDoc, now: Instant) -> TicketDoc:
    """Return a ticket with the version after this one's."""
    return msgspec.structs.replace(doc, changed_at=max(now, doc.changed_at + 1))


def _paper(letter: Letter, event: str, now: Instant) -> Paper:
    return Paper(event=event, kind=letter.kind, subject=letter.subject, body=letter.body, at=now)


def _kept(rows: tuple, row: object) -> tuple:  # type: ignore[type-arg]  # of whatever is kept
    return (*rows, row)[-MOST_KEPT:]


def _without(rows: tuple[str, ...], row: str) -> tuple[str, ...]:
    return tuple(other for other in rows if other != row)
