"""A kind of call whose own budget is spent: it waits by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from syncd.core.terms import AccountId
from syncd.sdk.channel import ListingRef, OrderPage, Seen
from syncd.sdk.errors import NoTurn
from tests.engine.double import Double
from tests.engine.features import tell
from tests.engine.world import World

ONE = AccountId("one")
TURN_S = 170.0


class Spent(Double):
    """A channel that has no turn for some reads, as Amazon's search for orders once its burst is spent."""

    no_feed = False
    no_seen = False
    asked = 0

    async def orders(self, cursor: str | None) -> OrderPage:
        if self.no_feed:
            self.asked += 1
            raise NoTurn("no turn in budget search", retry_after_s=TURN_S)
        return await super().orders(cursor)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        if self.no_seen:
            self.asked += 1
            raise NoTurn("no turn in budget read", retry_after_s=TURN_S)
        return await super().seen(refs)


def test_a_search_without_a_turn_stops_no_write(quick_path: Path) -> None:
    """A fall to zero goes out at once while the feed has no turn; the channel does not count as down."""

    async def story(world: World, double: Spent) -> None:
        await world.count(a_1=3)
        await world.go()
        await asyncio.sleep(30)
        double.no_feed = True
        await asyncio.sleep(15)
        await world.count(a_1=0)
        await asyncio.sleep(5)
        assert list(double.numbers.values()) == [0]
        pulse = world.plant.roster[ONE].pulse
        assert (pulse.failures, pulse.down_since) == (0, None)

    tell(quick_path, Spent, story)


def test_a_call_without_a_turn_waits_for_its_turn(quick_path: Path) -> None:
    """The feed is not asked again and again while its budget says that it has no turn."""

    async def story(world: World, double: Spent) -> None:
        await world.go()
        double.no_feed = True
        await asyncio.sleep(600)
        assert 3 <= double.asked <= 600 / 60 + 1
        double.no_feed = False
        double.asked = 0
        double.no_seen = True
        await asyncio.sleep(600)
        assert double.asked <= 2 * (600 / 60 + 1)

    tell(quick_path, Spent, story)
