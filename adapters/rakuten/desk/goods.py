"""Which SKUs a page holds, as the item search tells it; remembered for an hour."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from adapters.rakuten import goods
from adapters.rakuten.api import Function, Rms
from syncd.sdk.channel import Clock, Instant

KEPT_US: Final = 3_600 * 1_000_000
MOST_PAGES: Final = 5_000
HITS: Final = 100


class Pages:
    """Looks pages up by their manage number."""

    def __init__(self, rms: Rms, clock: Clock) -> None:
        self._rms = rms
        self._clock = clock
        self._kept: OrderedDict[str, tuple[Instant, tuple[str, ...]]] = OrderedDict()

    async def skus(self, name: str) -> tuple[str, ...]:
        """Return the SKUs of a page, none where it is not there; the search finds names that hold this one, too."""
        at, found = self._kept.get(name, (0, ()))
        now = self._clock.now()
        if at and now - at < KEPT_US:
            return found
        params: dict[str, str | int | float] = {"manageNumber": name, "hits": HITS}
        page = await self._rms.read(Function.ITEM_SEARCH, goods.ItemPage, params=params)
        items = [hit.item for hit in page.results if hit.item.manage_number.lower() == name]
        found = tuple(dict.fromkeys(listing.sku for item in items for listing in goods.listings(item) if listing.sku))
        self._kept[name] = (now, found)
        while len(self._kept) > MOST_PAGES:
            self._kept.popitem(last=False)
        return found
