"""What order lines and claims of Qoo10 mean for stock: pure.

    status 1     not paid yet (入金待ち): its units are committed all the same
    status 2, 3  paid, and confirmed with a ship-by date (新規注文, 配送準備)
    status 4, 5  shipped, delivered (配送中, 配送完了)
    claim 3, 16  cancelled, cancelled because nobody paid (取消完了, 未入金取消)
    claim 6      came back (返品完了)

(QAPI guide for Japan, GetShippingInfo_v3 and GetClaimInfo_V3, 2026.) One row is one order line with its own number;
the lines of one purchase share a cart number (PackNo), which is the order here. A late shipment (配送遅延) is a view of
the seller's screen, no status. When Qoo10 takes units off its own number, at the order or at the payment, and whether
it puts them back after a cancel, is not told: takes and gives are as wide as that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from adapters.qoo10 import goods
from adapters.qoo10.wire import SECOND_US, Row, day_start, digit, japan
from syncd.sdk.channel import (
    CancelledBy,
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
from syncd.sdk.errors import ProtocolError

BEFORE_US = 2_000_000
"""Stock may move just before the record of it is made."""
SETTLE_US = 60_000_000
"""And some time after it."""

UNPAID, NEW, CONFIRMED, SHIPPED, DELIVERED = 1, 2, 3, 4, 5
STATUSES: Final = (UNPAID, NEW, CONFIRMED, SHIPPED, DELIVERED)

CANCEL_ASKED, CANCELLING, CANCELLED = 1, 2, 3
RETURN_ASKED, RETURNING, RETURNED = 4, 5, 6
LOST, NEVER_PAID = 14, 16
CLAIMS: Final = (CANCEL_ASKED, CANCELLING, CANCELLED, RETURN_ASKED, RETURNING, RETURNED, LOST, NEVER_PAID)
FINAL: Final = frozenset({CANCELLED, RETURNED, LOST, NEVER_PAID})
"""Claims that nothing follows any more; the others may be taken back."""
CANCELS: Final = frozenset({CANCEL_ASKED, CANCELLING, CANCELLED, NEVER_PAID})
"""Claims before shipping; the others are of goods that were shipped."""
_CANCELLED: Final = frozenset({CANCELLED, NEVER_PAID})
_GIVING: Final = frozenset({CANCELLING, CANCELLED, NEVER_PAID})
_NO_STOCK: Final = ("在庫", "品切")
_WORDS: Final = {
    "取消要請": CANCEL_ASKED,
    "取消中": CANCELLING,
    "取消完了": CANCELLED,
    "返品要請": RETURN_ASKED,
    "返品中": RETURNING,
    "返品完了": RETURNED,
    "未受取払戻完了": LOST,
    "未入金取消": NEVER_PAID,
}
_RETURNS: Final = {
    RETURN_ASKED: ReturnStatus.REQUESTED,
    RETURNING: ReturnStatus.IN_PROGRESS,
    RETURNED: ReturnStatus.RETURNED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim of one line. `quantity` is of how many units, None where it is not told."""

    order_no: str
    pack_no: str
    kind: int
    quantity: int | None
    asked: Span | None
    done: Span | None
    for_want_of_stock: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One order line as Qoo10 states it. `related` are the numbers of all lines of its cart, as far as it tells."""

    order_no: str
    pack_no: str
    status: int
    label: str
    item: str
    seller_code: str
    option_code: str
    option_words: str
    quantity: int
    ordered: Span
    paid: Span | None
    ship_by: date | None
    total: str
    currency: str
    related: tuple[str, ...]
    carrier: str = ""
    tracking: str = ""
    shipped: Span | None = None
    delivered: Span | None = None


# --- what is read ----------------------------------------------------------------------------------------------------


def line(row: Row) -> Line:
    """Read an order line, of either version of the method; nothing of the buyer is read."""
    label = row.needed("ShippingStatus")
    status = digit(label)
    if status not in STATUSES:
        raise ProtocolError("Qoo10: an order line with a status that is not known")
    ordered = row.moment("OrderDate")
    if ordered is None:
        raise ProtocolError("Qoo10: an order line without the time of its order")
    ship_by = row.moment("EstimatedShippingDate", "EstShippingDate", "EstShipDt")
    order_no = row.needed("OrderNo")
    return Line(
        order_no=order_no,
        pack_no=row.text("PackNo") or order_no,
        status=status,
        label=label,
        item=row.text("ItemNo", "ItemCode"),
        seller_code=row.text("SellerItemCode", "SellerCode"),
        option_code=row.text("OptionCode"),
        option_words=row.text("Option"),
        quantity=row.number("OrderQty"),
        ordered=ordered,
        paid=row.moment("PaymentDate"),
        ship_by=None if ship_by is None else japan(ship_by.earliest).date(),
        total=row.text("Total"),
        currency=row.text("Currency"),
        related=tuple(part for part in row.text("RelatedOrder").replace(",", " ").split() if part.isdigit()),
        carrier=row.text("DeliveryCompany"),
        tracking=row.text("TrackingNo", "InvoiceNo"),
        shipped=_told(row, "ShippingDate"),
        delivered=_told(row, "DeliveredDate"),
    )


def _told(row: Row, name: str) -> Span | None:
    """Return a time that nothing of the stock hangs on: one in a layout that is not known is none."""
    try:
        return row.moment(name)
    except ProtocolError:
        return None


def claim(row: Row, *, kind: int | None = None) -> Claim | None:
    """Read the claim of a row; `kind` is what was asked for. None where the row tells of none that matters."""
    found = kind if kind is not None else _kind(row.text("claimStatus"))
    if found not in CLAIMS:
        return None
    reason = row.text("reason")
    return Claim(
        order_no=row.needed("OrderNo"),
        pack_no=row.text("PackNo"),
        kind=found,
        quantity=_claimed(row),
        asked=row.moment("requestDate"),
        done=row.moment("cancelRefundDate"),
        for_want_of_stock=any(word in reason for word in _NO_STOCK),
    )


def _kind(label: str) -> int | None:
    return digit(label) if digit(label) is not None else _WORDS.get(label)


def _claimed(row: Row) -> int | None:
    """Return how many units a claim is of; where it counts a part, the part: units that are owed stay committed."""
    whole = row.number("OrderQty") if row.text("OrderQty") else None
    part = row.number("nrPartRefundCnt") if row.text("nrPartRefundCnt") else 0
    return part if part > 0 and (whole is None or part < whole) else whole


# --- what it means ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A line with its claims: `cancel` takes it back, `back` sends it back.

    `paid_by` is when it was paid at the latest, None while it is not.
    """

    line: Line
    cancel: Claim | None = None
    back: Claim | None = None
    paid_by: Instant | None = None

    @property
    def cancelled(self) -> int:
        """The units that will never ship; a line that has left the house whole is not cancelled any more."""
        if self.cancel is None or self.cancel.kind not in _CANCELLED:
            return 0
        units = _units(self.cancel, self.line.quantity)
        return 0 if self.line.status >= SHIPPED and units == self.line.quantity else units

    @property
    def shipped(self) -> int:
        """The units that left the house: what is not cancelled ships together."""
        return self.line.quantity - self.cancelled if self.line.status >= SHIPPED else 0

    @property
    def open(self) -> bool:
        """Say whether units are left to be shipped."""
        return self.cancelled + self.shipped < self.line.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Customs:
    """What differs from shop to shop.

    `returns_sellable` says whether returned goods may be sold again, `restore_us` is for how long after a complete
    cancel Qoo10 may put its units back.
    """

    returns_sellable: bool = False
    restore_us: int = 86_400 * SECOND_US


