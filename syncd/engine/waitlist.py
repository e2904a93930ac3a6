"""Decide what people and the shop's own systems say of those who wait: entries, arrivals, holds, corrections."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from syncd.core.ledger import MovementKind, Posting
from syncd.core.mentions import meaning, wanted
from syncd.core.terms import SkuId
from syncd.core.tickets import TicketState
from syncd.core.waitlist import (
    ArrivalFact,
    ArrivalRow,
    CorrectionFact,
    HoldFact,
    LeaveFact,
    MessageFact,
    ReleaseFact,
    WaitFact,
    WaitRow,
)
from syncd.engine import offers
from syncd.engine.entries import entry_values, is_day, join_line, way_to_buy
from syncd.engine.escalating import release, weigh
from syncd.engine.holding import SOURCE, close_bought, lift_all
from syncd.engine.promising import promised_day
from syncd.engine.stock import MOST_UNITS, Refused, known_skus, some
from syncd.engine.work import SERVE, Hint, Work
from syncd.store import arrivals, changes, escalations, tickets, waiting
from syncd.store.arrivals import DONE, OPEN, Delivery
from syncd.store.ledger import KnownSku
from syncd.store.waiting import Entry

Row = TypeVar("Row", WaitRow, ArrivalRow)
MOST_WANTED = 1_000
"""Most units that one entry may want: more is a slip of the finger."""


# --- entries -------------------------------------------------------------------------------------------------------


def take_waits(work: Work, fact: WaitFact, inbox_id: int) -> None:
    """Make entries; one whose key is known changes nothing, one that names an order belongs to its line."""
    known = known_skus(work, {row.sku for row in fact.rows})
    _check(fact.rows, lambda row: _wrong_wait(work, row, known[row.sku]))
    named = [row.order_number for row in fact.rows if row.order_number]
    orders = tickets.mentioned(work.conn, wanted(named))
    for row in fact.rows:
        told = meaning([row.order_number], orders, sku=row.sku)
        line = None if told.order is None or not told.line_id else (told.order.order_row, told.line_id)
        if line is not None and any(entry.line_id == line[1] for entry in waiting.of_orders(work.conn, [line[0]])):
            continue
        _add(work, fact.source, row, known[row.sku].sku_id, inbox_id)


def _wrong_wait(work: Work, row: WaitRow, known: KnownSku) -> str:
    if not 1 <= row.quantity <= MOST_WANTED:
        return f"1 to {MOST_WANTED} units"
    if not row.key or len(row.key) > 200:
        return "the key has 1 to 200 characters"
    if not is_day(row.due_on):
        return "the day is written as 2026-12-01"
    return "" if way_to_buy(work, known.sku_id, row.account) else "it is sold on no channel"


def _add(work: Work, source: str, row: WaitRow, sku_id: SkuId, inbox_id: int) -> None:
    values = entry_values(
        source=source,
        key=row.key,
        sku_id=sku_id,
        quantity=row.quantity,
        state=TicketState.PENDING.value,
        since=work.now if row.since is None else min(row.since, work.now),
        account=way_to_buy(work, sku_id, row.account),
        order_number=row.order_number,
        amount=row.amount,
        currency=row.currency,
        language="" if row.language is None else row.language.value,
        due_on=row.due_on,
        contact_id=None if row.contact is None else inbox_id,
    )
    number = waiting.add_entry(work.conn, values)
    if number is not None:
        entry = waiting.entries(work.conn, [number])[number]
        weigh(work, entry, row.signs)
        join_line(work, entry)
        work.hints.add(SERVE)


def take_leave(work: Work, fact: LeaveFact) -> None:
    """End entries: they lack nothing any more, and what was held for them is free."""
    found = waiting.entries(work.conn, fact.ids)
    missing = sorted(set(fact.ids).difference(found))
    if missing:
        raise Refused(f"no entry has the number {', '.join(map(str, missing))}")
    by_key = waiting.by_keys(work.conn, fact.source, fact.keys).values()
    end_entries(work, [*found.values(), *by_key], reason=fact.reason or "left")


def end_entries(work: Work, entries: Iterable[Entry], *, reason: str) -> None:
    """Let entries wait no more: one with an order stays short, but nobody is told of it any more."""
    leaving = [entry for entry in entries if entry.closed_at is None]
    loose = [entry.id for entry in leaving if entry.order_row is None]
    for entry_id, needs in waiting.needs_of(work.conn, loose).items():
        for sku_id in needs:
            waiting.set_units(work.conn, sku_id, {entry_id: 0})
            work.touch(sku_id)
    offers.give_up(work, waiting.holds_of(work.conn, loose), cause=offers.LEFT)
    for entry in leaving:
        entry.closed_at, entry.reason = work.now, reason
    waiting.save_entries(work.conn, leaving)
    for event in {entry.event for entry in leaving if entry.event}:
        ids = [entry.id for entry in leaving if entry.event == event]
        changes.stop(work.conn, ids, event=event, reason=reason, now=work.now)


def take_holds(work: Work, fact: HoldFact) -> None:
    """End holds: the units were bought in private, or a person gives them up."""
    holds = waiting.holds_by_id(work.conn, fact.ids)
    missing = sorted(set(fact.ids).difference(hold.id for hold in holds))
    if missing:
        raise Refused(f"no open hold has the number {', '.join(map(str, missing))}")
    reason = "bought" if fact.bought else "given up"
    if fact.bought:
        offers.recall_of(work, holds, cause=reason)
        lift_all(work, holds, cause=reason)
        close_bought(work, {hold.entry_id for hold in holds}, reason=reason)
    else:
        close_bought(work, offers.give_up(work, holds, cause=reason), reason=reason)


# --- arrivals ------------------------------------------------------------------------------------------------------


def take_arrivals(work: Work, fact: ArrivalFact) -> None:
    """Take what suppliers will bring as it is known now; the expected days of those who wait follow."""
    known = known_skus(work, {row.sku for row in fact.rows})
    _check(fact.rows, lambda row: _wrong_arrival(work, row, known[row.sku]))
    before = arrivals.arrivals(work.conn, {row.number for row in fact.rows})
    rows = []
    for row in fact.rows:
        sku_id = known[row.sku].sku_id
        old = before.get((row.number, sku_id, row.location))
        received = 0 if old is None else old.received
        state = "cancelled" if row.quantity == 0 else "received" if received >= row.quantity else OPEN
        values: dict[str, object] = {"number": row.number, "sku_id": sku_id, "location": row.location}
        values |= {"quantity": row.quantity, "received": received, "expected": row.expected}
        values |= {"promised": promised_day(row.expected, work.house.waiting.margin_days), "state": state}
        values |= {"source": fact.source, "created_at": work.now if old is None else old.created_at}
        rows.append(values | {"changed_at": work.now})
    arrivals.set_arrivals(work.conn, rows)
    arrivals.stale_line(work.conn, {known[row.sku].sku_id for row in fact.rows}, now=work.now)
    for sku_id in {known[row.sku].sku_id for row in fact.rows}:
        work.touch(sku_id)
    work.hints.add(SERVE)


def _wrong_arrival(work: Work, row: ArrivalRow, known: KnownSku) -> str:
    if known.sku_id in work.kits:
        return "a kit does not arrive; its components do"
    if not row.number or not row.location:
        return "the order's number or the location is missing"
    if not 0 <= row.quantity <= MOST_UNITS:
        return f"0 to {MOST_UNITS} units"
    return "" if is_day(row.expected) else "the day is written as 2026-12-01"


# --- corrections and a person's word -------------------------------------------------------------------------------


def take_correction(work: Work, fact: CorrectionFact) -> None:
    """Let a delivery have been what it was in truth: what was given out too much is taken back, the latest first."""
    delivery = arrivals.one(work.conn, fact.delivery_id)
    if delivery is None:
        raise Refused(f"no delivery has the number {fact.delivery_id}")
    if not 0 <= fact.quantity <= MOST_UNITS:
        raise Refused(f"a delivery has 0 to {MOST_UNITS} units")
    missing = delivery.quantity - fact.quantity
    if missing == 0:
        return
    work.load_skus([delivery.sku_id])
    posting = Posting(
        reference=f"delivery:{delivery.id}:corrected:{fact.quantity}@{work.now}",
        sku_id=delivery.sku_id,
        location=delivery.location,
        kind=MovementKind.ADJUST,
        on_hand=-missing,
    )
    work.post(posting, source=SOURCE, at=work.now, reason=fact.reason, actor=fact.actor)
    _shrink(work, delivery, missing)
    delivery.quantity = fact.quantity
    arrivals.save(work.conn, delivery)


def _shrink(work: Work, delivery: Delivery, missing: int) -> None:
    """Hold less of it; units that came in truth and were not told of are simply free."""
    if missing <= 0 or delivery.state == DONE:
        return
    less = min(missing, delivery.remaining)
    if less:
        posting = Posting(
            reference=f"delivery:{delivery.id}:shrunk:{delivery.remaining}@{work.now}",
            sku_id=delivery.sku_id,
            location=delivery.location,
            kind=MovementKind.UNHOLD,
            held=-less,
        )
        work.post(posting, source=SOURCE, at=work.now, reason="the delivery was corrected")
        delivery.remaining -= less


def take_messages(work: Work, fact: MessageFact) -> None:
    """Release changes that are held, or drop them."""
    number = changes.decide(
        work.conn, ids=fact.ids, event=fact.event, accept=fact.accept, actor=fact.actor, now=work.now
    )
    if number == 0:
        raise Refused("nothing of this is held")
    work.hints.update((desk, Hint.WRITE) for desk in work.house.senders)


def take_release(work: Work, fact: ReleaseFact) -> None:
    """Let tickets be answered by themselves again: a person has taken care."""
    found = [one for one in escalations.by_ids(work.conn, fact.ids) if one.released_at is None]
    missing = sorted(set(fact.ids).difference(one.id for one in found))
    if missing:
        raise Refused(f"no open escalation has the number {', '.join(map(str, missing))}")
    for one in found:
        release(work, one, actor=fact.actor, note=fact.reason)


def _check(rows: Iterable[Row], wrong: Callable[[Row], str]) -> None:
    problems = [f"row {number}, {row.sku}: {why}" for number, row in enumerate(rows, 1) if (why := wrong(row))]
    if problems:
        raise Refused(some(problems))
