"""A bazaar in virtual time: channels that sell by themselves, tell late, coarsely, twice or never, and answer badly.

Nothing of syncd is in here but its words: a keeper (`tests.bench.keeper`) stands outside and sees only what a channel
would tell it. Time is in microseconds and passes by events, so a day costs milliseconds.
"""

from __future__ import annotations

import heapq
import itertools
import random
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from syncd.core.plan import Send
from syncd.core.terms import SECOND_US, Instant, OutcomeKind, Span, WriteMode

HOUR_US = 3_600 * SECOND_US
START = 1_000 * HOUR_US


class Timeline:
    """What happens when; events of one moment in the order in which they were entered."""

    def __init__(self, start: Instant = START) -> None:
        self.now = start
        self._events: list[tuple[Instant, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, when: Instant, act: Callable[[], None]) -> None:
        """Have something happen, not before now."""
        heapq.heappush(self._events, (max(when, self.now), next(self._order), act))

    def run(self, until: Instant) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until:
            self.now, _, act = heapq.heappop(self._events)
            act()
        self.now = until


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a channel behaves; all times are the longest, in microseconds.

    `told_us`: an order is in the feed that late. `coarse_us`: its time is rounded down to this. `poll_us`: the feed is
    read so often. `restore_us`: a cancel gives the units back that late. Chances: `lost` a write never arrives,
    `took` it takes effect and its answer is lost, `late` it takes effect after its answer (which may be lost too),
    `unsent` it certainly did not leave; `hint` a webhook comes at all, `twice` it comes twice; `silent` the whole
    channel cannot be polled, written or read for a while after a sale.
    """

    mode: WriteMode
    told_us: int = 90 * SECOND_US
    coarse_us: int = 7 * SECOND_US
    poll_us: int = 15 * SECOND_US
    stale_us: int = 3 * SECOND_US
    effect_us: int = 20 * SECOND_US
    answer_us: int = 2 * SECOND_US
    restore_us: int = 30 * SECOND_US
    silence_us: int = 600 * SECOND_US
    lost: float = 0.1
    took: float = 0.1
    late: float = 0.15
    unsent: float = 0.05
    hint: float = 0.5
    twice: float = 0.2
    cancel: float = 0.2
    restore: float = 0.7
    silent: float = 0.02


@dataclass(slots=True, kw_only=True)
class Order:
    """An order of one line, with its whole future.

    `told_at` is when the feed has it, `restored_at` when the channel puts its units back.
    """

    name: str
    at: Instant
    quantity: int
    told_at: Instant
    cancel_at: Instant | None = None
    restored_at: Instant | None = None

    def lives(self, now: Instant) -> bool:
        """Say whether its units are promised."""
        return self.cancel_at is None or now < self.cancel_at


class Fate(Enum):
    """What becomes of a write."""

    DONE = auto()
    LOST = auto()
    TOOK = auto()
    LATE = auto()
    LATE_AND_LOST = auto()
    UNSENT = auto()


@dataclass(slots=True)
class Market:
    """One listing on one channel of its own."""

    name: str
    habits: Habits
    line: Timeline
    dice: random.Random
    number: int = 0
    orders: list[Order] = field(default_factory=list)
    faults: bool = True
    silent_until: Instant = 0
    hint: Callable[[Order], None] = lambda _: None
    writes: int = 0
    _times: list[Instant] = field(default_factory=lambda: [0])
    _numbers: list[int] = field(default_factory=lambda: [0])

    def show(self, number: int) -> None:
        """Show another number from now on."""
        self.number = number
        self._times.append(self.line.now)
        self._numbers.append(number)

    def buy(self, quantity: int) -> Order | None:
        """Let a shopper buy; None where the listing does not show so many."""
        if self.number < quantity:
            return None
        now, dice, habits = self.line.now, self.dice, self.habits
        self.show(self.number - quantity)
        name = f"{self.name}:{len(self.orders)}"
        order = Order(name=name, at=now, quantity=quantity, told_at=now + dice.randint(0, habits.told_us))
        self.orders.append(order)
        if self.faults and dice.random() < habits.cancel:
            self._cancel(order)
        if self.faults and dice.random() < habits.silent:
            self.silent_until = max(self.silent_until, now + dice.randint(1, habits.silence_us))
        self._webhooks(order)
        return order

    def _cancel(self, order: Order) -> None:
        order.cancel_at = order.at + self.dice.randint(1, 20 * self.habits.restore_us)
        if self.dice.random() < self.habits.restore:
            order.restored_at = order.cancel_at + self.dice.randint(1, self.habits.restore_us)
            self.line.at(order.restored_at, lambda: self.show(self.number + order.quantity))

    def _webhooks(self, order: Order) -> None:
        times = (
            0
            if self.faults and self.dice.random() >= self.habits.hint
            else 1 + (self.dice.random() < self.habits.twice)
        )
        for _ in range(times):
            self.line.at(self.line.now + self.dice.randint(0, 5 * SECOND_US), lambda: self.hint(order))
            if order.cancel_at is not None:
                self.line.at(order.cancel_at + self.dice.randint(0, 5 * SECOND_US), lambda: self.hint(order))

    def span(self, order: Order) -> Span:
        """Return when the channel says that it took the units."""
        coarse = order.at - order.at % self.habits.coarse_us
        return Span(earliest=coarse, latest=coarse + self.habits.coarse_us)

    def given(self, order: Order) -> Span | None:
        """Return when the channel gives the units of a cancelled order back, None where it does not."""
        if order.restored_at is None or order.cancel_at is None:
            return None
        return Span(earliest=order.cancel_at, latest=order.cancel_at + self.habits.restore_us)

    def read(self, asked_at: Instant) -> int:
        """Answer a number that was true at some moment since it was asked, or a little before."""
        moment = self.dice.randint(asked_at - self.habits.stale_us, self.line.now)
        return self._numbers[bisect_right(self._times, moment) - 1]

    def push(self, send: Send, ended: Callable[[OutcomeKind], None]) -> None:
        """Take a write; `ended` hears its outcome."""
        self.writes += 1
        now, habits = self.line.now, self.habits
        answered = now + self.dice.randint(0, habits.answer_us)
        latest = now + habits.effect_us
        match self._fate():
            case Fate.UNSENT:
                self.line.at(answered, lambda: ended(OutcomeKind.UNSENT))
            case Fate.LOST:
                self.line.at(min(latest, answered), lambda: ended(OutcomeKind.INDETERMINATE))
            case Fate.LATE | Fate.LATE_AND_LOST as fate:
                kind = OutcomeKind.ACCEPTED if fate is Fate.LATE else OutcomeKind.INDETERMINATE
                self.line.at(self.dice.randint(now, latest), lambda: self._apply(send))
                self.line.at(min(latest, answered), lambda: ended(kind))
            case Fate.TOOK:
                self.line.at(self.dice.randint(now, answered), lambda: self._apply(send))
                self.line.at(answered, lambda: ended(OutcomeKind.INDETERMINATE))
            case Fate.DONE:
                self.line.at(self.dice.randint(now, answered), lambda: self._answer(send, answered, ended))

    def _answer(self, send: Send, at: Instant, ended: Callable[[OutcomeKind], None]) -> None:
        kind = OutcomeKind.APPLIED if self._apply(send) else OutcomeKind.STALE
        self.line.at(at, lambda: ended(kind))

    def _fate(self) -> Fate:
        if self.line.now < self.silent_until:
            return Fate.LOST
        if not self.faults:
            return Fate.DONE
        habits = self.habits
        chances = (habits.lost, habits.took, habits.late, habits.late / 2, habits.unsent)
        fates = (Fate.LOST, Fate.TOOK, Fate.LATE, Fate.LATE_AND_LOST, Fate.UNSENT)
        return self.dice.choices((*fates, Fate.DONE), (*chances, 1 - sum(chances)))[0]

    def _apply(self, send: Send) -> bool:
        """Apply a write by the rules of its mode; False when it was stale."""
        if send.delta is not None:
            if self.number + send.delta < 0:
                return False
            self.show(self.number + send.delta)
        elif send.expected is not None and send.expected != self.number:
            return False
        else:
            self.show(send.quantity)
        return True
