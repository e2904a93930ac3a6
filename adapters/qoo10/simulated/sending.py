"""Confirming, shipping and cancelling lines (QAPI guide, SetSellerCheckYN_V2, SetSendingInfo, SetCancelProcess, 2026).

A ship-by date moves a line from 新規注文 to 配送準備 and is told to the customer; nothing takes it back. A cancel is
of a whole line.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from adapters.qoo10.simulated.answers import Refused
from adapters.qoo10.simulated.call import BULK_FAILED, INVALID, NOT_ALLOWED, NOT_FOUND, Call, Shop
from adapters.qoo10.simulated.orders import BY_SELLER
from adapters.qoo10.simulated.sales import Line, Status
from adapters.qoo10.simulated.times import day_of

TOO_MANY_ROWS, CONFIRMED_ALREADY, NOT_REQUESTED = -10011, -10012, -10013
NO_DATE, DATE_TOO_LATE, DATE_PAST = -10016, -10017, -10018
BAD_ORDER_NO, NO_ORDER = -10001, -10002
DELAY_TYPES = ("", "1", "2", "3", "4")
CANCEL_REASONS = ("", "1", "2", "3")


# --- the ship-by date ------------------------------------------------------------------------------------------------


def confirm(shop: Shop, call: Call) -> None:
    """Answer SetSellerCheckYN_V2."""
    line = _line(shop, call.needed("OrderNo"))
    day = _ship_day(shop, call)
    if call.text("DelayType") not in DELAY_TYPES:
        raise Refused(INVALID, "DelayType")
    extends = shop.world.knobs.extends and bool(call.text("DelayType"))
    if line.status is Status.CONFIRMED and line.is_listed and not extends:
        raise Refused(CONFIRMED_ALREADY)
    if line.status not in {Status.REQUESTED, Status.CONFIRMED} or not line.is_listed:
        raise Refused(NOT_REQUESTED)
    shop.orders.promise(line, day)


def _ship_day(shop: Shop, call: Call) -> date:
    text, today = call.text("EstShipDt"), shop.world.day()
    if not text:
        raise Refused(NO_DATE)
    day = day_of(text, "%Y%m%d")
    if day is None:
        raise Refused(INVALID, "EstShipDt")
    if day < today:
        raise Refused(DATE_PAST)
    if day > today + timedelta(days=shop.world.knobs.latest_ship_days):
        raise Refused(DATE_TOO_LATE)
    return day


def confirm_bulk(shop: Shop, call: Call) -> list[dict[str, Any]]:
    """Answer SetSellerCheckYNBulk."""
    rows = call.rows("SendPlanDtInfoJson", too_long=TOO_MANY_ROWS)
    return _told([{"cont_no": row.text("OrderNo"), "result_cd": _code(shop, row, confirm)} for row in rows])


# --- shipping --------------------------------------------------------------------------------------------------------


def send(shop: Shop, call: Call) -> None:
    """Answer SetSendingInfo; tracking goes per line."""
    line = _line(shop, call.needed("OrderNo"))
    carrier = call.needed("ShippingCorp")
    if line.status is not Status.CONFIRMED or not line.left:
        raise Refused(NOT_ALLOWED)
    shop.orders.send(line, carrier=carrier, tracking=call.text("TrackingNo"), at=call.now)


def send_bulk(shop: Shop, call: Call) -> list[dict[str, Any]]:
    """Answer SetSendingInfoBulk."""
    rows = call.rows("ShippingInfoJson", too_long=TOO_MANY_ROWS)
    return _told(
        [
            {
                "contr_no": row.text("OrderNo"),
                "result_cd": _code(shop, row, send),
                "transc_nm": row.text("ShippingCorp"),
            }
            for row in rows
        ]
    )


# --- cancelling ------------------------------------------------------------------------------------------------------


def cancel(shop: Shop, call: Call) -> None:
    """Answer SetCancelProcess: what is left of the line is cancelled; without a reason it is for want of stock."""
    number, reason = call.text("ContrNo"), call.text("CancelReason")
    if not (number.isascii() and number.isdecimal()):
        raise Refused(BAD_ORDER_NO)
    line = shop.orders.line(number)
    if line is None:
        raise Refused(NO_ORDER)
    if reason not in CANCEL_REASONS:
        raise Refused(INVALID, "CancelReason")
    if not line.left:
        raise Refused(NOT_ALLOWED)
    shop.orders.seller_faults += not reason
    shop.orders.cancel(line, line.left, reason=BY_SELLER, at=call.now)


def _line(shop: Shop, number: str) -> Line:
    line = shop.orders.line(number)
    if line is None:
        raise Refused(NOT_FOUND)
    return line


def _code(shop: Shop, row: Call, act: Callable[[Shop, Call], None]) -> int:
    try:
        act(shop, row)
    except Refused as refused:
        return refused.code
    return 0


def _told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if any(row["result_cd"] for row in rows):
        raise Refused(BULK_FAILED, rows=rows)
    return rows
