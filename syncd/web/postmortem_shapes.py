"""What a post-mortem tells: a timeline, the times below zero with the orders that lose, and what is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from syncd.core.history import RuleNow


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened. `at` is when syncd knew or did it, `happened_at` when it was so, `lag_s` in between.

    `what` is a movement (`core.ledger.MovementKind`), or write, drift, brake, oversell, oversell_over. `units` is by
    how much what is available changes, `available` what it is then; both None where units do not move. Of a write
    `quantity` is the number sent, `state` how it ended, `lag_s` how long until it was in effect.
    """

    at: datetime
    happened_at: datetime | None
    what: str
    account: str
    order: str
    listing: str
    units: int | None
    available: int | None
    lag_s: float | None
    quantity: int | None
    target: int | None
    state: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTold:
    """A write that mattered."""

    listing: str
    quantity: int
    state: str
    sent_at: datetime
    in_effect_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossedTold:
    """A sale that the losing order's listing did not show yet. `heard_s` and `shown_s` are the two lags in a row."""

    account: str
    order: str
    units: int
    ordered_at: datetime
    heard_s: float
    shown_s: float | None
    write: WriteTold | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoserTold:
    """An order for which the units are missing; the words are those of `core.crossings.Loser`.

    One that goes without by the shop's rule, though it did nothing to it, has the cause `chosen`.
    """

    account: str
    order: str
    order_id: str
    sku: str
    units: int
    lost: int
    left: int | None
    ordered_at: datetime
    heard_s: float | None
    cause: str
    crossed: tuple[CrossedTold, ...]
    lowered: tuple[Entry, ...]
    drifts: tuple[Entry, ...]
    showed: WriteTold | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentTold:
    """A time below zero.

    `losers` go without: those that its `record` names (the number of the incident), where one was opened. Without one
    they are the orders that took what was not there, the latest first. `served` are such orders too, in whose stead
    the record names others.
    """

    began_at: datetime
    ended_at: datetime | None
    short: int
    by: str
    losers: tuple[LoserTold, ...]
    served: tuple[LoserTold, ...]
    record: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyStock:
    """A fixed safety stock of what was sold, the SKU itself or a kit that holds it, on a channel."""

    account: str
    sku: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What would have prevented it. `safety_stock` are the smallest ones, for orders that crossed.

    `counts`, `writes` and `others` say that a wrong count, writes that did not get through, or another writer had to do
    with it: there a safety stock is no remedy.
    """

    safety_stock: tuple[SafetyStock, ...]
    counts: bool
    writes: bool
    others: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingNow:
    """A listing as it was read last. Earlier readings are not kept."""

    account: str
    listing: str
    sku: str
    target: int | None
    seen: int | None
    seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmortem:
    """One SKU. `missing` names what the timeline lacks: readings (always), writes, movements, entries."""

    sku: str
    counted: bool
    available: int
    entries: tuple[Entry, ...]
    incidents: tuple[IncidentTold, ...]
    advice: Advice | None
    listings: tuple[ListingNow, ...]
    missing: tuple[str, ...]
    writes_since: datetime | None
    rules: tuple[RuleNow, ...] = ()
