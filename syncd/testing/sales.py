"""What shoppers bought from a simulated shop, and the feed that tells of it, late."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from syncd.core.terms import Instant
from syncd.testing.shelf import Good
from syncd.testing.trade import Receipt, ReceiptLine


@dataclass(slots=True, eq=False, kw_only=True)
class Restore:
    """Units of a cancel that the shop puts back by itself; `done_at` is None while it has not."""

    give_id: str
    quantity: int
    asked_at: Instant
    done_at: Instant | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Line:
    """One line; quantities are cumulative."""

    line_id: str
    good: Good
    quantity: int
    cancelled: int = 0
    shipped: int = 0
    restores: list[Restore] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Return the units that are neither cancelled nor shipped."""
        return self.quantity - self.cancelled - self.shipped


@dataclass(slots=True, eq=False, kw_only=True)
class Order:
    """One order. `revision` counts its changes; `told` says whether the feed has told of it at all.

    `offer` is the key of the private sale that it comes of.
    """

    order_id: str
    number: str
    at: Instant
    lines: list[Line]
    revision: int = 0
    told: bool = False
    offer: str = ""

    @property
    def cancelled(self) -> bool:
        """Say whether every unit was cancelled."""
        return all(line.cancelled == line.quantity for line in self.lines)

    @property
    def closed(self) -> bool:
        """Say whether nothing is left to be done."""
        return all(line.left == 0 for line in self.lines)

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
        return Receipt(order_id=self.order_id, number=self.number, lines=tuple(lines))


class Agenda:
    """What is going to happen, by time. Nothing runs by itself: whoever looks first lets it happen, as of its time."""

    def __init__(self) -> None:
        self._entries: list[tuple[Instant, int, Callable[[Instant], object]]] = []
        self._numbers = count()

    def add(self, at: Instant, action: Callable[[Instant], object]) -> None:
        """Let `action` happen at `at`; it is given that time."""
        heapq.heappush(self._entries, (at, next(self._numbers), action))

    def settle(self, now: Instant) -> None:
        """Let everything happen that is due, in its order."""
        while self._entries and self._entries[0][0] <= now:
            at, _, action = heapq.heappop(self._entries)
            action(at)


class Feed:
    """Orders in the order in which their changes were told. A place in it is a count of changes told."""

    def __init__(self) -> None:
        self._told: list[Order] = []

    def __len__(self) -> int:
        """Return how many changes were told."""
        return len(self._told)

    def tell(self, order: Order) -> None:
        """Add a change of an order."""
        order.told = True
        self._told.append(order)

    def page(self, start: int, limit: int) -> tuple[list[Order], int]:
        """Return the orders of the next changes, each once, and the place after them."""
        part = self._told[start : start + limit]
        return list({order.order_id: order for order in part}.values()), start + len(part)
