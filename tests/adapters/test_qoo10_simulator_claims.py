"""Confirming, shipping, cancelling and sending back at the simulated Qoo10."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from syncd.testing.simulators import By, Refusal, Unknown
from tests.adapters.qoo10_simulation import CLAIM_TODAY, SKU, Scene, opened

CONFIRM = "ShippingBasic.SetSellerCheckYN_V2"
CONFIRM_MANY = "ShippingBasic.SetSellerCheckYNBulk"
SEND = "ShippingBasic.SetSendingInfo"
SEND_MANY = "ShippingBasic.SetSendingInfoBulk"
CANCEL = "Claim.SetCancelProcess"
CLAIMS = "ShippingBasic.GetClaimInfo_V3"
DAY_S = 86_400.0


def bought(scene: Scene, quantity: int = 1) -> str:
    """Buy one line and return its OrderNo."""
    scene.simulator.buy([(SKU, quantity)])
    return str(max(scene.simulator.shop.orders.lines))


async def many(scene: Scene, method: str, name: str, rows: list[dict[str, str]]) -> Any:
    return await scene.ask(method, **{name: msgspec.json.encode(rows).decode()})


# --- the ship-by date ------------------------------------------------------------------------------------------------


async def test_a_date_moves_a_line_and_tells_the_customer() -> None:
    """The line leaves status 2 for 3 with its date, and a mail is on its way that nothing takes back."""
    async with opened() as scene:
        number = bought(scene)
        assert await scene.code(CONFIRM, OrderNo=number, EstShipDt="20261003") == 0
        assert await scene.orders(2) == []
        (line,) = await scene.orders(3)
        assert line["EstimatedShippingDate"] == "2026-10-03 00:00:00"
        assert [str(mail.order_no) for mail in scene.simulator.shop.orders.mails] == [number]


@pytest.mark.parametrize(
    ("day", "code"),
    [
        ("", -10016),
        ("20260930", -10018),
        ("20261001", 0),
        ("20261031", 0),
        ("20261101", -10017),
        ("2026-10-03", -10002),
    ],
)
async def test_dates_have_limits(day: str, code: int) -> None:
    """A day that is missing, past, too far or no day is refused, and no mail goes out."""
    async with opened() as scene:
        number = bought(scene)
        assert await scene.code(CONFIRM, OrderNo=number, EstShipDt=day) == code
        assert len(scene.simulator.shop.orders.mails) == (code == 0)


async def test_a_second_date_needs_a_reason() -> None:
    """A confirmed line is confirmed already, unless the call says why it is delayed."""
    async with opened() as scene:
        number = bought(scene)
        await scene.code(CONFIRM, OrderNo=number, EstShipDt="20261003")
        assert await scene.code(CONFIRM, OrderNo=number, EstShipDt="20261005") == -10012
        assert await scene.code(CONFIRM, OrderNo=number, EstShipDt="20261005", DelayType="5") == -10002
        assert await scene.code(CONFIRM, OrderNo=number, EstShipDt="20261005", DelayType="1") == 0
        assert (await scene.orders(3))[0]["EstimatedShippingDate"] == "2026-10-05 00:00:00"
        assert len(scene.simulator.shop.orders.mails) == 2
        scene.simulator.turn(extends=False)
        assert await scene.code(CONFIRM, OrderNo=number, EstShipDt="20261006", DelayType="1") == -10012


async def test_only_requested_lines_are_confirmed() -> None:
    """Unpaid, sent and cancelled lines are in no status for it, an unknown one is not found."""
    async with opened() as scene:
        sent = scene.simulator.buy([(SKU, 1)])
        scene.simulator.ship(sent.order_id)
        mails = len(scene.simulator.shop.orders.mails)
        cancelled = scene.simulator.buy([(SKU, 1)])
        scene.simulator.cancel(cancelled.order_id)
        scene.simulator.turn(unpaid=1.0)
        bought(scene)
        for number in scene.simulator.shop.orders.lines:
            assert await scene.code(CONFIRM, OrderNo=str(number), EstShipDt="20261003") == -10013
        assert await scene.code(CONFIRM, OrderNo="1", EstShipDt="20261003") == -10001
        assert len(scene.simulator.shop.orders.mails) == mails


async def test_many_dates_at_once() -> None:
    """Each row has its own code; more than 500 are refused whole."""
    async with opened() as scene:
        rows = [{"OrderNo": bought(scene), "EstShipDt": day} for day in ("20261003", "20260901")]
        envelope = await many(scene, CONFIRM_MANY, "SendPlanDtInfoJson", rows)
        assert envelope["ResultCode"] == -1
        assert envelope["ResultObject"] == [
            {"cont_no": rows[0]["OrderNo"], "result_cd": 0},
            {"cont_no": rows[1]["OrderNo"], "result_cd": -10018},
        ]
        assert len(await scene.orders(3)) == 1
        rows[1]["EstShipDt"] = "20261004"
        assert (await many(scene, CONFIRM_MANY, "SendPlanDtInfoJson", rows[1:]))["ResultCode"] == 0
        assert (await many(scene, CONFIRM_MANY, "SendPlanDtInfoJson", rows * 251))["ResultCode"] == -10011


# --- shipping --------------------------------------------------------------------------------------------------------


async def test_shipping_goes_by_line() -> None:
    """Tracking moves one confirmed line of a cart to status 4, and the other stays."""
    async with opened() as scene:
        scene.simulator.buy([(SKU, 1), ("SKU-00002", 1)])
        first, second = (str(line["OrderNo"]) for line in await scene.orders(2))
        given = {"ShippingCorp": "ヤマト宅急便", "TrackingNo": "400000000001"}
        assert await scene.code(SEND, OrderNo=first, **given) == -10004
        await scene.code(CONFIRM, OrderNo=first, EstShipDt="20261003")
        assert await scene.code(SEND, OrderNo=first, **given) == 0
        (sent,) = await scene.orders(4)
        assert (str(sent["OrderNo"]), sent["DeliveryCompany"]) == (first, "ヤマト宅急便")
        assert [str(line["OrderNo"]) for line in await scene.orders(2)] == [second]


async def test_many_shipments_at_once() -> None:
    """Each row has its own code."""
    async with opened() as scene:
        first, second = bought(scene), bought(scene)
        await scene.code(CONFIRM, OrderNo=first, EstShipDt="20261003")
        rows = [{"OrderNo": number, "ShippingCorp": "ネコポス", "TrackingNo": "4"} for number in (first, second)]
        envelope = await many(scene, SEND_MANY, "ShippingInfoJson", rows)
        assert [row["result_cd"] for row in envelope["ResultObject"]] == [0, -10004]
        assert envelope["ResultObject"][0]["transc_nm"] == "ネコポス"


async def test_a_person_ships_the_rest() -> None:
    """The control API ships what is left, once."""
    async with opened() as scene:
        order_id = scene.simulator.buy([(SKU, 3)]).order_id
        scene.simulator.cancel(order_id, quantity=1)
        (line,) = scene.simulator.ship(order_id).lines
        assert (line.cancelled, line.shipped) == (1, 2)
        with pytest.raises(Refusal):
            scene.simulator.ship(order_id)
        with pytest.raises(Unknown):
            scene.simulator.ship("1")


# --- cancelling ------------------------------------------------------------------------------------------------------


async def test_a_cancelled_line_moves_to_the_claims() -> None:
    """A line that is cancelled whole leaves the searches, and the claim names it with its units."""
    async with opened() as scene:
        before = scene.sells(SKU)
        receipt = scene.simulator.buy([(SKU, 2)])
        scene.simulator.cancel(receipt.order_id)
        assert [await scene.orders(status) for status in range(1, 6)] == [[]] * 5
        (claim,) = await scene.claims(3)
        assert (str(claim["packNo"]), claim["orderQty"], claim["sellerItemCode"]) == (receipt.number, 2, SKU)
        assert claim["claimStatus"] == "取消完了(3)"
        assert claim["cancelRefundDate"] == "2026-10-01 09:00:00"
        assert scene.sells(SKU) == before


async def test_one_line_of_a_cart_is_cancelled_alone() -> None:
    """Units of the first line are cancelled; the other line stands and is not named."""
    async with opened() as scene:
        receipt = scene.simulator.buy([(SKU, 1), ("SKU-00002", 1)])
        scene.simulator.cancel(receipt.order_id, quantity=1)
        (claim,) = await scene.claims(3)
        (line,) = await scene.orders(2)
        assert claim["orderNo"] != line["OrderNo"]
        assert (claim["packNo"], claim["sellerItemCode"]) == (line["PackNo"], SKU)


async def test_units_of_a_line_are_a_partial_refund() -> None:
    """One of two units: the line stands with what was ordered, and the claim counts the unit."""
    async with opened() as scene:
        receipt = scene.simulator.buy([(SKU, 2)])
        (told,) = scene.simulator.cancel(receipt.order_id, quantity=1).lines
        assert told.cancelled == 1
        (line,) = await scene.orders(2)
        (claim,) = await scene.claims(3)
        assert (line["OrderQty"], claim["orderQty"], claim["nrPartRefundCnt"]) == (2, 2, 1)
        with pytest.raises(Refusal):
            scene.simulator.cancel(receipt.order_id, quantity=2)


async def test_a_claim_takes_its_way() -> None:
    """By its knob a wish to cancel is asked for, under way and then done; the line is listed until then."""
    async with opened(cancel_s=(100.0, 100.0)) as scene:
        before = scene.sells(SKU)
        receipt = scene.simulator.buy([(SKU, 1)])
        scene.simulator.cancel(receipt.order_id)
        for status in (1, 2):
            assert [len(await scene.claims(each)) for each in (1, 2, 3)] == [status == 1, status == 2, 0]
            (line,) = await scene.orders(2)
            assert re.search(rf"\({status}\)$", line["claimStatus"])
            assert scene.sells(SKU) == before - 1
            scene.clock.advance(50.0)
        assert [len(await scene.claims(each)) for each in (1, 2, 3)] == [0, 0, 1]
        assert (await scene.orders(2), scene.sells(SKU)) == ([], before)


async def test_a_shipped_line_voids_the_wish() -> None:
    """A line that ships while its cancel is asked for is not cancelled."""
    async with opened(cancel_s=(100.0, 100.0)) as scene:
        receipt = scene.simulator.buy([(SKU, 2)])
        scene.simulator.cancel(receipt.order_id, quantity=1)
        scene.simulator.ship(receipt.order_id)
        scene.clock.advance(100.0)
        assert [await scene.claims(each) for each in (1, 2, 3)] == [[], [], []]
        assert len(await scene.orders(4)) == 1


async def test_a_claim_is_told_late() -> None:
    """For a while a cancelled line is found nowhere: neither among the orders nor among the claims."""
    async with opened() as scene:
        receipt = scene.simulator.buy([(SKU, 1)])
        scene.simulator.turn(feed_s=(50.0, 60.0))
        scene.simulator.cancel(receipt.order_id)
        assert (await scene.orders(2), await scene.claims(3)) == ([], [])
        scene.clock.advance(60.0)
        assert len(await scene.claims(3)) == 1


@pytest.mark.parametrize(
    ("restore_s", "restock", "back_s"),
    [
        ((30.0, 30.0), None, 30.0),
        ((30.0, 30.0), True, 30.0),
        ((30.0, 30.0), False, None),
        (None, None, None),
        (None, True, 0.0),
    ],
)
async def test_units_come_back_by_the_rule(restore_s: Any, restock: bool | None, back_s: float | None) -> None:
    """After a cancel units sell again by the knob, or as the shopper of the test wants it."""
    async with opened(restore_s=restore_s) as scene:
        before = scene.sells(SKU)
        receipt = scene.simulator.buy([(SKU, 2)])
        scene.simulator.cancel(receipt.order_id, restock=restock)
        scene.clock.advance(3_600.0)
        scene.simulator.settle()
        given = [entry for entry in scene.simulator.log if entry.by is By.CANCEL]
        assert scene.sells(SKU) == before - 2 * (back_s is None)
        assert len(given) == (back_s is not None)
        if given and back_s is not None:
            assert given[0].at - scene.simulator.shop.orders.claims[0][1].requested_at == back_s * 1_000_000


async def test_the_shop_cancels_whole_lines() -> None:
    """SetCancelProcess cancels what is left of a line at once; without a reason it is the shop's own fault."""
    async with opened(cancel_s=(100.0, 100.0)) as scene:
        first, second = bought(scene, 2), bought(scene)
        assert await scene.code(CANCEL, ContrNo=first, CancelReason="", SellerMemo="") == 0
        assert await scene.code(CANCEL, ContrNo=second, CancelReason="1") == 0
        assert {str(claim["orderNo"]) for claim in await scene.claims(3)} == {first, second}
        assert scene.simulator.shop.orders.seller_faults == 1


