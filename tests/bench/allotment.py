"""Allotments that move, by the gate: how many units are ever sold that are not there. None, whatever is late or lost.

Each seed is three days of three channels, one of each write mode, that share the units of one SKU in disjoint parts;
what each part should be changes all the time, so units move. Orders are told up to a day late (which the settings
know), times are coarse, writes are lost or take effect late or though they time out, readings are old, cancels give
units back or not, and channels fall silent for up to a day. At every single sale it is known what is really there.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from syncd.core import shown as belief
from syncd.core.allocate import Stand, allot
from syncd.core.gate import Claim, added_by_reading, added_by_write, ceiling, room, standing, unheard_left
from syncd.core.plan import Lane, Pace, Send, View
from syncd.core.shown import Range, Reading
from syncd.core.terms import SECOND_US, Instant, WriteMode
from tests.bench.bazaar import HOUR_US, START, Habits, Market, Timeline
from tests.bench.keeper import RAISE_US, Keeper, Kept
from tests.bench.report import arguments, report

DAYS_US: Final = 72 * HOUR_US
SALES: Final = 60
SHIFTS: Final = 12
RUSH_US: Final = 300 * SECOND_US
"""Half of the sales come so soon after what the parts should be has changed: while units are on their way."""
MOST: Final = 1_000
NOTHING: Final = Range(low=0, high=0, likely=0)


@dataclass(slots=True)
class Unheard:
    """Units of a listing that may have been sold without our knowing, until when; and its writes that check nothing."""

    units: int = 0
    until: Instant | None = None
    unguarded: tuple[Instant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How all listings stand at a moment."""

    at: Instant
    ranges: list[Range]
    claims: list[Claim]
    parts: tuple[int, ...]


class Allotting(Keeper):
    """The least engine that keeps allotments by the gate."""

    sweep_us = 6 * HOUR_US

    def __init__(self, line: Timeline, markets: list[Market]) -> None:
        self.weights = [1.0 for _ in markets]
        self.unheard = [Unheard() for _ in markets]
        self.moves = 0
        self.state: State | None = None
        super().__init__(line, markets)

    def place(self, kept: Kept) -> int:
        """Return which of the listings it is."""
        return next(place for place, one in enumerate(self.kept) if one is kept)

    def shown(self, kept: Kept) -> Range:
        """Return what a listing may show; one that was never read shows nothing of ours."""
        return NOTHING if kept.base is None else belief.shown(self.history(kept))

    def standing(self, place: int, found: Range) -> int:
        """Return what a listing may still show beyond its unheard units."""
        unguarded = self.unheard[place].unguarded
        mine = [write for write, _ in self.kept[place].writes if write.sent_at in unguarded]
        return standing(found, unguarded=mine, now=self.line.now)

    def claim(self, place: int, found: Range) -> Claim:
        """Return what a listing may take of the shared units."""
        one = self.unheard[place]
        if one.units:
            one.units = unheard_left(one.units, until=one.until, passed=self.passed(self.kept[place]))
        return Claim(standing=self.standing(place, found), unheard=one.units)

    def doubt(self, place: int, units: int, until: Instant) -> None:
        """Note that so many more units may be sold unheard, until then."""
        if units > 0:
            one = self.unheard[place]
            one.units += units
            one.until = max(until, one.until or 0)
            self.changed()

    def view(self, kept: Kept) -> View:
        now, habits, place = self.line.now, kept.market.habits, self.place(kept)
        if self.state is None or self.state.at != now:
            self.state = self.look()
        ranges, claims, parts = self.state.ranges, self.state.claims, self.state.parts
        left = room(self.available, claims[:place] + claims[place + 1 :])
        opened = [write for write, _ in kept.open]
        return View(
            mode=habits.mode,
            target=parts[place],
            shown=None if kept.base is None else ranges[place],
            pace=Pace(visible_us=habits.stale_us, read_us=habits.poll_us, raise_us=RAISE_US),
            gives_until=belief.gives_until((e for e in kept.effects.values() if not e.maybe), now=now),
            raise_at=kept.raise_at,
            read_at=kept.read_at,
            last_open=max(opened, key=lambda write: write.sent_at, default=None),
            settled_at=max(write.until for write in opened) + habits.stale_us if opened else None,
            stale=kept.stale,
            ceiling=ceiling(habits.mode, room=left, mine=claims[place]),
            ceiling_at=self.passing_at(),
        )

    def look(self) -> State:
        """Return how all listings stand now."""
        ranges = [self.shown(one) for one in self.kept]
        return State(
            at=self.line.now,
            ranges=ranges,
            claims=[self.claim(place, found) for place, found in enumerate(ranges)],
            parts=allot(self.available, self.stands(ranges)),
        )

    def changed(self) -> None:
        self.state = None

    def stands(self, ranges: list[Range]) -> list[Stand]:
        """Return the listings as they take part in the allotment."""
        now = self.line.now
        return [
            Stand(
                weight=weight,
                shows=found.high,
                most=MOST,
                fixed=now < one.market.silent_until,
                costly=one.market.habits.mode is WriteMode.ABSOLUTE,
            )
            for weight, one, found in zip(self.weights, self.kept, ranges, strict=True)
        ]

    def passing_at(self) -> Instant:
        """Return when a feed will next have passed the last moment of unheard sales; in an hour where none waits."""
        ends = [
            max(one.until + kept.market.habits.told_us, kept.market.silent_until) + kept.market.habits.poll_us + 1
            for one, kept in zip(self.unheard, self.kept, strict=True)
            if one.until is not None and one.units
        ]
        return min((end for end in ends if end > self.line.now), default=self.line.now + HOUR_US)

    def push(self, kept: Kept, send: Send) -> None:
        place = self.place(kept)
        added = added_by_write(self.standing(place, self.shown(kept)), expected=send.expected, delta=send.delta)
        self.moves += send.lane is Lane.RAISE
        super().push(kept, send)
        self.doubt(place, added, self.line.now + kept.market.habits.effect_us)
        if send.expected is None and send.delta is None:
            self.unheard[place].unguarded = (*self.unheard[place].unguarded[-9:], self.line.now)

    def rebased(self, kept: Kept, reading: Reading) -> None:
        place, found = self.place(kept), self.shown(kept)
        added = added_by_reading(self.standing(place, found), low=found.low, value=reading.base.value)
        super().rebased(kept, reading)
        self.doubt(place, added, self.line.now)


