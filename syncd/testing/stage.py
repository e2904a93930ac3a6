"""Where a conformance case plays: a served simulator, the adapter opened on it, and a clock that can leap."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self, TypeVar, get_args, get_type_hints
from unittest import SkipTest

import aiohttp
import msgspec

from syncd.core.terms import AccountId, ListingInfo, ListingRef, OrderSnapshot, Seen
from syncd.sdk.channel import Adapter, Channel, Context, Profile, SimulatorFactory
from syncd.sdk.desk import DeskAdapter
from syncd.sdk.errors import ChannelError, ProtocolError
from syncd.sdk.loop_clock import LoopClock
from syncd.sdk.secret import Secret
from syncd.testing.clock import START, LeapingClock
from syncd.testing.faults import Faults
from syncd.testing.loop import VirtualLoop
from syncd.testing.simulators import Applied, By, Receipt, Shown, Simulator, connector, serve
from syncd.testing.trade import CANARY_LINK

T = TypeVar("T")

MOST_PAGES = 1_000
"""Pages after which a scan or a catalogue is taken to have no end."""
LOOKS = 16
"""How often a case looks again for something that may come late."""
STEP_S = 0.02
RECOVERY_S = 120.0
"""How much time passes after faults, so that limits and penalties are over."""
_SHORTEST_SECRET = 4


class NotApplicable(SkipTest):
    """The case asks for something that this channel or simulator does not have; pytest takes it for a skip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a case needs: the adapter and its simulator.

    `many` is how many goods a case has that wants more than one page of them, and `orders` how many orders.
    `time_scale` shortens the simulator's own delays.
    """

    adapter: Adapter
    make: SimulatorFactory
    seed: int = 1
    many: int = 300
    orders: int = 60
    time_scale: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan of the order feed to its end."""

    orders: tuple[OrderSnapshot, ...]
    cursor: str
    complete_until: int | None
    pages: int


def hold(condition: object, sentence: str) -> None:
    """Raise `AssertionError` with the sentence unless the condition holds."""
    if not condition:
        raise AssertionError(sentence)


def is_virtual() -> bool:
    """Say whether this runs in virtual time, where waiting costs nothing."""
    return isinstance(asyncio.get_running_loop(), VirtualLoop)


@dataclass(slots=True, kw_only=True, eq=False)
class Stage:
    """One case's world. `given` are the adapter's settings as they stand in TOML."""

    kit: Kit
    simulator: Simulator
    channel: Channel
    context: Context
    clock: LeapingClock
    given: Mapping[str, Any]
    server: AsyncExitStack
    said: list[str] = field(default_factory=list)

    @property
    def profile(self) -> Profile:
        """Return the channel's profile."""
        return self.channel.profile

    # --- time and trouble ---

    async def wait(self, seconds: float) -> None:
        """Let time pass, and a moment for what runs beside."""
        self.clock.advance(seconds)
        await asyncio.sleep(STEP_S)

    async def comes_true(self, check: Callable[[], Awaitable[object]], sentence: str, *, within_s: float) -> None:
        """Look until the check holds; raise `AssertionError` with the sentence when it does not within that time."""
        for _ in range(LOOKS):
            if await check():
                return
            await self.wait(within_s / (LOOKS - 2))
        raise AssertionError(sentence)

    def trouble(self, **rates: float) -> None:
        """Let the simulator do these things wrong, and no others."""
        self.simulator.faults = Faults(**rates)

    async def calm(self) -> None:
        """End all faults, and let limits recover and late effects come."""
        self.trouble()
        await self.wait(RECOVERY_S + self.profile.effect_delay_s + self.profile.visibility_delay_s)

    async def stop_server(self) -> None:
        """Let nobody listen any more."""
        await self.server.aclose()

    async def attempt(self, call: Awaitable[T]) -> T | ChannelError:
        """Return what a call answers, or the error of a channel that it raises; other errors pass."""
        try:
            return await call
        except ChannelError as error:
            self.said += [str(error), repr(error)]
            if isinstance(error, ProtocolError):
                self.said.append(error.sample)
            return error

    # --- reading ---

    async def scan(self, cursor: str | None) -> Scan:
        """Read the feed from a cursor to its end."""
        orders: list[OrderSnapshot] = []
        for number in range(1, MOST_PAGES + 1):
            page = await self.channel.orders(cursor)
            orders += page.orders
            if not page.more:
                return Scan(orders=tuple(orders), cursor=page.cursor, complete_until=page.complete_until, pages=number)
            hold(page.complete_until is None, "a page that is not the last one says that the scan is complete")
            hold(page.cursor != cursor, "a page that is not the last one has the cursor that it was asked with")
            cursor = page.cursor
        raise AssertionError(f"the feed has no end within {MOST_PAGES} pages")

    async def told(
        self, receipt: Receipt, since: str, that: Callable[[OrderSnapshot], bool] = lambda _: True
    ) -> OrderSnapshot:
        """Read the feed from a cursor until it tells of an order, in a state that fits; return the newest snapshot."""
        found: list[OrderSnapshot] = []

        async def look() -> bool:
            scan = await self.scan(since)
            found[:] = [order for order in scan.orders if order.number == receipt.number and that(order)]
            return bool(found)

        sentence = f"the feed did not tell of order {receipt.number}, or not of what became of it"
        await self.comes_true(look, sentence, within_s=self.profile.feed_lateness_s + 1.0)
        return max(found, key=lambda order: order.version or 0)

    async def all_told(self, receipts: Sequence[Receipt], since: str | None) -> list[OrderSnapshot]:
        """Scan from a cursor until one scan tells of all these orders; return what it told of them."""
        wanted = {receipt.number for receipt in receipts}
        found: list[OrderSnapshot] = []

        async def look() -> bool:
            found[:] = [order for order in (await self.scan(since)).orders if order.number in wanted]
            return wanted == {order.number for order in found}

        sentence = f"of {len(wanted)} orders some are not told"
        await self.comes_true(look, sentence, within_s=self.profile.feed_lateness_s + 1.0)
        return found

    async def start(self) -> str:
        """Read the feed to its end and return where it goes on."""
        return (await self.scan(None)).cursor

    async def catalogue(self) -> list[ListingInfo]:
        """Read the whole catalogue."""
        found: list[ListingInfo] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await self.channel.listings(cursor)
            found += page.listings
            cursor = page.cursor
            if cursor is None:
                return found
        raise AssertionError(f"the catalogue has no end within {MOST_PAGES} pages")

    async def numbers(self, refs: Sequence[ListingRef]) -> list[int | None]:
        """Read what listings show."""
        return [reading.quantity for reading in await self.channel.seen(refs)]

    # --- the truth, from behind ---

    def changes(self, by: By) -> list[Applied]:
        """Return the changes of numbers so far that somebody made."""
        self.simulator.settle()
        return [entry for entry in self.simulator.log if entry.by is by]

    def truth(self, ref: ListingRef) -> int:
        """Return what the simulator shows shoppers."""
        return next(shown.quantity for shown in self.simulator.shown() if shown.ref == ref)

    def goods(self, number: int) -> list[Shown]:
        """Return the first so many listings."""
        return self.simulator.shown()[:number]

    def secrets(self) -> list[str]:
        """Return the values of the adapter's secrets."""
        values = [str(self.given.get(name, "")) for name in secret_names(self.kit.adapter)]
        return [value for value in values if len(value) >= _SHORTEST_SECRET]

    def tells_nothing(self, texts: Sequence[str], what: str) -> None:
        """Hold that texts have neither a secret nor a buyer's data in them, links of private sales among them."""
        words = [*self.secrets(), *self.simulator.canaries, CANARY_LINK]
        for text in texts:
            found = [word for word in words if word.lower() in text.lower()]
            hold(not found, f"{what} holds a secret or a buyer's data")


