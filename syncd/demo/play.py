"""Play the script: every shopper asks syncd's channels and the naive tool's, at the same moment for the same goods."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeAlias

from syncd.core.terms import AccountId
from syncd.demo.books import Books
from syncd.demo.naive import NaiveShops
from syncd.demo.script import CALM, NAIVE_S, Ask, Delivery, Happening, Scene, Script
from syncd.demo.stage import Stage
from syncd.engine.timing import nap
from syncd.testing.simulators import Refusal

LAST_SALES: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A shopper does not want an order any more."""

    at_s: float
    channel: str
    order_id: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A sale as it is told on the screen; `over` units of it were not there."""

    at_s: float
    channel: str
    sku: str
    quantity: int
    over: int


Act: TypeAlias = Happening | Cancel


@dataclass(slots=True, kw_only=True)
class _Agenda:
    """The script, and what came of it on the way, in order of time."""

    planned: Iterator[Happening]
    added: list[tuple[float, int, Cancel]] = field(default_factory=list)
    following: Happening | None = None
    numbers: Iterator[int] = field(default_factory=count)

    def add(self, cancel: Cancel) -> None:
        heapq.heappush(self.added, (cancel.at_s, next(self.numbers), cancel))

    def peek(self) -> Act:
        if self.following is None:
            self.following = next(self.planned)
        if self.added and self.added[0][0] <= self.following.at_s:
            return self.added[0][2]
        return self.following

    def drop(self, act: Act) -> None:
        if isinstance(act, Cancel):
            heapq.heappop(self.added)
        else:
            self.following = None


class Play:
    """The show. `books` is the truth of syncd's shop; `naive` are the other shops; times: seconds from the start."""

    def __init__(self, stage: Stage, script: Script) -> None:
        self.stage = stage
        self.script = script
        self.books = Books()
        self.books.arrive(script.opening())
        self.naive = NaiveShops(channels=stage.simulators, opening=script.opening(), every_s=NAIVE_S)
        self.sales: deque[Sale] = deque(maxlen=LAST_SALES)
        self.sold: Counter[str] = Counter()
        self.scene = "opening"
        self._agenda = _Agenda(planned=script.happenings())
        self._began_s: float | None = None
        self._ended_s: float | None = None

    @property
    def now_s(self) -> float:
        """Return the seconds since the doors opened, 0 before; it stands still once they are closed."""
        if self._began_s is None:
            return 0.0
        return (self._ended_s or self.stage.plant.clock.monotonic()) - self._began_s

    async def run(self, stop: asyncio.Event, *, seconds: float | None) -> None:
        """Play until told to stop, or for so long."""
        self._began_s = self.stage.plant.clock.monotonic()
        end_s = float("inf") if seconds is None else seconds
        while not stop.is_set():
            act = self._agenda.peek()
            if act.at_s > self.now_s:
                await nap(min(act.at_s, end_s) - self.now_s, stop)
            if act.at_s > end_s or stop.is_set():
                break
            self._agenda.drop(act)
            await self._do(act)
        self._ended_s = self.stage.plant.clock.monotonic()
        self.calm()

    def most(self, channel: str, sku: str) -> int:
        """Return the most that a channel may show of a SKU; with exposure "pool" it is what it should show."""
        return max(0, self.books.there[sku] - self.script.kept_back(channel, sku))

    def astray(self, targets: Mapping[str, Mapping[str, int | None]]) -> int:
        """Return how many listings show something else than their target, or have none yet."""
        self.stage.watch.turn()
        shelves = self.stage.watch.shown.items()
        return sum(
            shows != targets.get(channel, {}).get(sku) for channel, shelf in shelves for sku, shows in shelf.items()
        )

    async def _do(self, act: Act) -> None:
        self.look()
        match act:
            case Ask():
                self.naive.ask(act)
                self._shop(act)
            case Cancel():
                self._cancel(act)
            case Delivery():
                await self.arrive(act.goods)
            case Scene():
                self._turn(act)

    def _shop(self, ask: Ask) -> None:
        simulator = self.stage.simulators[ask.channel]
        try:
            receipt = simulator.buy([(ask.sku, ask.quantity)])
        except Refusal:
            self.books.refuse(ask.sku, ask.quantity)
            return
        at = self.stage.plant.clock.now()
        over = self.books.sell(ask.sku, ask.quantity)
        self.sold[ask.channel] += ask.quantity
        self.sales.appendleft(Sale(at_s=self.now_s, channel=ask.channel, sku=ask.sku, quantity=ask.quantity, over=over))
        should = max(0, self.books.there[ask.sku])
        shown = self.stage.watch.of(ask.sku)
        self.stage.lags.sold(ask.channel, receipt.number, ask.sku, at=at, should=should, shown=shown)
        if ask.cancel_after_s is not None:
            self._agenda.add(
                Cancel(
                    at_s=self.now_s + ask.cancel_after_s,
                    channel=ask.channel,
                    order_id=receipt.order_id,
                    sku=ask.sku,
                    quantity=ask.quantity,
                )
            )

    def _cancel(self, cancel: Cancel) -> None:
        self.stage.simulators[cancel.channel].cancel(cancel.order_id)
        before = max(0, self.books.there[cancel.sku])
        self.books.give_back(cancel.sku, cancel.quantity)
        self.stage.lags.raised(cancel.sku, max(0, self.books.there[cancel.sku]) - before)

    async def arrive(self, goods: Mapping[str, int]) -> None:
        """Let a delivery come, at both shops."""
        self.naive.deliver(goods, at_s=self.now_s)
        self._arrive(goods)
        await self.stage.deliver(goods)

    async def lose(self, sku: str, quantity: int) -> None:
        """Find what is left of a good, and so many sold units more, broken, at both shops."""
        broken = max(0, self.books.there[sku]) + quantity
        self.naive.lose(sku, broken, at_s=self.now_s)
        self.books.lose(sku, broken)
        await self.stage.write_off({sku: broken})

    def _arrive(self, goods: Mapping[str, int]) -> None:
        before = {sku: max(0, self.books.there[sku]) for sku in goods}
        self.books.arrive(goods)
        for sku, was in before.items():
            self.stage.lags.raised(sku, max(0, self.books.there[sku]) - was)

    def _turn(self, scene: Scene) -> None:
        self.scene = scene.text
        if scene.faults is not None:
            self.stage.simulators[scene.channel].faults = scene.faults

    def calm(self) -> None:
        """End every fault, and let the naive tool have what is left of its time."""
        self.naive.advance(self.now_s)
        for name, simulator in self.stage.simulators.items():
            simulator.faults = CALM[name]

    def look(self) -> None:
        """Take in what changed on the channels, and which of them cannot be reached."""
        self.stage.watch.turn()
        now, lags = self.stage.plant.clock.now(), self.stage.lags
        for name, simulator in self.stage.simulators.items():
            pulse = self.stage.plant.roster[AccountId(name)].pulse
            down = simulator.faults.refuse > 0 or pulse.down_since is not None
            lags.down(name, at=now, is_down=down or (lags.is_down(name) and pulse.failures > 0))
