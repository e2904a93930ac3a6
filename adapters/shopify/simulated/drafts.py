"""Draft orders: made by the API, reserved for a while, paid by whoever has the link, deleted.

Effects (shopify.dev, inventory states, 2026-10; that paying takes no more off `available`, and that a paid draft cannot
be deleted, are not confirmed):

    created with a reservation    available -q   reserved +q
    deleted, or lapsed            available +q   reserved -q
    paid while reserved                          reserved -q   committed +q
    paid after it lapsed          available -q                 committed +q, where so many are there
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from adapters.shopify.simulated.goods import Goods, InventoryItem, Location, ProductVariant, gid
from adapters.shopify.simulated.orders import Orders
from adapters.shopify.simulated.sales import Order
from adapters.shopify.simulated.stock_moves import StockMoves
from adapters.shopify.simulated.stock_writes import UserError
from adapters.shopify.simulated.times import instant_of
from syncd.sdk.channel import Clock, Instant
from syncd.testing.simulators import Refusal, Unknown

_FIRST_DRAFT = 1_240_000_000_000
_FIRST_NAME = 1


@dataclass(slots=True, eq=False, kw_only=True)
class DraftLine:
    """Goods of a draft; `shares` are the units that each location keeps for it."""

    item: InventoryItem
    quantity: int
    shares: list[tuple[Location, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class DraftOrder:
    """A draft order."""

    id: str
    legacy_resource_id: int
    name: str
    created_at: Instant
    updated_at: Instant
    invoice_url: str
    tags: list[str]
    custom_attributes: list[Mapping[str, Any]]
    reserve_inventory_until: Instant | None
    status: str = "OPEN"
    order: Order | None = None
    lines: list[DraftLine] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class DraftWritten:
    """The payload of `draftOrderCreate`."""

    draft_order: DraftOrder | None = None
    user_errors: list[UserError] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class DraftDeleted:
    """The payload of `draftOrderDelete`."""

    deleted_id: str | None = None
    user_errors: list[UserError] = field(default_factory=list)


class Drafts:
    """All draft orders of the shop. Whoever looks lets those lapse first whose time is over."""

    def __init__(self, goods: Goods, orders: Orders, clock: Clock, *, domain: str) -> None:
        self._goods = goods
        self._orders = orders
        self._moves = StockMoves(goods, clock)
        self._clock = clock
        self._domain = domain
        self._numbers = count(_FIRST_DRAFT)
        self._names = count(_FIRST_NAME)
        self.by_id: dict[str, DraftOrder] = {}

    def due(self) -> list[DraftOrder]:
        """Return those that keep units although their time is over."""
        now, never = self._clock.now(), 2**63
        kept = [draft for draft in self.by_id.values() if any(line.shares for line in draft.lines)]
        return [draft for draft in kept if (draft.reserve_inventory_until or never) <= now]

    def settle(self) -> None:
        """Restock what is reserved for a time that is over."""
        for draft in self.due():
            self._free(draft)

    def create(self, given: Mapping[str, Any]) -> DraftWritten:
        """Make a draft of variants; a reservation goes below zero where too little is there."""
        wanted = [(self._goods.by_id.get(row.get("variantId") or ""), row["quantity"]) for row in given["lineItems"]]
        lines = [DraftLine(item=v.inventory_item, quantity=n) for v, n in wanted if isinstance(v, ProductVariant)]
        if not wanted or len(lines) < len(wanted):
            text = "Merchandise can't be found" if wanted else "Add at least 1 product"
            return DraftWritten(user_errors=[UserError(field=("lineItems",), message=text)])
        if any(line.quantity < 1 for line in lines):
            return DraftWritten(user_errors=[UserError(field=("lineItems",), message="Quantity must be positive")])
        draft = self._make(given, lines)
        self.by_id[draft.id] = draft
        if draft.reserve_inventory_until is not None and draft.reserve_inventory_until > draft.created_at:
            for line in draft.lines:
                line.shares = self._moves.route(line.item, line.quantity)
                self._move(line, 1)
        return DraftWritten(draft_order=draft)

    def _make(self, given: Mapping[str, Any], lines: list[DraftLine]) -> DraftOrder:
        number, now = next(self._numbers), self._clock.now()
        until = given.get("reserveInventoryUntil")
        return DraftOrder(
            id=gid("DraftOrder", number),
            legacy_resource_id=number,
            name=f"#D{next(self._names)}",
            created_at=now,
            updated_at=now,
            invoice_url=f"https://{self._domain}/80000001/invoices/{number * 7919 % 10**12:012d}canary-link",
            tags=list(given.get("tags") or ()),
            custom_attributes=list(given.get("customAttributes") or ()),
            reserve_inventory_until=None if until is None else instant_of(until),
            lines=lines,
        )

    def delete(self, identity: str) -> DraftDeleted:
        """Delete a draft and restock what it keeps."""
        draft = self.by_id.get(identity)
        if draft is None or draft.status == "COMPLETED":
            text = "Draft order does not exist" if draft is None else "A completed draft order can't be deleted"
            return DraftDeleted(user_errors=[UserError(field=("id",), message=text)])
        self._free(draft)
        del self.by_id[identity]
        return DraftDeleted(deleted_id=identity)

    def pay(self, number: str) -> Order:
        """Let whoever has the link buy; raises `Unknown`, `Refusal` for what was bought, or lapsed and is sold out."""
        draft = self.by_id.get(f"gid://shopify/DraftOrder/{number}")
        if draft is None:
            raise Unknown(f"{number}: no such draft order")
        if draft.status == "COMPLETED":
            raise Refusal(f"{number}: it is bought already")
        kept = {line.item: line.shares for line in draft.lines if line.shares}
        wanted = [(line.item, line.quantity) for line in draft.lines]
        order = self._orders.place(wanted, attributes=draft.custom_attributes, kept=kept)
        if order is None:
            raise Refusal(f"{number}: its units are gone")
        for line in draft.lines:
            line.shares = []
        draft.status, draft.order, draft.updated_at = "COMPLETED", order, self._clock.now()
        return order

    def _free(self, draft: DraftOrder) -> None:
        for line in draft.lines:
            self._move(line, -1)
            line.shares = []

    def _move(self, line: DraftLine, sign: int) -> None:
        for location, units in line.shares:
            source = "shopper" if sign > 0 else "cancel"
            self._moves.move(line.item, location, source=source, available=-sign * units, reserved=sign * units)


def indexed(drafts: Drafts, *, until: Instant) -> Iterable[DraftOrder]:
    """Return the drafts that the search index knows."""
    return [draft for draft in drafts.by_id.values() if draft.created_at <= until]
