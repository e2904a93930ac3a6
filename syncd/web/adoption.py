"""The plan by which a shop that already trades is adopted: opening stock, mismatches, what would be written. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from syncd.core import kits
from syncd.core.facts import Counted, CountRow
from syncd.core.terms import AccountId, Instant, Location, Sku, SkuId
from syncd.store.ledger import Balance, Shelf
from syncd.store.listings import Listing
from syncd.store.views_adoption import Situation
from syncd.store.views_listings import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """Where an account sells from."""

    locations: tuple[Location, ...]
    location_map: Mapping[str, Location]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the plan is made for: counts of a file, or one account that is believed, or neither."""

    accounts: Mapping[AccountId, Treatment]
    counts: Sequence[CountRow] = ()
    believed: AccountId | None = None
    now: Instant


class Origin(StrEnum):
    """Where an opening stock comes from."""

    COUNTS = "counts"
    CHANNEL = "channel"
    OPENED = "opened"
    """It was counted before; the plan leaves it alone."""
    KIT = "kit"
    """It has no stock of its own."""
    NONE = "none"


class Kind(StrEnum):
    """What does not fit together."""

    CATALOGUE = "catalogue"
    """The catalogue of the account was never read to its end: listings are missing here."""
    ORDERS = "orders"
    """The orders of the account were never read to their end: open ones are missing here."""
    NO_STOCK = "no_stock"
    """No opening stock is known: nothing will be written for it."""
    NUMBERS = "numbers"
    """Channels show different numbers."""
    ONE_CHANNEL = "one_channel"
    """It is on one channel only."""
    SIMILAR = "similar"
    """SKUs that differ only in case, width or space."""
    DUPLICATE = "duplicate"
    """Several listings of one SKU at one place of a channel compete for the same units."""
    LOCATIONS = "locations"
    """One offer at several remote locations that no location_map names: nothing will be written for it."""
    UNMANAGED = "unmanaged"
    """The channel does not track its stock."""
    NO_SKU = "no_sku"
    """The listing has no SKU at the channel."""
    UNMAPPED = "unmapped"
    """The listing belongs to no SKU."""
    UNREAD = "unread"
    """What the listing shows was not read yet."""
    UNKNOWN_COUNT = "unknown_count"
    """The count names a SKU that is not known."""
    STRAY = "stray"
    """An open order has a line whose SKU is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One thing that does not fit together."""

    kind: Kind
    sku: str = ""
    account: str = ""
    remote_id: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An opening stock that would be entered."""

    location: str
    quantity: int
    counted: Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a listing shows, and what it would show once its account is released (None: nothing would be written)."""

    account: str
    remote_id: str
    remote_location: str
    shows: int | None
    would_show: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSku:
    """The plan of one SKU. `committed` are units promised to open orders of all channels."""

    sku: str
    title: str
    origin: Origin
    opening: tuple[Opening, ...]
    committed: int
    available_after: int | None
    listings: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole plan; `counts` are what applying it enters."""

    skus: tuple[PlannedSku, ...]
    mismatches: tuple[Mismatch, ...]
    counts: tuple[CountRow, ...]


Foretell: TypeAlias = Callable[[Mapping[SkuId, Shelf], Collection[SkuId]], Mapping[int, int]]
"""Says what listings would show, by id, with these balances and with these SKUs counted."""


def make_plan(found: Situation, asked: Asked, foretell: Foretell) -> Plan:
    """Return the plan; nothing is changed by it. What would be shown is what `foretell` decides."""
    return _Planner(found, asked, foretell).plan()


class _Planner:
    def __init__(self, found: Situation, asked: Asked, foretell: Foretell) -> None:
        self._found = found
        self._asked = asked
        self._foretell = foretell
        self._would: Mapping[int, int] = {}
        self._by_sku: dict[SkuId, list[Listing]] = defaultdict(list)
        for listing in found.listings:
            if listing.sku_id is not None:
                self._by_sku[listing.sku_id].append(listing)
        self._counts: dict[str, list[CountRow]] = defaultdict(list)
        for row in asked.counts:
            self._counts[row.sku].append(row)
        self._after: dict[SkuId, Shelf] = {}
        self._opened: set[SkuId] = set()

    def plan(self) -> Plan:
        openings = {sku_id: self._openings(sku_id) for sku_id in self._found.skus}
        for sku_id, rows in openings.items():
            self._open(sku_id, rows)
        self._would = self._foretell(self._after, self._opened)
        planned = {sku_id: self._sku(sku_id, rows) for sku_id, rows in openings.items()}
        return Plan(
            skus=tuple(planned.values()),
            mismatches=tuple(self._mismatches(planned)),
            counts=tuple(row for rows in openings.values() for row in rows),
        )

    # --- opening stock ---

    def _openings(self, sku_id: SkuId) -> tuple[CountRow, ...]:
        head = self._found.skus[sku_id]
        if head.opened or sku_id in self._found.kits:
            return ()
        if self._asked.counts:
            return tuple(self._counts.get(head.code, ()))
        return tuple(self._from_channel(sku_id)) if self._asked.believed is not None else ()

    def _from_channel(self, sku_id: SkuId) -> Iterator[CountRow]:
        """Take what one channel shows as what is there, and what it promised and not shipped with it.

        A channel takes its own sales off what it shows. Orders that came after it was read are not taken off yet.
        """
        account = self._asked.believed
        treatment = self._asked.accounts.get(account) if account is not None else None
        if account is None or treatment is None:
            return
        shows = self._shown_by_place(sku_id, account, treatment)
        if not shows:
            return
        read_at = max(listing.seen_at or 0 for listing in self._of(sku_id, account))
        home = next(iter(shows))
        for promise in self._found.promises.get((account, sku_id), ()):
            if promise.ordered_at <= read_at:
                shows[promise.location if promise.location in shows else home] += promise.units
        code = Sku(self._found.skus[sku_id].code)
        for location, quantity in shows.items():
            yield CountRow(sku=code, location=location, quantity=max(0, quantity), counted_at=self._asked.now)

    def _shown_by_place(self, sku_id: SkuId, account: AccountId, treatment: Treatment) -> dict[Location, int]:
        """Return what is shown at each of our locations; nothing where listings of one place disagree or are unread."""
        shows: dict[Location, int] = {}
        listings = self._of(sku_id, account)
        if _ambiguous(listings, treatment):
            return {}
        for listing in listings:
            place = listing.location or treatment.locations[0]
            if not listing.managed:
                continue
            if listing.seen is None or shows.setdefault(place, listing.seen) != listing.seen:
                return {}
        return shows

    def _of(self, sku_id: SkuId, account: AccountId) -> list[Listing]:
        return [listing for listing in self._by_sku[sku_id] if listing.account == account]

    def _open(self, sku_id: SkuId, rows: Sequence[CountRow]) -> None:
        """Note what the balances are once the opening stock is entered."""
        shelf = {
            place: Balance(b.on_hand, b.committed, b.held) for place, b in self._found.shelves.get(sku_id, {}).items()
        }
        for row in rows:
            balance = shelf.setdefault(row.location, Balance())
            promised = balance.committed + balance.held if row.counted is Counted.AVAILABLE else 0
            balance.on_hand = row.quantity + promised
        self._after[sku_id] = shelf
        if rows or self._found.skus[sku_id].opened:
            self._opened.add(sku_id)

    # --- what would be shown ---

    def _sku(self, sku_id: SkuId, rows: Sequence[CountRow]) -> PlannedSku:
        head = self._found.skus[sku_id]
        usable = self._is_open(sku_id)
        everywhere = {place for part, _ in self._parts(sku_id) for place in self._after[part]}
        return PlannedSku(
            sku=head.code,
            title=head.title,
            origin=self._origin(sku_id, rows),
            opening=tuple(Opening(location=r.location, quantity=r.quantity, counted=r.counted) for r in rows),
            committed=sum(balance.committed for balance in self._after[sku_id].values()),
            available_after=self._available(sku_id, everywhere) if usable else None,
            listings=tuple(_shown(listing, self._would.get(listing.id)) for listing in self._by_sku[sku_id]),
        )

    def _origin(self, sku_id: SkuId, rows: Sequence[CountRow]) -> Origin:
        if sku_id in self._found.kits:
            return Origin.KIT
        if self._found.skus[sku_id].opened:
            return Origin.OPENED
        if not rows:
            return Origin.NONE
        return Origin.COUNTS if self._asked.counts else Origin.CHANNEL

    def _parts(self, sku_id: SkuId) -> Sequence[tuple[SkuId, int]]:
        return self._found.kits.get(sku_id) or ((sku_id, 1),)

    def _is_open(self, sku_id: SkuId) -> bool:
        return all(part in self._opened for part, _ in self._parts(sku_id))

    def _available(self, sku_id: SkuId, where: set[Location]) -> int:
        sums = [
            (sum(b.available for place, b in self._after[part].items() if place in where), units)
            for part, units in self._parts(sku_id)
        ]
        return kits.available(sums) if sku_id in self._found.kits else sums[0][0]

    # --- what does not fit together ---

    def _mismatches(self, planned: Mapping[SkuId, PlannedSku]) -> Iterator[Mismatch]:
        for sku_id, plan in planned.items():
            yield from self._of_sku(sku_id, plan)
        yield from _similar([head.code for head in self._found.skus.values()])
        for listing in self._found.listings:
            yield from _of_listing(listing)
        codes = {head.code for head in self._found.skus.values()}
        for code in self._counts:
            if code not in codes:
                yield Mismatch(kind=Kind.UNKNOWN_COUNT, sku=code)
        for stray in self._found.strays:
            yield Mismatch(kind=Kind.STRAY, sku=stray.remote_sku, account=stray.account, remote_id=stray.remote_id)

    def _of_sku(self, sku_id: SkuId, plan: PlannedSku) -> Iterator[Mismatch]:
        if plan.origin is Origin.NONE:
            yield Mismatch(kind=Kind.NO_STOCK, sku=plan.sku)
        shows: dict[str, set[int]] = defaultdict(set)
        for shown in plan.listings:
            shows[shown.account].update(() if shown.shows is None else (shown.shows,))
        if len(shows) == 1 and len(self._asked.accounts) > 1:
            yield Mismatch(kind=Kind.ONE_CHANNEL, sku=plan.sku, account=next(iter(shows)))
        if len({number for numbers in shows.values() for number in numbers}) > 1:
            told = ", ".join(f"{name} {'/'.join(map(str, sorted(shows[name])))}" for name in sorted(shows))
            yield Mismatch(kind=Kind.NUMBERS, sku=plan.sku, text=told)
        for account, treatment in self._asked.accounts.items():
            yield from _of_group(plan.sku, account, self._of(sku_id, account), treatment)


def _shown(listing: Listing, would_show: int | None) -> Shown:
    return Shown(
        account=listing.account,
        remote_id=listing.ref.remote_id,
        remote_location=listing.ref.remote_location,
        shows=listing.seen,
        would_show=would_show,
    )


def _ambiguous(group: Sequence[Listing], treatment: Treatment) -> set[int]:
    """Return listings of one offer at several remote locations that nobody mapped."""
    if treatment.location_map:
        return set()
    offers: dict[str, list[int]] = defaultdict(list)
    for listing in group:
        if listing.managed:
            offers[listing.ref.remote_id].append(listing.id)
    return {listing_id for ids in offers.values() if len(ids) > 1 for listing_id in ids}


def _of_group(sku: str, account: AccountId, group: Sequence[Listing], treatment: Treatment) -> Iterator[Mismatch]:
    if _ambiguous(group, treatment):
        remote = sorted({listing.ref.remote_location for listing in group})
        yield Mismatch(kind=Kind.LOCATIONS, sku=sku, account=account, text=", ".join(remote))
        return
    places: dict[Location, set[str]] = defaultdict(set)
    for listing in group:
        places[listing.location].add(listing.ref.remote_id)
    for ids in places.values():
        if len(ids) > 1:
            yield Mismatch(kind=Kind.DUPLICATE, sku=sku, account=account, text=", ".join(sorted(ids)))


def _of_listing(listing: Listing) -> Iterator[Mismatch]:
    kinds = [Kind.UNMANAGED] if not listing.managed else []
    if listing.sku_id is None:
        kinds.append(Kind.UNMAPPED if listing.remote_sku else Kind.NO_SKU)
    elif listing.managed and listing.seen is None:
        kinds.append(Kind.UNREAD)
    for kind in kinds:
        yield Mismatch(kind=kind, sku=listing.remote_sku, account=listing.account, remote_id=listing.ref.remote_id)


def _similar(codes: Sequence[str]) -> Iterator[Mismatch]:
    groups: dict[str, list[str]] = defaultdict(list)
    for code in codes:
        groups[fold(code)].append(code)
    for alike in groups.values():
        if len(alike) > 1:
            yield Mismatch(kind=Kind.SIMILAR, sku=alike[0], text=", ".join(alike))
