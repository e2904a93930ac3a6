"""Who may call the simulated Amazon, how often, and with which headers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from adapters.amazon.simulated.limits import PLANS
from tests.adapters.amazon_simulation import (
    AGENT,
    ITEMS,
    MARKETPLACE,
    NOTIFICATIONS,
    ORDERS,
    SCOPE,
    Scene,
    merge,
    opened,
)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


# --- Login with Amazon -----------------------------------------------------------------------------------------------


async def test_a_refresh_token_gets_an_hour(scene: Scene) -> None:
    """The refresh token gets a bearer token for an hour, and comes back."""
    answer = await scene.login()
    assert answer.status == 200
    assert answer.body["token_type"] == "bearer"
    assert answer.body["expires_in"] == 3600
    assert answer.body["access_token"].startswith("Atza|")
    assert answer.body["refresh_token"] == scene.simulator.shop.tokens.refresh_token


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"client_id": ""}, 400, "invalid_request"),
        ({"refresh_token": "Atzr|wrong"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "profile"}, 400, "invalid_scope"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
    ],
)
async def test_wrong_credentials_are_refused(scene: Scene, form: dict[str, str], status: int, error: str) -> None:
    """Login with Amazon refuses in its own form, not in that of the API."""
    answer = await scene.login(**form)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert answer.body["error_description"]


async def test_a_form_is_wanted(scene: Scene) -> None:
    """A token request as JSON is refused."""
    answer = await scene.send("POST", "/auth/o2/token", data=b"{}", kind="application/json")
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_a_withdrawn_authorisation_ends_everything(scene: Scene) -> None:
    """When the seller takes the application off, tokens end and none is granted."""
    scene.simulator.shop.tokens.authorised = False
    assert (await scene.get(ORDERS)).status == 403
    assert (await scene.login()).body["error"] == "invalid_grant"


async def test_an_expired_secret_gets_nothing(scene: Scene) -> None:
    """A client secret that was not rotated in time is an invalid client."""
    scene.simulator.shop.tokens.secret_expired = True
    assert (await scene.login()).body["error"] == "invalid_client"


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_an_expired_token_is_told(scene: Scene) -> None:
    """After its hour a token is answered 403, and the details say that it expired."""
    scene.clock.advance(3601)
    answer = await scene.search()
    assert (answer.status, answer.code) == (403, "Unauthorized")
    assert "expired" in answer.details


@pytest.mark.parametrize("token", ["", "Atza|unknown"])
async def test_no_or_a_strange_token_opens_nothing(scene: Scene, token: str) -> None:
    """Without a token, or with an unknown one, everything is 403."""
    answer = await scene.call("GET", ORDERS, token=token, lastUpdatedAfter="2026-10-01T00:00:00Z")
    assert (answer.status, answer.code) == (403, "Unauthorized")


async def test_revoked_tokens_end(scene: Scene) -> None:
    """Tokens that were revoked open nothing; a new one does."""
    await scene.control("amazon/tokens", {})
    assert (await scene.search()).status == 403
    await scene.enter()
    assert (await scene.search()).status == 200


async def test_grants_do_not_mix(scene: Scene) -> None:
    """A grantless operation refuses the seller's token, and the others a grantless one."""
    assert (await scene.get(f"{NOTIFICATIONS}/destinations")).status == 403
    assert (await scene.call("GET", f"{NOTIFICATIONS}/destinations", token=scene.grantless)).status == 200
    answer = await scene.call("GET", f"{NOTIFICATIONS}/subscriptions/ORDER_CHANGE", token=scene.grantless)
    assert answer.status == 403


async def test_a_missing_role_is_403(scene: Scene) -> None:
    """An application without the role may not read orders, but listings."""
    await scene.control("amazon/knobs", {"roles_missing": ["Inventory and Order Tracking"]})
    assert (await scene.get(ORDERS, lastUpdatedAfter="2026-10-01T00:00:00Z")).status == 403
    assert (await scene.search()).status == 200


async def test_another_sellers_listings_are_closed(scene: Scene) -> None:
    """The items of another seller are denied."""
    answer = await scene.get(f"{ITEMS}/A0000STRANGER", marketplaceIds=MARKETPLACE)
    assert (answer.status, answer.code) == (403, "Unauthorized")


# --- headers ---------------------------------------------------------------------------------------------------------


async def test_a_user_agent_is_needed(scene: Scene) -> None:
    """A call without User-Agent, or with one that is too long, is refused."""
    url = URL(f"{scene.url}{ORDERS}?lastUpdatedAfter=2026-10-01T00:00:00Z", encoded=True)
    for headers in ({}, {"User-Agent": f"{AGENT}{'x' * 500}"}):
        async with aiohttp.ClientSession(skip_auto_headers=["User-Agent"]) as session:
            async with session.get(url, headers={"x-amz-access-token": scene.token, **headers}) as response:
                assert response.status == 400
                assert "User-Agent" in (await response.json())["errors"][0]["details"]


async def test_a_body_must_be_json(scene: Scene) -> None:
    """Another content type is 415, and broken JSON 400."""
    headers, path = {"x-amz-access-token": scene.token}, f"{scene.item_path('SKU-00001')}?marketplaceIds={MARKETPLACE}"
    assert (await scene.send("PATCH", path, data=b"{}", kind="text/plain", headers=headers)).status == 415
    assert (await scene.send("PATCH", path, data=b"{", kind="application/json", headers=headers)).status == 400


