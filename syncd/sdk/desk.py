"""The contract between syncd and a desk adapter: four awaited methods, a profile, and features asked by type.

As with channels: an adapter never retries, never sleeps, never logs a secret or what a customer wrote. Every change
bears its event as a marker, so that after an unknown end a look at the ticket tells whether it is on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from syncd.core.escalation import Lexicon, Word
from syncd.core.order_words import order_words
from syncd.core.terms import Instant, OutcomeKind, Sku
from syncd.core.tickets import (
    Contact,
    DeskId,
    EventId,
    Inbound,
    Language,
    Letter,
    MessageKind,
    NewTicket,
    Priority,
    Rating,
    Sign,
    Ticket,
    TicketChange,
    TicketId,
    TicketOutcome,
    TicketState,
    TicketStatus,
)
from syncd.sdk.channel import Clock, RawRequest

if TYPE_CHECKING:
    import aiohttp

__all__ = [
    "Contact",
    "Desk",
    "DeskAdapter",
    "DeskContext",
    "DeskId",
    "DeskNotice",
    "DeskProfile",
    "DeskWebhooks",
    "EventId",
    "Forgetting",
    "Inbound",
    "Instant",
    "Language",
    "LateTicketOutcomes",
    "Letter",
    "Lexicon",
    "MessageKind",
    "NewTicket",
    "OutcomeKind",
    "PacedDesk",
    "Priority",
    "Provisionable",
    "Rating",
    "Shelf",
    "Sign",
    "Sku",
    "Step",
    "StepKind",
    "TextSource",
    "Ticket",
    "TicketChange",
    "TicketId",
    "TicketOutcome",
    "TicketPage",
    "TicketState",
    "TicketStatus",
    "Word",
    "order_words",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskProfile:
    """What the engine needs to know of a desk.

    `max_find`, `max_update`, `max_create` are rows per call. `owns` are the messages that the desk sends by rules of
    its own: syncd only moves the state and never sends their letters. `sends` says that a letter can reach the
    customer; without it a change with a letter becomes a task for an agent. `certain` says that a letter whose end is
    not known can be looked up afterwards; where it cannot (mail), a person is shown it and nothing is repeated.
    `resend_after_s`: when so long after a change of unknown end a look finds no marker of its event, the change may be
    made again, and cannot be in effect twice. `hears` says that the desk learns of customers' replies: without it
    nobody is reminded of a question. `opens` says that tickets can be opened there at all; else an opening is REJECTED.
    """

    max_find: int = 100
    max_update: int = 100
    max_create: int = 1
    owns: frozenset[MessageKind] = frozenset()
    sends: bool = True
    certain: bool = True
    resend_after_s: float = 30.0
    hears: bool = True
    opens: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """Tickets that changed. `cursor` is where the next call goes on; `more` says that it should follow at once."""

    tickets: tuple[Ticket, ...]
    cursor: str
    more: bool


class Desk(Protocol):
    """One open desk. Methods raise the errors of `syncd.sdk.errors` for a call as a whole, never for a single row."""

    @property
    def profile(self) -> DeskProfile:
        """Return what the desk can do."""

    async def changed(self, cursor: str | None) -> TicketPage:
        """Read a page of tickets changed since `cursor`; None starts with those that are open now."""

    async def find(self, ticket_ids: Sequence[TicketId]) -> list[Ticket]:
        """Read these tickets as they are now; one that does not exist is left out."""

    async def update(self, changes: Sequence[TicketChange]) -> list[TicketOutcome]:
        """Make these changes, each ticket at most once; one outcome per change, in order.

        A ticket that bears the event already is APPLIED and left alone. When the call fails after it may have had an
        effect its rows are INDETERMINATE. On a closed ticket the change is REJECTED with the reason `closed`, where
        there is none with `gone`. ACCEPTED: the desk works on it, see `LateTicketOutcomes`. UNSENT: certainly not
        made, through no fault of the row; the same change may follow at once or a little later.
        """

    async def create(self, tickets: Sequence[NewTicket]) -> list[TicketOutcome]:
        """Open these tickets; one outcome per ticket, in order. A `key` that is there already answers its ticket."""


# --- features, asked by type --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskNotice:
    """What a webhook says: tickets to be read. `dedupe_key` is the desk's own id of the event."""

    dedupe_key: str | None
    ticket_ids: tuple[TicketId, ...]


