"""System event notices (システムイベント通知サービス): XML that Rakuten posts to the shop's address.

Element names as a public .NET client reads them (2024-01); they are older than SKUs and name no variant. No source
tells the order of values, retries, or what becomes of a notice that is not answered: here it is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from adapters.rakuten.simulated.goods import Variant
from adapters.rakuten.simulated.sales import Order, OrderItem
from adapters.rakuten.simulated.times import notice_time
from syncd.sdk.channel import Instant

HEADERS: Final = {"Content-Type": "text/xml; charset=UTF-8"}
VALUES: Final = 10
HISTORY: Final = ("4000", "1100")
RESTOCK_WISH: Final = ("4100", "1100")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What each notice carries so that it is believed."""

    contract_id: str
    shop_url: str
    auth_key: str


def order_notice(order: Order, sender: Sender, *, sequence: int) -> bytes:
    """Return the notice of a new order."""
    root = _root("orderNotifyModel", sender)
    info = ET.SubElement(root, "orderInfoNotifyModel")
    _text(info, "orderNumber", order.number)
    _text(info, "seqId", str(sequence))
    _text(info, "orderDate", notice_time(order.at))
    _text(info, "orderType", "1")
    for item in order.items:
        _basket(info, item, sender.shop_url)
    return _bytes(root)


def event_notice(event: tuple[str, str], values: Mapping[int, str], sender: Sender, *, request_id: str) -> bytes:
    """Return the notice of anything else: `values` by their number, 1 to 10."""
    root = _root("notifyModel", sender)
    info = ET.SubElement(root, "notifyInfoModel")
    _text(info, "requestId", request_id)
    _text(info, "serviceId", event[0])
    _text(info, "functionId", event[1])
    for number in range(1, VALUES + 1):
        _text(info, f"value{number}", values.get(number, ""))
    return _bytes(root)


def history_values(order: Order, field: str, before: str, after: str, *, at: Instant) -> dict[int, str]:
    """Return the values of a change of an order (購入履歴変更通知)."""
    return {
        1: "update",
        2: order.number,
        5: field,
        6: before,
        7: after,
        8: "1",
        9: notice_time(order.at),
        10: notice_time(at),
    }


def wish_values(variant: Variant, shop_url: str, *, at: Instant) -> dict[int, str]:
    """Return the values of a wish to hear of a restock (再入荷リクエスト通知)."""
    return {
        1: _page_url(shop_url, variant.page.manage_number),
        2: variant.page.manage_number,
        3: "1" if len(variant.page.variants) == 1 else "2",
        10: notice_time(at),
    }


def _basket(info: ET.Element, item: OrderItem, shop_url: str) -> None:
    page = item.variant.page
    basket = ET.SubElement(info, "basketModel")
    _text(basket, "itemId", str(10_000_000 + page.serial))
    _text(basket, "pageURL", _page_url(shop_url, page.manage_number))
    _text(basket, "inventoryType", "1" if len(page.variants) == 1 else "2")
    _text(basket, "units", str(item.units))
    for name in ("orgItemNumber", "itemNumber"):
        _text(basket, name, page.manage_number)
    for name in ("selectedChoice", "h_choice_c_name", "v_choice_c_name"):
        _text(basket, name, "")


def _page_url(shop_url: str, number: str) -> str:
    return f"https://item.rakuten.co.jp/{shop_url}/{number}/"


def _root(name: str, sender: Sender) -> ET.Element:
    root = ET.Element(name)
    auth = ET.SubElement(root, "authModel")
    _text(auth, "contractId", sender.contract_id)
    _text(auth, "shopUrl", sender.shop_url)
    _text(auth, "authKey", sender.auth_key)
    return root


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _bytes(root: ET.Element) -> bytes:
    return bytes(ET.tostring(root, encoding="UTF-8", xml_declaration=True))
