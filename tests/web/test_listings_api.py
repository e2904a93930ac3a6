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
    assert (await api.get("/listings/matches"))[1] == {"rows": []}
    await api.post("/mappings", {"rows": [{"account": "shop", "remote_id": "r1", "sku": None}]})
    expected = {"account": "shop", "remote_id": "r1", "remote_location": "", "remote_sku": "A", "sku": "A"}
    assert (await api.get("/listings/matches"))[1] == {"rows": [expected]}
    assert (await api.get("/listings/matches", account="mall"))[1] == {"rows": []}


async def test_loose_matches_forgive_case_and_width(rig: Rig, api: Api) -> None:
    """On request a listing is matched to the one counted SKU that differs in case, width or space only."""
    await rig.know("Ab-1", "C", "c")
    await rig.count(**{"Ab-1": 1, "C": 1, "c": 1})
    await rig.catalogue("shop", ("r1", "ａＢ－1 "), ("r2", "Ｃ"), ("r3", "Ab-1"))
    assert (await api.get("/listings/matches"))[1] == {"rows": []}
    _, found = await api.get("/listings/matches", loose="true")
    assert [(row["remote_id"], row["sku"]) for row in found["rows"]] == [("r1", "Ab-1")]


async def test_catalogues_are_read_again_on_request(rig: Rig, api: Api) -> None:
    """A refresh is a hint for each account; an account that is not there is told."""
    status, told = await api.post("/listings/refresh", {})
    assert (status, told["refreshing"]) == (202, ["mall", "shop"])
    assert (await api.post("/listings/refresh", {"account": "nobody"}))[0] == 404
