"""Orders API 2026-01-01: searchOrders and getOrder.

Facts: parameters, answers and which belong together (selling-partner-api-models, orders_2026-01-01, 2026-08-05):
exactly one of createdAfter and lastUpdatedAfter; the matching "before" lies at least two minutes back; status and
quantities only with includedData FULFILLMENT, cancellations only with CANCELLATION; no page token on the last page; a
page token lives for 24 hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from adapters.amazon.simulated.api import Call, Operation, Reply, invalid, missing
from adapters.amazon.simulated.orders import AMAZON, MERCHANT, Key, Order, State, Status
from adapters.amazon.simulated.queries import TEXT, TIME, Kind, Parameter, words
from adapters.amazon.simulated.shop import Shop
from adapters.amazon.simulated.times import DAY_US, SECOND_US, utc
from syncd.sdk.channel import Instant
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME, CANARY_PHONE

MOST_PAGE = 100
MOST_MARKETPLACES = 50
MOST_TOKENS = 1_000
CANARY_POSTCODE = "999-0199"
"""A made-up postal code, which nobody may keep either."""
UNIT_PRICE = 1980

DATA = (
    "BUYER", "RECIPIENT", "PROCEEDS", "EXPENSE", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PACKAGES", "TAX",
    "PAYMENT", "FULFILLMENT_ORDERS",
)  # fmt: skip
_STATUSES = (
    "PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE",
)  # fmt: skip
_ORDER_ID = re.compile(r"\d{3}-\d{7}-\d{7}")
_INCLUDED = words(*DATA, default=[])
_SEARCH_QUERY = {
    "createdAfter": TIME,
    "createdBefore": TIME,
    "lastUpdatedAfter": TIME,
    "lastUpdatedBefore": TIME,
    "fulfillmentStatuses": words(*_STATUSES),
    "marketplaceIds": Parameter(kind=Kind.LIST, most=MOST_MARKETPLACES),
    "fulfilledBy": words(MERCHANT, AMAZON),
    "maxResultsPerPage": Parameter(kind=Kind.WHOLE, least=1, most=MOST_PAGE, default=MOST_PAGE),
    "paginationToken": TEXT,
    "includedData": _INCLUDED,
}


class OrderSearch:
    """The operations."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._tokens: dict[str, tuple[dict[str, Any], Instant, Key, Instant]] = {}

    def operations(self) -> list[Operation]:
        """Return them."""
        role = "Inventory and Order Tracking"
        path = "/orders/2026-01-01/orders"
        return [
            Operation(name="searchOrders", method="GET", path=path, answer=self.search, query=_SEARCH_QUERY, role=role),
            Operation(
                name="getOrder",
                method="GET",
                path=f"{path}/{{orderId}}",
                answer=self.order,
                query={"includedData": _INCLUDED},
                role=role,
            ),
        ]

    def order(self, call: Call) -> Reply:
        """Answer one order as it is now, or was a while ago where a read is stale."""
        order_id = call.path["orderId"]
        if _ORDER_ID.fullmatch(order_id) is None:
            raise invalid("orderId is not an order id.")
        order = self._shop.orders.find(order_id)
        state = None if order is None else order.state(self._shop.clock.now() - call.stale_us)
        if order is None or state is None:
            raise missing("There is no order with this orderId.")
        return Reply(body={"order": self._order(order, state, call.given["includedData"])})

    # --- searching ---

    def search(self, call: Call) -> Reply:
        """Answer a page of orders, as far as the index has them."""
        now = self._shop.clock.now()
        given, token = {k: v for k, v in call.given.items() if k != "paginationToken"}, call.given["paginationToken"]
        by_update = self._check(given, now)
        before = given["lastUpdatedBefore"] if by_update else given["createdBefore"]
        after: Instant = given["lastUpdatedAfter"] if by_update else given["createdAfter"]
        until, start = (
            (self._lag(now, call.stale_us), (after, "")) if token is None else self._goes_on(token, given, now)
        )
        until = until if before is None else min(before, until)
        orders = self._shop.orders
        rows = orders.changed_since(start) if by_update else orders.created_since(start)
        found = list(islice(self._fitting(rows, given, until), given["maxResultsPerPage"] + 1))
        page = found[: given["maxResultsPerPage"]]
        body: dict[str, Any] = {
            "orders": [self._order(order, state, given["includedData"]) for _, order, state in page],
            "lastUpdatedBefore" if by_update else "createdBefore": utc(until),
        }
        if len(found) > len(page):
            body["pagination"] = {"nextToken": self._token(given, until, found[-1][0], now)}
        return Reply(body=body)

    def _lag(self, now: Instant, stale_us: int) -> Instant:
        """Return up to when the index is complete, in whole seconds: what it says of itself must be true."""
        lag_us = self._shop.drawn_us((self._shop.knobs.index_lag_s,) * 2)
        until = now - max(lag_us, stale_us)
        return until - until % SECOND_US

    def _check(self, given: Mapping[str, Any], now: Instant) -> bool:
        if (given["createdAfter"] is None) is (given["lastUpdatedAfter"] is None):
            raise invalid("Provide exactly one of createdAfter and lastUpdatedAfter.")
        by_update = given["lastUpdatedAfter"] is not None
        after, before = ("lastUpdatedAfter", "lastUpdatedBefore") if by_update else ("createdAfter", "createdBefore")
        other = "createdBefore" if by_update else "lastUpdatedBefore"
        if given[other] is not None:
            raise invalid(f"{other} may not be provided with {after}.")
        if given[after] > now:
            raise invalid(f"{after} lies in the future.")
        lag_us = self._shop.drawn_us((self._shop.knobs.index_lag_s,) * 2)
        if given[before] is not None and not given[after] <= given[before] <= now - lag_us:
            raise invalid(f"{before} must not be before {after}, and at least two minutes before now.")
        strangers = [each for each in given["marketplaceIds"] or () if each != self._shop.marketplace]
        if strangers:
            raise invalid("marketplaceIds has a marketplace of which the seller is no part.")
        return by_update

    def _fitting(
        self, rows: Iterator[tuple[Key, Order, State]], given: Mapping[str, Any], until: Instant
    ) -> Iterator[tuple[Key, Order, State]]:
        for key, order, state in rows:
            if key[0] > until:
                return
            by, status = given["fulfilledBy"], given["fulfillmentStatuses"]
            if (by is None or order.fulfilled_by in by) and (status is None or state.status in status):
                yield key, order, state

    def _token(self, given: dict[str, Any], until: Instant, key: Key, now: Instant) -> str:
        token = self._shop.random.bytes(24).hex()
        self._tokens[token] = (given, until, key, now + DAY_US)
        if len(self._tokens) > MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        return token

    def _goes_on(self, token: str, given: Mapping[str, Any], now: Instant) -> tuple[Instant, Key]:
        known = self._tokens.get(token)
        if known is None or known[3] <= now:
            raise invalid("paginationToken is invalid or has expired.")
        if known[0] != given:
            raise invalid("paginationToken does not fit the other parameters.")
        return known[1], known[2]

    # --- what an order looks like ---

    def _order(self, order: Order, state: State, data: list[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "orderId": order.order_id,
            "orderAliases": [{"aliasId": order.order_id, "aliasType": "SELLER_ORDER_ID"}],
            "createdTime": utc(order.at),
            "lastUpdatedTime": utc(state.at),
            "programs": [],
            "salesChannel": {
                "channelName": "AMAZON",
                "marketplaceId": self._shop.marketplace,
                "marketplaceName": "Amazon.co.jp",
            },
            "orderItems": [self._item(order, state, place, data) for place in range(len(order.lines))],
        }
        for name, part in _PARTS.items():
            if name in data:
                body |= part(order, state)
        return body

    def _item(self, order: Order, state: State, place: int, data: list[str]) -> dict[str, Any]:
        line, (cancelled, shipped) = order.lines[place], state.done[place]
        listing = self._shop.goods.find(line.good.sku)
        ordered = line.quantity - (cancelled if self._shop.knobs.cancel_empties else 0)
        body: dict[str, Any] = {
            "orderItemId": line.line_id,
            "quantityOrdered": ordered,
            "product": {
                "asin": "B000000000" if listing is None else listing.asin,
                "title": line.good.title,
                "sellerSku": line.good.sku,
                "condition": {"conditionType": "NEW", "conditionSubtype": "NEW"},
            },
        }
        if state.status is not Status.PENDING:
            body["product"]["price"] = {"unitPrice": {"amount": str(UNIT_PRICE), "currencyCode": "JPY"}}
        if "FULFILLMENT" in data:
            body["fulfillment"] = {
                "quantityFulfilled": shipped,
                "quantityUnfulfilled": line.quantity - cancelled - shipped,
                # A gift message is written by the buyer, and comes with plain FULFILLMENT.
                "packing": {"giftOption": {"giftMessage": f"{CANARY_NAME} より", "giftWrapLevel": "STANDARD"}},
            }
        if "CANCELLATION" in data and (cancellation := _cancellation(state, cancelled)):
            body["cancellation"] = cancellation
        return body


def _cancellation(state: State, cancelled: int) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if state.requested:
        body["cancellationRequest"] = {"requester": "BUYER", "cancelReason": f"{CANARY_NAME}: 間違えて注文しました"}
    if cancelled:
        body["cancellationExecution"] = {"cancelledBy": state.cancelled_by, "cancelReason": state.reason}
    return body


def _fulfillment(order: Order, state: State) -> dict[str, Any]:
    day = order.at - order.at % DAY_US
    window = {"earliestDateTime": utc(day), "latestDateTime": utc(day + 2 * DAY_US - SECOND_US)}
    return {
        "fulfillment": {
            "fulfillmentStatus": state.status.value,
            "fulfilledBy": order.fulfilled_by,
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": window,
            "deliverByWindow": {"latestDateTime": utc(day + 5 * DAY_US - SECOND_US)},
        }
    }


def _recipient(*_: object) -> dict[str, Any]:
    address = {
        "name": CANARY_NAME,
        "addressLine1": f"{CANARY_NAME} ビル",
        "city": "千代田区",
        "stateOrRegion": "東京都",
        "postalCode": CANARY_POSTCODE,
        "countryCode": "JP",
        "phone": CANARY_PHONE,
        "addressType": "RESIDENTIAL",
    }
    return {"recipient": {"deliveryAddress": address}}


def _proceeds(order: Order, state: State) -> dict[str, Any]:
    if state.status is Status.PENDING:
        return {}
    amount = sum(line.quantity for line in order.lines) * UNIT_PRICE
    return {"proceeds": {"grandTotal": {"amount": str(amount), "currencyCode": "JPY"}}}


def _packages(order: Order, state: State) -> dict[str, Any]:
    items = [
        {"orderItemId": line.line_id, "quantity": shipped}
        for line, (_, shipped) in zip(order.lines, state.done, strict=True)
        if shipped
    ]
    if not items:
        return {}
    package = {
        "packageReferenceId": "1",
        "createdTime": utc(state.at),
        "packageStatus": {"status": "IN_TRANSIT"},
        "carrier": "YAMATO",
        "trackingNumber": order.order_id.replace("-", "")[:12],
        "shipTime": utc(state.at),
        "packageItems": items,
    }
    return {"packages": [package]}


_PARTS = {
    "BUYER": lambda *_: {"buyer": {"buyerName": CANARY_NAME, "buyerEmail": CANARY_MAIL}},
    "RECIPIENT": _recipient,
    "FULFILLMENT": _fulfillment,
    "PROCEEDS": _proceeds,
    "PACKAGES": _packages,
}
"""The data sets of an order. The others bring nothing for a plain order."""
