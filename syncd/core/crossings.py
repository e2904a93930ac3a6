"""When and why more was sold than there was: the analysis of one SKU's history, pure.

Two orders cross when the later one is placed while its channel does not yet show the earlier one. What was there at a
moment is what the movements sum up to by the time at which they happened, not at which they were heard of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from syncd.core.history import Drifted, History, Moved, SoldLine, Written, line_of
from syncd.core.ledger import MovementKind
from syncd.core.terms import SECOND_US, Instant

LOWERING: Final = frozenset(
    {MovementKind.COUNT, MovementKind.ADJUST, MovementKind.DAMAGE, MovementKind.PHANTOM, MovementKind.OPENING}
)
"""A person's or a channel's word by which there are fewer units than was believed."""
NEVER: Final = frozenset({"rejected", "unsent", "stale"})
"""Ends of writes that changed nothing."""
PATIENCE_US: Final = 60 * SECOND_US
"""A sale that was heard of so long ago, and for which nothing was sent, was not merely on its way."""
DRIFT_US: Final = 86_400 * SECOND_US
"""Within this time before an order a number that somebody else wrote may have led to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """Units that an order took; `known_at` is when they were held here, by the order itself or by a suspect sale."""

    account: str
    line: SoldLine | None
    key: tuple[str, str]
    units: int
    at: Instant
    heard_at: Instant
    known_at: Instant

    @property
    def remote_id(self) -> str:
        """Return the listing, empty where the order does not tell."""
        return "" if self.line is None else self.line.remote_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """A sale that the losing order's listing did not show yet; `shown_at` is when it did, None: never, as far as kept.

    `write` is the write that was to bring it there.
    """

    sale: Sale
    shown_at: Instant | None
    write: Written | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loser:
    """An order for which the units are missing.

    `lost` of its `sale`. `left` is what was truly there when it was placed. `cause`: lag, write, not_written, count,
    drift, restore, unknown. `safety_stock` is the smallest fixed one of `sku`, what was sold, on its channel that would
    have refused it (None where none is the remedy). `shown` is the last write that its listing had taken by then.
    """

    sale: Sale
    lost: int
    left: int
    cause: str
    crossed: tuple[Crossed, ...]
    lowered: tuple[Moved, ...]
    drifts: tuple[Drifted, ...]
    shown: Written | None
    sku: str
    safety_stock: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A time in which more was promised than there was; `short` units at most. `losers`: latest order first."""

    began_at: Instant
    ended_at: Instant | None
    short: int
    by: str
    losers: tuple[Loser, ...]


def available_of(move: Moved) -> int:
    """Return by how much a movement changes what is available."""
    return move.on_hand - move.committed - move.held


def sales_of(history: History) -> list[Sale]:
    """Return every sale, in the order in which they were heard of."""
    holds = {move.reference: move.recorded_at for move in history.movements if move.kind == MovementKind.HOLD}
    early: dict[tuple[str, Instant], Instant] = {}
    for move in history.movements:
        held_at = holds.get(move.reference.rsplit(":", 1)[0])
        if move.kind == MovementKind.UNHOLD and held_at is not None:
            early[move.source, move.recorded_at] = held_at
    return [
        Sale(
            account=move.source,
            line=history.sold.get((move.source, line_of(move.reference))),
            key=(move.source, line_of(move.reference)),
            units=move.committed,
            at=move.at,
            heard_at=move.recorded_at,
            known_at=early.get((move.source, move.recorded_at), move.recorded_at),
        )
        for move in history.movements
        if move.kind == MovementKind.COMMIT and move.committed > 0
    ]


def incidents(history: History) -> list[Incident]:
    """Return every time in which what was available was below zero, oldest first; before the first count is none."""
    found: list[Incident] = []
    sales = sales_of(history)
    for began, deepest, ended, short in _dips(history):
        upto = [move for move in history.movements if move.recorded_at <= deepest]
        losers = tuple(_losers(history, sales, upto, short))
        by = next((move.kind for move in upto if move.recorded_at == began and available_of(move) < 0), "")
        found.append(Incident(began_at=began, ended_at=ended, short=short, by=by, losers=losers))
    return found


def _dips(history: History) -> Iterator[tuple[Instant, Instant, Instant | None, int]]:
    """Yield when each dip below zero began, was deepest and ended (None: it lasts), and how deep it was.

    Units that are owed, as they are on their way and were sold so, make no dip.

    What was decided together counts together: a hold that gives way to its order is no moment of its own.
    """
    level = history.before[0] - history.before[1] - history.before[2]
    began: Instant | None = None
    deepest, short = 0, 0
    for known_at, moves in groupby(history.movements, key=lambda move: move.recorded_at):
        level += sum(available_of(move) for move in moves)
        counted = history.opened_at is not None and known_at >= history.opened_at
        lacking = -level - history.owed(known_at)
        if lacking > 0 and counted:
            began = known_at if began is None else began
            deepest, short = (known_at, lacking) if lacking > short else (deepest, short)
        elif began is not None:
            yield began, deepest, known_at, short
            began, short = None, 0
    if began is not None:
        yield began, deepest, None, short


def _losers(history: History, sales: Sequence[Sale], upto: Sequence[Moved], short: int) -> Iterator[Loser]:
    """Yield the orders for which the units are missing, latest first; of equal ones that which was heard of last."""
    open_units: dict[tuple[str, str], int] = defaultdict(int)
    for move in upto:
        if move.committed:
            open_units[move.source, line_of(move.reference)] += move.committed
    heard = [sale for sale in sales if sale.heard_at <= upto[-1].recorded_at]
    for sale in sorted(heard, key=lambda sale: (sale.at, sale.heard_at))[::-1]:
        lost = min(short, open_units.pop(sale.key, 0))
        if lost > 0:
            short -= lost
            yield _loser(history, sales, sale, lost)


def _loser(history: History, sales: Sequence[Sale], sale: Sale, lost: int) -> Loser:
    places = {x.id for x in history.listings if x.account == sale.account and sale.remote_id in ("", x.remote_id)}
    writes = [write for write in history.writes if write.listing_id in places]
    crossed = tuple(_crossed(sales, sale, writes))
    lowered = tuple(_lowered(history, sale, writes))
    drifts = tuple(x for x in history.drifts if x.listing_id in places and _recent(x, sale))
    left = _truly_left(history, sale)
    cause = _cause(sale, left=left, crossed=crossed, lowered=lowered)
    if cause == "unknown" and drifts:
        cause = "restore" if _doubled(history, sale, drifts) else "drift"
    units = sum(one.sale.units for one in crossed)
    return Loser(
        sale=sale,
        lost=lost,
        left=left,
        cause=cause,
        crossed=crossed,
        lowered=lowered,
        drifts=drifts,
        shown=max((x for x in writes if _took_effect(x, sale.at)), key=lambda x: x.id, default=None),
        sku=history.sku if sale.line is None else sale.line.sku,
        safety_stock=_safety_stock(sale, left=left, crossed=units) if cause == "lag" else None,
    )


def _safety_stock(sale: Sale, *, left: int, crossed: int) -> int:
    """Return the smallest safety stock that would have refused a sale, in units of what was sold."""
    each = 1 if sale.line is None else sale.line.each
    wanted = -(-sale.units // each)
    return min(-(-crossed // each), max(1, (left + crossed) // each - wanted + 1))


def _crossed(sales: Iterable[Sale], loser: Sale, writes: Sequence[Written]) -> Iterator[Crossed]:
    """Yield the sales on other listings, placed before, that the loser's listing did not show when it was placed."""
    for sale in sales:
        own = sale.account == loser.account and sale.remote_id == loser.remote_id
        if own or (sale.at, sale.heard_at) > (loser.at, loser.heard_at):
            continue
        write, shown_at = _shown_at(writes, sale.known_at)
        if shown_at is None or shown_at > loser.at:
            yield Crossed(sale=sale, shown_at=shown_at, write=write)


