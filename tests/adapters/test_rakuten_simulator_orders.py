"""The simulated order APIs: searching, reading, and what becomes of an order by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.rakuten.simulated.sales import Progress
from syncd.testing.faults import Faults
from syncd.testing.simulators import By, Refusal, Unknown
from tests.adapters.rakuten_simulation import DETAIL, SEARCH, Scene, opened

PAY_SEARCH, PAY_DETAIL = "/es/2.0/order/searchOrder/", "/es/2.0/order/getOrder/"
TOLD_S = 30.0
"""After this time the search knows of everything."""


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


# --- searching -------------------------------------------------------------------------------------------------------


async def test_an_order_is_found_a_little_later(scene: Scene) -> None:
    """The search tells of an order up to half a minute late, while reading it by number works at once."""
    scene.simulator.turn(search_lag_s=(30.0, 30.0))
    number = scene.buy(("SKU-00001", 1))
    assert await scene.found() == []
    assert (await scene.order(number))["orderProgress"] == 100
    scene.clock.advance(TOLD_S)
    assert await scene.found() == [number]


async def test_both_apis_find_the_same(scene: Scene) -> None:
    """RakutenPayOrderAPI and PurchaseItemAPI find the same numbers, with and without the last slash."""
    numbers = [scene.buy(("SKU-00001", 1)), scene.buy(("SKU-00002", 1))]
    scene.clock.advance(TOLD_S)
    for path in (SEARCH, PAY_SEARCH, SEARCH.rstrip("/"), PAY_SEARCH.rstrip("/")):
        answer = await scene.post(path, scene.search())
        assert answer.body["orderNumberList"] == numbers
        assert answer.messages == ["SEARCH_ORDER_INFO_101"]
        assert answer.body["PaginationResponseModel"] == {
            "totalRecordsAmount": 2,
            "totalPages": 1,
            "requestPage": 1,
        }


async def test_nothing_found_is_told_in_several_forms(scene: Scene) -> None:
    """No hits are INFO_102; the list is empty or missing, the pages are nulls or nothing."""
    forms = set()
    for _ in range(20):
        answer = await scene.post(SEARCH, scene.search())
        assert (answer.status, answer.messages) == (200, ["SEARCH_ORDER_INFO_102"])
        assert not answer.body.get("orderNumberList")
        pages = answer.body["PaginationResponseModel"]
        assert not any(pages.values())
        forms.add(("orderNumberList" in answer.body, len(pages)))
    assert forms == {(True, 0), (False, 3), (True, 3)}


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"dateType": None}, ["SEARCH_ORDER_ERROR_009"]),
        ({"dateType": 7}, ["SEARCH_ORDER_ERROR_011"]),
        ({"dateType": "1"}, ["SEARCH_ORDER_ERROR_011"]),
        ({"startDatetime": ""}, ["SEARCH_ORDER_ERROR_010"]),
        ({"startDatetime": "2026-09-30T00:00:00+09:00"}, ["SEARCH_ORDER_ERROR_011"]),
        ({"startDatetime": "2026-09-30T00:00:00+0000"}, ["SEARCH_ORDER_ERROR_011"]),
        ({"startDatetime": "2026-09-30T00:00:00"}, ["SEARCH_ORDER_ERROR_011"]),
        ({"startDatetime": "2026-09-30T00:00:00.000+0900"}, ["SEARCH_ORDER_ERROR_011"]),
        ({"startDatetime": "2026-13-30T00:00:00+0900"}, ["SEARCH_ORDER_ERROR_011"]),
        ({"dateType": None, "endDatetime": None}, ["SEARCH_ORDER_ERROR_009", "SEARCH_ORDER_ERROR_009"]),
        ({"startDatetime": "2026-07-01T00:00:00+0900"}, ["SEARCH_ORDER_ERROR_023"]),
        ({"endDatetime": "2026-09-01T00:00:00+0900"}, ["SEARCH_ORDER_ERROR_023"]),
        ({"PaginationRequestModel": {"requestRecordsAmount": 1001}}, ["SEARCH_ORDER_ERROR_011"]),
    ],
)
async def test_a_wrong_search_is_refused(scene: Scene, changes: dict[str, Any], codes: list[str]) -> None:
    """Each fault of a search is told by its code, and the other fields are null."""
    body = {name: value for name, value in scene.search(**changes).items() if value is not None}
    answer = await scene.post(SEARCH, body)
    assert (answer.status, answer.messages) == (400, codes)
    assert answer.body["MessageModelList"][0]["messageType"] == "ERROR"
    assert (answer.body["orderNumberList"], answer.body["PaginationResponseModel"]) == (None, None)


async def test_the_window_has_a_size_and_an_age(scene: Scene) -> None:
    """Sixty-three days fit and a second more does not; two years back is the end."""
    for start, end, status in ((-63.0, 0.0, 200), (-63.00002, 0.0, 400), (-729.0, -700.0, 200), (-731.0, -700.0, 400)):
        body = scene.search(startDatetime=scene.time(days=start), endDatetime=scene.time(days=end))
        assert (await scene.post(SEARCH, body)).status == status


async def test_date_type_zero_finds_nothing_and_says_nothing(scene: Scene) -> None:
    """A dateType of 0 is no error and has no hits, whatever there is."""
    scene.buy(("SKU-00001", 1))
    scene.clock.advance(TOLD_S)
    answer = await scene.post(SEARCH, scene.search(dateType=0))
    assert (answer.status, answer.messages) == (200, ["SEARCH_ORDER_INFO_102"])
    assert len(await scene.found()) == 1


async def test_pages_hold_all_in_both_directions(scene: Scene) -> None:
    """Pages of any size bring every order once, oldest or newest first; a page past the end is empty."""
    numbers = []
    for place in range(7):
        numbers.append(scene.buy((f"SKU-{place + 1:05d}", 1)))
        scene.clock.advance(5.0)
    scene.clock.advance(TOLD_S)
    for direction, expected in ((1, numbers), (2, numbers[::-1])):
        found: list[str] = []
        for page in (1, 2, 3, 4):
            model = {
                "requestRecordsAmount": 3,
                "requestPage": page,
                "SortModelList": [{"sortColumn": 1, "sortDirection": direction}],
            }
            found += await scene.found(PaginationRequestModel=model)
        assert found == expected
    assert len(await scene.found(PaginationRequestModel=None)) == 7


async def test_rows_beyond_fifteen_thousand_are_out_of_reach() -> None:
    """The total tells of more than 15,000 orders, but no page brings them."""
    async with opened(skus=1) as scene:
        scene.simulator.turn(search_lag_s=(0.0, 0.0))
        scene.simulator.unmanage("SKU-00001")
        for _ in range(15_010):
            scene.buy(("SKU-00001", 1))
        model = {"requestRecordsAmount": 1000, "requestPage": 15}
        answer = await scene.post(SEARCH, scene.search(PaginationRequestModel=model))
        assert len(answer.body["orderNumberList"]) == 1000
        assert answer.body["PaginationResponseModel"]["totalRecordsAmount"] == 15_010
        beyond = await scene.post(SEARCH, scene.search(PaginationRequestModel=model | {"requestPage": 16}))
        assert beyond.body["orderNumberList"] == []


async def test_a_search_by_status_learns_of_changes_late(scene: Scene) -> None:
    """The status by which the search filters is as late as the search, and no date of the order changes."""
    number = scene.buy(("SKU-00001", 1))
    scene.clock.advance(TOLD_S)
    scene.simulator.turn(search_lag_s=(30.0, 30.0))
    scene.simulator.cancel(number)
    assert (await scene.order(number))["orderProgress"] == 900
    assert await scene.found(orderProgressList=[900]) == []
    assert await scene.found(orderProgressList=[100]) == [number]
    scene.clock.advance(TOLD_S)
    assert await scene.found(orderProgressList=[900]) == [number]
    assert await scene.found(orderProgressList=[100]) == []


async def test_other_dates_find_only_what_has_them(scene: Scene) -> None:
    """Searches by the day of confirmation or shipment know only orders that were confirmed or shipped."""
    number = scene.buy(("SKU-00001", 1))
    scene.clock.advance(TOLD_S)
    assert [await scene.found(dateType=kind) for kind in range(2, 7)] == [[], [], [], [], []]
    scene.clock.advance(3_600.0)
    assert await scene.found(dateType=2) == [number]
    scene.simulator.ship(number)
    assert await scene.found(dateType=5) == [number]
    assert await scene.found(dateType=6) == []


async def test_keywords_find_skus(scene: Scene) -> None:
    """Keyword types 7 and 8 look for the variant and for the shop's own SKU."""
    number = scene.buy(("SKU-00002", 1))
    scene.clock.advance(TOLD_S)
    _, name = scene.pair(2)
    assert await scene.found(searchKeywordType=7, searchKeyword=name) == [number]
    assert await scene.found(searchKeywordType=8, searchKeyword="SKU-00002") == [number]
    assert await scene.found(searchKeywordType=8, searchKeyword="SKU-00003") == []


