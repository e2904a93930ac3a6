"""Writing to Amazon, tokens and budgets, on a stand-in that says what each test needs."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from aiohttp import web

from adapters.amazon import AmazonSettings
from adapters.amazon.channel import AmazonChannel
from syncd.sdk.channel import BulkSeen, Health, ListingRef, OutcomeKind, Paced, Webhooks, Write
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, RejectedError, TransientError
from syncd.sdk.features import AccountHealth, Batches, Cancels, KeyExpiry, LateOutcomes, Notices, ShipDates
from syncd.sdk.secret import Secret
from syncd.testing.loop import running
from tests.adapters.amazon_stub import (
    LISTINGS,
    SELLER,
    Cut,
    Stub,
    accepted,
    every,
    found,
    invalid,
    item,
    order,
    play,
    refused,
    stocked,
    throttled,
    writes,
)


def ready(**answers: Any) -> Stub:
    stub = Stub()
    stub.says("searchListingsItems", every)
    stub.says("patchListingsItem", accepted)
    for name, answer in answers.items():
        stub.says(name, *(answer if isinstance(answer, list) else [answer]))
    return stub


async def kinds(channel: AmazonChannel, *skus: str, quantity: int = 1) -> list[OutcomeKind]:
    return [outcome.kind for outcome in await channel.push(writes(*skus, quantity=quantity))]


def test_patch_is_what_amazon_wants() -> None:
    """A patch goes to the encoded SKU, merges the quantity, names the type and who asks."""

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        assert await kinds(channel, "赤/1 +%", quantity=7) == [OutcomeKind.ACCEPTED]
        (request,) = stub.of("patchListingsItem")
        assert request.path == f"{LISTINGS}/{SELLER}/%E8%B5%A4%2F1%20%2B%25"
        assert request.query == {"marketplaceIds": "A1VC38T7YXB528", "issueLocale": "ja_JP", "includedData": "issues"}
        assert request.json["productType"] == "LUGGAGE"
        (patch,) = request.json["patches"]
        assert patch["op"] == "merge"
        assert patch["value"] == [{"fulfillment_channel_code": "DEFAULT", "quantity": 7}]
        agent = request.headers["user-agent"]
        assert agent.startswith("syncd/")
        assert "Language=Python" in agent
        assert request.headers["x-amz-access-token"] == "Atza|stub-refresh_token-1"

    play(scene, stub=ready())


def test_each_row_has_its_own_end() -> None:
    """Refused, unclear and throttled rows end each for itself, in order, and harm no other."""
    answers = [invalid(), refused(400, "InvalidInput"), {"sku": "C", "status": "WHAT"}, throttled(), accepted]

    async def scene(_: Stub, channel: AmazonChannel) -> None:
        outcomes = await channel.push(writes("A", "B", "C", "D", "E"))
        assert [outcome.key for outcome in outcomes] == [f"key-{sku}" for sku in "ABCDE"]
        assert sorted(outcome.kind for outcome in outcomes) == sorted(
            [
                OutcomeKind.REJECTED,
                OutcomeKind.REJECTED,
                OutcomeKind.INDETERMINATE,
                OutcomeKind.UNSENT,
                OutcomeKind.ACCEPTED,
            ]
        )

    play(scene, stub=ready(patchListingsItem=answers))


def test_unknown_and_amazons_listings_are_refused_without_a_patch() -> None:
    """A SKU that is not there, and one that Amazon fulfils, are rejected; nothing is sent for them."""

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        assert await kinds(channel, "A", "NO", "FBA") == [
            OutcomeKind.ACCEPTED,
            OutcomeKind.REJECTED,
            OutcomeKind.REJECTED,
        ]
        assert [request.path.rpartition("/")[2] for request in stub.of("patchListingsItem")] == ["A"]
        await kinds(channel, "A")
        assert len(stub.of("searchListingsItems")) == 1

    listed = found(item("A", 5), item("FBA", None, channel="AMAZON_JP"))
    play(scene, stub=ready(searchListingsItems=listed))


def test_sku_with_a_comma_is_read_by_itself() -> None:
    """A SKU that a list cannot hold is read alone, gone ones included."""
    stub = ready(getListingsItem=[item("A,B", 4), refused(404, "NOT_FOUND")], searchListingsItems=stocked(C=3))

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        seen = await channel.seen([ListingRef(remote_id=sku) for sku in ("A,B", "C", "D")])
        assert [one.quantity for one in seen] == [4, 3, None]
        (gone,) = await channel.seen([ListingRef(remote_id="X,Y")])
        assert gone.quantity is None
        assert [request.path.rpartition("/")[2] for request in stub.of("getListingsItem")] == ["A%2CB", "X%2CY"]
        assert stub.of("searchListingsItems")[0].query["identifiers"] == "C,D"

    play(scene, stub=stub)


def test_reading_asks_for_twenty_at_a_time() -> None:
    """A hundred listings are five searches of twenty."""

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        seen = await channel.seen([ListingRef(remote_id=f"S{number}") for number in range(channel.profile.max_seen)])
        assert [one.ref.remote_id for one in seen] == [f"S{number}" for number in range(100)]
        assert [request.query["identifiers"].count(",") for request in stub.of("searchListingsItems")] == [19] * 5

    play(scene, stub=ready())


def test_full_push_keeps_to_the_limit() -> None:
    """A full push is five patches at once and five a second, and ends long before the profile's delay."""

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        assert channel.push_delay_s() == 0.0
        skus = [f"S{number}" for number in range(channel.profile.max_push)]
        began_s = running().time()
        assert set(await kinds(channel, *skus)) == {OutcomeKind.ACCEPTED}
        assert 0.9 <= running().time() - began_s <= 2.0
        times = sorted(request.at_s for request in stub.of("patchListingsItem"))
        assert all(later - first >= 0.9 for first, later in zip(times, times[9:], strict=False))
        assert 0.0 < channel.push_delay_s() <= 0.3

    play(scene, stub=ready())


