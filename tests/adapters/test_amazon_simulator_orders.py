"""Orders of the simulated Amazon: what they do to stock, when they are found, and what is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from syncd.testing.trade import By, Refusal, Unsupported
from tests.adapters.amazon_simulation import MARKETPLACE, ORDERS, START, Scene, opened

SKU, OTHER = "SKU-00001", "SKU-00002"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


@pytest.fixture
async def slow() -> AsyncIterator[Scene]:
    async with opened(skus=50, scale=1.0) as scene:
        yield scene


def ids(body: Any) -> list[str]:
    return [order["orderId"] for order in body["orders"]]


def status(order: Any) -> str:
    found: str = order["fulfillment"]["fulfillmentStatus"]
    return found


# --- pending, paid, shipped, cancelled -------------------------------------------------------------------------------


async def test_an_order_begins_pending(slow: Scene) -> None:
    """An order is PENDING until it is paid; its quantity falls at the purchase, and its items have no prices."""
    before = await slow.quantity(SKU)
    order_id = slow.simulator.buy([(SKU, 2)]).order_id
    order = await slow.order(order_id)
    assert status(order) == "PENDING"
    assert "price" not in order["orderItems"][0]["product"]
    assert (order["orderItems"][0]["product"]["sellerSku"], order["orderItems"][0]["quantityOrdered"]) == (SKU, 2)
    assert before is not None
    assert await slow.quantity(SKU) == before - 2
    slow.clock.advance(60)
    order = await slow.order(order_id)
    assert status(order) == "UNSHIPPED"
    assert await slow.quantity(SKU) == before - 2


async def test_some_orders_are_paid_at_once(slow: Scene) -> None:
    """Where no order is to be pending, it is UNSHIPPED from the start."""
    slow.simulator.shop.knobs.pending_share = 0.0
    assert status(await slow.order(slow.simulator.buy([(SKU, 1)]).order_id)) == "UNSHIPPED"


async def test_a_convenience_store_takes_days(slow: Scene) -> None:
    """A pending order stays pending as long as the knob says, and can be paid by hand."""
    slow.simulator.shop.knobs.pending_s = (6 * 86_400.0, 6 * 86_400.0)
    order_id = slow.simulator.buy([(SKU, 1)]).order_id
    slow.clock.advance(5 * 86_400)
    await slow.enter()
    assert status(await slow.order(order_id)) == "PENDING"
    await slow.control(f"orders/{order_id}/pay", {})
    assert status(await slow.order(order_id)) == "UNSHIPPED"


async def test_a_payment_comes_too_late(slow: Scene) -> None:
    """A pending order that is cancelled stays cancelled when its payment would have come."""
    order_id = slow.simulator.buy([(SKU, 1)]).order_id
    slow.simulator.cancel(order_id)
    slow.clock.advance(120)
    assert status(await slow.order(order_id)) == "CANCELLED"


async def test_a_shipment(scene: Scene) -> None:
    """A shipped order says so, with its units, and its packages where they are asked for."""
    receipt = scene.simulator.buy([(SKU, 2), (OTHER, 1)])
    scene.simulator.ship(receipt.order_id)
    order = await scene.order(receipt.order_id, "FULFILLMENT,PACKAGES,PROCEEDS")
    assert status(order) == "SHIPPED"
    done = [item["fulfillment"]["quantityFulfilled"] for item in order["orderItems"]]
    left = [item["fulfillment"]["quantityUnfulfilled"] for item in order["orderItems"]]
    assert (done, left) == ([2, 1], [0, 0])
    assert [item["quantity"] for item in order["packages"][0]["packageItems"]] == [2, 1]
    with pytest.raises(Refusal):
        scene.simulator.ship(receipt.order_id)


async def test_shipping_pays_first(slow: Scene) -> None:
    """A pending order that is shipped from behind was paid before."""
    receipt = slow.simulator.buy([(SKU, 1)])
    slow.simulator.ship(receipt.order_id)
    states = slow.simulator.shop.orders.at(receipt.order_id).states
    assert [state.status.value for state in states] == ["PENDING", "UNSHIPPED", "SHIPPED"]


async def test_a_buyers_cancel_restores(slow: Scene) -> None:
    """A cancel by the buyer puts the units back within a minute, by Amazon itself."""
    before = await slow.quantity(SKU)
    receipt = slow.simulator.buy([(SKU, 2)])
    slow.simulator.cancel(receipt.order_id)
    order = await slow.order(receipt.order_id)
    assert status(order) == "CANCELLED"
    executed = order["orderItems"][0]["cancellation"]["cancellationExecution"]
    assert executed == {"cancelledBy": "BUYER", "cancelReason": "BuyerCanceled"}
    assert order["orderItems"][0]["quantityOrdered"] == 2
    slow.clock.advance(60)
    assert await slow.quantity(SKU) == before
    assert [entry.by for entry in slow.simulator.log] == [By.SHOPPER, By.CANCEL]


async def test_want_of_stock_restores_nothing(scene: Scene) -> None:
    """A cancel for NoInventory is the seller's and puts nothing back."""
    before = scene.first().quantity
    receipt = scene.simulator.buy([(SKU, 2)])
    scene.simulator.cancel(receipt.order_id, restock=False)
    order = await scene.order(receipt.order_id)
    executed = order["orderItems"][0]["cancellation"]["cancellationExecution"]
    assert executed == {"cancelledBy": "MERCHANT", "cancelReason": "NoInventory"}
    assert await scene.quantity(SKU) == before - 2