async def test_stale_searches_miss_the_newest(scene: Scene) -> None:
    """A stale search does not know an order that was placed a moment ago."""
    scene.simulator.turn(search_lag_s=(0.0, 0.0))
    scene.simulator.staleness_s = 3_600.0
    scene.buy(("SKU-00001", 1))
    scene.simulator.faults = Faults(stale_reads=1.0)
    assert [] in [await scene.found() for _ in range(5)]
    scene.simulator.faults = Faults()
    assert len(await scene.found()) == 1


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_an_order_names_its_skus_and_units(scene: Scene) -> None:
    """Lines are in packages, name page, variant and SKU, and their units are what was bought."""
    number = scene.buy(("SKU-00001", 2), ("SKU-00002", 3))
    order = await scene.order(number)
    assert order["orderDatetime"].endswith("+0900")
    assert order["orderNumber"] == number
    lines = [line for package in order["PackageModelList"] for line in package["ItemModelList"]]
    assert len({line["itemDetailId"] for line in lines}) == 2
    told = {
        (line["manageNumber"], line["SkuModelList"][0]["variantId"]): (
            line["SkuModelList"][0]["merchantDefinedSkuId"],
            line["units"],
        )
        for line in lines
    }
    assert told == {scene.pair(1): ("SKU-00001", 2), scene.pair(2): ("SKU-00002", 3)}


