"""What was learned of listings by reading them: which are Amazon's own to fulfil, their types, what they showed."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.amazon.wire import Item, Offer, offer_of

MOST_KNOWN = 500_000
"""Listings that are remembered; the oldest leave first and are read again before they are written."""


class Known:
    """Remembers offers by SKU. Losing it costs reads, never truth."""

    def __init__(self, marketplace_id: str) -> None:
        self._marketplace_id = marketplace_id
        self._offers: dict[str, Offer] = {}

    def offer(self, sku: str) -> Offer | None:
        """Return what is known of a listing."""
        return self._offers.get(sku)

    def missing(self, skus: Iterable[str]) -> list[str]:
        """Return those of which nothing is known."""
        return [sku for sku in skus if sku not in self._offers]

    def learn(self, items: Iterable[Item]) -> None:
        """Remember what was read."""
        for item in items:
            self._offers.pop(item.sku, None)
            self._offers[item.sku] = offer_of(item, self._marketplace_id)
        while len(self._offers) > MOST_KNOWN:
            del self._offers[next(iter(self._offers))]

    def forget(self, skus: Iterable[str]) -> None:
        """Forget listings that are not there any more."""
        for sku in skus:
            self._offers.pop(sku, None)
