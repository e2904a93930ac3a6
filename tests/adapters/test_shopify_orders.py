"""What orders of Shopify mean: tables of lines and refunds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shopify import orders, wire
from adapters.shopify.orders import LineFacts, OrderFacts, RefundFacts, Restock
from syncd.sdk.channel import Comeback, FulfilmentStatus, Give, OrderLine, PaymentStatus, ReturnStatus, Span

S = 1_000_000
CREATED = wire.instant("2026-11-22T00:00:00Z")
LINE = LineFacts(line_id="11", item_id="501", sku="TEE", ordered=3, current=3, owed=3)
ORDER = OrderFacts(
    order_id="1",
    number="#1001",
    created_at=CREATED,
    updated_at=CREATED + 60 * S,
    cancelled=False,
    closed=False,
    confirmed=True,
    test=False,
    payment="PAID",
    fulfilment="UNFULFILLED",
    returns="NO_RETURN",
    lines=(LINE,),
    shipped={},
    refunds=(),
)


def refund(
    quantity: int,
    restock: Restock,
    *,
    refund_id: str = "71",
    restocked: bool = True,
    at: int | None = CREATED + 30 * S,
) -> RefundFacts:
    return RefundFacts(
        refund_id=refund_id, line_id="11", quantity=quantity, restock=restock, restocked=restocked, at=at
    )


def line_of(facts: OrderFacts) -> OrderLine:
    (line,) = orders.snapshot(facts, read_at=CREATED).lines
    return line


CANCEL, RETURN, NONE, LEGACY = Restock.CANCEL, Restock.RETURN, Restock.NO_RESTOCK, Restock.LEGACY_RESTOCK

QUANTITIES = [
    # what happened, current, owed, shipped, refunds, cancelled whole -> cancelled, shipped, returned
    ("placed", 3, 3, 0, [], False, (0, 0, 0)),
    ("shipped in part", 3, 2, 1, [], False, (0, 1, 0)),
    ("shipped", 3, 0, 3, [], False, (0, 3, 0)),
    ("one unit cancelled", 2, 2, 0, [refund(1, CANCEL)], False, (1, 0, 0)),
    ("one unit lost", 2, 2, 0, [refund(1, NONE)], False, (1, 0, 0)),
    ("all lost", 0, 0, 0, [refund(3, NONE)], False, (3, 0, 0)),
    ("a shipped unit refunded, not sent back", 2, 2, 1, [refund(1, NONE)], False, (0, 1, 0)),
    ("an unshipped unit refunded without restock, one shipped", 2, 1, 1, [refund(1, NONE)], False, (1, 1, 0)),
    ("a shipped unit came back", 2, 0, 3, [refund(1, RETURN)], False, (0, 3, 1)),
    ("one back, one cancelled", 1, 0, 2, [refund(1, RETURN), refund(1, CANCEL)], False, (1, 2, 1)),
    ("more back than was shipped", 0, 0, 1, [refund(3, RETURN)], False, (2, 1, 1)),
    ("old restock before shipping", 2, 2, 0, [refund(1, LEGACY)], False, (1, 0, 0)),
    ("old restock after shipping", 2, 0, 3, [refund(1, LEGACY)], False, (0, 3, 1)),
    ("units taken off by an edit", 1, 1, 0, [], False, (2, 0, 0)),
    ("cannot be shipped, not refunded", 3, 0, 0, [], False, (0, 0, 0)),
    ("cancelled whole", 0, 0, 0, [refund(3, CANCEL)], True, (3, 0, 0)),
    ("cancelled whole, refunds unknown", 3, 3, 0, [], True, (3, 0, 0)),
    ("cancelled whole after one was shipped", 1, 0, 1, [refund(2, CANCEL)], True, (2, 1, 0)),
    ("more shipped than ordered", 3, 0, 5, [], False, (0, 3, 0)),
    ("money only", 3, 3, 0, [refund(0, NONE)], False, (0, 0, 0)),
]


@pytest.mark.parametrize(("what", "current", "owed", "shipped", "refunds", "whole", "expected"), QUANTITIES)
def test_units_are_counted(
    what: str,
    current: int,
    owed: int,
    shipped: int,
    refunds: list[RefundFacts],
    whole: bool,
    expected: Any,
) -> None:
    """Of what Shopify states of a line follow its cancelled, shipped and returned units."""
    facts = replace(
        ORDER,
        cancelled=whole,
        lines=(replace(LINE, current=current, owed=owed),),
        shipped={"11": shipped},
        refunds=tuple(refunds),
    )
    line = line_of(facts)
    assert (line.cancelled, line.shipped, line.returned) == expected, what
    assert line.quantity == 3


@given(
    ordered=st.integers(0, 5),
    current=st.integers(-1, 6),
    owed=st.integers(-1, 6),
    shipped=st.integers(0, 7),
    whole=st.booleans(),
    refunds=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(list(Restock)), st.booleans()), max_size=4),
)
def test_units_never_exceed_the_line(
    ordered: int,
    current: int,
    owed: int,
    shipped: int,
    whole: bool,
    refunds: list[Any],
) -> None:
    """However odd the numbers, a line never ships and cancels more than was ordered, nor returns more than shipped."""
    facts = replace(
        ORDER,
        cancelled=whole,
        lines=(replace(LINE, ordered=ordered, current=current, owed=owed),),
        shipped={"11": shipped},
        refunds=tuple(refund(units, kind, restocked=back) for units, kind, back in refunds),
    )
    line = line_of(facts)
    assert min(line.cancelled, line.shipped, line.returned) >= 0
    assert line.cancelled + line.shipped <= line.quantity
    assert line.returned <= line.shipped
    assert all(give.quantity > 0 for give in line.gives)


COMEBACKS = [
    ([], Comeback.SELLABLE),
    ([refund(1, CANCEL)], Comeback.SELLABLE),
    ([refund(1, NONE)], Comeback.PHANTOM),
    ([refund(1, CANCEL), refund(1, NONE, refund_id="72", at=CREATED + 40 * S)], Comeback.PHANTOM),
    ([refund(1, NONE), refund(1, CANCEL, refund_id="72", at=CREATED + 40 * S)], Comeback.SELLABLE),
    ([refund(1, CANCEL), refund(1, NONE)], Comeback.PHANTOM),
]


@pytest.mark.parametrize(("refunds", "expected"), COMEBACKS)
def test_last_refund_says_what_cancelled_units_are(refunds: list[RefundFacts], expected: Comeback) -> None:
    """Units are free again when their refund restocked them, gone when it did not; the last refund speaks."""
    left = 3 - sum(entry.quantity for entry in refunds)
    line = line_of(replace(ORDER, lines=(replace(LINE, current=left, owed=left),), refunds=tuple(refunds)))
    assert line.cancelled_as is expected


def test_refund_of_shipped_units_does_not_lose_cancelled_ones() -> None:
    """Units cancelled with restock stay free when a shipped unit is later refunded without one."""
    refunds = (refund(1, CANCEL), refund(1, NONE, refund_id="72", at=CREATED + 90 * S))
    facts = replace(ORDER, lines=(replace(LINE, current=1, owed=0),), shipped={"11": 2}, refunds=refunds)
    line = line_of(facts)
    assert (line.cancelled, line.cancelled_as) == (1, Comeback.SELLABLE)


def test_units_are_taken_as_the_order_is_made() -> None:
    """The take of a line is the second in which the order was made, with a little room on both sides."""
    assert line_of(ORDER).take == Span(earliest=CREATED - S, latest=CREATED + 2 * S)


def test_unconfirmed_order_may_still_take() -> None:
    """An order whose units are not reserved may take them at any time."""
    assert line_of(replace(ORDER, confirmed=False)).take == Span(earliest=CREATED - S, latest=None)


def test_untracked_item_takes_and_gives_nothing() -> None:
    """A line of an item whose stock Shopify does not track stays a line, without effect on a level."""
    facts = replace(ORDER, lines=(replace(LINE, tracked=False),), refunds=(refund(1, CANCEL),))
    assert (line_of(facts).take, line_of(facts).gives) == (None, ())


def gave(first_s: int, last_s: int) -> list[Give]:
    span = Span(earliest=CREATED + first_s * S, latest=CREATED + last_s * S)
    return [Give(give_id="refund-71", quantity=2, span=span)]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (refund(2, CANCEL), gave(29, 40)),
        (refund(2, RETURN), gave(29, 40)),
        (refund(2, CANCEL, restocked=False), []),
        (refund(2, NONE), []),
        (refund(2, CANCEL, at=None), gave(-1, 70)),
    ],
)
def test_restocking_refund_gives(entry: RefundFacts, expected: list[Give]) -> None:
    """What Shopify put back is a give of that refund, at its time or, unknown, within the order's life."""
    assert list(line_of(replace(ORDER, refunds=(entry,))).gives) == expected


