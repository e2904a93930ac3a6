"""Orders as the GraphQL API states them: shapes, and what is still missing from an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from adapters.shopify.draft_orders import Attribute, offer_of
from adapters.shopify.orders import (
    SHIPPED_STATES,
    LineFacts,
    OrderFacts,
    ParcelFacts,
    RefundFacts,
    restock_of,
)
from adapters.shopify.wire import Page, Ref, Rows, instant, number
from syncd.sdk.channel import Instant
from syncd.sdk.strict import decode


class VariantItem(msgspec.Struct, frozen=True):
    """The stock side of a variant."""

    id: str
    tracked: bool


class LineVariant(msgspec.Struct, frozen=True, rename="camel"):
    """What a line sold, as it is now."""

    id: str
    inventory_item: VariantItem


class LineNode(msgspec.Struct, frozen=True, rename="camel"):
    """A line of an order; no variant once its product is deleted, or where it never had one."""

    id: str
    quantity: int
    current_quantity: int
    unfulfilled_quantity: int
    sku: str | None = None
    variant: LineVariant | None = None


class ShippedNode(msgspec.Struct, frozen=True, rename="camel"):
    """Units of a line in one parcel."""

    id: str
    line_item: Ref
    quantity: int | None = None


class TrackingNode(msgspec.Struct, frozen=True):
    """How a parcel is followed."""

    company: str | None = None
    number: str | None = None
    url: str | None = None


class ParcelNode(msgspec.Struct, frozen=True, rename="camel"):
    """A fulfilment; its far end comes without how it is followed."""

    id: str
    status: str
    fulfillment_line_items: Rows[ShippedNode]
    created_at: str | None = None
    estimated_delivery_at: str | None = None
    delivered_at: str | None = None
    tracking_info: list[TrackingNode] = []


class RefundedNode(msgspec.Struct, frozen=True, rename="camel"):
    """Units of a line in one refund."""

    line_item: Ref
    quantity: int
    restock_type: str
    restocked: bool
    id: str | None = None
    location: Ref | None = None


class RefundNode(msgspec.Struct, frozen=True, rename="camel"):
    """A refund."""

    id: str
    refund_line_items: Rows[RefundedNode]
    created_at: str | None = None


class OrderNode(msgspec.Struct, frozen=True, rename="camel"):
    """An order as SyncdOrders and SyncdOrdersById ask for it."""

    id: str
    name: str
    created_at: str
    updated_at: str
    closed: bool
    confirmed: bool
    test: bool
    display_fulfillment_status: str
    return_status: str
    line_items: Page[LineNode]
    fulfillments: list[ParcelNode]
    refunds: list[RefundNode]
    cancelled_at: str | None = None
    display_financial_status: str | None = None
    custom_attributes: list[Attribute] = []


class OrdersData(msgspec.Struct, frozen=True):
    """Answer of SyncdOrders."""

    orders: Page[OrderNode]


class OrdersByIdData(msgspec.Struct, frozen=True):
    """Answer of SyncdOrdersById: one entry per id, in order; what is no order comes as null or as an empty object."""

    nodes: list[msgspec.Raw]


class LinesNode(msgspec.Struct, frozen=True, rename="camel"):
    """A later page of an order's lines."""

    updated_at: str
    line_items: Page[LineNode]


class OrderLinesData(msgspec.Struct, frozen=True):
    """Answer of SyncdOrderLines."""

    order: LinesNode | None = None


class TailsNode(msgspec.Struct, frozen=True, rename="camel"):
    """The far ends of an order's parcels and refunds."""

    updated_at: str
    fulfillments: list[ParcelNode]
    refunds: list[RefundNode]


class OrderTailsData(msgspec.Struct, frozen=True):
    """Answer of SyncdOrderTails."""

    order: TailsNode | None = None


def found(answer: OrdersByIdData) -> list[OrderNode]:
    """Return the orders that exist."""
    return [decode(bytes(raw), OrderNode) for raw in answer.nodes if bytes(raw) not in {b"null", b"{}"}]


def is_cut(order: OrderNode, *, lines: int, parts: int) -> bool:
    """Tell whether a page size may have cut something off: more lines, or a list that is just full."""
    return order.line_items.page_info.has_next_page or is_cut_inside(order, lines=lines, parts=parts)


def is_cut_inside(order: OrderNode, *, lines: int, parts: int) -> bool:
    """Tell whether a parcel or refund may have been cut off."""
    return (
        max(len(order.fulfillments), len(order.refunds)) >= parts
        or any(len(parcel.fulfillment_line_items.nodes) >= lines for parcel in order.fulfillments)
        or any(len(refund.refund_line_items.nodes) >= lines for refund in order.refunds)
    )


