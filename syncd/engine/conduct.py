"""Keep an eye on the shop's own cancels by each channel's rules: warn before a limit, and have less risked there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from syncd.core.conduct import DAY_US, Finding, Level, caution, days_needed, judge
from syncd.core.terms import AccountId, Instant
from syncd.engine.channels import Account, Conduct
from syncd.engine.plant import Plant
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.store import alerts, conduct, outbox

LOOK_S: Final = 600.0
"""How often the ledger is asked."""
KIND: Final = "conduct"
YEAR_DAYS: Final = 366

_log = structlog.get_logger("syncd.conduct")


class ConductWatch:
    """The loop over one account whose channel has rules."""

    def __init__(self, plant: Plant, account: Account) -> None:
        self._plant = plant
        self._account = account

    async def run(self, stop: asyncio.Event) -> None:
        """Look every LOOK_S until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            await self.step()
            await nap(LOOK_S, stop)

    async def step(self) -> None:
        """Look once; what was found is kept with the account, and how dear an oversell is there with the house."""
        account, now = self._account, self._plant.clock.now()
        found = await self._plant.store.read(lambda conn: findings(conn, account, now))
        before = account.conduct
        account.conduct = Conduct(at=now, findings=found)
        factor = caution(found)
        if factor != self._plant.house.caution(account.name):
            self._plant.house.cautions[account.name] = factor
            _log.info("conduct.caution", account=account.name, factor=round(factor, 2))
        told = () if before is None else before.findings
        await self._plant.store.write(lambda conn: self._tell(conn, told, found, now))

    def _tell(self, conn: Connection, before: Sequence[Finding], found: Sequence[Finding], now: Instant) -> None:
        """Raise and clear alerts, on the writer's thread, and send an event of each rule whose level changed."""
        name = self._account.name
        levels = {one.name: one.level for one in before}
        for one in found:
            if one.level is Level.GOOD:
                alerts.clear_alert(conn, kind=KIND, key=f"{name}/{one.name}", now=now)
            else:
                values = {"account": name, "rule": one.name, **shown(one)}
                text = ", ".join(f"{key} {value}" for key, value in values.items())
                alerts.raise_alert(conn, kind=KIND, key=f"{name}/{one.name}", text=text, values=values, now=now)
        changed = [one for one in found if levels.get(one.name, Level.GOOD) is not one.level]
        if changed and "mqtt" in self._plant.house.sinks:
            outbox.put(conn, [_event(name, one) for one in changed], now=now)
            self._plant.wake(AccountId(""), Hint.TELL)


def findings(conn: Connection, account: Account, now: Instant) -> tuple[Finding, ...]:
    """Return how the shop stands by each rule of an account's channel."""
    rules = account.rules.profile.conduct
    days = max(1, days_needed(rules))
    since = now - max(days, YEAR_DAYS) * DAY_US
    past = conduct.past(conn, account.name, since=since, days=days, now=now)
    return tuple(judge(rule, past, now=now) for rule in rules)


def shown(one: Finding) -> dict[str, str]:
    """Return value, forecast and limit as a person reads them; a dash for what is not known."""
    named = {"value": one.value, "forecast": one.forecast, "limit": one.limit}
    return {name: _figure(value, rate=one.rate) for name, value in named.items()}


def _figure(value: float | None, *, rate: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.2f} %" if rate else f"{value:g}"


def _event(name: AccountId, one: Finding) -> outbox.Event:
    body = {"account": name, "level": one.level.value, **msgspec.to_builtins(one)}
    return outbox.Event(sink="mqtt", key=name, type="conduct", body=msgspec.json.encode(body))
