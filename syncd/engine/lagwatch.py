"""Keep measured lags over a restart, and tell others when a channel became much slower or faster."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from sqlalchemy import Connection

from syncd.core.lag import KNOWLEDGE, Stage, differs
from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.engine.lags import Lags
from syncd.engine.plant import Plant
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.store import lags as store
from syncd.store import outbox

SAVE_S: Final = 60.0
"""At most this often a row per account and stage is written; a crash forgets the measurements since."""
TELL_US: Final = 300 * SECOND_US
"""An account is told of at most this often."""
CHANGE: Final = 0.5
"""A quantile that changed by less than this share of itself is not told."""
SHARE: Final = 0.95

Told = tuple[float | None, float | None]
"""Quantiles in seconds: until we hear of a sale, and until a fall is in effect; None while little was measured."""


async def take_up_lags(plant: Plant) -> None:
    """Take up what was measured before the restart; what began while syncd was away is none of the channels' doing."""
    lags = plant.house.lags
    lags.restore(await plant.store.read(store.load))
    for account in plant.roster:
        lags.resume(account, plant.started_at)


class LagWatch:
    """The loop that keeps lags and tells of them."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._told: dict[AccountId, tuple[Instant, Told]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Keep and tell until told to stop, then keep once more."""
        for account in self._plant.roster:
            found = told_of(self._plant.house.lags, account)
            if found != (None, None):
                self._told[account] = (self._plant.clock.now() - TELL_US, found)
        while not stop.is_set():
            await nap(SAVE_S, stop)
            await self._plant.store.write(self._keep)

    def _keep(self, conn: Connection) -> None:
        """Write what changed, on the writer's thread."""
        lags, now = self._plant.house.lags, self._plant.clock.now()
        store.save(conn, lags.unsaved())
        if self._plant.house.sinks:
            events = [event for account in self._plant.roster for event in self._tell(account, lags, now)]
            if events:
                outbox.put(conn, events, now=now)

    def _tell(self, account: AccountId, lags: Lags, now: Instant) -> list[outbox.Event]:
        """Return the event of an account, if there is something to tell."""
        at, before = self._told.get(account, (now - TELL_US, (None, None)))
        found = told_of(lags, account)
        changed = any(differs(old, new, share=CHANGE) for old, new in zip(before, found, strict=True))
        if not changed or now < at + TELL_US:
            return []
        self._told[account] = (now, found)
        self._plant.wake(AccountId(""), Hint.TELL)
        names = ("knowledge_p95_s", "visible_p95_s")
        body = {
            "account": account,
            **{name: None if x is None else round(x, 3) for name, x in zip(names, found, strict=True)},
        }
        return self._plant.house.events("lag", key=account, body=msgspec.json.encode(body))


def told_of(lags: Lags, account: AccountId) -> Told:
    """Return what is told of an account."""
    return lags.measured_s(account, KNOWLEDGE, SHARE), lags.measured_s(account, (Stage.FALL,), SHARE)
