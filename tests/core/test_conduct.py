"""How the shop's own cancels stand against a channel's rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from syncd.core.conduct import (
    DAY_US,
    Cancel,
    CancelPoints,
    CancelRate,
    CancelRun,
    Finding,
    Level,
    Past,
    caution,
    days_needed,
    judge,
    year_start,
)
from syncd.core.terms import SECOND_US, CancelledBy

NOW = 1_790_000_000 * SECOND_US
RATE = CancelRate(name="rate", days=7, limit=0.025)
RUN = CancelRun(name="run", days=30, limit=2)
POINTS = CancelPoints(name="points", each=15, limit=35, utc_offset_s=9 * 3_600)


def cancel(days_ago: float, by: CancelledBy = CancelledBy.SELLER, ordered: float | None = None) -> Cancel:
    at = NOW - round(days_ago * DAY_US)
    return Cancel(at=at, ordered_at=at if ordered is None else NOW - round(ordered * DAY_US), by=by)


@pytest.mark.parametrize(
    ("cancels", "orders", "at_risk", "value", "level"),
    [
        ([], [10] * 7, 0, 0.0, Level.GOOD),
        ([cancel(1)], [10] * 7, 0, 1 / 70, Level.GOOD),
        ([cancel(1)], [10, 10, 10, 10, 10, 5, 5], 0, 1 / 60, Level.WARNED),
        ([cancel(1), cancel(2)], [10] * 7, 0, 2 / 70, Level.OVER),
        ([cancel(1), cancel(8)], [10] * 7, 0, 1 / 70, Level.GOOD),
        ([cancel(1), cancel(2, CancelledBy.BUYER), cancel(2, CancelledBy.CHANNEL)], [10] * 7, 0, 1 / 70, Level.GOOD),
        ([cancel(1)], [10] * 7, 1, 1 / 70, Level.WARNED),
        ([cancel(1)], [], 0, None, Level.GOOD),
    ],
)
def test_a_rate_is_of_the_orders_of_its_days(
    cancels: list[Cancel], orders: list[int], at_risk: int, value: float | None, level: Level
) -> None:
    """The shop's own cancels of the window, by all orders of it; a person is told before the limit is reached."""
    found = judge(RATE, Past(cancels=cancels, orders=orders, at_risk=at_risk), now=NOW)
    assert found.value == value
    assert found.level is level


def test_the_forecast_looks_at_the_days_to_come() -> None:
    """A busy day that leaves the window makes the rate worse, though nothing else is cancelled."""
    past = Past(cancels=[cancel(0.5)], orders=[0, 0, 0, 0, 0, 0, 50])
    found = judge(RATE, past, now=NOW)
    assert found.value == 1 / 50
    assert found.forecast is not None
    assert found.forecast > 0.1
    assert found.level is Level.WARNED
    assert judge(RATE, Past(cancels=[], orders=[]), now=NOW).forecast is None


def test_a_rate_without_a_known_limit_warns_of_nothing() -> None:
    """Where no limit is known the rate is shown and nobody is warned."""
    found = judge(CancelRate(name="rate", days=7, limit=None), Past(cancels=[cancel(1)], orders=[1]), now=NOW)
    assert (found.value, found.used, found.coming, found.level) == (1.0, 0.0, 0.0, Level.GOOD)


def test_a_rate_of_a_young_ledger_warns_of_nothing() -> None:
    """While cancels are not heard of for as long as the window is, the rate is shown and nothing follows from it."""
    past = Past(cancels=[cancel(1), cancel(2)], orders=[10] * 7, since=NOW - 6 * DAY_US)
    young = judge(RATE, past, now=NOW)
    assert (young.value, young.young, young.level, caution([young])) == (2 / 70, True, Level.GOOD, 1.0)
    grown = judge(RATE, replace(past, since=NOW - 7 * DAY_US), now=NOW)
    assert (grown.young, grown.level, caution([grown])) == (False, Level.OVER, 4.0)
    assert judge(RUN, past, now=NOW).level is Level.OVER


