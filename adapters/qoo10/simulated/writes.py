"""Writing numbers and what comes with them (QAPI guide, 2026; the traps are from recorded calls).

SetGoodsPriceQty: a blank ExpireDate becomes today and a year, a blank Qty may become 9999, a Price that is given is the
new price. On an item with options it answers success and the rows keep their numbers. UpdateGoods takes ItemQty,
answers success and changes nothing. EditGoodsInventory replaces the whole option table. What the rows of a bulk answer
hold is not documented: here it differs from answer to answer, so that nobody can rely on it.
"""

from __future__ import annotations

import re
from typing import Any

from adapters.qoo10.simulated.answers import Refused
from adapters.qoo10.simulated.call import (
    BAD_PARAMETER,
    BULK_FAILED,
    BULK_TOO_LONG,
    INVALID,
    MOST_QUANTITY,
    NOT_ALLOWED,
    NOT_FOUND,
    PROCESSING,
    Call,
    Shop,
    whole_number,
)
from adapters.qoo10.simulated.goods import JOINT, LIFE, Item, Row

TAX_RATES = ("S", "10", "8", "0")
MOST_SELLER_CODE, MOST_OPTION_CODE = 100, 50
MOST_OPTION_SHARE = 0.5
"""An option's price may differ from the item's by half (QAPI guide, 2026)."""

_START = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:(00|30)")
_COLUMN = re.compile(r"\|\|\*?")


# --- items -----------------------------------------------------------------------------------------------------------


def set_price_and_quantity(shop: Shop, call: Call) -> None:
    """Answer SetGoodsPriceQty."""
    item = _item(shop, call)
    expires_on = call.day("ExpireDate", "%Y-%m-%d") or shop.world.day() + LIFE
    price, quantity = call.number("Price"), call.number("Qty")
    if len(call.text("SellerCode")) > MOST_SELLER_CODE or call.text("TaxRate") not in {"", *TAX_RATES}:
        raise Refused(INVALID, "SellerCode, TaxRate")
    if expires_on < shop.world.day() or price == 0:
        raise Refused(INVALID, "ExpireDate, Price")
    starts = call.text("StartDate") if call.version != "1.0" else ""
    if starts and not _START.fullmatch(starts):
        raise Refused(INVALID, "StartDate")
    item.expires_on, item.changed_at = expires_on, call.now
    item.tax_rate, item.starts = call.text("TaxRate") or item.tax_rate, starts or item.starts
    _set_price(shop, item, price)
    if quantity is None:
        quantity = shop.world.knobs.blank_quantity
    if item.good is not None and quantity is not None:
        shop.goods.write(item.good, quantity)


def _set_price(shop: Shop, item: Item, price: int | None) -> None:
    if price is not None and price != item.price:
        shop.prices.append((item.code, item.price, price))
        item.price = price


def set_price_and_quantity_bulk(shop: Shop, call: Call) -> Any:
    """Answer SetGoodsPriceQtyBulk: good rows are done, also where others fail."""
    rows = call.rows("ItemInfoJson", too_long=BULK_TOO_LONG)
    codes = [_attempt(shop, row, set_price_and_quantity) for row in rows]
    return _bulk_answer(shop, rows, codes)


def _attempt(shop: Shop, row: Call, write: Any) -> int:
    if shop.world.random.happens(shop.world.knobs.failed_rows):
        return PROCESSING
    try:
        write(shop, row)
    except Refused as refused:
        return refused.code
    return 0


def _bulk_answer(shop: Shop, rows: list[Call], codes: list[int]) -> Any:
    told = list(zip([row.text("ItemCode") for row in rows], codes, strict=True))
    shapes: list[list[dict[str, Any]]] = [
        [],
        [{"item_no": item, "result_cd": code} for item, code in told],
        [{"ItemCode": item, "ResultCode": str(code), "ResultMsg": ""} for item, code in told if code],
    ]
    shape = shapes[int(shop.world.random.between(0, len(shapes)))]
    if any(codes):
        raise Refused(BULK_FAILED, rows=shape)
    return shape


def update_goods(shop: Shop, call: Call) -> None:
    """Answer UpdateGoods: it takes ItemQty and does not change the number."""
    _item(shop, call).changed_at = call.now


