"""The shop's own cancels by a channel's rules: computed from the ledger, warned of ahead, and felt by the exposure."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from adapters.amazon import channel as amazon
from adapters.rakuten import channel as rakuten
from syncd.core.conduct import DAY_US, CancelPoints, CancelRate, CancelRun, Level
from syncd.core.terms import SECOND_US, AccountId, CancelledBy, ListingRef
from syncd.engine.conduct import KIND, LOOK_S
from syncd.sdk.channel import OutcomeKind, Profile
from syncd.sdk.features import CancelReason
from syncd.store import actions, alerts, conduct, outbox
from syncd.store.actions import ActionKind
from syncd.store.rows import AccountRow
from syncd.store.statements import table
from tests.engine.double import Double
from tests.engine.features import tell
from tests.engine.world import World

ONE = AccountId("one")
NOW_S = LOOK_S + 60.0


class Strict(Double):
    """A channel that counts cancels by a rate and by points."""

    @property
    def profile(self) -> Profile:
        rules = (
            CancelRate(name="rate", days=7, limit=0.5),
            CancelRun(name="run", days=30, limit=2),
            CancelPoints(name="points", each=15, limit=35),
        )
        return replace(super().profile, conduct=rules)

    def sell(self, units: int = 1) -> str:
        """Sell some units."""
        name = self.buy(next(iter(self.numbers)), units)
        assert name is not None
        return name

    def strike(self, name: str, by: CancelledBy) -> None:
        """Cancel an order and say whose doing it was."""
        order = self.placed[name].order
        line = replace(order.lines[0], cancelled=order.lines[0].quantity, cancelled_by=by)
        self.place(replace(order, version=self.clock.now(), cancelled=True, lines=(line,)))


async def open_shop(world: World, units: int = 7) -> None:
    """Count the SKU and release the account, which has been known for long."""
    before = world.plant.clock.now() - 60 * DAY_US
    await world.plant.store.write(lambda conn: conn.execute(update(table(AccountRow)).values(adopted_at=before)))
    await world.count(a_1=units)
    await world.go()
    await asyncio.sleep(30)


def levels(world: World) -> dict[str, tuple[float | None, str]]:
    """Return value and level of each rule as they were found last."""
    found = world.plant.roster[ONE].conduct
    assert found is not None
    return {one.name: (one.value, one.level.value) for one in found.findings}


async def standing(world: World) -> set[str]:
    """Return the rules of which a person was warned."""
    found = await world.plant.store.read(alerts.standing)
    return {alert.key for alert in found if alert.kind == KIND}


def test_own_cancels_are_counted_and_warned_of(quick_path: Path) -> None:
    """Only cancels of the shop count; each rule has a value, an alert near its limit, and makes an oversell dearer."""

    async def story(world: World, double: Strict) -> None:
        await open_shop(world)
        names = [double.sell() for _ in range(4)]
        await asyncio.sleep(60)
        double.strike(names[0], CancelledBy.BUYER)
        double.strike(names[1], CancelledBy.UNKNOWN)
        await asyncio.sleep(NOW_S)
        assert levels(world) == {"rate": (0.0, "good"), "run": (0.0, "good"), "points": (0.0, "good")}
        assert world.plant.house.caution(ONE) == 1.0
        double.strike(names[2], CancelledBy.SELLER)
        await asyncio.sleep(NOW_S)
        assert levels(world) == {"rate": (0.25, "good"), "run": (1.0, "warned"), "points": (15.0, "good")}
        assert await standing(world) == {"one/run"}, "the second in a row would be one too many"
        double.strike(names[3], CancelledBy.SELLER)
        await asyncio.sleep(NOW_S)
        assert levels(world) == {"rate": (0.5, "over"), "run": (2.0, "over"), "points": (30.0, "warned")}
        assert await standing(world) == {"one/rate", "one/run", "one/points"}
        assert world.plant.house.caution(ONE) == 4.0
        assert {one.unknown for one in world.plant.roster[ONE].conduct.findings} == {1}  # type: ignore[union-attr]  # it was found
        told = await world.plant.store.read(lambda conn: outbox.waiting(conn, "mqtt", after_id=0, limit=1_000))
        assert sum(one.type == "conduct" for one in told) == 4

    tell(quick_path, Strict, story)


def test_an_order_without_stock_is_in_the_forecast(quick_path: Path) -> None:
    """Orders that what is there cannot serve, the latest first, are counted as cancels to come."""

    async def story(world: World, double: Strict) -> None:
        await open_shop(world)
        double.sell(3)
        double.sell(2)
        await asyncio.sleep(60)
        await world.count(a_1=4)
        assert await world.plant.store.read(conduct.at_risk) == {"one": {"000002"}}
        await asyncio.sleep(NOW_S)
        (rate,) = (one for one in world.plant.roster[ONE].conduct.findings if one.name == "rate")  # type: ignore[union-attr]  # it was found
        assert (rate.value, rate.forecast, rate.level) == (0.0, 0.5, Level.WARNED)

    tell(quick_path, Strict, story)


def test_what_was_cancelled_by_syncd_is_the_shops_doing(quick_path: Path) -> None:
    """Where the channel does not tell whose doing a cancel was, an order cancelled through syncd for want counts."""

    async def story(world: World, double: Strict) -> None:
        await open_shop(world)
        for reason in (CancelReason.OUT_OF_STOCK, CancelReason.BUYER):
            name = double.sell()
            await asyncio.sleep(30)
            double.strike(name, CancelledBy.UNKNOWN)
            body = b'{"key":"k","order_id":"x","reason":"%s"}' % reason.value.encode()
            await world.plant.store.write(lambda conn, n=name, b=body: _done(conn, n, b, world.plant.clock.now()))  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
        await asyncio.sleep(NOW_S)
        assert levels(world)["points"] == (15.0, "good")

    tell(quick_path, Strict, story)


def _done(conn: object, name: str, body: bytes, now: int) -> None:
    values = {"account": ONE, "remote_id": name, "kind": ActionKind.CANCEL, "key": f"key-{name}", "body": body}
    actions.intend(conn, actor="test", now=now, **values)  # type: ignore[arg-type]  # a table of values
    actions.end(conn, f"key-{name}", state=OutcomeKind.APPLIED, reason="", now=now)  # type: ignore[arg-type]  # a connection


@pytest.mark.parametrize(
    ("rules", "strikes", "warned_at", "over_at"),
    [
        (amazon.CONDUCT[:1], 4, 2, 3),
        (amazon.CONDUCT[1:], 3, 1, 2),
        (rakuten.CONDUCT, 4, 2, 3),
        ((CancelRate(name="cancel_rate", days=30, limit=0.03),), 4, 2, 3),
    ],
    ids=["amazon rate", "amazon run", "rakuten points", "qoo10 rate"],
)
def test_each_channels_own_rule_warns_once_ahead_and_lowers_what_is_risked(
    quick_path: Path, rules: tuple[Any, ...], strikes: int, warned_at: int, over_at: int
) -> None:
    """Of 100 orders the shop cancels some: told once, before the limit, and an oversell costs more from then on."""

    class Own(Strict):
        @property
        def profile(self) -> Profile:
            return replace(super().profile, conduct=rules)

    async def story(world: World, double: Strict) -> None:
        await open_shop(world, units=500)
        await asyncio.sleep(30)
        names = [double.sell() for _ in range(100)]
        await asyncio.sleep(60)
        dearer = []
        for number in range(strikes):
            double.strike(names[-1 - number], CancelledBy.SELLER)
            await asyncio.sleep(2 * NOW_S)
            (finding,) = world.plant.roster[ONE].conduct.findings  # type: ignore[union-attr]  # it was found
            struck = number + 1
            level = Level.OVER if struck >= over_at else Level.WARNED if struck >= warned_at else Level.GOOD
            assert (struck, finding.level) == (struck, level)
            dearer.append(world.plant.house.caution(ONE))
        assert dearer == sorted(dearer)
        assert [factor > 1.0 for factor in dearer] == [number + 1 >= warned_at for number in range(strikes)]
        told = await world.plant.store.read(lambda conn: outbox.waiting(conn, "alerts", after_id=0, limit=1_000))
        assert sum(KIND in one.key for one in told) == 1, "warned of once"
        assert await standing(world) == {f"one/{rules[0].name}"}

    tell(quick_path, Own, story)


def test_orders_of_before_are_orders_of_the_window(quick_path: Path) -> None:
    """In its first week a rate is of all orders of the week, and too young to warn; a test order counts for nothing."""

    class Old(Strict):
        def list(self, sku: str, units: int = 0) -> ListingRef:
            ref = super().list(sku, 900)
            for number in range(30):
                name = self.order(ref, 1)
                at = self.clock.now() - (number + 1) * 3_600 * SECOND_US
                order = self.placed[name].order
                line = replace(order.lines[0], shipped=1)
                self.place(replace(order, ordered_at=at, version=at, lines=(line,), closed=True))
            return ref

    async def story(world: World, double: Strict) -> None:
        await world.count(a_1=900)
        await world.go()
        await asyncio.sleep(60)
        names = [double.sell() for _ in range(10)]
        tested = double.placed[double.sell()].order
        double.place(replace(tested, version=double.clock.now(), test=True))
        await asyncio.sleep(60)
        double.strike(names[0], CancelledBy.SELLER)
        await asyncio.sleep(NOW_S)
        (rate,) = (one for one in world.plant.roster[ONE].conduct.findings if one.name == "rate")  # type: ignore[union-attr]  # it was found
        assert (rate.count, rate.total, rate.young) == (1, 40, True)

    tell(quick_path, Old, story)
