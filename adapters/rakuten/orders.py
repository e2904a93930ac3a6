"""Orders of PurchaseItemAPI, and what they mean for stock: pure.

    100 注文確認待ち  200 楽天処理中  300 発送待ち  400 変更確定待ち    ordered
    500 発送済  600 支払手続き中  700 支払手続き済                      shipped
    800 キャンセル確定待ち                                              neither yet
    900 キャンセル確定                                                  cancelled, but for what was shipped before

Sources: RMS WEB SERVICE, searchOrder, getOrder and PurchaseItemAPI getOrderItem, 2026. PurchaseItemAPI tells the same
lines and states as RakutenPayOrderAPI and of the buyer only the prefecture, which is not read. Lists and nested models
are in PascalCase, plain fields in camelCase. It tells neither when an order was changed nor when it was cancelled, nor
what a cancel did to stock: that follows the setting of the SKU (`restockOnCancel`) unless a person chose otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from adapters.rakuten import goods, wire
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
    Shipment,
    Span,
)

TAKE_BEFORE_US = 5 * wire.SECOND_US
TAKE_SETTLE_US = 15 * wire.SECOND_US
"""Rakuten lowers its number as the order is placed; its times are cut to the second."""
CANCEL_SETTLE_US = 60 * wire.SECOND_US
"""How long after an order was read as cancelled its units may come back; Rakuten states no time."""

SHIPPED: Final = frozenset({500, 600, 700})
CANCELLING: Final = 800
"""Asked for; whether units come back already now is not known."""
CANCELLED: Final = 900
ENDED: Final = frozenset({700, 900})
OPEN: Final = (100, 200, 300, 400, 800)
"""States in which an order waits for something."""

WORDS: Final[Mapping[int, str]] = {
    100: "注文確認待ち",
    200: "楽天処理中",
    300: "発送待ち",
    400: "変更確定待ち",
    500: "発送済",
    600: "支払手続き中",
    700: "支払手続き済",
    800: "キャンセル確定待ち",
    900: "キャンセル確定",
}
_FULFILMENTS: Final[Mapping[int, FulfilmentStatus]] = {
    100: FulfilmentStatus.UNFULFILLED,
    200: FulfilmentStatus.ON_HOLD,
    300: FulfilmentStatus.UNFULFILLED,
    400: FulfilmentStatus.ON_HOLD,
    500: FulfilmentStatus.FULFILLED,
    600: FulfilmentStatus.FULFILLED,
    700: FulfilmentStatus.FULFILLED,
    800: FulfilmentStatus.ON_HOLD,
    900: FulfilmentStatus.CANCELLED,
}
_PAYMENTS: Final[Mapping[int, PaymentStatus]] = {
    100: PaymentStatus.PENDING,
    200: PaymentStatus.PENDING,
    600: PaymentStatus.PENDING,
    700: PaymentStatus.PAID,
    900: PaymentStatus.VOIDED,
}
COMPANIES: Final[Mapping[str, str]] = {
    "1001": "ヤマト運輸",
    "1002": "佐川急便",
    "1003": "日本郵便",
    "1004": "西濃運輸",
    "1005": "セイノースーパーエクスプレス",
    "1006": "福山通運",
    "1007": "名鉄運輸",
    "1008": "トナミ運輸",
    "1009": "第一貨物",
    "1010": "新潟運輸",
    "1016": "エコ配",
    "1017": "EMS",
    "1018": "DHL",
    "1019": "FedEx",
    "1020": "UPS",
    "1021": "日本通運",
    "1023": "OCS",
    "1024": "USPS",
    "1025": "SF Express",
}
"""Carriers by the code of `deliveryCompany`; a code that is not here is told without a name."""


# --- what comes over the wire -------------------------------------------------------------------------------------


class SkuModel(msgspec.Struct, frozen=True, rename="camel"):
    """The SKU of a line; empty in orders from before the move to SKUs."""

    variant_id: str | None = None
    merchant_defined_sku_id: str | None = None


class ItemModel(msgspec.Struct, frozen=True, rename="camel"):
    """A line of a package."""

    item_detail_id: int
    manage_number: str | None = None
    item_number: str | None = None
    units: int = 0
    delete_item_flag: int | None = None
    skus: list[SkuModel] | None = msgspec.field(default=None, name="SkuModelList")


class ShippingModel(msgspec.Struct, frozen=True, rename="camel"):
    """How a parcel is followed; the carrier is named by Rakuten's code, and by its name where that is told.

    The page of getOrderItem says that its shape is that of getOrder but for what it names; this is not among that.
    """

    shipping_detail_id: int | None = None
    shipping_number: str | None = None
    delivery_company: str | None = None
    delivery_company_name: str | None = None
    shipping_date: str | None = None


class PackageModel(msgspec.Struct, frozen=True, rename="camel"):
    """A package (one per addressee)."""

    basket_id: int | None = None
    items: list[ItemModel] | None = msgspec.field(default=None, name="ItemModelList")
    shippings: list[ShippingModel] | None = msgspec.field(default=None, name="ShippingModelList")


class OrderModel(msgspec.Struct, frozen=True, rename="camel"):
    """An order, without anything about its buyer."""

    order_number: str
    order_progress: int
    order_datetime: str
    shipping_cmpl_rpt_datetime: str | None = None
    packages: list[PackageModel] | None = msgspec.field(default=None, name="PackageModelList")


class OrdersAnswer(msgspec.Struct, frozen=True):
    """Answer of getOrderItem."""

    messages: list[wire.Message] | None = msgspec.field(default=None, name="MessageModelList")
    orders: list[OrderModel] | None = msgspec.field(default=None, name="OrderModelList")


class PageModel(msgspec.Struct, frozen=True, rename="camel"):
    """How much a search found; null where it found nothing."""

    total_records_amount: int | None = None


class SearchAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of searchOrderItem."""

    order_number_list: list[str] | None = None
    messages: list[wire.Message] | None = msgspec.field(default=None, name="MessageModelList")
    page: PageModel | None = msgspec.field(default=None, name="PaginationResponseModel")


