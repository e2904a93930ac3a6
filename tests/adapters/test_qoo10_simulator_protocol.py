"""The simulated Qoo10's protocol: addresses, envelopes, keys, limits, and what goes wrong before a call is read."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec
import pytest

from syncd.testing.faults import Faults
from tests.adapters.qoo10_simulation import CLAIM_TODAY, ITEM, SERVICE, TODAY, Scene, opened

DETAIL = "ItemsLookup.GetItemDetailInfo"
JSON = "application/json"
DENIED = {"ErrorCode": -90001, "ErrorMsg": "存在しないAPIです。"}


async def login(scene: Scene, **changes: str) -> Any:
    keys = scene.simulator.shop.keys
    given = {"user_id": "simulated-shop", "pwd": keys.password, **changes}
    headers = {"GiosisCertificationKey": changes.pop("api_key", keys.api_key), "QAPIVersion": "1.0"}
    given.pop("api_key", None)
    return await scene.ask("CertificationAPI.CreateCertificationKey", headers, **given)


# --- envelopes -------------------------------------------------------------------------------------------------------


async def test_both_envelopes_come_with_http_200() -> None:
    """A success and a business error have a ResultCode, an error of the gateway has an ErrorCode."""
    async with opened() as scene:
        good = await scene.ask(DETAIL, ItemCode=ITEM)
        assert (good["ResultCode"], good["ResultMsg"], len(good["ResultObject"])) == (0, "SUCCESS", 1)
        bad = await scene.ask(DETAIL, ItemCode="1999999999")
        assert (bad["ResultCode"], bad["ResultObject"]) == (-10001, None)
        assert await scene.ask(DETAIL, {"GiosisCertificationKey": "wrong"}, ItemCode=ITEM) == DENIED


async def test_nothing_found_is_a_success_that_says_so() -> None:
    """An empty list comes with its own message."""
    async with opened() as scene:
        empty = await scene.ask("ItemsLookup.GetGoodsInventoryInfo", ItemCode=ITEM)
        assert empty == {"ResultCode": 0, "ResultMsg": "SUCCESS. But No Result", "ResultObject": []}


@pytest.mark.parametrize("word", ["application/json", "json"])
async def test_json_comes_by_two_words(word: str) -> None:
    """Both forms of returnType are understood."""
    async with opened() as scene:
        assert await scene.code(DETAIL, ItemCode=ITEM, returnType=word) == 0


async def test_without_a_return_type_it_is_xml() -> None:
    """Who does not ask for JSON gets XML, for errors too."""
    async with opened() as scene:
        _, kind, text = await scene.raw(DETAIL, {"ItemCode": ITEM})
        assert kind == "text/xml"
        assert "<ResultCode>0</ResultCode>" in text
        _, kind, text = await scene.raw(DETAIL, {"ItemCode": ITEM}, headers={"GiosisCertificationKey": ""})
        assert (kind, "<ErrorCode>-90001</ErrorCode>" in text) == ("text/xml", True)


async def test_numbers_are_now_and_then_texts() -> None:
    """The same field is a number in one answer and a text in another, the ResultCode included."""
    async with opened(texts=0.5) as scene:
        scene.simulator.buy([("SKU-00001", 2)])
        given = {"ShippingStatus": "2", "SearchCondition": "1", **TODAY}
        answers = [await scene.ask("ShippingBasic.GetShippingInfo_v3", **given) for _ in range(20)]
        assert {type(answer["ResultCode"]) for answer in answers} == {int, str}
        assert {type(answer["ResultObject"][0]["OrderQty"]) for answer in answers} == {int, str}


# --- how a call may be written ---------------------------------------------------------------------------------------


async def test_names_do_not_mind_case() -> None:
    """Methods and headers are found in any case."""
    async with opened() as scene:
        key = scene.simulator.shop.keys.current
        headers = {"GIOSISCertificationKEY": key, "qapiversion": "1.1"}
        url = f"{scene.url}{SERVICE}/itemslookup.getitemdetailinfo"
        async with scene.session.post(url, data={"returnType": "json", "ItemCode": ITEM}, headers=headers) as response:
            assert (await response.json())["ResultCode"] == 0


async def test_a_json_body_is_taken_and_null_is_not() -> None:
    """A body of JSON works, and a null in it is answered like a wrong key."""
    async with opened() as scene:
        body = {"returnType": JSON, "ItemCode": ITEM, "SellerCode": ""}
        _, _, text = await scene.raw(DETAIL, msgspec.json.encode(body), headers={"Content-Type": JSON})
        assert msgspec.json.decode(text)["ResultCode"] == 0
        body["SellerCode"] = None  # type: ignore[assignment]  # the mistake under test
        _, _, text = await scene.raw(DETAIL, msgspec.json.encode(body), headers={"Content-Type": JSON})
        assert msgspec.json.decode(text) == DENIED


async def test_the_class_may_stand_in_the_address() -> None:
    """The other form of the address is answered the same."""
    async with opened() as scene:
        path = "/GMKT.INC.Front.QAPIService/ItemsLookup.qapi"
        _, _, text = await scene.raw("GetItemDetailInfo", {"returnType": JSON, "ItemCode": ITEM}, path=path)
        assert msgspec.json.decode(text)["ResultCode"] == 0


async def test_a_key_in_the_address_works_and_is_counted() -> None:
    """The older way is answered, and the simulator remembers that a key was in an address."""
    async with opened() as scene:
        query = {"v": "1.0", "returnType": "json", "method": DETAIL, "ItemCode": ITEM}
        key = scene.simulator.shop.keys.current
        async with scene.session.get(f"{scene.url}{SERVICE}", params={**query, "key": key}) as response:
            assert (await response.json())["ResultCode"] == 0
        assert scene.simulator.keys_in_urls == 1
        await scene.ask(DETAIL, ItemCode=ITEM)
        assert scene.simulator.keys_in_urls == 1


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("ItemsWrong.GetItemDetailInfo", "Can't find service Name ItemsWrong"),
        ("ItemsLookup.GetWrong", "Can't find method Info GetWrong"),
        ("Claim.GetClaimInfo_V3", "Can't find method Info GetClaimInfo_V3"),
    ],
)
async def test_unknown_methods_are_answered_as_text(method: str, text: str) -> None:
    """What does not exist is told by a bare sentence, the claim reader in the wrong class too."""
    async with opened() as scene:
        assert await scene.raw(method, {"returnType": JSON, **CLAIM_TODAY}) == (200, "text/plain", text)


async def test_a_call_without_a_version_is_refused() -> None:
    """A call that names no version is answered as an unknown API."""
    async with opened() as scene:
        assert await scene.ask(DETAIL, {"QAPIVersion": ""}, ItemCode=ITEM) == DENIED


async def test_the_shop_window_is_not_the_api() -> None:
    """The host www answers 404."""
    async with opened() as scene:
        status, _, _ = await scene.raw(DETAIL, {"ItemCode": ITEM}, headers={"Host": "www.qoo10.jp"})
        assert status == 404


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_a_key_is_made_with_the_login() -> None:
    """The API key and the login of QSM give a new key, and the former one still works."""
    async with opened() as scene:
        former = scene.simulator.shop.keys.current
        made = (await login(scene))["ResultObject"]
        assert made.startswith("S5bnb")
        assert made != former
        for key in (former, made):
            envelope = await scene.ask(DETAIL, {"GiosisCertificationKey": key}, ItemCode=ITEM)
            assert envelope["ResultCode"] == 0


async def test_wrong_logins_make_no_key() -> None:
    """A wrong password, a wrong API key and one that ended are refused, each in its envelope."""
    async with opened() as scene:
        assert (await login(scene, pwd="wrong"))["ResultCode"] == -10001
        assert await login(scene, api_key="wrong") == DENIED
        former = scene.simulator.shop.keys.api_key
        scene.simulator.shop.keys.end_api_key()
        assert await login(scene, api_key=former) == DENIED


@pytest.mark.parametrize("code", [-90001, -90004, -90005])
async def test_a_key_ends_after_a_year(code: int) -> None:
    """The day before it works, on the day it is refused, by a code that differs."""
    async with opened(expired_code=code) as scene:
        scene.clock.advance(365 * 86_400.0 - 1.0)
        assert await scene.code(DETAIL, ItemCode=ITEM) == 0
        scene.clock.advance(1.0)
        assert (await scene.ask(DETAIL, ItemCode=ITEM))["ErrorCode"] == code


async def test_a_new_password_ends_every_key() -> None:
    """After a change of password the key is refused, and a new login gives one that works."""
    async with opened() as scene:
        await scene.post("/_sim/qoo10/password")
        assert await scene.code(DETAIL, ItemCode=ITEM) == -10000
        await login(scene)
        assert await scene.code(DETAIL, ItemCode=ITEM) == 0


async def test_a_new_key_may_end_the_former() -> None:
    """By its knob a new key takes the place of the former one."""
    async with opened(reissue_voids=True) as scene:
        former = scene.simulator.shop.keys.current
        await login(scene)
        envelope = await scene.ask(DETAIL, {"GiosisCertificationKey": former}, ItemCode=ITEM)
        assert envelope["ResultCode"] == -10000


async def test_a_key_may_not_be_enough() -> None:
    """A method that the key may not use is denied, others are answered."""
    async with opened(forbidden=("Claim.SetCancelProcess",)) as scene:
        assert (await scene.ask("Claim.SetCancelProcess", ContrNo="1"))["ErrorCode"] == -90003
        assert await scene.code(DETAIL, ItemCode=ITEM) == 0


# --- limits and faults -----------------------------------------------------------------------------------------------


async def test_too_many_calls_are_turned_away() -> None:
    """Above the rate calls get a page of HTML or no answer, and after a second they are let in again."""
    async with opened(calls_per_s=12.0, burst=24.0) as scene:
        for _ in range(24):
            assert await scene.code(DETAIL, ItemCode=ITEM) == 0
        ends = set()
        for _ in range(20):
            try:
                status, kind, _ = await scene.raw(DETAIL, {"ItemCode": ITEM})
                ends.add((status, kind))
            except aiohttp.ClientError:
                ends.add((0, "cut"))
        assert ends == {(200, "text/html"), (0, "cut")}
        assert scene.simulator.gate.turned_away >= 20
        scene.clock.advance(1.0)
        assert await scene.code(DETAIL, ItemCode=ITEM) == 0


async def test_maintenance_is_a_page() -> None:
    """While the shop is in maintenance every call gets HTML with status 200."""
    async with opened(maintenance=True) as scene:
        status, kind, _ = await scene.raw(DETAIL, {"returnType": JSON, "ItemCode": ITEM})
        assert (status, kind) == (200, "text/html")


async def test_the_limit_as_a_fault_is_429() -> None:
    """The fault too_many is a page with status 429, without any effect."""
    async with opened() as scene:
        scene.simulator.faults = Faults(too_many=1.0)
        status, kind, _ = await scene.raw("ItemsOrder.SetGoodsPriceQty", {"ItemCode": ITEM, "Qty": "1"})
        assert (status, kind) == (429, "text/html")
        assert not len(scene.simulator.log)


async def test_a_cut_comes_after_the_effect() -> None:
    """A call whose answer is cut off has had its effect."""
    async with opened() as scene:
        scene.simulator.faults = Faults(cut_after_effect=1.0)
        with pytest.raises(aiohttp.ClientError):
            await scene.raw("ItemsOrder.SetGoodsPriceQty", {"ItemCode": ITEM, "Qty": "3"})
        assert scene.sells("SKU-00001") == 3


async def test_a_processing_error_has_no_effect() -> None:
    """By its knob a call is answered -10101 in the real one's words and does nothing."""
    async with opened(processing_errors=1.0) as scene:
        envelope = await scene.ask("ItemsOrder.SetGoodsPriceQty", ItemCode=ITEM, Qty="3")
        assert envelope["ResultCode"] == -10101
        assert envelope["ResultMsg"] == "Processing Error [-112] 7|17"
        assert not len(scene.simulator.log)


