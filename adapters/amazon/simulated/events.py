"""What notifications look like (selling-partner-api-models, schemas/notifications).

Two spellings: feeds and reports have camelCase keys, the others PascalCase. What comes by EventBridge is wrapped, the
notification being its `detail` (selling-partner-api-samples, notification handler).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.amazon.simulated.feeds import Feed
from adapters.amazon.simulated.goods import DEFAULT, Listing
from adapters.amazon.simulated.listing_items import status
from adapters.amazon.simulated.order_search import CANARY_POSTCODE
from adapters.amazon.simulated.orders import MERCHANT, Order, State, Status
from adapters.amazon.simulated.shop import APPLICATION, Shop
from adapters.amazon.simulated.times import precise, utc
from syncd.sdk.channel import Instant

OLD_STATUS = {
    Status.PENDING: "Pending",
    Status.UNSHIPPED: "Unshipped",
    Status.PARTIALLY_SHIPPED: "PartiallyShipped",
    Status.SHIPPED: "Shipped",
    Status.CANCELLED: "Canceled",
}
"""Notifications have the words of Orders v0, with one l."""


def order_change(shop: Shop, order: Order, state: State, change: str, why: str) -> dict[str, Any]:
    """Return the payload of ORDER_CHANGE."""
    items = [
        {
            "OrderItemId": line.line_id,
            "SellerSKU": line.good.sku,
            "SupplySourceId": None,
            "Quantity": line.quantity,
            "QuantityShipped": shipped,
            "IsBuyerRequestedCancel": state.requested,
        }
        for line, (_, shipped) in zip(order.lines, state.done, strict=True)
    ]
    shipped = sum(shipped for _, shipped in state.done)
    cancelled = sum(cancelled for cancelled, _ in state.done)
    ordered = sum(line.quantity for line in order.lines)
    summary = {
        "MarketplaceId": shop.marketplace,
        "OrderStatus": OLD_STATUS[state.status],
        "PurchaseDate": utc(order.at),
        "DestinationPostalCode": CANARY_POSTCODE,
        "FulfillmentType": "MFN" if order.fulfilled_by == MERCHANT else "AFN",
        "OrderType": "StandardOrder",
        "NumberOfItemsShipped": shipped,
        "NumberOfItemsUnshipped": ordered - shipped - cancelled,
        "OrderItems": items,
    }
    return {
        "OrderChangeNotification": {
            "NotificationLevel": "OrderLevel",
            "SellerId": shop.seller,
            "AmazonOrderId": order.order_id,
            "OrderChangeType": change,
            "OrderChangeTrigger": {"TimeOfOrderChange": precise(state.at), "ChangeReason": why},
            "Summary": summary,
        }
    }


def quantity_change(shop: Shop, listing: Listing) -> dict[str, Any]:
    """Return the payload of LISTINGS_ITEM_MFN_QUANTITY_CHANGE: it names no marketplace."""
    return {
        "SellerId": shop.seller,
        "FulfillmentChannelCode": DEFAULT,
        "Sku": listing.sku,
        "Quantity": max(0, listing.good.quantity),
    }


def status_change(shop: Shop, listing: Listing) -> dict[str, Any]:
    """Return the payload of LISTINGS_ITEM_STATUS_CHANGE."""
    return {
        "SellerId": shop.seller,
        "MarketplaceId": shop.marketplace,
        "Asin": listing.asin,
        "Sku": listing.sku,
        "CreatedDate": utc(listing.created_at),
        "Status": status(listing, listing.good.quantity),
    }


def feed_finished(shop: Shop, feed: Feed) -> dict[str, Any]:
    """Return the payload of FEED_PROCESSING_FINISHED, in camelCase."""
    body = {
        "sellerId": shop.seller,
        "accountId": shop.seller,
        "feedId": feed.feed_id,
        "feedType": feed.feed_type,
        "processingStatus": feed.status,
    }
    if feed.result is not None:
        body["resultFeedDocumentId"] = feed.result.document_id
    return {"feedProcessingFinishedNotification": body}


def notification(
    kind: str, payload: dict[str, Any], *, subscription_id: str, notification_id: str, event_at: Instant, at: Instant
) -> dict[str, Any]:
    """Return a whole notification in the spelling of its type."""
    if "feedProcessingFinishedNotification" in payload:
        return {
            "notificationVersion": "2020-09-04",
            "notificationType": kind,
            "payloadVersion": "2020-09-04",
            "eventTime": precise(event_at),
            "payload": payload,
            "notificationMetadata": _metadata(_CAMEL, subscription_id, notification_id, at),
        }
    return {
        "NotificationVersion": "1.0",
        "NotificationType": kind,
        "PayloadVersion": "1.0",
        "EventTime": precise(event_at),
        "Payload": payload,
        "NotificationMetadata": _metadata(_PASCAL, subscription_id, notification_id, at),
    }


_PASCAL = ("ApplicationId", "SubscriptionId", "PublishTime", "NotificationId")
_CAMEL = ("applicationId", "subscriptionId", "publishTime", "notificationId")


def _metadata(names: Sequence[str], subscription_id: str, notification_id: str, at: Instant) -> dict[str, str]:
    return dict(zip(names, (APPLICATION, subscription_id, precise(at), notification_id), strict=True))


def bridged(body: dict[str, Any], *, kind: str, resource: dict[str, Any], event_id: str, at: Instant) -> dict[str, Any]:
    """Return a notification as an EventBridge rule puts it into a queue."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": kind,
        "source": resource["name"],
        "account": resource["accountId"],
        "time": utc(at),
        "region": resource["region"],
        "resources": [],
        "detail": body,
    }