def secret_names(adapter: Adapter | DeskAdapter) -> list[str]:
    """Return the settings that are secrets."""
    hints = get_type_hints(adapter.settings)
    return [name for name, hint in hints.items() if hint is Secret or Secret in get_args(hint)]


def settings_of(adapter: Adapter | DeskAdapter, given: Mapping[str, Any]) -> Any:
    """Make an adapter's settings from what stands in TOML; raises `msgspec.ValidationError` for what does not fit."""
    return msgspec.convert(dict(given), adapter.settings, dec_hook=_secret)


def _secret(kind: type[Any], value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError(f"a {kind.__name__} cannot be made of a {type(value).__name__}")


def plain(value: object) -> str:
    """Return everything that a value says, as a text to search in."""
    return msgspec.json.encode(value).decode()


def span_holds(earliest: int, latest: int | None, *, low: int, high: int) -> bool:
    """Say whether a span has something in common with the time from `low` to `high`."""
    return earliest <= high and (latest is None or latest >= low)


def during(seen: Seen, *, low: int, high: int) -> bool:
    """Say whether a reading was made in this time, as its own times tell."""
    return low <= seen.asked_at <= seen.answered_at <= high


@asynccontextmanager
async def staged(kit: Kit, *, skus: int) -> AsyncIterator[Stage]:
    """Serve a simulator and open the adapter on it; at the end hold that nothing secret was said."""
    clock = LeapingClock(LoopClock(asyncio.get_running_loop(), START))
    simulator: Simulator = kit.make(skus=skus, seed=kit.seed, clock=clock)
    simulator.time_scale = kit.time_scale
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(AsyncExitStack())
        url = await server.enter_async_context(serve(simulator))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector()))
        given = simulator.settings(url)
        context = _context(session, clock)
        channel = await stack.enter_async_context(kit.adapter.open(settings_of(kit.adapter, given), context))
        heard = stack.enter_context(Ear())
        stage = Stage(
            kit=kit, simulator=simulator, channel=channel, context=context, clock=clock, given=given, server=server
        )
        yield stage
        stage.tells_nothing(stage.said, "an error")
        stage.tells_nothing(heard.texts, "the log")


def _context(session: aiohttp.ClientSession, clock: LeapingClock) -> Context:
    numbers = count(1)
    return Context(
        account=AccountId("conformance"),
        session=session,
        clock=clock,
        uuid=lambda: uuid(next(numbers)),
        random=lambda: 0.0,
    )


def uuid(number: int) -> str:
    """Return a UUID text, version 7 in form, made of a number."""
    return f"{START // 1000:012x}"[:8] + f"-{START // 1000 & 0xFFFF:04x}-7000-8000-{number:012x}"


class Ear(logging.Handler):
    """Hears what is logged while a case plays."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a record says."""
        self.texts.append(self.format(record))

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
