"""Facts of those who wait, each to the part that decides it."""

from __future__ import annotations

from syncd.core.waitlist import (
    ArrivalFact,
    CorrectionFact,
    DeskFact,
    HoldFact,
    LeaveFact,
    MessageFact,
    OfferFact,
    ReleaseFact,
    TicketFact,
    TicketHintFact,
    TicketOutcomeFact,
    WaitFact,
)
from syncd.engine.endings import take_ends
from syncd.engine.offers import take_offer
from syncd.engine.ticketing import take_desk, take_ticket_hint, take_tickets
from syncd.engine.waitlist import (
    take_arrivals,
    take_correction,
    take_holds,
    take_leave,
    take_messages,
    take_release,
    take_waits,
)
from syncd.engine.work import Work

PeopleFact = WaitFact | LeaveFact | ArrivalFact | HoldFact | CorrectionFact | MessageFact | ReleaseFact
WaitingFact = PeopleFact | DeskFact | OfferFact | TicketHintFact | TicketFact | TicketOutcomeFact


def take_waiting(work: Work, fact: WaitingFact, inbox_id: int) -> None:
    """Apply one such fact to the work, or raise `Refused`; `inbox_id` is where it stands in the inbox."""
    match fact:
        case DeskFact():
            take_desk(work, fact)
        case OfferFact():
            take_offer(work, fact)
        case TicketHintFact():
            take_ticket_hint(work, fact)
        case TicketFact():
            take_tickets(work, fact)
        case TicketOutcomeFact():
            take_ends(work, fact)
        case fact:
            _take_people(work, fact, inbox_id)


def _take_people(work: Work, fact: PeopleFact, inbox_id: int) -> None:
    match fact:
        case WaitFact():
            take_waits(work, fact, inbox_id)
        case LeaveFact():
            take_leave(work, fact)
        case ArrivalFact():
            take_arrivals(work, fact)
        case HoldFact():
            take_holds(work, fact)
        case CorrectionFact():
            take_correction(work, fact)
        case MessageFact():
            take_messages(work, fact)
        case ReleaseFact():
            take_release(work, fact)
