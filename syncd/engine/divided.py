"""Which SKUs have allotments: where one that sells some units has a part of its own of them, all that sell them have.

A component that went on showing all beside its kit's part would sell the units of that part, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from syncd.core.exposure import Exposure
from syncd.core.terms import SkuId
from syncd.engine.rooms import load_policies, policy_of
from syncd.engine.work import Work
from syncd.store import listings, policies
from syncd.store.listings import Listing


def divided(work: Work, ids: Collection[SkuId]) -> set[SkuId]:
    """Return which of these SKUs have allotments, by their own policy or by one that sells the same units."""
    usual = any(work.policy(name).exposure is Exposure.ALLOTMENT for name in work.house.rules)
    if not usual and not _has_own(work):
        return set()
    parts = {part for sku_id in ids for part, _ in work.parts_of(sku_id)}
    if work.kits:
        # Where allotments are usual any kit may divide the units, else few do.
        work.load_skus(parts if usual else policies.kits_with_allotments(work.conn, parts, now=work.now))
    sellers: dict[SkuId, set[SkuId]] = defaultdict(set)
    for part in parts:
        sellers[part].add(part)
    for kit, made_of in work.kits.items():
        for part, _ in made_of:
            sellers[part].add(kit)
    every = set(ids).union(*(sellers[part] for part in parts))
    load_policies(work, every)
    asking = {sku_id for sku_id in every if _may_allot(work, sku_id)}
    if not asking:
        return set()
    work.keep(listings.of_skus(work.conn, asking.difference(ids), known=work.listings))
    found = {x.sku_id for x in work.listings.values() if x.sku_id in asking and allots(work, x)}
    promised = {part for part in parts if not found.isdisjoint(sellers[part])}
    return {sku_id for sku_id in ids if any(part in promised for part, _ in work.parts_of(sku_id))}


def allots(work: Work, listing: Listing) -> bool:
    """Say whether a listing has an allotment by its own policy, which has to be loaded."""
    if listing.sku_id is None or listing.vanished or not listing.managed or listing.account not in work.house.rules:
        return False
    return policy_of(work, listing.sku_id, listing.account).exposure is Exposure.ALLOTMENT


def parts_of_kits(work: Work, ids: Iterable[SkuId]) -> set[SkuId]:
    """Return what those of some SKUs that are kits are made of."""
    return {part for sku_id in ids for part, _ in work.kits.get(sku_id, ())}


def _has_own(work: Work) -> bool:
    """Say whether any SKU has a policy of its own: stored, or set by what is being decided."""
    stored = work.present.policies or work.present.seasons
    return stored or any(work.policies.values()) or any(work.seasons.values())


def _may_allot(work: Work, sku_id: SkuId) -> bool:
    return any(policy_of(work, sku_id, name).exposure is Exposure.ALLOTMENT for name in work.house.rules)
