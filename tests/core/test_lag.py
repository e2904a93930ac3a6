"""Running distributions of lags."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.lag import (
    CLASSES,
    HALF_LIFE_S,
    LEAST_S,
    MOST_HALF_LIVES,
    NEGLIGIBLE,
    Distribution,
    Stage,
    bound_s,
    class_of,
    differs,
    figures,
    merged,
    quantile,
    restored,
)
from syncd.core.terms import SECOND_US

NOW = 1_790_000_000_000_000
HALF_LIFE_US = int(HALF_LIFE_S * SECOND_US)


def of(*lags: float, at: int = NOW) -> Distribution:
    """Return a distribution of lags that were measured at once."""
    found = Distribution()
    for lag in lags:
        found.add(lag, at=at)
    return found


@pytest.mark.parametrize(
    ("lag_s", "number"),
    [(-5.0, 0), (0.0, 0), (0.0009, 0), (LEAST_S, 1), (0.0021, 9), (1.05, 81), (1e7, CLASSES - 1), (1e12, CLASSES - 1)],
)
def test_a_lag_has_a_class(lag_s: float, number: int) -> None:
    """Every lag falls into a class, the shortest and the longest into the outer ones."""
    assert class_of(lag_s) == number


def test_classes_lie_side_by_side() -> None:
    """A lag in the middle of two bounds belongs to the class between them."""
    for number in range(1, CLASSES - 1):
        assert class_of(math.sqrt(bound_s(number) * bound_s(number + 1))) == number
    assert class_of(bound_s(1) / 2) == 0
    assert bound_s(CLASSES - 1) > 20 * 86_400


def test_nothing_measured_has_no_quantile() -> None:
    """Where nothing was measured there is no quantile, no figure and no count."""
    assert quantile(Distribution(), 0.5) is None
    assert quantile(merged([]), 0.5) is None
    assert figures(Stage.FEED, Distribution(), at=NOW) is None
    assert Distribution().count(NOW) == 0.0


@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_is_near_the_true_one(lags: list[float], share: float) -> None:
    """A quantile is within one class of the one that the whole list has."""
    found = quantile(of(*lags), share)
    true = sorted(lags)[max(0, math.ceil(share * len(lags) - 1e-9) - 1)]
    assert found is not None
    assert true / 1.1 <= found <= true * 1.1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_one_measurement_is_every_quantile(share: float) -> None:
    """A single measurement is all quantiles, within its class."""
    assert quantile(of(30.0), share) == pytest.approx(30.0, rel=0.1)


def test_the_last_class_answers_its_begin() -> None:
    """What is longer than all classes is told as the begin of the last one."""
    assert quantile(of(1e12), 0.99) == bound_s(CLASSES - 1)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_its_range_stops(share: float) -> None:
    """A share that is not from 0 to 1 is a bug and stops."""
    with pytest.raises(AssertionError):
        quantile(of(1.0), share)


def test_old_measurements_fade() -> None:
    """After a half-life a measurement weighs half, after ten what was common before is forgotten."""
    found = of(*[60.0] * 100)
    assert found.count(NOW + HALF_LIFE_US) == pytest.approx(50.0)
    later = NOW + 10 * HALF_LIFE_US
    for _ in range(10):
        found.add(1.0, at=later)
    assert found.count(later) == pytest.approx(10.1, rel=0.01)
    assert quantile(found, 0.95) == pytest.approx(1.0, rel=0.1)


def test_weights_stay_small_over_years() -> None:
    """Weights do not grow without end, and a pause of years forgets everything before it."""
    found = Distribution()
    for day in range(0, 4_000, 7):
        found.add(5.0, at=NOW + day * HALF_LIFE_US)
    assert max(found.weights) < 2.0 ** (MOST_HALF_LIVES + 1)
    assert quantile(found, 0.5) == pytest.approx(5.0, rel=0.1)
    found.add(50.0, at=NOW + 100_000 * HALF_LIFE_US)
    assert quantile(found, 0.01) == pytest.approx(50.0, rel=0.1)


def test_the_order_of_measurements_does_not_matter() -> None:
    """A measurement that comes late weighs as much as it would have in its turn."""
    one, two = of(1.0), of(9.0, at=NOW + HALF_LIFE_US)
    one.add(9.0, at=NOW + HALF_LIFE_US)
    two.add(1.0, at=NOW)
    for share in (0.1, 0.3, 0.4, 0.9):
        assert quantile(one, share) == pytest.approx(quantile(two, share))
    assert (one.latest, two.latest) == (NOW + HALF_LIFE_US,) * 2


def test_merging_keeps_the_weights() -> None:
    """Two distributions of different age merge as if all had been measured in one."""
    old, new = of(*[100.0] * 8), of(*[1.0] * 4, at=NOW + HALF_LIFE_US)
    both = merged([old, new, Distribution()])
    assert both.latest == NOW + HALF_LIFE_US
    assert both.count(both.latest) == pytest.approx(8.0)
    assert quantile(both, 0.45) == pytest.approx(1.0, rel=0.1)
    assert quantile(both, 0.55) == pytest.approx(100.0, rel=0.1)


def test_a_restart_forgets_nothing() -> None:
    """What is kept makes the same distribution again; what weighs nearly nothing is not kept."""
    found = of(*[0.5, 2.0, 2.1, 60.0])
    found.add(700.0, at=NOW - 40 * HALF_LIFE_US)
    kept = found.kept()
    assert class_of(700.0) not in kept
    assert all(weight >= NEGLIGIBLE for weight in kept.values())
    again = restored(kept, latest=found.latest)
    assert again.count(NOW) == pytest.approx(4.0)
    for share in (0.1, 0.5, 0.99):
        assert quantile(again, share) == pytest.approx(quantile(found, share))


def test_what_makes_no_sense_is_not_taken_up() -> None:
    """Classes that there are none of are left out, and a weight below zero is none."""
    again = restored({-1: 5.0, CLASSES: 5.0, 3: -1.0, 4: 2.0}, latest=NOW)
    assert again.kept() == {4: 2.0}


def test_figures_tell_the_tail() -> None:
    """Figures have the median, the tail and the count."""
    found = figures(Stage.MESSAGE, of(*[1.0] * 97, 30.0, 30.0, 30.0), at=NOW)
    assert found is not None
    assert (found.stage, round(found.count)) == (Stage.MESSAGE, 100)
    assert (found.p50_s, found.p95_s) == pytest.approx((1.0, 1.0), rel=0.1)
    assert found.p99_s == pytest.approx(30.0, rel=0.1)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, None, False),
        (None, 1.0, True),
        (1.0, None, True),
        (10.0, 15.0, False),
        (10.0, 15.1, True),
        (10.0, 5.0, False),
        (10.0, 4.9, True),
        (0.0, 0.0, False),
    ],
)
def test_a_change_is_more_than_a_share(before: float | None, now: float | None, *, expected: bool) -> None:
    """A lag changed when it differs by more than the share, or was not known before."""
    assert differs(before, now, share=0.5) is expected
