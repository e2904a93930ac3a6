"""The post-mortem of a SKU: one timeline of everything that touched its units, and what is to be learnt of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from syncd.core.crossings import (
    Crossed,
    Incident,
    Loser,
    Sale,
    available_of,
    incidents,
    smallest_safety_stock,
)
from syncd.core.history import Braked, Drifted, History, Moved, Place, RuleNow, SoldLine, Written, line_of
from syncd.core.ledger import MovementKind
from syncd.core.terms import SECOND_US, Instant
from syncd.store.views import moment, moment_or_none
from syncd.store.views_incidents import IncidentView, LoserView
from syncd.web.postmortem_shapes import (
    Advice,
    CrossedTold,
    Entry,
    IncidentTold,
    ListingNow,
    LoserTold,
    Postmortem,
    SafetyStock,
    WriteTold,
)

MOST_ENTRIES: Final = 500
"""Most entries of one timeline, the last ones."""
CALM_ENTRIES: Final = 100
"""So many where nothing went wrong."""
BEFORE_US: Final = 3_600 * SECOND_US
"""The timeline of an incident begins so long before the first sale that had to do with it."""


def postmortem(
    history: History,
    *,
    account: str = "",
    since: Instant | None = None,
    rules: tuple[RuleNow, ...] = (),
    records: Iterable[IncidentView] = (),
) -> Postmortem:
    """Return what happened and why; of one channel's entries and losing orders only, where one is named.

    `records` are the incidents that were opened: what they say of who loses holds.
    """
    opened = {record.began_at: record for record in records if record.sku == history.sku}
    found = [x for x in incidents(history) if not account or account in _accounts(x, opened)]
    begin = _begin(found) if since is None else since
    entries = sorted(_entries(history), key=lambda entry: entry.at)
    mine = [x for x in entries if x.at >= moment(begin) and (not account or x.account in ("", account))]
    most = MOST_ENTRIES if found or since is not None else CALM_ENTRIES
    return Postmortem(
        sku=history.sku,
        counted=history.opened_at is not None,
        available=sum(before * sign for before, sign in zip(history.before, (1, -1, -1), strict=True))
        + sum(available_of(move) for move in history.movements),
        entries=tuple(mine[-most:]),
        incidents=tuple(_incident(history, x, opened.get(moment(x.began_at))) for x in found),
        advice=_advice(found) if found else None,
        listings=tuple(_listing(x) for x in history.listings if account in ("", x.account)),
        missing=tuple(_missing(history, begin, left_out=len(mine) > most)),
        writes_since=moment_or_none(history.writes_since),
        rules=tuple(rule for rule in rules if account in ("", rule.account)),
    )


def _accounts(found: Incident, opened: Mapping[datetime, IncidentView]) -> set[str]:
    """Return where the orders are that took what was not there, or go without."""
    record = opened.get(moment(found.began_at))
    named = () if record is None else record.losers
    return {one.sale.account for one in found.losers} | {one.account for one in named}


def _begin(found: list[Incident]) -> Instant:
    """Return from when on the timeline is told: shortly before the last incident, or all that there is."""
    if not found:
        return 0
    losers = found[-1].losers
    sales = [one.sale for loser in losers for one in loser.crossed] + [loser.sale for loser in losers]
    return min([found[-1].began_at, *(sale.at for sale in sales)]) - BEFORE_US


def _missing(history: History, begin: Instant, *, left_out: bool) -> Iterator[str]:
    yield "readings"
    first = history.movements[0].recorded_at if history.movements else None
    kept = history.writes_since
    if kept is not None and first is not None and kept > max(begin, first):
        yield "writes"
    if history.cut:
        yield "movements"
    if left_out:
        yield "entries"


# --- the timeline -----------------------------------------------------------------------------------------------


def _entries(history: History) -> Iterator[Entry]:
    names = {x.id: x for x in history.listings}
    level = history.before[0] - history.before[1] - history.before[2]
    for move in history.movements:
        level += available_of(move)
        yield _moved(history, move, level)
    yield from (_written(write, names[write.listing_id]) for write in history.writes)
    yield from (_drifted(drift, names[drift.listing_id]) for drift in history.drifts)
    yield from (_braked(brake) for brake in history.brakes)
    for what, at in (("oversell", history.oversold_at), ("oversell_over", history.oversell_over_at)):
        if at is not None:
            yield _entry(at=at, what=what)


def _entry(
    *,
    at: Instant,
    what: str,
    happened_at: Instant | None = None,
    account: str = "",
    order: str = "",
    listing: str = "",
    units: int | None = None,
    available: int | None = None,
    lag_s: float | None = None,
    quantity: int | None = None,
    target: int | None = None,
    state: str = "",
    detail: str = "",
) -> Entry:
    return Entry(
        at=moment(at),
        happened_at=moment_or_none(happened_at),
        what=what,
        account=account,
        order=order,
        listing=listing,
        units=units,
        available=available,
        lag_s=lag_s,
        quantity=quantity,
        target=target,
        state=state,
        detail=detail,
    )


def _moved(history: History, move: Moved, available: int) -> Entry:
    line, detail = _line(history, move), move.reason
    if line is not None:
        detail = "" if line.sku == history.sku else line.sku
    return _entry(
        at=move.recorded_at,
        happened_at=move.at,
        what=move.kind,
        account=move.source,
        order="" if line is None else line.number,
        listing="" if line is None else line.remote_id,
        units=available_of(move),
        available=available,
        lag_s=_seconds(move.recorded_at - move.at) if move.kind == MovementKind.COMMIT else None,
        detail=detail,
    )


def _line(history: History, move: Moved) -> SoldLine | None:
    """Return the order's line that a movement is of, also of one that ends the doubt about a sale."""
    reference = move.reference if move.committed else move.reason.removeprefix("order ")
    return history.sold.get((move.source, line_of(reference)))


