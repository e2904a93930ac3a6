"""Orders of the simulated shop: what they do to stock, and what the API tells of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.shopify.simulator import make
from syncd.testing.clock import ManualClock
from tests.adapters.shopify_simulation import ORDER, Scene, opened

CANCEL = """mutation Cancel($id: ID!, $restock: Boolean!) {
  orderCancel(orderId: $id, reason: CUSTOMER, restock: $restock, notifyCustomer: false) {
    job { id done } jobResult { status } orderCancelUserErrors { code field message }
  }
}"""


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


def stock(scene: Scene, number: int = 1) -> tuple[int, int, int]:
    level = scene.level(number)
    return level.available, level.committed, level.quantity("on_hand")


async def told(scene: Scene, order_id: str) -> Any:
    return (await scene.data(ORDER, id=f"gid://shopify/Order/{order_id}"))["order"]


async def act(scene: Scene, order_id: str, what: str, **given: Any) -> Any:
    answer = await scene.post(f"/_sim/orders/{order_id}/{what}", given)
    assert answer.status == 200, answer.body
    return answer.body


# --- what orders do to stock -----------------------------------------------------------------------------------------

SHIP = ("ship", {})
PARTLY = ("cancel", {"quantity": 1})


@pytest.mark.parametrize(
    ("steps", "moved"),
    [
        ([], (-3, +3, 0)),
        ([SHIP], (-3, 0, -3)),
        ([("cancel", {})], (0, 0, 0)),
        ([("cancel", {"restock": False})], (-3, 0, -3)),
        ([PARTLY], (-2, +2, 0)),
        ([PARTLY, PARTLY, PARTLY], (0, 0, 0)),
        ([("cancel", {"quantity": 1, "restock": False})], (-3, +2, -1)),
        ([PARTLY, SHIP], (-2, 0, -2)),
        ([("refund", {})], (-3, +3, 0)),
        ([("refund", {"sku": "SKU-00001", "quantity": 2, "restock_type": "CANCEL"})], (-1, +1, 0)),
        ([("refund", {"sku": "SKU-00001", "quantity": 2, "restock_type": "NO_RESTOCK"})], (-3, +1, -2)),
        ([SHIP, ("refund", {"sku": "SKU-00001", "quantity": 2, "restock_type": "RETURN"})], (-1, 0, -1)),
        ([SHIP, ("refund", {"sku": "SKU-00001", "quantity": 2, "restock_type": "NO_RESTOCK"})], (-3, 0, -3)),
        ([SHIP, ("return", {"restock": True})], (0, 0, 0)),
        ([SHIP, ("return", {"restock": False})], (-3, 0, -3)),
    ],
)
async def test_an_order_moves_stock(
    scene: Scene, steps: list[tuple[str, dict[str, Any]]], moved: tuple[int, int, int]
) -> None:
    """Three units are bought; available, committed and on_hand follow each step."""
    before = stock(scene)
    order_id = (await scene.buy(("SKU-00001", 3)))["order_id"]
    for what, given in steps:
        await act(scene, order_id, what, **given)
    assert tuple(now - then for now, then in zip(stock(scene), before, strict=True)) == moved


async def test_too_little_sells_nothing(scene: Scene) -> None:
    """An order is whole or not at all; one that may be oversold goes below zero."""
    before = stock(scene, 1), stock(scene, 2)
    lines = [{"sku": "SKU-00001", "quantity": 1}, {"sku": "SKU-00002", "quantity": 1_000}]
    assert (await scene.post("/_sim/orders", {"lines": lines})).status == 409
    assert (stock(scene, 1), stock(scene, 2)) == before
    scene.item(2).policy = "CONTINUE"
    assert (await scene.post("/_sim/orders", {"lines": lines})).status == 201
    assert stock(scene, 2)[0] < 0


async def test_a_stocked_location_is_chosen(scene: Scene) -> None:
    """One location that has enough ships all; otherwise several share, each with work of its own."""
    spare = scene.simulator.shop.goods.level_of(scene.item(), scene.simulator.shop.goods.spare)
    spare.is_active, spare.available = True, 50
    main = scene.level().available
    await scene.buy(("SKU-00001", main))
    await scene.buy(("SKU-00001", 20))
    assert (scene.level().available, spare.available) == (0, 30)
    await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": 4})
    order = await told(scene, (await scene.buy(("SKU-00001", 33)))["order_id"])
    work = order["fulfillmentOrders"]["nodes"]
    assert [node["lineItems"]["nodes"][0]["totalQuantity"] for node in work] == [4, 29]
    assert len({node["assignedLocation"]["location"]["id"] for node in work}) == 2


async def test_moved_work_swaps_the_stock_of_two_locations(scene: Scene) -> None:
    """What one location owed becomes the other one's, and what each sells follows."""
    goods, orders = scene.simulator.shop.goods, scene.simulator.shop.orders
    await scene.buy(("SKU-00010", 2))
    (order,) = orders.by_number.values()
    spare = goods.level_of(scene.item(10), goods.spare)
    before, kept = stock(scene, 10), spare.available
    orders.relocate(order.fulfillment_orders[0], goods.spare)
    assert stock(scene, 10) == (before[0] + 2, 0, before[2])
    assert (spare.available, spare.committed) == (kept - 2, 2)


