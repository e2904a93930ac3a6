"""The open channel accounts: who is there, how each is treated, and whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
import structlog

from syncd.core.conduct import Finding
from syncd.core.exposure import FIELDS, Exposure, Policy
from syncd.core.retry import RetryRule, delay_s
from syncd.core.season import Season
from syncd.core.terms import SECOND_US, AccountId, Instant, Location
from syncd.engine.rules import DAY_US, Rules, pace_of
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.sdk.channel import Adapter, Channel, Clock, Context
from syncd.sdk.errors import AuthError, ChannelError, NoTurn, ProtocolError, TransientError
from syncd.sdk.features import HealthFigure, Key, PreorderDates, PurchaseLimit, Visibility
from syncd.settings import ChannelSettings, PolicyDefaults, Settings
from syncd.settings.windows import Window, end_of, read_season, read_window
from syncd.store.session import StoreBusy, StoreFull

AUTH_WAIT_S = 60.0
"""How long a channel is left alone after it refused our credentials."""
CALL_S = 180.0
"""Longest wait for one call of an adapter that reads; its own timeouts are shorter."""
MOST_TURN_S = 60.0
"""Longest rest of a loop whose kind of call has no turn, before it looks again."""

_log = structlog.get_logger("syncd.channels")
_RETRY = RetryRule(first_s=0.5, factor=2.0, most_s=60.0)


class Ending(TransientError):  # noqa: N818  (a verdict, not a fault)
    """syncd ends while a channel was to be left alone: it is not asked any more."""

    def __init__(self) -> None:
        super().__init__("syncd is ending", sent=False)


@dataclass(slots=True, kw_only=True)
class Pulse:
    """Whether a channel answers. Down is said once, up once.

    `windows` are announced maintenance: the channel is left alone then, and a failure does not make it down. `ending`
    is set when nobody may wait any more.
    """

    account: AccountId
    clock: Clock
    random: Callable[[], float]
    report: Callable[[AccountId, str], None]
    windows: tuple[Window, ...] = ()
    failures: int = 0
    reason: str = ""
    held_until: float = 0.0
    down_since: Instant | None = None
    ending: asyncio.Event | None = None

    @property
    def maintenance_until(self) -> Instant | None:
        """Return when the announced maintenance ends that the channel is in, None outside of one."""
        return end_of(self.windows, self.clock.now()) if self.windows else None

    @property
    def until(self) -> float:
        """Return when the channel may be asked again (monotonic)."""
        end = self.maintenance_until
        if end is None:
            return self.held_until
        return max(self.held_until, self.clock.monotonic() + (end - self.clock.now()) / SECOND_US)

    @until.setter
    def until(self, moment: float) -> None:
        self.held_until = moment

    def failed(self, error: ChannelError) -> None:
        """Take a failure: the channel is left alone for a while that grows."""
        if isinstance(error, Ending) or self.maintenance_until is not None:
            return
        self.failures += 1
        asked = error.retry_after_s if isinstance(error, TransientError) else None
        wait = delay_s(self.failures, rule=_RETRY, retry_after_s=asked, draw=self.random())
        if isinstance(error, AuthError):
            wait = max(wait, AUTH_WAIT_S)
        self.held_until = max(self.held_until, self.clock.monotonic() + wait)
        grave = isinstance(error, AuthError | ProtocolError) or self.failures >= _DOWN_AFTER
        if self.down_since is None and grave:
            self.down_since, self.reason = self.clock.now(), f"{type(error).__name__}: {error}"
            sample = error.sample if isinstance(error, ProtocolError) else ""
            _log.warning("channel.down", account=self.account, reason=self.reason, sample=sample)
            self.report(self.account, self.reason)

    def answered(self) -> None:
        """Take a success."""
        self.failures = 0
        self.held_until = 0.0
        if self.down_since is not None:
            seconds = (self.clock.now() - self.down_since) / SECOND_US
            _log.info("channel.up", account=self.account, down_s=round(seconds, 1))
            self.down_since, self.reason = None, ""
            self.report(self.account, "")

    async def ready(self) -> None:
        """Wait until the channel may be asked; raises Ending where syncd ends before that."""
        while (left := self.until - self.clock.monotonic()) > 0:
            await self._wait(left)
            if self.ending is None:
                return
            if self.ending.is_set():
                raise Ending

    async def turn(self, error: NoTurn) -> None:
        """Wait until a kind of call may have a turn again; who makes other calls does not wait."""
        await self._wait(min(error.retry_after_s or 0.0, MOST_TURN_S))

    async def _wait(self, seconds: float) -> None:
        if self.ending is None:
            await asyncio.sleep(seconds)
        else:
            await nap(seconds, self.ending)


_DOWN_AFTER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How the channel judged the shop when it was asked last; `reason` says why it could not be asked."""

    asked_at: Instant
    figures: tuple[HealthFigure, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How the shop's own cancels stood by the channel's rules when the ledger was asked last."""

    at: Instant
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDate:
    """An order that was given no ship-by date, and why."""

    order_id: str
    number: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Account:
    """An open account. The events are hints to look: for writes, reads, orders by id or by the feed, private sales.

    `keys`, `judgement`, `conduct` and `undated` are what its own loops found last, for people.
    """

    name: AccountId
    channel: Channel
    rules: Rules
    settings: ChannelSettings
    pulse: Pulse
    writes: asyncio.Event = field(default_factory=asyncio.Event)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    fetches: asyncio.Event = field(default_factory=asyncio.Event)
    orders: asyncio.Event = field(default_factory=asyncio.Event)
    offers: asyncio.Event = field(default_factory=asyncio.Event)
    keys: tuple[Key, ...] = ()
    judgement: Judgement | None = None
    conduct: Conduct | None = None
    undated: tuple[NoDate, ...] = ()

    def wake(self, hint: Hint) -> None:
        """Hint that something may be due."""
        match hint:
            case Hint.WRITE:
                self.writes.set()
            case Hint.READ:
                self.reads.set()
            case Hint.FETCH:
                self.fetches.set()
            case Hint.OFFER:
                self.offers.set()
            case Hint.TELL | Hint.SERVE:
                pass


def pulse_of(
    settings: ChannelSettings,
    *,
    clock: Clock,
    random: Callable[[], float],
    report: Callable[[AccountId, str], None],
) -> Pulse:
    """Return the pulse of an account that has not been asked yet."""
    windows = tuple(read_window(text) for text in settings.maintenance)
    return Pulse(account=settings.name, clock=clock, random=random, report=report, windows=windows)


class Answering(Protocol):
    """Somebody who is asked over the network, and answers or not."""

    pulse: Pulse


async def guarded(account: Answering, work: Callable[[], Awaitable[int]]) -> int:
    """Do one round of reading a channel once it may be asked; return how much there was, 0 where it failed.

    A failure slows the channel, a budget without a turn only this kind of call. A round that found nothing to ask for
    says nothing of the channel. Raises what the store raises.
    """
    try:
        await account.pulse.ready()
        found = await work()
    except (StoreBusy, StoreFull):
        raise
    except NoTurn as error:
        await account.pulse.turn(error)
        return 0
    except ChannelError as error:
        account.pulse.failed(error)
        return 0
    except TimeoutError:
        account.pulse.failed(TransientError(f"no answer to a call within {CALL_S:.0f} s"))
        return 0
    if found:
        account.pulse.answered()
    return found


Roster = dict[AccountId, Account]


def rules_of(settings: ChannelSettings, channel: Channel, defaults: PolicyDefaults) -> Rules:
    """Return how an account is treated: its profile, its settings, and the defaults of the house."""
    given = {name: getattr(settings, name) for name in _OWN if getattr(settings, name) is not None}
    merged = {name: getattr(defaults, name) for name in _DEFAULTS} | given
    policy = Policy(**{**merged, "exposure": Exposure(merged["exposure"])})
    late_s = settings.max_lateness_s
    return Rules(
        account=settings.name,
        profile=channel.profile,
        pace=pace_of(channel.profile, raise_delay_s=defaults.raise_delay_s, poll_s=settings.poll_s),
        locations=tuple(Location(name) for name in settings.locations),
        location_map={theirs: Location(ours) for theirs, ours in settings.location_map.items()},
        policy=policy,
        adopts=settings.drift == "adopt" and settings.counting,
        hand_edit_us=settings.hand_edit_days * DAY_US,
        max_lateness_us=None if late_s is None else int(late_s * SECOND_US),
        limits=isinstance(channel, PurchaseLimit),
        pages=isinstance(channel, Visibility),
        days=isinstance(channel, PreorderDates),
    )


_OWN = (
    "exposure",
    "loss",
    "safety_stock",
    "safety_percent",
    "cap",
    "share",
    "preorder",
    "hide",
    "purchase_limit",
)
"""What a channel may say of its own."""
_DEFAULTS = (*(name for name in _OWN if name != "share"), "priority", "priority_units")


def seasons_of(settings: Settings) -> tuple[Season, ...]:
    """Return the seasons of the settings."""
    found = []
    for name, season in settings.seasons.items():
        since, until = read_season(season.since, season.until, zone=settings.policy.zone)
        changes = {key: getattr(season, key) for key in FIELDS}
        found.append(
            Season(name=name, since=since, until=until, accounts=season.channels, demand=season.demand, **changes)
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every account is opened with."""

    clock: Clock
    uuid: Callable[[], str]
    random: Callable[[], float]
    report: Callable[[AccountId, str], None]
    session: aiohttp.ClientSession


@asynccontextmanager
async def open_accounts(
    channels: Mapping[str, ChannelSettings], adapters: Mapping[str, Adapter], defaults: PolicyDefaults, tools: Tools
) -> AsyncIterator[Roster]:
    """Open every enabled account; they are closed when the block ends."""
    async with AsyncExitStack() as stack:
        roster: Roster = {}
        for settings in channels.values():
            if settings.enabled:
                name = settings.name
                context = Context(
                    account=name, session=tools.session, clock=tools.clock, uuid=tools.uuid, random=tools.random
                )
                opened = adapters[settings.adapter].open(settings.settings, context)
                channel = await stack.enter_async_context(opened)
                pulse = pulse_of(settings, clock=tools.clock, random=tools.random, report=tools.report)
                rules = rules_of(settings, channel, defaults)
                roster[name] = Account(name=name, channel=channel, rules=rules, settings=settings, pulse=pulse)
        yield roster
