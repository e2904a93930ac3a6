"""The account of a Shopify shop: settings, tokens, budget, rights, subscriptions, health."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from aiohttp import web

from adapters.shopify import ShopifySettings, health, topics, wire
from adapters.shopify.channel import ShopifyChannel
from syncd.sdk.channel import Forged, RawRequest
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, TransientError
from syncd.sdk.secret import Secret
from tests.adapters.shopify_samples import DELIVERY
from tests.adapters.shopify_stub import PLACES, SHOP, TOKEN, Cut, Stub, level, page, play, refs, writes

FULL = {"shop": SHOP, "client_id": "id", "client_secret": Secret("secret")}
STATIC = {"shop": SHOP, "access_token": Secret("shpat_static")}

PROBLEMS = [
    ({}, []),
    ({"shop": ""}, ["shop"]),
    ({"shop": "example.jp"}, ["shop"]),
    ({"shop": "https://x.myshopify.com"}, ["shop"]),
    ({"shop": "x.myshopify.com.evil.jp"}, ["shop"]),
    ({"shop": "", "base_url": "http://127.0.0.1:9"}, []),
    ({"base_url": "http://example.jp"}, ["base_url"]),
    ({"base_url": "https://proxy.example.jp"}, []),
    ({"base_url": "ftp://x"}, ["base_url"]),
    ({"client_secret": Secret("")}, ["client_secret"]),
    ({"client_id": ""}, ["client_id"]),
    ({"access_token": Secret("shpat_x")}, ["access_token"]),
    ({"client_id": "", "access_token": Secret("shpat_x")}, []),
    ({"api_version": "2026-01"}, ["api_version"]),
    ({"api_version": "unstable"}, ["api_version"]),
    ({"api_version": "2026-04"}, []),
    ({"location_ids": ("gid://shopify/Location/7", "8")}, []),
    ({"location_ids": ("Tokyo", "0")}, ["location_ids", "location_ids"]),
    ({"order_overlap_s": -1.0}, ["order_overlap_s"]),
    ({"shop": "x", "client_id": "", "api_version": ""}, ["shop", "client_id", "api_version"]),
]


@pytest.mark.parametrize(("changes", "expected"), PROBLEMS)
def test_problems_are_named_all_at_once(changes: dict[str, Any], expected: list[str]) -> None:
    """Everything wrong in the settings is named at once, each with its key and a remedy."""
    found = ShopifySettings(**{**FULL, **changes}).problems()
    assert [problem.place for problem in found] == [f"settings.{key}" for key in expected]
    assert all(problem.remedy for problem in found)


def test_secrets_do_not_show() -> None:
    """The settings of a shop print without its secrets."""
    shown = repr(ShopifySettings(**{**FULL, "old_client_secret": Secret("older")}))
    assert "secret'" not in shown.replace("client_secret", "")
    assert "older" not in shown


# --- tokens ------------------------------------------------------------------------------------------------------

LEVELS = {"nodes": [level(1, 5)]}


async def read(stub: Stub, channel: ShopifyChannel) -> str:
    """Make one request and return the token that it was made with."""
    await channel.seen(refs(1))
    return stub.requests[-1].headers["X-Shopify-Access-Token"]


def test_one_token_serves_all() -> None:
    """Requests made at once share one token, which is asked for once."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", LEVELS)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(read(stub, channel))
        assert stub.token_requests == 1

    play(scene)


def test_token_is_renewed_before_it_ends() -> None:
    """A token is used for four fifths of its life."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", LEVELS)
        assert await read(stub, channel) == f"{TOKEN}1"
        await asyncio.sleep(86_399 * 0.79)
        assert await read(stub, channel) == f"{TOKEN}1"
        await asyncio.sleep(86_399 * 0.02)
        assert await read(stub, channel) == f"{TOKEN}2"

    play(scene)


def test_refused_token_is_renewed_once() -> None:
    """A token that is refused is renewed, once for all that were refused together."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", LEVELS)
        await read(stub, channel)
        stub.refused_tokens = {f"{TOKEN}1"}
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(read(stub, channel))
        assert stub.token_requests == 2

    play(scene)


