"""Times, errors and names of RMS WEB SERVICE, by tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rakuten import goods, wire
from syncd.sdk.answer import Answer
from syncd.sdk.channel import ListingRef
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError, TransientError
from syncd.sdk.strict import decode

BASE = 1_681_704_080_000_000  # 2023-04-17T13:01:20+09:00
ITEM = {
    "manageNumber": "Mng1234",
    "title": "T-shirt",
    "hideItem": False,
    "unlimitedInventoryFlag": False,
    "genreId": "1",
    "variants": {
        "Sku1": {"merchantDefinedSkuId": "赤-M", "hidden": False, "restockOnCancel": True, "standardPrice": "1"},
        "sku2": {"hidden": True, "backOrderFlag": True},
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-04-17T13:01:20+0900", BASE),
        ("2023-04-17T13:01:20+09:00", BASE),
        ("2023-04-17T13:01:20", BASE),
        ("2023-04-17T04:01:20Z", BASE),
    ],
)
def test_times_are_read(text: str, expected: int) -> None:
    """A time with a zone is that instant, one without is Japanese."""
    assert wire.instant(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "2023-13-01T00:00:00+0900", "20:00"])
def test_no_time_is_not_understood(text: str) -> None:
    """A text that is no time is a protocol error."""
    with pytest.raises(ProtocolError):
        wire.instant(text)


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_times_go_there_and_back(second: int) -> None:
    """A time that is sent is the instant again, and has no colon in its zone."""
    text = wire.order_time(second * wire.SECOND_US)
    assert text.endswith("+0900")
    assert wire.instant(text) == wire.instant(wire.local_time(second * wire.SECOND_US)) == second * wire.SECOND_US


def errors(*codes: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": "no"} for code in codes]}


GATEWAY = {"Results": {"errorCode": "ES04-01", "message": "Un-Authorised"}}
ORDERS = {
    "MessageModelList": [
        {"messageType": "ERROR", "messageCode": "ORDER_EXT_API_SEARCH_ORDER_ERROR_009", "message": "dateType"}
    ],
    "orderNumberList": None,
}
INQUIRY = {"error": {"code": "IE001", "message": "bad parameter", "targets": {"toDate": "x"}}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, GATEWAY, AuthError),
        (400, GATEWAY, AuthError),
        (401, errors("GA0001"), AuthError),
        (403, errors("GA0001"), AuthError),
        (401, "", AuthError),
        (400, errors("IE1105"), AuthError),
        (409, errors("CE0001"), TransientError),
        (404, errors("GE0007"), ProtocolError),
        (400, errors("GE0011"), ProtocolError),
        (400, errors("IE1102"), ProtocolError),
        (415, {"Results": {"errorCode": "ES04-03", "message": "type"}}, ProtocolError),
        (400, ORDERS, RejectedError),
        (400, INQUIRY, RejectedError),
        (400, errors("IE0116"), RejectedError),
        (500, errors("X0000"), None),
        (503, "<html>", None),
        (429, "", None),
        (404, errors("GE0014"), None),
        (400, "<html>", None),
        (200, ORDERS, None),
    ],
)
def test_error_table(status: int, body: Any, kind: type[Exception] | None) -> None:
    """Each shape of an error is the error of what follows from it; the rest is left to the general table."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = wire.judge("purchaseItem.searchOrderItem")(Answer(status=status, body=raw))
    assert (None if found is None else type(found)) is kind


def test_expected_refusals_are_left_alone() -> None:
    """An answer with a status that somebody waits for is no error yet."""
    answer = Answer(status=400, body=json.dumps(errors("IE0117")).encode())
    assert wire.judge("x", expected=(204, 400))(answer) is None


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("mng1234/sku1", goods.Pair("mng1234", "sku1")),
        ("Mng1234/Sku1", goods.Pair("mng1234", "Sku1")),
        ("a_b-c/normal-inventory", goods.Pair("a_b-c", "normal-inventory")),
        ("mng1234", None),
        ("mng1234/", None),
        ("/sku1", None),
        ("a/b/c", None),
        ("商品/sku1", None),
        (f"{'a' * 33}/x", None),
        (f"a/{'x' * 40}", goods.Pair("a", "x" * 40)),
        (f"a/{'x' * 41}", None),
    ],
)
def test_ids_of_listings(text: str, pair: goods.Pair | None) -> None:
    """A listing is a manage number, without case, and a variant id, with case."""
    assert goods.pair_of(ListingRef(remote_id=text)) == pair


def test_a_location_is_no_listing_here() -> None:
    """Rakuten has no locations."""
    assert goods.pair_of(ListingRef(remote_id="a/b", remote_location="1")) is None


@pytest.mark.parametrize(
    ("number", "variant", "own", "sku"),
    [
        ("mng", "v1", "OWN-1", "OWN-1"),
        ("mng", "v1", None, "mng/v1"),
        ("Mng", "v1", "", "mng/v1"),
        ("mng", "normal-inventory", None, "mng"),
        ("mng", "", None, "mng"),
    ],
)
def test_skus(number: str, variant: str, own: str | None, sku: str) -> None:
    """The shop's own code is the SKU; without one it is a text that no other good has."""
    assert goods.sku_of(number, variant, own) == sku


def test_items_become_listings() -> None:
    """Every SKU of an item is a listing, hidden ones too; their settings are remembered, and forgotten when changed."""
    item = decode(json.dumps(ITEM), goods.Item)
    one, two = goods.listings(item)
    assert (one.ref.remote_id, one.sku, one.title, one.active, one.managed) == (
        "mng1234/Sku1", "赤-M", "T-shirt", True, True,
    )  # fmt: skip
    assert (two.ref.remote_id, two.sku, two.active) == ("mng1234/sku2", "mng1234/sku2", False)
    known = goods.Known()
    known.learn_item(item, at=5)
    assert (known.restocking, known.backordered, known.unlimited) == ({"mng1234/Sku1"}, {"mng1234/sku2"}, set())
    plain = {**ITEM, "unlimitedInventoryFlag": True, "variants": {"Sku1": {}, "sku2": {}}}
    known.learn_item(decode(json.dumps(plain), goods.Item), at=6)
    assert (known.restocking, known.backordered) == (set(), set())
    assert known.unlimited == {"mng1234/Sku1", "mng1234/sku2"}


def test_an_item_that_was_deleted_has_no_listings() -> None:
    """An item of which only the number is left is no fault and has nothing for sale."""
    page = decode(json.dumps({"results": [{"item": {"manageNumber": "gone"}}]}), goods.ItemPage)
    assert [listing for hit in page.results for listing in goods.listings(hit.item)] == []
    assert page.next_cursor_mark is None


def test_trust_in_a_pair_ends() -> None:
    """A pair that was seen is written without a look for a day, not for ever."""
    known, pair = goods.Known(), goods.Pair("a", "b")
    assert not known.trusts(pair, now=0)
    known.learn([pair], at=10)
    assert known.trusts(pair, now=10 + goods.TRUSTED_US)
    assert not known.trusts(pair, now=11 + goods.TRUSTED_US)
    known.forget([pair])
    assert not known.trusts(pair, now=10)
