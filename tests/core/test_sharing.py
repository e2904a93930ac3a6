"""The model behind adaptive exposure, held against a plain reckoning over every way in which lines can come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.adaptive import Reach, targets
from syncd.core.sharing import MOST_LINES, SPREAD, Shared, Taker, choices, line_chances, lots_of

SIZES = ((1, 0.5), (2, 0.3), (5, 0.2))
SLOW = Taker(lines_per_s=0.004, heard_s=60.0, visible_s=120.0)
QUICK = Taker(lines_per_s=0.003, heard_s=30.0, visible_s=2.0)
INSTANT = Taker(lines_per_s=0.002, heard_s=1.0, visible_s=1.0)


def walk(most: int, *, largest: int, lines: int, sizes: Sequence[tuple[int, float]]) -> dict[int, float]:
    """Return the chances of what so many lines take of `most`; each is taken whole or not at all."""
    found = {0: 1.0}
    for _ in range(lines):
        after: dict[int, float] = {}
        for taken, chance in found.items():
            for units, part in sizes:
                fits = units <= largest and taken + units <= most
                place = taken + units if fits else taken
                after[place] = after.get(place, 0.0) + chance * part
        found = after
    return found


def mixed(mean: float, most: int, *, largest: int) -> dict[int, float]:
    """Return the chances of what is taken within a lag in which so many lines come on average."""
    found: dict[int, float] = {}
    for lines, weight in enumerate(line_chances(np.array([[mean]]))[0, 0]):
        for taken, chance in walk(most, largest=largest, lines=lines, sizes=SIZES).items():
            found[taken] = found.get(taken, 0.0) + weight * chance
    return found


def plainly(available: int, takers: Sequence[Taker], shows: Sequence[int], *, loss: float) -> float:
    """Return what all sell less what they lose per second, summed over everything that can have happened."""
    total = 0.0
    for j, mine in enumerate(takers):
        own = mixed(mine.lines_per_s * (mine.heard_s + mine.visible_s), shows[j], largest=shows[j])
        ways: list[dict[int, float]] = []
        for i, other in enumerate(takers):
            if i != j:
                showing = max(shows[i], other.still)
                again = mine.visible_s > other.visible_s and showing > 0
                mean = other.lines_per_s * (other.heard_s + mine.visible_s)
                ways.append(mixed(mean, available if again else showing, largest=showing))
        for taken, here in own.items():
            for path in product(*(way.items() for way in ways)):
                chance = here * math.prod(part for _, part in path)
                left = available - taken - sum(units for units, _ in path)
                for units, part in SIZES:
                    if taken + units <= shows[j]:
                        over = min(units, max(0, units - left))
                        total += mine.lines_per_s * chance * part * (units - over - loss * over)
    return total


@pytest.mark.parametrize("shows", [(6, 6, 6), (6, 0, 2), (1, 5, 0), (0, 0, 6), (2, 2, 2)])
@pytest.mark.parametrize("still", [0, 5])
def test_worth_is_that_of_all_that_can_happen(shows: tuple[int, ...], still: int) -> None:
    """What three listings sell and lose is the sum over all lines that can have come."""
    takers = (Taker(lines_per_s=0.004, heard_s=60.0, visible_s=120.0, still=still), QUICK, INSTANT)
    shown = choices(6, SIZES)
    shared = Shared(6, takers=takers, sizes=SIZES, shown=shown, loss=20.0)
    levels = [shown.index(number) for number in shows]
    assert shared.worth(levels) == pytest.approx(plainly(6, takers, shows, loss=20.0), abs=1e-9)


@given(levels=st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), listing=st.integers(0, 2))
def test_worths_differ_as_the_worth_of_all_does(levels: tuple[int, int, int], listing: int) -> None:
    """One listing's choices differ by as much as all listings together are worth with each of them."""
    shown = choices(7, SIZES)
    shared = Shared(7, takers=(SLOW, QUICK, INSTANT), sizes=SIZES, shown=shown, loss=50.0)
    worths = shared.worths(listing, levels)
    whole = [shared.worth([*levels[:listing], level, *levels[listing + 1 :]]) for level in range(len(shown))]
    assert list(worths - worths[0]) == pytest.approx([one - whole[0] for one in whole], abs=1e-9)


