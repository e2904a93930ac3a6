"""One SKU: its units, why each of its listings shows its number, and what happened to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from syncd.store.views_history import sku_histories
from syncd.store.views_sku import SkuDetail, sku_detail
from syncd.web.api_why import Explain
from syncd.web.api_wire import Fault
from syncd.web.pages.frame import READ_S, Ask, Frame
from syncd.web.postmortem import postmortem
from syncd.web.postmortem_shapes import Entry, Postmortem

ENTRIES: Final = 80
"""Most entries of the timeline that are shown, the last ones."""


class Good:
    """Reads the page of a SKU."""

    def __init__(self, frame: Frame, explain: Explain | None) -> None:
        self._frame = frame
        self._explain = explain

    async def read(self, ask: Ask) -> Mapping[str, Any]:
        """Return what the page shows; raises Fault for an unknown SKU."""
        code = ask.request.match_info["sku"]
        async with asyncio.timeout(READ_S):
            found = await self._frame.plant.store.read(lambda conn: _told(conn, code))
            why = None if self._explain is None else await self._explain(code, "")
        if found is None:
            raise Fault(404, ask.speech.say("sku.unknown"))
        detail, told = found
        listings = () if why is None else why.listings  # type: ignore[attr-defined]  # the explanation of the engine
        return {
            "detail": detail,
            "stock": detail.stock,
            "listings": listings,
            "doubts": () if why is None else why.doubts,  # type: ignore[attr-defined]  # the same
            "entries": timeline(told),
            "incidents": [(one.sku, incident) for one in told for incident in reversed(one.incidents)],
        }


def _told(conn: Connection, code: str) -> tuple[SkuDetail, list[Postmortem]] | None:
    detail = sku_detail(conn, code)
    if detail is None:
        return None
    return detail, [postmortem(history) for history in sku_histories(conn, code, since=None) or ()]


def timeline(told: list[Postmortem]) -> list[tuple[str, Entry]]:
    """Return the last things that happened to a SKU, or to the components of a kit, newest first."""
    merged = [(one.sku, entry) for one in told for entry in one.entries]
    merged.sort(key=lambda pair: pair[1].at)
    return merged[: -ENTRIES - 1 : -1]
