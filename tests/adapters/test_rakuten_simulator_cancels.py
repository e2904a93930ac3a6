"""The simulated shop takes sales back: cancels, edits, and where the units go then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from syncd.testing.simulators import By, Refusal, Unsupported
from tests.adapters.rakuten_simulation import Scene, opened

CANCEL, CONFIRM = "/es/2.0/order/cancelOrder/", "/es/2.0/order/confirmOrder/"
BACK_S = 60.0
"""After this time the units of a cancelled order are for sale again, if they ever are."""


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


def wish(number: str, **changes: Any) -> dict[str, Any]:
    usual = {"orderNumber": number, "inventoryRestoreType": 0, "changeReasonDetailApply": 8}
    return {name: value for name, value in (usual | changes).items() if value is not None}


# --- a buyer's cancel ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_the_sku", "of_the_cancel", "back"),
    [(False, None, 0), (True, None, 2), (False, True, 2), (True, False, 0)],
)
async def test_units_come_back_as_the_sku_or_the_cancel_says(
    scene: Scene, of_the_sku: bool, of_the_cancel: bool | None, back: int
) -> None:
    """By default nothing comes back; with restockOnCancel, or where the cancel says so, all units do, a bit later."""
    scene.simulator.goods.by_sku["SKU-00001"][0].restock_on_cancel = of_the_sku
    number = scene.buy(("SKU-00001", 2))
    after = scene.shown()
    receipt = scene.simulator.cancel(number, restock=of_the_cancel)
    assert [(line.quantity, line.cancelled) for line in receipt.lines] == [(2, 2)]
    scene.clock.advance(BACK_S)
    scene.simulator.settle()
    assert scene.shown() == after + back
    given = [entry.after - entry.before for entry in scene.simulator.log if entry.by is By.CANCEL]
    assert sum(given) == back


async def test_a_cancelled_order_changes_nothing_but_its_status(scene: Scene) -> None:
    """From 100 to 900 no date is added: whoever searches by dates of the order never hears of it."""
    number = scene.buy(("SKU-00001", 1))
    before = await scene.order(number)
    scene.simulator.cancel(number)
    after = await scene.order(number)
    assert (before["orderProgress"], after["orderProgress"]) == (100, 900)
    assert {name: value for name, value in after.items() if name != "orderProgress"} == {
        name: value for name, value in before.items() if name != "orderProgress"
    }


async def test_a_cancel_may_be_pending(scene: Scene) -> None:
    """By the knob a cancel is 800 first, and its units come back only after 900."""
    scene.simulator.turn(cancel_pending_s=(100.0, 100.0), restore_s=(0.0, 0.0))
    number = scene.buy(("SKU-00001", 1))
    after = scene.shown()
    scene.simulator.cancel(number, restock=True)
    assert (await scene.order(number))["orderProgress"] == 800
    assert scene.shown() == after
    scene.clock.advance(100.0)
    assert (await scene.order(number))["orderProgress"] == 900
    assert scene.shown() == after + 1


async def test_orders_are_cancelled_whole_and_once(scene: Scene) -> None:
    """A part of an order cannot be cancelled, a cancelled or shipped one not again."""
    number = scene.buy(("SKU-00001", 2))
    with pytest.raises(Unsupported):
        scene.simulator.cancel(number, quantity=1)
    with pytest.raises(Refusal):
        scene.simulator.cancel(number, quantity=3)
    scene.simulator.cancel(number, quantity=2)
    with pytest.raises(Refusal):
        scene.simulator.cancel(number)
    shipped = scene.buy(("SKU-00001", 1))
    scene.simulator.ship(shipped)
    with pytest.raises(Refusal):
        scene.simulator.cancel(shipped)


# --- the shop's cancel by the API ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "of_the_sku", "back"), [(0, False, 0), (0, True, 1), (1, False, 1), (2, True, 0)])
async def test_the_shop_cancels_by_the_api(scene: Scene, kind: int, of_the_sku: bool, back: int) -> None:
    """A cancel by cancelOrder is 800, then 900; inventoryRestoreType decides what comes back."""
    scene.simulator.goods.by_sku["SKU-00001"][0].restock_on_cancel = of_the_sku
    number = scene.buy(("SKU-00001", 1))
    after = scene.shown()
    answer = await scene.post(CANCEL, wish(number, inventoryRestoreType=kind))
    assert (answer.status, answer.messages) == (200, ["CANCEL_ORDER_INFO_101"])
    assert answer.body["MessageModelList"][0]["orderNumber"] == number
    assert (await scene.order(number))["orderProgress"] == 800
    scene.clock.advance(600.0)
    scene.simulator.settle()
    assert (await scene.order(number))["orderProgress"] == 900
    scene.clock.advance(BACK_S)
    scene.simulator.settle()
    assert scene.shown() == after + back


@pytest.mark.parametrize(
    "changes",
    [
        {"orderNumber": None},
        {"inventoryRestoreType": None},
        {"inventoryRestoreType": 3},
        {"changeReasonDetailApply": None},
        {"changeReasonDetailApply": 99},
    ],
)
async def test_a_cancel_of_wrong_form_is_refused(scene: Scene, changes: dict[str, Any]) -> None:
    """A missing or wrong field of cancelOrder is a 400 and cancels nothing."""
    number = scene.buy(("SKU-00001", 1))
    answer = await scene.post(CANCEL, wish(number, **changes))
    assert answer.status == 400
    assert answer.body["MessageModelList"][0]["messageType"] == "ERROR"
    assert (await scene.order(number))["orderProgress"] == 100


async def test_a_cancel_that_comes_too_late_is_an_error_within_200(scene: Scene) -> None:
    """An order that was shipped, or is not there, is refused by a message while HTTP says 200."""
    number = scene.buy(("SKU-00001", 1))
    scene.simulator.ship(number)
    for wanted in (number, "123456-20261001-0000000000"):
        answer = await scene.post(CANCEL, wish(wanted))
        assert (answer.status, answer.body["MessageModelList"][0]["messageType"]) == (200, "ERROR")
    assert (await scene.order(number))["orderProgress"] == 500
    late = await scene.post("/es/2.0/order/cancelOrderAfterShipping/", wish(number))
    assert late.messages == ["CANCEL_ORDER_INFO_101"]


async def test_confirming_moves_an_order_on(scene: Scene) -> None:
    """An order is confirmed once; what cannot be is told per order."""
    number = scene.buy(("SKU-00001", 1))
    first = await scene.post(CONFIRM, {"orderNumberList": [number]})
    assert first.messages == ["CONFIRM_ORDER_INFO_101"]
    assert (await scene.order(number))["orderProgress"] == 200
    again = await scene.post(CONFIRM, {"orderNumberList": [number, "nothing"]})
    assert again.messages == ["CONFIRM_ORDER_ERROR_103", "CONFIRM_ORDER_ERROR_102"]


# --- edits -----------------------------------------------------------------------------------------------------------


async def test_the_shop_changes_units(scene: Scene) -> None:
    """An edited order has other units under the same line id, is 400 for a while and then as before."""
    number = scene.buy(("SKU-00001", 3))
    after = scene.shown()
    before = (await scene.order(number))["PackageModelList"][0]["ItemModelList"][0]
    scene.simulator.edit(number, "SKU-00001", 1)
    order = await scene.order(number)
    line = order["PackageModelList"][0]["ItemModelList"][0]
    assert (order["orderProgress"], line["units"], line["itemDetailId"]) == (400, 1, before["itemDetailId"])
    assert scene.shown() == after
    scene.clock.advance(600.0)
    assert (await scene.order(number))["orderProgress"] == 100


async def test_an_edit_gives_back_where_it_is_said_so(scene: Scene) -> None:
    """The units that an edit takes out come back with restock, and a line without units leaves the order."""
    number = scene.buy(("SKU-00001", 3), ("SKU-00002", 1))
    after = scene.shown()
    answer = await scene.post(f"/_sim/orders/{number}/edit", {"sku": "SKU-00001", "units": 0, "restock": True})
    assert answer.status == 200
    assert scene.shown() == after + 3
    lines = [line for package in (await scene.order(number))["PackageModelList"] for line in package["ItemModelList"]]
    assert [line["manageNumber"] for line in lines] == [scene.pair(2)[0]]
