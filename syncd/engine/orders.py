"""Decide orders: what a channel's statements of orders move, take off listings, and hold in quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from syncd.core.ledger import Comparison, MovementKind, Posting, Standing, compare
from syncd.core.shown import Effect, spent
from syncd.core.suspects import Missing, explained
from syncd.core.terms import AccountId, CancelledBy, Give, OrderLine, OrderSnapshot, SkuId, Span
from syncd.engine import adopting, drifting, offer_effects, offers
from syncd.engine.demand import Sold
from syncd.engine.placing import OrderShelf, Stated
from syncd.engine.replan import sold_here
from syncd.engine.rules import Rules
from syncd.engine.work import Sale, Work
from syncd.store import accounts, deliveries, doubts, ledger
from syncd.store.conduct import NewCancel
from syncd.store.doubts import Suspect
from syncd.store.history import NewEffect
from syncd.store.ledger import KnownOrder
from syncd.store.listings import Listing
from syncd.store.offers import Offer, by_keys

_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A snapshot, what it changes, and what was stored before."""

    account: AccountId
    order: OrderSnapshot
    found: Comparison
    known: KnownOrder | None
    offer: Offer | None = None

    def sold_privately(self, line: OrderLine | None) -> Offer | None:
        """Return the private sale that took the units of a line off the channel's listing already."""
        if line is None or self.offer is None or not offers.is_ours(self.offer, self.order.order_id):
            return None
        reserved = offer_effects.is_reserved(self.offer, line, ordered_at=self.order.ordered_at)
        return self.offer if reserved else None

    def quantity_before(self, line_id: str) -> int:
        """Return how many units the line had, 0 when it is new."""
        line = None if self.known is None else self.known.order.lines.get(line_id)
        return 0 if line is None else line.quantity


def take_orders(work: Work, stated: Sequence[Stated]) -> None:
    """Apply snapshots, of one account or of several; no order may be among them twice."""
    known = ledger.orders(work.conn, [(account, order.order_id) for account, order in stated])
    shelf = OrderShelf(work, stated)
    private = by_keys(work.conn, {order.offer for _, order in stated if order.offer})
    heads: list[dict[str, Any]] = []
    changes: list[_Change] = []
    for account, order in stated:
        before = known.get((account, order.order_id))
        found = _compare(work, account, order, before, shelf)
        if found.standing is Standing.REFETCH:
            work.want_orders(account, [order.order_id])
        if found.standing in _RECORDED:
            ignored = found.standing is Standing.IGNORED
            head = ledger.order_values(account, order, ignored=ignored, now=work.now)
            if before is not None:
                head["read_at"] = max(order.read_at, before.order.read_at)
            heads.append(head)
            offer = private.get(order.offer)
            changes.append(_Change(account=account, order=order, found=found, known=before, offer=offer))
    ids = ledger.save_orders(work.conn, heads) if heads else {}
    work.stated.update(ids.values())
    ledger.save_lines(work.conn, _line_rows(ids, changes))
    told = {(change.account, change.order.order_id): change.order.delivery for change in changes}
    deliveries.save(work.conn, {ids[key]: delivery for key, delivery in told.items() if delivery is not None})
    work.load_shelves({posting.sku_id for change in changes for posting in change.found.postings})
    for change in changes:
        _apply(work, change, shelf)
    _strike_fetched(work, stated)


_RECORDED = (Standing.NEW, Standing.CHANGED, Standing.DUPLICATE, Standing.IGNORED)


def _strike_fetched(work: Work, stated: Sequence[Stated]) -> None:
    fresh: dict[AccountId, list[OrderSnapshot]] = {}
    for account, order in stated:
        if order.fresh:
            fresh.setdefault(account, []).append(order)
    for account, orders in fresh.items():
        read_at = min(order.read_at for order in orders)
        accounts.fetched(work.conn, account, [order.order_id for order in orders], read_at=read_at)


def _compare(
    work: Work, account: AccountId, order: OrderSnapshot, known: KnownOrder | None, shelf: OrderShelf
) -> Comparison:
    state = work.accounts.get(account)
    return compare(
        order,
        stored=None if known is None else known.order,
        resolved={line.line_id: shelf.sku_of(account, line) for line in order.lines},
        locations={line.line_id: shelf.location_of(account, line) for line in order.lines},
        kits=work.kits,
        adopted_at=None if state is None else state.adopted_at,
    )


def _line_rows(ids: dict[tuple[str, str], int], changes: Iterable[_Change]) -> list[dict[str, Any]]:
    rows = []
    for change in changes:
        order = change.order
        stated = {line.line_id: line for line in order.lines}
        for stored in change.found.lines:
            line = stated.get(stored.line_id)
            rows.append(
                {
                    "order_id": ids[change.account, order.order_id],
                    "line_id": stored.line_id,
                    "account": change.account,
                    "remote_id": "" if line is None else line.remote_id,
                    "remote_sku": "" if line is None else line.remote_sku,
                    "location": stored.location,
                    "sku_id": stored.sku_id,
                    "quantity": stored.quantity,
                    "cancelled": stored.cancelled,
                    "shipped": stored.shipped,
                    "returned": stored.returned,
                    "state": _ENCODER.encode(line) if line is not None and stored.sku_id is None else b"",
                }
            )
    return rows


