"""Decide what desks say: tickets as they are now, and how our changes of them ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.core.facts import AccountState
from syncd.core.mentions import Doubt, Meaning, meaning, wanted
from syncd.core.restock import event_of
from syncd.core.standing import may_move
from syncd.core.terms import AccountId, Instant
from syncd.core.tickets import DeskId, EventId, Ticket, TicketId, TicketState, TicketStatus
from syncd.core.waitlist import DeskFact, TicketFact, TicketHintFact
from syncd.engine.entries import entry_values, join_line, way_to_buy
from syncd.engine.escalating import judge_tickets
from syncd.engine.moving import content_of, move
from syncd.engine.stock import Refused
from syncd.engine.waitlist import end_entries
from syncd.engine.work import Hint, Work
from syncd.store import accounts, changes, ledger, tickets, waiting
from syncd.store.changes import Content, NewChange
from syncd.store.ledger import KnownSku
from syncd.store.tickets import KnownTicket
from syncd.store.waiting import Entry

NOTES: Mapping[Doubt, str] = {
    Doubt.SEVERAL_ORDERS: "syncd: these numbers fit several orders; put the right one into the order field",
    Doubt.SEVERAL_LINES: "syncd: the order has several goods; put the SKU that is meant into the SKU field",
    Doubt.SEVERAL_GOODS: "syncd: it may be about several goods; put the SKU into its field, or answer by hand",
}
"""What an agent is told where syncd does not guess."""


def take_desk(work: Work, fact: DeskFact) -> None:
    """Release or pause sending; what was written before the first release stays for a person to look through."""
    known = tickets.desks(work.conn).get(fact.desk)
    if known is None:
        raise Refused(f"there is no desk {fact.desk}; see `syncd desk status`")
    state = AccountState.LIVE if fact.live else AccountState.PAUSED
    values: dict[str, Any] = {"state": state.value, "reason": fact.reason, "since": work.now}
    if fact.live and known.first_live_at is None:
        values["first_live_at"] = work.now
        changes.hold_all(work.conn, fact.desk, reason="written before sending was released")
    tickets.set_desk(work.conn, fact.desk, values)
    work.hints.add((AccountId(fact.desk), Hint.WRITE))


def take_ticket_hint(work: Work, fact: TicketHintFact) -> None:
    """Have tickets read."""
    work.want_orders(AccountId(fact.desk), fact.ticket_ids)


def take_tickets(work: Work, fact: TicketFact) -> None:
    """Take tickets as they are stated: join them to those who wait, and let an agent's word on one count."""
    known = tickets.by_remote(work.conn, fact.desk, [ticket.ticket_id for ticket in fact.tickets])
    newest = {ticket.ticket_id: ticket for ticket in sorted(fact.tickets, key=_age)}
    news = [ticket for ticket in newest.values() if _is_news(ticket, known.get(ticket.ticket_id))]
    tickets.save(work.conn, [_row(fact.desk, ticket, known.get(ticket.ticket_id), work.now) for ticket in news])
    after = tickets.by_remote(work.conn, fact.desk, [ticket.ticket_id for ticket in news])
    _join(work, [(ticket, after[ticket.ticket_id]) for ticket in news if _is_loose(after[ticket.ticket_id])])
    _follow(work, news, known)
    judge_tickets(work, fact.desk, news, known)
    if fact.cursor is None:
        ids = [ticket.ticket_id for ticket in fact.tickets]
        read_at = min((ticket.read_at for ticket in fact.tickets), default=work.now)
        accounts.fetched(work.conn, AccountId(fact.desk), ids, read_at=read_at)
    else:
        tickets.set_desk(work.conn, fact.desk, {"cursor": fact.cursor, "read_at": work.now})


def _age(ticket: Ticket) -> tuple[int, int]:
    return (ticket.version or 0, ticket.read_at)


def _is_news(ticket: Ticket, known: KnownTicket | None) -> bool:
    return known is None or _age(ticket) >= (known.version or 0, known.read_at)


