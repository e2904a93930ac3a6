"""What an order of Amazon means: tables of shapes, and where a scan of them goes on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.amazon import order_feed, orders
from adapters.amazon.order_feed import Cursor, Part
from adapters.amazon.wire import Pagination, instant, timestamp
from syncd.sdk.channel import CancelledBy, Comeback, Delivery, FulfilmentStatus, OrderSnapshot, PaymentStatus, Shipment
from syncd.sdk.errors import ProtocolError
from tests.adapters.amazon_stub import JAPAN, line, order

SECOND = 1_000_000
CREATED = instant("2026-09-30T23:00:00Z")
UPDATED = instant("2026-09-30T23:30:00Z")
NOW = instant("2026-10-10T00:00:00Z")


def parsed(raw: dict[str, Any]) -> orders.Order:
    return msgspec.convert(raw, orders.Order)


def read(raw: dict[str, Any], *, fresh: bool = False) -> OrderSnapshot:
    return orders.snapshot(parsed(raw), read_at=7, fresh=fresh)


@pytest.mark.parametrize(
    ("status", "payment", "fulfilment", "cancelled", "closed"),
    [
        ("PENDING_AVAILABILITY", PaymentStatus.PENDING, FulfilmentStatus.ON_HOLD, False, False),
        ("PENDING", PaymentStatus.PENDING, FulfilmentStatus.ON_HOLD, False, False),
        ("UNSHIPPED", PaymentStatus.AUTHORIZED, FulfilmentStatus.UNFULFILLED, False, False),
        ("PARTIALLY_SHIPPED", PaymentStatus.AUTHORIZED, FulfilmentStatus.PARTIALLY_FULFILLED, False, False),
        ("SHIPPED", PaymentStatus.PAID, FulfilmentStatus.FULFILLED, False, True),
        ("CANCELLED", PaymentStatus.VOIDED, FulfilmentStatus.CANCELLED, True, True),
        ("UNFULFILLABLE", PaymentStatus.UNKNOWN, FulfilmentStatus.ON_HOLD, False, False),
        ("NEW_WORD", PaymentStatus.UNKNOWN, FulfilmentStatus.UNKNOWN, False, False),
    ],
)
def test_statuses_are_unified(
    status: str, payment: PaymentStatus, fulfilment: FulfilmentStatus, cancelled: bool, closed: bool
) -> None:
    """Every status has its unified words, with Amazon's own beside them."""
    found = read(order(1, status=status))
    assert (found.payment, found.fulfilment, found.cancelled, found.closed) == (payment, fulfilment, cancelled, closed)
    assert (found.payment_raw, found.fulfilment_raw) == (status, status)


def test_pending_order_takes_units_as_it_is_placed() -> None:
    """A pending order has taken its units at its purchase, whatever its payment."""
    (line_,) = read(order(1, status="PENDING", orderItems=[line(1, fulfillment={})])).lines
    assert line_.take is not None
    assert line_.take.earliest <= CREATED <= (line_.take.latest or 0) <= CREATED + 120 * SECOND
    assert (line_.quantity, line_.cancelled, line_.shipped) == (2, 0, 0)


def test_preorder_may_take_units_later() -> None:
    """Of an order for goods that are not out yet it is open when their units are taken."""
    (line_,) = read(order(1, status="PENDING_AVAILABILITY")).lines
    assert line_.take is not None
    assert line_.take.latest is None


def execution(by: str, reason: str) -> dict[str, Any]:
    return {"cancellationExecution": {"cancelledBy": by, "cancelReason": reason}}


@pytest.mark.parametrize(
    ("status", "item", "expected"),
    [
        ("CANCELLED", line(1), (2, 0, 2)),
        ("CANCELLED", line(1, fulfillment={}), (2, 0, 2)),
        ("CANCELLED", line(1, cancellation=execution("BUYER", "Order created by mistake")), (2, 0, 2)),
        ("CANCELLED", line(1, cancellation=execution("MERCHANT", "NoInventory")), (2, 0, 0)),
        ("CANCELLED", line(1, cancellation=execution("MERCHANT", "No inventory")), (2, 0, 0)),
        ("CANCELLED", line(1, cancellation=execution("MERCHANT", "NO_INVENTORY")), (2, 0, 0)),
        ("CANCELLED", line(1, cancellation=execution("MERCHANT", "在庫切れ")), (2, 0, 0)),
        ("CANCELLED", line(1, fulfilled=1), (1, 1, 1)),
        ("CANCELLED", line(1, quantity=0), (0, 0, 0)),
        ("PENDING", line(1, fulfillment={"quantityFulfilled": 0, "quantityUnfulfilled": 0}), (0, 0, 0)),
        ("UNSHIPPED", line(1, cancellation={"cancellationRequest": {"requester": "BUYER"}}), (0, 0, 0)),
        (
            "UNSHIPPED",
            line(1, cancellation=execution("AMAZON", "x"), fulfillment={"quantityFulfilled": 0}),
            (2, 0, 2),
        ),
        (
            "UNSHIPPED",
            line(1, cancellation=execution("AMAZON", "x"), fulfillment={"quantityUnfulfilled": 1}),
            (1, 0, 1),
        ),
        ("PARTIALLY_SHIPPED", line(1, fulfilled=1), (0, 1, 0)),
        ("SHIPPED", line(1, fulfilled=5), (0, 2, 0)),
    ],
)
def test_cancels_and_shipments(status: str, item: dict[str, Any], expected: tuple[int, int, int]) -> None:
    """Cancelled and shipped units are told, and those that Amazon puts back are gives, but not for want of stock."""
    (found,) = read(order(1, status=status, orderItems=[item])).lines
    assert (found.cancelled, found.shipped, sum(give.quantity for give in found.gives)) == expected
    phantom = found.cancelled > 0 and not found.gives
    assert (found.cancelled_as is Comeback.PHANTOM) == phantom


