"""Settings, keys, health, ship-by dates and cancels of a Qoo10 shop."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.qoo10 import ADAPTER, Qoo10Settings
from adapters.qoo10.channel import DatingChannel, Qoo10Channel
from syncd.sdk.channel import Health, ListingRef, Outcome, OutcomeKind, Paced
from syncd.sdk.errors import AuthError, RejectedError
from syncd.sdk.features import CancelLine, CancelReason, Cancels, CancelWish, KeyExpiry, KeyIssue, ShipDates
from syncd.sdk.secret import Secret
from syncd.testing.checklist import problems
from tests.adapters.qoo10_stub import KEY, Cut, Stub, code, line, ok, option_row, play

ORDERS = "ShippingBasic.GetShippingInfo_v3"
BY_NUMBER = "ShippingBasic.GetShippingAndClaimInfoByOrderNo_V2"
CONFIRM = "ShippingBasic.SetSellerCheckYN_V2"
CANCEL = "Claim.SetCancelProcess"
CREATE = "CertificationAPI.CreateCertificationKey"
GOODS = "ItemsLookup.GetAllGoodsInfo"
ROWS = "ItemsLookup.GetGoodsInventoryInfo"
CANCELLED = {"claimStatus": "取消完了(3)"}


def settings(**changes: Any) -> Qoo10Settings:
    return Qoo10Settings(**{"key": Secret(KEY), **changes})


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"key": Secret("")}, "key"),
        ({"key_issued_on": "last year"}, "key_issued_on"),
        ({"base_url": "http://api.qoo10.jp"}, "base_url"),
        ({"calls_per_s": 0.0}, "calls_per_s"),
        ({"visibility_s": -1.0}, "visibility_s"),
        ({"order_overlap_s": 1e9}, "order_overlap_s"),
        ({"changes_s": 0.0}, "changes_s"),
        ({"rescan_s": 1.0}, "rescan_s"),
        ({"rescan_days": 90}, "rescan_days"),
    ],
)
def test_each_problem_is_told_with_its_remedy(changes: dict[str, Any], place: str) -> None:
    """A wrong setting is named, with what to do."""
    (problem,) = settings(**changes).problems()
    assert problem.place == f"settings.{place}"
    assert problem.remedy


def test_all_problems_come_at_once() -> None:
    """Everything that is wrong is told in one go, and right settings have no problem."""
    assert len(settings(key=Secret(""), calls_per_s=0.0, rescan_days=0).problems()) == 3
    assert settings().problems() == []
    assert settings(key=Secret(""), api_key=Secret("api-key")).problems() == []


def test_checklist_is_whole() -> None:
    """Every rule for adapters is done, or exempt with a reason."""
    assert problems(Path(__file__).parents[2] / "adapters" / "qoo10" / "checklist.toml") == []


def test_features_are_those_of_the_shop() -> None:
    """Ship-by dates are a feature only where the shop wants them; the others always are."""
    found: list[Qoo10Channel] = []

    async def scene(_: Stub, channel: Qoo10Channel) -> None:
        found.append(channel)

    play(scene)
    play(scene, ship_dates=True)
    plain, dating = found
    for feature in (Health, Paced, Cancels, KeyExpiry, KeyIssue):
        assert isinstance(plain, feature)
    assert not isinstance(plain, ShipDates)
    assert isinstance(dating, ShipDates)


# --- keys --------------------------------------------------------------------------------


def test_key_ends_a_year_after_it_was_made() -> None:
    """The end of the key follows from the day it was made, in Japan; without that day it is not known."""

    async def scene(_: Stub, channel: Qoo10Channel) -> None:
        own, api = await channel.keys()
        assert own.expires_at == 1_819_724_400_000_000  # 2027-09-01 00:00 in Japan
        assert api.expires_at is None

    async def unknown(_: Stub, channel: Qoo10Channel) -> None:
        (own,) = await channel.keys()
        assert own.expires_at is None

    play(scene, api_key=Secret("api-key-of-stub"))
    play(unknown, key_issued_on="")


def test_key_is_made_with_the_api_key() -> None:
    """A new key is made by user and password, opened by the API key, and lasts a year; it prints nowhere."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(CREATE, ok("S5bnbfynQvOITq_new"))
        issued = await channel.issue_key("qsm-user", Secret("qsm-password"))
        (asked,) = stub.of(CREATE)
        assert asked.headers["GiosisCertificationKey"] == "api-key-of-stub"
        assert (asked.fields["user_id"], asked.fields["pwd"]) == ("qsm-user", "qsm-password")
        assert issued.key.reveal() == "S5bnbfynQvOITq_new"
        assert "new" not in repr(issued.key)

    play(scene, api_key=Secret("api-key-of-stub"), key=Secret(""))


