"""The open channel against a stand-in: levels and the catalogue, by pages and in bulk."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from adapters.shopify.channel import ShopifyChannel
from syncd.sdk.channel import (
    ListingInfo,
    ListingRef,
    Seen,
)
from syncd.sdk.errors import AuthError, TransientError
from syncd.testing.loop import running
from tests.adapters.shopify_stub import PLACES, Stub, level, page, play, refs

BEGAN = "2026-10-01T00:00:00Z"


# --- reading -----------------------------------------------------------------------------------------------------


def test_levels_are_read_in_order() -> None:
    """Each listing gets its own reading; what is deleted or never stocked is gone, negative numbers are numbers."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", {"nodes": [level(1, -3), None, level(3, None), {}]})
        asked_at = running().clock.now()
        wanted = [*refs(1, 2, 3, 4), ListingRef(remote_id="amazon")]
        found = await channel.seen(wanted)
        assert [seen.ref for seen in found] == wanted
        assert [seen.quantity for seen in found] == [-3, None, None, None, None]
        assert all(asked_at <= seen.asked_at <= seen.answered_at for seen in found)

    play(scene)


def test_locations_are_read_one_by_one() -> None:
    """Listings of two locations are two requests, and come back in the order asked."""

    def answer(variables: dict[str, Any]) -> dict[str, Any]:
        at = int(variables["locationId"].rpartition("/")[2])
        return {"nodes": [level(int(gid.rpartition("/")[2]), at) for gid in variables["ids"]]}

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdInventoryLevels", answer)
        wanted = [*refs(1, location="8"), *refs(1, 2), *refs(2, location="8")]
        assert [seen.quantity for seen in await channel.seen(wanted)] == [8, 9, 9, 8]
        assert len(stub.requests) == 2

    play(scene)


def variant(item: int, *, status: str = "ACTIVE", sku: str | None = None, doubles: int = 0) -> dict[str, Any]:
    stock = {"id": f"gid://shopify/InventoryItem/{item}", "tracked": item != 3, "duplicateSkuCount": doubles}
    return {
        "id": f"gid://shopify/ProductVariant/{item}0",
        "sku": sku or f"SKU-{item}",
        "product": {"id": "gid://shopify/Product/1", "status": status},
        "inventoryItem": stock,
    }


def test_catalogue_is_read_by_pages() -> None:
    """A small catalogue comes page by page: items with a level at a chosen location, sold or not, tracked or not."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says(
            "SyncdVariants",
            {"productVariants": page([variant(1), variant(2, status="DRAFT")], "c1")},
            {"productVariants": page([variant(3), variant(4), variant(5, status="UNLISTED")])},
        )
        stub.says(
            "SyncdInventoryLevels",
            {"nodes": [level(1, 5), level(2, 5)]},
            {"nodes": [level(3, 5, active=False), level(4, None), level(5, 0)]},
        )
        first = await channel.listings(None)
        second = await channel.listings(first.cursor)
        assert [(listing.ref.remote_id, listing.active) for listing in first.listings] == [("1", True), ("2", False)]
        assert [(listing.ref.remote_id, listing.active, listing.managed) for listing in second.listings] == [
            ("3", False, False),
            ("5", True, True),
        ]
        assert second.cursor is None
        assert stub.of("SyncdVariants")[1].variables == {"after": "c1"}

    play(scene)


def test_locations_are_chosen() -> None:
    """Without chosen locations all active ones that ship are read, fulfilment services apart."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        stub.says("SyncdLocations", {"locations": page(PLACES[:2], "c")}, {"locations": page(PLACES[2:])})
        stub.says("SyncdVariants", {"productVariants": page([variant(7)])})
        stub.says("SyncdInventoryLevels", {"nodes": [level(7, 1)]})
        found = await channel.listings(None)
        assert [listing.ref.remote_location for listing in found.listings] == ["1", "5"]

    play(scene, location_ids=())


def jsonl(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def level_line(item: int, quantity: int, *, at: int = 9, active: bool = True) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/InventoryLevel/1?inventory_item_id={item}",
        "isActive": active,
        "location": {"id": f"gid://shopify/Location/{at}"},
        "quantities": [{"name": "available", "quantity": quantity}],
        "__parentId": f"gid://shopify/InventoryItem/{item}",
    }


def bulk(stub: Stub, files: dict[str, bytes | None], *, polls: int = 1) -> None:
    """Have the stub run one bulk operation per file; an operation without a file found nothing."""
    stub.files = {name: body for name, body in files.items() if body is not None}
    ids = iter(files)

    def run(_: dict[str, Any]) -> dict[str, Any]:
        made = {
            "id": f"gid://shopify/BulkOperation/{next(ids)}",
            "status": "CREATED",
            "createdAt": "2026-10-01T00:00:00Z",
        }
        return {"bulkOperationRunQuery": {"bulkOperation": made, "userErrors": []}}

    left = dict.fromkeys(files, polls)

    def status(variables: dict[str, Any]) -> dict[str, Any]:
        name = variables["id"].rpartition("/")[2]
        left[name] -= 1
        done = left[name] < 0
        url = f"{stub.base_url}/files/{name}" if done and files[name] is not None else None
        found = {"id": variables["id"], "createdAt": BEGAN, "errorCode": None, "url": url}
        return {"bulkOperation": {**found, "status": "COMPLETED" if done else "RUNNING"}}

    stub.says("SyncdBulkRun", run)
    stub.says("SyncdBulkStatus", status)


