"""A local desk on a stage: its simulated provider over real sockets, or a real SMTP server alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import msgspec

from adapters.local import ADAPTER
from adapters.local.desk import LocalDesk
from adapters.local.settings import LocalSettings
from adapters.local.simulator import LocalSimulator, MemoryShelf
from syncd.sdk.desk import (
    Contact,
    DeskContext,
    DeskId,
    EventId,
    Language,
    Letter,
    MessageKind,
    NewTicket,
    Shelf,
    TicketChange,
    TicketId,
)
from syncd.sdk.secret import Secret
from syncd.testing.clock import ManualClock
from syncd.testing.desk_simulators import serve
from syncd.testing.desk_stage import LEXICON
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME

LETTER = Letter(kind=MessageKind.RESTOCKED, language=Language.JA, subject="【店】入荷", body="入荷しました。\n")


@dataclass
class Stage:
    """An open desk, and what is around it."""

    desk: LocalDesk
    simulator: LocalSimulator
    clock: ManualClock


def settings_of(given: dict[str, Any]) -> LocalSettings:
    """Return settings as they would be read of a file."""
    secrets = {name: Secret(given[name]) for name in ("smtp_url", "imap_url") if name in given}
    return LocalSettings(**{**given, **secrets})


@asynccontextmanager
async def opened(settings: LocalSettings, *, shelf: Shelf, clock: ManualClock) -> AsyncIterator[LocalDesk]:
    """Open a desk."""
    numbers = iter(range(1, 1_000_000))
    async with aiohttp.ClientSession() as session:
        context = DeskContext(
            desk=DeskId("local"),
            session=session,
            clock=clock,
            uuid=lambda: f"{next(numbers):032x}",
            random=lambda: 0.5,
            shelf=shelf,
            lexicon=LEXICON,
        )
        async with ADAPTER.open(settings, context) as desk:
            yield cast("LocalDesk", desk)


@asynccontextmanager
async def staged(**more: Any) -> AsyncIterator[Stage]:
    """Open a desk on its simulator; `more` are settings that differ."""
    clock = ManualClock()
    simulator = LocalSimulator(seed=1, clock=clock)
    async with serve(simulator) as url:
        settings = settings_of({**simulator.settings(url), **more})
        async with opened(settings, shelf=simulator.shelf, clock=clock) as desk:
            await desk.changed(None)  # where the mailbox stands is known from here on
            yield Stage(desk=desk, simulator=simulator, clock=clock)


def wish(key: str = "k1", event: str = "e1", **more: Any) -> NewTicket:
    """Return a ticket to be opened, with a customer and a letter."""
    given: dict[str, Any] = {
        "key": key,
        "event": EventId(event),
        "subject": "入荷待ち",
        "note": "from the ledger",
        "contact": Contact(address=CANARY_MAIL, name=CANARY_NAME),
        "letter": LETTER,
    }
    return NewTicket(**{**given, **more})


def change(ticket_id: str, event: str = "e2", **more: Any) -> TicketChange:
    """Return a change of one ticket."""
    return TicketChange(ticket_id=TicketId(ticket_id), event=EventId(event), **more)


def documents(shelf: MemoryShelf) -> dict[str, Any]:
    """Return the tickets on a shelf, decoded."""
    return {key: msgspec.json.decode(body) for key, (body, _) in shelf.kept.items() if key.startswith("ticket/")}
