"""Writes by feeds: sends one at a time, remembers its rows while it is open, and tells how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from adapters.amazon import feeds, push
from adapters.amazon.api import (
    CREATE_FEED,
    CREATE_FEED_DOCUMENT,
    GET_FEED,
    GET_FEED_DOCUMENT,
    GET_FEEDS,
    READ_S,
    Api,
    encoded,
    within,
)
from adapters.amazon.reports import Document, read_file
from adapters.amazon.settings import AmazonSettings
from adapters.amazon.wire import SECOND_US, instant, timestamp
from syncd.sdk.channel import Clock, Instant, Outcome, Write
from syncd.sdk.errors import ChannelError, ProtocolError, RateLimited, RejectedError, TransientError
from syncd.sdk.strict import decode

PATH = "/feeds/2021-06-30"
STEP_S = 50.0
"""One step of sending a feed: asking for open ones, its file, itself."""
TOTAL_S = 3 * STEP_S
LOOK_S = 15.0
"""How often an open feed is looked at."""
LOST_LOOK_S = 60.0
"""How often one is looked for whose id is not known: that search is allowed once in 45 seconds."""
LATE_LOOK_S = 600.0
"""How often one is looked at that did not end in time."""
FORGET_S = 7 * 86_400.0
MOST_LOOKS_AT_REPORT = 20
SEARCH_BEFORE_US = 120 * SECOND_US
LOST_S = 900.0
"""How long a feed is looked for whose creation was not answered."""
_ENDED = frozenset({"DONE", "FATAL", "CANCELLED"})


class Upload(msgspec.Struct, frozen=True, rename="camel"):
    """Where a feed's file is to be put, within five minutes."""

    feed_document_id: str
    url: str


class Created(msgspec.Struct, frozen=True, rename="camel"):
    """A feed that was taken."""

    feed_id: str


class Feed(msgspec.Struct, frozen=True, rename="camel"):
    """How far a feed is."""

    feed_id: str
    processing_status: str
    created_time: str = ""
    result_feed_document_id: str | None = None


class FeedsFound(msgspec.Struct, frozen=True):
    """Feeds that are open."""

    feeds: list[Feed]


@dataclass(slots=True, kw_only=True, eq=False)
class OpenFeed:
    """A feed that may still take effect. `feed_id` is empty while only its creation is known, not its answer.

    `writes` are its rows in the order of their message ids; a feed that this process did not send has none.
    """

    feed_id: str
    began_s: float
    began_at: Instant
    writes: tuple[Write, ...] = ()
    next_look_s: float = 0.0
    looks_at_report: int = 0
    late: bool = False
    quantities: Mapping[str, int] = field(default_factory=dict)


