"""Counts: what a person found on the shelf, as of the moment of counting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from syncd.core.facts import Counted, CountRow
from syncd.core.ledger import MovementKind, Posting
from syncd.core.terms import Instant, SkuId


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Sums of the movements after the moment of counting, of the same SKU and location."""

    on_hand: int
    committed: int
    held: int


def count_posting(
    row: CountRow,
    *,
    sku_id: SkuId,
    reference: str,
    on_hand: int,
    committed: int,
    held: int,
    since: Since,
    opened: bool,
    overruled: bool = False,
) -> Posting | None:
    """Return the movement that makes the count true as of `row.counted_at`.

    `on_hand`, `committed` and `held` are the balance now, of the SKU at `row.location`; `since` is the part of it that
    came after the count and stays. Someone who counted what is available did not see what was promised or held then.
    The first count of a SKU (`opened` False) always is a movement, also of zero units, since it opens the SKU; a later
    one that finds what the ledger says is None. One that is `overruled`, since somebody counted at a later moment,
    moves nothing and stands in the ledger all the same.
    """
    if overruled:
        return Posting(reference=reference, sku_id=sku_id, location=row.location, kind=MovementKind.COUNT)
    expected = on_hand - since.on_hand
    if row.counted is Counted.AVAILABLE:
        expected -= committed - since.committed + held - since.held
    difference = row.quantity - expected
    if opened and difference == 0:
        return None
    return Posting(
        reference=reference,
        sku_id=sku_id,
        location=row.location,
        kind=MovementKind.COUNT if opened else MovementKind.OPENING,
        on_hand=difference,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A count that was made, and by how much it moved what is on hand."""

    at: Instant
    difference: int


def explain(counts: Iterable[Made], *, units: int, until: Instant) -> bool:
    """Say whether counts explain a change of a listing by `units` that nobody sold, seen at `until` at the latest.

    `counts` are those made since it can have happened. One that came after it says what is there. One that may have
    come before or after it explains it where both are as large: who counts also types the number at the channel.
    """
    made = list(counts)
    return any(one.at >= until for one in made) or (bool(made) and sum(one.difference for one in made) == units)
