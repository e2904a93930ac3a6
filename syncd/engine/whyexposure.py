"""Tell how exposure comes to a number: which rule, which demand, which lags, at which level of loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from syncd.core.exposure import Exposure, pool_target
from syncd.core.lag import KNOWLEDGE, Stage
from syncd.core.season import in_force
from syncd.core.terms import AccountId, SkuId
from syncd.engine.divided import divided
from syncd.engine.gating import Gate
from syncd.engine.rooms import Rooms, policy_of
from syncd.engine.rules import Rules
from syncd.engine.slots import Slot, adaptive, forecast, loss_of
from syncd.engine.targets import slots_in
from syncd.engine.whys import Aim, Exposed, Late, Setting
from syncd.engine.work import Work
from syncd.store.listings import Listing

DAY_S = 86_400
SHARE = 0.9
"""Measured lags are told as so many sales and falls stay within, as they are reckoned with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The slots of a SKU, and which of them a listing is in."""

    slots: Sequence[Slot]
    mine: int

    @property
    def slot(self) -> Slot:
        """Return the slot of the listing."""
        return self.slots[self.mine]


def surroundings(work: Work, sku_id: SkuId, listing: Listing) -> Surroundings | None:
    """Return what a listing competes with; None where it may not be written."""
    groups: dict[AccountId, list[Listing]] = defaultdict(list)
    for one in work.listings.values():
        if one.sku_id == sku_id:
            groups[one.account].append(one)
    slots = slots_in(work, sku_id, groups, Rooms(work))
    for mine, slot in enumerate(slots):
        if listing.id in {x.id for x in slot.listings}:
            return Surroundings(slots=slots, mine=mine)
    return None


def told_aim(work: Work, listing: Listing, rules: Rules, *, policy: tuple[Setting, ...]) -> Aim:
    """Return how the target of a mapped listing comes about; `policy` is told with it."""
    assert listing.sku_id is not None, "only a mapped listing has a target"  # noqa: S101  (our own invariant)
    sku_id, around, split = listing.sku_id, surroundings(work, listing.sku_id, listing), 0
    where = (listing.location,) if listing.location else rules.locations
    counted = policy_of(work, sku_id, rules.account)
    if around is not None:
        # Places whose number is one are told together: they have one safety stock and one limit.
        where, counted = around.slot.where, around.slot.policy
        if around.slot.parts:
            split = sum(x.target or 0 for x in around.slot.listings if x.id != listing.id)
    available = Rooms(work).at(sku_id, where, counted, rules.account)
    capless = pool_target(available, replace(counted, cap=None, share=None), account=rules.account)
    pool = rules.within(pool_target(available, counted, account=rules.account))
    return Aim(
        locations=tuple(where),
        available=available,
        policy=policy,
        exposure=None if around is None else told_exposure(work, sku_id, listing, around),
        kept_back=max(0, available) - capless,
        capped=capless - pool,
        elsewhere=0 if listing.target is None else pool - split - listing.target,
        split=split,
        target=listing.target,
    )


def told_exposure(work: Work, sku_id: SkuId, listing: Listing, around: Surroundings) -> Exposed:
    """Return how the exposure of a listing comes about; listings of one account have equal parts of its demand."""
    slots, slot, known = around.slots, around.slot, forecast(work, sku_id)
    shares = work.house.outlook.book.shares(sku_id, [x.account for x in slots])
    allotted = sku_id in divided(work, (sku_id,))
    limits = () if allotted else adaptive(work, sku_id, slots).get(around.mine, ())
    page = 0 if slot.parts else [x.id for x in slot.listings].index(listing.id)
    gate = Gate(work)
    claimed = allotted and listing.id in work.claims
    return Exposed(
        rule=Exposure.ALLOTMENT.value if allotted else slot.policy.exposure.value,
        loss=loss_of(work, slot.policy, slot.account),
        lines_per_day=known.lines_per_s * DAY_S,
        units_per_line=sum(size * chance for size, chance in enumerate(known.sizes, 1)),
        share=shares[around.mine] * known.own / len(slot.listings),
        limit=limits[page] if limits else None,
        lags=tuple(_lags(work, slots)),
        ceiling=gate.ceiling(listing, slot.rules)[0] if claimed else None,
        unheard=gate.unheard(listing) if claimed else 0,
        seasons=tuple(_seasons(work, sku_id, slot.account)),
    )


def _lags(work: Work, slots: Sequence[Slot]) -> Iterator[Late]:
    lags = work.house.lags
    for account in sorted({slot.account for slot in slots}):
        lag = work.house.outlook.lag(account)
        yield Late(
            account=account,
            heard_s=lag.heard_s,
            visible_s=lag.visible_s,
            heard_by=lag.heard_by.value,
            visible_by=lag.visible_by.value,
            heard_measured_s=lags.measured_s(account, KNOWLEDGE, SHARE),
            visible_measured_s=lags.measured_s(account, (Stage.FALL,), SHARE),
        )


def _seasons(work: Work, sku_id: SkuId, account: AccountId) -> Iterator[str]:
    for season in in_force(work.house.seasons_of(account), account=account, now=work.now):
        yield season.name
    for season in in_force(work.seasons.get(sku_id, ()), account=account, now=work.now):
        yield season.name