async def test_the_shop_cancels_only_what_it_can() -> None:
    """A wrong number, an unknown one, a reason that is none and a line that is gone have their codes."""
    async with opened() as scene:
        number = bought(scene)
        assert await scene.code(CANCEL, ContrNo="abc") == -10001
        assert await scene.code(CANCEL, ContrNo="1") == -10002
        assert await scene.code(CANCEL, ContrNo=number, CancelReason="9") == -10002
        assert await scene.code(CANCEL, ContrNo=number) == 0
        assert await scene.code(CANCEL, ContrNo=number) == -10004
        shipped = scene.simulator.buy([(SKU, 1)]).order_id
        scene.simulator.ship(shipped)
        last = str(max(scene.simulator.shop.orders.lines))
        assert await scene.code(CANCEL, ContrNo=last) == -10004


# --- claims ----------------------------------------------------------------------------------------------------------


async def test_claims_are_searched_by_three_times() -> None:
    """A claim is found by when it was ordered, asked for or done, each within its window."""
    async with opened(cancel_s=(DAY_S, DAY_S)) as scene:
        receipt = scene.simulator.buy([(SKU, 1)])
        scene.clock.advance(DAY_S)
        scene.simulator.cancel(receipt.order_id)
        scene.clock.advance(DAY_S)
        for condition, day in (("1", "20261001"), ("2", "20261002"), ("3", "20261003")):
            for other in ("20261001", "20261002", "20261003"):
                window = {"search_Sdate": other, "search_Edate": other, "search_condition": condition}
                assert len(await scene.claims(3, **window)) == (other == day)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ClaimStat": ""}, -10),
        ({"ClaimStat": "7"}, -10002),
        ({"search_condition": "4"}, -10002),
        ({"search_Sdate": "20260601"}, -10003),
        ({"search_Sdate": "yesterday"}, -10002),
    ],
)
async def test_wrong_claim_searches_are_refused(changes: dict[str, str], code: int) -> None:
    """Status, kind of time and window are checked; a window has at most 90 days."""
    async with opened() as scene:
        given = {"ClaimStat": "3", "search_condition": "3", **CLAIM_TODAY}
        assert await scene.code(CLAIMS, **{**given, **changes}) == code


async def test_what_comes_back_is_a_return() -> None:
    """A return is asked for, under way and done; its units are not put up again."""
    async with opened(deliver_s=(DAY_S, DAY_S)) as scene:
        order_id = scene.simulator.buy([(SKU, 2)]).order_id
        assert (await scene.post(f"/_sim/orders/{order_id}/return"))[0] == 409
        scene.simulator.ship(order_id)
        after = scene.sells(SKU)
        assert (await scene.post(f"/_sim/orders/{order_id}/return"))[0] == 200
        for status in (4, 5, 6):
            assert [len(await scene.claims(each)) for each in (4, 5, 6)] == [each == status for each in (4, 5, 6)]
            scene.clock.advance(DAY_S / 2)
        assert scene.sells(SKU) == after
