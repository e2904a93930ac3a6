"""Counts, movements, SKUs and policies by the API, over the control socket."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.store import inbox
from tests.web.conftest import Api
from tests.web.rig import Rig


async def test_a_count_opens_a_sku(rig: Rig, api: Api) -> None:
    """A count of a known SKU is applied at the shop's location and then shown."""
    await rig.know("A", "B")
    status, told = await api.post("/stock/count", {"rows": [{"sku": "A", "quantity": 5}], "reason": "shelf 3"})
    assert (status, told["applied"], told["duplicate"]) == (200, True, False)
    status, found = await api.get("/stock/A")
    assert status == 200
    assert found["stock"] | {"title": ""} == {
        "sku": "A", "title": "", "opened": True, "kit": False, "on_hand": 5, "committed": 0, "held": 0, "available": 5,
    }  # fmt: skip
    assert [place["location"] for place in found["places"]] == ["main"]
    assert found["movements"][0]["kind"] == "opening"
    assert found["movements"][0]["reason"] == "shelf 3"
    assert found["movements"][0]["source"] == "cli"


async def test_a_repeated_request_changes_nothing(rig: Rig, api: Api) -> None:
    """The same request id answers as before and moves nothing twice."""
    await rig.know("A")
    await rig.count(A=10)
    body = {"move": "receive", "rows": [{"sku": "A", "quantity": 3}], "request_id": "delivery-1"}
    first = await api.post("/stock/move", body)
    rig.clock.instant += 1_000_000
    second = await api.post("/stock/move", body)
    assert first[0] == second[0] == 200
    assert second[1] == {**first[1], "duplicate": True}
    assert (await api.get("/stock/A"))[1]["stock"]["on_hand"] == 13


async def test_a_request_id_stands_for_one_change(rig: Rig, api: Api) -> None:
    """A request id that comes again with other rows is refused, so that nothing is lost without a word."""
    await rig.know("A")
    body = {"move": "receive", "rows": [{"sku": "A", "quantity": 3}], "request_id": "delivery-1"}
    await api.post("/stock/move", body)
    status, told = await api.post("/stock/move", {**body, "rows": [{"sku": "A", "quantity": 4}]})
    assert status == 409
    assert "request_id" in told["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/stock/count", {"rows": [{"sku": "X", "quantity": 1}]}, ["row 1", "unknown SKU X"]),
        ("/stock/count", {"rows": [{"sku": "KIT", "quantity": 1}]}, ["row 1", "kit"]),
        ("/stock/count", {"rows": [{"sku": "A", "quantity": 1, "location": "moon"}]}, ["row 1", "moon", "main"]),
        ("/stock/count", {"rows": [{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 2}]}, ["row 2", "row 1"]),
        ("/stock/move", {"move": "receive", "rows": [{"sku": "A", "quantity": -1}]}, ["row 1", "positive"]),
        ("/stock/move", {"move": "adjust", "rows": [{"sku": "A", "quantity": 0}]}, ["row 1", "nothing"]),
        ("/stock/move", {"move": "damage", "rows": [{"sku": "A", "quantity": 1}]}, ["row 1", "negative"]),
        ("/skus", {"rows": [{"sku": "K2", "components": [{"sku": "NO", "quantity": 1}]}]}, ["row 1", "NO"]),
        ("/skus", {"rows": [{"sku": "K2", "components": [{"sku": "KIT", "quantity": 1}]}]}, ["row 1", "KIT"]),
        ("/skus", {"rows": [{"sku": "S"}, {"sku": "S"}]}, ["row 2"]),
        ("/policy", {"rows": [{"sku": "A", "account": "nobody"}]}, ["row 1", "nobody", "mall, shop"]),
    ],
)  # fmt: skip
async def test_wrong_rows_are_named(rig: Rig, api: Api, path: str, body: Any, words: list[str]) -> None:
    """A row that cannot be applied is named with its number, and nothing of the request takes effect."""
    await rig.know("A", "B", KIT={"B": 2})
    before = await rig.plant.store.read(inbox.depth)
    status, told = await api.post(path, body)
    assert status == 400
    (problem,) = told["error"]["problems"]
    assert all(word in str(problem) for word in words), problem
    assert await rig.plant.store.read(inbox.depth) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"rows": []}, ["rows"]),
        ({"rows": [{"sku": "A", "quantity": -1}]}, ["quantity"]),
        ({"rows": [{"sku": "A", "quantity": 2_000_000_000}]}, ["quantity"]),
        ({"rows": [{"sku": "A", "quantity": 1.5}]}, ["quantity"]),
        ({"rows": [{"sku": "A", "quantity": 1, "colour": "red"}]}, ["colour"]),
        ({"rows": [{"sku": "A", "quantity": 1}], "counted_at": "2099-01-01T00:00:00Z"}, ["future"]),
        ({"rows": [{"sku": "A", "quantity": 1}], "counted_at": "2026-01-01T00:00:00"}, ["counted_at"]),
    ],
)
async def test_wrong_bodies_are_refused(rig: Rig, api: Api, body: Any, words: list[str]) -> None:
    """A body that is not of the form is refused with the name of what is wrong."""
    await rig.know("A")
    status, told = await api.post("/stock/count", body)
    assert status == 400
    assert all(word in told["error"]["message"] for word in words), told


