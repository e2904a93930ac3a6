"""Notifications by a queue: against a server that speaks SQS, and against the simulated account's own queue."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from adapters.amazon import AmazonSettings, queue
from adapters.amazon.queue import Queue
from syncd.sdk.channel import ListingRef
from syncd.sdk.errors import AuthError, ConfigError, TransientError
from syncd.sdk.secret import Secret
from tests.adapters.amazon_stage import staged
from tests.adapters.amazon_stub import JAPAN, SELLER

REGION = "ap-northeast-1"
KEY, SECRET = "AKIAQUEUETEST0000001", "queue-test-secret-0123456789"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def settings(endpoint: str, url: str) -> AmazonSettings:
    return AmazonSettings(
        seller_id=SELLER,
        client_id="c",
        client_secret=Secret("client-secret-of-queue"),
        refresh_token=Secret("refresh-token-of-queue"),
        queue_url=url,
        queue_region=REGION,
        queue_endpoint=endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=Secret(SECRET),
    )


@asynccontextmanager
async def made(endpoint: str, name: str) -> AsyncIterator[tuple[Queue, Any, str]]:
    """Make a queue and open it; the client beside it is Amazon's side."""
    other = queue._client(settings(endpoint, "x"))
    async with other as client:
        url = (await client.create_queue(QueueName=name))["QueueUrl"]
        opened = Queue(settings(endpoint, url))
        try:
            yield opened, client, url
        finally:
            await opened.close()


def quantity_change(sku: str, number: int) -> str:
    return json.dumps(
        {
            "NotificationType": "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
            "Payload": {"SellerId": SELLER, "Sku": sku, "Quantity": 3},
            "NotificationMetadata": {"NotificationId": f"n-{number}"},
        }
    )


ORDER = {
    "NotificationType": "ORDER_CHANGE",
    "Payload": {
        "OrderChangeNotification": {"SellerId": SELLER, "AmazonOrderId": "903-1", "Summary": {"MarketplaceId": JAPAN}}
    },
    "NotificationMetadata": {"NotificationId": "n-order"},
}


async def test_messages_are_received_and_ended(endpoint: str) -> None:
    """Messages come with what they mean, ten at a time, and those that are ended do not come again."""
    async with made(endpoint, "ended") as (opened, client, url):
        for number in range(11):
            await client.send_message(QueueUrl=url, MessageBody=quantity_change(f"S-{number}", number))
        await client.send_message(QueueUrl=url, MessageBody=json.dumps({"detail-type": "x", "detail": ORDER}))
        await client.send_message(QueueUrl=url, MessageBody="{ nonsense")
        heard: list[Any] = []
        while len(heard) < 13:
            got = await opened.receive()
            assert 1 <= len(got) <= queue.MOST_MESSAGES
            heard += [each for each, _ in got]
            await opened.settle([receipt for _, receipt in got])
        refs = {ref for each in heard for ref in each.notice.refs}
        assert refs == {ListingRef(remote_id=f"S-{number}") for number in range(11)}
        assert [each.notice.order_ids for each in heard if each.notice.order_ids] == [("903-1",)]
        assert sum(bool(each.notice.text) for each in heard) == 1
        await opened.settle([])
        count = await client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        assert count["Attributes"]["ApproximateNumberOfMessages"] == "0"
        assert count["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"


async def test_message_that_was_not_ended_comes_again(endpoint: str) -> None:
    """A message that was received and not ended comes again with the same key."""
    async with made(endpoint, "again") as (opened, client, url):
        await client.send_message(QueueUrl=url, MessageBody=quantity_change("A", 1))
        ((first, receipt),) = await opened.receive()
        await client.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
        ((second, _),) = await opened.receive()
        assert first.notice == second.notice
        assert first.notice.dedupe_key == "n-1"


async def test_missing_queue_is_for_a_person(endpoint: str) -> None:
    """A queue that is not there is told as such, without the key."""
    gone = Queue(settings(endpoint, f"{endpoint}/123456789012/nobody"))
    with pytest.raises(AuthError) as caught:
        await gone.receive()
    assert SECRET not in str(caught.value)
    await gone.close()


async def test_queue_out_of_reach_passes_over() -> None:
    """A server that is not there is waited out."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}"
    gone = Queue(settings(nowhere, f"{nowhere}/123456789012/q"))
    with pytest.raises(TransientError):
        await gone.receive()
    await gone.close()


async def test_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the settings are told to need it, with what to install."""
    monkeypatch.setitem(sys.modules, "aiobotocore.session", None)
    opened = Queue(settings("http://127.0.0.1:9", "http://127.0.0.1:9/1/q"))
    with pytest.raises(ConfigError, match=r"syncd\[amazon\]"):
        await opened.receive()


def test_own_faults_are_not_hidden() -> None:
    """An error that is neither the library's nor the network's is not taken for one of the queue."""
    with pytest.raises(KeyError):
        queue.failure(KeyError("ours"))


async def test_sale_is_heard_by_the_simulated_queue() -> None:
    """A sale at the simulated account comes by its own queue as a hint at the listing or the order."""
    async with staged(skus=6, queue=True) as stage:
        stage.shop.time_scale = 0.001
        await stage.channel.provision()
        assert stage.channel.notices_on
        receipt = stage.shop.buy([("SKU-00001", 1)])
        refs: set[ListingRef] = set()
        orders: set[str] = set()
        for _ in range(20):
            received = await stage.channel.receive()
            await stage.channel.settle([each.receipt for each in received])
            refs |= {ref for each in received for ref in each.notice.refs}
            orders |= {order_id for each in received for order_id in each.notice.order_ids}
            if ListingRef(remote_id="SKU-00001") in refs and receipt.order_id in orders:
                break
            await asyncio.sleep(0.01)
        assert ListingRef(remote_id="SKU-00001") in refs
        assert receipt.order_id in orders
