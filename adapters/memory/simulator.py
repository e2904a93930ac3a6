"""The memory shop: a whole marketplace in memory, in process or served over HTTP."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import count, islice
from typing import Any

import msgspec
from aiohttp import web

from adapters.memory import wire
from adapters.memory.remote import Remote
from adapters.memory.simulated.offers import PrivateOffers
from syncd.sdk.channel import Clock, Instant, ListingRef, WriteMode
from syncd.testing.market import Habits, Market
from syncd.testing.sales import Line, Order
from syncd.testing.shelf import Good
from syncd.testing.simulators import (
    CANARY_MAIL,
    CANARY_NAME,
    CANARY_PHONE,
    By,
    Delivery,
    Log,
    Receipt,
    Refusal,
    Shown,
    Simulator,
    Unknown,
    opening_stock,
)

__all__ = ["Habits", "MemoryShop", "MemorySimulator", "make"]

MOST_QUANTITY = 1_000_000_000
MOST_KEYS = 100_000
"""Idempotency keys remembered; the oldest leave first."""
SECOND_US = 1_000_000
PROMPT = Habits()
"""A shop without any delay."""
_ROUNDING_US = 2  # a wait ends this late, so that what was waited for has happened by a clock that rounds


class _Buyer(msgspec.Struct, frozen=True):
    """Made-up personal data, which no adapter may keep."""

    name: str = CANARY_NAME
    mail: str = CANARY_MAIL
    phone: str = CANARY_PHONE


def _parcels(order: Order) -> list[wire.RemoteParcel]:
    """Return the one parcel in which everything goes that was shipped."""
    if not any(line.shipped for line in order.lines):
        return []
    return [wire.RemoteParcel(id="1", carrier="Yamato", number=f"MEM-{order.order_id}")]


class _FullOrder(wire.RemoteOrder, frozen=True, kw_only=True):
    """An order as the shop really sends it."""

    buyer: _Buyer = _Buyer()


class MemoryShop(Market):
    """A marketplace that takes every kind of write and speaks in the shapes of `wire`."""

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int = 0,
        habits: Habits = PROMPT,
        log: Log | None = None,
        scale: Callable[[], float] = lambda: 1.0,
    ) -> None:
        super().__init__(clock=clock, seed=seed, habits=habits, log=log, scale=scale)
        self._results: dict[str, wire.PushResult] = {}
        self.limits: dict[ListingRef, int | None] = {}
        self.days: dict[ListingRef, str | None] = {}
        self.private = PrivateOffers(self)

    # --- private sales ---

    def make_offer(self, wish: wire.OfferRow) -> wire.OfferAnswer:
        """Make a private sale, or say why not."""
        return self.private.make(wish)

    def find_offer(self, key: str) -> wire.OfferAnswer:
        """Return the private sale with a key."""
        return self.private.find(key)

    def withdraw_offer(self, offer_id: str) -> wire.WithdrawAnswer:
        """End a private sale that is not bought."""
        return self.private.withdraw(offer_id)

    # --- reading ---

    def orders_page(self, cursor: str | None) -> wire.OrdersAnswer:
        """Return a page of the feed; without a cursor the open orders come first.

        A cursor is `open:PLACE:START` while open orders are read, START being where the feed stood at the beginning,
        and then `feed:PLACE`. Raises `ValueError` for one that is none.
        """
        self.settle()
        kind, *places = (cursor or f"open:0:{len(self.feed)}").split(":")
        if kind == "open" and len(places) == 2:
            return self._open_page(int(places[0]), int(places[1]))
        if kind == "feed" and len(places) == 1:
            return self._feed_page(int(places[0]))
        raise ValueError("a cursor that is none")

    def _open_page(self, after: int, start: int) -> wire.OrdersAnswer:
        page = list(islice(self.open_orders(after), self.habits.page))
        if not page:
            return self._feed_page(start)
        return wire.OrdersAnswer(
            orders=[self.remote_order(order) for _, order in page],
            cursor=f"open:{page[-1][0]}:{start}",
            more=True,
            complete_until=None,
        )

    def _feed_page(self, start: int) -> wire.OrdersAnswer:
        orders, end = self.feed.page(start, self.habits.page)
        more = end < len(self.feed)
        return wire.OrdersAnswer(
            orders=[self.remote_order(order) for order in orders],
            cursor=f"feed:{end}",
            more=more,
            complete_until=None if more else self.complete_until(),
        )

    def fetched(self, order_ids: Sequence[str]) -> list[wire.RemoteOrder]:
        """Return orders as they are now, unknown ones left out."""
        found: list[wire.RemoteOrder] = []
        for order_id in order_ids:
            try:
                found.append(self.remote_order(self.order(order_id)))
            except Unknown:
                continue
        return found

    def _offer(self, sku: str, quantity: int) -> Good:
        good = super()._offer(sku, quantity)
        most = self.limits.get(good.ref)
        if most is not None and quantity > most:
            raise Refusal(f"{sku}: {quantity} wanted, an order may have {most}")
        return good

    def display(self, rows: Sequence[wire.Display]) -> list[bool]:
        """Take what listings show beside their numbers; say of each whether it is there."""
        return [self._displayed(row) for row in rows]

    def _displayed(self, row: wire.Display) -> bool:
        good = self.shelf.find(ListingRef(remote_id=row.listing.id, remote_location=row.listing.location))
        if good is None:
            return False
        if row.visible is not msgspec.UNSET:
            good.active = row.visible
        if row.limit is not msgspec.UNSET:
            self.limits[good.ref] = row.limit
        if row.day is not msgspec.UNSET:
            self.days[good.ref] = row.day
        return True

    def listings_page(self, cursor: str | None) -> wire.ListingsAnswer:
        """Return a page of the catalogue; raises `ValueError` for a cursor that is none."""
        self.settle()
        goods, following = self.shelf.page(int(cursor or "0"), self.habits.page)
        rows = [
            wire.RemoteListing(
                listing=wire.place(good.ref),
                sku=good.sku,
                title=good.title,
                active=good.active,
                managed=good.managed,
            )
            for good in goods
        ]
        return wire.ListingsAnswer(listings=rows, cursor=None if following is None else str(following))

    def readings(self, listings: Sequence[wire.Place], *, stale_us: int = 0) -> list[wire.Reading]:
        """Return what listings showed `stale_us` ago, or a little before, as the shop's habit is."""
        now = self.settle()
        return [self._reading(listing, now - stale_us - self.stale_us()) for listing in listings]

    def _reading(self, listing: wire.Place, at: Instant) -> wire.Reading:
        good = self.shelf.find(wire.ref(listing))
        if good is None:
            return wire.Reading(listing=listing, quantity=None, active=False)
        return wire.Reading(listing=listing, quantity=good.as_of(at), active=good.active)

    def remote_order(self, order: Order) -> wire.RemoteOrder:
        """Return an order as the shop states it."""
        return _FullOrder(
            id=order.order_id,
            number=order.number,
            revision=order.revision if self.habits.versions else None,
            at=self.coarse(order.at),
            precision_us=round(self.habits.precision_s * SECOND_US),
            lines=[self._remote_line(line) for line in order.lines],
            cancelled=order.cancelled,
            closed=order.closed,
            parcels=_parcels(order),
            offer=order.offer,
        )

    def _remote_line(self, line: Line) -> wire.RemoteLine:
        return wire.RemoteLine(
            id=line.line_id,
            listing=wire.place(line.good.ref),
            sku=line.good.sku,
            quantity=line.quantity,
            cancelled=line.cancelled,
            shipped=line.shipped,
            gives=[
                wire.RemoteGive(
                    id=restore.give_id,
                    quantity=restore.quantity,
                    since=self.coarse(restore.asked_at),
                    at=None if restore.done_at is None else self.coarse(restore.done_at),
                )
                for restore in line.restores
            ],
        )

    # --- writing ---

    def take(self, rows: Sequence[wire.PushRow]) -> int:
        """Take writes, each by its key only once; return after how many microseconds to ask for their results."""
        self.settle()
        delay_us = self.drawn_us(self.habits.effect_s)
        for row in rows:
            if row.key not in self._results:
                self._take(row, delay_us)
        return delay_us + _ROUNDING_US if delay_us and self.habits.confirms else 0

    def _take(self, row: wire.PushRow, delay_us: int) -> None:
        self._results[row.key] = self._refused(row) or wire.PushResult(key=row.key, result="accepted")
        if len(self._results) > MOST_KEYS:
            del self._results[next(iter(self._results))]
        if self._results[row.key].result == "accepted":
            self.later(delay_us, functools.partial(self._apply, row))

    def results(self, rows: Sequence[wire.PushRow]) -> list[wire.PushResult]:
        """Return how writes ended; `accepted` are those whose effect is still to come."""
        self.settle()
        return [self._results[row.key] for row in rows if row.key in self._results]

    def _refused(self, row: wire.PushRow) -> wire.PushResult | None:
        good = self.shelf.find(wire.ref(row.listing))
        if good is None:
            return wire.PushResult(key=row.key, result="rejected", reason="no such listing")
        if not good.managed:
            return wire.PushResult(key=row.key, result="rejected", reason="its stock is not tracked")
        if not 0 <= row.quantity <= MOST_QUANTITY:
            return wire.PushResult(key=row.key, result="rejected", reason=f"not from 0 to {MOST_QUANTITY}")
        return None

    def _apply(self, row: wire.PushRow, at: Instant) -> None:
        good = self.shelf.find(wire.ref(row.listing))
        to = None if good is None else _wanted(row, good)
        if good is None or to is None:
            self._results[row.key] = wire.PushResult(key=row.key, result="stale", reason="it shows something else")
            return
        self.shelf.change(good, to, By.API, at=at)
        self._results[row.key] = wire.PushResult(key=row.key, result="applied")


