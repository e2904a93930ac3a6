"""What order lines and claims of Qoo10 mean for stock, and how carts are kept whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.qoo10 import orders
from adapters.qoo10.book import Book
from adapters.qoo10.orders import CANCELLED, CANCELLING, LOST, NEVER_PAID, RETURN_ASKED, RETURNED, Claim, Known
from adapters.qoo10.wire import Row
from adapters.qoo10.wire import moment as wire_moment
from syncd.sdk.channel import (
    CancelledBy,
    Comeback,
    Delivery,
    FulfilmentStatus,
    OrderSnapshot,
    PaymentStatus,
    ReturnStatus,
    Shipment,
    Span,
)
from syncd.sdk.errors import ProtocolError
from tests.adapters.qoo10_stub import line

US = 1_000_000


def stated(number: int = 1, **changes: Any) -> orders.Line:
    return orders.line(Row(line(number, **changes)))


def claimed(kind: int, number: int = 1, **changes: Any) -> Claim:
    row = {"orderNo": number, "packNo": 500, "requestDate": "2026-10-01 09:00:00", "orderQty": 2, "reason": ""}
    found = orders.claim(Row({**row, **changes}), kind=kind)
    assert found is not None
    return found


def told(*lines: Known, **customs: Any) -> OrderSnapshot:
    return orders.snapshot(lines, naming=lambda one: one.item, read_at=5, customs=orders.Customs(**customs))


def test_line_of_either_version_is_the_same() -> None:
    """The older method names fields otherwise; the line is the same."""
    old = {
        "shippingStatus": "On request(2)",
        "packNo": "500",
        "orderNo": "1",
        "orderDate": "2026/09/30 12:00:00",
        "PaymentDate": "2026-09-30 12:01:00",
        "EstShippingDate": "",
        "itemCode": "1000000001",
        "sellerItemCode": "S-1",
        "option": None,
        "optionCode": "",
        "orderQty": "2",
        "total": "3960.0",
        "currency": "JPY",
        "RelatedOrder": "1, 2",
    }
    assert orders.line(Row(old)) == replace(stated(), related=("1", "2"), total="3960.0")


def test_line_without_what_matters_is_not_understood() -> None:
    """A line with an unknown status or without its order's time is a ProtocolError."""
    for changes in ({"ShippingStatus": "Lost(9)"}, {"OrderDate": ""}, {"OrderQty": ""}, {"OrderNo": None}):
        with pytest.raises(ProtocolError):
            stated(**changes)


@pytest.mark.parametrize(
    ("label", "payment", "fulfilment", "shipped", "closed"),
    [
        ("On Waiting(1)", PaymentStatus.PENDING, FulfilmentStatus.UNFULFILLED, 0, False),
        ("On request(2)", PaymentStatus.PAID, FulfilmentStatus.UNFULFILLED, 0, False),
        ("Seller confirm(3)", PaymentStatus.PAID, FulfilmentStatus.UNFULFILLED, 0, False),
        ("On delivery(4)", PaymentStatus.PAID, FulfilmentStatus.FULFILLED, 2, True),
        ("Delivered(5)", PaymentStatus.PAID, FulfilmentStatus.FULFILLED, 2, True),
    ],
)
def test_status_is_payment_and_fulfilment(
    label: str, payment: PaymentStatus, fulfilment: FulfilmentStatus, shipped: int, closed: bool
) -> None:
    """Each status says what is paid and what left the house; the channel's word is kept beside it."""
    order = told(Known(line=stated(ShippingStatus=label)))
    assert (order.payment, order.fulfilment, order.closed) == (payment, fulfilment, closed)
    assert (order.lines[0].shipped, order.fulfilment_raw) == (shipped, label)


@pytest.mark.parametrize(
    ("label", "claim", "cancelled", "payment"),
    [
        ("On request(2)", claimed(CANCELLED), 2, PaymentStatus.REFUNDED),
        ("On Waiting(1)", claimed(NEVER_PAID), 2, PaymentStatus.VOIDED),
        ("On request(2)", claimed(CANCELLED, nrPartRefundCnt=1), 1, PaymentStatus.PARTIALLY_REFUNDED),
        ("On request(2)", claimed(CANCELLING), 0, PaymentStatus.PAID),
        ("On delivery(4)", claimed(CANCELLED), 0, PaymentStatus.PAID),
        ("On delivery(4)", claimed(CANCELLED, nrPartRefundCnt=1), 1, PaymentStatus.PARTIALLY_REFUNDED),
    ],
)
def test_claim_cancels_when_it_is_done(label: str, claim: Claim, cancelled: int, payment: PaymentStatus) -> None:
    """Units are cancelled by a claim that is done, only as many as it says, and none that left the house."""
    order = told(Known(line=stated(ShippingStatus=label), cancel=claim))
    assert (order.lines[0].cancelled, order.payment) == (cancelled, payment)
    assert order.cancelled is (cancelled == 2)
    assert order.lines[0].shipped == (2 - cancelled if "(4)" in label else 0)