async def all_seen(channel: ShopifyChannel) -> list[Seen]:
    return [seen async for batch in await channel.seen_all() for seen in batch]


def test_all_levels_are_read_in_bulk() -> None:
    """A bulk reading brings every level at the chosen locations, whatever the order of the lines, as of its start."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        item = {"id": "gid://shopify/InventoryItem/1"}
        body = jsonl(level_line(1, 5), item, level_line(2, 0, active=False), level_line(2, 8, at=7))
        bulk(stub, {"1": body}, polls=2)
        began = running().clock.now()
        found = await all_seen(channel)
        assert [(seen.ref, seen.quantity, seen.active) for seen in found] == [
            (refs(1)[0], 5, True),
            (refs(2)[0], 0, False),
        ]
        assert all(seen.asked_at <= began < seen.answered_at for seen in found)
        assert "X-Shopify-Access-Token" not in stub.file_headers
        waits = [request.at_s for request in stub.of("SyncdBulkStatus")]
        assert [round(b - a, 1) for a, b in itertools.pairwise(waits)] == [3.0, 4.5]

    play(scene)


def test_empty_bulk_reading_is_empty() -> None:
    """A bulk operation that found nothing has no file and brings nothing."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        bulk(stub, {"1": None})
        assert await all_seen(channel) == []

    play(scene)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "FAILED", "errorCode": "ACCESS_DENIED"}, AuthError),
        ({"status": "FAILED", "errorCode": "TIMEOUT"}, TransientError),
        ({"status": "CANCELED"}, TransientError),
        ({"status": "EXPIRED"}, TransientError),
    ],
)
def test_failed_bulk_reading_raises(changes: dict[str, Any], expected: type[Exception]) -> None:
    """A bulk operation that ends badly raises what follows."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        bulk(stub, {"1": b""})
        ended = {
            "id": "gid://shopify/BulkOperation/1",
            "createdAt": "2026-10-01T00:00:00Z",
            "errorCode": None,
            **changes,
        }
        stub.says("SyncdBulkStatus", {"bulkOperation": ended})
        with pytest.raises(expected):
            await all_seen(channel)

    play(scene)


def test_busy_bulk_slots_are_waited_for() -> None:
    """When all places for bulk operations are taken it is tried later, as a thing that was not begun."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        busy = [{"code": "OPERATION_IN_PROGRESS", "message": "running", "field": None}]
        stub.says("SyncdBulkRun", {"bulkOperationRunQuery": {"bulkOperation": None, "userErrors": busy}})
        with pytest.raises(TransientError) as refused:
            await channel.seen_all()
        assert refused.value.retry_after_s is not None

    play(scene)


async def whole_catalogue(channel: ShopifyChannel) -> tuple[list[ListingInfo], int]:
    found: list[ListingInfo] = []
    pages, cursor = 0, None
    while True:
        got = await channel.listings(cursor)
        found += got.listings
        pages, cursor = pages + 1, got.cursor
        if cursor is None:
            return found, pages


def large(stub: Stub) -> None:
    """Give the stub a catalogue that never ends by pages, and one of three variants in bulk."""
    stub.says("SyncdVariants", {"productVariants": page([], "more")})
    variants = jsonl(variant(1, doubles=1), variant(2), variant(3, status="ARCHIVED"))
    levels = jsonl(level_line(2, 5), level_line(1, 5), level_line(4, 1), level_line(3, 5), level_line(1, 3, at=7))
    bulk(stub, {"1": variants, "2": levels})


def test_large_catalogue_is_read_in_bulk() -> None:
    """A catalogue of many pages is read by two bulk operations, in calls that are each short."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        large(stub)
        found, pages = await whole_catalogue(channel)
        assert [(listing.ref.remote_id, listing.sku, listing.active) for listing in found] == [
            ("2", "SKU-2", True),
            ("1", "SKU-1", True),
            ("3", "SKU-3", False),
        ]
        assert pages > 20
        assert len(stub.of("SyncdVariants")) == 20

    play(scene)


def test_lost_bulk_reading_begins_anew() -> None:
    """A cursor of a bulk reading that is not there any more, as after a restart, begins a new one."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        large(stub)
        found: list[ListingInfo] = []
        cursor: str | None = '{"after":null,"pages":0,"step":7}'
        while cursor is not None:
            got = await channel.listings(cursor)
            found, cursor = [*found, *got.listings], got.cursor
        assert len(found) == 3

    play(scene)


def test_broken_bulk_reading_begins_anew() -> None:
    """After a fault in the middle of a bulk reading the next call begins a new one."""

    async def scene(stub: Stub, channel: ShopifyChannel) -> None:
        large(stub)
        first = await channel.listings('{"step":1}')
        stub.says("SyncdBulkStatus", {"errors": [{"message": "x", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]})
        with pytest.raises(TransientError):
            await channel.listings(first.cursor)
        assert len(stub.of("SyncdBulkRun")) == 2
        large(stub)
        again = await channel.listings(first.cursor)
        assert again.cursor is not None
        assert len(stub.of("SyncdBulkRun")) == 4

    play(scene)
