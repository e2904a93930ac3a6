"""The brake: a change that would turn a shop upside down waits for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeRule:
    """When a change is too much: at least `minimum` listings and more than `share` of all that are released.

    `factor` is the multiple above which a raise counts.
    """

    share: float = 0.2
    minimum: int = 20
    factor: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The target of one listing of a released account before and after.

    `before` is None where it had none; what it `shows` then stands for it (None: not known).
    """

    before: int | None
    after: int
    shows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """What the brake holds: listings that would fall to zero, that would be raised, and how many are released."""

    to_zero: int
    raised: int
    listings: int


def check(changes: Iterable[Change], *, listings: int, rule: BrakeRule) -> Trip | None:
    """Return what is held, or None when the change may pass.

    Falls to zero and raises (from zero, or to more than `factor` times as much) are each held against the rule by
    themselves. A fall that leaves something never trips. `listings` are those that had a target; those that get their
    first one are of them, too. Of these a raise from nothing never trips: it is what opening a listing means.
    """
    to_zero = raised = 0
    for change in changes:
        before, after = change.before, change.after
        if before is None:
            listings += 1
            before = change.shows
            if not before:
                continue
        if before > 0 >= after:
            to_zero += 1
        elif after > max(0, before) * rule.factor:
            raised += 1
    most = max(to_zero, raised)
    if most < rule.minimum or most <= rule.share * listings:
        return None
    return Trip(to_zero=to_zero, raised=raised, listings=listings)
