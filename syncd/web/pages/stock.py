"""*Stock*: every SKU with its units, beside what each channel shows and should show."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from syncd.store.views_shelf import Only, ShelfAsk, Sort, shelf_page, sku_count
from syncd.web.api_wire import Fault
from syncd.web.kept import Kept
from syncd.web.pages.finder import Finder
from syncd.web.pages.frame import READ_S, STREAM, Ask, Frame

ROWS: Final = 50
"""SKUs on one page."""
MOST_TEXT: Final = 100
COUNT_KEPT_S: Final = 30.0
COLUMNS: Final = (Sort.ON_HAND, Sort.COMMITTED, Sort.HELD, Sort.AVAILABLE)

W = TypeVar("W", bound=StrEnum)
D = TypeVar("D")


class Stock:
    """Reads the page."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        store = frame.plant.store
        self._finder = Finder(frame.plant)
        self._count = Kept(lambda: store.read(sku_count), seconds=COUNT_KEPT_S, clock=frame.plant.clock)

    async def read(self, ask: Ask) -> Mapping[str, Any]:
        """Return what the page shows."""
        asked = asked_of(ask)
        store = self._frame.plant.store
        if STREAM in ask.request.headers.get("Accept", ""):
            await self._finder.renew()
        words = self._finder.words
        try:
            async with asyncio.timeout(READ_S):
                found = await store.read(lambda conn: shelf_page(conn, asked, words=words))
        except ValueError:
            raise Fault(400, ask.speech.say("stock.no_page")) from None
        return {
            "asked": asked,
            "found": found,
            "accounts": self._accounts(),
            "count": await self._count.get(),
            "by_code": Sort.CODE,
            "columns": COLUMNS,
            "filters": tuple(Only),
        }

    def _accounts(self) -> tuple[str, ...]:
        return tuple(self._frame.plant.roster)


def asked_of(ask: Ask) -> ShelfAsk:
    """Return what the address asks for; words that it does not know ask for nothing."""
    return ShelfAsk(
        text=ask.query("q").strip()[:MOST_TEXT],
        sort=one_of(Sort, ask.query("sort"), Sort.CODE),
        falling=ask.query("falling") == "1",
        only=one_of(Only, ask.query("only"), Only.ALL),
        after=ask.query("after")[:300],
        limit=ROWS,
    )


def one_of(kind: type[W], word: str, default: D) -> W | D:
    """Return the member of this word, the default where there is none."""
    return next((member for member in kind if member.value == word), default)
