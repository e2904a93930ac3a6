"""The report of all listings, a table in the language and the encoding of the marketplace: pure.

Report GET_MERCHANT_LISTINGS_ALL_DATA: tab-separated, columns by name (SP-API docs, inventory reports attributes, 2026);
in Japan in Shift_JIS and with Japanese names (selling-partner-api-models issue 2293, selling-partner-api-docs issue
3678). Its cache knows nothing of languages, so both are understood whatever was asked for.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from adapters.amazon.wire import OWN, ref
from syncd.sdk.channel import ListingInfo
from syncd.sdk.errors import ProtocolError

REPORT: Final = "GET_MERCHANT_LISTINGS_ALL_DATA"
MOST_BYTES = 512 * 1024 * 1024
"""The largest report, unpacked: half a million listings with long descriptions."""

_SKU, _TITLE, _CHANNEL, _STATUS, _QUANTITY = "sku", "title", "channel", "status", "quantity"
_COLUMNS: Final[Mapping[str, str]] = {
    "sellersku": _SKU,
    "sku": _SKU,
    "出品者sku": _SKU,
    "商品管理番号": _SKU,
    "itemname": _TITLE,
    "商品名": _TITLE,
    "fulfillmentchannel": _CHANNEL,
    "フルフィルメントチャンネル": _CHANNEL,
    "フルフィルメントチャネル": _CHANNEL,
    "フルフィルメント経路": _CHANNEL,
    "出荷経路": _CHANNEL,
    "status": _STATUS,
    "ステータス": _STATUS,
    "出品ステータス": _STATUS,
    "出品状況": _STATUS,
    "quantity": _QUANTITY,
    "数量": _QUANTITY,
    "在庫数": _QUANTITY,
    "在庫数量": _QUANTITY,
}
_OFF_SALE: Final = frozenset({"inactive", "incomplete", "停止中", "非アクティブ", "出品停止", "不完全", "情報不足"})
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_SHIFT_JIS: Final = frozenset({"shift_jis", "cp932"})


def decoded(body: bytes, content_type: str) -> str:
    """Return the text of a report: in the charset that it names, else UTF-8, else Shift_JIS as Windows writes it.

    Japanese text in Shift_JIS is never good UTF-8, while the other way round much passes for text that is none.
    Raises `ProtocolError` where none of them fits.
    """
    named = _CHARSET.search(content_type)
    for charset in (_python_name(named[1]) if named else "", "utf-8-sig", "cp932"):
        try:
            if charset:
                return body.decode(charset)
        except UnicodeDecodeError:
            continue
    raise ProtocolError("Amazon: a report is neither in its charset, nor UTF-8, nor Shift_JIS")


def _python_name(charset: str) -> str:
    """Return Python's name of a charset, empty for one that it does not have."""
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return ""
    # Both names stand for what Windows writes: the strict table lacks signs that shops use.
    return "cp932" if name in _SHIFT_JIS else "utf-8-sig" if name == "utf-8" else name


def listings(text: str) -> list[ListingInfo]:
    """Return the listings of a report; raises `ProtocolError` where it names no column of SKUs.

    A row that is cut short is one of them all the same when it has its SKU. Where no fulfilment channel is told the
    listing counts as managed: before it is written it is read.
    """
    # Only these end a row: titles hold signs that other readers take for line ends.
    head, *rows = (row.rstrip("\r") for row in text.split("\n"))
    places = columns(head)
    if _SKU not in places:
        raise ProtocolError("Amazon: the report of all listings has no column of SKUs")
    found = (_listing(row.split("\t"), places) for row in rows if row.strip())
    return list({listing.sku: listing for listing in found if listing is not None}.values())


def columns(head: str) -> dict[str, int]:
    """Return where the columns are that we know, by our own names."""
    names = [_COLUMNS.get(_plain(name)) for name in head.split("\t")]
    return {name: place for place, name in reversed(list(enumerate(names))) if name is not None}


def _plain(name: str) -> str:
    """Return a column's name without what differs between languages and years: width, case, signs."""
    folded = unicodedata.normalize("NFKC", name).lower()
    return "".join(char for char in folded if char.isalnum() or char == "ー")


def _listing(cells: Sequence[str], places: Mapping[str, int]) -> ListingInfo | None:
    def cell(name: str) -> str:
        place = places.get(name, len(cells))
        return cells[place].strip() if place < len(cells) else ""

    sku = cell(_SKU)
    if not sku:
        return None
    channel = cell(_CHANNEL)
    # A listing that is sold out is told as inactive too; it is for sale again as soon as it has stock.
    sold_out = cell(_QUANTITY) == "0"
    return ListingInfo(
        ref=ref(sku),
        sku=sku,
        title=cell(_TITLE),
        active=sold_out or cell(_STATUS).lower() not in _OFF_SALE,
        managed=channel in ("", OWN),
    )
