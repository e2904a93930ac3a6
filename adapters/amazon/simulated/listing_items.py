"""Listings Items API 2021-08-01: reading live quantities, and patching.

Facts: parameters, limits, answers (selling-partner-api-models, listingsItems_2021-08-01): at most 20 identifiers, 20
items a page and 1,000 items that can be paged; patches are answered 200 also where they are INVALID.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from adapters.amazon.simulated import patches as patching
from adapters.amazon.simulated.api import Call, Operation, Refused, Reply, denied, missing, throttled
from adapters.amazon.simulated.goods import DEFAULT, Listing
from adapters.amazon.simulated.queries import TEXT, TIME, Kind, Parameter, words
from adapters.amazon.simulated.shop import Shop
from adapters.amazon.simulated.times import utc
from syncd.sdk.channel import Instant

BAD_REQUEST, INVALID_INPUT = "BAD_REQUEST", "Invalid input"
MOST_IDENTIFIERS = 20
MOST_PAGE = 20
PAGE = 10
MOST_PAGED = 1_000
MOST_TOKENS = 1_000
PRICE = {"currencyCode": "JPY", "amount": "1980"}
PATH = "/listings/2021-08-01/items/{sellerId}"

DATA = (
    "summaries", "attributes", "issues", "offers", "fulfillmentAvailability", "procurement", "relationships",
    "productTypes",
)  # fmt: skip
_MARKETPLACES = Parameter(kind=Kind.LIST, required=True)
_ITEM_QUERY = {
    "marketplaceIds": _MARKETPLACES,
    "issueLocale": TEXT,
    "includedData": words(*DATA, default=["summaries"]),
}
_PATCH_QUERY = {
    "marketplaceIds": _MARKETPLACES,
    "issueLocale": TEXT,
    "includedData": words("identifiers", "issues", default=["issues"]),
    "mode": Parameter(words=frozenset({"VALIDATION_PREVIEW"})),
}
_SEARCH_QUERY = _ITEM_QUERY | {
    "identifiers": Parameter(kind=Kind.LIST, most=MOST_IDENTIFIERS),
    "identifiersType": Parameter(
        words=frozenset({"ASIN", "EAN", "FNSKU", "GTIN", "ISBN", "JAN", "MINSAN", "SKU", "UPC"})
    ),
    "variationParentSku": TEXT,
    "packageHierarchySku": TEXT,
    "createdAfter": TIME,
    "createdBefore": TIME,
    "lastUpdatedAfter": TIME,
    "lastUpdatedBefore": TIME,
    "withIssueSeverity": words("WARNING", "ERROR"),
    "withStatus": words("BUYABLE", "DISCOVERABLE"),
    "withoutStatus": words("BUYABLE", "DISCOVERABLE"),
    "sortBy": Parameter(words=frozenset({"sku", "createdDate", "lastUpdatedDate"}), default="lastUpdatedDate"),
    "sortOrder": Parameter(words=frozenset({"ASC", "DESC"}), default="DESC"),
    "pageSize": Parameter(kind=Kind.WHOLE, least=1, most=MOST_PAGE, default=PAGE),
    "pageToken": TEXT,
}


class ListingItems:
    """The operations."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._searches: dict[str, tuple[dict[str, Any], list[str], int]] = {}

    def operations(self) -> list[Operation]:
        """Return them."""
        table: tuple[tuple[str, str, str, Callable[[Call], Reply], Mapping[str, Parameter]], ...] = (
            ("getListingsItem", "GET", f"{PATH}/{{sku}}", self.item, _ITEM_QUERY),
            ("patchListingsItem", "PATCH", f"{PATH}/{{sku}}", self.patch, _PATCH_QUERY),
            ("searchListingsItems", "GET", PATH, self.search, _SEARCH_QUERY),
        )
        return [
            Operation(
                name=name,
                method=method,
                path=path,
                answer=answer,
                query=query,
                role="Product Listing",
                code=BAD_REQUEST,
                message=INVALID_INPUT,
            )
            for name, method, path, answer, query in table
        ]

    def item(self, call: Call) -> Reply:
        """Answer one offer."""
        self._check(call)
        listing = self._shop.goods.find(call.path["sku"])
        if listing is None:
            raise missing(f"SKU '{call.path['sku']}' not found in marketplace {self._shop.marketplace}")
        return Reply(body=self._item(listing, call))

    def _check(self, call: Call) -> None:
        if call.path["sellerId"] != self._shop.seller:
            raise denied()
        if call.given["marketplaceIds"] != [self._shop.marketplace]:
            raise _wrong("marketplaceIds is not a marketplace of this seller.")

    # --- writing ---

    def patch(self, call: Call) -> Reply:
        """Take patches: ACCEPTED is not applied, and INVALID is a 200."""
        self._check(call)
        product_type, patches = patching.parsed(call.body)
        sku = call.path["sku"]
        preview = call.given["mode"] is not None
        if preview and not self._shop.limits.allow("patchListingsItem:VALIDATION_PREVIEW"):
            raise throttled(" for the application")
        listing = self._shop.goods.find(sku)
        if listing is None:
            found = [] if self._shop.knobs.unknown_accepted else [patching.unknown_sku(sku)]
        else:
            found = patching.issues(product_type, patches, listing)
        status = "INVALID" if found else "VALID" if preview else "ACCEPTED"
        if status == "ACCEPTED" and listing is not None:
            self._shop.submit(listing, patches)
        body: dict[str, Any] = {"sku": sku, "status": status, "submissionId": self._shop.identity()}
        if "issues" in call.given["includedData"]:
            body["issues"] = [entry | {"marketplaceIds": [self._shop.marketplace]} for entry in found]
        if "identifiers" in call.given["includedData"]:
            known = [] if listing is None or found else [listing.asin]
            body["identifiers"] = [{"marketplaceId": self._shop.marketplace, "asin": asin} for asin in known]
        return Reply(body=body)

    # --- searching ---

    def search(self, call: Call) -> Reply:
        """Answer a page of offers."""
        self._check(call)
        given, token = (
            {name: value for name, value in call.given.items() if name != "pageToken"},
            call.given["pageToken"],
        )
        if token is None:
            known, skus, start, total = given, *self._found(given)
        else:
            known, skus, start, total = self._goes_on(token)
        if known != given:
            raise _wrong("pageToken does not fit the other parameters.")
        end = start + given["pageSize"]
        listings = [listing for sku in skus[start:end] if (listing := self._shop.goods.find(sku)) is not None]
        body: dict[str, Any] = {"numberOfResults": total, "items": [self._item(each, call) for each in listings]}
        pagination = {}
        if end < len(skus):
            pagination["nextToken"] = self._token(given, skus, end, total)
        if start > 0:
            pagination["previousToken"] = self._token(given, skus, max(0, start - given["pageSize"]), total)
        if pagination:
            body["pagination"] = pagination
        return Reply(body=body)

    def _found(self, given: Mapping[str, Any]) -> tuple[list[str], int, int]:
        if (given["identifiers"] is None) is not (given["identifiersType"] is None):
            raise _wrong("identifiers and identifiersType belong together.")
        if given["identifiers"] is not None and (given["variationParentSku"] or given["packageHierarchySku"]):
            raise _wrong("identifiers cannot be combined with variationParentSku or packageHierarchySku.")
        listings = [listing for listing in self._candidates(given) if _fits(listing, given)]
        key = _SORTS[given["sortBy"]]
        pick = heapq.nlargest if given["sortOrder"] == "DESC" else heapq.nsmallest
        return [listing.sku for listing in pick(MOST_PAGED, listings, key=key)], 0, len(listings)

    def _candidates(self, given: Mapping[str, Any]) -> Iterator[Listing]:
        match given["identifiersType"]:
            case None if given["variationParentSku"] or given["packageHierarchySku"]:
                return
            case None:
                yield from self._shop.goods.all()
            case "SKU":
                skus = dict.fromkeys(given["identifiers"])
                yield from (found for sku in skus if (found := self._shop.goods.find(sku)) is not None)
            case "ASIN":
                wanted = set(given["identifiers"])
                yield from (listing for listing in self._shop.goods.all() if listing.asin in wanted)
            case _:
                return

    def _token(self, given: dict[str, Any], skus: list[str], place: int, total: int) -> str:
        token = self._shop.random.bytes(24).hex()
        self._searches[token] = (given | {"#total": total}, skus, place)
        if len(self._searches) > MOST_TOKENS:
            del self._searches[next(iter(self._searches))]
        return token

    def _goes_on(self, token: str) -> tuple[dict[str, Any], list[str], int, int]:
        if token not in self._searches:
            raise _wrong("pageToken is invalid.")
        given, skus, place = self._searches[token]
        known = {name: value for name, value in given.items() if name != "#total"}
        return known, skus, place, given["#total"]

    # --- what an offer looks like ---

    def _item(self, listing: Listing, call: Call) -> dict[str, Any]:
        at = self._shop.clock.now() - call.stale_us
        return item(listing, call.given["includedData"], marketplace=self._shop.marketplace, at=at)


