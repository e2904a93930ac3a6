"""Make what a desk is asked for out of a stored change: its letter whole, or a draft where nobody can be reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from syncd.core.terms import Sku
from syncd.core.tickets import (
    Contact,
    Language,
    Letter,
    MessageKind,
    NewTicket,
    Priority,
    TicketChange,
    TicketId,
    TicketState,
    TicketStatus,
)
from syncd.core.waitlist import WaitFact
from syncd.engine.linking import About, Links
from syncd.letters import Texts
from syncd.sdk.desk import DeskProfile
from syncd.store import inbox, waiting
from syncd.store.changes import Change, ChangeKind, Content
from syncd.store.tickets import KnownTicket


class Drafting:
    """Fills in the texts of one desk's changes."""

    def __init__(self, profile: DeskProfile, *, texts: Texts, language: Language, links: Links | None = None) -> None:
        self._profile = profile
        self._texts = texts
        self._language = language
        self._links = links or Links()

    def owns(self, change: Change) -> bool:
        """Say whether the desk sends this message by a rule of its own."""
        return bool(change.message) and MessageKind(change.message) in self._profile.owns

    def letter(self, change: Change, about: About | None = None) -> Letter | None:
        """Return the letter of a change, None where it has none of ours; raises RejectedError as texts do."""
        if not change.message or self.owns(change):
            return None
        leave_url, values = self._links.leave(about), change.content.values
        words = {**values, "leave_url": leave_url} if leave_url else values
        link = "" if about is None else about.links.get(change.event, "")
        if link:  # it is theirs alone: what they have to do is to buy, whatever number they once named
            words = {**words, "buy_url": link, "order_number": ""}
        letter = self._texts.letter(MessageKind(change.message), self.language_of(change.content), words)
        return replace(letter, leave_url=leave_url)

    def note(self, change: Change, about: About | None, *, draft: bool) -> str:
        """Return the note of a change; who has to act by hand is shown where the order is."""
        content = change.content
        link = self._links.screen(about) if draft or (content.priority and not change.message) else ""
        number = "" if about is None else about.entry.order_number
        shown = f"syncd: order {number} is found here, to write to its customer by hand: {link}" if link else ""
        return "\n".join(part for part in (content.note, shown) if part)

    def reaches(self, change: Change, ticket: KnownTicket | None, contact: Contact | None) -> bool:
        """Say whether a change lets its customer hear something: by a letter of ours, or by a rule of the desk."""
        if not (change.message and self._profile.sends):
            return False
        if change.kind is ChangeKind.UPDATE:
            return ticket is not None and ticket.reachable
        return contact is not None or bool(change.content.follow_up_of)

    def language_of(self, content: Content) -> Language:
        """Return the language of a customer; where it is not known, the shop's."""
        return Language(content.language) if content.language else self._language

    def update(
        self, change: Change, ticket: KnownTicket, about: About | None = None, *, held_back: bool = False
    ) -> TicketChange:
        """Return a change of a ticket, its letter as a draft where it is `held_back`.

        Raises RejectedError where its letter cannot be written.
        """
        content, letter = change.content, self.letter(change, about)
        draft = letter is not None and (held_back or not (ticket.reachable and self._profile.sends))
        return TicketChange(
            ticket_id=ticket.ticket_id,
            event=change.event,
            version=ticket.version,
            state=TicketState(content.state) if content.state else None,
            status=TicketStatus(content.status) if content.status else None,
            sku=Sku(content.sku) if content.sku else None,
            quantity=content.quantity,
            order_number=content.order_number or None,
            expected=content.expected,
            amount=content.amount or None,
            priority=Priority(content.priority) if content.priority else None,
            note=self.note(change, about, draft=draft),
            letter=letter,
            draft=draft,
            escalated=content.escalated,
        )

    def opening(
        self, change: Change, contact: Contact | None, about: About | None = None, *, held_back: bool = False
    ) -> NewTicket:
        """Return a ticket to be opened; without a contact it is a task for an agent, with the letter as a draft.

        One that is `held_back` has its letter as a draft too, and the mark of tickets that are for a person.
        """
        content, letter = change.content, self.letter(change, about)
        reached = contact is not None or bool(content.follow_up_of)
        draft = letter is not None and (held_back or not (reached and self._profile.sends))
        return NewTicket(
            key=f"syncd-{change.key}",
            event=change.event,
            subject=content.subject or _subject(letter, content),
            note=self.note(change, about, draft=draft),
            state=TicketState(content.state) if content.state else TicketState.PENDING,
            sku=Sku(content.sku) if content.sku else None,
            quantity=content.quantity or 1,
            order_number=content.order_number,
            expected=content.expected or "",
            amount=content.amount,
            language=self.language_of(content),
            priority=Priority(content.priority) if content.priority else Priority.NORMAL,
            contact=contact,
            letter=letter,
            draft=draft,
            escalated=held_back,
            follow_up_of=TicketId(content.follow_up_of) if content.follow_up_of else None,
        )


def _subject(letter: Letter | None, content: Content) -> str:
    if letter is not None:
        return letter.subject
    return " ".join(part for part in (content.sku, content.order_number) if part) or "syncd"


def contacts(conn: Connection, entry_ids: Collection[int]) -> Mapping[int, Contact]:
    """Return whom to write to, of those entries that left an address; it stands in the inbox alone."""
    found: dict[int, Contact] = {}
    for entry in waiting.entries(conn, entry_ids).values():
        if entry.contact_id is None:
            continue
        fact = inbox.one(conn, entry.contact_id).fact
        rows = fact.rows if isinstance(fact, WaitFact) else ()
        contact = next((row.contact for row in rows if row.key == entry.key), None)
        if contact is not None:
            found[entry.id] = contact
    return found
