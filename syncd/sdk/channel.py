"""The contract between syncd and a channel adapter: five awaited methods, a profile, and features asked by type.

An adapter never retries, never sleeps, never logs a secret: the engine decides when something is due again, and
`syncd.sdk.http` does the few quick tries inside one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from syncd.core.conduct import CancelPoints, CancelRate, CancelRun, ConductRule
from syncd.core.terms import (
    AccountId,
    CancelledBy,
    Comeback,
    Delivery,
    FulfilmentStatus,
    Give,
    Instant,
    ListingInfo,
    ListingRef,
    OrderLine,
    OrderSnapshot,
    Outcome,
    OutcomeKind,
    PaymentStatus,
    ReturnStatus,
    Seen,
    Shipment,
    Span,
    Write,
    WriteMode,
)

if TYPE_CHECKING:
    import aiohttp

__all__ = [
    "AccountId",
    "Adapter",
    "AsyncSeen",
    "BulkSeen",
    "CancelPoints",
    "CancelRate",
    "CancelRun",
    "CancelledBy",
    "Channel",
    "Clock",
    "Comeback",
    "ConductRule",
    "Context",
    "Delivery",
    "Forged",
    "FulfilmentStatus",
    "Give",
    "Health",
    "Instant",
    "ListingInfo",
    "ListingPage",
    "ListingRef",
    "Notice",
    "OrderLine",
    "OrderPage",
    "OrderSnapshot",
    "Outcome",
    "OutcomeKind",
    "Paced",
    "PaymentStatus",
    "Profile",
    "RawRequest",
    "ReturnStatus",
    "Seen",
    "Shipment",
    "SimulatorFactory",
    "Span",
    "SubscriptionReport",
    "Webhooks",
    "Write",
    "WriteMode",
]


class Clock(Protocol):
    """Time as syncd knows it; injected everywhere."""

    def now(self) -> Instant:
        """Return the wall time."""

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What core and engine need to know of a channel; they never ask for its name.

    `max_push`, `max_seen`, `max_fetch` are rows per call of `push`, `seen`, `fetch`. `staleness_s` is how old a number
    may be that `seen` answers; `clock_skew_s` how far the channel's clock may be off ours. `effect_delay_s` is the
    longest time from sending a write to its effect, also when its answer was lost, `usual_effect_s` the time within
    which nearly every write is in effect (None: the same); `visibility_delay_s` the longest time until `seen` shows an
    effect. `feed_lateness_s` is how late an order may appear in the feed at most; `feed_complete` says whether a scan
    tells up to when it is complete. `shows_negative` is True where a listing may show less than zero. `max_quantity` is
    the highest number that a listing takes (None: none is known); no target is above it. `conduct` are the rules by
    which the channel counts the shop's own cancels against it.
    """

    write_mode: WriteMode
    max_push: int
    max_seen: int
    max_fetch: int = 50
    staleness_s: float = 0.0
    clock_skew_s: float = 2.0
    effect_delay_s: float = 30.0
    usual_effect_s: float | None = None
    visibility_delay_s: float = 5.0
    feed_lateness_s: float = 600.0
    feed_complete: bool = True
    shows_negative: bool = False
    max_quantity: int | None = None
    api_version: str = ""
    conduct: tuple[ConductRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One page of the order feed.

    `cursor` is where the next call goes on; it is stored only after the orders of this page are committed. `more` says
    that the next call should follow at once. `complete_until` is the time up to which every order change is
    contained in the pages so far of this scan; None where that is not known (always None while `more`).
    """

    orders: tuple[OrderSnapshot, ...]
    cursor: str
    more: bool
    complete_until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingPage:
    """One page of the catalogue. `cursor` is None at the end."""

    listings: tuple[ListingInfo, ...]
    cursor: str | None


class Channel(Protocol):
    """One open account of a channel.

    Every method may raise the errors of `syncd.sdk.errors` for the call as a whole. `push` never raises for a single
    row and answers one outcome per write, in order; when the call as a whole fails after it may have had an effect,
    it answers INDETERMINATE for its rows instead of raising.
    """

    @property
    def profile(self) -> Profile:
        """Return what the channel can do."""

    async def orders(self, cursor: str | None) -> OrderPage:
        """Read a page of orders changed since `cursor`; None starts with what is open now."""

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders as they are now (`fresh=True`); an id that does not exist is left out."""

    async def listings(self, cursor: str | None) -> ListingPage:
        """Read a page of what is for sale, inactive listings included."""

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what is shown, one answer per ref in order; at most `profile.max_seen` refs."""

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Bring these numbers to the channel; at most `profile.max_push`, each ref at most once."""


# --- features, asked by type -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRequest:
    """An HTTP request as it came in. `headers` have lower-case names; `body` is the raw bytes."""

    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


class Forged(Exception):  # noqa: N818  (a verdict, not a fault)
    """The request does not come from the channel. `status` is the HTTP answer (400 no signature, 401 a wrong one)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a webhook or queue message says.

    `dedupe_key` is the channel's own delivery id (None where it has none). `orders` are whole orders as the message
    states them, guarded by their version like any snapshot. `order_ids` are to be fetched, `refs` to be read,
    `catalogue` means that listings changed. `text` is for a person (scopes changed, app removed); it pauses the channel
    when `stop` is set.
    """

    dedupe_key: str | None = None
    orders: tuple[OrderSnapshot, ...] = ()
    order_ids: tuple[str, ...] = ()
    refs: tuple[ListingRef, ...] = ()
    catalogue: bool = False
    text: str = ""
    stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionReport:
    """Result of an audit of webhook subscriptions: topics that were missing and are there again, and that are not."""

    restored: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@runtime_checkable
class Webhooks(Protocol):
    """The channel sends webhooks."""

    def verify(self, request: RawRequest) -> None:
        """Raise `Forged` unless the channel itself sent these bytes."""

    def parse(self, request: RawRequest) -> Notice:
        """Say what a verified request means; raises `ProtocolError` where it cannot be understood."""

    async def subscribe(self, url: str) -> SubscriptionReport:
        """Make sure that every topic needed is delivered to `url`; safe to repeat."""


@runtime_checkable
class Paced(Protocol):
    """The channel knows its own budget ahead of a call."""

    def push_delay_s(self) -> float:
        """Return seconds until a full `push` would be sent at once; 0.0 when now."""


@runtime_checkable
class BulkSeen(Protocol):
    """The channel can read what all listings show in one long operation."""

    async def seen_all(self) -> AsyncSeen:
        """Start it and return an async iterator of batches of `Seen`."""


class AsyncSeen(Protocol):
    """An async iterator of batches of `Seen`."""

    def __aiter__(self) -> AsyncSeen:
        """Return itself."""

    async def __anext__(self) -> list[Seen]:
        """Return the next batch."""


@runtime_checkable
class Health(Protocol):
    """The channel can check credentials, rights and version without changing anything."""

    async def check(self) -> list[str]:
        """Return what a person should mend, as sentences; empty when all is well. Raises `AuthError` and others."""


# --- how an adapter is found and opened ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an adapter is given when it is opened.

    `session` is an aiohttp session shared by all channels (connections only; each adapter wraps it by
    `syncd.sdk.http.Client`). `uuid` makes time-ordered UUID texts. `random` answers numbers in [0, 1).
    """

    account: AccountId
    session: aiohttp.ClientSession
    clock: Clock
    uuid: Callable[[], str]
    random: Callable[[], float]


class SimulatorFactory(Protocol):
    """Makes the simulated remote of an adapter, for rehearsals, demo and tests."""

    def __call__(self, *, skus: int, seed: int, clock: Clock) -> Any:
        """Return a `syncd.testing.simulators.Simulator` with `skus` goods, each with stock on one location."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """The object that an entry point in the group `syncd.channels` names.

    `settings` is a frozen dataclass: the keys of `[channels.NAME.settings]`, checked strictly before `open` is called;
    a field of type `syncd.sdk.secret.Secret` is a secret. `open(settings, context)` answers an async context manager
    of the open channel; it makes no call that changes anything.
    """

    name: str
    settings: type[Any]
    open: Callable[[Any, Context], AbstractAsyncContextManager[Channel]]
    simulator: str = ""
    """Import path `module:callable` of the SimulatorFactory; imported only when a simulator is asked for."""
