"""The local desk: what waits. Letters are begun in the ticket before they are handed over, so that none goes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parseaddr
from functools import partial
from typing import Final

import msgspec

from adapters.local import mails, wire
from adapters.local.book import Book
from adapters.local.mailbox import ImapMailbox, Look, Place
from adapters.local.mails import Heard, Sender
from adapters.local.settings import LocalSettings
from adapters.local.wire import TicketDoc
from syncd.sdk.channel import Clock
from syncd.sdk.desk import (
    Desk,
    DeskContext,
    DeskProfile,
    EventId,
    Instant,
    Letter,
    NewTicket,
    OutcomeKind,
    Sign,
    Ticket,
    TicketChange,
    TicketId,
    TicketOutcome,
    TicketPage,
    TicketStatus,
)
from syncd.sdk.errors import ChannelError, NoTurn, ProtocolError, RejectedError
from syncd.sdk.limits import Budget
from syncd.sdk.smtp import MailServer, MailSession

MOST_ROWS: Final = 20
"""Changes, or openings, of one call: each may take as long as a mail does."""

_FROZEN: Final = {TicketStatus.CLOSED: "closed", TicketStatus.GONE: "gone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One letter to be sent from a ticket: what it is about, and how the ticket is once it went."""

    event: EventId
    letter: Letter
    after: Callable[[TicketDoc], TicketDoc]


