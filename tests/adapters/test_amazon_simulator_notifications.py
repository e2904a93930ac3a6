"""Notifications of the simulated Amazon: who may subscribe to what, what is delivered, and the queue that holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiobotocore.session import get_session

from adapters.amazon.simulated.sqs import ARN
from tests.adapters.amazon_simulation import (
    MARKETPLACE,
    NOTIFICATIONS,
    SCOPE,
    Answer,
    Scene,
    listings_feed,
    merge,
    message,
    opened,
)
from tests.adapters.amazon_simulation_models import document_faults, there

SKU = "SKU-00001"
QUANTITY = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
BRIDGE = {"eventBridge": {"accountId": "123456789012", "region": "ap-northeast-1"}}
DIRECTIVE = {
    "eventFilter": {
        "eventFilterType": "ORDER_CHANGE",
        "marketplaceIds": [MARKETPLACE],
        "orderChangeTypes": ["OrderStatusChange", "BuyerRequestedChange"],
    }
}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


async def make_destination(scene: Scene, resource: Any) -> Answer:
    body = {"name": "syncd", "resourceSpecification": resource}
    return await scene.call("POST", f"{NOTIFICATIONS}/destinations", body=body, token=scene.grantless)


async def destination(scene: Scene, resource: Any = None) -> str:
    answer = await make_destination(scene, resource or {"sqs": {"arn": ARN}})
    assert answer.status == 200, answer.body
    identity: str = answer.body["payload"]["destinationId"]
    return identity


async def subscribe(scene: Scene, kind: str, destination_id: str, **more: Any) -> Answer:
    body = {"payloadVersion": "1.0", "destinationId": destination_id, **more}
    return await scene.call("POST", f"{NOTIFICATIONS}/subscriptions/{kind}", body=body)


async def subscribed(scene: Scene, kind: str, resource: Any = None, **more: Any) -> str:
    answer = await subscribe(scene, kind, await destination(scene, resource), **more)
    assert answer.status == 200, answer.body
    identity: str = answer.body["payload"]["subscriptionId"]
    return identity


async def heard(scene: Scene, count: int) -> list[Any]:
    """Return the bodies in the queue once there are so many."""
    await scene.until(lambda: len(scene.simulator.queue) >= count)
    return [msgspec.json.decode(found.body) for found in scene.simulator.queue.take(10, visibility_s=0)]


# --- destinations and subscriptions ----------------------------------------------------------------------------------


async def test_a_destination_is_made_once(scene: Scene) -> None:
    """A destination is made, listed and read; a second one for the same queue is a conflict."""
    identity = await destination(scene)
    assert (await make_destination(scene, {"sqs": {"arn": ARN}})).status == 409
    listed = await scene.call("GET", f"{NOTIFICATIONS}/destinations", token=scene.grantless)
    assert [found["destinationId"] for found in listed.body["payload"]] == [identity]
    one = await scene.call("GET", f"{NOTIFICATIONS}/destinations/{identity}", token=scene.grantless)
    assert one.body["payload"]["resource"] == {"sqs": {"arn": ARN}}


@pytest.mark.parametrize(
    "resource", [{}, {"sqs": {"arn": "queue"}}, {"sqs": {}}, {"eventBridge": {}}, {"sqs": {"arn": ARN}, **BRIDGE}]
)
async def test_a_wrong_resource_is_refused(scene: Scene, resource: Any) -> None:
    """A destination is a queue by its ARN, or an event bus by account and region."""
    assert (await make_destination(scene, resource)).status == 400


async def test_a_subscription_is_made_once(scene: Scene) -> None:
    """A subscription is made by the seller, found by its type, and not made twice."""
    where = await destination(scene)
    made = await subscribe(scene, "ORDER_CHANGE", where, processingDirective=DIRECTIVE)
    assert (await subscribe(scene, "ORDER_CHANGE", where, processingDirective=DIRECTIVE)).status == 409
    found = await scene.told(f"{NOTIFICATIONS}/subscriptions/ORDER_CHANGE")
    assert found["payload"] == made.body["payload"]
    assert found["payload"]["processingDirective"] == DIRECTIVE
    kept = await scene.call("DELETE", f"{NOTIFICATIONS}/destinations/{where}", token=scene.grantless)
    assert kept.status == 409


async def test_a_subscription_ends(scene: Scene) -> None:
    """A subscription is read and ended by its id without a seller, and is then not found."""
    identity = await subscribed(scene, "FEED_PROCESSING_FINISHED")
    path = f"{NOTIFICATIONS}/subscriptions/FEED_PROCESSING_FINISHED"
    assert (await scene.get(f"{path}/{identity}")).status == 403
    for method in ("GET", "DELETE"):
        assert (await scene.call(method, f"{path}/{identity}", token=scene.grantless)).status == 200
    assert (await scene.get(path)).status == 404
    assert (await scene.call("GET", f"{path}/{identity}", token=scene.grantless)).status == 404


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("ORDER_CHANGE", {}),
        ("ORDER_CHANGE", {"processingDirective": {}}),
        ("ORDER_CHANGE", {"processingDirective": {"eventFilter": {"eventFilterType": "NOPE"}}}),
        ("ORDER_CHANGE", {"processingDirective": DIRECTIVE | {"filterExpression": "true"}}),
        ("ORDER_CHANGE", {"processingDirective": {"filterExpression": "x" * 257}}),
        ("ORDER_CHANGE", {"processingDirective": DIRECTIVE, "payloadVersion": "2.0"}),
        ("ORDER_CHANGE", {"processingDirective": DIRECTIVE, "destinationId": "none"}),
        ("FEED_PROCESSING_FINISHED", {"processingDirective": DIRECTIVE}),
        (QUANTITY, {}),
        ("NOTHING", {}),
    ],
)
async def test_a_wrong_subscription_is_refused(scene: Scene, kind: str, more: dict[str, Any]) -> None:
    """ORDER_CHANGE needs its filter, listings need EventBridge, and versions and types must exist."""
    assert (await subscribe(scene, kind, await destination(scene), **more)).status == 400


# --- what is delivered -----------------------------------------------------------------------------------------------


async def test_an_order_change_is_told(scene: Scene) -> None:
    """A change of an order comes in Amazon's form, with its lines, and with a buyer's postal code in it."""
    subscription = await subscribed(scene, "ORDER_CHANGE", processingDirective=DIRECTIVE)
    scene.simulator.shop.knobs.pending_share = 0.0
    order_id = scene.simulator.buy([(SKU, 2)]).order_id
    body = (await heard(scene, 1))[0]
    if there():
        assert document_faults("notifications/OrderChangeNotification.json", body) == []
    change = body["Payload"]["OrderChangeNotification"]
    assert (change["AmazonOrderId"], change["OrderChangeType"]) == (order_id, "OrderStatusChange")
    assert change["Summary"]["OrderStatus"] == "Unshipped"
    assert change["Summary"]["FulfillmentType"] == "MFN"
    assert [(item["SellerSKU"], item["Quantity"]) for item in change["Summary"]["OrderItems"]] == [(SKU, 2)]
    assert change["Summary"]["DestinationPostalCode"] in scene.simulator.canaries
    assert body["NotificationMetadata"]["SubscriptionId"] == subscription


async def test_cancels_and_requests_are_told(scene: Scene) -> None:
    """A request of the buyer and the cancel after it are two changes, the second with one l."""
    await subscribed(scene, "ORDER_CHANGE", processingDirective=DIRECTIVE)
    order_id = scene.simulator.buy([(SKU, 1)]).order_id
    await heard(scene, 1)
    await scene.control(f"orders/{order_id}/request-cancel", {})
    await scene.control(f"orders/{order_id}/cancel", {})
    changes = [body["Payload"]["OrderChangeNotification"] for body in await heard(scene, 3)]
    assert sorted((change["OrderChangeType"], change["Summary"]["OrderStatus"]) for change in changes) == [
        ("BuyerRequestedChange", "Unshipped"),
        ("OrderStatusChange", "Canceled"),
        ("OrderStatusChange", "Unshipped"),
    ]


@pytest.mark.parametrize("told", [False, True])
async def test_a_pending_order_may_be_silent(told: bool) -> None:
    """A new order is told while it is Pending only where the knob says so."""
    async with opened(scale=1.0) as scene:
        scene.simulator.shop.knobs.notice_s = (0.0, 0.0)
        scene.simulator.shop.knobs.notify_pending = told
        scene.simulator.shop.knobs.pending_s = (3_000.0, 3_000.0)
        await subscribed(scene, "ORDER_CHANGE", processingDirective=DIRECTIVE)
        first = scene.simulator.buy([(SKU, 1)]).order_id
        second = scene.simulator.buy([(SKU, 1)]).order_id
        await scene.control(f"orders/{second}/pay", {})
        bodies = await heard(scene, 3 if told else 1)
        changes = [body["Payload"]["OrderChangeNotification"] for body in bodies]
        assert (first in {change["AmazonOrderId"] for change in changes}) is told


async def test_a_filter_is_kept(scene: Scene) -> None:
    """A subscription of requests alone hears of no status."""
    only = {"eventFilter": {"eventFilterType": "ORDER_CHANGE", "orderChangeTypes": ["BuyerRequestedChange"]}}
    await subscribed(scene, "ORDER_CHANGE", processingDirective=only)
    order_id = scene.simulator.buy([(SKU, 1)]).order_id
    await scene.control(f"orders/{order_id}/request-cancel", {})
    changes = [body["Payload"]["OrderChangeNotification"]["OrderChangeType"] for body in await heard(scene, 1)]
    assert changes == ["BuyerRequestedChange"]


async def test_live_quantities_are_told_by_event_bridge(scene: Scene) -> None:
    """A sale, a patch and an edit are told with the live quantity, wrapped by EventBridge, without a marketplace."""
    await subscribed(scene, QUANTITY, BRIDGE)
    before = scene.first().quantity
    scene.simulator.buy([(SKU, 1)])
    await heard(scene, 1)
    await scene.patch(SKU, merge(7))
    await heard(scene, 2)
    scene.simulator.set_shown(SKU, 9)
    bodies = await heard(scene, 3)
    assert {body["detail-type"] for body in bodies} == {QUANTITY}
    assert bodies[0]["source"].startswith("aws.partner/sellingpartnerapi.amazon.com")
    payloads = [body["detail"]["Payload"] for body in bodies]
    assert [payload["Quantity"] for payload in payloads] == [before - 1, 7, 9]
    assert all("MarketplaceId" not in payload and payload["Sku"] == SKU for payload in payloads)
    if there():
        name = "notifications/ListingsItemMfnQuantityChange.json"
        assert [fault for body in bodies for fault in document_faults(name, body["detail"])] == []


async def test_a_closed_offer_is_told(scene: Scene) -> None:
    """An offer that is closed is told with an empty status."""
    await subscribed(scene, "LISTINGS_ITEM_STATUS_CHANGE", BRIDGE)
    scene.simulator.hide(SKU)
    detail = (await heard(scene, 1))[0]["detail"]
    assert detail["NotificationType"] == "LISTINGS_ITEM_STATUS_CHANGE"
    assert detail["Payload"]["Status"] == []


async def test_an_ended_feed_is_told_in_camel_case(scene: Scene) -> None:
    """The end of a feed is told with keys that begin small."""
    await subscribed(scene, "FEED_PROCESSING_FINISHED")
    feed_id = await scene.feed(listings_feed(scene, message(1, SKU, 7)))
    body = (await heard(scene, 1))[0]
    if there():
        assert document_faults("notifications/FeedProcessingFinishedNotification.json", body) == []
    told = body["payload"]["feedProcessingFinishedNotification"]
    assert (told["feedId"], told["processingStatus"]) == (feed_id, "DONE")


async def test_nobody_asked_nobody_told(scene: Scene) -> None:
    """Without a subscription nothing is delivered."""
    scene.simulator.buy([(SKU, 1)])
    await scene.quantity(SKU)
    assert len(scene.simulator.queue) == 0


async def test_notifications_come_twice_or_never(scene: Scene) -> None:
    """Doubled notifications have one id; lost ones do not come."""
    await subscribed(scene, QUANTITY, BRIDGE)
    await scene.control("faults", {"double_webhooks": 1.0})
    scene.simulator.set_shown(SKU, 5)
    bodies = await heard(scene, 2)
    assert len({body["detail"]["NotificationMetadata"]["NotificationId"] for body in bodies}) == 1
    await scene.control("faults", {"lost_webhooks": 1.0})
    scene.simulator.set_shown(SKU, 6)
    await scene.control("faults", {})
    scene.simulator.set_shown(SKU, 8)
    told = [body["detail"]["Payload"]["Quantity"] for body in await heard(scene, 3)]
    assert sorted(told) == [5, 5, 8]


async def test_another_queue_can_be_attached(scene: Scene) -> None:
    """A test may take the messages itself."""
    got: list[str] = []

    async def take(text: str) -> None:
        got.append(text)

    scene.simulator.attach(take)
    await subscribed(scene, QUANTITY, BRIDGE)
    scene.simulator.set_shown(SKU, 5)
    await scene.until(lambda: bool(got))
    assert QUANTITY in got[0]
    assert len(scene.simulator.queue) == 0


async def test_grantless_scopes_are_needed(scene: Scene) -> None:
    """A token of another grantless scope opens no notification."""
    other = await scene.login(
        grant_type="client_credentials", scope=f"{SCOPE.split('::')[0]}::client_credential:rotation"
    )
    answer = await scene.call("GET", f"{NOTIFICATIONS}/destinations", token=other.body["access_token"])
    assert answer.status == 403


# --- the queue -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def receiver(scene: Scene, **changes: Any) -> AsyncIterator[tuple[Any, str]]:
    """Open AWS's own client on the queue, as the simulator's settings say."""
    settings = scene.simulator.queue_settings(scene.url) | changes
    async with get_session().create_client(
        "sqs",
        region_name=settings["queue_region"],
        endpoint_url=settings["queue_endpoint"],
        aws_access_key_id=settings["aws_access_key_id"],
        aws_secret_access_key=settings["aws_secret_access_key"],
    ) as client:
        yield client, settings["queue_url"]


async def test_aws_client_reads_the_queue(scene: Scene) -> None:
    """AWS's client receives, at most ten at once, and deletes in a batch."""
    for number in range(12):
        scene.simulator.queue.put(f"message {number}")
    async with receiver(scene) as (client, url):
        got = await client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"], VisibilityTimeout=60
        )
        assert [found["Body"] for found in got["Messages"]] == [f"message {number}" for number in range(10)]
        assert got["Messages"][0]["Attributes"] == {"ApproximateReceiveCount": "1"}
        entries = [{"Id": str(n), "ReceiptHandle": found["ReceiptHandle"]} for n, found in enumerate(got["Messages"])]
        done = await client.delete_message_batch(
            QueueUrl=url, Entries=[*entries[:9], entries[9] | {"ReceiptHandle": "x"}]
        )
        assert len(done["Successful"]) == 9
        assert done["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
        assert len(scene.simulator.queue) == 3


async def test_unfinished_messages_come_again(scene: Scene) -> None:
    """A message that is not deleted comes again after its visibility timeout, and counts its receipts."""
    scene.simulator.queue.put("once more")
    async with receiver(scene) as (client, url):
        first = await client.receive_message(QueueUrl=url, VisibilityTimeout=30)
        assert "Messages" not in await client.receive_message(QueueUrl=url)
        scene.clock.advance(31)
        second = await client.receive_message(QueueUrl=url, AttributeNames=["All"])
        assert second["Messages"][0]["MessageId"] == first["Messages"][0]["MessageId"]
        assert second["Messages"][0]["Attributes"]["ApproximateReceiveCount"] == "2"
        handle = second["Messages"][0]["ReceiptHandle"]
        await client.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        assert (await client.receive_message(QueueUrl=url))["Messages"]
        await client.delete_message(QueueUrl=url, ReceiptHandle=handle)
        assert len(scene.simulator.queue) == 0


async def test_a_long_poll_waits_for_a_message(scene: Scene) -> None:
    """A receiver that waits is answered as soon as something comes."""
    await subscribed(scene, QUANTITY, BRIDGE)
    scene.simulator.shop.knobs.notice_s = (0.05, 0.05)
    scene.simulator.time_scale = 1.0
    async with receiver(scene) as (client, url):
        scene.simulator.set_shown(SKU, 5)
        got = await client.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        assert QUANTITY in got["Messages"][0]["Body"]


async def test_the_queue_is_closed_to_strangers(scene: Scene) -> None:
    """Another key, another queue and silly numbers are refused."""
    async with receiver(scene, aws_access_key_id="AKIASTRANGER") as (client, url):
        with pytest.raises(client.exceptions.ClientError, match="security token"):
            await client.receive_message(QueueUrl=url)
    async with receiver(scene) as (client, url):
        with pytest.raises(client.exceptions.ClientError, match="does not exist"):
            await client.receive_message(QueueUrl=f"{url}-other")
        with pytest.raises(client.exceptions.ClientError, match="between 1 and 10"):
            await client.receive_message(QueueUrl=url, MaxNumberOfMessages=11)
        attributes = await client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        assert attributes["Attributes"]["QueueArn"] == ARN
        assert (await client.get_queue_url(QueueName=ARN.rpartition(":")[2]))["QueueUrl"] == url


async def test_the_queue_has_faults_too(scene: Scene) -> None:
    """A queue in trouble is refused by AWS's own form, and nothing is lost."""
    scene.simulator.queue.put("still there")
    await scene.control("faults", {"too_many": 1.0})
    async with receiver(scene) as (client, url):
        with pytest.raises(client.exceptions.ClientError, match="Throttled"):
            await client.receive_message(QueueUrl=url)
        await scene.control("faults", {})
        assert (await client.receive_message(QueueUrl=url))["Messages"][0]["Body"] == "still there"
