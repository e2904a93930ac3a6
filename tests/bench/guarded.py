"""Guarded writes against naive ones, per write mode: how many listings are wrong once everything has come to rest.

Each seed is a busy day of three channels that share one SKU, and then quiet. The day has writes that are lost, that
take effect though they time out, or late, feeds that are late and coarse, readings of old numbers, cancels whose
units come back by themselves or not, webhooks that are lost or come twice, channels that fall silent, and deliveries.
`mixed` has one channel of each mode. The naive sync of the same days hears the same orders and writes what is there
whenever it changes, tries again what failed, and reads nothing back but where a compare-and-set is refused.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from syncd.core.plan import Lane, Send
from syncd.core.terms import SECOND_US, OutcomeKind, WriteMode
from tests.bench.bazaar import HOUR_US, START, Habits, Market, Order, Timeline
from tests.bench.keeper import Keeper
from tests.bench.report import arguments, report

SETUPS: dict[str, tuple[WriteMode, ...]] = {
    **{mode.value: (mode,) * 3 for mode in WriteMode},
    "mixed": tuple(WriteMode),
}
DAY_US = 3 * HOUR_US
QUIET_US = 40 * HOUR_US
"""So long that the margin of absolute writes is gone: what was sold weighs half after six hours."""
SALES = 40
TRIES = 3


@dataclass(slots=True)
class Slot:
    """What the naive sync keeps of a listing. `shows` is what it thinks, `wanted` what it is to write next."""

    market: Market
    shows: int
    wanted: int | None = None
    flying: bool = False
    tries: int = 0
    heard: dict[str, bool] = field(default_factory=dict)


class Naive:
    """Writes what is available to every channel whenever it changes, and believes what it wrote."""

    def __init__(self, line: Timeline, markets: Iterable[Market]) -> None:
        self.line = line
        self.on_hand = 0
        self.committed = 0
        self.slots = [Slot(market, market.number) for market in markets]
        for slot in self.slots:
            slot.market.hint = lambda order, slot=slot: self._hear(slot, order)  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    def receive(self, units: int) -> None:
        """Take a delivery."""
        self.on_hand += units
        self.plan()

    def plan(self) -> None:
        """Write what is available everywhere."""
        for slot in self.slots:
            slot.wanted, slot.tries = max(0, self.on_hand - self.committed), 0
            self._push(slot)

    def sold(self, place: int, order: Order) -> None:
        """Have an order told of by the feed, and its cancel."""
        slot = self.slots[place]
        every = slot.market.habits.poll_us
        for moment in (order.told_at, order.cancel_at):
            if moment is not None:
                self.line.at(max(moment, order.told_at) + every, lambda: self._hear(slot, order))

    def _hear(self, slot: Slot, order: Order) -> None:
        if order.name not in slot.heard:
            slot.heard[order.name] = True
            self.committed += order.quantity
            slot.shows -= order.quantity
        if slot.heard[order.name] and not order.lives(self.line.now):
            slot.heard[order.name] = False
            self.committed -= order.quantity
            slot.shows += 0 if order.restored_at is None else order.quantity
        self.plan()

    def _push(self, slot: Slot) -> None:
        if slot.flying or slot.wanted is None or slot.wanted == slot.shows:
            return
        value, slot.flying = slot.wanted, True
        mode = slot.market.habits.mode
        send = Send(
            lane=Lane.FALL,
            quantity=value,
            expected=slot.shows if mode is WriteMode.COMPARE_AND_SET else None,
            delta=value - slot.shows if mode is WriteMode.DELTA else None,
        )
        slot.market.push(send, lambda kind: self._ended(slot, value, kind))

    def _ended(self, slot: Slot, value: int, kind: OutcomeKind) -> None:
        slot.flying = False
        if kind in (OutcomeKind.APPLIED, OutcomeKind.ACCEPTED):
            slot.shows = value
        else:
            slot.tries += 1
            if kind is OutcomeKind.STALE:
                slot.shows = slot.market.read(self.line.now)
            if slot.tries > TRIES:
                return
        self._push(slot)


def markets_of(modes: Iterable[WriteMode], line: Timeline, dice: random.Random) -> list[Market]:
    """Return channels of these modes, each with habits of its own."""
    found = []
    for place, mode in enumerate(modes):
        effect_us = dice.choice((5, 20, 120)) * SECOND_US
        habits = Habits(
            mode=mode,
            told_us=dice.choice((5, 90, 600)) * SECOND_US,
            coarse_us=dice.choice((1, 7, 60)) * SECOND_US,
            stale_us=dice.choice((0, 3, 30)) * SECOND_US,
            effect_us=effect_us,
            answer_us=min(effect_us, dice.choice((1, 5, 30)) * SECOND_US),
            hint=dice.choice((0.0, 0.5, 1.0)),
        )
        found.append(Market(f"m{place}", habits, line, dice))
    return found


Sync: TypeAlias = Keeper | Naive


def shop(
    modes: Iterable[WriteMode], seed: int, make: Callable[[Timeline, list[Market]], Sync]
) -> tuple[list[Market], Sync]:
    """Live through one seed's day and the quiet after it."""
    dice, line = random.Random(seed), Timeline()
    life = random.Random(seed + 1_000_000)
    markets = markets_of(modes, line, dice)
    keeper = make(line, markets)
    line.at(START, lambda: keeper.receive(life.randint(5, 30)))
    for moment in sorted(life.randint(START, START + DAY_US) for _ in range(SALES)):
        place, quantity = life.randrange(len(markets)), life.choice((1, 1, 1, 2, 3))
        line.at(moment, lambda p=place, q=quantity: _buy(keeper, markets, p, q))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    for _ in range(life.randint(0, 8)):
        line.at(life.randint(START, START + DAY_US), lambda: keeper.receive(life.randint(1, 6)))
    line.run(START + DAY_US)
    for market in markets:
        market.faults = False
    line.run(START + DAY_US + QUIET_US)
    return markets, keeper


