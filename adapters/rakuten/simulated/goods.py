"""Pages (商品), their variants (SKU), and the stock rows of both real and made-up pairs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from adapters.rakuten.simulated.times import DAY_US
from adapters.rakuten.simulated.world import World
from syncd.sdk.channel import Instant, ListingRef

SINGLE: Final = "normal-inventory"
"""The variantId of pages that had one SKU when the shop went over; it is on many pages."""
PAGE_SIZES: Final = (1, 3, 2, 1, 4)
"""Variants per page, in turn; on a page of the last size each variant is called as its SKU."""
AGE_DAYS: Final = 30
MOST_PAST: Final = 256
MOST_VARIANTS: Final = 400
GHOST_S: Final = 86_400.0
"""A row that belongs to no page lives this long after its last write (RMS, inventories.bulk.upsert, 2.0)."""

LEAD_TIME: Final[Mapping[str, int]] = {"normalDeliveryTimeId": 4, "backOrderDeliveryTimeId": 5}
SHIP_FROM: Final = (3,)
"""What every SKU has set at the start."""

Pair: TypeAlias = tuple[str, str]


@dataclass(slots=True, eq=False, kw_only=True)
class Stock:
    """One stock row. `gone` rows were deleted; `past` are (since when, number), None until the first change."""

    quantity: int
    created: Instant
    updated: Instant
    lead_time: Mapping[str, int] | None = None
    ship_from: tuple[int, ...] = ()
    gone: bool = False
    past: list[tuple[Instant, int]] | None = None

    def as_of(self, at: Instant) -> int:
        """Return what it was at a time."""
        if not self.past:
            return self.quantity
        return self.past[max(0, bisect_right(self.past, at, key=lambda entry: entry[0]) - 1)][1]

    def set(self, quantity: int, at: Instant) -> None:
        """Let it be another number from `at` on."""
        if self.past is None:
            self.past = [(self.updated, self.quantity)]
        self.past.append((at, quantity))
        del self.past[:-MOST_PAST]
        self.quantity, self.updated = quantity, at


@dataclass(slots=True, eq=False, kw_only=True)
class Variant:
    """One SKU of a page. `sku` is the shop's own, `merchant_sku` how the page states it (`""`: not at all)."""

    page: Page
    variant_id: str
    sku: str
    merchant_sku: str
    ref: ListingRef
    stock: Stock
    restock_on_cancel: bool = False
    back_order: bool = False
    hidden: bool = False

    @property
    def on_sale(self) -> bool:
        """Say whether shoppers find it."""
        return not (self.page.hidden or self.hidden or self.stock.gone)


@dataclass(slots=True, eq=False, kw_only=True)
class Page:
    """One listing page. The item search knows it from `found_from` on, and no longer from `lost_from` on."""

    serial: int
    manage_number: str
    title: str
    created: Instant
    updated: Instant
    found_from: Instant
    lost_from: Instant | None = None
    hidden: bool = False
    unlimited: bool = False
    variants: dict[str, Variant] = field(default_factory=dict)


Listener: TypeAlias = Callable[[Variant, str, int, int, Instant], object]
"""Hears of a change: the variant, who, before, after, when."""


