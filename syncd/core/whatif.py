"""What would have come of the shop's own past under other rules: its movements as a trace, and rules by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncd.core.exposure import Exposure, Policy, even_targets, pool_target
from syncd.core.foresight import Foresight
from syncd.core.hindsight import DELIVERY, Event, Lag, Plain, Rule, Tally, replay
from syncd.core.terms import SECOND_US, Instant

OPENING_S: Final = -1.0
RULES: Final = ("pool", "fixed UNITS", "percent PERCENT", "even", "adaptive LOSS", "batch MINUTES (1 or more)")
MOST: Final = 1_000_000.0
BATCH_MINUTES: Final = 1.0
"""No tool writes everything more often."""


class Stopped(Exception):  # noqa: N818  (nothing is wrong: nobody waits any more)
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What changed the units of a SKU that may be sold, by `units`; a sale names its channel and its order."""

    sku: int
    at: Instant
    units: int
    channel: int = DELIVERY
    order: str = ""


def story(moves: Iterable[Moved], *, now_there: Mapping[int, int], since: Instant) -> list[Event]:
    """Return a past as events, oldest first: what was there at its begin, who bought, and what came or went otherwise.

    `now_there` is what may be sold of each SKU now. Shoppers who were refused left no trace: of them nothing is known.
    """
    moves = list(moves)
    opening = dict(now_there)
    for move in moves:
        opening[move.sku] = opening.get(move.sku, 0) - move.units
    first = [Event(OPENING_S, sku, units, DELIVERY) for sku, units in sorted(opening.items())]
    later = [
        Event(max(0, move.at - since) / SECOND_US, move.sku, _units(move), move.channel, move.order) for move in moves
    ]
    return first + sorted(later, key=lambda event: event.at_s)


def _units(move: Moved) -> int:
    return move.units if move.channel == DELIVERY else -move.units


class Present:
    """The rule in force: what is available less each channel's own policy for a SKU.

    `accounts` are the channels' names. `learning` is asked where a policy goes by demand and lags: what it allows
    bounds what such a channel shows. Where one channel of a SKU has a part of its own, all have; these are even here.
    """

    def __init__(
        self, policies: Sequence[Mapping[int, Policy]], defaults: Sequence[Policy], *, accounts: Sequence[str] = ()
    ) -> None:
        self.policies = policies
        self.defaults = defaults
        self.accounts = accounts or [""] * len(defaults)
        self.learning: Rule | None = None

    @property
    def loss(self) -> int | None:
        """Return at what loss channels go by demand and lags, the strictest; None where none does."""
        every = [*self.defaults, *(policy for mine in self.policies for policy in mine.values())]
        return max((policy.loss for policy in every if policy.exposure is Exposure.ADAPTIVE), default=None)

    def decide(self, sku: int, available: int) -> Sequence[int]:
        """Return what the listings of a SKU show."""
        own = [mine.get(sku, default) for mine, default in zip(self.policies, self.defaults, strict=True)]
        plain = [pool_target(available, one, account=name) for one, name in zip(own, self.accounts, strict=True)]
        if any(policy.exposure is Exposure.ALLOTMENT for policy in own):
            return [min(pair) for pair in zip(plain, even_targets(available, len(own)), strict=True)]
        if self.learning is None:
            return plain
        allowed = self.learning.decide(sku, available)
        return [
            min(units, most) if policy.exposure is Exposure.ADAPTIVE else units
            for units, most, policy in zip(plain, allowed, own, strict=True)
        ]

    def heard(self, event: Event, *, at_s: float, available: int) -> Iterable[int]:
        """Learn of a line, where something learns."""
        return () if self.learning is None else self.learning.heard(event, at_s=at_s, available=available)

    def arrived(self, event: Event, *, available: int) -> None:
        """Learn of a delivery, where something learns."""
        if self.learning is not None:
            self.learning.arrived(event, available=available)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A rule by its name: its words, and how often it writes where it goes by a clock."""

    kind: str
    number: float = 0.0

    @property
    def batch_s(self) -> float | None:
        """Return how often everything is written, None where at once."""
        return 60.0 * self.number if self.kind == "batch" else None


def named(text: str) -> Named | None:
    """Read the name of a rule (see RULES); None for one that is none."""
    kind, _, rest = text.strip().partition(" ")
    if kind in ("pool", "even"):
        return None if rest else Named(kind=kind)
    try:
        number = float(rest)
    except ValueError:
        return None
    if not 0 <= number <= (100 if kind == "percent" else MOST):
        return None
    fits = {
        "fixed": number == int(number),
        "percent": number == int(number),
        "adaptive": number > 0,
        "batch": number >= BATCH_MINUTES,
    }
    return Named(kind=kind, number=number) if fits.get(kind, False) else None


def rule_of(name: Named, *, skus: int, lags: Sequence[Lag]) -> Rule:
    """Return a rule that knows nothing yet."""
    channels = len(lags)
    if name.kind == "adaptive":
        return Foresight(skus=skus, lags=lags, loss=name.number)
    if name.kind == "even":
        return Plain(lambda available: even_targets(available, channels))
    whole = int(name.number)
    policy = {"fixed": Policy(safety_stock=whole), "percent": Policy(safety_percent=whole)}.get(name.kind, Policy())
    return Plain(lambda available: (pool_target(available, policy),) * channels)


def compare(
    events: Sequence[Event],
    *,
    skus: int,
    lags: Sequence[Lag],
    present: Present,
    other: Named,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Tally, Tally]:
    """Return what comes of a past under the rule in force, and under another; raises Stopped once that is `stopped`."""
    if present.loss is not None:
        present.learning = Foresight(skus=skus, lags=lags, loss=float(present.loss))
    return (
        replay(_until(events, stopped), skus=skus, lags=lags, rule=present),
        replay(
            _until(events, stopped),
            skus=skus,
            lags=lags,
            rule=rule_of(other, skus=skus, lags=lags),
            batch_s=other.batch_s,
        ),
    )


def _until(events: Iterable[Event], stopped: Callable[[], bool]) -> Iterator[Event]:
    for event in events:
        if stopped():
            raise Stopped
        yield event
