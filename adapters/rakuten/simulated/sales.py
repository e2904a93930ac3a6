"""Orders: what shoppers bought, the statuses that they go through, and the stock that they take and give back.

Statuses: RMS WEB SERVICE, searchOrder, orderProgress. Rakuten takes units off when the order is placed (no page says
so; the restore settings assume it). What comes back at a cancel is the SKU's `restockOnCancel` unless the order says.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import Final

from adapters.rakuten.simulated.goods import Goods, Variant
from adapters.rakuten.simulated.times import SECOND_US, jst
from adapters.rakuten.simulated.world import Delay, World
from syncd.sdk.channel import Instant

SHOP_ID: Final = 123456
PRICE: Final = 1000


class Progress(IntEnum):
    """`orderProgress`."""

    WAITING_CONFIRMATION = 100
    RAKUTEN_PROCESSING = 200
    WAITING_SHIPMENT = 300
    WAITING_CHANGE = 400
    SHIPPED = 500
    PAYMENT_PROCESSING = 600
    PAYMENT_DONE = 700
    WAITING_CANCEL = 800
    CANCELLED = 900


BEFORE_SHIPMENT: Final = (
    Progress.WAITING_CONFIRMATION,
    Progress.RAKUTEN_PROCESSING,
    Progress.WAITING_SHIPMENT,
)
AFTER_SHIPMENT: Final = (Progress.SHIPPED, Progress.PAYMENT_PROCESSING, Progress.PAYMENT_DONE)


class Restore(IntEnum):
    """Whether units go back at a cancel (`inventoryRestoreType`, `restoreInventoryFlag`)."""

    BY_SKU = 0
    YES = 1
    NO = 2


@dataclass(slots=True, eq=False, kw_only=True)
class OrderItem:
    """One `ItemModel`: units of one SKU in one package; none are left when the shop took the line out."""

    detail_id: int
    basket_id: int
    variant: Variant
    units: int
    restore: Restore = Restore.BY_SKU


@dataclass(slots=True, eq=False, kw_only=True)
class Order:
    """One order. `told` is the progress that the search knows, None while it does not know the order at all."""

    number: str
    at: Instant
    items: list[OrderItem]
    progress: Progress = Progress.WAITING_CONFIRMATION
    told: Progress | None = None
    turn: int = 0
    resumes: Progress = Progress.WAITING_CONFIRMATION
    confirmed_at: Instant | None = None
    fixed_at: Instant | None = None
    shipped_at: Instant | None = None
    settled_at: Instant | None = None
    changed: list[tuple[Instant, Progress]] = field(default_factory=list)

    def packages(self) -> dict[int, list[OrderItem]]:
        """Return the lines that are left, by package."""
        found: dict[int, list[OrderItem]] = {}
        for item in self.items:
            if item.units:
                found.setdefault(item.basket_id, []).append(item)
        return found


class Sales:
    """All orders of the shop. `on_order` hears of new ones, `on_change` of (order, field, before, after)."""

    def __init__(self, world: World, goods: Goods) -> None:
        self._world = world
        self._goods = goods
        self._ids = count(9_501_048)
        self._numbers = count(207_814_266)
        self.by_number: dict[str, Order] = {}
        self.sequence: list[Order] = []
        self.on_order: Callable[[Order], object] = lambda _: None
        self.on_change: Callable[[Order, str, str, str], object] = lambda *_: None

    def between(self, low: Instant, high: Instant) -> list[Order]:
        """Return the orders placed in this time, both seconds included, the oldest first."""
        first = bisect_left(self.sequence, low, key=lambda order: order.at)
        return self.sequence[first : bisect_right(self.sequence, high + SECOND_US - 1, key=lambda order: order.at)]

    # --- shoppers ---

    def place(self, wanted: Sequence[tuple[Variant, int]]) -> Order:
        """Sell these units, which are there, and take them off."""
        now, number = self._world.now(), next(self._numbers)
        items = list(self._items(wanted))
        order = Order(number=f"{SHOP_ID}-{jst(now):%Y%m%d}-{number:010d}", at=now, items=items)
        for variant, quantity in wanted:
            if not variant.page.unlimited:
                self._goods.change(variant, max(0, variant.stock.quantity - quantity), "shopper", at=now)
        self.by_number[order.number] = order
        self.sequence.append(order)
        self._tell(order, now)
        self._advance(order, self._world.knobs.confirm_s, Progress.RAKUTEN_PROCESSING)
        self.on_order(order)
        return order

    def _items(self, wanted: Sequence[tuple[Variant, int]]) -> Iterator[OrderItem]:
        chance, knobs = self._world.random, self._world.knobs
        first = next(self._ids)
        second = next(self._ids) if len(wanted) > 1 and chance.happens(knobs.split_packages) else first
        for place, (variant, quantity) in enumerate(wanted):
            basket, apart = second if place else first, int(quantity > 1 and chance.happens(knobs.split_units))
            yield OrderItem(detail_id=next(self._ids), basket_id=basket, variant=variant, units=quantity - apart)
            if apart:
                yield OrderItem(detail_id=next(self._ids), basket_id=next(self._ids), variant=variant, units=apart)

    # --- what becomes of an order ---

    def move(self, order: Order, to: Progress, *, at: Instant | None = None) -> None:
        """Bring an order to a status now, or as of a time; what was going to happen to it is off."""
        when = self._world.now() if at is None else at
        before, order.progress = order.progress, to
        order.turn += 1
        order.changed.append((when, to))
        knobs = self._world.knobs
        match to:
            case Progress.RAKUTEN_PROCESSING:
                order.confirmed_at = when
                self._advance(order, knobs.processing_s, Progress.WAITING_SHIPMENT, since=when)
            case Progress.WAITING_SHIPMENT:
                order.fixed_at = order.fixed_at or when
            case Progress.SHIPPED:
                order.shipped_at = when
                self._advance(order, knobs.settle_s, Progress.PAYMENT_PROCESSING, since=when)
            case Progress.PAYMENT_PROCESSING:
                self._advance(order, knobs.settle_s, Progress.PAYMENT_DONE, since=when)
            case Progress.PAYMENT_DONE:
                order.settled_at = when
            case Progress.CANCELLED:
                self._world.later(knobs.restore_s, functools.partial(self._restore, order), at=when)
            case _:
                pass
        self._tell(order, when)
        self.on_change(order, "orderProgress", str(int(before)), str(int(to)))

    def _advance(self, order: Order, delay: Delay, to: Progress, *, since: Instant | None = None) -> None:
        turn = order.turn

        def go(at: Instant) -> None:
            if order.turn == turn:
                self.move(order, to, at=at)

        self._world.later(delay, go, at=since)

    def _tell(self, order: Order, when: Instant) -> None:
        progress = order.progress

        def tell(_: Instant) -> None:
            order.told = progress

        self._world.later(self._world.knobs.search_lag_s, tell, at=when)

    def cancel(self, order: Order, restore: Restore, *, pending: Delay) -> None:
        """Ask for a cancel: 800 for a while, then 900; nothing of the order says when."""
        for item in order.items:
            item.restore = restore
        if pending != (0.0, 0.0):
            self.move(order, Progress.WAITING_CANCEL)
            self._advance(order, pending, Progress.CANCELLED)
        else:
            self.move(order, Progress.CANCELLED)

    def _restore(self, order: Order, at: Instant) -> None:
        for item in order.items:
            self._give_back(item, item.units, at)

    def _give_back(self, item: OrderItem, units: int, at: Instant) -> None:
        variant = item.variant
        wanted = item.restore is Restore.YES or (item.restore is Restore.BY_SKU and variant.restock_on_cancel)
        if units and wanted and not variant.page.unlimited and not variant.stock.gone:
            self._goods.change(variant, max(0, variant.stock.quantity + units), "cancel", at=at)

    def ship(self, order: Order) -> None:
        """Ship and report it: 500."""
        self.move(order, Progress.SHIPPED)

    def edit(self, order: Order, item: OrderItem, units: int, restore: Restore) -> None:
        """Let the shop change the units of a line: 400 until the buyer's bank has agreed, then as before."""
        before, now = item.units, self._world.now()
        item.units = units
        keeps, item.restore = item.restore, restore
        self._give_back(item, before - units, now)
        item.restore = keeps
        order.resumes = order.progress if order.progress is not Progress.WAITING_CHANGE else order.resumes
        self.move(order, Progress.WAITING_CHANGE)
        self._advance(order, self._world.knobs.edit_settle_s, order.resumes)
        self.on_change(order, "units", str(before), str(units))
