"""The brake: a change that would turn a shop upside down waits for a person."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


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
    trip = _weighed(changes, listings, rule)
    return trip if _is_too_much(trip, rule) else None


def held(changes: Mapping[K, Sequence[Change]], *, listings: Mapping[K, int], rule: BrakeRule) -> dict[K, Trip]:
    """Return what is held of a change in several parts, each with so many `listings` that are released.

    A part is held that is too much for its own listings; where all together are too much for all of them, every part is
    that empties or raises any.
    """
    parts = {name: _weighed(mine, listings.get(name, 0), rule) for name, mine in changes.items()}
    every_change = [change for mine in changes.values() for change in mine]
    every = _is_too_much(_weighed(every_change, sum(listings.values()), rule), rule)
    return {
        name: trip
        for name, trip in parts.items()
        if _is_too_much(trip, rule) or (every and max(trip.to_zero, trip.raised) > 0)
    }


def counts(change: Change, rule: BrakeRule) -> bool:
    """Say whether one change is a fall to zero or a raise in the sense of the rule."""
    trip = _weighed([change], 0, rule)
    return trip.to_zero + trip.raised > 0


def _weighed(changes: Iterable[Change], listings: int, rule: BrakeRule) -> Trip:
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
    return Trip(to_zero=to_zero, raised=raised, listings=listings)


def _is_too_much(trip: Trip, rule: BrakeRule) -> bool:
    most = max(trip.to_zero, trip.raised)
    return most >= rule.minimum and most > rule.share * trip.listings
