"""A memory shop as a channel: over HTTP, and in process for tests of the engine."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from adapters.memory import wire
from adapters.memory.settings import MemorySettings
from syncd.sdk import strict
from syncd.sdk.channel import (
    Clock,
    Context,
    Forged,
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
from syncd.sdk.errors import ConfigError, ProtocolError, RejectedError, TransientError
from syncd.sdk.features import DayWish, LimitWish, Offer, OfferRequest, PageWish, Withdrawal, Withdrawn
from syncd.sdk.http import Answer, Client, Timeouts
from syncd.sdk.limits import Budget

if TYPE_CHECKING:
    from adapters.memory.simulator import MemoryShop

MOST_ROWS = 250
MOST_FETCHED = 50
TIMEOUTS = Timeouts(connect_s=2.0, total_s=5.0, budget_s=3.0)
"""Three tries of one push end before `effect_delay_s`."""
SECOND_US = 1_000_000


class MemoryChannel:
    """A memory shop over HTTP."""

    def __init__(self, settings: MemorySettings, context: Context) -> None:
        self._settings = settings
        self._clock = context.clock
        self._headers = {"Authorization": f"Bearer {settings.token.reveal()}"}
        self._pushes = Budget(
            "memory pushes",
            capacity=max(1.0, settings.pushes_per_s),
            rate_per_s=settings.pushes_per_s,
            clock=context.clock,
        )
        self._client = Client(
            context.session,
            base_url=settings.url,
            clock=context.clock,
            random=context.random,
            timeout=TIMEOUTS,
            user_agent="syncd-memory",
            allow_http=True,
        )

    @property
    def profile(self) -> Profile:
        """Return what the shop can do."""
        settings = self._settings
        return Profile(
            write_mode=WriteMode(settings.write_mode),
            max_push=MOST_ROWS,
            max_seen=MOST_ROWS,
            max_fetch=MOST_FETCHED,
            staleness_s=settings.staleness_s,
            effect_delay_s=settings.effect_delay_s,
            visibility_delay_s=settings.visibility_delay_s,
            feed_lateness_s=settings.feed_lateness_s,
            feed_complete=settings.feed_complete,
            shows_negative=settings.private_sales,
        )

    async def orders(self, cursor: str | None) -> OrderPage:
        """Read a page of orders; None starts with the open ones."""
        answer = await self._get("/orders", {} if cursor is None else {"cursor": cursor})
        page = answer.decode(wire.OrdersAnswer)
        return OrderPage(
            orders=tuple(wire.snapshot(order, read_at=answer.asked_at) for order in page.orders),
            cursor=page.cursor,
            more=page.more,
            complete_until=page.complete_until,
        )

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders as they are now."""
        if not order_ids:
            return []
        answer = await self._post("/orders/fetch", wire.FetchRequest(ids=list(order_ids)))
        orders = answer.decode(wire.FetchAnswer).orders
        return [wire.snapshot(order, read_at=answer.asked_at, fresh=True) for order in orders]

    async def listings(self, cursor: str | None) -> ListingPage:
        """Read a page of the catalogue."""
        page = (await self._get("/listings", {} if cursor is None else {"cursor": cursor})).decode(wire.ListingsAnswer)
        return ListingPage(listings=tuple(wire.listing_info(row) for row in page.listings), cursor=page.cursor)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these listings show."""
        if not refs:
            return []
        answer = await self._post("/seen", wire.SeenRequest(listings=[wire.place(ref) for ref in refs]))
        answered = answer.decode(wire.SeenAnswer).readings
        return wire.readings(refs, answered, asked_at=answer.asked_at, answered_at=answer.answered_at)

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Write these numbers in one call. The shop knows keys, so that a second try of it applies nothing twice."""
        if not writes:
            return []
        try:
            answer = await self._post("/push", wire.rows(writes), budget=self._pushes)
            return wire.outcomes(writes, answer.decode(wire.PushAnswer).results)
        except ProtocolError as fault:
            return wire.unknown(writes, str(fault))
        except TransientError as fault:
            if not fault.sent:
                raise
            return wire.unknown(writes, str(fault))

    # --- features ---

    def push_delay_s(self) -> float:
        """Return seconds until a push would be sent at once."""
        return self._pushes.delay_s(1.0)

    async def set_purchase_limits(self, wishes: Sequence[LimitWish]) -> list[Outcome]:
        """Limit the units of one order."""
        return await self._display(wishes, [wire.Display(wire.place(x.ref), limit=x.most) for x in wishes])

    async def set_visible(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        """Close or open pages."""
        return await self._display(wishes, [wire.Display(wire.place(x.ref), visible=x.visible) for x in wishes])

    async def set_preorder_days(self, wishes: Sequence[DayWish]) -> list[Outcome]:
        """Show from which day units leave."""
        days = (None if x.day is None else x.day.isoformat() for x in wishes)
        rows = [wire.Display(wire.place(x.ref), day=day) for x, day in zip(wishes, days, strict=True)]
        return await self._display(wishes, rows)

    async def _display(
        self, wishes: Sequence[LimitWish | PageWish | DayWish], rows: list[wire.Display]
    ) -> list[Outcome]:
        answer = await self._post("/display", wire.DisplayRequest(rows=rows))
        return wire.displayed([wish.key for wish in wishes], answer.decode(wire.DisplayAnswer).known)

    @property
    def sells_privately(self) -> bool:
        """Say whether the shop sells in private."""
        return self._settings.private_sales

    async def make_offer(self, request: OfferRequest) -> Offer:
        """Make a private sale. The shop knows keys, so that a second try of it makes no second one."""
        row = wire.OfferRow(
            key=request.key, listing=wire.place(request.ref), quantity=request.quantity, until=request.until
        )
        answer = (await self._post("/offers", row)).decode(wire.OfferAnswer)
        if answer.offer is None:
            raise RejectedError(answer.refused)
        return Offer(offer_id=answer.offer.id, link=answer.offer.link)

    async def find_offer(self, key: str) -> Offer | None:
        """Look for the private sale with this key."""
        found = (await self._get("/offers", {"key": key})).decode(wire.OfferAnswer).offer
        return None if found is None else Offer(offer_id=found.id, link=found.link)

    async def withdraw_offer(self, offer_id: str) -> Withdrawn:
        """End a private sale unless it is bought."""
        answer = (await self._post("/offers/withdraw", wire.WithdrawRequest(id=offer_id))).decode(wire.WithdrawAnswer)
        return Withdrawn(end=Withdrawal(answer.end), order_id=answer.order_id)

    async def check(self) -> list[str]:
        """Return what the shop says is wrong."""
        return (await self._get("/health", {})).decode(wire.HealthAnswer).problems

    def verify(self, request: RawRequest) -> None:
        """Raise `Forged` unless the shop signed these bytes."""
        given = request.headers.get(wire.SIGNATURE)
        if not given:
            raise Forged(400, "no signature")
        right = wire.signature(self._settings.webhook_secret.reveal(), request.body)
        if not self._settings.webhook_secret or not hmac.compare_digest(given.encode(), right.encode()):
            raise Forged(401, "a wrong signature")

    def parse(self, request: RawRequest) -> Notice:
        """Say what a webhook means. An order without a revision is only a hint: nothing says how old it is."""
        event = strict.decode(request.body, wire.Event)
        dated = [order for order in event.orders if order.revision is not None]
        hints = [order.id for order in event.orders if order.revision is None]
        now = self._clock.now()
        return Notice(
            dedupe_key=event.id,
            orders=tuple(wire.snapshot(order, read_at=now) for order in dated),
            order_ids=(*event.order_ids, *hints),
        )

    async def subscribe(self, url: str) -> SubscriptionReport:
        """Make sure that orders are delivered to `url`."""
        answer = await self._post("/webhooks", wire.Subscription(url=url, topics=[wire.ORDER_TOPIC]))
        return SubscriptionReport(restored=tuple(answer.decode(wire.SubscriptionAnswer).created))

    async def _get(self, path: str, params: dict[str, str]) -> Answer:
        return await self._client.request("GET", path, params=params, headers=self._headers, idempotent=True)

    async def _post(self, path: str, body: object, *, budget: Budget | None = None) -> Answer:
        return await self._client.request(
            "POST", path, json=body, headers=self._headers, idempotent=True, budget=budget
        )


@asynccontextmanager
async def open_channel(settings: MemorySettings, context: Context) -> AsyncIterator[MemoryChannel]:
    """Open a shop; nothing is sent before the first call. Raises `ConfigError` with every problem of the settings."""
    if problems := settings.problems():
        raise ConfigError(problems)
    yield MemoryChannel(settings, context)


class Inprocess:
    """A memory shop without a network, for tests of the engine in a virtual loop.

    Each call takes `latency_s`, half of it before it has an effect. `clock` is the shop's.
    """

    def __init__(
        self,
        shop: MemoryShop,
        clock: Clock,
        *,
        write_mode: WriteMode = WriteMode.COMPARE_AND_SET,
        latency_s: float = 0.0,
    ) -> None:
        self._shop = shop
        self._clock = clock
        self._mode = write_mode
        self._latency_s = latency_s

    @property
    def profile(self) -> Profile:
        """Return what the shop can do: its habits, with room for the latency."""
        habits = self._shop.habits
        return Profile(
            write_mode=self._mode,
            max_push=MOST_ROWS,
            max_seen=MOST_ROWS,
            max_fetch=MOST_FETCHED,
            staleness_s=habits.staleness_s,
            clock_skew_s=0.0,
            effect_delay_s=1.0 + habits.effect_s[1] + 2 * self._latency_s,
            visibility_delay_s=habits.effect_s[1] + habits.staleness_s + 2 * self._latency_s,
            feed_lateness_s=habits.feed_lateness_s[1] + 2 * self._latency_s,
            feed_complete=habits.feed_complete,
        )

    async def orders(self, cursor: str | None) -> OrderPage:
        """Read a page of orders; None starts with the open ones."""
        asked_at = await self._way()
        page = self._shop.orders_page(cursor)
        await self._way()
        return OrderPage(
            orders=tuple(wire.snapshot(order, read_at=asked_at) for order in page.orders),
            cursor=page.cursor,
            more=page.more,
            complete_until=page.complete_until,
        )

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders as they are now."""
        asked_at = await self._way()
        orders = self._shop.fetched(order_ids)
        await self._way()
        return [wire.snapshot(order, read_at=asked_at, fresh=True) for order in orders]

    async def listings(self, cursor: str | None) -> ListingPage:
        """Read a page of the catalogue."""
        await self._way()
        page = self._shop.listings_page(cursor)
        await self._way()
        return ListingPage(listings=tuple(wire.listing_info(row) for row in page.listings), cursor=page.cursor)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these listings show."""
        asked_at = await self._way()
        answered = self._shop.readings([wire.place(ref) for ref in refs])
        await self._way()
        return wire.readings(refs, answered, asked_at=asked_at, answered_at=self._clock.now())

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Write these numbers. Whoever gives up waiting does not undo what was taken."""
        await self._way()
        request = wire.rows(writes)
        wait_us = self._shop.take(request.rows)
        await asyncio.sleep(wait_us / SECOND_US)
        results = self._shop.results(request.rows)
        await self._way()
        return wire.outcomes(writes, results)

    async def _way(self) -> int:
        """Spend one way; return when it began."""
        began_at = self._clock.now()
        await asyncio.sleep(self._latency_s / 2)
        return began_at
