"""A marketplace in memory: shoppers buy what it shows, its feed is late, writes take effect late, reads are old.

It needs no loop and no server: everything late is a time, and happens when somebody looks after that time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from syncd.core.terms import SECOND_US, Instant, ListingRef
from syncd.sdk.channel import Clock
from syncd.testing.chance import SeededRandom
from syncd.testing.sales import Agenda, Feed, Line, Order, Restore
from syncd.testing.shelf import Good, Shelf
from syncd.testing.trade import By, Log, Receipt, Refusal, Shown, Unknown, units

FIRST_NUMBER = 1001
PAGE = 50

Delay = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a marketplace behaves; each pair is a range of seconds of which one is drawn.

    `effect_s`: from taking a write to its effect. `confirms`: a write is answered once it is in effect, otherwise at
    once. `staleness_s`: how old a number may be that it answers. `feed_lateness_s`: from a change of an order until
    the feed tells it. `restore_s`: from a cancel until its units are for sale again, None for never. `precision_s`:
    times in orders are cut to multiples of it. `feed_complete`: a scan says up to when it is complete. `versions`:
    orders have revision numbers. `page`: rows per page.
    """

    effect_s: Delay = (0.0, 0.0)
    confirms: bool = True
    staleness_s: float = 0.0
    feed_lateness_s: Delay = (0.0, 0.0)
    restore_s: Delay | None = (0.0, 0.0)
    precision_s: float = 0.0
    feed_complete: bool = True
    versions: bool = True
    page: int = PAGE


