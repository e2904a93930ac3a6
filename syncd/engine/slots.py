"""Slots: what of a SKU competes for its units, and how much each slot may show by demand and lag.

A slot is the listings of one account that sell from the same place; an account that sells from several places is one
slot, whose number is split over them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from syncd.core.adaptive import Reach, plenty, targets
from syncd.core.allocate import split
from syncd.core.exposure import Exposure, Policy, pool_target
from syncd.core.facts import AccountState
from syncd.core.terms import AccountId, Location, SkuId
from syncd.engine.outlook import MOST_KEPT
from syncd.engine.rooms import Places, Rooms, available_at
from syncd.engine.rules import Rules
from syncd.engine.work import Work
from syncd.store import displays
from syncd.store.displays import Display
from syncd.store.listings import Listing

STEPS: Final = 3
"""Rates are rounded to so many steps for each doubling, so that decisions are alike and need not be made anew."""
SIZE_STEP: Final = 50
"""Chances of sizes are rounded to this part of one, for the same reason."""
LEAST_SHARE: Final = 0.001
"""No listing is taken to have a smaller part of the demand."""


class Page(NamedTuple):
    """What competes within a slot: a listing, or a number that is split over listings.

    `shows` is what it may show now. `closed`: somebody took it down, so nobody can buy there.
    """

    shows: int
    closed: bool = False


@dataclass(slots=True, kw_only=True)
class Slot:
    """`available` is what is there for it, `most` what its policy allows.

    `pages` are the listings in their order, or one number, whose parts by place are `parts`. `state` says whether
    anything is written there: `AccountState.LIVE` in a shadow too.
    """

    rules: Rules
    policy: Policy
    listings: Sequence[Listing]
    where: Places
    available: int
    most: int
    pages: Sequence[Page]
    state: AccountState
    parts: Mapping[Places, Sequence[Listing]]

    @property
    def account(self) -> AccountId:
        """Return the account."""
        return self.rules.account

    def meets(self, other: Slot) -> bool:
        """Say whether both sell from a common place; otherwise they sell other units."""
        return not set(self.where).isdisjoint(other.where)


def slot_of(work: Work, sku_id: SkuId, *, rules: Rules, policy: Policy, group: Sequence[Listing], rooms: Rooms) -> Slot:
    """Return the slot of an account's usable listings of a SKU (one at least)."""
    group = sorted(group, key=lambda listing: listing.id)
    places: dict[Places, list[Listing]] = defaultdict(list)
    for listing in group:
        places[(listing.location,) if listing.location else rules.locations].append(listing)
    where = next(iter(places))
    if len(places) > 1:
        where = tuple(sorted({location for one in places for location in one}))
    available = rooms.at(sku_id, where, policy, rules.account)
    pages = _pages(work, group)
    if len(places) > 1:
        pages = [Page(sum(page.shows for page in pages), all(page.closed for page in pages))]
    return Slot(
        rules=rules,
        policy=policy,
        listings=group,
        where=where,
        available=available,
        most=rules.within(pool_target(available, policy, account=rules.account)),
        pages=pages,
        state=state_of(work, rules.account),
        parts=places if len(places) > 1 else {},
    )


def _pages(work: Work, group: Sequence[Listing]) -> list[Page]:
    inactive = [listing.id for listing in group if not listing.active]
    known = displays.load(work.conn, inactive) if inactive and work.present.displays else {}
    return [Page(listing.high or 0, is_taken_down(listing, known.get(listing.id))) for listing in group]


def is_taken_down(listing: Listing, one: Display | None) -> bool:
    """Say whether somebody took a page down: it stays so when there are units again, unlike one that we closed."""
    if one is not None and (one.wanted.hidden or one.there.hidden or "hidden" in one.unsure):
        return False
    return not listing.active


def state_of(work: Work, account: AccountId) -> AccountState:
    """Return whether an account is new, live or paused; where all is for trial each one is taken for live."""
    known = work.accounts.get(account)
    if work.house.shadow:
        return AccountState.LIVE
    return AccountState.NEW if known is None else known.state