def test_told_rate_is_believed() -> None:
    """A lower rate in an answer slows the next patches down."""
    stub = ready()
    stub.rate = "1.0"

    async def scene(_: Stub, channel: AmazonChannel) -> None:
        await kinds(channel, "A")
        began_s = running().time()
        await kinds(channel, *[f"S{number}" for number in range(8)])
        assert running().time() - began_s >= 3.0

    play(scene, stub=stub)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (throttled, RateLimited),
        (lambda: refused(403, "Unauthorized"), AuthError),
    ],
)
def test_push_without_any_effect_raises(answer: Any, error: type[Exception]) -> None:
    """Where no row can have had an effect the push says why as a whole."""

    async def scene(_: Stub, channel: AmazonChannel) -> None:
        with pytest.raises(error):
            await channel.push(writes("A", "B"))

    play(scene, stub=ready(patchListingsItem=lambda _: answer()))


def test_lost_answers_are_not_guessed() -> None:
    """A row whose answer is lost is unknown, for as long as a patch may take."""

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        (outcome,) = await channel.push(writes("A"))
        assert (outcome.kind, outcome.effect_s) == (OutcomeKind.INDETERMINATE, 900.0)
        assert len(stub.of("patchListingsItem")) == 2

    play(scene, stub=ready(patchListingsItem=[Cut()]))


def test_failed_reading_before_a_write_sends_nothing() -> None:
    """Where it cannot be read who fulfils a listing, nothing is written and this is said."""

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        with pytest.raises(TransientError) as caught:
            await channel.push(writes("A"))
        assert not caught.value.sent
        assert stub.of("patchListingsItem") == []

    play(scene, stub=ready(searchListingsItems=[Cut()]))


def test_refused_token_is_renewed_once() -> None:
    """A token that is refused is renewed by one request for all rows, and the patches go out again."""
    stub = ready()
    stub.refused_tokens = {"Atza|stub-refresh_token-1"}

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        assert set(await kinds(channel, "A", "B", "C")) == {OutcomeKind.ACCEPTED}
        assert len(stub.token_forms) == 2

    play(scene, stub=stub)


