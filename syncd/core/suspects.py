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


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Units of an order that the channel put back on its listing, at `earliest` or later."""

    earliest: Instant
    units: int


def explained(
    take: Span, units: int, missing: Sequence[Missing], *, restored: Sequence[Restored] = ()
) -> tuple[int, ...]:
    """Return how many units of each suspect sale an order of so many explains, that was taken in `take`.

    Only those count that may be the same sale. Where it may be several the order goes to the one that ends first: that
    is let go first, and later orders may still explain the others. Units that may have been put back before a suspect
    sale was read do not explain it: they were there again, so others are missing.
    """
    parts = [0] * len(missing)
    used = 0
    for place in sorted(range(len(missing)), key=lambda place: (missing[place].until, missing[place].since)):
        one = missing[place]
        if _meets(take, one):
            back = sum(give.units for give in restored if give.earliest <= one.until)
            parts[place] = max(0, min(units - back - used, one.units))
            used += parts[place]
    return tuple(parts)


def _meets(take: Span, one: Missing) -> bool:
    """Say whether something taken in `take` may be missing in this span."""
    return take.earliest <= one.until and (take.latest is None or take.latest >= one.since)