class LocalDesk:
    """One open local desk; satisfies `syncd.sdk.desk.Desk` and `syncd.sdk.channel.Health`."""

    def __init__(
        self,
        *,
        book: Book,
        server: MailServer,
        sender: Sender,
        mailbox: ImapMailbox | None,
        budget: Budget,
        tools: DeskContext,
    ) -> None:
        self._book = book
        self._server = server
        self._sender = sender
        self._mailbox = mailbox
        self._budget = budget
        self._clock: Clock = tools.clock
        self._uuid = tools.uuid
        self._lexicon = tools.lexicon

    @property
    def profile(self) -> DeskProfile:
        """Return what the desk can do: a letter whose end is not known cannot be looked up."""
        return DeskProfile(
            max_find=100,
            max_update=MOST_ROWS,
            max_create=MOST_ROWS,
            certain=False,
            hears=self._mailbox is not None,
        )

    async def check(self) -> list[str]:
        """Log in to the mail server and the mailbox, and send nothing."""
        async with MailSession(self._server) as session:
            await session.connect()
        if self._mailbox is not None:
            await self._mailbox.look(None)
        return []

    # --- reading ---

    async def changed(self, cursor: str | None) -> TicketPage:
        """Read a page of tickets changed since `cursor`; replies that came are taken up first.

        A cursor is `open:AFTER:N` while tickets are gone through for the first time, N being the change at which that
        began, and then `change:N`.
        """
        more = await self._hear()
        kind, *places = (cursor or f"open::{await self._book.last_change()}").split(":")
        if kind == "open" and len(places) == 2 and places[1].isdigit():
            docs, end = await self._book.page(places[0])
            following = f"open:{end}:{places[1]}" if end else f"change:{places[1]}"
            alive = [doc for doc in docs if cursor is not None or doc.status is not TicketStatus.GONE]
            return TicketPage(tickets=self._stated(alive), cursor=following, more=True)
        if kind == "change" and len(places) == 1 and places[0].isdigit():
            ids, last = await self._book.changes(int(places[0]))
            docs = [doc for ticket_id in ids if (doc := await self._book.find(ticket_id))]
            return TicketPage(tickets=self._stated(docs), cursor=f"change:{last}", more=more or bool(ids))
        raise ProtocolError("this cursor is none of the local desk's")

    async def find(self, ticket_ids: Sequence[TicketId]) -> list[Ticket]:
        """Read these tickets as they are now."""
        docs = [doc for ticket_id in ticket_ids if (doc := await self._book.find(ticket_id))]
        return list(self._stated([doc for doc in docs if doc.status is not TicketStatus.GONE]))

    def _stated(self, docs: Sequence[TicketDoc]) -> tuple[Ticket, ...]:
        now = self._clock.now()
        return tuple(wire.stated(doc, read_at=now) for doc in docs)

    async def forget(self, ticket_ids: Sequence[TicketId]) -> list[TicketId]:
        """Delete these tickets, with the address, the letters and all; return those that are gone."""
        gone = [ticket_id for ticket_id in ticket_ids if await self._book.forget(ticket_id)]
        await self._book.clear_changes()
        return gone

    # --- replies ---

    async def _hear(self) -> bool:
        """Take up mails that came; return whether there are more."""
        if self._mailbox is None:
            return False
        kept = await self._book.place()
        look = await self._mailbox.look(msgspec.json.decode(kept[0], type=Place) if kept else None)
        for uid, head in look.mails:
            await self._take(uid, head)
        await self._keep(look, kept)
        return look.more

    async def _keep(self, look: Look, kept: tuple[bytes, int] | None) -> None:
        body = msgspec.json.encode(look.place)
        if kept is None or kept[0] != body:
            await self._book.keep_place(body, version=kept[1] if kept else 0)

    async def _take(self, uid: int, head: bytes) -> None:
        understand = partial(mails.understand, sender=self._sender, now=self._clock.now())
        heard = understand(head, whole=False)
        if heard.whole and self._mailbox is not None:
            heard = understand(await self._mailbox.whole(uid), whole=True)
        if not (heard.reply or heard.bounce):
            return
        doc = await self._book.by_mark(heard.mark)
        if doc is None or heard.mail_id in doc.heard:
            return
        signs = await self._signs(uid) if heard.reply else frozenset[Sign]()
        await self._book.edit(doc.ticket_id, partial(_heard, heard=heard, signs=signs, now=self._clock.now()))

    async def _signs(self, uid: int) -> frozenset[Sign]:
        """Say what a reply shows; its words are forgotten at once."""
        assert self._mailbox is not None, "a mail was heard"  # noqa: S101  (our own invariant)
        return self._lexicon.signs(mails.words_of(await self._mailbox.whole(uid)))

    # --- changing ---

    async def update(self, changes: Sequence[TicketChange]) -> list[TicketOutcome]:
        """Make these changes, one by one."""
        outcomes: list[TicketOutcome] = []
        async with MailSession(self._server) as post:
            for change in changes:
                try:
                    outcomes.append(await self._change(change, post))
                except ChannelError as error:
                    if not outcomes:
                        raise
                    outcomes.append(_outcome(change.ticket_id, change.event, OutcomeKind.UNSENT, str(error)))
        return outcomes

    async def create(self, tickets: Sequence[NewTicket]) -> list[TicketOutcome]:
        """Open these tickets, one by one."""
        outcomes: list[TicketOutcome] = []
        async with MailSession(self._server) as post:
            for wish in tickets:
                try:
                    outcomes.append(await self._create(wish, post))
                except ChannelError as error:
                    if not outcomes:
                        raise
                    outcomes.append(_outcome(TicketId(""), wish.event, OutcomeKind.UNSENT, str(error)))
        return outcomes

    async def _change(self, change: TicketChange, post: MailSession) -> TicketOutcome:
        doc = await self._book.find(change.ticket_id)
        if doc is None:
            return _outcome(change.ticket_id, change.event, OutcomeKind.REJECTED, "gone")
        if end := _ended(doc, change.event):
            return end
        if doc.status in _FROZEN:
            return _outcome(change.ticket_id, change.event, OutcomeKind.REJECTED, _FROZEN[doc.status])
        if change.version not in {None, doc.changed_at}:
            return _outcome(change.ticket_id, change.event, OutcomeKind.STALE, version=doc.changed_at)
        after = partial(_after, change=change)
        return await self._carry_out(doc, change.event, change.letter, draft=change.draft, after=after, post=post)

    async def _create(self, wish: NewTicket, post: MailSession) -> TicketOutcome:
        parent = await self._book.find(wish.follow_up_of) if wish.follow_up_of else None
        mark = self._uuid().replace("-", "")[-16:]
        make = partial(_opened, wish=wish, mark=mark, now=self._clock.now(), parent=parent)
        doc = await self._book.open(wish.key, make)
        if end := _ended(doc, wish.event):
            return end
        if doc.markers or doc.sending or doc.unsure:  # opened before, for another event: its key answers it
            return _outcome(TicketId(doc.ticket_id), wish.event, OutcomeKind.APPLIED, version=doc.changed_at)
        after = partial(wire.noted, text=wish.note, event=wish.event, now=self._clock.now())
        # A task has nobody to be told: what was to be said is for the agent.
        draft = wish.draft or not doc.address
        return await self._carry_out(doc, wish.event, wish.letter, draft=draft, after=after, post=post)

    async def _carry_out(
        self,
        doc: TicketDoc,
        event: EventId,
        letter: Letter | None,
        *,
        draft: bool,
        after: Callable[[TicketDoc], TicketDoc],
        post: MailSession,
    ) -> TicketOutcome:
        if letter is not None and not draft:
            return await self._send(doc, _Job(event=event, letter=letter, after=after), post)
        now = self._clock.now()

        def change(doc: TicketDoc) -> TicketDoc:
            kept = doc if letter is None else wire.drafted(doc, letter, event=event, now=now)
            return wire.touched(wire.marked(after(kept), event), now)

        return _applied(event, await self._book.edit(doc.ticket_id, change), doc)

    async def _send(self, doc: TicketDoc, job: _Job, post: MailSession) -> TicketOutcome:
        """Send a letter: begin it in the ticket, hand it over, and keep how that ended."""
        if not doc.address or doc.bounced:
            reason = f"the customer cannot be reached ({doc.bounced or 'no address'})"
            return _outcome(TicketId(doc.ticket_id), job.event, OutcomeKind.REJECTED, reason)
        await self._take_turn()
        if not await self._begin(doc, job.event):
            return _outcome(TicketId(doc.ticket_id), job.event, OutcomeKind.STALE)
        mail = mails.render(doc, job.letter, event=job.event, sender=self._sender, now=self._clock.now())
        try:
            handed = await post.send(sender=self._sender.return_path(doc.mark), recipients=[doc.address], mail=mail)
        except ChannelError as error:
            await self._book.edit(doc.ticket_id, partial(wire.unsent, event=job.event))
            if isinstance(error, RejectedError):
                return _outcome(TicketId(doc.ticket_id), job.event, OutcomeKind.REJECTED, str(error))
            raise
        return await self._conclude(doc, job, certain=handed.certain)

    async def _begin(self, doc: TicketDoc, event: EventId) -> bool:
        """Note in the ticket that a letter is about to go; False where it is another by now."""

        def begin(now: TicketDoc) -> TicketDoc | None:
            same = now.changed_at == doc.changed_at and event not in now.sending
            return wire.begun(now, event) if same else None

        begun = await self._book.edit(doc.ticket_id, begin)
        return begun is not None and event in begun.sending

    async def _conclude(self, doc: TicketDoc, job: _Job, *, certain: bool) -> TicketOutcome:
        now = self._clock.now()
        mail_id = mails.mail_id_of(doc.mark, job.event, self._sender.domain)

        def conclude(doc: TicketDoc) -> TicketDoc:
            if not certain:
                return wire.touched(wire.doubted(job.after(doc), job.event, mail_id=mail_id), now)
            kept = wire.sent(job.after(doc), job.letter, event=job.event, mail_id=mail_id, now=now)
            return wire.touched(wire.marked(kept, job.event), now)

        kept = await self._book.edit(doc.ticket_id, conclude)
        if certain:
            return _applied(job.event, kept, doc)
        return _outcome(TicketId(doc.ticket_id), job.event, OutcomeKind.INDETERMINATE, _DOUBT)

    async def _take_turn(self) -> None:
        """Spend a turn of the budget; raises NoTurn where there is none now."""
        if self._budget.available < 1.0:
            raise NoTurn("no more mails this minute", retry_after_s=1.0 / self._budget.rate_per_s)
        await self._budget.take(1.0)
        self._budget.done(1.0)


