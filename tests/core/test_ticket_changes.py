"""What a change states of a ticket, and what becomes of its priority."""

from __future__ import annotations

import pytest

from syncd.core.terms import Sku
from syncd.core.tickets import EventId, Priority, TicketChange, TicketId


def test_only_what_is_stated_is_a_field() -> None:
    """What a change leaves out is none of its fields; an empty text and a mark taken away are."""
    change = TicketChange(
        ticket_id=TicketId("1"), event=EventId("e"), sku=Sku("TEA"), expected="", escalated=False, note="seen"
    )
    assert change.fields() == {"sku": "TEA", "expected": "", "escalated": False}


@pytest.mark.parametrize(
    ("wanted", "escalated", "there", "then"),
    [
        (None, None, "high", "high"),
        ("low", None, "high", "low"),
        ("low", True, "high", "high"),
        ("urgent", True, "high", "urgent"),
        ("low", False, "high", "low"),
    ],
)
def test_an_escalation_never_lowers_a_priority(wanted: str | None, then: str, there: str, *, escalated: bool) -> None:
    """A change sets the priority it states; one that marks a ticket for a person only raises it."""
    priority = None if wanted is None else Priority(wanted)
    change = TicketChange(ticket_id=TicketId("1"), event=EventId("e"), priority=priority, escalated=escalated)
    assert change.raised(Priority(there)) == then
