"""Listings, mappings and matches by the API."""

from __future__ import annotations

from typing import Any

from syncd.store import inbox
from tests.web.conftest import Api
from tests.web.rig import Rig


async def test_listings_are_filtered_and_paged(rig: Rig, api: Api) -> None:
    """Listings come by account, text and what is the matter with them, page by page."""
    await rig.catalogue("shop", ("r1", "A"), ("r2", "B"), ("r3", ""))
    await rig.catalogue("mall", ("m1", "A"))
    _, page = await api.get("/listings", limit="2")
    _, rest = await api.get("/listings", after=str(page["next"]))
    assert [row["remote_id"] for row in page["rows"] + rest["rows"]] == ["r1", "r2", "r3", "m1"]
    assert rest["next"] is None
    _, found = await api.get("/listings", unmapped="true")
    assert [(row["remote_id"], row["sku"]) for row in found["rows"]] == [("r3", None)]
    _, found = await api.get("/listings", account="mall", text="title of a", unmapped="false")
    assert [(row["remote_id"], row["sku"], row["vanished"]) for row in found["rows"]] == [("m1", "A", False)]
    rig.clock.instant += 1
    await rig.catalogue("mall", ("m2", "A"), finished=True)
    await rig.catalogue("mall", finished=True)
    _, found = await api.get("/listings", vanished="true")
    assert [row["remote_id"] for row in found["rows"]] == ["m1"]
    assert (await api.get("/listings", parked="perhaps"))[0] == 400


async def test_a_mapping_takes_an_order_out_of_quarantine(rig: Rig, api: Api) -> None:
    """Mapping a listing by hand gives its waiting order lines to the SKU, and null takes the mapping away."""
    await rig.know("A")
    await rig.catalogue("shop", ("r1", ""))
    await rig.order("shop", "1", ("r1", "", 2))
    assert (await api.get("/status"))[1]["quarantine"] == 1
    row: dict[str, Any] = {"account": "shop", "remote_id": "r1", "sku": "A"}
    assert (await api.post("/mappings", {"rows": [row]}))[0] == 200
    assert (await api.get("/stock/A"))[1]["stock"]["committed"] == 2
    assert (await api.get("/status"))[1]["quarantine"] == 0
    assert (await api.post("/mappings", {"rows": [{**row, "sku": None}]}))[0] == 200
    assert (await api.get("/stock/A"))[1]["listings"] == []


async def test_wrong_mappings_are_named(rig: Rig, api: Api) -> None:
    """Every wrong row of a mapping is told at once, and none takes effect."""
    await rig.know("A")
    await rig.catalogue("shop", ("r1", ""))
    before = await rig.plant.store.read(inbox.depth)
    rows = [
        {"account": "shop", "remote_id": "r1", "sku": "A"},
        {"account": "shop", "remote_id": "r1", "sku": "A"},
        {"account": "nobody", "remote_id": "r1", "sku": "A"},
        {"account": "shop", "remote_id": "r9", "sku": "X"},
        {"account": "shop", "remote_id": "r1", "remote_location": "L", "sku": None},
    ]
    status, told = await api.post("/mappings", {"rows": rows})
    places = sorted(problem["place"] for problem in told["error"]["problems"])
    assert (status, places) == (400, ["row 2", "row 3", "row 4", "row 4", "row 5"])
    assert await rig.plant.store.read(inbox.depth) == before


async def test_listings_are_matched_by_their_own_code(rig: Rig, api: Api) -> None:
    """A listing without a SKU is matched by the exact code that its channel has for it."""
    await rig.catalogue("shop", ("r1", "A"), ("r2", "B"), ("r3", ""))
    _, told = await api.get("/listings/matches")
    assert (told["rows"], told["suggestions"], told["counts"]) == ([], [], {"rows": 0, "suggestions": 0, "no_code": 1})
    await api.post("/mappings", {"rows": [{"account": "shop", "remote_id": "r1", "sku": None}]})
    expected = {"account": "shop", "remote_id": "r1", "remote_location": "", "remote_sku": "A", "sku": "A", "rules": []}
    assert (await api.get("/listings/matches"))[1]["rows"] == [expected]
    assert (await api.get("/listings/matches", account="mall"))[1]["rows"] == []


async def test_suggestions_become_matches_by_their_rules_only(rig: Rig, api: Api) -> None:
    """What differs by case, width and blanks is a suggestion until every rule that it needs is named."""
    await rig.know("Ab-1")
    await rig.count(**{"Ab-1": 1})
    await rig.catalogue("shop", ("r1", "ａＢ－1 "), ("r3", "Ab-1"))
    _, told = await api.get("/listings/matches", apply="case,width")
    assert (told["rows"], [row["rules"] for row in told["suggestions"]]) == ([], [["case", "width", "blank"]])
    _, told = await api.get("/listings/matches", apply="blank,width, case")
    assert ([(row["remote_id"], row["sku"]) for row in told["rows"]], told["suggestions"]) == ([("r1", "Ab-1")], [])
    status, told = await api.get("/listings/matches", apply="case,luck")
    assert (status, "luck" in told["error"]["message"]) == (400, True)


async def test_units_that_orders_hold_are_not_left_behind(rig: Rig, api: Api) -> None:
    """A listing whose own SKU has open orders is told and not suggested: its promised units would stay there."""
    await rig.know("A-1")
    await rig.count(**{"A-1": 5})
    await rig.catalogue("shop", ("r1", "a-1"))
    await rig.order("shop", "1", ("r1", "a-1", 2))
    _, told = await api.get("/listings/matches", apply="case")
    assert (told["rows"], told["suggestions"]) == ([], [])
    assert [(row["reason"], row["sku"]) for row in told["misfits"]] == [("promised", "A-1")]


async def test_a_kit_is_a_sku_like_a_counted_one(rig: Rig, api: Api) -> None:
    """A code that looks like a kit is suggested for it, although the other one is on more channels."""
    await rig.know("A", SET={"A": 2})
    await rig.catalogue("shop", ("r1", "set"))
    _, told = await api.get("/listings/matches")
    assert [(row["remote_id"], row["sku"]) for row in told["suggestions"]] == [("r1", "SET")]


async def test_listings_that_are_gone_are_not_compared(rig: Rig, api: Api) -> None:
    """A listing that left its channel is neither suggested nor told."""
    await rig.catalogue("shop", ("r1", ""), ("r2", "A"))
    assert (await api.get("/listings/matches"))[1]["counts"]["no_code"] == 1
    rig.clock.instant += 1
    await rig.catalogue("shop", ("r2", "A"), finished=True)
    await rig.catalogue("shop", finished=True)
    _, told = await api.get("/listings/matches")
    assert told["counts"] == {"rows": 0, "suggestions": 0}


async def test_misfits_are_limited_by_reason(rig: Rig, api: Api) -> None:
    """Of each reason at most so many are told as were asked for, and all are counted."""
    await rig.catalogue("shop", ("r1", ""), ("r2", ""), ("r3", "A"), ("r4", "A"))
    _, told = await api.get("/listings/matches", limit="1")
    assert [row["reason"] for row in told["misfits"]] == ["no_code", "twice"]
    assert told["counts"] == {"rows": 0, "suggestions": 0, "no_code": 2, "twice": 1}


async def test_catalogues_are_read_again_on_request(rig: Rig, api: Api) -> None:
    """A refresh is a hint for each account; an account that is not there is told."""
    status, told = await api.post("/listings/refresh", {})
    assert (status, told["refreshing"]) == (202, ["mall", "shop"])
    assert (await api.post("/listings/refresh", {"account": "nobody"}))[0] == 404
