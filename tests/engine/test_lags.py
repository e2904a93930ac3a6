"""Lags as they are measured while deciding: by hand on listings, and by the whole engine on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.core.facts import AccountFact, AccountState
from syncd.core.lag import Stage
from syncd.core.shown import Base
from syncd.core.terms import SECOND_US, AccountId, ListingRef, Location, SkuId
from syncd.engine.lags import MOST_DECISIONS, MOST_FOLLOWED, Lags
from syncd.engine.lagwatch import LagWatch, take_up_lags
from syncd.sdk.channel import Notice, OutcomeKind, Write, WriteMode
from syncd.store import lags as kept_lags
from syncd.store.hints import entries_of
from syncd.store.lags import KeptLag
from syncd.store.listings import Listing
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

SHOP = AccountId("shop")
NOW = 1_790_000_000_000_000


def s(seconds: float) -> int:
    return NOW + int(seconds * SECOND_US)


def listing(*, target: int | None, shows: tuple[int, int], number: int = 1, **changes: Any) -> Listing:
    """Return a listing that should show `target` and shows a range."""
    values: dict[str, Any] = {
        "id": number,
        "account": SHOP,
        "ref": ListingRef(remote_id=f"r{number}"),
        "sku_id": SkuId(1),
        "location": Location(""),
        "remote_sku": "A",
        "active": True,
        "managed": True,
        "vanished": False,
        "target": target,
        "base": Base(value=shows[1], since=NOW, until=NOW),
        "low": shows[0],
        "high": shows[1],
        "lane": None,
        "due_at": None,
        "attempts": 0,
        "in_flight": False,
        "stale": False,
        "held": "",
        "parked": "",
        "seen": None,
        "seen_at": None,
        "demand": 0.0,
        "demand_at": None,
        "place": (SkuId(1), "", False),
    }
    return Listing(**{**values, **changes})


def counts(lags: Lags, at: int = NOW) -> dict[str, int]:
    return {one.stage.value: round(one.count) for one in lags.figures(SHOP, at=at)}


def p50(lags: Lags, stage: Stage) -> float:
    return next(one.p50_s for one in lags.figures(SHOP, at=NOW) if one.stage is stage)


def test_a_fall_is_measured_to_its_answer_and_to_its_effect() -> None:
    """A fall is measured until the write is answered, and until the number is known to be in effect."""
    lags = Lags()
    lags.follow(listing(target=3, shows=(5, 5)), before=5, at=s(0), heard_at=None)
    lags.answered(SHOP, 1, intended_at=s(0.1), at=s(2))
    lags.follow(listing(target=3, shows=(3, 5)), before=3, at=s(2), heard_at=s(2))
    assert counts(lags) == {"answer": 1}
    lags.answered(SHOP, 1, intended_at=s(0.1), at=s(3))
    lags.follow(listing(target=3, shows=(3, 3)), before=3, at=s(61), heard_at=s(60))
    assert counts(lags) == {"answer": 1, "fall": 1}
    assert p50(lags, Stage.ANSWER) == pytest.approx(2.0, rel=0.1)
    assert p50(lags, Stage.FALL) == pytest.approx(60.0, rel=0.1)


def test_a_raise_is_measured_apart() -> None:
    """A raise is measured to its effect, and while it is held back by a hand edit it is not followed."""
    lags = Lags()
    lags.follow(listing(target=9, shows=(5, 5)), before=5, at=s(0), heard_at=None)
    lags.follow(listing(target=9, shows=(9, 9)), before=9, at=s(8), heard_at=s(8))
    lags.follow(listing(target=9, shows=(5, 5), number=2, held="drift"), before=5, at=s(0), heard_at=None)
    lags.follow(listing(target=9, shows=(9, 9), number=2), before=9, at=s(900), heard_at=s(900))
    assert counts(lags) == {"raise": 1}


@pytest.mark.parametrize(
    ("then", "heard"),
    [
        ({"target": 3, "shows": (3, 3)}, False),
        ({"target": 4, "shows": (4, 4)}, True),
        ({"target": 3, "shows": (3, 3), "parked": "refused"}, True),
        ({"target": None, "shows": (3, 3)}, True),
        ({"target": 3, "shows": (3, 3), "vanished": True}, True),
    ],
)
def test_what_is_no_lag_of_the_channel_is_not_measured(then: dict[str, Any], *, heard: bool) -> None:
    """An own sale that brings the number down, a target that rose again, a refused row and a lost page are no lag."""
    lags = Lags()
    lags.follow(listing(target=3, shows=(5, 5)), before=5, at=s(0), heard_at=None)
    lags.follow(listing(**then), before=3, at=s(9), heard_at=s(9) if heard else None)
    lags.follow(listing(target=3, shows=(3, 3)), before=3, at=s(99), heard_at=s(99))
    assert counts(lags) == {}


def test_a_fall_that_shows_already_is_not_followed() -> None:
    """A target that fell with the channel's own sale waits for nothing."""
    lags = Lags()
    lags.follow(listing(target=3, shows=(3, 3)), before=5, at=s(0), heard_at=None)
    lags.follow(listing(target=3, shows=(3, 3)), before=None, at=s(50), heard_at=s(50))
    assert counts(lags) == {}


