"""*Health*: how channels judge the shop, keys that end, drift, the brake, and how the daemon itself is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from syncd.core.conduct import Finding, Level
from syncd.sdk.features import HealthFigure
from syncd.store.views import moment
from syncd.store.views_listings import DriftView, pending_drift
from syncd.web.pages.frame import Ask, Frame
from syncd.web.pages.now import lamp_of
from syncd.web.plant import Account
from syncd.web.status import Standings

DRIFT: Final = 100
"""Most hand edits that are listed."""
WARN_SHARE: Final = 0.6
"""From this share of a limit on a rate is worth a look."""
SOON_S: Final = 14 * 86_400.0
"""A key that ends within this is worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One rate by which a channel judges the shop; `tone` is good, warn or bad, `share` the part of its limit."""

    figure: HealthFigure
    share: float | None
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How a channel judged the shop (`asked_at` None: not asked yet), and how its own cancels stand in the ledger."""

    account: str
    asked_at: datetime | None
    reason: str
    rates: Sequence[Rate]
    findings: Sequence[Finding]


class Health:
    """Reads the page."""

    def __init__(self, frame: Frame, standings: Standings) -> None:
        self._frame = frame
        self._standings = standings

    async def read(self, _ask: Ask) -> Mapping[str, Any]:
        """Return what the page shows."""
        plant = self._frame.plant
        status = await self._standings.status()
        drift: list[DriftView] = await plant.store.read(lambda conn: pending_drift(conn, limit=DRIFT))
        return {
            "status": status,
            "daemon": status.daemon,
            "judged": [judged_of(name, account) for name, account in plant.roster.items()],
            "keys": [(account.name, key) for account in status.accounts for key in account.keys],
            "lamps": {account.name: lamp_of(account) for account in status.accounts},
            "undated": [(account.name, one) for account in status.accounts for one in account.undated],
            "drift": drift,
            "soon_s": SOON_S,
            "tones": {Level.GOOD: "good", Level.WARNED: "warn", Level.OVER: "bad"},
        }


def judged_of(name: str, account: Account) -> Judged:
    """Return how a channel judged the shop."""
    found, conduct = account.judgement, account.conduct
    return Judged(
        account=name,
        asked_at=None if found is None else moment(found.asked_at),
        reason="" if found is None else found.reason,
        rates=() if found is None else [rate_of(figure) for figure in found.figures],
        findings=() if conduct is None else conduct.findings,
    )


def rate_of(figure: HealthFigure) -> Rate:
    """Return a rate with how near it is to its limit."""
    if figure.rate is None or not figure.limit:
        return Rate(figure=figure, share=None, tone="calm")
    share = figure.rate / figure.limit
    return Rate(figure=figure, share=share, tone="bad" if share >= 1 else "warn" if share >= WARN_SHARE else "good")
