"""The plan by which a shop that already trades is adopted, and the opening stock that it enters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import Connection

from syncd.core.terms import AccountId
from syncd.settings import ChannelSettings
from syncd.store import accounts
from syncd.web.api import control_app, control_socket
from tests.web.conftest import Api
from tests.web.rig import Rig, running, served, settings_of


def plan_of(told: dict[str, Any], sku: str) -> dict[str, Any]:
    return next(row for row in told["skus"] if row["sku"] == sku)


def kinds(told: dict[str, Any]) -> set[tuple[str, str]]:
    return {(row["kind"], row["sku"]) for row in told["mismatches"]}


async def trade(rig: Rig) -> None:
    """Let a shop with two channels have shown numbers, one open order, and a set."""
    await rig.catalogue("shop", ("r1", "A"), ("r2", "B"), ("r3", ""), ("r4", "SET"))
    await rig.catalogue("mall", ("m1", "A"), ("m2", "b"))
    await rig.know("A", "B", SET={"A": 2})
    await rig.order("shop", "1", ("r1", "A", 2), ("z9", "ZZ", 1))
    rig.clock.instant += 10_000_000
    await rig.see("shop", r1=4, r2=0, r4=2)
    await rig.see("mall", m1=6)


async def test_the_plan_without_a_source(rig: Rig, api: Api) -> None:
    """Without a source nothing would be opened or written, and every mismatch is named."""
    await trade(rig)
    status, told = await api.get("/adopt")
    assert status == 200
    assert told["totals"] | {"skus": 0} == {
        "skus": 0, "openings": 0, "units": 0, "listings": 5, "would_change": 0, "would_be_zero": 0,
    }  # fmt: skip
    assert told["origins"] == {"none": 3, "kit": 1}
    assert kinds(told) == {
        ("no_stock", "A"), ("no_stock", "B"), ("no_stock", "b"), ("numbers", "A"), ("one_channel", "B"),
        ("one_channel", "b"), ("one_channel", "SET"), ("similar", "B"), ("no_sku", ""), ("unread", "b"),
        ("stray", "ZZ"), ("catalogue", ""), ("orders", ""),
    }  # fmt: skip


async def test_a_plan_says_what_is_still_being_read(rig: Rig, api: Api) -> None:
    """As long as the catalogue or the orders of an account were not read to their end, the plan names it first."""
    await trade(rig)
    told = (await api.get("/adopt"))[1]["mismatches"][:4]
    assert [(row["kind"], row["account"]) for row in told] == [
        ("catalogue", "shop"), ("orders", "shop"), ("catalogue", "mall"), ("orders", "mall"),
    ]  # fmt: skip
    done = accounts.Feed(cursor="", complete_until=1, scanned_at=1)

    def read(conn: Connection) -> None:
        for name in ("shop", "mall"):
            for feed in (accounts.ORDERS, accounts.CATALOGUE):
                accounts.save_feed(conn, AccountId(name), feed, done)

    await rig.plant.store.write(read)
    assert not {"catalogue", "orders"} & {kind for kind, _ in kinds((await api.get("/adopt"))[1])}


async def test_opening_stock_from_a_channel(rig: Rig, api: Api) -> None:
    """A channel's number and what it promised make the opening stock; what is promised is not sold again."""
    await trade(rig)
    _, told = await api.get("/adopt", believe="shop")
    plan = plan_of(told, "A")
    assert (plan["origin"], plan["committed"], plan["available_after"]) == ("channel", 2, 4)
    assert plan["opening"] == [{"location": "main", "quantity": 6, "counted": "on_hand"}]
    assert {(row["remote_id"], row["shows"], row["would_show"]) for row in plan["listings"]} == {
        ("r1", 4, 4),
        ("m1", 6, 4),
    }
    assert plan_of(told, "b")["origin"] == "none"
    (kit,) = plan_of(told, "SET")["listings"]
    assert (kit["shows"], kit["would_show"]) == (2, 2)


async def test_an_order_that_came_after_the_reading_is_not_added(rig: Rig, api: Api) -> None:
    """Units of an order that the channel had not taken off yet are in its number already."""
    await trade(rig)
    await rig.order("shop", "2", ("r1", "A", 3))
    _, told = await api.get("/adopt", believe="shop")
    assert plan_of(told, "A")["opening"][0]["quantity"] == 6
    assert plan_of(told, "A")["available_after"] == 1


async def test_a_plan_is_what_comes_true(rig: Rig, api: Api) -> None:
    """Applied, the plan's opening stock is entered and each listing's target is what the plan said."""
    await trade(rig)
    _, planned = await api.post("/adopt", {"believe": "shop"})
    status, told = await api.post("/adopt", {"believe": "shop", "apply": True, "actor": "me"})
    assert (status, told["applied"]) == (200, True)
    for plan in planned["skus"]:
        found = (await api.get(f"/stock/{plan['sku']}"))[1]
        assert [row["target"] for row in found["listings"]] == [row["would_show"] for row in plan["listings"]], plan
    assert (await api.get("/stock/A"))[1]["stock"]["available"] == 4
    status, _ = await api.post("/adopt", {"believe": "shop", "apply": True})
    assert status == 409


