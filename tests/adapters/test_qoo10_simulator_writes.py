"""Writes of the simulated Qoo10: what each method changes, what it refuses, and what it pretends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.adapters.qoo10_simulation import ITEM, OPTIONS, SKU, Scene, opened

SET = "ItemsOrder.SetGoodsPriceQty"
BULK = "ItemsOrder.SetGoodsPriceQtyBulk"
ROW = "ItemsOptions.UpdateInventoryQtyUnit"
DAY = "2030-12-31"
RED = {"ItemCode": OPTIONS, "OptionName": "カラー", "OptionValue": "RED", "OptionCode": "SKU-00002"}


async def detail(scene: Scene, item: str = ITEM) -> Any:
    return (await scene.result("ItemsLookup.GetItemDetailInfo", ItemCode=item))[0]


async def bulk(scene: Scene, *rows: dict[str, str], method: str = BULK) -> Any:
    return await scene.ask(method, ItemInfoJson=msgspec.json.encode(rows).decode())


def row(code: str = ITEM, quantity: str = "7", **more: str) -> dict[str, str]:
    return {"ItemCode": code, "SellerCode": "", "Price": "", "TaxRate": "", "Qty": quantity, "ExpireDate": DAY, **more}


# --- items without options -------------------------------------------------------------------------------------------


async def test_a_full_write_changes_only_the_quantity() -> None:
    """With the ExpireDate as it was and no price, nothing but the number changes."""
    async with opened() as scene:
        before = await detail(scene)
        envelope = await scene.ask(SET, **row(ExpireDate=before["ExpireDate"]))
        assert envelope == {"ResultCode": 0, "ResultMsg": "SUCCESS", "ResultObject": None}
        assert await detail(scene) == {**before, "ItemQty": "7", "ChangedDate": "2026-10-01 09:00:00"}
        assert scene.simulator.shop.prices == []


async def test_a_blank_expire_date_becomes_a_year() -> None:
    """Who does not send the ExpireDate again resets it to today and a year."""
    async with opened() as scene:
        for given in ({"ExpireDate": ""}, {}):
            await scene.code(SET, ItemCode=ITEM, Qty="7", ExpireDate=DAY)
            assert (await detail(scene))["ExpireDate"] == DAY
            await scene.code(SET, ItemCode=ITEM, Qty="7", **given)
            assert (await detail(scene))["ExpireDate"] == "2027-10-01"


@pytest.mark.parametrize(("blank", "after"), [(9999, 9999), (None, 31)])
async def test_a_blank_quantity_is_a_trap(blank: int | None, after: int) -> None:
    """Without a Qty the number becomes 9999, or by a knob stays as it is."""
    async with opened(blank_quantity=blank) as scene:
        scene.simulator.set_shown(SKU, 31)
        assert await scene.code(SET, ItemCode=ITEM, ExpireDate=DAY) == 0
        assert scene.sells(SKU) == after


async def test_a_price_that_is_given_is_the_new_price() -> None:
    """A price changes the price, and the simulator remembers it."""
    async with opened() as scene:
        await scene.code(SET, **row(Price="1980"))
        assert (await detail(scene))["ItemPrice"] == "1980"
        assert scene.simulator.shop.prices == [(ITEM, 1000, 1980)]
        await scene.code(SET, **row(Price="1980"))
        assert len(scene.simulator.shop.prices) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ItemCode": "1999999999"}, -10001),
        ({"ItemCode": ""}, -10),
        ({"Qty": "-1"}, -10002),
        ({"Qty": "7.0"}, -10002),
        ({"Qty": "2147483648"}, -10002),
        ({"Price": "free"}, -10002),
        ({"Price": "0"}, -10002),
        ({"TaxRate": "9"}, -10002),
        ({"SellerCode": "x" * 101}, -10002),
        ({"ExpireDate": "2030/12/31"}, -10002),
        ({"ExpireDate": "2030-1-1"}, -10002),
        ({"ExpireDate": "2026-09-30"}, -10002),
        ({"StartDate": "2026-12-01 10:10"}, -10002),
    ],
)
async def test_wrong_values_are_refused_without_effect(changes: dict[str, str], code: int) -> None:
    """Each wrong value has its code and changes nothing."""
    async with opened() as scene:
        before = await detail(scene)
        assert await scene.code(SET, **{**row(), **changes}) == code
        assert await detail(scene) == before


async def test_the_largest_quantity_is_taken() -> None:
    """The guide's largest number is written."""
    async with opened() as scene:
        await scene.code(SET, **row(quantity="2147483647", StartDate="2026-12-01 10:30"))
        assert scene.sells(SKU) == 2_147_483_647


async def test_an_item_with_options_only_pretends() -> None:
    """SetGoodsPriceQty on an item with options answers success, and no row changes its number."""
    async with opened() as scene:
        before = await scene.option_rows()
        assert await scene.code(SET, **row(OPTIONS)) == 0
        assert await scene.option_rows() == before


