"""Feeds of the simulated Amazon: files up, processing, reports down, and cancels of orders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from tests.adapters.amazon_simulation import (
    FEEDS,
    JSON,
    MARKETPLACE,
    Scene,
    listings_feed,
    merge,
    message,
    opened,
)
from tests.adapters.amazon_simulation_models import document_faults, there

SKU, OTHER = "SKU-00001", "SKU-00002"
ACKNOWLEDGEMENT = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
FLAT = "POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA"
XML = "text/xml; charset=UTF-8"
TEXT = "text/tab-separated-values; charset=UTF-8"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


@pytest.fixture
async def slow() -> AsyncIterator[Scene]:
    async with opened(scale=1.0) as scene:
        yield scene


async def report(scene: Scene, feed_id: str) -> Any:
    body = msgspec.json.decode(await scene.result(feed_id))
    if there():
        assert document_faults("feeds/listings-feed-processing-report-schema-v2.json", body) == []
    return body


async def status(scene: Scene, feed_id: str) -> str:
    found: str = (await scene.feed_status(feed_id))["processingStatus"]
    return found


# --- the way of a feed -----------------------------------------------------------------------------------------------


async def test_a_feed_takes_its_time(slow: Scene) -> None:
    """A feed waits, is worked on and ends; only after that its quantities take effect."""
    before = await slow.quantity(SKU)
    feed_id = await slow.feed(listings_feed(slow, message(1, SKU, 7)))
    seen = []
    for _ in range(60):
        seen.append(await status(slow, feed_id))
        slow.clock.advance(6)
        if seen[-1] == "DONE":
            break
        assert await slow.quantity(SKU) == before
    assert list(dict.fromkeys(seen)) == ["IN_QUEUE", "IN_PROGRESS", "DONE"]
    slow.clock.advance(60)
    assert await slow.quantity(SKU) == 7


async def test_the_report_tells_of_each_message(scene: Scene) -> None:
    """A report has an issue for every message that does not hold, and counts the others as accepted."""
    bad = message(3, OTHER, 7) | {"patches": [{**merge(7), "value": [{"quantity": 7}]}]}
    wrong = message(4, OTHER, 7) | {"attributes": {}}
    content = listings_feed(scene, message(1, SKU, 7), message(2, "SKU-9", 7), bad, wrong, message(1, OTHER, 7))
    found = await report(scene, await scene.feed(content))
    assert {(each.get("messageId"), each.get("sku")) for each in found["issues"]} == {
        (2, "SKU-9"),
        (3, OTHER),
        (None, None),
    }
    assert found["summary"] | {"errors": 4} == {
        "errors": 4,
        "warnings": 0,
        "messagesProcessed": 5,
        "messagesAccepted": 1,
        "messagesInvalid": 4,
    }
    assert await scene.quantity(SKU) == 7


async def test_a_report_can_have_data(scene: Scene) -> None:
    """Where the header asks for it, the report has the offers as they are."""
    wish = {"includedData": ["issues", "fulfillmentAvailability"], "apiVersion": "2021-08-01"}
    found = await report(scene, await scene.feed(listings_feed(scene, message(1, SKU, 7), report=wish)))
    assert found["items"][0]["sku"] == SKU
    assert found["header"]["report"] == wish


@pytest.mark.parametrize(
    ("operation", "lead", "quantity"),
    [
        ({"operationType": "PATCH", "patches": [merge(7)]}, 3, 7),
        ({"operationType": "PARTIAL_UPDATE", "attributes": {"fulfillment_availability": merge(7)["value"]}}, None, 7),
        ({"operationType": "UPDATE", "attributes": {"item_name": [{"value": "x"}]}}, None, None),
    ],
)
async def test_operation_types_differ(
    scene: Scene, operation: dict[str, Any], lead: int | None, quantity: int | None
) -> None:
    """PATCH can merge, PARTIAL_UPDATE replaces an attribute, UPDATE all of them."""
    row = {"messageId": 1, "sku": SKU, "productType": "PRODUCT", **operation}
    found = await report(scene, await scene.feed(listings_feed(scene, row)))
    assert found["summary"]["messagesAccepted"] == 1
    attributes = (await scene.item(SKU, "attributes"))["attributes"]
    entry = (attributes["fulfillment_availability"] or [{}])[0]
    assert (entry.get("lead_time_to_ship_max_days"), entry.get("quantity")) == (lead, quantity)


async def test_a_delete_takes_the_offer_away(scene: Scene) -> None:
    """DELETE ends an offer."""
    await scene.feed(listings_feed(scene, {"messageId": 1, "sku": SKU, "operationType": "DELETE"}))
    assert (await scene.get(scene.item_path(SKU), marketplaceIds=MARKETPLACE)).status == 404


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\x1f\x8b gzip",
        msgspec.json.encode({"messages": []}),
        msgspec.json.encode({"header": {"sellerId": "OTHER", "version": "2.0"}, "messages": [1]}),
        msgspec.json.encode({"header": {"sellerId": "A2SYNCDSIMULATED", "version": "1.0"}, "messages": [1]}),
        msgspec.json.encode({"header": {"sellerId": "A2SYNCDSIMULATED", "version": "2.0"}, "messages": []}),
    ],
)
async def test_a_broken_file_is_fatal(scene: Scene, content: bytes) -> None:
    """A file that is no listings feed ends FATAL, and the report has an issue without a message."""
    feed_id = await scene.feed(content)
    assert await status(scene, feed_id) == "FATAL"
    assert "messageId" not in (await report(scene, feed_id))["issues"][0]


async def test_too_many_messages_are_fatal(scene: Scene) -> None:
    """More than 25,000 messages are not one feed."""
    header = {"sellerId": scene.simulator.shop.seller, "version": "2.0"}
    feed_id = await scene.feed(msgspec.json.encode({"header": header, "messages": [0] * 25_001}))
    assert await status(scene, feed_id) == "FATAL"


async def test_dead_feeds_are_fatal(scene: Scene) -> None:
    """The inventory feeds of old are taken and end FATAL."""
    feed_id = await scene.feed(b"sku\tquantity", feed_type="POST_FLAT_FILE_INVLOADER_DATA", kind=TEXT)
    assert await status(scene, feed_id) == "FATAL"


# --- what can go wrong -----------------------------------------------------------------------------------------------


async def test_a_stuck_feed_blocks_the_next(slow: Scene) -> None:
    """A stuck feed stays IN_PROGRESS, the next one IN_QUEUE, until somebody releases them; patches pass by."""
    await slow.control("amazon/knobs", {"stuck_feeds": True})
    first = await slow.feed(listings_feed(slow, message(1, SKU, 7)))
    second = await slow.feed(listings_feed(slow, message(1, SKU, 8)))
    slow.clock.advance(86_400)
    await slow.enter()
    assert (await status(slow, first), await status(slow, second)) == ("IN_PROGRESS", "IN_QUEUE")
    await slow.patch(SKU, merge(0))
    slow.clock.advance(60)
    assert await slow.quantity(SKU) == 0
    await slow.control("amazon/knobs", {"stuck_feeds": False})
    await slow.control("amazon/feeds", {})
    assert (await status(slow, first), await status(slow, second)) == ("DONE", "DONE")


async def test_a_feed_may_overtake_a_patch(slow: Scene) -> None:
    """A feed that was sent before a patch may take effect after it."""
    await slow.feed(listings_feed(slow, message(1, SKU, 50)))
    await slow.patch(SKU, merge(0))
    slow.clock.advance(60)
    assert await slow.quantity(SKU) == 0
    for _ in range(8):
        slow.clock.advance(60)
        await slow.quantity(SKU)
    assert await slow.quantity(SKU) == 50


@pytest.mark.parametrize("end", ["FATAL", "CANCELLED"])
async def test_an_ended_feed_may_have_done_some(scene: Scene, end: str) -> None:
    """A feed that ends otherwise than DONE has applied a part."""
    await scene.control("amazon/knobs", {"feed_end": end, "feed_part": 0.5})
    feed_id = await scene.feed(listings_feed(scene, message(1, SKU, 7), message(2, OTHER, 7)))
    found = await scene.feed_status(feed_id)
    assert found["processingStatus"] == end
    assert ("resultFeedDocumentId" in found) is (end == "FATAL")
    assert [await scene.quantity(SKU) == 7, await scene.quantity(OTHER) == 7] == [True, False]


async def test_accepted_messages_can_be_lost(scene: Scene) -> None:
    """The report counts messages as accepted that are never applied."""
    await scene.control("amazon/knobs", {"lost_writes": 1.0})
    before = await scene.quantity(SKU)
    found = await report(scene, await scene.feed(listings_feed(scene, message(1, SKU, 7))))
    assert found["summary"]["messagesAccepted"] == 1
    assert await scene.quantity(SKU) == before


async def test_only_a_waiting_feed_can_be_cancelled(slow: Scene) -> None:
    """A feed IN_QUEUE is cancelled and does nothing; one that is worked on, or done, is not cancelled."""
    feed_id = await slow.feed(listings_feed(slow, message(1, SKU, 7)))
    assert (await slow.call("DELETE", f"{FEEDS}/feeds/{feed_id}")).status == 200
    slow.clock.advance(600)
    assert await status(slow, feed_id) == "CANCELLED"
    assert (await slow.call("DELETE", f"{FEEDS}/feeds/{feed_id}")).status == 400
    assert await slow.quantity(SKU) != 7


# --- files -----------------------------------------------------------------------------------------------------------


async def put(scene: Scene, url: str, **headers: str) -> int:
    async with scene.session.put(URL(url, encoded=True), data=b"{}", headers=headers) as response:
        return response.status


async def test_an_upload_is_signed_with_its_type(scene: Scene) -> None:
    """A file is put up with the content type it was announced with, without a token, and within five minutes."""
    made = await scene.call("POST", f"{FEEDS}/documents", body={"contentType": JSON})
    url = made.body["url"]
    assert await put(scene, url, **{"Content-Type": "application/json"}) == 403
    assert await put(scene, url, **{"Content-Type": JSON, "x-amz-access-token": scene.token}) == 403
    assert await put(scene, url.replace("Signature=", "Signature=x"), **{"Content-Type": JSON}) == 403
    assert await put(scene, url, **{"Content-Type": JSON}) == 200
    scene.clock.advance(301)
    assert await put(scene, url, **{"Content-Type": JSON}) == 403


async def test_a_result_can_be_read_twice(scene: Scene) -> None:
    """A result is gzip, or comes with Content-Encoding where that was asked for; each address lives five minutes."""
    feed_id = await scene.feed(listings_feed(scene, message(1, SKU, 7)))
    document = (await scene.feed_status(feed_id))["resultFeedDocumentId"]
    plain = await scene.told(f"{FEEDS}/documents/{document}")
    encoded = await scene.told(f"{FEEDS}/documents/{document}", enableContentEncodingUrlHeader="true")
    assert plain["compressionAlgorithm"] == "GZIP"
    assert "Content-Encoding" not in (await scene.download(plain["url"]))[1]
    assert (await scene.download(encoded["url"]))[1]["Content-Encoding"] == "gzip"
    scene.clock.advance(301)
    async with scene.session.get(URL(plain["url"], encoded=True)) as response:
        assert response.status == 403


async def test_a_feed_needs_its_file(scene: Scene) -> None:
    """A feed of a document that is unknown, or was not put up, is refused, as is a strange type or marketplace."""
    made = await scene.call("POST", f"{FEEDS}/documents", body={"contentType": JSON})
    good = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [MARKETPLACE]}
    empty = good | {"inputFeedDocumentId": made.body["feedDocumentId"]}
    full = good | {"inputFeedDocumentId": await scene.upload(b"{}")}
    wrong = [
        {},
        good,
        empty,
        full | {"feedType": "POST_NOTHING"},
        full | {"marketplaceIds": []},
        full | {"marketplaceIds": ["ATVPDKIKX0DER"]},
    ]
    for body in wrong:
        answer = await scene.call("POST", f"{FEEDS}/feeds", body=body)
        assert (answer.status, answer.code) == (400, "400")
    assert (await scene.call("POST", f"{FEEDS}/documents", body={})).status == 400


async def test_five_listings_feeds_in_five_minutes(scene: Scene) -> None:
    """The sixth listings feed within five minutes is too many, while other feeds still pass."""
    for number in range(5):
        await scene.feed(listings_feed(scene, message(1, SKU, number)))
    document = await scene.upload(listings_feed(scene, message(1, SKU, 9)))
    body = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [MARKETPLACE], "inputFeedDocumentId": document}
    assert (await scene.call("POST", f"{FEEDS}/feeds", body=body)).status == 429
    assert (await scene.call("POST", f"{FEEDS}/feeds", body=body | {"feedType": FLAT})).status == 202
    scene.clock.advance(60)
    assert (await scene.call("POST", f"{FEEDS}/feeds", body=body)).status == 202


async def test_unknown_feeds_and_documents_are_404(scene: Scene) -> None:
    """What was never made is not found."""
    assert (await scene.get(f"{FEEDS}/feeds/1")).status == 404
    assert (await scene.get(f"{FEEDS}/documents/1")).status == 404
    async with aiohttp.ClientSession() as session, session.get(f"{scene.url}/documents/1") as response:
        assert response.status == 403


# --- cancels of orders -----------------------------------------------------------------------------------------------


def acknowledgement(order_id: str, *items: str, reason: str = "NoInventory", seller: str = "A2SYNCDSIMULATED") -> bytes:
    rows = "".join(
        f"<Item><AmazonOrderItemCode>{item}</AmazonOrderItemCode><CancelReason>{reason}</CancelReason></Item>"
        for item in items
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AmazonEnvelope><Header><DocumentVersion>1.01</DocumentVersion>'
        f"<MerchantIdentifier>{seller}</MerchantIdentifier></Header>"
        "<MessageType>OrderAcknowledgement</MessageType><Message><MessageID>1</MessageID><OrderAcknowledgement>"
        f"<AmazonOrderID>{order_id}</AmazonOrderID><StatusCode>Failure</StatusCode>{rows}"
        "</OrderAcknowledgement></Message></AmazonEnvelope>"
    ).encode()


async def bought(scene: Scene) -> tuple[str, list[str]]:
    order_id = scene.simulator.buy([(SKU, 2), (OTHER, 1)]).order_id
    return order_id, [item["orderItemId"] for item in (await scene.order(order_id))["orderItems"]]


@pytest.mark.parametrize(("reason", "back"), [("NoInventory", 0), ("BuyerCanceled", 2)])
async def test_a_seller_cancels_by_a_feed(scene: Scene, reason: str, back: int) -> None:
    """An acknowledgement of failure cancels; units come back unless there was no inventory."""
    order_id, items = await bought(scene)
    before = await scene.quantity(SKU)
    content = acknowledgement(order_id, *items, reason=reason)
    feed_id = await scene.feed(content, feed_type=ACKNOWLEDGEMENT, kind=XML)
    assert b"<MessagesWithError>0<" in await scene.result(feed_id)
    order = await scene.order(order_id)
    assert order["fulfillment"]["fulfillmentStatus"] == "CANCELLED"
    executed = order["orderItems"][0]["cancellation"]["cancellationExecution"]
    assert executed == {"cancelledBy": "MERCHANT", "cancelReason": reason}
    assert before is not None
    assert await scene.quantity(SKU) == before + back


async def test_one_item_can_be_cancelled(scene: Scene) -> None:
    """An acknowledgement of one item leaves the others open."""
    order_id, items = await bought(scene)
    await scene.feed(acknowledgement(order_id, items[1]), feed_type=ACKNOWLEDGEMENT, kind=XML)
    order = await scene.order(order_id)
    assert order["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
    assert [item["fulfillment"]["quantityUnfulfilled"] for item in order["orderItems"]] == [2, 0]


async def test_a_flat_file_cancels_too(scene: Scene) -> None:
    """The flat file has columns for order, reason and item."""
    order_id, items = await bought(scene)
    rows = ["order-id\tcancellation-reason-code\tamazon-order-item-code"]
    rows += [f"{order_id}\tNoInventory\t{item}" for item in items]
    feed_id = await scene.feed("\n".join(rows).encode(), feed_type=FLAT, kind=TEXT)
    assert b"<MessagesWithError>0<" in await scene.result(feed_id)
    assert (await scene.order(order_id))["fulfillment"]["fulfillmentStatus"] == "CANCELLED"


async def test_a_pending_order_cannot_be_cancelled(slow: Scene) -> None:
    """A seller's cancel of a pending order, with a strange reason, or of a strange item is an error in the report."""
    slow.simulator.shop.knobs.pending_s = (9_000.0, 9_000.0)
    order_id, items = await bought(slow)
    slow.simulator.shop.knobs.pending_share = 0.0
    paid, paid_items = await bought(slow)
    tries = [
        acknowledgement(order_id, *items),
        acknowledgement(paid, *paid_items, reason="Mood"),
        acknowledgement(paid, "1"),
        acknowledgement("250-0000000-0000000", "1"),
    ]
    for content in tries:
        feed_id = await slow.feed(content, feed_type=ACKNOWLEDGEMENT, kind=XML)
        slow.clock.advance(301)
        assert b"<ResultCode>Error<" in await slow.result(feed_id)
    assert (await slow.order(paid))["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"


@pytest.mark.parametrize("content", [b"<x", b"<a/>", acknowledgement("1", "1", seller="OTHER")])
async def test_a_broken_acknowledgement_is_fatal(scene: Scene, content: bytes) -> None:
    """What is no acknowledgement of this seller ends FATAL."""
    assert await status(scene, await scene.feed(content, feed_type=ACKNOWLEDGEMENT, kind=XML)) == "FATAL"
