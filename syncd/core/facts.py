"""The facts that enter by the inbox. Everything that syncd ever learns is one of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from syncd.core.terms import (
    AccountId,
    Instant,
    ListingInfo,
    ListingRef,
    Location,
    OrderSnapshot,
    Outcome,
    Seen,
    Sku,
)
from syncd.core.waitlist import (
    ArrivalFact,
    CorrectionFact,
    DeskFact,
    HoldFact,
    LeaveFact,
    MessageFact,
    OfferFact,
    ReleaseFact,
    TicketFact,
    TicketHintFact,
    TicketOutcomeFact,
    WaitFact,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFact:
    """A channel states an order."""

    account: AccountId
    order: OrderSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFact:
    """A page of the order feed is wholly in the inbox before this fact.

    `cursor` is where the feed goes on. `complete_until` and `started_at` tell how far the scan saw (None while it
    has more pages, or where the feed does not tell).
    """

    account: AccountId
    cursor: str
    started_at: Instant
    complete_until: Instant | None
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HintFact:
    """Something changed there: orders to fetch, listings to read. Losing it loses time, never truth."""

    account: AccountId
    order_ids: tuple[str, ...] = ()
    refs: tuple[ListingRef, ...] = ()
    catalogue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFact:
    """A channel showed these numbers."""

    account: AccountId
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFact:
    """A batch of writes ended so. `sent_at` and `answered_at` are the start and the end of the push on our clock."""

    account: AccountId
    sent_at: Instant
    answered_at: Instant
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFact:
    """Listings of a channel's catalogue; `started_at` is the start of the catalogue read they belong to.

    `forced` passes the brake.
    """

    account: AccountId
    started_at: Instant
    listings: tuple[ListingInfo, ...]
    finished: bool = False
    forced: bool = False


class Counted(StrEnum):
    """What a person counted."""

    ON_HAND = "on_hand"
    AVAILABLE = "available"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """One counted number of one SKU at one location, true at `counted_at`."""

    sku: Sku
    location: Location
    quantity: int
    counted_at: Instant
    counted: Counted = Counted.ON_HAND


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFact:
    """A stock count. `reference` is unique per `source`: a repeat changes nothing. `forced` passes the brake."""

    source: str
    reference: str
    rows: tuple[CountRow, ...]
    reason: str = ""
    actor: str = ""
    forced: bool = False


class StockMove(StrEnum):
    """Why units came or went by a person's or a system's word."""

    RECEIVE = "receive"
    ADJUST = "adjust"
    DAMAGE = "damage"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRow:
    """Units of one SKU that came (positive) or went (negative) at one location."""

    sku: Sku
    location: Location
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveFact:
    """Units moved. `reference` is unique per `source`: a repeat changes nothing. `forced` passes the brake."""

    source: str
    reference: str
    move: StockMove
    at: Instant
    rows: tuple[MoveRow, ...]
    reason: str = ""
    actor: str = ""
    forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuRow:
    """A SKU to know; `components` make it a kit of (SKU, quantity)."""

    sku: Sku
    title: str = ""
    components: tuple[tuple[Sku, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuFact:
    """SKUs are made known or changed."""

    rows: tuple[SkuRow, ...]
    actor: str = ""
    forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRow:
    """One listing belongs to this SKU; None takes the mapping away."""

    account: AccountId
    ref: ListingRef
    sku: Sku | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingFact:
    """Listings are mapped to SKUs by a person."""

    rows: tuple[MappingRow, ...]
    actor: str = ""
    forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """What one SKU may show on one account (`None`: everywhere); a field of None falls back to the settings.

    With `since` and `until` it is a dated policy of the name `season`, which ends by itself; one that has no field but
    these, or but its name, is taken away.
    """

    sku: Sku
    account: AccountId | None = None
    safety_stock: int | None = None
    safety_percent: int | None = None
    cap: int | None = None
    exposure: str | None = None
    loss: int | None = None
    share: int | None = None
    priority: str | None = None
    priority_units: int | None = None
    preorder: bool | None = None
    hide: bool | None = None
    purchase_limit: int | None = None
    season: str = ""
    since: Instant | None = None
    until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFact:
    """Policies per SKU are set by a person."""

    rows: tuple[PolicyRow, ...]
    actor: str = ""
    forced: bool = False


class AccountState(StrEnum):
    """Whether syncd writes to a channel account."""

    NEW = "new"
    """Never released: read only."""
    LIVE = "live"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFact:
    """A channel account is released or paused."""

    account: AccountId
    state: AccountState
    reason: str = ""
    actor: str = ""


class Verdict(StrEnum):
    """A person's word on something held."""

    ACCEPT = "accept"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFact:
    """A person accepts hand edits as the truth of stock, or has them overwritten (`REFUSE`). Empty ids: all."""

    ids: tuple[int, ...]
    verdict: Verdict
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeFact:
    """A person releases what the brake holds (`ACCEPT`), or drops it (`REFUSE`)."""

    ids: tuple[int, ...]
    verdict: Verdict
    actor: str = ""


Fact: TypeAlias = (
    OrderFact
    | ScanFact
    | HintFact
    | SeenFact
    | OutcomeFact
    | CatalogueFact
    | CountFact
    | MoveFact
    | SkuFact
    | MappingFact
    | PolicyFact
    | AccountFact
    | DriftFact
    | BrakeFact
    | WaitFact
    | LeaveFact
    | TicketFact
    | TicketHintFact
    | TicketOutcomeFact
    | DeskFact
    | ArrivalFact
    | HoldFact
    | CorrectionFact
    | MessageFact
    | OfferFact
    | ReleaseFact
)
