"""The loop that has a desk delete tickets that it keeps here, address and letters too, once the wait is long over."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from syncd.engine.desks import OpenDesk
from syncd.engine.plant import Plant
from syncd.engine.rules import DAY_US
from syncd.engine.timing import nap
from syncd.sdk.desk import Forgetting
from syncd.sdk.errors import ChannelError
from syncd.store import tickets

REST_S: Final = 3_600.0
PIECE: Final = 50
"""Tickets that are deleted between two looks at what else there is to do."""
_log = structlog.get_logger("syncd.forgetting")


class Forgetful:
    """Deletes the tickets of one desk whose wait is over."""

    def __init__(self, plant: Plant, desk: OpenDesk, keeper: Forgetting) -> None:
        self._plant = plant
        self._name = desk.name
        self._keeper = keeper

    async def run(self, stop: asyncio.Event) -> None:
        """Delete until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            try:
                count = await self.step(stop)
                if count:
                    _log.info("tickets.deleted", desk=self._name, count=count)
            except ChannelError as error:
                _log.warning("tickets.kept", desk=self._name, failure=type(error).__name__)
            await nap(REST_S, stop)

    async def step(self, stop: asyncio.Event | None = None) -> int:
        """Delete all that are due; return how many went. What changes at the moment stays until the next time."""
        before = self._plant.clock.now() - self._plant.settings.retention.addresses_days * DAY_US
        store, name, done = self._plant.store, self._name, 0
        while stop is None or not stop.is_set():
            due = await store.read(lambda conn: tickets.over(conn, name, before=before, limit=PIECE))
            if not due:
                break
            gone = set(await self._keeper.forget([ticket.ticket_id for ticket in due]))
            rows = [ticket.id for ticket in due if ticket.ticket_id in gone]
            await store.write(lambda conn, rows=rows: tickets.forget(conn, rows))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            done += len(rows)
            if len(rows) < PIECE:
                break
            await nap(0.05, *([] if stop is None else [stop]))
        return done
