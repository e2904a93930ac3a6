"""The resolvers of the query root: whatever is found by its id, and the lists.

Facts: `nodes` keeps the position of an id that is not there as null; without `read_all_orders` orders end after 60 days
(schema 2026-10). An index that lags hides an order until it has caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphql import GraphQLError

from adapters.shopify.simulated import relay
from adapters.shopify.simulated.access import CANDIDATE, VERSIONS, granted
from adapters.shopify.simulated.drafts import indexed
from adapters.shopify.simulated.goods import NAMES, Location
from adapters.shopify.simulated.lists import (
    BULKS,
    DRAFTS,
    ITEMS,
    LOCATIONS,
    ORDERS,
    SUBSCRIPTIONS,
    VARIANTS,
    Listing,
    order_rows,
)
from adapters.shopify.simulated.relay import Connection, refusal
from adapters.shopify.simulated.search import Search, search
from adapters.shopify.simulated.shop import Info, Request, Shop

Resolver = Callable[..., Any]
Rows = Callable[[Any, Info, Mapping[str, Any]], Iterable[Any]]

MAX_ARRAY = 250
ORDER_WINDOW_US = 60 * 86_400_000_000


class App:
    """The simulated app."""

    __slots__ = ("api_key", "handle", "id", "title")

    def __init__(self, client_id: str) -> None:
        self.api_key = client_id
        self.id, self.handle, self.title = "gid://shopify/App/2000001", "syncd", "syncd"


def request_of(info: Info) -> Request:
    """Return the request that is being answered."""
    request: Request = info.context
    return request


def shop_of(info: Info) -> Shop:
    """Return the shop that is asked."""
    return request_of(info).shop


# --- by id -----------------------------------------------------------------------------------------------------------


def find(_: object, info: Info, id: str) -> object | None:  # noqa: A002  (the API's own word)
    """Return what has this global id."""
    if not id.startswith("gid://shopify/"):
        raise refusal(f"Invalid global id '{id}'", "INVALID_VARIABLE")
    return shop_of(info).find(id)


def _nodes(_: object, info: Info, ids: Sequence[str]) -> list[object | None]:
    limit_size(info, ids, "ids")
    return [find(_, info, identity) for identity in ids]


def limit_size(info: Info, rows: Sequence[object], *path: str) -> None:
    """Refuse an input array that is too long, as a whole."""
    if len(rows) > MAX_ARRAY:
        raise GraphQLError(
            f"The input array size of {len(rows)} is greater than the maximum allowed of {MAX_ARRAY}.",
            info.field_nodes,
            path=[*info.path.as_list(), *path],
            extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
        )


def _of_kind(kind: str) -> Resolver:
    def resolve(_: object, info: Info, id: str) -> object | None:  # noqa: A002  (the API's own word)
        found = find(_, info, id)
        return found if type(found).__name__ == kind else None

    return resolve


def _location(_: object, info: Info, id: str | None = None) -> object | None:  # noqa: A002  (the API's own word)
    if id is None:
        return shop_of(info).goods.main
    found = find(_, info, id)
    return found if isinstance(found, Location) else None


# --- the shop --------------------------------------------------------------------------------------------------------


def _shop(_: object, info: Info) -> Mapping[str, object]:
    shop = shop_of(info)
    return {
        "id": "gid://shopify/Shop/548380009",
        "name": shop.name,
        "email": "owner@example.jp",
        "myshopifyDomain": shop.domain,
        "ianaTimezone": shop.time_zone,
        "currencyCode": shop.currency,
        "plan": {"publicDisplayName": "Basic", "partnerDevelopment": False, "shopifyPlus": False},
    }


def _installation(_: object, info: Info) -> Mapping[str, object]:
    scopes = sorted(granted(shop_of(info).knobs.scopes))
    handles = [{"handle": scope, "description": scope.replace("_", " ")} for scope in scopes]
    return {"id": "gid://shopify/AppInstallation/3000001", "accessScopes": handles, "app": _app(_, info)}


def _app(_: object, info: Info, **__: object) -> App:
    return App(shop_of(info).tokens.client_id)


def api_version(handle: str) -> Mapping[str, object]:
    """Return a version as the API names it."""
    return {"handle": handle, "displayName": handle, "supported": handle in VERSIONS}


def _versions(*_: object) -> list[Mapping[str, object]]:
    return [api_version(handle) for handle in (*VERSIONS, CANDIDATE, "unstable")]


def _properties(*_: object) -> Mapping[str, object]:
    parts = [name for name in NAMES if name not in {"incoming", "on_hand"}]
    names = [
        {
            "name": name,
            "displayName": name.replace("_", " ").capitalize(),
            "belongsTo": ["on_hand"] if name in parts else [],
            "comprises": parts if name == "on_hand" else [],
            "isInUse": True,
        }
        for name in NAMES
    ]
    return {"quantityNames": names}


# --- lists -----------------------------------------------------------------------------------------------------------


def paged(rows: Rows, listing: Listing) -> Resolver:
    """Return the resolver of a connection over these rows."""

    def resolve(source: Any, info: Info, **args: Any) -> Connection:
        found = _searched(info, args, listing)
        chosen: Sequence[Any] | Iterable[Any] = rows(source, info, args)
        if args.get("query"):
            chosen = [row for row in chosen if found.matches(row)]
        key = listing.key(args.get("sortKey"))
        if not listing.is_natural(args.get("sortKey")):
            chosen = sorted(chosen, key=key)
        return _cut(info, chosen if isinstance(chosen, list) else list(chosen), args, key=key)

    return resolve


def _searched(info: Info, args: Mapping[str, Any], listing: Listing) -> Search:
    found = search(args.get("query"), listing.fields)
    if found.warnings:
        entry = {"path": info.path.as_list(), "query": args["query"], "warnings": list(found.warnings)}
        request_of(info).warnings.append(entry)
    return found


def _cut(info: Info, rows: Sequence[Any], args: Mapping[str, Any], *, key: relay.Key) -> Connection:
    request = request_of(info)
    if request.rows is None:
        return relay.page(rows, args, key=key, searched=bool(args.get("query")))
    within_a_row = any(isinstance(step, int) for step in info.path.as_list())
    return relay.whole(rows if within_a_row else rows[request.rows], key=key)


def _orders(_: object, info: Info, **args: Any) -> Connection:
    request = request_of(info)
    found = _searched(info, args, ORDERS)
    oldest = 0 if "read_all_orders" in request.shop.knobs.scopes else request.shop.clock.now() - ORDER_WINDOW_US
    until = request.indexed_until
    rows = [
        order
        for order in order_rows(request.shop.orders, since=found.since)
        if order.updated_at <= until and order.created_at >= oldest and found.matches(order)
    ]
    key = ORDERS.key(args.get("sortKey"))
    return _cut(info, sorted(rows, key=key), args, key=key)


def _count(rows: Rows, listing: Listing) -> Resolver:
    def resolve(_: object, info: Info, **args: Any) -> object:
        matches = _searched(info, args, listing).matches
        number = sum(1 for row in rows(_, info, args) if matches(row))
        limit = args.get("limit")
        exact = limit is None or number <= limit
        return {"count": number if exact else limit, "precision": "EXACT" if exact else "AT_LEAST"}

    return resolve


def _item_rows(_: object, info: Info, __: Mapping[str, Any]) -> Iterable[Any]:
    return shop_of(info).goods.items


def _variant_rows(_: object, info: Info, __: Mapping[str, Any]) -> Iterable[Any]:
    return shop_of(info).goods.variants


def _location_rows(_: object, info: Info, args: Mapping[str, Any]) -> Iterable[Any]:
    everything = bool(args.get("includeInactive"))
    return (location for location in shop_of(info).goods.locations if everything or location.is_active)


def _order_count_rows(_: object, info: Info, __: Mapping[str, Any]) -> Iterable[Any]:
    return shop_of(info).orders.by_number.values()


def _bulk_rows(_: object, info: Info, __: Mapping[str, Any]) -> Iterable[Any]:
    return shop_of(info).bulk.by_id.values()


def _subscription_rows(_: object, info: Info, args: Mapping[str, Any]) -> Iterable[Any]:
    topics, uri = args.get("topics"), args.get("uri") or args.get("callbackUrl")
    return (
        known
        for known in shop_of(info).subscriptions.by_id.values()
        if (not topics or known.topic in topics) and (not uri or known.uri == uri)
    )


def _draft_rows(_: object, info: Info, args: Mapping[str, Any]) -> Iterable[Any]:
    request = request_of(info)
    until = request.indexed_until if args.get("query") else request.shop.clock.now()
    return indexed(request.shop.drafts, until=until)


def _job(_: object, __: Info, id: str) -> Mapping[str, object]:  # noqa: A002  (the API's own word)
    return {"id": id, "done": True}


RESOLVERS: dict[str, Resolver] = {
    "QueryRoot.app": _app,
    "QueryRoot.bulkOperation": _of_kind("BulkOperation"),
    "QueryRoot.bulkOperations": paged(_bulk_rows, BULKS),
    "QueryRoot.currentAppInstallation": _installation,
    "QueryRoot.draftOrder": _of_kind("DraftOrder"),
    "QueryRoot.draftOrders": paged(_draft_rows, DRAFTS),
    "QueryRoot.fulfillment": _of_kind("Fulfillment"),
    "QueryRoot.fulfillmentOrder": _of_kind("FulfillmentOrder"),
    "QueryRoot.inventoryItem": _of_kind("InventoryItem"),
    "QueryRoot.inventoryItems": paged(_item_rows, ITEMS),
    "QueryRoot.inventoryLevel": _of_kind("InventoryLevel"),
    "QueryRoot.inventoryProperties": _properties,
    "QueryRoot.job": _job,
    "QueryRoot.location": _location,
    "QueryRoot.locations": paged(_location_rows, LOCATIONS),
    "QueryRoot.node": find,
    "QueryRoot.nodes": _nodes,
    "QueryRoot.order": _of_kind("Order"),
    "QueryRoot.orders": _orders,
    "QueryRoot.ordersCount": _count(_order_count_rows, ORDERS),
    "QueryRoot.product": _of_kind("Product"),
    "QueryRoot.productVariant": _of_kind("ProductVariant"),
    "QueryRoot.productVariants": paged(_variant_rows, VARIANTS),
    "QueryRoot.productVariantsCount": _count(_variant_rows, VARIANTS),
    "QueryRoot.publicApiVersions": _versions,
    "QueryRoot.refund": _of_kind("Refund"),
    "QueryRoot.return": _of_kind("Return"),
    "QueryRoot.shop": _shop,
    "QueryRoot.webhookSubscription": _of_kind("WebhookSubscription"),
    "QueryRoot.webhookSubscriptions": paged(_subscription_rows, SUBSCRIPTIONS),
    "QueryRoot.webhookSubscriptionsCount": _count(_subscription_rows, SUBSCRIPTIONS),
}
"""By `Type.field`; what is in no table is an attribute, or a key, of its own name."""
