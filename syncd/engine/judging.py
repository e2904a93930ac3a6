"""Ask each channel how it judges the shop, and warn a person before a limit is reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from syncd.core.terms import AccountId, Instant
from syncd.engine.channels import Account, Judgement
from syncd.engine.sideline import Sideline
from syncd.engine.timing import nap
from syncd.sdk.channel import Clock
from syncd.sdk.features import AccountHealth, HealthFigure
from syncd.store import alerts
from syncd.store.session import Store

ASK_S = 6 * 3_600.0
AGAIN_S = 1_800.0
"""How soon a channel is asked again that did not answer."""
CALL_S = 900.0
"""Longest wait for one answer: a channel may have to make a report first."""
WARN_SHARE = 0.6
"""The share of a limit above which a person is warned."""


class HealthWatch:
    """The loop over the judgement on one account; what it found last is kept in memory."""

    def __init__(
        self, account: Account, channel: AccountHealth, *, store: Store, clock: Clock, random: Callable[[], float]
    ) -> None:
        self._account = account
        self._channel = channel
        self._store = store
        self._clock = clock
        self._line = Sideline(account=account, name="account_health", random=random)

    async def run(self, stop: asyncio.Event) -> None:
        """Ask every ASK_S until told to stop."""
        while not stop.is_set():
            found = await self.step(stop)
            await nap(ASK_S if found else max(AGAIN_S, self._line.wait_s), stop)

    async def step(self, stop: asyncio.Event) -> bool:
        """Ask once; return whether there was an answer. One that failed leaves the figures as they were."""
        answer = await self._line.ask(self._channel.account_health, within_s=CALL_S, stop=stop)
        now, account = self._clock.now(), self._account
        if answer is None:
            before = account.judgement
            account.judgement = Judgement(
                asked_at=now if before is None else before.asked_at,
                figures=() if before is None else before.figures,
                reason=self._line.reason,
            )
            return False
        figures = tuple(answer.value)
        account.judgement = Judgement(asked_at=now, figures=figures)
        await self._store.write(lambda conn: _note(conn, account.name, figures, now))
        return True


def at_risk(figure: HealthFigure) -> bool:
    """Say whether a rate is near its limit, or above it."""
    return figure.rate is not None and figure.limit is not None and figure.rate > WARN_SHARE * figure.limit


def _note(conn: Connection, account: AccountId, figures: Sequence[HealthFigure], now: Instant) -> None:
    risky = {f"{account}/{figure.name}": figure for figure in figures if at_risk(figure)}
    for key, figure in risky.items():
        rate, limit = f"{100 * (figure.rate or 0):.2f}", f"{100 * (figure.limit or 0):.2f}"
        values = {"account": account, "figure": figure.name, "rate": rate, "limit": limit}
        text = f"account {account}, {figure.name} {rate} %, limit {limit} %"
        alerts.raise_alert(conn, kind="account_health", key=key, text=text, values=values, now=now)
    for alert in alerts.standing(conn):
        if alert.kind == "account_health" and alert.key.startswith(f"{account}/") and alert.key not in risky:
            alerts.clear_alert(conn, kind="account_health", key=alert.key, now=now)
