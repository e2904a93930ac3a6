"""Doubles of channels that can do more, and a way to tell a story of them on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from syncd.core.terms import Outcome, OutcomeKind, WriteMode
from syncd.sdk.channel import Notice
from syncd.sdk.errors import TransientError
from syncd.sdk.features import CancelWish, HealthFigure, Inquiry, InquiryPage, Key, Received, Undated
from syncd.store import alerts
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

DAY_US = 86_400 * 1_000_000


@dataclass
class Queued(Double):
    """A channel with a queue: a message comes again until it is ended."""

    waiting: list[Received] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    notices_on: bool = True
    away: bool = False
    deaf: bool = False
    received: int = 0

    def message(self, notice: Notice) -> None:
        """Put a message into the queue."""
        self.waiting.append(Received(notice=notice, receipt=f"r{len(self.settled) + len(self.waiting) + 1}"))

    async def receive(self) -> list[Received]:
        if self.away:
            raise TransientError("the queue is away")
        if not self.waiting:
            await asyncio.sleep(20)
        self.received += len(self.waiting)
        return list(self.waiting[:10])

    async def settle(self, receipts: Sequence[str]) -> None:
        if self.deaf:
            raise TransientError("not ended")
        self.settled += receipts
        self.waiting = [one for one in self.waiting if one.receipt not in receipts]


@dataclass
class Telling(Double):
    """A channel that tells later how writes ended."""

    ends: list[Outcome] = field(default_factory=list)

    async def late_outcomes(self) -> list[Outcome]:
        found, self.ends = self.ends, []
        return found


@dataclass
class Keyed(Double):
    """A channel whose keys end."""

    held: list[Key] = field(default_factory=list)
    asked: int = 0

    async def keys(self) -> list[Key]:
        self.asked += 1
        return list(self.held)


@dataclass
class Judging(Double):
    """A channel that judges the shop."""

    figures: list[HealthFigure] = field(default_factory=list)
    silent: bool = False
    asked: int = 0

    async def account_health(self) -> list[HealthFigure]:
        self.asked += 1
        if self.silent:
            raise TransientError("no report")
        return list(self.figures)


@dataclass
class Promising(Double):
    """A channel with ship-by dates. `ends` are how the next calls end: applied, lost (with effect), cut (without)."""

    undated_orders: dict[str, Undated] = field(default_factory=dict)
    ends: list[str] = field(default_factory=list)
    dates: list[tuple[str, date]] = field(default_factory=list)
    asked: int = 0

    async def undated(self) -> list[Undated]:
        self.asked += 1
        return list(self.undated_orders.values())

    async def set_ship_date(self, order_id: str, day: date) -> Outcome:
        end = self.ends.pop(0) if self.ends else "applied"
        self.dates.append((order_id, day))
        if end == "cut":
            raise TransientError("timeout", sent=True)
        if end == "down":
            raise TransientError("no connection", sent=False)
        if end == "rejected":
            return Outcome(key="", kind=OutcomeKind.REJECTED, reason="closed for changes")
        self.undated_orders.pop(order_id, None)
        if end == "lost":
            raise TransientError("timeout", sent=True)
        return Outcome(key="", kind=OutcomeKind.APPLIED)


@dataclass
class Cancelling(Double):
    """A channel that cancels orders and has an inbox. `end` is how the next cancel ends."""

    end: str = "applied"
    wishes: list[CancelWish] = field(default_factory=list)
    questions: list[Inquiry] = field(default_factory=list)
    lost: bool = False
    gate: asyncio.Event | None = None

    async def cancel(self, wish: CancelWish) -> Outcome:
        self.wishes.append(wish)
        if self.gate is not None:
            await self.gate.wait()
        if self.end == "rejected":
            return Outcome(key=wish.key, kind=OutcomeKind.REJECTED, reason="it has shipped")
        if self.end == "down":
            raise TransientError("no connection", sent=False)
        order = self.placed[wish.order_id].order
        line = replace(order.lines[0], cancelled=order.lines[0].quantity)
        version = self.clock.now()
        self.placed[wish.order_id].order = replace(order, version=version, cancelled=True, lines=(line,))
        if self.end == "cut":
            raise TransientError("timeout", sent=True)
        kind = OutcomeKind.ACCEPTED if self.end == "accepted" else OutcomeKind.APPLIED
        return Outcome(key=wish.key, kind=kind)

    async def inquiries(self, cursor: str | None) -> InquiryPage:
        if self.lost:
            raise TransientError("the inbox is away")
        start = int(cursor or 0)
        more = start + 2 < len(self.questions)
        return InquiryPage(inquiries=tuple(self.questions[start : start + 2]), cursor=str(start + 2) if more else None)


def tell(folder: Path, kind: type[Double], story: Callable[[World, Any], Awaitable[Any]], **changes: object) -> Any:
    """Run a story in a world with one channel, `one`, of this kind, which offers A-1; `changes` are its settings."""

    async def main() -> Any:
        clock = loop_running().clock
        double = kind(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
        double.list("A-1", 7)
        async with running(folder / "a.db", clock, {"one": double}, **changes) as world:
            await asyncio.sleep(20)
            return await story(world, double)

    return run_virtual(main)


async def standing(world: World) -> dict[tuple[str, str], str]:
    """Return the alerts that stand."""
    found = await world.plant.store.read(alerts.standing)
    return {(alert.kind, alert.key): alert.text for alert in found}
