"""The goods of the simulated shop: items, locations, and the quantities at each level.

Facts: `on_hand = available + committed + reserved + damaged + safety_stock + quality_control`, `incoming` is apart
(shopify.dev, inventory management apps, 2026-10); a level keeps its quantities while it is not active (changelog
2026-04, "inventoryActivate now preserves available quantity").
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from syncd.sdk.channel import Clock, Instant

PARTS = ("available", "committed", "damaged", "quality_control", "reserved", "safety_stock")
"""What adds up to `on_hand`."""
NAMES = ("available", "committed", "damaged", "incoming", "on_hand", "quality_control", "reserved", "safety_stock")
MEMORY = 16
"""Older values that a level remembers for reads that are behind."""
DAY_US = 86_400_000_000
SPARE_EVERY = 10
"""Each so many goods have a level at the spare location too, which keeps a number that nobody can buy."""

MAIN_LOCATION = 106318430514
SPARE_LOCATION = 106318463282
_FIRST_ITEM = 53469430055000
_FIRST_VARIANT = 43729076000000
_FIRST_PRODUCT = 78803211960000
_LEVEL_NUMBERS = {MAIN_LOCATION: 143273001266, SPARE_LOCATION: 143273034034}


def gid(kind: str, number: int) -> str:
    """Return the global id text of the Admin API."""
    return f"gid://shopify/{kind}/{number}"


@dataclass(slots=True, eq=False, kw_only=True)
class Location:
    """A place that holds stock."""

    legacy_resource_id: int
    name: str
    created_at: Instant
    updated_at: Instant
    is_active: bool = True
    fulfills_online_orders: bool = True
    ships_inventory: bool = True
    is_fulfillment_service: bool = False
    levels: list[InventoryLevel] = field(default_factory=list)
    id: str = ""

    def __post_init__(self) -> None:
        self.id = gid("Location", self.legacy_resource_id)


@dataclass(slots=True, eq=False, kw_only=True)
class InventoryItem:
    """One good that has stock; `mutable` is False for a parent bundle, whose stock nobody may write."""

    legacy_resource_id: int
    sku: str
    title: str
    created_at: Instant
    updated_at: Instant
    price: int
    policy: str = "DENY"
    tracked: bool = True
    mutable: bool = True
    requires_shipping: bool = True
    levels: dict[int, InventoryLevel] = field(default_factory=dict)
    id: str = ""
    variant: ProductVariant = field(init=False)

    def __post_init__(self) -> None:
        self.id = gid("InventoryItem", self.legacy_resource_id)
        self.variant = ProductVariant(self)


class ProductVariant:
    """The variant of one inventory item, and its product: each product of the simulated shop has one variant."""

    __slots__ = ("id", "inventory_item", "legacy_resource_id", "product")

    def __init__(self, item: InventoryItem) -> None:
        self.inventory_item = item
        self.legacy_resource_id = _FIRST_VARIANT + item.legacy_resource_id - _FIRST_ITEM
        self.id = gid("ProductVariant", self.legacy_resource_id)
        self.product = Product(item)


class Product:
    """The product of one variant."""

    __slots__ = ("id", "item", "legacy_resource_id", "status")

    def __init__(self, item: InventoryItem) -> None:
        self.item = item
        self.legacy_resource_id = _FIRST_PRODUCT + item.legacy_resource_id - _FIRST_ITEM
        self.id = gid("Product", self.legacy_resource_id)
        self.status = "ACTIVE"


@dataclass(slots=True, eq=False, kw_only=True)
class InventoryLevel:
    """The quantities of one item at one location. `past` holds (until when, which available) of older values."""

    item: InventoryItem
    location: Location
    created_at: Instant
    updated_at: Instant
    available_at: Instant
    is_active: bool = True
    available: int = 0
    committed: int = 0
    other: dict[str, int] = field(default_factory=dict)
    past: list[tuple[Instant, int]] = field(default_factory=list)
    id: str = ""

    def __post_init__(self) -> None:
        number = _LEVEL_NUMBERS.get(self.location.legacy_resource_id, self.location.legacy_resource_id + 7)
        self.id = f"gid://shopify/InventoryLevel/{number}?inventory_item_id={self.item.legacy_resource_id}"

    def quantity(self, name: str) -> int:
        """Return one named quantity; `on_hand` is always the sum."""
        if name == "available":
            return self.available
        if name == "committed":
            return self.committed
        if name == "on_hand":
            return sum(self.quantity(part) for part in PARTS)
        return self.other.get(name, 0)

    def available_as_of(self, moment: Instant) -> int:
        """Return `available` as it was at a moment, as far back as is remembered."""
        for until, value in self.past:
            if until > moment:
                return value
        return self.available


Listener = Callable[[InventoryLevel, str, int, int], None]
"""Called with the level, the source of the change, and `available` before and after."""


class Goods:
    """All items and levels, with the ways to find and to change them."""

    def __init__(self, stock: Sequence[tuple[str, int]], clock: Clock) -> None:
        """Open the shop with these SKUs; every tenth has an inactive level beside its active one."""
        self._clock = clock
        self.listeners: list[Listener] = []
        self.by_id: dict[str, object] = {}
        self.by_sku: dict[str, list[InventoryItem]] = {}
        now = clock.now()
        self.main = self._open_location(MAIN_LOCATION, "Main warehouse", at=now - 400 * DAY_US)
        self.spare = self._open_location(SPARE_LOCATION, "Spare room", at=now - 200 * DAY_US)
        self.locations = [self.main, self.spare]
        self.items: list[InventoryItem] = []
        self.variants: list[ProductVariant] = []
        for place, (sku, quantity) in enumerate(stock, start=1):
            item = self.add_item(sku, at=now - DAY_US)
            level = self.level_of(item, self.main, at=now - DAY_US)
            level.is_active, level.available = True, quantity
            if place % SPARE_EVERY == 0:
                self.level_of(item, self.spare, at=now - DAY_US).available = place // SPARE_EVERY % 9

    def _open_location(self, number: int, name: str, *, at: Instant) -> Location:
        location = Location(legacy_resource_id=number, name=name, created_at=at, updated_at=at)
        self.by_id[location.id] = location
        return location

    def add_item(self, sku: str, *, at: Instant | None = None, price: int = 1980) -> InventoryItem:
        """Add a good without any level and return it."""
        moment = self._clock.now() if at is None else at
        number = _FIRST_ITEM + len(self.items) + 1
        item = InventoryItem(
            legacy_resource_id=number, sku=sku, title=f"Item {sku}", price=price, created_at=moment, updated_at=moment
        )
        self.items.append(item)
        self.variants.append(item.variant)
        self.by_sku.setdefault(sku, []).append(item)
        self.by_id[item.id] = item
        self.by_id[item.variant.id] = item.variant
        self.by_id[item.variant.product.id] = item.variant.product
        return item

    def level_of(self, item: InventoryItem, location: Location, *, at: Instant | None = None) -> InventoryLevel:
        """Return the level of an item at a location; where there was none, an inactive one comes to be."""
        level = item.levels.get(location.legacy_resource_id)
        if level is None:
            moment = self._clock.now() if at is None else at
            level = InventoryLevel(
                item=item,
                location=location,
                created_at=moment,
                updated_at=moment,
                available_at=moment,
                is_active=False,
            )
            item.levels[location.legacy_resource_id] = level
            insort(location.levels, level, key=lambda known: known.item.legacy_resource_id)
            self.by_id[level.id] = level
        return level

    def change(self, level: InventoryLevel, name: str, delta: int, *, source: str) -> None:
        """Add to one quantity of a level and tell the listeners; `on_hand` moves `available`, and so itself."""
        if delta == 0:
            return
        now = self._clock.now()
        before = level.available
        level.updated_at = now
        if name in {"available", "on_hand"}:
            level.past.append((now, before))
            del level.past[:-MEMORY]
            level.available += delta
            level.available_at = now
        elif name == "committed":
            level.committed += delta
        else:
            level.other[name] = level.other.get(name, 0) + delta
        for listener in self.listeners:
            listener(level, source, before, level.available)

    def sellable(self, item: InventoryItem) -> list[InventoryLevel]:
        """Return the levels that shoppers buy from, in the order of the locations."""
        found = (item.levels.get(location.legacy_resource_id) for location in self.locations if location.is_active)
        return [level for level in found if level is not None and level.is_active]

    def sellable_quantity(self, item: InventoryItem) -> int:
        """Return how many units shoppers see."""
        return sum(level.available for level in self.sellable(item))
