"""The sweep never starves: every listing is read again in time, while writes want all that there is of a budget."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from syncd.core.facts import MoveFact, MoveRow, StockMove
from syncd.core.terms import SECOND_US, ListingRef, Location, Sku
from syncd.sdk.channel import Outcome, Profile, Seen, Write, WriteMode
from syncd.sdk.errors import NoTurn, TransientError
from syncd.sdk.limits import Budget
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

GOODS = 20
SWEEP_S = 300.0
WAIT_S = 30.0


@dataclass
class Crowded(Double):
    """A double with one budget of one call a second for everything, a write a call; `fails` is how many reads do."""

    budget: Budget | None = None
    reads: dict[ListingRef, list[int]] = field(default_factory=lambda: defaultdict(list))
    fails: int = 0

    @property
    def profile(self) -> Profile:
        return replace(super().profile, max_push=1, max_seen=5)

    async def _turn(self, *, urgent: bool) -> None:
        assert self.budget is not None
        try:
            async with asyncio.timeout(WAIT_S):
                await self.budget.take(1.0, urgent=urgent)
        except TimeoutError:
            raise NoTurn("no turn", retry_after_s=1.0) from None
        self.budget.done(1.0)

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        await self._turn(urgent=True)
        return await super().push(writes)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        await self._turn(urgent=False)
        if self.fails:
            self.fails -= 1
            raise TransientError("refused", sent=False)
        for ref in refs:
            self.reads[ref].append(self.clock.now())
        return await super().seen(refs)


async def bustle(world: World, double: Crowded, *, until_s: float) -> None:
    """Let goods come in all the time, more than can be written."""
    sent, begin_s = 0, loop_running().time()
    while loop_running().time() < until_s:
        sent += 1
        rows = tuple(
            MoveRow(sku=Sku(f"A-{number}"), location=Location("main"), quantity=sent % 5 + 1) for number in range(GOODS)
        )
        now = world.plant.clock.now()
        await world.say(
            MoveFact(source="test", reference=f"r{sent}", move=StockMove.RECEIVE, at=now, rows=rows, forced=True)
        )
        await asyncio.sleep(15)
    assert len(double.pushed) > 0.6 * (until_s - begin_s), "the story is of a budget that writes want for themselves"


@pytest.mark.parametrize("fails", [0, 4])
def test_every_listing_is_read_again_in_time(quick_path: Path, fails: int) -> None:
    """With writes without a pause no listing is left unread for longer than a round, nor by readings that fail."""

    async def main() -> None:
        clock = loop_running().clock
        double = Crowded(mode=WriteMode.ABSOLUTE, clock=clock, dice=SeededRandom(1), lateness_s=5.0)
        double.budget = Budget("one", capacity=4.0, rate_per_s=1.0, clock=clock, reserve=0.3)
        refs = [double.list(f"A-{number}", 50) for number in range(GOODS)]
        async with running(quick_path / "a.db", clock, {"one": double}, sweep_s=SWEEP_S) as world:
            await asyncio.sleep(30)
            await world.count(**{f"a_{number}": 50 for number in range(GOODS)})
            await world.go()
            began = clock.now()
            double.fails = fails
            await bustle(world, double, until_s=loop_running().time() + 900.0)
            ended = clock.now()
        for ref in refs:
            times = [at for at in double.reads[ref] if at >= began]
            gaps = [(b - a) / SECOND_US for a, b in pairwise([*times, ended])]
            assert times[0] - began <= 2 * SWEEP_S * SECOND_US, "a round had begun before anything was known"
            assert max(gaps) <= 1.25 * SWEEP_S, (ref, [round(gap) for gap in gaps])

    run_virtual(main)
