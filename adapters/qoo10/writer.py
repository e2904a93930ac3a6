"""Writes stock: items in one call, option rows one by one, all of it before a fixed time.

Facts (QAPI guide for Japan, 2026): a bulk write takes 500 rows and answers -1 when at least one of them failed; how
it names that row is not told. The quantities are absolute, so rows are sent again in halves until each answer speaks
of one row. A number that was taken may need ten minutes to show, so that success means taken, not shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from adapters.qoo10 import goods, wire
from adapters.qoo10.api import SET_ITEM, SET_ITEMS, SET_OPTION, Api, Written
from adapters.qoo10.goods import Option
from adapters.qoo10.listing_reader import ListingReader
from adapters.qoo10.shelf import Shelf
from adapters.qoo10.wire import Refused
from syncd.sdk.channel import Clock, Outcome, OutcomeKind, Write
from syncd.sdk.errors import ChannelError, RateLimited, RejectedError, TransientError

MOST_ROWS = 500
"""Rows of one push: what one bulk write takes."""
MOST_CALLS = 10
"""Calls of one push beside the bulk write: an option row is one, and so is reading what is not known yet. What would
need more stands back, so that a fall to zero need not wait longer than these."""
PUSH_S = 75.0
"""A push begins nothing more after so long, and what is under way is given up on."""
LONGEST_DELAY_S = 5.0
"""A push that would wait longer for its first call is not begun."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """A write of an item without options, ready to be sent."""

    write: Write
    fields: dict[str, str]


@dataclass(slots=True)
class _Ends:
    """How the writes of one push end. `exposed` were sent in some call that may have applied them."""

    known: dict[str, Outcome] = field(default_factory=dict)
    exposed: set[str] = field(default_factory=set)
    fault: ChannelError | None = None
    calls: int = MOST_CALLS
    effect_s: float = 0.0

    def afford(self, calls: int) -> bool:
        """Take so many of the calls that are left; False, and none taken, where there are too few."""
        if calls > self.calls:
            return False
        self.calls -= calls
        return True

    def defer(self, write: Write) -> None:
        """Note that a write stands back behind others of its push."""
        reason = "stands back: Qoo10 takes it by a call of its own"
        self.known[write.key] = Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason=reason, deferred=True)

    def end(self, write: Write, kind: OutcomeKind, reason: str = "") -> None:
        """Note an end; a write that was sent in a call that may have applied it is never said to be unsent."""
        if kind is OutcomeKind.UNSENT and write.key in self.exposed:
            kind = OutcomeKind.INDETERMINATE
        self.known[write.key] = Outcome(key=write.key, kind=kind, reason=reason)

    def accept(self, write: Write) -> None:
        """Note that Qoo10 took a number: from now on it may need its time to be in effect."""
        self.exposed.add(write.key)
        self.known[write.key] = Outcome(
            key=write.key, kind=OutcomeKind.ACCEPTED, reason="shows within minutes", effect_s=self.effect_s
        )

    def refuse(self, write: Write, reason: str) -> None:
        """Note that Qoo10, or this adapter, refuses a write for good."""
        self.end(write, OutcomeKind.REJECTED, reason)

    def stop(self, writes: Sequence[Write], fault: ChannelError) -> None:
        """Note that nothing more is sent: the channel as a whole is in trouble."""
        self.fault = self.fault or fault
        for write in writes:
            self.end(write, OutcomeKind.UNSENT, str(fault))


class Writer:
    """Writes the stock of one shop, one push at a time. `effect_s` is how long a number may take once it is taken."""

    def __init__(self, api: Api, *, shelf: Shelf, listings: ListingReader, clock: Clock, effect_s: float) -> None:
        self._api = api
        self._shelf = shelf
        self._listings = listings
        self._clock = clock
        self._effect_s = effect_s

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Bring these numbers to the shop, one outcome per write, in order; raises only where nothing was sent."""
        if not writes:
            return []
        delay_s = self._api.delay_s()
        if delay_s > LONGEST_DELAY_S:
            raise RateLimited("Qoo10: the budget of this shop is spent", retry_after_s=delay_s)
        ends = _Ends(effect_s=self._effect_s)
        try:
            async with asyncio.timeout(PUSH_S):
                await self._push(sorted(writes, key=lambda write: write.quantity > 0), ends)
        except TimeoutError:
            late = TransientError(f"Qoo10: not done within {PUSH_S:g} s", sent=False)
            ends.stop([write for write in writes if write.key not in ends.known], late)
        if ends.fault is not None and not ends.exposed and _is_unsent(ends.known.values()):
            raise ends.fault
        return [ends.known[write.key] for write in writes]

    async def _push(self, writes: Sequence[Write], ends: _Ends) -> None:
        """Send writes to zero first, whichever kind they are, then the others."""
        for some in (
            [write for write in writes if write.quantity == 0],
            [write for write in writes if write.quantity > 0],
        ):
            await self._send(some, ends)

    async def _send(self, writes: Sequence[Write], ends: _Ends) -> None:
        plain: list[_Plain] = []
        rows: list[tuple[Write, str, Option]] = []
        for place, write in enumerate(writes):
            if ends.fault is not None:
                ends.stop(writes[place:], ends.fault)
                break
            if not ends.afford(self._calls(write)):
                ends.defer(write)
                continue
            await self._prepare(write, ends, plain=plain, rows=rows)
        await self._send_items(plain, ends)
        for place, (write, item, row) in enumerate(rows):
            if ends.fault is not None:
                ends.stop([write for write, _, _ in rows[place:]], ends.fault)
                return
            await self._send_row(write, item, row, ends)

    # --- what a write needs ---

    def _calls(self, write: Write) -> int:
        """Return how many calls a write takes beside the one that all items share."""
        item, key = goods.target(write.ref) or ("", "")
        if not item:
            return 0
        if key:
            known = self._shelf.options(item)
            return 1 if known is not None and key in known.by_key else 2
        return 0 if self._shelf.detail(item, now=self._clock.now()) else 1

    async def _prepare(
        self, write: Write, ends: _Ends, *, plain: list[_Plain], rows: list[tuple[Write, str, Option]]
    ) -> None:
        """Find what a write needs beside its number; read it where it is not known."""
        target = goods.target(write.ref)
        if target is None or not 0 <= write.quantity <= goods.MOST_QUANTITY:
            ends.refuse(write, "not an item of Qoo10, or not a quantity that it takes")
            return
        item, key = target
        try:
            if key:
                row = await self._row(item, key)
                rows.append((write, item, row))
            else:
                plain.append(_Plain(write, await self._fields(write, item)))
        except RejectedError as refusal:
            ends.refuse(write, str(refusal))
        except TransientError as fault:
            ends.stop([write], _unsent(fault))
        except ChannelError as fault:
            ends.stop([write], fault)

    async def _row(self, item: str, key: str) -> Option:
        """Return an option row as it was read; raises `RejectedError` where the item has no such row."""
        known = self._shelf.options(item)
        if known is None or key not in known.by_key:
            known = await self._listings.options(item, urgent=True)
        if key not in known.by_key:
            raise RejectedError("the item has no such option row")
        return known.by_key[key]

    async def _fields(self, write: Write, item: str) -> dict[str, str]:
        """Return the fields of an item with the end of its sale as it was read; raises `RejectedError` without one."""
        now = self._clock.now()
        page = self._shelf.detail(item, now=now) or await self._listings.detail(item, urgent=True)
        if page is None:
            raise RejectedError("there is no such item")
        return goods.item_fields(write, item, page, today=wire.japan(now).date())

    # --- sending ---

    async def _send_items(self, some: Sequence[_Plain], ends: _Ends) -> None:
        """Send items: together, and in halves where Qoo10 says that some of them failed."""
        writes = [one.write for one in some]
        if ends.fault is not None:
            ends.stop(writes, ends.fault)
        elif len(some) == 1:
            self._judge(writes, await self._call(writes, ends, some[0].fields, bulk=False), ends)
        elif some:
            fields = goods.bulk_fields([one.fields for one in some])
            written = await self._call(writes, ends, fields, bulk=True)
            if isinstance(written.fault, Refused) and written.fault.code == wire.SOME_FAILED:
                ends.exposed.update(write.key for write in writes)
                await self._send_items(some[: len(some) // 2], ends)
                await self._send_items(some[len(some) // 2 :], ends)
            else:
                self._judge(writes, written, ends)

    async def _call(self, writes: Sequence[Write], ends: _Ends, fields: dict[str, str], *, bulk: bool) -> Written:
        """Make a call; cut off by time, it may have had its effect."""
        try:
            return await self._api.write(SET_ITEMS if bulk else SET_ITEM, fields)
        except asyncio.CancelledError:
            self._unknown(writes, ends)
            raise

    async def _send_row(self, write: Write, item: str, row: Option, ends: _Ends) -> None:
        fields = goods.option_fields(write, item, self._shelf.seller_code(item), row)
        try:
            written = await self._api.write(SET_OPTION, fields)
        except asyncio.CancelledError:
            self._unknown([write], ends)
            raise
        self._judge([write], written, ends)

    def _unknown(self, writes: Sequence[Write], ends: _Ends) -> None:
        ends.exposed.update(write.key for write in writes)
        for write in writes:
            ends.end(write, OutcomeKind.INDETERMINATE, f"no answer within {PUSH_S:g} s")

    def _judge(self, writes: Sequence[Write], written: Written, ends: _Ends) -> None:
        """Note how a call ended for all its writes."""
        fault = written.fault
        if fault is None:
            for write in writes:
                ends.accept(write)
            return
        if written.doubtful:
            ends.exposed.update(write.key for write in writes)
            for write in writes:
                ends.end(write, OutcomeKind.INDETERMINATE, str(fault))
            ends.fault = ends.fault or (None if isinstance(fault, wire.ProcessingFault) else fault)
        elif isinstance(fault, RejectedError):
            for write in writes:
                ends.refuse(write, str(fault))
                self._shelf.forget((goods.target(write.ref) or ("", ""))[0])
        else:
            ends.stop(writes, fault)


def _unsent(fault: TransientError) -> TransientError:
    """Return the fault of a reading as one of a write that was not sent."""
    if isinstance(fault, RateLimited):
        return fault
    return TransientError(str(fault), retry_after_s=fault.retry_after_s, sent=False)


def _is_unsent(outcomes: Iterable[Outcome]) -> bool:
    return all(outcome.kind is OutcomeKind.UNSENT for outcome in outcomes)