def _apply(work: Work, change: _Change, shelf: OrderShelf) -> None:
    account, order, found = change.account, change.order, change.found
    lines = {line.line_id: line for line in order.lines}
    for posting in found.postings:
        at = order.ordered_at if posting.kind is MovementKind.COMMIT else order.read_at
        work.post(posting, source=account, at=at)
        line = lines.get(_line_of(order, posting))
        if posting.kind is MovementKind.COMMIT and change.sold_privately(line) is None:
            before = work.bought.get((account, posting.sku_id), 0)
            work.bought[account, posting.sku_id] = before + posting.committed
            _consume(work, account, posting, line)
    if change.offer is not None and found.standing is not Standing.IGNORED:
        work.redeemed.append((order.offer, order.order_id))
    rules = work.house.rules.get(account)
    if rules is not None and found.standing is not Standing.IGNORED:
        for line in order.lines:
            _note_effects(work, rules, change, line, shelf.listings_of(account, line))
    _note_cancel(work, change)
    if found.unmapped:
        names = [line.remote_sku or line.remote_id for line in order.lines if line.line_id in found.unmapped]
        work.alarm("quarantine", account, account=account, order=order.number, sku=names[0])
    if found.standing is Standing.NEW and found.postings:
        _tell_sale(work, account, order, found)
        _note_sale(work, account, order)
    if change.known is None and not order.test and found.standing in (Standing.NEW, Standing.IGNORED):
        _note_demand(work, account, order, shelf)


_BLAME = (CancelledBy.SELLER, CancelledBy.CHANNEL, CancelledBy.BUYER, CancelledBy.UNKNOWN)


def _note_cancel(work: Work, change: _Change) -> None:
    """Note whose doing a cancel was, once anything of an order that counts here is cancelled."""
    order = change.order
    doings = {line.cancelled_by for line in order.lines if line.cancelled > 0}
    if not doings or order.test or change.found.standing not in (Standing.NEW, Standing.CHANGED, Standing.DUPLICATE):
        return
    by = next(one for one in _BLAME if one in doings)
    work.cancels.append(NewCancel(account=change.account, remote_id=order.order_id, ordered_at=order.ordered_at, by=by))


def _line_of(order: OrderSnapshot, posting: Posting) -> str:
    """Return the line id in a posting's reference (order:line:kind:cumulative@version)."""
    rest = posting.reference[len(order.order_id) + 1 :]
    return rest.rsplit(":", 2)[0]


def _tell_sale(work: Work, account: AccountId, order: OrderSnapshot, found: Comparison) -> None:
    if not work.house.sinks:
        return
    sold = [
        {"sku": work.skus[posting.sku_id].code, "quantity": posting.committed}
        for posting in found.postings
        if posting.kind is MovementKind.COMMIT and posting.sku_id in work.skus
    ]
    if sold:
        body = _ENCODER.encode({"account": account, "order": order.number, "at": order.ordered_at, "lines": sold})
        work.emit("sale", key=order.order_id, body=body)


def _note_sale(work: Work, account: AccountId, order: OrderSnapshot) -> None:
    """Note when it was sold: when it was ordered, or where the channel takes the units later, when it took them.

    A coarse time counts from its begin, so a lag is too long by at most what the time is coarse by.
    """
    taken_at = min((line.take.earliest for line in order.lines if line.take is not None), default=order.ordered_at)
    sold_at = max(order.ordered_at, taken_at)
    by_message = order.fresh or (account, order.order_id) in work.messages
    work.sales.append(Sale(account=account, at=sold_at, by_message=by_message))


def _note_demand(work: Work, account: AccountId, order: OrderSnapshot, shelf: OrderShelf) -> None:
    """Have the demand learn from an order that was not known before, cancelled or closed ones too: they were wanted."""
    lines = []
    for line in order.lines:
        sku_id = shelf.sku_of(account, line)
        if sku_id is not None and line.quantity > 0:
            parts = work.parts_of(sku_id)
            open_ = all(sum(b.available for b in work.shelf(part).values()) > 0 for part, _ in parts)
            lines.append((sku_id, line.quantity, open_))
    if lines:
        work.sold.append(Sold(account=account, at=min(order.ordered_at, work.now), lines=tuple(lines)))


def _consume(work: Work, account: AccountId, posting: Posting, line: OrderLine | None) -> None:
    """Let an order that may lie in the span of a suspect sale consume its hold.

    Units that the channel gives back by itself explain none: they are there again, so others are missing.
    """
    take = None if line is None else line.take
    left = posting.committed if line is None else posting.committed * _kept_share(line) // max(1, line.quantity)
    rules = work.house.rules.get(account)
    adopts = rules is not None and rules.adopts
    if take is None or left <= 0 or not (work.present.suspects or adopts):
        return
    skew = 0 if rules is None else rules.skew_us
    found = _open_suspects(work, account, posting.sku_id)
    wide = Span(earliest=take.earliest - skew, latest=None if take.latest is None else take.latest + skew)
    parts = explained(wide, left, [Missing(since=x.since, until=x.until, units=x.remaining) for x in found])
    for suspect, used in zip(found, parts, strict=True):
        if used:
            lift(work, suspect, used, cause=f"order {posting.reference}")
    if adopts and left > sum(parts):
        adopting.told(work, account, posting.sku_id, wide, orders=left - sum(parts))


