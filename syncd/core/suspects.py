"""Which suspect sale an order explains, where it may be several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.core.terms import Instant, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Units that were missing when a listing was read, sold at any moment from `since` to `until`."""

    since: Instant
    until: Instant
    units: int


def explained(take: Span, units: int, missing: Sequence[Missing]) -> tuple[int, ...]:
    """Return how many units of each suspect sale an order of so many explains, that was taken in `take`.

    Only those count that may be the same sale. Where it may be several the order goes to those with which it has most
    time in common, the later first: an order that is told late then finds its own.
    """
    parts = [0] * len(missing)
    by_fit = sorted(range(len(missing)), key=lambda place: (-_common(take, missing[place]), -missing[place].since))
    for place in by_fit:
        if _common(take, missing[place]) >= 0:
            parts[place] = max(0, min(units, missing[place].units))
            units -= parts[place]
    return tuple(parts)


def _common(take: Span, one: Missing) -> int:
    """Return how much time two spans have in common; below zero where none."""
    latest = one.until if take.latest is None else min(take.latest, one.until)
    return latest - max(take.earliest, one.since)
