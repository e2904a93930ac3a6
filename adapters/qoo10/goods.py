"""Items, their option rows, and how both are named and written: pure.

A listing is an item without options (`1234567890`) or one option row of an item: `1234567890:CODE` by the seller's
option code, and `1234567890:=Colour:RED / Size:S` where the code is blank or stands on several rows of the item.

Facts (QAPI guide for Japan, 2026): an item with options sells the quantities of its rows, its own is not sold;
`OptionName` and `OptionValue` of several axes are joined by `||*`; a blank `ExpireDate` sets the end of sale to a year
from today; a blank `Qty` may set 9999; a blank `Price` leaves the price.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import msgspec

from adapters.qoo10.wire import Row, japan, moment
from syncd.sdk.channel import ListingRef, Write

AXES = 5
JOINED = "||*"
MOST_QUANTITY = 2_147_483_647
ON_SALE = "S2"
STATES = ("S2", "S1", "S3", "S0", "S5", "S8")
"""The states of items, those on sale first; GetAllGoodsInfo answers one of them at a time."""

_ITEM = re.compile(r"[1-9]\d{0,19}")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item as the catalogue lists it; no quantity stands there."""

    code: str
    seller_code: str
    state: str

    @property
    def active(self) -> bool:
        """Say whether it can be bought."""
        return self.state == ON_SALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What the page of an item says. `expires` is the end of its sale."""

    quantity: int
    seller_code: str
    state: str
    expires: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option row; `names` and `values` exactly as they were read."""

    names: tuple[str, ...]
    values: tuple[str, ...]
    code: str
    quantity: int

    @property
    def words(self) -> str:
        """Return names and values as the order screen shows them."""
        return " / ".join(f"{name}:{value}" for name, value in zip(self.names, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class Options:
    """The option rows of one item by their keys; empty for an item without options.

    `uncoded` counts the rows that have no code of their own.
    """

    by_key: dict[str, Option] = field(default_factory=dict)
    uncoded: int = 0

    def key_of(self, *, code: str, words: str) -> str | None:
        """Return the key of the row that an order line names; None where no row fits."""
        if code and code in self.by_key:
            return code
        wanted = _squeezed(words)
        return next((key for key, row in self.by_key.items() if wanted and _squeezed(row.words) == wanted), None)


def options(rows: Sequence[Option]) -> Options:
    """Give each row its key. Of rows that are equal in everything the first one stays."""
    counts = Counter(row.code for row in rows)
    by_key: dict[str, Option] = {}
    uncoded = 0
    for row in rows:
        own = bool(row.code) and counts[row.code] == 1 and not row.code.startswith("=")
        uncoded += not own
        by_key.setdefault(row.code if own else f"={row.words}", row)
    return Options(by_key, uncoded)


def remote_id(item: str, key: str = "") -> str:
    """Name an item, or one of its option rows."""
    return f"{item}:{key}" if key else item


def target(ref: ListingRef) -> tuple[str, str] | None:
    """Return item and option key of a listing; None for what is no listing of Qoo10."""
    item, colon, key = ref.remote_id.partition(":")
    if ref.remote_location or not _ITEM.fullmatch(item) or (colon and not key):
        return None
    return item, key


def sku(option_code: str, seller_code: str, item: str) -> str:
    """Return the shop's own code: of the option row, else of the item, else Qoo10's code of the item."""
    return option_code or seller_code or item


# --- what is read ----------------------------------------------------------------------------------------------------


def item(row: Row) -> Item:
    """Read a row of the catalogue."""
    return Item(code=row.needed("ItemCode"), seller_code=row.text("SellerCode"), state=row.text("ItemStatus"))


def detail(row: Row) -> Detail:
    """Read the page of an item."""
    expires = row.text("ExpireDate")
    span = moment(expires) if expires else None
    return Detail(
        quantity=row.number("ItemQty"),
        seller_code=row.text("SellerCode"),
        state=row.text("ItemStatus"),
        expires=None if span is None else japan(span.earliest).date(),
    )


def option(row: Row) -> Option:
    """Read an option row; axes without a name and a value are left out."""
    axes = [(row.text(f"Name{place}"), row.text(f"Value{place}")) for place in range(1, AXES + 1)]
    used = [(name, value) for name, value in axes if name or value]
    return Option(
        names=tuple(name for name, _ in used),
        values=tuple(value for _, value in used),
        code=row.text("ItemTypeCode"),
        quantity=row.number("Qty"),
    )


# --- what is written --------------------------------------------------------------------------------------------------


def item_fields(write: Write, item_code: str, found: Detail, *, today: date) -> dict[str, str]:
    """Return the fields that set the quantity of an item and leave everything else as it was read.

    An item whose end of sale cannot be read gets what a blank would set: a year from today.
    """
    expires = found.expires or today + timedelta(days=365)
    return {
        "ItemCode": item_code,
        "SellerCode": found.seller_code,
        "Price": "",
        "TaxRate": "",
        "Qty": str(write.quantity),
        "ExpireDate": expires.isoformat(),
        "StartDate": "",
    }


def bulk_fields(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return the form of a bulk write."""
    return {"ItemInfoJson": msgspec.json.encode(list(rows)).decode()}


def option_fields(write: Write, item_code: str, seller_code: str, row: Option) -> dict[str, str]:
    """Return the fields that set the quantity of one option row."""
    return {
        "ItemCode": item_code,
        "SellerCode": seller_code,
        "OptionName": JOINED.join(row.names),
        "OptionValue": JOINED.join(row.values),
        "OptionCode": row.code,
        "Qty": str(write.quantity),
    }


def _squeezed(words: str) -> str:
    return _BLANKS.sub("", words)