def test_each_of_several_decisions_counts() -> None:
    """Falls are each measured from their own decision, and a write answers only those that it came after."""
    lags = Lags()
    lags.follow(listing(target=4, shows=(5, 5)), before=5, at=s(0), heard_at=None)
    lags.follow(listing(target=3, shows=(5, 5)), before=4, at=s(10), heard_at=None)
    lags.answered(SHOP, 1, intended_at=s(1), at=s(11))
    assert counts(lags) == {"answer": 1}
    lags.follow(listing(target=3, shows=(4, 4)), before=3, at=s(11), heard_at=s(11))
    assert counts(lags)["fall"] == 1
    lags.follow(listing(target=3, shows=(3, 3)), before=3, at=s(20), heard_at=s(20))
    assert counts(lags)["fall"] == 2


def test_following_is_bounded() -> None:
    """Neither many listings nor many decisions on one make memory grow."""
    lags = Lags()
    for number in range(MOST_FOLLOWED + 10):
        lags.follow(listing(target=3, shows=(5, 5), number=number), before=5, at=s(0), heard_at=None)
    for target in range(90, 50, -1):
        lags.follow(listing(target=target, shows=(99, 99), number=0), before=target + 1, at=s(0), heard_at=None)
    for number in range(MOST_FOLLOWED + 10):
        lags.follow(listing(target=0, shows=(0, 0), number=number), before=0, at=s(5), heard_at=s(5))
    assert MOST_FOLLOWED < counts(lags)["fall"] <= MOST_FOLLOWED + MOST_DECISIONS


def test_what_began_while_the_account_was_away_counts_apart() -> None:
    """Sales and decisions from before an account came back are counted, not measured."""
    lags = Lags()
    lags.follow(listing(target=3, shows=(5, 5)), before=5, at=s(0), heard_at=None)
    lags.resume(SHOP, s(100))
    lags.resume(SHOP, s(50))
    lags.learned(SHOP, sold_at=s(60), by_message=False, at=s(101))
    lags.follow(listing(target=3, shows=(3, 3)), before=3, at=s(102), heard_at=s(102))
    lags.learned(SHOP, sold_at=s(100), by_message=False, at=s(103))
    lags.learned(SHOP, sold_at=s(900), by_message=True, at=s(104))
    assert (counts(lags), lags.delayed(SHOP)) == ({"feed": 1, "message": 1}, 2)
    assert p50(lags, Stage.MESSAGE) < 0.001


def test_promises_hold_until_enough_was_measured() -> None:
    """Few measurements can make a lag longer than promised, never shorter; enough of them are believed."""
    lags = Lags()
    assert (lags.knowledge_s(SHOP, 0.95), lags.visible_s(SHOP, 0.95)) == (0.0, 0.0)
    lags.expect(SHOP, knowledge_s=600.0, visible_s=30.0)
    assert (lags.knowledge_s(SHOP, 0.95), lags.visible_s(SHOP, 0.95)) == (600.0, 30.0)
    lags.learned(SHOP, sold_at=s(0), by_message=True, at=s(2))
    assert lags.knowledge_s(SHOP, 0.95) == 600.0
    assert lags.measured_s(SHOP, (Stage.MESSAGE,), 0.95) is None
    lags.learned(SHOP, sold_at=s(0), by_message=False, at=s(900))
    assert lags.knowledge_s(SHOP, 0.95) == pytest.approx(900.0, rel=0.1)
    for number in range(400):
        lags.learned(SHOP, sold_at=s(number), by_message=True, at=s(number + 2))
    assert lags.knowledge_s(SHOP, 0.95) == pytest.approx(2.0, rel=0.1)
    assert lags.visible_s(SHOP, 0.95) == 30.0


