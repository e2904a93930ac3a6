"""What is there for listings: units of SKUs and kits at places, with those on their way where they are sold early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncd.core import kits, preorder
from syncd.core.exposure import Policy, overlay
from syncd.core.preorder import sellable
from syncd.core.season import in_force
from syncd.core.terms import UNPLACED, AccountId, Location, SkuId
from syncd.engine.timing import today
from syncd.engine.work import Work
from syncd.store import arrivals, policies, seasons

Places = tuple[Location, ...]


def available_at(work: Work, sku_id: SkuId, where: Iterable[Location], account: AccountId | None = None) -> int:
    """Return what is available of a SKU, or of a kit, at these locations together.

    To an account what is held for those who wait there is available too.
    """
    where = tuple(where)
    own = {} if account is None else work.opened_for.get(account, {})
    parts = work.kits.get(sku_id)
    if not parts:
        return _sum(work, sku_id, where, own)
    return kits.available((_sum(work, part, where, own), quantity) for part, quantity in parts)


def _sum(work: Work, sku_id: SkuId, where: Places, own: Mapping[tuple[SkuId, Location], int]) -> int:
    shelf = work.shelf(sku_id)
    units = sum(shelf[place].available for place in where if place in shelf)
    return units + sum(own.get((sku_id, place), 0) for place in where) if own else units


class Rooms:
    """What is available of SKUs at places, each computed once: most accounts ask for the same."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._known: dict[tuple[SkuId, Places, bool, AccountId | None], int] = {}

    def at(self, sku_id: SkuId, where: Places, policy: Policy, account: AccountId) -> int:
        """Return what a listing with this policy may count on at some places, and where no place is told."""
        own = account if account in self._work.opened_for else None
        key = (sku_id, where, policy.preorder, own)
        found = self._known.get(key)
        if found is None:
            found = available_at(self._work, sku_id, (*where, UNPLACED), own)
            if policy.preorder:
                found += coming(self._work, sku_id)
            self._known[key] = found
        return found


def coming(work: Work, sku_id: SkuId) -> int:
    """Return how many units of a SKU, or of a kit, are on their way with a date."""
    parts = work.parts_of(sku_id)
    missing = [part for part, _ in parts if part not in work.incoming]
    if missing:
        found = arrivals.incoming(work.conn, missing)
        work.incoming.update({part: found.get(part, []) for part in missing})
    day = today_of(work)
    return min(sellable(work.incoming[part], today=day) // quantity for part, quantity in parts)


def today_of(work: Work) -> str:
    """Return the day that it is for the shop."""
    return today(work.now, work.house.waiting.zone).isoformat()


def load_policies(work: Work, ids: Iterable[SkuId]) -> None:
    """Have the policies of these SKUs, dated ones too."""
    missing = set(ids).difference(work.policies)
    if not missing:
        return
    found = policies.policies(work.conn, missing) if work.present.policies else {}
    work.policies.update({sku_id: found.get(sku_id, {}) for sku_id in missing})
    if work.present.seasons:
        work.seasons.update(seasons.of_skus(work.conn, missing))


def policy_of(work: Work, sku_id: SkuId, account: AccountId) -> Policy:
    """Return the policy of a SKU on an account: the settings with their seasons, then what the SKU has for itself."""
    policy = work.policy(account)
    rows = work.policies.get(sku_id)
    if rows:
        policy = overlay(policy, *(rows[name] for name in ("", account) if name in rows))
    dated = work.seasons.get(sku_id)
    if dated:
        policy = overlay(policy, *in_force(dated, account=account, now=work.now))
    return policy


def owed(work: Work, sku_id: SkuId, *, short: int, before: int) -> int:
    """Return how many of the missing units of a SKU are owed: they are on their way, and a policy sold them."""
    sold_as = (sku_id, *(kit for kit, parts in work.kits.items() if any(part == sku_id for part, _ in parts)))
    load_policies(work, sold_as)
    allowed = any(policy_of(work, one, account).preorder for one in sold_as for account in work.house.rules)
    sells = coming(work, sku_id)
    to_come = sum(one.units for one in work.incoming.get(sku_id, ()))
    return preorder.owed(short, sells=sells if allowed else 0, before=before, to_come=to_come)
