"""Where a person finds an order in Seller Central: pure.

The address is in no document of Amazon's; many public clients for the Japanese marketplace lead there (2026-11-28).
"""

from __future__ import annotations

from urllib.parse import quote


def order_screen(order_id: str) -> str:
    """Return the page of an order by its AmazonOrderId."""
    return f"https://sellercentral.amazon.co.jp/orders-v3/order/{quote(order_id, safe='')}"
