"""Adaptive exposure: what listings show from demand, lag and what an oversell costs; the estimates behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import adaptive
from syncd.core.adaptive import Reach, plenty, targets
from syncd.core.demand import Demand, Pace, add_size
from syncd.core.exposure import even_targets, priority_targets, share_targets

FOUR = (
    Reach(share=0.4, heard_s=60.0, visible_s=120.0),
    Reach(share=0.3, heard_s=30.0, visible_s=2.0),
    Reach(share=0.2, heard_s=1.0, visible_s=1.0),
    Reach(share=0.1, heard_s=120.0, visible_s=3.0),
)
ONES = (1.0,)
MIXED = (0.3, 0.2, 0.1, 0.1, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2)


@pytest.mark.parametrize(
    ("available", "lines_per_s", "sizes", "loss", "expected"),
    [
        (0, 0.01, MIXED, 10.0, (0, 0, 0, 0)),
        (-4, 0.01, MIXED, 10.0, (0, 0, 0, 0)),
        (500, 0.01, MIXED, 10.0, (500, 500, 500, 500)),
        (1, 1e-9, ONES, 10.0, (1, 1, 1, 1)),
        (1, 0.1, ONES, 1000.0, (1, 0, 0, 0)),
        (12, 0.0, MIXED, 1e9, (12, 12, 12, 12)),
    ],
)
def test_targets(
    available: int, lines_per_s: float, sizes: Sequence[float], loss: float, expected: tuple[int, ...]
) -> None:
    """Plenty is shown everywhere, a last unit that is fought for only by the strongest listing, none where none is."""
    assert targets(available, reach=FOUR, lines_per_s=lines_per_s, sizes=sizes, loss=loss) == expected


def test_one_listing_shows_all() -> None:
    """A listing that shares with nobody shows what is available, however fast it sells."""
    assert targets(7, reach=FOUR[:1], lines_per_s=5.0, sizes=MIXED, loss=1e6) == (7,)


@given(
    available=st.integers(1, 80),
    per_hour=st.floats(0.01, 5000),
    loss=st.floats(1, 1e5),
    still=st.integers(0, 30),
)
def test_targets_are_within_what_is_there(available: int, per_hour: float, loss: float, still: int) -> None:
    """No listing shows more than there is, and somebody always shows something."""
    reach = (Reach(share=0.4, heard_s=60.0, visible_s=120.0, still=still), *FOUR[1:])
    found = targets(available, reach=reach, lines_per_s=per_hour / 3600, sizes=MIXED, loss=loss)
    assert all(0 <= target <= available for target in found)
    assert max(found) > 0 or still > 0


@pytest.mark.parametrize("available", [1, 3, 6, 13, 24])
def test_at_the_strictest_no_two_lines_can_meet(available: int) -> None:
    """Where an oversold unit costs nearly everything, two listings together show no more than is there."""
    found = sorted(targets(available, reach=FOUR, lines_per_s=0.05, sizes=MIXED, loss=1e9))
    assert found[-1] + found[-2] <= available


def test_many_lines_at_once_are_more_than_pairs() -> None:
    """Where a third line often comes within the lags of two others, less is shown than for the same two alone."""
    calm = targets(30, reach=FOUR, lines_per_s=0.003, sizes=MIXED, loss=300.0)
    rush = targets(30, reach=FOUR, lines_per_s=0.03, sizes=MIXED, loss=30.0)
    assert sum(rush) < sum(calm)


def test_dearer_oversell_shows_less() -> None:
    """The more an oversold unit costs, the less is shown altogether."""
    shown = [sum(targets(8, reach=FOUR, lines_per_s=0.002, sizes=MIXED, loss=10.0**power)) for power in range(6)]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] == 32
    assert shown[-1] < 32


def test_units_still_shown_hold_back_the_others() -> None:
    """While a slow write has not lowered one listing, the others show less than they will after."""
    settled = (Reach(share=0.1, heard_s=60.0, visible_s=120.0), Reach(share=0.2, heard_s=1.0, visible_s=1.0))
    falling = (Reach(share=0.1, heard_s=60.0, visible_s=120.0, still=6), settled[1])
    before = targets(6, reach=falling, lines_per_s=0.01, sizes=MIXED, loss=1000.0)
    after = targets(6, reach=settled, lines_per_s=0.01, sizes=MIXED, loss=1000.0)
    assert before[1] < after[1]


@pytest.mark.parametrize(
    ("available", "mosts", "expected"),
    [
        (1, (0, None, None, None), (0, 1, 0, 0)),
        (1, (0, 0, None, None), (0, 0, 1, 0)),
        (1, (0, 0, 0, None), (0, 0, 0, 1)),
        (5, (0, None, 0, 0), (0, 5, 0, 0)),
        (0, (0, None, 3, None), (0, 0, 0, 0)),
        (500, (7, None, 0, -2), (7, 500, 0, 0)),
        (500, (7, 501, 0, 500), (7, 500, 0, 500)),
    ],
)
def test_what_a_listing_cannot_show_is_for_the_others(
    available: int, mosts: Sequence[int | None], expected: tuple[int, ...]
) -> None:
    """The last units are shown where they can be, however strong a listing is that cannot show them."""
    reach = [replace(x, most=most) for x, most in zip(FOUR, mosts, strict=True)]
    assert targets(available, reach=reach, lines_per_s=0.01, sizes=ONES, loss=1e6) == expected


@given(
    available=st.integers(1, 200),
    mosts=st.lists(st.none() | st.integers(0, 200), min_size=4, max_size=4),
    per_hour=st.floats(0.01, 5000),
    loss=st.floats(1, 1e5),
)
def test_no_limit_is_passed_and_what_somebody_can_show_is_shown(
    available: int, mosts: Sequence[int | None], per_hour: float, loss: float
) -> None:
    """No listing shows more than it can, and somebody shows something where somebody can."""
    reach = [replace(x, most=most) for x, most in zip(FOUR, mosts, strict=True)]
    found = targets(available, reach=reach, lines_per_s=per_hour / 3600, sizes=MIXED, loss=loss)
    assert all(0 <= one <= (available if most is None else most) for one, most in zip(found, mosts, strict=True))
    assert max(found) > 0 or not any(x.sells for x in reach)


def test_a_listing_that_goes_on_showing_shares_with_the_others() -> None:
    """What a listing shows that cannot be written is left out of what the others show."""
    stuck = replace(FOUR[3], still=4, most=4)
    found = targets(6, reach=(*FOUR[:3], stuck), lines_per_s=0.01, sizes=ONES, loss=1e6)
    assert sum(found[:3]) == 2
    free = replace(FOUR[3], most=0)
    assert sum(targets(6, reach=(*FOUR[:3], free), lines_per_s=0.01, sizes=ONES, loss=1e6)) == 6


@pytest.mark.parametrize(
    ("available", "lines_per_s", "expected"),
    [
        (1, 0.0, True),
        (1, 1e-7, True),
        (1, 1e-5, False),
        (23, 1e-5, False),
        (24, 1e-5, True),
        (60, 1e-2, False),
        (6000, 0.5, True),
        (6000, 1.1, False),
    ],
)
def test_plenty(available: int, lines_per_s: float, expected: bool) -> None:
    """There is plenty where so many large lines hardly ever cross another within the longest lag."""
    found = plenty(available=available, lines_per_s=lines_per_s, longest_s=240.0, largest=12, loss=100.0)
    assert found is expected


def test_plenty_hides_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is plenty, the whole reckoning without that early exit shows everything too."""
    cases = [(units, 10.0**power) for units in range(1, 50) for power in (-7, -6, -5.5, -5, -4.5, -4)]
    found = [x for x in cases if plenty(available=x[0], lines_per_s=x[1], longest_s=240.0, largest=12, loss=100.0)]
    assert 50 < len(found) < len(cases)
    monkeypatch.setattr(adaptive, "NEGLIGIBLE", 1e-300)
    for available, rate in found:
        assert targets(available, reach=FOUR, lines_per_s=rate, sizes=MIXED, loss=100.0) == (available,) * 4


