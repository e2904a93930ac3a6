"""The gate of allotments: how far a listing may be raised, so that all listings together never sell what is not there.

Every listing of shared units has a *claim*: what it may still show (its *standing*), and what it may have sold without
our knowing (its *unheard* units). A sale moves units from the first to the second; hearing of it takes them off the
claim and off what is available. So while the claims together are at most what is available, no order of events
oversells, and only a write of ours can add to a claim: one that checks or moves the number (compare-and-set, delta)
adds what it raises, an absolute one the whole number, for it may put back everything that was sold unread.

Unheard units are forgotten once the order feed has passed the moment of such a sale: see `unheard_left`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from syncd.core.shown import OpenWrite, Range
from syncd.core.terms import Instant, WriteMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a listing may take of shared units. `units` is how many of them one unit of it takes (more: a kit)."""

    standing: int
    unheard: int = 0
    units: int = 1

    @property
    def total(self) -> int:
        """Return the shared units."""
        return (self.standing + self.unheard) * self.units


def standing(shown: Range, *, unguarded: Iterable[OpenWrite] = (), now: Instant) -> int:
    """Return what a listing may show beyond what its unheard units hold.

    `unguarded` are its open writes that neither check nor move the number: as long as one may take effect, all that was
    there before it counts as unheard already, and only what it writes can still be shown.
    """
    values = [write.value for write in unguarded if now < write.until]
    return max(0, *values) if values else max(0, shown.high)


def added_by_write(standing: int, *, expected: int | None = None, delta: int | None = None) -> int:
    """Return how many more units may be sold unheard once a write was sent (its fields as in `core.terms.Write`).

    What a compare-and-set proves to be there was not sold; a delta leaves what was sold where it is. Before any other
    write everything may have been sold.
    """
    if delta is not None:
        return 0
    return standing if expected is None else max(0, standing - max(0, expected))


def added_by_reading(standing: int, *, low: int, value: int) -> int:
    """Return how many more units may have been sold unheard when a listing was read that showed `low` at least.

    What is missing below that is a suspect sale: it is held, so it left what is available already.
    """
    return max(0, standing - max(0, low, value))


def room(available: int, others: Iterable[Claim]) -> int:
    """Return how many shared units none of the others claims; below zero where they claim too many."""
    return available - sum(claim.total for claim in others)


def room_within(allowed: int, others: Iterable[tuple[int, Claim]]) -> int:
    """Return how many shared units are left for a listing that may take `allowed` of them.

    The others come with what each may take: less where more is kept back, more where units on their way are sold too.
    All that may take no more than so many units take together no more either.
    """
    others = list(others)
    bounds = {allowed, *(theirs for theirs, _ in others if theirs > allowed)}
    return min(room(bound, (claim for theirs, claim in others if theirs <= bound)) for bound in bounds)


def ceiling(mode: WriteMode, *, room: int, mine: Claim) -> int:
    """Return the most that a write may set a listing to, whose claim is `mine`, where the others leave `room`.

    Below zero nothing but a fall to zero may be sent. A raise of compare-and-set or delta needs to know the number, so
    it adds no unheard units.
    """
    added = mine.standing if mode is WriteMode.ABSOLUTE else 0
    return room // mine.units - mine.unheard - added


def unheard_left(unheard: int, *, until: Instant | None, passed: Instant | None) -> int:
    """Return what of it still counts: nothing once the order feed has passed `until`, the last moment of such a sale.

    `passed` is the moment up to which certainly every order is known: the completeness of the last scan less the
    configured maximum lateness. None: nothing is known.
    """
    if until is None or (passed is not None and passed >= until):
        return 0
    return unheard
