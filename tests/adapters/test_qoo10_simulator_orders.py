"""Orders of the simulated Qoo10: carts of lines, searches by status and window, and what they tell when."""

from __future__ import annotations

import re
from typing import Any

import pytest

from adapters.qoo10.simulated.knobs import DATE_LAYOUTS
from adapters.qoo10.simulator import make
from syncd.testing.clock import ManualClock
from syncd.testing.simulators import CANARY_MAIL, CANARY_NAME, CANARY_PHONE, By, Refusal, Unknown
from tests.adapters.qoo10_simulation import ITEM, OPTIONS, SKU, TODAY, Scene, opened

FIND = "ShippingBasic.GetShippingInfo_v3"
FIND_OLD = "ShippingBasic.GetShippingInfo_v2"
BY_NUMBER = "ShippingBasic.GetShippingAndClaimInfoByOrderNo_V2"
DAY_S = 86_400.0


def status_of(line: Any) -> int:
    found = re.search(r"\((\d)\)$", line["ShippingStatus"])
    assert found, line["ShippingStatus"]
    return int(found[1])


# --- what a sale is --------------------------------------------------------------------------------------------------


async def test_a_cart_is_lines_with_numbers_of_their_own() -> None:
    """Each line is a row with its OrderNo; the PackNo and the list of related orders are shared."""
    async with opened() as scene:
        receipt = scene.simulator.buy([(SKU, 2), ("SKU-00003", 1)])
        lines = await scene.orders(2)
        assert {str(line["PackNo"]) for line in lines} == {receipt.number}
        numbers = [line["OrderNo"] for line in lines]
        assert len(set(numbers)) == 2
        assert {line["RelatedOrder"] for line in lines} == {", ".join(map(str, numbers))}
        assert [(line["ItemNo"], line["OrderQty"]) for line in lines] == [(ITEM, 2), (OPTIONS, 1)]


async def test_a_line_names_its_option() -> None:
    """A line of an option row has its code and text; another has neither."""
    async with opened() as scene:
        scene.simulator.buy([(SKU, 1), ("SKU-00003", 1)])
        plain, option = await scene.orders(2)
        assert (plain["SellerItemCode"], plain["OptionCode"], plain["Option"]) == (SKU, "", "")
        assert (option["OptionCode"], option["Option"]) == ("SKU-00003", "カラー:BLUE")
        assert option["SellerItemCode"] != "SKU-00003"


async def test_a_row_without_a_code_is_only_told_by_its_text() -> None:
    """A line of a row that has no code has none either, only the option's text and the seller's code."""
    async with opened(skus=60) as scene:
        sku = (await scene.result("ItemsLookup.GetItemDetailInfo", ItemCode="1100000017"))[0]["SellerCode"]
        scene.simulator.buy([(sku, 1)])
        (line,) = await scene.orders(2)
        assert (line["OptionCode"], line["SellerItemCode"]) == ("", sku)
        assert line["Option"].startswith("カラー:RED")


async def test_a_sale_lowers_the_own_number() -> None:
    """The shop takes its own sale off what it shows, also while the order is not paid."""
    async with opened(unpaid=1.0) as scene:
        before = await scene.quantity()
        scene.simulator.buy([(SKU, 2)])
        assert await scene.quantity() == before - 2
        assert [entry.by for entry in scene.simulator.log] == [By.SHOPPER]


async def test_shoppers_cannot_buy_what_is_not_there() -> None:
    """More than is shown and unknown goods are refused, and nothing of the cart is sold."""
    async with opened() as scene:
        with pytest.raises(Refusal):
            scene.simulator.buy([("SKU-00002", 1), (SKU, 1_000)])
        with pytest.raises(Unknown):
            scene.simulator.buy([(SKU, 1), ("SKU-99999", 1)])
        assert not len(scene.simulator.log)
        assert await scene.orders(2) == []


async def test_personal_data_is_where_the_real_one_sends_it() -> None:
    """Name, mail and phone of the made-up buyer are in a line."""
    async with opened() as scene:
        scene.simulator.buy([(SKU, 1)])
        (line,) = await scene.orders(2)
        assert line["Buyer"] == line["Receiver"] == CANARY_NAME
        assert CANARY_MAIL in line["ShippingMessage"]
        assert CANARY_PHONE in line["ShippingMessage"]


def test_two_shops_share_their_cart_numbers() -> None:
    """The first cart of another shop has the same PackNo."""
    shops = [make(skus=3, seed=seed, clock=ManualClock()) for seed in (1, 2)]
    assert len({shop.buy([(SKU, 1)]).number for shop in shops}) == 1


# --- statuses --------------------------------------------------------------------------------------------------------