class FeedWriter:
    """Sends listings feeds. What it remembers is lost with the process: then the open feeds are asked for once."""

    def __init__(self, api: Api, *, settings: AmazonSettings, clock: Clock) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._open: list[OpenFeed] = []
        self._adopted = False
        self._free_at_s = clock.monotonic()
        self._factor = 1.0

    # --- what others ask ---

    def in_feed(self, sku: str) -> int | None:
        """Return the quantity that an open feed still may bring to a SKU; None where none does."""
        return next((feed.quantities[sku] for feed in self._open if not feed.late and sku in feed.quantities), None)

    def left_s(self, sku: str) -> float:
        """Return how long an open feed may still take effect on a SKU; 0.0 where none does."""
        now_s = self._clock.monotonic()
        ends = [feed.began_s + feeds.DEADLINE_S - now_s for feed in self._open if sku in feed.quantities]
        return max([0.0, *ends])

    def size(self, waiting: int, *, by_patch: int, rate_per_s: float) -> int:
        """Return how many rows the next push shall hold."""
        if self._open or self._clock.monotonic() < self._free_at_s:
            return by_patch
        least = self._settings.feed_from
        return feeds.size(waiting, by_patch=by_patch, least=least, rate_per_s=rate_per_s, factor=self._factor)

    def look_now(self, feed_id: str) -> None:
        """Let the next look include this feed: its end was announced."""
        for feed in self._open:
            if feed.feed_id == feed_id:
                feed.next_look_s = 0.0

    # --- sending ---

    async def send(self, writes: Sequence[Write], types: Mapping[str, str]) -> list[Outcome]:
        """Send these writes as one feed; what does not fit, or comes while another one is open, is UNSENT."""
        try:
            async with within(STEP_S, "asking for open feeds"):
                await self._adopt()
        except TransientError as trouble:
            raise harmless(trouble) from None
        if self._open:
            return push.every_unsent(writes, "another feed is open")
        file = feeds.file(writes, seller_id=self._settings.seller_id, types=types)
        try:
            document_id = await self._upload(file.body)
            feed, fault = await self._create(document_id, file)
        except RejectedError as refusal:
            self._free_at_s = self._clock.monotonic() + feeds.PAUSE_S
            return push.every_unsent(writes, f"Amazon takes no feed: {refusal}")
        rest = push.every_unsent(writes[len(file.writes) :], "the feed is full")
        if fault is None:
            why = f"in feed {feed.feed_id}"
            return [push.taken(write, feeds.DEADLINE_S, why) for write in file.writes] + rest
        return [push.unknown(write, str(fault), feeds.DEADLINE_S) for write in file.writes] + rest

    async def _upload(self, body: bytes) -> str:
        """Put the file where Amazon wants it; nothing has an effect before the feed is made."""
        try:
            async with within(STEP_S, "sending a feed's file"):
                return await upload(self._api, body, kind=feeds.LISTINGS_KIND)
        except TransientError as fault:
            error = harmless(fault)
        raise error

    async def _create(self, document_id: str, file: feeds.File) -> tuple[OpenFeed, ChannelError | None]:
        """Make the feed; raises only where it was certainly not made."""
        opened = OpenFeed(
            feed_id="",
            began_s=self._clock.monotonic(),
            began_at=self._clock.now(),
            writes=file.writes,
            quantities={write.ref.remote_id: write.quantity for write in file.writes},
        )
        fault: ChannelError | None = None
        try:
            async with within(STEP_S, "sending a feed"):
                opened.feed_id = await create(
                    self._api, feeds.LISTINGS_FEED, document_id, marketplace_id=self._settings.marketplace_id
                )
        except (TransientError, ProtocolError) as unclear:
            if isinstance(unclear, TransientError) and not unclear.sent:
                raise
            fault = unclear
        opened.next_look_s = opened.began_s + LOOK_S
        self._open.append(opened)
        self._free_at_s = opened.began_s + feeds.GAP_S
        return opened, fault

    async def _adopt(self) -> None:
        """Find out once which feeds are open from before: their rows are not known, but none is sent beside them."""
        if self._adopted:
            return
        now_s, now = self._clock.monotonic(), self._clock.now()
        for feed in await self._search(now - round(feeds.DEADLINE_S * SECOND_US)):
            began_at = instant(feed.created_time) if feed.created_time else now
            age_s = max((now - began_at) / SECOND_US, 0.0)
            self._open.append(OpenFeed(feed_id=feed.feed_id, began_s=now_s - age_s, began_at=began_at))
        self._adopted = True

    async def _search(self, since: Instant, *, ended: bool = False) -> list[Feed]:
        parameters: dict[str, str | int] = {
            "feedTypes": feeds.LISTINGS_FEED,
            "marketplaceIds": self._settings.marketplace_id,
            "createdSince": timestamp(since),
            "pageSize": 100,
        }
        if not ended:
            parameters["processingStatuses"] = "IN_QUEUE,IN_PROGRESS"
        answer = await self._api.call(GET_FEEDS, f"{PATH}/feeds", params=parameters)
        return answer.decode(FeedsFound).feeds

    # --- how they ended ---

    async def outcomes(self) -> list[Outcome]:
        """Look at the feeds that are due and return how rows ended that were only accepted."""
        told: list[Outcome] = []
        async with within(READ_S, "looking at feeds"):
            await self._adopt()
            for feed in [feed for feed in self._open if feed.next_look_s <= self._clock.monotonic()]:
                told += await self._look(feed)
        return told

    async def _look(self, feed: OpenFeed) -> list[Outcome]:
        now_s = self._clock.monotonic()
        age_s = now_s - feed.began_s
        if age_s > feeds.DEADLINE_S and not feed.late:
            # Nobody can say when such a feed ends. Its rows go by patch again, and no other feed is sent beside it.
            feed.late = True
            self._free_at_s = now_s + feeds.PAUSE_S
        feed.next_look_s = now_s + (LATE_LOOK_S if feed.late else LOOK_S if feed.feed_id else LOST_LOOK_S)
        if age_s > FORGET_S:
            return self._end(feed, [])
        if not feed.feed_id and not await self._found(feed):
            return self._accepted(feed) if age_s > LOST_S else []
        try:
            answer = await self._api.call(GET_FEED, f"{PATH}/feeds/{encoded(feed.feed_id)}")
        except RejectedError:
            return self._accepted(feed)
        state = answer.decode(Feed)
        if state.processing_status not in _ENDED:
            return []
        return await self._ended(feed, state, age_s=age_s)

    async def _found(self, feed: OpenFeed) -> bool:
        """Look for a feed whose creation was not answered: the only one since then that nobody knows."""
        known = {other.feed_id for other in self._open}
        strangers = [
            found.feed_id
            for found in await self._search(feed.began_at - SEARCH_BEFORE_US, ended=True)
            if found.feed_id not in known
        ]
        if len(strangers) == 1:
            feed.feed_id = strangers[0]
        return bool(feed.feed_id)

    async def _ended(self, feed: OpenFeed, state: Feed, *, age_s: float) -> list[Outcome]:
        """Tell the rows of a feed that ended: what failed as a whole may have been applied in part, so it is read."""
        if state.processing_status != "DONE":
            self._free_at_s = self._clock.monotonic() + feeds.PAUSE_S
            return self._accepted(feed)
        self._factor = feeds.factor_of(max(len(feed.writes), 1), age_s) if feed.writes else self._factor
        if not feed.writes or not state.result_feed_document_id:
            return self._accepted(feed)
        feed.looks_at_report += 1
        try:
            report = await self._report(state.result_feed_document_id)
        except (TransientError, ProtocolError):
            return self._accepted(feed) if feed.looks_at_report >= MOST_LOOKS_AT_REPORT else []
        if report.failed:
            self._free_at_s = self._clock.monotonic() + feeds.PAUSE_S
        why = feeds.refusals(report)
        return self._end(
            feed,
            [
                push.rejected(write, why[number]) if number in why else push.taken(write, self._settings.confirm_s)
                for number, write in enumerate(feed.writes, start=1)
            ],
        )

    async def _report(self, document_id: str) -> feeds.FeedReport:
        answer = await self._api.call(GET_FEED_DOCUMENT, f"{PATH}/documents/{encoded(document_id)}")
        file = await read_file(self._api, answer.decode(Document))
        return decode(file.body, feeds.FeedReport)

    def _accepted(self, feed: OpenFeed) -> list[Outcome]:
        return self._end(feed, [push.taken(write, self._settings.confirm_s) for write in feed.writes])

    def _end(self, feed: OpenFeed, outcomes: list[Outcome]) -> list[Outcome]:
        self._open.remove(feed)
        return outcomes


async def upload(api: Api, body: bytes, *, kind: str) -> str:
    """Send a feed's file, with the very content type that its address was asked for with; return its document id."""
    answer = await api.call(CREATE_FEED_DOCUMENT, f"{PATH}/documents", json={"contentType": kind}, expect=(201,))
    place = answer.decode(Upload)
    await api.upload(place.url, body, kind=kind)
    return place.feed_document_id


async def create(api: Api, kind: str, document_id: str, *, marketplace_id: str) -> str:
    """Make a feed of a file and return its id; it is sent once, whatever becomes of the answer."""
    body = {"feedType": kind, "marketplaceIds": [marketplace_id], "inputFeedDocumentId": document_id}
    answer = await api.call(CREATE_FEED, f"{PATH}/feeds", json=body, expect=(202,))
    return answer.decode(Created).feed_id


def harmless(fault: TransientError) -> TransientError:
    """Return the error of a step before the one that has an effect."""
    if isinstance(fault, RateLimited):
        return fault
    return TransientError(str(fault), retry_after_s=fault.retry_after_s, sent=False)
