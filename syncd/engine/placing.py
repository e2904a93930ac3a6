"""Say what the lines of orders belong to: which listings sold them, which SKU they are, where they are promised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from syncd.core.terms import UNPLACED, AccountId, Location, OrderLine, OrderSnapshot, Sku, SkuId
from syncd.engine.work import Work
from syncd.store import ledger, listings
from syncd.store.listings import Listing

Stated: TypeAlias = tuple[AccountId, OrderSnapshot]
"""A channel account states an order."""


class OrderShelf:
    """The listings and SKUs that a batch of orders speaks of, read at once."""

    def __init__(self, work: Work, stated: Iterable[Stated]) -> None:
        self._house = work.house
        lines = [(account, line) for account, order in stated for line in order.lines]
        wanted = {(account, line.remote_id) for account, line in lines}
        self._by_remote: dict[tuple[AccountId, str], list[Listing]] = {}
        for listing in listings.by_remotes(work.conn, wanted):
            if (listing.account, listing.ref.remote_id) in wanted:
                (kept,) = work.keep((listing,))
                self._by_remote.setdefault((kept.account, kept.ref.remote_id), []).append(kept)
        loose = {line.remote_sku for account, line in lines if line.remote_sku and self._listed(account, line) is None}
        self._by_code = ledger.skus_by_code(work.conn, loose) if loose else {}
        self._memory: dict[tuple[AccountId, str, str, str], SkuId | None] = {}
        work.load_skus({sku for account, line in lines if (sku := self.sku_of(account, line)) is not None})

    def sku_of(self, account: AccountId, line: OrderLine) -> SkuId | None:
        """Return the SKU of a line: by its listing, else by its exact code."""
        key = (account, line.remote_id, line.remote_location, line.remote_sku)
        if key not in self._memory:
            found = self._listed(account, line)
            known = self._by_code.get(Sku(line.remote_sku)) if found is None else None
            self._memory[key] = known.sku_id if known is not None else found
        return self._memory[key]

    def _listed(self, account: AccountId, line: OrderLine) -> SkuId | None:
        return next((x.sku_id for x in self.listings_of(account, line) if x.sku_id is not None), None)

    def listings_of(self, account: AccountId, line: OrderLine) -> list[Listing]:
        """Return the listings that may have sold a line."""
        found = self._by_remote.get((account, line.remote_id), [])
        if not line.remote_location:
            return found
        return [x for x in found if x.ref.remote_location == line.remote_location]

    def location_of(self, account: AccountId, line: OrderLine) -> Location:
        """Return where a line's units are promised; `UNPLACED` where the channel does not tell."""
        rules = self._house.rules.get(account)
        if rules is None:
            return UNPLACED
        if line.remote_location in rules.location_map:
            return rules.location_map[line.remote_location]
        return rules.locations[0] if len(rules.locations) == 1 else UNPLACED