async def test_knobs_turn_over_http() -> None:
    """Knobs are changed and answered, unknown names and values that do not fit are refused."""
    async with opened() as scene:
        status, knobs = await scene.post("/_sim/qoo10/knobs", {"unpaid": 0.5})
        assert (status, knobs["unpaid"], scene.simulator.world.knobs.unpaid) == (200, 0.5, 0.5)
        for wrong in ({"nothing": 1}, {"unpaid": "often"}, {"date_layout": "%d"}):
            assert (await scene.post("/_sim/qoo10/knobs", wrong))[0] == 400


def test_its_settings_open_an_adapter() -> None:
    """The settings are exactly those of the adapter, with a key that has not ended."""
    from adapters.qoo10.simulator import make
    from syncd.testing.clock import ManualClock

    simulator = make(skus=3, seed=1, clock=ManualClock())
    given = simulator.settings("http://127.0.0.1:1")
    assert sorted(given) == ["api_key", "base_url", "key", "key_issued_on", "visibility_s"]
    assert (given["key_issued_on"], given["visibility_s"]) == ("2026-10-01", 600)
    simulator.turn(shows_s=(0.0, 30.0), effect_s=(0.0, 5.0), sale_shows_s=(0.0, 40.0))
    assert simulator.settings("")["visibility_s"] == 45
