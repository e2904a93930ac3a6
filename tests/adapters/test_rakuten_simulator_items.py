"""The simulated ItemAPI: the search by cursor and offset, its lag, settings of stock, hiding."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from syncd.testing.simulators import Refusal, Unknown
from tests.adapters.rakuten_simulation import Scene, opened

ITEMS = "/es/2.0/items/search"
SETTINGS = "/es/2.0/items/inventory-related-settings/manage-numbers"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


async def pages(scene: Scene, query: str) -> list[dict[str, Any]]:
    answer = await scene.get(f"{ITEMS}?{query}")
    assert answer.status == 200, answer.body
    return [result["item"] for result in answer.body["results"]]


async def crawl(scene: Scene, hits: int) -> list[dict[str, Any]]:
    """Read all pages by cursor until it repeats."""
    mark, found = "*", list[dict[str, Any]]()
    for _ in range(100):
        answer = await scene.get(f"{ITEMS}?hits={hits}&cursorMark={quote(mark)}")
        assert answer.status == 200, answer.body
        found += [result["item"] for result in answer.body["results"]]
        if answer.body["nextCursorMark"] == mark:
            return found
        mark = answer.body["nextCursorMark"]
    raise AssertionError("the cursor never repeats")


# --- the search ------------------------------------------------------------------------------------------------------


async def test_the_cursor_reads_every_sku_once(scene: Scene) -> None:
    """By cursor every SKU comes once, whatever the size of a page."""
    skus = [shown.ref.remote_id for shown in scene.simulator.shown()]
    for hits in (1, 2, 100):
        items = await crawl(scene, hits)
        assert [f"{item['manageNumber']}/{name}" for item in items for name in item["variants"]] == skus


async def test_variants_state_the_shops_sku(scene: Scene) -> None:
    """Every variant names the shop's SKU; variant ids repeat over pages and are no key."""
    found: dict[str, str] = {}
    names: list[str] = []
    for item in await crawl(scene, 100):
        for name, variant in item["variants"].items():
            found[f"{item['manageNumber']}/{name}"] = variant["merchantDefinedSkuId"]
            names.append(name)
    assert found == {shown.ref.remote_id: shown.sku for shown in scene.simulator.shown()}
    assert names.count("normal-inventory") > 1


async def test_a_page_may_state_no_sku(scene: Scene) -> None:
    """A variant without merchantDefinedSkuId comes without the field, and its order lines have null there."""
    scene.simulator.turn(catalogue_lag_s=(0.0, 0.0))
    scene.simulator.goods.add("bare-page", "red", sku="bare-page/red", quantity=4, merchant_sku="")
    item = (await pages(scene, "manageNumber=bare-page"))[0]
    assert "merchantDefinedSkuId" not in item["variants"]["red"]
    order = await scene.order(scene.buy(("bare-page/red", 1)))
    sku = order["PackageModelList"][0]["ItemModelList"][0]["SkuModelList"][0]
    assert (sku["variantId"], sku["merchantDefinedSkuId"]) == ("red", None)


async def test_the_search_tells_no_quantity(scene: Scene) -> None:
    """Neither a page nor what comes with isInventoryIncluded holds a number of units."""
    answer = await scene.get(f"{ITEMS}?isInventoryIncluded=true")
    text = str(answer.body)
    assert "operationLeadTime" in text
    assert "quantity" not in text


@pytest.mark.parametrize(
    "query",
    [
        "hits=101",
        "hits=0",
        "hits=many",
        "offset=10001",
        "cursorMark=nonsense",
        "cursorMark=*&offset=1",
        "cursorMark=*&sortOrder=asc",
        "sortKey=colour",
        "isHiddenItem=1",
        "updatedFrom=2026-09-01T00:00:00",
        "colour=red",
    ],
)
async def test_what_the_search_does_not_know_is_refused(scene: Scene, query: str) -> None:
    """A parameter out of its range or of no meaning is a 400."""
    answer = await scene.get(f"{ITEMS}?{query}")
    assert answer.status == 400
    assert answer.codes[0].startswith("IE")


async def test_filters_narrow_the_search(scene: Scene) -> None:
    """Number, SKU, variant, stock-out and date of change each leave out what does not fit; parts of names fit too."""
    number, name = scene.pair(3)
    assert len(await pages(scene, "manageNumber=item-00000")) > 1
    assert len(await pages(scene, "merchantDefinedSkuId=SKU-0000")) > 1
    assert [item["manageNumber"] for item in await pages(scene, f"manageNumber={number.upper()}")] == [number]
    assert [item["manageNumber"] for item in await pages(scene, "merchantDefinedSkuId=SKU-00003")] == [number]
    assert number in [item["manageNumber"] for item in await pages(scene, f"variantId={name}")]
    assert await pages(scene, "isVariantStockout=true") == []
    scene.simulator.set_shown("SKU-00003", 0)
    assert [item["manageNumber"] for item in await pages(scene, "isVariantStockout=true")] == [number]
    assert await pages(scene, "updatedFrom=2026-09-25") == []
    scene.simulator.hide("SKU-00003")
    assert [item["manageNumber"] for item in await pages(scene, "updatedFrom=2026-09-25")] == [number]


async def test_offset_pages_are_sorted(scene: Scene) -> None:
    """By offset pages come as sorted, with how many there are; by default the one that changed last is first."""
    items = await crawl(scene, 100)
    answer = await scene.get(f"{ITEMS}?hits=2&offset=1&sortKey=manageNumber&sortOrder=asc")
    scene.simulator.hide("SKU-00003")
    assert (await pages(scene, "hits=1"))[0]["manageNumber"] == scene.pair(3)[0]
    assert (answer.body["numFound"], answer.body["offset"]) == (len(items), 1)
    assert [result["item"] for result in answer.body["results"]] == items[1:3]


