"""Inquiries as Rakuten writes them, what is kept beside each, and replies as Rakuten takes them: pure.

Facts (RMS WEB SERVICE, InquiryManagementAPI inquiries.get, inquiry.get, reply.post and the patches, 2026): Japanese
times; a search spans at most 31 days of first inquiries, 100 rows a page; a reply has at most 2000 signs, 300 in a
line, and links to Rakuten alone; 201 says that it was taken. That the end of `itemUrl` is the page's manage number is
seen in the samples only. An inquiry has no field for anything else: what syncd knows of it is a document of the desk.

Of what customers write only words that look like order numbers come out of here, and a reply of ours is known again by
the hash of its text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from adapters.rakuten import wire as rms
from syncd.sdk.desk import (
    EventId,
    Inbound,
    Instant,
    Language,
    Lexicon,
    Priority,
    Sku,
    Ticket,
    TicketChange,
    TicketId,
    TicketState,
    TicketStatus,
    order_words,
)
from syncd.sdk.errors import ProtocolError, RejectedError
from syncd.sdk.strict import decode

RESTOCK: Final = "再入荷・在庫"
PAGE: Final = 100
WINDOW_US: Final = 30 * 86_400 * rms.SECOND_US
SLACK_US: Final = 60 * rms.SECOND_US
"""What changed so shortly before the newest change is told again: Rakuten's times are whole seconds, ours are not."""
MOST_TEXT: Final = 2_000
MOST_LINE: Final = 300
MOST_KEPT: Final = 100
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)
_LINK: Final = re.compile(r"https?://\S+")
_OWN_LINK: Final = re.compile(r"https?://([a-z0-9-]+\.)*rakuten\.(co\.jp|ne\.jp)([/?#]|$)", re.IGNORECASE)
_PAGE_NAME: Final = re.compile(r"/([a-z0-9_-]{1,32})/?$", re.IGNORECASE)


# --- what Rakuten says ------------------------------------------------------------------------------------------------


class Said(msgspec.Struct, frozen=True, rename="camel"):
    """One more word of the shop or the customer."""

    reply_from: str | None = None
    reg_date: str | None = None
    message: str | None = None


class Question(msgspec.Struct, frozen=True, rename="camel"):
    """An inquiry, without its author."""

    inquiry_number: str
    reg_date: str
    shop_id: int | None = None
    message: str | None = None
    item_url: str | None = None
    item_number: str | None = None
    is_completed: bool | None = None
    order_number: str | None = None
    category: str | None = None
    last_update_date: str | None = None
    replies: list[Said] | None = None

    def last(self, who: str) -> Instant | None:
        """Return when the shop (`merchant`) or the customer (`user`) wrote last, after the first question."""
        times = [said.reg_date for said in self.replies or () if said.reply_from == who and said.reg_date]
        return max((rms.instant(time) for time in times), default=None)

    @property
    def page_name(self) -> str:
        """Return the manage number of the page that it is about, empty where it is about none."""
        found = _PAGE_NAME.search(self.item_url or "") if self.item_number else None
        return "" if found is None else found[1].lower()


