"""What orders do to stock.

Effects (shopify.dev, inventory management apps, 2026-10; those of refunds and cancels without restock follow from
`on_hand = available + committed + ...` and are not confirmed):

    placed                        available -q   committed +q
    fulfilled                                    committed -q
    cancelled with restock        available +q   committed -q
    cancelled without restock                    committed -q
    refund line `cancel`          available +q   committed -q
    refund line `return`          available +q
    refund line `no_restock`                     committed -q where it was not shipped
    fulfilment order moved        available and committed swap at both locations
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.shopify.simulated.goods import Goods, InventoryItem, Location
from adapters.shopify.simulated.sales import FulfillmentOrder, LineItem
from syncd.sdk.channel import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Units of a line to take off an order: `restock_type` is CANCEL, RETURN or NO_RESTOCK."""

    line: LineItem
    quantity: int
    restock_type: str
    location: Location | None = None


class StockMoves:
    """Moves the quantities of levels for orders. Each move names who caused it, for the log."""

    def __init__(self, goods: Goods, clock: Clock) -> None:
        self._goods = goods
        self._clock = clock

    def sells(self, item: InventoryItem, quantity: int) -> bool:
        """Say whether a shopper can buy so many."""
        levels = self._goods.sellable(item)
        free = item.policy == "CONTINUE" or not item.tracked
        on_sale = item.variant.product.status in {"ACTIVE", "UNLISTED"}
        return bool(levels) and on_sale and (free or sum(max(level.available, 0) for level in levels) >= quantity)

    def route(self, item: InventoryItem, quantity: int) -> list[tuple[Location, int]]:
        """Say which location ships how many: one that has enough, else several, else the first one goes below zero."""
        levels = self._goods.sellable(item)
        enough = next((level for level in levels if level.available >= quantity), None)
        if enough is not None:
            return [(enough.location, quantity)]
        shares: list[tuple[Location, int]] = []
        for level in levels:
            units = min(quantity - sum(share for _, share in shares), max(level.available, 0))
            if units:
                shares.append((level.location, units))
        rest = quantity - sum(share for _, share in shares)
        return shares if not rest else [(levels[0].location, quantity)]

    def take_off(self, cut: Cut) -> list[tuple[int, Location | None]]:
        """Move the stock of one cut; answers how many units per location, None where no stock came back."""
        cut.line.removed += cut.quantity
        item = cut.line.item
        if cut.restock_type == "RETURN":
            location = cut.location or cut.line.origin
            self.move(item, location, source="cancel", available=cut.quantity)
            return [(cut.quantity, location)]
        moved: list[tuple[int, Location | None]] = []
        left = cut.quantity
        for work in cut.line.order.fulfillment_orders:
            units = self._unassign(work, cut.line, left)
            if not units:
                continue
            left -= units
            back = cut.location or work.location
            self.move(item, work.location, source="cancel", committed=-units)
            if cut.restock_type == "CANCEL":
                self.move(item, back, source="cancel", available=units)
            moved.append((units, back if cut.restock_type == "CANCEL" else None))
        return moved if not left else [*moved, (left, None)]

    def _unassign(self, work: FulfillmentOrder, line: LineItem, limit: int) -> int:
        """Take up to `limit` units of a line off a location's work; answers how many."""
        taken = 0
        for entry in work.line_items:
            if entry.line_item is line:
                units = min(entry.remaining_quantity, limit - taken)
                entry.remaining_quantity -= units
                entry.total_quantity -= units
                taken += units
        if taken:
            self.settle(work)
        return taken

    def settle(self, work: FulfillmentOrder) -> None:
        """Close work of which nothing remains."""
        work.updated_at = self._clock.now()
        if not any(entry.remaining_quantity for entry in work.line_items):
            work.status = "CLOSED"

    def move(
        self,
        item: InventoryItem,
        location: Location,
        *,
        source: str,
        available: int = 0,
        committed: int = 0,
        reserved: int = 0,
    ) -> None:
        """Move the quantities of a level; those of untracked goods stay."""
        if not item.tracked:
            return
        level = self._goods.level_of(item, location)
        self._goods.change(level, "committed", committed, source=source)
        self._goods.change(level, "reserved", reserved, source=source)
        self._goods.change(level, "available", available, source=source)