def test_a_late_reading_does_not_outweigh_an_answer() -> None:
    """Where the channel promises a soon effect after its answer, a reading an hour later makes no long lag."""
    lags = Lags()
    lags.expect(SHOP, knowledge_s=600.0, visible_s=30.0)
    for number in range(20):
        lags.follow(listing(target=3, shows=(5, 5), number=number), before=5, at=s(0), heard_at=None)
        lags.answered(SHOP, number, intended_at=s(1), at=s(4))
        lags.follow(listing(target=3, shows=(3, 3), number=number), before=3, at=s(3_600), heard_at=s(3_600))
    assert p50(lags, Stage.FALL) > 3_000.0
    assert lags.visible_s(SHOP, 0.95) == pytest.approx(34.0, rel=0.05)


def test_a_quantile_follows_what_is_measured() -> None:
    """A quantile that was asked for is not older than a few hundred measurements."""
    lags = Lags()
    for number in range(20_000):
        lags.learned(SHOP, sold_at=s(number), by_message=True, at=s(number + 2))
    assert lags.knowledge_s(SHOP, 0.5) == pytest.approx(2.0, rel=0.1)
    for number in range(30_000):
        lags.learned(SHOP, sold_at=s(number), by_message=True, at=s(number + 50))
    assert lags.knowledge_s(SHOP, 0.5) == pytest.approx(50.0, rel=0.1)


def test_a_restart_takes_up_what_was_measured() -> None:
    """What is kept is taken up again; a stage that is not known any more is left out; nothing new is kept twice."""
    lags, again = Lags(), Lags()
    for number in range(50):
        lags.learned(SHOP, sold_at=s(number), by_message=True, at=s(number + 7))
    kept = lags.unsaved()
    assert [(one.account, one.stage) for one in kept] == [(SHOP, "message")]
    assert lags.unsaved() == []
    assert again.knowledge_s(SHOP, 0.95) == 0.0
    again.restore([*kept, KeptLag(account=SHOP, stage="guess", latest=NOW, weights={1: 1.0})])
    assert again.knowledge_s(SHOP, 0.95) == pytest.approx(lags.knowledge_s(SHOP, 0.95))
    assert counts(again) == {"message": 50}
    assert again.unsaved() == []


# --- the whole engine -------------------------------------------------------------------------------------------


class Accepting(Double):
    """A channel that only accepts what it is to show."""

    async def push(self, writes: Sequence[Write]) -> Any:
        outcomes: Any = await super().push(writes)
        return [replace(one, kind=OutcomeKind.ACCEPTED) for one in outcomes]


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story in a world of two channels, the second of this kind, with 500 of A-1 counted and released."""

    def run(story: Callable[[World], Any], *, second: type[Double] = Double) -> Any:
        async def main() -> Any:
            clock = loop_running().clock
            doubles = {}
            for name, kind in (("one", Double), ("two", second)):
                mode = WriteMode.ABSOLUTE if kind is Accepting else WriteMode.COMPARE_AND_SET
                doubles[name] = kind(mode=mode, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
                doubles[name].list("A-1", 500)
            async with running(quick_path / "a.db", clock, doubles) as world:
                await asyncio.sleep(20)
                await world.count(a_1=500)
                await world.go()
                await asyncio.sleep(30)
                return await story(world)

        return run_virtual(main)

    return run


async def sell(world: World, times: int) -> None:
    """Let one unit be bought on the first channel every 20 s."""
    one = world.doubles["one"]
    for _ in range(times):
        one.buy(next(iter(one.numbers)), 1)
        await asyncio.sleep(20)
    await asyncio.sleep(120)


def stages(world: World, name: str) -> dict[str, Any]:
    found = world.plant.house.lags.figures(AccountId(name), at=world.plant.clock.now())
    return {one.stage.value: one for one in found}


def test_the_engine_measures_a_sale_and_its_writes(tell: Callable[..., Any]) -> None:
    """A sale is measured on the channel that made it, within its poll and lateness; the fall on the other one."""

    async def story(world: World) -> None:
        await sell(world, 40)
        sold, told = stages(world, "one"), stages(world, "two")
        assert (set(sold), set(told)) == ({"feed"}, {"answer", "fall"})
        assert round(sold["feed"].count) == 40
        assert 2.0 < sold["feed"].p50_s < sold["feed"].p99_s < 17.5
        assert round(told["fall"].count) == round(told["answer"].count) == 40
        assert told["fall"].p99_s < 1.0
        lags = world.plant.house.lags
        assert lags.knowledge_s(AccountId("one"), 0.95) == pytest.approx(sold["feed"].p95_s, rel=0.2)
        assert lags.knowledge_s(AccountId("two"), 0.95) == 15.0
        assert lags.visible_s(AccountId("two"), 0.95) < 1.0

    tell(story)


def test_an_accepted_write_is_in_effect_when_it_was_read(tell: Callable[..., Any]) -> None:
    """Where a channel only accepts, the answer is soon and the effect is measured at the reading that confirms it."""

    async def story(world: World) -> None:
        await sell(world, 40)
        told = stages(world, "two")
        assert told["answer"].p50_s < 1.0 < told["fall"].p50_s

    tell(story, second=Accepting)


def test_a_message_is_measured_apart_from_the_feed(tell: Callable[..., Any]) -> None:
    """An order that a message brought counts as heard by message; when the feed tells it too it is still one sale."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        name = one.buy(next(iter(one.numbers)), 1) or ""
        notice = Notice(dedupe_key="d-1", orders=(one.placed[name].order,))
        await world.plant.intake.put_entries(entries_of(AccountId("one"), notice))
        await asyncio.sleep(60)
        sold = stages(world, "one")
        assert {stage: round(found.count) for stage, found in sold.items()} == {"message": 1}
        assert sold["message"].p50_s < 2.5

    tell(story)


