"""What an order of Amazon means for stock: pure.

Facts. The shape is that of the vendor's model orders_2026-01-01 (2026-08). A pending order is already taken off the
number that Amazon shows (Seller Central help G40571); a cancelled one is put back by Amazon itself, unless the reason
is that there was no stock (Seller Support blog 2010-06-25 and 2011-03-28, amazon.co.jp help 200198080). A buyer's
request to cancel changes nothing yet.

    ordered      `quantityOrdered`, cancelled units included
    shipped      `quantityFulfilled`
    cancelled    what was not shipped of a cancelled order, or of an item whose cancel was executed
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from adapters.amazon.wire import SECOND_US, Pagination, instant
from syncd.sdk.channel import (
    CancelledBy,
    Comeback,
    Delivery,
    FulfilmentStatus,
    Give,
    Instant,
    OrderLine,
    OrderSnapshot,
    PaymentStatus,
    ReturnStatus,
    Shipment,
    Span,
)

BEFORE_US = 2 * SECOND_US
"""Times are cut to the second, and stock may move just before the record of it is made."""
TAKE_SETTLE_US = 60 * SECOND_US
"""Amazon says that a pending order is subtracted and not how fast: a minute is assumed."""
GIVE_SETTLE_US = 300 * SECOND_US
"""Nor how long after a cancel its units are back: five minutes are assumed."""
AMAZON: Final = "AMAZON"
INCLUDED: Final = "FULFILLMENT,CANCELLATION,PACKAGES"
"""The data sets that are asked for; none of them is about the buyer."""
CANCELLED: Final = "CANCELLED"
_DOINGS: Final = {
    "MERCHANT": CancelledBy.SELLER,
    "BUYER": CancelledBy.BUYER,
    "AMAZON": CancelledBy.CHANNEL,
}
OPEN: Final = ("PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED")
"""Statuses in which units are promised and not all shipped."""

_NO_STOCK: Final = re.compile(r"no(t)?(in)?(inventory|stock)|outofstock|在庫切れ|在庫なし|在庫不足")
_NOT_A_LETTER: Final = re.compile(r"[\W_]+")
_PAYMENTS: Final[Mapping[str, PaymentStatus]] = {
    "PENDING_AVAILABILITY": PaymentStatus.PENDING,
    "PENDING": PaymentStatus.PENDING,
    "UNSHIPPED": PaymentStatus.AUTHORIZED,
    "PARTIALLY_SHIPPED": PaymentStatus.AUTHORIZED,
    "SHIPPED": PaymentStatus.PAID,
    CANCELLED: PaymentStatus.VOIDED,
}
_FULFILMENTS: Final[Mapping[str, FulfilmentStatus]] = {
    "PENDING_AVAILABILITY": FulfilmentStatus.ON_HOLD,
    "PENDING": FulfilmentStatus.ON_HOLD,
    "UNSHIPPED": FulfilmentStatus.UNFULFILLED,
    "PARTIALLY_SHIPPED": FulfilmentStatus.PARTIALLY_FULFILLED,
    "SHIPPED": FulfilmentStatus.FULFILLED,
    CANCELLED: FulfilmentStatus.CANCELLED,
    "UNFULFILLABLE": FulfilmentStatus.ON_HOLD,
}


class Money(msgspec.Struct, frozen=True, rename="camel"):
    """An amount as a decimal text."""

    amount: str
    currency_code: str


class Price(msgspec.Struct, frozen=True, rename="camel"):
    """The price of an item."""

    unit_price: Money | None = None


class Product(msgspec.Struct, frozen=True, rename="camel"):
    """What was bought."""

    seller_sku: str = ""
    price: Price | None = None


class ItemFulfilment(msgspec.Struct, frozen=True, rename="camel"):
    """How far an item is on its way."""

    quantity_fulfilled: int = 0
    quantity_unfulfilled: int | None = None


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """A wish to cancel that was not acted upon by itself."""

    requester: str = ""


class Execution(msgspec.Struct, frozen=True, rename="camel"):
    """A cancel that happened."""

    cancelled_by: str = ""
    cancel_reason: str = ""


class Cancellation(msgspec.Struct, frozen=True, rename="camel"):
    """The cancel of an item."""

    cancellation_request: Request | None = None
    cancellation_execution: Execution | None = None


class OrderItem(msgspec.Struct, frozen=True, rename="camel"):
    """A line of an order."""

    order_item_id: str
    quantity_ordered: int
    product: Product
    fulfillment: ItemFulfilment | None = None
    cancellation: Cancellation | None = None


class Window(msgspec.Struct, frozen=True, rename="camel"):
    """A time within which something was promised."""

    latest_date_time: str | None = None


class OrderFulfilment(msgspec.Struct, frozen=True, rename="camel"):
    """The status of an order; without it there is none."""

    fulfillment_status: str
    fulfilled_by: str = ""
    ship_by_window: Window | None = None
    deliver_by_window: Window | None = None


class PackageState(msgspec.Struct, frozen=True):
    """How far a package is."""

    status: str = ""


class Package(msgspec.Struct, frozen=True, rename="camel"):
    """A package of an order that the seller ships."""

    package_reference_id: str
    carrier: str | None = None
    tracking_number: str | None = None
    ship_time: str | None = None
    package_status: PackageState | None = None


class SalesChannel(msgspec.Struct, frozen=True, rename="camel"):
    """Where it was bought."""

    channel_name: str
    marketplace_id: str = ""


class Order(msgspec.Struct, frozen=True, rename="camel"):
    """An order; buyer and recipient are neither asked for nor read."""

    order_id: str
    created_time: str
    last_updated_time: str
    sales_channel: SalesChannel
    order_items: list[OrderItem]
    fulfillment: OrderFulfilment | None = None
    packages: list[Package] = []

    @property
    def status(self) -> str:
        """Return the status word; empty where the answer has none."""
        return self.fulfillment.fulfillment_status if self.fulfillment else ""


class OrdersFound(msgspec.Struct, frozen=True, rename="camel"):
    """A page of a search for orders; `pagination` is absent on the last one."""

    orders: list[Order]
    pagination: Pagination | None = None
    last_updated_before: str | None = None
    created_before: str | None = None


class OrderFound(msgspec.Struct, frozen=True, rename="camel"):
    """One order that was asked for by its id."""

    order: Order


def is_ours(order: Order, marketplace_id: str) -> bool:
    """Say whether an order takes units of the seller's own stock in this marketplace."""
    amazons = order.fulfillment is not None and order.fulfillment.fulfilled_by == AMAZON
    return not amazons and order.sales_channel.marketplace_id in ("", marketplace_id)