def test_shop_that_refuses_every_token_is_told() -> None:
    """When a new token is refused as well, a person must act; there is no third try."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.refused_tokens = {f"{TOKEN}1", f"{TOKEN}2", f"{TOKEN}3"}
        with pytest.raises(AuthError):
            await read(stub, channel)
        assert (stub.token_requests, len(stub.requests)) == (2, 2)

    play(scene)


def test_fixed_token_is_used_as_it_is() -> None:
    """A fixed token is never renewed, and its refusal is told at once."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", LEVELS)
        assert await read(stub, channel) == "shpat_static"
        stub.refused_tokens = {"shpat_static"}
        with pytest.raises(AuthError, match="access_token"):
            await read(stub, channel)
        assert stub.token_requests == 0

    play(scene, client_id="", access_token=Secret("shpat_static"))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, '{"error":"invalid_client"}', "client_secret is wrong"),
        (400, "<html>Oauth error invalid_client: no</html>", "client_secret is wrong"),
        (400, '{"error":"shop_not_permitted"}', "another organisation"),
        (403, '{"error":"app_not_installed"}', "not installed"),
        (404, "", "check shop"),
    ],
)
def test_refused_credentials_say_what_to_mend(status: int, body: str, words: str) -> None:
    """A refusal of the credentials tells what to mend."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.tokens = [web.Response(status=status, text=body)]
        with pytest.raises(AuthError, match=words):
            await read(stub, channel)

    play(scene)


@pytest.mark.parametrize("body", ["", "{}", '{"access_token":""}', '{"access_token":"shpat_leaked123', "<html>"])
def test_grant_that_is_none_is_not_shown(body: str) -> None:
    """An answer without a usable token is not understood, and nothing of it is shown."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.tokens = [web.Response(text=body)]
        with pytest.raises(ProtocolError) as failed:
            await read(stub, channel)
        assert "leaked" not in str(failed.value) + failed.value.sample

    play(scene)


def test_missing_token_is_no_doubt_about_a_write() -> None:
    """A write for which no token came was certainly not sent."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.tokens = [web.Response(status=503)]
        with pytest.raises(TransientError) as failed:
            await channel.push(writes(1))
        assert not failed.value.sent
        stub.tokens = [Cut(), web.Response(status=429)]
        with pytest.raises(RateLimited) as limited:
            await channel.push(writes(1))
        assert not limited.value.sent
        stub.tokens = [web.Response(text="{}")]
        with pytest.raises(ProtocolError):
            await channel.push(writes(1))
        assert stub.requests == []

    play(scene)


# --- budget ------------------------------------------------------------------------------------------------------


def spent(available: float, *, requested: float = 3) -> dict[str, Any]:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 50.0}
    cost = {"requestedQueryCost": requested, "actualQueryCost": requested, "throttleStatus": status}
    return {"data": LEVELS, "extensions": {"cost": cost}}


def test_reads_leave_room_for_writes() -> None:
    """What Shopify says is left is believed: reads wait while less than the share of writes is there."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", spent(500.0))
        await channel.seen(refs(1))
        began_s = asyncio.get_running_loop().time()
        await channel.seen(refs(1))
        assert asyncio.get_running_loop().time() - began_s == pytest.approx((600 + 3 - 500) / 50, abs=0.1)
        assert channel.push_delay_s() == 0.0

    play(scene)


