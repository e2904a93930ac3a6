"""When something is due again: the one place that decides it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

MOST_RETRY_AFTER_S: Final = 86_400.0
"""The longest wait that a channel can ask for: one day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """How waits grow: from `first_s` by `factor` up to `most_s`; `jitter` is the share of a wait left to chance."""

    first_s: float = 1.0
    factor: float = 2.0
    most_s: float = 300.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        assert 0 < self.first_s <= self.most_s, "waits grow from first_s to most_s"
        assert self.factor >= 1, "waits never shrink"
        assert 0 <= self.jitter <= 1, "jitter is a share"


def delay_s(attempt: int, *, rule: RetryRule, retry_after_s: float | None, draw: float) -> float:
    """Return the seconds to wait after `attempt` failures in a row (1 for the first).

    `draw` is a random number in [0, 1): the wait lies between (1 - jitter) of the full one and the full one, so it is
    never above `most_s`. What the channel asks for (`retry_after_s`) is a lower bound, itself bounded by one day.
    """
    assert 0 <= draw < 1, "a draw is in [0, 1)"
    wait_s = _full_wait_s(attempt, rule) * (1 - rule.jitter * draw)
    if retry_after_s is None:
        return wait_s
    return max(wait_s, min(retry_after_s, MOST_RETRY_AFTER_S))


def _full_wait_s(attempt: int, rule: RetryRule) -> float:
    """Return the wait before jitter. Logarithms tell when it is at its most: the power itself would overflow."""
    growths = max(0, attempt - 1)
    if growths * math.log(rule.factor) >= math.log(rule.most_s / rule.first_s):
        return rule.most_s
    return min(rule.most_s, rule.first_s * rule.factor**growths)
