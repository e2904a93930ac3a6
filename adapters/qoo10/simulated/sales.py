"""What shoppers bought: carts of lines, each line with its own status, and the claims about them.

Facts (QAPI guide, GetShippingInfo_v3 and GetClaimInfo_V3, 2026; manuals of Japanese order management systems): a line
has an OrderNo and belongs to a cart by its PackNo; lines move 1 入金待ち, 2 新規注文, 3 配送準備, 4 配送中, 5
配送完了; a claim stands on one line. That Qoo10 lowers its number when an order comes in, and raises it after a
cancel, is an assumption that has knobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

from adapters.qoo10.simulated.goods import Item, Row
from syncd.sdk.channel import Instant
from syncd.testing.shelf import Good
from syncd.testing.trade import Receipt, ReceiptLine


class Status(IntEnum):
    """The shipping status of a line."""

    UNPAID = 1
    REQUESTED = 2
    CONFIRMED = 3
    SENT = 4
    DELIVERED = 5


class ClaimStatus(IntEnum):
    """How far a claim is."""

    CANCEL_ASKED = 1
    CANCEL_UNDER_WAY = 2
    CANCELLED = 3
    RETURN_ASKED = 4
    RETURN_UNDER_WAY = 5
    RETURNED = 6
    EXCHANGE_ASKED = 11
    EXCHANGE_APPROVED = 12
    SENT_AGAIN = 13
    REFUSED_AT_THE_DOOR = 14
    SAME_PART = 15
    NEVER_PAID = 16


@dataclass(slots=True, eq=False, kw_only=True)
class Claim:
    """One claim about `units` of a line. `told_at` is since when the claim reader has it as it is."""

    status: ClaimStatus
    units: int
    requested_at: Instant
    told_at: Instant
    reason: str = ""
    done_at: Instant | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Line:
    """One line; quantities are cumulative. What was sold is kept as it was then: an option may change later."""

    order_no: int
    pack_no: int
    good: Good
    item: Item
    row: Row | None
    quantity: int
    price: int
    ordered_at: Instant
    told_at: Instant
    status: Status = Status.UNPAID
    paid_at: Instant | None = None
    ships_on: date | None = None
    sent_at: Instant | None = None
    delivered_at: Instant | None = None
    carrier: str = ""
    tracking: str = ""
    cancelled: int = 0
    returned: int = 0
    claims: list[Claim] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Return the units that are neither shipped nor cancelled, nor about to be cancelled."""
        asked = sum(claim.units for claim in self.claims if claim.status in _OPEN_CANCELS)
        return 0 if self.status >= Status.SENT else self.quantity - self.cancelled - asked

    @property
    def is_listed(self) -> bool:
        """Say whether searches by status have it: not once all of it is cancelled."""
        return self.cancelled < self.quantity


_OPEN_CANCELS = frozenset({ClaimStatus.CANCEL_ASKED, ClaimStatus.CANCEL_UNDER_WAY})


def receipt(lines: Iterable[Line]) -> Receipt:
    """Return a cart as the control API tells it."""
    rows = list(lines)
    number = str(rows[0].pack_no)
    return Receipt(order_id=number, number=number, lines=tuple(_receipt_line(line) for line in rows))


def _receipt_line(line: Line) -> ReceiptLine:
    sent = line.status >= Status.SENT
    return ReceiptLine(
        sku=line.good.sku,
        quantity=line.quantity,
        ref=line.good.ref,
        cancelled=line.cancelled,
        shipped=line.quantity - line.cancelled if sent else 0,
    )
