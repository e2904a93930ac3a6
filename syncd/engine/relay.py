"""The relay: brings what waits in the outbox to one sink, at least once, in order per key.

A sink that is down is asked again with growing waits; nothing is lost, for what was not delivered stays in the table.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from syncd.core.retry import RetryRule, delay_s
from syncd.log import logger
from syncd.sdk.channel import Clock
from syncd.sdk.errors import ChannelError, TransientError
from syncd.store import outbox
from syncd.store.outbox import Waiting
from syncd.store.session import Store

BATCH: Final = 500
"""Most events in one delivery."""

POLL_S: Final = 5.0
"""Longest rest without a hint: a lost hint costs this much time."""

DELIVER_S: Final = 120.0
"""Longest time that one delivery may take."""

REFUSED_S: Final = 60.0
"""Wait after a refusal that only a person can mend."""

MOST_BLOCKED: Final = 1_000
"""Most keys that one sweep goes around before it rests."""

RULE: Final = RetryRule(first_s=1.0, factor=2.0, most_s=30.0, jitter=0.5)

_log = logger("relay")


class Sink(Protocol):
    """Where events go."""

    @property
    def name(self) -> str:
        """Return the name that outbox rows carry."""

    async def deliver(self, batch: Sequence[Waiting]) -> Sequence[int]:
        """Deliver in order and return the ids that arrived.

        Raises `TransientError` when none did, `AuthError` and other errors of `ChannelError` when a person must act.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """What is sent of a page of the outbox; `covers` names the older states that a newer one of its key replaces."""

    events: tuple[Waiting, ...]
    covers: Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """How a flight ended: ids that are done with, and keys whose later events have to wait."""

    done: tuple[int, ...]
    blocked: frozenset[str]


def board(page: Sequence[Waiting], *, blocked: Collection[str]) -> Flight:
    """Choose what to send: nothing of a blocked key, and of the states of a key only the newest."""
    free = [event for event in page if event.key not in blocked]
    states: defaultdict[str, list[int]] = defaultdict(list)
    for event in free:
        if event.type == outbox.STATE:
            states[event.key].append(event.id)
    covers = {ids[-1]: tuple(ids[:-1]) for ids in states.values()}
    return Flight(events=tuple(e for e in free if e.type != outbox.STATE or e.id in covers), covers=covers)


def land(flight: Flight, *, delivered: Collection[int]) -> Landing:
    """Judge a delivery: behind the first event of a key that did not arrive, nothing of that key counts as told."""
    arrived = frozenset(delivered)
    done: list[int] = []
    blocked: set[str] = set()
    for event in flight.events:
        if event.key in blocked or event.id not in arrived:
            blocked.add(event.key)
        else:
            done += [*flight.covers.get(event.id, ()), event.id]
    return Landing(done=tuple(done), blocked=frozenset(blocked))


class Relay:
    """The loop that serves one sink. `hint` is its own event: set it after a commit that added rows for this sink.

    `trouble` says why the sink does not take events at the moment, `""` while it does.
    """

    def __init__(
        self,
        store: Store,
        *,
        sink: Sink,
        clock: Clock,
        random: Callable[[], float],
        hint: asyncio.Event,
        rule: RetryRule = RULE,
    ) -> None:
        self._store = store
        self._sink = sink
        self._clock = clock
        self._random = random
        self._hint = hint
        self._rule = rule
        self._attempts = 0
        self._failure: type[ChannelError] | None = None
        self.trouble = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; the batch under way is finished first."""
        async with asyncio.TaskGroup() as group:
            waker = group.create_task(self._wake_at(stop), name=f"relay.{self._sink.name}.stop")
            while not stop.is_set():
                self._hint.clear()
                wait_s = await self._sweep(stop)
                await _rest(wait_s, until=stop if self.trouble else self._hint)
            waker.cancel()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._hint.set()

    async def _sweep(self, stop: asyncio.Event) -> float:
        """Send page after page of what waits; return the seconds to rest."""
        after_id = 0
        blocked: frozenset[str] = frozenset()
        while not stop.is_set() and len(blocked) <= MOST_BLOCKED:
            try:
                page = await self._page(after_id)
                blocked |= await self._send(board(page, blocked=blocked))
            except ChannelError as error:
                if stop.is_set():
                    return 0.0  # the sink is ending as well: nothing to tell
                return self._down(error)
            if len(page) < BATCH:
                break
            after_id = page[-1].id
        if blocked:
            return self._down(TransientError(f"events of {len(blocked)} keys were not taken"))
        return self._up()

    async def _page(self, after_id: int) -> list[Waiting]:
        name = self._sink.name
        return await self._store.read(lambda conn: outbox.waiting(conn, name, after_id=after_id, limit=BATCH))

    async def _send(self, flight: Flight) -> frozenset[str]:
        """Deliver, mark what arrived, and return the keys that are blocked."""
        if not flight.events:
            return frozenset()
        landing = land(flight, delivered=await self._deliver(flight.events))
        now = self._clock.now()
        if landing.done:
            self._attempts = 0
            await self._store.write(lambda conn: outbox.mark_delivered(conn, landing.done, now=now))
        return landing.blocked

    async def _deliver(self, events: Sequence[Waiting]) -> Sequence[int]:
        try:
            async with asyncio.timeout(DELIVER_S):
                return await self._sink.deliver(events)
        except TimeoutError:
            raise TransientError(f"no end of a delivery within {DELIVER_S:.0f} s") from None

    def _down(self, error: ChannelError) -> float:
        """Say once that the sink fails in this way; return the seconds to wait."""
        self._attempts += 1
        self.trouble = str(error)
        if type(error) is not self._failure:
            self._failure = type(error)
            _log.warning("relay.down", sink=self._sink.name, failure=type(error).__name__, reason=self.trouble)
        if not isinstance(error, TransientError):
            return REFUSED_S
        draw = self._random()
        return delay_s(self._attempts, rule=self._rule, retry_after_s=error.retry_after_s, draw=draw)

    def _up(self) -> float:
        """Say once that the sink takes events again, if it did not before; return the seconds to rest."""
        if self._failure is not None:
            _log.info("relay.up", sink=self._sink.name)
            self._failure = None
        self._attempts = 0
        self.trouble = ""
        return POLL_S


async def _rest(wait_s: float, *, until: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await until.wait()
