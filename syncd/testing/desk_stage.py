"""Where a case of the desk kit plays: a served simulated desk, the adapter opened on it, and a clock that can leap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol, TypeVar

import aiohttp

from syncd.sdk.channel import Clock, OutcomeKind
from syncd.sdk.desk import (
    Desk,
    DeskAdapter,
    DeskContext,
    DeskId,
    DeskProfile,
    EventId,
    Language,
    LateTicketOutcomes,
    Letter,
    Lexicon,
    MessageKind,
    Shelf,
    Sign,
    Ticket,
    TicketChange,
    TicketId,
    TicketOutcome,
)
from syncd.sdk.errors import ChannelError, NoTurn, ProtocolError
from syncd.sdk.loop_clock import LoopClock
from syncd.testing.clock import START, LeapingClock
from syncd.testing.desk_simulators import DeskSimulator, Held, Wish, serve
from syncd.testing.simulators import connector
from syncd.testing.stage import STEP_S, Ear, hold, secret_names, settings_of, uuid

T = TypeVar("T")

MOST_PAGES = 1_000
ROUNDS = 200
"""How often ends of changes are asked for."""
TURN_S = 30.0
SETTLE_S = 3.0
"""How long a ticket is left alone after a touch: a desk that knows seconds cannot tell two touches apart."""
RECOVERY_S = 120.0
LEXICON = Lexicon(
    {
        (Language.EN, Sign.LEGAL): ("lawyer*", "chargeback"),
        (Language.JA, Sign.LEGAL): ("弁護士",),
        (Language.EN, Sign.ANGER): ("fed up",),
    },
    harmless=("lawyers of the garden",),
)
"""Words that a desk of the kit listens for."""
SHOP = {"name": "Midori Tea", "signature": "Midori Tea", "phone": "", "hours": "", "url": "https://shop.example"}


class DeskSimulatorFactory(Protocol):
    """Makes the simulated remote of a desk adapter."""

    def __call__(self, *, skus: int, seed: int, clock: Clock) -> Any:
        """Return a `syncd.testing.desk_simulators.DeskSimulator`; `skus` tickets are open already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskKit:
    """What a case needs: the adapter and its simulator. `many` is how many tickets a case of more than a page has."""

    adapter: DeskAdapter
    make: DeskSimulatorFactory
    seed: int = 1
    many: int = 250
    time_scale: float = 0.01


class PlainTexts:
    """A `TextSource` of plain words: a text names its kind and language, and every value it is given."""

    def __init__(self, edition: str = "") -> None:
        self._edition = edition

    def text(self, kind: MessageKind, language: Language, values: Mapping[str, str]) -> tuple[str, str]:
        """Return subject and body."""
        told = ", ".join(f"{name} {value}" for name, value in sorted(values.items()))
        return f"{kind} {language}", f"{kind} in {language}{self._edition}: {told}"


class MemoryShelf:
    """A `Shelf` that forgets everything with the process."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, int]] = {}

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return a document and its version, or None."""
        return self._kept.get(key)

    async def put(self, key: str, body: bytes, *, version: int) -> bool:
        """Store a document over this version; False where it is another by now."""
        if self._kept.get(key, (b"", 0))[1] != version:
            return False
        self._kept[key] = (body, version + 1)
        return True

    async def delete(self, key: str, *, version: int) -> bool:
        """Delete a document of this version; False where it is another by now."""
        if self._kept.get(key, (b"", version))[1] == version:
            self._kept.pop(key, None)
        return key not in self._kept

    async def scan(self, prefix: str, *, after: str = "", limit: int = 100) -> list[tuple[str, bytes, int]]:
        """Return documents in the order of their keys."""
        keys = sorted(key for key in self._kept if key.startswith(prefix) and key > after)
        return [(key, *self._kept[key]) for key in keys[:limit]]

    def texts(self) -> list[str]:
        """Return every document as a text."""
        return [body.decode("utf-8", "replace") for body, _ in self._kept.values()]


