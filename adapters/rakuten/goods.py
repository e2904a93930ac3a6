"""Goods at Rakuten: what names them, what the item search says of them, and what this process remembers: pure.

A listing is a SKU of an item. Its id here is `manageNumber/variantId`: manage numbers hold `a-z 0-9 _ -` and compare
without case, variant ids hold `A-Z a-z 0-9 _ -` and compare with case (RMS WEB SERVICE, InventoryAPI and ItemAPI 2.0,
2026), so that the slash is in neither.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from syncd.sdk.channel import Instant, ListingInfo, ListingRef

MOST_NUMBER = 32
MOST_VARIANT = 40
"""The inventory pages say 32 bytes, the order pages and an error text 40."""
SINGLE = "normal-inventory"
"""The variant id that items with a single SKU got when shops were moved to SKUs; it names no SKU."""
TRUSTED_US = 26 * 3_600 * 1_000_000
"""A pair that was seen within this time is written without looking first; the catalogue is read more often."""
MOST_PAIRS = 500_000
MOST_NAMED = 1_000

_NUMBER = re.compile(rf"[a-z0-9_-]{{1,{MOST_NUMBER}}}")
_VARIANT = re.compile(rf"[A-Za-z0-9_-]{{1,{MOST_VARIANT}}}")


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """What Rakuten calls a SKU of an item; `number` is the manage number in lower case."""

    number: str
    variant: str


def pair_of(ref: ListingRef) -> Pair | None:
    """Return the pair of a listing; None where the text cannot be one."""
    number, slash, variant = ref.remote_id.partition("/")
    number = number.lower()
    if ref.remote_location or not slash or not _NUMBER.fullmatch(number) or not _VARIANT.fullmatch(variant):
        return None
    return Pair(number, variant)


def certain_pair(ref: ListingRef) -> Pair:
    """Return the pair of a listing that was looked at before; anything else is a fault of ours."""
    pair = pair_of(ref)
    if pair is None:
        raise AssertionError("what cannot be a pair was refused before")
    return pair


def remote_id(number: str, variant: str) -> str:
    """Return the id of a listing; orders from before the move to SKUs have an empty variant."""
    return f"{number.lower()}/{variant}"


def sku_of(number: str, variant: str, own: str | None) -> str:
    """Return the shop's SKU.

    The code for other systems (システム連携用SKU番号) where it is set; otherwise the manage number of an item with a
    single SKU, or both ids. The variant id alone would be the same text on many items.
    """
    if own:
        return own
    return number.lower() if variant in ("", SINGLE) else remote_id(number, variant)


# --- what the item search answers ---------------------------------------------------------------------------------


class Variant(msgspec.Struct, frozen=True, rename="camel"):
    """A SKU of an item."""

    merchant_defined_sku_id: str | None = None
    hidden: bool | None = None
    restock_on_cancel: bool | None = None
    back_order_flag: bool | None = None


class Item(msgspec.Struct, frozen=True, rename="camel"):
    """An item page."""

    manage_number: str
    title: str | None = None
    hide_item: bool | None = None
    unlimited_inventory_flag: bool | None = None
    variants: dict[str, Variant] | None = None


class Hit(msgspec.Struct, frozen=True):
    """A row of the item search."""

    item: Item


class ItemPage(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of items.search; the cursor mark repeats at the end."""

    results: list[Hit] = []
    next_cursor_mark: str | None = None


class StockSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of items.inventory-related-settings.get."""

    unlimited_inventory_flag: bool | None = None
    variants: dict[str, Variant] | None = None


def listings(item: Item) -> Iterator[ListingInfo]:
    """Yield the listings of an item, hidden ones included; without stock control it is not managed."""
    number = item.manage_number.lower()
    for variant, about in (item.variants or {}).items():
        yield ListingInfo(
            ref=ListingRef(remote_id=remote_id(number, variant)),
            sku=sku_of(number, variant, about.merchant_defined_sku_id),
            title=item.title or "",
            active=not (item.hide_item or about.hidden),
            managed=not item.unlimited_inventory_flag,
        )


# --- what is remembered -------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Known:
    """What this process has learned of the shop. Losing it costs reads, never a right number.

    `pairs` are SKUs that were seen at Rakuten, with the time. The sets hold listings whose settings at Rakuten make
    it sell more than there is (`unlimited`, `backordered`), and `restocking` those that it puts back by itself.
    """

    pairs: OrderedDict[Pair, Instant] = field(default_factory=OrderedDict)
    unlimited: set[str] = field(default_factory=set)
    backordered: set[str] = field(default_factory=set)
    restocking: set[str] = field(default_factory=set)

    def learn(self, pairs: Iterable[Pair], *, at: Instant) -> None:
        """Remember that these are there; the oldest are forgotten first."""
        for pair in pairs:
            self.pairs[pair] = at
            self.pairs.move_to_end(pair)
        while len(self.pairs) > MOST_PAIRS:
            self.pairs.popitem(last=False)

    def forget(self, pairs: Iterable[Pair]) -> None:
        """Look again before these are written."""
        for pair in pairs:
            self.pairs.pop(pair, None)

    def trusts(self, pair: Pair, *, now: Instant) -> bool:
        """Tell whether a pair may be written without looking first."""
        at = self.pairs.get(pair)
        return at is not None and now - at <= TRUSTED_US

    def learn_item(self, item: Item, *, at: Instant) -> None:
        """Remember the SKUs of an item, and which settings of it make its stock wrong."""
        number = item.manage_number.lower()
        for variant, about in (item.variants or {}).items():
            name = remote_id(number, variant)
            self.learn([Pair(number, variant)], at=at)
            _mark(self.unlimited, name, on=bool(item.unlimited_inventory_flag))
            _mark(self.backordered, name, on=bool(about.back_order_flag))
            _mark(self.restocking, name, on=bool(about.restock_on_cancel))


def _mark(names: set[str], name: str, *, on: bool) -> None:
    if not on:
        names.discard(name)
    elif len(names) < MOST_NAMED:
        names.add(name)