# --- what it means ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What is known of the cancel of an order: when it was, and which SKUs Rakuten puts back by itself.

    `restocks` goes by listing id; None is not known. `phantom` says that syncd cancelled it for want of stock.
    """

    span: Span
    restocks: Mapping[str, bool | None] = field(default_factory=dict)
    phantom: bool = False


def remote_ids(order: OrderModel) -> set[str]:
    """Return the listings that an order has lines of."""
    return {line.remote_id for line in _lines(order)}


def pairs(order: OrderModel) -> Iterator[goods.Pair]:
    """Yield the SKUs that an order names: they exist, even where the item search does not know them yet."""
    for item in _items(order):
        for sku in item.skus or ():
            if item.manage_number and sku.variant_id:
                yield goods.Pair(item.manage_number.lower(), sku.variant_id)


def snapshot(order: OrderModel, *, read_at: Instant, fresh: bool = False, ended: Ended | None = None) -> OrderSnapshot:
    """Return an order as syncd knows it. `ended` is what is known of its cancel, None where it is not cancelled."""
    progress = order.order_progress
    return OrderSnapshot(
        order_id=order.order_number,
        number=order.order_number,
        version=None,
        read_at=read_at,
        ordered_at=wire.instant(order.order_datetime),
        lines=tuple(_line(order, line, ended) for line in _lines(order)),
        cancelled=progress == CANCELLED,
        closed=progress in ENDED,
        fresh=fresh,
        payment=_PAYMENTS.get(progress, PaymentStatus.UNKNOWN),
        payment_raw=_word(progress),
        fulfilment=_FULFILMENTS.get(progress, FulfilmentStatus.UNKNOWN),
        fulfilment_raw=_word(progress),
        delivery=Delivery(shipments=tuple(_shipments(order))),
    )


def _shipments(order: OrderModel) -> Iterator[Shipment]:
    """Yield the parcels that a number or a carrier is told of."""
    for package in order.packages or ():
        for place, way in enumerate(package.shippings or ()):
            if way.shipping_number or way.delivery_company:
                yield Shipment(
                    shipment_id=f"{package.basket_id or 0}/{way.shipping_detail_id or place}",
                    carrier=way.delivery_company_name or COMPANIES.get(way.delivery_company or "", ""),
                    number=way.shipping_number or "",
                    shipped_at=wire.instant(way.shipping_date) if way.shipping_date else None,
                )


def _word(progress: int) -> str:
    return f"{progress} {WORDS.get(progress, '')}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    """A SKU of an order, summed over its packages; `struck` units were taken off the order."""

    line_id: str
    remote_id: str
    sku: str
    units: int
    struck: int


def _items(order: OrderModel) -> Iterator[ItemModel]:
    for package in order.packages or ():
        yield from package.items or ()


def _lines(order: OrderModel) -> list[_Stated]:
    """Return the lines of an order: one line of a shop may be spread over packages."""
    found: dict[str, _Stated] = {}
    for item in _items(order):
        number = item.manage_number or item.item_number or ""
        for place, sku in enumerate(item.skus or [SkuModel()]):
            variant = sku.variant_id or ""
            line_id = str(item.item_detail_id) if place == 0 else f"{item.item_detail_id}:{variant or place}"
            before = found.get(line_id)
            units = max(item.units, 0)
            found[line_id] = _Stated(
                line_id=line_id,
                remote_id=goods.remote_id(number, variant),
                sku=goods.sku_of(number, variant, sku.merchant_defined_sku_id),
                units=units + (before.units if before else 0),
                struck=(units if item.delete_item_flag else 0) + (before.struck if before else 0),
            )
    return list(found.values())


def _line(order: OrderModel, line: _Stated, ended: Ended | None) -> OrderLine:
    left = line.units - line.struck
    cancelled = order.order_progress == CANCELLED
    shipped = left if order.order_progress in SHIPPED or (cancelled and order.shipping_cmpl_rpt_datetime) else 0
    phantom = cancelled and ended is not None and ended.phantom
    ordered_at = wire.instant(order.order_datetime)
    return OrderLine(
        line_id=line.line_id,
        remote_id=line.remote_id,
        remote_sku=line.sku,
        quantity=line.units,
        cancelled=line.units - shipped if cancelled else line.struck,
        cancelled_as=Comeback.PHANTOM if phantom else Comeback.SELLABLE,
        cancelled_by=CancelledBy.SELLER if phantom else CancelledBy.UNKNOWN,
        shipped=shipped,
        take=Span(earliest=ordered_at - TAKE_BEFORE_US, latest=ordered_at + TAKE_SETTLE_US),
        gives=_gives(line.remote_id, left, ended) if cancelled and ended is not None and left else (),
    )


def _gives(name: str, units: int, ended: Ended) -> tuple[Give, ...]:
    """Return what Rakuten puts back: nothing, the units, or perhaps the units, where the SKU's setting is not known."""
    restocks = ended.restocks.get(name)
    if restocks is False:
        return ()
    span = ended.span if restocks else Span(earliest=ended.span.earliest, latest=None)
    return (Give(give_id="cancel", quantity=units, span=span),)