def spread(work: Work, sku_id: SkuId, slot: Slot, limits: Sequence[int]) -> dict[int, int]:
    """Return the target of each listing of a slot: places split the number, pages of one place compete for it.

    `limits` are those of its pages, none where each may show what the policy allows.
    """
    aims = [min(slot.most, limit) for limit in limits] or [slot.most] * len(slot.pages)
    if not slot.parts:
        return {listing.id: aim for listing, aim in zip(slot.listings, aims, strict=True)}
    parts = split(aims[0], [available_at(work, sku_id, where) for where in slot.parts])
    return {x.id: part for group, part in zip(slot.parts.values(), parts, strict=True) for x in group}


# --- adaptive ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The demand for the units of a SKU: lines per second of all that sell them, and the chances of their sizes.

    `own` is the part of it that asks for the SKU itself; `others` are the parts that come by kits and components, by
    account, with the most units that these can sell.
    """

    lines_per_s: float
    sizes: tuple[float, ...]
    own: float
    others: Mapping[AccountId, tuple[float, int]]


def relatives(work: Work, sku_id: SkuId) -> dict[SkuId, float]:
    """Return what else is made of the same units, with how many units of this SKU one unit of it takes."""
    found: dict[SkuId, float] = {}
    for part, mine in work.parts_of(sku_id):
        if part != sku_id:
            found[part] = max(found.get(part, 0.0), 1.0 / mine)
        for kit, parts in work.kits.items():
            for one, quantity in parts if kit != sku_id else ():
                if one == part:
                    found[kit] = max(found.get(kit, 0.0), quantity / mine)
    return found


def forecast(work: Work, sku_id: SkuId) -> Forecast:
    """Return the demand for the units of a SKU."""
    book, now = work.house.outlook.book, work.now
    own = book.lines_per_s(sku_id, now)
    kin = relatives(work, sku_id) if work.kits else {}
    sizes = book.sized(sku_id)
    if not kin:
        return Forecast(lines_per_s=own, sizes=sizes, own=1.0, others={})
    rates = {other: book.lines_per_s(other, now) for other in kin}
    whole = own + sum(rates.values())
    mixed: dict[int, float] = defaultdict(float)
    for size, chance in enumerate(sizes, 1):
        mixed[size] += chance * own / whole
    shares: dict[AccountId, float] = defaultdict(float)
    mosts: dict[AccountId, int] = defaultdict(int)
    for other, units in kin.items():
        most = math.ceil(max(0, available_at(work, other, _everywhere(work, other))) * units)
        for size, chance in enumerate(book.sized(other), 1):
            mixed[max(1, math.ceil(size * units))] += chance * rates[other] / whole
        for account, part in book.sold_on(other).items():
            shares[AccountId(account)] += part * rates[other] / whole
            mosts[AccountId(account)] += most
    largest = max(mixed)
    return Forecast(
        lines_per_s=whole,
        sizes=tuple(mixed[size] for size in range(1, largest + 1)),
        own=own / whole,
        others={account: (share, mosts[account]) for account, share in shares.items()},
    )


def _everywhere(work: Work, sku_id: SkuId) -> set[Location]:
    """Return every place that has something of a SKU or of what it is made of."""
    parts = [part for part, _ in work.parts_of(sku_id)]
    work.load_shelves(parts)
    return {place for part in parts for place in work.shelf(part)}


def adaptive(work: Work, sku_id: SkuId, slots: Sequence[Slot]) -> dict[int, tuple[int, ...]]:
    """Return the most that each page of slots with adaptive exposure may show, by place in `slots`.

    Pages of a slot that is left out may show all.
    """
    mine = [n for n, slot in enumerate(slots) if slot.policy.exposure is Exposure.ADAPTIVE and slot.most > 0]
    if not mine or (len(slots) == 1 and len(slots[0].pages) == 1 and not work.kits):
        return {}
    loss = max(loss_of(work, slots[n].policy, slots[n].account) for n in mine)
    least = min(slots[n].available for n in mine)
    if not work.kits and has_plenty(work, sku_id, least, loss=loss):
        return {}
    known = forecast(work, sku_id)
    shares = work.house.outlook.book.shares(sku_id, [slot.account for slot in slots])
    rivals = [Rival(slot, share * known.own) for slot, share in zip(slots, shares, strict=True)]
    return {n: _limits(work, rivals, n, known) for n in mine}


class Rival(NamedTuple):
    """A slot with its part of the demand."""

    slot: Slot
    share: float


def _limits(work: Work, rivals: Sequence[Rival], mine: int, known: Forecast) -> tuple[int, ...]:
    """Return the most that each page of a slot may show, beside all that sell of the same units.

    A slot that was not released is told what it would show if all were. A page that was taken down is told what it
    would show if it were open, but is not raised before it is.
    """
    slot = rivals[mine].slot
    near = [n for n, other in enumerate(rivals) if n == mine or other.slot.meets(slot)]
    first = sum(len(rivals[n].slot.pages) for n in near if n < mine)
    found: tuple[int, ...] = ()
    free: tuple[int, ...] = ()
    if slot.state is not AccountState.NEW:
        found = _decided(work, slot, _reach(work, [rivals[n] for n in near], known), known)[first:]
    if slot.state is AccountState.NEW or any(page.closed for page in slot.pages):
        free = _decided(work, slot, _reach(work, [rivals[n] for n in near], known, free=True), known)[first:]
    return tuple(min(free[n], page.shows) if page.closed else (found or free)[n] for n, page in enumerate(slot.pages))


def has_plenty(work: Work, sku_id: SkuId, available: int, *, loss: int) -> bool:
    """Say whether every listing of a SKU can show all, without reckoning; not for kits and what they are made of."""
    outlook = work.house.outlook
    book = outlook.book
    return plenty(
        available=available,
        lines_per_s=book.lines_per_s(sku_id, work.now) * book.pace.caution,
        longest_s=outlook.longest_s,
        largest=book.largest(sku_id),
        loss=loss,
    )


def _reach(work: Work, rivals: Sequence[Rival], known: Forecast, *, free: bool = False) -> list[Reach]:
    """Return every listing that sells the units: those of the slots in their order, then kits and components.

    `free`: as if every account were released and every page open.
    """
    outlook = work.house.outlook
    found: list[Reach] = []
    for slot, share in rivals:
        lag, part = outlook.lag(slot.account), share / len(slot.pages)
        for page in slot.pages:
            still, most = _shows(slot, page, away=lag.away, free=free)
            found.append(Reach(share=part, heard_s=lag.heard_s, visible_s=lag.visible_s, still=still, most=most))
    for account, (share, most) in sorted(known.others.items()):
        lag = outlook.lag(account)
        found.append(Reach(share=share, heard_s=lag.heard_s, visible_s=lag.visible_s, most=most))
    return found


def _shows(slot: Slot, page: Page, *, away: bool, free: bool) -> tuple[int, int]:
    """Return what a page goes on showing for now, and the most that it can show."""
    if free:
        return page.shows if away else 0, slot.most
    if page.closed:
        return 0, 0
    if away or slot.state is not AccountState.LIVE:
        # Nothing can be written there: it goes on showing what it shows.
        return page.shows, page.shows
    return 0, slot.most


def loss_of(work: Work, policy: Policy, account: AccountId) -> int:
    """Return how many sold units one oversold unit costs on an account: more where a limit of the channel is near."""
    return math.ceil(policy.loss * work.house.caution(account))


def _decided(work: Work, slot: Slot, reach: Sequence[Reach], known: Forecast) -> tuple[int, ...]:
    outlook, available = work.house.outlook, slot.available
    loss = loss_of(work, slot.policy, slot.account)
    rate = rounded(known.lines_per_s * outlook.book.pace.caution)
    sizes = tuple(math.ceil(chance * SIZE_STEP) / SIZE_STEP for chance in known.sizes)
    reach = [
        replace(
            x,
            share=max(LEAST_SHARE, round(x.share, 2)),
            most=None if x.most is None or x.most >= available else x.most,
        )
        for x in reach
    ]
    key = (available, rate, sizes, *reach, loss)
    found = outlook.known.get(key)
    if found is None:
        if len(outlook.known) >= MOST_KEPT:
            outlook.known.clear()
        whole = sum(sizes)
        shares = [chance / whole for chance in sizes]
        found = targets(available, reach=reach, lines_per_s=rate, sizes=shares, loss=loss)
        outlook.known[key] = found
    return found


def rounded(rate: float) -> float:
    """Return a rate on the grid of rates."""
    return 0.0 if rate <= 0.0 else 2.0 ** (round(math.log2(rate) * STEPS) / STEPS)