async def test_a_sku_may_come_in_two_packages(scene: Scene) -> None:
    """By the knob the units of one SKU are in two packages, and their sum is what was bought."""
    scene.simulator.turn(split_units=1.0)
    order = await scene.order(scene.buy(("SKU-00001", 3)))
    units = [line["units"] for package in order["PackageModelList"] for line in package["ItemModelList"]]
    assert sorted(units) == [1, 2]
    assert len(order["PackageModelList"]) == 2


async def test_only_get_order_tells_of_the_buyer(scene: Scene) -> None:
    """RakutenPayOrderAPI sends name, mail and phone; PurchaseItemAPI sends a prefecture only."""
    number = scene.buy(("SKU-00001", 1))
    whole = await scene.post(PAY_DETAIL, {"orderNumberList": [number], "version": 10})
    plain = await scene.post(DETAIL, {"orderNumberList": [number]})
    for canary in scene.simulator.canaries:
        assert canary in str(whole.body)
        assert canary not in str(plain.body)
    assert plain.body["OrderModelList"][0]["OrdererModel"] == {"prefecture": "東京都"}
    package = plain.body["OrderModelList"][0]["PackageModelList"][0]
    assert "restoreInventoryFlag" not in package["ItemModelList"][0]
    assert "SenderModel" not in package


