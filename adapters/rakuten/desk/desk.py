"""The inquiries of one Rakuten shop: what waits. A reply is begun in a document before it is sent, never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from adapters.rakuten.api import Function, Rms, is_open
from adapters.rakuten.desk import wire
from adapters.rakuten.desk.goods import Pages
from adapters.rakuten.desk.settings import InquirySettings
from adapters.rakuten.desk.wire import Doc, Question
from syncd.sdk.channel import Clock
from syncd.sdk.desk import (
    Desk,
    DeskContext,
    DeskProfile,
    Instant,
    NewTicket,
    OutcomeKind,
    Shelf,
    Ticket,
    TicketChange,
    TicketId,
    TicketOutcome,
    TicketPage,
    TicketStatus,
)
from syncd.sdk.errors import ChannelError, RejectedError, TransientError

MOST_ROWS: Final = 10
"""Inquiries of one call: each takes up to three requests, one a second."""
MOST_TRIES: Final = 10
_DOUBT: Final = "Rakuten's last word got lost: the reply may or may not be there"


class InquiryDesk:
    """One open inbox of inquiries; satisfies `syncd.sdk.desk.Desk` and `syncd.sdk.channel.Health`."""

    def __init__(self, settings: InquirySettings, context: DeskContext) -> None:
        self._days = settings.days
        self._clock: Clock = context.clock
        self._shelf: Shelf = context.shelf
        self._lexicon = context.lexicon
        self._rms = Rms(settings, context, name=context.desk)
        self._pages = Pages(self._rms, context.clock)

    @property
    def profile(self) -> DeskProfile:
        """Return what the desk can do: customers alone open inquiries, and a reply that got lost is a person's."""
        return DeskProfile(max_find=MOST_ROWS, max_update=MOST_ROWS, max_create=MOST_ROWS, certain=False, opens=False)

    async def check(self) -> list[str]:
        """Read a page of inquiries; raises AuthError where the keys or the function are refused."""
        place = wire.resume(None, now=self._clock.now())
        params = {**wire.query(place, days=1), "limit": 1}
        await self._rms.find(Function.INQUIRIES, wire.Questions, params=params)
        return []

    # --- reading ---

    async def changed(self, cursor: str | None) -> TicketPage:
        """Read a page of inquiries about stock, or that name an order, which changed since `cursor`."""
        now = self._clock.now()
        place = wire.resume(cursor, now=now)
        params = wire.query(place, days=self._days)
        answer = await self._rms.find(Function.INQUIRIES, wire.Questions, params=params)
        told: list[Ticket] = []
        newest = 0
        for question in (answer.rows if answer is not None else None) or ():
            doc = await self._doc(question.inquiry_number)
            changed_at = wire.version(question, doc or Doc())
            newest = max(newest, changed_at)
            if (
                wire.is_ours(question, doc)
                and changed_at >= place.since
                and not (cursor is None and question.is_completed)
            ):
                told.append(await self._stated(question, doc or Doc(), now))
        following, more = wire.following(place, answer, days=self._days, newest=newest)
        return TicketPage(tickets=tuple(told), cursor=following, more=more)

    async def find(self, ticket_ids: Sequence[TicketId]) -> list[Ticket]:
        """Read these inquiries as they are now."""
        now = self._clock.now()
        found = [question for number in ticket_ids if (question := await self._question(number)) is not None]
        return [
            await self._stated(question, await self._doc(question.inquiry_number) or Doc(), now) for question in found
        ]

    async def _question(self, number: str) -> Question | None:
        if not wire.is_id(number):
            return None
        found = await self._rms.find(Function.INQUIRY, wire.One, tail=number)
        return None if found is None else found.result

    async def _stated(self, question: Question, doc: Doc, now: Instant) -> Ticket:
        name = question.page_name
        wanted = bool(name) and not doc.sku and question.category == wire.RESTOCK and not question.order_number
        skus = await self._pages.skus(name) if wanted else ()
        return wire.stated(question, doc, skus=skus, read_at=now, lexicon=self._lexicon)

    # --- documents ---

    async def _doc(self, number: str) -> Doc | None:
        found = await self._shelf.get(f"inquiry/{number}")
        return None if found is None else wire.unpack(found[0])

    async def _edit(self, number: str, edit: Callable[[Doc], Doc | None]) -> Doc | None:
        """Change a document over what is there; None where `edit` does not want to."""
        for _ in range(MOST_TRIES):
            found = await self._shelf.get(f"inquiry/{number}")
            doc = edit(wire.unpack(found[0]) if found else Doc())
            if doc is None:
                return None
            if await self._shelf.put(f"inquiry/{number}", wire.pack(doc), version=found[1] if found else 0):
                return doc
        raise TransientError("the desk's documents are being changed by somebody else", sent=False)

    # --- changing ---

    async def update(self, changes: Sequence[TicketChange]) -> list[TicketOutcome]:
        """Make these changes, one by one."""
        outcomes: list[TicketOutcome] = []
        for change in changes:
            try:
                outcomes.append(await self._change(change))
            except ChannelError as error:
                if not outcomes:
                    raise _unsent(error) from error
                outcomes.append(_outcome(change, OutcomeKind.UNSENT, str(error)))
        return outcomes

    async def create(self, tickets: Sequence[NewTicket]) -> list[TicketOutcome]:
        """Refuse: an inquiry is opened by a customer alone."""
        reason = "Rakuten lets shops answer inquiries, not open them"
        return [
            TicketOutcome(ticket_id=TicketId(""), event=one.event, kind=OutcomeKind.REJECTED, reason=reason)
            for one in tickets
        ]

    async def _change(self, change: TicketChange) -> TicketOutcome:
        """Make one change. What is raised was certainly no reply: it was read, or marked, and may follow again."""
        question = await self._question(change.ticket_id)
        if question is None:
            return _outcome(change, OutcomeKind.REJECTED, "gone")
        doc = wire.heard(await self._doc(question.inquiry_number) or Doc(), question)
        current = wire.version(question, doc)
        if change.event in doc.markers:
            await self._edit(question.inquiry_number, lambda now: wire.heard(now, question))
            return _outcome(change, OutcomeKind.APPLIED, version=current)
        if change.event in doc.begun:
            return _outcome(change, OutcomeKind.INDETERMINATE, _DOUBT)
        if change.version not in {None, current}:
            return _outcome(change, OutcomeKind.STALE, version=current)
        return await self._carry_out(change, question)

    async def _carry_out(self, change: TicketChange, question: Question) -> TicketOutcome:
        text = ""
        if change.letter is not None and not change.draft:
            try:
                text = wire.fitted(change.letter.body)
            except RejectedError as error:
                return _outcome(change, OutcomeKind.REJECTED, str(error))
        await self._mark(question, change.status)
        if text and (end := await self._reply(change, question, text)) is not None:
            return end
        now = self._clock.now()
        kept = await self._edit(question.inquiry_number, lambda doc: wire.changed(doc, change, now=now))
        return _outcome(change, OutcomeKind.APPLIED, version=None if kept is None or text else kept.changed_at)

    async def _mark(self, question: Question, status: TicketStatus | None) -> None:
        """Complete an inquiry, or open it again, where a change asks for that; being so already is as good."""
        if status is None or (status is TicketStatus.SOLVED) == bool(question.is_completed):
            return
        function = Function.INQUIRY_COMPLETE if status is TicketStatus.SOLVED else Function.INQUIRY_REOPEN
        body = msgspec.json.encode({"inquiryNumbers": [question.inquiry_number]})
        answer = await self._rms.write(function, body, repeatable=True, expect=(200,))
        for fault in answer.decode(wire.Marks).result.error:
            if fault.get("errorMessage") != wire.ALREADY:
                raise RejectedError("Rakuten does not mark the inquiry")

    async def _reply(self, change: TicketChange, question: Question, text: str) -> TicketOutcome | None:
        """Send a reply once; return how that ended where it did not plainly go."""
        number, event, mark = question.inquiry_number, change.event, wire.digest(text)

        def begin(doc: Doc) -> Doc | None:
            if event in doc.begun or event in doc.markers:
                return None
            return msgspec.structs.replace(doc, begun={**doc.begun, event: mark})

        if await self._edit(number, begin) is None:
            return _outcome(change, OutcomeKind.STALE)
        try:
            answer = await self._rms.write(
                Function.INQUIRY_REPLY, wire.reply(question, text), repeatable=False, expect=(201, 409)
            )
        except ChannelError as error:
            if is_open(error):
                return _outcome(change, OutcomeKind.INDETERMINATE, _DOUBT)
            await self._edit(number, lambda doc: _not_begun(doc, event))
            if isinstance(error, RejectedError):
                return _outcome(change, OutcomeKind.REJECTED, str(error))
            raise
        return None if answer.status == 201 else _outcome(change, OutcomeKind.INDETERMINATE, _DOUBT)


def _not_begun(doc: Doc, event: str) -> Doc:
    return msgspec.structs.replace(doc, begun={name: mark for name, mark in doc.begun.items() if name != event})


def _unsent(error: ChannelError) -> ChannelError:
    """Return an error of a change that had certainly no effect which must not be repeated."""
    if is_open(error):
        return TransientError(str(error), sent=False)
    return error


def _outcome(
    change: TicketChange, kind: OutcomeKind, reason: str = "", *, version: Instant | None = None
) -> TicketOutcome:
    return TicketOutcome(ticket_id=change.ticket_id, event=change.event, kind=kind, reason=reason, version=version)


@asynccontextmanager
async def open_desk(settings: InquirySettings, context: DeskContext) -> AsyncIterator[Desk]:
    """Open the inquiries of a shop; nothing is asked before it is needed."""
    yield InquiryDesk(settings, context)
