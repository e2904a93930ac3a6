"""The copy of all codes and titles that the pages search in: made beside the pages, by those that are open anyway."""

from __future__ import annotations

import asyncio
from typing import Final

from syncd.store import skuwords
from syncd.store.skuwords import Gathering, SkuWords
from syncd.web.plant import Plant

REST_S: Final = 10.0
"""Between two copies at least, and REST_SHARE times as long as the last one took."""
REST_SHARE: Final = 20.0


class Finder:
    """Holds the last copy. Whether it is of now is asked by whoever searches."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._turn = asyncio.Lock()
        self._next_s = 0.0
        self.words: SkuWords | None = None

    async def renew(self) -> None:
        """Make a new copy where the last one is old; while one is made, and shortly after, nothing is done."""
        clock, store = self._plant.clock, self._plant.store
        if self._turn.locked() or clock.monotonic() < self._next_s:
            return
        async with self._turn:
            if self.words is not None and self.words.version == await store.read(skuwords.version):
                return
            began, gathering = clock.monotonic(), Gathering()
            while await store.read(gathering.read):
                pass
            self.words = gathering.done()
            took_s = clock.monotonic() - began
            self._next_s = clock.monotonic() + max(REST_S, REST_SHARE * took_s)
