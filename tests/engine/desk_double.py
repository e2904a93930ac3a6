"""A desk in memory for engine tests: it forgets answers, is late, closes tickets. It is the truth of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from syncd.core.terms import SECOND_US, OutcomeKind, Sku
from syncd.core.tickets import (
    EventId,
    Inbound,
    Letter,
    NewTicket,
    Priority,
    Sign,
    Ticket,
    TicketChange,
    TicketId,
    TicketOutcome,
    TicketState,
    TicketStatus,
)
from syncd.sdk.channel import Clock
from syncd.sdk.desk import DeskProfile, TicketPage
from syncd.sdk.errors import TransientError
from syncd.testing.chance import SeededRandom


@dataclass
class DeskDouble:
    """One desk. `letters` is what customers got, by ticket; `moves` are the states that were set, with their event."""

    clock: Clock
    dice: SeededRandom
    profile: DeskProfile = field(default_factory=lambda: DeskProfile(max_update=5, max_find=7, resend_after_s=1.0))
    tickets: dict[TicketId, Ticket] = field(default_factory=dict)
    letters: list[tuple[TicketId, Letter]] = field(default_factory=list)
    drafts: list[tuple[TicketId, Letter]] = field(default_factory=list)
    notes: list[tuple[TicketId, str]] = field(default_factory=list)
    moves: list[tuple[TicketId, EventId, TicketState]] = field(default_factory=list)
    keys: dict[str, TicketId] = field(default_factory=dict)
    opened: list[NewTicket] = field(default_factory=list)
    priorities: dict[TicketId, Priority] = field(default_factory=dict)
    cut: float = 0.0
    lost: float = 0.0
    down: bool = False
    slow_s: float = 0.0
    calls: int = 0
    busy_until: int = 0
    log: list[tuple[int, TicketId]] = field(default_factory=list)

    # --- the world ---

    def write(self, *, sku: str = "", words: tuple[str, ...] = (), state: TicketState | None = None) -> TicketId:
        """Let a customer open a ticket."""
        name = TicketId(str(len(self.tickets) + 1))
        now = self.clock.now()
        self.tickets[name] = Ticket(
            ticket_id=name,
            version=now,
            read_at=now,
            status=TicketStatus.OPEN,
            state=state,
            sku=Sku(sku) if sku else None,
            order_numbers=words,
            created_at=now,
        )
        return name

    def set(self, name: TicketId, **changes: object) -> None:
        """Let an agent change a ticket."""
        version = max(self.clock.now(), (self.tickets[name].version or 0) + 1)
        self.tickets[name] = replace(self.tickets[name], version=version, **changes)  # type: ignore[arg-type]

    def hear(self, name: TicketId, *signs: Sign) -> None:
        """Let the customer write again."""
        message = Inbound(at=self.clock.now(), signs=frozenset(signs))
        self.set(name, inbound=(*self.tickets[name].inbound, message), replied_at=message.at)

    def states(self) -> list[TicketState | None]:
        """Return the states of all tickets."""
        return [ticket.state for ticket in self.tickets.values()]

    # --- the contract ---

    async def changed(self, cursor: str | None) -> TicketPage:
        """Answer tickets changed since the cursor."""
        await self._call()
        since = int(cursor or 0)
        found = [ticket for ticket in self.tickets.values() if (ticket.version or 0) >= since]
        newest = max((ticket.version or 0 for ticket in found), default=since)
        return TicketPage(tickets=tuple(self._read(found)), cursor=str(newest), more=False)

    async def find(self, ticket_ids: Sequence[TicketId]) -> list[Ticket]:
        """Answer these tickets."""
        await self._call()
        return self._read(self.tickets[name] for name in ticket_ids if name in self.tickets)

    def _read(self, tickets: object) -> list[Ticket]:
        now = self.clock.now()
        return [replace(ticket, read_at=now) for ticket in tickets]  # type: ignore[attr-defined]

    def update_delay_s(self) -> float:
        """Return for how long it takes no changes."""
        return max(0, self.busy_until - self.clock.now()) / SECOND_US

    async def update(self, changes: Sequence[TicketChange]) -> list[TicketOutcome]:
        """Make changes, one by one; the call may be cut after some of them."""
        await self._call()
        assert self.update_delay_s() == 0, "nothing is sent while the desk says that it takes nothing"
        assert len(changes) <= self.profile.max_update
        assert len({change.ticket_id for change in changes}) == len(changes), "a ticket is changed at most once a call"
        outcomes = []
        for change in changes:
            if self.dice() < self.cut:
                raise TransientError("cut")
            outcomes.append(self._one(change))
        if self.dice() < self.lost:
            raise TransientError("the answer is lost")
        return outcomes

    def _one(self, change: TicketChange) -> TicketOutcome:
        ticket = self.tickets.get(change.ticket_id)
        if ticket is None:
            return self._end(change, OutcomeKind.REJECTED, "gone")
        if change.event in ticket.markers:
            return self._end(change, OutcomeKind.APPLIED)
        if ticket.status is TicketStatus.CLOSED:
            return self._end(change, OutcomeKind.REJECTED, "closed")
        if change.version is not None and change.version != ticket.version:
            return self._end(change, OutcomeKind.STALE)
        self._apply(change, ticket)
        return self._end(change, OutcomeKind.APPLIED)

    def _apply(self, change: TicketChange, ticket: Ticket) -> None:
        fields: dict[str, object] = {"markers": ticket.markers | {change.event}}
        if change.state is not None:
            fields["state"] = change.state
            self.moves.append((change.ticket_id, change.event, change.state))
        for name in ("sku", "quantity", "expected", "order_number", "amount"):
            if (value := getattr(change, name)) is not None:
                fields[name] = value
        if change.escalated is not None:
            fields["escalated"] = change.escalated
        if change.priority is not None:
            self.priorities[change.ticket_id] = change.priority
        self.set(change.ticket_id, **fields)
        self.log.append((self.clock.now(), change.ticket_id))
        if change.note:
            self.notes.append((change.ticket_id, change.note))
        if change.letter is not None:
            (self.drafts if change.draft else self.letters).append((change.ticket_id, change.letter))

    def _end(self, change: TicketChange, kind: OutcomeKind, reason: str = "") -> TicketOutcome:
        version = self.tickets[change.ticket_id].version if change.ticket_id in self.tickets else None
        return TicketOutcome(ticket_id=change.ticket_id, event=change.event, kind=kind, reason=reason, version=version)

    async def create(self, tickets: Sequence[NewTicket]) -> list[TicketOutcome]:
        """Open tickets; a key that is there answers its ticket."""
        await self._call()
        outcomes = []
        for new in tickets:
            if new.key not in self.keys:
                words = (new.order_number,) if new.order_number else ()
                name = self.keys[new.key] = self.write(sku=new.sku or "", words=words, state=new.state)
                marks = {"reachable": new.contact is not None, "escalated": new.escalated}
                self.set(name, markers=frozenset({new.event}), **marks)
                self.opened.append(new)
                if new.letter is not None:
                    (self.drafts if new.draft else self.letters).append((name, new.letter))
            outcomes.append(TicketOutcome(ticket_id=self.keys[new.key], event=new.event, kind=OutcomeKind.APPLIED))
        await asyncio.sleep(self.slow_s)
        if self.dice() < self.lost:
            raise TransientError("the answer is lost")
        return outcomes

    async def _call(self) -> None:
        self.calls += 1
        await asyncio.sleep(0.2)
        if self.down:
            raise TransientError("no answer", sent=False)


def minutes(count: float) -> int:
    """Return so many minutes in microseconds."""
    return int(count * 60 * SECOND_US)
