"""Items of the simulated Qoo10: pages, details, option rows, and how long a change stays unseen."""

from __future__ import annotations

import msgspec
import pytest

from adapters.qoo10.simulator import make
from syncd.sdk.channel import ListingRef
from syncd.testing.clock import ManualClock
from syncd.testing.faults import Faults
from syncd.testing.simulators import By, Unknown, sku_name
from tests.adapters.qoo10_simulation import ITEM, OPTIONS, SKU, Scene, opened

ALL = "ItemsLookup.GetAllGoodsInfo"
DETAIL = "ItemsLookup.GetItemDetailInfo"
SET = "ItemsOrder.SetGoodsPriceQty"


# --- the catalogue ---------------------------------------------------------------------------------------------------


async def test_pages_hold_five_hundred_items_without_numbers() -> None:
    """All pages together hold every item once, and none tells a quantity."""
    async with opened(skus=1_300) as scene:
        first = await scene.result(ALL, ItemStatus="S2", Page="1")
        assert (len(first["Items"]), first["PresentPage"]) == (500, 1)
        assert set(first["Items"][0]) == {"ItemCode", "SellerCode", "ItemStatus"}
        pages = [await scene.result(ALL, ItemStatus="S2", Page=str(n + 1)) for n in range(first["TotalPages"])]
        codes = [row["ItemCode"] for page in pages for row in page["Items"]]
        assert len(codes) == len(set(codes)) == first["TotalItems"] == len(scene.simulator.shop.goods.items)
        beyond = await scene.result(ALL, ItemStatus="S2", Page=str(first["TotalPages"] + 1))
        assert beyond["Items"] == []


async def test_an_item_is_on_the_pages_of_its_status() -> None:
    """A hidden item leaves S2 and is found in S1; without a status nothing is answered."""
    async with opened() as scene:
        assert (await scene.result(ALL, ItemStatus="S1", Page="1"))["TotalItems"] == 0
        scene.simulator.hide(SKU)
        waiting = await scene.result(ALL, ItemStatus="S1", Page="1")
        assert [row["ItemCode"] for row in waiting["Items"]] == [ITEM]
        on_sale = await scene.result(ALL, ItemStatus="S2", Page="1")
        assert ITEM not in [row["ItemCode"] for row in on_sale["Items"]]
        assert await scene.code(ALL, Page="1") == -99
        assert await scene.code(ALL, ItemStatus="S9", Page="1") == -10002
        with pytest.raises(Unknown):
            scene.simulator.buy([(SKU, 1)])


async def test_every_sku_is_one_number() -> None:
    """About one item in five has option rows, and every SKU is sold by exactly one number."""
    async with opened(skus=200) as scene:
        shown = scene.simulator.shown()
        assert [row.sku for row in shown] == [sku_name(number) for number in range(1, 201)]
        items = scene.simulator.shop.goods.items.values()
        with_options = [item for item in items if item.rows]
        assert 0.15 < len(with_options) / len(items) < 0.25
        assert {len(item.rows) for item in with_options} == {1, 2, 3}


async def test_a_small_shop_has_options_too() -> None:
    """The second and third SKU of every shop are option rows of one item."""
    async with opened(skus=3) as scene:
        refs = [shown.ref for shown in scene.simulator.shown()]
        assert refs == [ListingRef(remote_id=text) for text in (ITEM, "1100000002:SKU-00002", "1100000002:SKU-00003")]


def test_a_large_shop_is_cheap() -> None:
    """A shop with 20,000 SKUs has them all, and lists are made only for who asks."""
    simulator = make(skus=20_000, seed=1, clock=ManualClock())
    assert len(simulator.shown()) == 20_000
    assert len(simulator.shop.goods.page("S2", 30)[0]) == 500


# --- one item --------------------------------------------------------------------------------------------------------


async def test_a_detail_has_texts_for_numbers() -> None:
    """Price and quantity are texts; an item is found by its code and by the seller's."""
    async with opened() as scene:
        by_code = (await scene.result(DETAIL, ItemCode=ITEM))[0]
        assert by_code["ItemQty"] == str(scene.sells(SKU))
        assert (by_code["ItemPrice"], by_code["TaxRate"], by_code["ItemStatus"]) == ("1000", "10", "S2")
        assert by_code["ExpireDate"] == "2027-04-19"
        assert await scene.result(DETAIL, SellerCode=SKU) == [by_code]


async def test_wrong_codes_are_told() -> None:
    """An unknown item, one that is no number and none at all have codes of their own."""
    async with opened() as scene:
        assert await scene.code(DETAIL, ItemCode=f"{ITEM}999999") == -10001
        assert await scene.code(DETAIL, ItemCode="abc") == -10002
        assert await scene.code(DETAIL) == -99


async def test_option_rows_have_names_values_and_codes() -> None:
    """Rows tell up to five axes, their own number and the seller's option code."""
    async with opened(skus=60) as scene:
        rows = await scene.option_rows()
        assert [(row["Name1"], row["Value1"], row["Value2"], row["ItemTypeCode"]) for row in rows] == [
            ("カラー", "RED", "", "SKU-00002"),
            ("カラー", "BLUE", "", "SKU-00003"),
        ]
        assert [row["Qty"] for row in rows] == [scene.sells("SKU-00002"), scene.sells("SKU-00003")]
        assert await scene.quantity(OPTIONS) == sum(row["Qty"] for row in rows)
        two_axes = (await scene.option_rows("1100000007"))[0]
        assert (two_axes["Name2"], two_axes["Value2"], two_axes["Value5"]) == ("サイズ", "S", "")


