"""Reads orders: by scans of many searches, or by the numbers of their lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from adapters.qoo10 import feed, goods, orders, wire
from adapters.qoo10.api import CLAIMS, ORDER_LINE, SHIPPING, Answered, Api
from adapters.qoo10.book import Book
from adapters.qoo10.feed import Cursor, Search
from adapters.qoo10.listing_reader import ListingReader
from adapters.qoo10.orders import Known, Line
from adapters.qoo10.settings import Qoo10Settings
from adapters.qoo10.shelf import Shelf
from adapters.qoo10.wire import Refused, Row
from syncd.sdk.channel import Clock, Instant, OrderPage, OrderSnapshot

PAGE_S = 40.0
"""A page begins no further search after so long; one search with all its tries may take as long again."""
MOST_SEARCHES = 24
"""Searches of one page."""
MOST_LINES = 20
"""Lines that one page reads by their numbers."""
CARTS = 200
"""Orders of one page."""
_NO_LINE = frozenset({wire.NOT_FOUND, wire.BAD_INPUT})


class OrderReader:
    """Reads the orders of one shop."""

    def __init__(
        self, api: Api, *, settings: Qoo10Settings, shelf: Shelf, listings: ListingReader, clock: Clock
    ) -> None:
        self._api = api
        self._settings = settings
        self._shelf = shelf
        self._listings = listings
        self._clock = clock
        self.book = Book()

    # --- the feed ---

    async def page(self, text: str | None) -> OrderPage:
        """Read some searches of the scan at a cursor; its orders come once all of them were read."""
        now = self._clock.now()
        cursor = feed.resume(text, now=now, settings=self._settings, running=self.book.running, warm=self.book.warm)
        self.book.begin(cursor.began)
        searches = feed.searches(cursor, self._settings)
        cursor = msgspec.structs.replace(await self._searched(cursor, searches), turn=cursor.turn + 1)
        if cursor.searched < len(searches) or await self._left_to_read():
            return OrderPage(orders=(), cursor=feed.text(cursor), more=True)
        if cursor.kind is feed.Kind.DEEP and not cursor.told:
            farthest = cursor.began - self._settings.rescan_days * feed.DAY_US
            self.book.deep_done(cursor.began, farthest=farthest)
        return await self._told(cursor, read_at=now)

    async def _searched(self, cursor: Cursor, searches: Sequence[Search]) -> Cursor:
        """Make the next searches of a scan, as many as fit into one page."""
        ends_s = self._clock.monotonic() + PAGE_S
        done = cursor.searched
        for search in searches[done : done + MOST_SEARCHES]:
            if done > cursor.searched and self._clock.monotonic() > ends_s:
                break
            await self._search(search)
            done += 1
        return msgspec.structs.replace(cursor, searched=done)

    async def _search(self, search: Search) -> list[str]:
        """Make one search, note what it brings, and return the carts of its rows.

        Where it brings so much that it may be cut off, it is made again in halves.
        """
        # In one line with writes: whoever writes much must still hear of sales, or it would write what is sold.
        answered = await self._api.read(CLAIMS if search.of_claims else SHIPPING, search.fields(), urgent=True)
        rows = wire.rows(answered.content)
        halves = search.halves() if len(rows) >= feed.FULL else None
        if halves is not None:
            return [*await self._search(halves[0]), *await self._search(halves[1])]
        return [self._noted(search, row, at=answered.asked_at) for row in rows]

    def _noted(self, search: Search, row: Row, *, at: Instant) -> str:
        """Note a row of an answer; return its cart."""
        if not search.of_claims:
            line = orders.line(row)
            self.book.learn_line(line, at=at)
            return line.pack_no
        claim = orders.claim(row, kind=search.code)
        if claim is None:
            return ""
        self.book.learn_claim(claim, at=at, touch=search.news)
        return claim.pack_no

    async def _left_to_read(self) -> bool:
        """Read lines that carts of this scan name and that no search has brought; say whether more are left."""
        unread = self.book.unread(self.book.touched)
        for order_no in unread[:MOST_LINES]:
            await self._read_line(order_no)
        return bool(self.book.unread(self.book.touched))

    async def _told(self, cursor: Cursor, *, read_at: Instant) -> OrderPage:
        packs = sorted(self.book.touched)
        some = packs[cursor.told : cursor.told + CARTS]
        made = await self._snapshots(some, read_at=read_at)
        snapshots = tuple(
            order
            for order in made
            if not (cursor.first and order.closed) and self.book.is_news(order, since=cursor.since)
        )
        told = cursor.told + len(some)
        if told < len(packs):
            following = msgspec.structs.replace(cursor, told=told)
            return OrderPage(orders=snapshots, cursor=feed.text(following), more=True)
        complete = cursor.began - round(self._settings.order_overlap_s * wire.SECOND_US)
        return OrderPage(
            orders=snapshots, cursor=feed.text(feed.finished(cursor)), more=False, complete_until=max(complete, 1)
        )

    # --- by number ---

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders, line by line; those that do not exist are left out."""
        read_at = self._clock.now()
        wanted = [order_id for order_id in dict.fromkeys(order_ids) if order_id.isascii() and order_id.isdigit()]
        if not self.book.warm and any(not self.book.numbers(pack_no) for pack_no in wanted):
            await self.remember(feed.everything(now=read_at, settings=self._settings))
        found = [pack_no for pack_no in wanted if await self.read_cart(pack_no)]
        return list(await self._snapshots(found, read_at=read_at, fresh=True))

    async def remember(self, searches: Iterable[Search]) -> None:
        """Make searches outside of a scan."""
        for search in searches:
            await self._search(search)

    async def read_packs(self, searches: Iterable[Search]) -> list[str]:
        """Make searches for lines outside of a scan; return the carts that they brought."""
        found: dict[str, None] = {}
        for search in searches:
            found.update(dict.fromkeys(await self._search(search)))
        for order_no in self.book.unread(found):
            await self._read_line(order_no)
        return list(found)

    async def read_cart(self, pack_no: str) -> list[Known]:
        """Read all lines of a cart as they are now; none for a cart that is not known."""
        read: set[str] = set()
        while unread := [number for number in self._named(pack_no) if number not in read]:
            for order_no in unread:
                await self._read_line(order_no)
            read.update(unread)
        return self.book.known(pack_no)

    def _named(self, pack_no: str) -> list[str]:
        return list(dict.fromkeys((*self.book.numbers(pack_no), *self.book.unread([pack_no]))))

    async def _read_line(self, order_no: str) -> None:
        answered = await self._line_or_none(order_no)
        rows = [] if answered is None else wire.rows(answered.content)
        if answered is None or not rows:
            self.book.learn_missing(order_no)
            return
        self.book.learn_exact(orders.line(rows[0]), orders.claim(rows[0]), at=answered.asked_at)

    async def _line_or_none(self, order_no: str) -> Answered | None:
        try:
            return await self._api.read(ORDER_LINE, {"OrderNo": order_no})
        except Refused as refusal:
            if refusal.code not in _NO_LINE:
                raise
            return None

    # --- what is told ---

    async def _snapshots(
        self, packs: Iterable[str], *, read_at: Instant, fresh: bool = False
    ) -> tuple[OrderSnapshot, ...]:
        """Return the orders of these carts, as far as a line of them was read."""
        made = []
        for pack_no in packs:
            lines = self.book.known(pack_no)
            for known in lines:
                await self._learn_options(known.line)
            if lines:
                made.append(self._snapshot(lines, read_at=read_at, fresh=fresh))
        return tuple(made)

    def _snapshot(self, lines: Sequence[Known], *, read_at: Instant, fresh: bool) -> OrderSnapshot:
        return orders.snapshot(
            lines,
            naming=self._listing,
            read_at=read_at,
            customs=orders.Customs(
                returns_sellable=self._settings.returns_sellable,
                restore_us=round(self._settings.restore_s * wire.SECOND_US),
            ),
            fresh=fresh,
        )

    async def _learn_options(self, line: Line) -> None:
        """Read the option rows of an item where only they tell which row words without a code mean."""
        if not line.option_code and line.option_words and self._shelf.options(line.item) is None:
            await self._listings.options_or_none(line.item)

    def _listing(self, line: Line) -> str:
        """Return the listing that a line was bought from.

        Words that fit no row name a listing of their own, which is then told as not mapped: better than a wrong one.
        """
        known = self._shelf.options(line.item)
        if known is not None and not known.by_key:
            return line.item
        if known is not None and (key := known.key_of(code=line.option_code, words=line.option_words)):
            return goods.remote_id(line.item, key)
        return goods.remote_id(line.item, line.option_code or (line.option_words and f"={line.option_words}"))
