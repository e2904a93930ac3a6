"""Orders as RakutenPayOrderAPI (with the buyer) and PurchaseItemAPI (with a prefecture only) tell them.

Shapes: RMS WEB SERVICE, getOrder version 3 to 10 and getOrderItem: models and lists in PascalCase, scalars in
camelCase, -9999 for an amount that is not fixed yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from adapters.rakuten.simulated.sales import AFTER_SHIPMENT, PRICE, Order, OrderItem, Progress
from adapters.rakuten.simulated.times import jst, order_time
from syncd.sdk.channel import Instant

VERSION: Final = 10
SKU_VERSION: Final = 7
ECHO_VERSION: Final = 6
NOT_FIXED: Final = -9999
PREFECTURE: Final = "東京都"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Made-up personal data, which no adapter may keep."""

    name: str
    mail: str
    phone: str


def whole_order(order: Order, *, version: int, buyer: Buyer) -> dict[str, Any]:
    """Return an order as getOrder tells it."""
    person = _person(buyer)
    body = _order(order, version=version, sender=person)
    body["OrdererModel"] = person | {"emailAddress": buyer.mail, "nickname": buyer.name, "sex": None}
    body["ChangeReasonModelList"] = _reasons(order)
    body["memo"] = None
    body["remarks"] = f"[配送日時指定:] {buyer.name} {buyer.phone}"
    return body


def item_order(order: Order) -> dict[str, Any]:
    """Return an order as getOrderItem tells it."""
    body = _order(order, version=VERSION, sender=None)
    del body["subStatusName"], body["cancelDueDate"]
    return body | {"OrdererModel": {"prefecture": PREFECTURE}, "SettlementModel": {"settlementMethodCode": 1}}


def _person(buyer: Buyer) -> dict[str, Any]:
    family, _, first = buyer.name.partition(" ")
    return {
        "zipCode1": "100",
        "zipCode2": "0000",
        "prefecture": PREFECTURE,
        "city": "千代田区",
        "subAddress": buyer.name,
        "familyName": buyer.name,
        "firstName": first,
        "familyNameKana": family,
        "firstNameKana": first,
        "phoneNumber1": buyer.phone,
        "phoneNumber2": None,
        "phoneNumber3": None,
    }


def _order(order: Order, *, version: int, sender: dict[str, Any] | None) -> dict[str, Any]:
    total = sum(item.units for item in order.items) * PRICE
    return {
        "orderNumber": order.number,
        "orderProgress": int(order.progress),
        "subStatusId": None,
        "subStatusName": None,
        "orderDatetime": order_time(order.at),
        "shopOrderCfmDatetime": _time(order.confirmed_at),
        "orderFixDatetime": _time(order.fixed_at),
        "shippingInstDatetime": _time(order.fixed_at),
        "shippingCmplRptDatetime": _time(order.shipped_at),
        "cancelDueDate": None,
        "orderType": 1,
        "reserveNumber": None,
        "goodsPrice": total,
        "postagePrice": NOT_FIXED if order.confirmed_at is None else 0,
        "requestPrice": NOT_FIXED if order.confirmed_at is None else total,
        "SettlementModel": {"settlementMethodCode": 1, "settlementMethod": "クレジットカード"},
        "PackageModelList": [
            _package(order, basket, items, version=version, sender=sender) for basket, items in order.packages().items()
        ],
    }


def _package(
    order: Order, basket: int, items: list[OrderItem], *, version: int, sender: dict[str, Any] | None
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "basketId": basket,
        "goodsPrice": sum(item.units for item in items) * PRICE,
        "defaultDeliveryCompanyCode": "1001",
        "ItemModelList": [_item(item, version=version, full=sender is not None) for item in items],
    }
    body["ShippingModelList"] = _shippings(order, basket)
    if sender is not None:
        body["SenderModel"] = sender
    return body


def _item(item: OrderItem, *, version: int, full: bool) -> dict[str, Any]:
    page = item.variant.page
    body: dict[str, Any] = {
        "itemDetailId": item.detail_id,
        "itemName": page.title,
        "itemId": 10_000_000 + page.serial,
        "itemNumber": page.manage_number,
        "manageNumber": page.manage_number,
        "price": PRICE,
        "units": item.units,
        "includePostageFlag": 0,
        "includeTaxFlag": 1,
        "selectedChoice": None,
        "inventoryType": 0 if page.unlimited else 1 if len(page.variants) == 1 else 2,
    }
    if full:
        body |= {"deleteItemFlag": 0, "restoreInventoryFlag": int(item.restore)}
    if version >= SKU_VERSION:
        body["SkuModelList"] = [_sku(item)]
    return body


def _sku(item: OrderItem) -> dict[str, Any]:
    variant = item.variant
    return {
        "variantId": variant.variant_id,
        "merchantDefinedSkuId": variant.merchant_sku or None,
        "skuInfo": f"種類:{variant.variant_id}" if len(variant.page.variants) > 1 else None,
    }


def _shippings(order: Order, basket: int) -> list[dict[str, Any]]:
    if order.shipped_at is None or order.progress not in AFTER_SHIPMENT:
        return []
    return [
        {
            "shippingDetailId": basket,
            "shippingNumber": f"{basket:012d}",
            "deliveryCompany": "1001",
            "deliveryCompanyName": "ヤマト運輸",
            "shippingDate": f"{jst(order.shipped_at):%Y-%m-%d}",
        }
    ]


def _reasons(order: Order) -> list[dict[str, Any]]:
    if order.progress not in {Progress.WAITING_CANCEL, Progress.CANCELLED}:
        return []
    return [{"changeId": 1, "changeType": 0, "changeApplyDatetime": _time(order.changed[-1][0])}]


def _time(at: Instant | None) -> str | None:
    return None if at is None else order_time(at)