@dataclass(slots=True)
class Tally:
    """What was sold of what was asked for, and how many units more than there were, at the worst moment."""

    asked: int = 0
    sold: int = 0
    oversold: int = 0
    moves: int = 0


def habits_of(mode: WriteMode, dice: random.Random) -> Habits:
    """Return the habits of a channel: late by seconds, an hour or a day."""
    told_us = dice.choice((60 * SECOND_US, HOUR_US, 24 * HOUR_US))
    effect_us = dice.choice((20 * SECOND_US, 600 * SECOND_US, HOUR_US))
    return Habits(
        mode=mode,
        told_us=told_us,
        coarse_us=dice.choice((1, 60, 3_600)) * SECOND_US,
        poll_us=dice.choice((60, 900)) * SECOND_US,
        stale_us=dice.choice((0, 30, 600)) * SECOND_US,
        effect_us=effect_us,
        answer_us=min(effect_us, 30 * SECOND_US),
        restore_us=dice.choice((60 * SECOND_US, HOUR_US)),
        silence_us=dice.choice((600 * SECOND_US, 24 * HOUR_US)),
        hint=dice.choice((0.0, 0.5, 1.0)),
        silent=0.05,
    )


def play(seed: int, make: Callable[[Timeline, list[Market]], Allotting] = Allotting) -> Tally:
    """Live through one seed."""
    dice, line, life = random.Random(seed), Timeline(), random.Random(seed + 1_000_000)
    markets = [Market(f"m{p}", habits_of(mode, dice), line, dice) for p, mode in enumerate(WriteMode)]
    keeper, tally = make(line, markets), Tally()
    line.at(START, lambda: keeper.receive(life.randint(3, 30)))
    shifts = [life.randint(START, START + DAYS_US) for _ in range(SHIFTS)]
    for moment in shifts:
        line.at(moment, lambda: _shift(keeper, life))
    rush = [life.choice(shifts) + life.randint(0, RUSH_US) for _ in range(SALES // 2)]
    for moment in (*rush, *(life.randint(START, START + DAYS_US) for _ in range(SALES // 2))):
        line.at(moment, lambda: _buy(keeper, tally, life.randrange(3), life.choice((1, 1, 2, 3, 5))))
    for moment in (life.randint(START, START + DAYS_US) for _ in range(life.randint(0, 6))):
        line.at(moment, lambda: keeper.receive(life.randint(1, 8)))
    line.run(START + DAYS_US)
    tally.moves = keeper.moves
    return tally


def _shift(keeper: Allotting, life: random.Random) -> None:
    keeper.weights = [life.choice((0.0, 0.2, 1.0, 5.0)) for _ in keeper.kept]
    keeper.changed()
    keeper.plan()


def _buy(keeper: Allotting, tally: Tally, place: int, quantity: int) -> None:
    now, market = keeper.line.now, keeper.kept[place].market
    tally.asked += quantity
    order = market.buy(quantity)
    if order is None:
        return
    tally.sold += quantity
    keeper.sold(keeper.kept[place], order)
    promised = sum(o.quantity for kept in keeper.kept for o in kept.market.orders if o.lives(now))
    tally.oversold = max(tally.oversold, promised - keeper.on_hand)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    options = parser.parse_args()
    began = time.perf_counter()
    tallies = [play(seed) for seed in range(options.start, options.start + options.seeds)]
    seconds = time.perf_counter() - began
    figures = {
        "oversold": float(sum(one.oversold for one in tallies)),
        "oversold seeds": float(sum(one.oversold > 0 for one in tallies)),
        "asked": float(sum(one.asked for one in tallies)),
        "sold": float(sum(one.sold for one in tallies)),
        "raises": float(sum(one.moves for one in tallies)),
        "runs_per_s": options.seeds / seconds,
        "seconds": seconds,
    }
    settings = {"seeds": options.seeds, "start": options.start, "load_1min": round(os.getloadavg()[0], 2)}
    report("allotment", figures, settings, as_json=options.json)


if __name__ == "__main__":
    main()