async def test_a_cancel_may_empty_the_item(scene: Scene) -> None:
    """Where the knob says so, the ordered quantity of a cancelled item is 0."""
    scene.simulator.shop.knobs.cancel_empties = True
    receipt = scene.simulator.buy([(SKU, 2)])
    scene.simulator.cancel(receipt.order_id)
    assert (await scene.order(receipt.order_id))["orderItems"][0]["quantityOrdered"] == 0


async def test_parts_cannot_be_cancelled(scene: Scene) -> None:
    """One unit of two is not cancelled, and what was cancelled is not cancelled again."""
    receipt = scene.simulator.buy([(SKU, 2)])
    with pytest.raises(Unsupported):
        scene.simulator.cancel(receipt.order_id, quantity=1)
    scene.simulator.cancel(receipt.order_id, quantity=2)
    with pytest.raises(Refusal):
        scene.simulator.cancel(receipt.order_id)


async def test_a_request_releases_nothing(scene: Scene) -> None:
    """A buyer who asks for a cancel changes the item's request, and neither status nor stock."""
    receipt = scene.simulator.buy([(SKU, 1)])
    before = await scene.quantity(SKU)
    await scene.control(f"orders/{receipt.order_id}/request-cancel", {})
    order = await scene.order(receipt.order_id)
    assert status(order) == "UNSHIPPED"
    assert order["orderItems"][0]["cancellation"]["cancellationRequest"]["requester"] == "BUYER"
    assert "cancellationExecution" not in order["orderItems"][0]["cancellation"]
    assert await scene.quantity(SKU) == before


async def test_goods_at_amazon_are_amazons(slow: Scene) -> None:
    """An order of FBA goods is fulfilled by Amazon, and cannot be mixed with goods of the seller."""
    order_id = slow.simulator.buy([("SKU-00025", 1)]).order_id
    assert (await slow.order(order_id))["fulfillment"]["fulfilledBy"] == "AMAZON"
    slow.clock.advance(200)
    assert ids(await slow.orders(fulfilledBy="MERCHANT")) == []
    assert ids(await slow.orders(fulfilledBy="AMAZON")) == [order_id]
    with pytest.raises(Refusal):
        slow.simulator.buy([("SKU-00025", 1), (SKU, 1)])


# --- getOrder --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order_id", "code"), [("250-0000000-0000000", 404), ("1", 400), ("TEST", 400)])
async def test_an_unknown_order(scene: Scene, order_id: str, code: int) -> None:
    """An order that is not there is 404; what is no order id is 400."""
    assert (await scene.get(f"{ORDERS}/{order_id}")).status == code


async def test_without_included_data_there_is_no_status(scene: Scene) -> None:
    """An order that is asked for plainly has neither a status nor cancellations nor people in it."""
    receipt = scene.simulator.buy([(SKU, 1)])
    scene.simulator.cancel(receipt.order_id)
    order = (await scene.told(f"{ORDERS}/{receipt.order_id}"))["order"]
    assert "fulfillment" not in order
    assert set(order["orderItems"][0]) == {"orderItemId", "quantityOrdered", "product"}
    text = msgspec.json.encode(order).decode()
    assert not [word for word in scene.simulator.canaries if word in text]