@pytest.mark.parametrize(
    ("reason", "comeback"), [("単純変心", Comeback.SELLABLE), ("在庫なし", Comeback.PHANTOM), ("", Comeback.SELLABLE)]
)
def test_cancel_for_want_of_stock_is_a_phantom(reason: str, comeback: Comeback) -> None:
    """A unit that was cancelled because it was not there leaves the count."""
    order = told(Known(line=stated(), cancel=claimed(CANCELLED, reason=reason)))
    assert order.lines[0].cancelled_as is comeback
    mine = comeback is Comeback.PHANTOM
    assert order.lines[0].cancelled_by is (CancelledBy.SELLER if mine else CancelledBy.UNKNOWN)


def test_an_order_that_nobody_paid_is_the_buyers_cancel() -> None:
    """A cancel because no payment came does not count against the shop."""
    order = told(Known(line=stated(), cancel=claimed(NEVER_PAID)))
    assert order.lines[0].cancelled_by is CancelledBy.BUYER


def test_cancel_leaves_a_give_open() -> None:
    """Whether and when Qoo10 restocks is not told, so the give stays open; its id is that of the line."""
    (one,) = told(Known(line=stated(), cancel=claimed(CANCELLED))).lines
    (give,) = one.gives
    assert (give.give_id, give.quantity, give.span.latest) == ("cancel-1", 2, None)
    assert give.span.earliest < claimed(CANCELLED).asked.earliest  # type: ignore[union-attr]  # it is stated
    assert told(Known(line=stated())).lines[0].gives == ()


@pytest.mark.parametrize(
    ("claim", "status", "returned"),
    [
        (claimed(RETURNED), ReturnStatus.RETURNED, 2),
        (claimed(RETURNED, orderQty=1), ReturnStatus.RETURNED, 1),
        (claimed(RETURN_ASKED), ReturnStatus.REQUESTED, 0),
        (claimed(LOST), ReturnStatus.UNKNOWN, 0),
    ],
)
def test_return_comes_back_when_it_is_done(claim: Claim, status: ReturnStatus, returned: int) -> None:
    """Shipped units come back with a finished return, damaged unless the settings say otherwise."""
    known = Known(line=stated(ShippingStatus="Delivered(5)"), back=claim)
    order = told(known)
    assert (order.returns, order.lines[0].returned) == (status, returned)
    assert order.lines[0].returned_as is Comeback.DAMAGED
    assert told(known, returns_sellable=True).lines[0].returned_as is Comeback.SELLABLE


def test_take_lies_between_order_and_payment() -> None:
    """Units are taken at the order or at the payment; while nobody has paid it may still happen."""
    paid = told(Known(line=stated(), paid_by=stated().paid.latest)).lines[0].take  # type: ignore[union-attr]  # it is stated
    assert paid is not None
    assert paid.latest is not None
    assert paid.earliest < stated().ordered.earliest
    assert paid.latest > stated().paid.latest  # type: ignore[operator,union-attr]  # it is stated
    unpaid = told(Known(line=stated(ShippingStatus="On Waiting(1)"))).lines[0].take
    assert unpaid is not None
    assert unpaid.latest is None


def test_day_without_time_is_a_wide_take() -> None:
    """A date without a time makes the whole day possible."""
    one = stated(OrderDate="2026-09-30", PaymentDate="2026-09-30")
    take = told(Known(line=one, paid_by=one.paid.latest)).lines[0].take  # type: ignore[union-attr]  # it is stated
    assert take is not None
    assert (take.latest or 0) - take.earliest > 86_400 * US


def test_cart_is_one_order() -> None:
    """Lines of a cart are one order with its number; parts of it are shipped, cancelled, open."""
    order = told(
        Known(line=stated(1, ShippingStatus="On delivery(4)")),
        Known(line=stated(2), cancel=claimed(CANCELLED, 2)),
        Known(line=stated(3, OptionCode="RED")),
    )
    assert (order.order_id, order.number, [one.line_id for one in order.lines]) == ("500", "500", ["1", "2", "3"])
    assert [one.remote_sku for one in order.lines] == ["S-1", "S-1", "RED"]
    assert order.fulfilment is FulfilmentStatus.PARTIALLY_FULFILLED
    assert not order.cancelled
    assert not order.closed
    assert (order.amount, order.currency) == ("11880", "JPY")
    assert order.version is None


def test_claim_words_of_a_line_are_understood() -> None:
    """The claim that stands on a line is known by its digit or its word; exchanges and blanks are none."""
    kinds = [
        orders.claim(Row({"orderNo": 1, "claimStatus": word}))
        for word in ("取消完了(3)", "取消完了", "6", "交換申請", "")
    ]
    assert [claim and claim.kind for claim in kinds] == [3, 3, 6, None, None]