def test_token_is_renewed_ahead() -> None:
    """A token is renewed before it ends, by one request, and used until then."""

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        for after_s in (0.0, 3_000.0, 400.0):
            await asyncio.sleep(after_s)
            async with asyncio.TaskGroup() as group:
                for sku in "ABC":
                    group.create_task(channel.seen([ListingRef(remote_id=sku)]))
        assert len(stub.token_forms) == 2
        assert stub.token_forms[0]["grant_type"] == "refresh_token"

    play(scene, stub=ready())


@pytest.mark.parametrize(
    ("body", "status", "error", "word"),
    [
        ({"error": "invalid_grant"}, 400, AuthError, "authorise it again"),
        ({"error": "invalid_client"}, 401, AuthError, "client_secret"),
        ({"error": "unauthorized_client"}, 400, AuthError, "app"),
        ({"error": "temporarily_unavailable"}, 400, TransientError, "temporarily"),
        ({"error": "server_error"}, 500, TransientError, "500"),
        ({"access_token": ""}, 200, ProtocolError, "holds none"),
    ],
)
def test_refused_login_is_explained(body: Any, status: int, error: type[Exception], word: str) -> None:
    """A login that is refused says what to mend, or passes; a write was certainly not sent."""
    stub = ready()
    stub.tokens = [lambda _: web.json_response(body, status=status)]

    async def scene(_: Stub, channel: AmazonChannel) -> None:
        for call in (lambda: channel.push(writes("A")), lambda: channel.seen([ListingRef(remote_id="A")])):
            with pytest.raises(error, match=word) as caught:
                await call()
            assert getattr(caught.value, "sent", False) is False

    play(scene, stub=stub)


def test_feed_searches_are_spared() -> None:
    """After a whole scan nothing is searched for `sweep_s`; what is complete stays so, and then it goes on."""
    page = {"orders": [order(1)], "lastUpdatedBefore": "2026-09-30T23:58:00Z"}

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        first = await channel.orders(None)
        second = await channel.orders(first.cursor)
        assert (second.orders, second.cursor, second.complete_until) == ((), first.cursor, first.complete_until)
        await asyncio.sleep(181.0)
        assert len((await channel.orders(first.cursor)).orders) == 1
        assert len(stub.of("searchOrders")) == 2

    play(scene, stub=ready(searchOrders=page))


def test_ended_page_token_begins_the_search_again() -> None:
    """A page token that is not taken any more begins the same search again; without one the refusal is raised."""
    first = {"orders": [], "pagination": {"nextToken": "two"}}
    answers = [first, refused(400, "InvalidInput"), {"orders": []}, refused(400, "InvalidInput")]

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        page = await channel.orders(None)
        again = await channel.orders(page.cursor)
        assert again.more
        end = await channel.orders(again.cursor)
        assert not end.more
        tokens = [request.query.get("paginationToken") for request in stub.of("searchOrders")]
        assert tokens == [None, "two", None]
        await asyncio.sleep(200.0)
        with pytest.raises(RejectedError):
            await channel.orders(end.cursor)

    play(scene, stub=ready(searchOrders=answers))


def test_zero_in_a_large_push_is_not_put_into_a_feed() -> None:
    """Of a push that goes as a feed, rows to zero are left to be patched."""
    stub: Stub = ready(
        getFeeds={"feeds": []},
        createFeedDocument=lambda _: {"feedDocumentId": "d1", "url": f"{stub.url}/files/1"},
        upload=b"",
        createFeed={"feedId": "77"},
    )

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        rows = writes(*[f"S{number}" for number in range(50)], quantity=4)
        zero = Write(key="zero", ref=ListingRef(remote_id="Z"), quantity=0)
        outcomes = {outcome.key: outcome for outcome in await channel.push([zero, *rows])}
        assert outcomes.pop("zero").kind is OutcomeKind.UNSENT
        assert {outcome.kind for outcome in outcomes.values()} == {OutcomeKind.ACCEPTED}
        (sent,) = stub.of("upload")
        assert sent.headers["content-type"] == "application/json; charset=UTF-8"
        assert "x-amz-access-token" not in sent.headers
        assert "Z" not in {message["sku"] for message in sent.json["messages"]}
        assert stub.of("createFeed")[0].json == {
            "feedType": "JSON_LISTINGS_FEED",
            "marketplaceIds": ["A1VC38T7YXB528"],
            "inputFeedDocumentId": "d1",
        }

    play(scene, stub=stub)


