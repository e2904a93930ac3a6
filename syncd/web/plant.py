"""The running daemon as the web sees it: what it reads of it, and the one door by which facts go in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from syncd.core.conduct import Finding
from syncd.core.escalation import Lexicon
from syncd.core.exposure import Policy
from syncd.core.facts import Fact
from syncd.core.lag import Figures
from syncd.core.season import Season
from syncd.core.terms import AccountId, Instant, Location, Outcome, SkuId
from syncd.core.tickets import DeskId
from syncd.letters import Texts
from syncd.sdk.channel import Clock
from syncd.sdk.features import CancelWish, HealthFigure, Inquiry, Key
from syncd.settings import Settings
from syncd.store.ledger import Shelf
from syncd.store.outbox import Event
from syncd.store.session import Store


class Receipt(Protocol):
    """A fact is durable."""

    @property
    def inbox_id(self) -> int:
        """Return its number."""

    @property
    def duplicate(self) -> bool:
        """Return whether it was there before."""


class Intake(Protocol):
    """The door for facts; it may be waited at until they are decided."""

    async def put_one(self, fact: Fact, *, source: str, key: str | None) -> Receipt:
        """Make one fact durable."""

    async def put(self, facts: Sequence[Fact], *, source: str) -> None:
        """Make facts durable, in order."""

    async def settle(self, inbox_id: int, *, timeout_s: float = 30.0) -> str | None:
        """Wait until a fact is decided; return why it was not applied. Raises TimeoutError."""

    async def news(self, after: int) -> int:
        """Wait until more than this is decided; return how far it is decided then."""


class Rules(Protocol):
    """How an account is treated."""

    @property
    def policy(self) -> Policy:
        """Return what its listings may show."""

    @property
    def locations(self) -> tuple[Location, ...]:
        """Return the locations that it sells from."""

    @property
    def location_map(self) -> Mapping[str, Location]:
        """Return our locations by the channel's."""


class Pulse(Protocol):
    """Whether a channel answers; `reason` says why not."""

    @property
    def maintenance_until(self) -> Instant | None:
        """Return when the announced maintenance ends that it is in."""

    @property
    def down_since(self) -> Instant | None:
        """Return since when it does not answer."""

    @property
    def reason(self) -> str:
        """Return why."""


class Judgement(Protocol):
    """How a channel judged the shop when it was asked last; `reason` says why it could not be asked."""

    @property
    def asked_at(self) -> Instant:
        """Return when that was."""

    @property
    def figures(self) -> Sequence[HealthFigure]:
        """Return its rates."""

    @property
    def reason(self) -> str:
        """Return why it could not be asked."""


class Conduct(Protocol):
    """How the shop's own cancels stood by the channel's rules when the ledger was asked last."""

    @property
    def at(self) -> Instant:
        """Return when that was."""

    @property
    def findings(self) -> Sequence[Finding]:
        """Return the state of each rule."""


class NoDate(Protocol):
    """An order that was given no ship-by date."""

    @property
    def order_id(self) -> str:
        """Return its id at the channel."""

    @property
    def number(self) -> str:
        """Return its number."""

    @property
    def reason(self) -> str:
        """Return why."""


class Errands(Protocol):
    """What a person may have done at a channel right now."""

    async def cancel(self, name: AccountId, wish: CancelWish, *, actor: str) -> Outcome:
        """Cancel an order once; raises RejectedError where nothing was sent."""

    async def inquiries(self, name: AccountId) -> list[Inquiry]:
        """Read open inquiries about stock; raises what the channel raises."""


class Account(Protocol):
    """An open account."""

    @property
    def channel(self) -> object:
        """Return its open channel: its features are asked for by type."""

    @property
    def keys(self) -> Sequence[Key]:
        """Return its keys with their ends."""

    @property
    def judgement(self) -> Judgement | None:
        """Return how the channel judged the shop, None before it was asked."""

    @property
    def conduct(self) -> Conduct | None:
        """Return how the shop's own cancels stand, None before the ledger was asked."""

    @property
    def undated(self) -> Sequence[NoDate]:
        """Return orders that were given no ship-by date."""

    @property
    def rules(self) -> Rules:
        """Return how it is treated."""

    @property
    def pulse(self) -> Pulse:
        """Return whether it answers."""


class Lags(Protocol):
    """How late sales are heard of, and decisions show."""

    def figures(self, account: AccountId, *, at: Instant) -> Sequence[Figures]:
        """Return what was measured on an account."""

    def delayed(self, account: AccountId) -> int:
        """Return how many lags were not measured because the account was away."""

    def knowledge_s(self, account: AccountId, share: float) -> float:
        """Return within how many seconds this share of the sales there is heard of."""

    def visible_s(self, account: AccountId, share: float) -> float:
        """Return within how many seconds this share of decisions to lower a number show there."""


class House(Protocol):
    """What is the same for all accounts."""

    @property
    def rules(self) -> Mapping[AccountId, Rules]:
        """Return how each account is treated now; changed settings that the brake holds are not in it."""

    @property
    def seasons(self) -> Sequence[Season]:
        """Return the seasons of the settings."""

    def policy(self, account: AccountId, now: Instant) -> Policy:
        """Return the policy of an account that holds now for every SKU without one of its own."""

    @property
    def shadow(self) -> bool:
        """Return whether nothing is written to any channel."""

    @property
    def lags(self) -> Lags:
        """Return what was measured of lags."""

    def events(self, kind: str, *, key: str, body: bytes) -> list[Event]:
        """Return something to tell, once for each sink that carries events."""

    def caution(self, account: AccountId) -> float:
        """Return how many times as dear an oversold unit is on an account as it usually is."""


class OpenDesk(Protocol):
    """An open desk."""

    @property
    def desk(self) -> object:
        """Return the desk itself: its features are asked for by type."""


class Plant(Protocol):
    """Everything that runs."""

    @property
    def settings(self) -> Settings:
        """Return the settings."""

    @property
    def store(self) -> Store:
        """Return the store."""

    @property
    def intake(self) -> Intake:
        """Return the door."""

    @property
    def clock(self) -> Clock:
        """Return the clock."""

    @property
    def roster(self) -> Mapping[AccountId, Account]:
        """Return the open accounts."""

    @property
    def desks(self) -> Mapping[DeskId, OpenDesk]:
        """Return the open desks."""

    @property
    def house(self) -> House:
        """Return what is the same for all of them."""

    @property
    def errands(self) -> Errands:
        """Return what a person may have done at a channel right now."""

    @property
    def texts(self) -> Texts:
        """Return the texts for customers."""

    @property
    def lexicon(self) -> Lexicon:
        """Return the words that are for a person."""

    @property
    def counts(self) -> Counter[tuple[str, ...]]:
        """Return what was answered so far, by names of few values: metrics tell it."""

    @property
    def proof_key(self) -> bytes:
        """Return what proofs of buyers are made with; empty while there is no order page."""

    @property
    def epoch(self) -> int:
        """Return the number of this owner of the store."""

    @property
    def started_at(self) -> Instant:
        """Return when it started."""

    @property
    def ready(self) -> asyncio.Event:
        """Return the event that the inbox of the last run is decided."""

    def foretold(
        self, conn: Connection, shelves: Mapping[SkuId, Shelf], opened: Collection[SkuId]
    ) -> Mapping[int, int]:
        """Return the targets that listings would have with these balances, by id; nothing is kept."""

    def uuid(self) -> str:
        """Return a new id."""
