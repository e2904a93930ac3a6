"""How it stands with an entry."""

from __future__ import annotations

from itertools import product

import pytest

from syncd.core.standing import MESSAGE_OF, LineNow, ends, may_move, state_of
from syncd.core.terms import PaymentStatus as P
from syncd.core.tickets import TicketState as S


@pytest.mark.parametrize(
    ("quantity", "cancelled", "shipped", "lacks", "payment", "state"),
    [
        (2, 0, 0, 2, P.PAID, S.PENDING),
        (2, 0, 0, 1, P.PAID, S.PENDING),
        (2, 0, 0, 0, P.PAID, S.RESTOCKED),
        (2, 0, 1, 1, P.PAID, S.PENDING),
        (2, 0, 1, 0, P.PAID, S.RESTOCKED),
        (2, 0, 2, 0, P.PAID, S.SHIPPED),
        (2, 1, 1, 0, P.PAID, S.SHIPPED),
        (2, 1, 1, 0, P.PARTIALLY_REFUNDED, S.SHIPPED),
        (2, 2, 0, 0, P.PAID, S.CANCELLED),
        (2, 2, 0, 0, P.VOIDED, S.CANCELLED),
        (2, 2, 0, 0, P.PARTIALLY_REFUNDED, S.REFUNDED),
        (2, 2, 0, 0, P.REFUNDED, S.REFUNDED),
        (2, 0, 2, 0, P.REFUNDED, S.REFUNDED),
    ],
)
def test_the_state_follows_from_the_order_line(
    quantity: int, cancelled: int, shipped: int, lacks: int, payment: P, state: S
) -> None:
    """Refunded before cancelled before shipped before what is missing or there."""
    line = LineNow(quantity=quantity, cancelled=cancelled, shipped=shipped, lacks=lacks, payment=payment)
    assert state_of(line) is state


def test_a_cancelled_entry_waits_for_its_refund() -> None:
    """An entry ends when it shipped, was refunded, or was cancelled with nothing paid."""
    assert [ends(state, P.PAID) for state in S] == [False, False, True, False, True]
    assert [payment for payment in P if ends(S.CANCELLED, payment)] == [P.PENDING, P.AUTHORIZED, P.VOIDED]


def test_only_sensible_moves_are_made() -> None:
    """Nothing moves to where it is, nothing leaves refunded, and shipped goes only to refunded."""
    allowed = {(before, after) for before, after in product(S, S) if may_move(before, after)}
    assert not any(before is after for before, after in allowed)
    assert {after for before, after in allowed if before is S.SHIPPED} == {S.REFUNDED}
    assert not any(before is S.REFUNDED for before, _ in allowed)
    assert {(S.RESTOCKED, S.PENDING), (S.CANCELLED, S.PENDING), (S.PENDING, S.SHIPPED)} <= allowed


def test_of_a_shipment_the_channel_tells() -> None:
    """Restocked, cancelled and refunded have a message of ours; pending and shipped have none."""
    assert set(MESSAGE_OF) == {S.RESTOCKED, S.CANCELLED, S.REFUNDED}