async def test_update_goods_only_pretends() -> None:
    """UpdateGoods takes ItemQty, answers success and does not change the number."""
    async with opened() as scene:
        before = await scene.quantity()
        assert await scene.code("ItemsBasic.UpdateGoods", ItemCode=ITEM, ItemQty="7") == 0
        assert await scene.quantity() == before


async def test_a_move_item_is_not_ours_to_write() -> None:
    """An item of the MOVE kind refuses writes."""
    async with opened() as scene:
        scene.simulator.shop.goods.items[ITEM].is_move = True
        assert await scene.code(SET, **row()) == -10004


async def test_the_status_can_be_changed() -> None:
    """EditGoodsStatus lets an item wait, sell or stop."""
    async with opened() as scene:
        assert await scene.code("ItemsBasic.EditGoodsStatus", ItemCode=ITEM, Status="3") == 0
        assert (await detail(scene))["ItemStatus"] == "S3"
        assert await scene.code("ItemsBasic.EditGoodsStatus", ItemCode=ITEM, Status="4") == -10002


# --- many at once ----------------------------------------------------------------------------------------------------


async def test_a_bulk_writes_every_row() -> None:
    """All good rows are done, and the answer is 0."""
    async with opened() as scene:
        codes = ["1100000001", "1100000003", "1100000004"]
        assert (await bulk(scene, *(row(code) for code in codes)))["ResultCode"] == 0
        assert [await scene.quantity(code) for code in codes] == [7, 7, 7]


async def test_a_bulk_with_a_bad_row_is_minus_one() -> None:
    """One bad row makes the answer -1, and its neighbours are done."""
    async with opened() as scene:
        envelope = await bulk(scene, row(), row("1999999999"), row("1100000003"))
        assert envelope["ResultCode"] == -1
        assert [await scene.quantity(code) for code in (ITEM, "1100000003")] == [7, 7]


async def test_the_rows_of_a_bulk_answer_cannot_be_relied_on() -> None:
    """The rows are undocumented: their shape differs from answer to answer, and may be nothing at all."""
    async with opened() as scene:
        answers = [(await bulk(scene, row("1999999999")))["ResultObject"] for _ in range(30)]
        assert {tuple(answer[0]) if answer else () for answer in answers} == {
            (),
            ("item_no", "result_cd"),
            ("ItemCode", "ResultCode", "ResultMsg"),
        }


async def test_more_than_five_hundred_rows_are_minus_two() -> None:
    """500 rows pass and 501 do not, without any effect."""
    async with opened() as scene:
        assert (await bulk(scene, *[row()] * 501))["ResultCode"] == -2
        assert not len(scene.simulator.log)
        assert (await bulk(scene, *[row()] * 500))["ResultCode"] == 0


async def test_rows_may_fail_for_no_reason() -> None:
    """By its knob rows of a bulk fail and have no effect, while the same row sent singly is done."""
    async with opened(failed_rows=1.0) as scene:
        before = await scene.quantity()
        assert (await bulk(scene, row()))["ResultCode"] == -1
        assert await scene.quantity() == before
        assert await scene.code(SET, **row()) == 0


async def test_a_bulk_without_rows_is_refused() -> None:
    """A bulk that is no list, or an empty one, has its code."""
    async with opened() as scene:
        assert await scene.code(BULK, ItemInfoJson="{}") == -10002
        assert await scene.code(BULK, ItemInfoJson="[]") == -10
        assert await scene.code(BULK) == -99


async def test_blanks_in_a_bulk_are_the_same_traps() -> None:
    """A row with null or blank for Qty and ExpireDate gets 9999 and a year."""
    async with opened() as scene:
        rows: list[dict[str, Any]] = [row(quantity="", ExpireDate=""), {"ItemCode": "1100000003", "Qty": None}]
        envelope = await scene.ask(BULK, ItemInfoJson=msgspec.json.encode(rows).decode())
        assert envelope["ResultCode"] == 0
        for code in (ITEM, "1100000003"):
            found = await detail(scene, code)
            assert (found["ItemQty"], found["ExpireDate"]) == ("9999", "2027-10-01")


# --- option rows -----------------------------------------------------------------------------------------------------


async def test_a_row_gets_its_number() -> None:
    """UpdateInventoryQtyUnit sets one row and leaves the other."""
    async with opened() as scene:
        other = scene.sells("SKU-00003")
        assert await scene.code(ROW, **RED, Qty="5") == 0
        assert (scene.sells("SKU-00002"), scene.sells("SKU-00003")) == (5, other)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ItemCode": "1999999999"}, -10001),
        ({"OptionName": "color"}, -10001),
        ({"OptionValue": "red"}, -10001),
        ({"OptionCode": "SKU-00003"}, -10001),
        ({"OptionCode": "x" * 51}, -10101),
        ({"OptionName": ""}, -10),
        ({"Qty": ""}, -10),
        ({"Qty": "-1"}, -10002),
    ],
)
async def test_a_row_is_named_exactly(changes: dict[str, str], code: int) -> None:
    """A row whose name, value or code differs from what was read is not written."""
    async with opened() as scene:
        assert await scene.code(ROW, **{**RED, "Qty": "5", **changes}) == code
        assert not len(scene.simulator.log)


