"""Webhooks of the simulated shop that fail, come late, twice or never, and throttling, which has two forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from adapters.shopify.simulated.webhooks import retry_delays_s
from syncd.testing.simulators import Faults
from tests.adapters.shopify_simulation import Receiver, Scene, opened, receiving, subscribed

LIST = """{ webhookSubscriptions(first: 250) { nodes { id topic uri callbackUrl } } }"""


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def test_eight_retries_take_four_hours() -> None:
    """The waits double and add up to four hours."""
    delays = retry_delays_s()
    assert len(delays) == 8
    assert sum(delays) == pytest.approx(4 * 3600)
    assert all(later == 2 * sooner for sooner, later in pairwise(delays))


async def test_a_retry_has_the_old_body(scene: Scene, receiver: Receiver) -> None:
    """What failed comes again byte for byte, with its old id unless the shop is told otherwise."""
    receiver.status = 500
    await subscribed(scene, "INVENTORY_LEVELS_UPDATE", uri=receiver.url)
    await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": 1})
    await receiver.topics(1)
    receiver.status = 200
    scene.simulator.shop.goods.change(scene.level(), "damaged", 1, source="person")
    await receiver.topics(2)
    (first, first_raw), (second, second_raw) = receiver.got[0], receiver.got[-1]
    assert first_raw == second_raw
    assert first["x-shopify-webhook-id"] == second["x-shopify-webhook-id"]
    (subscription,) = scene.simulator.shop.subscriptions.by_id.values()
    await receiver.until(lambda: subscription.failures == 0)


async def test_eight_failures_delete_the_subscription(scene: Scene, receiver: Receiver) -> None:
    """After eight in a row it is gone, and nothing more is tried; another one stands."""
    receiver.status = 503
    gone = await subscribed(scene, "ORDERS_CREATE", uri=receiver.url)
    stays = await subscribed(scene, "ORDERS_CANCELLED", uri=receiver.url)
    await scene.post("/_sim/shopify/knobs", {"retries_keep_id": False})
    await scene.buy(("SKU-00001", 1))
    await receiver.until(lambda: gone not in scene.simulator.shop.subscriptions.by_id)
    assert len(receiver.got) == 8
    assert len({headers["x-shopify-webhook-id"] for headers, _ in receiver.got}) == 8
    assert [node["id"] for node in (await scene.data(LIST))["webhookSubscriptions"]["nodes"]] == [stays]


async def test_doubles_are_not_retried_twice(scene: Scene, receiver: Receiver) -> None:
    """Two copies of one delivery that both fail are one retry, which has two copies again."""
    receiver.status = 503
    scene.simulator.faults = Faults(double_webhooks=1.0)
    gone = await subscribed(scene, "ORDERS_CREATE", uri=receiver.url)
    await scene.buy(("SKU-00001", 1))
    await receiver.until(lambda: gone not in scene.simulator.shop.subscriptions.by_id)
    await receiver.until(lambda: scene.simulator.courier._at_work == 0)
    assert len(receiver.got) in {8, 10}  # the last pair may have been retried after its first copy failed


@pytest.mark.parametrize(
    ("faults", "count"), [(Faults(lost_webhooks=1.0), 0), (Faults(double_webhooks=1.0), 2), (Faults(), 1)]
)
async def test_webhooks_come_twice_or_never(scene: Scene, receiver: Receiver, faults: Faults, count: int) -> None:
    """A double is the same delivery again, a lost one is never heard of and does not count as a failure."""
    await subscribed(scene, "ORDERS_CREATE", uri=receiver.url)
    scene.simulator.faults = faults
    await scene.buy(("SKU-00001", 1))
    scene.simulator.faults = Faults()
    await scene.buy(("SKU-00002", 1))
    await receiver.topics(count + 1)
    assert len({headers["x-shopify-webhook-id"] for headers, _ in receiver.got}) == 1 + min(count, 1)
    assert len(receiver.got) == count + 1
    assert all(known.failures == 0 for known in scene.simulator.shop.subscriptions.by_id.values())


async def test_late_webhooks_come_in_disorder(scene: Scene, receiver: Receiver) -> None:
    """What is late by chance overtakes and is overtaken."""
    scene.simulator.time_scale = 0.01
    scene.simulator.faults = Faults(late_webhooks_s=10.0)
    await subscribed(scene, "ORDERS_CREATE", uri=receiver.url)
    for _ in range(12):
        await scene.buy(("SKU-00001", 1)) if scene.level().available else None
    count = len(scene.simulator.shop.orders.by_number)
    await receiver.topics(count)
    names = [body["name"] for body in receiver.bodies("orders/create")]
    assert sorted(names) != names
    assert len(set(names)) == count


async def test_throttling_comes_in_both_forms(scene: Scene) -> None:
    """The fault `too_many` is THROTTLED at 200 mostly and 429 at times; the token endpoint knows 429 only."""
    scene.simulator.faults = Faults(too_many=1.0)
    answers = [await scene.ask("{ shop { name } }") for _ in range(40)]
    assert {answer.status for answer in answers} == {200, 429}
    assert all(answer.codes == ["THROTTLED"] for answer in answers if answer.status == 200)
    assert (await scene.post("/admin/oauth/access_token", {})).status == 429
