"""Health for machines: is the loop alive, and can the daemon do its work. Channels that are down do not count."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from sqlalchemy import Connection

from syncd.core.terms import Instant
from syncd.sdk.errors import SyncdError
from syncd.store import accounts
from syncd.web.api_wire import Answer, response
from syncd.web.kept import Kept
from syncd.web.plant import Plant

PROBE_S: Final = 5.0
"""Longest wait for a write to be durable."""
PROBE_KEPT_S: Final = 2.0
_NOTE: Final = "probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the daemon can do its work, and why not."""

    ready: bool
    reasons: tuple[str, ...] = ()


class Health:
    """Answers `/livez` and `/readyz`."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._probe = Kept(self._write, seconds=PROBE_KEPT_S, clock=plant.clock)

    def routes(self) -> list[web.RouteDef]:
        """Return both routes."""
        return [web.get("/livez", self.livez), web.get("/readyz", self.readyz)]

    async def livez(self, _request: web.Request) -> web.Response:
        """Return 200: whoever gets an answer at all has a loop that turns."""
        return web.Response(text="ok\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Return 200, or 503 with the reasons."""
        found = await self.readiness()
        return response(Answer(body=found, status=200 if found.ready else 503))

    async def readiness(self) -> Readiness:
        """Say whether the daemon can do its work."""
        reasons = [] if self._plant.ready.is_set() else ["facts of the last run are still being decided"]
        if trouble := await self._probe.get():
            reasons.append(trouble)
        return Readiness(ready=not reasons, reasons=tuple(reasons))

    async def _write(self) -> str:
        """Write a little and return what is in the way, an empty text when nothing is."""
        now = self._plant.clock.now()
        try:
            async with asyncio.timeout(PROBE_S):
                await self._plant.store.write(lambda conn: _note(conn, now))
        except TimeoutError:
            return f"the store did not take a write within {PROBE_S:.0f} s"
        except SyncdError as error:
            return f"the store does not take writes: {error}"
        return ""


def _note(conn: Connection, now: Instant) -> None:
    accounts.set_note(conn, _NOTE, str(now))
