"""Tell of listings that belong to no SKU, are gone from their channel, or are refused by it: by alerts and events."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.engine.plant import Plant
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.store import alerts, outbox
from syncd.store.views_listings import NAMED, Strays, strays

LOOK_S: Final = 300.0
"""How often listings are counted."""
FRESH_US: Final = 7 * 86_400 * SECOND_US
"""For so long after it went a listing is told of; what stays away longer was taken down for good."""
UNMAPPED: Final = "unmapped"
VANISHED: Final = "vanished"
PARKED: Final = "parked"

_log = structlog.get_logger("syncd.strays")


class StrayWatch:
    """The loop. An alert stands while there are such listings; it is told again only when others are added."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._told: dict[tuple[AccountId, str], tuple[int, tuple[str, ...]]] = {}
        self._known: dict[AccountId, Strays] = {}
        self._eased: set[AccountId] = set()

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
        found = self._eased_in(name, found)
        if found == self._known.get(name):
            return
        await self._plant.store.write(lambda conn: self._tell(conn, name, found, now))
        self._known[name] = found

    def _eased_in(self, name: AccountId, found: Strays) -> Strays:
        """Return what is there, with what was refused until a second look finds none: a retry may be under way."""
        before = self._known.get(name, Strays())
        if found.parked or not before.parked or name in self._eased:
            self._eased.discard(name)
            return found
        self._eased.add(name)
        return replace(found, parked=before.parked, parked_names=before.parked_names)

    def _tell(self, conn: Connection, name: AccountId, found: Strays, now: Instant) -> None:
        before = self._known.get(name, Strays())
        self._sound(conn, name, UNMAPPED, found.unmapped, found.unmapped_names, now)
        self._sound(conn, name, VANISHED, found.vanished, found.vanished_names, now)
        self._sound(conn, name, PARKED, found.parked, found.parked_names, now)
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
        told = self._told.setdefault((name, kind), (count, names))
        # Where not all are named, another name may only have moved up.
        other = count <= NAMED and not set(names) <= set(told[1])
        if alerts.raise_alert(conn, kind=kind, key=name, text=text, values=values, now=now):
            self._told[name, kind] = (count, names)
        elif count > told[0] or other:
            alerts.renew_alert(conn, kind=kind, key=name, text=text, values=values, now=now)
            self._told[name, kind] = (count, names)
