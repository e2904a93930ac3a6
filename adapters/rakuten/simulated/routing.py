"""Which address is which function, and what runs for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from adapters.rakuten.simulated.gateway import Gateway
from adapters.rakuten.simulated.goods import Pair
from adapters.rakuten.simulated.inquiries import PATCHES, Inquiries
from adapters.rakuten.simulated.inventory import Inventory, Read
from adapters.rakuten.simulated.items import Items
from adapters.rakuten.simulated.order_api import Orders
from adapters.rakuten.simulated.reply import Reply

VERSIONS: Final = ("2.0", "2.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a function is given: names in the path, the query, the raw body, and how far back a read looks."""

    names: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes
    stale_us: int = 0

    def pair(self) -> Pair:
        """Return the pair that the path names."""
        return self.names["number"], self.names["variant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One function at one address; `writes` says whether it changes something."""

    method: str
    path: str
    function: str
    run: Callable[[Call], Reply]
    writes: bool = False


Routes: TypeAlias = list[Route]


def inventory_routes(inventory: Inventory, version: str) -> Routes:
    """Return the InventoryAPI of one version."""

    def read(call: Call) -> Read:
        return Read(version=version, stale_us=call.stale_us)

    def route(method: str, path: str, function: str, run: Callable[[Call], Reply], *, writes: bool = False) -> Route:
        full = f"/es/{version}/inventories{path}"
        return Route(method=method, path=full, function=f"inventories.{function}", run=run, writes=writes)

    one = "/manage-numbers/{number}/variants/{variant}"
    found = [
        route("GET", one, "variants.get", lambda call: inventory.get(read(call), call.pair())),
        route("PUT", one, "variants.upsert", lambda call: inventory.put(version, call.pair(), call.raw), writes=True),
        route("DELETE", one, "variants.delete", lambda call: inventory.delete(call.pair()), writes=True),
        route("POST", "/bulk-get", "bulk.get", lambda call: inventory.bulk_get(read(call), call.raw)),
        route("GET", "/bulk-get/range", "bulk.get.range", lambda call: inventory.bulk_range(read(call), call.query)),
        route("POST", "/bulk-upsert", "bulk.upsert", lambda call: inventory.bulk_put(version, call.raw), writes=True),
    ]
    lists = "/variant-lists/manage-numbers/{number}"
    if version == VERSIONS[1]:
        found.append(
            route("GET", lists, "variant-lists.get", lambda call: inventory.variant_list(call.names["number"]))
        )
    return found


def order_routes(orders: Orders) -> Routes:
    """Return both order APIs; each address is there with and without its last slash."""
    table = (
        ("order/searchOrder", "rpay.order.searchOrder", lambda c: orders.search(c.raw, stale_us=c.stale_us), False),
        ("order/getOrder", "rpay.order.getOrder", lambda c: orders.detail(c.raw), False),
        ("order/confirmOrder", "rpay.order.confirmOrder", lambda c: orders.confirm(c.raw), True),
        ("order/cancelOrder", "rpay.order.cancelOrder", lambda c: orders.cancel(c.raw), True),
        (
            "order/cancelOrderAfterShipping",
            "rpay.order.cancelOrderAfterShipping",
            lambda c: orders.cancel(c.raw, shipped=True),
            True,
        ),
        (
            "purchaseItem/searchOrderItem",
            "purchaseItem.searchOrderItem",
            lambda c: orders.search(c.raw, stale_us=c.stale_us),
            False,
        ),
        ("purchaseItem/getOrderItem", "purchaseItem.getOrderItem", lambda c: orders.item_detail(c.raw), False),
    )
    return [
        Route(method="POST", path=f"/es/2.0/{name}{slash}", function=function, run=run, writes=writes)
        for name, function, run, writes in table
        for slash in ("", "/")
    ]


def item_routes(items: Items) -> Routes:
    """Return the ItemAPI."""
    one, settings = "/es/2.0/items/manage-numbers/{number}", "items.inventory-related-settings"
    aside = "/es/2.0/items/inventory-related-settings/manage-numbers/{number}"
    return [
        Route(
            method="GET",
            path="/es/2.0/items/search",
            function="itemapi_2.0.items.search",
            run=lambda call: items.search(call.query),
        ),
        Route(
            method="GET", path=one, function="itemapi_2.0.items.get", run=lambda call: items.get(call.names["number"])
        ),
        Route(
            method="PATCH",
            path=one,
            function="itemapi_2.0.items.patch",
            run=lambda call: items.patch(call.names["number"], call.raw),
            writes=True,
        ),
        Route(
            method="GET",
            path=aside,
            function=f"{settings}.get",
            run=lambda call: items.settings(call.names["number"]),
        ),
        Route(
            method="PUT",
            path=aside,
            function=f"{settings}.update",
            run=lambda call: items.set_settings(call.names["number"], call.raw),
            writes=True,
        ),
    ]


def inquiry_routes(inquiries: Inquiries) -> Routes:
    """Return the InquiryManagementAPI."""
    root, prefix = "/es/1.0/inquirymng-api", "inquirymngapi"
    reads = [
        Route(
            method="GET",
            path=f"{root}/inquiries",
            function=f"{prefix}.inquiries.get",
            run=lambda call: inquiries.listed(call.query),
        ),
        Route(
            method="GET",
            path=f"{root}/inquiries/count",
            function=f"{prefix}.counts.get",
            run=lambda call: inquiries.counted(call.query),
        ),
        Route(
            method="GET",
            path=f"{root}/inquiry/{{number}}",
            function=f"{prefix}.inquiry.get",
            run=lambda call: inquiries.one(call.names["number"]),
        ),
    ]
    reply = Route(
        method="POST",
        path=f"{root}/inquiry/reply",
        function=f"{prefix}.reply.post",
        run=lambda call: inquiries.answered(call.raw),
        writes=True,
    )
    return [*reads, reply] + [
        Route(
            method="PATCH",
            path=f"{root}/inquiries/{how}",
            function=f"{prefix}.inquiries.patch.{'read' if how == 'read' else 'complete/incomplete'}",
            run=lambda call, how=how: inquiries.patch(how, call.raw),  # type: ignore[misc]  # bound per turn
            writes=True,
        )
        for how in PATCHES
    ]


def license_routes(gateway: Gateway) -> Routes:
    """Return the one function of the licence API."""
    return [
        Route(
            method="GET",
            path="/es/1.0/license-management/license-key/expiry-date",
            function="license.expiryDate.get",
            run=lambda call: gateway.expiry(call.query.get("licenseKey", "")),
        )
    ]