@pytest.mark.parametrize(
    ("cancels", "shipped", "at_risk", "value", "level"),
    [
        ([], None, 0, 0, Level.GOOD),
        ([cancel(1)], None, 0, 1, Level.WARNED),
        ([cancel(1)], None, 1, 1, Level.WARNED),
        ([cancel(1), cancel(29)], None, 0, 2, Level.OVER),
        ([cancel(1), cancel(31)], None, 0, 1, Level.WARNED),
        ([cancel(1), cancel(3)], 2.0, 0, 1, Level.WARNED),
        ([cancel(1, ordered=4), cancel(3)], 2.0, 0, 0, Level.GOOD),
    ],
)
def test_a_run_ends_with_an_order_that_ships(
    cancels: list[Cancel], shipped: float | None, at_risk: int, value: int, level: Level
) -> None:
    """Cancels in a row are those of orders placed after the last one that shipped; before the last one it is told."""
    shipped_at = None if shipped is None else NOW - round(shipped * DAY_US)
    found = judge(RUN, Past(cancels=cancels, orders=[3], shipped_at=shipped_at, at_risk=at_risk), now=NOW)
    assert (found.value, found.level) == (value, level)


def test_points_begin_anew_with_the_year_of_the_shop() -> None:
    """Points are of the calendar year where the channel is, not of a window of days."""
    began = year_start(NOW, utc_offset_s=9 * 3_600)
    assert datetime.fromtimestamp(began / SECOND_US, UTC) == datetime(2025, 12, 31, 15, tzinfo=UTC)
    old = Cancel(at=began - 1, ordered_at=began - 1, by=CancelledBy.SELLER)
    first = Cancel(at=began, ordered_at=began, by=CancelledBy.SELLER)
    unknown = Cancel(at=began, ordered_at=began, by=CancelledBy.UNKNOWN)
    found = judge(POINTS, Past(cancels=[old, first, unknown], orders=[5], at_risk=1), now=NOW)
    assert (found.value, found.forecast, found.limit, found.unknown) == (15, 30, 35, 1)
    assert found.level is Level.GOOD
    twice = judge(POINTS, Past(cancels=[first, first], orders=[5]), now=NOW)
    assert (twice.value, twice.level) == (30, Level.WARNED)


@pytest.mark.parametrize("offset_h", [0, 9, -5])
def test_every_year_begins_on_its_first_of_january(offset_h: int) -> None:
    """The begin of a year is that of the calendar, through leap years and centuries."""
    zone = timezone(timedelta(hours=offset_h))
    for year in (*range(1970, 2110), 2200, 2400):
        began = round(datetime(year, 1, 1, tzinfo=zone).timestamp()) * SECOND_US
        last = round(datetime(year + 1, 1, 1, tzinfo=zone).timestamp()) * SECOND_US - 1
        for now in (began, began + 58 * DAY_US, began + 59 * DAY_US, began + 60 * DAY_US, last):
            assert year_start(now, utc_offset_s=offset_h * 3_600) == began


@pytest.mark.parametrize(
    ("value", "forecast", "factor"),
    [(0.5, 0.5, 1.0), (0.6, 0.6, 1.0), (0.8, 0.8, 2.5), (0.1, 0.8, 2.5), (3.0, 3.0, 4.0)],
)
def test_an_account_near_its_limit_risks_less(value: float, forecast: float, factor: float) -> None:
    """What an oversold unit costs grows from six tenths of a limit on, and no further once it is reached."""
    one = Finding(name="x", count=1, total=1, unknown=0, value=value, forecast=forecast, limit=1.0)
    assert caution([one]) == pytest.approx(factor)
    assert caution([]) == 1.0


def test_the_last_cancel_before_a_limit_makes_an_oversell_dearer() -> None:
    """After the first of two cancels in a row an oversold unit costs more there; points that leave room do not."""
    run = judge(RUN, Past(cancels=[cancel(1)], orders=[3]), now=NOW)
    assert (run.last, caution([run])) == (True, pytest.approx(2.5))
    points = judge(POINTS, Past(cancels=[cancel(1)], orders=[3]), now=NOW)
    assert (points.last, caution([points])) == (False, 1.0)
    twice = judge(POINTS, Past(cancels=[cancel(1), cancel(2)], orders=[3]), now=NOW)
    assert (twice.last, caution([twice])) == (True, pytest.approx(1.0 + 3.0 * (30 / 35 - 0.6) / 0.4))


def test_as_many_days_are_read_as_a_rule_looks_at() -> None:
    """Points need no days of orders; of windows the longest counts."""
    assert days_needed([RATE, RUN, POINTS]) == 30
    assert days_needed([POINTS]) == 0