async def test_a_row_of_two_axes_is_joined() -> None:
    """Names and values of several axes are joined by the separator of columns."""
    async with opened(skus=30) as scene:
        code = (await scene.option_rows("1100000007"))[1]["ItemTypeCode"]
        given = {"ItemCode": "1100000007", "OptionName": "カラー||*サイズ", "OptionCode": code, "Qty": "3"}
        assert await scene.code(ROW, **given, OptionValue="BLUE,M") == -10001
        assert await scene.code(ROW, **given, OptionValue="BLUE||*M") == 0
        assert scene.sells(code) == 3


async def test_a_row_without_a_code_is_written_by_name_and_value() -> None:
    """Where the row has no code the parameter is there and blank."""
    async with opened(skus=60) as scene:
        read = (await scene.option_rows("1100000017"))[0]
        value = "||*".join(read[f"Value{axis}"] for axis in (1, 2) if read[f"Value{axis}"])
        name = "||*".join(read[f"Name{axis}"] for axis in (1, 2) if read[f"Name{axis}"])
        given = {"ItemCode": "1100000017", "OptionName": name, "OptionValue": value, "Qty": "3"}
        assert await scene.code(ROW, **given) == -10101
        assert await scene.code(ROW, **given, OptionCode="") == 0
        assert (await scene.option_rows("1100000017"))[0]["Qty"] == 3


async def test_a_relative_write_counts_twice() -> None:
    """PlusQty adds each time that it is sent, and never leads below zero."""
    async with opened() as scene:
        before = scene.sells("SKU-00002")
        for _ in range(2):
            assert await scene.code("ItemsOptions.UpdateInventoryQtyPlusUnit", **RED, PlusQty="-1") == 0
        assert scene.sells("SKU-00002") == before - 2
        assert await scene.code("ItemsOptions.UpdateInventoryQtyPlusUnit", **RED, PlusQty="-1000") == -10002


async def test_price_and_number_of_a_row() -> None:
    """UpdateInventoryDataUnit and its bulk set both, a price within half of the item's."""
    async with opened() as scene:
        assert await scene.code("ItemsOptions.UpdateInventoryDataUnit", **RED, Price="-500", Qty="5") == 0
        first = (await scene.option_rows())[0]
        assert (first["Price"], first["Qty"]) == (-500, 5)
        assert await scene.code("ItemsOptions.UpdateInventoryDataUnit", **RED, Price="600", Qty="5") == -10002
        method = "ItemsOptions.UpdateInventoryDataBulk"
        good, bad = {**RED, "Price": "0", "Qty": "6"}, {**RED, "Price": "600", "Qty": "6"}
        assert (await bulk(scene, good, method=method))["ResultCode"] == 0
        assert (await bulk(scene, good, bad, method=method))["ResultCode"] == -1
        assert scene.sells("SKU-00002") == 6


async def test_a_whole_table_replaces_every_row() -> None:
    """EditGoodsInventory leaves only the rows that it names, and a blank one leaves none."""
    async with opened() as scene:
        edit = "ItemsOptions.EditGoodsInventory"
        table = "カラー||*GREEN||*0||*4||*SKU-00002$$カラー||*WHITE||*0||*5||*NEW-1"
        assert await scene.code(edit, ItemCode=OPTIONS, InventoryInfo=table) == 0
        rows = await scene.option_rows()
        assert [(found["Value1"], found["Qty"], found["ItemTypeCode"]) for found in rows] == [
            ("GREEN", 4, "SKU-00002"),
            ("WHITE", 5, "NEW-1"),
        ]
        assert "SKU-00003" not in {shown.sku for shown in scene.simulator.shown()}
        assert await scene.code(edit, ItemCode=OPTIONS, InventoryInfo="") == 0
        assert await scene.option_rows() == []
        assert await scene.quantity(OPTIONS) == 0


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("RED", -10101),
        ("カラー||*RED||*10||*4||*A", -10002),
        ("カラー||*RED||*0||*4||*A$$カラー||*BLUE||*0||*4||*A", -10002),
    ],
)
async def test_a_table_that_makes_no_sense_is_refused(table: str, code: int) -> None:
    """Too few columns, no row without a price and a code twice are refused, and the rows stay."""
    async with opened() as scene:
        before = await scene.option_rows()
        assert await scene.code("ItemsOptions.EditGoodsInventory", ItemCode=OPTIONS, InventoryInfo=table) == code
        assert await scene.option_rows() == before
