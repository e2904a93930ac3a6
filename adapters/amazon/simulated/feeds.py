"""Feeds API 2021-06-30: files up, processed one after the other per type, reports down.

Facts: steps, statuses and members (selling-partner-api-models, feeds_2021-06-30); IN_QUEUE alone can be cancelled;
after FATAL some, none or all of it may have been done; the inventory feeds of old end FATAL since 2025-07-31 (SP-API
docs, listings-feed-type-values); a stuck feed blocks those after it (selling-partner-api-docs, issues 3227 and 1151).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from adapters.amazon.simulated import feed_files
from adapters.amazon.simulated.api import Call, Operation, Refused, Reply, invalid, missing, throttled
from adapters.amazon.simulated.documents import Document
from adapters.amazon.simulated.feed_files import Acknowledgement, BadFile, ListingsFile, Message
from adapters.amazon.simulated.listing_items import DATA, item
from adapters.amazon.simulated.orders import MERCHANT, NO_INVENTORY, Status, of_items
from adapters.amazon.simulated.queries import FLAG, TIME, Kind, Parameter, words
from adapters.amazon.simulated.shop import Shop
from adapters.amazon.simulated.times import precise
from syncd.sdk.channel import Instant
from syncd.testing.trade import Refusal

LISTINGS = "JSON_LISTINGS_FEED"
ACKNOWLEDGEMENT = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
FLAT_ACKNOWLEDGEMENT = "POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA"
DEAD = frozenset({
    "POST_INVENTORY_AVAILABILITY_DATA", "POST_FLAT_FILE_PRICEANDQUANTITYONLY_UPDATE_DATA",
    "POST_FLAT_FILE_INVLOADER_DATA", "POST_PRODUCT_DATA",
})  # fmt: skip
"""Feeds that end FATAL whatever is in them."""
KNOWN = frozenset({LISTINGS, ACKNOWLEDGEMENT, FLAT_ACKNOWLEDGEMENT}) | DEAD
MOST_MARKETPLACES = 25
QUEUED_SHARE = 0.2
"""How much of its time a feed is only waiting."""
ENDS = frozenset({"DONE", "FATAL", "CANCELLED"})
_SEARCH = {
    "feedTypes": Parameter(kind=Kind.LIST, least=1, most=10),
    "marketplaceIds": Parameter(kind=Kind.LIST, least=1, most=10),
    "processingStatuses": words("IN_QUEUE", "IN_PROGRESS", *sorted(ENDS)),
    "createdSince": TIME,
    "createdUntil": TIME,
    "pageSize": Parameter(kind=Kind.WHOLE, least=1, most=100, default=10),
}


@dataclass(slots=True, eq=False, kw_only=True)
class Feed:
    """One feed."""

    feed_id: str
    feed_type: str
    source: Document
    created_at: Instant
    status: str = "IN_QUEUE"
    started_at: Instant | None = None
    ended_at: Instant | None = None
    result: Document | None = None


class Feeds:
    """The operations, and the processing. `on_end` hears of every feed that ended."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._feeds: dict[str, Feed] = {}
        self._numbers = count(50_000_000_001)
        self._busy_until: dict[str, Instant] = {}
        self.on_end: Callable[[Feed], None] = lambda _: None

    def operations(self) -> list[Operation]:
        """Return them."""
        path = "/feeds/2021-06-30"
        table: tuple[tuple[str, str, str, Callable[[Call], Reply]], ...] = (
            ("createFeedDocument", "POST", f"{path}/documents", self.expect),
            ("createFeed", "POST", f"{path}/feeds", self.create),
            ("getFeeds", "GET", f"{path}/feeds", self.feeds),
            ("getFeed", "GET", f"{path}/feeds/{{feedId}}", self.feed),
            ("cancelFeed", "DELETE", f"{path}/feeds/{{feedId}}", self.cancel),
            ("getFeedDocument", "GET", f"{path}/documents/{{feedDocumentId}}", self.document),
        )
        query = {"getFeedDocument": {"enableContentEncodingUrlHeader": FLAG}, "getFeeds": _SEARCH}
        return [
            Operation(
                name=name,
                method=method,
                path=where,
                answer=answer,
                query=query.get(name, {}),
                role="Product Listing",
                code="400",
                message="Invalid input",
            )
            for name, method, where, answer in table
        ]

    # --- the operations ---

    def expect(self, call: Call) -> Reply:
        """Answer where a file may be put up."""
        content_type = call.body.get("contentType")
        if not isinstance(content_type, str) or "/" not in content_type:
            raise _wrong("contentType is missing.")
        document = self._shop.documents.expect(content_type)
        url = self._shop.documents.address(document, call.base_url)
        return Reply(status=201, body={"feedDocumentId": document.document_id, "url": url})

    def create(self, call: Call) -> Reply:
        """Take a feed."""
        kind, marketplaces = call.body.get("feedType"), call.body.get("marketplaceIds")
        if kind not in KNOWN:
            raise _wrong("feedType is not one that this seller can send.")
        if marketplaces != [self._shop.marketplace]:
            raise _wrong("marketplaceIds is missing or not a marketplace of this seller.")
        document = self._shop.documents.find(str(call.body.get("inputFeedDocumentId")))
        if document is None or document.body is None:
            raise _wrong("inputFeedDocumentId is no document that was put up.")
        if kind == LISTINGS and not self._shop.limits.allow(f"createFeed:{LISTINGS}"):
            raise throttled()
        now = self._shop.settle()
        feed = Feed(feed_id=str(next(self._numbers)), feed_type=kind, source=document, created_at=now)
        self._feeds[feed.feed_id] = feed
        self._plan(feed, now)
        return Reply(status=202, body={"feedId": feed.feed_id})

    def feed(self, call: Call) -> Reply:
        """Answer how far a feed is."""
        return Reply(body=self._told(self._find(call)))

    def feeds(self, call: Call) -> Reply:
        """Answer feeds, the newest first; all of them are on the first page."""
        given = call.given
        if not given["feedTypes"]:
            raise _wrong("feedTypes is missing.")
        found = [
            self._told(feed)
            for feed in reversed(self._feeds.values())
            if feed.feed_type in given["feedTypes"]
            and (not given["processingStatuses"] or feed.status in given["processingStatuses"])
            and (given["createdSince"] is None or feed.created_at >= given["createdSince"])
            and (given["createdUntil"] is None or feed.created_at <= given["createdUntil"])
        ]
        return Reply(body={"feeds": found[: given["pageSize"]]})

    def _told(self, feed: Feed) -> dict[str, Any]:
        body: dict[str, Any] = {
            "feedId": feed.feed_id,
            "feedType": feed.feed_type,
            "marketplaceIds": [self._shop.marketplace],
            "createdTime": precise(feed.created_at),
            "processingStatus": feed.status,
        }
        if feed.started_at is not None:
            body["processingStartTime"] = precise(feed.started_at)
        if feed.ended_at is not None:
            body["processingEndTime"] = precise(feed.ended_at)
        if feed.result is not None:
            body["resultFeedDocumentId"] = feed.result.document_id
        return body

    def cancel(self, call: Call) -> Reply:
        """Cancel a feed that is still waiting."""
        feed = self._find(call)
        if feed.status != "IN_QUEUE":
            raise _wrong("Only a feed that is IN_QUEUE can be cancelled.")
        self._end(feed, "CANCELLED", self._shop.clock.now())
        return Reply(body=None)

    def document(self, call: Call) -> Reply:
        """Answer where a result can be taken down."""
        document = self._shop.documents.find(call.path["feedDocumentId"])
        if document is None:
            raise missing("There is no document with this feedDocumentId.")
        encoded = call.given["enableContentEncodingUrlHeader"] and document.zipped
        url = self._shop.documents.address(document, call.base_url, encoded=encoded)
        body = {"feedDocumentId": document.document_id, "url": url}
        if document.zipped:
            body["compressionAlgorithm"] = "GZIP"
        return Reply(body=body)

    def _find(self, call: Call) -> Feed:
        feed = self._feeds.get(call.path["feedId"])
        if feed is None:
            raise missing("There is no feed with this feedId.")
        return feed

    # --- the processing ---

    def _plan(self, feed: Feed, now: Instant) -> None:
        """Let a feed begin once the one before it of its type has ended; while one is stuck, none does."""
        starts = max(now, self._busy_until.get(feed.feed_type, now))
        took_us = self._shop.drawn_us(self._shop.knobs.feed_s)
        self._busy_until[feed.feed_type] = starts + took_us
        begins_us = starts - now + round(took_us * QUEUED_SHARE)
        self._shop.later(begins_us, functools.partial(self._begin, feed))
        self._shop.later(starts - now + took_us, functools.partial(self._finish, feed))

    def _begin(self, feed: Feed, at: Instant) -> None:
        if feed.status == "IN_QUEUE" and not self._is_blocked(feed):
            feed.status, feed.started_at = "IN_PROGRESS", at

    def _is_blocked(self, feed: Feed) -> bool:
        return any(
            other.status == "IN_PROGRESS" and other.feed_type == feed.feed_type and other is not feed
            for other in self._feeds.values()
        )

    def _finish(self, feed: Feed, at: Instant) -> None:
        if feed.status != "IN_PROGRESS" or self._shop.knobs.stuck_feeds:
            return
        dead = feed.feed_type in DEAD
        end = "FATAL" if dead else self._shop.knobs.feed_end
        report = b"This feed type is no longer supported." if dead else None
        try:
            report = report or self._process(feed, share=1.0 if end == "DONE" else self._shop.knobs.feed_part)
        except BadFile as fault:
            end = "FATAL"
            found = ListingsFile(issues=[{"code": "4000000", "severity": "ERROR", "message": str(fault)}])
            report = feed_files.processing_report(found, seller=self._shop.seller, feed_id=feed.feed_id, items=None)
        if end != "CANCELLED":
            feed.result = self._shop.documents.offer(
                functools.partial(bytes, report), content_type="application/json; charset=UTF-8", zipped=True
            )
        self._end(feed, end, at)

    def release(self) -> None:
        """Let feeds that were stuck end now, as Amazon's support does, and those go on that waited for them."""
        now = self._shop.settle()
        for feed in self._feeds.values():
            self._begin(feed, now)
            self._finish(feed, now)

    def _end(self, feed: Feed, status: str, at: Instant) -> None:
        feed.status, feed.ended_at = status, at
        self.on_end(feed)

    def _process(self, feed: Feed, *, share: float) -> bytes:
        raw = feed.source.body or b""
        if feed.feed_type == LISTINGS:
            return self._list(feed, feed_files.listings(raw, self._shop.goods, seller=self._shop.seller), share=share)
        if feed.feed_type == ACKNOWLEDGEMENT:
            rows = feed_files.acknowledgements(raw, seller=self._shop.seller)
        else:
            rows = feed_files.flat_acknowledgements(raw)
        rows = rows[: round(len(rows) * share)]
        wrong = {row.message_id: text for row in rows if (text := self._acknowledge(row))}
        return feed_files.xml_report(wrong, count=len(rows), seller=self._shop.seller, feed_id=feed.feed_id)

    def _list(self, feed: Feed, found: ListingsFile, *, share: float) -> bytes:
        for message in found.messages[: round(len(found.messages) * share)]:
            self._apply(message)
        wish = found.report
        items = None if wish is None else [self._reported(message, wish) for message in found.messages]
        return feed_files.processing_report(found, seller=self._shop.seller, feed_id=feed.feed_id, items=items)

    def _apply(self, message: Message) -> None:
        if message.delete:
            self._shop.delete(message.listing)
        else:
            self._shop.submit_later(message.listing, message.patches, [] if message.whole else None)

    def _reported(self, message: Message, wish: Mapping[str, Any]) -> dict[str, Any]:
        data = [name for name in wish.get("includedData", ()) if name in DATA]
        return item(message.listing, data, marketplace=self._shop.marketplace, at=self._shop.clock.now())

    def _acknowledge(self, row: Acknowledgement) -> str:
        """Cancel as one row says; answers why it could not be done."""
        order = self._shop.orders.find(row.order_id)
        if order is None or order.fulfilled_by != MERCHANT:
            return "There is no such order of the seller."
        if not row.cancel:
            return ""
        if row.reason not in feed_files.REASONS:
            return "The cancellation reason is not valid."
        if order.status is not Status.UNSHIPPED:
            return f"An order that is {order.status.value} cannot be cancelled."
        try:
            lines = of_items(order, row.items) if row.items else order.lines
            restock = row.reason != NO_INVENTORY
            now = self._shop.clock.now()
            self._shop.orders.cancel(order, lines, by=MERCHANT, reason=row.reason, restock=restock, now=now)
        except Refusal as refusal:
            return str(refusal)
        return ""


def _wrong(details: str) -> Refused:
    return invalid(details, code="400", message="Invalid input")
