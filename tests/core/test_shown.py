"""What a listing is believed to show."""

from __future__ import annotations

import pytest

from syncd.core.shown import (
    REWOUND_US,
    Base,
    Effect,
    History,
    OpenWrite,
    Range,
    Reading,
    gives_until,
    judge,
    predicted,
    rewound,
    shown,
    spent,
)
from syncd.core.terms import Span


def effect(quantity: int, earliest: int, latest: int | None, *, maybe: bool = False) -> Effect:
    return Effect(quantity=quantity, span=Span(earliest=earliest, latest=latest), maybe=maybe)


def history(*effects: Effect, writes: tuple[OpenWrite, ...] = (), floor: int | None = 0) -> History:
    return History(base=Base(value=10, since=100, until=110), effects=effects, writes=writes, floor=floor)


@pytest.mark.parametrize(
    ("effects", "low", "high"),
    [
        ((), 10, 10),
        ((effect(-2, 50, 99),), 10, 10),
        ((effect(-2, 111, 120),), 8, 8),
        ((effect(-2, 105, 120),), 8, 10),
        ((effect(-2, 90, 100),), 8, 10),
        ((effect(-2, 111, None),), 8, 10),
        ((effect(-2, 111, 120, maybe=True),), 8, 10),
        ((effect(3, 111, 120),), 13, 13),
        ((effect(3, 105, 120),), 10, 13),
        ((effect(3, 111, None),), 10, 13),
        ((effect(-2, 111, 120), effect(3, 105, 120)), 8, 11),
        ((effect(-20, 111, 120),), 0, 0),
    ],
)
def test_effects_move_one_end_or_both(effects: tuple[Effect, ...], low: int, high: int) -> None:
    """A change that is certainly after the base moves both ends, one that may be moves one, an older one none."""
    found = shown(history(*effects))
    assert (found.low, found.high) == (low, high)


def test_a_channel_may_show_less_than_zero() -> None:
    """Without a floor the range goes below zero."""
    assert shown(history(effect(-12, 111, 120), floor=None)) == Range(low=-2, high=-2, likely=-2)


@pytest.mark.parametrize(
    ("writes", "low", "high"),
    [
        ((OpenWrite(value=4, sent_at=50, until=99),), 10, 10),
        ((OpenWrite(value=4, sent_at=50, until=130),), 4, 10),
        ((OpenWrite(value=4, sent_at=120, until=130), OpenWrite(value=15, sent_at=121, until=140)), 4, 15),
    ],
)
def test_a_write_that_nobody_answered_widens(writes: tuple[OpenWrite, ...], low: int, high: int) -> None:
    """An open write may be in effect or not, unless its time ended before the base."""
    assert shown(history(writes=writes)) == Range(low=low, high=high, likely=10)


def test_a_sale_after_an_open_write_counts_from_both() -> None:
    """A sale that certainly came after the write lowers either number."""
    found = shown(history(effect(-1, 140, 150), writes=(OpenWrite(value=4, sent_at=120, until=130),)))
    assert found == Range(low=3, high=9, likely=9)


def test_a_prediction_leaves_out_what_came_later() -> None:
    """What a reading may have answered knows neither later sales nor later writes."""
    told = history(effect(-1, 111, 120), effect(-2, 300, 310), writes=(OpenWrite(value=0, sent_at=250, until=260),))
    assert predicted(told, Span(earliest=200, latest=210)) == Range(low=9, high=9, likely=9)
    assert predicted(told, Span(earliest=115, latest=210)) == Range(low=9, high=10, likely=10)


@pytest.mark.parametrize(("value", "missing", "surplus"), [(10, 0, 0), (9, 0, 0), (7, 1, 0), (12, 0, 2)])
def test_a_reading_is_judged(value: int, missing: int, surplus: int) -> None:
    """Below the range is missing, above it is surplus, inside it is what was believed."""
    found = judge(history(effect(-2, 105, 120)), value=value, at=Span(earliest=200, latest=210))
    base = Base(value=value, since=200, until=210)
    assert found == Reading(base=base, missing=missing, surplus=surplus, since=100, until=210)


def test_an_old_reading_says_nothing() -> None:
    """A reading that may be older than the base is not judged."""
    assert judge(history(), value=3, at=Span(earliest=109, latest=120)) is None


def test_a_reading_has_an_end() -> None:
    """A reading without an end is our own bug."""
    with pytest.raises(AssertionError, match="has an end"):
        judge(history(), value=3, at=Span(earliest=200, latest=None))


def test_an_effect_is_spent_once_it_is_wholly_before_the_base() -> None:
    """Only what ended before the base is forgotten."""
    base = Base(value=1, since=100, until=110)
    assert spent(effect(-1, 50, 99), base)
    assert not spent(effect(-1, 50, 100), base)
    assert not spent(effect(-1, 50, None), base)


@pytest.mark.parametrize(
    ("effects", "until"),
    [
        ((), None),
        ((effect(-1, 1, 900),), None),
        ((effect(1, 1, 400),), None),
        ((effect(1, 1, 900), effect(1, 1, 700)), 900),
        ((effect(1, 1, None),), 1 + 86_400_000_000),
        ((effect(1, 500 - 86_400_000_000, None),), None),
    ],
)
def test_outstanding_gives_have_an_end(effects: tuple[Effect, ...], until: int | None) -> None:
    """A unit that may still come back says until when; one without an end is asked again in a day."""
    assert gives_until(effects, now=500) == until


def test_a_range_knows_whether_it_is_exact() -> None:
    """Exact is one number."""
    assert Range(low=2, high=2, likely=2).exact
    assert not Range(low=2, high=3, likely=2).exact


def test_what_is_only_possible_is_not_likely() -> None:
    """The likely number counts what certainly happened since the base, and nothing else."""
    told = history(effect(-2, 111, 120), effect(3, 111, None), writes=(OpenWrite(value=1, sent_at=100, until=105),))
    assert (shown(told).high, shown(told).likely) == (11, 8)


def test_a_base_that_lies_ahead_is_followed_by_a_reading() -> None:
    """After the clock was set back a reading is judged by the last base, as if it were of the hour before it."""
    at = Span(earliest=REWOUND_US, latest=REWOUND_US + 10)
    later = 2 * REWOUND_US
    told = rewound(
        History(
            base=Base(value=7, since=later, until=later + 5),
            effects=[
                Effect(quantity=-1, span=Span(earliest=20, latest=30)),
                Effect(quantity=-2, span=Span(earliest=later + 9, latest=later + 10)),
            ],
            writes=[OpenWrite(value=6, sent_at=later, until=later + 50), OpenWrite(value=9, sent_at=5, until=10)],
        ),
        at,
    )
    expected = Reading(
        base=Base(value=2, since=at.earliest, until=REWOUND_US + 10),
        missing=1,
        surplus=0,
        since=0,
        until=at.latest or 0,
    )
    assert judge(told, value=2, at=at) == expected
