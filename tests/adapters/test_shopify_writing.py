"""The open channel against a stand-in: opening, and writes under faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from adapters.shopify.channel import ShopifyChannel
from adapters.shopify.graphql import WRITE_TOTAL_S
from syncd.sdk.channel import (
    BulkSeen,
    Channel,
    Health,
    ListingRef,
    OutcomeKind,
    Paced,
    Webhooks,
    Write,
)
from syncd.sdk.errors import AuthError, ConfigError, ProtocolError, RateLimited, TransientError
from syncd.sdk.secret import Secret
from syncd.testing.loop import run_virtual
from tests.adapters.shopify_stub import Cut, Scene, Stub, level, opened, play, refs, writes

DONE: dict[str, Any] = {"inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": []}}
APPLIED, OPEN, UNSENT = OutcomeKind.APPLIED, OutcomeKind.INDETERMINATE, OutcomeKind.UNSENT


def kinds(outcomes: Any) -> list[OutcomeKind]:
    return [outcome.kind for outcome in outcomes]


def test_channel_has_its_features() -> None:
    """The open channel has every feature that Shopify offers."""

    async def scene(_: Stub, channel: ShopifyChannel) -> None:
        plain: Channel = channel
        assert plain.profile.api_version == "2026-10"
        for feature in (Webhooks, Paced, BulkSeen, Health):
            assert isinstance(channel, feature)

    play(scene)


def test_opening_sends_nothing() -> None:
    """Opening a shop makes no request at all."""

    async def scene(_: Stub, __: ShopifyChannel) -> None:
        await asyncio.sleep(60)

    stub = play(scene)
    assert (stub.requests, stub.token_requests) == ([], 0)


def test_bad_settings_do_not_open() -> None:
    """Opening with settings that cannot work names every problem."""

    async def main() -> None:
        stub = Stub(base_url="http://127.0.0.1:1")
        with pytest.raises(ConfigError) as refused:
            async with opened(stub, shop="shop.example.jp", client_id="", location_ids=("x",)):
                pass
        assert len(refused.value.problems) == 3

    run_virtual(main)


# --- writing -----------------------------------------------------------------------------------------------------


def push_scene(expected: list[OutcomeKind], *, requests: int) -> Scene:
    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        assert kinds(await channel.push(writes(1, 2))) == expected
        sent = stub.of("SyncdInventorySet")
        assert len(sent) == requests
        assert len({request.body for request in sent}) == 1

    return scene


BUSY = {
    "data": {"inventorySetQuantities": {"userErrors": [{"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "message": "x"}]}}
}

THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 10,
            "actualQueryCost": None,
            "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 0.5, "restoreRate": 2.0},
        }
    },
}

FAULTS = [
    ([DONE], [APPLIED, APPLIED], 1),
    ([Cut(), DONE], [APPLIED, APPLIED], 2),
    ([Cut(), Cut(), DONE], [APPLIED, APPLIED], 3),
    ([Cut()], [OPEN, OPEN], 3),
    ([lambda _: web.Response(status=502), DONE], [APPLIED, APPLIED], 2),
    ([lambda _: web.Response(status=503)], [OPEN, OPEN], 3),
    ([Cut(), BUSY], [OPEN, OPEN], 2),
    ([Cut(), THROTTLED], [OPEN, OPEN], 2),
    ([lambda _: web.Response(text="<html>busy</html>", content_type="text/html")], [OPEN, OPEN], 1),
    ([Cut(), lambda _: web.Response(status=403)], [OPEN, OPEN], 2),
    ([Cut(), lambda _: web.Response(status=429)], [OPEN, OPEN], 2),
    ([Cut(), lambda _: web.Response(status=401)], [OPEN, OPEN], 3),
    ([Cut(), lambda _: web.Response(status=401), DONE], [APPLIED, APPLIED], 3),
    ([lambda _: web.Response(status=401), DONE], [APPLIED, APPLIED], 2),
    ([lambda _: web.Response(status=401), Cut()], [OPEN, OPEN], 4),
    ([Cut(), lambda _: web.Response(status=401), lambda _: web.Response(status=403)], [OPEN, OPEN], 3),
]


@pytest.mark.parametrize(("answers", "expected", "requests"), FAULTS)
def test_write_under_faults(answers: list[Any], expected: list[OutcomeKind], requests: int) -> None:
    """Every try of a write is the same bytes, and what is not known for certain is never said to be."""
    stub = Stub()
    stub.says("SyncdInventorySet", *answers)
    play(push_scene(expected, requests=requests), stub=stub)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda _: web.Response(status=403), AuthError),
        (lambda _: web.Response(status=404), ProtocolError),
        (lambda _: web.Response(status=429, headers={"Retry-After": "2.0"}), RateLimited),
        (THROTTLED, RateLimited),
        ({"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}], "data": None}, AuthError),
        ({"errors": [{"message": "no", "extensions": {"code": "BAD_REQUEST"}}], "data": None}, ProtocolError),
    ],
)
def test_refused_write_raises_once(answer: Any, expected: type[Exception]) -> None:
    """A write that was refused as a whole raises at once what follows, and is not tried again."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventorySet", answer)
        with pytest.raises(expected):
            await channel.push(writes(1))
        assert len(stub.of("SyncdInventorySet")) == 1

    play(scene)


