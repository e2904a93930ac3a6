"""The local desk's surroundings: a mail provider over real SMTP and IMAP, customers who write, agents who edit.

The desk's tickets are documents on a shelf. Where the adapter keeps them here (`shelf`), agents and customers act on
them; what customers were told is read from the provider alone, by what it delivered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import msgspec
from aiohttp import web

from adapters.local import wire
from adapters.local.simulated.imap import ImapServer
from adapters.local.simulated.post import ADDRESS, PASSWORD, USER, Post, written
from adapters.local.simulated.smtp import SmtpServer
from adapters.local.wire import TicketDoc
from syncd.sdk.channel import Clock
from syncd.sdk.desk import EventId, Language, TicketId, TicketState, TicketStatus
from syncd.testing.control import PREFIX, answer
from syncd.testing.desk_simulators import DeskBy, DeskSimulator, Held, Refusal, Unknown, Wish
from syncd.testing.faults import draw
from syncd.testing.loop import VirtualLoop
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME

__all__ = ["LocalSimulator", "MemoryShelf", "make"]

_OURS = re.compile(r"<syncd\.([0-9a-f]{16})\.")


class MemoryShelf:
    """A shelf in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, int]] = {}

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return a document and its version."""
        return self.kept.get(key)

    async def put(self, key: str, body: bytes, *, version: int) -> bool:
        """Store a document over a version."""
        if self.kept.get(key, (b"", 0))[1] != version:
            return False
        self.kept[key] = (body, version + 1)
        return True

    async def delete(self, key: str, *, version: int) -> bool:
        """Delete a document of a version."""
        if self.kept.get(key, (b"", version))[1] == version:
            self.kept.pop(key, None)
        return key not in self.kept

    async def scan(self, prefix: str, *, after: str = "", limit: int = 100) -> list[tuple[str, bytes, int]]:
        """Return documents in the order of their keys."""
        keys = sorted(key for key in self.kept if key.startswith(prefix) and key > after)
        return [(key, *self.kept[key]) for key in keys[:limit]]


class LocalSimulator(DeskSimulator):
    """A mail provider and the people around the desk.

    `hears` off: the adapter is given no mailbox. So it is in virtual time, which threads, in which IMAP is read, do not
    know.
    """

    shelf: MemoryShelf

    def __init__(self, *, seed: int, clock: Clock, hears: bool = True) -> None:
        super().__init__(seed=seed, clock=clock)
        self.canaries = (CANARY_NAME, CANARY_MAIL)
        self.shelf = MemoryShelf()
        self.answers_reads = False
        self.post = Post()
        self.hears = hears
        self._smtp = SmtpServer(self.post, lambda: draw(self.faults, self.random, writes=True))
        self.imap = ImapServer(self.post)
        self._ports = (0, 0)
        self._written = 0

    def routes(self) -> list[web.RouteDef]:
        """Return nothing: the real interfaces are SMTP and IMAP."""
        return []

    def control_routes(self) -> list[web.RouteDef]:
        """Return the control API of a desk, and what is delivered: for a desk whose tickets are kept elsewhere."""
        return [
            *super().control_routes(),
            web.get(f"{PREFIX}mails", self._get_mails),
            web.post(rf"{PREFIX}mails/{{number:\d+}}/reply", self._post_reply),
        ]

    async def _get_mails(self, _: web.Request) -> web.Response:
        rows = enumerate(self.post.delivered)
        return answer(
            [
                {"number": n, "to": one.recipient, "subject": str(one.mail["Subject"]), "text": _text(one.mail)}
                for n, one in rows
            ]
        )

    async def _post_reply(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if number >= len(self.post.delivered):
            raise Unknown(f"{number}: no such mail")
        one = self.post.delivered[number]
        self._answer_mail(one.recipient, str(one.mail["Subject"]), str(one.mail["Message-ID"]), text="")
        return answer({})

    def _answer_mail(self, sender: str, subject: str, mail_id: str, *, text: str) -> None:
        self._written += 1
        mail = written(
            sender=sender,
            subject=f"Re: {subject}",
            text=text,
            mail_id=f"<reply-{self._written}@customer.invalid>",
            In_Reply_To=mail_id,
        )
        self.post.arrive(mail)

    def settings(self, url: str) -> dict[str, Any]:
        """Return adapter settings on the ports that are served."""
        del url
        smtp, imap = self._ports
        login = f"{USER}:{PASSWORD.replace(' ', '%20').replace(',', '%2C')}@127.0.0.1"
        mailbox = {"imap_url": f"imap://{login}:{imap}"} if self.hears else {}
        return {
            "smtp_url": f"smtp://{login}:{smtp}",
            "mail_from": f"Shop <{ADDRESS}>",
            "mails_per_minute": 6_000,
        } | mailbox

    def app(self) -> web.Application:
        """Return the control API; SMTP and IMAP are served while it is."""
        application = super().app()
        application.cleanup_ctx.append(self._served)
        return application

    async def _served(self, _: web.Application) -> AsyncIterator[None]:
        smtp = await asyncio.start_server(self._smtp.serve, "127.0.0.1", 0)
        imap = await asyncio.start_server(self.imap.serve, "127.0.0.1", 0)
        self._ports = (smtp.sockets[0].getsockname()[1], imap.sockets[0].getsockname()[1])
        self.hears = self.hears and not isinstance(asyncio.get_running_loop(), VirtualLoop)
        try:
            yield
        finally:
            for server in (smtp, imap):
                server.close()
                await server.wait_closed()

    # --- people ---

    def open_ticket(self, wish: Wish) -> TicketId:
        """Let an agent enter what a customer asked for."""
        number = 1 + sum(key.startswith("ticket/") for key in self.shelf.kept)
        ticket_id, now = f"L{number:06d}", self.clock.now()
        mark = f"{int(self.random.between(0, 2**62)):016x}"
        doc = TicketDoc(
            ticket_id=ticket_id,
            key=f"agent/{number}",
            mark=mark,
            subject=wish.subject,
            created_at=now,
            changed_at=now,
            address=CANARY_MAIL,
            name=CANARY_NAME,
            language=wish.language or Language.JA,
            state=wish.state,
            sku=wish.sku,
            quantity=wish.quantity,
            order_number=wish.order_number,
            expected=wish.expected,
            amount=wish.amount,
            mentions=wire.mentioned(f"{wish.subject} {wish.text}"),
        )
        self._put(f"mark/{mark}", ticket_id.encode())
        self._put("count/ticket", str(number).encode())
        self._keep(doc)
        self.log.add(TicketId(ticket_id), "opened", wish.subject, DeskBy.CUSTOMER)
        return TicketId(ticket_id)

    def tickets(self) -> list[Held]:
        """Return every ticket, with the letters that the provider delivered."""
        docs = [wire.unpack(body) for key, (body, _) in sorted(self.shelf.kept.items()) if key.startswith("ticket/")]
        return [self._held(doc) for doc in docs if doc.status is not TicketStatus.GONE]

    def reply(self, ticket_id: TicketId, text: str) -> None:
        """Let the customer answer the last letter; without a mailbox an agent notes it."""
        doc = self._doc(ticket_id, frozen=True)
        self.log.add(ticket_id, "reply", "", DeskBy.CUSTOMER)
        if not self.hears:
            heard = wire.replied(doc, mail_id=f"<noted-{len(self.log)}@mail.invalid>", at=self.clock.now())
            self._keep(wire.touched(heard, self.clock.now()))
            return
        letters = self._mails(doc.mark)
        last = str(letters[-1]["Message-ID"]) if letters else f"<syncd.{doc.mark}.{'0' * 16}@mail.invalid>"
        self._answer_mail(f"{CANARY_NAME} <{doc.address}>", doc.subject, last, text=text)

    def edit(
        self, ticket_id: TicketId, *, status: TicketStatus | None = None, state: TicketState | None = None
    ) -> None:
        """Let an agent change a ticket."""
        doc = self._doc(ticket_id, frozen=True)
        self._change(doc, status=status or doc.status, state=state or doc.state)
        for what, value in (("status", status), ("state", state)):
            if value is not None:
                self.log.add(ticket_id, what, value, DeskBy.AGENT)

    def close(self, ticket_id: TicketId) -> None:
        """Let a ticket be closed for good."""
        self._change(self._doc(ticket_id), status=TicketStatus.CLOSED)
        self.log.add(ticket_id, "closed", "", DeskBy.AGENT)

    def delete(self, ticket_id: TicketId) -> None:
        """Let an agent delete a ticket."""
        self._change(self._doc(ticket_id), status=TicketStatus.GONE)
        self.log.add(ticket_id, "deleted", "", DeskBy.AGENT)

    # --- documents ---

    def _doc(self, ticket_id: TicketId, *, frozen: bool = False) -> TicketDoc:
        found = self.shelf.kept.get(f"ticket/{ticket_id}")
        doc = None if found is None else wire.unpack(found[0])
        if doc is None or doc.status is TicketStatus.GONE:
            raise Unknown(f"{ticket_id}: no such ticket")
        if frozen and doc.status is TicketStatus.CLOSED:
            raise Refusal(f"{ticket_id}: is closed")
        return doc

    def _change(self, doc: TicketDoc, *, status: TicketStatus, state: TicketState | None = None) -> None:
        changed = msgspec.structs.replace(doc, status=status, state=state or doc.state)
        self._keep(wire.touched(changed, self.clock.now()))

    def _keep(self, doc: TicketDoc) -> None:
        self._put(f"ticket/{doc.ticket_id}", wire.pack(doc))
        number = int(self.shelf.kept.get("count/change", (b"0", 0))[0]) + 1
        self._put("count/change", str(number).encode())
        self._put(f"change/{number:016d}", doc.ticket_id.encode())

    def _put(self, key: str, body: bytes) -> None:
        self.shelf.kept[key] = (body, self.shelf.kept.get(key, (b"", 0))[1] + 1)

    def _mails(self, mark: str) -> list[EmailMessage]:
        """Return the mails of a ticket that customers got, oldest first."""
        found = [item.mail for item in self.post.delivered]
        return [mail for mail in found if (ours := _OURS.match(str(mail["Message-ID"]))) and ours[1] == mark]

    def _held(self, doc: TicketDoc) -> Held:
        mails = self._mails(doc.mark)
        return Held(
            ticket_id=TicketId(doc.ticket_id),
            status=doc.status,
            state=doc.state,
            sku=doc.sku,
            quantity=doc.quantity,
            order_number=doc.order_number,
            expected=doc.expected,
            amount=doc.amount,
            priority=doc.priority,
            events=frozenset(EventId(event) for event in doc.markers),
            letters=tuple(_text(mail) for mail in mails),
            drafts=tuple(draft.body for draft in doc.drafts),
            notes=tuple(note.text for note in doc.notes),
            follow_up_of=TicketId(doc.follow_up_of) if doc.follow_up_of else None,
            escalated=doc.escalated,
        )

    def last_mail(self) -> bytes:
        """Return the last mail that was delivered, as bytes."""
        return self.post.delivered[-1].mail.as_bytes(policy=SMTP)


def _text(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n").rstrip("\n")


def make(*, skus: int, seed: int, clock: Clock) -> LocalSimulator:
    """Return a mail provider, with so many tickets on the shelf."""
    simulator = LocalSimulator(seed=seed, clock=clock)
    for _ in range(skus):
        simulator.open_ticket(Wish())
    return simulator
