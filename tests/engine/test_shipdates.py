"""Ship-by dates: one per order, only where the units are there, and never twice while an end is not known."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from syncd.core.facts import AccountFact, AccountState
from syncd.core.terms import AccountId, OutcomeKind
from syncd.sdk.features import Undated
from syncd.settings import ShipDateSettings
from syncd.settings.windows import moment_of
from syncd.store import actions
from syncd.store.actions import ActionKind
from tests.engine.features import Promising, standing, tell
from tests.engine.world import World

ONE = AccountId("one")
ON = ShipDateSettings(enabled=True, closed=(), cutoff="23:59", zone="UTC")


def order(double: Promising, quantity: int = 1, **fields: Any) -> str:
    """Let a shopper buy, and the channel want a date for it."""
    name = double.buy(next(iter(double.numbers)), quantity)
    assert name is not None
    double.undated_orders[name] = Undated(order_id=name, **fields)
    return name


def today(world: World) -> date:
    return moment_of(world.plant.clock.now()).date()


async def ends(world: World, name: str) -> list[str]:
    """Return the state of the newest date of an order."""
    found = await world.plant.store.read(lambda conn: actions.latest(conn, ONE, ActionKind.SHIP_DATE, [name]))
    return [action.state for action in found.values()]


async def promised(world: World, name: str, day: date) -> None:
    """Have a date that was promised before."""
    key, now, kind = world.plant.uuid(), world.plant.clock.now(), ActionKind.SHIP_DATE
    body = msgspec.json.encode(day)

    def write(conn: Connection) -> None:
        actions.intend(conn, account=ONE, remote_id=name, kind=kind, key=key, body=body, actor="syncd", now=now)
        actions.end(conn, key, state=OutcomeKind.APPLIED, reason="", now=now)

    await world.plant.store.write(write)


def test_an_order_whose_units_are_there_gets_one_date(quick_path: Path) -> None:
    """A covered order is promised the shop's next working day, once, however often the channel lists it."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=7)
        await world.go()
        name = order(double)
        await asyncio.sleep(150)
        assert double.dates == [(name, today(world) + timedelta(days=1))]
        assert await ends(world, name) == ["applied"]
        double.undated_orders[name] = Undated(order_id=name)
        await asyncio.sleep(600)
        assert len(double.dates) == 1
        assert world.plant.roster[ONE].undated == ()

    tell(quick_path, Promising, story, ship_dates=ON)


@pytest.mark.parametrize("state", ["new", "paused", "shadow"])
def test_nothing_is_promised_before_a_release_and_in_shadow(quick_path: Path, state: str) -> None:
    """A channel that is new or paused, and a daemon in shadow mode, promise nothing and do not even ask."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=7)
        if state != "new":
            await world.go()
        if state == "paused":
            await world.say(AccountFact(account=ONE, state=AccountState.PAUSED))
        if state == "shadow":
            world.plant.house = replace(world.plant.house, shadow=True)
        before = double.asked
        order(double)
        await asyncio.sleep(300)
        assert (double.dates, double.asked) == ([], before)

    tell(quick_path, Promising, story, ship_dates=ON)


def test_nothing_is_promised_unless_it_is_switched_on(quick_path: Path) -> None:
    """By default there are no dates."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=7)
        await world.go()
        order(double)
        await asyncio.sleep(300)
        assert (double.dates, double.asked) == ([], 0)

    tell(quick_path, Promising, story)


