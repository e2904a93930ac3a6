"""What orders of Rakuten mean for stock, by tables, out of the shape that the RMS pages show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.rakuten import orders, wire
from adapters.rakuten.goods import Pair
from adapters.rakuten.orders import Ended, OrderModel
from syncd.sdk.channel import (
    CancelledBy,
    Comeback,
    Delivery,
    FulfilmentStatus,
    OrderSnapshot,
    PaymentStatus,
    Shipment,
    Span,
)
from syncd.sdk.errors import ProtocolError
from syncd.sdk.strict import decode

ORDERED_AT = wire.instant("2023-04-17T13:01:20+0900")
SPAN = Span(earliest=10, latest=20)


def item(detail: int = 9501048, units: int = 1, variant: str | None = "11", **changes: Any) -> dict[str, Any]:
    sku = {"variantId": variant, "merchantDefinedSkuId": "c3ps390M090", "skuInfo": "サイズ:M"}
    return {
        "itemDetailId": detail,
        "itemName": "Tシャツ",
        "itemId": 10000004,
        "itemNumber": "c3ps390",
        "manageNumber": "c3ps390",
        "price": 1200,
        "units": units,
        "inventoryType": 2,
        "SkuModelList": [sku],
        **changes,
    }


def order(*packages: list[dict[str, Any]], progress: int = 100, **changes: Any) -> OrderModel:
    """Return an order as the sample of the RMS page has it."""
    told = {
        "orderNumber": "123456-20230417-0207814266",
        "orderProgress": progress,
        "orderDatetime": "2023-04-17T13:01:20+0900",
        "shopOrderCfmDatetime": None,
        "orderFixDatetime": None,
        "orderType": 1,
        "reserveNumber": None,
        "OrdererModel": {"prefecture": "東京都"},
        "PackageModelList": [{"basketId": 1, "ItemModelList": items} for items in packages or ([item()],)],
        **changes,
    }
    return decode(json.dumps(told), OrderModel)


def snapshot(node: OrderModel, ended: Ended | None = None) -> OrderSnapshot:
    return orders.snapshot(node, read_at=99, ended=ended)


def test_the_sample_is_understood() -> None:
    """The order of the RMS page has one line of one unit, taken as it was placed."""
    found = snapshot(order())
    (line,) = found.lines
    assert (found.order_id, found.number, found.version) == ("123456-20230417-0207814266",) * 2 + (None,)
    assert found.ordered_at == ORDERED_AT
    assert (line.line_id, line.remote_id, line.remote_sku, line.quantity) == (
        "9501048", "c3ps390/11", "c3ps390M090", 1,
    )  # fmt: skip
    assert line.take is not None
    assert line.take.latest is not None
    assert line.take.earliest < ORDERED_AT < ORDERED_AT + wire.SECOND_US <= line.take.latest
    assert "東京" not in str(found)


@pytest.mark.parametrize(
    ("progress", "shipped", "cancelled", "fulfilment", "payment"),
    [
        (100, 0, 0, FulfilmentStatus.UNFULFILLED, PaymentStatus.PENDING),
        (200, 0, 0, FulfilmentStatus.ON_HOLD, PaymentStatus.PENDING),
        (300, 0, 0, FulfilmentStatus.UNFULFILLED, PaymentStatus.UNKNOWN),
        (400, 0, 0, FulfilmentStatus.ON_HOLD, PaymentStatus.UNKNOWN),
        (500, 2, 0, FulfilmentStatus.FULFILLED, PaymentStatus.UNKNOWN),
        (600, 2, 0, FulfilmentStatus.FULFILLED, PaymentStatus.PENDING),
        (700, 2, 0, FulfilmentStatus.FULFILLED, PaymentStatus.PAID),
        (800, 0, 0, FulfilmentStatus.ON_HOLD, PaymentStatus.UNKNOWN),
        (900, 0, 2, FulfilmentStatus.CANCELLED, PaymentStatus.VOIDED),
        (950, 0, 0, FulfilmentStatus.UNKNOWN, PaymentStatus.UNKNOWN),
    ],
)
def test_states(
    progress: int, shipped: int, cancelled: int, fulfilment: FulfilmentStatus, payment: PaymentStatus
) -> None:
    """Each state is mapped, with Rakuten's own word beside it; one that is not known moves nothing."""
    found = snapshot(order([item(units=2)], progress=progress))
    (line,) = found.lines
    assert (line.quantity, line.shipped, line.cancelled) == (2, shipped, cancelled)
    assert (found.fulfilment, found.payment) == (fulfilment, payment)
    assert found.cancelled == (progress == 900)
    assert found.closed == (progress in (700, 900))
    assert found.fulfilment_raw == f"{progress} {orders.WORDS.get(progress, '')}".strip()