def _kept_share(line: OrderLine) -> int:
    """Return the units of a line that the channel does not give back."""
    return max(0, line.quantity - sum(give.quantity for give in line.gives))


def lift(work: Work, suspect: Suspect, units: int, *, cause: str) -> None:
    """Take units of a suspect sale's hold away."""
    suspect.remaining -= units
    posting = Posting(
        reference=f"suspect:{suspect.id}:{suspect.remaining}",
        sku_id=suspect.sku_id,
        location=suspect.location,
        kind=MovementKind.UNHOLD,
        held=-units,
    )
    work.post(posting, source=suspect.account, at=work.now, reason=cause)


def _open_suspects(work: Work, account: AccountId, sku_id: SkuId) -> list[Suspect]:
    if account not in work.suspects_of:
        found = doubts.suspects(work.conn, account)
        work.suspects.update({suspect.id: suspect for suspect in found})
        work.suspects_of.add(account)
    return [x for x in work.suspects.values() if x.account == account and x.sku_id == sku_id]


def _note_effects(work: Work, rules: Rules, change: _Change, line: OrderLine, where: Sequence[Listing]) -> None:
    """Note that the channel took these units off its own listing, and gave some back; a repeat changes nothing."""
    stem = f"{change.order.order_id}:{line.line_id}"
    before = change.quantity_before(line.line_id)
    offer = change.sold_privately(line)
    takes = [] if line.take is None or offer is not None else list(_takes(change.order, line, line.take, before))
    if offer is not None and line.take is not None:
        offer_effects.note_order(work, offer, line, at=line.take)
    # Whether the units of a private sale that is not ours, or of what was added to one, were reserved nobody knows.
    doubtful = bool(change.order.offer) or offer_effects.may_come_of_one(work, change.account, line)
    for listing in where:
        for name, units, span in takes:
            _note(work, rules, listing, f"{stem}:take{name}", units=-units, span=span, maybe=doubtful or len(where) > 1)
        for give in line.gives:
            name = f"{stem}:give:{give.give_id}"
            since = give.span.earliest - rules.skew_us
            if doubts.explain_drift(work.conn, listing.id, since=since, now=work.now):
                drifting.release(work, (listing,))
            _note(work, rules, listing, name, units=give.quantity, span=give.span, maybe=len(where) > 1)
            if rules.adopts:
                _reverse(work, rules, listing, change, line, give)
        if rules.absolute and before == 0 and takes:
            sold_here(listing, line.quantity, change.order.ordered_at)


def _reverse(work: Work, rules: Rules, listing: Listing, change: _Change, line: OrderLine, give: Give) -> None:
    """Let a restore that is told for the first time reverse a hand edit that it explains."""
    known = None if change.known is None else change.known.order.lines.get(line.line_id)
    before = 0 if known is None else known.cancelled + known.returned
    fresh = min(give.quantity, line.cancelled + line.returned - before)
    if listing.sku_id is not None and fresh > 0:
        adopting.told(work, rules.account, listing.sku_id, _widened(give.span, rules), gives=fresh)


def _takes(order: OrderSnapshot, line: OrderLine, take: Span, before: int) -> Iterable[tuple[str, int, Span]]:
    """Yield what was taken: at first, and by a later increase that may have come at any time until it was read."""
    yield "", before or line.quantity, take
    if 0 < before < line.quantity:
        latest = None if take.latest is None else max(take.latest, order.read_at)
        yield f":{line.quantity}", line.quantity - before, replace(take, latest=latest)


def _note(work: Work, rules: Rules, listing: Listing, name: str, *, units: int, span: Span, maybe: bool) -> None:
    effect = Effect(quantity=units, span=_widened(span, rules), maybe=maybe)
    # A restore is kept also when it is over: it may have been kept as one that never ends.
    base = listing.base
    if units < 0 and base is not None and spent(effect, base) and not work.is_ahead(base.until):
        return
    work.effects.append(NewEffect(listing_id=listing.id, reference=name, effect=effect))
    work.stir(listing)


def _widened(span: Span, rules: Rules) -> Span:
    latest = None if span.latest is None else span.latest + rules.skew_us
    return replace(span, earliest=span.earliest - rules.skew_us, latest=latest)


def apply_mapped(work: Work, account: AccountId, remote_ids: Iterable[str], codes: Iterable[str]) -> None:
    """Apply lines that waited in quarantine for these listings or codes, as of the order's time."""
    waiting = ledger.quarantined(work.conn, account, list(remote_ids), list(codes))
    if waiting:
        take_orders(work, [(account, order) for order in ledger.restate(work.conn, waiting)])
        if ledger.quarantine_size(work.conn) == 0:
            work.calm("quarantine", account)
