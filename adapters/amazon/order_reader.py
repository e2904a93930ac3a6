"""Reads orders: the feed by search, single ones by their id."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.amazon import order_feed
from adapters.amazon.api import GET_ORDER, READ_S, SEARCH_ORDERS, Api, encoded, within
from adapters.amazon.order_feed import Cursor
from adapters.amazon.orders import GIVE_SETTLE_US, INCLUDED, Order, OrderFound, OrdersFound, is_ours, snapshot
from adapters.amazon.settings import AmazonSettings
from adapters.amazon.wire import SECOND_US
from syncd.sdk.channel import Clock, Instant, OrderPage, OrderSnapshot
from syncd.sdk.errors import RejectedError
from syncd.sdk.http import Answer

PATH = "/orders/2026-01-01/orders"
MOST_FETCH = 20
"""Orders of one fetch: half a call a second, 30 at once."""
MOST_REMEMBERED = 50_000
"""Items whose ordered quantity is remembered."""
FETCHES = 4
"""Orders that are read at the same time."""


class OrderReader:
    """Reads the orders that take units of the seller's own stock."""

    def __init__(self, api: Api, *, settings: AmazonSettings, clock: Clock) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._ordered: dict[str, int] = {}
        self._rests_at = ""
        self._rests_until_s = 0.0
        self._fetching = asyncio.Semaphore(FETCHES)

    async def page(self, cursor: str | None) -> OrderPage:
        """Read a page; sooner than `sweep_s` after a whole scan its cursor brings nothing, for searches are few."""
        place = order_feed.resume(cursor, now=self._clock.now())
        if cursor is not None and cursor == self._rests_at and self._clock.monotonic() < self._rests_until_s:
            return OrderPage(orders=(), cursor=cursor, more=False, complete_until=place.since)
        async with within(READ_S, "a search for orders"):
            answer = await self._search(place)
        if answer is None:
            return OrderPage(orders=(), cursor=order_feed.text(order_feed.restarted(place)), more=True)
        found = answer.decode(OrdersFound)
        orders = tuple(
            self._snapshot(order, read_at=answer.asked_at)
            for order in found.orders
            if is_ours(order, self._settings.marketplace_id)
        )
        onward = order_feed.onward(place, found, asked_at=answer.asked_at)
        if onward.began:
            return OrderPage(orders=orders, cursor=order_feed.text(onward), more=True)
        self._rests_at = order_feed.text(onward)
        self._rests_until_s = self._clock.monotonic() + self._settings.sweep_s
        return OrderPage(orders=orders, cursor=self._rests_at, more=False, complete_until=onward.since)

    async def _search(self, place: Cursor) -> Answer | None:
        """Ask for a page; None where Amazon does not take its token any more."""
        parameters = order_feed.search(place, self._settings.marketplace_id)
        try:
            return await self._api.call(SEARCH_ORDERS, PATH, params=parameters)
        except RejectedError:
            if place.after is None:
                raise
        return None

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders; one that does not exist, or that Amazon fulfils, is left out."""
        async with within(READ_S, "reading orders"):
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._one(order_id)) for order_id in dict.fromkeys(order_ids)]
            except BaseExceptionGroup as several:
                fault = several.exceptions[0]
            else:
                return [found for task in tasks if (found := task.result()) is not None]
            raise fault

    async def _one(self, order_id: str) -> OrderSnapshot | None:
        read_at = self._clock.now()
        order = await self.order(order_id)
        if order is None or not is_ours(order, self._settings.marketplace_id):
            return None
        return self._snapshot(order, read_at=read_at, fresh=True)

    def _snapshot(self, order: Order, *, read_at: Instant, fresh: bool = False) -> OrderSnapshot:
        for item in order.order_items:
            most = max(self._ordered.pop(item.order_item_id, 0), item.quantity_ordered)
            self._ordered[item.order_item_id] = most
        while len(self._ordered) > MOST_REMEMBERED:
            del self._ordered[next(iter(self._ordered))]
        settle_us = min(GIVE_SETTLE_US, round(self._settings.confirm_s * SECOND_US))
        return snapshot(order, read_at=read_at, fresh=fresh, ordered=self._ordered, settle_us=settle_us)

    async def order(self, order_id: str) -> Order | None:
        """Return an order as Amazon states it; None where there is none.

        An id of another form than Amazon's is refused with 400, one that does not exist with 404.
        """
        parameters = {"includedData": INCLUDED}
        async with self._fetching:
            try:
                answer = await self._api.call(GET_ORDER, f"{PATH}/{encoded(order_id)}", params=parameters)
            except RejectedError:
                return None
        return answer.decode(OrderFound).order