_DOUBT: Final = "the mail server's last word got lost: the letter may or may not have gone out"


def _heard(doc: TicketDoc, *, heard: Heard, signs: frozenset[Sign], now: Instant) -> TicketDoc | None:
    """Return a ticket after a reply or a mail that came back; None where it was heard before."""
    if heard.mail_id in doc.heard:
        return None
    if heard.bounce:
        return wire.touched(wire.came_back(doc, mail_id=heard.mail_id, status=heard.status), now)
    return wire.touched(wire.replied(doc, mail_id=heard.mail_id, at=heard.at, signs=signs), now)


def _after(doc: TicketDoc, *, change: TicketChange) -> TicketDoc:
    return wire.noted(wire.changed(doc, change), change.note, event=change.event, now=doc.changed_at)


def _opened(ticket_id: str, *, wish: NewTicket, mark: str, now: Instant, parent: TicketDoc | None) -> TicketDoc:
    return wire.opened(wish, ticket_id=ticket_id, mark=mark, now=now, parent=parent)


def _ended(doc: TicketDoc, event: EventId) -> TicketOutcome | None:
    """Return how an event ended that was here before: done, or begun and not known how it ended."""
    if event in doc.markers:
        return _outcome(TicketId(doc.ticket_id), event, OutcomeKind.APPLIED, version=doc.changed_at)
    if event in doc.sending or event in doc.unsure:
        return _outcome(TicketId(doc.ticket_id), event, OutcomeKind.INDETERMINATE, _DOUBT)
    return None


def _applied(event: EventId, kept: TicketDoc | None, doc: TicketDoc) -> TicketOutcome:
    if kept is None:
        return _outcome(TicketId(doc.ticket_id), event, OutcomeKind.REJECTED, "gone")
    return _outcome(TicketId(doc.ticket_id), event, OutcomeKind.APPLIED, version=kept.changed_at)


def _outcome(
    ticket_id: TicketId, event: EventId, kind: OutcomeKind, reason: str = "", version: Instant | None = None
) -> TicketOutcome:
    return TicketOutcome(ticket_id=ticket_id, event=event, kind=kind, reason=reason, version=version)


@asynccontextmanager
async def open_desk(settings: LocalSettings, context: DeskContext) -> AsyncIterator[Desk]:
    """Open a local desk; nothing is asked of a server before it is needed."""
    text = settings.mail_from
    sender = Sender(text=text, address=parseaddr(text)[1], marks=settings.marks)
    url = settings.imap_url.reveal()
    mailbox = ImapMailbox(url, folder=settings.folder) if url else None
    rate = settings.mails_per_minute / 60.0
    try:
        yield LocalDesk(
            book=Book(context.shelf),
            server=MailServer(settings.smtp_url.reveal(), place="settings.smtp_url"),
            sender=sender,
            mailbox=mailbox,
            budget=Budget("mails", capacity=max(10.0 * rate, 1.0), rate_per_s=rate, clock=context.clock),
            tools=context,
        )
    finally:
        if mailbox is not None:
            mailbox.close()