@pytest.mark.parametrize(
    ("packages", "lines"),
    [
        # The same line in two packages is summed, another line stands for itself.
        ([[item(1, 2)], [item(1, 3), item(2, 1)]], [("1", "c3ps390/11", 5), ("2", "c3ps390/11", 1)]),
        # Several SKUs of one line.
        (
            [[item(1, 2, SkuModelList=[{"variantId": "A"}, {"variantId": "B"}])]],
            [("1", "c3ps390/A", 2), ("1:B", "c3ps390/B", 2)],
        ),
        # Before the move to SKUs.
        ([[item(1, 1, None)]], [("1", "c3ps390/", 1)]),
        ([[item(1, 1, SkuModelList=None)]], [("1", "c3ps390/", 1)]),
        ([[item(1, 1, SkuModelList=[])]], [("1", "c3ps390/", 1)]),
        # Nothing but an item number.
        ([[item(1, 1, manageNumber=None, SkuModelList=[])]], [("1", "c3ps390/", 1)]),
        ([[]], []),
    ],
)
def test_lines(packages: list[list[dict[str, Any]]], lines: list[tuple[str, str, int]]) -> None:
    """Units are summed over packages, per line and SKU."""
    found = snapshot(order(*packages))
    assert [(line.line_id, line.remote_id, line.quantity) for line in found.lines] == lines


def test_a_line_that_was_taken_out_is_cancelled() -> None:
    """A line with the delete flag keeps its units, all of them cancelled, and is never given back by the order."""
    node = order([item(1, 3, deleteItemFlag=1), item(2, 1)], progress=900)
    ended = Ended(span=SPAN, restocks={"c3ps390/11": True})
    struck, other = snapshot(node, ended).lines
    assert (struck.quantity, struck.cancelled, struck.gives) == (3, 3, ())
    assert [give.quantity for give in other.gives] == [1]


@pytest.mark.parametrize(
    ("restocks", "phantom", "spans"),
    [
        ({"c3ps390/11": False}, False, []),
        ({"c3ps390/11": True}, False, [SPAN]),
        ({"c3ps390/11": None}, False, [Span(earliest=10, latest=None)]),
        ({}, False, [Span(earliest=10, latest=None)]),
        ({"c3ps390/11": False}, True, []),
    ],
)
def test_gives_of_a_cancel(restocks: dict[str, bool | None], phantom: bool, spans: list[Span]) -> None:
    """A cancel gives back what the SKU's setting says; what is not known may come at any time, or never."""
    ended = Ended(span=SPAN, restocks=restocks, phantom=phantom)
    (line,) = snapshot(order([item(units=2)], progress=900), ended).lines
    assert [give.span for give in line.gives] == spans
    assert {give.quantity for give in line.gives} <= {2}
    assert line.cancelled_as is (Comeback.PHANTOM if phantom else Comeback.SELLABLE)
    assert line.cancelled_by is (CancelledBy.SELLER if phantom else CancelledBy.UNKNOWN)


def test_shipped_and_cancelled_stays_shipped() -> None:
    """An order that is cancelled after its shipment does not bring its units back into the count."""
    node = order([item(units=2)], progress=900, shippingCmplRptDatetime="2023-04-18T10:00:00+0900")
    found = snapshot(node, Ended(span=SPAN, restocks={"c3ps390/11": False}))
    assert found.cancelled
    assert [(line.shipped, line.cancelled) for line in found.lines] == [(2, 0)]


def test_pairs_of_orders_are_known() -> None:
    """A SKU that was ordered exists; a line without one names none."""
    node = order([item(1, manageNumber="C3ps390"), item(2, variant=None)])
    assert list(orders.pairs(node)) == [Pair("c3ps390", "11")]


def test_an_order_without_a_time_is_not_understood() -> None:
    """Nothing is guessed about when an order was placed."""
    with pytest.raises(ProtocolError):
        snapshot(order(orderDatetime="-9999"))


def test_parcels_are_told() -> None:
    """A parcel is followed by its number; its carrier goes by name, else by Rakuten's code; an empty row is none."""
    ways = [
        {"shippingDetailId": 9, "shippingNumber": "111", "deliveryCompany": "1001", "shippingDate": "2023-04-18"},
        {"shippingNumber": "222", "deliveryCompany": "1000", "deliveryCompanyName": "赤帽"},
        {"shippingNumber": None, "deliveryCompany": None},
    ]
    packages = [{"basketId": 7, "ItemModelList": [item()], "ShippingModelList": ways}, {"ItemModelList": []}]
    assert snapshot(order(progress=500, PackageModelList=packages)).delivery == Delivery(
        shipments=(
            Shipment(
                shipment_id="7/9",
                carrier="ヤマト運輸",
                number="111",
                shipped_at=wire.instant("2023-04-18T00:00:00+0900"),
            ),
            Shipment(shipment_id="7/1", carrier="赤帽", number="222"),
        )
    )
