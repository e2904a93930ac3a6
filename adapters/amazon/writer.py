"""Writes stock: refuses what may not be written, sends few rows as patches and many as one feed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.amazon import push, wire
from adapters.amazon.api import PATCH_ITEM, WRITE_TIMEOUTS, WRITE_TRIES, Api, encoded, within
from adapters.amazon.catalogue import Known
from adapters.amazon.feed_writer import FeedWriter, harmless
from adapters.amazon.listing_reader import PATH, ListingReader
from adapters.amazon.settings import AmazonSettings
from adapters.amazon.wire import Submission
from syncd.sdk.channel import Outcome, OutcomeKind, Write
from syncd.sdk.errors import ChannelError, RateLimited, TransientError

MOST_PATCHES = 10
"""Rows of an ordinary push: at five patches a second it ends within two, so long a fall to zero waits at most."""
MOST_LEARNED = 600
"""Listings that a feed's push reads first, where it does not know yet who fulfils them."""
LEARN_S = 40.0
LONGEST_DELAY_S = 5.0
"""A push that would wait longer for its budget is not begun."""
PUSH_S = WRITE_TRIES * (WRITE_TIMEOUTS.total_s + WRITE_TIMEOUTS.budget_s) + 5.0
"""All patches of a push, with their tries and their turns in the budget."""


class Writer:
    """Writes the stock of one seller."""

    def __init__(
        self, api: Api, *, settings: AmazonSettings, known: Known, reader: ListingReader, feeds: FeedWriter
    ) -> None:
        self._api = api
        self._settings = settings
        self._known = known
        self._reader = reader
        self._feeds = feeds
        self._path = f"{PATH}/{encoded(settings.seller_id)}"
        self._gone: set[str] = set()

    def delay_s(self) -> float:
        """Return seconds until a patch would be sent at once."""
        return self._api.budget(PATCH_ITEM).delay_s(1.0)

    def size(self, waiting: int) -> int:
        """Return how many rows the next push shall hold."""
        rate_per_s = self._api.budget(PATCH_ITEM).rate_per_s
        return self._feeds.size(waiting, by_patch=MOST_PATCHES, rate_per_s=rate_per_s)

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Bring these numbers to Amazon, one outcome per write, in order."""
        if not writes:
            return []
        await self._learn(writes)
        known = {write.key: outcome for write in writes if (outcome := self._held(write))}
        rest = [write for write in writes if write.key not in known]
        sent = await (self._feed(rest) if len(rest) > MOST_PATCHES else self._patch(rest))
        known.update((outcome.key, outcome) for outcome in sent)
        return [known[write.key] for write in writes]

    async def _learn(self, writes: Sequence[Write]) -> None:
        """Read what is not known yet: who fulfils a listing decides whether it may be written at all."""
        missing = self._known.missing(write.ref.remote_id for write in writes)[:MOST_LEARNED]
        if not missing:
            return
        try:
            async with within(LEARN_S, "reading listings before they are written"):
                found = await self._reader.look(missing)
        except TransientError as fault:
            error = harmless(fault)
        else:
            self._gone = {sku for sku, (item, _) in found.items() if item is None}
            return
        raise error

    def _held(self, write: Write) -> Outcome | None:
        """Return the outcome of a write that is not sent now."""
        sku = write.ref.remote_id
        offer = self._known.offer(sku)
        if offer is None and sku not in self._gone:
            return push.unsent(write, "has to be read first")
        refusal = push.refused(write, offer)
        if refusal is not None:
            return refusal
        if push.waits_for_feed(write, offer, self._feeds.in_feed(sku)):
            return push.unsent(write, "an open feed holds a lower number; a raise waits until it has ended")
        return None

    async def _feed(self, writes: Sequence[Write]) -> list[Outcome]:
        """Send as a feed; what leads to zero is not put into one, for it would wait behind all the others."""
        rows = [write for write in writes if write.quantity > 0]
        types = {write.ref.remote_id: self._type(write.ref.remote_id) for write in rows}
        sent = await self._feeds.send(rows, types)
        zeros = [write for write in writes if write.quantity <= 0]
        return sent + push.every_unsent(zeros, "a fall to zero goes by patch")

    def _type(self, sku: str) -> str:
        offer = self._known.offer(sku)
        return offer.product_type if offer else ""

    # --- patches ---

    async def _patch(self, writes: Sequence[Write]) -> list[Outcome]:
        """Send patches side by side, within the limit; raises where none of them can have had an effect."""
        if not writes:
            return []
        delay_s = self.delay_s()
        if delay_s > LONGEST_DELAY_S:
            raise RateLimited("Amazon: the budget for patches is spent", retry_after_s=delay_s)
        await self._api.seller.token()  # whatever goes wrong here, nothing was sent
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(write)) for write in writes]
        ends = [task.result() for task in tasks]
        faults = [fault for _, fault in ends if fault is not None]
        if len(faults) == len(ends) and all(outcome.kind is OutcomeKind.UNSENT for outcome, _ in ends):
            raise faults[0]
        return [outcome for outcome, _ in ends]

    async def _one(self, write: Write) -> tuple[Outcome, ChannelError | None]:
        """Send one patch; return how it ended, and the fault that it ended with."""
        sku = write.ref.remote_id
        effect_s = max(self._settings.confirm_s, self._feeds.left_s(sku))
        try:
            async with within(PUSH_S, "a patch"):
                answer = await self._api.call(
                    PATCH_ITEM,
                    f"{self._path}/{encoded(sku)}",
                    params={
                        "marketplaceIds": self._settings.marketplace_id,
                        "issueLocale": wire.LOCALE,
                        "includedData": "issues",
                    },
                    json=wire.patch_body(self._type(sku), write.quantity),
                )
            return push.judged(write, answer.decode(Submission), effect_s=effect_s), None
        except ChannelError as fault:
            return push.failed(write, fault, effect_s=effect_s), fault