def snapshot(
    order: Order,
    *,
    read_at: Instant,
    fresh: bool = False,
    ordered: Mapping[str, int] | None = None,
    settle_us: int = GIVE_SETTLE_US,
) -> OrderSnapshot:
    """Return an order as syncd knows it; raises `ProtocolError` for a time that is none.

    `ordered` is the most that was ever read of each item: the older API showed a cancelled item as ordered 0 times, and
    it is not said that this one does not. `settle_us` is for how long after a change Amazon's own number may still
    follow it.
    """
    most = ordered or {}
    amount, currency = value_of(order)
    return OrderSnapshot(
        order_id=order.order_id,
        number=order.order_id,
        version=instant(order.last_updated_time),
        read_at=read_at,
        ordered_at=instant(order.created_time),
        lines=tuple(_line(order, item, most.get(item.order_item_id, 0), settle_us) for item in order.order_items),
        cancelled=order.status == CANCELLED,
        closed=order.status in ("SHIPPED", CANCELLED),
        fresh=fresh,
        payment=_PAYMENTS.get(order.status, PaymentStatus.UNKNOWN),
        payment_raw=order.status,
        fulfilment=_FULFILMENTS.get(order.status, FulfilmentStatus.UNKNOWN),
        fulfilment_raw=order.status,
        returns=ReturnStatus.UNKNOWN,
        amount=amount,
        currency=currency,
        delivery=_delivery(order),
    )


def _delivery(order: Order) -> Delivery:
    """Return what was promised, and the packages that left the house."""
    promise = order.fulfillment
    return Delivery(
        shipments=tuple(_shipment(package) for package in order.packages if _left(package)),
        ship_by=_latest(promise.ship_by_window if promise else None),
        deliver_by=_latest(promise.deliver_by_window if promise else None),
    )


def _left(package: Package) -> bool:
    return package.package_status is None or package.package_status.status not in ("PENDING", CANCELLED)


def _shipment(package: Package) -> Shipment:
    return Shipment(
        shipment_id=package.package_reference_id,
        carrier=package.carrier or "",
        number=package.tracking_number or "",
        shipped_at=instant(package.ship_time) if package.ship_time else None,
    )


