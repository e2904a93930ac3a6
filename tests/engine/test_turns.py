"""When a channel is left alone: not for a budget of ours that is spent, but for answers that do not come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from syncd.core.facts import HintFact
from syncd.core.terms import AccountId
from syncd.sdk.channel import ListingRef, OrderPage, Outcome, OutcomeKind, Profile, Seen, Write, WriteMode
from syncd.sdk.errors import NoTurn, TransientError
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


class Mute(Double):
    """A channel whose adapter tells of every write that its answer was lost; nothing has an effect, nothing is read."""

    mute = False

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        if not self.mute:
            return await super().push(writes)
        return [Outcome(key=write.key, kind=OutcomeKind.INDETERMINATE, reason="a web page came") for write in writes]

    async def orders(self, cursor: str | None) -> OrderPage:
        if self.mute:
            raise TransientError("a web page came")
        return await super().orders(cursor)

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        if self.mute:
            raise TransientError("a web page came")
        return await super().seen(refs)


def test_lost_answers_to_writes_do_not_make_a_channel_look_up(quick_path: Path) -> None:
    """A channel that answers nothing is down, and stays down, whatever is pushed to it meanwhile."""

    async def story(world: World, double: Mute) -> None:
        await world.count(a_1=9)
        await world.go()
        await asyncio.sleep(30)
        pulse, reasons = world.plant.roster[ONE].pulse, []
        pulse.report = lambda _, reason: reasons.append(reason)
        double.mute = True
        for number in (8, 7, 6, 5):
            await world.count(a_1=number)
            await asyncio.sleep(30)
        assert reasons == ["TransientError: a web page came"]
        double.mute = False
        await asyncio.sleep(120)
        assert list(double.numbers.values()) == [5]
        assert pulse.down_since is None

    tell(quick_path, Mute, story)


def test_having_nothing_to_ask_is_no_answer(quick_path: Path) -> None:
    """A silent channel is found down, and once, though loops that have nothing to ask of it come round meanwhile."""

    async def story(world: World, double: Mute) -> None:
        await world.count(a_1=9)
        await world.go()
        await asyncio.sleep(30)
        pulse, reasons = world.plant.roster[ONE].pulse, []
        pulse.report = lambda _, reason: reasons.append(reason)
        double.mute = True
        await asyncio.sleep(240)
        assert reasons == ["TransientError: a web page came"]

    tell(quick_path, Mute, story)


class Slow(Mute):
    """A channel that takes absolute numbers and shows them minutes later."""

    @property
    def profile(self) -> Profile:
        return replace(super().profile, write_mode=WriteMode.ABSOLUTE, visibility_delay_s=600.0, effect_delay_s=700.0)


def test_a_lost_answer_does_not_keep_the_last_unit_on_sale(quick_path: Path) -> None:
    """A fall to zero without an answer is sent again within seconds, though it could be read only after ten minutes."""

    async def story(world: World, double: Slow) -> None:
        await world.count(a_1=9)
        await world.go()
        await asyncio.sleep(30)
        double.mute = True
        await world.count(a_1=0)
        await asyncio.sleep(5)
        double.mute = False
        await asyncio.sleep(20)
        assert list(double.numbers.values()) == [0]

    tell(quick_path, Slow, story)


class Ticking(Double):
    """A channel that takes one push of one row every ten seconds, and knows when."""

    next_s = 0.0

    @property
    def profile(self) -> Profile:
        return replace(super().profile, max_push=1)

    def push_delay_s(self) -> float:
        return max(0.0, self.next_s - self.clock.monotonic())

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        await asyncio.sleep(self.push_delay_s())
        self.next_s = self.clock.monotonic() + 10.0
        return await super().push(writes)


def test_a_fall_to_zero_takes_the_place_of_a_raise_that_is_picked_already(quick_path: Path) -> None:
    """What sells out while a raise waits for the channel's tick is written in that very tick, before the raise."""

    async def story(world: World, double: Ticking) -> None:
        ref = double.list("B-1", 9)
        await world.say(HintFact(account=ONE, catalogue=True))
        await asyncio.sleep(30)
        await world.count(a_1=7, b_1=9)
        await world.go()
        await asyncio.sleep(30)
        double.pushed.clear()
        double.next_s = double.clock.monotonic() + 10.0
        await world.count(a_1=20)
        await asyncio.sleep(9.9)
        assert (await world.listing("one")).in_flight, "the raise is picked and waits for its tick"
        await world.count(b_1=0)
        await asyncio.sleep(0.5)
        assert [[write.quantity for write in batch] for batch in double.pushed] == [[0]]
        assert double.numbers[ref] == 0
        await asyncio.sleep(20)
        assert sorted(double.numbers.values()) == [0, 20]

    tell(quick_path, Ticking, story)