# --- the book ------------------------------------------------------------------------------------------------------


def test_cart_keeps_lines_that_a_search_does_not_bring() -> None:
    """A line read before stays part of its cart when a later search brings only another line."""
    book = Book()
    book.learn_line(stated(1), at=1)
    book.begin(2)
    book.learn_line(stated(2, ShippingStatus="Seller confirm(3)"), at=2)
    assert [known.line.order_no for known in book.known("500")] == ["1", "2"]


def test_older_read_changes_nothing() -> None:
    """What was asked earlier does not replace what was asked later."""
    book = Book()
    book.learn_line(stated(1, ShippingStatus="On delivery(4)"), at=5)
    book.learn_line(stated(1), at=4)
    assert book.known("500")[0].line.status == orders.SHIPPED


def test_lines_that_are_only_named_are_to_be_read() -> None:
    """A line named by another line or by a claim is asked for once, and not again when there is none."""
    book = Book()
    book.begin(1)
    book.learn_line(stated(1, RelatedOrder="1, 2"), at=1)
    book.learn_claim(claimed(CANCELLED, 3), at=1, touch=True)
    assert book.unread(["500"]) == ["2", "3"]
    book.learn_missing("2")
    assert book.unread(["500"]) == ["3"]


def test_final_claim_stays() -> None:
    """A claim that is done is not replaced by one in progress that was read later."""
    book = Book()
    book.learn_line(stated(1), at=1)
    book.learn_claim(claimed(CANCELLED), at=2, touch=True)
    book.learn_claim(claimed(CANCELLING), at=3, touch=True)
    assert book.known("500")[0].cancelled == 2


def test_claim_taken_back_is_dropped() -> None:
    """A claim in progress that a deep scan does not find any more was taken back."""
    book = Book()
    book.learn_line(stated(1), at=1)
    book.learn_claim(claimed(CANCELLING), at=1, touch=True)
    assert told(*book.known("500")).lines[0].gives
    book.begin(10)
    book.learn_line(stated(1), at=11)
    book.deep_done(10, farthest=0)
    assert not told(*book.known("500")).lines[0].gives
    assert "500" in book.touched


def test_order_is_told_again_until_its_scan_is_stored() -> None:
    """What a scan told is told again while its end is not known to be stored, and when it changes."""
    book = Book()
    order = told(Known(line=stated()))
    book.begin(10)
    assert book.is_news(order, since=0)
    assert book.is_news(order, since=9)
    assert not book.is_news(replace(order, read_at=99), since=10)
    assert book.is_news(replace(order, closed=True), since=10)


def test_old_carts_are_forgotten_when_they_are_done() -> None:
    """A deep scan ends what is remembered of old carts, but not of open ones."""
    book = Book()
    book.learn_line(stated(1, ShippingStatus="Delivered(5)"), at=1)
    book.learn_line(stated(11), at=1)
    book.begin(10)
    book.deep_done(10, farthest=stated().ordered.earliest + 1)
    assert (book.known("500"), len(book.known("501"))) == ([], 1)


def test_payment_time_is_when_it_was_first_seen_paid() -> None:
    """A paid line without the time of its payment was paid by the read that first saw it."""
    book = Book()
    book.learn_line(stated(1, ShippingStatus="On Waiting(1)", PaymentDate=""), at=1)
    assert book.known("500")[0].paid_by is None
    book.learn_line(stated(1, PaymentDate=""), at=7)
    book.learn_line(stated(1, PaymentDate="", ShippingStatus="Seller confirm(3)"), at=9)
    assert book.known("500")[0].paid_by == 7


def test_lines_under_one_number_are_one_parcel() -> None:
    """Lines that went together are one shipment; the ship-by day ends in Japan; a strange date costs nothing."""
    sent = {"ShippingStatus": "On delivery(4)", "DeliveryCompany": "佐川急便", "TrackingNo": "900",
            "ShippingDate": "2026-10-02 10:00:00", "DeliveredDate": "soon"}  # fmt: skip
    waiting = {"ShippingStatus": "Seller confirm(3)", "EstimatedShippingDate": "2026-10-03"}
    lines = [stated(1, **sent), stated(2, **sent), stated(3, **waiting), stated(4)]
    assert told(*(Known(line=one) for one in lines)).delivery == Delivery(
        shipments=(
            Shipment(
                shipment_id="佐川急便/900",
                carrier="佐川急便",
                number="900",
                shipped_at=moment("2026-10-02 10:00:00").earliest,
            ),
        ),
        ship_by=moment("2026-10-04").earliest,
    )


def moment(text: str) -> Span:
    found = wire_moment(text)
    assert found is not None
    return found
