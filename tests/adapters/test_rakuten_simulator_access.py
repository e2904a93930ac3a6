"""The simulated RMS WEB SERVICE as such: keys, functions in use, media types, rates, maintenance, faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from syncd.testing.faults import Faults
from tests.adapters.rakuten_simulation import BULK_GET, SEARCH, UPSERT, Scene, opened

EXPIRY = "/es/1.0/license-management/license-key/expiry-date"
UNAUTHORISED = {"Results": {"errorCode": "ES04-01", "message": "Un-Authorised"}}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


def one(scene: Scene) -> dict[str, Any]:
    number, name = scene.pair()
    return {"inventories": [{"manageNumber": number, "variantId": name}]}


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_the_settings_open_the_shop(scene: Scene) -> None:
    """Both keys of the settings, in base64 after ESA, are accepted."""
    settings = scene.simulator.settings(scene.url)
    assert settings["service_secret"].startswith("SP")
    assert settings["license_key"].startswith("SL")
    assert (await scene.post(BULK_GET, one(scene))).status == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "ESA", "ESA not-base64!", "Bearer abc", "esa {right}", "ESA {secret}", "ESA {key}"],
)
async def test_wrong_keys_are_the_gateways_401(scene: Scene, authorization: str) -> None:
    """Whatever is not exactly the two right keys gets the gateway's own error form."""
    right = scene.authorization().removeprefix("ESA ")
    header = authorization.format(
        right=right,
        secret=scene.authorization(secret="SP0_x").removeprefix("ESA "),
        key=scene.authorization(key="SL0_x").removeprefix("ESA "),
    )
    for path, body in ((BULK_GET, one(scene)), (SEARCH, scene.search())):
        answer = await scene.call("POST", path, body, headers={"Authorization": header})
        assert (answer.status, answer.body) == (401, UNAUTHORISED)


async def test_the_licence_tells_its_end_in_japanese_time(scene: Scene) -> None:
    """A new key ends 90 days later, at the last second of the day, and the text has no zone."""
    key = scene.simulator.settings(scene.url)["license_key"]
    answer = await scene.get(f"{EXPIRY}?licenseKey={key}")
    assert (answer.status, answer.body) == (200, {"expiryDate": "2026-12-30T23:59:59"})


async def test_a_key_that_ends_stops_every_api_at_once(scene: Scene) -> None:
    """After its last second a key gets 401 GA0001 everywhere, also where its end is asked for."""
    end_us = scene.simulator.gateway.licenses[-1].ends
    scene.clock.advance((end_us - scene.clock.now()) / 1e6 - 2.0)
    assert (await scene.post(BULK_GET, one(scene))).status == 200
    for method, path, body in (
        ("POST", BULK_GET, one(scene)),
        ("POST", SEARCH, scene.search()),
        ("GET", "/es/2.0/items/search", None),
        ("GET", f"{EXPIRY}?licenseKey={scene.simulator.settings(scene.url)['license_key']}", None),
    ):
        answer = await scene.call(method, path, body)
        assert (answer.status, answer.codes) == (401, ["GA0001"])


async def test_a_new_key_works_and_the_old_one_dies(scene: Scene) -> None:
    """After a renewal the settings hold the new key; the old one is refused at once, or by the knob at its own end."""
    old = scene.authorization()
    scene.simulator.rotate_key()
    assert (await scene.post(BULK_GET, one(scene))).status == 200
    assert (await scene.call("POST", BULK_GET, one(scene), headers={"Authorization": old})).status == 401
    scene.simulator.turn(old_key_dies=False)
    old = scene.authorization()
    scene.simulator.rotate_key(after_s=600.0)
    assert (await scene.post(BULK_GET, one(scene))).status == 401
    assert (await scene.call("POST", BULK_GET, one(scene), headers={"Authorization": old})).status == 200
    scene.clock.advance(600.0)
    assert (await scene.post(BULK_GET, one(scene))).status == 200


async def test_a_key_can_be_ended_from_outside(scene: Scene) -> None:
    """The control API ends the key in the middle of a run, and makes a new one."""
    assert (await scene.post("/_sim/rakuten/key", {"expire": True})).status == 200
    assert (await scene.post(BULK_GET, one(scene))).status == 401
    made = await scene.post("/_sim/rakuten/key", {})
    assert made.body["license_key"] == scene.simulator.settings(scene.url)["license_key"]
    assert (await scene.post(BULK_GET, one(scene))).status == 200


# --- what is let through ---------------------------------------------------------------------------------------------


async def test_a_function_that_is_not_in_use_is_not_authorised(scene: Scene) -> None:
    """A function that the shop has not set to 利用中 gets 401, and its neighbours work."""
    left = [name for name in scene.simulator.world.knobs.functions if name != "inventories.bulk.upsert"]
    scene.simulator.turn(functions=left)
    answer = await scene.upsert(scene.row())
    assert (answer.status, answer.body) == (401, UNAUTHORISED)
    assert (await scene.post(BULK_GET, one(scene))).status == 200


async def test_items_get_needs_the_paid_option(scene: Scene) -> None:
    """The function items.get is not in use in a new shop, whereas items.search is."""
    number, _ = scene.pair()
    assert (await scene.get(f"/es/2.0/items/manage-numbers/{number}")).status == 401
    assert (await scene.get("/es/2.0/items/search")).status == 200


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/json", 200),
        ("application/json;charset=utf-8", 200),
        ("application/json; charset=UTF-8", 200),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
    ],
)
async def test_a_body_is_json(scene: Scene, media: str, status: int) -> None:
    """Another media type than JSON is refused by the gateway with ES04-03."""
    answer = await scene.call("POST", BULK_GET, one(scene), headers={"Content-Type": media})
    assert answer.status == status
    assert status == 200 or answer.body["Results"]["errorCode"] == "ES04-03"


