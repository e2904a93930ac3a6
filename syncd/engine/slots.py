"""Slots: what of a SKU competes for its units, and how much each slot may show by demand and lag.

A slot is the listings of one account that sell from the same place; an account that sells from several places is one
slot, whose number is split over them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncd.core.adaptive import Reach, plenty, targets
from syncd.core.allocate import split
from syncd.core.exposure import Exposure, Policy, pool_target
from syncd.core.terms import AccountId, SkuId
from syncd.engine.outlook import MOST_KEPT, Outlook
from syncd.engine.rooms import Places, Rooms, available_at
from syncd.engine.rules import Rules
from syncd.engine.work import Work
from syncd.store.listings import Listing

STEPS: Final = 3
"""Rates are rounded to so many steps for each doubling, so that decisions are alike and need not be made anew."""
SIZE_STEP: Final = 50
"""Chances of sizes are rounded to this part of one, for the same reason."""


@dataclass(slots=True, kw_only=True)
class Slot:
    """`available` is what is there for it, `most` what its policy allows.

    `pages` are the listings that compete within it, `high` is the most that one may show, `parts` are the places of a
    split number.
    """

    rules: Rules
    policy: Policy
    listings: Sequence[Listing]
    where: Places
    available: int
    most: int
    pages: int
    high: int
    parts: Mapping[Places, Sequence[Listing]]

    @property
    def account(self) -> AccountId:
        """Return the account."""
        return self.rules.account


def slot_of(sku_id: SkuId, rules: Rules, policy: Policy, group: Sequence[Listing], rooms: Rooms) -> Slot:
    """Return the slot of an account's usable listings of a SKU (one at least)."""
    places: dict[Places, list[Listing]] = defaultdict(list)
    for listing in group:
        places[(listing.location,) if listing.location else rules.locations].append(listing)
    where = next(iter(places))
    if len(places) > 1:
        where = tuple(sorted({location for one in places for location in one}))
    available = rooms.at(sku_id, where, policy, rules.account)
    return Slot(
        rules=rules,
        policy=policy,
        listings=group,
        where=where,
        available=available,
        most=rules.within(pool_target(available, policy, account=rules.account)),
        pages=1 if len(places) > 1 else len(group),
        high=max(listing.high or 0 for listing in group),
        parts=places if len(places) > 1 else {},
    )


def spread(work: Work, sku_id: SkuId, slot: Slot, aim: int) -> dict[int, int]:
    """Return the target of each listing of a slot: places split the number, pages of one place compete for it."""
    if not slot.parts:
        return {listing.id: aim for listing in slot.listings}
    parts = split(aim, [available_at(work, sku_id, where) for where in slot.parts])
    return {x.id: part for group, part in zip(slot.parts.values(), parts, strict=True) for x in group}


# --- adaptive ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The demand for the units of a SKU: lines per second of all that sell them, and the chances of their sizes.

    `own` is the part of it that asks for the SKU itself; `others` are the parts that come by kits and components, by
    account.
    """

    lines_per_s: float
    sizes: tuple[float, ...]
    own: float
    others: Mapping[AccountId, float]


def relatives(work: Work, sku_id: SkuId) -> dict[SkuId, float]:
    """Return what else is made of the same units, with how many units of this SKU one unit of it takes."""
    found: dict[SkuId, float] = {}
    for part, mine in work.kits.get(sku_id) or ((sku_id, 1),):
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
    others: dict[AccountId, float] = defaultdict(float)
    for other, units in kin.items():
        for size, chance in enumerate(book.sized(other), 1):
            mixed[max(1, math.ceil(size * units))] += chance * rates[other] / whole
        for account, part in book.sold_on(other).items():
            others[AccountId(account)] += part * rates[other] / whole
    largest = max(mixed)
    return Forecast(
        lines_per_s=whole,
        sizes=tuple(mixed[size] for size in range(1, largest + 1)),
        own=own / whole,
        others=dict(others),
    )


def adaptive(work: Work, sku_id: SkuId, slots: Sequence[Slot]) -> dict[int, int]:
    """Return the most that slots with adaptive exposure may show, by place in `slots`; one that is left out: all."""
    outlook = work.house.outlook
    mine = [n for n, slot in enumerate(slots) if slot.policy.exposure is Exposure.ADAPTIVE and slot.most > 0]
    if not mine or (len(slots) == 1 and slots[0].pages == 1 and not work.kits):
        return {}
    loss = max(loss_of(work, slots[n].policy, slots[n].account) for n in mine)
    least = min(slots[n].available for n in mine)
    if not work.kits and has_plenty(work, sku_id, least, loss=loss):
        return {}
    known = forecast(work, sku_id)
    reach = _reach(work, sku_id, slots, known)
    found: dict[int, int] = {}
    for n in mine:
        slot = slots[n]
        aims = _decided(outlook, slot, reach, known, loss=loss_of(work, slot.policy, slot.account))
        first = sum(x.pages for x in slots[:n])
        found[n] = min(aims[first : first + slot.pages])
    return found


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


def _reach(work: Work, sku_id: SkuId, slots: Sequence[Slot], known: Forecast) -> list[Reach]:
    """Return every listing that sells the units: those of the slots in their order, then kits and components."""
    outlook = work.house.outlook
    accounts = [slot.account for slot in slots]
    found: list[Reach] = []
    for slot, share in zip(slots, outlook.book.shares(sku_id, accounts), strict=True):
        lag = outlook.lag(slot.account)
        # Nothing can be written to a channel that is away: it goes on showing what it shows.
        still = slot.high if lag.away else 0
        one = Reach(share=share * known.own / slot.pages, heard_s=lag.heard_s, visible_s=lag.visible_s, still=still)
        found += [one] * slot.pages
    for account, share in sorted(known.others.items()):
        lag = outlook.lag(account)
        found.append(Reach(share=share, heard_s=lag.heard_s, visible_s=lag.visible_s))
    return found


def loss_of(work: Work, policy: Policy, account: AccountId) -> int:
    """Return how many sold units one oversold unit costs on an account: more where a limit of the channel is near."""
    return math.ceil(policy.loss * work.house.caution(account))


def _decided(outlook: Outlook, slot: Slot, reach: Sequence[Reach], known: Forecast, *, loss: int) -> tuple[int, ...]:
    rate = rounded(known.lines_per_s * outlook.book.pace.caution)
    sizes = tuple(math.ceil(chance * SIZE_STEP) / SIZE_STEP for chance in known.sizes)
    shares = tuple((round(x.share, 2), x.heard_s, x.visible_s, x.still) for x in reach)
    key = (slot.available, rate, sizes, shares, loss)
    found = outlook.known.get(key)
    if found is None:
        if len(outlook.known) >= MOST_KEPT:
            outlook.known.clear()
        whole = sum(sizes)
        found = targets(
            slot.available,
            reach=[
                Reach(share=max(share, 0.001), heard_s=heard_s, visible_s=visible_s, still=still)
                for share, heard_s, visible_s, still in shares
            ],
            lines_per_s=rate,
            sizes=[chance / whole for chance in sizes],
            loss=loss,
        )
        outlook.known[key] = found
    return found


def rounded(rate: float) -> float:
    """Return a rate on the grid of rates."""
    return 0.0 if rate <= 0.0 else 2.0 ** (round(math.log2(rate) * STEPS) / STEPS)