def test_pace_follows_the_orders() -> None:
    """The pace of a shop is one order per usual gap, a night is not taken for a fall of demand."""
    pace = Pace()
    for number in range(200):
        pace = pace.heard(10.0 * number)
    assert pace.per_s == pytest.approx(0.1, rel=0.05)
    assert pace.orders == 200
    late = pace.heard(pace.at_s + 86_400.0)
    assert late.per_s > 0.08
    assert pace.heard(0.0).at_s == pace.at_s


def test_a_young_shop_is_cautious() -> None:
    """Before anything is known, rates are taken for several times higher; with every order for less so."""
    cautions = [Pace(orders=orders).caution for orders in (0, 100, 1000, 100_000)]
    assert cautions[0] == 4.0
    assert cautions == sorted(cautions, reverse=True)
    assert cautions[-1] == pytest.approx(1.0, abs=0.01)


def test_demand_finds_the_chance_of_a_sku() -> None:
    """A SKU on every tenth order has a chance near a tenth, one never seen that of the shop's average."""
    pace, known = Pace(), Demand(open=True)
    assert known.per_order(0.01, pace) == pytest.approx(0.01)
    for number in range(2000):
        pace = pace.heard(float(number))
        if number % 10 == 0:
            known = known.heard(units=2, pace=pace, open_=True)
    assert known.per_order(0.01, pace) == pytest.approx(0.1, rel=0.1)


