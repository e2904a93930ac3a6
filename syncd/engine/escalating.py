"""Tickets that are for a person: found by what customers write and by amounts, marked at the desk, released again.

While one is escalated its letters go out as drafts alone (`engine.sending`), and the time rules leave it alone. Who
waits for goods is served all the same: only the talking is a person's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import msgspec

from syncd.core import escalation
from syncd.core.escalation import DAY_US, Limits, Reason, priority
from syncd.core.terms import AccountId
from syncd.core.tickets import DeskId, EventId, Sign, Ticket, TicketId, TicketStatus
from syncd.engine.work import Hint, Work
from syncd.settings import Escalation as Settings
from syncd.store import changes, escalations, tickets, waiting
from syncd.store.changes import Content
from syncd.store.escalations import Escalation, Heard
from syncd.store.tickets import KnownTicket
from syncd.store.waiting import Entry

AT_THE_DESK: Final = "the mark was taken away at the desk"
WORDS: Final[Mapping[Reason, str]] = {
    Reason.LEGAL: "法律に関わる語 / words of the law",
    Reason.ANGER: "お怒り / anger",
    Reason.AMOUNT: "高額注文 / order amount",
    Reason.REPEAT: "繰り返しのお問い合わせ / repeat contact",
    Reason.DESK: "デスクでの指定 / marked at the desk",
}
RELEASED: Final = "syncd: 自動送信を再開します / letters go out by themselves again"
_LIVE: Final = frozenset({TicketStatus.OPEN, TicketStatus.WAITING})
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(slots=True, kw_only=True)
class _Files:
    """What is known of the tickets that are judged, and of the others of their entries."""

    entries: Mapping[int, Entry]
    siblings: Mapping[int, Sequence[KnownTicket]]
    inbound: Mapping[int, Sequence[Heard]]
    escalations: list[Escalation] = field(default_factory=list)

    def tickets_of(self, ticket: KnownTicket) -> Sequence[KnownTicket]:
        """Return a ticket with the others of its entry."""
        others = self.siblings.get(ticket.entry_id, ()) if ticket.entry_id is not None else ()
        return others or (ticket,)

    def of(self, ticket: KnownTicket) -> list[Escalation]:
        """Return the escalations of a ticket and of its entry."""
        return [
            one
            for one in self.escalations
            if one.ticket_row == ticket.id or (one.entry_id is not None and one.entry_id == ticket.entry_id)
        ]


def judge_tickets(work: Work, desk: DeskId, news: Sequence[Ticket], before: Mapping[TicketId, KnownTicket]) -> None:
    """Note what customers wrote, and find the tickets that are for a person; `before` is how they were known."""
    after = tickets.by_remote(work.conn, desk, [ticket.ticket_id for ticket in news])
    escalations.heard(
        work.conn,
        [(after[one.ticket_id].id, told.at, told.signs) for one in news for told in one.inbound],
        now=work.now,
    )
    mine = [(ticket, after[ticket.ticket_id]) for ticket in news if _is_ours(ticket, after[ticket.ticket_id])]
    if not mine:
        return
    files = _files(work, [known for _, known in mine])
    for ticket, known in mine:
        was = before.get(ticket.ticket_id)
        _judge(work, ticket, known, files, was_marked=was is not None and was.escalated)


def _is_ours(ticket: Ticket, known: KnownTicket) -> bool:
    """Say whether a ticket is one of those who wait; others of the shop's are left alone."""
    return known.entry_id is not None or ticket.state is not None or bool(known.agent)


def _files(work: Work, known: Collection[KnownTicket]) -> _Files:
    entry_ids = {ticket.entry_id for ticket in known if ticket.entry_id is not None}
    siblings = tickets.of_entries(work.conn, entry_ids)
    rows = {ticket.id for ticket in known} | {one.id for some in siblings.values() for one in some}
    return _Files(
        entries=waiting.entries(work.conn, entry_ids),
        siblings=siblings,
        inbound=escalations.inbound(work.conn, rows),
        escalations=escalations.of(work.conn, entry_ids=entry_ids, ticket_rows=rows),
    )


def _judge(work: Work, ticket: Ticket, known: KnownTicket, files: _Files, *, was_marked: bool) -> None:
    found = files.of(known)
    open_ = next((one for one in found if one.released_at is None), None)
    if open_ is not None and was_marked and not ticket.escalated:
        release(work, open_, actor=f"desk:{known.desk}", note=AT_THE_DESK)
        return
    if ticket.status not in _LIVE:
        return
    reasons = _reasons(work, ticket, known, files, released=[one for one in found if one.released_at is not None])
    if ticket.escalated and not was_marked and open_ is None:
        reasons = reasons or frozenset({Reason.DESK})
    if open_ is None and reasons:
        open_ = _open(work, known.entry_id, known.id, reasons)
        files.escalations.append(open_)
        _tell(work, open_, desk=known.desk, ticket=known.ticket_id)
    elif open_ is not None and (reasons - open_.reasons or open_.entry_id != known.entry_id):
        more = bool(reasons - open_.reasons)
        open_.reasons |= reasons
        open_.priority = priority(open_.reasons)
        open_.entry_id = known.entry_id
        escalations.save(work.conn, [open_])
        if more:
            _tell(work, open_, desk=known.desk, ticket=known.ticket_id)
    if open_ is not None:
        _mark(work, open_, files.tickets_of(known))


