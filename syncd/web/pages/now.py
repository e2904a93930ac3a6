"""*Now*: are the channels up, how late are they, what waits, and what was just sold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncd.core.lag import KNOWLEDGE, Figures, Stage
from syncd.store.views_listings import pending_drift
from syncd.store.views_sales import last_sales
from syncd.web.pages.frame import Ask, Frame
from syncd.web.status import AccountStatus, Standings, Status

SALES: Final = 14
"""Sales that are shown."""
DRIFT: Final = 8
"""Foreign changes that are shown."""
ALERTS: Final = 20
"""Alerts that are shown."""
TOLD: Final = frozenset({"brake", "drift", "quarantine"})
"""Alerts of what stands in the same list already, with what can be done."""
LATE_S: Final = 300.0
"""A feed that was silent for longer is worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """How a channel is: `word` is one of the family `state`, `tone` is good, calm, warn or bad."""

    word: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelNow:
    """A channel: `heard` is the lag until a sale is known, `shown` until a fall is in effect; None: not measured."""

    status: AccountStatus
    lamp: Lamp
    heard: Figures | None
    shown: Figures | None
    waiting: int
    late: bool


class Now:
    """Reads the page."""

    def __init__(self, frame: Frame, standings: Standings) -> None:
        self._frame = frame
        self._standings = standings

    async def read(self, _ask: Ask) -> Mapping[str, Any]:
        """Return what the page shows."""
        status = await self._standings.status()
        store = self._frame.plant.store
        sales = await store.read(lambda conn: last_sales(conn, limit=SALES))
        drift = await store.read(lambda conn: pending_drift(conn, limit=DRIFT))
        channels = [channel_now(account) for account in status.accounts]
        return {
            "status": status,
            "alerts": [alert for alert in status.alerts if alert.kind not in TOLD][:ALERTS],
            "channels": channels,
            "sales": sales,
            "drift": drift,
            "drift_count": sum(account.drift_pending for account in status.accounts),
            "waiting": sum(channel.waiting for channel in channels),
            "worst_heard": worst(channel.heard for channel in channels),
            "worst_shown": worst(channel.shown for channel in channels),
            "up": sum(channel.lamp.tone != "bad" for channel in channels),
            "calm": is_calm(status, channels),
        }


def channel_now(account: AccountStatus) -> ChannelNow:
    """Return how a channel is."""
    return ChannelNow(
        status=account,
        lamp=lamp_of(account),
        heard=_slowest(account, KNOWLEDGE),
        shown=_slowest(account, (Stage.FALL,)),
        waiting=sum(account.waiting.values()),
        late=account.silent_s is not None and account.silent_s > LATE_S,
    )


def lamp_of(account: AccountStatus) -> Lamp:
    """Return the one word that says most about a channel."""
    if account.state == "closed":
        return Lamp(word="closed", tone="calm")
    if account.maintenance_until is not None:
        return Lamp(word="maintenance", tone="warn")
    if account.down_since is not None:
        return Lamp(word="down", tone="bad")
    if account.state == "live":
        return Lamp(word="live", tone="good")
    return Lamp(word=account.state, tone="warn")


def _slowest(account: AccountStatus, stages: tuple[Stage, ...]) -> Figures | None:
    """Return what is measured of the quickest way by which most is heard: the one with the most measurements."""
    found = [figures for figures in account.lags if figures.stage in stages and figures.count > 0]
    return max(found, key=lambda figures: figures.count, default=None)


def worst(found: Any) -> Figures | None:
    """Return the largest lag of those that were measured."""
    return max((figures for figures in found if figures is not None), key=lambda figures: figures.p95_s, default=None)


def is_calm(status: Status, channels: list[ChannelNow]) -> bool:
    """Say whether there is nothing that a person has to do."""
    trouble = status.alerts or status.brakes or status.oversold_units or status.quarantine
    return not trouble and all(channel.lamp.tone in {"good", "calm"} for channel in channels)
