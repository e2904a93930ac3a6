"""Let entries follow their orders: what a channel stated of an order moves those who wait with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from syncd.core.kits import explode
from syncd.core.restock import event_of
from syncd.core.standing import LineNow, ends, state_of
from syncd.core.terms import PaymentStatus, SkuId
from syncd.core.tickets import TicketState
from syncd.engine.moving import move
from syncd.engine.work import Work
from syncd.store import open_lines, waiting
from syncd.store.open_lines import Stand
from syncd.store.waiting import Entry


def follow_orders(work: Work, order_rows: Collection[int]) -> None:
    """Bring the entries of these orders to the state that follows from their lines, and their needs to what is owed."""
    found = [entry for entry in waiting.of_orders(work.conn, order_rows) if entry.closed_at is None]
    if not found:
        return
    stands = open_lines.stands(work.conn, {entry.order_row for entry in found if entry.order_row is not None})
    needs = waiting.needs_of(work.conn, [entry.id for entry in found])
    work.load_skus({entry.sku_id for entry in found})
    lowered: dict[SkuId, dict[int, int]] = defaultdict(dict)
    moves: dict[TicketState, list[Entry]] = defaultdict(list)
    closed: dict[int, str] = {}
    for entry in found:
        stand = stands.get((entry.order_row or 0, entry.line_id))
        if stand is None or stand.sku_id is None:
            continue
        lacks = _lower(work, entry, stand, needs.get(entry.id, {}), lowered)
        line = _line(stand, lacks)
        state = state_of(line)
        if ends(state, line.payment):
            closed[entry.id] = state.value
        if state is not entry.state:
            moves[state].append(entry)
        elif entry.id in closed:
            entry.closed_at, entry.reason = work.now, state.value
            waiting.save_entries(work.conn, [entry])
    for sku_id, units in lowered.items():
        waiting.set_units(work.conn, sku_id, units)
        work.touch(sku_id)
    _move(work, moves, closed)


def _line(stand: Stand, lacks: int) -> LineNow:
    return LineNow(
        quantity=stand.quantity,
        cancelled=stand.cancelled,
        shipped=stand.shipped,
        lacks=lacks,
        payment=PaymentStatus(stand.payment or PaymentStatus.UNKNOWN),
    )


def _lower(
    work: Work,
    entry: Entry,
    stand: Stand,
    needs: Mapping[SkuId, int],
    lowered: dict[SkuId, dict[int, int]],
) -> int:
    """Let an entry lack no more than its line still owes; return what it lacks now."""
    owed = max(0, stand.quantity - stand.cancelled - stand.shipped)
    sku_id = stand.sku_id
    assert sku_id is not None, "the caller checked it"  # noqa: S101  (our own invariant)
    if sku_id != entry.sku_id:
        entry.sku_id = sku_id
        waiting.set_sku(work.conn, entry.id, sku_id)
    wanted = dict(explode(sku_id, owed, work.kits))
    lacks = 0
    for part, units in needs.items():
        least = min(units, wanted.get(part, 0))
        lacks += least
        if least != units:
            lowered[part][entry.id] = least
    return lacks


def _move(work: Work, moves: Mapping[TicketState, Sequence[Entry]], closed: Mapping[int, str]) -> None:
    for state, entries in sorted(moves.items()):
        event = event_of("order", state.value, *(entry.key for entry in entries), str(work.now))
        move(work, entries, state, event=event, closed=closed)
