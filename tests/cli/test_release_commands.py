"""From an unknown shop to a live one on the command line, and what waits for a person there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.core.brake import BrakeRule
from tests.cli.conftest import Shell
from tests.web.rig import Rig


async def trade(rig: Rig) -> None:
    await rig.catalogue("shop", ("r1", "A"), ("r2", "B"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.see("shop", r1=4, r2=1)
    await rig.see("mall", m1=6)


async def test_a_shop_is_adopted_and_released(rig: Rig, shell: Shell) -> None:
    """The plan changes nothing; applied it enters the stock; go tells how many listings change and releases."""
    await trade(rig)
    ended = await shell.run("adopt")
    assert (ended.code, "No opening stock yet" in ended.out, "numbers differ" in ended.out) == (0, True, True)
    plan = await shell.json("adopt", "--from", "shop")
    assert plan["totals"]["openings"] == 2
    assert [row["opened"] for row in await shell.json("stock", "show")] == [False, False]
    ended = await shell.run("adopt", "--from", "shop", "--apply", "--yes")
    assert (ended.code, "2 opening counts entered" in ended.out) == (0, True)
    ended = await shell.run("go", "mall", "--yes")
    assert (ended.code, "Released: mall" in ended.out) == (0, True)
    told = await shell.json("go", "--all", "--yes")
    assert {row["account"]: row["preview"]["changes"] for row in told} == {"shop": 0, "mall": 1}
    states = {row["name"]: row["state"] for row in (await shell.json("status"))["accounts"]}
    assert states == {"shop": "live", "mall": "live"}
    ended = await shell.run("pause", "shop", "--reason", "stocktaking")
    assert ended.out == "Paused: shop\n"
    assert "stocktaking" in (await shell.run("status")).out
    assert (await shell.run("go", "nobody", "--yes")).code == 1


async def test_opening_stock_comes_from_a_file(rig: Rig, shell: Shell) -> None:
    """A count file opens its SKUs; what it names that nobody knows is in the plan."""
    await trade(rig)
    path = shell.file("counts.csv", "sku,quantity\nA,7\nX,1\n")
    plan = await shell.json("adopt", "--counts", path)
    assert plan["mismatch_counts"]["unknown_count"] == 1
    ended = await shell.run("adopt", "--counts", path, "--apply", "--yes")
    assert ended.code == 0, ended
    assert [(row["sku"], row["on_hand"]) for row in await shell.json("stock", "show")] == [("A", 7), ("B", 0)]


async def test_in_shadow_mode_it_is_said(rig: Rig, shell: Shell) -> None:
    """A plan and a release in shadow mode say that nothing is written."""
    await trade(rig)
    rig.plant.house = replace(rig.plant.house, shadow=True)
    assert "shadow" in (await shell.run("adopt", "--from", "shop")).out
    assert "shadow" in (await shell.run("go", "--all", "--yes")).out
    assert "SHADOW" in (await shell.run("status")).out


async def test_drift_waits_and_is_decided(rig: Rig, shell: Shell) -> None:
    """A hand edit is listed with its number, and accepted or overwritten by it."""
    await trade(rig)
    await shell.run("adopt", "--from", "shop", "--apply", "--yes")
    await shell.run("go", "--all", "--yes")
    rig.clock.instant += 60_000_000
    await rig.see("shop", r1=9, r2=5)
    rows = await shell.json("drift", "list")
    assert [(row["sku"], row["seen"]) for row in rows] == [("A", 9), ("B", 5)]
    assert "r1" in (await shell.run("drift", "list")).out
    assert (await shell.run("drift", "accept", str(rows[0]["id"]))).out == "Accepted as the truth of stock.\n"
    assert (await shell.run("drift", "overwrite", "--all")).code == 0
    assert await shell.json("drift", "list") == []
    assert [row["on_hand"] for row in await shell.json("stock", "show")] == [9, 1]


async def test_the_brake_is_released_or_refused(rig: Rig, shell: Shell) -> None:
    """A held change ends its command with 1 and says how to release it; then it is released, or dropped."""
    rig.plant.house = replace(rig.plant.house, brake=BrakeRule(share=0.1, minimum=1))
    await trade(rig)
    await shell.run("adopt", "--from", "shop", "--apply", "--yes")
    await shell.run("go", "--all", "--yes")
    for verdict, left in (("refuse", 4), ("release", 0)):
        ended = await shell.run("stock", "set", "A", "0")
        assert (ended.code, "syncd brake release" in ended.out) == (1, True)
        ((row),) = await shell.json("brake", "list")
        assert str(row["id"]) in (await shell.run("brake", "list")).out
        assert f"syncd brake release {row['id']}" in (await shell.run("status")).out
        assert (await shell.run("brake", verdict, str(row["id"]))).code == 0
        assert (await shell.json("stock", "show", "A"))["stock"]["on_hand"] == left


async def test_a_test_alert_needs_a_way(rig: Rig, shell: Shell) -> None:
    """Without a way for alerts a test of them says so."""
    ended = await shell.run("alerts", "test")
    assert (ended.code, "[alerts]" in ended.err) == (1, True)


async def test_health_is_an_exit_code(rig: Rig, shell: Shell) -> None:
    """The health check ends with 0 while the daemon is ready, and with 1 and a reason while not."""
    assert (await shell.run("healthcheck")).code == 0
    rig.plant.ready.clear()
    ended = await shell.run("healthcheck", "--json")
    assert (ended.code, ended.json["ready"]) == (1, False)


async def test_the_status_is_watched_until_ctrl_c(rig: Rig, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status comes again and again, and Ctrl-C ends it well; JSON of it is one value, so it is not watched."""
    naps = iter([None, KeyboardInterrupt()])

    def sleep(_: float) -> None:
        error = next(naps)
        if error is not None:
            raise error

    monkeypatch.setattr("syncd.cli.status.time.sleep", sleep)
    ended = await shell.run("status", "--watch")
    assert (ended.code, ended.out.count("epoch") + ended.out.count("longest transaction")) == (0, 2)
    assert (await shell.run("status", "--watch", "--json")).code == 64
