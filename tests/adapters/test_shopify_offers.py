"""Private sales of a Shopify shop: what is asked, what the answers mean, and the orders that come of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from adapters.shopify import payloads, topics, webhooks
from adapters.shopify.channel import ShopifyChannel
from adapters.shopify.draft_orders import Attribute, DraftNode, offer_of
from adapters.shopify.webhooks import Knowledge
from syncd.core.terms import SECOND_US
from syncd.sdk.channel import ListingRef
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, RejectedError, TransientError
from syncd.sdk.features import Offer, OfferRequest, PrivateSale, Withdrawal, Withdrawn
from syncd.testing.trade import CANARY_LINK
from tests.adapters import shopify_stage
from tests.adapters.shopify_samples import ORDER, request
from tests.adapters.shopify_stub import Answer, Cut, Stub, play
from tests.adapters.test_shopify_webhooks import KNOWN

LINK = "https://stub.example/invoices/secret"
REQUEST = OfferRequest(
    key="abc123", ref=ListingRef(remote_id="501", remote_location="9"), quantity=2, until=7_200_000_000
)
ITEM: Answer = {
    "inventoryItem": {"id": "gid://shopify/InventoryItem/501", "variants": {"nodes": [{"id": "gid://v/301"}]}}
}
ERROR = {"field": ["lineItems"], "message": "is not published"}


def draft(**changes: Any) -> dict[str, Any]:
    attributes = [{"key": "gift", "value": "for my love"}, {"key": "syncd_offer", "value": "abc123"}]
    return {
        "id": "gid://shopify/DraftOrder/77",
        "status": "OPEN",
        "invoiceUrl": LINK,
        "customAttributes": attributes,
        "order": None,
        **changes,
    }


def created(node: dict[str, Any] | None, *errors: dict[str, Any]) -> Answer:
    return {"draftOrderCreate": {"draftOrder": node, "userErrors": list(errors)}}


def deleted(*errors: dict[str, Any]) -> Answer:
    gone = None if errors else "gid://shopify/DraftOrder/77"
    return {"draftOrderDelete": {"deletedId": gone, "userErrors": list(errors)}}


def ask(scene: Callable[[Stub, ShopifyChannel], Any], **answers: Any) -> None:
    async def whole(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdItemVariant", ITEM)
        for name, found in answers.items():
            stub.says(f"Syncd{name}", *(found if isinstance(found, list) else [found]))
        await scene(stub, channel)

    play(whole, private_sales=True)


def test_a_draft_says_what_is_sold_and_nothing_of_a_person() -> None:
    """A private sale is a draft of the item's variant, reserved until its time, found again by tag and attribute."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        assert isinstance(channel, PrivateSale)
        assert channel.sells_privately
        assert await channel.make_offer(REQUEST) == Offer(offer_id="77", link=LINK)
        (sent,) = stub.of("SyncdDraftOrderCreate")
        assert sent.variables == {
            "input": {
                "lineItems": [{"variantId": "gid://v/301", "quantity": 2}],
                "reserveInventoryUntil": "1970-01-01T02:00:00Z",
                "tags": ["syncd-abc123"],
                "customAttributes": [{"key": "syncd_offer", "value": "abc123"}],
            }
        }

    ask(scene, DraftOrderCreate=created(draft()))


