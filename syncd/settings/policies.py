"""What channels may show, for how long, and what is held: frozen values, a part of `syncd.settings.shape`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

Units: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000_000)]
"""Whole units of a good."""

Percent: TypeAlias = Annotated[int, Meta(ge=0, le=100)]

ExposureName: TypeAlias = Literal["pool", "allotment", "adaptive"]

Loss: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]
"""Sold units that one oversold unit costs."""

Limit: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]
"""Units of one order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDefaults:
    """What channels may show where neither the channel nor the SKU says otherwise: `[policy]`."""

    exposure: ExposureName = "adaptive"
    """How channels share the same units. "pool": each shows all that is available. "allotment": each shows a part of
    its own, so that nothing is oversold whatever the lag. "adaptive": each shows as much as measured demand and lag
    allow at the level `loss`."""

    loss: Loss = 300
    """How many sold units one oversold unit costs you, for "adaptive": 30 shows nearly all and oversells now and then,
    300 hardly ever oversells, 2500 keeps back what could ever collide."""

    safety_stock: Units = 0
    """Units kept back on every channel."""

    safety_percent: Percent = 0
    """Percent of what is available kept back on every channel, rounded up; the larger of both counts."""

    cap: Units | None = None
    """The most that a channel shows. Left out: no cap."""

    priority: str = ""
    """Channel that alone shows the last `priority_units` of the SKUs that it sells. Empty: none."""

    priority_units: Units = 0
    """How many units only the channel `priority` shows."""

    preorder: bool = False
    """Sell units that are on their way with a date before they are here."""

    hide: bool = False
    """Close the page of a listing that shows 0, where the channel can, and open it again when there are units."""

    purchase_limit: Limit | None = None
    """The most units that one order may have, where the channel can limit it. Left out: no limit of ours."""

    zone: str = "Asia/Tokyo"
    """Time zone of the shop's days, for demand by day of the week."""

    raise_delay_s: Annotated[float, Meta(ge=0.0, le=3_600.0)] = 5.0
    """Seconds that a raise waits, so that a number that goes up and down is written once. Falls never wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonSettings:
    """A season or a campaign: a dated change of policy that ends by itself, `[seasons.NAME]`."""

    since: str
    """When it begins: 2026-12-04T20:00+09:00, or a day, 2026-12-04, of the zone in [policy]."""

    until: str
    """When it ends; by itself everything is as before. A day counts as a whole."""

    channels: tuple[str, ...] = ()
    """On which channels. Empty: on all."""

    demand: Annotated[float, Meta(ge=0.01, le=1_000.0)] | None = None
    """How many times the usual demand you expect of the whole shop while it lasts. Left out: unchanged."""

    exposure: ExposureName | None = None
    """As in [policy], while it lasts. Left out: unchanged."""

    loss: Loss | None = None
    """As in [policy], while it lasts. Left out: unchanged."""

    safety_stock: Units | None = None
    """Units kept back while it lasts. Left out: unchanged."""

    safety_percent: Percent | None = None
    """Percent kept back while it lasts. Left out: unchanged."""

    cap: Units | None = None
    """The most that is shown while it lasts. Left out: unchanged."""

    share: Percent | None = None
    """The most that is shown in percent of what is available, while it lasts. Left out: unchanged."""

    priority: str | None = None
    """Channel that alone shows the last units while it lasts. Left out: unchanged."""

    priority_units: Units | None = None
    """How many these are. Left out: unchanged."""

    preorder: bool | None = None
    """Sell units that are on their way while it lasts. Left out: unchanged."""

    hide: bool | None = None
    """Close pages that show 0 while it lasts. Left out: unchanged."""

    purchase_limit: Limit | None = None
    """The most units that one order may have while it lasts. Left out: unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """When a change by hand or import is held for a person: `[brake]`. Falls from orders always pass."""

    share: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.2
    """Hold a change that would take more than this share of the released listings to zero, or raise as many.
    Changed settings are weighed for each channel by itself, too; while they are held, the old ones go on."""

    minimum: Annotated[int, Meta(ge=0, le=1_000_000)] = 20
    """A change of fewer listings than this passes, whatever the share."""

    factor: Annotated[float, Meta(gt=1.0, le=1_000_000.0)] = 10.0
    """A listing counts as raised when it would show more than this many times what it shows."""
