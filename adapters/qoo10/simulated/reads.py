"""Reading items: GetAllGoodsInfo, GetItemDetailInfo and GetGoodsInventoryInfo (QAPI guide, 2026)."""

from __future__ import annotations

from typing import Any

from adapters.qoo10.simulated.answers import Refused
from adapters.qoo10.simulated.call import INVALID, MISSING, NOT_FOUND, Call, Shop
from adapters.qoo10.simulated.goods import PAGE, STATUSES, Item, Row
from adapters.qoo10.simulated.times import written

MOST_AXES = 5


def all_goods(shop: Shop, call: Call) -> dict[str, Any]:
    """Answer a page of the items in one status, without their numbers; a page after the last one is empty."""
    status = call.choice("ItemStatus", STATUSES)
    page = call.number("Page") or 1
    items, total = shop.goods.page(status, page)
    return {
        "TotalItems": total,
        "TotalPages": -(-total // PAGE),
        "PresentPage": page,
        "Items": [{"ItemCode": item.code, "SellerCode": item.seller_code, "ItemStatus": item.status} for item in items],
    }


def item_detail(shop: Shop, call: Call) -> list[dict[str, Any]]:
    """Answer the item of a code, or all of a seller's code. The number of an item with options is its rows' sum."""
    return [_detail(shop, call, item) for item in _found(shop, call)]


def _detail(shop: Shop, call: Call, item: Item) -> dict[str, Any]:
    quantity = sum(shop.goods.readable(good, call.seen_at) for good in item.goods)
    return {
        "ItemCode": item.code,
        "SellerCode": item.seller_code,
        "ItemTitle": f"商品 {item.seller_code}",
        "ItemStatus": item.status,
        "ItemPrice": str(item.price),
        "RetailPrice": str(item.price * 2),
        "SettlePrice": str(item.price * 9 // 10),
        "ItemQty": str(quantity),
        "TaxRate": item.tax_rate,
        "ExpireDate": item.expires_on.isoformat(),
        "ChangedDate": written(item.changed_at, "%Y-%m-%d %H:%M:%S"),
    }


def inventory(shop: Shop, call: Call) -> list[dict[str, Any]]:
    """Answer the option rows of an item; none where it has no options."""
    items = _found(shop, call)
    return [_row(row, shop.goods.readable(row.good, call.seen_at)) for row in items[0].rows]


def _row(row: Row, quantity: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for axis in range(MOST_AXES):
        filled = axis < len(row.names)
        shown[f"Name{axis + 1}"] = row.names[axis] if filled else ""
        shown[f"Value{axis + 1}"] = row.values[axis] if filled else ""
    return shown | {"Price": row.price, "Qty": quantity, "ItemTypeCode": row.code}


def _found(shop: Shop, call: Call) -> list[Item]:
    if not call.text("ItemCode") and not call.text("SellerCode"):
        raise Refused(MISSING, "ItemCode")
    if call.text("ItemCode") and not call.text("ItemCode").isdecimal():
        raise Refused(INVALID, "ItemCode")
    items = shop.goods.find(call.text("ItemCode"), call.text("SellerCode"))
    if not items:
        raise Refused(NOT_FOUND)
    return items