def _wanted(row: wire.PushRow, good: Good) -> int | None:
    """Return what a listing is to show by a write, None where the write does not fit what it shows."""
    if row.delta is not None:
        to = good.quantity + row.delta
        return to if 0 <= to <= MOST_QUANTITY else None
    if row.expected is not None and row.expected != good.quantity:
        return None
    return row.quantity


class MemorySimulator(Simulator):
    """A memory shop over HTTP. `whole_orders` says whether its webhooks hold orders or only their ids.

    `private_sales` is what the settings say that open an adapter on it.
    """

    token = "memory-token"  # noqa: S105  (of a shop that does not exist)
    webhook_secret = "memory-webhook-secret"  # noqa: S105  (the same)

    def __init__(
        self,
        *,
        skus: int = 0,
        seed: int = 0,
        clock: Clock,
        habits: Habits = PROMPT,
        write_mode: WriteMode = WriteMode.COMPARE_AND_SET,
        whole_orders: bool = True,
        private_sales: bool = False,
    ) -> None:
        super().__init__(seed=seed, clock=clock)
        self.shop = MemoryShop(clock=clock, seed=seed, habits=habits, log=self.log, scale=lambda: self.time_scale)
        self.shop.on_change = self._tell
        self.shop.on_plan = self._look_after
        self.write_mode = write_mode
        self.whole_orders = whole_orders
        self.private_sales = private_sales
        self._subscriptions: dict[str, set[str]] = {}
        self._events = count(1)
        for sku, quantity in opening_stock(skus, seed):
            self.shop.add(sku, quantity)

    def routes(self) -> list[web.RouteDef]:
        """Return the shop's own API."""
        remote = Remote(self.shop, token=self.token, stale_us=self.stale_us, subscribe=self._subscribe)
        return remote.routes()

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings that open it, with what its habits promise."""
        habits = self.shop.habits
        return {
            "url": url,
            "token": self.token,
            "webhook_secret": self.webhook_secret,
            "write_mode": self.write_mode.value,
            "staleness_s": habits.staleness_s,
            "effect_delay_s": 30.0 + habits.effect_s[1],
            "visibility_delay_s": 1.0 + habits.effect_s[1] + habits.staleness_s,
            "feed_lateness_s": 1.0 + habits.feed_lateness_s[1],
            "feed_complete": habits.feed_complete,
            "private_sales": self.private_sales,
        }

    def shown(self) -> list[Shown]:
        """Return what every listing shows now."""
        return self.shop.shown()

    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell to a shopper."""
        return self.shop.buy(lines)

    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Cancel units of an order."""
        return self.shop.cancel(order_id, quantity=quantity, restock=restock)

    def pay_offer(self, offer_id: str) -> Receipt:
        """Let whoever has the link of a private sale buy."""
        return self.shop.private.pay(offer_id)

    def ship(self, order_id: str) -> Receipt:
        """Ship what is left of an order."""
        return self.shop.ship(order_id)

    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit a number."""
        self.shop.set_shown(place, quantity)

    def hide(self, sku: str) -> None:
        """Take the first listing of a SKU off sale."""
        self.shop.shelf.at(sku).active = False

    def unmanage(self, sku: str) -> None:
        """No longer track the stock of a SKU's first listing."""
        self.shop.shelf.at(sku).managed = False

    def settle(self) -> None:
        """Let everything happen that is due."""
        self.shop.settle()

    def _look_after(self, delay_us: int) -> None:
        async def look() -> None:
            await asyncio.sleep((delay_us + _ROUNDING_US) / SECOND_US)
            self.settle()

        self.courier.spawn(look, name="restore")

    def _subscribe(self, wish: wire.Subscription) -> list[str]:
        known = self._subscriptions.setdefault(wish.url, set())
        new = [topic for topic in wish.topics if topic not in known]
        known.update(new)
        return new

    def _tell(self, order: Order) -> None:
        """Send an order, as it is now, to everybody who wants to hear of it."""
        for url, topics in self._subscriptions.items():
            if wire.ORDER_TOPIC in topics:
                body = msgspec.json.encode(self._event([order]))
                signed = {wire.SIGNATURE: wire.signature(self.webhook_secret, body), "Content-Type": "application/json"}
                self.notify(Delivery(url=url, body=body, headers=signed))

    def _event(self, orders: Iterable[Order]) -> wire.Event:
        event_id = f"E-{next(self._events)}"
        if self.whole_orders:
            whole = [self.shop.remote_order(order) for order in orders]
            return wire.Event(id=event_id, topic=wire.ORDER_TOPIC, orders=whole)
        return wire.Event(id=event_id, topic=wire.ORDER_TOPIC, order_ids=[order.order_id for order in orders])


def make(*, skus: int, seed: int, clock: Clock) -> MemorySimulator:
    """Return a memory shop with `skus` goods."""
    return MemorySimulator(skus=skus, seed=seed, clock=clock)
