"""FBA Inventory API v1 (reading) and Sellers API v1.

Facts: parameters and members (selling-partner-api-models, fbaInventory and sellers); a nextToken ends 30 seconds after
it was made, and startDateTime is repeated with it (the model, and models issue 4946); errors may come inside a 200
(the 200 schema has `errors`; selling-partner-api-docs issues 109 and 110).
"""

from __future__ import annotations

from typing import Any

from adapters.amazon.simulated.api import Call, Operation, Reply, invalid
from adapters.amazon.simulated.goods import Listing
from adapters.amazon.simulated.queries import FLAG, TEXT, TIME, Kind, Parameter
from adapters.amazon.simulated.shop import Shop
from adapters.amazon.simulated.times import DAY_US, SECOND_US, utc
from syncd.sdk.channel import Instant

PAGE = 50
MOST_SKUS = 50
TOKEN_LIFE_US = 30 * SECOND_US
OLDEST_US = 548 * DAY_US
"""Eighteen months."""
MOST_TOKENS = 1_000
_QUERY = {
    "details": FLAG,
    "granularityType": Parameter(words=frozenset({"Marketplace"}), required=True),
    "granularityId": Parameter(required=True),
    "startDateTime": TIME,
    "sellerSkus": Parameter(kind=Kind.LIST, most=MOST_SKUS),
    "sellerSku": TEXT,
    "nextToken": TEXT,
    "marketplaceIds": Parameter(kind=Kind.LIST, required=True, most=1),
}


class Inventory:
    """The operations."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._tokens: dict[str, tuple[int, Instant | None, Instant]] = {}
        self.suspended = False
        self.participates = True

    def operations(self) -> list[Operation]:
        """Return them."""
        return [
            Operation(
                name="getInventorySummaries",
                method="GET",
                path="/fba/inventory/v1/summaries",
                answer=self.summaries,
                query=_QUERY,
                role="Amazon Fulfillment",
            ),
            Operation(
                name="getMarketplaceParticipations",
                method="GET",
                path="/sellers/v1/marketplaceParticipations",
                answer=self.participations,
            ),
        ]

    def summaries(self, call: Call) -> Reply:
        """Answer a page of what Amazon has in its warehouses."""
        given, now = call.given, self._shop.clock.now()
        market = self._shop.marketplace
        if given["granularityId"] != market or given["marketplaceIds"] != [market]:
            raise invalid("granularityId and marketplaceIds are not the marketplace of this seller.")
        since: Instant | None = given["startDateTime"]
        if since is not None and since < now - OLDEST_US:
            raise invalid("startDateTime is older than eighteen months.")
        if self._shop.knobs.fba_errors:
            return Reply(body={"errors": [{"code": "InternalFailure", "message": "We encountered an internal error."}]})
        start = self._start(given["nextToken"], since, now)
        wanted = set(given["sellerSkus"] or ()) | ({given["sellerSku"]} if given["sellerSku"] else set())
        found = [each for each in self._shop.goods.at_amazon() if _fits(each, wanted, since)]
        rows = [_summary(listing, details=given["details"]) for listing in found[start : start + PAGE]]
        granularity = {"granularityType": "Marketplace", "granularityId": market}
        body: dict[str, Any] = {"payload": {"granularity": granularity, "inventorySummaries": rows}}
        if start + PAGE < len(found):
            body["pagination"] = {"nextToken": self._token(start + PAGE, since, now)}
        return Reply(body=body)

    def participations(self, _: Call) -> Reply:
        """Answer where the seller sells."""
        marketplace = {
            "id": self._shop.marketplace,
            "name": "Amazon.co.jp",
            "countryCode": "JP",
            "defaultCurrencyCode": "JPY",
            "defaultLanguageCode": "ja_JP",
            "domainName": "www.amazon.co.jp",
        }
        participation = {"isParticipating": self.participates, "hasSuspendedListings": self.suspended}
        row = {"marketplace": marketplace, "participation": participation, "storeName": "syncd simulated"}
        return Reply(body={"payload": [row]})

    def _start(self, token: str | None, since: Instant | None, now: Instant) -> int:
        if token is None:
            return 0
        known = self._tokens.get(token)
        if known is None or known[2] <= now:
            raise invalid("Next token is either invalid or expired.")
        if known[1] != since:
            raise invalid("startDateTime is not that of the first page.")
        return known[0]

    def _token(self, place: int, since: Instant | None, now: Instant) -> str:
        # It has characters that must be encoded in a URL.
        token = f"{self._shop.random.bytes(12).hex()}+/{place}="
        self._tokens[token] = (place, since, now + TOKEN_LIFE_US)
        if len(self._tokens) > MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        return token


def _fits(listing: Listing, wanted: set[str], since: Instant | None) -> bool:
    at_amazon = listing.fba is not None or listing.stranded > 0
    return at_amazon and (not wanted or listing.sku in wanted) and (since is None or listing.updated_at >= since)


def _summary(listing: Listing, *, details: bool) -> dict[str, Any]:
    fulfillable, stranded = listing.fba or 0, listing.stranded
    body: dict[str, Any] = {
        "asin": listing.asin,
        "fnSku": f"X{listing.good.serial + 1:09d}",
        "sellerSku": listing.sku,
        "condition": "NewItem",
        "lastUpdatedTime": utc(listing.updated_at),
        "productName": listing.good.title,
        "totalQuantity": fulfillable + stranded,
        "stores": [],
    }
    if not details:
        return body
    none = {"totalResearchingQuantity": 0, "researchingQuantityBreakdown": []}
    reserved = {
        "totalReservedQuantity": 0,
        "pendingCustomerOrderQuantity": 0,
        "pendingTransshipmentQuantity": 0,
        "fcProcessingQuantity": 0,
    }
    return body | {
        "inventoryDetails": {
            "fulfillableQuantity": fulfillable,
            "inboundWorkingQuantity": 0,
            "inboundShippedQuantity": 0,
            "inboundReceivingQuantity": 0,
            "reservedQuantity": reserved,
            "researchingQuantity": none,
            "unfulfillableQuantity": {"totalUnfulfillableQuantity": stranded},
        }
    }
