"""Every answer of the simulated Amazon is one that Amazon's own models allow, and the check of it can fail."""

from __future__ import annotations

import pytest

from tests.adapters.amazon_simulation import ORDERS, merge, opened
from tests.adapters.amazon_simulation_models import FOLDER, all_faults, faults, there

pytestmark = pytest.mark.skipif(not there(), reason="Amazon's models are not beside the project")

SKU = "SKU-00001"
DATA = "summaries,attributes,issues,offers,fulfillmentAvailability,procurement,relationships,productTypes"
ORDER_DATA = (
    "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,TAX,PAYMENT,FULFILLMENT_ORDERS"
)
HEADERS = {"x-amzn-RequestId": "1", "x-amzn-RateLimit-Limit": "5.0"}


async def test_answers_fit_the_models() -> None:
    """A listing with all its data, an order in each state with all of its data, and refusals fit."""
    async with opened(skus=50) as scene:
        for sku in (SKU, "SKU-00025"):
            await scene.item(sku, DATA)
        await scene.search(includedData=DATA, pageSize=20)
        await scene.patch(SKU, merge(7), includedData="identifiers,issues")
        await scene.patch(SKU, merge(-1), includedData="identifiers,issues")
        receipts = [scene.simulator.buy([(SKU, 1), ("SKU-00002", 1)]) for _ in range(3)]
        scene.simulator.ship(receipts[1].order_id)
        scene.simulator.cancel(receipts[2].order_id)
        for receipt in receipts:
            await scene.order(receipt.order_id, ORDER_DATA)
        scene.clock.advance(200)
        await scene.orders(includedData=ORDER_DATA, maxResultsPerPage=2)
        await scene.get(ORDERS)
        assert len(scene.answers) > 10
        assert all_faults(scene.answers) == []


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/listings/2021-08-01/items/S/K", 200, {}),
        ("/listings/2021-08-01/items/S/K", 200, {"sku": "K", "stock": 1}),
        ("/listings/2021-08-01/items/S/K", 200, {"sku": "K", "fulfillmentAvailability": [{"quantity": 1}]}),
        ("/listings/2021-08-01/items/S/K", 418, {}),
        (ORDERS, 200, {"orders": [{"orderId": "1"}]}),
        (ORDERS, 200, {"orders": [], "lastUpdatedBefore": "yesterday"}),
        (ORDERS, 400, {"error": "no"}),
        ("/sellers/v1/marketplaceParticipations", 200, {"payload": [{}]}),
    ],
)
def test_the_check_sees_what_does_not_fit(path: str, status: int, body: object) -> None:
    """A missing member, a strange one, a wrong form and an answer that there is not are found."""
    assert faults("GET", path, status, HEADERS, body)


def test_the_check_lets_right_answers_pass() -> None:
    """Answers as the models' own examples have them pass, and what is no operation is not judged."""
    assert faults("GET", "/listings/2021-08-01/items/S/K?x=1", 200, HEADERS, {"sku": "K"}) == []
    assert faults("GET", "/listings/2021-08-01/items/S/K", 200, {}, {"sku": "K"})
    assert faults("GET", "/_sim/health", 200, {}, {}) == []
    assert (FOLDER / "SOURCE_COMMIT").is_file()
