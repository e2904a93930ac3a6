"""Shadow mode: nothing is written; what would be written is logged beside what was seen there."""

from __future__ import annotations

import asyncio

import structlog

from syncd.core.plan import Lane
from syncd.engine.channels import Account
from syncd.engine.timing import nap
from syncd.sdk.channel import Clock
from syncd.store import listings
from syncd.store.session import Store

ROUND_S = 10.0
MOST = 500
"""Most listings looked at in one round."""
REMEMBERED = 100_000
"""Most listings remembered as logged; beyond that the log may repeat itself."""
_WRITES = (Lane.ZERO, Lane.FALL, Lane.RAISE)

_log = structlog.get_logger("syncd.shadow")


class Shadow:
    """Takes the place of an account's writing loop. Each listing is logged once per number that it would get."""

    def __init__(self, account: Account, *, store: Store, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._logged: dict[int, tuple[int | None, int | None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Log until told to stop."""
        while not stop.is_set():
            await self.step()
            await nap(ROUND_S, stop, self._account.writes)
            self._account.writes.clear()

    async def step(self) -> int:
        """Log what is due and was not logged yet; return how many lines."""
        name, now = self._account.name, self._clock.now()
        found = await self._store.read(lambda conn: listings.due(conn, name, lanes=_WRITES, now=now, limit=MOST))
        fresh = [listing for listing in found if self._logged.get(listing.id) != (listing.target, listing.seen)]
        if len(self._logged) > REMEMBERED:
            self._logged.clear()
        for listing in fresh:
            self._logged[listing.id] = (listing.target, listing.seen)
            _log.info(
                "write.shadow",
                account=name,
                listing=listing.ref.remote_id,
                sku=listing.remote_sku,
                would_show=listing.target,
                seen=listing.seen,
            )
        return len(fresh)