def with_lines(order: OrderNode, lines: Page[LineNode]) -> OrderNode:
    """Return an order with a later page of its lines added."""
    joined = Page(nodes=[*order.line_items.nodes, *lines.nodes], page_info=lines.page_info)
    return msgspec.structs.replace(order, line_items=joined)


def with_tails(order: OrderNode, tails: TailsNode) -> OrderNode:
    """Return an order with the far ends of its parcels and refunds added, each row once.

    An order has at most 500 lines, so both ends of 250 are all that a parcel or refund can hold.
    """
    parcels = {parcel.id: parcel.fulfillment_line_items.nodes for parcel in tails.fulfillments}
    refunds = {refund.id: refund.refund_line_items.nodes for refund in tails.refunds}
    return msgspec.structs.replace(
        order,
        fulfillments=[
            msgspec.structs.replace(
                parcel,
                fulfillment_line_items=Rows(
                    nodes=_joined(parcel.fulfillment_line_items.nodes, parcels.get(parcel.id, []))
                ),
            )
            for parcel in order.fulfillments
        ],
        refunds=[
            msgspec.structs.replace(
                refund,
                refund_line_items=Rows(nodes=_joined(refund.refund_line_items.nodes, refunds.get(refund.id, []))),
            )
            for refund in order.refunds
        ],
    )


_Row = TypeVar("_Row", bound=ShippedNode | RefundedNode)


def _joined(near: Sequence[_Row], far: Sequence[_Row]) -> list[_Row]:
    """Return the rows of both ends; where a row has no id, equal rows count as one."""
    known = {row.id or row for row in near}
    return [*near, *(row for row in far if (row.id or row) not in known)]


def variants(orders: Iterable[OrderNode]) -> Iterator[tuple[str, str]]:
    """Yield (variant number, item number) of every line that has a variant."""
    for order in orders:
        for line in order.line_items.nodes:
            if line.variant is not None:
                yield number(line.variant.id), number(line.variant.inventory_item.id)


def facts(order: OrderNode) -> OrderFacts:
    """Return what the order states."""
    return OrderFacts(
        order_id=number(order.id),
        number=order.name,
        created_at=instant(order.created_at),
        updated_at=instant(order.updated_at),
        cancelled=order.cancelled_at is not None,
        closed=order.closed,
        confirmed=order.confirmed,
        test=order.test,
        payment=order.display_financial_status or "",
        fulfilment=order.display_fulfillment_status,
        returns=order.return_status,
        lines=tuple(_line(line) for line in order.line_items.nodes),
        shipped=_shipped(order.fulfillments),
        refunds=tuple(_refunds(order.refunds)),
        parcels=tuple(_parcels(order.fulfillments)),
        offer=offer_of(order.custom_attributes),
    )


def _line(line: LineNode) -> LineFacts:
    return LineFacts(
        line_id=number(line.id),
        item_id=number(line.variant.inventory_item.id) if line.variant else "",
        sku=line.sku or "",
        ordered=line.quantity,
        current=line.current_quantity,
        owed=line.unfulfilled_quantity,
        tracked=line.variant is None or line.variant.inventory_item.tracked,
    )


def _shipped(parcels: Iterable[ParcelNode]) -> dict[str, int]:
    units: dict[str, int] = {}
    for parcel in parcels:
        if parcel.status in SHIPPED_STATES:
            for row in parcel.fulfillment_line_items.nodes:
                line_id = number(row.line_item.id)
                units[line_id] = units.get(line_id, 0) + (row.quantity or 0)
    return units


def _parcels(parcels: Iterable[ParcelNode]) -> Iterator[ParcelFacts]:
    for parcel in parcels:
        if parcel.status in SHIPPED_STATES:
            ways = [(way.company or "", way.number or "", way.url or "") for way in parcel.tracking_info]
            yield ParcelFacts(
                parcel_id=number(parcel.id),
                ways=tuple(ways),
                shipped_at=_instant(parcel.created_at),
                expected_at=_instant(parcel.estimated_delivery_at),
                delivered_at=_instant(parcel.delivered_at),
            )


def _instant(text: str | None) -> Instant | None:
    return instant(text) if text else None


def _refunds(refunds: Iterable[RefundNode]) -> Iterator[RefundFacts]:
    for refund in refunds:
        at = instant(refund.created_at) if refund.created_at else None
        for row in refund.refund_line_items.nodes:
            yield RefundFacts(
                refund_id=number(refund.id),
                line_id=number(row.line_item.id),
                quantity=row.quantity,
                restock=restock_of(row.restock_type),
                restocked=row.restocked and row.location is not None,
                at=at,
            )
