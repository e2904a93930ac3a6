"""Plain SKUs: their targets from a few columns of many rows, for planning everything anew.

A SKU is plain that has one listing for each account, is no kit and part of none, and of whose changed listings it is
certain what they show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from syncd.core.exposure import Exposure, Policy, among, pool_target
from syncd.core.facts import AccountState
from syncd.core.plan import Lane
from syncd.core.terms import UNPLACED, AccountId, Instant, Location, SkuId
from syncd.engine.replan import fall_at, raise_at
from syncd.engine.rooms import load_policies, policy_of
from syncd.engine.slots import Page, Slot, adaptive, has_plenty, loss_of, state_of
from syncd.engine.work import Work
from syncd.store import history
from syncd.store import planning as store
from syncd.store.planning import Aimed, Plan

CHECKED: Final = 20
"""After so many SKUs it is looked whether a piece took long enough."""
MOST_ALIKE: Final = 20_000
"""So many targets are remembered at most."""
_RAISE, _FALL, _ZERO = int(Lane.RAISE), int(Lane.FALL), int(Lane.ZERO)


@dataclass(slots=True, kw_only=True)
class Piece:
    """A run of SKUs: the last one, targets before and after, what can be written at once, and those not plain."""

    last: SkuId | None = None
    skus: int = 0
    moves: list[tuple[AccountId, int | None, int]] = field(default_factory=list)
    aimed: list[Aimed] = field(default_factory=list)
    slow: list[SkuId] = field(default_factory=list)
    seconds: float = 0.0


def examine(
    work: Work,
    *,
    after: SkuId,
    most: int,
    kits: set[SkuId],
    alike: Alike,
    enough: Callable[[], bool] = lambda: False,
) -> Piece:
    """Compute the targets of the next SKUs; writes nothing. Where it took long `enough` ends it after any of them."""
    numbers = store.skus(work.conn, after=after, most=most)
    piece = Piece(skus=len(numbers))
    if not numbers:
        return piece
    first, last = numbers[0][0], numbers[-1][0]
    piece.last = last
    plans = store.plans(work.conn, first=first, last=last)
    units = store.units(work.conn, first=first, last=last)
    load_policies(work, [number for number, _ in numbers] if work.present.policies or work.present.seasons else ())
    plain = _Plain(work, alike)
    intricate = kits | store.kept(work.conn, first=first, last=last)
    if work.present.displays:
        intricate |= store.displayed(work.conn, first=first, last=last)
    for done, (sku_id, counted) in enumerate(numbers, 1):
        mine = plans.get(sku_id)
        if mine and counted and sku_id not in intricate:
            plain.aim(sku_id, mine, units.get(sku_id, {}), piece)
        elif mine and (counted or sku_id in kits):
            piece.slow.append(sku_id)
        if done % CHECKED == 0 and enough():
            piece.last, piece.skus = sku_id, done
            break
    _certainly(work, plain, piece)
    return piece


class Alike:
    """Targets that were found already, as long as policies and lags are the same: most SKUs are like many others."""

    def __init__(self) -> None:
        self._of: object = None
        self._pools: dict[tuple[AccountId, int, str], int] = {}
        self._aims: dict[tuple[object, ...], list[int]] = {}

    def of(
        self, work: Work, usual: Mapping[AccountId, Policy]
    ) -> tuple[dict[tuple[AccountId, int, str], int], dict[tuple[object, ...], list[int]]]:
        """Return the targets of pools, by account, units and who has priority, and of whole SKUs."""
        now = (dict(usual), work.house.outlook.version, len(self._aims) > MOST_ALIKE, len(self._pools) > MOST_ALIKE)
        if now != self._of:
            self._of, self._pools, self._aims = (*now[:2], False, False), {}, {}
        return self._pools, self._aims


class _Plain:
    """Plain SKUs of one piece, with everything that is the same for all of them kept at hand."""

    def __init__(self, work: Work, alike: Alike) -> None:
        self.work = work
        self.changed: dict[SkuId, list[tuple[Plan, int]]] = {}
        rules, outlook = work.house.rules, work.house.outlook
        usual = {name: work.policy(name) for name in rules}
        self._usual: dict[tuple[AccountId, ...], tuple[Policy, ...]] = {}
        self._own = {number for found in (work.policies, work.seasons) for number, mine in found.items() if mine}
        self._plainest = {name for name, rule in rules.items() if not rule.location_map}
        self._places = {name: (*rule.locations, UNPLACED) for name, rule in rules.items()}
        self._one_place = len(set(self._places.values())) == 1
        self._pools, self._alike = alike.of(work, usual)
        self._loss = max((loss_of(work, policy, name) for name, policy in usual.items()), default=0)
        self._states = {name: state_of(work, name) for name in rules}
        writable = (not outlook.lag(name).away and self._states[name] is AccountState.LIVE for name in rules)
        self._writable = all(writable)

    def aim(self, sku_id: SkuId, mine: Sequence[Plan], shelf: Mapping[Location, int], piece: Piece) -> None:
        """Compute the targets of a SKU, and keep those that changed."""
        accounts = tuple([plan.account for plan in mine])
        policies = self._policies(sku_id, accounts)
        if not policies or not all(plan.simple for plan in mine):
            piece.slow.append(sku_id)
            return
        own = sku_id in self._own
        if own or sku_id in self.work.house.outlook.book.known or len(shelf) != 1:
            aims = self._aims(sku_id, mine, policies, shelf, own=own)
        else:
            # SKUs that were never sold, on the same accounts and with as many units, are all alike.
            closed = tuple([not plan.active for plan in mine])
            same = self._writable and not any(closed)
            key = (accounts, *shelf.items()) if same else (accounts, *shelf.items(), closed, *[x.high for x in mine])
            found = self._alike.get(key)
            aims = self._alike[key] = self._aims(sku_id, mine, policies, shelf, own=own) if found is None else found
        changed = [(plan, aim) for plan, aim in zip(mine, aims, strict=True) if plan.target != aim]
        if changed:
            self.changed[sku_id] = changed

    def _policies(self, sku_id: SkuId, accounts: tuple[AccountId, ...]) -> tuple[Policy, ...]:
        """Return the policies of a SKU's listings; none where these are not plain, or not one for each account."""
        if sku_id in self._own:
            return self._easy(accounts, partial(policy_of, self.work, sku_id))
        found = self._usual.get(accounts)
        if found is None:
            found = self._usual[accounts] = self._easy(accounts, self.work.policy)
        return found

    def _easy(self, accounts: tuple[AccountId, ...], of: Callable[[AccountId], Policy]) -> tuple[Policy, ...]:
        if not self._plainest.issuperset(accounts) or len(set(accounts)) < len(accounts):
            return ()
        policies = tuple([among(of(account), accounts) for account in accounts])
        return policies if all(map(_is_easy, policies)) else ()

    def _aims(
        self,
        sku_id: SkuId,
        mine: Sequence[Plan],
        policies: Sequence[Policy],
        shelf: Mapping[Location, int],
        *,
        own: bool,
    ) -> list[int]:
        rooms = self._rooms(mine, shelf)
        pools = [
            self._most(plan.account, room, policy) if own else self._pool(plan.account, room, policy)
            for plan, policy, room in zip(mine, policies, rooms, strict=True)
        ]
        if len(mine) < 2:
            return pools
        if own:
            losses = [loss_of(self.work, policy, plan.account) for policy, plan in zip(policies, mine, strict=True)]
            loss = max(losses)
        else:
            loss = self._loss
        limits = self._limits(sku_id, mine, policies, rooms, pools, loss=loss)
        return [min([pool, *limits.get(number, ())]) for number, pool in enumerate(pools)] if limits else pools

    def _rooms(self, mine: Sequence[Plan], shelf: Mapping[Location, int]) -> list[int]:
        """Return what is available to each listing."""
        if len(shelf) == 1 and self._one_place:
            ((place, units),) = shelf.items()
            return [units if place in self._places[mine[0].account] else 0] * len(mine)
        return [sum(shelf.get(place, 0) for place in self._places[plan.account]) for plan in mine]

    def _pool(self, account: AccountId, room: int, policy: Policy) -> int:
        key = (account, room, policy.priority)
        found = self._pools.get(key)
        if found is None:
            found = self._pools[key] = self._most(account, room, policy)
        return found

    def _most(self, account: AccountId, room: int, policy: Policy) -> int:
        return self.work.house.rules[account].within(pool_target(room, policy, account=account))

    def _limits(
        self,
        sku_id: SkuId,
        mine: Sequence[Plan],
        policies: Sequence[Policy],
        rooms: Sequence[int],
        pools: Sequence[int],
        *,
        loss: int,
    ) -> dict[int, tuple[int, ...]]:
        """Return what adaptive exposure limits; nothing where there is plenty, which is so for most."""
        work = self.work
        if has_plenty(work, sku_id, min(rooms), loss=loss):
            return {}
        slots = [
            Slot(
                rules=work.house.rules[plan.account],
                policy=policy,
                listings=(),
                where=work.house.rules[plan.account].locations,
                available=room,
                most=pool,
                pages=(Page(plan.high or 0, not plan.active),),
                state=self._states[plan.account],
                parts={},
            )
            for plan, policy, room, pool in zip(mine, policies, rooms, pools, strict=True)
        ]
        return adaptive(work, sku_id, slots)


