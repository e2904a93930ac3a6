"""Orders: what shoppers bought, what it does to the quantity at once, and what searchOrders knows of it, late.

Facts: a PENDING order has lowered the quantity already (Amazon help G40571); a cancel restores it, unless the reason is
NoInventory (amazon.co.jp help 200198080); a pending order can be neither shipped nor cancelled by the seller (help
G40571); an order can be searched about two minutes after its change (orders_2026-01-01, lastUpdatedBefore).
"""

from __future__ import annotations

import functools
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from adapters.amazon.simulated.goods import Goods
from adapters.amazon.simulated.knobs import Knobs, Range
from syncd.sdk.channel import Instant
from syncd.testing.sales import Agenda, Line, Restore
from syncd.testing.trade import By, Receipt, ReceiptLine, Refusal, Unknown, Unsupported, units

NO_INVENTORY = "NoInventory"
MERCHANT, AMAZON, BUYER = "MERCHANT", "AMAZON", "BUYER"
_TEN_MILLION = 10_000_000


class Status(StrEnum):
    """The status of an order (orders_2026-01-01, FulfillmentStatus)."""

    PENDING = "PENDING"
    UNSHIPPED = "UNSHIPPED"
    PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An order as it was from `at` on. `done` holds cancelled and shipped units of each line."""

    at: Instant
    status: Status
    done: tuple[tuple[int, int], ...]
    requested: bool
    cancelled_by: str
    reason: str


@dataclass(slots=True, eq=False, kw_only=True)
class Order:
    """One order. `states` are all that it ever was; `indexed` is the one that searchOrders knows, None for none."""

    order_id: str
    at: Instant
    lines: list[Line]
    fulfilled_by: str
    status: Status = Status.UNSHIPPED
    requested: bool = False
    cancelled_by: str = ""
    reason: str = ""
    states: list[State] = field(default_factory=list)
    indexed: State | None = None

    @property
    def left(self) -> int:
        """Return the units that are neither cancelled nor shipped."""
        return sum(line.left for line in self.lines)

    def state(self, at: Instant) -> State | None:
        """Return what it was at a time, None before it was placed."""
        return next((state for state in reversed(self.states) if state.at <= at), None)

    def note(self, at: Instant) -> State:
        """Remember what it is now."""
        state = State(
            at=at,
            status=self.status,
            done=tuple((line.cancelled, line.shipped) for line in self.lines),
            requested=self.requested,
            cancelled_by=self.cancelled_by,
            reason=self.reason,
        )
        self.states.append(state)
        return state

    def receipt(self) -> Receipt:
        """Return it as the control API tells it."""
        lines = (
            ReceiptLine(
                sku=line.good.sku,
                quantity=line.quantity,
                ref=line.good.ref,
                cancelled=line.cancelled,
                shipped=line.shipped,
            )
            for line in self.lines
        )
        return Receipt(order_id=self.order_id, number=self.order_id, lines=tuple(lines))


Key = tuple[Instant, str]
"""A place in an index: a time and an order."""


class Orders:
    """All orders.

    `on_change` hears of every change: the order, what kind of change (OrderStatusChange, BuyerRequestedChange), why.
    `on_plan` hears after how many microseconds something will be due.
    """

    def __init__(
        self,
        goods: Goods,
        agenda: Agenda,
        *,
        knobs: Callable[[], Knobs],
        draw: Callable[[Range], int],
        chance: Callable[[float], bool],
    ) -> None:
        self._goods = goods
        self._agenda = agenda
        self._knobs = knobs
        self._draw = draw
        self._chance = chance
        self._orders: dict[str, Order] = {}
        self._updated: list[Key] = []
        self._created: list[Key] = []
        self._numbers = count(1)
        self.on_change: Callable[[Order, str, str], None] = lambda *_: None
        self.on_plan: Callable[[int], None] = lambda _: None

    def __len__(self) -> int:
        return len(self._orders)

    def all(self) -> Iterable[Order]:
        """Return every order, the oldest first."""
        return self._orders.values()

    def find(self, order_id: str) -> Order | None:
        """Return an order, None where there is none."""
        return self._orders.get(order_id)

    def at(self, order_id: str) -> Order:
        """Return an order; raises `Unknown`."""
        order = self._orders.get(order_id)
        if order is None:
            raise Unknown(f"{order_id}: no such order")
        return order

    # --- what happens to an order ---

    def place(self, wanted: Sequence[tuple[str, int]], now: Instant) -> Order:
        """Sell: whole or not at all; raises `Refusal` when too little is there, `Unknown` for what is not for sale."""
        taken = units(wanted)
        for sku, quantity in taken.items():
            self._check(sku, quantity)
        by_amazon = {self._goods.at(sku).fba is not None for sku in taken}
        if len(by_amazon) > 1:
            raise Refusal("goods of the seller and goods at Amazon are two orders")
        number = next(self._numbers)
        lines = [
            Line(line_id=f"{250_000_000 + number}{place:05d}", good=self._goods.at(sku).good, quantity=quantity)
            for place, (sku, quantity) in enumerate(taken.items(), start=1)
        ]
        order = Order(
            order_id=order_number(number), at=now, lines=lines, fulfilled_by=AMAZON if by_amazon.pop() else MERCHANT
        )
        for line in lines:
            self._take(line, now)
        self._open(order, now)
        return order

    def _check(self, sku: str, quantity: int) -> None:
        listing = self._goods.at(sku)
        if not listing.good.active:
            raise Unknown(f"{sku}: not for sale here")
        there = listing.good.quantity if listing.fba is None else listing.fba
        if there < quantity:
            raise Refusal(f"{sku}: {quantity} wanted, {there} shown")

    def _take(self, line: Line, now: Instant) -> None:
        listing = self._goods.at(line.good.sku)
        if listing.fba is None:
            self._goods.change(listing, line.good.quantity - line.quantity, By.SHOPPER, at=now)
        else:
            listing.fba -= line.quantity

    def _open(self, order: Order, now: Instant) -> None:
        self._orders[order.order_id] = order
        pending = self._chance(self._knobs().pending_share)
        order.status = Status.PENDING if pending else Status.UNSHIPPED
        self._changed(order, now, "OrderStatusChange", "Order placed")
        if pending:
            self._later(self._draw(self._knobs().pending_s), functools.partial(self.pay, order), now)

    def pay(self, order: Order, at: Instant) -> None:
        """Let the payment of a pending order be confirmed."""
        if order.status is Status.PENDING:
            order.status = Status.UNSHIPPED
            self._changed(order, at, "OrderStatusChange", "Payment confirmed")

    def request_cancel(self, order: Order, reason: str, now: Instant) -> None:
        """Let the buyer ask for a cancel; nothing else changes."""
        if order.status is not Status.UNSHIPPED:
            raise Refusal(f"{order.order_id}: only an unshipped order can be asked to be cancelled")
        order.requested = True
        order.reason = reason
        self._changed(order, now, "BuyerRequestedChange", "Buyer Requested Cancel")

    def cancel(self, order: Order, lines: Sequence[Line], *, by: str, reason: str, restock: bool, now: Instant) -> None:
        """Cancel whole lines, as far as they are left; raises `Refusal` where nothing is."""
        left = [line for line in lines if line.left]
        if not left:
            raise Refusal(f"{order.order_id}: there is nothing to cancel")
        for line in left:
            part, line.cancelled = line.left, line.cancelled + line.left
            if restock:
                self._plan_restore(line, part, now)
        order.cancelled_by, order.reason = by, reason
        order.status = _status(order)
        self._changed(order, now, "OrderStatusChange", "Order cancelled")

    def cancel_all(self, order: Order, *, quantity: int | None, restock: bool | None, now: Instant) -> None:
        """Cancel as the control API asks for it: by the buyer, or by the seller for want of stock."""
        if order.left == 0 or (quantity or 0) > order.left:
            raise Refusal(f"{order.order_id}: there is nothing, or not so much, to cancel")
        if quantity is not None and quantity < order.left:
            raise Unsupported("Amazon cancels whole lines only")
        by, reason = (MERCHANT, NO_INVENTORY) if restock is False else (BUYER, "BuyerCanceled")
        self.cancel(order, order.lines, by=by, reason=reason, restock=restock is not False, now=now)

    def ship(self, order: Order, now: Instant) -> None:
        """Ship what is left; a pending order is paid first. Raises `Refusal` where nothing is left."""
        if order.left == 0:
            raise Refusal(f"{order.order_id}: nothing is left to ship")
        self.pay(order, now)
        for line in order.lines:
            line.shipped += line.left
        order.status = _status(order)
        self._changed(order, now, "OrderStatusChange", "Order shipped")

    def _plan_restore(self, line: Line, quantity: int, now: Instant) -> None:
        restore = Restore(give_id=f"{line.line_id}-{len(line.restores) + 1}", quantity=quantity, asked_at=now)
        line.restores.append(restore)
        self._later(self._draw(self._knobs().restore_s), functools.partial(self._restore, line, restore), now)

    def _restore(self, line: Line, restore: Restore, at: Instant) -> None:
        restore.done_at = at
        listing = self._goods.find(line.good.sku)
        if listing is None:
            return
        if listing.fba is None:
            self._goods.change(listing, listing.good.quantity + restore.quantity, By.CANCEL, at=at)
        else:
            listing.fba += restore.quantity

    def _later(self, delay_us: int, action: Callable[[Instant], object], now: Instant) -> None:
        self._agenda.add(now + delay_us, action)
        self.on_plan(delay_us)
        self._agenda.settle(now)

    # --- what can be searched ---

    def _changed(self, order: Order, at: Instant, kind: str, why: str) -> None:
        state = order.note(at)
        knobs = self._knobs()
        delay_us = self._draw((knobs.index_lag_s, knobs.index_lag_s)) + self._draw(knobs.late_s)
        self._agenda.add(at + delay_us, lambda _: self._index(order, state))
        self.on_change(order, kind, why)

    def _index(self, order: Order, state: State) -> None:
        if order.indexed is not None and order.indexed.at > state.at:
            return
        if order.indexed is None:
            insort(self._created, (order.at, order.order_id))
        if order.indexed is None or order.indexed.at < state.at:
            insort(self._updated, (state.at, order.order_id))
        order.indexed = state

    def changed_since(self, after: Key) -> Iterator[tuple[Key, Order, State]]:
        """Go through the orders that were updated from a key on, as the index has them, the oldest update first."""
        for key in self._updated[bisect_left(self._updated, after) :]:
            order = self._orders[key[1]]
            # An order that changed again has an older entry, which is no longer true.
            if order.indexed is not None and order.indexed.at == key[0]:
                yield key, order, order.indexed

    def created_since(self, after: Key) -> Iterator[tuple[Key, Order, State]]:
        """Go through the orders that were placed from a key on, as the index has them, the oldest first."""
        for key in self._created[bisect_left(self._created, after) :]:
            order = self._orders[key[1]]
            if order.indexed is not None:
                yield key, order, order.indexed


def order_number(number: int) -> str:
    """Return the `number`-th order id, in the form of Amazon.co.jp."""
    return f"250-{1_000_000 + number // _TEN_MILLION:07d}-{number * 7_654_321 % _TEN_MILLION:07d}"


def _status(order: Order) -> Status:
    shipped = any(line.shipped for line in order.lines)
    if order.left:
        return Status.PARTIALLY_SHIPPED if shipped else order.status
    return Status.SHIPPED if shipped else Status.CANCELLED


def of_items(order: Order, item_ids: Sequence[str]) -> list[Line]:
    """Return the lines with these ids; raises `Unknown` for one that the order does not have."""
    lines = {line.line_id: line for line in order.lines}
    strangers = [item for item in item_ids if item not in lines]
    if strangers:
        raise Unknown(f"{order.order_id}: has no such item")
    return [lines[item] for item in item_ids]
