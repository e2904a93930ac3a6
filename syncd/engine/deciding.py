"""Decide groups of facts: each with everything that follows from it, or parked with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from syncd.core.brake import Change, Trip
from syncd.core.facts import (
    AccountFact,
    AccountState,
    BrakeFact,
    CatalogueFact,
    DriftFact,
    Fact,
    HintFact,
    OrderFact,
    OutcomeFact,
    ScanFact,
    SeenFact,
    Verdict,
)
from syncd.core.terms import AccountId, Instant
from syncd.engine import observe
from syncd.engine.catalogue import lost, take_catalogue
from syncd.engine.control import take_account, take_drift, take_hint
from syncd.engine.orders import take_orders
from syncd.engine.placing import Stated
from syncd.engine.replan import replan
from syncd.engine.rules import House
from syncd.engine.stock import Refused, StockFact, take_stock
from syncd.engine.targets import retarget
from syncd.engine.waitfacts import WaitingFact, take_waiting
from syncd.engine.weighing import weighed
from syncd.engine.work import Hint, Work
from syncd.store import accounts, alerts, inbox
from syncd.store.inbox import Received
from syncd.store.statements import savepoint

MOST_TOGETHER = 48
"""Most orders decided together; facts with ends of writes join until there are so many ends."""

_log = structlog.get_logger("syncd.ingest")


def groups(facts: Sequence[Received]) -> list[list[Received]]:
    """Cut into runs that are decided together: orders, or ends of writes, without a repeat; everything else alone."""
    groups: list[list[Received]] = []
    kind: type[Fact] | None = None
    seen: set[object] = set()
    for received in facts:
        names = _names(received.fact)
        if groups and names and type(received.fact) is kind and seen.isdisjoint(names) and len(seen) < MOST_TOGETHER:
            groups[-1].append(received)
            seen.update(names)
        else:
            groups.append([received])
            kind, seen = type(received.fact), set(names)
    return groups


def _names(fact: Fact) -> list[object]:
    """Return what a fact speaks of where it may be decided with others of its kind, else nothing."""
    match fact:
        case OrderFact():
            return [(fact.account, fact.order.order_id)]
        case OutcomeFact():
            return [outcome.key for outcome in fact.outcomes]
        case _:
            return []


def decide(conn: Connection, group: Sequence[Received], *, house: House, now: Instant) -> set[tuple[AccountId, Hint]]:
    """Decide one group of facts and write everything that follows; one that is refused is parked with its reason.

    Return what may be due now on which account.
    """
    first = group[0]
    try:
        match first.fact:
            case OrderFact():
                return _take_orders(conn, group, house=house, now=now)
            case OutcomeFact():
                return _take_outcomes(conn, group, house=house, now=now)
            case BrakeFact() as fact:
                _take_brake(conn, fact, house=house, now=now)
            case CatalogueFact() as fact:
                return _take_catalogue(conn, first, fact, house=house, now=now)
            case fact if isinstance(fact, WaitingFact):
                return _take_waiting(conn, first, fact, house=house, now=now)
            case fact if isinstance(fact, StockFact):
                return _take_stock(conn, first, fact, house=house, now=now)
            case fact:
                return _take_other(conn, fact, house=house, now=now)
    except Refused as refused:
        _log.warning("fact.parked", inbox_id=first.inbox_id, source=first.source, reason=str(refused))
        inbox.park(conn, first.inbox_id, reason=str(refused), now=now)
    return set()


def _take_orders(
    conn: Connection, group: Sequence[Received], *, house: House, now: Instant
) -> set[tuple[AccountId, Hint]]:
    """Apply orders together; should one of them be booked already, one by one, so that only that one is parked."""
    work = Work(conn, house=house, now=now)
    work.messages = {
        (received.fact.account, received.fact.order.order_id)
        for received in group
        if received.keyed and isinstance(received.fact, OrderFact)
    }
    try:
        with savepoint(conn):
            take_orders(work, _orders(conn, group, now))
            replan(work)
            work.flush()
    except IntegrityError:
        if len(group) > 1:
            return {hint for received in group for hint in decide(conn, [received], house=house, now=now)}
        raise Refused("a movement of this order is booked already under the same reference") from None
    return work.hints


@contextmanager
def booked_once() -> Iterator[None]:
    """Refuse a fact whose source used its reference before: a repeat is none, whatever it says now."""
    try:
        yield
    except IntegrityError:
        raise Refused("this reference is booked already: nothing was changed; a new fact needs a new one") from None


def _orders(conn: Connection, group: Sequence[Received], now: Instant) -> list[Stated]:
    """Return the orders that can be read; one that cannot be right is parked."""
    orders: list[Stated] = []
    for received in group:
        assert isinstance(received.fact, OrderFact), "the group has orders only"  # noqa: S101  (our own invariant)
        order = received.fact.order
        if len({line.line_id for line in order.lines}) < len(order.lines):
            reason = f"order {order.number} has two lines with one id: the adapter does not read it right"
            inbox.park(conn, received.inbox_id, reason=reason, now=now)
            _log.error("fact.parked", inbox_id=received.inbox_id, source=received.source, reason=reason)
        else:
            orders.append((received.fact.account, order))
    return orders


def _take_outcomes(
    conn: Connection, group: Sequence[Received], *, house: House, now: Instant
) -> set[tuple[AccountId, Hint]]:
    work = Work(conn, house=house, now=now)
    for received in group:
        assert isinstance(received.fact, OutcomeFact), "the group has ends of writes only"  # noqa: S101  (our own invariant)
        observe.take_outcomes(work, received.fact)
    replan(work)
    work.flush()
    return work.hints


def _take_other(conn: Connection, fact: Fact, *, house: House, now: Instant) -> set[tuple[AccountId, Hint]]:
    work = Work(conn, house=house, now=now)
    match fact:
        case SeenFact():
            observe.take_seen(work, fact)
        case ScanFact():
            observe.take_scan(work, fact)
        case CatalogueFact():
            take_catalogue(work, fact)
        case HintFact():
            take_hint(work, fact)
        case AccountFact():
            take_account(work, fact)
        case DriftFact():
            take_drift(work, fact)
        case _:
            raise Refused(f"a fact that nobody decides: {type(fact).__name__}")
    replan(work)
    work.flush()
    return work.hints


def _take_catalogue(
    conn: Connection, received: Received, fact: CatalogueFact, *, house: House, now: Instant
) -> set[tuple[AccountId, Hint]]:
    """Take a part of a catalogue, unless the brake holds that many listings are gone; a later read may show them."""
    trip = lost(conn, fact, rule=house.brake)
    held = [row for row in accounts.held(conn) if row.cause == _cause_of(received)] if fact.finished else []
    if trip is not None:
        if not held:
            hold(conn, received, trip, now)
        return set()
    for row in held:
        accounts.end_hold(conn, row.id, state="refused", actor="", now=now)
        alerts.clear_alert(conn, kind="brake", key=str(row.id), now=now)
    return _take_other(conn, fact, house=house, now=now)


def _take_waiting(
    conn: Connection, received: Received, fact: WaitingFact, *, house: House, now: Instant
) -> set[tuple[AccountId, Hint]]:
    """Apply a fact of those who wait; refused, nothing of it is left."""
    work = Work(conn, house=house, now=now)
    with conn.begin_nested():
        take_waiting(work, fact, received.inbox_id)
        replan(work)
        work.flush()
    return work.hints


def _take_stock(
    conn: Connection, received: Received, fact: StockFact, *, house: House, now: Instant
) -> set[tuple[AccountId, Hint]]:
    """Apply a fact of a person or a system, unless the brake holds it; refused or held, nothing of it is left."""
    trial = conn.begin_nested()
    try:
        work = Work(conn, house=house, now=now)
        take_stock(work, fact)
        replan(work)
        trip = None if fact.forced else trips(work)
        if trip is None:
            with booked_once():
                work.flush()
    except Refused:
        trial.rollback()
        raise
    if trip is None:
        trial.commit()
        return work.hints
    trial.rollback()
    hold(conn, received, trip, now)
    return set()


def weigh(conn: Connection, fact: StockFact, house: House, now: Instant) -> Trip | None:
    """Say what a fact would trip, without writing anything."""
    work = Work(conn, house=house, now=now)
    take_stock(work, fact, trial=True)
    retarget(work)
    return trips(work)


def trips(work: Work) -> Trip | None:
    """Hold the changes of targets on released accounts against the brake's rule."""
    changes = []
    for listing_id, before in work.targets_before.items():
        listing = work.listings[listing_id]
        known = work.account_of(listing)
        if known is not None and known.state is AccountState.LIVE and listing.target != before:
            changes.append(Change(before=before, after=listing.target or 0, shows=listing.high))
    return weighed(work.conn, changes, rule=work.house.brake)


