"""Decide how changes of tickets ended: done, to be made again, to be looked up, or for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from syncd.core.retry import RetryRule, delay_s
from syncd.core.terms import SECOND_US, AccountId, OutcomeKind
from syncd.core.tickets import TicketId, TicketState, TicketStatus
from syncd.core.waitlist import ChangeEnd, TicketOutcomeFact
from syncd.engine.moving import catch_up
from syncd.engine.work import SERVE, Hint, Work
from syncd.store import changes, tickets, waiting
from syncd.store.changes import Change, ChangeKind, ChangeState, Ended, NewChange
from syncd.store.tickets import KnownTicket

CLOSED = "closed"
GONE = "gone"
RULE = RetryRule(first_s=5.0, factor=2.0, most_s=600.0)
_OPEN = (ChangeState.WAITING, ChangeState.INTENDED, ChangeState.INDETERMINATE)


def take_ends(work: Work, fact: TicketOutcomeFact) -> None:
    """Take the ends of changes; an end that is told twice changes nothing."""
    found = changes.by_keys(work.conn, [end.key for end in fact.ends])
    pairs = [(found[end.key], end) for end in fact.ends if end.key in found and found[end.key].state in _OPEN]
    known = tickets.by_id(work.conn, [change.ticket_row for change, _ in pairs if change.ticket_row is not None])
    ends = [_ended(work, change, end, fact.again_s) for change, end in pairs]
    changes.end(work.conn, ends)
    applied = [(change, end) for change, end in pairs if end.kind is OutcomeKind.APPLIED]
    _note_applied(work, applied)
    _note_told(work, applied, known)
    for change, end in pairs:
        _follow_up(work, change, end, known)
    catch_up(work, [change for (change, _), one in zip(pairs, ends, strict=True) if one.state not in _OPEN])
    work.hints.update({(AccountId(fact.desk), Hint.WRITE), SERVE})


def _ended(work: Work, change: Change, end: ChangeEnd, again_s: float) -> Ended:
    """Return how a change goes on."""
    state, attempts, due_at = ChangeState.APPLIED, change.attempts, work.now
    match end.kind:
        case OutcomeKind.APPLIED:
            pass
        case OutcomeKind.ACCEPTED | OutcomeKind.INDETERMINATE:
            state = ChangeState.UNSURE if end.final else ChangeState.INDETERMINATE
            due_at = work.now + int(again_s * SECOND_US)
        case OutcomeKind.STALE | OutcomeKind.UNSENT:
            state, attempts = ChangeState.WAITING, attempts + 1
            wait_s = delay_s(attempts, rule=RULE, retry_after_s=again_s, draw=0.0)
            due_at = work.now + int(wait_s * SECOND_US)
        case OutcomeKind.REJECTED:
            state = ChangeState.REJECTED
    ended_at = None if state in _OPEN else work.now
    return Ended(id=change.id, state=state, due_at=due_at, attempts=attempts, reason=end.reason, ended_at=ended_at)


def _note_applied(work: Work, applied: Sequence[tuple[Change, ChangeEnd]]) -> None:
    """Note what tickets show now, and the tickets that were opened."""
    states = {
        change.ticket_row: TicketState(change.content.state)
        for change, _ in applied
        if change.ticket_row is not None and change.content.state
    }
    tickets.set_states(work.conn, states)
    marks = {
        change.ticket_row: change.content.escalated
        for change, _ in applied
        if change.ticket_row is not None and change.content.escalated is not None
    }
    tickets.set_marks(work.conn, marks)
    opened = [_opened(work, change, end) for change, end in applied if change.kind is ChangeKind.CREATE]
    tickets.save(work.conn, [row for row in opened if row is not None])


def _opened(work: Work, change: Change, end: ChangeEnd) -> dict[str, Any] | None:
    if change.desk in work.house.rules or not end.ticket_id:
        return None  # a channel's own message leaves no ticket
    content = change.content
    return {
        "desk": change.desk,
        "ticket_id": end.ticket_id,
        "entry_id": change.entry_id,
        "status": TicketStatus.OPEN.value,
        "state": content.state,
        "sku": content.sku,
        "quantity": content.quantity or 1,
        "order_number": content.order_number,
        "language": content.language,
        "reachable": True,
        "agent": "",
        "version": end.version,
        "read_at": work.now,
        "asked_at": None,
        "replied_at": None,
        "created_at": work.now,
        "follow_up_of": content.follow_up_of,
    }


def _note_told(work: Work, applied: Sequence[tuple[Change, ChangeEnd]], known: dict[int, KnownTicket]) -> None:
    """Note who was told what. A task for an agent is no message: nobody counts as told by it."""
    entries = waiting.entries(work.conn, {c.entry_id for c, _ in applied if c.message and c.entry_id is not None})
    rows, told = [], []
    for change, _ in applied:
        if not change.message:
            continue
        entry = None if change.entry_id is None else entries.get(change.entry_id)
        route = route_of(work, change, contact=entry is not None and entry.contact_id is not None, known=known)
        row: dict[str, Any] = {"key": f"{change.key}:{change.message}", "event": change.event}
        row |= {"kind": change.message, "language": change.content.language, "route": route}
        rows.append(row | {"entry_id": change.entry_id, "ticket_row": change.ticket_row, "at": work.now})
        if entry is not None and route != AGENT:
            entry.told_at = work.now
            told.append(entry)
    changes.told(work.conn, rows)
    waiting.save_entries(work.conn, told)


AGENT = "agent"


def route_of(work: Work, change: Change, *, contact: bool, known: dict[int, KnownTicket]) -> str:
    """Return by which way a customer is reached: the desk's requester, the channel itself, or an agent who must."""
    if change.drafted:
        return AGENT
    if AccountId(change.desk) in work.house.rules:
        return "channel"
    if change.kind is ChangeKind.CREATE:
        return "desk" if contact or change.content.follow_up_of else AGENT
    ticket = None if change.ticket_row is None else known.get(change.ticket_row)
    return "desk" if ticket is not None and ticket.reachable else AGENT


def _follow_up(work: Work, change: Change, end: ChangeEnd, known: dict[int, KnownTicket]) -> None:
    """Do what follows from an end that is not a plain one."""
    ticket = None if change.ticket_row is None else known.get(change.ticket_row)
    match end.kind:
        case OutcomeKind.STALE if ticket is not None:
            work.want_orders(AccountId(change.desk), [ticket.ticket_id])
        case OutcomeKind.REJECTED if end.reason == CLOSED and ticket is not None:
            _open_again(work, change, ticket.ticket_id)
        case OutcomeKind.REJECTED:
            work.alarm("ticket_refused", change.key, desk=change.desk, reason=end.reason, ticket=end.ticket_id)
        case OutcomeKind.INDETERMINATE if end.final:
            work.alarm("message_unsure", change.key, desk=change.desk, ticket=end.ticket_id, letter=change.message)
        case _:
            pass


def _open_again(work: Work, change: Change, ticket_id: TicketId) -> None:
    """Open a ticket that follows a closed one, with what the closed one was to get."""
    if not (change.message or change.content.state):
        return  # a mark or a note is of no use on a new ticket alone
    new = NewChange(
        desk=change.desk,
        key=f"{change.key}:again",
        event=change.event,
        kind=ChangeKind.CREATE,
        entry_id=change.entry_id,
        ticket_row=None,
        message=change.message,
        content=replace(change.content, follow_up_of=ticket_id),
    )
    changes.add(work.conn, [new], limit=work.house.waiting.most_messages, now=work.now)
