"""Waits between tries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.retry import MOST_RETRY_AFTER_S, RetryRule, delay_s

RULE = RetryRule()


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [(-1, 1), (0, 1), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (10_000, 300), (10**30, 300)],
)
def test_waits_grow_to_their_most(attempt: int, expected: float) -> None:
    """A wait doubles with each failure and ends at its most, however many there were."""
    assert delay_s(attempt, rule=RULE, retry_after_s=None, draw=0.0) == pytest.approx(expected)


@pytest.mark.parametrize(("draw", "expected"), [(0.0, 4.0), (0.5, 3.0), (0.999, 2.002)])
def test_jitter_shortens(draw: float, expected: float) -> None:
    """Chance takes off up to the share that the rule leaves to it."""
    assert delay_s(3, rule=RULE, retry_after_s=None, draw=draw) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("retry_after_s", "expected"),
    [
        (0.0, 4.0),
        (-5.0, 4.0),
        (3.0, 4.0),
        (900.0, 900.0),
        (1e9, MOST_RETRY_AFTER_S),
        (float("inf"), MOST_RETRY_AFTER_S),
    ],
)
def test_channel_may_ask_for_more(retry_after_s: float, expected: float) -> None:
    """What the channel asks for is the least that is waited, up to one day."""
    assert delay_s(3, rule=RULE, retry_after_s=retry_after_s, draw=0.0) == expected


def test_steady_waits() -> None:
    """A factor of one waits the same every time."""
    assert delay_s(10_000, rule=RetryRule(first_s=5, factor=1), retry_after_s=None, draw=0.0) == 5


@given(
    attempt=st.integers(0, 20_000),
    first_s=st.floats(1e-3, 300),
    factor=st.floats(1, 1e6),
    jitter=st.floats(0, 1),
    draw=st.floats(0, 1, exclude_max=True),
    retry_after_s=st.none() | st.floats(0, 1e6),
)
def test_waits_are_bounded(
    attempt: int, first_s: float, factor: float, jitter: float, draw: float, retry_after_s: float | None
) -> None:
    """No wait is sooner than asked for or later than its limits."""
    rule = RetryRule(first_s=first_s, factor=factor, jitter=jitter)
    wait_s = delay_s(attempt, rule=rule, retry_after_s=retry_after_s, draw=draw)
    asked_s = min(retry_after_s or 0.0, MOST_RETRY_AFTER_S)
    assert max(asked_s, first_s * (1 - jitter) * 0.999) <= wait_s <= max(asked_s, rule.most_s)


@pytest.mark.parametrize("draw", [-0.1, 1.0])
def test_draw_outside_its_range_stops(draw: float) -> None:
    """A draw that is not in [0, 1) is a bug and stops."""
    with pytest.raises(AssertionError):
        delay_s(1, rule=RULE, retry_after_s=None, draw=draw)


@pytest.mark.parametrize(
    "wrong", [{"first_s": 0.0}, {"first_s": 500.0}, {"factor": 0.5}, {"jitter": 1.5}, {"jitter": -0.1}]
)
def test_impossible_rule_stops(wrong: dict[str, float]) -> None:
    """A rule whose waits shrink, vanish or pass their most is a bug and stops."""
    with pytest.raises(AssertionError):
        RetryRule(**wrong)
