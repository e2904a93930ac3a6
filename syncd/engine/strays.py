"""Tell of listings that belong to no SKU, and of those that are gone from their channel: by alerts and events."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.engine.plant import Plant
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.store import alerts, outbox
from syncd.store.views_listings import Strays, strays

LOOK_S: Final = 300.0
"""How often listings are counted."""
FRESH_US: Final = 7 * 86_400 * SECOND_US
"""For so long after it went a listing is told of; what stays away longer was taken down for good."""
UNMAPPED: Final = "unmapped"
VANISHED: Final = "vanished"

_log = structlog.get_logger("syncd.strays")


class StrayWatch:
    """The loop. An alert stands while there are such listings; it is told again only when there are more."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._told: dict[tuple[AccountId, str], int] = {}
        self._known: dict[AccountId, Strays] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look every LOOK_S until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            for name in self._plant.roster:
                await self.look(name)
            await nap(LOOK_S, stop)

    async def look(self, name: AccountId) -> None:
        """Count the listings of an account once, and tell what changed."""
        now = self._plant.clock.now()
        found = await self._plant.store.read(lambda conn: strays(conn, name, since=now - FRESH_US))
        if found == self._known.get(name):
            return
        await self._plant.store.write(lambda conn: self._tell(conn, name, found, now))
        self._known[name] = found

    def _tell(self, conn: Connection, name: AccountId, found: Strays, now: Instant) -> None:
        before = self._known.get(name, Strays())
        self._sound(conn, name, UNMAPPED, found.unmapped, found.unmapped_names, now)
        self._sound(conn, name, VANISHED, found.vanished, found.vanished_names, now)
        if (before.unmapped, before.vanished) != (found.unmapped, found.vanished):
            counts = {"account": name, "unmapped": found.unmapped, "vanished": found.vanished}
            _log.info("listings.strays", **counts)
            body = msgspec.json.encode({**counts, "examples": [*found.unmapped_names, *found.vanished_names]})
            outbox.put(conn, self._plant.house.events("listings", key=name, body=body), now=now)
            self._plant.wake(AccountId(""), Hint.TELL)

    def _sound(
        self, conn: Connection, name: AccountId, kind: str, count: int, names: tuple[str, ...], now: Instant
    ) -> None:
        if count == 0:
            alerts.clear_alert(conn, kind=kind, key=name, now=now)
            self._told.pop((name, kind), None)
            return
        values: Mapping[str, str | int] = {"account": name, "count": count, "names": ", ".join(names)}
        text = f"account {name}, {count} listings: {', '.join(names)}"
        if alerts.raise_alert(conn, kind=kind, key=name, text=text, values=values, now=now):
            self._told[name, kind] = count
        elif count > self._told.setdefault((name, kind), count):
            alerts.renew_alert(conn, kind=kind, key=name, text=text, values=values, now=now)
            self._told[name, kind] = count