@pytest.mark.parametrize(
    ("method", "path", "burst"),
    [("POST", UPSERT, 2), ("POST", BULK_GET, 5), ("POST", SEARCH, 5)],
)
async def test_too_many_calls_are_429_with_nothing_in_it(scene: Scene, method: str, path: str, burst: int) -> None:
    """Above the rate of a function comes 429 with an empty body and no hint, and a second later it works again."""
    number, name = scene.pair()
    row = {"manageNumber": number, "variantId": name}
    body = {
        UPSERT: {"inventories": [row | {"mode": "ABSOLUTE", "quantity": 3}]},
        BULK_GET: {"inventories": [row]},
        SEARCH: scene.search(),
    }[path]
    statuses = [(await scene.call(method, path, body, pace_s=0.0)).status for _ in range(burst)]
    assert set(statuses) <= {200, 204}
    refused = await scene.call(method, path, body, pace_s=0.0)
    assert (refused.status, refused.body) == (429, None)
    assert "Retry-After" not in refused.headers
    assert (await scene.call(method, path, body, pace_s=1.0)).status in {200, 204}


async def test_one_write_a_second_is_never_too_many(scene: Scene) -> None:
    """Whoever keeps the published rate is let through."""
    for quantity in range(20):
        assert (await scene.upsert(scene.row(quantity=quantity))).status == 204


async def test_limits_are_kept_per_function(scene: Scene) -> None:
    """A function that is used up leaves the others as they are."""
    for _ in range(3):
        last = await scene.call("POST", UPSERT, {"inventories": [scene.row()]}, pace_s=0.0)
    assert last.status == 429
    assert (await scene.call("POST", BULK_GET, one(scene), pace_s=0.0)).status == 200


async def test_maintenance_stops_orders_and_stock_but_not_shoppers(scene: Scene) -> None:
    """In maintenance both APIs answer 503 with a web page while the shop still sells."""
    before = scene.shown()
    scene.simulator.turn(maintenance=True)
    for path, body in ((BULK_GET, one(scene)), (UPSERT, {"inventories": [scene.row()]}), (SEARCH, scene.search())):
        answer = await scene.post(path, body)
        assert answer.status == 503
        assert isinstance(answer.body, str)
    scene.buy(("SKU-00001", 1))
    assert scene.shown() == before - 1
    scene.simulator.turn(maintenance=False)
    assert (await scene.post(BULK_GET, one(scene))).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/es/2.0/inventories/bulk/get", 400),
        ("GET", "/es/2.0/inventories/variant-lists/manage-numbers/item-000001", 400),
        ("GET", "/es/2.1/inventories/variant-lists/manage-numbers/item-000001", 200),
        ("POST", "/es/2.0/inventory/set", 404),
        ("POST", "/es/2.0/item/getItems", 404),
    ],
)
async def test_made_up_addresses_are_not_there(scene: Scene, method: str, path: str, status: int) -> None:
    """Only the real addresses answer; under /inventories a wrong one is GE0007."""
    answer = await scene.call(method, path, b"{}" if method == "POST" else None)
    assert answer.status == status
    assert status != 400 or answer.codes == ["GE0007"]


# --- faults and knobs ------------------------------------------------------------------------------------------------


async def test_faults_reach_the_real_api(scene: Scene) -> None:
    """A refusal by rate has no effect; an answer that is cut off has had its effect, also a relative one."""
    before = scene.shown()
    scene.simulator.faults = Faults(too_many=1.0)
    refused = await scene.upsert(scene.row(mode="RELATIVE", quantity=3))
    assert (refused.status, refused.body, scene.shown()) == (429, None, before)
    scene.simulator.faults = Faults(cut_after_effect=1.0)
    with pytest.raises(aiohttp.ClientError):
        await scene.upsert(scene.row(mode="RELATIVE", quantity=3))
    assert scene.shown() == before + 3


async def test_stale_reads_look_back(scene: Scene) -> None:
    """A stale read answers what was true a while ago."""
    before = scene.shown()
    scene.clock.advance(60.0)
    assert (await scene.upsert(scene.row(quantity=before + 5))).status == 204
    scene.simulator.faults = Faults(stale_reads=1.0)
    scene.simulator.staleness_s = 60.0
    seen = {(await scene.stock(scene.pair()))[0]["quantity"] for _ in range(6)}
    assert before in seen
    scene.simulator.faults = Faults()
    assert (await scene.stock(scene.pair()))[0]["quantity"] == before + 5


async def test_knobs_can_be_turned_from_outside(scene: Scene) -> None:
    """The control API changes named knobs, answers all of them and refuses unknown ones."""
    answer = await scene.post("/_sim/rakuten/knobs", {"search_lag_s": [1.0, 2.0], "atomic": False})
    assert answer.status == 200
    assert (answer.body["search_lag_s"], answer.body["atomic"]) == ([1.0, 2.0], False)
    assert (await scene.post("/_sim/rakuten/knobs", {"speed": 1})).status == 400
    assert (await scene.post("/_sim/rakuten/knobs", {"atomic": "perhaps"})).status == 400
