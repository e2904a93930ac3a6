"""Cancels orders by the one way that there is: an order acknowledgement feed, a table of whole items.

Facts: the table has the columns order-id, cancellation-reason-code and amazon-order-item-code (SP-API docs, order feed
type values, 2026); an API for cancels is not in the vendor's model (2026-08). A pending order cannot be cancelled by
the seller. A cancel that the buyer has asked for does not count in the cancel rate when it says so (moderator of
sellercentral.amazon.co.jp).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapters.amazon import feed_writer, feeds
from adapters.amazon.api import Api, within
from adapters.amazon.feed_writer import STEP_S, harmless
from adapters.amazon.order_reader import OrderReader
from adapters.amazon.orders import Order, cancelled_of, is_ours, wants_cancel
from adapters.amazon.settings import AmazonSettings
from syncd.sdk.channel import Outcome, OutcomeKind
from syncd.sdk.errors import ProtocolError, RejectedError, TransientError
from syncd.sdk.features import CancelReason, CancelWish

FEED: Final = "POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA"
KIND: Final = "text/tab-separated-values; charset=UTF-8"
COLUMNS: Final = ("order-id", "cancellation-reason-code", "amazon-order-item-code")
BUYER: Final = "BuyerCanceled"
_REASONS: Final[Mapping[CancelReason, str]] = {
    CancelReason.OUT_OF_STOCK: "NoInventory",
    CancelReason.BUYER: BUYER,
    CancelReason.ADDRESS: "ShippingAddressUndeliverable",
    CancelReason.PRICE: "PricingError",
    CancelReason.OTHER: "GeneralAdjustment",
}
_REFUSALS: Final[Mapping[str, str]] = {
    "PENDING": "Amazon still checks the payment: a pending order cannot be cancelled by the shop",
    "PENDING_AVAILABILITY": "a pre-order that is pending cannot be cancelled by the shop",
    "SHIPPED": "it is shipped already",
}
_MOST_KEPT = 1_000


class Canceller:
    """Cancels orders of one seller. A wish that was sent is not sent again under the same key."""

    def __init__(self, api: Api, *, settings: AmazonSettings, reader: OrderReader) -> None:
        self._api = api
        self._settings = settings
        self._reader = reader
        self._sent: dict[str, Outcome] = {}

    async def cancel(self, wish: CancelWish) -> Outcome:
        """Cancel whole items of an order; the answer is ACCEPTED, for a feed takes its time."""
        if wish.key in self._sent:
            return self._sent[wish.key]
        order = await self._reader.order(wish.order_id)
        if order is None or not is_ours(order, self._settings.marketplace_id):
            return _end(wish, OutcomeKind.REJECTED, "no order of this shop has this number")
        if order.status == "CANCELLED":
            return _end(wish, OutcomeKind.APPLIED, "it is cancelled already")
        items, why = chosen(order, wish)
        if why:
            return _end(wish, OutcomeKind.REJECTED, why)
        outcome = await self._send(wish, table(order, items, wish.reason))
        self._sent[wish.key] = outcome
        while len(self._sent) > _MOST_KEPT:
            del self._sent[next(iter(self._sent))]
        return outcome

    async def _send(self, wish: CancelWish, body: bytes) -> Outcome:
        try:
            async with within(STEP_S, "sending a cancel"):
                document_id = await feed_writer.upload(self._api, body, kind=KIND)
        except TransientError as fault:
            raise harmless(fault) from None
        try:
            async with within(STEP_S, "sending a cancel"):
                feed_id = await feed_writer.create(
                    self._api, FEED, document_id, marketplace_id=self._settings.marketplace_id
                )
        except (TransientError, ProtocolError) as fault:
            if isinstance(fault, TransientError) and not fault.sent:
                raise
            return _end(wish, OutcomeKind.INDETERMINATE, str(fault))
        except RejectedError as fault:
            return _end(wish, OutcomeKind.REJECTED, str(fault))
        return _end(wish, OutcomeKind.ACCEPTED, f"sent as feed {feed_id}; Amazon takes minutes, at times hours")


def chosen(order: Order, wish: CancelWish) -> tuple[list[str], str]:
    """Return the items to cancel, and why it cannot be done."""
    if order.status in _REFUSALS:
        return [], _REFUSALS[order.status]
    open_units = open_of(order)
    if not wish.lines:
        return list(open_units), "" if open_units else "nothing of it is left to cancel"
    for line in wish.lines:
        left = open_units.get(line.line_id, 0)
        if not left:
            return [], f"line {line.line_id[:40]} has nothing left to cancel"
        if line.quantity != left:
            return [], f"Amazon cancels whole lines only: line {line.line_id[:40]} has {left} open"
    return [line.line_id for line in wish.lines], ""


def open_of(order: Order) -> dict[str, int]:
    """Return the units of each item that are neither shipped nor cancelled; items without any are left out."""
    units: dict[str, int] = {}
    for item in order.order_items:
        shipped = item.fulfillment.quantity_fulfilled if item.fulfillment else 0
        cancelled = cancelled_of(order, item, ordered=item.quantity_ordered, shipped=shipped)
        if (left := item.quantity_ordered - shipped - cancelled) > 0:
            units[item.order_item_id] = left
    return units


def table(order: Order, items: list[str], reason: CancelReason) -> bytes:
    """Return the feed's table; where the buyer asked for it and no other reason is given, it says so."""
    asked = wants_cancel(order) and reason is CancelReason.OTHER
    word = BUYER if asked else _REASONS[reason]
    rows = [COLUMNS, *((order.order_id, word, item) for item in items)]
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def _end(wish: CancelWish, kind: OutcomeKind, reason: str) -> Outcome:
    late = kind in (OutcomeKind.ACCEPTED, OutcomeKind.INDETERMINATE)
    return Outcome(key=wish.key, kind=kind, reason=reason, effect_s=feeds.DEADLINE_S if late else None)