def item(listing: Listing, data: Sequence[str], *, marketplace: str, at: Instant) -> dict[str, Any]:
    """Return an offer with these data sets, its live quantity as of `at`."""
    body: dict[str, Any] = {"sku": listing.sku}
    for name in data:
        value = _PARTS[name](listing, marketplace, at)
        if value is not None:
            body[name] = value
    return body


def status(listing: Listing, quantity: int) -> list[str]:
    """Return BUYABLE and DISCOVERABLE as they fit: without stock nobody can buy it."""
    there = quantity if listing.fba is None else listing.fba
    if not listing.good.active:
        return []
    return ["BUYABLE", "DISCOVERABLE"] if there > 0 else ["DISCOVERABLE"]


def availability(listing: Listing, at: Instant) -> list[dict[str, Any]]:
    """Return the live view: a number for the seller's own channel, none for FBA.

    An FBA offer for which a quantity was submitted has both channels side by side (models issue 2061).
    """
    if listing.fba is not None:
        return [{"fulfillmentChannelCode": listing.channel}]
    own = [{"fulfillmentChannelCode": DEFAULT, "quantity": max(0, listing.good.as_of(at))}]
    return own + ([{"fulfillmentChannelCode": "AMAZON_JP"}] if listing.stranded else [])


def _summaries(listing: Listing, marketplace: str, at: Instant) -> list[dict[str, Any]]:
    summary = {
        "marketplaceId": marketplace,
        "asin": listing.asin,
        "productType": listing.product_type,
        "conditionType": "new_new",
        "status": status(listing, listing.good.as_of(at)),
        "itemName": listing.good.title,
        "createdDate": utc(listing.created_at),
        "lastUpdatedDate": utc(listing.updated_at),
        "mainImage": {"link": "https://m.media-amazon.com/images/I/simulated.jpg", "height": 500, "width": 500},
    }
    if listing.fba is not None:
        summary["fnSku"] = f"X{listing.good.serial + 1:09d}"
    return [summary]


