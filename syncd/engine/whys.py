"""What an explanation is made of: a SKU, its listings, and for each the steps to its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Units of a SKU, or of a component (`per_kit` of it in a kit), at one location; an empty one: not told."""

    sku: str
    per_kit: int
    location: str
    on_hand: int
    committed: int
    held: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Units held for a sale that a channel seems to have made and has not told of."""

    account: str
    units: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value of the policy in force. `origin`: settings, channel, season, sku, sku_channel, sku_season."""

    name: str
    value: int | str | bool | None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """How late an account is reckoned to be: until we hear of a sale, until a fall shows; where each is known from.

    What was measured there lately is told beside it, None while that is little: targets follow once it is far off.
    """

    account: str
    heard_s: float
    visible_s: float
    heard_by: str
    visible_by: str
    heard_measured_s: float | None
    visible_measured_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """How exposure comes to a number. `rule`: pool, allotment, adaptive.

    `lines_per_day` of `units_per_line` units ask for the same units on all channels, `share` of them here. `limit` is
    what adaptive exposure allows at the level `loss`, None for all. An allotment may be raised to `ceiling` now, and
    `unheard` units of it may be sold without our knowing. `seasons` are those that hold now.
    """

    rule: str
    loss: int
    lines_per_day: float
    units_per_line: float
    share: float
    limit: int | None
    lags: tuple[Late, ...]
    ceiling: int | None
    unheard: int
    seasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """How a target comes about.

    `available` at `locations` (and what no channel placed), less `kept_back`, less `capped`, less `elsewhere` (units
    that other listings of the SKU get, or that another part of the rule keeps), less `split` is `target`. One number
    of several locations is reckoned as a whole: `split` of it is shown at the other ones. `target` is None while
    nothing may be written; then the other numbers say what would count.
    """

    locations: tuple[str, ...]
    available: int
    policy: tuple[Setting, ...]
    exposure: Exposed | None
    kept_back: int
    capped: int
    elsewhere: int
    split: int
    target: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that the channel made or makes by itself since the base; `until` None: it may still come."""

    quantity: int
    since: datetime
    until: datetime | None
    maybe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNumber:
    """A write of ours that may still take effect, and until when."""

    quantity: int
    sent_at: datetime
    until: datetime
    relative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What a listing is believed to show, and from what that is derived; None where it was never read."""

    low: int | None
    high: int | None
    likely: int | None
    base: int | None
    base_from: datetime | None
    base_until: datetime | None
    seen: int | None
    seen_at: datetime | None
    changes: tuple[Change, ...]
    changes_count: int
    open_writes: tuple[OpenNumber, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Units that an absolute write keeps back, since it puts back own sales that were not read yet.

    `window_s` lasts from the moment up to which all orders are known until nearly every write is in effect.
    """

    units: int
    per_day: float
    window_s: float
    orders_known_until: datetime | None
    quantile: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why nothing, or no raise, is written. `detail` and `until` where they are known."""

    what: str
    detail: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What is next. `step`: idle, wait, look, send; `why` says for what; `at` is when.

    `quantity`, `expected` and `delta` are of a write that is due.
    """

    step: str
    why: str
    lane: str | None
    at: datetime | None
    quantity: int | None = None
    expected: int | None = None
    delta: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingWhy:
    """One listing. `target`, `lane` and `due_at` are stored: what is acted upon. `aim` and `next` are decided anew now.

    They differ only where time has passed since the last decision, or settings were changed: then `renewing` is set,
    and the next fact about the SKU brings the stored ones up.
    """

    account: str
    remote_id: str
    remote_location: str
    active: bool
    mode: str
    target: int | None
    lane: str | None
    due_at: datetime | None
    in_flight: bool
    attempts: int
    aim: Aim | None
    belief: Belief
    margin: Margin | None
    next: Next | None
    obstacles: tuple[Obstacle, ...]
    renewing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """A SKU with every listing of it."""

    sku: str
    kit: bool
    counted: bool
    at: datetime
    available: int
    places: tuple[Place, ...]
    doubts: tuple[Doubt, ...]
    listings: tuple[ListingWhy, ...]
