"""A marketplace in memory for engine tests: late, coarse, lossy, with its own shoppers. It is the truth of the test."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from syncd.core.terms import SECOND_US
from syncd.sdk.channel import (
    Clock,
    Give,
    ListingInfo,
    ListingPage,
    ListingRef,
    OrderLine,
    OrderPage,
    OrderSnapshot,
    Outcome,
    OutcomeKind,
    Profile,
    Seen,
    Span,
    Write,
    WriteMode,
)
from syncd.sdk.errors import ProtocolError, TransientError
from syncd.testing.chance import SeededRandom


@dataclass
class Rates:
    """How often a call goes wrong, each from 0 to 1."""

    refused: float = 0.0
    cut: float = 0.0
    late: float = 0.0
    lost: float = 0.0
    html: float = 0.0
    stale: float = 0.0
    partial: float = 0.0


@dataclass
class Placed:
    """An order with the time from which the feed shows its latest state."""

    order: OrderSnapshot
    told_at: int


@dataclass
class Double:
    """One account; `numbers` is what each listing shows."""

    mode: WriteMode
    clock: Clock
    dice: SeededRandom
    numbers: dict[ListingRef, int] = field(default_factory=dict)
    skus: dict[ListingRef, str] = field(default_factory=dict)
    placed: dict[str, Placed] = field(default_factory=dict)
    rates: Rates = field(default_factory=Rates)
    lateness_s: float = 30.0
    staleness_s: float = 2.0
    effect_s: float = 20.0
    precision_s: int = 1
    log: list[tuple[int, ListingRef, int, int, str]] = field(default_factory=list)
    past: dict[ListingRef, deque[tuple[int, int]]] = field(default_factory=dict)
    pushed: list[list[Write]] = field(default_factory=list)
    tasks: set[asyncio.TimerHandle] = field(default_factory=set)
    count: int = 0
    latency_s: float = 0.05
    answers_after_s: float = 0.0
    takes_most: int | None = None

    @property
    def profile(self) -> Profile:
        return Profile(
            write_mode=self.mode,
            max_push=25,
            max_seen=25,
            staleness_s=self.staleness_s,
            clock_skew_s=1.0,
            effect_delay_s=self.effect_s,
            visibility_delay_s=1.0,
            feed_lateness_s=self.lateness_s,
            max_quantity=self.takes_most,
        )

    # --- the world ---

    def list(self, sku: str, number: int, remote_id: str | None = None) -> ListingRef:
        """Offer a SKU."""
        ref = ListingRef(remote_id=remote_id or f"{sku.lower()}-{len(self.skus)}")
        self.skus[ref] = sku
        self.numbers[ref] = number
        self.past[ref] = deque([(0, number)], maxlen=50)
        return ref

    def set(self, ref: ListingRef, number: int, by: str) -> None:
        """Let a listing show another number."""
        self.log.append((self.clock.now(), ref, self.numbers[ref], number, by))
        self.numbers[ref] = number
        self.past[ref].append((self.clock.now(), number))

    def buy(self, ref: ListingRef, quantity: int) -> str | None:
        """Let a shopper buy; None when the listing shows too little."""
        if self.numbers[ref] < quantity:
            return None
        self.set(ref, self.numbers[ref] - quantity, "shopper")
        return self.order(ref, quantity)

    def order(self, ref: ListingRef, quantity: int, *, offer: str = "") -> str:
        """Let an order come, which may name a private sale; what the listing shows is left alone."""
        self.count += 1
        now, name = self.clock.now(), f"{self.count:06d}"
        step = self.precision_s * SECOND_US
        coarse = now - now % step
        line = OrderLine(
            line_id="1",
            remote_id=ref.remote_id,
            remote_sku=self.skus[ref],
            quantity=quantity,
            take=Span(earliest=coarse, latest=coarse + step),
        )
        order = OrderSnapshot(
            order_id=name, number=f"#{name}", version=now, read_at=now, ordered_at=coarse, lines=(line,), offer=offer
        )
        self.place(order)
        return name

    def place(self, order: OrderSnapshot) -> None:
        """Let an order's new state reach the feed, late."""
        late = self.dice.between(0, self.lateness_s * 0.9)
        self.placed[order.order_id] = Placed(order=order, told_at=self.clock.now() + int(late * SECOND_US))

    def cancel(self, name: str, *, restore: bool) -> None:
        """Cancel an order; the channel may put the units back by itself."""
        order, now = self.placed[name].order, self.clock.now()
        line = order.lines[0]
        gives: tuple[Give, ...] = ()
        if restore:
            ref = next(ref for ref in self.numbers if ref.remote_id == line.remote_id)
            delay = self.dice.between(0, 10)
            self._later(delay, lambda: self.set(ref, self.numbers[ref] + line.quantity, "cancel"))
            gives = (Give(give_id="1", quantity=line.quantity, span=Span(earliest=now, latest=now + 11 * SECOND_US)),)
        line = replace(line, cancelled=line.quantity, gives=gives)
        self.place(replace(order, version=now, cancelled=True, lines=(line,)))

    def ship(self, name: str) -> None:
        """Ship an order."""
        order = self.placed[name].order
        line = replace(order.lines[0], shipped=order.lines[0].quantity)
        self.place(replace(order, version=self.clock.now(), lines=(line,)))

    def _later(self, delay_s: float, work: object) -> None:
        self.tasks.add(asyncio.get_running_loop().call_later(delay_s, work))  # type: ignore[arg-type]

    # --- the channel ---

    async def _call(self) -> None:
        await asyncio.sleep(self.dice.between(0, self.latency_s * 2))
        if self.dice.happens(self.rates.refused):
            raise TransientError("refused", sent=False)
        if self.dice.happens(self.rates.html):
            raise ProtocolError("html")

    async def orders(self, cursor: str | None) -> OrderPage:
        await self._call()
        now = self.clock.now()
        since = int(cursor or 0)
        found = [p for p in self.placed.values() if p.told_at <= now and p.told_at >= since]
        read = tuple(replace(p.order, read_at=now) for p in found)
        complete = now - int(self.lateness_s * SECOND_US)
        return OrderPage(orders=read, cursor=str(complete), more=False, complete_until=complete)

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        await self._call()
        now = self.clock.now()
        known = [self.placed[name].order for name in order_ids if name in self.placed]
        return [replace(order, read_at=now, fresh=True) for order in known]

    async def listings(self, cursor: str | None) -> ListingPage:
        await self._call()
        found = tuple(ListingInfo(ref=ref, sku=sku) for ref, sku in self.skus.items())
        return ListingPage(listings=found, cursor=None)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        asked = self.clock.now()
        await self._call()
        found = [self._read(ref) for ref in refs]
        await asyncio.sleep(self.dice.between(0, self.latency_s))
        now = self.clock.now()
        return [
            Seen(ref=ref, quantity=number, asked_at=asked, answered_at=now)
            for ref, number in zip(refs, found, strict=True)
        ]

    def _read(self, ref: ListingRef) -> int | None:
        if ref not in self.numbers:
            return None
        if not self.dice.happens(self.rates.stale):
            return self.numbers[ref]
        when = self.clock.now() - int(self.dice.between(0, self.staleness_s * 0.9) * SECOND_US)
        return [number for at, number in self.past[ref] if at <= when][-1]

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        await self._call()
        self.pushed.append(list(writes))
        if self.dice.happens(self.rates.late):
            self._later(self.dice.between(0, self.effect_s * 0.9), lambda: [self.apply(write) for write in writes])
            raise TransientError("timeout", sent=True)
        if self.dice.happens(self.rates.lost):
            raise TransientError("timeout", sent=True)
        outcomes = [self.apply(write) for write in writes]
        if self.dice.happens(self.rates.cut):
            raise TransientError("reset", sent=True)
        if self.dice.happens(self.rates.partial):
            return [replace(outcome, kind=OutcomeKind.INDETERMINATE) for outcome in outcomes]
        await asyncio.sleep(self.answers_after_s)
        return outcomes

    def apply(self, write: Write) -> Outcome:
        """Apply a write by the rules of the mode."""
        number = self.numbers.get(write.ref)
        if number is None:
            return Outcome(key=write.key, kind=OutcomeKind.REJECTED, reason="unknown listing")
        if write.delta is not None:
            if number + write.delta < 0:
                return Outcome(key=write.key, kind=OutcomeKind.STALE)
            self.set(write.ref, number + write.delta, "api")
        elif write.expected is not None and write.expected != number:
            return Outcome(key=write.key, kind=OutcomeKind.STALE)
        else:
            self.set(write.ref, write.quantity, "api")
        return Outcome(key=write.key, kind=OutcomeKind.APPLIED)
