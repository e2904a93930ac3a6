"""The rights that the app needs in the shop, and what is lost without each: pure.

Source: shopify.dev, access scopes, 2026-10. A right to write includes the right to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NEEDED: Final[Mapping[str, str]] = {
    "read_orders": "orders cannot be read, so that a sale is never known",
    "write_inventory": "stock cannot be written",
    "read_inventory": "stock cannot be read",
    "read_products": "SKUs cannot be read",
    "read_locations": "locations cannot be read",
}
USEFUL: Final[Mapping[str, str]] = {
    "read_fulfillments": "a shipment is known at the next poll, not at once",
    "read_returns": "a return is known at the next poll, not at once",
}
OLD_ORDERS: Final = "read_all_orders"
DRAFT_ORDERS: Final = "write_draft_orders"


def lacking(granted: frozenset[str]) -> tuple[str, ...]:
    """Return the rights that nothing works without and that are not granted."""
    return tuple(scope for scope in NEEDED if scope not in granted)


def advice(granted: frozenset[str], *, old_orders: bool, private_sales: bool = False) -> list[str]:
    """Return a sentence per right that is missing."""
    wanted = {**NEEDED, **USEFUL}
    if old_orders:
        wanted[OLD_ORDERS] = "orders older than 60 days cannot be read, although read_all_orders is set"
    if private_sales:
        wanted[DRAFT_ORDERS] = "nobody who waits can be given a link to buy, although private_sales is set"
    return [
        f"The app lacks the right {scope}: {loss}. Add it in the Dev Dashboard and release a new version of the app."
        for scope, loss in wanted.items()
        if scope not in granted
    ]