@pytest.mark.parametrize(
    ("version", "code", "has_skus"),
    [
        (None, "009", False),
        (1, "011", False),
        (2, "011", False),
        (11, "011", False),
        (3, "", False),
        (6, "", False),
        (7, "", True),
        ("7", "", True),
        (10, "", True),
    ],
)
async def test_the_version_decides_what_is_told(scene: Scene, version: Any, code: str, has_skus: bool) -> None:
    """An order is read by getOrder only with a version; SKUs come from 7 on, and 6 and above are echoed."""
    number = scene.buy(("SKU-00001", 1))
    body = {"orderNumberList": [number]} | ({} if version is None else {"version": version})
    answer = await scene.post(PAY_DETAIL, body)
    if code:
        assert (answer.status, answer.messages) == (400, [f"GET_ORDER_ERROR_{code}"])
        return
    line = answer.body["OrderModelList"][0]["PackageModelList"][0]["ItemModelList"][0]
    assert ("SkuModelList" in line) == has_skus
    assert answer.body.get("version") == (int(version) if int(version) >= 6 else None)


async def test_a_hundred_orders_are_read_at_once(scene: Scene) -> None:
    """Up to 100 numbers are read, 101 refused, unknown ones left out."""
    number = scene.buy(("SKU-00001", 1))
    made_up = [f"123456-20261001-{place:010d}" for place in range(100)]
    answer = await scene.post(DETAIL, {"orderNumberList": [*made_up[:99], number]})
    assert [order["orderNumber"] for order in answer.body["OrderModelList"]] == [number]
    assert (await scene.post(DETAIL, {"orderNumberList": [*made_up, number]})).status == 400
    assert (await scene.post(DETAIL, {"orderNumberList": []})).messages == ["GET_ORDER_ERROR_009"]
    nothing = await scene.post(DETAIL, {"orderNumberList": made_up[:2]})
    assert (nothing.status, nothing.body["OrderModelList"]) == (200, [])
    assert nothing.messages == ["GET_ORDER_INFO_102", "GET_ORDER_INFO_102"]
    assert [told["orderNumber"] for told in nothing.body["MessageModelList"]] == made_up[:2]


# --- shoppers, and what happens by itself ----------------------------------------------------------------------------


async def test_a_sale_takes_its_units_at_once(scene: Scene) -> None:
    """The shop lowers its own number when the order is placed; too many are refused whole."""
    before = scene.shown()
    scene.buy(("SKU-00001", 2))
    assert scene.shown() == before - 2
    assert (await scene.stock(scene.pair()))[0]["quantity"] == before - 2
    assert [entry.by for entry in scene.simulator.log] == [By.SHOPPER]
    with pytest.raises(Refusal):
        scene.buy(("SKU-00002", 1), ("SKU-00001", before))
    with pytest.raises(Unknown):
        scene.buy(("NOTHING", 1))
    assert len(scene.simulator.log) == 1


async def test_an_order_goes_its_way_by_itself(scene: Scene) -> None:
    """A new order is 100, then 200, then 300 and stays; a shipped one is 500, then 600, then 700."""
    number = scene.buy(("SKU-00001", 1))
    order = scene.simulator.sales.by_number[number]
    for seconds, progress in ((1_790.0, 100), (1_810.0, 200), (1_900.0, 300), (86_400.0, 300)):
        scene.clock.advance(seconds)
        assert (await scene.order(number))["orderProgress"] == progress
    scene.simulator.ship(number)
    shipped = await scene.order(number)
    assert shipped["orderProgress"] == 500
    assert shipped["shippingCmplRptDatetime"].endswith("+0900")
    scene.clock.advance(4 * 86_400.0)
    assert (await scene.order(number))["orderProgress"] == 700
    assert [progress for _, progress in order.changed] == [
        Progress.RAKUTEN_PROCESSING,
        Progress.WAITING_SHIPMENT,
        Progress.SHIPPED,
        Progress.PAYMENT_PROCESSING,
        Progress.PAYMENT_DONE,
    ]
    with pytest.raises(Refusal):
        scene.simulator.ship(number)


async def test_what_was_going_to_happen_does_not_overtake(scene: Scene) -> None:
    """An order that is shipped before its confirmation was due is not confirmed afterwards."""
    number = scene.buy(("SKU-00001", 1))
    scene.simulator.ship(number)
    scene.clock.advance(7_200.0)
    assert (await scene.order(number))["orderProgress"] == 500