def test_cost_of_a_document_is_learned() -> None:
    """The price of a document is what its last answer said."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", spent(1000.0, requested=500))
        await channel.seen(refs(1))
        began_s = asyncio.get_running_loop().time()
        await channel.seen(refs(1))
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(100 / 50, abs=0.1)

    play(scene)


def test_read_is_tried_again_by_itself() -> None:
    """A reading survives a cut connection, and an inner fault of Shopify is due later."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", Cut(), LEVELS)
        assert len(await channel.seen(refs(1))) == 1
        fault = {"errors": [{"message": "x", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}
        stub.says("SyncdInventoryLevels", fault)
        with pytest.raises(TransientError):
            await channel.seen(refs(1))

    play(scene)


def test_redirect_is_not_followed() -> None:
    """An alias of the shop that redirects is refused, so that no token goes elsewhere."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says(
            "SyncdInventoryLevels", lambda _: web.Response(status=301, headers={"Location": "http://127.0.0.1/x"})
        )
        with pytest.raises(ProtocolError, match="points to"):
            await channel.seen(refs(1))
        assert len(stub.requests) == 1

    play(scene)


# --- subscriptions and health ------------------------------------------------------------------------------------

URL = "https://sync.example.jp/webhooks/shopify"
SCOPES = sorted({scope for topic in topics.TOPICS for scope in topic.scopes} | {"write_inventory"})


def installation(scopes: list[str]) -> dict[str, Any]:
    return {"id": "gid://shopify/AppInstallation/1", "accessScopes": [{"handle": scope} for scope in scopes]}


def test_subscriptions_are_restored() -> None:
    """Missing topics are made, ours at another address are deleted first, refused ones are reported."""
    stale = {
        "id": "gid://shopify/WebhookSubscription/1",
        "topic": "ORDERS_CREATE",
        "uri": "https://old.example.jp",
        "format": "JSON",
        "includeFields": [],
        "name": "syncd-orders-create",
    }

    def create(variables: dict[str, Any]) -> dict[str, Any]:
        refused = [{"message": "no", "field": None}] if variables["topic"] == "PRODUCTS_DELETE" else []
        return {"webhookSubscriptionCreate": {"webhookSubscription": None, "userErrors": refused}}

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdScopes", {"currentAppInstallation": installation(SCOPES)})
        stub.says("SyncdWebhooks", {"webhookSubscriptions": page([stale])})
        stub.says(
            "SyncdWebhookDelete", {"webhookSubscriptionDelete": {"deletedWebhookSubscriptionId": "x", "userErrors": []}}
        )
        stub.says("SyncdWebhookCreate", create)
        report = await channel.subscribe(URL)
        assert report.failed == ("products/delete",)
        assert len(report.restored) == len(topics.TOPICS) - 1
        names = [request.name for request in stub.requests]
        assert names.index("SyncdWebhookDelete") < names.index("SyncdWebhookCreate")
        assert {request.variables["sub"]["uri"] for request in stub.of("SyncdWebhookCreate")} == {URL}

    play(scene)


VERSIONS = [{"handle": "2026-07", "supported": True}, {"handle": "2026-10", "supported": True}]


def healthy(**changes: Any) -> dict[str, Any]:
    return {
        "shop": {"id": "gid://shopify/Shop/1", "myshopifyDomain": SHOP},
        "currentAppInstallation": installation(SCOPES),
        "publicApiVersions": VERSIONS,
        **changes,
    }


LEAST = ["write_inventory", "read_orders", "read_products", "read_locations"]

ADVICE = [
    ({}, {}, []),
    ({"shop": {"id": "x", "myshopifyDomain": "canonical.myshopify.com"}}, {}, ["canonical.myshopify.com"]),
    ({"publicApiVersions": VERSIONS[:1]}, {}, ["2026-07"]),
    ({"currentAppInstallation": installation(SCOPES[:-1])}, {}, ["write_inventory"]),
    ({"currentAppInstallation": installation(LEAST)}, {}, ["read_fulfillments", "read_returns"]),
    ({}, {"read_all_orders": True}, ["read_all_orders"]),
    ({}, {"private_sales": True}, ["write_draft_orders"]),
    ({}, {"location_ids": ("77",)}, ["77"]),
    ({}, {"location_ids": ("2",)}, ["not active"]),
    ({}, {"location_ids": ("4",)}, ["fulfilment service"]),
    ({}, {"client_id": "", "client_secret": Secret(""), "access_token": Secret("shpat_x")}, ["client_secret"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "settings", "words"), ADVICE)
def test_health_says_what_to_mend(changes: dict[str, Any], settings: dict[str, Any], words: list[str]) -> None:
    """Each thing to mend is one sentence, and a shop in order has none."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdHealth", healthy(**changes))
        stub.says("SyncdLocations", {"locations": page(PLACES)})
        found = await channel.check()
        assert len(found) == len(words), found
        assert all(word in sentence for word, sentence in zip(words, found, strict=True))

    play(scene, **{"location_ids": ("1",), **settings})


def test_health_needs_no_right_to_locations() -> None:
    """Without the right to locations the check tells just that."""
    denied = {"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}], "data": None}

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        scopes = [scope for scope in SCOPES if scope != "read_locations"]
        stub.says("SyncdHealth", healthy(currentAppInstallation=installation(scopes)))
        stub.says("SyncdLocations", denied)
        (sentence,) = await channel.check()
        assert "read_locations" in sentence

    play(scene)


@pytest.mark.parametrize(("day", "told"), [("2027-08-01", False), ("2027-08-03", True), ("2027-11-01", True)])
def test_end_of_a_version_is_told_ahead(day: str, told: bool) -> None:
    """Two months before Shopify ends a version, and after, the check tells the day."""
    sentences = health.advice(
        msgspec.convert(healthy(), wire.HealthData),
        settings=ShopifySettings(**FULL, location_ids=("1",)),
        places=None,
        doubles=(),
        versions=(),
        now=wire.instant(f"{day}T00:00:00Z"),
    )
    assert [("2027-10-01" in sentence) for sentence in sentences] == ([True] if told else [])


def test_other_version_is_noted() -> None:
    """An answer or a webhook of another version than the one asked for is told by the next check."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdHealth", healthy())
        stub.says("SyncdLocations", {"locations": page(PLACES)})
        stub.answered_version = "2027-01"
        channel.parse(RawRequest(headers={"x-shopify-topic": "x/y", "x-shopify-api-version": "2026-07"}, body=b"{}"))
        (sentence,) = await channel.check()
        assert "2026-07, 2027-01" in sentence

    play(scene, location_ids=("1",))


def test_channel_verifies_by_its_settings() -> None:
    """The open channel takes deliveries for its own shop and secrets only."""

    async def scene(_: Stub, channel: ShopifyChannel) -> None:
        channel.verify(DELIVERY)
        with pytest.raises(Forged):
            channel.verify(RawRequest(headers=DELIVERY.headers, body=b"{}"))

    play(
        scene,
        shop="example-jp.myshopify.com",
        client_secret=Secret("new"),
        old_client_secret=Secret("shpss_test_secret"),
    )
