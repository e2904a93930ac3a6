"""What is said about a simulated desk: what a customer writes, what stands on a ticket, and what happened there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from syncd.core.terms import Instant
from syncd.sdk.channel import Clock
from syncd.sdk.desk import EventId, Language, Priority, TicketId, TicketState, TicketStatus

MOST_LOGGED = 1_000_000
"""Entries that the log keeps; the oldest leave first."""


class DeskBy(StrEnum):
    """Who did something at the desk. RULE is the desk's own rules."""

    API = "api"
    CUSTOMER = "customer"
    AGENT = "agent"
    RULE = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a customer writes, and what an agent then enters. None and empty texts are left out."""

    subject: str = "When will it be back?"
    text: str = ""
    state: TicketState | None = None
    sku: str = ""
    quantity: int = 1
    order_number: str = ""
    expected: str = ""
    amount: str = ""
    language: Language | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A ticket as it stands at the desk, seen from behind.

    `events` are the markers on it. `letters` are the texts that its customer was sent, oldest first; `drafts` and
    `notes` are what only agents see. `own` are things of the shop's own that nobody else may touch. `escalated`: it is
    marked as one for a person.
    """

    ticket_id: TicketId
    status: TicketStatus
    state: TicketState | None
    sku: str = ""
    quantity: int = 1
    order_number: str = ""
    expected: str = ""
    amount: str = ""
    priority: Priority | None = None
    events: frozenset[EventId] = frozenset()
    letters: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    follow_up_of: TicketId | None = None
    escalated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskEntry:
    """One thing that happened: `what` is opened, state, status, letter, draft, note, reply, closed or deleted."""

    at: Instant
    ticket_id: TicketId
    what: str
    value: str
    by: DeskBy


class DeskLog:
    """Everything that happened to tickets, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[DeskEntry] = deque(maxlen=MOST_LOGGED)
        self._ever = 0

    def add(self, ticket_id: TicketId, what: str, value: str, by: DeskBy) -> None:
        """Note something that happens now."""
        self._kept.append(DeskEntry(at=self._clock.now(), ticket_id=ticket_id, what=what, value=value, by=by))
        self._ever += 1

    def __iter__(self) -> Iterator[DeskEntry]:
        """Go through what is kept."""
        return iter(self._kept)

    def __len__(self) -> int:
        """Return how many entries there ever were."""
        return self._ever

    def after(self, count: int) -> list[DeskEntry]:
        """Return what is kept without the first `count` entries that there ever were."""
        gone = self._ever - len(self._kept)
        return list(islice(self._kept, max(count - gone, 0), None))