async def test_untracked_goods_always_sell(scene: Scene) -> None:
    """Where Shopify does not track the stock, a sale moves nothing."""
    scene.simulator.unmanage("SKU-00001")
    before = stock(scene)
    await scene.buy(("SKU-00001", 9_999))
    assert stock(scene) == before


async def test_a_draft_does_not_sell(scene: Scene) -> None:
    """A product that was taken off sale cannot be bought."""
    scene.simulator.hide("SKU-00001")
    assert (await scene.post("/_sim/orders", {"lines": [{"sku": "SKU-00001", "quantity": 1}]})).status == 409
    data = await scene.data("{ productVariants(first: 1) { nodes { product { status } } } }")
    assert data["productVariants"]["nodes"][0]["product"]["status"] == "DRAFT"


# --- what is told of them --------------------------------------------------------------------------------------------


async def test_an_order_tells_its_lines(scene: Scene) -> None:
    """Quantities follow cancels and shipments; refunds and fulfilments name their lines."""
    order_id = (await scene.buy(("SKU-00001", 3), ("SKU-00002", 1)))["order_id"]
    fresh = await told(scene, order_id)
    assert (fresh["name"], fresh["displayFinancialStatus"], fresh["displayFulfillmentStatus"]) == (
        "#1001",
        "PAID",
        "UNFULFILLED",
    )
    await act(scene, order_id, "cancel", quantity=1)
    await act(scene, order_id, "ship")
    later = await told(scene, order_id)
    quantities = [
        (line["sku"], line["quantity"], line["currentQuantity"], line["unfulfilledQuantity"])
        for line in later["lineItems"]["nodes"]
    ]
    assert quantities == [("SKU-00001", 3, 2, 0), ("SKU-00002", 1, 1, 0)]
    assert (later["displayFinancialStatus"], later["displayFulfillmentStatus"]) == ("PARTIALLY_REFUNDED", "FULFILLED")
    (refund,) = later["refunds"]
    assert refund["refundLineItems"]["nodes"][0]["restockType"] == "CANCEL"
    (parcel,) = later["fulfillments"]
    assert [node["quantity"] for node in parcel["fulfillmentLineItems"]["nodes"]] == [2, 1]


async def test_a_cancelled_order_still_says_unfulfilled(scene: Scene) -> None:
    """Only `cancelledAt` tells; its work is closed and empty, as recorded."""
    order_id = (await scene.buy(("SKU-00001", 2)))["order_id"]
    await act(scene, order_id, "cancel")
    order = await told(scene, order_id)
    assert order["cancelledAt"] is not None
    assert (order["closed"], order["cancelReason"]) == (True, "CUSTOMER")
    assert (order["displayFinancialStatus"], order["displayFulfillmentStatus"]) == ("REFUNDED", "UNFULFILLED")
    (work,) = order["fulfillmentOrders"]["nodes"]
    assert (work["status"], work["lineItems"]["nodes"][0]["totalQuantity"]) == ("CLOSED", 0)


async def test_a_return_is_told_until_it_is_closed(scene: Scene) -> None:
    """A return that arrived is closed, and its order says so."""
    order_id = (await scene.buy(("SKU-00001", 2)))["order_id"]
    assert (await told(scene, order_id))["returnStatus"] == "NO_RETURN"
    await act(scene, order_id, "ship")
    await act(scene, order_id, "return")
    order = await told(scene, order_id)
    assert order["returnStatus"] == "RETURNED"
    assert order["returns"]["nodes"] == [{"status": "CLOSED", "totalQuantity": 2}]


async def test_a_pending_order_is_paid_later(scene: Scene) -> None:
    """The status of the money changes by itself."""
    order = scene.simulator.shop.orders.place([(scene.item(), 1)], paid=False)
    assert order is not None
    assert (await told(scene, str(order.legacy_resource_id)))["displayFinancialStatus"] == "PENDING"
    await act(scene, str(order.legacy_resource_id), "pay")
    assert (await told(scene, str(order.legacy_resource_id)))["displayFinancialStatus"] == "PAID"