def test_orders_without_a_sku_lower_its_demand() -> None:
    """A SKU that is on sale and not bought is asked for less than it seemed, without anything heard of it."""
    known = Demand(open=True)
    assert known.per_order(0.01, Pace(orders=500)) < known.per_order(0.01, Pace(orders=50)) < 0.01


def test_a_sku_that_cannot_be_bought_does_not_lose_its_demand() -> None:
    """Orders that come while nothing is there say nothing about the SKU."""
    known = Demand(open=True).heard(units=1, pace=Pace(orders=10), open_=False)
    later = known.heard(units=0, pace=Pace(orders=5000), open_=True)
    usual = known.per_order(0.01, Pace(orders=10))
    assert later.per_order(0.01, Pace(orders=5000)) == pytest.approx(usual)
    assert later.per_order(0.01, Pace(orders=9000)) < usual


def test_sizes_lean_on_the_shop() -> None:
    """Without lines of its own a SKU has the sizes of the shop; with many it has its own."""
    usual = (3.0, 1.0)
    assert Demand().sized(usual) == pytest.approx((0.75, 0.25))
    known = Demand()
    for _ in range(300):
        known = known.heard(units=4, pace=Pace(), open_=True)
    found = known.sized(usual)
    assert len(found) == 4
    assert found[3] > 0.8
    assert math.fsum(found) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sizes", "units", "expected"),
    [((), 1, (1.0,)), ((1.0,), 3, (0.5, 0.0, 1.0)), ((2.0, 2.0), 1, (2.0, 1.0)), ((2.0, 4.0), 9, (1.0, 2.0, 1.0))],
)
def test_add_size(sizes: tuple[float, ...], units: int, expected: tuple[float, ...]) -> None:
    """A line adds its weight at its size, the larger ones at the last, and older lines fade."""
    assert add_size(sizes, units, kept=0.5, most=3) == expected


@pytest.mark.parametrize(
    ("available", "percents", "expected"),
    [
        (10, (50, 30, 20), (5, 3, 2)),
        (1, (50, 30, 20), (1, 0, 0)),
        (3, (34, 33, 33), (1, 1, 1)),
        (10, (25, 25), (3, 2)),
        (-5, (50, 50), (0, 0)),
        (7, (0, 100), (0, 7)),
        (7, (), ()),
    ],
)
def test_share_targets(available: int, percents: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Shares are disjoint parts; units left by rounding go to the largest remainders."""
    assert share_targets(available, percents) == expected


@pytest.mark.parametrize(
    ("available", "listings", "expected"), [(10, 4, (3, 3, 2, 2)), (0, 2, (0, 0)), (-1, 1, (0,)), (1, 3, (1, 0, 0))]
)
def test_even_targets(available: int, listings: int, expected: tuple[int, ...]) -> None:
    """Even parts differ by one unit at most, and the earlier listings have the odd ones."""
    assert even_targets(available, listings) == expected


@pytest.mark.parametrize(
    ("available", "first", "kept", "expected"),
    [(10, 1, 3, (7, 10, 7)), (3, 0, 3, (3, 0, 0)), (2, 2, 5, (0, 0, 2)), (-2, 0, 1, (0, 0, 0)), (4, 0, 0, (4, 4, 4))],
)
def test_priority_targets(available: int, first: int, kept: int, expected: tuple[int, ...]) -> None:
    """The first listing shows all, the others leave it the units that are kept."""
    assert priority_targets(available, listings=3, first=first, kept=kept) == expected


@given(available=st.integers(-5, 500), percents=st.lists(st.integers(0, 25), max_size=4))
def test_shares_sum_to_what_they_are_of(available: int, percents: list[int]) -> None:
    """The parts together are the whole share of what is available, rounded down."""
    assert sum(share_targets(available, percents)) == max(0, available) * sum(percents) // 100
