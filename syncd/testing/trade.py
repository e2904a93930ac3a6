"""What is said about the shop behind a simulator: what it shows, who bought what, and every change of a number."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from syncd.core.terms import Instant, ListingRef
from syncd.sdk.channel import Clock
from syncd.testing.chance import SeededRandom

MOST_LOGGED = 2_000_000
"""Changes that the log keeps; the oldest leave first."""
LEAST_STOCK, MOST_STOCK = 10, 100

CANARY_NAME = "Canary Person"
CANARY_MAIL = "canary@example.jp"
CANARY_PHONE = "+81355500000"
"""Made-up personal data that simulators plant in orders, so that a test can look for it where it must not be."""
CANARY_LINK = "canary-link"
"""A piece of every link of a private sale."""


class Refusal(Exception):  # noqa: N818  (a verdict, not a fault)
    """The simulated shop does not do this; `status` is how the control API answers."""

    status = 409


class Unknown(Refusal):
    """There is no such SKU, listing or order."""

    status = 404


class Unsupported(Refusal):
    """This channel has nothing of the kind."""

    status = 501


class By(StrEnum):
    """Who changed a number."""

    API = "api"
    SHOPPER = "shopper"
    PERSON = "person"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a listing shows to shoppers now."""

    ref: ListingRef
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """One line that a shopper bought; quantities are cumulative. `ref` is where the units were taken."""

    sku: str
    quantity: int
    ref: ListingRef
    cancelled: int = 0
    shipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An order as the control API tells it. `order_id` is what that API takes; `number` is what snapshots state."""

    order_id: str
    number: str
    lines: tuple[ReceiptLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One change of one number."""

    at: Instant
    ref: ListingRef
    before: int
    after: int
    by: By


class Log:
    """Every change of a number that shoppers see, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[Applied] = deque(maxlen=MOST_LOGGED)
        self._ever = 0

    def add(self, ref: ListingRef, before: int, after: int, by: By | str, *, at: Instant | None = None) -> None:
        """Note a change; without `at` it happens now. Raises `ValueError` for an unknown `by`."""
        when = self._clock.now() if at is None else at
        self._kept.append(Applied(at=when, ref=ref, before=before, after=after, by=By(by)))
        self._ever += 1

    def after(self, count: int) -> list[Applied]:
        """Return the changes that came after the first `count` ever."""
        return list(islice(self._kept, max(0, len(self._kept) - max(0, self._ever - count)), None))

    def __iter__(self) -> Iterator[Applied]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        """Return how many there ever were."""
        return self._ever


def sku_name(number: int) -> str:
    """Return the SKU of the `number`-th good, from 1."""
    return f"SKU-{number:05d}"


def opening_stock(skus: int, seed: int) -> list[tuple[str, int]]:
    """Return that many SKUs with what is shown of each at the start; equal for equal seeds, in every simulator."""
    random = SeededRandom(seed)
    return [(sku_name(number), int(random.between(LEAST_STOCK, MOST_STOCK))) for number in range(1, skus + 1)]


def units(lines: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return the units per SKU of lines that may name a SKU twice; raises `Refusal` for an empty or silly order."""
    wanted: dict[str, int] = {}
    for sku, quantity in lines:
        if quantity < 1:
            raise Refusal(f"{sku}: {quantity} units cannot be bought")
        wanted[sku] = wanted.get(sku, 0) + quantity
    if not wanted:
        raise Refusal("an order without lines")
    return wanted