@pytest.mark.parametrize("answer", [code(-10000), code(-10001), {"ErrorCode": -90001, "ErrorMsg": ""}])
def test_refused_login_is_an_auth_error(answer: Any) -> None:
    """A wrong user, password or API key is told as such, and neither stands in the error."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(CREATE, answer)
        with pytest.raises(AuthError) as caught:
            await channel.issue_key("qsm-user", Secret("qsm-password"))
        assert "qsm-password" not in str(caught.value)
        assert len(stub.of(CREATE)) == 1

    play(scene, api_key=Secret("api-key-of-stub"))


def test_no_key_is_made_without_an_api_key() -> None:
    """Without an API key nothing is asked."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        with pytest.raises(RejectedError):
            await channel.issue_key("qsm-user", Secret("qsm-password"))
        assert not stub.requests

    play(scene)


def test_shop_without_a_key_calls_nothing() -> None:
    """Before there is a key every call says so."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        with pytest.raises(AuthError):
            await channel.orders(None)
        assert not stub.requests

    play(scene, key=Secret(""), api_key=Secret("api-key-of-stub"))


# --- health --------------------------------------------------------------------------------


async def advised(channel: Qoo10Channel) -> list[str]:
    found = await channel.check()
    assert all(sentence.endswith(".") for sentence in found)
    return found


def test_healthy_shop_has_no_advice() -> None:
    """With a right key and goods there is nothing to mend."""

    async def scene(_: Stub, channel: Qoo10Channel) -> None:
        assert await advised(channel) == []

    play(scene)


@pytest.mark.parametrize(
    ("issued", "words"),
    [("", "cannot warn"), ("2024-01-01", "older than a year"), ("2025-10-10", "ends on 2026-10-10")],
)
def test_end_of_the_key_is_told_ahead(issued: str, words: str) -> None:
    """A key whose day is not told, that ends soon, or has ended, is a sentence."""

    async def scene(_: Stub, channel: Qoo10Channel) -> None:
        (sentence,) = await advised(channel)
        assert words in sentence

    play(scene, key_issued_on=issued)


def test_goods_that_make_stock_wrong_are_told() -> None:
    """Option rows without a code, SKUs on two listings and sales that end are told."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        items = [{"ItemCode": f"100000000{place}", "SellerCode": "TWICE", "ItemStatus": "S2"} for place in (1, 2, 3)]
        page = {"TotalItems": 3, "TotalPages": 1, "PresentPage": 1, "Items": items}
        stub.says(GOODS, lambda asked: ok(page if asked.fields["ItemStatus"] == "S2" else None))
        stub.says(ROWS, lambda asked: ok([option_row("", 1)] if asked.fields["ItemCode"] == "1000000003" else []))
        await channel.listings(None)
        ends = {"ItemQty": "1", "ItemStatus": "S2", "ExpireDate": "2026-10-05", "SellerCode": "TWICE"}
        stub.says("ItemsLookup.GetItemDetailInfo", ok([ends]))

        await channel.seen([ListingRef(remote_id="1000000001")])
        uncoded, doubled, ending = await advised(channel)
        assert "1000000003" in uncoded
        assert "TWICE" in doubled
        assert "1000000001" in ending

    play(scene)


