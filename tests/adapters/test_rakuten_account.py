"""Settings, keys, health, questions and cancels of a Rakuten account."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.rakuten import RakutenSettings, cancels, goods, health, inquiries, wire
from syncd.sdk.answer import Answer
from syncd.sdk.channel import OutcomeKind
from syncd.sdk.errors import AuthError, ConfigError, ProtocolError
from syncd.sdk.features import AccountHealth, CancelLine, CancelReason, Cancels, CancelWish, Inquiries, KeyExpiry
from syncd.sdk.secret import Secret
from tests.adapters.rakuten_stage import Stage, play

GOOD = RakutenSettings(service_secret=Secret("SP000000_EXAMPLE"), license_key=Secret("SL000000_EXAMPLE"))
NOW = wire.instant("2026-11-22T12:00:00+0900")


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        ({"shop_url": "my-shop", "notify_contract_id": "1", "notify_auth_key": Secret("k")}, []),
        ({"license_expires_on": "2026-11-28"}, []),
        ({"service_secret": Secret(""), "license_key": Secret("")}, ["service_secret", "license_key"]),
        ({"license_expires_on": "28.11.2026"}, ["license_expires_on"]),
        ({"license_expires_on": "20261128"}, ["license_expires_on"]),
        ({"shop_url": "https://www.rakuten.co.jp/x/"}, ["shop_url"]),
        ({"notify_contract_id": "1", "shop_url": "x"}, ["notify_auth_key"]),
        ({"notify_auth_key": Secret("k"), "shop_url": "x"}, ["notify_contract_id"]),
        ({"notify_contract_id": "1", "notify_auth_key": Secret("k")}, ["shop_url"]),
        ({"base_url": "http://api.rms.rakuten.co.jp"}, ["base_url"]),
        ({"base_url": "http://127.0.0.1:8080"}, []),
        ({"order_window_s": 1.0, "rescan_days": 63}, ["order_window_s", "rescan_days"]),
        ({"pushes_per_s": 0.0}, ["pushes_per_s"]),
    ],
)
def test_settings_are_checked_at_once(changes: dict[str, Any], places: list[str]) -> None:
    """Every problem is told, each with a remedy."""
    problems = replace(GOOD, **changes).problems()
    assert [problem.place for problem in problems] == [f"settings.{place}" for place in places]
    assert all(problem.remedy for problem in problems)


def test_wrong_settings_do_not_open() -> None:
    """A channel with wrong settings is not opened."""

    async def scene(_: Stage) -> None:
        raise AssertionError("it was opened")

    with pytest.raises(ConfigError):
        play(scene, pushes_per_s=0.0)


def test_features() -> None:
    """The channel has the features that Rakuten allows, and not the others."""

    async def scene(stage: Stage) -> None:
        assert isinstance(stage.channel, KeyExpiry)
        assert isinstance(stage.channel, Inquiries)
        assert isinstance(stage.channel, Cancels)
        assert not isinstance(stage.channel, AccountHealth)

    play(scene)


def test_the_end_of_the_key_comes_from_the_settings_where_it_must() -> None:
    """Where Rakuten does not tell the end, the settings do; without either it is an error of the keys."""

    async def told(stage: Stage) -> None:
        stage.shop.turn(functions=[])
        (key,) = await stage.channel.keys()
        assert key.expires_at == wire.instant("2026-11-28T23:59:59+0900")

    async def untold(stage: Stage) -> None:
        stage.shop.turn(functions=[])
        with pytest.raises(AuthError):
            await stage.channel.keys()
        with pytest.raises(AuthError):
            await stage.channel.check()

    play(told, license_expires_on="2026-11-28")
    play(untold)


@pytest.mark.parametrize(
    ("days", "words"),
    [(60, ""), (14, ""), (13, "ends in 13 days"), (1, "ends in 1 days"), (0, "is over"), (-1, "over")],
)
def test_the_end_of_the_key_is_said(days: int, words: str) -> None:
    """The end of the key is said two weeks ahead, and after it."""
    ends = NOW + days * health.DAY_US
    said = health.advice(refused=[], expires_at=ends, known=goods.Known(), now=NOW)
    assert (said == []) if not words else (words in said[0])


def test_goods_that_oversell_are_named() -> None:
    """SKUs whose settings make their stock wrong are named, a few of many."""
    known = goods.Known(unlimited={"a/1"}, backordered={f"b/{number}" for number in range(9)}, restocking={"c/1"})
    said = health.advice(refused=["items.search"], expires_at=None, known=known, now=NOW)
    assert len(said) == 4
    assert "items.search" in said[0]
    assert "a/1" in said[1]
    assert "9 SKUs" in said[2]
    assert said[2].count("b/") == health.MOST_NAMED
    assert "restockOnCancel" in said[3]


# --- questions --------------------------------------------------------------------------------------------------------

ROW = {
    "inquiryNumber": "105-20260101-0000001",
    "shopId": 105,
    "userName": "山田",
    "userMaskEmail": "mask@example.jp",
    "message": "いつ入荷しますか",
    "regDate": "2026-11-20T10:00:00",
    "itemUrl": "/_shop/105/",
    "itemName": "T-shirt",
    "itemNumber": "c3ps390",
    "isCompleted": False,
    "orderNumber": None,
    "category": "再入荷・在庫",
    "type": "商品問い合わせ",
    "replies": [{"id": 1, "message": "x", "replyFrom": "merchant"}],
}


def page(*rows: dict[str, Any], pages: int = 1, number: int = 1) -> Any:
    body = json.dumps({"totalCount": len(rows), "totalPageCount": pages, "page": number, "list": list(rows)})
    answer = Answer(status=200, body=body.encode()).decode(inquiries.Rows)
    return inquiries.page(answer, inquiries.Place(until=NOW, page=number))


def test_questions_hold_nothing_of_the_customer() -> None:
    """An open question about stock is told with its item and time, and with nobody's name or words."""
    (found,) = page(ROW, {**ROW, "category": "配送"}, {**ROW, "isCompleted": True}).inquiries
    assert (found.inquiry_id, found.about, found.answered) == ("105-20260101-0000001", "c3ps390", True)
    assert found.asked_at == wire.instant("2026-11-20T10:00:00+0900")
    assert not [word for word in ("山田", "mask@", "入荷しますか") if word in str(found)]


