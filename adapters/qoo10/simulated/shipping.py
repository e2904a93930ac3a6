"""Reading orders and claims.

Facts (QAPI guide, GetShippingInfo_v3 and _v2, GetShippingAndClaimInfoByOrderNo_V2, GetClaimInfo_V3, 2026): one row is
one line; a search is by one status and a window of at most 90 days, without pages. That a cancelled line leaves the
searches by status at once, and comes among the claims as late as anything else is told, is an assumption.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.qoo10.simulated.answers import Refused
from adapters.qoo10.simulated.call import INVALID, NOT_FOUND, Call, Shop
from adapters.qoo10.simulated.sales import Claim, ClaimStatus, Line, Status
from adapters.qoo10.simulated.times import written
from syncd.sdk.channel import Instant
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME, CANARY_PHONE

SELLER = "simulated-shop"
LABELS = {
    Status.UNPAID: ("On Waiting", "Awaiting shipping"),
    Status.REQUESTED: ("On request",),
    Status.CONFIRMED: ("Seller confirm",),
    Status.SENT: ("On delivery", "Delivery"),
    Status.DELIVERED: ("Delivered", "Delivere"),
}
"""What stands before the digit, as it was seen; the digit alone means something."""
CLAIM_LABELS = {
    ClaimStatus.CANCEL_ASKED: "取消要請",
    ClaimStatus.CANCEL_UNDER_WAY: "取消中",
    ClaimStatus.CANCELLED: "取消完了",
    ClaimStatus.RETURN_ASKED: "返品要請",
    ClaimStatus.RETURN_UNDER_WAY: "返品中",
    ClaimStatus.RETURNED: "返品完了",
    ClaimStatus.NEVER_PAID: "未入金取消",
}
OLD_NAMES = {
    "ShippingStatus": "shippingStatus",
    "PackNo": "packNo",
    "OrderNo": "orderNo",
    "OrderDate": "orderDate",
    "PaymentDate": "PaymentDate",
    "EstimatedShippingDate": "EstShippingDate",
    "ItemNo": "itemCode",
    "SellerItemCode": "sellerItemCode",
    "Option": "option",
    "OptionCode": "optionCode",
    "OrderQty": "orderQty",
    "OrderPrice": "orderPrice",
    "Discount": "discount",
    "Total": "total",
    "Receiver": "receiver",
    "ZipCode": "zipCode",
    "Address1": "Addr1",
    "Address2": "Addr2",
    "DesiredDeliveryDate": "hopeDate",
    "ShippingMessage": "ShippingMsg",
    "ShippingRate": "ShippingRate",
    "RelatedOrder": "RelatedOrder",
    "DeliveryCompany": "DeliveryCompany",
}
"""The fields of version 2, by those of version 3."""

_MOMENTS: dict[str, Callable[[Line], Instant | None]] = {
    "1": lambda line: line.ordered_at,
    "2": lambda line: line.paid_at,
    "3": lambda line: line.sent_at,
    "4": lambda line: line.delivered_at,
}
_CLAIM_MOMENTS: dict[str, Callable[[Line, Claim], Instant | None]] = {
    "1": lambda line, _: line.ordered_at,
    "2": lambda _, claim: claim.requested_at,
    "3": lambda _, claim: claim.done_at,
}


# --- searches --------------------------------------------------------------------------------------------------------


def orders_v3(shop: Shop, call: Call) -> list[dict[str, Any]]:
    """Answer GetShippingInfo_v3."""
    window = call.window("SearchStartDate", "SearchEndDate")
    condition = call.choice("SearchCondition", tuple(_MOMENTS))
    found = _searched(shop, call, _statuses(shop, call.text("ShippingStatus")), window, condition)
    return [_order(shop, line) for line in found]


def orders_v2(shop: Shop, call: Call) -> list[dict[str, Any]]:
    """Answer GetShippingInfo_v2, the same with older names."""
    window = call.window("search_Sdate", "search_Edate")
    condition = call.choice("search_condition", tuple(_MOMENTS))
    found = _searched(shop, call, _statuses(shop, call.text("ShippingStat")), window, condition)
    return [_old(_order(shop, line)) for line in found]


def _statuses(shop: Shop, text: str) -> tuple[int, ...]:
    if text in {"", "0"}:
        return shop.world.knobs.blank_status
    if text not in {"1", "2", "3", "4", "5"}:
        raise Refused(INVALID, "ShippingStatus")
    return (int(text),)


def _searched(
    shop: Shop, call: Call, statuses: tuple[int, ...], window: tuple[Instant, Instant], condition: str
) -> list[Line]:
    moment = _MOMENTS[condition]
    return [
        line
        for status in statuses
        for line in shop.orders.by_status[Status(status)].values()
        if line.is_listed and line.told_at <= call.seen_at and _within(moment(line), window)
    ]


def claims(shop: Shop, call: Call) -> list[dict[str, Any]]:
    """Answer GetClaimInfo_V3: the claims that are in one status now."""
    window = call.window("search_Sdate", "search_Edate")
    moment = _CLAIM_MOMENTS[call.choice("search_condition", tuple(_CLAIM_MOMENTS))]
    status = int(call.choice("ClaimStat", tuple(str(each.value) for each in ClaimStatus)))
    return [
        _claim(shop, line, claim)
        for line, claim in shop.orders.claims
        if claim.status == status and claim.told_at <= call.seen_at and _within(moment(line, claim), window)
    ]


def by_order_no(shop: Shop, call: Call) -> list[dict[str, Any]]:
    """Answer GetShippingAndClaimInfoByOrderNo_V2: one line as it is now, with its last claim."""
    line = shop.orders.line(call.needed("OrderNo"))
    if line is None:
        raise Refused(NOT_FOUND)
    claim = line.claims[-1] if line.claims else None
    return [_old(_order(shop, line)) | _claim_fields(shop, line, claim) | {"OrderType": "一般"}]


def _within(at: Instant | None, window: tuple[Instant, Instant]) -> bool:
    return at is not None and window[0] <= at <= window[1]


# --- rows ------------------------------------------------------------------------------------------------------------


def _order(shop: Shop, line: Line) -> dict[str, Any]:
    layout = shop.world.knobs.date_layout
    labels = LABELS[line.status]
    pack = shop.orders.packs[line.pack_no]
    return {
        "ShippingStatus": f"{labels[line.order_no % len(labels)]}({line.status.value})",
        "SellerID": SELLER,
        "PackNo": line.pack_no,
        "OrderNo": line.order_no,
        "OrderDate": written(line.ordered_at, layout),
        "PaymentDate": written(line.paid_at, layout),
        "EstimatedShippingDate": "" if line.ships_on is None else line.ships_on.strftime(layout),
        "ShippingDate": written(line.sent_at, layout),
        "DeliveredDate": written(line.delivered_at, layout),
        "ItemNo": line.item.code,
        "SellerItemCode": line.item.seller_code,
        "ItemTitle": f"商品 {line.item.seller_code}",
        "Option": line.row.text if line.row else "",
        "OptionCode": line.row.code if line.row else "",
        "OrderPrice": line.price,
        "OrderQty": line.quantity,
        "Discount": 0,
        "Total": line.price * line.quantity,
        "Currency": "JPY",
        "PaymentMethod": "コンビニ払い" if line.status is Status.UNPAID else "クレジットカード",
        "ShippingRate": 0,
        "SettlePrice": line.price * line.quantity * 9 // 10,
        **_buyer(),
        "DesiredDeliveryDate": "",
        "RelatedOrder": ", ".join(str(other.order_no) for other in pack),
        "DeliveryCompany": line.carrier,
        "TrackingNo": line.tracking,
        "PackingNo": "",
        "SellerDeliveryNo": "",
        "AvailableSendType": "0",
        "AvailableShippingDate": "",
        "VoucherCode": "",
        "Gift": "",
        "claimStatus": _claim_text(line.claims[-1]) if line.claims else "",
    }


def _buyer() -> dict[str, str]:
    """Return made-up personal data, where the real one sends the buyer's."""
    return {
        "Buyer": CANARY_NAME,
        "Receiver": CANARY_NAME,
        "ZipCode": "100-0001",
        "ShippingAddress": f"東京都千代田区 {CANARY_NAME} 様方",
        "Address1": "東京都千代田区",
        "Address2": f"{CANARY_NAME} 様方",
        "ShippingMessage": f"連絡先 {CANARY_PHONE} {CANARY_MAIL}",
    }