async def test_a_row_may_have_no_code() -> None:
    """One item with options in twenty has a single row without an option code, and the SKU as its seller code."""
    async with opened(skus=60) as scene:
        rows = await scene.option_rows("1100000017")
        assert [row["ItemTypeCode"] for row in rows] == [""]
        sku = (await scene.result(DETAIL, ItemCode="1100000017"))[0]["SellerCode"]
        assert sku.startswith("SKU-")
        assert scene.sells(sku) == rows[0]["Qty"]


# --- what can be read, and when --------------------------------------------------------------------------------------


async def test_a_write_sells_at_once_and_shows_late() -> None:
    """Shoppers buy by the new number while readings still have the old one, for up to ten minutes."""
    async with opened(shows_s=(500.0, 600.0)) as scene:
        before = await scene.quantity()
        assert await scene.code(SET, ItemCode=ITEM, Qty="7", ExpireDate="2030-12-31") == 0
        assert (scene.sells(SKU), await scene.quantity()) == (7, before)
        scene.clock.advance(499.0)
        assert await scene.quantity() == before
        scene.clock.advance(101.0)
        assert await scene.quantity() == 7


async def test_readings_never_go_back() -> None:
    """A change that would show soon waits for the slow one before it."""
    async with opened(shows_s=(600.0, 600.0), sale_shows_s=(0.0, 0.0)) as scene:
        before = await scene.quantity()
        await scene.code(SET, ItemCode=ITEM, Qty="7", ExpireDate="2030-12-31")
        for _ in range(3):
            scene.simulator.buy([(SKU, 1)])
            assert await scene.quantity() == before
        scene.clock.advance(600.0)
        assert await scene.quantity() == 4


async def test_a_write_may_take_effect_late_and_in_order() -> None:
    """By its knob a write sells later; of two the second one wins, however long each takes."""
    async with opened(effect_s=(0.0, 20.0)) as scene:
        for quantity in range(30, 40):
            await scene.code(SET, ItemCode=ITEM, Qty=str(quantity), ExpireDate="2030-12-31")
        scene.clock.advance(20.0)
        scene.simulator.settle()
        written = [entry.after for entry in scene.simulator.log if entry.by is By.API]
        assert written == list(range(30, 40))
        assert len({entry.at for entry in scene.simulator.log}) > 1


async def test_a_write_may_be_dropped() -> None:
    """By its knob a write is answered 0 and never has an effect."""
    async with opened(dropped_writes=1.0) as scene:
        before = scene.sells(SKU)
        assert await scene.code(SET, ItemCode=ITEM, Qty="7", ExpireDate="2030-12-31") == 0
        scene.clock.advance(3_600.0)
        assert scene.sells(SKU) == before


async def test_delays_follow_the_scale_of_time() -> None:
    """With a scale of a hundredth ten minutes are six seconds."""
    async with opened(shows_s=(600.0, 600.0)) as scene:
        scene.simulator.time_scale = 0.01
        before = await scene.quantity()
        await scene.code(SET, ItemCode=ITEM, Qty="7", ExpireDate="2030-12-31")
        scene.clock.advance(5.9)
        assert await scene.quantity() == before
        scene.clock.advance(0.2)
        assert await scene.quantity() == 7


async def test_a_stale_reading_is_older_still() -> None:
    """The fault stale_reads answers what could be read a while ago."""
    async with opened() as scene:
        before = await scene.quantity()
        scene.clock.advance(60.0)
        scene.simulator.set_shown(SKU, before + 5)
        scene.simulator.staleness_s = 30.0
        scene.simulator.faults = Faults(stale_reads=1.0)
        scene.clock.advance(1.0)
        seen = {await scene.quantity() for _ in range(20)}
        assert before in seen
        scene.clock.advance(30.0)
        assert {await scene.quantity() for _ in range(20)} == {before + 5}


async def test_a_person_edits_an_option_row() -> None:
    """A number edited by hand is that of the row alone."""
    async with opened() as scene:
        body = {"listing": {"remote_id": "1100000002:SKU-00003"}, "quantity": 4}
        async with scene.session.post(f"{scene.url}/_sim/set", data=msgspec.json.encode(body)) as response:
            assert response.status == 200
        assert [row["Qty"] for row in await scene.option_rows()] == [scene.sells("SKU-00002"), 4]


async def test_an_item_ends_on_its_day() -> None:
    """After its ExpireDate an item cannot be bought."""
    async with opened() as scene:
        await _expire(scene, "2026-10-01")
        scene.simulator.buy([(SKU, 1)])
        scene.clock.advance(15 * 3_600.0)
        with pytest.raises(Unknown):
            scene.simulator.buy([(SKU, 1)])


async def _expire(scene: Scene, day: str) -> None:
    assert await scene.code(SET, ItemCode=ITEM, Qty="9", ExpireDate=day) == 0