@pytest.mark.parametrize(("counted", "on_hand", "available"), [("on_hand", 9, 7), ("available", 11, 9)])
async def test_opening_stock_from_a_count(rig: Rig, api: Api, counted: str, on_hand: int, available: int) -> None:
    """A count says whether promised units were counted; a SKU that nobody knows is a mismatch."""
    await trade(rig)
    rows = [{"sku": "A", "quantity": 9}]
    _, told = await api.post("/adopt", {"rows": [*rows, {"sku": "NEW", "quantity": 1}], "counted": counted})
    assert ("unknown_count", "NEW") in kinds(told)
    assert plan_of(told, "A")["available_after"] == available
    status, _ = await api.post("/adopt", {"rows": rows, "counted": counted, "apply": True})
    assert status == 200
    assert (await api.get("/stock/A"))[1]["stock"]["on_hand"] == on_hand
    _, told = await api.get("/adopt")
    assert plan_of(told, "A")["origin"] == "opened"


async def test_what_cannot_be_planned_is_refused(rig: Rig, api: Api) -> None:
    """Two sources at once, an account that is not there, a location that is not there: each is told."""
    assert (await api.post("/adopt", {"believe": "shop", "rows": [{"sku": "A", "quantity": 1}]}))[0] == 400
    assert (await api.get("/adopt", believe="nobody"))[0] == 404
    assert (await api.post("/adopt", {"rows": [{"sku": "A", "quantity": 1, "location": "x"}]}))[0] == 400
    assert (await api.post("/adopt", {"apply": True}))[0] == 409


def placed(found: ChannelSettings) -> ChannelSettings:
    """Let the shop have two locations, and the mall keep 1 unit back."""
    if found.name == "shop":
        return replace(found, locations=("east", "west"), location_map={"L1": "east", "L2": "west"})
    return replace(found, locations=("east",), safety_stock=1)


@pytest.fixture
async def two_places(tmp_path: Path) -> AsyncIterator[tuple[Rig, Api]]:
    async with running(tmp_path, change=placed) as rig:
        path = rig.plant.settings.daemon.socket_path
        connector = aiohttp.UnixConnector(str(path))
        app, sock = control_app(rig.plant), control_socket(path)
        async with served(app, sock=sock), aiohttp.ClientSession(connector=connector) as session:
            yield rig, Api(session, "http://syncd")


async def test_locations_are_opened_each(two_places: tuple[Rig, Api]) -> None:
    """Each remote location opens the location that it is mapped to, and what would be shown is what comes true."""
    rig, api = two_places
    await rig.catalogue("shop", ("r1@L1", "A"), ("r1@L2", "A"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.see("shop", **{"r1@L1": 5, "r1@L2": 2})
    await rig.see("mall", m1=7)
    _, told = await api.get("/adopt", believe="shop")
    plan = plan_of(told, "A")
    assert {(row["location"], row["quantity"]) for row in plan["opening"]} == {("east", 5), ("west", 2)}
    shown = {(row["remote_id"], row["remote_location"]): row["would_show"] for row in plan["listings"]}
    assert shown == {("r1", "L1"): 5, ("r1", "L2"): 2, ("m1", ""): 4}
    await api.post("/adopt", {"believe": "shop", "apply": True})
    found = (await api.get("/stock/A"))[1]["listings"]
    assert {(row["remote_id"], row["remote_location"]): row["target"] for row in found} == shown


@pytest.fixture
async def adaptive(tmp_path: Path) -> AsyncIterator[tuple[Rig, Api]]:
    settings = settings_of(tmp_path, ["shop", "mall"])
    settings = replace(settings, policy=replace(settings.policy, exposure="adaptive", loss=2_500))
    async with running(tmp_path, settings=settings) as rig:
        path = rig.plant.settings.daemon.socket_path
        connector = aiohttp.UnixConnector(str(path))
        app, sock = control_app(rig.plant), control_socket(path)
        async with served(app, sock=sock), aiohttp.ClientSession(connector=connector) as session:
            yield rig, Api(session, "http://syncd")


async def test_a_plan_follows_the_exposure_in_force(adaptive: tuple[Rig, Api]) -> None:
    """With adaptive exposure and a good that sells fast the plan tells the numbers that are written after `go`."""
    rig, api = adaptive
    await rig.catalogue("shop", ("r1", "A"), ("r2", "SET"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.know("A", SET={"A": 2})
    for number in range(60):
        await rig.order("shop" if number % 3 else "mall", str(number), ("r1" if number % 3 else "m1", "A", 1))
        rig.clock.instant += 10_000_000
    await rig.see("shop", r1=5, r2=2)
    await rig.see("mall", m1=5)
    asked = {"rows": [{"sku": "A", "quantity": 5}], "counted": "available"}
    _, told = await api.post("/adopt", asked)
    would = {row["remote_id"]: row["would_show"] for plan in told["skus"] for row in plan["listings"]}
    assert plan_of(told, "A")["available_after"] == 5
    assert min(would["r1"], would["m1"]) < 5, "the story is of a number that the pool would not show"
    await api.post("/adopt", asked | {"apply": True})
    found = [row for code in ("A", "SET") for row in (await api.get(f"/stock/{code}"))[1]["listings"]]
    assert {row["remote_id"]: row["target"] for row in found} == would


async def test_several_locations_without_a_map_are_named(rig: Rig, api: Api) -> None:
    """One offer at two remote locations that nobody mapped opens nothing and would be written nowhere."""
    await rig.catalogue("shop", ("r1@L1", "A"), ("r1@L2", "A"), ("r2", "B"), ("r3", "B"))
    await rig.see("shop", **{"r1@L1": 5, "r1@L2": 2, "r2": 3, "r3": 4})
    _, told = await api.get("/adopt", believe="shop")
    assert {("locations", "A"), ("duplicate", "B"), ("no_stock", "A"), ("no_stock", "B")} <= kinds(told)
    _, told = await api.post("/adopt", {"rows": [{"sku": "A", "quantity": 7}]})
    assert [row["would_show"] for row in plan_of(told, "A")["listings"]] == [None, None]