def test_missing_right_to_orders_is_told() -> None:
    """A key that may read goods and not orders is told; a key that may nothing raises."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ORDERS, {"ErrorCode": -90002, "ErrorMsg": ""})
        (sentence,) = await advised(channel)
        assert "GetShippingInfo" in sentence
        stub.says(GOODS, {"ErrorCode": -90001, "ErrorMsg": ""})
        with pytest.raises(AuthError):
            await channel.check()

    play(scene)


# --- ship-by dates and cancels --------------------------------------------------------------------------------


def cart(stub: Stub, *lines: dict[str, Any]) -> None:
    """Let a stub state lines, in searches by their status and by their numbers."""

    def search(asked: Any) -> Any:
        status = f"({asked.fields['ShippingStatus']})"
        return ok([row for row in lines if row["ShippingStatus"].endswith(status) and "取消" not in row["claimStatus"]])

    def single(asked: Any) -> Any:
        found = [row for row in lines if str(row["OrderNo"]) == asked.fields["OrderNo"]]
        return ok(found) if found else code(-10001)

    stub.says(ORDERS, search)
    stub.says(BY_NUMBER, single)


LATE = {"ShippingStatus": "Seller confirm(3)", "EstimatedShippingDate": "2026-09-30"}


def test_undated_orders_are_found() -> None:
    """New orders have no date, confirmed ones whose day has passed are late, others are left alone."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        assert isinstance(channel, DatingChannel)
        dated = {**LATE, "EstimatedShippingDate": "2026-12-01"}
        cart(stub, line(1), line(11, **LATE), line(21, **dated), line(31, ShippingStatus="On delivery(4)"))
        found = {one.order_id: (one.delayed, one.current) for one in await channel.undated()}
        assert found == {"500": (False, None), "501": (True, date(2026, 9, 30))}

    play(scene, ship_dates=True)


def dated(stub: Stub, lines: list[dict[str, Any]], *, day: date = date(2026, 10, 5)) -> Outcome:
    """Return how a promise for the cart of these lines ends."""
    ends: list[Outcome] = []

    async def scene(stage: Stub, channel: Qoo10Channel) -> None:
        assert isinstance(channel, DatingChannel)
        stage.answers.update(stub.answers)
        cart(stage, *lines)
        await channel.undated()
        ends.append(await channel.set_ship_date("500", day))
        stub.requests += stage.requests

    play(scene, ship_dates=True)
    return ends[0]


def test_every_line_that_waits_gets_the_day() -> None:
    """New lines are promised without a reason, late ones with that of a delay, others not at all."""
    stub = Stub()
    done = {"ShippingStatus": "On delivery(4)"}
    outcome = dated(stub, [line(1, RelatedOrder="1,2,3"), line(2, **LATE), line(3, **done)])
    assert outcome.kind is OutcomeKind.ACCEPTED
    sent = [(one.fields["OrderNo"], one.fields["EstShipDt"], one.fields["DelayType"]) for one in stub.of(CONFIRM)]
    assert sent == [("1", "20261005", ""), ("2", "20261005", "1")]


@pytest.mark.parametrize(
    ("row", "answer", "kind"),
    [
        ({}, code(-10012), OutcomeKind.ACCEPTED),
        (LATE, code(-10012), OutcomeKind.REJECTED),
        ({}, code(-10017), OutcomeKind.REJECTED),
        ({}, Cut(), OutcomeKind.INDETERMINATE),
    ],
)
def test_promise_ends_as_qoo10_says(row: dict[str, Any], answer: Any, kind: OutcomeKind) -> None:
    """Confirmed already is done for a new line; a late one keeps its day; a lost answer is not known."""
    stub = Stub()
    stub.says(CONFIRM, answer)
    assert dated(stub, [line(1, **row)]).kind is kind


def test_promise_of_a_cart_that_is_done_is_refused() -> None:
    """Where no line waits for a day, none is promised."""
    stub = Stub()
    promised = {"ShippingStatus": "Seller confirm(3)", "EstimatedShippingDate": "2026-12-01"}
    assert dated(stub, [line(1, **promised)]).kind is OutcomeKind.REJECTED
    assert not stub.of(CONFIRM)


