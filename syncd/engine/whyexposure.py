"""Tell how exposure comes to a number: which rule, which demand, which lags, at which level of loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from syncd.core.exposure import Exposure
from syncd.core.lag import KNOWLEDGE, Stage
from syncd.core.season import in_force
from syncd.core.terms import AccountId, SkuId
from syncd.engine.divided import divided
from syncd.engine.gating import Gate
from syncd.engine.rooms import Rooms
from syncd.engine.rules import Rules
from syncd.engine.slots import Slot, adaptive, forecast, loss_of
from syncd.engine.targets import slots_in
from syncd.engine.whys import Exposed, Late
from syncd.engine.work import Work
from syncd.store.listings import Listing

DAY_S = 86_400
SHARE = 0.9
"""Measured lags are told as so many sales and falls stay within, as they are reckoned with."""


def told_exposure(work: Work, sku_id: SkuId, listing: Listing, rules: Rules) -> Exposed | None:
    """Return how the exposure of a listing comes about; None where the listing may not be written."""
    slots = _slots(work, sku_id)
    mine = next((n for n, slot in enumerate(slots) if slot.account == rules.account), None)
    if mine is None or listing.id not in {x.id for x in slots[mine].listings}:
        return None
    slot, known = slots[mine], forecast(work, sku_id)
    shares = work.house.outlook.book.shares(sku_id, [x.account for x in slots])
    allotted = sku_id in divided(work, (sku_id,))
    limits = () if allotted else adaptive(work, sku_id, slots).get(mine, ())
    page = 0 if slot.parts else [x.id for x in slot.listings].index(listing.id)
    gate = Gate(work)
    claimed = allotted and listing.id in work.claims
    return Exposed(
        rule=Exposure.ALLOTMENT.value if allotted else slot.policy.exposure.value,
        loss=loss_of(work, slot.policy, rules.account),
        lines_per_day=known.lines_per_s * DAY_S,
        units_per_line=sum(size * chance for size, chance in enumerate(known.sizes, 1)),
        share=shares[mine] * known.own,
        limit=limits[page] if limits else None,
        lags=tuple(_lags(work, slots)),
        ceiling=gate.ceiling(listing, rules)[0] if claimed else None,
        unheard=gate.unheard(listing) if claimed else 0,
        seasons=tuple(_seasons(work, sku_id, rules.account)),
    )


def _slots(work: Work, sku_id: SkuId) -> list[Slot]:
    groups: dict[AccountId, list[Listing]] = defaultdict(list)
    for listing in work.listings.values():
        if listing.sku_id == sku_id:
            groups[listing.account].append(listing)
    return slots_in(work, sku_id, groups, Rooms(work))


def _lags(work: Work, slots: list[Slot]) -> Iterator[Late]:
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
