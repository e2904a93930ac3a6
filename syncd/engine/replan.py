"""From balances to targets, from targets and beliefs to what is next for each listing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from syncd.core import kits, shown
from syncd.core.allocate import split
from syncd.core.exposure import decay, margin, pool_target
from syncd.core.plan import Idle, Lane, Look, Send, Step, View, Wait, decide, lane_of_certain
from syncd.core.shown import Base, Effect, History, Range
from syncd.core.terms import SECOND_US, UNPLACED, AccountId, Instant, Location, SkuId
from syncd.engine.adopting import ADOPTING, ended_by_fall
from syncd.engine.rules import Rules
from syncd.engine.work import Hint, Work
from syncd.store import accounts, history, ledger, listings
from syncd.store.history import Unsettled
from syncd.store.listings import Listing

RETRY_US = SECOND_US
"""How long a row waits that could not be sent twice in a row; it doubles with each further time."""
MOST_DOUBLINGS = 8
MARGIN_QUANTILE = 0.99
"""How sure an absolute write is not to put an own sale back that was not read yet; surer hides the last unit longer."""
_NO_EFFECTS: Sequence[Effect] = ()
_NO_WRITES: Sequence[Unsettled] = ()


def replan(work: Work) -> None:
    """Bring targets, beliefs and lanes of everything touched up to date, and say what changed."""
    retarget(work)
    work.flush_effects()
    judge(work)
    tell(work)


# --- targets ----------------------------------------------------------------------------------------------------


def retarget(work: Work) -> None:
    """Compute the targets of every listing of a touched SKU, and of the kits that it is in."""
    if not work.touched:
        return
    work.load_skus(work.touched)
    affected = set(work.touched)
    affected.update(kit for kit, parts in work.kits.items() if any(part in work.touched for part, _ in parts))
    work.load_shelves({part for sku in affected for part, _ in work.kits.get(sku, ((sku, 1),))})
    missing = affected.difference(work.policies)
    found = ledger.policies(work.conn, missing) if work.present.policies else {}
    work.policies.update({sku: found.get(sku, {}) for sku in missing})
    work.keep(listings.of_skus(work.conn, affected, known=work.listings))
    groups: dict[tuple[SkuId, AccountId], list[Listing]] = defaultdict(list)
    for listing in work.listings.values():
        if listing.sku_id in affected:
            groups[listing.sku_id, listing.account].append(listing)
    rooms: Rooms = {}
    opened = {sku_id: _is_open(work, sku_id) for sku_id in affected}
    for (sku_id, account), group in groups.items():
        rules = work.house.rules.get(account)
        if rules is not None:
            _aim_group(work, sku_id, rules, group, opened=opened[sku_id], rooms=rooms)


Rooms = dict[tuple[SkuId, tuple[Location, ...]], int]
"""What is available of a SKU at some locations, once computed: most accounts ask for the same."""


def _is_open(work: Work, sku_id: SkuId) -> bool:
    known = work.skus.get(sku_id)
    return known is not None and (known.opened or sku_id in work.opened or _kit_opened(work, sku_id))


def _aim_group(work: Work, sku_id: SkuId, rules: Rules, group: list[Listing], *, opened: bool, rooms: Rooms) -> None:
    usable = [x for x in group if opened and x.managed and not x.vanished and _placed(x, rules)]
    ambiguous = _ambiguous(usable, rules)
    aims = _aims(work, sku_id, rules, [x for x in usable if x.id not in ambiguous], rooms)
    for listing in group:
        _set_target(work, listing, aims.get(listing.id))


def _kit_opened(work: Work, sku_id: SkuId) -> bool:
    parts = work.kits.get(sku_id)
    return bool(parts) and all(p in work.opened or (p in work.skus and work.skus[p].opened) for p, _ in parts or ())


def _placed(listing: Listing, rules: Rules) -> bool:
    """Say whether we know which of our locations a listing sells from."""
    return not rules.location_map or not listing.ref.remote_location or bool(listing.location)


def _ambiguous(group: list[Listing], rules: Rules) -> set[int]:
    """Return listings of one offer at several remote locations that nobody mapped: which has what is not known.

    An inactive one beside an active one is a location that the offer is not stocked at.
    """
    if rules.location_map or len(group) < 2:
        return set()
    by_offer: dict[str, list[Listing]] = defaultdict(list)
    for listing in group:
        by_offer[listing.ref.remote_id].append(listing)
    found: set[int] = set()
    for offers in by_offer.values():
        active = [listing.id for listing in offers if listing.active]
        if len(active) > 1:
            found.update(active)
        if len(offers) > 1:
            found.update(listing.id for listing in offers if not listing.active)
    return found


def _aims(work: Work, sku_id: SkuId, rules: Rules, group: list[Listing], rooms: Rooms) -> dict[int, int]:
    """Return the target of each listing: the locations of one channel split one target, pages of one compete."""
    policy = ledger.policy_of(rules.policy, work.policies.get(sku_id), rules.account)
    if len(group) == 1:
        where = (group[0].location,) if group[0].location else rules.locations
        return {group[0].id: pool_target(_room(work, sku_id, where, rooms), policy)}
    places: dict[tuple[Location, ...], list[Listing]] = defaultdict(list)
    for listing in group:
        places[(listing.location,) if listing.location else rules.locations].append(listing)
    if len(places) == 1:
        where = next(iter(places))
        aim = pool_target(_room(work, sku_id, where, rooms), policy)
        return {listing.id: aim for listing in group}
    parts_of = [available_at(work, sku_id, where) for where in places]
    everywhere = {location for where in places for location in where}
    total = pool_target(available_at(work, sku_id, (*everywhere, UNPLACED)), policy)
    parts = split(total, parts_of)
    return {x.id: part for group_here, part in zip(places.values(), parts, strict=True) for x in group_here}


def _room(work: Work, sku_id: SkuId, where: tuple[Location, ...], rooms: Rooms) -> int:
    found = rooms.get((sku_id, where))
    if found is None:
        found = rooms[sku_id, where] = available_at(work, sku_id, (*where, UNPLACED))
    return found


def available_at(work: Work, sku_id: SkuId, where: Iterable[Location]) -> int:
    """Return what is available of a SKU, or of a kit, at these locations together."""
    where = tuple(where)
    parts = work.kits.get(sku_id)
    if not parts:
        return _sum(work, sku_id, where)
    return kits.available((_sum(work, part, where), quantity) for part, quantity in parts)


def _sum(work: Work, sku_id: SkuId, where: tuple[Location, ...]) -> int:
    shelf = work.shelf(sku_id)
    return sum(shelf[place].available for place in where if place in shelf)


def _set_target(work: Work, listing: Listing, target: int | None) -> None:
    if listing.target != target:
        listing.held = "" if ended_by_fall(listing, target) else listing.held
        listing.target = target
        work.stir(listing)


# --- beliefs and lanes ------------------------------------------------------------------------------------------


def judge(work: Work) -> None:
    """Compute what every stirred listing shows and what is next for it."""
    if not work.stirred:
        return
    effects = history.effects(work.conn, work.stirred)
    writes = history.open_writes(work.conn, work.stirred)
    marks: dict[AccountId, Instant | None] = {}
    for listing_id in sorted(work.stirred):
        listing = work.listings[listing_id]
        rules = work.house.rules.get(listing.account)
        if rules is None:
            continue
        mine, open_ = effects.get(listing_id, _NO_EFFECTS), writes.get(listing_id, _NO_WRITES)
        if not mine and not open_ and _certain(listing, rules):
            _queue_certain(work, listing)
            continue
        found = range_of(listing, rules, mine, open_)
        listing.low, listing.high = (None, None) if found is None else (found.low, found.high)
        mark = watermark(work, listing.account, marks) if rules.absolute else None
        step = decide(view_of(listing, rules, mine, open_, found=found, mark=mark, now=work.now), now=work.now)
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
    due_at = None if lane is None else retry_at(listing.attempts, work.now)
    if (listing.lane, listing.due_at) != (lane, due_at):
        listing.lane, listing.due_at = lane, due_at
        listing.changed = True
    if lane is not None:
        work.hints.add((listing.account, Hint.WRITE))


def watermark(work: Work, account: AccountId, known: dict[AccountId, Instant | None]) -> Instant | None:
    """Return up to when the order feed of an account is complete."""
    if account not in known:
        feed = accounts.feed(work.conn, account, accounts.ORDERS)
        known[account] = None if feed is None else feed.complete_until
    return known[account]


def history_of(base: Base, rules: Rules, effects: Sequence[Effect], writes: Sequence[Unsettled]) -> History:
    """Return everything that says what a listing shows."""
    flying = [x.flying for x in writes if x.flying is not None]
    return History(
        base=base,
        effects=[*effects, *flying] if flying else effects,
        writes=[x.write for x in writes if not x.relative],
        floor=None if rules.profile.shows_negative else 0,
    )


def view_of(
    listing: Listing,
    rules: Rules,
    effects: Sequence[Effect],
    writes: Sequence[Unsettled],
    *,
    found: Range | None,
    mark: Instant | None,
    now: Instant,
) -> View:
    """Return a listing as the rule sees it; `found` is what it shows (`range_of`)."""
    last = max((x.write for x in writes), key=lambda w: w.sent_at, default=None)
    return View(
        mode=rules.profile.write_mode,
        target=listing.target,
        shown=found,
        pace=rules.pace,
        margin=margin_of(listing, rules, mark, now),
        held=bool(listing.held),
        parked=bool(listing.parked) or listing.vanished,
        gives_until=shown.gives_until((e for e in effects if not e.maybe), now=now) if effects else None,
        raise_at=listing.due_at if listing.lane == Lane.RAISE else None,
        read_at=listing.seen_at,
        last_open=last,
        settled_at=max(x.write.until for x in writes) + rules.staleness_us if writes else None,
        stale=listing.stale,
        doubted=listing.held == ADOPTING,
    )


def range_of(listing: Listing, rules: Rules, effects: Sequence[Effect], writes: Sequence[Unsettled]) -> Range | None:
    """Return what a listing shows; None while nothing was ever read."""
    if listing.base is None:
        return None
    if not effects and not writes:
        value = listing.base.value if rules.profile.shows_negative else max(0, listing.base.value)
        return Range(low=value, high=value, likely=value)
    return shown.shown(history_of(listing.base, rules, effects, writes))


def margin_of(listing: Listing, rules: Rules, mark: Instant | None, now: Instant) -> int:
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
    return margin(rate_per_s=rate, window_s=window_s, quantile=MARGIN_QUANTILE)


def sold_here(listing: Listing, units: int, at: Instant) -> None:
    """Take an own sale into the demand of a listing (only absolute writes need it)."""
    elapsed = 0.0 if listing.demand_at is None else max(0, at - listing.demand_at) / SECOND_US
    listing.demand = decay(listing.demand, units=units, elapsed_s=elapsed)
    listing.demand_at = at if listing.demand_at is None else max(at, listing.demand_at)
    listing.changed = True


def _queue(listing: Listing, step: Step, now: Instant) -> None:
    lane, due_at = lane_of(step, now)
    if isinstance(step, Send):
        due_at = retry_at(listing.attempts, now)
    if (listing.lane, listing.due_at) != (lane, due_at):
        listing.lane, listing.due_at = lane, due_at
        listing.changed = True


def retry_at(attempts: int, now: Instant) -> Instant:
    """Return when a row that could not be sent so many times in a row is due: the first time at once, then later."""
    return now if attempts <= 1 else now + RETRY_US * 2 ** min(attempts - 2, MOST_DOUBLINGS)


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
        _tell_crossing(work, known.code, before, after)
        if before > low >= after and low > 0:
            work.alarm("low_stock", known.code, sku=known.code, available=after)
        elif after > low >= before:
            work.calm("low_stock", known.code)
    if "mqtt" in work.house.sinks:
        tell_states(work)


def _tell_crossing(work: Work, code: str, before: int, after: int) -> None:
    if before > 0 >= after:
        work.emit("stockout", key=code, body=_body(sku=code, available=after))
    if after > 0 >= before:
        work.emit("restock", key=code, body=_body(sku=code, available=after, units=after - max(0, before)))
    if after < 0 and after < before:
        units = min(-after, before - after)
        work.emit("oversell", key=code, body=_body(sku=code, available=after, units=units))
        work.alarm("oversell", code, sku=code, units=-after)
    elif before < 0 <= after:
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
