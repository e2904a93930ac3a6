"""Orders as webhooks state them: the older REST shape, with the rules of `orders`.

Shape: shopify.dev, webhook payloads 2026-07. A payload names variants but no inventory items; `variants` maps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from adapters.shopify.draft_orders import ATTRIBUTE
from adapters.shopify.orders import SHIPPED_STATES, LineFacts, OrderFacts, RefundFacts, restock_of
from adapters.shopify.wire import instant
from syncd.sdk.channel import Instant

_FULFILMENT_WORDS = {
    "": "UNFULFILLED",
    "partial": "PARTIALLY_FULFILLED",
    "fulfilled": "FULFILLED",
    "restocked": "RESTOCKED",
}


class UnknownVariant(Exception):  # noqa: N818  (a verdict, not a fault)
    """A line sells a variant whose inventory item is not known here."""


class LinePayload(msgspec.Struct, frozen=True):
    """A line of an order."""

    id: int
    quantity: int
    current_quantity: int
    fulfillable_quantity: int
    variant_id: int | None
    sku: str | None
    variant_inventory_management: str | msgspec.UnsetType | None = msgspec.UNSET


class PackedPayload(msgspec.Struct, frozen=True):
    """Units of a line in one parcel."""

    id: int
    quantity: int


class ParcelPayload(msgspec.Struct, frozen=True):
    """A fulfilment."""

    id: int
    status: str | None
    line_items: list[PackedPayload]


class RefundedPayload(msgspec.Struct, frozen=True):
    """Units of a line in one refund."""

    line_item_id: int
    quantity: int
    restock_type: str
    location_id: int | None


class RefundPayload(msgspec.Struct, frozen=True):
    """A refund; without lines where only money went."""

    id: int
    created_at: str
    refund_line_items: list[RefundedPayload]


class NotePayload(msgspec.Struct, frozen=True):
    """A custom attribute, under its older name; only ours is looked at."""

    name: str
    value: Any = None

    def __repr__(self) -> str:
        """Show nothing: it may be what a customer wrote."""
        return "NotePayload()"


class OrderPayload(msgspec.Struct, frozen=True):
    """An order. A payload that lacks one of the fields without a default is not taken; the order is read instead."""

    id: int
    name: str
    created_at: str
    updated_at: str
    cancelled_at: str | None
    closed_at: str | None
    test: bool
    financial_status: str | None
    fulfillment_status: str | None
    line_items: list[LinePayload]
    fulfillments: list[ParcelPayload]
    refunds: list[RefundPayload]
    confirmed: bool = True
    returns: list[msgspec.Raw] = []
    note_attributes: list[NotePayload] | msgspec.UnsetType = msgspec.UNSET


def fields(*, offers: bool = False) -> tuple[str, ...]:
    """Return what a subscription to an order topic asks for: what is read here and nothing else.

    `offers` asks for the attributes that say of which private sale it comes. `updated_at` is among it: equal payloads
    in a row would be dropped as duplicates. Nested rows are named down to the fields where Shopify's one level allows
    it.
    """
    lines = tuple(f"line_items.{name}" for name in LinePayload.__struct_fields__)
    plain = tuple(name for name in OrderPayload.__struct_fields__ if name not in _NESTED)
    return (*plain, *lines, *_ROWS, *(("note_attributes",) if offers else ()))


_NESTED = {"line_items", "fulfillments", "refunds", "returns", "note_attributes"}
_ROWS = (
    "fulfillments.id",
    "fulfillments.status",
    "fulfillments.line_items",
    "refunds.id",
    "refunds.created_at",
    "refunds.refund_line_items",
    "returns.id",
)


def updated_at(payload: OrderPayload) -> Instant:
    """Return when the order changed last."""
    return instant(payload.updated_at)


def facts(payload: OrderPayload, *, variants: Mapping[int, int]) -> OrderFacts:
    """Return what a payload states; raises `UnknownVariant`."""
    return OrderFacts(
        order_id=str(payload.id),
        number=payload.name,
        created_at=instant(payload.created_at),
        updated_at=updated_at(payload),
        cancelled=payload.cancelled_at is not None,
        closed=payload.closed_at is not None,
        confirmed=payload.confirmed,
        test=payload.test,
        payment=(payload.financial_status or "").upper(),
        fulfilment=_fulfilment(payload.fulfillment_status),
        returns="NO_RETURN",
        lines=tuple(_line(line, variants) for line in payload.line_items),
        shipped=_shipped(payload.fulfillments),
        refunds=tuple(_refunds(payload.refunds)),
        offer="" if payload.note_attributes is msgspec.UNSET else _offer(payload.note_attributes),
    )


def _offer(notes: Iterable[NotePayload]) -> str:
    """Return the key of our private sale; the attributes of others are not looked at."""
    return next((note.value for note in notes if note.name == ATTRIBUTE and isinstance(note.value, str)), "")


def _fulfilment(word: str | None) -> str:
    return _FULFILMENT_WORDS.get(word or "", (word or "").upper())


def _line(line: LinePayload, variants: Mapping[int, int]) -> LineFacts:
    item = None if line.variant_id is None else variants.get(line.variant_id)
    if line.variant_id is not None and item is None:
        raise UnknownVariant
    return LineFacts(
        line_id=str(line.id),
        item_id="" if item is None else str(item),
        sku=line.sku or "",
        ordered=line.quantity,
        current=line.current_quantity,
        owed=line.fulfillable_quantity,
        tracked=line.variant_inventory_management is not None,
    )


def _shipped(parcels: Iterable[ParcelPayload]) -> dict[str, int]:
    units: dict[str, int] = {}
    for parcel in parcels:
        if (parcel.status or "").upper() in SHIPPED_STATES:
            for row in parcel.line_items:
                units[str(row.id)] = units.get(str(row.id), 0) + row.quantity
    return units


def _refunds(refunds: Iterable[RefundPayload]) -> Iterator[RefundFacts]:
    for refund in refunds:
        at = instant(refund.created_at)
        for row in refund.refund_line_items:
            yield RefundFacts(
                refund_id=str(refund.id),
                line_id=str(row.line_item_id),
                quantity=row.quantity,
                restock=restock_of(row.restock_type),
                restocked=row.location_id is not None,
                at=at,
            )
