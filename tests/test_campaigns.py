"""The campaigns of `tests/bench`, a few seeds each, and bugs planted into them: what cannot fail proves nothing."""

from __future__ import annotations

import pytest

from syncd.core.plan import Send
from syncd.core.shown import History
from syncd.core.terms import OutcomeKind
from tests.bench import guarded
from tests.bench.guarded import SETUPS, Naive
from tests.bench.keeper import Keeper, Kept


class Trusting(Keeper):
    """A planted bug: what the channel took, or what timed out, is believed to be in effect."""

    def ended(self, kept: Kept, send: Send, kind: OutcomeKind) -> None:
        doubtful = kind in (OutcomeKind.ACCEPTED, OutcomeKind.INDETERMINATE)
        super().ended(kept, send, OutcomeKind.APPLIED if doubtful else kind)


class Deaf(Keeper):
    """A planted bug: a difference in flight is not reckoned with while a reading is judged."""

    def history(self, kept: Kept) -> History:
        told = super().history(kept)
        return History(base=told.base, effects=tuple(kept.effects.values()), writes=told.writes)


@pytest.mark.parametrize("setup", SETUPS)
def test_guarded_writes_are_right_at_rest(setup: str) -> None:
    """Whatever got lost, late, stale or doubled by day, every listing shows what is there once it is quiet."""
    assert [found for seed in range(6) for found in guarded.wrong(SETUPS[setup], seed)] == []


def test_naive_writes_are_not() -> None:
    """The same days leave listings of a sync that believes its own writes wrong, so they are days that test."""
    assert any(guarded.wrong(SETUPS["delta"], seed, Naive) for seed in range(6))


def test_a_trusting_engine_is_caught() -> None:
    """Believing writes whose end is not known is found by the campaign."""
    assert any(guarded.wrong(SETUPS["delta"], seed, Trusting) for seed in range(6))


def test_an_engine_that_forgets_writes_in_flight_is_caught() -> None:
    """Taking the effect of a difference in flight for a sale is found by the campaign."""
    assert guarded.wrong(SETUPS["mixed"], 23) == []
    assert guarded.wrong(SETUPS["mixed"], 23, Deaf)