def test_questions_come_in_pages() -> None:
    """A page that is not the last one says where to go on, over the same span of at most 31 days."""
    first = page(ROW, pages=2)
    following = inquiries.resume(first.cursor, now=NOW + health.DAY_US)
    assert inquiries.query(following) == {
        "fromDate": "2026-10-23T12:00:00", "toDate": "2026-11-22T12:00:00", "limit": 100, "page": 2,
    }  # fmt: skip
    assert page(ROW, pages=2, number=2).cursor is None
    with pytest.raises(ProtocolError):
        inquiries.resume("{}", now=NOW)


# --- cancels ----------------------------------------------------------------------------------------------------------

WISH = CancelWish(key="k", order_id="123456-20260101-0207814266", reason=CancelReason.OUT_OF_STOCK)


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        (CancelReason.OUT_OF_STOCK, (2, 8)),
        (CancelReason.PRICE, (0, 10)),
        (CancelReason.OTHER, (0, 10)),
        (CancelReason.BUYER, None),
        (CancelReason.ADDRESS, None),
    ],
)
def test_reasons(reason: CancelReason, sent: tuple[int, int] | None) -> None:
    """For want of stock nothing is put back; reasons that are not known are refused with what to do instead."""
    wish = replace(WISH, reason=reason)
    assert bool(cancels.refused(wish)) == (sent is None)
    if sent is not None:
        assert json.loads(cancels.body(wish)) == {
            "orderNumber": wish.order_id, "inventoryRestoreType": sent[0], "changeReasonDetailApply": sent[1],
        }  # fmt: skip


def test_parts_cannot_be_cancelled() -> None:
    """A wish for a part of an order is refused."""
    assert cancels.refused(replace(WISH, lines=(CancelLine(line_id="1", quantity=1),)))


def message(kind: str) -> dict[str, Any]:
    return {"MessageModelList": [{"messageType": kind, "messageCode": "ORDER_EXT_API_X_101", "message": "m"}]}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, message("INFO"), OutcomeKind.ACCEPTED),
        (200, message("WARNING"), OutcomeKind.ACCEPTED),
        (200, message("ERROR"), OutcomeKind.REJECTED),
        (400, message("ERROR"), OutcomeKind.REJECTED),
        (200, {}, OutcomeKind.INDETERMINATE),
        (200, [], OutcomeKind.INDETERMINATE),
        (400, {}, OutcomeKind.INDETERMINATE),
    ],
)
def test_ends_of_a_cancel(status: int, body: Any, kind: OutcomeKind) -> None:
    """The kind of message is the truth, not the status; an answer without one leaves it open."""
    assert cancels.outcome(WISH, Answer(status=status, body=json.dumps(body).encode())).kind is kind
