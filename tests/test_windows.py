"""Announced maintenance: windows of one time and of every week, and what is none."""

from __future__ import annotations

import pytest

from syncd.settings.windows import end_of, instant_of, moment_of, read_window
from tests.settings_desk import Desk

ONCE = "2026-11-29T02:00+09:00/2026-11-29T08:00+09:00"
SUNDAY = "sun 02:00/08:00 Asia/Tokyo"
NIGHT = "sat 23:00/01:00 Asia/Tokyo"
SPRING = "sun 01:00/04:00 America/New_York"


def at(text: str) -> int:
    from datetime import datetime

    return instant_of(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("windows", "now", "end"),
    [
        ([ONCE], "2026-11-29T01:59:59+09:00", None),
        ([ONCE], "2026-11-28T17:00:00+00:00", "2026-11-29T08:00+09:00"),
        ([ONCE], "2026-11-29T07:59:59+09:00", "2026-11-29T08:00+09:00"),
        ([ONCE], "2026-11-29T08:00:00+09:00", None),
        ([SUNDAY], "2026-11-28T18:00:00+00:00", "2026-11-29T08:00+09:00"),
        ([SUNDAY], "2026-11-29T18:00:00+00:00", None),
        ([SUNDAY], "2026-12-06T02:00:00+09:00", "2026-12-06T08:00+09:00"),
        ([NIGHT], "2026-11-28T23:30:00+09:00", "2026-11-29T01:00+09:00"),
        ([NIGHT], "2026-11-29T00:30:00+09:00", "2026-11-29T01:00+09:00"),
        ([NIGHT], "2026-11-28T00:30:00+09:00", None),
        # The clocks go forward at 2:00 on this night: the window is two hours long.
        ([SPRING], "2027-03-14T01:30:00-05:00", "2027-03-14T04:00-04:00"),
        ([SPRING], "2027-03-14T04:30:00-04:00", None),
        # Windows that touch are one.
        (["sun 02:00/03:00 UTC", "sun 03:00/05:00 UTC"], "2026-11-29T02:30+00:00", "2026-11-29T05:00+00:00"),
        ([], "2026-11-29T02:30+09:00", None),
    ],
)  # fmt: skip
def test_a_window_holds_from_its_start_up_to_its_end(windows: list[str], now: str, end: str | None) -> None:
    """Inside of a window its end is told, outside nothing."""
    found = end_of([read_window(text) for text in windows], at(now))
    assert found == (None if end is None else at(end))
    assert found is None or moment_of(found) > moment_of(at(now))


WRONG = [
    ("sometime", "is no window of time"),
    ("2026-11-29T02:00/2026-11-29T08:00", "has no offset"),
    ("2026-11-29T08:00+09:00/2026-11-29T02:00+09:00", "ends before it begins"),
    ("2026-11-29T02:00+09:00/2027-11-29T02:00+09:00", "longer than 31 days"),
    ("2026-13-29T02:00+09:00/2026-11-29T02:00+09:00", "is no time"),
    ("day 02:00/08:00 Asia/Tokyo", "no day of the week"),
    ("sun 02:00/25:00 Asia/Tokyo", "is no time of day"),
    ("sun 02:00/08:00 Asia/Tokio", "no time zone"),
    ("sun 02:00/08:00 ../etc/passwd", "no time zone"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_no_window_is_a_problem_with_its_remedy(desk: Desk, text: str, message: str) -> None:
    """A text that is no window stops the start, says why, and shows both forms."""
    (problem,) = desk.problems(f'[channels.shop]\nenabled = false\nmaintenance = ["{text}"]')
    assert problem.place == "syncd.toml: [channels.shop] maintenance"
    assert message in problem.message
    assert "sun 02:00/08:00 Asia/Tokyo" in problem.remedy


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cutoff", '"25:00"'),
        ("cutoff", '"15:00+09:00"'),
        ("zone", '"Mars/Phobos"'),
        ("holidays", '["31.12.2026"]'),
        ("closed", '["sun", "mon", "tue", "wed", "thu", "fri", "sat"]'),
        ("closed", '["sunday"]'),
        ("days", "-1"),
        ("day", "1"),
    ],
)
def test_a_calendar_that_cannot_be_is_a_problem(desk: Desk, key: str, value: str) -> None:
    """Each mistake in the calendar is told once, at its place."""
    (problem,) = desk.problems(f"[channels.shop]\nenabled = false\n[channels.shop.ship_dates]\n{key} = {value}")
    assert problem.place == f"syncd.toml: [channels.shop.ship_dates] {key}"


def test_windows_and_calendar_are_read(desk: Desk) -> None:
    """What is right arrives in the settings, from the file and from the environment."""
    desk.environ["SYNCD_CHANNELS__SHOP__SHIP_DATES__DAYS"] = "3"
    text = f'[channels.shop]\nenabled = false\nmaintenance = ["{ONCE}", "{SUNDAY}"]\n'
    shop = desk.load(text + '[channels.shop.ship_dates]\nenabled = true\nclosed = ["wed"]').channels["shop"]
    assert shop.maintenance == (ONCE, SUNDAY)
    assert (shop.ship_dates.enabled, shop.ship_dates.days, shop.ship_dates.closed) == (True, 3, ("wed",))
