"""How it stands with an entry: which state follows from its order, and which message a change of state is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from syncd.core.terms import PaymentStatus
from syncd.core.tickets import MessageKind, TicketState

MESSAGE_OF: Final[Mapping[TicketState, MessageKind]] = {
    TicketState.RESTOCKED: MessageKind.RESTOCKED,
    TicketState.CANCELLED: MessageKind.CANCELLED,
    TicketState.REFUNDED: MessageKind.REFUNDED,
}
"""What a customer is told when a state is reached; of a shipment the channel tells by itself."""

ENDED: Final = frozenset({TicketState.SHIPPED, TicketState.REFUNDED})
"""States after which nothing follows."""

_UNPAID: Final = frozenset({PaymentStatus.PENDING, PaymentStatus.AUTHORIZED, PaymentStatus.VOIDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LineNow:
    """The order line of an entry as it is stored now, quantities cumulative; `lacks` are its missing units."""

    quantity: int
    cancelled: int
    shipped: int
    lacks: int
    payment: PaymentStatus

    @property
    def outstanding(self) -> int:
        """Return the units that are still to be shipped."""
        return max(0, self.quantity - self.cancelled - self.shipped)


def state_of(line: LineNow) -> TicketState:
    """Return the state that follows from an order line.

    A refund counts as soon as the channel states it of the whole order, or of a part and nothing of this line ships.
    """
    gone = line.outstanding == 0 and line.shipped == 0
    if line.payment is PaymentStatus.REFUNDED or (line.payment is PaymentStatus.PARTIALLY_REFUNDED and gone):
        return TicketState.REFUNDED
    if gone:
        return TicketState.CANCELLED
    if line.outstanding == 0:
        return TicketState.SHIPPED
    return TicketState.PENDING if line.lacks else TicketState.RESTOCKED


def ends(state: TicketState, payment: PaymentStatus) -> bool:
    """Say whether an entry with an order is done: a cancelled one only where there is nothing to refund."""
    return state in ENDED or (state is TicketState.CANCELLED and payment in _UNPAID)


def may_move(before: TicketState, after: TicketState) -> bool:
    """Say whether a ticket may go from one state to another.

    Back to pending only from restocked (the units were promised elsewhere, or a count was corrected) or from cancelled
    (the order was reopened); nothing leaves shipped but a refund, and nothing leaves refunded.
    """
    return after in _NEXT[before]


_NEXT: Final[Mapping[TicketState, frozenset[TicketState]]] = {
    TicketState.PENDING: frozenset(TicketState) - {TicketState.PENDING},
    TicketState.RESTOCKED: frozenset(TicketState) - {TicketState.RESTOCKED},
    TicketState.SHIPPED: frozenset({TicketState.REFUNDED}),
    TicketState.CANCELLED: frozenset({TicketState.PENDING, TicketState.RESTOCKED, TicketState.REFUNDED}),
    TicketState.REFUNDED: frozenset(),
}
