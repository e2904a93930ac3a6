"""One open Qoo10 shop: the five methods of a channel, and its features."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date

from adapters.qoo10 import feed, health, keys, screens
from adapters.qoo10.api import ALL_GOODS, SHIPPING, Api
from adapters.qoo10.listing_reader import ListingReader
from adapters.qoo10.order_reader import OrderReader
from adapters.qoo10.pages import Pages
from adapters.qoo10.sales import Sales
from adapters.qoo10.settings import Qoo10Settings
from adapters.qoo10.shelf import Shelf
from adapters.qoo10.writer import MOST_ROWS, PUSH_S, Writer
from syncd.sdk.channel import (
    CancelRate,
    Context,
    ListingPage,
    ListingRef,
    OrderPage,
    OrderSnapshot,
    Outcome,
    Profile,
    Seen,
    Write,
    WriteMode,
)
from syncd.sdk.errors import AuthError, ConfigError
from syncd.sdk.features import CancelWish, IssuedKey, Key, PageWish, Undated
from syncd.sdk.secret import Secret

MOST_SEEN = 20
"""Listings of one reading: each item is a call."""
MOST_FETCHED = 20
CLOCK_SKEW_S = 5.0
"""Times are in seconds; how well Qoo10's clock is kept is not told."""
LATE_EFFECT_S = 15.0
"""A request that was cut off may still be worked on for so long."""
CONDUCT_DAYS = 30
"""Qoo10 publishes neither days nor limit of a rate of cancels: a month is shown, a limit comes from the settings."""
API_VERSION = "QAPI 1.0-1.2"
"""Each method has a version of its own (adapters.qoo10.api)."""


class Qoo10Channel:
    """A shop on Qoo10. What it remembers is only a help: losing it costs reads."""

    def __init__(self, settings: Qoo10Settings, context: Context) -> None:
        self._settings = settings
        self._clock = context.clock
        self._api = Api(settings, context)
        self._pages = Pages(self._api)
        self._shelf = Shelf()
        self._listings = ListingReader(self._api, self._shelf, context.clock)
        self._orders = OrderReader(
            self._api, settings=settings, shelf=self._shelf, listings=self._listings, clock=context.clock
        )
        self._writer = Writer(
            self._api,
            shelf=self._shelf,
            listings=self._listings,
            clock=context.clock,
            effect_s=settings.visibility_s,
        )
        self._sales = Sales(self._api, reader=self._orders, settings=settings, clock=context.clock)

    @property
    def profile(self) -> Profile:
        """Return what Qoo10 can do.

        A change takes up to `visibility_s` to show (QAPI guide, SetGoodsPriceQty, 2026). Whether it is the effect or
        the reading that is late is not told, so both are held to be.
        """
        settings = self._settings
        return Profile(
            write_mode=WriteMode.ABSOLUTE,
            max_push=MOST_ROWS,
            max_seen=MOST_SEEN,
            max_fetch=MOST_FETCHED,
            staleness_s=settings.visibility_s,
            clock_skew_s=CLOCK_SKEW_S,
            effect_delay_s=PUSH_S + LATE_EFFECT_S + settings.visibility_s,
            usual_effect_s=LATE_EFFECT_S + settings.visibility_s,
            visibility_delay_s=settings.visibility_s,
            feed_lateness_s=max(settings.order_overlap_s, settings.changes_s),
            feed_complete=True,
            shows_negative=False,
            api_version=API_VERSION,
            conduct=(CancelRate(name="cancel_rate", days=CONDUCT_DAYS, limit=settings.cancel_limit),),
        )

    async def orders(self, cursor: str | None) -> OrderPage:
        """Read a page of orders that changed; None starts with the open ones."""
        return await self._orders.page(cursor)

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders as they are now."""
        return await self._orders.fetch(order_ids)

    async def listings(self, cursor: str | None) -> ListingPage:
        """Read a page of items and option rows."""
        return await self._listings.page(cursor)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these items and option rows show."""
        return await self._listings.seen(refs)

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Set these quantities."""
        return await self._writer.push(writes)

    # --- features ------------------------------------------------------------------------------------------------

    def order_screen(self, order_id: str, number: str) -> str:
        """Return where a person finds an order: the front page of QSM, for no address of a single order is known."""
        del order_id, number
        return screens.FRONT

    def push_delay_s(self) -> float:
        """Return seconds until a push would be sent at once."""
        return self._api.delay_s()

    async def keys(self) -> list[Key]:
        """Return the keys with their ends."""
        return keys.keys(self._settings)

    async def issue_key(self, user: str, password: Secret) -> IssuedKey:
        """Have a new seller authorisation key made; neither user nor password is kept."""
        return await keys.issue(self._api, self._settings, self._clock, user=user, password=password)

    async def set_visible(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        """Let items wait (取引待機), and put them on sale again."""
        return await self._pages.show(wishes)

    async def cancel(self, wish: CancelWish) -> Outcome:
        """Cancel lines of an order, by a person's word."""
        return await self._sales.cancel(wish)

    async def check(self) -> list[str]:
        """Return what a person should mend: rights, the end of the key, option codes, doubled SKUs, ends of sale."""
        now = self._clock.now()
        await self._api.read(ALL_GOODS, {"ItemStatus": "S2", "Page": "1"}, urgent=True)
        refused = []
        try:
            search = feed.waiting(now=now, settings=self._settings)[-1]
            await self._api.read(SHIPPING, search.fields(), urgent=True)
        except AuthError:
            refused.append(SHIPPING.name)
        return health.advice(self._settings, self._shelf, refused=refused, now=now)


class DatingChannel(Qoo10Channel):
    """A shop that lets syncd promise ship-by dates."""

    async def undated(self) -> list[Undated]:
        """Return the paid orders that have no ship-by date, and those whose date has passed."""
        return await self._sales.undated()

    async def set_ship_date(self, order_id: str, day: date) -> Outcome:
        """Promise a day for every line of an order that waits for one."""
        return await self._sales.set_ship_date(order_id, day)


@asynccontextmanager
async def open_channel(settings: Qoo10Settings, context: Context) -> AsyncIterator[Qoo10Channel]:
    """Open a shop; nothing is sent before the first call. Raises `ConfigError` with every problem of the settings."""
    problems = settings.problems()
    if problems:
        raise ConfigError(problems)
    yield DatingChannel(settings, context) if settings.ship_dates else Qoo10Channel(settings, context)