@pytest.mark.parametrize(
    ("cancellation", "by"),
    [
        (execution("MERCHANT", "NoInventory"), CancelledBy.SELLER),
        (execution("MERCHANT", "Buyer requested cancellation"), CancelledBy.BUYER),
        ({**execution("MERCHANT", "x"), "cancellationRequest": {"requester": "BUYER"}}, CancelledBy.BUYER),
        (execution("BUYER", "x"), CancelledBy.BUYER),
        (execution("AMAZON", "x"), CancelledBy.CHANNEL),
        (execution("", "x"), CancelledBy.UNKNOWN),
        (None, CancelledBy.UNKNOWN),
    ],
)
def test_whose_doing_a_cancel_was(cancellation: dict[str, Any] | None, by: CancelledBy) -> None:
    """A cancel is the shop's only where the shop carried it out and the buyer had not asked for it."""
    (found,) = read(order(1, status="CANCELLED", orderItems=[line(1, cancellation=cancellation)])).lines
    assert (found.cancelled > 0, found.cancelled_by) == (True, by)


def test_emptied_cancel_keeps_what_was_ordered() -> None:
    """A cancelled item that is shown as ordered 0 times keeps what was read of it before, and gives that back."""
    emptied = parsed(order(1, status="CANCELLED", orderItems=[line(1, quantity=0)]))
    (found,) = orders.snapshot(emptied, read_at=7, ordered={"25012345670001": 2}).lines
    assert (found.quantity, found.cancelled, found.gives[0].quantity) == (2, 2, 2)


def test_give_lies_between_order_and_last_change() -> None:
    """A give is as wide as it is not known: from the order to a while after its last change."""
    (give,) = read(order(1, status="CANCELLED")).lines[0].gives
    assert give.span.earliest <= CREATED
    assert (give.span.latest or 0) >= UPDATED + 60 * SECOND
    assert (
        give.give_id
        == read(order(1, status="CANCELLED", lastUpdatedTime="2026-10-01T00:00:00Z")).lines[0].gives[0].give_id
    )


def test_version_number_and_freshness() -> None:
    """The version is the time of the last change, the number is Amazon's, fresh is what was asked for."""
    found = read(order(1), fresh=True)
    assert (found.version, found.ordered_at, found.read_at, found.fresh) == (UPDATED, CREATED, 7, True)
    assert found.order_id == found.number == "250-0000001-8901234"
    assert (found.lines[0].remote_id, found.lines[0].line_id) == ("SKU-1", "25012345670001")


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (["1200", "80.5"], ("2561.0", "JPY")),
        (["1200", None], ("", "")),
        (["1200", "many"], ("", "")),
        (["1200", "Infinity"], ("", "")),
    ],
)
def test_value_of_the_goods(prices: list[str | None], expected: tuple[str, str]) -> None:
    """The value is told where every line has its price, and not at all otherwise."""
    items = [
        line(place, product={"sellerSku": "A"} | ({"price": {"unitPrice": money(price)}} if price else {}))
        for place, price in enumerate(prices)
    ]
    found = read(order(1, orderItems=items))
    assert (found.amount, found.currency) == expected


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "JPY"}


@pytest.mark.parametrize(
    ("changes", "ours"),
    [
        ({}, True),
        ({"fulfillment": {"fulfillmentStatus": "SHIPPED", "fulfilledBy": "AMAZON"}}, False),
        ({"fulfillment": {"fulfillmentStatus": "SHIPPED"}}, True),
        ({"salesChannel": {"channelName": "AMAZON", "marketplaceId": "ATVPDKIKX0DER"}}, False),
        ({"salesChannel": {"channelName": "NON_AMAZON"}}, True),
    ],
)
def test_orders_of_others_are_left_out(changes: dict[str, Any], ours: bool) -> None:
    """What Amazon fulfils, or was sold in another marketplace, takes nothing of this stock."""
    assert orders.is_ours(parsed(order(1, **changes)), JAPAN) is ours


# --- the feed ------------------------------------------------------------------------------------------------------


def page(after: str | None = None, until: str | None = "2026-10-09T23:58:00Z") -> orders.OrdersFound:
    pagination = Pagination(next_token=after) if after else None
    return orders.OrdersFound(orders=[], pagination=pagination, last_updated_before=until)