def _is_loose(ticket: KnownTicket) -> bool:
    return ticket.entry_id is None and not ticket.frozen


def _row(desk: DeskId, ticket: Ticket, known: KnownTicket | None, now: Instant) -> dict[str, Any]:
    solved_at, rated_at = _ends(ticket, known, now)
    return {
        "desk": desk,
        "ticket_id": ticket.ticket_id,
        "entry_id": None if known is None else known.entry_id,
        "status": ticket.status.value,
        "state": "" if ticket.state is None else ticket.state.value,
        "sku": ticket.sku or "",
        "quantity": ticket.quantity,
        "order_number": ticket.order_number,
        "language": "" if ticket.language is None else ticket.language.value,
        "reachable": ticket.reachable,
        "agent": "" if known is None else known.agent,
        "version": ticket.version,
        "read_at": ticket.read_at,
        "asked_at": ticket.asked_at,
        "replied_at": ticket.replied_at or (None if known is None else known.replied_at),
        "created_at": ticket.created_at,
        "follow_up_of": ticket.follow_up_of or "",
        "escalated": ticket.escalated,
        "solved_at": solved_at,
        "rating": "" if ticket.rating is None else ticket.rating.value,
        "rated_at": rated_at,
    }


def _ends(ticket: Ticket, known: KnownTicket | None, now: Instant) -> tuple[Instant | None, Instant | None]:
    """Return when a ticket was solved last, and when its rating was first seen.

    Where the desk does not tell, it is solved from the change on that is first seen to be so; a ticket that was solved
    before it was ever seen has no such time.
    """
    before = None if known is None else known.solved_at
    solved_at = ticket.solved_at or before
    fresh = known is not None and known.status not in _DONE
    if ticket.status in _DONE and ticket.solved_at is None and fresh:
        solved_at = ticket.version or now
    if ticket.rating is None:
        return solved_at, None
    if known is not None and known.rating == ticket.rating.value:
        return solved_at, known.rated_at
    return solved_at, ticket.version or now


_DONE = frozenset({TicketStatus.SOLVED, TicketStatus.CLOSED})


# --- whom a ticket is about ----------------------------------------------------------------------------------------


def _join(work: Work, loose: Sequence[tuple[Ticket, KnownTicket]]) -> None:
    """Join tickets to the entries of orders that they name, or make entries for those that wait for a SKU."""
    if not loose:
        return
    words = {ticket.ticket_id: _words(ticket) for ticket, _ in loose}
    orders = tickets.mentioned(work.conn, wanted(word for some in words.values() for word in some))
    skus = ledger.skus_by_code(work.conn, {ticket.sku for ticket, _ in loose if ticket.sku})
    new: list[NewChange] = []
    for ticket, known in loose:
        told = meaning(words[ticket.ticket_id], orders, sku=ticket.sku if ticket.sku in skus else None)
        if told.order is not None and told.line_id:
            new.append(_join_order(work, known, told))
        elif told.doubt is not None:
            new += _ask_agent(work, known, told.doubt)
        elif ticket.sku is None and len(ticket.skus) > 1 and ticket.state is TicketState.PENDING:
            new += _ask_agent(work, known, Doubt.SEVERAL_GOODS)
        elif ticket.sku in skus and ticket.state is TicketState.PENDING:
            _join_sku(work, ticket, known, skus[ticket.sku])
    changes.add(work.conn, new, limit=work.house.waiting.most_messages, now=work.now)
    work.hints.update((AccountId(change.desk), Hint.WRITE) for change in new)


def _words(ticket: Ticket) -> tuple[str, ...]:
    # The field that an agent fills is believed alone; words of the customer count where it is empty.
    return (ticket.order_number,) if ticket.order_number else ticket.order_numbers


