"""How late we hear of sales and how late our decisions show, per account, measured while deciding.

Written on the writer's thread only. Others read: what they get may lack the last measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from syncd.core.lag import KNOWLEDGE, Distribution, Figures, Stage, figures, merged, quantile, restored
from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.store.lags import KeptLag
from syncd.store.listings import Listing

FEW: Final = 8.0
"""So many measurements, by weight, are needed before they alone are believed."""
MOST_FOLLOWED: Final = 5_000
"""Listings of an account that are followed at a time until they show a decision."""
MOST_DECISIONS: Final = 4
"""Decisions on one listing that are followed at a time."""
MOST_KEPT: Final = 256
"""After at most so many more measurements a quantile that was asked for is computed anew."""


@dataclass(slots=True)
class Decision:
    """A listing is to show `target`, as of `at`; `answered` once a write that carries it was."""

    at: Instant
    target: int
    answered: bool = False


Open = dict[int, list[Decision]]
"""Decisions that do not show yet, by listing."""


@dataclass(slots=True, kw_only=True)
class _Asked:
    """A quantile that was asked for, and from how many measurements on it is computed anew."""

    value_s: float
    until: int


@dataclass(slots=True, kw_only=True)
class _Account:
    """What was measured on one account; what began before `since` counts only in `delayed`."""

    knowledge_promise_s: float = 0.0
    visible_promise_s: float = 0.0
    since: Instant = 0
    delayed: int = 0
    measured: int = 0
    saved: int = 0
    stages: dict[Stage, Distribution] = field(default_factory=dict)
    falls: Open = field(default_factory=dict)
    raises: Open = field(default_factory=dict)
    asked: dict[tuple[tuple[Stage, ...], float], _Asked] = field(default_factory=dict)

    def add(self, stage: Stage, since: Instant, until: Instant) -> None:
        """Take a measurement, unless it began while the account was away from us."""
        if since < self.since:
            self.delayed += 1
            return
        found = self.stages.get(stage)
        if found is None:
            found = self.stages[stage] = Distribution()
        found.add((until - since) / SECOND_US, at=until)
        self.measured += 1

    def quantile_s(self, stages: tuple[Stage, ...], share: float, promise_s: float) -> float:
        """Return a quantile; while little was measured it is at least what the channel promises."""
        asked = self.asked.get((stages, share))
        if asked is not None and self.measured < asked.until:
            return asked.value_s
        whole = merged([self.stages[stage] for stage in stages if stage in self.stages])
        measured_s = quantile(whole, share)
        value_s = promise_s if measured_s is None else measured_s
        if whole.count(whole.latest) < FEW:
            value_s = max(value_s, promise_s)
        until = self.measured + min(MOST_KEPT, 1 + self.measured // 16)
        self.asked[stages, share] = _Asked(value_s=value_s, until=until)
        return value_s


class Lags:
    """The measured lags of all accounts. An account that nobody expected has promises of 0."""

    def __init__(self) -> None:
        self._accounts: dict[AccountId, _Account] = {}

    def _of(self, account: AccountId) -> _Account:
        found = self._accounts.get(account)
        if found is None:
            found = self._accounts[account] = _Account()
        return found

    def _seen(self, account: AccountId) -> _Account:
        return self._accounts.get(account) or _Account()

    def expect(self, account: AccountId, *, knowledge_s: float, visible_s: float) -> None:
        """Take what a channel promises: what holds until enough was measured."""
        found = self._of(account)
        found.knowledge_promise_s, found.visible_promise_s = knowledge_s, visible_s

    # --- asked by those who decide, and shown to people ---

    def knowledge_s(self, account: AccountId, share: float) -> float:
        """Return within how many seconds we hear of this share (0 to 1) of the sales there."""
        found = self._seen(account)
        return found.quantile_s(KNOWLEDGE, share, found.knowledge_promise_s)

    def visible_s(self, account: AccountId, share: float) -> float:
        """Return within how many seconds this share (0 to 1) of our decisions to lower a number show there.

        A reading that comes late says only that the number shows by then: the answer to a write, and the time in which
        the channel promises it to be in effect, are enough.
        """
        found = self._seen(account)
        promise_s = found.visible_promise_s
        read_s = found.quantile_s((Stage.FALL,), share, promise_s)
        return min(read_s, found.quantile_s((Stage.ANSWER,), share, 0.0) + promise_s)

    def measured_s(self, account: AccountId, stages: tuple[Stage, ...], share: float) -> float | None:
        """Return a quantile of what was measured; None while that is little."""
        found = self._seen(account)
        whole = merged([found.stages[stage] for stage in stages if stage in found.stages])
        return None if whole.count(whole.latest) < FEW else quantile(whole, share)

    def figures(self, account: AccountId, *, at: Instant) -> tuple[Figures, ...]:
        """Return everything measured on an account, in the order of the stages."""
        stages = self._seen(account).stages
        found = (figures(stage, stages[stage], at=at) for stage in Stage if stage in stages)
        return tuple(one for one in found if one is not None)

    def delayed(self, account: AccountId) -> int:
        """Return how many lags since the start were not measured: they began while the account was away from us."""
        return self._seen(account).delayed

    # --- told while deciding ---

    def resume(self, account: AccountId, at: Instant) -> None:
        """Measure only what begins from `at` on: the account, or syncd, was away before."""
        found = self._of(account)
        found.since = max(found.since, at)

    def learned(self, account: AccountId, *, sold_at: Instant, by_message: bool, at: Instant) -> None:
        """Take that a sale was decided at `at`; a sale of the future was made now."""
        self._of(account).add(Stage.MESSAGE if by_message else Stage.FEED, min(sold_at, at), at)

    def answered(self, account: AccountId, listing_id: int, *, intended_at: Instant, at: Instant) -> None:
        """Take that the channel took a write that was picked at `intended_at`."""
        found = self._of(account)
        for decision in found.falls.get(listing_id, ()):
            if not decision.answered and decision.at <= intended_at:
                decision.answered = True
                found.add(Stage.ANSWER, decision.at, max(at, decision.at))

    def follow(self, listing: Listing, *, before: int | None, at: Instant, heard_at: Instant | None) -> None:
        """Take a listing as it was decided at `at`, its target before that, and when the channel last told of it.

        A number that came about without a word of the channel (by its own sale) measures nothing.
        """
        found = self._of(listing.account)
        target, low, high = listing.target, listing.low, listing.high
        if target is None or low is None or high is None or listing.parked or listing.vanished:
            self.forget(listing)
            return
        number = listing.id
        if number in found.falls:
            falls, done = _settle(found.falls.pop(number), sign=1, target=target, shows=high)
            if falls:
                found.falls[number] = falls
            _measure(found, Stage.FALL, done, heard_at)
        if number in found.raises:
            raises, done = _settle(found.raises.pop(number), sign=-1, target=target, shows=low)
            if raises:
                found.raises[number] = raises
            _measure(found, Stage.RAISE, done, heard_at)
        if before is None:
            return
        if target < before and high > target:
            _follow(found.falls, number, Decision(at, target))
        elif target > before and low < target and not listing.held:
            _follow(found.raises, number, Decision(at, target))

    def forget(self, listing: Listing) -> None:
        """Follow a listing no more: nothing is written there now."""
        found = self._of(listing.account)
        found.falls.pop(listing.id, None)
        found.raises.pop(listing.id, None)

    # --- over a restart ---

    def unsaved(self) -> list[KeptLag]:
        """Return what changed since it was asked for last, for the store."""
        kept = []
        for name, account in self._accounts.items():
            if account.measured != account.saved:
                account.saved = account.measured
                kept += [
                    KeptLag(account=name, stage=stage.value, latest=one.latest, weights=one.kept())
                    for stage, one in account.stages.items()
                ]
        return kept

    def restore(self, kept: Sequence[KeptLag]) -> None:
        """Take up what was measured before the restart; stages that are not known any more are left out."""
        known = {stage.value: stage for stage in Stage}
        for one in kept:
            if one.stage in known:
                found = self._of(one.account)
                found.stages[known[one.stage]] = restored(one.weights, latest=one.latest)
                found.asked.clear()


def _settle(decisions: list[Decision], *, sign: int, target: int, shows: int) -> tuple[list[Decision], list[Decision]]:
    """Return decisions that do not show yet, and those that do; one that the target went back on is in neither.

    `sign` is 1 for falls and -1 for raises, `shows` the end of what the listing shows that has to get there.
    """
    rest: list[Decision] = []
    done: list[Decision] = []
    for decision in decisions:
        if sign * decision.target < sign * target:
            continue
        (done if sign * shows <= sign * decision.target else rest).append(decision)
    return rest, done


def _measure(account: _Account, stage: Stage, done: Sequence[Decision], heard_at: Instant | None) -> None:
    if heard_at is not None:
        for decision in done:
            account.add(stage, decision.at, max(heard_at, decision.at))


def _follow(open_: Open, listing_id: int, decision: Decision) -> None:
    decisions = open_.get(listing_id)
    if decisions is None:
        if len(open_) < MOST_FOLLOWED:
            open_[listing_id] = [decision]
    elif len(decisions) < MOST_DECISIONS:
        decisions.append(decision)