def _attributes(listing: Listing, marketplace: str, _: Instant) -> dict[str, Any]:
    mark = {"marketplace_id": marketplace}
    return {
        "condition_type": [{"value": "new_new"} | mark],
        "item_name": [{"value": listing.good.title, "language_tag": "ja_JP"} | mark],
        "fulfillment_availability": [dict(entry) for entry in listing.entries],
    }


def _offers(_: Listing, marketplace: str, __: Instant) -> list[dict[str, Any]]:
    return [{"marketplaceId": marketplace, "offerType": "B2C", "price": PRICE}]


_PARTS: Mapping[str, Callable[[Listing, str, Instant], Any]] = {
    "summaries": _summaries,
    "attributes": _attributes,
    "issues": lambda *_: [],
    "offers": _offers,
    "fulfillmentAvailability": lambda listing, _, at: availability(listing, at),
    "procurement": lambda *_: None,
    "relationships": lambda _, marketplace, __: [{"marketplaceId": marketplace, "relationships": []}],
    "productTypes": lambda listing, marketplace, _: [
        {"marketplaceId": marketplace, "productType": listing.product_type}
    ],
}
_SORTS: Mapping[str, Callable[[Listing], Any]] = {
    "sku": lambda listing: listing.sku,
    "createdDate": lambda listing: (listing.created_at, listing.sku),
    "lastUpdatedDate": lambda listing: (listing.updated_at, listing.sku),
}


def _fits(listing: Listing, given: Mapping[str, Any]) -> bool:
    words_now = status(listing, listing.good.quantity)
    return (
        _within(listing.created_at, given["createdAfter"], given["createdBefore"])
        and _within(listing.updated_at, given["lastUpdatedAfter"], given["lastUpdatedBefore"])
        and set(given["withStatus"] or ()) <= set(words_now)
        and not set(given["withoutStatus"] or ()) & set(words_now)
        and not given["withIssueSeverity"]
    )


def _within(moment: Instant, after: Instant | None, before: Instant | None) -> bool:
    return (after is None or moment >= after) and (before is None or moment <= before)


def _wrong(details: str) -> Refused:
    return Refused(400, BAD_REQUEST, INVALID_INPUT, details)
