"""Pool targets, policies in layers, margins for absolute writes, rates of sale."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.exposure import NORMAL_ABOVE, Policy, among, decay, kept_back, margin, overlay, pool_target
from syncd.core.facts import PolicyRow
from syncd.core.terms import Sku


@pytest.mark.parametrize(
    ("available", "policy", "expected"),
    [
        (10, Policy(), 10),
        (0, Policy(), 0),
        (-3, Policy(), 0),
        (10, Policy(safety_stock=3), 7),
        (3, Policy(safety_stock=3), 0),
        (2, Policy(safety_stock=3), 0),
        (10, Policy(safety_percent=20), 8),
        (11, Policy(safety_percent=20), 8),
        (1, Policy(safety_percent=1), 0),
        (10, Policy(safety_percent=100), 0),
        (100, Policy(safety_stock=5, safety_percent=10), 90),
        (20, Policy(safety_stock=5, safety_percent=10), 15),
        (10, Policy(cap=4), 4),
        (10, Policy(cap=0), 0),
        (10, Policy(safety_stock=8, cap=4), 2),
        (-10, Policy(safety_percent=200, cap=4), 0),
    ],
)
def test_pool_target(available: int, policy: Policy, expected: int) -> None:
    """A listing shows what is available less the larger safety stock, at most its cap, at least zero."""
    assert pool_target(available, policy) == expected


@pytest.mark.parametrize(("account", "sellers", "expected"), [("one", ["one", "two"], 3), ("two", ["one", "two"], 2)])
def test_the_last_units_are_left_to_who_has_priority(account: str, sellers: list[str], expected: int) -> None:
    """A listing leaves the larger of the safety stock and the units of the account that has priority."""
    policy = Policy(safety_stock=2, priority="two", priority_units=3)
    assert kept_back(10, among(policy, sellers), account=account) == expected


def test_who_does_not_sell_it_has_no_priority() -> None:
    """A priority of an account that does not sell the SKU holds nothing back, and no priority is as it was."""
    assert kept_back(10, among(Policy(priority="two", priority_units=3), ["one"]), account="one") == 0
    assert among(Policy(cap=4), ["one"]) == Policy(cap=4)


def row(**fields: int | None) -> PolicyRow:
    return PolicyRow(sku=Sku("s"), **fields)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), Policy(safety_stock=1, safety_percent=2, cap=3)),
        ((row(),), Policy(safety_stock=1, safety_percent=2, cap=3)),
        ((row(safety_stock=0),), Policy(safety_stock=0, safety_percent=2, cap=3)),
        ((row(safety_stock=7, cap=9), row(safety_percent=5, cap=8)), Policy(safety_stock=7, safety_percent=5, cap=8)),
    ],
)
def test_later_policies_win_field_by_field(rows: tuple[PolicyRow, ...], expected: Policy) -> None:
    """Each field comes from the last row that has it, else from the defaults."""
    assert overlay(Policy(safety_stock=1, safety_percent=2, cap=3), *rows) == expected


@pytest.mark.parametrize(
    ("rate_per_s", "window_s", "expected"),
    [(0.0, 60.0, 0), (-1.0, 60.0, 0), (1.0, 0.0, 0), (1.0, -5.0, 0), (-1.0, -1.0, 0)],
)
def test_no_sales_or_no_time_need_no_margin(rate_per_s: float, window_s: float, expected: int) -> None:
    """Where nothing sells, or no time passes, there is nothing to keep back."""
    assert margin(rate_per_s=rate_per_s, window_s=window_s) == expected


def tail(mean: float, units: int) -> float:
    """Return P(Poisson(mean) <= units), summed in logarithms."""
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(units + 1))


@pytest.mark.parametrize("mean", [0.0005, 0.01, 0.1, 1.0, 7.5, 60.0, 499.0])
@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.999, 0.999999])
def test_margin_is_the_smallest_that_covers(mean: float, quantile: float) -> None:
    """The margin covers the chance asked for, and one unit less does not."""
    units = margin(rate_per_s=mean / 60, window_s=60.0, quantile=quantile)
    assert tail(mean, units) >= quantile - 1e-12
    assert units == 0 or tail(mean, units - 1) < quantile


@pytest.mark.parametrize("mean", [NORMAL_ABOVE + 1, 800.0])
def test_large_margin_is_close_to_the_exact_one(mean: float) -> None:
    """The normal approximation is within a few units of the exact quantile."""
    units = margin(rate_per_s=mean, window_s=1.0, most=5000)
    assert tail(mean, units + 3) >= 0.999
    assert tail(mean, units - 3) < 0.999


@pytest.mark.parametrize(("rate_per_s", "most"), [(5.0, 3), (900.0, 905), (1e9, 1000), (1e308, 1000), (math.inf, 7)])
def test_margin_is_bounded(rate_per_s: float, most: int) -> None:
    """A margin never passes its limit, however fast a listing sells."""
    assert margin(rate_per_s=rate_per_s, window_s=1e3 if rate_per_s > 1e6 else 1.0, most=most) == most


def at_most(orders: float, size: int, units: int) -> float:
    """Return P(orders of one size each come to at most so many units)."""
    return tail(orders, units // size)


@pytest.mark.parametrize("orders", [0.08, 0.2, 2.5])
@pytest.mark.parametrize("size", [1, 3, 10])
def test_margin_counts_in_orders(orders: float, size: int) -> None:
    """Units that come several at a time need a larger margin: it is the smallest that covers whole orders."""
    sizes = [0.0] * (size - 1) + [1.0]
    units = margin(rate_per_s=orders * size / 60, window_s=60.0, quantile=0.99, sizes=sizes)
    assert at_most(orders, size, units) >= 0.99
    assert units == 0 or at_most(orders, size, units - 1) < 0.99


def test_margin_of_many_orders_grows_with_their_sizes() -> None:
    """Where a great many units sell, those that come several at a time spread wider."""
    single, threes = (margin(rate_per_s=600.0, window_s=1.0, sizes=sizes) for sizes in ((1.0,), (0.0, 0.0, 1.0)))
    assert single < threes < 800


def test_margin_below_the_median_stops() -> None:
    """A quantile that covers less than the median is a bug and stops."""
    with pytest.raises(AssertionError):
        margin(rate_per_s=1.0, window_s=1.0, quantile=0.1)


@given(slow=st.floats(0, 2000), faster=st.floats(0, 100), window_s=st.floats(0, 10), quantile=st.floats(0.5, 0.9999))
def test_margin_grows_with_the_rate(slow: float, faster: float, window_s: float, quantile: float) -> None:
    """Who sells faster never needs less, but for the step between the two ways of computing."""
    low = margin(rate_per_s=slow, window_s=window_s, quantile=quantile)
    high = margin(rate_per_s=slow + faster, window_s=window_s, quantile=quantile)
    assert high >= low - 2


@pytest.mark.parametrize(
    ("rate_per_s", "units", "elapsed_s", "expected"),
    [
        (1.0, 0, 0.0, 1.0),
        (1.0, 0, 100.0, 0.5),
        (1.0, 0, 200.0, 0.25),
        (0.0, 3, 50.0, 3 * math.log(2) / 100),
        (1.0, 1, 100.0, 0.5 + math.log(2) / 100),
        (1.0, 0, -50.0, 1.0),
        (1.0, 0, 1e12, 0.0),
    ],
)
def test_rate_decays(rate_per_s: float, units: int, elapsed_s: float, expected: float) -> None:
    """A rate halves with each half life and rises by what was sold; a late sale does not raise the past."""
    assert decay(rate_per_s, units=units, elapsed_s=elapsed_s, half_life_s=100.0) == pytest.approx(expected)


def test_rate_settles_at_steady_sales() -> None:
    """A listing that sells two units every ten seconds is seen to sell a fifth of a unit per second."""
    rate = 0.0
    for _ in range(20_000):
        rate = decay(rate, units=2, elapsed_s=10.0)
    assert rate == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize("wrong", [{"units": -1}, {"units": 1, "half_life_s": 0.0}])
def test_impossible_rate_stops(wrong: dict[str, float]) -> None:
    """Negative sales, or a half life of nothing, is a bug and stops."""
    with pytest.raises(AssertionError):
        decay(1.0, elapsed_s=1.0, **wrong)