def test_an_order_that_is_short_gets_a_date_when_goods_come(quick_path: Path) -> None:
    """While units are missing the order is shown to a person with the reason; once they are there it gets its date."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=1)
        await world.go()
        name = order(double, 2)
        await asyncio.sleep(200)
        assert double.dates == []
        (without,) = world.plant.roster[ONE].undated
        assert (without.order_id, without.reason) == (name, "short of A-1")
        assert "short of A-1" in (await standing(world))["no_ship_date", "one"]
        await world.count(a_1=5)
        await asyncio.sleep(120)
        assert [who for who, _ in double.dates] == [name]
        await asyncio.sleep(120)
        assert ("no_ship_date", "one") not in await standing(world)

    tell(quick_path, Promising, story, ship_dates=ON)


def test_an_order_that_cannot_be_proved_covered_gets_none(quick_path: Path) -> None:
    """A SKU that was never counted, and an order that the ledger does not know, are no promise."""

    async def story(world: World, double: Promising) -> None:
        await world.go()
        name = order(double)
        double.undated_orders["stranger"] = Undated(order_id="stranger")
        await asyncio.sleep(200)
        assert double.dates == []
        assert {one.order_id: one.reason for one in world.plant.roster[ONE].undated} == {
            name: "A-1 was never counted",
            "stranger": "not read yet",
        }

    tell(quick_path, Promising, story, ship_dates=ON)


@pytest.mark.parametrize(("end", "sent", "state"), [("lost", 1, "applied"), ("cut", 2, "applied")])
def test_an_unknown_end_is_looked_up_and_not_guessed(quick_path: Path, end: str, sent: int, state: str) -> None:
    """After a lost answer nothing is sent until the channel has shown whether the date is there; then only if not."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=7)
        await world.go()
        double.ends = [end]
        name = order(double)
        await asyncio.sleep(65)
        assert (len(double.dates), await ends(world, name)) == (1, ["indeterminate"])
        await asyncio.sleep(60)
        assert len(double.dates) == 1
        await asyncio.sleep(400)
        assert (len(double.dates), await ends(world, name)) == (sent, [state])

    tell(quick_path, Promising, story, ship_dates=ON)


def test_a_date_that_was_not_sent_is_sent_later(quick_path: Path) -> None:
    """While the channel cannot be reached nothing is lost, and one row is kept of all the tries."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=7)
        await world.go()
        double.ends = ["down"] * 3
        name = order(double)
        await asyncio.sleep(400)
        assert (len(double.dates), await ends(world, name)) == (4, ["applied"])
        assert name not in double.undated_orders

    tell(quick_path, Promising, story, ship_dates=ON)


def test_a_refused_date_is_shown_and_not_tried_again(quick_path: Path) -> None:
    """What the channel refuses is a person's work."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=7)
        await world.go()
        double.ends = ["rejected"]
        order(double)
        await asyncio.sleep(400)
        assert len(double.dates) == 1
        assert [one.reason for one in world.plant.roster[ONE].undated] == ["refused: closed for changes"]

    tell(quick_path, Promising, story, ship_dates=ON)


def test_a_new_date_only_follows_one_that_has_passed(quick_path: Path) -> None:
    """An order whose date has passed gets another one, once."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=7)
        await world.go()
        first = today(world) - timedelta(days=2)
        await promised(world, "000001", first)
        name = order(double, delayed=True, current=first)
        await asyncio.sleep(150)
        assert double.dates == [(name, today(world) + timedelta(days=1))]
        double.undated_orders[name] = Undated(order_id=name, delayed=True, current=first)  # an old answer
        await asyncio.sleep(300)
        assert len(double.dates) == 1

    tell(quick_path, Promising, story, ship_dates=ON)


def test_a_day_that_the_channel_does_not_take_is_not_sent(quick_path: Path) -> None:
    """Where the day lies after the last one that the channel takes, a person is told."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=7)
        await world.go()
        order(double, latest=today(world))
        await asyncio.sleep(200)
        assert double.dates == []
        assert "later than the channel takes" in world.plant.roster[ONE].undated[0].reason

    tell(quick_path, Promising, story, ship_dates=ON)


def test_a_cancelled_order_gets_none(quick_path: Path) -> None:
    """An order of which nothing is left to ship is passed over in silence."""

    async def story(world: World, double: Promising) -> None:
        await world.count(a_1=0)
        await world.go()
        double.set(next(iter(double.numbers)), 3, "hand")
        name = order(double)
        await asyncio.sleep(120)
        double.cancel(name, restore=False)
        await asyncio.sleep(200)
        assert (double.dates, world.plant.roster[ONE].undated) == ([], ())

    tell(quick_path, Promising, story, ship_dates=ON)