class Goods:
    """Everything for sale, by page; stock changes only by `change`."""

    def __init__(self, world: World, stock: Sequence[tuple[str, int]]) -> None:
        self._world = world
        self.pages: list[Page] = []
        self.by_number: dict[str, Page] = {}
        self.by_sku: dict[str, list[Variant]] = {}
        self.ghosts: dict[Pair, Stock] = {}
        self.on_change: Listener = lambda *_: None
        self._put_up(stock)

    def _put_up(self, stock: Sequence[tuple[str, int]]) -> None:
        born, rows = self._world.now() - AGE_DAYS * DAY_US, iter(stock)
        left = len(stock)
        while left:
            size = min(left, PAGE_SIZES[len(self.pages) % len(PAGE_SIZES)])
            page = self._page(f"item-{len(self.pages) + 1:06d}", created=born, found_from=born)
            plain = size == PAGE_SIZES[-1]
            for sku, quantity in (next(rows) for _ in range(size)):
                name = SINGLE if size == 1 else sku if plain else f"v{len(page.variants) + 1:02d}-Aa"
                self._variant(page, name, sku=sku, merchant_sku=sku, quantity=quantity)
            left -= size

    def _page(self, number: str, *, created: Instant, found_from: Instant) -> Page:
        page = Page(
            serial=len(self.pages),
            manage_number=number,
            title=f"商品 {number}",
            created=created,
            updated=created,
            found_from=found_from,
        )
        self.pages.append(page)
        self.by_number[number] = page
        return page

    def _variant(self, page: Page, name: str, *, sku: str, merchant_sku: str, quantity: int) -> Variant:
        row = Stock(
            quantity=quantity,
            created=page.created,
            updated=page.created,
            lead_time=LEAD_TIME,
            ship_from=SHIP_FROM,
        )
        variant = Variant(
            page=page,
            variant_id=name,
            sku=sku,
            merchant_sku=merchant_sku,
            ref=ListingRef(remote_id=f"{page.manage_number}/{name}"),
            stock=row,
        )
        page.variants[name] = variant
        self.by_sku.setdefault(sku, []).append(variant)
        return variant

    # --- putting up and taking down ---

    def add(self, number: str, name: str, *, sku: str, quantity: int, merchant_sku: str | None = None) -> Variant:
        """Put up a SKU, on a new page where the number is new; the item search tells of a new page only later.

        `merchant_sku` is what the page states as merchantDefinedSkuId: by default the SKU, `""` for nothing.
        """
        now = self._world.now()
        page = self.by_number.get(number)
        if page is None:
            later = now + self._world.drawn_us(self._world.knobs.catalogue_lag_s)
            page = self._page(number, created=now, found_from=later)
        self.ghosts.pop((number, name), None)
        return self._variant(
            page, name, sku=sku, merchant_sku=sku if merchant_sku is None else merchant_sku, quantity=quantity
        )

    def remove(self, number: str) -> None:
        """Delete a page with its stock; the item search goes on telling of it for a while. Raises `KeyError`."""
        page = self.by_number.pop(number)
        page.lost_from = self._world.now() + self._world.drawn_us(self._world.knobs.catalogue_lag_s)
        for variant in page.variants.values():
            variant.stock.gone = True
            self.by_sku[variant.sku].remove(variant)

    # --- looking ---

    def variants(self) -> Iterator[Variant]:
        """Return every SKU that has a stock row, in the order of the pages."""
        for page in self.by_number.values():
            yield from (variant for variant in page.variants.values() if not variant.stock.gone)

    def variant(self, pair: Pair) -> Variant | None:
        """Return the SKU of a pair, None where no page has it."""
        page = self.by_number.get(pair[0])
        return None if page is None else page.variants.get(pair[1])

    def row(self, pair: Pair) -> Stock | None:
        """Return the stock row of a pair, also one that belongs to no page."""
        variant = self.variant(pair)
        if variant is not None:
            return None if variant.stock.gone else variant.stock
        ghost = self.ghosts.get(pair)
        if ghost is not None and self._world.now() - ghost.updated >= self._world.scaled_us(GHOST_S):
            del self.ghosts[pair]
            return None
        return ghost

    def rows(self) -> Iterator[tuple[Pair, Stock]]:
        """Return every stock row."""
        for variant in self.variants():
            yield (variant.page.manage_number, variant.variant_id), variant.stock
        for pair in list(self.ghosts):
            ghost = self.row(pair)
            if ghost is not None:
                yield pair, ghost

    def rows_of(self, number: str) -> Iterator[tuple[Pair, Stock]]:
        """Return every stock row under a manage number."""
        page = self.by_number.get(number)
        names = [] if page is None else list(page.variants)
        for pair in [*((number, name) for name in names), *(pair for pair in self.ghosts if pair[0] == number)]:
            row = self.row(pair)
            if row is not None:
                yield pair, row

    # --- changing ---

    def change(self, variant: Variant, quantity: int, source: str, *, at: Instant) -> None:
        """Let a SKU show another number."""
        before = variant.stock.quantity
        variant.stock.set(quantity, at)
        self.on_change(variant, source, before, quantity, at)

    def write(self, pair: Pair, quantity: int, *, at: Instant) -> Stock:
        """Set the row of a pair by the API; one that belongs to no page is made where there is none."""
        variant = self.variant(pair)
        if variant is not None:
            if variant.stock.gone:
                variant.stock.gone = False
                variant.stock.created = at
            self.change(variant, quantity, "api", at=at)
            return variant.stock
        row = self.row(pair)
        if row is None:
            row = self.ghosts[pair] = Stock(quantity=quantity, created=at, updated=at)
        row.set(quantity, at)
        return row

    def delete(self, pair: Pair) -> bool:
        """Delete the row of a pair; False where there is none."""
        row = self.row(pair)
        if row is None:
            return False
        row.gone = True
        self.ghosts.pop(pair, None)
        return True
