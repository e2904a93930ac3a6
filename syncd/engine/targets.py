"""From balances, policies, demand and lags to the target of every listing of a touched SKU."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from syncd.core.allocate import Stand, allot
from syncd.core.exposure import among, kept_back
from syncd.core.facts import AccountState
from syncd.core.shown import Range
from syncd.core.terms import AccountId, SkuId
from syncd.engine.adopting import ended_by_fall
from syncd.engine.belief import range_of
from syncd.engine.divided import divided
from syncd.engine.rooms import Places, Rooms, load_policies, policy_of
from syncd.engine.rules import Rules
from syncd.engine.showings import show_beside
from syncd.engine.slots import Slot, adaptive, forecast, slot_of, spread
from syncd.engine.work import Work
from syncd.store import history, listings
from syncd.store.claims import Unheard
from syncd.store.listings import Listing

Groups = Mapping[AccountId, Sequence[Listing]]


def retarget(work: Work) -> None:
    """Compute the targets of every listing of a touched SKU, and of what shares its units."""
    if not work.touched:
        return
    work.load_skus(work.touched)
    affected = set(work.touched)
    affected.update(kit for kit, parts in work.kits.items() if any(part in work.touched for part, _ in parts))
    parts_of = {part for sku in affected for part, _ in work.parts_of(sku)}
    work.load_shelves(parts_of)
    work.load_opened(parts_of)
    load_policies(work, affected)
    work.keep(listings.of_skus(work.conn, affected, known=work.listings))
    by_sku: dict[SkuId, dict[AccountId, list[Listing]]] = defaultdict(lambda: defaultdict(list))
    for listing in work.listings.values():
        if listing.sku_id in affected:
            by_sku[listing.sku_id][listing.account].append(listing)
    rooms, allotted = Rooms(work), divided(work, affected)
    for sku_id, groups in by_sku.items():
        _aim(work, sku_id, groups, rooms, allotted=sku_id in allotted)


def _aim(work: Work, sku_id: SkuId, groups: Groups, rooms: Rooms, *, allotted: bool) -> None:
    aims: dict[int, int] = {}
    slots = slots_in(work, sku_id, groups, rooms)
    if allotted and slots:
        aims = _allotments(work, sku_id, slots, rooms)
    elif slots:
        limits = adaptive(work, sku_id, slots)
        for number, slot in enumerate(slots):
            aims |= spread(work, sku_id, slot, limits.get(number, ()))
    show_beside(work, sku_id, slots, aims)
    if work.present.claims and not allotted:
        work.unclaim(listing.id for group in groups.values() for listing in group)
    for account, group in groups.items():
        if account in work.house.rules:
            for listing in group:
                _set_target(work, listing, aims.get(listing.id))


def slots_in(work: Work, sku_id: SkuId, groups: Groups, rooms: Rooms) -> list[Slot]:
    """Return the slots of a SKU: accounts with listings that may be written."""
    if not _is_open(work, sku_id):
        return []
    usable: dict[AccountId, tuple[Rules, list[Listing]]] = {}
    for account, group in groups.items():
        rules = work.house.rules.get(account)
        mine = [] if rules is None else usable_in(group, rules)
        if rules is not None and mine:
            usable[account] = rules, mine
    return [
        slot_of(
            work, sku_id, rules=rules, policy=among(policy_of(work, sku_id, account), usable), group=mine, rooms=rooms
        )
        for account, (rules, mine) in usable.items()
    ]


def _is_open(work: Work, sku_id: SkuId) -> bool:
    known = work.skus.get(sku_id)
    return known is not None and (known.opened or sku_id in work.opened or _kit_opened(work, sku_id))


def _kit_opened(work: Work, sku_id: SkuId) -> bool:
    parts = work.kits.get(sku_id)
    return bool(parts) and all(p in work.opened or (p in work.skus and work.skus[p].opened) for p, _ in parts or ())


def usable_in(group: Sequence[Listing], rules: Rules) -> list[Listing]:
    """Return the listings of an account and a SKU that may be written."""
    usable = [x for x in group if x.managed and not x.vanished and _placed(x, rules)]
    ambiguous = _ambiguous(usable, rules)
    return [x for x in usable if x.id not in ambiguous] if ambiguous else usable


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


def _set_target(work: Work, listing: Listing, target: int | None) -> None:
    if listing.target != target:
        listing.held = "" if ended_by_fall(listing, target) else listing.held
        listing.target = target
        if listing.parked:
            listing.attempts = 0  # another number is tried at once
        work.stir(listing)


# --- allotments ------------------------------------------------------------------------------------------------------


def _allotments(work: Work, sku_id: SkuId, slots: Sequence[Slot], rooms: Rooms) -> dict[int, int]:
    """Return disjoint parts of a SKU's units, one for each listing; what kits and components ask for stays."""
    every = [(slot, listing) for slot in slots for listing in slot.listings]
    ranges = _ranges(work, every)
    _claim(work, [listing for _, listing in every], ranges)
    weights = work.house.outlook.book.shares(sku_id, [slot.account for slot in slots])
    everywhere = tuple(sorted({place for slot in slots for place in slot.where}))
    own = forecast(work, sku_id).own if work.kits else 1.0
    there = [rooms.at(sku_id, everywhere, slot.policy, slot.account) for slot in slots]
    stands = [
        Stand(
            weight=weight / len(slot.listings),
            shows=max(0, ranges[listing.id].high),
            most=min(slot.most, max(0, rooms.at(sku_id, places_of(listing, slot), slot.policy, listing.account))),
            room=int((units - kept_back(units, slot.policy, account=slot.account)) * own),
            fixed=_is_fixed(work, slot),
            costly=slot.rules.absolute,
        )
        for slot, weight, units in zip(slots, weights, there, strict=True)
        for listing in slot.listings
    ]
    units = int(max(there) * own)
    parts = allot(units, stands)
    return {listing.id: part for (_, listing), part in zip(every, parts, strict=True)}


def places_of(listing: Listing, slot: Slot) -> Places:
    """Return the places that a listing of a slot sells from."""
    return (listing.location,) if listing.location else slot.rules.locations


def _ranges(work: Work, every: Iterable[tuple[Slot, Listing]]) -> dict[int, Range]:
    """Return what the listings show, with what this decision has learned so far."""
    work.flush_effects()
    rules = {listing.id: slot.rules for slot, listing in every}
    effects = history.effects(work.conn, list(rules))
    writes = history.open_writes(work.conn, list(rules))
    found = {}
    for number, rule in rules.items():
        mine, open_ = effects.get(number, ()), writes.get(number, ())
        shown = range_of(work.listings[number], rule, mine, open_, now=work.now)
        found[number] = Range(low=0, high=0, likely=0) if shown is None else shown
    return found


def _claim(work: Work, mine: Sequence[Listing], ranges: Mapping[int, Range]) -> None:
    """Begin the claims of listings that had no allotment: what was sold there before is not known yet."""
    work.load_claims([listing.id for listing in mine])
    for listing in mine:
        if listing.id not in work.claims:
            claim = work.claims[listing.id] = Unheard(listing_id=listing.id, changed=True)
            claim.add(max(0, ranges[listing.id].high), work.now)


def _is_fixed(work: Work, slot: Slot) -> bool:
    """Say whether nothing can be written there: it goes on showing what it shows."""
    known = work.accounts.get(slot.account)
    paused = known is not None and known.state is AccountState.PAUSED
    return paused or work.house.outlook.lag(slot.account).away