async def test_ten_thousand_rows_at_once(rig: Rig, api: Api) -> None:
    """SKUs and a count of 10,000 rows are each one request; a slow machine may answer that it is under way."""
    codes = [f"S{number:05}" for number in range(10_000)]
    for path, row in (("/skus", {"title": "題"}), ("/stock/count", {"quantity": 7})):
        status, told = await api.post(path, {"rows": [{"sku": code, **row} for code in codes]})
        assert status in {200, 202}
        if told.get("pending"):
            assert await rig.plant.intake.settle(told["inbox_id"], timeout_s=300) is None
    assert (await api.get("/stock/S09999"))[1]["stock"]["on_hand"] == 7


async def test_stock_is_paged_and_searched(rig: Rig, api: Api) -> None:
    """A page says where the next one goes on; text is looked for in code and title, a prefix is exact."""
    await rig.know("a1", "A1", "A2", "B%1")
    status, page = await api.get("/stock", limit="3")
    assert (status, [row["sku"] for row in page["rows"]], page["next"]) == (200, ["A1", "A2", "B%1"], "B%1")
    _, rest = await api.get("/stock", limit="3", after=page["next"])
    assert ([row["sku"] for row in rest["rows"]], rest["next"]) == (["a1"], None)
    _, found = await api.get("/stock", prefix="A")
    assert [row["sku"] for row in found["rows"]] == ["A1", "A2"]
    _, found = await api.get("/stock", text="%")
    assert [row["sku"] for row in found["rows"]] == ["B%1"]
    assert (await api.get("/stock", limit="0"))[0] == 400
    assert (await api.get("/stock", colour="red"))[0] == 400


async def test_a_kit_is_as_much_as_its_scarcest_part(rig: Rig, api: Api) -> None:
    """A kit has no units of its own and can be sold as often as its components allow."""
    await rig.know("A", "B", KIT={"A": 2, "B": 1})
    await rig.count(A=5, B=9)
    _, page = await api.get("/stock", text="kit")
    assert (page["rows"][0]["kit"], page["rows"][0]["opened"], page["rows"][0]["available"]) == (True, True, 2)
    _, found = await api.get("/stock/KIT")
    assert found["components"] == [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}]
    assert (await api.get("/stock/A"))[1]["part_of"] == ["KIT"]
    _, exported = await api.get("/skus", text="KIT")
    assert exported["rows"][0]["components"] == found["components"]


async def test_a_kit_that_stays_the_same_may_have_open_orders(rig: Rig, api: Api) -> None:
    """An import that names a kit as it is passes although open orders forbid to change it."""
    await rig.know("A", "B", KIT={"A": 2})
    await rig.catalogue("shop", ("r1", "KIT"))
    await rig.order("shop", "1", ("r1", "KIT", 1))
    same = {"rows": [{"sku": "KIT", "title": "A set", "components": [{"sku": "A", "quantity": 2}]}]}
    other = {"rows": [{"sku": "KIT", "components": [{"sku": "B", "quantity": 2}]}]}
    assert (await api.post("/skus", same))[0] == 200
    status, told = await api.post("/skus", other)
    assert status == 400
    assert "open orders" in told["error"]["problems"][0]["message"]


async def test_a_sku_may_have_any_name(rig: Rig, api: Api) -> None:
    """Slashes, percent signs and Japanese in a code do not hinder."""
    code = "棚/A%20 1"
    await rig.know(code)
    status, found = await api.get("/stock/" + "%E6%A3%9A%2FA%2520%201")
    assert (status, found["stock"]["sku"]) == (200, code)
    status, told = await api.get("/stock/nothing")
    assert (status, told["error"]["message"]) == (404, "unknown SKU: nothing")


async def test_a_policy_is_set(rig: Rig, api: Api) -> None:
    """A policy of a SKU changes what its listings should show."""
    await rig.know("A")
    await rig.count(A=10)
    await rig.catalogue("shop", ("r1", "A"))
    row = {"sku": "A", "account": "shop", "safety_stock": 4}
    assert (await api.post("/policy", {"rows": [row]}))[0] == 200
    _, found = await api.get("/stock/A")
    assert found["policies"] == [{"account": "shop", "safety_stock": 4, "safety_percent": None, "cap": None}]
    assert found["listings"][0]["target"] == 6
