"""Deliveries that were to be here and are not: nothing is sold on them any more, and a person is told."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from syncd.core.terms import SkuId
from syncd.engine.planning import Planner
from syncd.engine.plant import Plant
from syncd.engine.timing import nap, today
from syncd.store import alerts, arrivals

LOOK_S: Final = 60.0
KIND: Final = "overdue"
NAMED: Final = 3
"""So many are named."""

_log = structlog.get_logger("syncd.overdue")


class OverdueWatch:
    """The loop. What becomes overdue with a new day has its SKUs planned anew; all of it is one alert."""

    def __init__(self, plant: Plant, planner: Planner) -> None:
        self._plant = plant
        self._planner = planner
        self._known: frozenset[tuple[SkuId, str]] = frozenset()

    async def run(self, stop: asyncio.Event) -> None:
        """Look every LOOK_S until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            await self.look(stop)
            await nap(LOOK_S, stop)

    async def look(self, stop: asyncio.Event) -> None:
        """Look once, and tell what changed."""
        plant, now = self._plant, self._plant.clock.now()
        day = today(now, plant.house.waiting.zone).isoformat()
        found = await plant.store.read(lambda conn: arrivals.overdue(conn, today=day))
        if frozenset(found) == self._known:
            return
        fresh = sorted({sku_id for sku_id, _ in self._known.symmetric_difference(found)})
        await self._planner.replan(fresh, stop)
        names = [name for _, name in found]
        if not names:
            await plant.store.write(lambda conn: alerts.clear_alert(conn, kind=KIND, key="arrivals", now=now))
        else:
            values: dict[str, str | int] = {"count": len(names), "names": ", ".join(names[:NAMED])}
            text = alerts.text_of(values)
            await plant.store.write(
                lambda conn: alerts.renew_alert(conn, kind=KIND, key="arrivals", text=text, now=now, values=values)
            )
            _log.info("arrivals.overdue", count=len(names))
        self._known = frozenset(found)