async def test_a_line_walks_through_the_statuses() -> None:
    """Unpaid, requested, confirmed, sent and delivered: each search has the line only in its own status."""
    async with opened(unpaid=1.0, never_paid=0.0, self_cancels=0.0) as scene:
        order_id = scene.simulator.buy([(SKU, 1)]).order_id

        async def only(status: int) -> Any:
            found = {number: await scene.orders(number) for number in range(1, 6)}
            assert [number for number, lines in found.items() if lines] == [status]
            assert status_of(found[status][0]) == status
            return found[status][0]

        assert (await only(1))["PaymentDate"] == ""
        await scene.post(f"/_sim/orders/{order_id}/pay")
        assert (await only(2))["PaymentDate"] == "2026-10-01 09:00:00"
        await scene.post(f"/_sim/orders/{order_id}/confirm")
        assert (await only(3))["EstimatedShippingDate"] == "2026-10-04 00:00:00"
        scene.simulator.ship(order_id)
        assert (await only(4))["TrackingNo"] != ""
        scene.clock.advance(3 * DAY_S)
        assert (await only(5))["DeliveredDate"].startswith("2026-10-0")


async def test_labels_differ_and_the_digit_counts() -> None:
    """The same status comes under different labels."""
    async with opened() as scene:
        for _ in range(4):
            scene.simulator.ship(scene.simulator.buy([(SKU, 1)]).order_id)
        lines = await scene.orders(4)
        assert {line["ShippingStatus"] for line in lines} == {"On delivery(4)", "Delivery(4)"}


@pytest.mark.parametrize(("statuses", "found"), [((1, 2), {1, 2}), ((1, 2, 3), {1, 2, 3})])
async def test_a_blank_status_is_several(statuses: tuple[int, ...], found: set[int]) -> None:
    """A search without a status, or with 0, has the first two or three of them."""
    async with opened(blank_status=statuses) as scene:
        ids = [scene.simulator.buy([(SKU, 1)]).order_id for _ in range(2)]
        await scene.post(f"/_sim/orders/{ids[0]}/confirm")
        scene.simulator.turn(unpaid=1.0)
        scene.simulator.buy([(SKU, 1)])
        for blank in ("", "0"):
            lines = await scene.result(FIND, ShippingStatus=blank, SearchCondition="1", **TODAY)
            assert {status_of(line) for line in lines} == found


async def test_a_person_may_be_faster() -> None:
    """By its knob lines are confirmed by hand at once, and are never found in status 2."""
    async with opened(confirmed_by_person=1.0) as scene:
        scene.simulator.buy([(SKU, 1)])
        assert (await scene.orders(2), len(await scene.orders(3))) == ([], 1)


# --- windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("20260701000000", "20260928235959", 0),
        ("20260701000000", "20260929000000", -10003),
        ("20260701", "20260928", 0),
        ("20260701", "20260929", -10003),
        ("20261002", "20261001", -10002),
        ("2026-10-01", "2026-10-02", -10002),
        ("20261301", "20261302", -10002),
        ("", "20261001", -10),
    ],
)
async def test_windows_have_ninety_days(start: str, end: str, code: int) -> None:
    """Ninety days pass, a second more does not; other layouts are no dates."""
    async with opened() as scene:
        given = {"ShippingStatus": "2", "SearchCondition": "1", "SearchStartDate": start, "SearchEndDate": end}
        assert await scene.code(FIND, **given) == code


async def test_windows_are_in_japan_and_hold_both_ends() -> None:
    """The second of the order is within a window that begins or ends with it, in Japan's time."""
    async with opened() as scene:
        scene.simulator.buy([(SKU, 1)])
        windows = {
            ("20261001090000", "20261001090000"): 1,
            ("20261001085959", "20261001085959"): 0,
            ("20261001090001", "20261001235959"): 0,
            ("20261001000000", "20261001000100"): 0,
            ("20261001", "20261001"): 1,
            ("20260930", "20260930"): 0,
        }
        for (start, end), count in windows.items():
            assert len(await scene.orders(2, SearchStartDate=start, SearchEndDate=end)) == count, (start, end)


async def test_a_search_is_by_one_kind_of_time() -> None:
    """Orders are found by when they were ordered, paid, sent or delivered; unpaid ones have no payment to find."""
    async with opened(unpaid=1.0, never_paid=0.0, self_cancels=0.0, pay_s=(DAY_S * 5, DAY_S * 5)) as scene:
        scene.simulator.buy([(SKU, 1)])
        assert (len(await scene.orders(1)), await scene.orders(1, SearchCondition="2")) == (1, [])
        scene.clock.advance(5 * DAY_S)
        later = {"SearchStartDate": "20261006", "SearchEndDate": "20261006"}
        assert len(await scene.orders(2, SearchCondition="2", **later)) == 1
        assert await scene.orders(2, SearchCondition="1", **later) == []
        given = {"ShippingStatus": "2", **TODAY}
        assert await scene.code(FIND, **given) == -99
        assert await scene.code(FIND, **given, SearchCondition="5") == -10002
        assert await scene.code(FIND, **{**given, "ShippingStatus": "6"}, SearchCondition="1") == -10002