def _reasons(
    work: Work, ticket: Ticket, known: KnownTicket, files: _Files, *, released: Collection[Escalation]
) -> frozenset[Reason]:
    """Say why a person has to answer; what was there when one released it last is no reason again."""
    rules = work.house.waiting
    if rules.escalation is None:
        return frozenset()
    since = max((one.released_at or 0 for one in released), default=0)
    heard = [one for row in files.tickets_of(known) for one in files.inbound.get(row.id, ()) if one.heard_at > since]
    entry = None if known.entry_id is None else files.entries.get(known.entry_id)
    amount, currency = (ticket.amount, ticket.currency) if entry is None else (entry.amount, entry.currency)
    return escalation.reasons(
        signs=[sign for one in heard for sign in one.signs],
        amount="" if released else amount,
        currency=currency,
        touched=escalation.contacts([one.at for one in heard], since=work.now - rules.escalation.window_us),
        limits=rules.escalation,
    )


def weigh(work: Work, entry: Entry, signs: Iterable[Sign] = ()) -> None:
    """Let a new entry be for a person where its amount, or what its customer wrote, demands it."""
    limits = work.house.waiting.escalation
    if limits is None:
        return
    found = escalation.reasons(signs=signs, amount=entry.amount, currency=entry.currency, limits=limits)
    if found:
        _tell(work, _open(work, entry.id, None, found), desk=DeskId(""), ticket=TicketId(""))


def _open(work: Work, entry_id: int | None, ticket_row: int | None, found: frozenset[Reason]) -> Escalation:
    return escalations.add(
        work.conn, entry_id=entry_id, ticket_row=ticket_row, reasons=found, priority=priority(found), now=work.now
    )


def _tell(work: Work, one: Escalation, *, desk: DeskId, ticket: TicketId) -> None:
    """Raise the alert and the event of an escalation; neither says what the customer wrote."""
    names = [reason.value for reason in sorted(one.reasons)]
    entry = None if one.entry_id is None else waiting.entries(work.conn, [one.entry_id]).get(one.entry_id)
    about = ticket or ("" if entry is None else entry.order_number or f"{entry.source} {entry.id}")
    work.alarm("escalated", str(one.id), id=one.id, ticket=about, reasons=", ".join(names), priority=one.priority.value)
    body = {"id": one.id, "desk": desk, "ticket": ticket, "entry": one.entry_id, "reasons": names}
    work.emit("ticket.escalated", key=str(one.id), body=_ENCODER.encode({**body, "priority": one.priority.value}))


# --- at the desk -----------------------------------------------------------------------------------------------------


def note_of(reasons: Collection[Reason]) -> str:
    """Return what an agent is told: the kinds of reasons, and never the customer's words."""
    told = "、".join(WORDS[reason] for reason in sorted(reasons))
    return f"syncd: 担当者が対応してください。自動返信は停止中です / for a person, no automatic letters: {told}"


def _mark(work: Work, one: Escalation, marked: Iterable[KnownTicket]) -> None:
    """Have these tickets marked; once for each set of reasons. What the desk marked itself is left as it is there."""
    if one.reasons == {Reason.DESK}:
        return
    event = EventId("-".join(["escalate", str(one.id), *sorted(one.reasons)]))
    content = Content(priority=one.priority.value, note=note_of(one.reasons), escalated=True)
    _change(work, one, marked, event, content)


def _change(work: Work, one: Escalation, changed: Iterable[KnownTicket], event: EventId, content: Content) -> None:
    new = [
        changes.of_ticket(desk=ticket.desk, ticket_row=ticket.id, event=event, entry_id=one.entry_id, content=content)
        for ticket in changed
        if not ticket.frozen
    ]
    changes.add(work.conn, new, limit=work.house.waiting.most_messages, now=work.now)
    work.hints.update((AccountId(change.desk), Hint.WRITE) for change in new)


# --- released --------------------------------------------------------------------------------------------------------


def release(work: Work, one: Escalation, *, actor: str, note: str) -> None:
    """Let a ticket be answered by itself again, and have its marks taken away."""
    one.released_at, one.actor, one.note = work.now, actor, note
    escalations.save(work.conn, [one])
    of_entry = tickets.of_entries(work.conn, [one.entry_id]).get(one.entry_id, []) if one.entry_id is not None else []
    alone = tickets.by_id(work.conn, [one.ticket_row]) if one.ticket_row is not None else {}
    its = {ticket.id: ticket for ticket in (*of_entry, *alone.values())}
    _change(work, one, its.values(), EventId(f"release-{one.id}"), Content(note=RELEASED, escalated=False))
    work.calm("escalated", str(one.id))
    body = {"id": one.id, "entry": one.entry_id, "actor": actor}
    work.emit("ticket.released", key=str(one.id), body=_ENCODER.encode(body))


def escalation_limits(rules: Settings) -> Limits | None:
    """Return from where on a person answers by the settings, None where nothing of it is looked for."""
    if not rules.enabled:
        return None
    return Limits(
        amounts={currency: Decimal(str(amount)) for currency, amount in rules.amounts.items()},
        contacts=rules.contacts,
        window_us=rules.contact_days * DAY_US,
    )
