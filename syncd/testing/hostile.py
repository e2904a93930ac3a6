"""A wrapper that makes any open channel slow, lossy, doubled, cut after effect: all within a channel's contract."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from syncd.core.terms import SECOND_US, ListingRef, OrderSnapshot, Outcome, OutcomeKind, Seen, Write
from syncd.sdk.channel import Channel, ListingPage, OrderPage, Profile
from syncd.sdk.errors import ProtocolError, TransientError
from syncd.testing.chance import SeededRandom

T = TypeVar("T")

MOST_REMEMBERED = 10_000
"""Readings and orders that are kept to be answered again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostility:
    """How hostile: rates in [0, 1] per call, or per row where it says so; `_s` are seconds.

    `slow_s`: a call takes up to so much longer, before and after its effect. `lossy`: fails before any effect.
    `cut_after_effect`: has its effect, and its answer is lost. `doubled`: orders come twice, also as they were before,
    and pages again. `disordered`: orders of a page change places. `stale`, per reading: an earlier number, at most
    `stale_s` old; the profile says so. `partial`, per write: its outcome is not known, half of those were not sent at
    all. `html`: the answer is a web page; the channel is then paused, so it is off unless asked for.
    """

    slow_s: float = 2.0
    lossy: float = 0.1
    cut_after_effect: float = 0.1
    doubled: float = 0.2
    disordered: float = 0.5
    stale: float = 0.1
    stale_s: float = 10.0
    partial: float = 0.1
    html: float = 0.0


CALM = Hostility(
    slow_s=0.0, lossy=0.0, cut_after_effect=0.0, doubled=0.0, disordered=0.0, stale=0.0, partial=0.0, html=0.0
)


class Hostile:
    """A `Channel` around another one; features of the other one are passed through."""

    def __init__(self, channel: Channel, *, seed: int, hostility: Hostility = Hostility()) -> None:
        self._channel = channel
        self._random = SeededRandom(seed)
        self._stale_s = hostility.stale_s if hostility.stale else 0.0
        self._slow_s = hostility.slow_s
        self.hostility = hostility
        self._last_page: OrderPage | None = None
        self._orders: dict[str, OrderSnapshot] = {}
        self._seen: dict[ListingRef, Seen] = {}
        self._pass_features_through()

    def _pass_features_through(self) -> None:
        # Set on the instance: features are asked by type, and such a question does not look behind __getattr__.
        for name in dir(self._channel):
            if not name.startswith("_") and not hasattr(type(self), name):
                setattr(self, name, getattr(self._channel, name))

    def calm(self) -> None:
        """End all faults. The profile stays as wide as it was."""
        self.hostility = CALM

    @property
    def profile(self) -> Profile:
        """Return the profile of the other channel, wider by how old its readings may now be."""
        inner = self._channel.profile
        return replace(
            inner,
            staleness_s=inner.staleness_s + self._stale_s,
            visibility_delay_s=inner.visibility_delay_s + self._stale_s,
            effect_delay_s=inner.effect_delay_s + 2 * self._slow_s,
        )

    async def orders(self, cursor: str | None) -> OrderPage:
        """Read a page, or the one before once more, or one with doubles in any order."""
        again = self._last_page
        if again is not None and cursor == again.cursor and self._random.happens(self.hostility.doubled):
            self._last_page = None
            return replace(again, more=True, complete_until=None)
        page = await self._troubled(lambda: self._channel.orders(cursor))
        self._last_page = page
        return replace(page, orders=tuple(self._mixed(page.orders)))

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read orders, in any order."""
        return self._shuffled(await self._troubled(lambda: self._channel.fetch(order_ids)))

    async def listings(self, cursor: str | None) -> ListingPage:
        """Read a page of the catalogue."""
        return await self._troubled(lambda: self._channel.listings(cursor))

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what is shown, or was shown a while ago."""
        fresh = await self._troubled(lambda: self._channel.seen(refs))
        return [self._remembered(reading) for reading in fresh]

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Write, and lose sight of how it ended."""
        unsent = {write.key for write in writes if self._random.happens(self.hostility.partial / 2)}
        sent = [write for write in writes if write.key not in unsent]
        try:
            outcomes = await self._troubled(lambda: self._channel.push(sent))
        except _CutError:
            return [_unknown(write) for write in writes]
        known = {outcome.key: outcome for outcome in outcomes if not self._random.happens(self.hostility.partial / 2)}
        return [known.get(write.key) or _unknown(write) for write in writes]

    # --- how ---

    async def _troubled(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call late, fail it before its effect, or lose its answer."""
        await self._dawdle()
        self._fail()
        answer = await call()
        await self._dawdle()
        if self._random.happens(self.hostility.cut_after_effect):
            raise _CutError("the connection broke", sent=True)
        return answer

    async def _dawdle(self) -> None:
        await asyncio.sleep(self._random.between(0.0, self.hostility.slow_s))

    def _fail(self) -> None:
        if self._random.happens(self.hostility.lossy):
            raise TransientError("no connection", sent=False)
        if self._random.happens(self.hostility.html):
            raise ProtocolError("a web page came where json was expected", sample="<html>")

    def _mixed(self, orders: Sequence[OrderSnapshot]) -> list[OrderSnapshot]:
        """Add some of the orders again, as they are and as they once were, and change their places."""
        doubles = [order for order in orders if self._random.happens(self.hostility.doubled)]
        once = [self._orders[order.order_id] for order in doubles if order.order_id in self._orders]
        for order in orders:
            _remember(self._orders, order.order_id, order)
        return self._shuffled([*orders, *doubles, *once])

    def _shuffled(self, orders: Sequence[OrderSnapshot]) -> list[OrderSnapshot]:
        mixed = list(orders)
        if self._random.happens(self.hostility.disordered):
            self._random.shuffle(mixed)
        return mixed

    def _remembered(self, fresh: Seen) -> Seen:
        earlier = self._seen.get(fresh.ref)
        oldest = fresh.asked_at - round(self.hostility.stale_s * SECOND_US)
        if earlier is not None and earlier.asked_at >= oldest and self._random.happens(self.hostility.stale):
            return replace(fresh, quantity=earlier.quantity, active=earlier.active)
        _remember(self._seen, fresh.ref, fresh)
        return fresh


class _CutError(TransientError):
    """The answer is lost."""


def _unknown(write: Write) -> Outcome:
    return Outcome(key=write.key, kind=OutcomeKind.INDETERMINATE, reason="the connection broke")


def _remember(kept: dict[Any, Any], key: object, value: object) -> None:
    kept[key] = value
    if len(kept) > MOST_REMEMBERED:
        del kept[next(iter(kept))]
