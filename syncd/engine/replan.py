"""From balances to targets, from targets and beliefs to what is next for each listing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from syncd.core import shown
from syncd.core.exposure import decay, margin
from syncd.core.plan import Idle, Lane, Look, Send, Step, View, Wait, decide, lane_of_certain
from syncd.core.shown import Effect, Range
from syncd.core.terms import SECOND_US, AccountId, Instant, SkuId
from syncd.engine import rooms
from syncd.engine.adopting import ADOPTING
from syncd.engine.belief import range_of, watermark
from syncd.engine.demand import Book
from syncd.engine.gating import Gate
from syncd.engine.line import settle
from syncd.engine.rules import Rules
from syncd.engine.targets import retarget
from syncd.engine.work import Hint, Work
from syncd.store import backorders, history, offers
from syncd.store.history import Unsettled
from syncd.store.listings import Listing

RETRY_US = SECOND_US
"""How long a row waits that could not be sent twice in a row; it doubles with each further time."""
MOST_DOUBLINGS = 8
MOST_DOUBLINGS_PARKED = 12
"""A fall that the channel refuses is tried again at least about once an hour."""
MARGIN_QUANTILE = 0.99
"""How sure an absolute write is not to put an own sale back that was not read yet; surer hides the last unit longer."""
_FALLS = (Lane.ZERO, Lane.FALL)
_NO_EFFECTS: Sequence[Effect] = ()
_NO_WRITES: Sequence[Unsettled] = ()


def replan(work: Work) -> None:
    """Bring targets, beliefs and lanes of everything touched up to date, and say what changed."""
    settle(work)
    retarget(work)
    work.flush_effects()
    judge(work)
    tell(work)


# --- beliefs and lanes ------------------------------------------------------------------------------------------


def judge(work: Work) -> None:
    """Compute what every stirred listing shows and what is next for it."""
    if not work.stirred:
        return
    effects = history.effects(work.conn, work.stirred)
    writes = history.open_writes(work.conn, work.stirred)
    marks: dict[AccountId, Instant | None] = {}
    gate = Gate(work)
    if work.present.claims or work.claims:
        work.load_claims(work.stirred)
    for listing_id in sorted(work.stirred):
        listing = work.listings[listing_id]
        rules = work.house.rules.get(listing.account)
        if rules is None:
            continue
        mine, open_ = effects.get(listing_id, _NO_EFFECTS), writes.get(listing_id, _NO_WRITES)
        allotted = listing_id in work.claims and listing.sku_id is not None
        if not mine and not open_ and not allotted and _certain(listing, rules):
            _queue_certain(work, listing)
            continue
        found = range_of(listing, rules, mine, open_, now=work.now)
        listing.low, listing.high = (None, None) if found is None else (found.low, found.high)
        mark = watermark(work, listing.account, marks) if rules.absolute else None
        limit = gate.ceiling(listing, rules) if allotted else None
        book = work.house.outlook.book
        view = view_of(listing, rules, mine, open_, found=found, mark=mark, limit=limit, now=work.now, book=book)
        step = decide(view, now=work.now)
        _queue(listing, step, work.now)
        if listing.lane is not None:
            work.hints.add((listing.account, Hint.READ if listing.lane == Lane.READ else Hint.WRITE))
    work.stirred.clear()


def _certain(listing: Listing, rules: Rules) -> bool:
    """Say whether it is known what a listing shows, not less than its target, and nothing is in the way of a write."""
    if listing.base is None or listing.target is None or listing.base.value < listing.target:
        return False
    free = not (listing.stale or listing.parked or listing.vanished or listing.held == ADOPTING)
    return free and (listing.demand <= 0 or not rules.absolute)


def _queue_certain(work: Work, listing: Listing) -> None:
    assert listing.base is not None, "the caller checked it"  # noqa: S101  (our own invariant)
    assert listing.target is not None, "the caller checked it"  # noqa: S101  (the same)
    value = listing.low = listing.high = listing.base.value
    lane = lane_of_certain(target=listing.target, value=value)
    due_at = None if lane is None else fall_at(listing.lane, listing.due_at, attempts=listing.attempts, now=work.now)
    if (listing.lane, listing.due_at) != (lane, due_at):
        listing.lane, listing.due_at = lane, due_at
        listing.changed = True
    if lane is not None:
        work.hints.add((listing.account, Hint.WRITE))


def view_of(
    listing: Listing,
    rules: Rules,
    effects: Sequence[Effect],
    writes: Sequence[Unsettled],
    *,
    found: Range | None,
    mark: Instant | None,
    now: Instant,
    book: Book,
    limit: tuple[int, Instant | None] | None = None,
) -> View:
    """Return a listing as the rule sees it; `found` is what it shows, `limit` what the gate of allotments says.

    An allotment needs no margin: the gate reckons with what an absolute write puts back.
    """
    last = max((x.write for x in writes), key=lambda w: w.sent_at, default=None)
    return View(
        mode=rules.profile.write_mode,
        target=listing.target,
        shown=found,
        pace=rules.pace,
        margin=margin_of(listing, rules, mark, now, book=book) if limit is None else 0,
        held=bool(listing.held),
        parked=bool(listing.parked),
        vanished=listing.vanished,
        gives_until=shown.gives_until((e for e in effects if not e.maybe), now=now) if effects else None,
        raise_at=raise_at(listing.lane, listing.due_at, attempts=listing.attempts, fresh=now + rules.pace.raise_us),
        read_at=listing.seen_at,
        last_open=last,
        settled_at=max(x.write.until for x in writes) + rules.staleness_us if writes else None,
        stale=listing.stale,
        doubted=listing.held == ADOPTING,
        ceiling=None if limit is None else limit[0],
        ceiling_at=None if limit is None else limit[1],
    )


def margin_of(listing: Listing, rules: Rules, mark: Instant | None, now: Instant, *, book: Book) -> int:
    """Return what own sales may have taken between the feed's watermark and the moment an absolute write takes effect.

    0 for channels that check a number themselves.
    """
    if not rules.absolute:
        return 0
    since = now - rules.lateness_us if mark is None else mark
    base = listing.base
    if base is not None and base.value <= 0 and base.until <= since and (listing.high or 0) <= 0:
        return 0
    if listing.demand <= 0 or listing.demand_at is None:
        return 0
    rate = decay(listing.demand, units=0, elapsed_s=max(0, now - listing.demand_at) / SECOND_US)
    window_s = max(0, now + rules.usual_effect_us - since) / SECOND_US
    sizes = (1.0,) if listing.sku_id is None else book.sized(listing.sku_id)
    return margin(rate_per_s=rate, window_s=window_s, quantile=MARGIN_QUANTILE, sizes=sizes)


def sold_here(listing: Listing, units: int, at: Instant) -> None:
    """Take an own sale into the demand of a listing (only absolute writes need it)."""
    elapsed = 0.0 if listing.demand_at is None else max(0, at - listing.demand_at) / SECOND_US
    listing.demand = decay(listing.demand, units=units, elapsed_s=elapsed)
    listing.demand_at = at if listing.demand_at is None else max(at, listing.demand_at)
    listing.changed = True


def _queue(listing: Listing, step: Step, now: Instant) -> None:
    lane, due_at = lane_of(step, now)
    if isinstance(step, Send) and step.lane == Lane.RAISE:
        due_at = retry_at(listing.attempts, now)
    elif isinstance(step, Send) and listing.parked:
        due_at = _refused_at(listing, step.lane, now)
    elif isinstance(step, Send):
        due_at = fall_at(listing.lane, listing.due_at, attempts=listing.attempts, now=now)
    if (listing.lane, listing.due_at) != (lane, due_at):
        listing.lane, listing.due_at = lane, due_at
        listing.changed = True


def retry_at(attempts: int, now: Instant, *, most: int = MOST_DOUBLINGS) -> Instant:
    """Return when a row that could not be sent so many times in a row is due: the first time at once, then later."""
    return now if attempts <= 1 else now + RETRY_US * 2 ** min(attempts - 2, most)


def fall_at(lane: int | None, due_at: Instant | None, *, attempts: int, now: Instant) -> Instant:
    """Return when a fall is due, given what the row waited for: one that waits stays due since it was first.

    How long falls wait says how slow a channel is; deciding them anew must not hide it.
    """
    at = retry_at(attempts, now)
    return min(at, due_at) if attempts <= 1 and lane in _FALLS and due_at is not None else at


def raise_at(lane: int | None, due_at: Instant | None, *, attempts: int, fresh: Instant) -> Instant | None:
    """Return when a raise that waits is due, None where none waits; `fresh` is when one that is new now would be.

    What it waited for may be over by what is decided now, as a margin is that a delivery outweighs: one that was not
    refused waits from now on as long as a new one at most.
    """
    if lane != Lane.RAISE or due_at is None:
        return None
    return due_at if attempts > 1 else min(due_at, fresh)


def _refused_at(listing: Listing, lane: Lane, now: Instant) -> Instant:
    """Return when a fall is due at a channel that refused the listing; what waits already is not put off."""
    at = retry_at(listing.attempts, now, most=MOST_DOUBLINGS_PARKED)
    return min(at, listing.due_at) if listing.lane == lane and listing.due_at is not None else at


def lane_of(step: Step, now: Instant) -> tuple[int | None, Instant | None]:
    """Return the lane and the time of what is next."""
    match step:
        case Idle():
            return None, None
        case Wait(lane=lane, at=at):
            return int(lane), at
        case Look(at=at):
            return int(Lane.READ), at
        case Send(lane=lane):
            return int(lane), now


# --- what changed, for others -------------------------------------------------------------------------------------


def tell(work: Work) -> None:
    """Emit what others want to know of touched SKUs: stock-out, restock, oversell, state; raise and clear alerts."""
    low = work.house.low_stock
    for sku_id in sorted(work.touched):
        before = work.before[sku_id]
        after = sum(balance.available for balance in work.shelf(sku_id).values())
        known = work.skus.get(sku_id)
        if known is None or not (known.opened or sku_id in work.opened):
            continue
        if (before > 0) != (after > 0):
            work.crossed.append((sku_id, after > 0))
        _tell_crossing(work, sku_id, known.code, before, after)
        if before > low >= after and low > 0:
            work.alarm("low_stock", known.code, sku=known.code, available=after)
        elif after > low >= before:
            work.calm("low_stock", known.code)
    if "mqtt" in work.house.sinks:
        tell_states(work)


def _tell_crossing(work: Work, sku_id: SkuId, code: str, before: int, after: int) -> None:
    if before > 0 >= after:
        work.emit("stockout", key=code, body=_body(sku=code, available=after))
    if after > 0 >= before:
        work.emit("restock", key=code, body=_body(sku=code, available=after, units=after - max(0, before)))
    if before < 0 or after < 0:
        _tell_oversell(work, sku_id, code, before, after)


def _tell_oversell(work: Work, sku_id: SkuId, code: str, before: int, after: int) -> None:
    """Tell of units that are promised and will not be there; those sold before they are here are owed, not oversold."""
    # What private sales give back is on its way too.
    leaving = offers.leaving(work.conn, [sku_id]).get(sku_id, 0)
    # What suspect sales hold is promised to nobody: it may be sold twice in our books, and once at the most in truth.
    guessed_before, guessed = work.guessed(sku_id)
    short_before, short = max(0, -before - leaving - guessed_before), max(0, -after - leaving - guessed)
    owed_before = backorders.owed(work.conn, [sku_id]).get(sku_id, 0)
    owed = rooms.owed(work, sku_id, short=short, before=owed_before)
    if owed != owed_before:
        backorders.put(work.conn, sku_id, owed, now=work.now)
    over_before, over = max(0, short_before - owed_before), short - owed
    if over > over_before:
        work.emit("oversell", key=code, body=_body(sku=code, available=-over, units=over - over_before))
        work.alarm("oversell", code, sku=code, units=over)
    elif over_before > 0 == over:
        work.calm("oversell", code)


def tell_states(work: Work) -> None:
    """Emit everything about each touched SKU; a later state of a SKU replaces this one."""
    targets: dict[SkuId, dict[str, int | None]] = defaultdict(dict)
    for listing in work.listings.values():
        if listing.sku_id in work.touched:
            targets[listing.sku_id][listing.account] = listing.target
    for sku_id in sorted(work.touched):
        known = work.skus.get(sku_id)
        if known is None:
            continue
        shelf = work.shelf(sku_id).values()
        body = _body(
            sku=known.code,
            on_hand=sum(b.on_hand for b in shelf),
            committed=sum(b.committed for b in shelf),
            held=sum(b.held for b in shelf),
            available=sum(b.available for b in shelf),
            targets=targets.get(sku_id, {}),
            version=work.now,
        )
        work.emit("state", key=known.code, body=body)


def _body(**values: object) -> bytes:
    return msgspec.json.encode(values)