def edit_status(shop: Shop, call: Call) -> None:
    """Answer EditGoodsStatus: 1 waiting, 2 on sale, 3 stopped for good."""
    item = _item(shop, call)
    shop.goods.set_status(item, f"S{call.choice('Status', ('1', '2', '3'))}")


# --- option rows -----------------------------------------------------------------------------------------------------


def set_row_quantity(shop: Shop, call: Call) -> None:
    """Answer UpdateInventoryQtyUnit: the number of one row."""
    _, row = _row(shop, call)
    shop.goods.write(row.good, whole_number(call.needed("Qty"), "Qty"))


def set_row_data(shop: Shop, call: Call) -> None:
    """Answer UpdateInventoryDataUnit: the price and the number of one row."""
    item, row = _row(shop, call)
    price = whole_number(call.needed("Price").removeprefix("-"), "Price")
    quantity = whole_number(call.needed("Qty"), "Qty")
    if price > item.price * MOST_OPTION_SHARE:
        raise Refused(INVALID, "Price")
    row.price = -price if call.text("Price").startswith("-") else price
    shop.goods.write(row.good, quantity)


def set_row_data_bulk(shop: Shop, call: Call) -> Any:
    """Answer UpdateInventoryDataBulk."""
    rows = call.rows("ItemInfoJson", too_long=BULK_TOO_LONG)
    return _bulk_answer(shop, rows, [_attempt(shop, row, set_row_data) for row in rows])


def add_to_row(shop: Shop, call: Call) -> None:
    """Answer UpdateInventoryQtyPlusUnit: it adds, so a call that is sent twice counts twice."""
    _, row = _row(shop, call)
    text = call.needed("PlusQty")
    more = whole_number(text.removeprefix("-"), "PlusQty") * (-1 if text.startswith("-") else 1)
    if not 0 <= row.good.quantity + more <= MOST_QUANTITY:
        raise Refused(INVALID, "PlusQty")
    shop.goods.write(row.good, row.good.quantity + more)


def replace_rows(shop: Shop, call: Call) -> None:
    """Answer EditGoodsInventory: this is the whole table now; a blank one deletes all rows."""
    item = _item(shop, call)
    columns = [_columns(text) for text in call.text("InventoryInfo").split("$$") if text]
    if len({code or values for _, values, _, _, code in columns}) < len(columns):
        raise Refused(INVALID, "InventoryInfo")
    if columns and all(price for _, _, price, _, _ in columns):
        raise Refused(INVALID, "InventoryInfo: one row must cost nothing more")
    shop.goods.replace_rows(item, columns)


def _columns(text: str) -> tuple[tuple[str, ...], tuple[str, ...], int, int, str]:
    """Read `name||*value||*price||*quantity||*code`; the guide's sample has `||` in the place of some `||*`."""
    parts = _COLUMN.split(text)
    if len(parts) < 5 or len(parts) % 2 == 0:
        raise Refused(PROCESSING, BAD_PARAMETER)
    *axes, price, quantity, code = parts
    return tuple(axes[0::2]), tuple(axes[1::2]), whole_number(price, "Price"), whole_number(quantity, "Qty"), code


def _row(shop: Shop, call: Call) -> tuple[Item, Row]:
    """Return the row that name, value and code point at, all exactly as they were read."""
    item = _item(shop, call)
    names, values, code = call.needed("OptionName"), call.needed("OptionValue"), call.text("OptionCode")
    if "OptionCode" not in call.given or len(code) > MOST_OPTION_CODE:
        raise Refused(PROCESSING, BAD_PARAMETER)
    same = [row for row in item.rows if (JOINT.join(row.names), JOINT.join(row.values)) == (names, values)]
    if not same or same[0].code != code:
        raise Refused(NOT_FOUND)
    return item, same[0]


def _item(shop: Shop, call: Call) -> Item:
    found = shop.goods.find(call.needed("ItemCode"))
    if not found:
        raise Refused(NOT_FOUND)
    if found[0].is_move:
        raise Refused(NOT_ALLOWED, "MOVE")
    return found[0]
