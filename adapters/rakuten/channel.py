"""One open Rakuten shop: the five methods of a channel, and its features."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, time

from adapters.rakuten import cancels, feed, goods, health, inquiries, notices, orders, screens, stock, wire
from adapters.rakuten.api import Function, Rms, is_open
from adapters.rakuten.order_reader import OrderReader
from adapters.rakuten.pages import Pages
from adapters.rakuten.settings import RakutenSettings
from adapters.rakuten.writer import EFFECT_S, Writer
from syncd.sdk.channel import (
    CancelPoints,
    Context,
    Instant,
    ListingPage,
    ListingRef,
    Notice,
    OrderPage,
    OrderSnapshot,
    Outcome,
    OutcomeKind,
    Profile,
    RawRequest,
    Seen,
    SubscriptionReport,
    Write,
    WriteMode,
)
from syncd.sdk.errors import AuthError, ChannelError, ConfigError, RejectedError
from syncd.sdk.features import CancelReason, CancelWish, InquiryPage, Key, PageWish

CONDUCT = (CancelPoints(name="violation_points", each=15, limit=35, utc_offset_s=9 * 3_600),)
"""違反点数: 15 for each order that the shop cancels for want of stock, anew each year in Japan; 35 have consequences.

Some say that only the third cancel counts (ecnomikata), some every one (ecgrowthlabo, 2024-03): here every one does.
"""
API_VERSION = "inventories 2.0, items 2.0, purchaseItem 2.0"
STALENESS_S = 5.0
"""How old a number may be that bulk-get answers; Rakuten states none."""
VISIBILITY_S = 5.0
MOST_FETCHED = 50
HITS = 100
"""Items of one page of the catalogue: the most that items.search takes."""
START = "*"
CHECKED_PAGES = 5
"""Pages of the catalogue that a health check reads where nothing is known yet."""


class RakutenChannel:
    """A shop on Rakuten Ichiba. What it remembers is only a help: losing it costs reads."""

    def __init__(self, settings: RakutenSettings, context: Context) -> None:
        self._settings = settings
        self._clock = context.clock
        self._known = goods.Known()
        self._rms = Rms(settings, context, name=context.account, pushes_per_s=settings.pushes_per_s)
        self._pages = Pages(self._rms)
        self._writer = Writer(self._rms, known=self._known, clock=context.clock)
        self._orders = OrderReader(
            self._rms,
            known=self._known,
            clock=context.clock,
            plan=feed.Plan(
                window_us=round(settings.order_window_s * wire.SECOND_US),
                rescan_us=settings.rescan_days * feed.DAY_US,
            ),
        )

    @property
    def profile(self) -> Profile:
        """Return what Rakuten can do."""
        return Profile(
            write_mode=WriteMode.DELTA,
            max_push=stock.MOST_WRITTEN,
            max_seen=stock.MOST_READ,
            max_fetch=MOST_FETCHED,
            staleness_s=STALENESS_S,
            clock_skew_s=2.0,
            effect_delay_s=EFFECT_S,
            visibility_delay_s=VISIBILITY_S,
            feed_lateness_s=feed.LATENESS_US / wire.SECOND_US,
            feed_complete=True,
            shows_negative=False,
            max_quantity=stock.MOST_QUANTITY,
            api_version=API_VERSION,
            conduct=CONDUCT,
        )

    async def orders(self, cursor: str | None) -> OrderPage:
        """Read a page of the order feed; None starts with the open ones."""
        return await self._orders.page(cursor)

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders as they are now."""
        return await self._orders.fetch(order_ids)

    async def listings(self, cursor: str | None) -> ListingPage:
        """Read a page of SKUs. The item search knows of new and deleted items up to a day late."""
        mark = START if cursor is None else cursor
        found = await self._rms.read(Function.ITEM_SEARCH, goods.ItemPage, params={"cursorMark": mark, "hits": HITS})
        now = self._clock.now()
        for hit in found.results:
            self._known.learn_item(hit.item, at=now)
        following = found.next_cursor_mark
        listed = tuple(listing for hit in found.results for listing in goods.listings(hit.item))
        return ListingPage(listings=listed, cursor=None if following in (None, "", mark) else following)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these SKUs show."""
        return await self._writer.seen(refs)

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Bring these numbers to the shop: differences, and absolute ones where no difference is given."""
        return await self._writer.push(writes)

    # --- features ------------------------------------------------------------------------------------------------

    def order_screen(self, order_id: str, number: str) -> str:
        """Return where a person finds an order: its page in RMS."""
        del number
        return screens.order_screen(order_id)

    def push_delay_s(self) -> float:
        """Return seconds until a push would be sent at once."""
        return self._rms.delay_s(Function.STOCK_WRITE)

    def verify(self, request: RawRequest) -> None:
        """Raise `Forged` unless the notification holds the shop's key."""
        notices.verify(request, self._settings)

    def parse(self, request: RawRequest) -> Notice:
        """Say what a verified notification means."""
        return notices.parse(request)

    def answer(self, accepted: bool) -> tuple[str, bytes]:  # noqa: FBT001  (the feature's own shape)
        """Return the content type and body with which Rakuten wants a notification answered."""
        return notices.ANSWER_TYPE, notices.answer(accepted=accepted)

    async def subscribe(self, url: str) -> SubscriptionReport:
        """Do nothing: Rakuten's notifications are applied for on paper, and no function tells whether they are on."""
        del url
        return SubscriptionReport()

    async def keys(self) -> list[Key]:
        """Return the licence key with its end: Rakuten's word, else that of the settings."""
        return [Key(name="licenseKey", expires_at=await self._expires_at())]

    async def inquiries(self, cursor: str | None) -> InquiryPage:
        """Read a page of the open questions about stock of the last 30 days."""
        place = inquiries.resume(cursor, now=self._clock.now())
        found = await self._rms.find(Function.INQUIRIES, inquiries.Rows, params=inquiries.query(place))
        return inquiries.page(found or inquiries.Rows(), place)

    async def set_visible(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        """Put pages into the storeroom (倉庫), and take them out again."""
        return await self._pages.show(wishes)

    async def cancel(self, wish: CancelWish) -> Outcome:
        """Cancel a whole order; raises `RejectedError` for a wish that Rakuten has no way to fulfil."""
        reason = cancels.refused(wish)
        if reason:
            raise RejectedError(reason)
        # Noted first: the order may be read as cancelled before the answer is here.
        self._orders.note_phantom(wish.order_id, yes=wish.reason is CancelReason.OUT_OF_STOCK)
        outcome = Outcome(key=wish.key, kind=OutcomeKind.UNSENT)
        try:
            outcome = await self._cancelled(wish)
        finally:
            if outcome.kind in (OutcomeKind.UNSENT, OutcomeKind.REJECTED):
                self._orders.note_phantom(wish.order_id, yes=False)
        return outcome

    async def _cancelled(self, wish: CancelWish) -> Outcome:
        try:
            answer = await self._rms.write(
                Function.ORDER_CANCEL, cancels.body(wish), repeatable=False, expect=(200, 400)
            )
        except ChannelError as fault:
            if not is_open(fault):
                raise
            return Outcome(key=wish.key, kind=OutcomeKind.INDETERMINATE, reason=str(fault)[:200])
        refusal = wire.judge(Function.ORDER_CANCEL.title)(answer)
        if isinstance(refusal, AuthError):
            raise refusal
        return cancels.outcome(wish, answer)

    async def check(self) -> list[str]:
        """Return what a person should mend: functions, the end of the key, settings of goods that oversell.

        Raises `AuthError` where everything is refused: then it is the keys.
        """
        refused: list[str] = []
        expires_at = await self._probe_expiry(refused)
        await self._probe(Function.ITEM_SEARCH, refused)
        await self._probe(Function.ORDER_SEARCH, refused)
        await self._probe(Function.ORDER_READ, refused)
        await self._probe(Function.STOCK_READ, refused)
        await self._probe(Function.STOCK_SETTINGS, refused)
        return health.advice(refused=refused, expires_at=expires_at, known=self._known, now=self._clock.now())

    async def _probe_expiry(self, refused: list[str]) -> Instant | None:
        try:
            found = await self._rms.expiry(health.Expiry)
        except AuthError:
            refused.append(Function.LICENSE.title)
            return self._end_of(self._settings)
        return wire.instant(found.expiry_date)

    async def _probe(self, function: Function, refused: list[str]) -> None:
        """Call a function that reads, and note where it is refused; raises where everything was refused."""
        try:
            await self._try(function)
        except AuthError:
            if function is Function.ITEM_SEARCH and refused:
                raise  # two of two functions refused: it is the keys, not a right
            refused.append(function.title)
        except RejectedError:
            return  # it was understood, and there is no such order

    async def _try(self, function: Function) -> None:
        number = next(iter(self._known.pairs), goods.Pair("syncd", "none"))
        match function:
            case Function.ITEM_SEARCH:
                await self._look_around()
            case Function.ORDER_SEARCH:
                now = self._clock.now()
                job = feed.Job(sweep=feed.Sweep.RECENT, since=now - feed.OVERLAP_US, until=now)
                await self._rms.read(function, orders.SearchAnswer, json=feed.search(job))
            case Function.ORDER_READ:
                await self._orders.fetch(["000000-20000101-0000000000"])
            case Function.STOCK_READ:
                await self._rms.read(function, stock.Rows, json=stock.asked([number]))
            case Function.STOCK_SETTINGS:
                await self._rms.settings_of(number.number)

    async def _look_around(self) -> None:
        """Read the first pages of the catalogue, for how its goods are set."""
        cursor: str | None = None
        for _ in range(1 if self._known.pairs else CHECKED_PAGES):
            cursor = (await self.listings(cursor)).cursor
            if cursor is None:
                return

    async def _expires_at(self) -> Instant | None:
        try:
            found = await self._rms.expiry(health.Expiry)
        except AuthError:
            told = self._end_of(self._settings)
            if told is None:
                raise
            return told
        return wire.instant(found.expiry_date)

    @staticmethod
    def _end_of(settings: RakutenSettings) -> Instant | None:
        """Return the end of the day that the settings name."""
        day = settings.expires_on
        return None if day is None else wire.instant(datetime.combine(day, time(23, 59, 59)).isoformat())


@asynccontextmanager
async def open_channel(settings: RakutenSettings, context: Context) -> AsyncIterator[RakutenChannel]:
    """Open a shop; nothing is sent before the first call. Raises `ConfigError` with every problem of the settings."""
    problems = settings.problems()
    if problems:
        raise ConfigError(problems)
    yield RakutenChannel(settings, context)