def _join_order(work: Work, known: KnownTicket, told: Meaning) -> NewChange:
    """Join a ticket to an order line: to its entry where it is short, and have it show what the ledger knows."""
    order = told.order
    assert order is not None, "the caller checked it"  # noqa: S101  (our own invariant)
    entry = next((e for e in waiting.of_orders(work.conn, [order.order_row]) if e.line_id == told.line_id), None)
    tickets.join(work.conn, known.id, None if entry is None else entry.id)
    code, units = next((code, units) for line_id, code, units in order.lines if line_id == told.line_id)
    if entry is not None:
        content = content_of(entry, code, state=entry.state, note="", values={})
    else:
        content = Content(sku=code, quantity=max(1, units), order_number=order.number)
    event = event_of("join", known.desk, known.ticket_id, str(order.order_row), told.line_id)
    return _plain(known, event, content, entry_id=None if entry is None else entry.id)


def _ask_agent(work: Work, known: KnownTicket, doubt: Doubt) -> list[NewChange]:
    if known.agent == doubt.value:
        return []
    tickets.join(work.conn, known.id, None, agent=doubt.value)
    event = event_of("doubt", known.desk, known.ticket_id, doubt.value)
    return [_plain(known, event, Content(note=NOTES[doubt]), entry_id=None)]


def _plain(known: KnownTicket, event: EventId, content: Content, *, entry_id: int | None) -> NewChange:
    return changes.of_ticket(desk=known.desk, ticket_row=known.id, event=event, entry_id=entry_id, content=content)


def _join_sku(work: Work, ticket: Ticket, known: KnownTicket, sku: KnownSku) -> None:
    """Let a ticket that waits for a SKU without an order stand in its line."""
    account = way_to_buy(work, sku.sku_id, work.house.waiting.homes.get(known.desk))
    if not account:
        return
    created = work.now if ticket.created_at is None else min(ticket.created_at, work.now)
    values = entry_values(
        source=f"desk:{known.desk}",
        key=known.ticket_id,
        sku_id=sku.sku_id,
        quantity=max(1, ticket.quantity),
        state=TicketState.PENDING.value,
        since=created,
        account=account,
        language=known.language,
        amount=ticket.amount,
        currency=ticket.currency,
    )
    number = waiting.add_entry(work.conn, values)
    entry = waiting.by_keys(work.conn, f"desk:{known.desk}", [known.ticket_id])[known.ticket_id]
    tickets.join(work.conn, known.id, entry.id)
    if number is not None:
        join_line(work, entry)


# --- what an agent did ---------------------------------------------------------------------------------------------


def _follow(work: Work, news: Sequence[Ticket], before: Mapping[TicketId, KnownTicket]) -> None:
    """Let entries follow what an agent did at the desk: another state, or a ticket that is gone."""
    joined = {
        known.entry_id: (ticket, known)
        for ticket in news
        if (known := before.get(ticket.ticket_id)) is not None and known.entry_id is not None
    }
    entries = waiting.entries(work.conn, [entry_id for entry_id in joined if entry_id is not None])
    for entry_id, entry in entries.items():
        ticket, known = joined[entry_id]
        if ticket.status is TicketStatus.GONE and entry.order_row is None:
            end_entries(work, [entry], reason="its ticket is gone")
        elif ticket.state is not None and ticket.state not in (known.state, entry.state):
            _move_by_agent(work, entry, ticket.state, known)


def _move_by_agent(work: Work, entry: Entry, state: TicketState, known: KnownTicket) -> None:
    """Take the state that an agent chose, where it is one that syncd cannot know better.

    Whether goods are there is known here alone; of a refund outside the channel only people know.
    """
    if state in (TicketState.PENDING, TicketState.RESTOCKED) or not may_move(entry.state, state):
        return
    event = event_of("agent", known.desk, known.ticket_id, state.value, str(work.now))
    if entry.order_row is None or state is TicketState.REFUNDED:
        if entry.order_row is None:
            end_entries(work, [entry], reason=state.value)
            entry.closed_at = None
        move(work, [entry], state, event=event, silent=True, closed={entry.id: state.value})