def _lowered(history: History, loser: Sale, writes: Sequence[Written]) -> Iterator[Moved]:
    """Yield what lowered the stock and was not shown when the loser was placed."""
    for move in history.movements:
        shown_at = _shown_at(writes, move.recorded_at)[1]
        if move.kind in LOWERING and move.on_hand < 0 and (shown_at is None or shown_at > loser.at):
            yield move


def _shown_at(writes: Iterable[Written], known_at: Instant) -> tuple[Written | None, Instant | None]:
    """Return the first write after something was known, and when a listing showed it (None: it never did)."""
    first: Written | None = None
    for write in writes:
        if write.intended_at >= known_at:
            first = first or write
            if write.state not in NEVER and write.state != "intended":
                return first, write.answered_at if write.state == "applied" else write.effect_until
    return first, None


def _took_effect(write: Written, by: Instant) -> bool:
    return write.state in ("applied", "accepted") and write.answered_at is not None and write.answered_at <= by


def _recent(drift: Drifted, sale: Sale) -> bool:
    """Say whether a foreign change may have led to a sale: a number above ours, seen from a day before on."""
    return drift.seen > drift.expected_high and sale.at - DRIFT_US <= drift.at <= sale.heard_at + DRIFT_US


def _truly_left(history: History, sale: Sale) -> int:
    """Return what was there when an order was placed, by the times at which everything really happened.

    What was sold before it is here was there to be sold.
    """
    left = history.before[0] - history.before[1] + history.owed(sale.heard_at)
    for move in history.movements:
        mine = (move.source, line_of(move.reference)) == sale.key
        if not mine and (move.at, move.recorded_at) <= (sale.at, sale.heard_at):
            left += move.on_hand - move.committed
    return left


