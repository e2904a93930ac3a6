"""Notifications API v1: destinations and subscriptions.

Facts: operations and members (selling-partner-api-models, notifications); which operations are grantless (SP-API docs,
grantless-operations); 409 for what is there already; which types go to SQS and which to EventBridge (SP-API docs,
set-up-notifications-with-amazon-sqs and -eventbridge); ORDER_CHANGE wants its event filter (user report).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from adapters.amazon.simulated.api import Call, Operation, Refused, Reply, invalid, missing
from adapters.amazon.simulated.queries import TEXT
from adapters.amazon.simulated.shop import Shop

ORDER_CHANGE = "ORDER_CHANGE"
SQS_TYPES = frozenset({
    ORDER_CHANGE, "FBA_INVENTORY_AVAILABILITY_CHANGES", "FEED_PROCESSING_FINISHED", "REPORT_PROCESSING_FINISHED",
    "ACCOUNT_STATUS_CHANGED",
})  # fmt: skip
EVENT_BRIDGE_TYPES = frozenset({
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "LISTINGS_ITEM_STATUS_CHANGE", "LISTINGS_ITEM_ISSUES_CHANGE",
})  # fmt: skip
VERSIONS = {"LISTINGS_ITEM_ISSUES_CHANGE": "2023-12-13"}
CHANGE_TYPES = frozenset({"BuyerRequestedChange", "DeliveryTipChange", "OrderStatusChange"})
MOST_EXPRESSION = 256
_ARN = re.compile(r"^arn:aws:sqs:\S+:\S+:\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Who wants to hear of a type. `directive` is as it was given."""

    subscription_id: str
    kind: str
    version: str
    destination_id: str
    directive: dict[str, Any] | None

    def body(self) -> dict[str, Any]:
        """Return it as the API states it."""
        body: dict[str, Any] = {
            "subscriptionId": self.subscription_id,
            "payloadVersion": self.version,
            "destinationId": self.destination_id,
        }
        return body if self.directive is None else body | {"processingDirective": self.directive}

    def wants(self, change: str) -> bool:
        """Say whether a kind of change of an order passes its filter."""
        wanted = ((self.directive or {}).get("eventFilter") or {}).get("orderChangeTypes")
        return wanted is None or change in wanted


