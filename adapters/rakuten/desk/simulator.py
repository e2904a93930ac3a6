"""The simulated inbox of inquiries: a simulated Rakuten shop, its customers, and the documents of the desk.

What an agent enters beyond an inquiry's own fields stands in the desk's documents, as it does with the real one; so the
adapter opened on it has to keep them on `shelf`. An inquiry can be completed, but neither closed for good nor deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from adapters.rakuten.desk import wire
from adapters.rakuten.desk.wire import Doc
from adapters.rakuten.simulated.inquiries import RESTOCK, Inquiry
from adapters.rakuten.simulator import RakutenSimulator
from syncd.sdk.channel import Clock
from syncd.sdk.desk import EventId, TicketId, TicketState, TicketStatus
from syncd.testing.desk_simulators import DeskBy, DeskSimulator, Held, Unknown, Unsupported, Wish
from syncd.testing.desk_stage import MemoryShelf
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME, CANARY_PHONE

SKUS = 20


class Shelf(MemoryShelf):
    """Documents that the people around the desk can change, too."""

    def edit(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        """Change a document, or make it."""
        body, version = self._kept.get(key, (None, 0))
        self._kept[key] = (change(body), version + 1)

    def body(self, key: str) -> bytes | None:
        """Return a document."""
        return self._kept.get(key, (None, 0))[0]


class InquirySimulator(DeskSimulator):
    """A shop whose customers ask. `shop` is the whole simulated shop around its inbox."""

    shelf: Shelf

    def __init__(self, *, seed: int, clock: Clock, skus: int = SKUS) -> None:
        super().__init__(seed=seed, clock=clock)
        self.canaries = (CANARY_NAME, CANARY_MAIL, CANARY_PHONE)
        self.shelf = Shelf()
        self.shop = RakutenSimulator(skus=skus, seed=seed, clock=clock)
        self.shop.inquiries.all.clear()
        self.shop.inquiries.on_reply = self._note

    def routes(self) -> list[web.RouteDef]:
        """Return RMS WEB SERVICE of the shop; its own control API is left out."""
        return [route for route in self.shop.routes() if not route.path.startswith("/_sim/")]

    def too_many(self, request: web.Request) -> web.StreamResponse:
        """Answer 429 as Rakuten does."""
        return self.shop.too_many(request)

    def settings(self, url: str) -> dict[str, Any]:
        """Return adapter settings with the newest licence key."""
        given = self.shop.settings(url)
        return {name: given[name] for name in ("service_secret", "license_key", "base_url")}

    # --- people ---

    def open_ticket(self, wish: Wish) -> TicketId:
        """Let a customer ask about stock, and an agent enter the rest."""
        asked = self.shop.inquiries.ask(RESTOCK, text=f"{wish.subject} {wish.text}")
        known = Doc(
            state=wish.state,
            sku=wish.sku,
            quantity=wish.quantity,
            order_number=wish.order_number,
            expected=wish.expected,
            amount=wish.amount,
        )
        if known != Doc():
            self.shelf.edit(f"inquiry/{asked.number}", lambda _: wire.pack(known))
        self.log.add(TicketId(asked.number), "opened", wish.subject, DeskBy.CUSTOMER)
        return TicketId(asked.number)

    def tickets(self) -> list[Held]:
        """Return every inquiry, with what the shop replied and what the desk knows of it."""
        return [self._held(inquiry) for inquiry in self.shop.inquiries.all]

    def reply(self, ticket_id: TicketId, text: str) -> None:
        """Let the customer write again."""
        self.shop.inquiries.reply(self._inquiry(ticket_id), by="user", text=text)
        self.log.add(ticket_id, "reply", "", DeskBy.CUSTOMER)

    def edit(
        self, ticket_id: TicketId, *, status: TicketStatus | None = None, state: TicketState | None = None
    ) -> None:
        """Let an agent complete an inquiry or open it again in R-Messe, or enter a state."""
        inquiry, now = self._inquiry(ticket_id), self.clock.now()
        if status is not None:
            inquiry.completed_at = now if status is TicketStatus.SOLVED else None
            inquiry.updated = now
            self.log.add(ticket_id, "status", status, DeskBy.AGENT)
        if state is not None:
            self.shelf.edit(f"inquiry/{ticket_id}", lambda body: wire.pack(_entered(body, state, now)))
            self.log.add(ticket_id, "state", state, DeskBy.AGENT)

    def close(self, ticket_id: TicketId) -> None:
        """Refuse: there is no such thing."""
        raise Unsupported(f"{ticket_id}: an inquiry can always be opened again")

    def delete(self, ticket_id: TicketId) -> None:
        """Refuse: there is no such thing."""
        raise Unsupported(f"{ticket_id}: inquiries cannot be deleted")

    # --- shared ---

    def _inquiry(self, number: str) -> Inquiry:
        found = next((inquiry for inquiry in self.shop.inquiries.all if inquiry.number == number), None)
        if found is None:
            raise Unknown(f"{number}: no such inquiry")
        return found

    def _note(self, inquiry: Inquiry, by: str) -> None:
        if by == "merchant":
            self.log.add(TicketId(inquiry.number), "letter", "", DeskBy.API)

    def _held(self, inquiry: Inquiry) -> Held:
        body = self.shelf.body(f"inquiry/{inquiry.number}")
        doc = Doc() if body is None else wire.unpack(body)
        return Held(
            ticket_id=TicketId(inquiry.number),
            status=TicketStatus.SOLVED if inquiry.completed_at else doc.status,
            state=doc.state or TicketState.PENDING,
            sku=doc.sku,
            quantity=doc.quantity,
            order_number=doc.order_number or inquiry.order_number,
            expected=doc.expected,
            amount=doc.amount,
            priority=doc.priority,
            events=frozenset(EventId(event) for event in doc.markers),
            letters=tuple(one["message"] for one in inquiry.replies if one["replyFrom"] == "merchant"),
            drafts=tuple(paper.text for paper in doc.drafts),
            notes=tuple(paper.text for paper in doc.notes),
            escalated=doc.escalated,
        )


def _entered(body: bytes | None, state: TicketState, now: int) -> Doc:
    doc = Doc() if body is None else wire.unpack(body)
    return msgspec.structs.replace(doc, state=state, changed_at=max(now, doc.changed_at + 1))


def make(*, skus: int, seed: int, clock: Clock) -> InquirySimulator:
    """Return a shop in whose inbox `skus` customers wait already."""
    simulator = InquirySimulator(seed=seed, clock=clock)
    for number in range(skus):
        simulator.open_ticket(Wish(subject=f"Question {number}", state=TicketState.PENDING))
    return simulator