class Questions(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of inquiries.get."""

    rows: list[Question] | None = msgspec.field(default=None, name="list")
    total_page_count: int | None = None


class One(msgspec.Struct, frozen=True):
    """Answer of inquiry.get."""

    result: Question


class Marked(msgspec.Struct, frozen=True):
    """How inquiries were marked: those of `ok`, and what is wrong with the others."""

    ok: list[str] = []
    error: list[dict[str, Any]] = []


class Marks(msgspec.Struct, frozen=True):
    """Answer of the patches."""

    result: Marked


ALREADY: Final = "already set value as specified"
"""With this word an inquiry is refused that is marked so already."""


# --- where a reading stands -----------------------------------------------------------------------------------------


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a scan came: it tells what changed since `since`, in windows of first inquiries back from `until`."""

    since: Instant
    until: Instant
    window: int = 0
    page: int = 1
    newest: Instant = 0


def resume(cursor: str | None, *, now: Instant) -> Place:
    """Return where to read; raises `ProtocolError` for a text that is no cursor of ours."""
    place = Place(since=0, until=now) if cursor is None else decode(cursor, Place)
    return msgspec.structs.replace(place, until=now) if place.until == 0 else place


def query(place: Place, *, days: int) -> dict[str, Any]:
    """Return the search of a page."""
    end = place.until - place.window * WINDOW_US
    start = max(end - WINDOW_US, place.until - days * 86_400 * rms.SECOND_US)
    return {
        "fromDate": rms.local_time(start),
        "toDate": rms.local_time(end),
        "limit": PAGE,
        "page": place.page,
    }


def following(place: Place, answer: Questions | None, *, days: int, newest: Instant) -> tuple[str, bool]:
    """Return where the next call goes on, and whether it should follow at once."""
    newest = max(newest, place.newest, place.since)
    after = msgspec.structs.replace(place, newest=newest)
    if answer is not None and place.page < (answer.total_page_count or 0):
        after = msgspec.structs.replace(after, page=place.page + 1)
    elif (place.window + 1) * WINDOW_US < days * 86_400 * rms.SECOND_US:
        after = msgspec.structs.replace(after, window=place.window + 1, page=1)
    else:
        return msgspec.json.encode(Place(since=newest - SLACK_US, until=0)).decode(), False
    return msgspec.json.encode(after).decode(), True


# --- what the desk keeps ------------------------------------------------------------------------------------------


class Paper(msgspec.Struct, frozen=True):
    """Something for agents: a draft, or a note."""

    event: str
    text: str


class Doc(msgspec.Struct, frozen=True, kw_only=True):
    """What syncd knows of an inquiry. `changed_at` counts up with every change.

    `begun` are replies that were begun and have no known end, each with the hash of its text.
    """

    changed_at: Instant = 0
    status: TicketStatus = TicketStatus.OPEN
    status_at: Instant = 0
    state: TicketState | None = None
    sku: str = ""
    quantity: int = 1
    order_number: str = ""
    expected: str = ""
    amount: str = ""
    priority: Priority | None = None
    markers: tuple[str, ...] = ()
    begun: dict[str, str] = {}
    drafts: tuple[Paper, ...] = ()
    notes: tuple[Paper, ...] = ()
    escalated: bool = False


def pack(doc: Doc) -> bytes:
    """Return a document's bytes."""
    return msgspec.json.encode(doc)


def unpack(body: bytes) -> Doc:
    """Return a document; raises ProtocolError, which names no content."""
    try:
        return msgspec.json.decode(body, type=Doc)
    except msgspec.MsgspecError:
        raise ProtocolError("a document of Rakuten's inquiries cannot be read") from None


def digest(text: str) -> str:
    """Return what a reply of ours is known by, whatever becomes of its ends of lines."""
    return hashlib.sha256("\n".join(line.rstrip() for line in text.strip().splitlines()).encode()).hexdigest()


def known_replies(question: Question) -> frozenset[str]:
    """Return the hashes of what the shop wrote."""
    return frozenset(digest(said.message or "") for said in question.replies or () if said.reply_from == "merchant")


def heard(doc: Doc, question: Question) -> Doc:
    """Return a document in which replies that Rakuten shows count as sent."""
    shown = known_replies(question)
    sent = tuple(event for event, mark in doc.begun.items() if mark in shown)
    if not sent:
        return doc
    begun = {event: mark for event, mark in doc.begun.items() if event not in sent}
    return msgspec.structs.replace(doc, begun=begun, markers=(*doc.markers, *sent))


def version(question: Question, doc: Doc) -> Instant:
    """Return the time of the last change, at Rakuten or here."""
    times = [rms.instant(question.last_update_date or question.reg_date), doc.changed_at]
    return max([*times, *(at for who in ("merchant", "user") if (at := question.last(who)) is not None)])


def is_ours(question: Question, doc: Doc | None) -> bool:
    """Say whether an inquiry is about stock, or names an order; of others nothing is told."""
    return doc is not None or question.category == RESTOCK or bool(question.order_number)


def stated(question: Question, doc: Doc, *, skus: Sequence[str], read_at: Instant, lexicon: Lexicon) -> Ticket:
    """Return what the desk says of an inquiry: nothing of whom it is from, nor what was written."""
    doc = heard(doc, question)
    asked, mine = question.category == RESTOCK, doc.sku or (skus[0] if len(skus) == 1 else "")
    words = order_words(" ".join([question.message or "", *(s.message or "" for s in _theirs(question))]))
    number = doc.order_number or question.order_number or ""
    return Ticket(
        ticket_id=TicketId(question.inquiry_number),
        version=version(question, doc),
        read_at=read_at,
        status=_status(question, doc),
        state=doc.state or (TicketState.PENDING if asked and not question.is_completed else None),
        sku=Sku(mine) if mine else None,
        skus=() if mine else tuple(Sku(sku) for sku in skus),
        quantity=doc.quantity,
        order_number=number,
        order_numbers=tuple(dict.fromkeys(word for word in (number, *words) if word)),
        expected=doc.expected,
        amount=doc.amount,
        language=Language.JA,
        markers=frozenset(EventId(event) for event in doc.markers),
        asked_at=question.last("merchant"),
        replied_at=question.last("user"),
        created_at=rms.instant(question.reg_date),
        inbound=tuple(_inbound(question, lexicon)),
        escalated=doc.escalated,
    )


def _inbound(question: Question, lexicon: Lexicon) -> Iterator[Inbound]:
    """Yield the messages of a customer: when each was written, and what it shows."""
    yield Inbound(at=rms.instant(question.reg_date), signs=lexicon.signs(question.message or ""))
    for said in _theirs(question):
        if said.reg_date:
            yield Inbound(at=rms.instant(said.reg_date), signs=lexicon.signs(said.message or ""))


def _theirs(question: Question) -> list[Said]:
    return [said for said in question.replies or () if said.reply_from == "user"]


def _status(question: Question, doc: Doc) -> TicketStatus:
    if question.is_completed:
        return TicketStatus.SOLVED
    answered = (question.last("user") or 0) > doc.status_at
    return TicketStatus.WAITING if doc.status is TicketStatus.WAITING and not answered else TicketStatus.OPEN


def changed(doc: Doc, change: TicketChange, *, now: Instant) -> Doc:
    """Return a document with the fields, the note or the draft of a change, and its marker."""
    drafts, notes = doc.drafts, doc.notes
    if change.note:
        notes = (*notes, Paper(change.event, change.note))[-MOST_KEPT:]
    if change.letter is not None and change.draft:
        drafts = (*drafts, Paper(change.event, change.letter.body))[-MOST_KEPT:]
    return msgspec.structs.replace(
        doc,
        changed_at=max(now, doc.changed_at + 1),
        status_at=doc.status_at if change.status is None else now,
        priority=change.priority if doc.priority is None else change.raised(doc.priority),
        markers=(*doc.markers, change.event),
        begun={event: mark for event, mark in doc.begun.items() if event != change.event},
        drafts=drafts,
        notes=notes,
        **change.fields(),
    )


def is_id(text: str) -> bool:
    """Say whether a text may be the number of an inquiry."""
    return bool(_ID.fullmatch(text))


# --- replies --------------------------------------------------------------------------------------------------------


def fitted(text: str) -> str:
    """Return a letter as Rakuten takes a reply: long lines are cut, a line that is only a foreign link is left out.

    Raises RejectedError where it is too long, or has a foreign link within a sentence.
    """
    lines = [line for line in text.strip().splitlines() if not (_is_link(line) and not _OWN_LINK.match(line.strip()))]
    kept = "\n".join(line[at : at + MOST_LINE] for line in lines for at in range(0, max(1, len(line)), MOST_LINE))
    if any(not _OWN_LINK.match(link) for link in _LINK.findall(kept)):
        raise RejectedError("the letter has a link to another place than Rakuten, which Rakuten does not take")
    if not 1 <= len(kept) <= MOST_TEXT:
        raise RejectedError(f"the letter has {len(kept)} signs; Rakuten takes 1 to {MOST_TEXT}")
    return kept


def _is_link(line: str) -> bool:
    return bool(_LINK.fullmatch(line.strip()))


def reply(question: Question, text: str) -> bytes:
    """Return the body of a reply."""
    if question.shop_id is None:
        raise ProtocolError("Rakuten: an inquiry without its shopId")
    given = {"inquiryNumber": question.inquiry_number, "shopId": str(question.shop_id), "message": text}
    return msgspec.json.encode(given)