def hold(conn: Connection, received: Received, trip: Trip, now: Instant) -> None:
    """Keep a fact for a person, park it, and raise the alert."""
    cause = _cause_of(received)
    brake_id = hold_back(conn, trip, cause=cause, inbox_id=received.inbox_id, now=now)
    reason = (
        f"held by the brake: {trip.to_zero} listings would fall to zero and {trip.raised} rise, of {trip.listings}; "
        f"release or refuse it by `syncd brake release {brake_id}` or `syncd brake refuse {brake_id}`"
    )
    inbox.park(conn, received.inbox_id, reason=reason, now=now)


def _cause_of(received: Received) -> str:
    return f"{type(received.fact).__name__.removesuffix('Fact').lower()} from {received.source}"


def hold_back(conn: Connection, trip: Trip, *, cause: str, inbox_id: int, now: Instant) -> int:
    """Note what the brake holds and raise the alert; return its number."""
    told = {"to_zero": trip.to_zero, "raised": trip.raised, "listings": trip.listings}
    brake_id = accounts.hold(conn, {**told, "cause": cause, "inbox_id": inbox_id, "at": now})
    work = Work(conn, house=House(), now=now)
    work.alarm("brake", str(brake_id), cause=cause, **told)
    work.flush()
    _log.warning("brake.held", brake_id=brake_id, cause=cause, to_zero=trip.to_zero, raised=trip.raised)
    return brake_id


def _take_brake(conn: Connection, fact: BrakeFact, *, house: House, now: Instant) -> None:
    """Release what the brake holds: the fact enters the inbox anew, marked as passed by a person; or drop it.

    Settings are no fact: who holds them back (`engine.resettle`) looks for this word.
    """
    rows = accounts.held(conn, fact.ids)
    if not rows and not fact.ids:
        raise Refused("the brake holds nothing")
    missing = sorted(set(fact.ids).difference(row.id for row in rows))
    if missing:
        raise Refused(f"the brake holds nothing with number {', '.join(str(number) for number in missing)}")
    work = Work(conn, house=house, now=now)
    for row in rows:
        released = fact.verdict is Verdict.ACCEPT
        if released and row.inbox_id != accounts.SETTINGS:
            inbox.release(conn, row.inbox_id, now=now)
        accounts.end_hold(conn, row.id, state="released" if released else "refused", actor=fact.actor, now=now)
        work.calm("brake", str(row.id))
    work.flush()