def test_first_scan_reads_what_is_open() -> None:
    """Without a cursor a scan reads the open orders of half a year, by their purchase."""
    parameters = order_feed.search(order_feed.resume(None, now=NOW), JAPAN)
    assert parameters["fulfillmentStatuses"] == "PENDING_AVAILABILITY,PENDING,UNSHIPPED,PARTIALLY_SHIPPED"
    assert parameters["createdAfter"] == "2026-04-13T00:00:00Z"
    assert "lastUpdatedAfter" not in parameters


def test_scan_ends_before_what_amazon_has_told() -> None:
    """A scan is complete up to five minutes before the time that its first page reaches to, and goes on from there."""
    start = order_feed.resume(order_feed.text(Cursor(since=NOW - 600 * SECOND, day_at=NOW)), now=NOW)
    second = order_feed.onward(start, page("two"), asked_at=NOW)
    assert (second.after, second.began, second.since) == ("two", NOW, start.since)
    end = order_feed.onward(second, page(until="2026-10-10T00:00:00Z"), asked_at=NOW + SECOND)
    assert (end.began, end.since, end.after) == (0, instant("2026-10-09T23:53:00Z"), None)


@pytest.mark.parametrize("until", [None, "2026-10-11T00:00:00Z"])
def test_scan_never_reaches_ahead(until: str | None) -> None:
    """Where Amazon tells no time, or one that lies ahead, the scan ends before the moment of the question."""
    start = order_feed.resume(order_feed.text(Cursor(since=NOW - 3600 * SECOND, day_at=NOW)), now=NOW)
    end = order_feed.onward(start, page(until=until), asked_at=NOW)
    assert NOW - 500 * SECOND <= end.since < NOW


def test_scan_never_goes_back() -> None:
    """A scan that is made soon after another one begins where that one began, not before."""
    start = order_feed.resume(order_feed.text(Cursor(since=NOW - SECOND, day_at=NOW)), now=NOW)
    assert order_feed.onward(start, page(), asked_at=NOW).since == NOW - SECOND


def test_once_a_day_orders_are_read_by_their_purchase() -> None:
    """A day after the last time a scan goes on with the orders of the last two days, and the next one does not."""
    start = order_feed.resume(order_feed.text(Cursor(since=NOW - 60 * SECOND, day_at=NOW - order_feed.DAY_US)), now=NOW)
    day = order_feed.onward(start, page(), asked_at=NOW)
    assert (day.part, day.since, day.began) == (Part.DAY, NOW - 2 * order_feed.DAY_US, NOW)
    assert order_feed.search(day, JAPAN)["createdAfter"] == timestamp(NOW - 2 * order_feed.DAY_US)
    end = order_feed.onward(day, page(until=None), asked_at=NOW + SECOND)
    assert (end.part, end.since, end.began, end.day_at) == (Part.CHANGED, day.until, 0, NOW)


def test_page_token_goes_with_unchanged_parameters() -> None:
    """The next page is asked for with everything as it was, and its token."""
    start = order_feed.resume(None, now=NOW)
    first = order_feed.search(start, JAPAN)
    second = order_feed.search(order_feed.onward(start, page("two", until=None), asked_at=NOW), JAPAN)
    assert second == first | {"paginationToken": "two"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"since":1,"x":2}', '{"since":"a"}', "250-1"])
def test_foreign_cursor_is_refused(text: str) -> None:
    """A text that is no cursor of ours is a fault that is told."""
    with pytest.raises(ProtocolError):
        order_feed.resume(text, now=NOW)


@pytest.mark.parametrize("text", ["", "soon", "2026-10-10", "2026-10-10T00:00:00"])
def test_time_without_a_zone_is_refused(text: str) -> None:
    """A time that is none, or could be anywhere, is a fault that is told."""
    with pytest.raises(ProtocolError):
        instant(text)


def test_packages_and_promises_are_told() -> None:
    """Packages that left the house are shipments; the ends of the two windows are what was promised."""
    told = {
        "fulfillment": {
            "fulfillmentStatus": "SHIPPED",
            "shipByWindow": {"latestDateTime": "2026-10-02T15:00:00Z"},
            "deliverByWindow": {"latestDateTime": "2026-10-05T15:00:00Z"},
        },
        "packages": [
            {"packageReferenceId": "1", "carrier": "YAMATO", "trackingNumber": "12", "shipTime": "2026-10-01T00:00:00Z",
             "packageStatus": {"status": "IN_TRANSIT"}},
            {"packageReferenceId": "2", "packageStatus": {"status": "PENDING"}},
            {"packageReferenceId": "3", "packageStatus": {"status": "CANCELLED"}},
            {"packageReferenceId": "4"},
        ],
    }  # fmt: skip
    assert read(order(1, **told)).delivery == Delivery(
        shipments=(
            Shipment(shipment_id="1", carrier="YAMATO", number="12", shipped_at=instant("2026-10-01T00:00:00Z")),
            Shipment(shipment_id="4"),
        ),
        ship_by=instant("2026-10-02T15:00:00Z"),
        deliver_by=instant("2026-10-05T15:00:00Z"),
    )
