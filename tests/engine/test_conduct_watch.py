"""The shop's own cancels by a channel's rules: computed from the ledger, warned of ahead, and felt by the exposure."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from syncd.core.conduct import CancelPoints, CancelRate, CancelRun, Level
from syncd.core.terms import AccountId, CancelledBy
from syncd.engine.conduct import KIND, LOOK_S
from syncd.sdk.channel import OutcomeKind, Profile
from syncd.sdk.features import CancelReason
from syncd.store import actions, alerts, conduct, outbox
from syncd.store.actions import ActionKind
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


async def open_shop(world: World) -> None:
    """Count the SKU and release the account."""
    await world.count(a_1=7)
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
        assert levels(world) == {"rate": (0.25, "good"), "run": (1.0, "good"), "points": (15.0, "good")}
        double.strike(names[3], CancelledBy.SELLER)
        await asyncio.sleep(NOW_S)
        assert levels(world) == {"rate": (0.5, "over"), "run": (2.0, "over"), "points": (30.0, "warned")}
        assert await standing(world) == {"one/rate", "one/run", "one/points"}
        assert world.plant.house.caution(ONE) == 4.0
        assert {one.unknown for one in world.plant.roster[ONE].conduct.findings} == {1}  # type: ignore[union-attr]  # it was found
        told = await world.plant.store.read(lambda conn: outbox.waiting(conn, "mqtt", after_id=0, limit=1_000))
        assert sum(one.type == "conduct" for one in told) == 3

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