async def test_orders_are_told_late() -> None:
    """A line is found only a while after the sale."""
    async with opened(feed_s=(50.0, 60.0)) as scene:
        scene.simulator.buy([(SKU, 1)])
        assert await scene.orders(2) == []
        scene.clock.advance(60.0)
        assert len(await scene.orders(2)) == 1


async def test_the_second_line_of_a_cart_may_be_later() -> None:
    """By its knob a line of a cart that is known already comes later than the first."""
    async with opened(late_line_s=(600.0, 600.0)) as scene:
        scene.simulator.buy([(SKU, 1), ("SKU-00002", 1)])
        (first,) = await scene.orders(2)
        scene.clock.advance(600.0)
        lines = await scene.orders(2)
        assert [line["OrderNo"] for line in lines][:1] == [first["OrderNo"]]
        assert {line["PackNo"] for line in lines} == {first["PackNo"]}
        assert len(lines) == 2


@pytest.mark.parametrize("layout", DATE_LAYOUTS)
async def test_dates_come_in_any_layout(layout: str) -> None:
    """The layout of dates is a knob: dashes or slashes, with a time or without."""
    async with opened(date_layout=layout) as scene:
        scene.simulator.buy([(SKU, 1)])
        (line,) = await scene.orders(2)
        separator = "/" if "/" in layout else "-"
        time = " 09:00:00" if "%H" in layout else ""
        assert line["OrderDate"] == line["PaymentDate"] == separator.join(("2026", "10", "01")) + time


async def test_the_older_version_has_other_names() -> None:
    """Version 2 answers the same lines with its own parameters and fields."""
    async with opened() as scene:
        scene.simulator.buy([(SKU, 2)])
        window = {"search_Sdate": "20261001", "search_Edate": "20261001", "search_condition": "1"}
        (line,) = await scene.result(FIND_OLD, ShippingStat="2", **window)
        assert (line["orderQty"], line["sellerItemCode"], line["receiver"]) == (2, SKU, CANARY_NAME)
        assert "OrderQty" not in line
        assert await scene.code(FIND_OLD, ShippingStat="2", **TODAY, SearchCondition="1") == -99


async def test_one_line_is_read_by_its_number() -> None:
    """A line is told as it is now, before searches have it, with its claim; an unknown number is not found."""
    async with opened(feed_s=(3_600.0, 3_600.0)) as scene:
        order_id = scene.simulator.buy([(SKU, 2)]).order_id
        number = str(next(iter(scene.simulator.shop.orders.lines)))
        (line,) = await scene.result(BY_NUMBER, OrderNo=number)
        assert (line["orderQty"], line["shippingStatus"], line["claimStatus"]) == (2, "On request(2)", "")
        scene.simulator.cancel(order_id)
        (line,) = await scene.result(BY_NUMBER, OrderNo=number)
        assert line["claimStatus"] == "取消完了(3)"
        assert await scene.code(BY_NUMBER, OrderNo=f"{number}999999") == -10001


# --- unpaid orders ---------------------------------------------------------------------------------------------------


async def test_some_pay_later() -> None:
    """An unpaid order is paid within its time."""
    async with opened(unpaid=1.0, never_paid=0.0, self_cancels=0.0, pay_s=(60.0, 120.0)) as scene:
        scene.simulator.buy([(SKU, 1)])
        assert (len(await scene.orders(1)), await scene.orders(2)) == (1, [])
        scene.clock.advance(120.0)
        assert (await scene.orders(1), len(await scene.orders(2))) == ([], 1)


@pytest.mark.parametrize(
    ("knobs", "after_s", "reason"),
    [({"never_paid": 1.0}, 3 * DAY_S, "入金期限切れ"), ({"never_paid": 0.0, "self_cancels": 1.0}, DAY_S, "購入者取消")],
)
async def test_some_never_pay(knobs: Any, after_s: float, reason: str) -> None:
    """An order that is never paid, or taken back, becomes a claim of status 16, and its units sell again."""
    async with opened(unpaid=1.0, **knobs) as scene:
        before = scene.sells(SKU)
        scene.simulator.buy([(SKU, 2)])
        assert scene.sells(SKU) == before - 2
        scene.clock.advance(after_s)
        assert scene.sells(SKU) == before
        assert await scene.orders(1) == []
        (claim,) = await claims_of(scene, 16)
        assert (claim["reason"], claim["orderQty"], claim["nrPartRefundCnt"]) == (reason, 2, 0)


async def claims_of(scene: Scene, status: int) -> list[Any]:
    return await scene.claims(status, search_Sdate="20261001", search_Edate="20261031")