Naming = Callable[[Line], str]
"""Says which listing a line was bought from."""


def snapshot(
    lines: Sequence[Known], *, naming: Naming, read_at: Instant, customs: Customs, fresh: bool = False
) -> OrderSnapshot:
    """Return the order that these lines of one cart make; there is at least one."""
    stated = [known.line for known in lines]
    return OrderSnapshot(
        order_id=stated[0].pack_no,
        number=stated[0].pack_no,
        version=None,
        read_at=read_at,
        ordered_at=min(line.ordered.earliest for line in stated),
        lines=tuple(_order_line(known, naming=naming, customs=customs) for known in lines),
        cancelled=all(known.cancelled == known.line.quantity for known in lines),
        closed=not any(known.open for known in lines),
        fresh=fresh,
        payment=_payment(lines),
        payment_raw=_words(line.label for line in stated),
        fulfilment=_fulfilment(lines),
        fulfilment_raw=_words(line.label for line in stated),
        returns=_returns(lines),
        returns_raw=_words(
            f"ClaimStat({claim.kind})" for known in lines for claim in (known.cancel, known.back) if claim
        ),
        amount=_amount(stated),
        currency=stated[0].currency or "JPY",
        delivery=_delivery(lines),
    )


def _delivery(lines: Sequence[Known]) -> Delivery:
    """Return the parcels: lines that went under one number are one; and the first day that is promised and not kept."""
    sent = [known.line for known in lines if known.line.status >= SHIPPED]
    parcels = {f"{line.carrier}/{line.tracking}" if line.tracking else line.order_no: line for line in sent}
    days = [known.line.ship_by for known in lines if known.open and known.line.ship_by is not None]
    return Delivery(
        shipments=tuple(_shipment(name, line) for name, line in parcels.items()),
        ship_by=day_start(min(days) + timedelta(days=1)) if days else None,
    )