async def test_people_come_when_they_are_asked_for(scene: Scene) -> None:
    """BUYER, RECIPIENT and a gift message hold personal data, all of them among the canaries."""
    receipt = scene.simulator.buy([(SKU, 1)])
    text = msgspec.json.encode(await scene.order(receipt.order_id, "BUYER,RECIPIENT")).decode()
    assert all(word in text for word in scene.simulator.canaries)
    gift = (await scene.order(receipt.order_id, "FULFILLMENT"))["orderItems"][0]["fulfillment"]["packing"]
    assert scene.simulator.canaries[0] in gift["giftOption"]["giftMessage"]


async def test_get_order_is_prompt(slow: Scene) -> None:
    """An order is read by its id before the search finds it."""
    order_id = slow.simulator.buy([(SKU, 1)]).order_id
    assert (await slow.order(order_id))["orderId"] == order_id
    assert ids(await slow.orders()) == []


# --- searchOrders ----------------------------------------------------------------------------------------------------


async def test_an_order_is_found_after_two_minutes(slow: Scene) -> None:
    """The search says up to when it is complete, two minutes back, and has what came before."""
    order_id = slow.simulator.buy([(SKU, 1)]).order_id
    slow.clock.advance(60)
    assert ids(await slow.orders()) == []
    slow.clock.advance(61)
    body = await slow.orders()
    assert ids(body) == [order_id]
    assert body["lastUpdatedBefore"] == "2026-10-01T00:00:01Z"


async def test_the_search_has_the_state_of_then(slow: Scene) -> None:
    """What changed less than two minutes ago is found as it was before."""
    slow.simulator.shop.knobs.pending_s = (150.0, 150.0)
    order_id = slow.simulator.buy([(SKU, 1)]).order_id
    slow.clock.advance(160)
    assert status((await slow.orders())["orders"][0]) == "PENDING"
    assert status(await slow.order(order_id)) == "UNSHIPPED"
    slow.clock.advance(120)
    assert status((await slow.orders())["orders"][0]) == "UNSHIPPED"


async def test_single_orders_can_be_later(slow: Scene) -> None:
    """An order may be indexed later than the search says of itself, and is then found by its creation."""
    slow.simulator.shop.knobs.late_s = (600.0, 600.0)
    order_id = slow.simulator.buy([(SKU, 1)]).order_id
    slow.clock.advance(300)
    assert ids(await slow.orders()) == []
    slow.clock.advance(600)
    assert ids(await slow.orders(createdAfter=START)) == [order_id]


async def test_only_what_changed_since(slow: Scene) -> None:
    """The search answers what was updated from a time on, the oldest update first."""
    slow.simulator.shop.knobs.pending_share = 0.0
    first = slow.simulator.buy([(SKU, 1)]).order_id
    slow.clock.advance(10)
    second = slow.simulator.buy([(SKU, 1)]).order_id
    slow.clock.advance(200)
    assert ids(await slow.orders()) == [first, second]
    assert ids(await slow.orders(lastUpdatedAfter="2026-10-01T00:00:05Z")) == [second]
    assert ids(await slow.orders(lastUpdatedBefore="2026-10-01T00:00:05Z")) == [first]
    slow.simulator.ship(first)
    slow.clock.advance(200)
    assert ids(await slow.orders()) == [second, first]
    assert ids(await slow.orders(createdAfter=START)) == [first, second]


