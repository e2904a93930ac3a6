"""Reads listings: the catalogue by pages or by a report, and what is shown for some of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from adapters.amazon import listing_report, wire
from adapters.amazon.api import GET_ITEM, READ_S, SEARCH_ITEMS, Api, encoded, within
from adapters.amazon.catalogue import Known
from adapters.amazon.reports import Reports
from adapters.amazon.settings import AmazonSettings
from adapters.amazon.wire import MOST_SKUS, Found, Item
from syncd.sdk.channel import ListingInfo, ListingPage, ListingRef, Seen
from syncd.sdk.errors import ProtocolError, RejectedError
from syncd.sdk.http import Answer
from syncd.sdk.strict import decode

PATH = "/listings/2021-08-01/items"
MOST_SEEN = 100
"""Listings of one call: five searches, as many as the limit lets through at once."""
MOST_BY_SEARCH = 1_000
"""Listings that can be paged without naming them (the vendor's model listingsItems_2021-08-01, 2026-08)."""
REPORT_PAGE = 1_000
MOST_PAGES_OF_SEARCH = 5
INCLUDED = "summaries,fulfillmentAvailability"


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the catalogue: a page of the search, a report that is being made, or a row of one."""

    page: str = ""
    report: str = ""
    row: int = 0


class ListingReader:
    """Reads the listings of one seller in one marketplace."""

    def __init__(self, api: Api, *, settings: AmazonSettings, known: Known) -> None:
        self._api = api
        self._settings = settings
        self._known = known
        self._reports = Reports(api, settings=settings)
        self._path = f"{PATH}/{encoded(settings.seller_id)}"
        self._rows: tuple[str, list[ListingInfo]] = ("", [])

    # --- what is shown ---

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these listings show, one answer per listing in order."""
        async with within(READ_S, "reading listings"):
            found = await self.look([ref.remote_id for ref in refs])
        return [self._seen(ref.remote_id, found) for ref in refs]

    def _seen(self, sku: str, found: dict[str, tuple[Item | None, Answer]]) -> Seen:
        item, answer = found[sku]
        return wire.seen_of(sku, item, answer, self._settings.marketplace_id)

    async def look(self, skus: Sequence[str]) -> dict[str, tuple[Item | None, Answer]]:
        """Read these SKUs and remember them: 20 in a search; one that a list cannot hold is read by itself."""
        wanted = list(dict.fromkeys(skus))
        plain = [sku for sku in wanted if is_listable(sku)]
        parts = [plain[start : start + MOST_SKUS] for start in range(0, len(plain), MOST_SKUS)]
        try:
            async with asyncio.TaskGroup() as group:
                searches = [group.create_task(self._search(part)) for part in parts]
                singles = [group.create_task(self._single(sku)) for sku in wanted if not is_listable(sku)]
        except BaseExceptionGroup as several:
            fault = several.exceptions[0]
        else:
            found = {sku: pair for task in (*searches, *singles) for sku, pair in task.result().items()}
            self._known.learn(item for item, _ in found.values() if item is not None)
            self._known.forget(sku for sku, (item, _) in found.items() if item is None)
            return found
        raise fault

    async def _search(self, skus: Sequence[str]) -> dict[str, tuple[Item | None, Answer]]:
        parameters = self._parameters() | {
            "identifiersType": "SKU",
            "identifiers": ",".join(skus),
            "pageSize": MOST_SKUS,
        }
        items: dict[str, Item] = {}
        for _ in range(MOST_PAGES_OF_SEARCH):
            answer = await self._api.call(SEARCH_ITEMS, self._path, params=parameters)
            found = answer.decode(Found)
            items.update((item.sku, item) for item in found.items)
            token = found.pagination.next_token if found.pagination else None
            if not token:
                return {sku: (items.get(sku), answer) for sku in skus}
            parameters["pageToken"] = token
        raise ProtocolError("Amazon: a search for named listings has no end")

    async def _single(self, sku: str) -> dict[str, tuple[Item | None, Answer]]:
        if not sku:
            raise RejectedError("Amazon: a listing without a SKU")
        parameters = self._parameters()
        answer = await self._api.call(GET_ITEM, f"{self._path}/{encoded(sku)}", params=parameters, expect=(200, 404))
        return {sku: (answer.decode(Item) if answer.status == 200 else None, answer)}

    def _parameters(self) -> dict[str, str | int]:
        return {
            "marketplaceIds": self._settings.marketplace_id,
            "issueLocale": wire.LOCALE,
            "includedData": INCLUDED,
        }

    # --- the catalogue ---

    async def page(self, cursor: str | None) -> ListingPage:
        """Read a page of the catalogue: by search while it can hold all, else out of a report.

        A page may be empty while the report is being made.
        """
        place = Place() if cursor is None else _place(cursor)
        async with within(READ_S, "reading the catalogue"):
            if place.report:
                return await self._report_page(place)
            return await self._search_page(place)

    async def _search_page(self, place: Place) -> ListingPage:
        # Sorted by what does not change: pages of a list that moves would lose and repeat listings.
        parameters = self._parameters() | {"pageSize": MOST_SKUS, "sortBy": "sku", "sortOrder": "ASC"}
        if place.page:
            parameters["pageToken"] = place.page
        answer = await self._api.call(SEARCH_ITEMS, self._path, params=parameters)
        found = answer.decode(Found)
        if found.number_of_results > MOST_BY_SEARCH:
            report = await self._reports.order(listing_report.REPORT)
            return ListingPage(listings=(), cursor=_text(Place(report=report)))
        self._known.learn(found.items)
        token = found.pagination.next_token if found.pagination else None
        listings = tuple(wire.listing_of(item, self._settings.marketplace_id) for item in found.items)
        return ListingPage(listings=listings, cursor=_text(Place(page=token)) if token else None)

    async def _report_page(self, place: Place) -> ListingPage:
        if self._rows[0] != place.report:
            document = await self._reports.wait(place.report)
            if document is None:
                return ListingPage(listings=(), cursor=_text(place))
            file = await self._reports.read(document, most_bytes=listing_report.MOST_BYTES)
            self._rows = place.report, listing_report.listings(listing_report.decoded(file.body, file.content_type))
        rows = self._rows[1]
        end = place.row + REPORT_PAGE
        more = end < len(rows)
        page = tuple(rows[place.row : end])
        if not more:
            self._rows = ("", [])
        return ListingPage(listings=page, cursor=_text(Place(report=place.report, row=end)) if more else None)


def is_listable(sku: str) -> bool:
    """Say whether a SKU can stand in a list that is separated by commas."""
    return bool(sku) and "," not in sku


def _place(text: str) -> Place:
    try:
        return decode(text, Place)
    except ProtocolError:
        pass
    raise ProtocolError("Amazon: the stored place in the catalogue is not understood")


def _text(place: Place) -> str:
    return msgspec.json.encode(place).decode()
