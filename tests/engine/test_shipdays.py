"""The shop's calendar, by a table of orders and days."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from syncd.engine.shipdays import calendar_of
from syncd.settings import ShipDateSettings
from syncd.settings.windows import instant_of

PLAIN = ShipDateSettings()
QUICK = ShipDateSettings(days=0)
NEW_YEAR = ShipDateSettings(days=2, holidays=("2026-12-31", "2027-01-01"))
EVERY_DAY = ShipDateSettings(closed=(), cutoff="23:00")


@pytest.mark.parametrize(
    ("settings", "ordered", "now", "delayed", "day"),
    [
        # 2026-11-25 is a Wednesday.
        (PLAIN, "2026-11-25T10:00+09:00", "2026-11-25T10:01+09:00", False, "2026-11-26"),
        (PLAIN, "2026-11-25T14:59+09:00", "2026-11-25T15:01+09:00", False, "2026-11-26"),
        (PLAIN, "2026-11-25T15:00+09:00", "2026-11-25T15:01+09:00", False, "2026-11-27"),
        (PLAIN, "2026-11-25T23:59+09:00", "2026-11-25T23:59+09:00", False, "2026-11-27"),
        (PLAIN, "2026-11-25T15:30+00:00", "2026-11-25T15:31+00:00", False, "2026-11-27"),
        (PLAIN, "2026-11-27T10:00+09:00", "2026-11-27T10:01+09:00", False, "2026-11-30"),
        (PLAIN, "2026-11-27T16:00+09:00", "2026-11-27T16:01+09:00", False, "2026-12-01"),
        (PLAIN, "2026-11-28T10:00+09:00", "2026-11-28T10:01+09:00", False, "2026-12-01"),
        (QUICK, "2026-11-25T10:00+09:00", "2026-11-25T10:01+09:00", False, "2026-11-25"),
        (QUICK, "2026-11-28T10:00+09:00", "2026-11-28T10:01+09:00", False, "2026-11-30"),
        (NEW_YEAR, "2026-12-30T10:00+09:00", "2026-12-30T10:01+09:00", False, "2027-01-05"),
        (EVERY_DAY, "2026-11-28T22:59+09:00", "2026-11-28T22:59+09:00", False, "2026-11-29"),
        # Goods came days later: counted from now.
        (PLAIN, "2026-11-18T10:00+09:00", "2026-11-25T10:00+09:00", False, "2026-11-26"),
        (PLAIN, "2026-11-18T10:00+09:00", "2026-11-27T16:00+09:00", False, "2026-12-01"),
        # The day that was promised has passed.
        (PLAIN, "2026-11-24T10:00+09:00", "2026-11-25T10:00+09:00", True, "2026-11-26"),
    ],
)
def test_the_day_follows_the_calendar(
    settings: ShipDateSettings, ordered: str, now: str, delayed: bool, day: str
) -> None:
    """Working days are counted from the order, or from now where that day cannot be held any more."""
    found = calendar_of(settings).day_for(
        ordered_at=instant_of(datetime.fromisoformat(ordered)),
        now=instant_of(datetime.fromisoformat(now)),
        delayed=delayed,
    )
    assert found == date.fromisoformat(day)