def _shipment(name: str, line: Line) -> Shipment:
    return Shipment(
        shipment_id=name,
        carrier=line.carrier,
        number=line.tracking,
        shipped_at=None if line.shipped is None else line.shipped.earliest,
        delivered_at=None if line.delivered is None else line.delivered.earliest,
    )


def _order_line(known: Known, *, naming: Naming, customs: Customs) -> OrderLine:
    stated, cancel, back = known.line, known.cancel, known.back
    phantom = cancel is not None and cancel.kind == CANCELLED and cancel.for_want_of_stock
    came_back = back is not None and back.kind == RETURNED
    return OrderLine(
        line_id=stated.order_no,
        remote_id=naming(stated),
        remote_sku=goods.sku(stated.option_code, stated.seller_code, stated.item),
        quantity=stated.quantity,
        cancelled=known.cancelled,
        cancelled_as=Comeback.PHANTOM if phantom else Comeback.SELLABLE,
        cancelled_by=_cancelled_by(cancel),
        shipped=known.shipped,
        returned=min(_units(back, stated.quantity), known.shipped) if came_back else 0,
        returned_as=Comeback.SELLABLE if customs.returns_sellable else Comeback.DAMAGED,
        take=_take(known),
        gives=_gives(known, customs.restore_us),
    )


def _cancelled_by(claim: Claim | None) -> CancelledBy:
    """Return whose doing a cancel was, where its kind or its reason says so."""
    if claim is not None and claim.kind == NEVER_PAID:
        return CancelledBy.BUYER
    mine = claim is not None and claim.kind == CANCELLED and claim.for_want_of_stock
    return CancelledBy.SELLER if mine else CancelledBy.UNKNOWN


def _units(claim: Claim | None, most: int) -> int:
    return most if claim is None or claim.quantity is None else min(claim.quantity, most)


def _take(known: Known) -> Span:
    """Return when Qoo10 took the units: at the order, at the payment, or in between; open while it is not paid."""
    ordered = known.line.ordered
    paid_at = known.paid_by
    latest = None if paid_at is None else max(paid_at, ordered.latest or 0) + SETTLE_US
    return Span(earliest=ordered.earliest - BEFORE_US, latest=latest)


def _gives(known: Known, restore_us: int) -> tuple[Give, ...]:
    """Return what Qoo10 may put back after a cancel; whether it does, and when, is not told."""
    claim, stated = known.cancel, known.line
    if claim is None or claim.kind not in _GIVING or stated.status >= SHIPPED:
        return ()
    told = [span.earliest for span in (claim.asked, claim.done) if span is not None]
    done = None if claim.done is None else claim.done.latest
    latest = None if done is None else done + restore_us
    span = Span(earliest=min(told or [stated.ordered.earliest]) - BEFORE_US, latest=latest)
    return (Give(give_id=f"cancel-{stated.order_no}", quantity=_units(claim, stated.quantity), span=span),)


def _payment(lines: Sequence[Known]) -> PaymentStatus:
    kinds = {known.cancel.kind for known in lines if known.cancel is not None and known.cancelled}
    if all(known.cancelled == known.line.quantity for known in lines):
        return PaymentStatus.VOIDED if kinds == {NEVER_PAID} else PaymentStatus.REFUNDED
    if any(known.line.status == UNPAID and not known.cancelled for known in lines):
        return PaymentStatus.PENDING
    return PaymentStatus.PARTIALLY_REFUNDED if kinds - {NEVER_PAID} else PaymentStatus.PAID


def _fulfilment(lines: Sequence[Known]) -> FulfilmentStatus:
    shipped = sum(known.shipped for known in lines)
    if all(known.cancelled == known.line.quantity for known in lines):
        return FulfilmentStatus.CANCELLED
    if not shipped:
        return FulfilmentStatus.UNFULFILLED
    return FulfilmentStatus.PARTIALLY_FULFILLED if any(known.open for known in lines) else FulfilmentStatus.FULFILLED


def _returns(lines: Sequence[Known]) -> ReturnStatus:
    """Return the furthest that a return of any line has come."""
    kinds = {known.back.kind for known in lines if known.back is not None}
    found = [status for kind, status in _RETURNS.items() if kind in kinds]
    if found:
        return found[-1]
    return ReturnStatus.UNKNOWN if LOST in kinds else ReturnStatus.NONE


def _amount(lines: Sequence[Line]) -> str:
    """Return the sum of the lines in yen; `""` where one of them does not tell it in whole yen."""
    totals = [line.total.replace(",", "").removesuffix(".00") for line in lines]
    return str(sum(map(int, totals))) if all(total.isascii() and total.isdigit() for total in totals) else ""


def _words(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))
