"""What an order of Shopify means for stock: one set of rules for the API's orders and for those of webhooks.

    ordered      what the line was made for, refunded and removed units included
    shipped      units in parcels that were not cancelled
    cancelled    units that will never ship: refunded before shipping (CANCEL, NO_RESTOCK) or taken off by an edit
    returned     shipped units that were refunded with RETURN

Shopify takes units off the level when the order is made, paid or not, and puts them back when a refund line restocks
them (shopify.dev, inventory management apps, 2026-10).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from syncd.sdk.channel import (
    Comeback,
    Delivery,
    FulfilmentStatus,
    Give,
    Instant,
    OrderLine,
    OrderSnapshot,
    PaymentStatus,
    ReturnStatus,
    Shipment,
    Span,
)

SECOND_US = 1_000_000
BEFORE_US = SECOND_US
"""Times are cut to the second, and stock may move just before the record of it is made."""
TAKE_SETTLE_US = 2 * SECOND_US
"""An order's units are taken within the second that `createdAt` names, and one more to settle."""
GIVE_SETTLE_US = 10 * SECOND_US
"""A cancel is a job in the background: its units may come back some seconds after the refund was recorded."""

SHIPPED_STATES: Final = frozenset({"SUCCESS", "OPEN", "PENDING"})


class Restock(StrEnum):
    """What a refund line did to stock."""

    CANCEL = "CANCEL"
    """Units that were not shipped are free again."""
    RETURN = "RETURN"
    """Shipped units came back."""
    NO_RESTOCK = "NO_RESTOCK"
    LEGACY_RESTOCK = "LEGACY_RESTOCK"
    """Old orders: came back, shipped or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """A line as Shopify states it. `current` is without refunded and removed units, `owed` is not shipped yet."""

    line_id: str
    item_id: str
    sku: str
    ordered: int
    current: int
    owed: int
    tracked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFacts:
    """A line of a refund; `restocked` says that Shopify itself put the units back on a level."""

    refund_id: str
    line_id: str
    quantity: int
    restock: Restock
    restocked: bool
    at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelFacts:
    """A parcel that was not cancelled; `ways` are how it is followed: carrier, number and link."""

    parcel_id: str
    ways: tuple[tuple[str, str, str], ...] = ()
    shipped_at: Instant | None = None
    expected_at: Instant | None = None
    delivered_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """An order as Shopify states it. `shipped` is units per line id; status words are those of the GraphQL API.

    `parcels` is None where it is not told how they are followed: webhooks do not say when one is expected. `offer` is
    the key of the private sale that it comes of.
    """

    order_id: str
    number: str
    created_at: Instant
    updated_at: Instant
    cancelled: bool
    closed: bool
    confirmed: bool
    test: bool
    payment: str
    fulfilment: str
    returns: str
    lines: tuple[LineFacts, ...]
    shipped: Mapping[str, int]
    refunds: tuple[RefundFacts, ...]
    parcels: tuple[ParcelFacts, ...] | None = None
    offer: str = ""


_PAYMENTS: Final[Mapping[str, PaymentStatus]] = {
    "PENDING": PaymentStatus.PENDING,
    "EXPIRED": PaymentStatus.PENDING,  # the authorization ran out before the money was taken: it is owed again
    "AUTHORIZED": PaymentStatus.AUTHORIZED,
    "PARTIALLY_PAID": PaymentStatus.PARTIALLY_PAID,
    "PAID": PaymentStatus.PAID,
    "PARTIALLY_REFUNDED": PaymentStatus.PARTIALLY_REFUNDED,
    "REFUNDED": PaymentStatus.REFUNDED,
    "VOIDED": PaymentStatus.VOIDED,
}
_FULFILMENTS: Final[Mapping[str, FulfilmentStatus]] = {
    "UNFULFILLED": FulfilmentStatus.UNFULFILLED,
    "OPEN": FulfilmentStatus.UNFULFILLED,
    "IN_PROGRESS": FulfilmentStatus.UNFULFILLED,
    "PENDING_FULFILLMENT": FulfilmentStatus.UNFULFILLED,
    "REQUEST_DECLINED": FulfilmentStatus.UNFULFILLED,
    "ON_HOLD": FulfilmentStatus.ON_HOLD,
    "SCHEDULED": FulfilmentStatus.ON_HOLD,
    "PARTIALLY_FULFILLED": FulfilmentStatus.PARTIALLY_FULFILLED,
    "FULFILLED": FulfilmentStatus.FULFILLED,
    "FULFILLMENT_NOT_REQUIRED": FulfilmentStatus.FULFILLED,
    "RESTOCKED": FulfilmentStatus.CANCELLED,
}
_RETURNS: Final[Mapping[str, ReturnStatus]] = {
    "NO_RETURN": ReturnStatus.NONE,
    "RETURN_FAILED": ReturnStatus.NONE,
    "RETURN_REQUESTED": ReturnStatus.REQUESTED,
    "IN_PROGRESS": ReturnStatus.IN_PROGRESS,
    "INSPECTION_COMPLETE": ReturnStatus.IN_PROGRESS,
    "RETURNED": ReturnStatus.RETURNED,
}
_LEFT_THE_HOUSE = {FulfilmentStatus.FULFILLED, FulfilmentStatus.PARTIALLY_FULFILLED}


def restock_of(word: str) -> Restock:
    """Return the kind of a restock word in either case; one that is not known frees nothing."""
    try:
        return Restock(word.upper())
    except ValueError:
        return Restock.NO_RESTOCK


def snapshot(facts: OrderFacts, *, read_at: Instant, fresh: bool = False) -> OrderSnapshot:
    """Return an order as syncd knows it.

    A line with neither item nor SKU (a tip, a custom item) has no stock and is left out.
    """
    return OrderSnapshot(
        order_id=facts.order_id,
        number=facts.number,
        version=facts.updated_at,
        read_at=read_at,
        ordered_at=facts.created_at,
        lines=tuple(_line(facts, line) for line in facts.lines if line.item_id or line.sku),
        cancelled=facts.cancelled,
        closed=facts.closed,
        fresh=fresh,
        test=facts.test,
        payment=_PAYMENTS.get(facts.payment, PaymentStatus.UNKNOWN),
        payment_raw=facts.payment,
        fulfilment=_fulfilment(facts),
        fulfilment_raw=facts.fulfilment,
        returns=_RETURNS.get(facts.returns, ReturnStatus.UNKNOWN),
        returns_raw=facts.returns,
        delivery=None if facts.parcels is None else Delivery(shipments=tuple(_shipments(facts.parcels))),
        offer=facts.offer,
    )


def _shipments(parcels: Iterable[ParcelFacts]) -> Iterator[Shipment]:
    """Yield a shipment for each number by which a parcel is followed, or one without."""
    for parcel in parcels:
        for place, (carrier, number, url) in enumerate(parcel.ways or (("", "", ""),)):
            yield Shipment(
                shipment_id=f"{parcel.parcel_id}/{place}" if place else parcel.parcel_id,
                carrier=carrier,
                number=number,
                url=url,
                shipped_at=parcel.shipped_at,
                expected_at=parcel.expected_at,
                delivered_at=parcel.delivered_at,
            )


def _fulfilment(facts: OrderFacts) -> FulfilmentStatus:
    """Return the status; a cancelled order still says UNFULFILLED at Shopify."""
    found = _FULFILMENTS.get(facts.fulfilment, FulfilmentStatus.UNKNOWN)
    return FulfilmentStatus.CANCELLED if facts.cancelled and found not in _LEFT_THE_HOUSE else found


def _line(facts: OrderFacts, line: LineFacts) -> OrderLine:
    refunds = [entry for entry in facts.refunds if entry.line_id == line.line_id and entry.quantity > 0]
    shipped = min(max(facts.shipped.get(line.line_id, 0), 0), line.ordered)
    cancelled = _cancelled(line, refunds=refunds, shipped=shipped, whole=facts.cancelled)
    back = sum(entry.quantity for entry in refunds if _came_back(entry, shipped=shipped))
    return OrderLine(
        line_id=line.line_id,
        remote_id=line.item_id,
        remote_sku=line.sku,
        quantity=line.ordered,
        cancelled=cancelled,
        cancelled_as=_cancelled_as(refunds, shipped=shipped, cancelled=cancelled),
        shipped=shipped,
        returned=min(back, shipped),
        take=_take(facts) if line.tracked and line.item_id else None,
        gives=_gives(facts, refunds) if line.tracked and line.item_id else (),
    )


def _cancelled(line: LineFacts, *, refunds: Sequence[RefundFacts], shipped: int, whole: bool) -> int:
    """Return the units that will never ship.

    Of a refund without restock only what is still owed tells whether its units had been shipped. An order that is
    cancelled as a whole cancels everything that was not shipped, whatever its refunds say.
    """
    unshipped = line.ordered - shipped
    if whole:
        return unshipped
    owed = min(max(line.owed, 0), max(line.current, 0), unshipped)
    gone = max(_freed(refunds, shipped=shipped), unshipped - owed)
    return min(gone, unshipped, max(line.ordered - line.current, 0))


def _freed(refunds: Iterable[RefundFacts], *, shipped: int) -> int:
    """Return the units that refunds took off before shipping and made free again."""
    return sum(
        entry.quantity
        for entry in refunds
        if entry.restock is not Restock.NO_RESTOCK and not _came_back(entry, shipped=shipped)
    )


def _came_back(entry: RefundFacts, *, shipped: int) -> bool:
    return entry.restock is Restock.RETURN or (entry.restock is Restock.LEGACY_RESTOCK and shipped > 0)


def _cancelled_as(refunds: Sequence[RefundFacts], *, shipped: int, cancelled: int) -> Comeback:
    """Return what cancelled units are, by the last refund that may have cancelled some.

    Without restock a unit leaves Shopify's count (on hand falls), so it leaves ours. Units are cancelled step by step
    and each step is applied as what the line says then, so the last refund speaks; one that did both counts as not
    restocked. Units taken off without a refund are free.
    """
    kinds = [(entry.at or 0, entry.restock) for entry in refunds if not _came_back(entry, shipped=shipped)]
    if not kinds or cancelled <= _freed(refunds, shipped=shipped):
        return Comeback.SELLABLE
    last = max(at for at, _ in kinds)
    return Comeback.PHANTOM if (last, Restock.NO_RESTOCK) in kinds else Comeback.SELLABLE


def _take(facts: OrderFacts) -> Span:
    """Return when Shopify took the units: as the order was made; open as long as it says that none are reserved.

    Units added by an edit were taken later than this; until the order is known they read as a sale that is missing.
    """
    earliest = facts.created_at - BEFORE_US
    return Span(earliest=earliest, latest=facts.created_at + TAKE_SETTLE_US if facts.confirmed else None)


def _gives(facts: OrderFacts, refunds: Iterable[RefundFacts]) -> tuple[Give, ...]:
    """Return what Shopify put back, one give per refund."""
    units: dict[str, int] = {}
    spans: dict[str, Span] = {}
    for entry in refunds:
        if entry.restocked and entry.restock is not Restock.NO_RESTOCK:
            units[entry.refund_id] = units.get(entry.refund_id, 0) + entry.quantity
            earliest, latest = (facts.created_at, facts.updated_at) if entry.at is None else (entry.at, entry.at)
            spans[entry.refund_id] = Span(earliest=earliest - BEFORE_US, latest=latest + GIVE_SETTLE_US)
    return tuple(
        Give(give_id=f"refund-{refund_id}", quantity=units[refund_id], span=spans[refund_id]) for refund_id in units
    )
