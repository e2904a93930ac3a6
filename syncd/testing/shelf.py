"""The goods of a simulated shop: what each listing shows, and showed a while ago."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from syncd.core.terms import Instant, ListingRef
from syncd.testing.trade import By, Log, Unknown

MOST_PAST = 256
"""Earlier numbers kept per listing, for stale reads."""


@dataclass(slots=True, eq=False, kw_only=True)
class Good:
    """One listing. `serial` is its place in the catalogue, from 0; `past` holds (since when, number)."""

    serial: int
    ref: ListingRef
    sku: str
    title: str
    quantity: int
    active: bool = True
    managed: bool = True
    past: deque[tuple[Instant, int]] = field(default_factory=lambda: deque(maxlen=MOST_PAST))

    def as_of(self, at: Instant) -> int:
        """Return what it showed at that time; the earliest known number for a time before it."""
        place = bisect_right(self.past, at, key=lambda entry: entry[0])
        return self.past[max(0, place - 1)][1] if self.past else self.quantity


class Shelf:
    """All goods, in the order in which they came. Every change of a number goes through `change` and is logged."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._rows: list[Good | None] = []
        self._by_ref: dict[ListingRef, Good] = {}
        self._by_sku: dict[str, list[Good]] = {}

    def __len__(self) -> int:
        """Return how many listings there are."""
        return len(self._by_ref)

    def add(self, ref: ListingRef, *, sku: str, quantity: int, at: Instant, title: str = "") -> Good:
        """Put a listing up; raises `ValueError` when it is there already."""
        if ref in self._by_ref:
            raise ValueError(f"{ref.remote_id}: there already")
        good = Good(serial=len(self._rows), ref=ref, sku=sku, title=title or f"Good {sku}", quantity=quantity)
        good.past.append((at, quantity))
        self._rows.append(good)
        self._by_ref[ref] = good
        self._by_sku.setdefault(sku, []).append(good)
        return good

    def remove(self, ref: ListingRef) -> None:
        """Delete a listing; raises `Unknown`."""
        good = self.at(ref)
        self._rows[good.serial] = None
        del self._by_ref[ref]
        self._by_sku[good.sku].remove(good)

    def find(self, ref: ListingRef) -> Good | None:
        """Return a listing, None where there is none."""
        return self._by_ref.get(ref)

    def at(self, place: str | ListingRef) -> Good:
        """Return the listing, or the first one of a SKU; raises `Unknown`."""
        found = next(iter(self.of(place)), None) if isinstance(place, str) else self._by_ref.get(place)
        if found is None:
            raise Unknown(f"{place if isinstance(place, str) else place.remote_id}: not for sale here")
        return found

    def of(self, sku: str) -> Sequence[Good]:
        """Return the listings of a SKU."""
        return self._by_sku.get(sku, ())

    def all(self) -> list[Good]:
        """Return every listing."""
        return list(self._by_ref.values())

    def page(self, after: int, limit: int) -> tuple[list[Good], int | None]:
        """Return the goods of the next `limit` serials from `after`, and where it goes on (None at the end)."""
        end = after + limit
        return [good for good in self._rows[after:end] if good is not None], end if end < len(self._rows) else None

    def change(self, good: Good, to: int, by: By, *, at: Instant) -> None:
        """Let a listing show another number from `at` on."""
        before, good.quantity = good.quantity, to
        good.past.append((at, to))
        self._log.add(good.ref, before, to, by, at=at)
