"""The goods: what Amazon shows live, and beside it what the seller submitted; the two differ by design.

Facts: `fulfillmentAvailability` is the live view and `attributes.fulfillment_availability` what was submitted
(selling-partner-api-models, issue 5327); a quantity for an FBA SKU makes it seller-fulfilled and strands its stock
(SP-API changelog, inventory feed quantity; issue 2061).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.amazon.simulated.times import DAY_US
from syncd.sdk.channel import Instant, ListingRef
from syncd.testing.shelf import Good, Shelf
from syncd.testing.trade import By, Log, Unknown

DEFAULT = "DEFAULT"
FBA = "AMAZON_JP"
LEAD_DAYS = 3
"""The handling time that the seller gave every offer; the account's own default is another one."""
FBA_EVERY = 50
FBA_FROM = 20
"""In shops of so many goods, one of fifty is fulfilled by Amazon."""
FBA_STOCK = 40
_CREATED_BEFORE_US = 365 * DAY_US

Entry = dict[str, Any]
"""One entry of `attributes.fulfillment_availability`."""


@dataclass(slots=True, eq=False, kw_only=True)
class Listing:
    """One offer. `entries` are its submitted `fulfillment_availability`, `fba` its stock at Amazon, None without.

    `stranded` is stock at Amazon that cannot be sold any more since the offer became seller-fulfilled.
    """

    good: Good
    created_at: Instant
    updated_at: Instant
    entries: list[Entry]
    fba: int | None = None
    stranded: int = 0
    last_effect: Instant = 0

    @property
    def sku(self) -> str:
        """Return the seller's SKU."""
        return self.good.sku

    @property
    def asin(self) -> str:
        """Return the ASIN, made of its place in the catalogue."""
        return f"B0{self.good.serial + 1:08d}"

    @property
    def product_type(self) -> str:
        """Return the real product type."""
        return "KITCHEN" if self.good.serial % 2 else "LUGGAGE"

    @property
    def channel(self) -> str:
        """Return who fulfils it."""
        return DEFAULT if self.fba is None else FBA

    def entry(self, channel: str) -> Entry | None:
        """Return what was submitted for a channel."""
        return next((entry for entry in self.entries if entry.get("fulfillment_channel_code") == channel), None)


class Goods:
    """All offers. `on_change` hears of every live quantity that changed, `on_status` of offers closed and opened."""

    def __init__(self, opening: Sequence[tuple[str, int]], log: Log, at: Instant) -> None:
        self.shelf = Shelf(log)
        self.on_change: Callable[[Listing, Instant], None] = lambda *_: None
        self.on_status: Callable[[Listing, Instant], None] = lambda *_: None
        self._opened_at = at
        self._size = max(1, len(opening))
        self._listings: dict[str, Listing] = {}
        self._at_amazon: list[str] = []
        with_fba = len(opening) >= FBA_FROM
        for number, (sku, quantity) in enumerate(opening, start=1):
            fba = with_fba and number % FBA_EVERY == FBA_EVERY // 2
            good = self.shelf.add(ListingRef(remote_id=sku), sku=sku, quantity=0 if fba else quantity, at=at)
            good.managed = not fba
            if fba:
                self._at_amazon.append(sku)

    def __len__(self) -> int:
        return len(self.shelf)

    def find(self, sku: str) -> Listing | None:
        """Return an offer, None where there is none; letter by letter, as Amazon compares SKUs."""
        known = self._listings.get(sku)
        if known is not None:
            return known
        good = self.shelf.find(ListingRef(remote_id=sku))
        if good is None:
            return None
        return self._listings.setdefault(sku, self._made(good))

    def at(self, sku: str) -> Listing:
        """Return an offer; raises `Unknown`."""
        found = self.find(sku)
        if found is None:
            raise Unknown(f"{sku}: no such SKU")
        return found

    def all(self) -> Iterator[Listing]:
        """Go through every offer, in the order in which they came."""
        for good in self.shelf.all():
            yield self.at(good.sku)

    def at_amazon(self) -> Iterator[Listing]:
        """Go through the offers that have stock at Amazon, or had it when they became the seller's own."""
        yield from (found for sku in self._at_amazon if (found := self.find(sku)) is not None)

    def add(self, sku: str, quantity: int, *, at: Instant, fba: bool = False) -> Listing:
        """Put an offer up; raises `ValueError` where there is one."""
        good = self.shelf.add(ListingRef(remote_id=sku), sku=sku, quantity=0 if fba else quantity, at=at)
        good.managed = not fba
        listing = self._made(good)
        listing.created_at = listing.updated_at = at
        if fba:
            listing.fba = quantity
            self._at_amazon.append(sku)
        self._listings[sku] = listing
        return listing

    def remove(self, listing: Listing) -> None:
        """Delete an offer."""
        self.shelf.remove(listing.good.ref)
        self._listings.pop(listing.sku, None)

    def created_at(self, good: Good) -> Instant:
        """Return when an offer of the opening stock was made: one after the other, over a year."""
        return self._opened_at - _CREATED_BEFORE_US + _CREATED_BEFORE_US * min(good.serial, self._size) // self._size

    def change(self, listing: Listing, to: int, by: By, *, at: Instant) -> None:
        """Let an offer show another quantity from `at` on."""
        if to == listing.good.quantity and by is not By.API:
            return
        self.shelf.change(listing.good, to, by, at=at)
        listing.updated_at = at
        self.on_change(listing, at)

    def supply(self, listing: Listing, quantity: int, *, at: Instant) -> None:
        """Let a quantity that was submitted for DEFAULT come into effect; an FBA offer becomes seller-fulfilled."""
        if listing.fba is not None:
            listing.stranded += listing.fba
            listing.fba, listing.good.managed = None, True
        self.change(listing, quantity, By.API, at=at)

    def close(self, listing: Listing, *, at: Instant) -> None:
        """Take an offer off sale without deleting it."""
        listing.good.active = False
        listing.updated_at = at
        self.on_status(listing, at)

    def _made(self, good: Good) -> Listing:
        created = self.created_at(good)
        entries: list[Entry] = [
            {
                "fulfillment_channel_code": DEFAULT,
                "quantity": good.quantity,
                "lead_time_to_ship_max_days": LEAD_DAYS,
            }
        ]
        if not good.managed:
            return Listing(
                good=good,
                created_at=created,
                updated_at=created,
                entries=[{"fulfillment_channel_code": FBA}],
                fba=FBA_STOCK,
            )
        return Listing(good=good, created_at=created, updated_at=created, entries=entries)
