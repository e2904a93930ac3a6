"""Items and option rows: their names, what is read of them, what is written."""

from __future__ import annotations

from datetime import date

import pytest

from adapters.qoo10 import goods
from adapters.qoo10.goods import Detail
from adapters.qoo10.wire import Row
from syncd.sdk.channel import ListingRef, Write
from tests.adapters.qoo10_stub import option_row

WRITE = Write(key="k", ref=ListingRef(remote_id="1000000001"), quantity=7)


def rows(*given: dict[str, object]) -> goods.Options:
    return goods.options([goods.option(Row(row)) for row in given])


@pytest.mark.parametrize(
    ("remote_id", "found"),
    [
        ("1234567890", ("1234567890", "")),
        ("1234567890:Red_S", ("1234567890", "Red_S")),
        ("1234567890:=Colour:RED / Size:S", ("1234567890", "=Colour:RED / Size:S")),
        ("1234567890:", None),
        ("ABC", None),
        ("", None),
        (":x", None),
    ],
)
def test_listing_names_go_both_ways(remote_id: str, found: tuple[str, str] | None) -> None:
    """A remote id is an item, or an item with the key of an option row, and is made of them again."""
    assert goods.target(ListingRef(remote_id=remote_id)) == found
    if found:
        assert goods.remote_id(*found) == remote_id


def test_place_with_a_location_is_none_of_ours() -> None:
    """Qoo10 has no locations."""
    assert goods.target(ListingRef(remote_id="1234567890", remote_location="main")) is None


def test_rows_are_named_by_code_or_words() -> None:
    """A code that is blank or stands twice does not name a row; its words do."""
    found = rows(
        option_row("RED", 1),
        option_row("", 2, Value1="BLUE"),
        option_row("TWICE", 3, Value1="A", Name2="サイズ", Value2="S"),
        option_row("TWICE", 4, Value1="B", Name2="サイズ", Value2="M"),
    )
    assert list(found.by_key) == ["RED", "=カラー:BLUE", "=カラー:A / サイズ:S", "=カラー:B / サイズ:M"]
    assert found.uncoded == 3


def test_order_words_lead_to_their_row() -> None:
    """The option of an order line is found by its code, else by its words without minding blanks."""
    found = rows(option_row("RED", 1), option_row("", 2, Value1="BLUE", Name2="サイズ", Value2="S"))
    assert found.key_of(code="RED", words="") == "RED"
    assert found.key_of(code="", words="カラー:BLUE/サイズ:S") == "=カラー:BLUE / サイズ:S"
    assert found.key_of(code="GREEN", words="カラー:GREEN") is None


@pytest.mark.parametrize(("codes", "sku"), [(("O", "S", "1"), "O"), (("", "S", "1"), "S"), (("", "", "1"), "1")])
def test_sku_is_the_closest_code(codes: tuple[str, str, str], sku: str) -> None:
    """The option code comes before the seller code, and that before the item code."""
    assert goods.sku(*codes) == sku


def test_page_of_an_item_is_read() -> None:
    """Numbers come as texts, the end of sale with or without a time."""
    row = {"ItemQty": "12", "SellerCode": "S-1", "ItemStatus": "S2", "ExpireDate": "2027/11/22 00:00:00"}
    assert goods.detail(Row(row)) == Detail(quantity=12, seller_code="S-1", state="S2", expires=date(2027, 11, 22))


def test_item_is_written_with_its_own_end_of_sale_and_no_price() -> None:
    """A write names quantity and end of sale, and leaves price, tax and start alone."""
    found = Detail(quantity=1, seller_code="S-1", state="S2", expires=date(2031, 1, 1))
    fields = goods.item_fields(WRITE, "1000000001", found, today=date(2026, 11, 22))
    assert fields == {
        "ItemCode": "1000000001",
        "SellerCode": "S-1",
        "Price": "",
        "TaxRate": "",
        "Qty": "7",
        "ExpireDate": "2031-01-01",
        "StartDate": "",
    }


def test_end_of_sale_is_never_blank() -> None:
    """An item without a readable end of sale gets the one that Qoo10 itself would set."""
    found = Detail(quantity=1, seller_code="", state="S2", expires=None)
    fields = goods.item_fields(WRITE, "1000000001", found, today=date(2026, 11, 22))
    assert fields["ExpireDate"] == "2027-11-22"


def test_option_row_is_sent_back_as_it_was_read() -> None:
    """Names and values of several axes are joined, the code stands beside them."""
    (row,) = rows(option_row("Red_S", 1, Value1="RED", Name2="サイズ", Value2="S")).by_key.values()
    fields = goods.option_fields(WRITE, "1000000001", "S-1", row)
    assert fields == {
        "ItemCode": "1000000001",
        "SellerCode": "S-1",
        "OptionName": "カラー||*サイズ",
        "OptionValue": "RED||*S",
        "OptionCode": "Red_S",
        "Qty": "7",
    }
