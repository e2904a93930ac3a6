"""Dated policies, days of the week, units on their way: case by case."""

from __future__ import annotations

import pytest

from syncd.core.exposure import Exposure, Policy, overlay, pool_target
from syncd.core.preorder import owed, ready_day, sellable
from syncd.core.promises import Incoming
from syncd.core.season import Season, expected_demand, in_force, next_turn
from syncd.core.week import DAYS, MOST_DAYS, Week

SALE = Season(name="sale", since=10, until=20, demand=3.0, safety_stock=5)
ONE = Season(name="one", since=15, until=30, accounts=("one",), loss=1_000)


@pytest.mark.parametrize(
    ("now", "account", "names"),
    [
        (9, "one", []),
        (10, "one", ["sale"]),
        (16, "one", ["sale", "one"]),
        (16, "two", ["sale"]),
        (20, "one", ["one"]),
        (30, "one", []),
    ],
)
def test_a_season_holds_from_its_begin_up_to_its_end(now: int, account: str, names: list[str]) -> None:
    """On its accounts only; the one that began last comes last, and wins."""
    assert [season.name for season in in_force((ONE, SALE), account=account, now=now)] == names


@pytest.mark.parametrize(("now", "turn"), [(0, 10), (10, 15), (16, 20), (20, 30), (30, None)])
def test_the_next_turn(now: int, turn: int | None) -> None:
    """The next begin or end of any season is known, so that nobody has to look before."""
    assert next_turn((SALE, ONE), now=now) == turn


def test_a_surge_is_expected_while_it_lasts() -> None:
    """Demand of a campaign counts from its first moment to its last."""
    assert [expected_demand((SALE, ONE), now=now) for now in (9, 10, 19, 20, 25)] == [1.0, 3.0, 3.0, 1.0, 1.0]


def test_a_season_changes_only_what_it_names() -> None:
    """Over the policy of the settings; exposure comes as a text and is one of three."""
    base = Policy(exposure=Exposure.ADAPTIVE, loss=300, cap=9)
    changed = Season(name="x", since=0, until=9, exposure="allotment", loss=50)
    assert overlay(base, SALE) == Policy(exposure=Exposure.ADAPTIVE, loss=300, cap=9, safety_stock=5)
    assert overlay(base, changed).exposure is Exposure.ALLOTMENT
    assert overlay(base, changed).loss == 50
    assert overlay(base) is base


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(share=40), 4),
        (Policy(share=45), 4),
        (Policy(share=0), 0),
        (Policy(share=50, cap=3), 3),
        (Policy(priority="two", priority_units=3), 7),
        (Policy(priority="one", priority_units=3), 10),
        (Policy(priority="two", priority_units=3, safety_stock=4), 6),
        (Policy(priority="two", priority_units=30), 0),
    ],
)
def test_share_and_priority(policy: Policy, expected: int) -> None:
    """A share is rounded down; the last units are left to the channel that has priority."""
    assert pool_target(10, policy, account="one") == expected


# --- days of the week -------------------------------------------------------------------------------------------------


def test_a_week_that_nobody_knows_is_even() -> None:
    """Without orders every day is a usual one, and after one order still about so."""
    assert Week().factor(3) == 1.0
    assert Week().heard(3).factor(3) == pytest.approx(1.0)


def test_sundays_are_learned() -> None:
    """Three times as many orders on Sundays come out as such after some weeks, whatever day it is."""
    week = Week()
    for day in range(10 * DAYS):
        for _ in range(30 if day % DAYS == 6 else 10):
            week = week.heard(day)
    assert 1.9 < week.factor(6) < 2.6
    assert 0.7 < week.factor(7 * 100) < 0.95


def test_a_late_order_and_a_long_silence() -> None:
    """An order of an earlier day counts as one of the last; what lies in a long silence was not seen."""
    week = Week().heard(10).heard(8)
    assert (week.day, sum(week.orders), sum(week.days)) == (10, 2.0, 1.0)
    later = week.heard(10 + MOST_DAYS + 1)
    assert sum(later.days) < 2.0
    assert sum(week.heard(12).days) == pytest.approx(3.0, abs=0.1)


# --- units on their way -----------------------------------------------------------------------------------------------

COMING = (Incoming(day="2026-12-20", units=3), Incoming(day="2026-12-10", units=2), Incoming(day="", units=50))


def test_only_dated_units_are_sold_early() -> None:
    """What has no day cannot be promised, and on a day that is over nobody can count."""
    assert sellable(COMING, today="2026-12-10") == 5
    assert sellable(COMING, today="2026-12-11") == 3
    assert sellable((), today="2026-12-10") == 0


@pytest.mark.parametrize(
    ("available", "day"),
    [(1, ""), (0, "2026-12-10"), (-1, "2026-12-10"), (-2, "2026-12-20"), (-4, "2026-12-20"), (-5, ""), (-60, "")],
)
def test_the_day_from_which_the_next_unit_leaves(available: int, day: str) -> None:
    """Units that are promised already take the earliest days."""
    assert ready_day(available, COMING, today="2026-12-01") == day


def test_a_day_that_is_over_is_not_told() -> None:
    """What is overdue is left out: the next unit leaves with what comes after."""
    assert ready_day(-1, COMING, today="2026-12-11") == "2026-12-20"
    assert ready_day(-1, COMING, today="2026-12-21") == ""


def test_a_season_without_demand_says_nothing_of_it() -> None:
    """Less than usual is expected though another season says nothing of it; of several that do, the most counts."""
    quiet, cap = Season(name="ny", since=0, until=10, demand=0.3), Season(name="cap", since=0, until=10, cap=5)
    assert expected_demand([quiet, cap], now=5) == 0.3
    assert expected_demand([quiet, cap, SALE], now=10) == 3.0
    assert expected_demand([quiet, cap], now=10) == 1.0


@pytest.mark.parametrize(
    ("short", "sells", "before", "to_come", "expected"),
    [
        (0, 5, 0, 5, 0),
        (3, 5, 0, 5, 3),
        (6, 5, 4, 5, 5),
        (6, 0, 4, 5, 4),
        (6, 0, 4, 1, 1),
        (3, 0, 4, 9, 3),
        (3, 0, 0, 9, 0),
        (-2, 5, 3, 5, 0),
    ],
)
def test_what_is_owed_is_not_oversold(short: int, sells: int, before: int, to_come: int, expected: int) -> None:
    """As many as may be sold early, or as were owed and are still to come; never more than are missing."""
    assert owed(short, sells=sells, before=before, to_come=to_come) == expected
