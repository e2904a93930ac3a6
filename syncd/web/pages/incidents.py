"""*Incidents*: what was oversold, and for each the post-mortem: which orders lost, why, and what would have helped."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from syncd.core.terms import Sku
from syncd.store.views import moment
from syncd.store.views_history import sku_histories
from syncd.store.views_incidents import incidents, oversells
from syncd.store.views_waiting import ChangeView
from syncd.web.api_why import records_of
from syncd.web.api_wire import Fault
from syncd.web.pages.frame import READ_S, Ask, Frame
from syncd.web.pages.letters import MOST_OF_EVENT, held_letters
from syncd.web.postmortem import postmortem
from syncd.web.postmortem_shapes import Postmortem

ROWS: Final = 100
RECORDS: Final = 20
"""Incidents of one SKU that are told, the last ones."""


class Incidents:
    """Reads both pages."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def read(self, _ask: Ask) -> Mapping[str, Any]:
        """Return the SKUs that are or were oversold, those that still are first."""
        store = self._frame.plant.store
        async with asyncio.timeout(READ_S):
            found = await store.read(lambda conn: oversells(conn, limit=ROWS))
            records = await store.read(lambda conn: incidents(conn, state="open", limit=ROWS))
        now = self._frame.plant.clock.now()
        return {
            "found": found,
            "standing": sum(one.over_at is None for one in found),
            "records": records,
            "now": moment(now),
        }

    async def read_one(self, ask: Ask) -> Mapping[str, Any]:
        """Return the post-mortem of a SKU; raises Fault for an unknown one."""
        code = ask.request.match_info["sku"]
        async with asyncio.timeout(READ_S):
            told = await self._frame.plant.store.read(lambda conn: told_of(conn, code))
            records = await self._frame.plant.store.read(lambda conn: incidents(conn, sku=code, limit=RECORDS))
        if told is None:
            raise Fault(404, ask.speech.say("sku.unknown"))
        letters = [one for record in records if record.closed_at is None for one in await self._letters(record.event)]
        return {"sku": code, "told": told, "records": records, "drafts": Counter(one.event for one in letters)}

    async def _letters(self, event: str) -> list[ChangeView]:
        return await self._frame.plant.store.read(lambda conn: held_letters(conn, event=event, limit=MOST_OF_EVENT))


def told_of(conn: Connection, code: str) -> list[Postmortem] | None:
    """Return what happened to a SKU, or to each component of a kit, as the incidents have it."""
    found = sku_histories(conn, code, since=None)
    if found is None:
        return None
    records = records_of(conn, [Sku(history.sku) for history in found])
    return [postmortem(history, records=records) for history in found]
