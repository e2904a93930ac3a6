"""Serve the line of a SKU: from what is free, or from a delivery that is held and assigned in chunks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.core.ledger import MovementKind, Posting
from syncd.core.restock import WITH_ORDER, Need, Portion, assign, event_of
from syncd.core.terms import Instant, Location, SkuId
from syncd.core.tickets import EventId, TicketState
from syncd.engine import offers
from syncd.engine.holding import SOURCE
from syncd.engine.moving import become, moment, move
from syncd.engine.work import SERVE, Work
from syncd.store import arrivals, changes, waiting
from syncd.store import offers as private
from syncd.store.arrivals import ASSIGNING, DONE, TELLING, Delivery
from syncd.store.waiting import Entry, Place

INLINE = 30
"""Most of a line that are served in the decision that brought the units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Units of a SKU that are to be given out. Those of a delivery lie at its location and are held already."""

    sku_id: SkuId
    event: EventId
    delivery: Delivery | None = None


def serve(work: Work, supply: Supply, places: Sequence[tuple[Place, Need]], units: int) -> dict[int, int]:
    """Give units to these in the line; return how many each tier got. Who lacks nothing more is moved."""
    tiers = {need.entry_id: place.tier for place, need in places}
    needs = {need.entry_id: need.units for _, need in places}
    portions = assign(units, [need for _, need in places]).portions
    left = {portion.entry_id: needs[portion.entry_id] - portion.units for portion in portions}
    waiting.set_units(work.conn, supply.sku_id, left)
    entries = waiting.entries(work.conn, left)
    loose = [portion for portion in portions if tiers[portion.entry_id] != WITH_ORDER]
    _hold(work, supply, loose, entries)
    _complete(work, supply, [entries[portion.entry_id] for portion in portions if portion.whole])
    given: dict[int, int] = defaultdict(int)
    for portion in portions:
        given[tiers[portion.entry_id]] += portion.units
    return given


def _complete(work: Work, supply: Supply, served: Sequence[Entry]) -> None:
    """Move those who lack nothing any more; for those without an order the time of their holds begins."""
    needs = waiting.needs_of(work.conn, [entry.id for entry in served])
    whole = [entry for entry in served if not any(needs.get(entry.id, {}).values())]
    until = work.now + work.house.waiting.hold_us
    loose = [entry.id for entry in whole if entry.order_row is None]
    waiting.start_holds(work.conn, loose, until=until)
    for entry_id in loose:
        for sku_id in needs.get(entry_id, {}):
            work.touch(sku_id)  # what is held for them shows on their channel from now on
    places = {entry.id: place for entry in whole if entry.order_row is None and (place := offers.place_of(work, entry))}
    offered = [entry for entry in whole if entry.id in places]
    values = {entry_id: {"hold_until": moment(until)} for entry_id in loose}
    rest = [entry for entry in whole if entry.id not in places]
    move(work, rest, TicketState.RESTOCKED, event=supply.event, values=values)
    # Those with a private sale of their own are told once it is made: the letter bears its link.
    told_later = become(work, offered, TicketState.RESTOCKED, event=supply.event)
    offers.begin(work, places, told_later, event=supply.event)


def _hold(work: Work, supply: Supply, portions: Sequence[Portion], entries: dict[int, Entry]) -> None:
    rows: list[dict[str, Any]] = []
    for portion in portions:
        entry = entries[portion.entry_id]
        for location, units in _places(work, supply, portion.units):
            row: dict[str, Any] = {"entry_id": entry.id, "sku_id": supply.sku_id, "location": location}
            row |= {"delivery_id": None if supply.delivery is None else supply.delivery.id, "account": entry.account}
            rows.append(row | {"units": units, "since": work.now, "until": None, "ended_at": None})
    waiting.add_holds(work.conn, rows)


def _places(work: Work, supply: Supply, units: int) -> list[tuple[Location, int]]:
    """Say where units lie that are held from now on; free ones are booked as held."""
    if supply.delivery is not None:
        return [(supply.delivery.location, units)]
    found = []
    while units > 0:
        place = roomiest(work, supply.sku_id)
        balance = work.shelf(supply.sku_id)[place]
        some = max(1, min(units, balance.on_hand - balance.held))
        post_hold(work, supply.sku_id, place, some, name=f"{supply.event}:{balance.held}")
        found.append((place, some))
        units -= some
    return found


def roomiest(work: Work, sku_id: SkuId) -> Location:
    """Return the location where most units of a SKU lie that nobody holds."""
    shelf = work.shelf(sku_id)
    return max(sorted(shelf), key=lambda place: shelf[place].on_hand - shelf[place].held)


def post_hold(work: Work, sku_id: SkuId, place: Location, units: int, *, name: str) -> None:
    """Book units as held for those who wait, or (negative) as held no more."""
    posting = Posting(
        reference=f"{name}:{place}",
        sku_id=sku_id,
        location=place,
        kind=MovementKind.HOLD if units > 0 else MovementKind.UNHOLD,
        held=units,
    )
    work.post(posting, source=SOURCE, at=work.now, reason="for those who wait")


# --- deliveries ----------------------------------------------------------------------------------------------------


def begin_delivery(
    work: Work, *, sku_id: SkuId, location: Location, units: int, source: str, reference: str, at: Instant
) -> Delivery | None:
    """Hold all of what came in for those who wait; None where this delivery is there already."""
    code = str(sku_id)
    event = event_of("delivery", source, reference, code, location)
    values = {"source": source, "reference": reference, "event": event, "sku_id": sku_id, "location": location}
    values |= {"quantity": units, "remaining": units, "state": ASSIGNING, "at": at, "open_at": None, "closed_at": None}
    number = arrivals.add(work.conn, values)
    if number is None:
        return None
    post_hold(work, sku_id, location, units, name=f"delivery:{number}:held")
    work.hints.add(SERVE)
    return arrivals.one(work.conn, number)


def serve_delivery(work: Work, delivery: Delivery, *, limit: int) -> None:
    """Assign a chunk of a delivery; at the end of the line, or of the units, those who wait are told."""
    places = waiting.line(work.conn, delivery.sku_id, limit=limit)
    supply = Supply(sku_id=delivery.sku_id, event=EventId(delivery.event), delivery=delivery)
    given = serve(work, supply, places, delivery.remaining)
    before = delivery.remaining
    delivery.remaining -= sum(given.values())
    if promised := given.get(WITH_ORDER, 0):
        post_hold(work, delivery.sku_id, delivery.location, -promised, name=f"delivery:{delivery.id}:{before}")
    if len(places) < limit or delivery.remaining == 0:
        delivery.state = TELLING
        delivery.open_at = work.now + work.house.waiting.tell_us
        open_rest(work, delivery)
    arrivals.save(work.conn, delivery)
    work.hints.add(SERVE)


def open_rest(work: Work, delivery: Delivery) -> None:
    """Open what is left to all channels once those who wait were told, or were to be told for long enough."""
    late = delivery.open_at is not None and delivery.open_at <= work.now
    if delivery.remaining and not late and is_telling(work, delivery):
        return
    if delivery.remaining and waiting.line(work.conn, delivery.sku_id, limit=1):
        delivery.state = ASSIGNING
        return
    if delivery.remaining:
        name = f"delivery:{delivery.id}:opened"
        post_hold(work, delivery.sku_id, delivery.location, -delivery.remaining, name=name)
    delivery.remaining = 0
    delivery.state, delivery.closed_at = DONE, work.now


def is_telling(work: Work, delivery: Delivery) -> bool:
    """Say whether something about a delivery is on its way to a desk that sends, or will be in a moment."""
    live: Collection[str] = work.senders
    if private.is_making(work.conn, delivery.event):
        return True
    return any(desk in live for desk in changes.desks_of(work.conn, delivery.event))