def _is_easy(policy: Policy) -> bool:
    """Say whether a policy has nothing that planning from a few columns cannot do."""
    return (
        policy.exposure is not Exposure.ALLOTMENT
        and not policy.preorder
        and not policy.hide
        and (policy.purchase_limit is None)
    )


def _certainly(work: Work, plain: _Plain, piece: Piece) -> None:
    """Say what is next for changed listings of which it is certain what they show; SKUs with others are not plain."""
    ids = [plan.id for changed in plain.changed.values() for plan, _ in changed]
    doubtful = history.with_history(work.conn, ids) if ids else set()
    if work.present.claims and ids:
        work.load_claims(ids)
        doubtful.update(work.claims)
    absolute = {name for name, rules in work.house.rules.items() if rules.absolute}
    raised_at = {name: work.now + rules.pace.raise_us for name, rules in work.house.rules.items()}
    for sku_id, changed in plain.changed.items():
        if all(_is_certain(plan, doubtful, absolute) for plan, _ in changed):
            piece.aimed += [_next(plan, aim, now=work.now, raised_at=raised_at[plan.account]) for plan, aim in changed]
            piece.moves += [(plan.account, plan.target, aim) for plan, aim in changed]
        else:
            piece.slow.append(sku_id)


def _is_certain(plan: Plan, doubtful: set[int], absolute: set[AccountId]) -> bool:
    return plan.certain and plan.id not in doubtful and (plan.demand <= 0 or plan.account not in absolute)


def _next(plan: Plan, aim: int, *, now: Instant, raised_at: Instant) -> Aimed:
    assert plan.base is not None, "it is certain"  # noqa: S101  (our own invariant)
    value = max(0, plan.base)
    if value < aim:
        waits = raise_at(plan.lane, plan.due_at, attempts=plan.attempts, fresh=raised_at)
        return (aim, value, value, _RAISE, raised_at if waits is None else waits, plan.id)
    if value > aim:
        due_at = fall_at(plan.lane, plan.due_at, attempts=plan.attempts, now=now)
        return (aim, value, value, _FALL if aim else _ZERO, due_at, plan.id)
    return (aim, value, value, None, None, plan.id)