async def test_a_shop_cancels_by_the_api(scene: Scene) -> None:
    """`orderCancel` restocks what was asked for, once; an order that left cannot be cancelled."""
    before = stock(scene)
    order_id = f"gid://shopify/Order/{(await scene.buy(('SKU-00001', 2)))['order_id']}"
    first = (await scene.data(CANCEL, id=order_id, restock=True))["orderCancel"]
    assert (first["job"]["done"], first["jobResult"]["status"]) == (True, "SUCCEEDED")
    assert stock(scene) == before
    second = (await scene.data(CANCEL, id=order_id, restock=True))["orderCancel"]
    assert second["orderCancelUserErrors"][0]["message"] == "Cannot cancel an order that has already been canceled"
    shipped = (await scene.buy(("SKU-00001", 1)))["order_id"]
    await act(scene, shipped, "ship")
    third = (await scene.data(CANCEL, id=f"gid://shopify/Order/{shipped}", restock=True))["orderCancel"]
    assert [error["code"] for error in third["orderCancelUserErrors"]] == ["INVALID"]
    unknown = (await scene.data(CANCEL, id="gid://shopify/Order/1", restock=True))["orderCancel"]
    assert [error["code"] for error in unknown["orderCancelUserErrors"]] == ["NOT_FOUND"]


async def test_long_orders_are_read_by_pages(scene: Scene) -> None:
    """The lines of an order come page by page."""
    order_id = (await scene.buy(*[(f"SKU-{number:05d}", 1) for number in range(1, 13)]))["order_id"]
    document = """query O($id: ID!, $after: String) { order(id: $id) { lineItems(first: 5, after: $after) {
      nodes { sku } pageInfo { hasNextPage endCursor } } } }"""
    skus: list[str] = []
    after, more = None, True
    while more:
        page = (await scene.data(document, id=f"gid://shopify/Order/{order_id}", after=after))["order"]["lineItems"]
        skus += [node["sku"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert skus == [f"SKU-{number:05d}" for number in range(1, 13)]


async def test_an_order_holds_personal_data_that_must_not_leak(scene: Scene) -> None:
    """Whoever asks for the customer gets the canary."""
    order_id = (await scene.buy(("SKU-00001", 1)))["order_id"]
    data = await scene.data(
        "query O($id: ID!) { order(id: $id) { email phone note shippingAddress { name phone } } }",
        id=f"gid://shopify/Order/{order_id}",
    )
    told_text = str(data)
    assert all(canary in told_text for canary in scene.simulator.canaries)


# --- the control API -------------------------------------------------------------------------------------------------


async def test_the_receipt_says_what_became_of_each_line(scene: Scene) -> None:
    """Cancelled and shipped units are cumulative, and the listing is where they were taken."""
    bought = await scene.buy(("SKU-00001", 3))
    await act(scene, bought["order_id"], "cancel", quantity=1)
    receipt = await act(scene, bought["order_id"], "ship")
    (line,) = receipt["lines"]
    assert (line["quantity"], line["cancelled"], line["shipped"]) == (3, 1, 2)
    assert line["listing"] in [listing["listing"] for listing in await scene.get("/_sim/listings")]
    assert receipt["number"] == "#1001"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("orders", {"lines": [{"sku": "NONE", "quantity": 1}]}, 404),
        ("orders", {"lines": []}, 400),
        ("orders/7/cancel", {}, 404),
        ("orders/x/ship", {}, 404),
        ("set", {"sku": "NONE", "quantity": 1}, 404),
        ("set", {"listing": {"remote_id": "1", "remote_location": "2"}, "quantity": 1}, 404),
        ("shopify/knobs", {"plann": "plus"}, 400),
        ("shopify/knobs", {"plan": "gold"}, 400),
        ("shopify/knobs", {"search_lag_s": "long"}, 400),
        ("faults", {"lost": 1}, 400),
    ],
)
async def test_a_wrong_wish_is_refused(scene: Scene, path: str, body: dict[str, Any], status: int) -> None:
    """The control API says what is wrong."""
    answer = await scene.post(f"/_sim/{path}", body)
    assert answer.status == status
    assert answer.body["error"]


async def test_no_more_is_refunded_than_was_bought(scene: Scene) -> None:
    """A refund of units that the order does not hold is refused."""
    order_id = (await scene.buy(("SKU-00001", 2)))["order_id"]
    given = {"sku": "SKU-00001", "quantity": 3, "restock_type": "CANCEL"}
    assert (await scene.post(f"/_sim/orders/{order_id}/refund", given)).status == 409


@pytest.mark.parametrize("what", ["cancel", "ship"])
async def test_nothing_happens_twice(scene: Scene, what: str) -> None:
    """What is cancelled or shipped already is refused."""
    order_id = (await scene.buy(("SKU-00001", 1)))["order_id"]
    await act(scene, order_id, what)
    assert (await scene.post(f"/_sim/orders/{order_id}/{what}", {})).status == 409


async def test_a_person_edits_one_listing(scene: Scene) -> None:
    """A listing is named by its item and its location."""
    (first, *_) = await scene.get("/_sim/listings")
    await scene.post("/_sim/set", {"listing": first["listing"], "quantity": 77})
    assert (await scene.get("/_sim/listings"))[0]["shown"] == 77


def test_equal_seeds_make_equal_shops() -> None:
    """Stock is drawn from the seed alone."""
    shops = [make(skus=50, seed=seed, clock=ManualClock()).shown() for seed in (3, 3, 4)]
    assert shops[0] == shops[1]
    assert shops[0] != shops[2]
