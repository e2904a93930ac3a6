"""Move those who wait from state to state, and have their tickets changed for it: exactly once per event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from syncd.core.standing import MESSAGE_OF, may_move
from syncd.core.terms import SECOND_US, AccountId, Instant, Sku
from syncd.core.tickets import EventId, MessageKind, TicketState
from syncd.engine.work import SERVE, Hint, Work
from syncd.store import changes, tickets, waiting
from syncd.store.changes import Change, ChangeKind, Content, NewChange
from syncd.store.clockwork import Unheard, Waiter
from syncd.store.titles import titles as titles_of
from syncd.store.waiting import Entry

MOST_NAMED = 20
"""Most entries that one alert names."""


def move(
    work: Work,
    entries: Iterable[Entry],
    state: TicketState,
    *,
    event: EventId,
    closed: Mapping[int, str] | None = None,
    silent: bool = False,
    note: str = "",
    values: Mapping[int, Mapping[str, str]] | None = None,
) -> list[Entry]:
    """Let entries be in a state from now on, and have their tickets say so; return those that moved.

    `closed` gives reasons to entries that wait for nothing any more. A `silent` move writes no letter. `values` are
    more words for the letters, by entry.
    """
    moved = become(work, entries, state, event=event, closed=closed)
    message = None if silent else MESSAGE_OF.get(state)
    tell(work, moved, event=event, message=message, state=state, note=note, values=values or {})
    return moved


def become(
    work: Work,
    entries: Iterable[Entry],
    state: TicketState,
    *,
    event: EventId,
    closed: Mapping[int, str] | None = None,
) -> list[Entry]:
    """Let entries be in a state from now on, and tell nobody yet; return those that moved."""
    moved = [entry for entry in entries if entry.closed_at is None and may_move(entry.state, state)]
    for entry in moved:
        entry.state, entry.event = state, event
        if state in (TicketState.RESTOCKED, TicketState.PENDING):
            entry.restocked_at = work.now if state is TicketState.RESTOCKED else None
        if closed and entry.id in closed:
            entry.closed_at, entry.reason = work.now, closed[entry.id]
    waiting.save_entries(work.conn, moved)
    return moved


def tell(
    work: Work,
    entries: Sequence[Entry],
    *,
    event: EventId,
    message: MessageKind | None,
    state: TicketState | None = None,
    note: str = "",
    values: Mapping[int, Mapping[str, str]] | None = None,
) -> None:
    """Have the tickets of entries changed for an event; without a ticket one is opened where there is a letter.

    Where one is being opened for a short order, its new state is told on that one once it is there (`catch_up`).
    """
    if not entries:
        return
    known = tickets.of_entries(work.conn, [entry.id for entry in entries])
    titles = titles_of(work.conn, {entry.sku_id for entry in entries})
    without = [entry.id for entry in entries if state and entry.order_row is not None and not known.get(entry.id)]
    opening = changes.opening_for(work.conn, without)
    new: list[NewChange] = []
    for entry in entries:
        words = letter_values(entry, *titles[entry.sku_id]) | dict((values or {}).get(entry.id, {}))
        content = content_of(entry, titles[entry.sku_id][0], state=state, note=note, values=words)
        mine = known.get(entry.id, ())
        new += [
            changes.of_ticket(
                desk=one.desk, ticket_row=one.id, event=event, entry_id=entry.id, content=content, message=message
            )
            for one in mine
        ]
        if not mine and message is not None and entry.id not in opening:
            new += _opening(work, entry, event, message, content)
    changes.add(work.conn, new, limit=work.house.waiting.most_messages, now=work.now)
    work.hints.update((AccountId(change.desk), Hint.WRITE) for change in new)
    work.hints.add(SERVE)


def catch_up(work: Work, ended: Iterable[Change]) -> None:
    """Tell what became of short orders while their tickets were being opened."""
    opened = {change.entry_id for change in ended if change.kind is ChangeKind.CREATE and change.entry_id is not None}
    opened -= changes.opening_for(work.conn, opened)
    for entry in waiting.entries(work.conn, opened).values():
        if entry.order_row is None or entry.state is TicketState.PENDING:
            continue
        event = EventId(entry.event)
        if event and not changes.has_any(work.conn, entry.id, event):
            tell(work, [entry], event=event, message=MESSAGE_OF.get(entry.state), state=entry.state)


def content_of(entry: Entry, sku: Sku, *, state: TicketState | None, note: str, values: Mapping[str, str]) -> Content:
    """Return what a ticket of an entry is to show."""
    return Content(
        state="" if state is None else state.value,
        sku=sku,
        quantity=entry.quantity,
        order_number=entry.order_number,
        expected=entry.expected,
        amount=entry.amount,
        language=entry.language,
        note=note,
        values=values,
    )


def letter_values(entry: Entry | Waiter | Unheard, sku: str, title: str) -> dict[str, str]:
    """Return the words for letters that every entry has (`core.placeholders`)."""
    return {
        "product": title or sku,
        "quantity": str(entry.quantity),
        "order_number": entry.order_number,
        "expected": entry.expected,
        "amount": entry.amount,
        "currency": entry.currency,
    }


def moment(at: Instant) -> str:
    """Return an instant as letters are given it."""
    return datetime.fromtimestamp(at // SECOND_US, UTC).isoformat()


def _opening(work: Work, entry: Entry, event: EventId, message: MessageKind, content: Content) -> list[NewChange]:
    """Return the way to tell somebody who has no ticket: by the channel itself, or by a ticket that is opened."""
    rules = work.house.waiting
    own = AccountId(entry.account) in rules.writes and bool(entry.order_row or entry.source == INQUIRY)
    desk = entry.account if own else rules.desk
    if desk is None:
        return []
    return [changes.opening(desk=desk, entry_id=entry.id, event=event, content=content, message=message)]


INQUIRY = "inquiry"
"""Source of entries that come from a channel's inquiries; their key is the inquiry's number."""


def take_back(work: Work, entries: Collection[Entry], *, why: str) -> None:
    """Let entries wait again whose units went elsewhere: what was not sent is stopped, who was told is named."""
    again = [entry for entry in entries if entry.state is TicketState.RESTOCKED]
    told: set[int] = set()
    for event in sorted({entry.event for entry in again}):
        ids = [entry.id for entry in again if entry.event == event]
        told |= changes.stop(work.conn, ids, event=event, reason=why, now=work.now)
    unsent = [entry for entry in again if entry.id not in told]
    for entry in unsent:
        entry.state, entry.event, entry.restocked_at = TicketState.PENDING, "", None
    waiting.save_entries(work.conn, unsent)
    sent = [entry for entry in again if entry.id in told]
    event = EventId(f"back{work.now:x}")
    move(work, sent, TicketState.PENDING, event=event, note=why)
    if sent:
        names = ", ".join(name_of(entry) for entry in sent[:MOST_NAMED])
        work.alarm("told_in_vain", event, count=len(sent), names=names, why=why)


def name_of(entry: Entry) -> str:
    """Return what a person finds an entry by; no personal data."""
    return entry.order_number or f"{entry.source} {entry.id}"