def _buy(keeper: Sync, markets: list[Market], place: int, quantity: int) -> None:
    order = markets[place].buy(quantity)
    if order is None:
        return
    if isinstance(keeper, Naive):
        keeper.sold(place, order)
    else:
        keeper.sold(keeper.kept[place], order)


def wrong(modes: Iterable[WriteMode], seed: int, make: Callable[[Timeline, list[Market]], Sync] = Keeper) -> list[str]:
    """Return what is wrong at rest: listings that do not show what is truly there, and a book that is off."""
    markets, keeper = shop(modes, seed, make)
    sold = sum(order.quantity for market in markets for order in market.orders if order.cancel_at is None)
    target = max(0, keeper.on_hand - sold)
    found = [f"{m.name} {m.habits.mode} shows {m.number}, not {target}" for m in markets if m.number != target]
    if isinstance(keeper, Keeper) and keeper.echoes:
        found.append(f"{keeper.echoes} units of own writes were taken for sales")
    if isinstance(keeper, Keeper) and keeper.available != keeper.on_hand - sold:
        found.append(f"available {keeper.available}, truth {keeper.on_hand - sold}")
    return found


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--start", type=int, default=0)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    began = time.perf_counter()
    for name, modes in SETUPS.items():
        seeds = range(options.start, options.start + options.seeds)
        guarded = [wrong(modes, seed) for seed in seeds]
        naive = [wrong(modes, seed, Naive) for seed in seeds]
        figures[f"{name} wrong"] = sum(map(len, guarded))
        figures[f"{name} wrong seeds"] = sum(map(bool, guarded))
        figures[f"{name} naive wrong"] = sum(map(len, naive))
        figures[f"{name} naive wrong seeds"] = sum(map(bool, naive))
    figures["listings"] = 3.0 * options.seeds * len(SETUPS)
    figures["seconds"] = time.perf_counter() - began
    settings = {"seeds": options.seeds, "start": options.start, "load_1min": round(os.getloadavg()[0], 2)}
    report("guarded", figures, settings, as_json=options.json)


if __name__ == "__main__":
    main()
