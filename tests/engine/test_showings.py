"""What stands beside a number: limits, closed pages and days of preorders, through whole engines on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from syncd.core.facts import PolicyFact, PolicyRow
from syncd.core.terms import ListingRef, Sku
from syncd.engine.why import explain
from syncd.sdk.channel import Outcome, OutcomeKind, WriteMode
from syncd.sdk.errors import TransientError
from syncd.sdk.features import DayWish, LimitWish, PageWish
from syncd.settings import PolicyDefaults
from syncd.store import displays, listings
from syncd.store.displays import NOTHING, Showing
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double, Rates
from tests.engine.test_exposing import arrive
from tests.engine.world import World, running

CAS = WriteMode.COMPARE_AND_SET


class Shopfront(Double):
    """A double that shows more than numbers; `beside` is what it was told."""

    beside: list[Any]

    async def set_purchase_limits(self, wishes: Sequence[LimitWish]) -> list[Outcome]:
        return self._take(wishes, [("limit", wish.ref, wish.most) for wish in wishes])

    async def set_visible(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        return self._take(wishes, [("visible", wish.ref, wish.visible) for wish in wishes])

    async def set_preorder_days(self, wishes: Sequence[DayWish]) -> list[Outcome]:
        return self._take(wishes, [("day", wish.ref, wish.day) for wish in wishes])

    def _take(self, wishes: Sequence[Any], rows: Sequence[Any]) -> list[Outcome]:
        if self.dice.happens(self.rates.refused):
            raise TransientError("refused", sent=False)
        self.beside.extend(rows)
        return [Outcome(key=wish.key, kind=OutcomeKind.APPLIED) for wish in wishes]


def test_limits_closed_pages_and_days_reach_the_channel(quick_path: Path) -> None:
    """A limit is set, a page is closed at zero and opened again, a preorder has its day; failures are tried again."""

    async def main() -> None:
        clock = loop_running().clock
        front = Shopfront(mode=CAS, clock=clock, dice=SeededRandom(1), lateness_s=10.0)
        front.beside = []
        ref = front.list("A-1", 0)
        policy = PolicyDefaults(exposure="pool", hide=True, purchase_limit=2, raise_delay_s=2.0)
        async with running(quick_path / "a.db", clock, {"one": front}, policy=policy) as world:
            await asyncio.sleep(20)
            await world.count(a_1=1)
            await world.go()
            await asyncio.sleep(60)
            assert front.beside == [("limit", ref, 2)]
            assert front.buy(ref, 1) is not None
            await asyncio.sleep(60)
            assert front.beside[1:] == [("visible", ref, False)]
            assert await beside(world) == ["page_closed"]
            front.rates = Rates(refused=1.0)
            await world.count(a_1=4)
            await asyncio.sleep(60)
            front.rates = Rates()
            await asyncio.sleep(300)
            assert front.beside[2:] == [("visible", ref, True)]
            sku_id = (await world.listing("one")).sku_id
            assert sku_id is not None
            await world.plant.store.write(lambda conn: arrive(conn, sku_id, {"2026-12-24": 5}))
            await world.say(PolicyFact(rows=(PolicyRow(sku=Sku("A-1"), preorder=True, hide=False),)))
            assert front.buy(ref, 3) is not None
            await asyncio.sleep(90)
            assert front.beside[3:] == [("day", ref, date(2026, 12, 24))]

    run_virtual(main)


async def beside(world: World) -> list[str]:
    """Return what `syncd why` says of the page of the first listing."""
    told = await explain(world.plant, "A-1")
    assert told is not None
    return [one.what for one in told.listings[0].obstacles if one.what in ("page_closed", "beside")]


def test_a_page_that_a_person_took_down_stays_down(quick_path: Path) -> None:
    """Syncd closes only pages that are open, and opens only those that it closed, also after it opened one itself."""

    async def main() -> None:
        clock = loop_running().clock
        front = Shopfront(mode=CAS, clock=clock, dice=SeededRandom(1), lateness_s=10.0)
        front.beside = []
        ref = front.list("A-1", 0)
        policy = PolicyDefaults(exposure="pool", hide=True, raise_delay_s=2.0)
        async with running(quick_path / "a.db", clock, {"one": front}, policy=policy) as world:
            await asyncio.sleep(20)
            await world.count(a_1=1)
            await world.go()
            await asyncio.sleep(60)
            for sold in (1, 2):
                assert front.buy(ref, 1) is not None
                await asyncio.sleep(60)
                assert front.beside.pop() == ("visible", ref, False)
                await world.count(a_1=sold + 1)
                await asyncio.sleep(60)
                assert front.beside.pop() == ("visible", ref, True)
            number = (await world.listing("one")).id
            await world.plant.store.write(lambda conn: listings.set_active(conn, number, active=False))
            assert front.buy(ref, 1) is not None
            await asyncio.sleep(60)
            assert front.beside == []
            await world.count(a_1=4)
            await asyncio.sleep(60)
            assert front.beside == []
            assert await beside(world) == []

    run_virtual(main)


class Windowless(Double):
    """A double that can close pages and nothing else; it refuses to."""

    async def set_visible(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        return [Outcome(key=wish.key, kind=OutcomeKind.REJECTED, reason="no page of its own") for wish in wishes]


def test_only_what_a_channel_can_is_wanted_of_it_and_a_refusal_is_told(quick_path: Path) -> None:
    """A limit that a channel does not have is not said to be there, and why a page stays open is to be read."""

    async def main() -> None:
        clock = loop_running().clock
        front = Windowless(mode=CAS, clock=clock, dice=SeededRandom(1), lateness_s=10.0)
        front.list("A-1", 3)
        policy = PolicyDefaults(exposure="pool", hide=True, purchase_limit=2, raise_delay_s=2.0)
        async with running(quick_path / "a.db", clock, {"one": front}, policy=policy) as world:
            await asyncio.sleep(20)
            await world.count(a_1=0)
            await world.go()
            await asyncio.sleep(60)
            number = (await world.listing("one")).id
            found = await world.plant.store.read(lambda conn: displays.load(conn, [number]))
            assert found[number].wanted == Showing(hidden=True)
            assert (found[number].there, found[number].due_at) == (NOTHING, None)
            told = await explain(world.plant, "A-1")
            assert told is not None
            assert [one.detail for one in told.listings[0].obstacles if one.what == "beside"] == ["no page of its own"]

    run_virtual(main)


class Lossy(Shopfront):
    """A double whose next answers get lost after their wish took effect."""

    lost: int = 0

    async def set_visible(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        ends = await super().set_visible(wishes)
        if self.lost:
            self.lost -= 1
            raise TransientError("timeout")
        return ends


def closed_unsure(path: Path, story: Callable[[World, Lossy, ListingRef], Awaitable[None]]) -> None:
    """Run a story from where the last unit was sold, and the answer to the closing of its page got lost."""

    async def main() -> None:
        clock = loop_running().clock
        front = Lossy(mode=CAS, clock=clock, dice=SeededRandom(1), lateness_s=10.0)
        front.beside = []
        ref = front.list("A-1", 0)
        policy = PolicyDefaults(exposure="pool", hide=True, raise_delay_s=2.0)
        async with running(path / "a.db", clock, {"one": front}, policy=policy) as world:
            await asyncio.sleep(20)
            await world.count(a_1=1)
            await world.go()
            await asyncio.sleep(60)
            front.lost = 1
            assert front.buy(ref, 1) is not None
            while front.lost:
                await asyncio.sleep(1)
            await story(world, front, ref)

    run_virtual(main)


def test_a_page_whose_closing_had_no_certain_end_is_opened_when_units_come(quick_path: Path) -> None:
    """What a lost answer did to a page is not guessed: the wish of now is sent, also where it is that of before."""

    async def story(world: World, front: Lossy, ref: ListingRef) -> None:
        assert front.beside == [("visible", ref, False)]
        await world.count(a_1=11)
        await asyncio.sleep(1)
        assert await beside(world) == ["beside"]
        await asyncio.sleep(600)
        assert front.beside[1:] == [("visible", ref, True)]
        assert await beside(world) == []
        assert (await world.listing("one")).active

    closed_unsure(quick_path, story)


def test_a_page_that_we_may_have_closed_is_ours(quick_path: Path) -> None:
    """A page that is not for sale after a call of unknown end is not taken for one that a person took down."""

    async def story(world: World, front: Lossy, ref: ListingRef) -> None:
        number = (await world.listing("one")).id
        await world.plant.store.write(lambda conn: listings.set_active(conn, number, active=False))
        await world.count(a_1=2)
        await world.count(a_1=1)
        await asyncio.sleep(600)
        assert front.beside[1:] == [("visible", ref, False)]
        await world.count(a_1=2)
        await asyncio.sleep(60)
        assert front.beside[2:] == [("visible", ref, True)]

    closed_unsure(quick_path, story)


def test_a_refused_call_leaves_a_page_of_which_it_is_known_what_it_shows(quick_path: Path) -> None:
    """A call that certainly had no effect leaves nothing to send once the wish is again what is there."""

    async def main() -> None:
        clock = loop_running().clock
        front = Shopfront(mode=CAS, clock=clock, dice=SeededRandom(1), lateness_s=10.0)
        front.beside = []
        ref = front.list("A-1", 0)
        policy = PolicyDefaults(exposure="pool", hide=True, raise_delay_s=2.0)
        async with running(quick_path / "a.db", clock, {"one": front}, policy=policy) as world:
            await asyncio.sleep(20)
            await world.count(a_1=1)
            await world.go()
            await asyncio.sleep(60)
            front.rates = Rates(refused=1.0)
            assert front.buy(ref, 1) is not None
            await asyncio.sleep(60)
            await world.count(a_1=11)
            await asyncio.sleep(1)
            front.rates = Rates()
            await asyncio.sleep(600)
            assert front.beside == []

    run_virtual(main)
