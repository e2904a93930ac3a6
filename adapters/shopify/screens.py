"""Where a person finds an order in the admin of a Shopify shop: pure.

`NAME.myshopify.com/admin/orders/ID` leads a person who is logged in to the same page at admin.shopify.com; it is the
older of the two addresses and needs no name but the shop's own. Known by use, not from a document.
"""

from __future__ import annotations

from urllib.parse import quote


def order_screen(shop: str, order_id: str) -> str:
    """Return the page of an order by its number in the API; empty for a simulated shop that has no name."""
    return f"https://{shop}/admin/orders/{quote(order_id, safe='')}" if shop else ""
