"""Memory channels with one planted bug each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from adapters.memory import ADAPTER
from adapters.memory.channel import MemoryChannel
from adapters.memory.settings import MemorySettings
from adapters.memory.simulator import Habits, MemorySimulator
from syncd.sdk.channel import (
    Adapter,
    Clock,
    Context,
    OrderSnapshot,
    Outcome,
    OutcomeKind,
    RawRequest,
    Seen,
    Span,
    Write,
    WriteMode,
)
from syncd.sdk.errors import RejectedError, TransientError
from syncd.sdk.features import OfferRequest
from syncd.testing.conformance import Kit

LATE = Habits(feed_lateness_s=(0.0, 90.0), precision_s=7.0, restore_s=(0.0, 60.0), page=7)


SHORT_PAGES = Habits(page=7)


Method = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One bug: the methods of a memory channel that it replaces, and the world in which it shows."""

    methods: dict[str, Any]
    habits: Habits = field(default_factory=Habits)
    write_mode: WriteMode = WriteMode.COMPARE_AND_SET
    settings: type[MemorySettings] = MemorySettings
    skus: int = 60
    orders: int = 20
    private_sales: bool = False

    def kit(self) -> Kit:
        """Return a kit around the broken channel."""
        return Kit(adapter=self._adapter(), make=self._make, many=self.skus, orders=self.orders, time_scale=1.0)

    def _make(self, *, skus: int, seed: int, clock: Clock) -> MemorySimulator:
        return MemorySimulator(
            skus=skus,
            seed=seed,
            clock=clock,
            habits=self.habits,
            write_mode=self.write_mode,
            private_sales=self.private_sales,
        )

    def _adapter(self) -> Adapter:
        kind = type("Broken", (MemoryChannel,), self.methods)

        @asynccontextmanager
        async def opened(settings: MemorySettings, context: Context) -> AsyncIterator[Any]:
            channel = kind(settings, context)
            yield channel
            await channel.close() if hasattr(channel, "close") else None

        return replace(ADAPTER, open=opened, settings=self.settings)


def after(name: str, change: Callable[[Any], Any]) -> dict[str, Method]:
    """Replace a method by one that changes its answer."""
    original = getattr(MemoryChannel, name)

    async def changed(self: MemoryChannel, *args: Any) -> Any:
        return change(await original(self, *args))

    return {name: changed}


def orders_with(change: Callable[[OrderSnapshot], OrderSnapshot]) -> dict[str, Method]:
    """Replace what the feed says of each order."""
    return after("orders", lambda page: replace(page, orders=tuple(change(order) for order in page.orders)))


def lines_with(**values: Any) -> dict[str, Method]:
    """Replace fields of every line that the feed tells."""
    return orders_with(lambda order: replace(order, lines=tuple(replace(line, **values) for line in order.lines)))


def listings_with(change: Callable[[Any], Any]) -> dict[str, Method]:
    """Replace the rows of the catalogue."""
    return after("listings", lambda page: replace(page, listings=tuple(change(page.listings))))


def renumbered(counter: count[int]) -> Callable[[OrderSnapshot], OrderSnapshot]:
    return lambda order: replace(order, amount=str(next(counter)))


def pushes_as(change: Callable[[Write], Write]) -> dict[str, Method]:
    """Replace every write that is sent."""

    async def push(self: Any, writes: Any) -> Any:
        return await MemoryChannel.push(self, [change(write) for write in writes])

    return {"push": push}


def made_conditional(write: Write) -> Write:
    """Let no write pass without a condition."""
    return write if write.expected is not None else replace(write, expected=1_000)


def readings_with(change: Callable[[Seen], Seen]) -> dict[str, Method]:
    """Replace every reading."""
    return after("seen", lambda seen: [change(reading) for reading in seen])


def always(name: str, value: Any) -> dict[str, Method]:
    """Replace a method by one that answers the same whatever it is asked."""

    async def changed(_self: Any, *_args: Any) -> Any:
        return value

    return {name: changed}


def offered_with(**changes: Any) -> dict[str, Method]:
    """Ask for another private sale than was wanted."""

    async def changed(self: MemoryChannel, request: OfferRequest) -> Any:
        return await MemoryChannel.make_offer(self, replace(request, **changes))

    return {"make_offer": changed}


def instead(name: str, kind: type[Exception], then: Callable[[], Any]) -> dict[str, Method]:
    """Replace an error of a method."""
    original = getattr(MemoryChannel, name)

    async def changed(self: Any, *args: Any) -> Any:
        try:
            return await original(self, *args)
        except kind:
            result = then()
            if isinstance(result, Exception):
                raise result from None
            return result

    return {name: changed}


def parsed_with(change: Callable[[Any, Any], Any]) -> dict[str, Method]:
    """Replace what a webhook means."""

    def parse(self: Any, request: RawRequest) -> Any:
        return change(MemoryChannel.parse(self, request), request)

    return {"parse": parse}


def printing(name: str) -> dict[str, Method]:
    """Put a secret of the settings into the text of errors."""
    original: Callable[..., Awaitable[Any]] = getattr(MemoryChannel, name)

    async def changed(self: Any, *args: Any) -> Any:
        try:
            return await original(self, *args)
        except TransientError as fault:
            raise TransientError(f"{fault}: {self._settings.token.reveal()}", sent=fault.sent) from None

    return {name: changed}


def with_profile(**values: Any) -> dict[str, Any]:
    """Replace what the profile says."""
    return {"profile": property(lambda self: replace(MemoryChannel.profile.fget(self), **values))}


def changing_profile() -> dict[str, Any]:
    turns = count(1)
    return {"profile": property(lambda self: replace(MemoryChannel.profile.fget(self), max_seen=next(turns)))}


def narrow(order: OrderSnapshot) -> OrderSnapshot:
    """Take a coarse time for an exact one."""
    span = Span(earliest=order.ordered_at, latest=order.ordered_at)
    return replace(order, lines=tuple(replace(line, take=span) for line in order.lines))


def refusing_nothing(name: str) -> dict[str, Method]:
    """Let a method fail when it is given nothing."""
    original = getattr(MemoryChannel, name)

    async def changed(self: Any, rows: Any) -> Any:
        if not rows:
            raise RejectedError("nothing was given")
        return await original(self, rows)

    return {name: changed}


class LoudSettings(MemorySettings):
    """Prints its secrets."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"LoudSettings({self.token.reveal()})"


def all_applied(outcomes: list[Outcome]) -> list[Outcome]:
    return [Outcome(key=each.key, kind=OutcomeKind.APPLIED) for each in outcomes]


def moving(counter: count[int]) -> Callable[[Any], Any]:
    """Give every listing another id at each reading."""

    def moved(rows: Any) -> Any:
        mark = next(counter)
        return tuple(replace(row, ref=replace(row.ref, remote_id=f"{row.ref.remote_id}-{mark}")) for row in rows)

    return moved


def rekeyed(counter: count[int]) -> Callable[[Any, Any], Any]:
    return lambda notice, _: replace(notice, dedupe_key=f"{next(counter)}")
