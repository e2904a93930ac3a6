"""One open Amazon seller account in one marketplace: the five methods of a channel, and its features."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from adapters.amazon import order_feed, screens
from adapters.amazon.account_health import AccountHealthReader
from adapters.amazon.api import Api
from adapters.amazon.cancels import Canceller
from adapters.amazon.catalogue import Known
from adapters.amazon.feed_writer import TOTAL_S as FEED_TOTAL_S
from adapters.amazon.feed_writer import FeedWriter
from adapters.amazon.health import Checker
from adapters.amazon.listing_reader import MOST_SEEN, ListingReader
from adapters.amazon.order_reader import MOST_FETCH, OrderReader
from adapters.amazon.queue import Queue
from adapters.amazon.settings import AmazonSettings
from adapters.amazon.subscriptions import Subscriptions
from adapters.amazon.writer import LEARN_S, MOST_PATCHES, PUSH_S, Writer
from syncd.sdk.channel import (
    CancelRate,
    CancelRun,
    Context,
    ListingPage,
    ListingRef,
    OrderPage,
    OrderSnapshot,
    Outcome,
    Profile,
    Seen,
    SubscriptionReport,
    Write,
    WriteMode,
)
from syncd.sdk.errors import ConfigError
from syncd.sdk.features import CancelWish, HealthFigure, Received
from syncd.sdk.renewing import TOTAL_S as TOKEN_TOTAL_S

STALENESS_S = 30.0
"""How old a number may be that an answer shows; Amazon states none."""
USUAL_EFFECT_S = 300.0
"""Sellers tell of "a few minutes" until a patch is in effect (SP-API docs, issue 2068); there is no official number."""
VISIBILITY_S = 60.0
"""How long a number that is in effect may not be shown by a search; Amazon states none."""
CLOCK_SKEW_S = 5.0
CONDUCT = (
    CancelRate(name="pre_fulfilment_cancel_rate", days=7, limit=0.025),
    CancelRun(name="cancels_in_a_row", days=30, limit=2),
)
"""Own cancels before shipping have to stay under 2.5 % of the orders of 7 days (Seller Central forum 7ff2b981)."""
API_VERSION = "orders 2026-01-01, listings 2021-08-01, feeds 2021-06-30"


class AmazonChannel:
    """A seller account. What it remembers is only a help: losing it costs reads, and open feeds are asked for."""

    def __init__(self, settings: AmazonSettings, context: Context) -> None:
        self._settings = settings
        api = Api(settings, context)
        known = Known(settings.marketplace_id)
        self._orders = OrderReader(api, settings=settings, clock=context.clock)
        self._listings = ListingReader(api, settings=settings, known=known)
        self._feeds = FeedWriter(api, settings=settings, clock=context.clock)
        self._writer = Writer(api, settings=settings, known=known, reader=self._listings, feeds=self._feeds)
        self._queue = Queue(settings)
        self._subscriptions = Subscriptions(api, settings=settings)
        self._canceller = Canceller(api, settings=settings, reader=self._orders)
        self._account_health = AccountHealthReader(api, settings=settings)
        self._checker = Checker(api, settings=settings, orders=self._orders, subscriptions=self._subscriptions)

    @property
    def profile(self) -> Profile:
        """Return what Amazon can do."""
        lag_s = order_feed.UNTOLD_LAG_S + 2 * order_feed.OVERLAP_S
        return Profile(
            write_mode=WriteMode.ABSOLUTE,
            max_push=MOST_PATCHES,
            max_seen=MOST_SEEN,
            max_fetch=MOST_FETCH,
            staleness_s=min(self._settings.confirm_s, STALENESS_S),
            clock_skew_s=CLOCK_SKEW_S,
            effect_delay_s=TOKEN_TOTAL_S + LEARN_S + max(PUSH_S, FEED_TOTAL_S) + self._settings.confirm_s,
            usual_effect_s=min(self._settings.confirm_s, USUAL_EFFECT_S),
            visibility_delay_s=min(self._settings.confirm_s, VISIBILITY_S),
            feed_lateness_s=self._settings.sweep_s + lag_s,
            feed_complete=True,
            api_version=API_VERSION,
            conduct=CONDUCT,
        )

    async def orders(self, cursor: str | None) -> OrderPage:
        """Read a page of orders that changed; None starts with the open ones."""
        return await self._orders.page(cursor)

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders as they are now."""
        return await self._orders.fetch(order_ids)

    async def listings(self, cursor: str | None) -> ListingPage:
        """Read a page of the catalogue."""
        return await self._listings.page(cursor)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these listings show."""
        return await self._listings.seen(refs) if refs else []

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Set these quantities: up to `max_push` as patches, more as one feed."""
        return await self._writer.push(writes)

    # --- features ------------------------------------------------------------------------------------------------

    def order_screen(self, order_id: str, number: str) -> str:
        """Return where a person finds an order: the page of Seller Central for Japan."""
        del number
        return screens.order_screen(order_id)

    def push_delay_s(self) -> float:
        """Return seconds until a patch would be sent at once."""
        return self._writer.delay_s()

    def push_size(self, waiting: int) -> int:
        """Return how many rows the next push shall hold."""
        return self._writer.size(waiting)

    async def late_outcomes(self) -> list[Outcome]:
        """Return how rows of feeds ended."""
        return await self._feeds.outcomes()

    @property
    def notices_on(self) -> bool:
        """Say whether a queue is set up."""
        return self._queue.is_set_up

    async def receive(self) -> list[Received]:
        """Wait for messages of the queue; a feed that is said to have ended is looked at next."""
        received: list[Received] = []
        for heard, receipt in await self._queue.receive():
            if heard.feed_id:
                self._feeds.look_now(heard.feed_id)
            received.append(Received(notice=heard.notice, receipt=receipt))
        return received

    async def settle(self, receipts: Sequence[str]) -> None:
        """End these messages."""
        await self._queue.settle(receipts)

    async def provision(self) -> SubscriptionReport:
        """Make the subscriptions that are missing: a person's word, once."""
        return await self._subscriptions.provision()

    async def cancel(self, wish: CancelWish) -> Outcome:
        """Cancel an order, or whole lines of it."""
        return await self._canceller.cancel(wish)

    async def account_health(self) -> list[HealthFigure]:
        """Return the rates of the latest account health report."""
        return await self._account_health.read()

    async def check(self) -> list[str]:
        """Return what a person should mend: rights, marketplace, subscriptions."""
        return await self._checker.check()

    async def close(self) -> None:
        """End the connections to the queue."""
        await self._queue.close()


@asynccontextmanager
async def open_channel(settings: AmazonSettings, context: Context) -> AsyncIterator[AmazonChannel]:
    """Open an account; nothing is sent before the first call. Raises `ConfigError` with every problem of settings."""
    problems = settings.problems()
    if problems:
        raise ConfigError(problems)
    channel = AmazonChannel(settings, context)
    try:
        yield channel
    finally:
        await channel.close()