def _latest(window: Window | None) -> Instant | None:
    return instant(window.latest_date_time) if window and window.latest_date_time else None


def _line(order: Order, item: OrderItem, most: int, settle_us: int) -> OrderLine:
    ordered = max(item.quantity_ordered, most, 0)
    shipped = min(max(item.fulfillment.quantity_fulfilled, 0), ordered) if item.fulfillment else 0
    cancelled = cancelled_of(order, item, ordered=ordered, shipped=shipped)
    phantom = cancelled > 0 and is_for_want_of_stock(item)
    return OrderLine(
        line_id=item.order_item_id,
        remote_id=item.product.seller_sku,
        remote_sku=item.product.seller_sku,
        quantity=ordered,
        cancelled=cancelled,
        cancelled_as=Comeback.PHANTOM if phantom else Comeback.SELLABLE,
        cancelled_by=cancelled_by(item) if cancelled else CancelledBy.UNKNOWN,
        shipped=shipped,
        take=_take(order),
        gives=() if phantom or not cancelled else (_give(order, item, cancelled, settle_us),),
    )


def cancelled_of(order: Order, item: OrderItem, *, ordered: int, shipped: int) -> int:
    """Return the units of a line that will never ship.

    What is neither shipped nor to be shipped is not taken for cancelled by itself: a pending item may have neither.
    """
    unshipped = ordered - shipped
    if order.status == CANCELLED:
        return unshipped
    if item.cancellation is None or item.cancellation.cancellation_execution is None:
        return 0
    owed = item.fulfillment.quantity_unfulfilled if item.fulfillment else None
    return unshipped - min(max(owed or 0, 0), unshipped)


def is_for_want_of_stock(item: OrderItem) -> bool:
    """Say whether an item was cancelled because it was not there: Amazon puts nothing back then."""
    execution = item.cancellation.cancellation_execution if item.cancellation else None
    reason = execution.cancel_reason if execution else ""
    return bool(_NO_STOCK.search(_NOT_A_LETTER.sub("", reason.lower())))


def cancelled_by(item: OrderItem) -> CancelledBy:
    """Return whose doing the cancel of an item was.

    One that the buyer asked for is the buyer's, whoever carried it out: Amazon does not count it against the shop
    (sellercentral.amazon.co.jp forum 7ff2b981).
    """
    told = item.cancellation
    if told is None or told.cancellation_execution is None:
        return CancelledBy.UNKNOWN
    execution, request = told.cancellation_execution, told.cancellation_request
    asked = request is not None and request.requester == "BUYER"
    if asked or "buyer" in execution.cancel_reason.lower():
        return CancelledBy.BUYER
    return _DOINGS.get(execution.cancelled_by, CancelledBy.UNKNOWN)


def wants_cancel(order: Order) -> bool:
    """Say whether the buyer has asked for a cancel."""
    return any(item.cancellation and item.cancellation.cancellation_request for item in order.order_items)


def _take(order: Order) -> Span:
    """Return when Amazon took the units: as the order was placed, paid or not.

    Of an order for goods that are not out yet nothing is said, so that may still come.
    """
    created = instant(order.created_time)
    latest = None if order.status == "PENDING_AVAILABILITY" else created + TAKE_SETTLE_US
    return Span(earliest=created - BEFORE_US, latest=latest)


def _give(order: Order, item: OrderItem, cancelled: int, settle_us: int) -> Give:
    """Return what Amazon puts back, at some time between the order and its last change, for no other time is told."""
    return Give(
        give_id=f"cancel-{item.order_item_id}",
        quantity=cancelled,
        span=Span(
            earliest=instant(order.created_time) - BEFORE_US,
            latest=instant(order.last_updated_time) + settle_us,
        ),
    )


def value_of(order: Order) -> tuple[str, str]:
    """Return the value of the goods and its currency; empty where a price is missing (a pending order has none)."""
    prices = [item.product.price.unit_price if item.product.price else None for item in order.order_items]
    known = [price for price in prices if price is not None]
    currencies = {price.currency_code for price in known}
    if len(known) != len(order.order_items) or len(currencies) != 1:
        return "", ""
    try:
        units = zip(known, order.order_items, strict=True)
        total = sum((Decimal(price.amount) * item.quantity_ordered for price, item in units), Decimal(0))
    except InvalidOperation:
        return "", ""
    return (f"{total:f}", currencies.pop()) if total.is_finite() else ("", "")