def _written(write: Written, place: Place) -> Entry:
    end = _in_effect(write)
    return _entry(
        at=write.intended_at,
        happened_at=end,
        what="write",
        account=place.account,
        listing=place.remote_id,
        lag_s=None if end is None else _seconds(end - write.intended_at),
        quantity=write.quantity,
        target=write.target,
        state=write.state,
        detail=write.reason,
    )


def _in_effect(write: Written) -> Instant | None:
    """Return when a write was certainly in effect, if it ever was; None where it never was or nobody knows."""
    return {"applied": write.answered_at, "accepted": write.effect_until}.get(write.state)


def _drifted(drift: Drifted, place: Place) -> Entry:
    return _entry(
        at=drift.at,
        what="drift",
        account=drift.account,
        listing=place.remote_id,
        quantity=drift.seen,
        state=drift.state,
        detail=f"{drift.expected_low}-{drift.expected_high}",
    )


def _braked(brake: Braked) -> Entry:
    detail = f"{brake.cause}: {brake.to_zero} to zero, {brake.raised} raised"
    return _entry(at=brake.at, what="brake", happened_at=brake.ended_at, state=brake.state, detail=detail)


def _listing(place: Place) -> ListingNow:
    return ListingNow(
        account=place.account,
        listing=place.remote_id,
        sku=place.sku,
        target=place.target,
        seen=place.seen,
        seen_at=moment_or_none(place.seen_at),
    )


def _seconds(duration_us: int) -> float:
    return max(0, duration_us) / SECOND_US


# --- incidents --------------------------------------------------------------------------------------------------


def _incident(history: History, found: Incident, record: IncidentView | None) -> IncidentTold:
    took = tuple(_loser(history, loser) for loser in found.losers)
    losers, served = (took, ()) if record is None else _as_recorded(record, took, history.sku)
    return IncidentTold(
        began_at=moment(found.began_at),
        ended_at=moment_or_none(found.ended_at),
        short=found.short,
        by=found.by,
        losers=losers,
        served=served,
        record=None if record is None else record.id,
    )


def _as_recorded(
    record: IncidentView, took: tuple[LoserTold, ...], sku: str
) -> tuple[tuple[LoserTold, ...], tuple[LoserTold, ...]]:
    """Return who loses by the record, with what is known of each, and who took units and is served."""
    known = {(one.account, one.order_id): one for one in took}
    losers: dict[tuple[str, str], LoserTold] = {}
    for one in record.losers:
        key = (one.account, one.order_id)
        told = losers.get(key)
        if told is None:
            base = known.get(key)
            losers[key] = _chosen(one, sku) if base is None else replace(base, units=one.units, lost=one.lost)
        else:
            losers[key] = replace(told, units=told.units + one.units, lost=told.lost + one.lost)
    return tuple(losers.values()), tuple(one for key, one in known.items() if key not in losers)


def _chosen(one: LoserView, sku: str) -> LoserTold:
    """Return an order that goes without by the shop's rule; of its lags nothing matters."""
    return LoserTold(
        account=one.account,
        order=one.order,
        order_id=one.order_id,
        sku=sku,
        units=one.units,
        lost=one.lost,
        left=None,
        ordered_at=one.ordered_at,
        heard_s=None,
        cause="chosen",
        crossed=(),
        lowered=(),
        drifts=(),
        showed=None,
    )


def _loser(history: History, loser: Loser) -> LoserTold:
    sale, names = loser.sale, {x.id: x for x in history.listings}
    return LoserTold(
        account=sale.account,
        order=_number(sale),
        order_id="" if sale.line is None else sale.line.order_id,
        sku=loser.sku,
        units=sale.units,
        lost=loser.lost,
        left=loser.left,
        ordered_at=moment(sale.at),
        heard_s=_seconds(sale.heard_at - sale.at),
        cause=loser.cause,
        crossed=tuple(_crossed(one, names) for one in loser.crossed),
        lowered=tuple(_moved(history, move, 0) for move in loser.lowered),
        drifts=tuple(_drifted(drift, names[drift.listing_id]) for drift in loser.drifts),
        showed=None if loser.shown is None else _write(loser.shown, names),
    )


def _number(sale: Sale) -> str:
    return sale.key[1] if sale.line is None else sale.line.number


def _crossed(one: Crossed, names: Mapping[int, Place]) -> CrossedTold:
    sale = one.sale
    return CrossedTold(
        account=sale.account,
        order=_number(sale),
        units=sale.units,
        ordered_at=moment(sale.at),
        heard_s=_seconds(sale.known_at - sale.at),
        shown_s=None if one.shown_at is None else _seconds(one.shown_at - sale.known_at),
        write=None if one.write is None else _write(one.write, names),
    )


def _write(write: Written, names: Mapping[int, Place]) -> WriteTold:
    return WriteTold(
        listing=names[write.listing_id].remote_id,
        quantity=write.quantity,
        state=write.state,
        sent_at=moment(write.intended_at),
        in_effect_at=moment_or_none(_in_effect(write)),
        reason=write.reason,
    )


def _advice(found: Iterable[Incident]) -> Advice:
    found = list(found)
    causes = {loser.cause for incident in found for loser in incident.losers}
    unsold = any(not incident.losers for incident in found)
    return Advice(
        safety_stock=tuple(
            SafetyStock(account=account, sku=sku, units=units)
            for (account, sku), units in smallest_safety_stock(found).items()
        ),
        counts="count" in causes or unsold,
        writes=bool(causes & {"write", "not_written"}),
        others=bool(causes & {"drift", "restore"}),
    )
