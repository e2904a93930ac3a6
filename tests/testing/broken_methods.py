"""Methods of a memory channel, each with one bug."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from typing import Any

from adapters.memory.channel import MemoryChannel
from adapters.memory.settings import MemorySettings
from syncd.sdk.channel import (
    Context,
    Forged,
    Outcome,
    OutcomeKind,
    RawRequest,
    Seen,
    SubscriptionReport,
    Write,
)
from syncd.sdk.errors import ProtocolError, RejectedError, TransientError
from syncd.sdk.http import Client, Timeouts


async def drops_on_page_two(self: Any, cursor: str | None) -> Any:
    page = await MemoryChannel.orders(self, cursor)
    late = cursor is not None and not cursor.endswith(":0")
    return replace(page, orders=page.orders[1:]) if late and len(page.orders) > 1 else page


async def never_ends(self: Any, cursor: str | None) -> Any:
    page = await MemoryChannel.orders(self, cursor)
    return page if cursor is None else replace(page, cursor=cursor, more=True, complete_until=None)


async def keeps_the_page(self: Any, cursor: str | None) -> Any:
    """Answer a cursor that was read before with nothing."""
    read = self.__dict__.setdefault("read", set())
    page = await MemoryChannel.orders(self, cursor)
    known, _ = cursor in read, read.add(cursor)
    return replace(page, orders=()) if known and page.orders else page


async def skips_changes(self: Any, cursor: str | None) -> Any:
    """Tell each order only once, whatever becomes of it."""
    told = self.__dict__.setdefault("told", {})
    page = await MemoryChannel.orders(self, cursor)
    return replace(page, orders=tuple(told.setdefault(order.order_id, order) for order in page.orders))


async def claims_all(self: Any, writes: Any) -> Any:
    return [Outcome(key=write.key, kind=OutcomeKind.APPLIED) for write in writes]


async def raises_for_a_row(self: Any, writes: Any) -> Any:
    outcomes = await MemoryChannel.push(self, writes)
    if any(outcome.kind is OutcomeKind.REJECTED for outcome in outcomes):
        raise RejectedError("a row was refused")
    return outcomes


async def denies_what_it_does_not_know(self: Any, writes: Any) -> Any:
    outcomes = await MemoryChannel.push(self, writes)
    return [replace(each, kind=OutcomeKind.UNSENT) if _open(each) else each for each in outcomes]


async def claims_what_it_does_not_know(self: Any, writes: Any) -> Any:
    outcomes = await MemoryChannel.push(self, writes)
    return [replace(each, kind=OutcomeKind.APPLIED) if _open(each) else each for each in outcomes]


async def raises_what_it_does_not_know(self: Any, writes: Any) -> Any:
    outcomes = await MemoryChannel.push(self, writes)
    if any(_open(each) for each in outcomes):
        raise TransientError("no answer", sent=True)
    return outcomes


def _open(outcome: Outcome) -> bool:
    return outcome.kind is OutcomeKind.INDETERMINATE


async def tries_again_by_itself(self: Any, writes: Any) -> Any:
    """Send what got no answer again, as if it were another intent."""
    outcomes = await MemoryChannel.push(self, writes)
    for turn in range(5):
        if not any(_open(each) for each in outcomes):
            break
        again = [replace(write, key=f"{write.key}-{turn}") for write in writes]
        outcomes = [replace(each, key=each.key.rpartition("-")[0]) for each in await MemoryChannel.push(self, again)]
    return outcomes


async def pushes_half(self: Any, writes: Any) -> Any:
    done = await MemoryChannel.push(self, writes[:50])
    return done + [Outcome(key=write.key, kind=OutcomeKind.APPLIED) for write in writes[50:]]


async def refuses_the_same(self: Any, writes: Any) -> Any:
    outcomes = await MemoryChannel.push(self, writes)
    same = {write.key for write in writes if write.quantity == write.expected}
    return [replace(each, kind=OutcomeKind.REJECTED) if each.key in same else each for each in outcomes]


async def forgets_keys(self: Any, writes: Any) -> Any:
    """Send every push under new keys, and without a condition when it comes again."""
    known = self.__dict__.setdefault("known", set())
    sent = [replace(write, key=f"{write.key}!{len(known)}", expected=None) for write in writes]
    sent = sent if known & {write.key for write in writes} else list(writes)
    known |= {write.key for write in writes}
    outcomes = await MemoryChannel.push(self, sent)
    return [replace(each, key=each.key.partition("!")[0]) for each in outcomes]


async def guesses_outcomes(self: Any, writes: Any) -> Any:
    try:
        return await MemoryChannel.push(self, writes)
    except TransientError as fault:
        return [Outcome(key=write.key, kind=OutcomeKind.INDETERMINATE, reason=str(fault)) for write in writes]


async def breaks_for_good(self: Any, refs: Any) -> Any:
    if self.__dict__.get("broken"):
        raise TransientError("still broken")
    try:
        return await MemoryChannel.seen(self, refs)
    except (TransientError, ProtocolError):
        self.broken = True
        raise


def trusting(self: Any, request: RawRequest) -> None:
    """Take everything for genuine."""


def strict_for_all(self: Any, request: RawRequest) -> None:
    raise Forged(401, "a wrong signature")


def unauthorized_without(self: Any, request: RawRequest) -> None:
    try:
        MemoryChannel.verify(self, request)
    except Forged as verdict:
        raise Forged(401, str(verdict)) from None


async def subscribes_ever_anew(self: Any, url: str) -> Any:
    turns = self.__dict__.setdefault("turns", count())
    return await MemoryChannel.subscribe(self, f"{url}?turn={next(turns)}")


async def fails_to_subscribe(self: Any, url: str) -> Any:
    return SubscriptionReport(failed=("order",))


def patient(self: Any, settings: MemorySettings, context: Context) -> None:
    MemoryChannel.__init__(self, settings, context)
    self._client = Client(
        context.session,
        base_url=settings.url,
        clock=context.clock,
        random=context.random,
        timeout=Timeouts(total_s=1_000.0),
        user_agent="patient",
        allow_http=True,
    )


async def closes_the_session(self: Any) -> None:
    await self._client._session.close()


async def leaves_a_task(self: Any, cursor: str | None) -> Any:
    self.left = asyncio.get_running_loop().create_task(asyncio.sleep(10.0))
    return await MemoryChannel.orders(self, cursor)


async def skips_open_orders(self: Any, cursor: str | None) -> Any:
    page = await MemoryChannel.orders(self, cursor)
    while cursor is None and page.more:
        page = await MemoryChannel.orders(self, page.cursor)
    return page if cursor is not None else replace(page, orders=())


async def drops_among_open_orders(self: Any, cursor: str | None) -> Any:
    page = await MemoryChannel.orders(self, cursor)
    return replace(page, orders=page.orders[1:]) if (cursor or "").startswith("open:") else page


async def believes_in_now(self: Any, cursor: str | None) -> Any:
    page = await MemoryChannel.orders(self, cursor)
    return page if page.more else replace(page, complete_until=self._clock.now())


async def skips_after_a_failure(self: Any, cursor: str | None) -> Any:
    """Take a page that was asked for in vain for one that was read."""
    try:
        page = await MemoryChannel.orders(self, cursor)
    except (TransientError, ProtocolError):
        self.failed = cursor
        raise
    return replace(page, orders=()) if self.__dict__.get("failed") == cursor else page


async def wants_them_all(self: Any, order_ids: Any) -> Any:
    found = await MemoryChannel.fetch(self, order_ids)
    if len(found) < len(order_ids):
        raise RejectedError("an order is missing")
    return found


async def fetches_what_the_feed_said(self: Any, order_ids: Any) -> Any:
    kept = self.__dict__.setdefault("kept", {})
    for order in await MemoryChannel.fetch(self, order_ids):
        kept.setdefault(order.order_id, order)
    return [kept[order_id] for order_id in order_ids]


async def tells_and_keeps(self: Any, cursor: str | None) -> Any:
    page = await MemoryChannel.orders(self, cursor)
    kept = self.__dict__.setdefault("kept", {})
    kept.update({order.order_id: replace(order, fresh=True) for order in page.orders})
    return page


async def writes_on_reading(self: Any, cursor: str | None) -> Any:
    page = await MemoryChannel.listings(self, cursor)
    ref = page.listings[0].ref
    await MemoryChannel.push(self, [Write(key="on-reading", ref=ref, quantity=1)])
    return page


async def remembers_first_readings(self: Any, refs: Any) -> Any:
    """Answer what was shown at the start, whatever was sold since."""
    readings = await MemoryChannel.seen(self, refs)
    feed = await MemoryChannel.orders(self, "feed:0")
    sold = sum(line.quantity for order in feed.orders for line in order.lines)
    return [replace(reading, quantity=(reading.quantity or 0) + sold) for reading in readings]


async def reads_zero_in_trouble(self: Any, refs: Any) -> Any:
    try:
        return await MemoryChannel.seen(self, refs)
    except (TransientError, ProtocolError):
        now = self._clock.now()
        return [Seen(ref=ref, quantity=0, asked_at=now, answered_at=now) for ref in refs]


async def reads_half_in_bulk(self: Any) -> Any:
    page = await MemoryChannel.listings(self, None)
    refs = [listing.ref for listing in page.listings]

    async def batches() -> AsyncIterator[list[Seen]]:
        yield await MemoryChannel.seen(self, refs)

    return batches()


def alone(self: Any, settings: MemorySettings, context: Context) -> None:
    """Let no second channel be open."""
    if type(self).__dict__.get("taken"):
        raise TransientError("somebody else is connected")
    type(self).taken = True
    MemoryChannel.__init__(self, settings, context)


async def goes(self: Any) -> None:
    type(self).taken = False


def stumbles(self: Any, request: RawRequest) -> Any:
    raise IndexError(len(request.body))


async def offers_until_it_answers(self: Any, request: Any) -> Any:
    """Ask for a new private sale for each answer that got lost."""
    numbers = count()
    while True:
        try:
            return await MemoryChannel.make_offer(self, replace(request, key=f"{request.key}x{next(numbers)}"))
        except TransientError:
            continue


async def offers_and_denies(self: Any, request: Any) -> Any:
    """Say of a lost answer that nothing was sent."""
    try:
        return await MemoryChannel.make_offer(self, request)
    except TransientError as error:
        raise TransientError(str(error), sent=False) from None
