"""The campaigns of `tests/bench`, a few seeds each, and bugs planted into them: what cannot fail proves nothing."""

from __future__ import annotations

import pytest

from syncd.core.gate import Claim
from syncd.core.plan import Send
from syncd.core.shown import History, Range
from syncd.core.terms import Instant, OutcomeKind
from tests.bench import allotment, guarded
from tests.bench.allotment import Allotting
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


class Blind(Allotting):
    """A planted bug: units that may be sold unheard are no part of a claim."""

    def doubt(self, place: int, units: int, until: Instant) -> None:
        pass


class Hasty(Allotting):
    """A planted bug: the gate takes writes that are not finished for done."""

    def claim(self, place: int, found: Range) -> Claim:
        claim, flying = super().claim(place, found), [write.value for write, _ in self.kept[place].writes]
        return Claim(standing=min([found.low, *flying])) if flying else claim


class Impatient(Allotting):
    """A planted bug: unheard units are forgotten at the next reading of the feed, however late it may tell."""

    def claim(self, place: int, found: Range) -> Claim:
        one = self.unheard[place]
        if one.until is not None and one.until < self.line.now:
            one.units = 0
        return super().claim(place, found)


def test_allotments_sell_nothing_that_is_not_there() -> None:
    """Whatever is late, lost or silent, no unit is sold twice, and units do move between channels."""
    found = [allotment.play(seed) for seed in range(16)]
    assert [seed for seed, one in enumerate(found) if one.oversold] == []
    assert sum(one.sold for one in found) > 200
    assert sum(one.moves for one in found) > 200


def test_a_cancelled_order_explains_no_missing_units() -> None:
    """An order whose units were given back before it was told of leaves the hold of other missing units alone."""
    assert allotment.play(1_012).oversold == 0


@pytest.mark.parametrize(("bug", "seed"), [(Blind, 1), (Hasty, 8), (Impatient, 1)])
def test_a_hole_in_the_gate_is_caught(bug: type[Allotting], seed: int) -> None:
    """A gate that leaves out unheard units, unfinished writes or the lateness of a feed is found by the campaign."""
    assert allotment.play(seed).oversold == 0
    assert allotment.play(seed, bug).oversold > 0
