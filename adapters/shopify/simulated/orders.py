"""How orders come to be, and what happens to them. What that does to stock is in `stock_moves`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any, TypeAlias

from adapters.shopify.simulated.goods import Goods, InventoryItem, Location, gid
from adapters.shopify.simulated.sales import (
    Customer,
    Fulfillment,
    FulfillmentLineItem,
    FulfillmentOrder,
    FulfillmentOrderLineItem,
    LineItem,
    Order,
    Refund,
    RefundLineItem,
    Return,
    ReturnLineItem,
)
from adapters.shopify.simulated.stock_moves import Cut, StockMoves
from syncd.sdk.channel import Clock

Announce = Callable[[str, object], None]
"""Called with a webhook topic and what it is about."""

Shares: TypeAlias = Sequence[tuple[Location, int]]
Kept: TypeAlias = Mapping[InventoryItem, Shares]

_FIRST_ORDER = 5_800_000_000_000
_FIRST_NUMBER = 1001
_GIFT: Mapping[str, Any] = {"key": "gift_message", "value": "To Canary Person, with love"}
"""What a customer wrote: personal data that nobody here may keep."""


class Orders:
    """All orders of the shop; the order that changed last comes last.

    Stock moves name who caused them, for the log: shopper, cancel or person.
    """

    def __init__(self, goods: Goods, clock: Clock, announce: Announce) -> None:
        self._moves = StockMoves(goods, clock)
        self._clock = clock
        self._announce = announce
        self._ids = count(_FIRST_ORDER)
        self._numbers = count(_FIRST_NUMBER)
        self.by_number: dict[int, Order] = {}
        self.parts: dict[str, object] = {}
        """Everything that has a global id, orders apart."""

    # --- placing ---------------------------------------------------------------------------------------------------

    def place(
        self,
        wanted: Sequence[tuple[InventoryItem, int]],
        *,
        paid: bool = True,
        test: bool = False,
        attributes: Sequence[Mapping[str, Any]] = (),
        kept: Kept = MappingProxyType({}),
    ) -> Order | None:
        """Sell these goods, or None when the shop shows too little of one; goods that may be oversold always sell.

        What is `kept` for the buyer, by item and location, is taken from there.
        """
        needs: dict[InventoryItem, int] = {}
        for item, quantity in wanted:
            needs[item] = needs.get(item, 0) + quantity
        if any(item not in kept and not self._moves.sells(item, quantity) for item, quantity in needs.items()):
            return None
        now = self._clock.now()
        number = next(self._ids)
        order = Order(
            id=gid("Order", number),
            legacy_resource_id=number,
            number=next(self._numbers),
            created_at=now,
            updated_at=now,
            customer=Customer(id=gid("Customer", number + 1)),
            display_financial_status="PAID" if paid else "PENDING",
            test=test,
            custom_attributes=[*attributes, _GIFT],
        )
        self.by_number[number] = order
        for item, quantity in wanted:
            self._add_line(order, item, quantity, kept.get(item))
        self._tell(order, "orders/create", *(("orders/paid",) if paid else ()), "orders/updated")
        return order

    def _add_line(self, order: Order, item: InventoryItem, quantity: int, kept: Shares | None) -> None:
        number = next(self._ids)
        identity = gid("LineItem", number)
        route = kept or self._moves.route(item, quantity)
        line = LineItem(
            id=identity,
            legacy_resource_id=number,
            order=order,
            item=item,
            quantity=quantity,
            origin=max(route, key=lambda share: share[1])[0],
        )
        order.lines.append(line)
        for location, units in route:
            work = self._work_at(order, location)
            entry = FulfillmentOrderLineItem(
                id=gid("FulfillmentOrderLineItem", next(self._ids)),
                line_item=line,
                total_quantity=units,
                remaining_quantity=units,
            )
            work.line_items.append(entry)
            self._remember(line, entry)
            taken, reserved = (0, -units) if kept else (-units, 0)
            self._moves.move(item, location, source="shopper", available=taken, committed=units, reserved=reserved)

    def _work_at(self, order: Order, location: Location) -> FulfillmentOrder:
        known = (work for work in order.fulfillment_orders if work.location is location and work.status == "OPEN")
        work = next(known, None)
        if work is None:
            now = self._clock.now()
            identity = gid("FulfillmentOrder", next(self._ids))
            work = FulfillmentOrder(id=identity, order=order, location=location, created_at=now, updated_at=now)
            order.fulfillment_orders.append(work)
            self._remember(work)
        return work

    # --- what happens after ----------------------------------------------------------------------------------------

    def pay(self, order: Order) -> None:
        """Book the money of a pending order."""
        order.display_financial_status = "PAID"
        self._tell(order, "orders/paid", "orders/updated")

    def ship(
        self, order: Order, units: dict[LineItem, int] | None = None, *, company: str = "", number: str = ""
    ) -> list[Fulfillment]:
        """Ship units per line, or all that is owed, in one parcel per location; answers the parcels."""
        left = dict(units) if units is not None else {line: line.unfulfilled_quantity for line in order.lines}
        parcels = [self._ship_from(work, left, company=company, number=number) for work in order.fulfillment_orders]
        sent = [parcel for parcel in parcels if parcel is not None]
        if sent:
            whole = order.display_fulfillment_status == "FULFILLED"
            order.closed_at = self._clock.now() if whole else None
            self._tell(order, "orders/fulfilled" if whole else "orders/partially_fulfilled", "orders/updated")
            for parcel in sent:
                self._announce("fulfillments/create", parcel)
        return sent

    def _ship_from(
        self, work: FulfillmentOrder, left: dict[LineItem, int], *, company: str, number: str
    ) -> Fulfillment | None:
        chosen = [
            (entry, units)
            for entry in work.line_items
            if (units := min(entry.remaining_quantity, left.get(entry.line_item, 0)))
        ]
        if not chosen:
            return None
        parcel = self._parcel(work, company=company, number=number)
        for entry, units in chosen:
            left[entry.line_item] -= units
            entry.remaining_quantity -= units
            entry.line_item.fulfilled += units
            packed = FulfillmentLineItem(
                id=gid("FulfillmentLineItem", next(self._ids)), line_item=entry.line_item, quantity=units
            )
            parcel.line_items.append(packed)
            self._remember(packed)
            self._moves.move(entry.line_item.item, work.location, source="shopper", committed=-units)
        self._moves.settle(work)
        return parcel

    def _parcel(self, work: FulfillmentOrder, *, company: str, number: str) -> Fulfillment:
        now = self._clock.now()
        identity = next(self._ids)
        parcel = Fulfillment(
            id=gid("Fulfillment", identity),
            legacy_resource_id=identity,
            name=f"{work.order.name}.{len(work.order.fulfillments) + 1}",
            order=work.order,
            location=work.location,
            created_at=now,
            updated_at=now,
            company=company or "Yamato (JA)",
            number=number or str(identity),
        )
        work.order.fulfillments.append(parcel)
        self._remember(parcel)
        return parcel

    def cancel(self, order: Order, *, reason: str, restock: bool, staff_note: str | None = None) -> None:
        """Cancel all that was not shipped; it becomes a refund of its lines, with or without stock."""
        kind = "CANCEL" if restock else "NO_RESTOCK"
        owed = [(line, line.unfulfilled_quantity) for line in order.lines]
        self._take_off(order, [Cut(line=line, quantity=units, restock_type=kind) for line, units in owed if units])
        now = self._clock.now()
        order.cancelled_at, order.closed_at = now, now
        order.cancel_reason, order.staff_note = reason, staff_note
        order.display_financial_status = "VOIDED" if order.display_financial_status == "PENDING" else "REFUNDED"
        for work in order.fulfillment_orders:
            work.status = "CLOSED"
        self._tell(order, "orders/cancelled", "orders/updated")

    def refund(self, order: Order, cuts: Sequence[Cut], *, note: str | None = None) -> Refund:
        """Refund these units; none at all is a refund of money only."""
        refund = self._take_off(order, cuts, note=note)
        whole = not any(line.current_quantity for line in order.lines)
        if order.display_financial_status != "PENDING":  # where no money came, none goes back
            order.display_financial_status = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
        self._announce("refunds/create", refund)
        self._tell(order, "orders/updated")
        return refund

    def _take_off(self, order: Order, cuts: Iterable[Cut], *, note: str | None = None) -> Refund:
        identity = next(self._ids)
        refund = Refund(
            id=gid("Refund", identity),
            legacy_resource_id=identity,
            order=order,
            created_at=self._clock.now(),
            note=note,
        )
        for cut in cuts:
            for units, location in self._moves.take_off(cut):
                identity = next(self._ids)
                entry = RefundLineItem(
                    id=gid("RefundLineItem", identity),
                    legacy_resource_id=identity,
                    line_item=cut.line,
                    quantity=units,
                    restock_type=cut.restock_type,
                    location=location,
                )
                refund.line_items.append(entry)
        order.refunds.append(refund)
        self._remember(refund)
        return refund

    def send_back(self, order: Order) -> Return | None:
        """Open a return of all that was shipped; None where nothing was."""
        packed = [entry for parcel in order.fulfillments for entry in parcel.line_items]
        if not packed:
            return None
        identity = next(self._ids)
        back = Return(
            id=gid("Return", identity),
            legacy_resource_id=identity,
            name=f"{order.name}-R{len(order.returns) + 1}",
            order=order,
            created_at=self._clock.now(),
        )
        for entry in packed:
            line = ReturnLineItem(
                id=gid("ReturnLineItem", next(self._ids)), fulfillment_line_item=entry, quantity=entry.quantity
            )
            back.line_items.append(line)
            self._remember(line)
        order.returns.append(back)
        self._remember(back)
        self._announce("returns/approve", back)
        self._tell(order, "orders/updated")
        return back

    def receive(self, back: Return, *, restock: bool) -> Refund:
        """Close a return that arrived: its units are refunded, and are stock again or not."""
        kind = "RETURN" if restock else "NO_RESTOCK"
        for line in back.line_items:
            line.processed_quantity = line.quantity
        back.status, back.closed_at = "CLOSED", self._clock.now()
        self._announce("returns/close", back)
        lines = [(entry.fulfillment_line_item.line_item, entry.quantity) for entry in back.line_items]
        cuts = [Cut(line=line, quantity=units, restock_type=kind) for line, units in lines]
        return self.refund(back.order, cuts, note=back.name)

    def relocate(self, work: FulfillmentOrder, location: Location) -> None:
        """Move what one location owes to another one; the merchant does this by hand."""
        source = work.location
        for entry in work.line_items:
            units, item = entry.remaining_quantity, entry.line_item.item
            self._moves.move(item, source, source="person", available=units, committed=-units)
            self._moves.move(item, location, source="person", available=-units, committed=units)
        work.location = location
        self._announce("fulfillment_orders/moved", (work, source))
        self._tell(work.order, "orders/updated")

    # --- shared ----------------------------------------------------------------------------------------------------

    def _remember(self, *parts: object) -> None:
        for part in parts:
            self.parts[part.id] = part  # type: ignore[attr-defined]  # every part has a global id

    def _tell(self, order: Order, *topics: str) -> None:
        order.updated_at = self._clock.now()
        self.by_number[order.legacy_resource_id] = self.by_number.pop(order.legacy_resource_id)
        for topic in topics:
            self._announce(topic, order)