@runtime_checkable
class DeskWebhooks(Protocol):
    """The desk sends webhooks."""

    def verify(self, request: RawRequest) -> None:
        """Raise `syncd.sdk.channel.Forged` unless the desk itself sent these bytes lately."""

    def parse(self, request: RawRequest) -> DeskNotice:
        """Say what a verified request means; raises `ProtocolError` where it cannot be understood."""


@runtime_checkable
class PacedDesk(Protocol):
    """The desk knows ahead when it takes changes; before that an update would raise `NoTurn`."""

    def update_delay_s(self) -> float:
        """Return seconds until an `update` would be taken at once; 0.0 when now."""


@runtime_checkable
class LateTicketOutcomes(Protocol):
    """The desk works on changes in the background: `update` answers ACCEPTED, and their ends are told later.

    A change that is awaited and comes again is ACCEPTED again, and not sent a second time.
    What a desk object awaits is forgotten with it: an ACCEPTED change of a former one is looked up by `find` and its
    marker, as an INDETERMINATE one is.
    """

    def late_due_s(self) -> float | None:
        """Return after how many seconds there may be ends to tell; None where no change is awaited."""

    async def late_outcomes(self) -> list[TicketOutcome]:
        """Return ends of ACCEPTED changes that are known by now and were not told yet; asking too early costs nothing.

        It must not matter when an end is told twice, or never. An error leaves everything awaited as it was.
        """


@runtime_checkable
class Forgetting(Protocol):
    """The desk keeps its tickets on its shelf: they are deleted a while after nobody waits by them any more."""

    async def forget(self, ticket_ids: Sequence[TicketId]) -> list[TicketId]:
        """Delete these tickets with all that they hold; return those that are gone.

        One that is not there is gone. One that changes at this moment may stay, and is asked for again later.
        """


class StepKind(StrEnum):
    """What a step of a set-up does. KEEP: it is there as it should be. FOREIGN: the shop's own stands in its place."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing of a set-up: `what` it is (field, form, trigger, ...), its title, and what would change on it."""

    kind: StepKind
    what: str
    title: str
    detail: str = ""


class TextSource(Protocol):
    """Texts as a desk's own rules and macros need them."""

    def text(self, kind: MessageKind, language: Language, values: Mapping[str, str]) -> tuple[str, str]:
        """Return subject and body with each placeholder replaced by what `values` has for it (a desk's own marks)."""


@runtime_checkable
class Provisionable(Protocol):
    """The desk can be set up: fields, form, triggers, automations, macros, views, webhook."""

    async def plan(self, *, language: Language, texts: TextSource, webhook_url: str) -> list[Step]:
        """Say what a set-up would do; changes nothing. An empty `webhook_url` leaves the webhook out."""

    async def provision(self, *, language: Language, texts: TextSource, webhook_url: str) -> list[Step]:
        """Do it, and answer what was done; repeatable. Nothing of the shop's own is touched."""


# --- how a desk is found and opened ----------------------------------------------------------------------------------


class Shelf(Protocol):
    """Documents that a desk keeps in syncd's store, under keys of its own; each has a version that counts up."""

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return a document and its version, or None."""

    async def put(self, key: str, body: bytes, *, version: int) -> bool:
        """Store a document over this version (0: there is none yet); False where it is another by now."""

    async def delete(self, key: str, *, version: int) -> bool:
        """Delete a document of this version; False where it is another by now. One that is not there is deleted."""

    async def scan(self, prefix: str, *, after: str = "", limit: int = 100) -> list[tuple[str, bytes, int]]:
        """Return documents in the order of their keys, beginning after `after`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskContext:
    """What a desk adapter is given when it is opened; as `syncd.sdk.channel.Context`, and a shelf of its own.

    `lexicon` says what a customer's message shows (`Ticket.inbound`): the words themselves stay in the adapter.
    """

    desk: DeskId
    session: aiohttp.ClientSession
    clock: Clock
    uuid: Callable[[], str]
    random: Callable[[], float]
    shelf: Shelf
    shop: Mapping[str, str] = field(default_factory=dict)
    """The shop's own words for letters: `name`, `signature`, `phone`, `hours`, `url`."""
    lexicon: Lexicon = field(default_factory=Lexicon)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskAdapter:
    """The object that an entry point in the group `syncd.desks` names; fields as of `syncd.sdk.channel.Adapter`."""

    name: str
    settings: type[Any]
    open: Callable[[Any, DeskContext], AbstractAsyncContextManager[Desk]]
    simulator: str = ""
