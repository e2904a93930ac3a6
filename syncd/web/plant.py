"""The running daemon as the web sees it: what it reads of it, and the one door by which facts go in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from syncd.core.exposure import Policy
from syncd.core.facts import Fact
from syncd.core.terms import AccountId, Instant, Location
from syncd.sdk.channel import Clock
from syncd.settings import Settings
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
    def down_since(self) -> Instant | None:
        """Return since when it does not answer."""

    @property
    def reason(self) -> str:
        """Return why."""


class Account(Protocol):
    """An open account."""

    @property
    def rules(self) -> Rules:
        """Return how it is treated."""

    @property
    def pulse(self) -> Pulse:
        """Return whether it answers."""


class House(Protocol):
    """What is the same for all accounts."""

    @property
    def shadow(self) -> bool:
        """Return whether nothing is written to any channel."""


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
    def house(self) -> House:
        """Return what is the same for all of them."""

    @property
    def epoch(self) -> int:
        """Return the number of this owner of the store."""

    @property
    def started_at(self) -> Instant:
        """Return when it started."""

    @property
    def ready(self) -> asyncio.Event:
        """Return the event that the inbox of the last run is decided."""

    def uuid(self) -> str:
        """Return a new id."""