class Market:
    """The marketplace. `scale` multiplies every delay.

    `on_change` hears of every change of an order, `on_plan` after how many microseconds a restore will be due: whoever
    wants to hear of it in time looks then.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int = 0,
        habits: Habits = Habits(),
        log: Log | None = None,
        scale: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.clock = clock
        self.habits = habits
        self.log = Log(clock) if log is None else log
        self.shelf = Shelf(self.log)
        self.feed = Feed()
        self.on_change: Callable[[Order], None] = lambda _: None
        self.on_plan: Callable[[int], None] = lambda _: None
        self._scale = scale
        self._random = SeededRandom(seed)
        self._agenda = Agenda()
        self._orders: dict[str, Order] = {}
        self._sequence: list[Order] = []
        self._numbers = count(FIRST_NUMBER)

    # --- goods ---

    def add(self, sku: str, quantity: int, *, remote_id: str = "", location: str = "") -> ListingRef:
        """Put a SKU up, by default under a listing id made of it; raises `ValueError` when that is there already."""
        ref = ListingRef(remote_id=remote_id or f"L-{sku}", remote_location=location)
        return self.shelf.add(ref, sku=sku, quantity=quantity, at=self.settle()).ref

    def shown(self) -> list[Shown]:
        """Return what every listing shows now."""
        self.settle()
        return [Shown(ref=good.ref, sku=good.sku, quantity=good.quantity) for good in self.shelf.all()]

    def quantity(self, place: str | ListingRef) -> int:
        """Return what a listing, or a SKU's first one, shows now; raises `Unknown`."""
        self.settle()
        return self.shelf.at(place).quantity

    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit a number; raises `Unknown`."""
        now = self.settle()
        self.shelf.change(self.shelf.at(place), quantity, By.PERSON, at=now)

    # --- shoppers ---

    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell (SKU, quantity) lines: whole, or not at all; raises `Refusal` when too little is shown, `Unknown`."""
        now = self.settle()
        taken = [(self._offer(sku, quantity), quantity) for sku, quantity in units(lines).items()]
        for good, quantity in taken:
            if good.managed:
                self.shelf.change(good, good.quantity - quantity, By.SHOPPER, at=now)
        return self.book(taken, now).receipt()

    def book(self, taken: Sequence[tuple[Good, int]], now: Instant, *, offer: str = "") -> Order:
        """Enter an order of goods that are off the shelf already; `offer` is the private sale that it comes of."""
        number = next(self._numbers)
        rows = [
            Line(line_id=f"{number}-{place}", good=good, quantity=quantity)
            for place, (good, quantity) in enumerate(taken, start=1)
        ]
        order = Order(order_id=f"O-{number}", number=f"#{number}", at=now, lines=rows, offer=offer)
        self._orders[order.order_id] = order
        self._sequence.append(order)
        self._changed(order, now)
        return order

    def _offer(self, sku: str, quantity: int) -> Good:
        offers = [good for good in self.shelf.of(sku) if good.active]
        if not offers:
            raise Unknown(f"{sku}: not for sale here")
        for good in offers:
            if not good.managed or good.quantity >= quantity:
                return good
        raise Refusal(f"{sku}: {quantity} wanted, {max(good.quantity for good in offers)} shown")

    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Cancel units, lines in order; see `Simulator.cancel`."""
        now = self.settle()
        order = self.order(order_id)
        left = sum(line.left for line in order.lines)
        if left == 0 or (quantity or 0) > left:
            raise Refusal(f"{order_id}: {left} units can be cancelled")
        for line, part in _spread(order.lines, left if quantity is None else quantity):
            line.cancelled += part
            self._plan_restore(order, line, part, now, restock=restock)
        self._changed(order, now)
        self.settle()
        return order.receipt()

    def ship(self, order_id: str) -> Receipt:
        """Ship what is left; raises `Refusal` when nothing is."""
        now = self.settle()
        order = self.order(order_id)
        if order.closed:
            raise Refusal(f"{order_id}: nothing is left to ship")
        for line in order.lines:
            line.shipped += line.left
        self._changed(order, now)
        return order.receipt()

    def _plan_restore(self, order: Order, line: Line, quantity: int, now: Instant, *, restock: bool | None) -> None:
        wanted = self.habits.restore_s is not None if restock is None else restock
        if not wanted or not line.good.managed:
            return
        give_id = f"{line.line_id}-{len(line.restores) + 1}"
        restore = Restore(give_id=give_id, quantity=quantity, asked_at=now)
        line.restores.append(restore)
        delay_us = self.drawn_us(self.habits.restore_s or (0.0, 0.0))
        self._agenda.add(now + delay_us, functools.partial(self._restore, order, line, restore))
        self.on_plan(delay_us)

    def _restore(self, order: Order, line: Line, restore: Restore, at: Instant) -> None:
        restore.done_at = at
        self.shelf.change(line.good, line.good.quantity + restore.quantity, By.CANCEL, at=at)
        self._changed(order, at)

    # --- what the channel's API is made of ---

    def settle(self) -> Instant:
        """Let everything happen that is due; return the time."""
        now = self.clock.now()
        self._agenda.settle(now)
        return now

    def later(self, delay_us: int, action: Callable[[Instant], object]) -> Instant:
        """Let something happen after a delay, at once when it is 0; return when."""
        due = self.settle() + delay_us
        self._agenda.add(due, action)
        self.settle()
        return due

    def drawn_us(self, delay: Delay) -> int:
        """Draw a delay, in microseconds."""
        return round(self._random.between(*delay) * self._scale() * SECOND_US)

    def coarse(self, at: Instant) -> Instant:
        """Return a time as orders state it."""
        step = round(self.habits.precision_s * SECOND_US)
        return at - at % step if step else at

    def order(self, order_id: str) -> Order:
        """Return an order; raises `Unknown`."""
        self.settle()
        found = self._orders.get(order_id)
        if found is None:
            raise Unknown(f"{order_id}: no such order")
        return found

    def open_orders(self, after: int) -> Iterator[tuple[int, Order]]:
        """Return orders that are open and were told, from the `after`-th ever on, each with its place after it."""
        self.settle()
        for place in range(after, len(self._sequence)):
            order = self._sequence[place]
            if order.told and not order.closed:
                yield place + 1, order

    def complete_until(self) -> Instant | None:
        """Return up to when the feed has certainly told every change; None where it does not say."""
        if not self.habits.feed_complete:
            return None
        # Something may still happen in this very microsecond.
        return self.settle() - round(self.habits.feed_lateness_s[1] * self._scale() * SECOND_US) - 1

    def stale_us(self) -> int:
        """Draw how old a number is that is answered now."""
        return self.drawn_us((0.0, self.habits.staleness_s))

    def _changed(self, order: Order, at: Instant) -> None:
        order.revision += 1
        self._agenda.add(at + self.drawn_us(self.habits.feed_lateness_s), lambda _: self.feed.tell(order))
        self.on_change(order)


def _spread(lines: Sequence[Line], quantity: int) -> Iterator[tuple[Line, int]]:
    for line in lines:
        part = min(line.left, quantity)
        if part:
            quantity -= part
            yield line, part