def test_rows_of_one_refund_are_one_give() -> None:
    """A refund that restocks a line at two locations is one give."""
    line = line_of(replace(ORDER, refunds=(refund(1, CANCEL), refund(2, CANCEL))))
    assert [(give.give_id, give.quantity) for give in line.gives] == [("refund-71", 3)]


def test_lines_without_stock_are_left_out() -> None:
    """A tip or a custom item has no item and no SKU and is no line; a deleted product's line still has its SKU."""
    lines = (LINE, replace(LINE, line_id="12", item_id="", sku=""), replace(LINE, line_id="13", item_id=""))
    found = orders.snapshot(replace(ORDER, lines=lines), read_at=CREATED).lines
    assert [(line.line_id, line.remote_id, line.remote_sku) for line in found] == [
        ("11", "501", "TEE"),
        ("13", "", "TEE"),
    ]
    assert found[1].take is None


STATUSES = [
    ({"payment": "", "fulfilment": "UNFULFILLED"}, PaymentStatus.UNKNOWN, FulfilmentStatus.UNFULFILLED),
    ({"payment": "EXPIRED", "fulfilment": "ON_HOLD"}, PaymentStatus.PENDING, FulfilmentStatus.ON_HOLD),
    ({"payment": "NEWER_WORD", "fulfilment": "NEWER_WORD"}, PaymentStatus.UNKNOWN, FulfilmentStatus.UNKNOWN),
    ({"fulfilment": "UNFULFILLED", "cancelled": True}, PaymentStatus.PAID, FulfilmentStatus.CANCELLED),
    ({"fulfilment": "FULFILLED", "cancelled": True}, PaymentStatus.PAID, FulfilmentStatus.FULFILLED),
]


@pytest.mark.parametrize(("changes", "payment", "fulfilment"), STATUSES)
def test_statuses_are_unified(changes: dict[str, Any], payment: PaymentStatus, fulfilment: FulfilmentStatus) -> None:
    """Shopify's words become ours, its own are kept, and a word that is not known is unknown."""
    found = orders.snapshot(replace(ORDER, **changes), read_at=CREATED)
    assert (found.payment, found.fulfilment) == (payment, fulfilment)
    assert found.fulfilment_raw == changes["fulfilment"]


def test_snapshot_has_what_orders_it() -> None:
    """A snapshot is ordered by the time of its last change, and says when it was read and whether for its own sake."""
    found = orders.snapshot(replace(ORDER, returns="RETURN_REQUESTED"), read_at=CREATED + 99, fresh=True)
    assert (found.version, found.read_at, found.fresh) == (CREATED + 60 * S, CREATED + 99, True)
    assert found.returns is ReturnStatus.REQUESTED