def test_lags_live_over_a_restart(tell: Callable[..., Any]) -> None:
    """What was measured is in the store within a minute, and a new run takes it up."""

    async def story(world: World) -> None:
        await sell(world, 10)
        kept = await world.plant.store.read(kept_lags.load)
        assert [(one.account, one.stage) for one in kept] == [("one", "feed"), ("two", "answer"), ("two", "fall")]
        before = stages(world, "one")["feed"].p95_s
        object.__setattr__(world.plant.house, "lags", Lags())
        await take_up_lags(world.plant)
        assert stages(world, "one")["feed"].p95_s == pytest.approx(before)

    tell(story)


def test_a_paused_account_measures_no_falls(tell: Callable[..., Any]) -> None:
    """While an account is paused nothing is followed, and its return is no lag of the channel."""

    async def story(world: World) -> None:
        await world.say(AccountFact(account=AccountId("two"), state=AccountState.PAUSED))
        await sell(world, 3)
        await world.say(AccountFact(account=AccountId("two"), state=AccountState.LIVE))
        await asyncio.sleep(60)
        assert world.doubles["two"].numbers == dict.fromkeys(world.doubles["two"].numbers, 497)
        assert stages(world, "two") == {}

    tell(story)


@pytest.mark.parametrize("held", [False, True])
def test_a_pause_between_decision_and_effect_is_no_lag(tell: Callable[..., Any], *, held: bool) -> None:
    """A decision from before a pause is left out, whether its write ended within the pause or was sent after it."""

    async def story(world: World) -> None:
        two, lags = AccountId("two"), world.plant.house.lags
        one = world.doubles["one"]
        if held:
            world.plant.roster[two].pulse.held_until = world.plant.clock.monotonic() + 120
            await asyncio.sleep(31)
        one.buy(next(iter(one.numbers)), 1)
        async with asyncio.timeout(60):
            while not lags._of(two).falls:
                await asyncio.sleep(0.001)
        await world.say(AccountFact(account=two, state=AccountState.PAUSED))
        await asyncio.sleep(60)
        await world.say(AccountFact(account=two, state=AccountState.LIVE))
        await asyncio.sleep(600)
        assert world.doubles["two"].numbers == dict.fromkeys(world.doubles["two"].numbers, 499)
        assert not lags._of(two).falls
        assert "fall" not in stages(world, "two")
        assert (lags.delayed(two) > 0) is held

    tell(story)


def test_a_change_is_told_once(tell: Callable[..., Any]) -> None:
    """An event tells when lags are first known and when they changed by half, at most every five minutes."""

    async def story(world: World) -> None:
        lags, plant, told = world.plant.house.lags, world.plant, []
        watch = LagWatch(plant)

        def keep(_: Any) -> None:
            for account in plant.roster:
                told.extend(watch._tell(account, lags, plant.clock.now()))

        def learn(lag_s: float, times: int) -> None:
            for _ in range(times):
                now = plant.clock.now()
                lags.resume(AccountId("one"), 0)
                lags._of(AccountId("one")).add(Stage.FEED, now, now + int(lag_s * SECOND_US))

        await plant.store.write(keep)
        assert told == []
        learn(10.0, 20)
        await plant.store.write(keep)
        await plant.store.write(keep)
        assert [msgspec.json.decode(event.body)["account"] for event in told] == ["one"]
        learn(40.0, 100)
        await plant.store.write(keep)
        assert len(told) == 1
        await asyncio.sleep(301)
        await plant.store.write(keep)
        assert [event.type for event in told] == ["lag", "lag"]
        body = msgspec.json.decode(told[1].body)
        assert body["knowledge_p95_s"] == pytest.approx(40.0, rel=0.1)
        assert body["visible_p95_s"] is None
        await asyncio.sleep(301)
        await plant.store.write(keep)
        assert len(told) == 2

    tell(story)
