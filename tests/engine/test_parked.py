"""Listings whose numbers a channel refuses: told, not raised, but let fall like all others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.sdk.channel import Outcome, OutcomeKind, Write, WriteMode
from syncd.store import alerts
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import running

CAS = WriteMode.COMPARE_AND_SET


class Picky(Double):
    """A channel that takes no number above 5, and for a while none at all."""

    deaf = False

    def apply(self, write: Write) -> Outcome:
        if self.deaf or write.quantity > 5:
            return Outcome(key=write.key, kind=OutcomeKind.REJECTED, reason="too many")
        return super().apply(write)


@pytest.mark.parametrize("mode", list(WriteMode))
def test_a_parked_listing_still_falls(quick_path: Path, mode: WriteMode) -> None:
    """A listing whose raise was refused falls to zero with the last unit; a fall that is refused is tried again."""

    async def main() -> None:
        clock = loop_running().clock
        one = Picky(mode=mode, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
        two = Double(mode=CAS, clock=clock, dice=SeededRandom(4), lateness_s=5.0)
        mine, other = one.list("A-1", 5), two.list("A-1", 5)
        async with running(quick_path / "a.db", clock, {"one": one, "two": two}) as world:
            await asyncio.sleep(20)
            await world.count(a_1=9)
            await world.go()
            await asyncio.sleep(400)
            assert (one.numbers[mine], two.numbers[other]) == (5, 9)
            told = [x.text for x in await world.plant.store.read(alerts.standing) if x.kind == "parked"]
            assert told == ["account one, 1 listings: A-1"]
            one.deaf = True
            two.buy(other, 9)
            await asyncio.sleep(100)
            assert one.numbers[mine] == 5
            tries = len(one.pushed)
            assert 4 <= tries <= 12
            one.deaf = False
            await asyncio.sleep(100)
            assert one.numbers[mine] == 0
            assert not (await world.listing("one")).parked
            await asyncio.sleep(700)
            assert not [x for x in await world.plant.store.read(alerts.standing) if x.kind == "parked"]

    run_virtual(main)


def test_no_target_is_above_what_a_channel_takes(quick_path: Path) -> None:
    """Where a channel tells the highest number that it takes, its listings show that, and are not refused."""

    async def main() -> None:
        clock = loop_running().clock
        one = Picky(mode=CAS, clock=clock, dice=SeededRandom(3), lateness_s=5.0, takes_most=5)
        mine = one.list("A-1", 2)
        async with running(quick_path / "a.db", clock, {"one": one}) as world:
            await asyncio.sleep(20)
            await world.count(a_1=9)
            await world.go()
            await asyncio.sleep(60)
            assert one.numbers[mine] == 5
            assert (await world.listing("one")).target == 5

    run_virtual(main)
