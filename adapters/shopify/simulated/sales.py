"""What a sale is made of: orders, their lines, and what became of them. Plain records; `orders` moves them.

A quantity that another one follows from is a property, so that it cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.shopify.simulated.goods import InventoryItem, Location, ProductVariant
from syncd.sdk.channel import Instant


@dataclass(slots=True, eq=False, kw_only=True)
class LineItem:
    """One line of an order. `quantity` is what was ordered; `removed` units were cancelled or refunded.

    `origin` is the location that most of it was taken from when it was placed.
    """

    id: str
    legacy_resource_id: int
    order: Order
    item: InventoryItem
    quantity: int
    origin: Location
    fulfilled: int = 0
    removed: int = 0

    @property
    def variant(self) -> ProductVariant:
        """Return the variant that was bought."""
        return self.item.variant

    @property
    def current_quantity(self) -> int:
        """Return what is left after cancels and refunds."""
        return self.quantity - self.removed

    @property
    def unfulfilled_quantity(self) -> int:
        """Return what still has to be shipped."""
        entries = (entry for owed in self.order.fulfillment_orders for entry in owed.line_items)
        return sum(entry.remaining_quantity for entry in entries if entry.line_item is self)


@dataclass(slots=True, eq=False, kw_only=True)
class FulfillmentOrderLineItem:
    """Units of one line that one location has to ship."""

    id: str
    line_item: LineItem
    total_quantity: int
    remaining_quantity: int


@dataclass(slots=True, eq=False, kw_only=True)
class FulfillmentOrder:
    """What one location has to ship for an order."""

    id: str
    order: Order
    location: Location
    created_at: Instant
    updated_at: Instant
    status: str = "OPEN"
    request_status: str = "UNSUBMITTED"
    line_items: list[FulfillmentOrderLineItem] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class FulfillmentLineItem:
    """Units of one line in one parcel."""

    id: str
    line_item: LineItem
    quantity: int


@dataclass(slots=True, eq=False, kw_only=True)
class Fulfillment:
    """A parcel that left."""

    id: str
    legacy_resource_id: int
    name: str
    order: Order
    location: Location
    created_at: Instant
    updated_at: Instant
    company: str = ""
    number: str = ""
    status: str = "SUCCESS"
    display_status: str = "FULFILLED"
    in_transit_at: Instant | None = None
    delivered_at: Instant | None = None
    estimated_delivery_at: Instant | None = None
    line_items: list[FulfillmentLineItem] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class RefundLineItem:
    """Units of one line that were taken off the order, and whether their stock came back."""

    id: str
    legacy_resource_id: int
    line_item: LineItem
    quantity: int
    restock_type: str
    location: Location | None

    @property
    def restocked(self) -> bool:
        """Say whether the units are for sale again."""
        return self.restock_type in {"CANCEL", "RETURN"}


@dataclass(slots=True, eq=False, kw_only=True)
class Refund:
    """Units taken off an order at one moment; it may have no line at all."""

    id: str
    legacy_resource_id: int
    order: Order
    created_at: Instant
    note: str | None = None
    line_items: list[RefundLineItem] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class ReturnLineItem:
    """Shipped units that a customer sends back."""

    id: str
    fulfillment_line_item: FulfillmentLineItem
    quantity: int
    processed_quantity: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class Return:
    """Goods on their way back."""

    id: str
    legacy_resource_id: int
    name: str
    order: Order
    created_at: Instant
    status: str = "OPEN"
    closed_at: Instant | None = None
    line_items: list[ReturnLineItem] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class Customer:
    """Who bought: made-up personal data that a test can look for wherever it must not be."""

    id: str
    first_name: str = "Canary"
    last_name: str = "Person"
    email: str = "canary@example.jp"
    phone: str = "+81355500000"
    address: str = "1-2-3 Canary"
    city: str = "Tokyo"
    zip: str = "100-0001"

    @property
    def name(self) -> str:
        """Return the whole name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(slots=True, eq=False, kw_only=True)
class Order:
    """One order with all that happened to it."""

    id: str
    legacy_resource_id: int
    number: int
    created_at: Instant
    updated_at: Instant
    customer: Customer
    display_financial_status: str | None = "PAID"
    test: bool = False
    source_name: str = "web"
    cancelled_at: Instant | None = None
    cancel_reason: str | None = None
    staff_note: str | None = None
    closed_at: Instant | None = None
    custom_attributes: list[Mapping[str, Any]] = field(default_factory=list)
    lines: list[LineItem] = field(default_factory=list)
    fulfillment_orders: list[FulfillmentOrder] = field(default_factory=list)
    fulfillments: list[Fulfillment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the number as the customer sees it."""
        return f"#{self.number}"

    @property
    def display_fulfillment_status(self) -> str:
        """Return how much was shipped; a cancelled order still says UNFULFILLED, as recorded."""
        shipped = sum(line.fulfilled for line in self.lines)
        if not shipped:
            return "UNFULFILLED"
        owed = any(entry.remaining_quantity for work in self.fulfillment_orders for entry in work.line_items)
        return "PARTIALLY_FULFILLED" if owed else "FULFILLED"

    @property
    def return_status(self) -> str:
        """Return how far the returns of this order are."""
        states = {entry.status for entry in self.returns}
        if not states - {"CANCELED", "DECLINED"}:
            return "NO_RETURN"
        if "REQUESTED" in states:
            return "RETURN_REQUESTED"
        return "IN_PROGRESS" if "OPEN" in states else "RETURNED"

    @property
    def amount(self) -> int:
        """Return the total in the shop's currency, which has no smaller unit."""
        return sum(line.quantity * line.item.price for line in self.lines)

    @property
    def current_amount(self) -> int:
        """Return the total of what is left."""
        return sum(line.current_quantity * line.item.price for line in self.lines)
