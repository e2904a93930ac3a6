"""How syncd stands: what every listing should show, what the ledger says is there, and what is still to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from syncd.store import inbox, listings, views

MOST: Final = 10_000
"""Listings and SKUs that are read; the demo has fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One moment of the store. `targets` are per channel and SKU, `available` units per SKU.

    `busy` counts listings with a fall to be sent or a write under way, and facts that are not decided yet.
    """

    targets: Mapping[str, Mapping[str, int | None]]
    available: Mapping[str, int]
    busy: int


def standing(conn: Connection) -> Standing:
    """Read how syncd stands."""
    targets: dict[str, dict[str, int | None]] = {}
    for listing in listings.page(conn, after=0, limit=MOST):
        if listing.active:
            targets.setdefault(listing.account, {})[listing.remote_sku] = listing.target
    stock = {row.sku: row.available for row in views.stock(conn, limit=MOST)}
    return Standing(targets=targets, available=stock, busy=listings.busy(conn) + inbox.depth(conn))
