"""The line of those who wait follows the balances: who is short waits, what is free or came in serves the line.

Called once in every decision that touched a SKU, after its movements and before targets are computed, so that a unit
that belongs to somebody who waits is never shown to others.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.core import restock
from syncd.core.kits import explode
from syncd.core.restock import WITH_ORDER, WITHOUT_ORDER, Claim, Kept, event_of, lacking
from syncd.core.terms import SkuId
from syncd.engine import offers
from syncd.engine.entries import add_order_entry, need_row, reopen
from syncd.engine.holding import SOURCE, close_bought, lift
from syncd.engine.moving import take_back
from syncd.engine.promising import count_down
from syncd.engine.serving import INLINE, Supply, begin_delivery, roomiest, serve, serve_delivery
from syncd.engine.standing import follow_orders
from syncd.engine.work import SERVE, Work
from syncd.store import arrivals, open_lines, waiting
from syncd.store import offers as private
from syncd.store.open_lines import Owed
from syncd.store.waiting import Entry, Presence

CLAIMS = 200
"""Open order lines that are looked at together when some are short."""
LATEST = 2**62


def settle(work: Work) -> None:
    """Let those who wait follow what this decision did."""
    if not (work.touched or work.stated or work.came_in):
        return
    here = waiting.present(work.conn)
    if work.redeemed:
        offers.redeem(work, work.redeemed)
    if work.stated and here.entries:
        follow_orders(work, work.stated)
    if work.bought and here.holds:
        _consume(work)
    if work.came_in:
        count_down(work)
        if here.needs:
            _receive(work)
    _balance(work, here)
    if here.needs and arrivals.stale_if_promised(work.conn, work.touched, now=work.now):
        work.hints.add(SERVE)
    work.stated.clear()
    work.bought.clear()
    work.redeemed.clear()
    work.came_in.clear()


# --- orders consume what their channel shows for those who wait there ---------------------------------------------


def _consume(work: Work) -> None:
    """Let orders of a channel consume the holds that it shows, oldest first."""
    sold = {key: units for key, units in work.bought.items() if units > 0}
    holds = waiting.holds(work.conn, {sku_id for _, sku_id in sold})
    for (account, sku_id), units in sold.items():
        mine = [hold for hold in holds if (hold.account, hold.sku_id) == (account, sku_id) and hold.units > 0]
        given = restock.take(units, [Kept(hold_id=hold.id, units=hold.units) for hold in mine])
        by_id = {hold.id: hold for hold in mine}
        for hold_id, taken in given:
            lift(work, by_id[hold_id], taken, cause="bought")
    ended = {hold.entry_id for hold in holds if hold.ended_at == work.now}
    close_bought(work, ended)


# --- goods came in ---------------------------------------------------------------------------------------------------


def _receive(work: Work) -> None:
    """Hold what came in for a SKU that somebody lacks, and serve the head of its line at once."""
    awaited = waiting.awaited(work.conn, {came.posting.sku_id for came in work.came_in})
    for came in work.came_in:
        if came.posting.sku_id in awaited:
            delivery = begin_delivery(
                work,
                sku_id=came.posting.sku_id,
                location=came.posting.location,
                units=came.posting.on_hand,
                source=came.source,
                reference=came.reference,
                at=came.at,
            )
            if delivery is not None:
                serve_delivery(work, delivery, limit=INLINE)


# --- what is lacking, and what is free ------------------------------------------------------------------------------


def _balance(work: Work, here: Presence) -> None:
    work.load_skus(work.touched)
    skus = [sku_id for sku_id in work.touched if _is_stock(work, sku_id)]
    if not here.needs:
        skus = [sku_id for sku_id in skus if sum(b.available for b in work.shelf(sku_id).values()) < 0]
    if not skus:
        return
    wanted = waiting.wanted(work.conn, skus) if here.needs or here.deliveries else {}
    held = waiting.held(work.conn, skus) if here.holds or here.deliveries or here.needs else {}
    leaving = private.leaving(work.conn, skus) if here.holds else {}
    for sku_id in sorted(skus):
        shelf = work.shelf(sku_id).values()
        lacks = lacking(
            on_hand=sum(b.on_hand for b in shelf),
            committed=sum(b.committed for b in shelf),
            held=held.get(sku_id, 0),
        )
        wants = wanted.get(sku_id, 0)
        # What a private sale still keeps that is being ended comes in a moment: nobody is short of it.
        short = lacks - wants - leaving.get(sku_id, 0)
        if short > 0:
            _short(work, sku_id, short)
            continue
        if wants > lacks:
            _serve_free(work, sku_id, wants - lacks, tier=WITH_ORDER)
        free = sum(b.available for b in shelf)
        if here.needs and lacks == 0 and free > 0:
            _serve_free(work, sku_id, free, tier=WITHOUT_ORDER)


def _is_stock(work: Work, sku_id: SkuId) -> bool:
    known = work.skus.get(sku_id)
    return known is not None and (known.opened or sku_id in work.opened) and sku_id not in work.kits


def _serve_free(work: Work, sku_id: SkuId, units: int, *, tier: int) -> None:
    """Give units that are free to one tier of the line; where many wait they are held and assigned in chunks."""
    places = waiting.line(work.conn, sku_id, limit=INLINE + 1, tier=tier)
    if not places:
        return
    supply = Supply(sku_id=sku_id, event=event_of("free", str(sku_id), str(work.now)))
    if len(places) <= INLINE:
        serve(work, supply, places, units)
        return
    delivery = begin_delivery(
        work,
        sku_id=sku_id,
        location=roomiest(work, sku_id),
        units=units,
        source=SOURCE,
        reference=supply.event,
        at=work.now,
    )
    if delivery is not None:
        serve_delivery(work, delivery, limit=INLINE)


# --- somebody is short -----------------------------------------------------------------------------------------------


def _short(work: Work, sku_id: SkuId, units: int) -> None:
    """Let somebody lack so many units more: a paid order beats the newest holds, then the latest orders are short."""
    units -= _beat(work, sku_id, units)
    sold_as = [sku_id, *(kit for kit, parts in work.kits.items() if any(part == sku_id for part, _ in parts))]
    for owner in sold_as:
        before: int | None = LATEST
        while units > 0 and before is not None:
            owed, before = open_lines.latest(work.conn, owner, before=before, limit=CLAIMS)
            units -= _blame(work, sku_id, owed, units)


def _beat(work: Work, sku_id: SkuId, units: int) -> int:
    holds = offers.standing(work, waiting.holds(work.conn, [sku_id]))[::-1]
    given = restock.take(units, [Kept(hold_id=hold.id, units=hold.units) for hold in holds])
    beaten = offers.beat(work, holds, given)
    lost = beaten.lifted
    if lost:
        needs = waiting.needs_of(work.conn, lost)
        restored = {entry_id: needs.get(entry_id, {}).get(sku_id, 0) + more for entry_id, more in lost.items()}
        waiting.set_units(work.conn, sku_id, restored)
        why = "a paid order took the units that were held"
        take_back(work, list(waiting.entries(work.conn, lost).values()), why=why)
    return sum(lost.values()) + beaten.leaving


def _blame(work: Work, sku_id: SkuId, owed: Sequence[Owed], units: int) -> int:
    """Let the latest of these orders lack what is missing; return how many units found an owner."""
    ordered = sorted(owed, key=lambda line: (line.ordered_at, line.order_row, line.line_id), reverse=True)
    entries = {(entry.order_row, entry.line_id): entry for entry in _entries_of(work, ordered)}
    needs = waiting.needs_of(work.conn, [entry.id for entry in entries.values()])
    claims = []
    for number, line in enumerate(ordered):
        entry = entries.get((line.order_row, line.line_id))
        lacks = 0 if entry is None else needs.get(entry.id, {}).get(sku_id, 0)
        wants = dict(explode(line.sku_id, line.units, work.kits)).get(sku_id, 0)
        claims.append(Claim(key=number, units=wants, lacks=min(lacks, wants)))
    blamed = restock.blame(units, claims)
    again = []
    for number, more in blamed:
        line = ordered[number]
        entry = entries.get((line.order_row, line.line_id)) or add_order_entry(work, line)
        reopen(entry)
        lacks = needs.get(entry.id, {}).get(sku_id, 0) + more
        waiting.add_needs(work.conn, [need_row(work, entry, sku_id, lacks, tier=WITH_ORDER)])
        again.append(entry)
    take_back(work, again, why="more is promised than there is")
    if blamed:
        arrivals.stale_line(work.conn, [sku_id], now=work.now)
        work.hints.add(SERVE)
    return sum(more for _, more in blamed)


def _entries_of(work: Work, owed: Sequence[Owed]) -> list[Entry]:
    return waiting.of_orders(work.conn, {line.order_row for line in owed})