def _old(row: dict[str, Any]) -> dict[str, Any]:
    return {OLD_NAMES[name]: value for name, value in row.items() if name in OLD_NAMES} | {
        "receiver_gata": CANARY_NAME,
    }


def _claim(shop: Shop, line: Line, claim: Claim) -> dict[str, Any]:
    return {
        **_claim_fields(shop, line, claim),
        "orderNo": line.order_no,
        "packNo": line.pack_no,
        "orderDate": written(line.ordered_at, shop.world.knobs.date_layout),
        "itemCode": line.item.code,
        "sellerItemCode": line.item.seller_code,
        "option": line.row.text if line.row else "",
        "optionCode": line.row.code if line.row else "",
        "orderQty": line.quantity,
        "buyer": CANARY_NAME,
    }


def _claim_fields(shop: Shop, line: Line, claim: Claim | None) -> dict[str, Any]:
    layout = shop.world.knobs.date_layout
    if claim is None:
        return {"claimStatus": "", "requestDate": "", "reason": "", "cancelRefundDate": "", "nrPartRefundCnt": 0}
    return {
        "claimStatus": _claim_text(claim),
        "requestDate": written(claim.requested_at, layout),
        "reason": claim.reason,
        "cancelRefundDate": written(claim.done_at, layout),
        "nrPartRefundCnt": claim.units if claim.units < line.quantity else 0,
    }


def _claim_text(claim: Claim) -> str:
    return f"{CLAIM_LABELS[claim.status]}({claim.status.value})"
