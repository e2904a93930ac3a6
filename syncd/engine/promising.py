"""Expected days: they follow from what suppliers will bring, and each change of one is told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from syncd.core.promises import SOON_DAYS, days_of_line, is_soon, news, outlives
from syncd.core.restock import event_of
from syncd.core.terms import SECOND_US, PaymentStatus
from syncd.core.tickets import EventId, MessageKind, TicketState
from syncd.engine.entries import day_start
from syncd.engine.moving import name_of, tell
from syncd.engine.timing import today
from syncd.engine.work import SERVE, Work
from syncd.store import arrivals, open_lines, waiting
from syncd.store.arrivals import OPEN, Arrival
from syncd.store.waiting import Entry

DAY_US = 86_400 * SECOND_US


def promised_day(expected: str, margin_days: int) -> str:
    """Return the day that may be promised: the supplier's with the owner's margin on top; empty where none is known."""
    return (date.fromisoformat(expected) + timedelta(days=margin_days)).isoformat() if expected else ""


def count_down(work: Work) -> None:
    """Take what came in off the purchase orders by which it was expected, the earliest first."""
    for came in work.came_in:
        units = came.posting.on_hand
        served: list[Arrival] = []
        for arrival in arrivals.open_arrivals(work.conn, [came.posting.sku_id]):
            if units > 0 and arrival.location == came.posting.location:
                some = min(units, arrival.missing)
                arrival.received += some
                units -= some
                arrival.state = "received" if arrival.received >= arrival.quantity else OPEN
                served.append(arrival)
        arrivals.save_received(work.conn, served, now=work.now)


def repromise(work: Work, size: int) -> bool:
    """Compute the expected days of so many of a line anew; return whether there was one to be computed."""
    stale = arrivals.next_stale(work.conn)
    if stale is None:
        return False
    line = waiting.line(work.conn, stale.sku_id, limit=size, after=stale.after)
    incoming = arrivals.incoming(work.conn, [stale.sku_id]).get(stale.sku_id, [])
    days = days_of_line(stale.units, [need.units for _, need in line], incoming)
    found = {place.entry_id: day for (place, _), day in zip(line, days, strict=True) if place.day != day}
    waiting.set_days(work.conn, stale.sku_id, found)
    event = event_of("days", str(stale.sku_id), str(stale.since))
    _note(work, [place.entry_id for place, _ in line], event)
    units = stale.units + sum(need.units for _, need in line)
    arrivals.go_on(work.conn, stale.sku_id, line[-1][0] if len(line) == size else None, units)
    work.hints.add(SERVE)
    return True


def _note(work: Work, ids: Sequence[int], event: EventId) -> None:
    """Store what is expected for each of these that wait, and tell those for whom it is news."""
    days = waiting.unlike_expected(work.conn, ids)
    if not days:
        return
    changed = list(waiting.entries(work.conn, days).values())
    day = today(work.now, work.house.waiting.zone)
    told: dict[MessageKind, list[Entry]] = {MessageKind.EXPECTED: [], MessageKind.SLIPPED: []}
    previous: dict[int, dict[str, str]] = {}
    for entry in changed:
        entry.expected = expected = days[entry.id]
        kind = news(promised=entry.promised, expected=expected)
        if kind is not None:
            previous[entry.id] = {"previous": entry.promised}
            entry.promised = expected
            if expected and is_soon((date.fromisoformat(expected) - day).days):
                entry.announced = expected  # this letter announces it
            told[kind].append(entry)
    waiting.save_entries(work.conn, changed)
    for kind, some in told.items():
        tell(work, some, event=event, message=kind, state=TicketState.PENDING, values=previous)
    quiet = [entry for entry in changed if entry.id not in previous]
    tell(work, quiet, event=event, message=None, state=TicketState.PENDING)
    _watch_payments(work, changed)


def _watch_payments(work: Work, entries: Sequence[Entry]) -> None:
    """Warn of orders whose payment is authorised for less time than the goods take."""
    rows = {entry.order_row for entry in entries if entry.order_row is not None and entry.expected}
    stands = open_lines.stands(work.conn, rows)
    for entry in entries:
        stand = stands.get((entry.order_row or 0, entry.line_id))
        start = day_start(entry.expected)
        if stand is None or start is None:
            continue
        holds = outlives(
            PaymentStatus(stand.payment or PaymentStatus.UNKNOWN),
            ordered_at=stand.ordered_at,
            valid_us=work.house.waiting.authorised_us,
            needed_until=start + DAY_US,
        )
        if not holds:
            key = f"{entry.account}:{entry.order_number}"
            name = name_of(entry)
            work.alarm("authorisation_ends", key, account=entry.account, order=name, expected=entry.expected)


def announce(work: Work, size: int) -> bool:
    """Announce at most so many promised days that are near; return whether there was any."""
    first = today(work.now, work.house.waiting.zone)
    last = first + timedelta(days=SOON_DAYS)
    near = waiting.soon(work.conn, first=first.isoformat(), last=last.isoformat(), limit=size)
    by_event: dict[EventId, list[Entry]] = {}
    for entry in near:
        entry.announced = entry.promised
        by_event.setdefault(event_of("soon", str(entry.sku_id), entry.promised), []).append(entry)
    waiting.save_entries(work.conn, near)
    for event, entries in by_event.items():
        tell(work, entries, event=event, message=MessageKind.DUE_SOON, state=TicketState.PENDING)
    return bool(near)
