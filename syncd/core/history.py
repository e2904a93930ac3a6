"""What happened to the units of one SKU, as values: movements, the orders behind them, writes, doubts, foreign changes.

Readings are not kept. The store reads a history (`store.views_history`), and `core.crossings` finds out why more was
sold than there was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.core.terms import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One entry of the ledger. `at` is when it happened, `recorded_at` when syncd knew it."""

    id: int
    at: Instant
    recorded_at: Instant
    kind: str
    location: str
    on_hand: int
    committed: int
    held: int
    source: str
    reference: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldLine:
    """The line of an order that a movement is of.

    `sku` is what was sold: the SKU itself, or a kit of which one unit takes `each` units of the SKU.
    """

    account: str
    order_id: str
    number: str
    line_id: str
    remote_id: str
    sku: str
    ordered_at: Instant
    each: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A listing that shows these units: of the SKU, or of a kit that holds it. `seen` is the last reading of it."""

    id: int
    account: str
    remote_id: str
    sku: str
    target: int | None
    seen: int | None
    seen_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A number that was sent to a listing, and how it ended; `effect_until`: by then it took effect, or never will."""

    id: int
    listing_id: int
    quantity: int
    target: int
    delta: int | None
    mode: str
    state: str
    intended_at: Instant
    answered_at: Instant | None
    effect_until: Instant | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspected:
    """Units that were held for a sale that a channel had not told of."""

    id: int
    account: str
    listing_id: int
    quantity: int
    remaining: int
    since: Instant
    until: Instant
    closed_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """A number that somebody else changed."""

    id: int
    account: str
    listing_id: int
    seen: int
    expected_low: int
    expected_high: int
    state: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Braked:
    """A change of the shop that the brake held. `state`: held, released, refused."""

    at: Instant
    cause: str
    to_zero: int
    raised: int
    state: str
    ended_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleNow:
    """How a channel shares a SKU and what it keeps back by the rule in force; earlier rules are not kept.

    `exposure` is how units are shared, `loss` how many sold units one oversold unit costs there.
    """

    account: str
    exposure: str
    loss: int
    safety_stock: int
    safety_percent: int
    cap: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything about the units of one SKU.

    `before` is what was on hand, committed and held before the first of `movements` (not zero where older ones were
    left out, which `cut` says). `opened_at` is when the SKU was counted first. `sold` goes by (source, `order:line`),
    the beginning of a movement's reference. `writes_since` is when the oldest write was intended that is kept, or was
    looked at; None where every write is there. `oversold_at`, `oversell_over_at`: the last alert of an oversell.
    `brakes` are of the whole shop. `backorders`: from which moment on how many units were owed, oldest first.
    """

    sku: str
    opened_at: Instant | None
    before: tuple[int, int, int]
    movements: tuple[Moved, ...]
    cut: bool
    sold: Mapping[tuple[str, str], SoldLine]
    listings: tuple[Place, ...]
    writes: tuple[Written, ...]
    writes_since: Instant | None
    suspects: tuple[Suspected, ...]
    drifts: tuple[Drifted, ...]
    oversold_at: Instant | None
    oversell_over_at: Instant | None
    brakes: tuple[Braked, ...] = ()
    backorders: tuple[tuple[Instant, int], ...] = ()

    def owed(self, at: Instant) -> int:
        """Return how many units were owed at a moment: sold before they are here, as a policy allowed."""
        return next((units for since, units in reversed(self.backorders) if since <= at), 0)


def line_of(reference: str) -> str:
    """Return the `order:line` at the beginning of an order's movement (`order:line:what:units@version`)."""
    return reference.rsplit(":", 2)[0]