def test_a_listing_alone_loses_nothing() -> None:
    """Whatever one listing takes of its own is there."""
    shown = choices(5, SIZES)
    alone = Shared(5, takers=(SLOW,), sizes=SIZES, shown=shown, loss=1e9)
    worths = list(alone.worths(0, [0]))
    assert worths == sorted(worths)
    assert worths[0] == pytest.approx(0.0, abs=1e-3)
    assert worths[-1] > 0.001


@given(mean=st.floats(0.0, 30.0))
def test_lines_have_the_mean_and_come_in_clusters(mean: float) -> None:
    """The mean number of lines is what was asked for; their spread is more than chance alone would give."""
    chances = line_chances(np.array([[mean]]))[0, 0]
    numbers = np.arange(len(chances))
    assert chances.sum() == pytest.approx(1.0)
    assert float(chances @ numbers) == pytest.approx(mean, rel=2e-3, abs=1e-6)
    assert float(chances @ (numbers * (numbers - 1))) >= 0.99 * mean**2


def test_few_lines_are_close_together_half_as_often_again() -> None:
    """Two lines within a lag that rarely has one are `1 + 1 / SPREAD` times as frequent as chance would have it."""
    chances = line_chances(np.array([[0.001]]))[0, 0]
    assert chances[2] == pytest.approx(0.5e-6 * (1 + 1 / SPREAD), rel=0.01)


def test_more_lines_than_can_matter_are_the_last() -> None:
    """Where hundreds of lines come within a lag, they are taken for as many as sell everything out."""
    chances = line_chances(np.array([[5000.0]]))[0, 0]
    assert len(chances) == MOST_LINES
    assert chances[-1] == pytest.approx(1.0)


@given(
    sizes=st.dictionaries(st.integers(1, 24), st.floats(0.01, 1.0), min_size=1, max_size=8),
    lot=st.integers(1, 9),
)
def test_lots_keep_the_mean(sizes: dict[int, float], lot: int) -> None:
    """In lots of several units, as many units come on average."""
    whole = sum(sizes.values())
    single = [(units, chance / whole) for units, chance in sorted(sizes.items())]
    part, found = lots_of(single, lot=lot)
    assert lot * part * sum(lots * chance for lots, chance in found) == pytest.approx(
        sum(n * chance for n, chance in single)
    )
    assert all(lots > 0 for lots, _ in found)
    assert sum(chance for _, chance in found) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("available", "more", "expected"),
    [
        (3, (), [0, 1, 2, 3]),
        (6, (), [0, 1, 2, 5, 6]),
        (12, (), [0, 1, 2, 5, 7, 10, 12]),
        (30, (9, 40), [0, 1, 2, 5, 7, 9, 10, 15, 20, 30]),
    ],
)
def test_choices(available: int, more: tuple[int, ...], expected: list[int]) -> None:
    """A listing shows a size, a few of the largest, what it shows anyway, or all; never more than there is."""
    assert choices(available, SIZES, more=more) == expected


@pytest.mark.parametrize(
    ("lines_per_s", "available", "expected"),
    [
        (0.002, 24, (24, 24)),
        (0.005, 24, (12, 18)),
        (0.02, 40, (12, 24)),
        (0.05, 40, (0, 40)),
        (10.0, 60, (0, 60)),
    ],
)
def test_a_slow_channel_gets_a_part(lines_per_s: float, available: int, expected: tuple[int, int]) -> None:
    """As lines of six come faster, a slow channel shows all, then a part of several lines, then nothing."""
    reach = (Reach(share=0.5, heard_s=60.0, visible_s=120.0), Reach(share=0.5, heard_s=1.0, visible_s=1.0))
    sixes = (0.0,) * 5 + (1.0,)
    assert targets(available, reach=reach, lines_per_s=lines_per_s, sizes=sixes, loss=30.0) == expected


@pytest.mark.parametrize(("lines_per_s", "expected"), [(0.5, (500, 500)), (2.0, (500, 0)), (1000.0, (500, 0))])
def test_a_great_stock_in_a_rush(lines_per_s: float, expected: tuple[int, int]) -> None:
    """Hundreds of units are for all while the lags take few of them; where all go within a lag, one channel sells."""
    reach = (Reach(share=0.6, heard_s=60.0, visible_s=120.0), Reach(share=0.4, heard_s=1.0, visible_s=1.0))
    found = targets(500, reach=reach, lines_per_s=lines_per_s, sizes=(0.5, 0.3, 0.0, 0.2), loss=100.0)
    assert found == expected
