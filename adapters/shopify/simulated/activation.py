"""Stocking an item at a location, and no longer.

Facts: activation without a quantity brings the kept one back; an active level refuses a quantity and changes nothing;
its errors have no code; the last active level cannot go (recorded responses of 2026-04; changelog 2026-04).
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.shopify.simulated.goods import Goods, InventoryItem, InventoryLevel, Location
from adapters.shopify.simulated.stock_writes import UserError, Written

Announce = Callable[[str, object], None]

_ACTIVE = "Not allowed to set {} quantity when the item is already active at the location."


class Activation:
    """Switches levels on and off."""

    def __init__(self, goods: Goods, announce: Announce) -> None:
        self._goods = goods
        self._announce = announce

    def activate(
        self, item_id: str, location_id: str, *, available: int | None = None, on_hand: int | None = None
    ) -> Written:
        """Apply `inventoryActivate`."""
        item, location = self._goods.by_id.get(item_id), self._goods.by_id.get(location_id)
        if not isinstance(item, InventoryItem):
            return _refused("The inventory item could not be found.", "inventoryItemId")
        if not isinstance(location, Location):
            return _refused("The location could not be found.", "locationId")
        if available is not None and on_hand is not None:
            return _refused("Not allowed to set both available and on_hand quantities.", "available")
        level = item.levels.get(location.legacy_resource_id)
        if level is not None and level.is_active:
            return _already(level, available=available, on_hand=on_hand)
        return Written(inventory_level=self._switch_on(item, location, available=available, on_hand=on_hand))

    def _switch_on(
        self, item: InventoryItem, location: Location, *, available: int | None, on_hand: int | None
    ) -> InventoryLevel:
        level = self._goods.level_of(item, location)
        level.is_active = True
        self._announce("inventory_levels/connect", level)
        if available is not None:
            self._goods.change(level, "available", available - level.available, source="api")
        if on_hand is not None:
            self._goods.change(level, "on_hand", on_hand - level.quantity("on_hand"), source="api")
        return level

    def deactivate(self, level_id: str) -> Written:
        """Apply `inventoryDeactivate`; the quantities stay."""
        level = self._goods.by_id.get(level_id)
        if not isinstance(level, InventoryLevel) or not level.is_active:
            return _refused("The product couldn't be unstocked because the level was not found.", "inventoryLevelId")
        if sum(other.is_active for other in level.item.levels.values()) == 1:
            return _refused("The product must be stocked at one location at least.", "inventoryLevelId")
        level.is_active = False
        self._announce("inventory_levels/disconnect", level)
        return Written()


def _already(level: InventoryLevel, *, available: int | None, on_hand: int | None) -> Written:
    if available is not None:
        return Written(inventory_level=level, user_errors=[_error(_ACTIVE.format("available"), "available")])
    if on_hand is not None:
        return Written(inventory_level=level, user_errors=[_error(_ACTIVE.format("an on_hand"), "onHand")])
    return Written(inventory_level=level)


def _refused(text: str, name: str) -> Written:
    return Written(user_errors=[_error(text, name)])


def _error(text: str, name: str) -> UserError:
    return UserError(field=(name,), message=text)
