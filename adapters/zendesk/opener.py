"""Opening tickets: each key once.

Zendesk's external id is not unique and its Idempotency-Key lives two hours, so that a ticket is looked for before it is
opened (Zendesk, Create Ticket and List Tickets by external id, 2026).
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from adapters.zendesk import wire
from adapters.zendesk.api import Api, decode, verdict
from adapters.zendesk.fields import Setup
from adapters.zendesk.reader import Reader
from adapters.zendesk.settings import ZendeskSettings
from syncd.sdk.channel import OutcomeKind
from syncd.sdk.desk import NewTicket, TicketId, TicketOutcome
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, TransientError
from syncd.sdk.http import Answer

MOST_OPENED: Final = 10
"""Tickets of one call; each is a request of its own."""


class Opener:
    """Opens tickets of one account."""

    def __init__(self, api: Api, settings: ZendeskSettings, setup: Setup, reader: Reader) -> None:
        self._api = api
        self._settings = settings
        self._setup = setup
        self._reader = reader

    async def create(self, tickets: Sequence[NewTicket]) -> list[TicketOutcome]:
        """Open tickets one after the other. After a failure nothing more is sent: the rest is UNSENT."""
        ends: list[TicketOutcome] = []
        for wanted in tickets:
            try:
                ends.append(await self._open(wanted))
            except AuthError:
                raise
            except ChannelError as fault:
                if not ends and not _may_have_worked(fault):
                    raise
                ends.append(_broken(wanted, fault))
                break
        left = tickets[len(ends) :]
        return ends + [_end(wanted, OutcomeKind.UNSENT, reason="behind one that failed") for wanted in left]

    async def _open(self, wanted: NewTicket) -> TicketOutcome:
        try:
            fields = await self._setup.whole()
            known = await self._known(wanted)
            kept = await self._kept_tags(wanted)
        except TransientError as fault:
            fault.sent = False  # these were only looks
            raise
        if known is not None:
            return known
        if kept is None:
            return _end(wanted, OutcomeKind.REJECTED, reason="there is no such closed ticket to follow")
        body = wire.new_ticket(wanted, fields, self._settings, kept_tags=kept)
        answer = await self._api.call(
            "POST",
            "/tickets",
            json={"ticket": body},
            expect=(201, 400, 409, 422),
            key=wire.external_id(wanted.key),
            urgent=True,
        )
        return await self._opened(wanted, answer)

    async def _opened(self, wanted: NewTicket, answer: Answer) -> TicketOutcome:
        match answer.status:
            case HTTPStatus.CREATED:
                return _done(wanted, decode(answer, wire.One).ticket)
            case HTTPStatus.CONFLICT:
                return _end(wanted, OutcomeKind.UNSENT, reason="the same key is being opened")
        said = verdict(answer)
        if said.word == "IdempotentRequestError":  # opened before with other words
            known = await self._known(wanted)
            if known is not None:
                return known
        return _end(wanted, OutcomeKind.REJECTED, reason=said.text or str(answer.status))

    async def _known(self, wanted: NewTicket) -> TicketOutcome | None:
        params = {"external_id": wire.external_id(wanted.key)}
        answer = await self._api.call("GET", "/tickets", params=params, urgent=True)
        rows = [row for row in decode(answer, wire.Tickets).tickets if row.status != wire.DELETED]
        return _done(wanted, min(rows, key=lambda row: row.id)) if rows else None

    async def _kept_tags(self, wanted: NewTicket) -> list[str] | None:
        """Return the tags of the closed ticket that a new one follows; None where there is none to follow."""
        if wanted.follow_up_of is None:
            return []
        if not wanted.follow_up_of.isdecimal():
            return None
        look = await self._reader.look([int(wanted.follow_up_of)], urgent=True)
        source = look.tickets.get(int(wanted.follow_up_of))
        return source.tags if source is not None and source.status == wire.CLOSED else None


def _may_have_worked(fault: ChannelError) -> bool:
    return isinstance(fault, ProtocolError) or (isinstance(fault, TransientError) and fault.sent)


def _broken(wanted: NewTicket, fault: ChannelError) -> TicketOutcome:
    kind = OutcomeKind.INDETERMINATE if _may_have_worked(fault) else OutcomeKind.UNSENT
    return _end(wanted, kind, reason="the answer was lost" if kind is OutcomeKind.INDETERMINATE else "not sent")


def _done(wanted: NewTicket, remote: wire.RemoteTicket) -> TicketOutcome:
    version = wire.instant(remote.updated_at)
    return TicketOutcome(
        ticket_id=TicketId(str(remote.id)), event=wanted.event, kind=OutcomeKind.APPLIED, version=version
    )


def _end(wanted: NewTicket, kind: OutcomeKind, *, reason: str) -> TicketOutcome:
    return TicketOutcome(ticket_id=TicketId(""), event=wanted.event, kind=kind, reason=reason)
