"""What would have come of it: past orders and deliveries once more, under a rule for what listings show.

A shopper's line is taken whole where the listing shows enough, else refused. We hear of what was taken after a lag,
decide what all listings of the SKU should show, and our writes are visible after another lag. So the same trace under
two rules tells what each would have oversold, and what each would have refused although it was there. Nothing here
waits, draws or reads a clock; a trace with its lags and a rule always give the same tally. Times are seconds of any one
clock.

A rule is any object with the three methods of `Rule`: `Plain` is one that only looks at what is available (fixed
buffers, shares, even parts), `syncd.core.foresight.Foresight` one that learns demand from what is heard.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

DELIVERY: Final = -1
"""The channel of an event that is a delivery."""
NEVER: Final = float("inf")


class Event(NamedTuple):
    """A line that a shopper asks for on a channel, or a delivery (`channel` is `DELIVERY`, `order` is empty).

    `sku` and `channel` are numbers from 0 on. A delivery before time 0 is the opening stock: listings show their
    targets for it at once.
    """

    at_s: float
    sku: int
    units: int
    channel: int
    order: str = ""


class Lag(NamedTuple):
    """How late a channel is: from a sale there until we know of it, and from our decision until it shows."""

    heard_s: float
    visible_s: float


class Rule(Protocol):
    """What listings show, and what is learned for that. All that a rule is told, the daemon knows too."""

    def decide(self, sku: int, available: int) -> Sequence[int]:
        """Return what the listing of this SKU should show on each channel; `available` is as far as we know."""

    def heard(self, event: Event, *, at_s: float, available: int) -> Iterable[int]:
        """Learn at `at_s` of a line that was taken; return other SKUs that should be decided anew."""

    def arrived(self, event: Event, *, available: int) -> None:
        """Learn of a delivery; `available` is what is known to be there with it."""


class Plain:
    """A rule that looks at nothing but what is available."""

    def __init__(self, targets: Callable[[int], Sequence[int]]) -> None:
        self.targets = targets

    def decide(self, sku: int, available: int) -> Sequence[int]:  # noqa: ARG002 a rule of all SKUs
        """Return what the listings of any SKU show."""
        return self.targets(available)

    def heard(self, event: Event, *, at_s: float, available: int) -> Iterable[int]:  # noqa: ARG002 learns nothing
        """Learn nothing."""
        return ()

    def arrived(self, event: Event, *, available: int) -> None:
        """Learn nothing."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of a rule, in units; writes are counted one by one.

    `sold`: taken and there. `oversold`: taken beyond what was there; the next delivery serves them. `hidden`: of lines
    that were refused although wholly there. `left`: what is still there at the end.
    """

    demand: int = 0
    sold: int = 0
    oversold: int = 0
    hidden: int = 0
    writes: int = 0
    left: int = 0


def replay(
    events: Iterable[Event], *, skus: int, lags: Sequence[Lag], rule: Rule, batch_s: float | None = None
) -> Tally:
    """Return what comes of these events, given in order of time, under a rule.

    Writes change a listing by a difference, as soon as something is heard. With `batch_s` they are absolute numbers of
    all SKUs with news, so often. What is under way at the end is left alone.
    """
    market = _Market(skus, lags, rule)
    if batch_s is None:
        return market.play(events)
    return _Batches(skus, lags, rule, batch_s).play(events)


class _Market:
    """All listings of a shop on its channels. Writes wait at their listing until somebody looks at it."""

    def __init__(self, skus: int, lags: Sequence[Lag], rule: Rule) -> None:
        self.lags = lags
        self.rule = rule
        self.tally = Tally()
        self.there = [0] * skus
        self.available = [0] * skus
        self.believed = [[0] * len(lags) for _ in range(skus)]
        self.shown = [[0] * len(lags) for _ in range(skus)]
        self.writes: list[list[deque[tuple[float, int]]]] = [[deque() for _ in lags] for _ in range(skus)]
        self.taken: list[tuple[float, int, Event]] = []
        self.number = 0

    def play(self, events: Iterable[Event]) -> Tally:
        """Let all events happen and return what came of it."""
        taken = self.taken
        for event in events:
            at_s = event.at_s
            while taken and taken[0][0] <= at_s:
                heard_s, _, sale = heapq.heappop(taken)
                self.hear(heard_s, sale)
            if event.channel == DELIVERY:
                self.arrive(event)
            else:
                self.ask(event)
        self.tally.left = sum(units for units in self.there if units > 0)
        return self.tally

    def hear(self, at_s: float, sale: Event) -> None:
        """Learn of a line that was taken, and decide anew."""
        sku = sale.sku
        self.available[sku] -= sale.units
        self.believed[sku][sale.channel] -= sale.units
        others = self.rule.heard(sale, at_s=at_s, available=self.available[sku])
        self.plan(sku, at_s)
        for other in others:
            self.plan(other, at_s)

    def arrive(self, event: Event) -> None:
        """Take a delivery; the opening stock is on sale at once."""
        sku = event.sku
        self.there[sku] += event.units
        self.available[sku] += event.units
        self.rule.arrived(event, available=self.available[sku])
        if event.at_s < 0:
            opening = self.rule.decide(sku, self.available[sku])
            self.believed[sku], self.shown[sku] = list(opening), list(opening)
        else:
            self.plan(sku, event.at_s)

    def ask(self, event: Event) -> None:
        """Let a shopper take a line, or not."""
        at_s, sku, units, channel, _ = event
        tally, there = self.tally, self.there[sku]
        tally.demand += units
        if self.showing(sku, channel, at_s) >= units:
            over = min(units, max(0, units - there))
            tally.oversold += over
            tally.sold += units - over
            self.there[sku] = there - units
            self.shown[sku][channel] -= units
            self.number += 1
            heapq.heappush(self.taken, (at_s + self.lags[channel].heard_s, self.number, event))
        elif there >= units:
            tally.hidden += units

    def showing(self, sku: int, channel: int, at_s: float) -> int:
        """Return what a listing shows now, with all writes that are visible by now."""
        waiting, shown = self.writes[sku][channel], self.shown[sku]
        while waiting and waiting[0][0] <= at_s:
            shown[channel] += waiting.popleft()[1]
        return shown[channel]

    def plan(self, sku: int, at_s: float) -> None:
        """Write what should show and does not."""
        believed = self.believed[sku]
        for channel, target in enumerate(self.rule.decide(sku, self.available[sku])):
            if target != believed[channel]:
                self.tally.writes += 1
                self.writes[sku][channel].append((at_s + self.lags[channel].visible_s, target - believed[channel]))
                believed[channel] = target


class _Batches(_Market):
    """The same, where absolute numbers are written by the clock, as most tools do it."""

    def __init__(self, skus: int, lags: Sequence[Lag], rule: Rule, batch_s: float) -> None:
        super().__init__(skus, lags, rule)
        self.batch_s = batch_s
        self.next_s = batch_s
        self.news: set[int] = set()

    def hear(self, at_s: float, sale: Event) -> None:
        """Learn of a line in its time: batches that are due before are written first."""
        self.tick(at_s)
        super().hear(at_s, sale)

    def arrive(self, event: Event) -> None:
        """Take a delivery."""
        self.tick(event.at_s)
        super().arrive(event)

    def ask(self, event: Event) -> None:
        """Let a shopper take a line, or not."""
        self.tick(event.at_s)
        super().ask(event)

    def tick(self, at_s: float) -> None:
        """Write the batches that are due by now."""
        while self.next_s <= at_s:
            if not self.news:
                self.next_s += self.batch_s * ((at_s - self.next_s) // self.batch_s + 1)
                continue
            for sku in sorted(self.news):
                for channel, target in enumerate(self.rule.decide(sku, self.available[sku])):
                    self.tally.writes += 1
                    self.writes[sku][channel].append((self.next_s + self.lags[channel].visible_s, target))
            self.news.clear()
            self.next_s += self.batch_s

    def showing(self, sku: int, channel: int, at_s: float) -> int:
        """Return what a listing shows now: the last number that is visible by now, less its own sales since."""
        waiting, shown = self.writes[sku][channel], self.shown[sku]
        while waiting and waiting[0][0] <= at_s:
            shown[channel] = waiting.popleft()[1]
        return shown[channel]

    def plan(self, sku: int, at_s: float) -> None:  # noqa: ARG002 the batch is written by its own clock
        """Keep the SKU for the next batch."""
        self.news.add(sku)