THROTTLED: Answer = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
INTERNAL: Answer = {"data": None, "errors": [{"message": "x", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}
DENIED: Answer = {"data": None, "errors": [{"message": "x", "extensions": {"code": "ACCESS_DENIED"}}]}
HTML = web.Response(text="<html></html>", content_type="text/html")


@pytest.mark.parametrize(
    ("answer", "kind", "sent"),
    [
        (created(None, ERROR), RejectedError, None),
        (created(draft(invoiceUrl=None)), TransientError, True),
        ({"draftOrderCreate": None}, ProtocolError, None),
        (THROTTLED, RateLimited, False),
        (DENIED, AuthError, None),
        (INTERNAL, TransientError, True),
        (HTML, TransientError, True),
        (Cut(), TransientError, True),
    ],
)
def test_an_answer_that_is_none_is_not_asked_for_again(
    answer: Answer,
    kind: type[Exception],
    sent: bool | None,
) -> None:
    """The request goes out once, and the error says whether the draft may be there all the same."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        with pytest.raises(kind) as raised:
            await channel.make_offer(REQUEST)
        assert LINK not in str(raised.value)
        assert getattr(raised.value, "sent", None) is sent
        assert len(stub.of("SyncdDraftOrderCreate")) == 1

    ask(scene, DraftOrderCreate=[answer, created(draft())])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"inventoryItem": None}, RejectedError),
        ({"inventoryItem": {"id": "gid://shopify/InventoryItem/501", "variants": {"nodes": []}}}, RejectedError),
        (Cut(), TransientError),
    ],
)
def test_without_a_variant_nothing_is_made(answer: Answer, kind: type[Exception]) -> None:
    """An item that nobody sells is refused; one that could not be looked up was certainly not sent."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdItemVariant", answer)
        with pytest.raises(kind) as raised:
            await channel.make_offer(REQUEST)
        assert getattr(raised.value, "sent", False) is False
        assert stub.of("SyncdDraftOrderCreate") == []

    ask(scene)


def test_one_is_found_by_its_own_key_alone() -> None:
    """The search matches loosely: a draft that bears another key is not it."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        assert await channel.find_offer("abc123") == Offer(offer_id="77", link=LINK)
        assert await channel.find_offer("abc1234") is None
        assert stub.of("SyncdDraftOrders")[0].variables == {"query": "tag:'syncd-abc123'"}

    nodes = [draft(id="gid://shopify/DraftOrder/78", customAttributes=[]), draft()]
    ask(scene, DraftOrders={"draftOrders": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}})


ORDERED = {"id": "gid://shopify/Order/900"}
BOUGHT = Withdrawn(end=Withdrawal.BOUGHT, order_id="900")


@pytest.mark.parametrize(
    ("drafts", "delete", "end", "deletes"),
    [
        ([draft()], deleted(), Withdrawn(end=Withdrawal.WITHDRAWN), 1),
        ([None], deleted(), Withdrawn(end=Withdrawal.GONE), 0),
        ([draft(status="COMPLETED", order=ORDERED)], deleted(), BOUGHT, 0),
        ([draft(), None], deleted(ERROR), Withdrawn(end=Withdrawal.WITHDRAWN), 1),
        ([draft(), draft(status="COMPLETED", order=ORDERED)], deleted(ERROR), BOUGHT, 1),
    ],
)
def test_a_draft_is_deleted_unless_it_is_paid(drafts: list[Any], delete: Answer, end: Withdrawn, deletes: int) -> None:
    """What is paid stays, also when it was paid in the last moment."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        assert await channel.withdraw_offer("77") == end
        assert len(stub.of("SyncdDraftOrderDelete")) == deletes

    ask(scene, DraftOrder=[{"draftOrder": one} for one in drafts], DraftOrderDelete=delete)


def test_a_draft_that_stays_is_told() -> None:
    """A draft that Shopify does not delete, and an id that is none, are refused with the reason."""

    async def scene(_: Stub, channel: ShopifyChannel) -> None:
        with pytest.raises(RejectedError, match="is not published"):
            await channel.withdraw_offer("77")
        with pytest.raises(RejectedError):
            await channel.withdraw_offer("../77")

    ask(scene, DraftOrder={"draftOrder": draft()}, DraftOrderDelete=deleted(ERROR))


def test_nothing_of_a_draft_is_printed() -> None:
    """A draft shows neither its link nor what a customer wrote."""
    gift = Attribute(key="gift", value="for my love")
    node = DraftNode(id="1", status="OPEN", invoice_url=LINK, custom_attributes=[gift])
    assert LINK not in repr(node)
    assert "love" not in repr(node.custom_attributes) + repr(payloads.NotePayload(name="gift", value="for my love"))
    assert offer_of(node.custom_attributes) == ""


# --- orders ------------------------------------------------------------------------------------------------------

OFFERS = Knowledge(variants=KNOWN.variants, locations=KNOWN.locations, now=KNOWN.now, offers=True)
NOTES = [{"name": "gift", "value": {"to": "my love"}}, {"name": "syncd_offer", "value": "abc123"}]


@pytest.mark.parametrize(("notes", "offer"), [(NOTES, "abc123"), (NOTES[:1], ""), ([], "")])
def test_a_webhook_states_the_private_sale(notes: list[Any], offer: str) -> None:
    """Of the attributes of an order ours alone is kept."""
    found = webhooks.parse(request("orders/create", {**ORDER, "note_attributes": notes}), OFFERS)
    assert [order.offer for order in found.orders] == [offer]
    assert "love" not in repr(found)


def test_a_webhook_without_attributes_is_read() -> None:
    """Where orders may come of private sales, one that does not tell is fetched; elsewhere it is taken as it is."""
    assert webhooks.parse(request("orders/create", ORDER), OFFERS).order_ids == (str(ORDER["id"]),)
    assert len(webhooks.parse(request("orders/create", ORDER), KNOWN).orders) == 1


def test_attributes_are_asked_for_only_where_they_are_needed() -> None:
    """A shop without private sales is sent no attribute of an order, whose customer may have written it."""
    told = {topic.name: topic.fields for topic in topics.TOPICS}
    private = {topic.name: topic.fields for topic in topics.TOPICS_AND_OFFERS}
    assert "note_attributes" not in told["orders/create"]
    assert set(private["orders/create"]) - set(told["orders/create"]) == {"note_attributes"}
    assert told.keys() == private.keys()


def test_feed_fetch_and_webhook_agree_on_the_private_sale() -> None:
    """On the simulated shop an order that was paid by its link states the key wherever it is told, and nothing more."""

    async def scene(stage: shopify_stage.Stage) -> None:
        ref = await stage.ref("SKU-00001")
        await stage.channel.subscribe(shopify_stage.INBOX)
        _, cursor = await stage.feed(None)
        until = stage.shop.clock.now() + 3_600 * SECOND_US
        made = await stage.channel.make_offer(OfferRequest(key="abc123", ref=ref, quantity=2, until=until))
        bought = stage.shop.pay_offer(made.offer_id)
        await asyncio.sleep(30)
        told = [order for notice in stage.notices() for order in notice.orders]
        found, _ = await stage.feed(cursor)
        fetched = await stage.channel.fetch([bought.order_id])
        assert {order.offer for order in (*told, *found, *fetched)} == {"abc123"}
        assert min(len(told), len(found), len(fetched)) >= 1
        everything = json.dumps([repr(order) for order in (*told, *found, *fetched)])
        assert not [canary for canary in (*stage.shop.canaries, CANARY_LINK) if canary in everything]
        level = next(iter(stage.shop.shop.goods.by_sku["SKU-00001"][0].levels.values()))
        assert (level.committed, level.quantity("reserved")) == (2, 0)

    shopify_stage.play(scene, private_sales=True)
