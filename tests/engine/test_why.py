"""An explanation tells the numbers that the engine uses, in whatever state it is."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import AccountFact, AccountState, CountFact, CountRow, PolicyFact, PolicyRow, SkuFact, SkuRow
from syncd.core.terms import AccountId, ListingRef, Location, Sku, WriteMode
from syncd.engine.why import explain
from syncd.engine.whys import ListingWhy
from syncd.store import listings
from syncd.store.views import lane_name
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double, Rates
from tests.engine.world import World, running

FAULTS = Rates(refused=0.05, cut=0.05, late=0.1, lost=0.05, html=0.02, stale=0.3, partial=0.05)
CODES = ("A-1", "B-2", "KIT")


async def compare(world: World, seen: Counter[str]) -> None:
    """Hold what is told of every SKU against what is stored, and against its own steps."""
    stored = {
        (found.account, found.ref.remote_id): found
        for found in await world.plant.store.read(lambda conn: listings.page(conn, after=0, limit=100))
    }
    for code in CODES:
        told = await explain(world.plant, code)
        assert told is not None
        for one in told.listings:
            known = stored[AccountId(one.account), one.remote_id]
            assert (one.target, one.lane) == (known.target, lane_name(known.lane))
            agree(one, known.due_at, world.plant.clock.now(), seen)


def agree(one: ListingWhy, due_at: int | None, now: int, seen: Counter[str]) -> None:
    """Hold the trial against what is stored: the same target always, the same lane until its time has come.

    The margin of an absolute write goes with time, and so does the patience with an open write: there the lane may be
    another one before the next decision, and that is told.
    """
    assert one.aim is not None
    assert one.next is not None
    assert one.aim.target == one.target
    if one.target is not None:
        steps = one.aim.available - one.aim.kept_back - one.aim.capped - one.aim.elsewhere - one.aim.split
        assert max(0, steps) == one.target
    if not one.in_flight and (due_at is None or due_at > now):
        same = one.next.lane == one.lane
        assert one.renewing != same
        assert same or one.mode == WriteMode.ABSOLUTE or one.belief.open_writes, one
        seen["same" if same else "renewing"] += 1
    seen[f"{one.next.step} {one.next.why}"] += 1


@pytest.mark.parametrize("seed", range(3))
def test_what_is_told_is_what_is_used(quick_path: Path, seed: int) -> None:
    """In a busy hour with faults every explanation has the stored target, and its steps lead to that very number."""
    seen: Counter[str] = Counter()

    async def story() -> None:
        clock = loop_running().clock
        doubles = {}
        for number, mode in enumerate(WriteMode):
            dice = SeededRandom(seed * 10 + number)
            doubles[mode.value] = Double(
                mode=mode, clock=clock, dice=dice, rates=FAULTS, precision_s=(1, 60, 1)[number]
            )
            for sku in CODES:
                doubles[mode.value].list(sku, int(dice.between(0, 30)))
        async with running(quick_path / "a.db", clock, doubles) as world:
            await trade(world, SeededRandom(seed), seen)

    run_virtual(story, seed=seed)
    assert {"idle right", "look verify"} <= set(seen), seen
    assert seen["renewing"] < seen["same"] / 20, seen
    assert len(seen) >= 8, seen


async def trade(world: World, dice: SeededRandom, seen: Counter[str]) -> None:
    """Let shoppers buy and cancel, and policies change, with a look at every explanation in between."""
    await asyncio.sleep(30)
    await compare(world, seen)
    await world.say(SkuFact(rows=(SkuRow(sku=Sku("KIT"), components=((Sku("A-1"), 2), (Sku("B-2"), 1))),)))
    await world.count(a_1=40, b_2=15)
    await compare(world, seen)
    await world.go()
    orders: list[tuple[Double, str]] = []
    for _ in range(150):
        await asyncio.sleep(dice.between(0.2, 9.0))
        for double in world.doubles.values():
            wanted = [ref for ref in double.numbers if dice.happens(0.06)]
            orders += [(double, name) for ref in wanted if (name := double.buy(ref, 1 + int(dice.between(0, 2))))]
        if orders and dice.happens(0.1):
            double, name = orders.pop(int(dice.between(0, len(orders))))
            double.cancel(name, restore=dice.happens(0.7))
        if dice.happens(0.03):
            row = PolicyRow(sku=Sku("A-1"), account=None, safety_stock=int(dice.between(0, 4)), cap=20)
            await world.say(PolicyFact(rows=(row,), forced=True))
        await compare(world, seen)


def test_where_each_value_comes_from(quick_path: Path) -> None:
    """Each value of a policy is told with its origin, and an account that is not written says so."""

    async def story() -> None:
        clock = loop_running().clock
        double = Double(mode=WriteMode.ABSOLUTE, clock=clock, dice=SeededRandom(1))
        double.list("A-1", 7)
        async with running(quick_path / "a.db", clock, {"one": double}, safety_percent=10) as world:
            await asyncio.sleep(20)
            row = PolicyRow(sku=Sku("A-1"), account=AccountId("one"), cap=5)
            assert await world.say(PolicyFact(rows=(PolicyRow(sku=Sku("A-1"), safety_stock=3), row))) is None
            before = await explain(world.plant, "A-1")
            await world.count(a_1=12)
            told = await explain(world.plant, "A-1", "one")
            await world.say(AccountFact(account=AccountId("one"), state=AccountState.PAUSED, reason="holiday"))
            after = await explain(world.plant, "A-1")
        assert before is not None
        assert told is not None
        assert after is not None
        assert [found.what for found in before.listings[0].obstacles] == ["new", "not_counted"]
        aim = told.listings[0].aim
        assert aim is not None
        found = {setting.name: (setting.value, setting.origin) for setting in aim.policy}
        assert found.pop("exposure") == ("pool", "settings")
        assert found == {"safety_stock": (3, "sku"), "safety_percent": (10, "channel"), "cap": (5, "sku_channel")}
        assert (aim.available, aim.kept_back, aim.capped, aim.elsewhere, aim.target) == (12, 3, 4, 0, 5)
        assert [(found.what, found.detail) for found in after.listings[0].obstacles] == [("paused", "holiday")]
        assert told.listings[0].margin is not None

    run_virtual(story)


def test_an_unknown_sku_is_not_explained(quick_path: Path) -> None:
    """A SKU that nobody knows has no explanation, and a known one has none on an account that does not list it."""

    async def story() -> None:
        clock = loop_running().clock
        double = Double(mode=WriteMode.DELTA, clock=clock, dice=SeededRandom(1))
        double.list("A-1", 7)
        async with running(quick_path / "a.db", clock, {"one": double}) as world:
            await asyncio.sleep(20)
            assert await explain(world.plant, "NO") is None
            told = await explain(world.plant, "A-1", "two")
            assert told is not None
            assert told.listings == ()

    run_virtual(story)


@pytest.mark.parametrize(
    "values", [{}, {"safety_stock": 5}, {"cap": 5}, {"share": 50}, {"exposure": "allotment", "safety_stock": 5}]
)
def test_one_number_of_two_locations_is_told_as_one(quick_path: Path, values: Mapping[str, Any]) -> None:
    """Listings at two locations of a channel have one safety stock and one limit; the steps lead to each number."""

    async def story() -> None:
        clock = loop_running().clock
        doubles = {
            name: Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(seed))
            for seed, name in enumerate(("one", "two"))
        }
        for place in ("L1", "L2"):
            ref = ListingRef(remote_id="a-1", remote_location=place)
            doubles["one"].skus[ref], doubles["one"].numbers[ref] = "A-1", 0
            doubles["one"].past[ref] = deque([(0, 0)])
        doubles["two"].list("A-1", 0)
        places = {"L1": Location("main"), "L2": Location("shop")}
        async with running(
            quick_path / "a.db", clock, doubles, locations=("main", "shop"), location_map=places
        ) as world:
            await asyncio.sleep(20)
            now = clock.now()
            rows = tuple(
                CountRow(sku=Sku("A-1"), location=place, quantity=10, counted_at=now) for place in places.values()
            )
            assert await world.say(CountFact(source="test", reference="1", rows=rows)) is None
            assert await world.say(PolicyFact(rows=(PolicyRow(sku=Sku("A-1"), **values),))) is None
            await world.go()
            await asyncio.sleep(60)
            told = await explain(world.plant, "A-1")
        assert told is not None
        aims = [one.aim for one in told.listings if one.aim is not None]
        for aim in aims:
            steps = (aim.available, -aim.kept_back, -aim.capped, -aim.elsewhere, -aim.split)
            assert sum(steps) == aim.target
            assert max(steps[1:]) <= 0
            assert aim.available == 20
        assert sum(aim.exposure.share for aim in aims if aim.exposure is not None) == pytest.approx(1.0)
        if "safety_stock" in values:
            assert [aim.kept_back for aim in aims] == [5, 5, 5]

    run_virtual(story)