async def test_orders_are_filtered(slow: Scene) -> None:
    """Statuses and marketplaces are lists, by commas or repeated."""
    slow.simulator.shop.knobs.pending_share = 0.0
    shipped, open_one = (slow.simulator.buy([(SKU, 1)]).order_id for _ in range(2))
    slow.simulator.ship(shipped)
    slow.clock.advance(200)
    assert ids(await slow.orders(fulfillmentStatuses="SHIPPED,CANCELLED")) == [shipped]
    assert ids(await slow.orders(fulfillmentStatuses="PENDING,UNSHIPPED")) == [open_one]
    path = f"{ORDERS}?lastUpdatedAfter={START}&fulfillmentStatuses=SHIPPED&fulfillmentStatuses=UNSHIPPED"
    assert set(ids((await slow.get(path)).body)) == {shipped, open_one}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"lastUpdatedAfter": START, "createdAfter": START},
        {"lastUpdatedAfter": START, "createdBefore": START},
        {"createdAfter": START, "lastUpdatedBefore": START},
        {"lastUpdatedAfter": "2026-10-01"},
        {"lastUpdatedAfter": "2026-10-01T00:00:00"},
        {"lastUpdatedAfter": "2026-12-01T00:00:00Z"},
        {"lastUpdatedAfter": "2026-10-01T00:00:00Z", "lastUpdatedBefore": "2026-09-01T00:00:00Z"},
        {"lastUpdatedAfter": "2026-10-01T00:00:00Z", "lastUpdatedBefore": "2026-10-01T00:03:00Z"},
        {"lastUpdatedAfter": START, "maxResultsPerPage": 101},
        {"lastUpdatedAfter": START, "maxResultsPerPage": 0},
        {"lastUpdatedAfter": START, "fulfillmentStatuses": "CANCELED"},
        {"lastUpdatedAfter": START, "fulfilledBy": "MFN"},
        {"lastUpdatedAfter": START, "includedData": "ITEMS"},
        {"lastUpdatedAfter": START, "marketplaceIds": "ATVPDKIKX0DER"},
        {"lastUpdatedAfter": START, "paginationToken": "none"},
    ],
)
async def test_a_wrong_search_is_400(slow: Scene, query: dict[str, str | int]) -> None:
    """Exactly one time to start from, its end two minutes back, and the words of the model."""
    slow.clock.advance(200)
    answer = await slow.get(ORDERS, **query)
    assert (answer.status, answer.code) == (400, "InvalidInput")


async def test_pages_bring_every_order_once(slow: Scene) -> None:
    """All pages together have every order, and the last one has no pagination."""
    slow.simulator.shop.knobs.pending_share = 0.0
    wanted = []
    for _ in range(7):
        wanted.append(slow.simulator.buy([(SKU, 1)]).order_id)
        slow.clock.advance(0.1)
    slow.clock.advance(200)
    found: list[str] = []
    body = await slow.orders(maxResultsPerPage=3)
    found += ids(body)
    while "pagination" in body:
        slow.clock.advance(1)
        body = await slow.orders(maxResultsPerPage=3, paginationToken=body["pagination"]["nextToken"])
        found += ids(body)
    assert found == wanted


async def test_an_order_that_changes_leaves_the_pages(slow: Scene) -> None:
    """An order that changes while pages are read comes by the next search, not by these pages."""
    slow.simulator.shop.knobs.pending_share = 0.0
    first, last = (slow.simulator.buy([(SKU, 1)]).order_id for _ in range(2))
    slow.clock.advance(200)
    body = await slow.orders(maxResultsPerPage=1)
    seen = ids(body)
    left = ({first, last} - set(seen)).pop()
    slow.simulator.ship(left)
    slow.clock.advance(130)
    rest = await slow.orders(maxResultsPerPage=1, paginationToken=body["pagination"]["nextToken"])
    assert ids(rest) == []
    assert left in ids(await slow.orders(lastUpdatedAfter=body["lastUpdatedBefore"]))


async def test_a_page_token_fits_and_ends(slow: Scene) -> None:
    """A page token with other parameters is refused, and after a day with the same ones too."""
    slow.simulator.shop.knobs.pending_share = 0.0
    for _ in range(2):
        slow.simulator.buy([(SKU, 1)])
    slow.clock.advance(200)
    given = {"lastUpdatedAfter": START, "marketplaceIds": MARKETPLACE, "maxResultsPerPage": 1}
    token = (await slow.told(ORDERS, **given))["pagination"]["nextToken"]
    assert (await slow.get(ORDERS, **given | {"maxResultsPerPage": 2}, paginationToken=token)).status == 400
    slow.clock.advance(86_400)
    await slow.enter()
    assert (await slow.get(ORDERS, **given, paginationToken=token)).status == 400


async def test_order_ids_have_amazons_form(scene: Scene) -> None:
    """Order ids have three groups of digits, and are all different."""
    found = [scene.simulator.buy([(f"SKU-{1 + number % 12:05d}", 1)]).order_id for number in range(50)]
    assert len(set(found)) == 50
    assert all([len(part) for part in order_id.split("-")] == [3, 7, 7] for order_id in found)