def test_day_in_the_past_is_refused_here() -> None:
    """Qoo10 is not asked for a day that has passed."""
    stub = Stub()
    assert dated(stub, [line(1)], day=date(2026, 9, 1)).kind is OutcomeKind.REJECTED
    assert not stub.of(CONFIRM)


def cancelled(lines: list[dict[str, Any]], wish: CancelWish, *answers: Any) -> tuple[Outcome, Stub]:
    """Return how a cancel ends in a shop with these lines."""
    ends: list[Outcome] = []

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        cart(stub, *lines)
        stub.says(CANCEL, *(answers or (ok(),)))
        ends.append(await channel.cancel(wish))

    stub = play(scene)
    return ends[0], stub


def wish(*lines: CancelLine, reason: CancelReason = CancelReason.OUT_OF_STOCK) -> CancelWish:
    return CancelWish(key="wish", order_id="500", reason=reason, lines=lines)


TWO = [line(1, RelatedOrder="1, 2"), line(2, RelatedOrder="1, 2")]


def test_cancel_of_one_line_leaves_the_others() -> None:
    """Only the line that is named is cancelled, with Qoo10's word for the reason."""
    outcome, stub = cancelled(TWO, wish(CancelLine(line_id="2", quantity=2), reason=CancelReason.BUYER))
    assert outcome == Outcome(key="wish", kind=OutcomeKind.ACCEPTED)
    assert [(one.fields["ContrNo"], one.fields["CancelReason"]) for one in stub.of(CANCEL)] == [("2", "1")]


def test_cancel_without_lines_is_of_the_whole_cart() -> None:
    """No line named means every line that is open; want of stock is a blank reason."""
    outcome, stub = cancelled([TWO[0], {**TWO[1], **CANCELLED}], wish())
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert [(one.fields["ContrNo"], one.fields["CancelReason"]) for one in stub.of(CANCEL)] == [("1", "")]


@pytest.mark.parametrize(
    ("lines", "asked", "kind"),
    [
        (TWO, wish(CancelLine(line_id="2", quantity=1)), OutcomeKind.REJECTED),
        (TWO, wish(CancelLine(line_id="9", quantity=1)), OutcomeKind.REJECTED),
        (TWO, wish(reason=CancelReason.PRICE), OutcomeKind.REJECTED),
        ([line(1, ShippingStatus="On delivery(4)")], wish(), OutcomeKind.REJECTED),
        ([], wish(), OutcomeKind.REJECTED),
    ],
)
def test_what_cannot_be_cancelled_is_refused_here(
    lines: list[dict[str, Any]], asked: CancelWish, kind: OutcomeKind
) -> None:
    """Parts of a line, unknown lines, other reasons, shipped goods and unknown orders are refused without a call."""
    outcome, stub = cancelled(lines, asked)
    assert outcome.kind is kind
    assert outcome.reason
    assert not stub.of(CANCEL)


def test_cancel_that_is_done_is_applied() -> None:
    """A line that is cancelled already needs no call."""
    outcome, stub = cancelled([TWO[0], {**TWO[1], **CANCELLED}], wish(CancelLine(line_id="2", quantity=2)))
    assert outcome.kind is OutcomeKind.APPLIED
    assert not stub.of(CANCEL)


@pytest.mark.parametrize(("answer", "kind"), [(code(-10004), OutcomeKind.REJECTED), (Cut(), OutcomeKind.INDETERMINATE)])
def test_cancel_ends_as_qoo10_says(answer: Any, kind: OutcomeKind) -> None:
    """A refusal is told, a lost answer is not guessed."""
    outcome, _ = cancelled([line(1)], wish(), answer)
    assert outcome.kind is kind


def test_adapter_names_itself() -> None:
    """The entry point is named as the folder."""
    assert ADAPTER.name == "qoo10"