def _cause(sale: Sale, *, left: int, crossed: Sequence[Crossed], lowered: Sequence[Moved]) -> str:
    known_later = -sum(move.on_hand for move in lowered if (move.at, move.recorded_at) <= (sale.at, sale.heard_at))
    if lowered and left + known_later >= sale.units:
        return "count"
    if crossed:
        return _cause_of_crossing(sale, crossed)
    return "count" if lowered else "unknown"


def _cause_of_crossing(sale: Sale, crossed: Sequence[Crossed]) -> str:
    """Say what kept most of the crossed units from being shown in time."""
    units: dict[str, int] = defaultdict(int)
    for one in crossed:
        units[_delay_of(sale, one)] += one.sale.units
    return max(units, key=lambda cause: (units[cause], cause == "lag"))


def _delay_of(sale: Sale, one: Crossed) -> str:
    """Say why a sale was not shown in time: on its way, never sent though it was known, or sent in vain."""
    in_time = one.sale.known_at + PATIENCE_US
    if in_time >= sale.at:
        return "lag"
    if one.write is None or one.write.intended_at > in_time:
        return "not_written"
    return "write" if one.write.state in NEVER or one.write.state == "indeterminate" else "lag"


def _doubled(history: History, sale: Sale, drifts: Iterable[Drifted]) -> bool:
    """Say whether a foreign rise is as large as units that an order of this channel gave back shortly before."""
    rises = {drift.seen - drift.expected_high: drift.at for drift in drifts}
    return any(
        -move.committed in rises and rises[-move.committed] - DRIFT_US <= move.recorded_at
        for move in history.movements
        if move.source == sale.account and move.kind == MovementKind.RELEASE
    )


def smallest_safety_stock(found: Iterable[Incident]) -> Mapping[tuple[str, str], int]:
    """Return the smallest fixed safety stock by channel and SKU that would have refused every order lost by lag."""
    needed: dict[tuple[str, str], int] = {}
    for loser in (loser for incident in found for loser in incident.losers):
        if loser.safety_stock is not None:
            place = (loser.sale.account, loser.sku)
            needed[place] = max(loser.safety_stock, needed.get(place, 0))
    return needed
