"""Usage plans: a token bucket for every operation of one selling partner and application.

Rates and bursts are those of Amazon's models (selling-partner-api-models, "Usage Plan" of each operation, 2026-08-05).
getListingsItem has burst 5, as the rate page says (SP-API docs, listings-items-api-rate-limits), where the model has
10. A JSON_LISTINGS_FEED has a limit of its own: five in five minutes (SP-API changelog, 2025-05-06); a
VALIDATION_PREVIEW has one for the whole application.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncd.sdk.channel import Clock

Plan = tuple[float, int]
"""Requests per second, and how many at once."""

SLACK_S = 0.1
"""How much too early a request may come: two that were sent in time can arrive closer together."""

NOTIFICATIONS = (
    "createDestination",
    "createSubscription",
    "deleteDestination",
    "deleteSubscriptionById",
    "getDestination",
    "getDestinations",
    "getSubscription",
    "getSubscriptionById",
    "getSubscriptions",
)

PLANS: dict[str, Plan] = {
    "cancelFeed": (2.0, 15),
    "createFeed": (0.0083, 15),
    "createFeed:JSON_LISTINGS_FEED": (5 / 300, 5),
    "createFeedDocument": (0.5, 15),
    "createReport": (0.0167, 15),
    "getFeed": (2.0, 15),
    "getFeedDocument": (0.0222, 10),
    "getFeeds": (0.0222, 10),
    "getInventorySummaries": (2.0, 2),
    "getListingsItem": (5.0, 5),
    "getMarketplaceParticipations": (0.016, 15),
    "getOrder": (0.5, 30),
    "getReport": (2.0, 15),
    "getReportDocument": (0.0167, 15),
    "getReports": (0.0222, 10),
    "patchListingsItem": (5.0, 5),
    "patchListingsItem:VALIDATION_PREVIEW": (20.0, 20),
    "searchListingsItems": (5.0, 5),
    "searchOrders": (0.0056, 20),
} | dict.fromkeys(NOTIFICATIONS, (1.0, 5))


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Limits:
    """The buckets. `plans` may be changed at any time: Amazon gives sellers other rates than the published ones.

    `factor` says how much more than the plans there is.
    """

    def __init__(self, clock: Clock, *, factor: Callable[[], float] = lambda: 1.0) -> None:
        self._clock = clock
        self._factor = factor
        self._buckets: dict[str, _Bucket] = {}
        self.plans = dict(PLANS)

    def allow(self, name: str) -> bool:
        """Take a token; answers False, and takes none, where there is none."""
        rate, burst = self.rate(name), self.plans[name][1]
        now_s = self._clock.monotonic()
        bucket = self._buckets.setdefault(name, _Bucket(float(burst), now_s))
        bucket.tokens = min(float(burst), bucket.tokens + (now_s - bucket.at_s) * rate)
        bucket.at_s = now_s
        if bucket.tokens < 1.0 - rate * SLACK_S:
            return False
        bucket.tokens -= 1.0
        return True

    def rate(self, name: str) -> float:
        """Return the rate that `x-amzn-RateLimit-Limit` tells."""
        return self.plans[name][0] * self._factor()