def test_refused_rows_of_a_feed_are_told() -> None:
    """Rows that the report of a feed refuses are rejected with their code, the others may be in effect soon."""
    report = {
        "header": {"sellerId": SELLER, "version": "2.0", "feedId": "77"},
        "issues": [{"messageId": 2, "sku": "S1", "code": "90220", "severity": "ERROR", "message": "no"}],
        "summary": {"errors": 1, "warnings": 0, "messagesProcessed": 50, "messagesAccepted": 49, "messagesInvalid": 1},
    }
    stub: Stub = ready(
        getFeeds={"feeds": []},
        createFeedDocument=lambda _: {"feedDocumentId": "d1", "url": f"{stub.url}/files/1"},
        upload=b"",
        createFeed={"feedId": "77"},
        getFeed=lambda _: {
            "feedId": "77",
            "feedType": "JSON_LISTINGS_FEED",
            "createdTime": "2026-10-01T00:00:00Z",
            "processingStatus": "DONE",
            "resultFeedDocumentId": "r1",
        },
        getFeedDocument=lambda _: {
            "feedDocumentId": "r1",
            "url": f"{stub.url}/files/2",
            "compressionAlgorithm": "GZIP",
        },
        download=gzip.compress(json.dumps(report).encode()),
    )

    async def scene(stub: Stub, channel: AmazonChannel) -> None:
        await channel.push(writes(*[f"S{number}" for number in range(50)], quantity=4))
        assert await channel.late_outcomes() == []
        assert stub.of("getFeed") == []
        await asyncio.sleep(16.0)
        late = await channel.late_outcomes()
        assert [outcome.key for outcome in late if outcome.kind is OutcomeKind.REJECTED] == ["key-S1"]
        assert len(late) == 50
        assert {outcome.effect_s for outcome in late if outcome.kind is OutcomeKind.ACCEPTED} == {900.0}
        assert await channel.late_outcomes() == []

    play(scene, stub=stub)


def test_features_are_found_by_type() -> None:
    """The engine finds every feature that Amazon has, and none that it lacks."""

    async def scene(_: Stub, channel: AmazonChannel) -> None:
        for feature in (Paced, Health, Notices, Batches, LateOutcomes, Cancels, AccountHealth):
            assert isinstance(channel, feature), feature
        for feature in (Webhooks, BulkSeen, ShipDates, KeyExpiry):
            assert not isinstance(channel, feature), feature
        assert not channel.notices_on

    play(scene, stub=ready())


# --- settings ----------------------------------------------------------------------------------------------------


def test_all_problems_of_the_settings_are_told_at_once() -> None:
    """Wrong settings are told all together, each with its remedy."""
    settings = AmazonSettings(
        seller_id="my shop",
        client_id="",
        marketplace_id="JP",
        region="asia",
        base_url="http://example.com",
        queue_url="https://example.com/queue",
        queue_region="tokyo",
        aws_access_key_id="AKIA",
        confirm_s=0.0,
        feed_from=-1,
        sweep_s=-1.0,
    )
    problems = settings.problems()
    assert all(problem.remedy for problem in problems)
    assert {problem.place.removeprefix("settings.") for problem in problems} == {
        "seller_id",
        "client_id",
        "client_secret",
        "refresh_token",
        "marketplace_id",
        "region",
        "base_url",
        "queue_url",
        "queue_region",
        "aws_access_key_id",
        "confirm_s",
        "feed_from",
        "sweep_s",
    }


def test_right_settings_have_no_problem() -> None:
    """What a shop in Japan sets is right, and leads to the hosts of the far east."""
    settings = AmazonSettings(
        seller_id="A3TH9S8BH6GOGM",
        client_id="amzn1.application-oa2-client.1",
        client_secret=Secret("s"),
        refresh_token=Secret("r"),
        queue_url="https://sqs.ap-northeast-1.amazonaws.com/123456789012/syncd",
        queue_region="ap-northeast-1",
    )
    assert settings.problems() == []
    assert settings.url == "https://sellingpartnerapi-fe.amazon.com"
    assert settings.queue_name == ("123456789012", "syncd")
