"""Figures of tickets: counted by period and SKU, and what is not known stays unknown."""

from __future__ import annotations

from typing import Any

from syncd.core.ticketfigures import ALL, SPAN, By, Row, Solved, Step, Steps, figures, period

HOUR = 3_600 * 1_000_000
DAY = 24 * HOUR


def steps(sku: str, day: int, step: Step, count: int = 1) -> Steps:
    return Steps(sku=sku, day=day, step=step, count=count)


def solved(day: int, hours: float | None, rating: str = "", cancelled_h: float | None = None) -> Solved:
    at = day * DAY + 12 * HOUR
    created = None if hours is None else int(at - hours * HOUR)
    cancelled = None if cancelled_h is None else int(at + cancelled_h * HOUR)
    return Solved(sku="A", day=day, created_at=created, solved_at=at, rating=rating, cancelled_at=cancelled)


def row(rows: list[Row], since: int, sku: str = ALL) -> Row:
    (found,) = [one for one in rows if (one.since, one.sku) == (since, sku)]
    return found


def told(one: Row, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in names)


def test_steps_are_counted_by_day_and_sku_and_who_waits_follows_backwards() -> None:
    """Who waits at the end of a day is who waits now, less who came and plus who went since."""
    happened = [
        steps("A", 10, Step.OPENED, 3),
        steps("A", 11, Step.MOVED, 2),
        steps("A", 11, Step.SHIPPED),
        steps("A", 12, Step.CANCELLED),
        steps("B", 12, Step.OPENED),
        steps("B", 12, Step.REFUNDED),
        steps("B", 12, Step.LEFT),
    ]
    rows = figures(happened, [], {"A": 1, "B": 0}, first=10, last=12, by=By.DAY)
    assert [one.waiting for one in rows if one.sku == "A"] == [3, 2, 1, 1]
    assert told(row(rows, 11, "A"), "opened", "moved", "shipped", "waiting") == (0, 2, 1, 2)
    assert told(row(rows, 12, "B"), "opened", "refunded", "left", "waiting") == (1, 1, 1, 0)
    assert told(row(rows, SPAN), "opened", "moved", "shipped", "cancelled", "waiting") == (4, 2, 1, 1, 1)
    assert row(rows, 10).waiting == 4
    assert {one.since for one in rows if one.sku == "B"} == {10, 11, 12, SPAN}


def test_days_on_which_nothing_happened_are_told_of_all_alone() -> None:
    """A SKU of which nobody waits and nothing happened has no row; all together have one for each day."""
    rows = figures([steps("A", 11, Step.OPENED), steps("A", 11, Step.LEFT)], [], {}, first=10, last=12, by=By.DAY)
    assert [(one.since, one.sku) for one in rows] == [(10, ""), (11, ""), (11, "A"), (12, ""), (SPAN, ""), (SPAN, "A")]


def test_weeks_begin_on_monday() -> None:
    """1970-01-01 was a Thursday; the last week ends with the last day that is looked at."""
    assert [period(day, By.WEEK) for day in (0, 3, 4, 10, 11)] == [-3, -3, 4, 4, 11]
    rows = figures(
        [steps("A", 5, Step.OPENED), steps("A", 12, Step.OPENED)], [], {"A": 2}, first=4, last=12, by=By.WEEK
    )
    assert [(one.since, one.opened, one.waiting) for one in rows if one.sku == ALL] == [
        (4, 1, 1),
        (11, 1, 2),
        (SPAN, 2, 2),
    ]


def test_time_to_solve_and_ratings_are_of_the_tickets_that_were_solved() -> None:
    """Median and 90 %; a ticket whose beginning is not known counts as solved and has no time; unrated stays so."""
    done = [solved(10, hours) for hours in (1, 2, 3, 4, 5, 6, 7, 8, 9, 100.04)]
    done += [solved(10, None, "good"), solved(10, None, "bad")]
    one = row(figures([], done, {}, first=10, last=10, by=By.DAY), 10, "A")
    assert told(one, "solved", "solve_median_h", "solve_p90_h", "good", "bad", "unrated") == (12, 5.0, 9.0, 1, 1, 10)
    none = row(figures([], [], {}, first=10, last=10, by=By.DAY), 10)
    assert told(none, "solved", "solve_median_h", "solve_p90_h") == (0, None, None)


def test_a_cancel_within_48_hours_of_solving_is_counted() -> None:
    """What was cancelled before, or later than two days after, is not."""
    done = [solved(10, 1, cancelled_h=hours) for hours in (-1, 0, 48, 48.1)] + [solved(10, 1)]
    assert row(figures([], done, {}, first=10, last=10, by=By.DAY), 10).cancelled_after_solving == 2