def test_throttled_write_says_when() -> None:
    """A throttled write tells the wait by the bucket, and a push before that is refused without a request."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventorySet", THROTTLED, DONE)
        assert channel.push_delay_s() == 0.0
        with pytest.raises(RateLimited) as refused:
            await channel.push(writes(1))
        assert refused.value.retry_after_s == pytest.approx(4.75)
        assert channel.push_delay_s() == pytest.approx(4.75, abs=0.1)
        with pytest.raises(RateLimited):
            await channel.push(writes(1))
        assert len(stub.requests) == 1
        await asyncio.sleep(channel.push_delay_s())
        assert kinds(await channel.push(writes(1))) == [APPLIED]

    play(scene)


def test_unreachable_shop_is_certainly_not_written() -> None:
    """Where no connection comes about the write raises as not sent."""

    async def main() -> None:
        stub = Stub(base_url="http://127.0.0.1:8080")
        async with opened(stub, client_id="", access_token=Secret("shpat_x")) as channel:
            with pytest.raises(TransientError) as failed:
                await channel.push(writes(1))
            assert not failed.value.sent

    run_virtual(main)


def test_silent_shop_leaves_the_write_open() -> None:
    """A shop that never answers leaves the rows open, within the time that the profile promises."""

    async def silence(_: Any) -> Any:
        await asyncio.sleep(3_600)

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventorySet", silence)
        began_s = asyncio.get_running_loop().time()
        assert kinds(await channel.push(writes(1))) == [OPEN]
        took_s = asyncio.get_running_loop().time() - began_s
        assert took_s <= WRITE_TOTAL_S + 1 < channel.profile.effect_delay_s

    play(scene)


def test_foreign_rows_are_refused_and_the_rest_is_sent() -> None:
    """A row without a Shopify item, or at a location that was not chosen, is refused without being sent."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventorySet", DONE)
        rows = [*writes(1), *writes(2, location="8"), Write(key="k", ref=ListingRef(remote_id="x"), quantity=1)]
        found = await channel.push(rows)
        assert kinds(found) == [APPLIED, OutcomeKind.REJECTED, OutcomeKind.REJECTED]
        (sent,) = stub.of("SyncdInventorySet")
        assert len(sent.variables["input"]["quantities"]) == 1

    play(scene)


def test_inactive_level_is_not_written() -> None:
    """A level that was read as not active is refused with what to do, until it is read as active."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventorySet", DONE)
        stub.says("SyncdInventoryLevels", {"nodes": [level(1, 7, active=False)]}, {"nodes": [level(1, 7)]})
        (seen,) = await channel.seen(refs(1))
        assert (seen.quantity, seen.active) == (7, False)
        (outcome,) = await channel.push(writes(1))
        assert (outcome.kind, stub.of("SyncdInventorySet")) == (OutcomeKind.REJECTED, [])
        assert "activate_levels" in outcome.reason
        await channel.seen(refs(1))
        assert kinds(await channel.push(writes(1))) == [APPLIED]

    play(scene)


def test_inactive_level_is_stocked_where_allowed() -> None:
    """With activate_levels the level is stocked without a quantity, and its row comes again after a reading."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventorySet", DONE)
        stub.says("SyncdInventoryActivate", {"inventoryActivate": {"inventoryLevel": None, "userErrors": []}})
        stub.says("SyncdInventoryLevels", {"nodes": [level(1, 7, active=False), level(2, 3)]})
        await channel.seen(refs(1, 2))
        assert kinds(await channel.push(writes(1, 2))) == [UNSENT, APPLIED]
        (sent,) = stub.of("SyncdInventoryActivate")
        assert sorted(sent.variables) == ["idempotencyKey", "inventoryItemId", "locationId"]
        assert kinds(await channel.push(writes(1, 2))) == [APPLIED, APPLIED]

    play(scene, activate_levels=True)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"inventoryActivate": {"inventoryLevel": None, "userErrors": [{"message": "no"}]}}, OutcomeKind.REJECTED),
        (lambda _: web.Response(status=503), UNSENT),
    ],
)
def test_failed_stocking_holds_only_its_row(answer: Any, expected: OutcomeKind) -> None:
    """A level that cannot be stocked holds its own row, the others are written."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventorySet", DONE)
        stub.says("SyncdInventoryActivate", answer)
        stub.says("SyncdInventoryLevels", {"nodes": [level(1, 7, active=False), level(2, 3)]})
        await channel.seen(refs(1, 2))
        assert kinds(await channel.push(writes(1, 2))) == [expected, APPLIED]

    play(scene, activate_levels=True)
