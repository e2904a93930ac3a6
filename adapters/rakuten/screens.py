"""Where a person finds an order in RMS: pure.

The address is in no public document of Rakuten's; several public clients lead there, one of them says that it was seen
on the real screen on 2026-07-22 (read 2026-11-28).
"""

from __future__ import annotations

from urllib.parse import quote


def order_screen(order_number: str) -> str:
    """Return the page of an order by its number."""
    page = "https://order-rp.rms.rakuten.co.jp/order-rb/individual-order-detail-sc/init"
    return f"{page}?orderNumber={quote(order_number, safe='')}"