@dataclass(slots=True, kw_only=True, eq=False)
class DeskStage:
    """One case's world."""

    kit: DeskKit
    simulator: DeskSimulator
    desk: Desk
    context: DeskContext
    clock: LeapingClock
    given: Mapping[str, Any]
    server: AsyncExitStack
    said: list[str] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def profile(self) -> DeskProfile:
        """Return the desk's profile."""
        return self.desk.profile

    # --- time and trouble ---

    async def wait(self, seconds: float) -> None:
        """Let time pass, and a moment for what runs beside."""
        self.clock.advance(seconds)
        await asyncio.sleep(STEP_S)

    async def settled(self) -> None:
        """Let so much time pass that nobody has touched a ticket in the second that runs."""
        await self.wait(SETTLE_S)

    def trouble(self, **rates: float) -> None:
        """Let the simulator do these things wrong, and no others."""
        self.simulator.faults = type(self.simulator.faults)(**rates)

    async def calm(self) -> None:
        """End all faults, and let limits recover and late effects come."""
        self.trouble()
        await self.wait(RECOVERY_S + self.profile.resend_after_s)

    async def attempt(self, call: Awaitable[T]) -> T | ChannelError:
        """Return what a call answers, or the error of a desk that it raises; other errors pass."""
        try:
            return await call
        except ChannelError as error:
            self.said += [str(error), repr(error)]
            if isinstance(error, ProtocolError):
                self.said.append(error.sample)
            return error

    # --- what a case does ---

    def event(self) -> EventId:
        """Return an event that nobody used yet."""
        return EventId(f"restock-{next(self.numbers)}")

    def open_ticket(self, **wish: Any) -> TicketId:
        """Let a customer write."""
        return self.simulator.open_ticket(Wish(**wish))

    async def waiting(self, number: int = 1, **wish: Any) -> list[TicketId]:
        """Let customers write, and let it settle."""
        opened = [self.open_ticket(**wish) for _ in range(number)]
        await self.settled()
        return opened

    async def make(self, *changes: TicketChange) -> list[TicketOutcome]:
        """Make changes to their ends as the engine does: UNSENT ones again, ACCEPTED ones until their ends are told."""
        ends: dict[tuple[TicketId, EventId], TicketOutcome] = {}
        left = list(changes)
        for _ in range(ROUNDS):
            told = await self._send(left)
            ends |= {(end.ticket_id, end.event): end for end in told}
            left = [change for change in changes if _is_open(ends.get((change.ticket_id, change.event)))]
            if not left:
                break
            await self.settled()
        return [ends[change.ticket_id, change.event] for change in changes]

    async def _send(self, changes: Sequence[TicketChange]) -> list[TicketOutcome]:
        try:
            told = await self.desk.update(changes)
        except NoTurn:
            await self.wait(TURN_S)
            return []
        hold(len(told) == len(changes), f"{len(changes)} changes have {len(told)} outcomes")
        accepted = {(end.ticket_id, end.event) for end in told if end.kind is OutcomeKind.ACCEPTED}
        return [*told, *(await self.late(accepted))] if accepted else told

    async def late(self, accepted: set[tuple[TicketId, EventId]]) -> list[TicketOutcome]:
        """Ask for the ends of accepted changes until all are told; those never told are left out."""
        desk = self.desk
        told: list[TicketOutcome] = []
        for _ in range(ROUNDS):
            due_s = desk.late_due_s() if isinstance(desk, LateTicketOutcomes) else None
            if due_s is None or not isinstance(desk, LateTicketOutcomes):
                break
            await self.wait(due_s + STEP_S)
            told += await desk.late_outcomes()
            if accepted <= {(end.ticket_id, end.event) for end in told}:
                break
        return told

    async def read(self, ticket_id: TicketId) -> Ticket:
        """Read one ticket as it is now."""
        found = await self.desk.find([ticket_id])
        hold(len(found) == 1, "a ticket that is there is not found")
        return found[0]

    async def scan(self, cursor: str | None) -> tuple[list[Ticket], str]:
        """Read what changed from a cursor to its end."""
        found: list[Ticket] = []
        for _ in range(MOST_PAGES):
            page = await self.patiently(cursor)
            if page is None:
                continue
            found += page.tickets
            if not page.more:
                return found, page.cursor
            cursor = page.cursor
        raise AssertionError(f"what changed has no end within {MOST_PAGES} pages")

    async def patiently(self, cursor: str | None) -> Any:
        """Read a page; where the desk has no turn, wait and answer None."""
        try:
            return await self.desk.changed(cursor)
        except NoTurn as late:
            await self.wait((late.retry_after_s or 0.0) + STEP_S)
            return None

    def held(self, ticket_id: TicketId) -> Held:
        """Return a ticket as it really stands."""
        return self.simulator.held(ticket_id)

    # --- what must not be said ---

    def tells_nothing(self, texts: Sequence[str], what: str) -> None:
        """Hold that texts have neither a secret nor a customer's data in them."""
        secrets = [str(self.given.get(name, "")) for name in secret_names(self.kit.adapter)]
        words = [*(value for value in secrets if len(value) > 3), *self.simulator.canaries]
        for text in texts:
            hold(not [word for word in words if word.lower() in text.lower()], f"{what} holds what it may not")


def _is_open(end: TicketOutcome | None) -> bool:
    return end is None or end.kind in (OutcomeKind.UNSENT, OutcomeKind.ACCEPTED)


def letter(text: str = "Your goods are here.", *, kind: MessageKind = MessageKind.RESTOCKED) -> Letter:
    """Return a letter."""
    return Letter(kind=kind, language=Language.EN, subject="Midori Tea: news of your order", body=text)


@asynccontextmanager
async def desk_staged(kit: DeskKit, *, tickets: int = 0, bare: bool = False) -> AsyncIterator[DeskStage]:
    """Serve a simulated desk and open the adapter on it; what changes need is set up already, unless `bare`.

    At the end it is held that nothing secret was said.
    """
    clock = LeapingClock(LoopClock(asyncio.get_running_loop(), START))
    simulator: DeskSimulator = kit.make(skus=tickets, seed=kit.seed, clock=clock)
    simulator.time_scale = kit.time_scale
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(AsyncExitStack())
        url = await server.enter_async_context(serve(simulator))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector()))
        given = simulator.settings(url)
        context = _context(session, clock, simulator.shelf or MemoryShelf())
        desk = await stack.enter_async_context(kit.adapter.open(settings_of(kit.adapter, given), context))
        heard = stack.enter_context(Ear())
        stage = DeskStage(
            kit=kit, simulator=simulator, desk=desk, context=context, clock=clock, given=given, server=server
        )
        if not bare:
            simulator.prepare()
        yield stage
        stage.tells_nothing(stage.said, "an error")
        stage.tells_nothing(heard.texts, "the log")


def _context(session: aiohttp.ClientSession, clock: LeapingClock, shelf: Shelf) -> DeskContext:
    numbers = count(1)
    return DeskContext(
        desk=DeskId("conformance"),
        session=session,
        clock=clock,
        uuid=lambda: uuid(next(numbers)),
        random=lambda: 0.0,
        shelf=shelf,
        shop=SHOP,
        lexicon=LEXICON,
    )
