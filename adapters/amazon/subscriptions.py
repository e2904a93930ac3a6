"""Subscriptions to notifications: looked at by the health check, made once by a person's word.

Facts (the vendor's notifications model and its samples, 2026-08): destinations belong to the app and are asked for with
a grantless token, subscriptions to the seller; some types come only by EventBridge; a subscription that is there is
left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapters.amazon import notices
from adapters.amazon.api import (
    CREATE_DESTINATION,
    CREATE_SUBSCRIPTION,
    GET_DESTINATIONS,
    GET_SUBSCRIPTION,
    READ_S,
    Api,
    within,
)
from adapters.amazon.settings import AmazonSettings
from syncd.sdk.channel import SubscriptionReport
from syncd.sdk.errors import AuthError, ConfigError, Problem, RejectedError

PATH = "/notifications/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A type of notification: the version of its body that is asked for, and whether it comes by EventBridge only."""

    name: str
    version: str = "1.0"
    by_events: bool = False


TOPICS: Final = (
    Topic(name=notices.ORDER),
    Topic(name=notices.FEED),
    Topic(name=notices.ACCOUNT),
    Topic(name=notices.QUANTITY, by_events=True),
    Topic(name=notices.STATUS, by_events=True),
    Topic(name=notices.ISSUES, version="2023-12-13", by_events=True),
)


class Sqs(msgspec.Struct, frozen=True):
    """A queue."""

    arn: str = ""


class EventBridge(msgspec.Struct, frozen=True, rename="camel"):
    """An event bus of an AWS account."""

    account_id: str = ""
    region: str = ""


class Resource(msgspec.Struct, frozen=True, rename="camel"):
    """Where a destination leads."""

    sqs: Sqs | None = None
    event_bridge: EventBridge | None = None


class Destination(msgspec.Struct, frozen=True, rename="camel"):
    """A place that notifications are sent to."""

    destination_id: str
    resource: Resource


class Destinations(msgspec.Struct, frozen=True):
    """All of them."""

    payload: list[Destination] = []


class Made(msgspec.Struct, frozen=True):
    """A destination that was made."""

    payload: Destination


class Subscriptions:
    """Looks at subscriptions and makes those that are missing."""

    def __init__(self, api: Api, *, settings: AmazonSettings) -> None:
        self._api = api
        self._settings = settings

    async def missing(self) -> list[Topic]:
        """Return the types that nobody has subscribed this seller to."""
        return [topic for topic in TOPICS if not await self._is_there(topic)]

    async def provision(self) -> SubscriptionReport:
        """Make the destinations and subscriptions that are missing; what is there is not touched.

        Raises `ConfigError` where no queue of AWS is set.
        """
        if not self._settings.queue_url or not all(self._settings.queue_name):
            raise ConfigError(
                [
                    Problem(
                        place="settings.queue_url",
                        message="is missing: without a queue there is nothing that messages could be sent to",
                        remedy="make a queue as the README of the adapter tells, and set queue_url and queue_region",
                    )
                ]
            )
        async with within(READ_S, "making subscriptions"):
            missing = await self.missing()
            known = (await self._api.call(GET_DESTINATIONS, f"{PATH}/destinations")).decode(Destinations).payload
            restored: list[str] = []
            failed: list[str] = []
            for topic in missing:
                (restored if await self._subscribed(topic, known) else failed).append(topic.name)
        return SubscriptionReport(restored=tuple(restored), failed=tuple(failed))

    async def _is_there(self, topic: Topic) -> bool:
        path = f"{PATH}/subscriptions/{topic.name}"
        answer = await self._api.call(
            GET_SUBSCRIPTION, path, params={"payloadVersion": topic.version}, expect=(200, 404)
        )
        return answer.status == 200

    async def _subscribed(self, topic: Topic, known: list[Destination]) -> bool:
        """Subscribe to a type; a refusal is told by its name and does not keep the others from being made."""
        try:
            destination_id = await self._destination(topic, known)
            await self._api.call(
                CREATE_SUBSCRIPTION,
                f"{PATH}/subscriptions/{topic.name}",
                json=subscription(topic, destination_id, self._settings.marketplace_id),
            )
        except (RejectedError, AuthError):
            return False
        return True

    async def _destination(self, topic: Topic, known: list[Destination]) -> str:
        """Return the destination of a type, a new one where there is none that leads there."""
        wanted = destination(self._settings, by_events=topic.by_events)
        resource = msgspec.convert(wanted["resourceSpecification"], Resource)
        for there in known:
            if there.resource == resource:
                return there.destination_id
        answer = await self._api.call(CREATE_DESTINATION, f"{PATH}/destinations", json=wanted)
        made = answer.decode(Made).payload
        known.append(made)
        return made.destination_id


def destination(settings: AmazonSettings, *, by_events: bool) -> dict[str, Any]:
    """Return the request for a destination: the queue itself, or the event bus of the queue's AWS account."""
    account, name = settings.queue_name
    if by_events:
        bus = {"accountId": account, "region": settings.queue_region}
        return {"name": "syncd-eventbridge", "resourceSpecification": {"eventBridge": bus}}
    arn = f"arn:aws:sqs:{settings.queue_region}:{account}:{name}"
    return {"name": "syncd-sqs", "resourceSpecification": {"sqs": {"arn": arn}}}


def subscription(topic: Topic, destination_id: str, marketplace_id: str) -> dict[str, Any]:
    """Return the request for a subscription; changes of orders are narrowed to what matters for stock."""
    body: dict[str, Any] = {"payloadVersion": topic.version, "destinationId": destination_id}
    if topic.name == notices.ORDER:
        event_filter: Mapping[str, Any] = {
            "eventFilterType": notices.ORDER,
            "marketplaceIds": [marketplace_id],
            "orderChangeTypes": ["OrderStatusChange", "BuyerRequestedChange"],
        }
        body["processingDirective"] = {"eventFilter": event_filter}
    return body
