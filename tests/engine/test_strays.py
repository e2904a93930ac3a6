"""Listings without a SKU and listings that vanish: told, not written, and taken up again when they come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, text

from syncd.core.terms import AccountId, ListingRef
from syncd.engine.strays import FRESH_US
from syncd.sdk.channel import WriteMode
from syncd.store import alerts, doubts
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double
from tests.engine.world import World, running

Story = Callable[[World], Awaitable[Any]]
TOLD_S = 330.0
"""A catalogue is read each minute, strays are counted every five."""


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story of two SKUs on channel `one` of a mode and channel `two`, both released."""

    def run(story: Story, *, mode: WriteMode = WriteMode.COMPARE_AND_SET) -> Any:
        async def main() -> Any:
            clock = loop_running().clock
            modes = {"one": mode, "two": WriteMode.COMPARE_AND_SET}
            doubles = {n: Double(mode=m, clock=clock, dice=SeededRandom(3), lateness_s=5.0) for n, m in modes.items()}
            for double in doubles.values():
                for sku in ("A-1", "B-2"):
                    double.list(sku, 7)
            async with running(quick_path / "a.db", clock, doubles, catalogue_s=60.0) as world:
                await asyncio.sleep(20)
                await world.count(a_1=7, b_2=7)
                await world.go()
                await asyncio.sleep(20)
                return await story(world)

        return run_virtual(main)

    return run


def take_down(double: Double, ref: ListingRef) -> str:
    """Let a listing vanish; return its SKU."""
    double.numbers.pop(ref)
    return double.skus.pop(ref)


async def standing(world: World) -> dict[str, str]:
    found = await world.plant.store.read(alerts.standing)
    return {one.kind: one.text for one in found if one.kind in ("unmapped", "vanished")}


def _events(conn: Connection) -> list[dict[str, Any]]:
    rows = conn.execute(text("SELECT body FROM outbox WHERE type = 'listings' AND sink = 'mqtt' ORDER BY id"))
    return [msgspec.json.decode(bytes(body)) for (body,) in rows]


@pytest.mark.parametrize("mode", WriteMode)
def test_a_listing_that_vanishes_is_told_and_comes_back_with_its_own_number(
    tell: Callable[..., Any], mode: WriteMode
) -> None:
    """Gone it is neither written nor drift; back, it is read first, and what it shows then is no sale and no edit."""

    async def story(world: World) -> None:
        one, two = world.doubles["one"], world.doubles["two"]
        ref = next(iter(one.numbers))
        sku = take_down(one, ref)
        await asyncio.sleep(TOLD_S)
        assert (await standing(world))["vanished"] == f"account one, 1 listings: {sku}"
        before = len(one.pushed)
        two.buy(next(iter(two.numbers)), 2)
        await asyncio.sleep(400)
        assert len(one.pushed) == before, "what is gone was written"
        assert not await world.plant.store.read(doubts.pending_drift)
        written = len(two.log)
        one.skus[ref] = sku
        one.numbers[ref] = 3
        one.past[ref].append((one.clock.now(), 3))
        await asyncio.sleep(TOLD_S)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed, shelf.held) == (7, 2, 0)
        assert (one.numbers[ref], next(iter(two.numbers.values()))) == (5, 5)
        assert len(two.log) == written, "its own number was taken for a sale or a hand edit"
        assert not await world.plant.store.read(doubts.pending_drift)
        assert await standing(world) == {}
        told = await world.plant.store.read(_events)
        assert [event["vanished"] for event in told if event["account"] == "one"] == [1, 0]

    tell(story, mode=mode)


def test_a_listing_without_a_sku_is_told_until_it_has_one(tell: Callable[..., Any]) -> None:
    """The alert stands while there is such a listing, and is told anew only when there are more."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        names = [one.list("", 4, remote_id=name) for name in ("new-1", "new-2")]
        await asyncio.sleep(TOLD_S)
        assert (await standing(world))["unmapped"] == "account one, 2 listings: new-1, new-2"
        assert not [write for batch in one.pushed for write in batch if write.ref in names]
        take_down(one, names[0])
        await asyncio.sleep(TOLD_S)
        assert (await standing(world))["unmapped"] == "account one, 2 listings: new-1, new-2", "fewer are no news"
        for name in ("new-3", "new-4"):
            one.list("", 4, remote_id=name)
        await asyncio.sleep(TOLD_S)
        assert (await standing(world))["unmapped"] == "account one, 3 listings: new-2, new-3, new-4"

    tell(story)


def test_what_stays_away_is_no_longer_news(tell: Callable[..., Any]) -> None:
    """A week after it went the alert ends; the listing can still be looked up."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        take_down(one, next(iter(one.numbers)))
        await asyncio.sleep(TOLD_S)
        assert "vanished" in await standing(world)
        went_at = FRESH_US + 1
        await world.plant.store.write(
            lambda conn: conn.execute(
                text("UPDATE listing SET vanished_at = vanished_at - :age WHERE vanished_at IS NOT NULL"),
                {"age": went_at},
            )
        )
        await asyncio.sleep(TOLD_S)
        assert "vanished" not in await standing(world)
        assert (await world.listing(AccountId("one"))).vanished

    tell(story)


def test_the_alert_names_what_is_gone_now(tell: Callable[..., Any]) -> None:
    """Where one listing goes as another comes back, as many are gone, but the alert is told anew with its name."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        first, second = list(one.numbers)
        sku = take_down(one, first)
        await asyncio.sleep(TOLD_S)
        assert (await standing(world))["vanished"] == "account one, 1 listings: A-1"
        take_down(one, second)
        one.skus[first], one.numbers[first] = sku, 7
        await asyncio.sleep(TOLD_S)
        assert (await standing(world))["vanished"] == "account one, 1 listings: B-2"

    tell(story)
