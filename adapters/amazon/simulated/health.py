"""The account health report, from what the simulated orders really came to.

Facts: schema accountHealthReport-2020-11-18 (selling-partner-api-models, schemas/reports); the cancel rate counts what
the seller cancelled of seven days' orders, not what buyers asked for (sellercentral.amazon.co.jp forum, 7ff2b981).
"""

from __future__ import annotations

from typing import Any

from adapters.amazon.simulated.orders import MERCHANT, Order
from adapters.amazon.simulated.shop import Shop
from adapters.amazon.simulated.times import DAY_US, minutes

TARGETS = {"cancel": 0.025, "late": 0.04, "defect": 0.01}
_POLICIES = (
    "listingPolicyViolations", "productAuthenticityCustomerComplaints", "productConditionCustomerComplaints",
    "productSafetyCustomerComplaints", "receivedIntellectualPropertyComplaints", "restrictedProductPolicyViolations",
    "suspectedIntellectualPropertyViolations", "foodAndProductSafetyIssues", "otherPolicyViolations",
    "documentRequests",
)  # fmt: skip
_SPELLINGS = {"preFulfillmentCancellationRate": "prefulfillmentCancelRate", "warningStates": "warningState"}
"""What the schema's own example calls otherwise."""


def report(shop: Shop, *, as_example: bool = False) -> dict[str, Any]:
    """Return the report; with `as_example` in the spelling of the schema's example."""
    now = shop.clock.now()
    recent = [order for order in shop.orders.all() if order.fulfilled_by == MERCHANT and order.at >= now - 7 * DAY_US]
    cancelled = sum(1 for order in recent if _counts(order))
    metrics = _metrics(shop, len(recent), cancelled)
    rating: dict[str, Any] = {"reportingDateRange": _range(shop, 180), "ahrStatus": "GREAT"}
    if as_example:
        metrics = {_SPELLINGS.get(name, name): value for name, value in metrics.items()}
    else:
        rating["accountHealthRatingStatus"] = "GREAT"
    metrics["accountHealthRating"] = rating
    return {
        "accountStatuses": [{"marketplaceId": shop.marketplace, "status": "NORMAL"}],
        "performanceMetrics": [metrics],
    }


def _counts(order: Order) -> bool:
    """Say whether an order counts as cancelled by the seller."""
    cancelled = any(line.cancelled for line in order.lines)
    return cancelled and order.cancelled_by == MERCHANT and not order.requested


def _metrics(shop: Shop, orders: int, cancelled: int) -> dict[str, Any]:
    none = {"count": 0, "status": "NONE"}
    defects = {"orderWithDefects": none, "claims": none, "chargebacks": none, "negativeFeedback": none}
    tracked = {"shipmentCountWithValidTracking": 0, "onTimeDeliveryCount": 0}
    invoices = {"invoiceDefect": none, "missingInvoice": none, "lateInvoice": none}
    body: dict[str, Any] = {
        "marketplaceId": shop.marketplace,
        "preFulfillmentCancellationRate": _rate(shop, 7, "cancel", orders=orders, cancellationCount=cancelled),
        "lateShipmentRate": _rate(shop, 30, "late", orders=orders, lateShipmentCount=0),
        "orderDefectRate": {
            kind: _rate(shop, 60, "defect", orders=orders) | defects | {"fulfillmentType": kind}
            for kind in ("mfn", "afn")
        },
        "invoiceDefectRate": _rate(shop, 7, "late", orders=orders) | invoices,
        "onTimeDeliveryRate": _rate(shop, 30, "late") | tracked,
        "unitOnTimeDeliveryRate": _rate(shop, 30, "late", unitOnTimeDeliveryCount=0, totalUnitCount=0),
        "validTrackingRate": _rate(shop, 30, "late", shipmentCount=0, validTrackingCount=0),
        "warningStates": [{"warningType": "spammingSellerMessaging", "status": "GOOD"}],
    }
    violation = {"defectsCount": 0, "status": "GOOD", "targetValue": 0, "targetCondition": "EQUALS"}
    return body | {name: {"reportingDateRange": _range(shop, 180)} | violation for name in _POLICIES}


def _rate(shop: Shop, days: int, target: str, *, orders: int | None = None, **figures: int) -> dict[str, Any]:
    counted = next(iter(figures.values()), 0)
    rate = counted / orders if orders else 0.0
    body: dict[str, Any] = {"reportingDateRange": _range(shop, days), **figures}
    if orders is not None:
        body["orderCount"] = orders
    good = rate < TARGETS[target]
    return body | {
        "status": "GOOD" if good else "BAD",
        "rate": rate,
        "targetValue": TARGETS[target],
        "targetCondition": "LESS_THAN",
    }


def _range(shop: Shop, days: int) -> dict[str, str]:
    now = shop.clock.now()
    return {"reportingDateFrom": minutes(now - days * DAY_US), "reportingDateTo": minutes(now)}