async def test_a_strange_parameter_is_refused(scene: Scene) -> None:
    """A query parameter that the model does not have is refused."""
    assert (await scene.search(sku="SKU-00001")).status == 400


async def test_unknown_addresses_are_404(scene: Scene) -> None:
    """What is no operation is 404 as JSON, with a request id; the control API keeps its own form."""
    answer = await scene.get("/orders/v1/orders")
    assert (answer.status, answer.code) == (404, "NotFound")
    assert answer.headers["x-amzn-RequestId"]
    assert "error" in (await scene.send("GET", "/_sim/nothing")).body


async def test_every_answer_has_a_request_id(scene: Scene) -> None:
    """Request ids are there and different; the rate is on good answers and not on a 403."""
    first, second = await scene.search(), await scene.search()
    assert first.headers["x-amzn-RequestId"] != second.headers["x-amzn-RequestId"]
    assert float(first.headers["x-amzn-RateLimit-Limit"]) == 5.0
    denied = await scene.call("GET", ORDERS, token="")
    assert "x-amzn-RequestId" in denied.headers
    assert "x-amzn-RateLimit-Limit" not in denied.headers


# --- limits ----------------------------------------------------------------------------------------------------------


def calls(scene: Scene) -> dict[str, Any]:
    """Return a call for each operation whose bucket is tried."""
    return {
        "searchListingsItems": lambda: scene.search(),
        "getListingsItem": lambda: scene.get(scene.item_path("SKU-00001"), marketplaceIds=MARKETPLACE),
        "patchListingsItem": lambda: scene.patch("SKU-00001", merge(1)),
        "searchOrders": lambda: scene.get(ORDERS, lastUpdatedAfter="2026-10-01T00:00:00Z"),
        "getOrder": lambda: scene.get(f"{ORDERS}/250-0000000-0000000"),
        "getFeed": lambda: scene.get("/feeds/2021-06-30/feeds/1"),
        "getFeedDocument": lambda: scene.get("/feeds/2021-06-30/documents/1"),
        "getInventorySummaries": lambda: scene.get("/fba/inventory/v1/summaries"),
        "getMarketplaceParticipations": lambda: scene.get("/sellers/v1/marketplaceParticipations"),
        "createReport": lambda: scene.call("POST", "/reports/2021-06-30/reports", body={}),
        "createFeed": lambda: scene.call("POST", "/feeds/2021-06-30/feeds", body={}),
    }


@pytest.mark.parametrize("name", sorted(calls(None)))  # type: ignore[arg-type]
async def test_a_bucket_empties_and_fills(scene: Scene, name: str) -> None:
    """The published burst passes, then 429 in Amazon's form, and after one interval one call more."""
    rate, burst = PLANS[name]
    call = calls(scene)[name]
    assert all([(await call()).status != 429 for _ in range(burst)])
    refused = await call()
    assert (refused.status, refused.code) == (429, "QuotaExceeded")
    assert refused.headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert "x-amzn-RateLimit-Limit" not in refused.headers
    assert "Retry-After" not in refused.headers
    scene.clock.advance(0.4 / rate)
    assert (await call()).status == 429
    scene.clock.advance(0.6 / rate)
    await scene.enter()
    assert (await call()).status != 429


async def test_the_published_rate_can_be_kept(scene: Scene) -> None:
    """One order search every 179 seconds goes on for a day without a refusal."""
    for _ in range(400):
        scene.clock.advance(179)
        if scene.clock.monotonic() % 3000 < 179:
            await scene.enter()
        answer = await scene.get(ORDERS, lastUpdatedAfter="2026-10-01T00:00:00Z")
        assert answer.status == 200


async def test_another_plan_is_told_by_the_header(scene: Scene) -> None:
    """A seller with another rate hears of it in the header of a good answer."""
    scene.simulator.shop.limits.plans["searchOrders"] = (0.5, 20)
    answer = await scene.get(ORDERS, lastUpdatedAfter="2026-10-01T00:00:00Z")
    assert float(answer.headers["x-amzn-RateLimit-Limit"]) == 0.5


# --- trouble ---------------------------------------------------------------------------------------------------------


async def test_trouble_has_amazons_form(scene: Scene) -> None:
    """A fault of too many requests is answered by each endpoint in its own form."""
    await scene.control("faults", {"too_many": 1.0})
    answer = await scene.search()
    assert (answer.status, answer.code) == (429, "QuotaExceeded")
    assert (await scene.login()).body["error"] == "temporarily_unavailable"


async def test_maintenance_is_503(scene: Scene) -> None:
    """While there is maintenance every operation is 503, with an error list."""
    await scene.control("amazon/knobs", {"maintenance": True})
    answer = await scene.search()
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")


async def test_unknown_knobs_are_refused(scene: Scene) -> None:
    """A knob that there is not is refused by name; a known one is answered."""
    assert "patience" in (await scene.control("amazon/knobs", {"patience": 1})).body["error"]
    assert (await scene.control("amazon/knobs", {"lost_writes": 0.5})).body["lost_writes"] == 0.5


async def test_the_scope_is_the_documented_one(scene: Scene) -> None:
    """The grantless token is asked for with the scope of notifications, and has no refresh token."""
    answer = await scene.login(grant_type="client_credentials", scope=SCOPE)
    assert answer.status == 200
    assert "refresh_token" not in answer.body
