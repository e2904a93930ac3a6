"""One open Shopify shop: the five methods of a channel, and its features."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from adapters.shopify import health, screens, subscriptions, webhooks, wire
from adapters.shopify.catalogue import Known
from adapters.shopify.documents import HEALTH, LIST_PAGE, ORDERS_PAGE, SET_QUANTITIES
from adapters.shopify.graphql import WRITE_TOTAL_S, GraphQL
from adapters.shopify.listing_reader import ListingReader
from adapters.shopify.offers import Offers
from adapters.shopify.order_reader import OrderReader
from adapters.shopify.settings import ShopifySettings
from adapters.shopify.writer import Writer
from syncd.sdk.channel import (
    AsyncSeen,
    Context,
    ListingPage,
    ListingRef,
    Notice,
    OrderPage,
    OrderSnapshot,
    Outcome,
    Profile,
    RawRequest,
    Seen,
    SubscriptionReport,
    Write,
    WriteMode,
)
from syncd.sdk.errors import AuthError, ConfigError
from syncd.sdk.features import Offer, OfferRequest, Seal, Withdrawn
from syncd.sdk.renewing import TOTAL_S as TOKEN_TOTAL_S

SECOND_US = 1_000_000
STALENESS_S = 2.0
"""How old a level may be that an answer shows; Shopify states none, reads are behind writes by less than this."""
VISIBILITY_S = 3.0
LATENESS_S = 300.0
"""How late an order may be found at most: the overlap of two scans, with room for a scan that was long."""
LATE_EFFECT_S = 5.0
"""A request that was cut off may still be worked on for so long."""


class ShopifyChannel:
    """A shop on Shopify. What it remembers is only a help: losing it costs reads."""

    def __init__(self, settings: ShopifySettings, context: Context) -> None:
        self._settings = settings
        self._clock = context.clock
        self._known = Known()
        self._graphql = GraphQL(settings, context)
        self._orders = OrderReader(
            self._graphql,
            known=self._known,
            clock=context.clock,
            overlap_us=round(settings.order_overlap_s * SECOND_US),
            offers=settings.private_sales,
        )
        self._listings = ListingReader(self._graphql, settings=settings, known=self._known, clock=context.clock)
        self._offers = Offers(self._graphql)
        self._writer = Writer(self._graphql, settings=settings, known=self._known)

    @property
    def profile(self) -> Profile:
        """Return what Shopify can do."""
        return Profile(
            write_mode=WriteMode.COMPARE_AND_SET,
            max_push=LIST_PAGE,
            max_seen=LIST_PAGE,
            max_fetch=ORDERS_PAGE,
            staleness_s=STALENESS_S,
            clock_skew_s=2.0,
            effect_delay_s=TOKEN_TOTAL_S + WRITE_TOTAL_S + LATE_EFFECT_S,
            visibility_delay_s=VISIBILITY_S,
            feed_lateness_s=max(LATENESS_S, self._settings.order_overlap_s),
            feed_complete=True,
            shows_negative=True,
            api_version=self._settings.api_version,
        )

    async def orders(self, cursor: str | None) -> OrderPage:
        """Read a page of orders that changed; None starts with the open ones."""
        return await self._orders.page(cursor)

    async def proofs(self, order_ids: Sequence[str], seal: Seal) -> dict[str, tuple[str, ...]]:
        """Return by what the buyers of these orders can be known."""
        return await self._orders.proofs(order_ids, seal)

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders as they are now."""
        return await self._orders.fetch(order_ids)

    async def listings(self, cursor: str | None) -> ListingPage:
        """Read a page of items at locations."""
        return await self._listings.page(cursor)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these items show at these locations."""
        return await self._listings.seen(refs)

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Set these quantities, where they still are what is expected."""
        return await self._writer.push(writes)

    # --- features ------------------------------------------------------------------------------------------------

    def order_screen(self, order_id: str, number: str) -> str:
        """Return where a person finds an order: its page in the shop's admin; none for a shop without a name."""
        del number
        return screens.order_screen(self._settings.shop, order_id)

    @property
    def sells_privately(self) -> bool:
        """Say whether the shop wants draft orders made for those who wait."""
        return self._settings.private_sales

    async def make_offer(self, request: OfferRequest) -> Offer:
        """Make a draft order that reserves its units."""
        return await self._offers.make(request)

    async def find_offer(self, key: str) -> Offer | None:
        """Look for the draft order with a key."""
        return await self._offers.find(key)

    async def withdraw_offer(self, offer_id: str) -> Withdrawn:
        """Delete a draft order unless it is paid."""
        return await self._offers.withdraw(offer_id)

    def push_delay_s(self) -> float:
        """Return seconds until a push would be sent at once."""
        return self._graphql.delay_s(SET_QUANTITIES)

    async def seen_all(self) -> AsyncSeen:
        """Read all levels by a bulk operation."""
        return await self._listings.seen_all()

    def verify(self, request: RawRequest) -> None:
        """Raise `Forged` unless Shopify signed these bytes for this shop."""
        webhooks.verify(request, secrets=self._settings.secrets, shop=self._settings.shop)

    def parse(self, request: RawRequest) -> Notice:
        """Say what a verified webhook means."""
        self._graphql.note_version(request.headers.get(webhooks.VERSION, self._settings.api_version))
        if request.headers.get(webhooks.TOPIC, "").lower().startswith("locations/"):
            self._listings.forget_places()
        known = webhooks.Knowledge(
            variants=self._known.items,
            locations=self._settings.locations,
            now=self._clock.now(),
            offers=self._settings.private_sales,
        )
        return webhooks.parse(request, known)

    async def subscribe(self, url: str) -> SubscriptionReport:
        """Make sure that Shopify delivers every topic to `url`."""
        return await subscriptions.subscribe(self._graphql, url, offers=self._settings.private_sales)

    async def check(self) -> list[str]:
        """Return what a person should mend: shop, rights, version, locations, doubled SKUs."""
        found = await self._graphql.ask(HEALTH, {}, wire.HealthData)
        self._listings.forget_places()
        try:
            places = await self._listings.places()
        except AuthError:
            places = None  # the missing right is told anyway
        return health.advice(
            found,
            settings=self._settings,
            places=places,
            doubles=self._known.doubles,
            versions=self._graphql.versions,
            now=self._clock.now(),
        )

    async def close(self) -> None:
        """End what is still being read."""
        await self._listings.close()


@asynccontextmanager
async def open_channel(settings: ShopifySettings, context: Context) -> AsyncIterator[ShopifyChannel]:
    """Open a shop; nothing is sent before the first call. Raises `ConfigError` with every problem of the settings."""
    problems = settings.problems()
    if problems:
        raise ConfigError(problems)
    channel = ShopifyChannel(settings, context)
    try:
        yield channel
    finally:
        await channel.close()
