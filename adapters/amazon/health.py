"""The health check: what a person should mend, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from adapters.amazon.api import GET_PARTICIPATIONS, READ_S, SEARCH_ITEMS, Api, encoded, within
from adapters.amazon.listing_reader import PATH as ITEMS
from adapters.amazon.order_reader import OrderReader
from adapters.amazon.settings import AmazonSettings
from adapters.amazon.subscriptions import Subscriptions, Topic
from syncd.sdk.errors import AuthError

NO_ORDER = "000-0000000-0000000"
"""Asked for to see whether orders may be read; no order has this number."""


class Marketplace(msgspec.Struct, frozen=True):
    """A marketplace."""

    id: str


class Participation(msgspec.Struct, frozen=True, rename="camel"):
    """How the seller stands in one."""

    is_participating: bool
    has_suspended_listings: bool = False


class Entry(msgspec.Struct, frozen=True):
    """A marketplace and how the seller stands there."""

    marketplace: Marketplace
    participation: Participation


class Participations(msgspec.Struct, frozen=True):
    """All of them."""

    payload: list[Entry] = []


class Checker:
    """Looks at rights and settings over there; changes nothing."""

    def __init__(
        self, api: Api, *, settings: AmazonSettings, orders: OrderReader, subscriptions: Subscriptions
    ) -> None:
        self._api = api
        self._settings = settings
        self._orders = orders
        self._subscriptions = subscriptions

    async def check(self) -> list[str]:
        """Return what is to be mended; raises `AuthError` where not even a token is given."""
        async with within(READ_S, "the health check"):
            await self._api.seller.token()
            advice = await self._participation()
            advice += await self._rights()
            if self._settings.queue_url:
                advice += missing_topics(await self._subscriptions.missing())
        return advice

    async def _participation(self) -> list[str]:
        try:
            answer = await self._api.call(GET_PARTICIPATIONS, "/sellers/v1/marketplaceParticipations")
        except AuthError as refused:
            return [f"Whether the account sells in this marketplace cannot be seen: {refused}"]
        return participation(answer.decode(Participations).payload, self._settings.marketplace_id)

    async def _rights(self) -> list[str]:
        found: list[str] = []
        try:
            await self._api.call(
                SEARCH_ITEMS,
                f"{ITEMS}/{encoded(self._settings.seller_id)}",
                params={"marketplaceIds": self._settings.marketplace_id, "pageSize": 1},
            )
        except AuthError as refused:
            found.append(f"Listings cannot be read: {refused}")
        try:
            await self._orders.order(NO_ORDER)
        except AuthError as refused:
            found.append(f"Orders cannot be read: {refused}")
        return found


def participation(entries: Sequence[Entry], marketplace_id: str) -> list[str]:
    """Return what is wrong with how the seller stands in the marketplace."""
    ours = [entry.participation for entry in entries if entry.marketplace.id == marketplace_id]
    if not ours or not ours[0].is_participating:
        return [f"The seller account does not sell in marketplace {marketplace_id}: check marketplace_id and region."]
    if ours[0].has_suspended_listings:
        return [
            "The listings of the account are set to inactive (holiday settings): nothing is sold until they are active."
        ]
    return []


def missing_topics(topics: Sequence[Topic]) -> list[str]:
    """Return which notifications do not come."""
    return [
        f"Nobody has subscribed to {topic.name}: "
        + ("it comes by EventBridge, see README.md." if topic.by_events else "see README.md, Notifications.")
        for topic in topics
    ]
