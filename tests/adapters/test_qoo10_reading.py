"""Reading a Qoo10 shop where its answers are long, cut off, or odd."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.qoo10 import feed
from adapters.qoo10.channel import Qoo10Channel
from syncd.sdk.channel import ListingRef, OrderSnapshot
from syncd.sdk.errors import ProtocolError
from tests.adapters.qoo10_stub import Request, Stub, code, detail, line, ok, option_row, play

ORDERS = "ShippingBasic.GetShippingInfo_v3"
CLAIMS = "ShippingBasic.GetClaimInfo_V3"
BY_NUMBER = "ShippingBasic.GetShippingAndClaimInfoByOrderNo_V2"
GOODS = "ItemsLookup.GetAllGoodsInfo"
ROWS = "ItemsLookup.GetGoodsInventoryInfo"
DETAIL = "ItemsLookup.GetItemDetailInfo"


async def scanned(channel: Qoo10Channel, cursor: str | None = None) -> tuple[list[OrderSnapshot], str]:
    found: list[OrderSnapshot] = []
    while True:
        page = await channel.orders(cursor)
        found += page.orders
        cursor = page.cursor
        if not page.more:
            return found, cursor


def within(request: Request, at: str) -> bool:
    return request.fields["SearchStartDate"] <= at <= request.fields["SearchEndDate"]


def test_search_that_is_full_is_halved() -> None:
    """Of an answer that Qoo10 may have cut off nothing is lost: its time is searched in halves."""
    times = {number: f"20260905{8 + number // 60:02d}{number % 60:02d}00" for number in range(500)}

    def search(asked: Request) -> Any:
        held = [number for number, at in times.items() if asked.fields["ShippingStatus"] == "2" and within(asked, at)]
        rows = [line(number, OrderDate=times[number]) for number in held]
        return ok([{**row, "PackNo": row["OrderNo"]} for row in rows[: feed.FULL]])

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ORDERS, search)
        found, _ = await scanned(channel)
        assert {order.number for order in found} == {str(number) for number in times}

    play(scene, calls_per_s=50.0, rescan_days=60)


def test_nothing_is_told_before_all_of_a_cart_is_read() -> None:
    """After a start no page tells an order before the searches for its other lines were made."""

    def search(asked: Request) -> Any:
        rows = [line(1), line(2, ShippingStatus="Delivered(5)")]
        return ok([row for row in rows if row["ShippingStatus"].endswith(f"({asked.fields['ShippingStatus']})")])

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ORDERS, search)
        first = await channel.orders(None)
        assert (first.orders, first.more, first.complete_until) == ((), True, None)
        (order,), _ = await scanned(channel, first.cursor)
        assert [one.shipped for one in order.lines] == [0, 2]

    play(scene)


def test_line_that_is_only_named_is_read_by_its_number() -> None:
    """A line that no search brings and another line names belongs to the cart; one that is not there does not."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(
            ORDERS,
            lambda asked: ok([line(1, RelatedOrder="1, 2, 3")]) if asked.fields["ShippingStatus"] == "2" else ok(),
        )
        stub.says(BY_NUMBER, lambda asked: ok(line(2)) if asked.fields["OrderNo"] == "2" else code(-10001))
        (order,), _ = await scanned(channel)
        assert [one.line_id for one in order.lines] == ["1", "2"]

    play(scene)


def test_words_without_a_code_are_looked_up() -> None:
    """An order line with option words and no code is the row with these words; add-on words of a plain item are not."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        rows = [line(1, Option="カラー:BLUE"), line(11, Option="刺繍:有", ItemNo="1000000002")]
        stub.says(ORDERS, lambda asked: ok(rows if asked.fields["ShippingStatus"] == "2" else None))
        blue = option_row("", 1, Value1="BLUE")
        stub.says(ROWS, lambda asked: ok([blue] if asked.fields["ItemCode"] == "1000000001" else []))
        found, _ = await scanned(channel)
        assert [order.lines[0].remote_id for order in found] == ["1000000001:=カラー:BLUE", "1000000002"]

    play(scene)


def test_move_item_is_listed_and_not_managed() -> None:
    """An item that Qoo10 does not let us look into is listed as one that is not written."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        page = {"TotalPages": "1", "Items": [{"ItemCode": 1000000001, "SellerCode": "S", "ItemStatus": "S2"}]}
        stub.says(GOODS, lambda asked: ok(page if asked.fields["ItemStatus"] == "S2" else None))
        stub.says(ROWS, code(-10004))
        (listing,) = (await channel.listings(None)).listings
        assert (listing.ref.remote_id, listing.sku, listing.managed) == ("1000000001", "S", False)

    play(scene)


@pytest.mark.parametrize("cursor", ["x", "9:1:0", "1:1", "a:b:c"])
def test_foreign_place_in_the_catalogue_is_not_understood(cursor: str) -> None:
    """A text that is no place in the catalogue is a ProtocolError."""

    async def scene(_: Stub, channel: Qoo10Channel) -> None:
        with pytest.raises(ProtocolError):
            await channel.listings(cursor)

    play(scene)


def test_rows_of_one_item_are_one_call() -> None:
    """Several option rows of an item are read together, and what is no listing costs no call."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ROWS, ok([option_row("A", 1), option_row("B", 2)]))
        stub.says(DETAIL, detail(3))
        names = ["1000000001:A", "1000000001:B", "1000000001:C", "1000000002", "none"]
        seen = await channel.seen([ListingRef(remote_id=name) for name in names])
        assert [one.quantity for one in seen] == [1, 2, None, 3, None]
        assert len(stub.requests) == 2

    play(scene)


def test_old_order_is_not_lost_to_a_search_that_fails() -> None:
    """A page that fails is asked for again with its cursor and tells what it would have told."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        _, cursor = await scanned(channel)
        stub.says(ORDERS, lambda asked: ok([line(1)] if asked.fields["ShippingStatus"] == "2" else None))
        stub.says(CLAIMS, code(-10003), ok())
        with pytest.raises(Exception, match="-10003"):
            await channel.orders(cursor)
        (order,), _ = await scanned(channel, cursor)
        assert order.number == "500"

    play(scene)