async def test_new_and_deleted_pages_are_told_late(scene: Scene) -> None:
    """A new page is sold and can be written at once, and is told up to a day later; a deleted one stays as a number."""
    scene.simulator.goods.add("new-page", "blue", sku="NEW", quantity=4)
    scene.buy(("NEW", 1))
    assert (await scene.stock(("new-page", "blue")))[0]["quantity"] == 3
    assert await pages(scene, "manageNumber=new-page") == []
    scene.clock.advance(86_400.0)
    assert len(await pages(scene, "manageNumber=new-page")) == 1
    scene.simulator.goods.remove("new-page")
    assert await scene.stock(("new-page", "blue")) == []
    assert await pages(scene, "manageNumber=new-page") == [{"manageNumber": "new-page"}]
    scene.clock.advance(86_400.0)
    assert await pages(scene, "manageNumber=new-page") == []
    with pytest.raises(Unknown):
        scene.buy(("NEW", 1))


# --- off sale, without end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "whole_page"), [(1, True), (2, False)])
async def test_what_is_in_the_storeroom_is_not_sold_but_written(scene: Scene, number: int, whole_page: bool) -> None:
    """A hidden SKU stays in the search with its mark, cannot be bought, and takes stock without coming back."""
    sku = f"SKU-{number:05d}"
    scene.simulator.hide(sku)
    page, name = scene.pair(number)
    item = (await pages(scene, f"manageNumber={page}"))[0]
    assert (item["hideItem"], item["variants"][name].get("hidden", False)) == (whole_page, not whole_page)
    with pytest.raises(Unknown):
        scene.buy((sku, 1))
    assert (await scene.upsert(scene.row(number, quantity=50))).status == 204
    with pytest.raises(Unknown):
        scene.buy((sku, 1))


async def test_a_page_without_stock_control_sells_without_end(scene: Scene) -> None:
    """With 在庫設定なし nothing is taken off, and search and settings say so."""
    scene.simulator.unmanage("SKU-00001")
    before = scene.shown()
    scene.buy(("SKU-00001", before + 50))
    assert scene.shown() == before
    number, _ = scene.pair()
    assert (await pages(scene, f"manageNumber={number}"))[0]["unlimitedInventoryFlag"] is True
    assert (await scene.get(f"{SETTINGS}/{number}")).body["unlimitedInventoryFlag"] is True


async def test_settings_are_read_and_written_per_page(scene: Scene) -> None:
    """The settings of stock have their documented fields; an unknown variant is GE0014, a missing field IE0001."""
    number, name = scene.pair()
    read = await scene.get(f"{SETTINGS}/{number}")
    assert read.body["variants"][name]["restockOnCancel"] is False
    wish = read.body | {"variants": {name: {"restockOnCancel": True, "backOrderFlag": True}}}
    assert (await scene.call("PUT", f"{SETTINGS}/{number}", wish)).status == 204
    after = (await scene.get(f"{SETTINGS}/{number}")).body["variants"][name]
    assert (after["restockOnCancel"], after["backOrderFlag"]) == (True, True)
    wrong = await scene.call("PUT", f"{SETTINGS}/{number}", read.body | {"variants": {"nobody": {}}})
    assert (wrong.status, wrong.codes) == (404, ["GE0014"])
    assert (await scene.call("PUT", f"{SETTINGS}/{number}", {"variants": {}})).codes == ["IE0001"]
    assert (await scene.get(f"{SETTINGS}/nowhere")).status == 404


async def test_backorders_are_sold_at_zero(scene: Scene) -> None:
    """A SKU with backOrderFlag is sold past zero, and its number stops there."""
    variant = scene.simulator.goods.by_sku["SKU-00001"][0]
    scene.simulator.set_shown("SKU-00001", 1)
    with pytest.raises(Refusal):
        scene.buy(("SKU-00001", 3))
    variant.back_order = True
    scene.buy(("SKU-00001", 3))
    assert scene.shown() == 0


async def test_patch_hides_once_it_is_paid_for(scene: Scene) -> None:
    """With the paid function a page is hidden by PATCH, which refuses a page without stock control."""
    number, name = scene.pair(2)
    path = f"/es/2.0/items/manage-numbers/{number}"
    assert (await scene.call("PATCH", path, {"hideItem": True})).status == 401
    functions = scene.simulator.world.knobs.functions
    scene.simulator.turn(functions=[*functions, "itemapi_2.0.items.patch", "itemapi_2.0.items.get"])
    assert (await scene.call("PATCH", path, {"variants": {name: {"hidden": True}}})).status == 204
    assert (await scene.get(path)).body["variants"][name]["hidden"] is True
    scene.simulator.unmanage("SKU-00002")
    assert (await scene.call("PATCH", path, {"hideItem": True})).status == 400
    assert (await scene.call("PATCH", path, {"hideItem": True, "unlimitedInventoryFlag": False})).status == 204


async def test_many_goods_are_read_to_their_end() -> None:
    """The cursor reads 3,000 SKUs in full pages, and the number found stays the same all the way."""
    async with opened(skus=3_000) as scene:
        items = await crawl(scene, 100)
        assert sum(len(item["variants"]) for item in items) == 3_000
        first = await scene.get(f"{ITEMS}?hits=100&cursorMark=*")
        following = quote(first.body["nextCursorMark"])
        second = await scene.get(f"{ITEMS}?hits=100&cursorMark={following}")
        assert first.body["numFound"] == second.body["numFound"] == len(items)
