"""Listings out of variants and levels: pure, apart from what it remembers.

A listing is an inventory item at a location where Shopify keeps a level of it. Several variants may share an item; the
first one names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from adapters.shopify.wire import ItemNode, Page, number
from syncd.sdk.channel import ListingInfo, ListingRef

SOLD = frozenset({"ACTIVE", "UNLISTED"})
"""States of a product that can be bought; an unlisted one by its link."""
MOST_INACTIVE = 200_000
"""Levels remembered as not active; the oldest are forgotten, and a write there is sent and read back."""
MOST_DOUBLES = 1_000


class ProductNode(msgspec.Struct, frozen=True):
    """The product of a variant."""

    status: str


class StockItem(msgspec.Struct, frozen=True, rename="camel"):
    """The stock side of a variant; `duplicate_sku_count` is how many other items have its SKU."""

    id: str
    tracked: bool
    duplicate_sku_count: int = 0


class VariantNode(msgspec.Struct, frozen=True, rename="camel"):
    """What is sold."""

    id: str
    product: ProductNode
    inventory_item: StockItem
    sku: str | None = None


class VariantsData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdVariants."""

    product_variants: Page[VariantNode]


@dataclass(slots=True, kw_only=True)
class Known:
    """What this process has learned of the shop. Losing it costs reads, never a right number.

    `items` maps variants to inventory items, `inactive` holds levels that are not active, `doubles` SKUs that stand on
    several items.
    """

    items: dict[int, int] = field(default_factory=dict)
    inactive: dict[ListingRef, None] = field(default_factory=dict)
    doubles: set[str] = field(default_factory=set)

    def learn_variant(self, variant: str, item: str) -> None:
        """Remember the inventory item of a variant; both are numbers."""
        self.items[int(variant)] = int(item)

    def learn_level(self, ref: ListingRef, *, active: bool) -> None:
        """Remember whether a level is active."""
        self.inactive.pop(ref, None)
        if not active:
            self.inactive[ref] = None
            if len(self.inactive) > MOST_INACTIVE:
                del self.inactive[next(iter(self.inactive))]

    def learn_goods(self, variants: Iterable[VariantNode]) -> None:
        """Remember the items and doubled SKUs of variants."""
        for variant in variants:
            self.learn_variant(number(variant.id), number(variant.inventory_item.id))
            if variant.sku and variant.inventory_item.duplicate_sku_count and len(self.doubles) < MOST_DOUBLES:
                self.doubles.add(variant.sku)


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """What a listing says of its item, in little memory."""

    sku: str
    sold: bool
    tracked: bool


def good(variant: VariantNode) -> Good:
    """Return what a variant says of its item."""
    return Good(sku=variant.sku or "", sold=variant.product.status in SOLD, tracked=variant.inventory_item.tracked)


def listing(ref: ListingRef, found: Good, *, stocked: bool) -> ListingInfo:
    """Return a listing. `stocked` says that the level is active, or that syncd will make it so."""
    return ListingInfo(ref=ref, sku=found.sku, active=found.sold and stocked, managed=found.tracked)


def items(variants: Iterable[VariantNode]) -> dict[str, Good]:
    """Return the goods of a page by item number."""
    found: dict[str, Good] = {}
    for variant in variants:
        found.setdefault(number(variant.inventory_item.id), good(variant))
    return found


def levels(nodes: Iterable[ItemNode | None], location: str) -> Iterator[tuple[ListingRef, bool]]:
    """Yield (listing, active) of the items that have a level at a location."""
    for node in nodes:
        if node is not None and node.id and node.inventory_level is not None:
            yield ListingRef(remote_id=number(node.id), remote_location=location), node.inventory_level.is_active