class Notifications:
    """The operations."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._destinations: dict[str, dict[str, Any]] = {}
        self._subscriptions: dict[str, Subscription] = {}

    def operations(self) -> list[Operation]:
        """Return them."""
        there, here = "/notifications/v1/destinations", "/notifications/v1/subscriptions/{notificationType}"
        table: tuple[tuple[str, str, str, Callable[[Call], Reply], bool], ...] = (
            ("createDestination", "POST", there, self.create_destination, True),
            ("getDestinations", "GET", there, self.destinations, True),
            ("getDestination", "GET", f"{there}/{{destinationId}}", self.destination, True),
            ("deleteDestination", "DELETE", f"{there}/{{destinationId}}", self.delete_destination, True),
            ("createSubscription", "POST", here, self.create_subscription, False),
            ("getSubscription", "GET", here, self.subscription, False),
            ("getSubscriptionById", "GET", f"{here}/{{subscriptionId}}", self.subscription_by_id, True),
            ("deleteSubscriptionById", "DELETE", f"{here}/{{subscriptionId}}", self.delete_subscription, True),
        )
        query = {"getSubscription": {"payloadVersion": TEXT}}
        return [
            Operation(
                name=name, method=method, path=path, answer=answer, query=query.get(name, {}), grantless=grantless
            )
            for name, method, path, answer, grantless in table
        ]

    def wanted(self, kind: str, change: str = "") -> Iterator[tuple[Subscription, dict[str, Any]]]:
        """Go through the subscriptions that want a notification, each with the resource it goes to."""
        for subscription in self._subscriptions.values():
            if subscription.kind == kind and (not change or subscription.wants(change)):
                yield subscription, self._destinations[subscription.destination_id]["resource"]

    # --- destinations ---

    def create_destination(self, call: Call) -> Reply:
        """Make a destination; 409 for a resource that has one."""
        name, specification = call.body.get("name"), call.body.get("resourceSpecification")
        if not isinstance(name, str) or not name or not isinstance(specification, dict):
            raise invalid("name and resourceSpecification are needed.")
        resource = _resource(specification)
        if any(known["resource"] == resource for known in self._destinations.values()):
            raise Refused(409, "ResourceConflict", "A destination with this resource exists already.")
        identity = self._shop.identity()
        destination = {"destinationId": identity, "name": name, "resource": resource}
        self._destinations[identity] = destination
        return Reply(body={"payload": destination})

    def destinations(self, _: Call) -> Reply:
        """Answer every destination."""
        return Reply(body={"payload": list(self._destinations.values())})

    def destination(self, call: Call) -> Reply:
        """Answer one destination."""
        return Reply(body={"payload": self._destination(call.path["destinationId"])})

    def delete_destination(self, call: Call) -> Reply:
        """Take a destination away; 409 while something is subscribed to it."""
        identity = call.path["destinationId"]
        self._destination(identity)
        if any(known.destination_id == identity for known in self._subscriptions.values()):
            raise Refused(409, "ResourceConflict", "The destination has subscriptions.")
        del self._destinations[identity]
        return Reply(body={})

    def _destination(self, identity: str) -> dict[str, Any]:
        found = self._destinations.get(identity)
        if found is None:
            raise missing("There is no destination with this id.")
        return found

    # --- subscriptions ---

    def create_subscription(self, call: Call) -> Reply:
        """Make a subscription; 409 for one that is there."""
        kind = self._kind(call)
        version, destination_id = call.body.get("payloadVersion"), call.body.get("destinationId")
        if version != VERSIONS.get(kind, "1.0"):
            raise invalid("payloadVersion is missing or not one of this notification type.")
        if not isinstance(destination_id, str) or destination_id not in self._destinations:
            raise invalid("destinationId is no destination of this application.")
        directive = call.body.get("processingDirective")
        _check_directive(kind, directive)
        resource = self._destinations[destination_id]["resource"]
        if ("eventBridge" in resource) is not (kind in EVENT_BRIDGE_TYPES):
            raise invalid(f"{kind} cannot be delivered to a destination of this kind.")
        if any(known.kind == kind for known in self._subscriptions.values()):
            raise Refused(409, "ResourceConflict", "A subscription with this type and version exists already.")
        subscription = Subscription(
            subscription_id=self._shop.identity(),
            kind=kind,
            version=str(version),
            destination_id=destination_id,
            directive=directive,
        )
        self._subscriptions[subscription.subscription_id] = subscription
        return Reply(body={"payload": subscription.body()})

    def subscription(self, call: Call) -> Reply:
        """Answer the subscription of a type."""
        kind, version = self._kind(call), call.given["payloadVersion"]
        found = [known for known in self._subscriptions.values() if known.kind == kind]
        if not found or version not in {None, found[0].version}:
            raise missing("There is no subscription of this type.")
        return Reply(body={"payload": found[0].body()})

    def subscription_by_id(self, call: Call) -> Reply:
        """Answer one subscription."""
        return Reply(body={"payload": self._subscription(call).body()})

    def delete_subscription(self, call: Call) -> Reply:
        """End a subscription."""
        del self._subscriptions[self._subscription(call).subscription_id]
        return Reply(body={})

    def _subscription(self, call: Call) -> Subscription:
        found = self._subscriptions.get(call.path["subscriptionId"])
        if found is None or found.kind != self._kind(call):
            raise missing("There is no subscription with this id.")
        return found

    def _kind(self, call: Call) -> str:
        kind = call.path["notificationType"]
        if kind not in SQS_TYPES | EVENT_BRIDGE_TYPES:
            raise invalid("notificationType is not one of the notification types.")
        return kind


def _resource(specification: dict[str, Any]) -> dict[str, Any]:
    if set(specification) == {"sqs"} and isinstance(specification["sqs"], dict):
        arn = specification["sqs"].get("arn")
        if not isinstance(arn, str) or _ARN.match(arn) is None:
            raise invalid("The arn is not that of an SQS queue.")
        return {"sqs": {"arn": arn}}
    bridge = specification.get("eventBridge")
    if set(specification) == {"eventBridge"} and isinstance(bridge, dict):
        account, region = bridge.get("accountId"), bridge.get("region")
        if not isinstance(account, str) or not isinstance(region, str):
            raise invalid("eventBridge needs accountId and region.")
        name = f"aws.partner/sellingpartnerapi.amazon.com/{account}/simulated"
        return {"eventBridge": {"name": name, "accountId": account, "region": region}}
    raise invalid("resourceSpecification names neither sqs nor eventBridge, or both.")


def _check_directive(kind: str, directive: object) -> None:
    if directive is None:
        if kind == ORDER_CHANGE:
            raise invalid("A subscription of ORDER_CHANGE needs a processingDirective.")
        return
    if not isinstance(directive, dict) or kind != ORDER_CHANGE or not directive:
        raise invalid(f"The processingDirective does not fit {kind}.")
    expression, event_filter = directive.get("filterExpression"), directive.get("eventFilter")
    if (expression is None) is (event_filter is None):
        raise invalid("A processingDirective has either an eventFilter or a filterExpression.")
    if expression is not None and not (isinstance(expression, str) and 1 <= len(expression) <= MOST_EXPRESSION):
        raise invalid("The filterExpression has not 1 to 256 characters.")
    if event_filter is not None:
        _check_filter(kind, event_filter)


def _check_filter(kind: str, event_filter: object) -> None:
    if not isinstance(event_filter, dict) or event_filter.get("eventFilterType") != kind:
        raise invalid("The eventFilterType is not that of the notification type.")
    marketplaces, changes = event_filter.get("marketplaceIds"), event_filter.get("orderChangeTypes")
    if marketplaces is not None and not isinstance(marketplaces, list):
        raise invalid("marketplaceIds is not a list.")
    if changes is not None and not (isinstance(changes, list) and CHANGE_TYPES.issuperset(changes)):
        raise invalid("orderChangeTypes has a word that is none of its values.")
