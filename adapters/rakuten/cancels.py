"""Cancels by the shop: what is sent, and what the answer means. Pure.

Facts (public clients in C#, Scala and PHP, 2024 to 2026): cancelOrder takes whole orders in the states 100, 200 and
300; inventoryRestoreType 0 follows the setting of the item, 1 puts units back, 2 does not; of the reasons those of the
shop are known: 8 欠品, 10 その他, 13 発送遅延.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import msgspec

from adapters.rakuten import wire
from syncd.sdk.answer import Answer
from syncd.sdk.channel import Outcome, OutcomeKind
from syncd.sdk.errors import ProtocolError
from syncd.sdk.features import CancelReason, CancelWish
from syncd.sdk.strict import decode


class Restore(IntEnum):
    """What Rakuten does with the units."""

    AS_ITEM = 0
    BACK = 1
    NOT_BACK = 2


_REASONS: Final[Mapping[CancelReason, int]] = {
    CancelReason.OUT_OF_STOCK: 8,
    CancelReason.PRICE: 10,
    CancelReason.OTHER: 10,
}


class Messages(msgspec.Struct, frozen=True):
    """Answer of cancelOrder."""

    messages: list[wire.Message] | None = msgspec.field(default=None, name="MessageModelList")


def refused(wish: CancelWish) -> str:
    """Return why a wish is not sent; empty where it may be."""
    if wish.lines:
        return "Rakuten cancels whole orders only: change the quantities in RMS"
    if wish.reason not in _REASONS:
        return "a cancel that the buyer asked for is entered in RMS, where its reason is not held against the shop"
    return ""


def restore(wish: CancelWish) -> Restore:
    """Return what becomes of the units: for want of stock there is nothing to put back, otherwise the item decides."""
    return Restore.NOT_BACK if wish.reason is CancelReason.OUT_OF_STOCK else Restore.AS_ITEM


def body(wish: CancelWish) -> bytes:
    """Return the body of cancelOrder."""
    return msgspec.json.encode(
        {
            "orderNumber": wish.order_id,
            "inventoryRestoreType": int(restore(wish)),
            "changeReasonDetailApply": _REASONS[wish.reason],
        }
    )


def outcome(wish: CancelWish, answer: Answer) -> Outcome:
    """Return how a cancel ended; what became of the order is read from it."""
    faults = wire.faults(answer.body)
    if faults:
        return Outcome(key=wish.key, kind=OutcomeKind.REJECTED, reason=wire.said(faults))
    try:
        told = decode(answer.body, Messages)
    except ProtocolError:
        told = None
    if answer.status != 200 or told is None or not told.messages:
        return Outcome(key=wish.key, kind=OutcomeKind.INDETERMINATE, reason="an answer without a result")
    return Outcome(key=wish.key, kind=OutcomeKind.ACCEPTED)
