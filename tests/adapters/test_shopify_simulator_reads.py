"""What the simulated shop tells of itself: lists, search, pages, stale reads and bulk operations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from adapters.shopify.simulated.bulk import query_faults
from syncd.testing.simulators import Faults
from tests.adapters.shopify_simulation import LEVELS, Receiver, Scene, opened, receiving

ORDERS = """query Orders($first: Int, $last: Int, $after: String, $before: String, $query: String, $reverse: Boolean) {
  orders(first: $first, last: $last, after: $after, before: $before, query: $query, reverse: $reverse,
    sortKey: UPDATED_AT) {
    nodes { name updatedAt } edges { cursor node { name } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
VARIANTS = """query Variants($first: Int!, $after: String, $query: String, $key: ProductVariantSortKeys) {
  productVariants(first: $first, after: $after, query: $query, sortKey: $key) {
    nodes { sku inventoryItem { duplicateSkuCount } } pageInfo { hasNextPage endCursor }
  }
}"""
BULK_RUN = """mutation Run($query: String!, $grouped: Boolean = false) {
  bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status } userErrors { code field message }
  }
}"""
BULK_STATUS = """query Status($id: ID!) { bulkOperation(id: $id) {
  status errorCode completedAt objectCount rootObjectCount fileSize url partialDataUrl
} }"""
THREE_DEEP = """{ a { edges { node { id b { edges { node { id c { edges { node { id } } } } } } } } } }"""
BULK_LEVELS = """{ inventoryItems { edges { node { id sku inventoryLevels(includeInactive: true) { edges { node {
  id isActive location { id } quantities(names: ["available"]) { quantity } } } } } } } }"""


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


async def names(scene: Scene, **given: Any) -> list[str]:
    data = await scene.data(ORDERS, **{"first": 50, **given})
    return [node["name"] for node in data["orders"]["nodes"]]


# --- lists and search ------------------------------------------------------------------------------------------------


async def three_orders(scene: Scene) -> list[str]:
    """Place #1001, #1002 and #1003 a minute apart and return when."""
    times = []
    for number in (1, 2, 3):
        await scene.buy((f"SKU-0000{number}", 1))
        times.append((await scene.data(ORDERS, first=50))["orders"]["nodes"][-1]["updatedAt"])
        scene.clock.advance(60.0)
    return times


async def test_orders_are_found_by_the_time_they_changed(scene: Scene) -> None:
    """`updated_at` is a bound of whole seconds, included or not, and an order that changes moves to the end."""
    times = await three_orders(scene)
    assert await names(scene, query=f"updated_at:>='{times[1]}'") == ["#1002", "#1003"]
    assert await names(scene, query=f"updated_at:>'{times[1]}'") == ["#1003"]
    assert await names(scene, query=f"updated_at:<'{times[1]}'") == ["#1001"]
    assert await names(scene, query=f"updated_at:>={times[0]} updated_at:<={times[1]}") == ["#1001", "#1002"]
    first = next(iter(scene.simulator.shop.orders.by_number))
    await scene.post(f"/_sim/orders/{first}/ship", {})
    assert await names(scene, query=f"updated_at:>'{times[2]}'") == ["#1001"]
    assert await names(scene) == ["#1002", "#1003", "#1001"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status:open", ["#1002", "#1003"]),
        ("status:cancelled", ["#1001"]),
        ("status:any", ["#1002", "#1003", "#1001"]),
        ("-status:cancelled", ["#1002", "#1003"]),
        ("NOT status:cancelled", ["#1002", "#1003"]),
        ("financial_status:paid", ["#1002", "#1003"]),
        ("financial_status:refunded OR name:#1003", ["#1003", "#1001"]),
        ("(name:1002 OR name:1003) AND sku:SKU-00003", ["#1003"]),
        ("fulfillment_status:unshipped name:1002", ["#1002"]),
        ("test:false sku:SKU-00002", ["#1002"]),
        ("name:>5", ["#1002", "#1003", "#1001"]),
        ("id:<=1", []),
        ("status:open NOT", []),
    ],
)
async def test_orders_are_found_by_what_they_are(scene: Scene, query: str, found: list[str]) -> None:
    """Terms are joined by AND, OR, NOT and parentheses."""
    await three_orders(scene)
    first = next(iter(scene.simulator.shop.orders.by_number))
    await scene.post(f"/_sim/orders/{first}/cancel", {})
    assert await names(scene, query=query) == found


async def test_an_unknown_search_field_matches_everything_with_a_warning(scene: Scene) -> None:
    """It is no error: the filter is ignored, and only `extensions.search` says so."""
    await three_orders(scene)
    answer = await scene.ask(ORDERS, {"first": 50, "query": "updatd_at:>='2030-01-01T00:00:00Z'"})
    assert len(answer.body["data"]["orders"]["nodes"]) == 3
    (report,) = answer.body["extensions"]["search"]
    assert report["path"] == ["orders"]
    assert [(warning["field"], warning["code"]) for warning in report["warnings"]] == [("updatd_at", "invalid_field")]
    fine = await scene.ask(ORDERS, {"first": 50, "query": "updated_at:>='2030-01-01T00:00:00Z'"})
    assert fine.body["data"]["orders"]["nodes"] == []
    assert "search" not in fine.body["extensions"]


async def test_pages_hang_together(scene: Scene) -> None:
    """Cursors lead forward, back and in reverse through the same rows, and none is lost."""
    await three_orders(scene)
    first = (await scene.data(ORDERS, first=2))["orders"]
    assert [node["name"] for node in first["nodes"]] == ["#1001", "#1002"]
    assert first["pageInfo"]["hasNextPage"] is True
    assert first["pageInfo"]["endCursor"] == first["edges"][1]["cursor"]
    second = (await scene.data(ORDERS, first=2, after=first["pageInfo"]["endCursor"]))["orders"]
    assert [node["name"] for node in second["nodes"]] == ["#1003"]
    assert second["pageInfo"]["hasNextPage"] is False
    assert second["pageInfo"]["hasPreviousPage"] is True
    back = (await scene.data(ORDERS, last=2, before=second["pageInfo"]["startCursor"]))["orders"]
    assert back["nodes"] == first["nodes"]
    assert await names(scene, reverse=True, first=2) == ["#1003", "#1002"]
    cursor = (await scene.data(ORDERS, first=2, reverse=True))["orders"]["pageInfo"]["endCursor"]
    assert await names(scene, reverse=True, after=cursor) == ["#1001"]


async def test_an_order_that_changes_between_pages_is_seen_again(scene: Scene) -> None:
    """It moves behind the cursor instead of being skipped."""
    await three_orders(scene)
    first = (await scene.data(ORDERS, first=1))["orders"]
    moved = next(iter(scene.simulator.shop.orders.by_number))
    await scene.post(f"/_sim/orders/{moved}/ship", {})
    assert await names(scene, after=first["pageInfo"]["endCursor"]) == ["#1002", "#1003", "#1001"]


async def test_a_cursor_fits_its_own_sort_only(scene: Scene) -> None:
    """A cursor of one sort key is refused for another."""
    page = (await scene.data(VARIANTS, first=1, key="SKU"))["productVariants"]
    answer = await scene.ask(VARIANTS, {"first": 1, "key": "ID", "after": page["pageInfo"]["endCursor"]})
    assert answer.body["errors"][0]["message"] == "Invalid cursor for current pagination sort."


async def test_a_sku_search_is_no_lookup(scene: Scene) -> None:
    """It finds what begins like it, whatever the case; how often a SKU stands is told apart."""
    scene.simulator.shop.goods.add_item("SKU-00001-B")
    scene.simulator.shop.goods.add_item("SKU-00001")
    data = await scene.data(VARIANTS, first=50, query='sku:"sku-00001"')
    assert [(node["sku"], node["inventoryItem"]["duplicateSkuCount"]) for node in data["productVariants"]["nodes"]] == [
        ("SKU-00001", 1),
        ("SKU-00001-B", 0),
        ("SKU-00001", 1),
    ]


async def test_without_the_right_orders_end_after_sixty_days(scene: Scene) -> None:
    """Only `read_all_orders` looks further back."""
    await three_orders(scene)
    scene.clock.advance(60 * 86_400.0)
    await scene.buy(("SKU-00001", 1))
    scopes = [scope for scope in scene.simulator.shop.knobs.scopes if scope != "read_all_orders"]
    assert len(await names(scene)) == 4
    await scene.post("/_sim/shopify/knobs", {"scopes": scopes})
    assert await names(scene) == ["#1004"]


async def test_levels_are_found_by_the_time_they_changed(scene: Scene) -> None:
    """The levels of a location can be asked for what changed since."""
    document = """query L($id: ID!, $query: String) { location(id: $id) { inventoryLevels(first: 250, query: $query) {
      nodes { item { sku } quantities(names: ["available"]) { quantity } } } } }"""
    scene.clock.advance(60.0)
    await scene.set(scene.row(3))
    since = "updated_at:>='2026-10-01T00:00:30Z'"
    data = await scene.data(document, id=scene.level().location.id, query=since)
    assert [node["item"]["sku"] for node in data["location"]["inventoryLevels"]["nodes"]] == ["SKU-00003"]
    everything = await scene.data(document, id=scene.level().location.id)
    assert len(everything["location"]["inventoryLevels"]["nodes"]) == 12


async def test_an_index_that_lags_hides_the_newest(scene: Scene) -> None:
    """A list knows an order only after the lag; by its id it is there at once."""
    await scene.post("/_sim/shopify/knobs", {"search_lag_s": 30})
    order_id = (await scene.buy(("SKU-00001", 1)))["order_id"]
    assert await names(scene) == []
    data = await scene.data("query O($id: ID!) { order(id: $id) { name } }", id=f"gid://shopify/Order/{order_id}")
    assert data["order"]["name"] == "#1001"
    scene.clock.advance(30.0)
    assert await names(scene) == ["#1001"]


async def test_a_stale_read_answers_an_older_number(scene: Scene) -> None:
    """Within the staleness a read may show what was there before a write; after it the truth comes out."""
    scene.simulator.time_scale = 1.0
    scene.simulator.staleness_s = 100.0
    scene.simulator.faults = Faults(stale_reads=1.0)
    before = scene.level().available
    scene.clock.advance(1_000.0)
    await scene.set(scene.row())
    given = {"ids": [scene.item().id], "location": scene.level().location.id}

    async def read() -> int:
        (node,) = (await scene.data(LEVELS, **given))["nodes"]
        quantity: int = node["inventoryLevel"]["quantities"][0]["quantity"]
        return quantity

    assert {await read() for _ in range(20)} == {before}
    scene.clock.advance(50.0)
    assert {await read() for _ in range(50)} == {before, 7}
    scene.clock.advance(50.0)
    assert {await read() for _ in range(20)} == {7}


# --- bulk operations -------------------------------------------------------------------------------------------------


async def start(scene: Scene, query: str = BULK_LEVELS, **given: Any) -> Any:
    return (await scene.data(BULK_RUN, query=query, **given))["bulkOperationRunQuery"]


async def status(scene: Scene, identity: str) -> Any:
    return (await scene.data(BULK_STATUS, id=identity))["bulkOperation"]


async def ended(scene: Scene, identity: str) -> Any:
    await Receiver().until(lambda: scene.simulator.shop.bulk.by_id[identity].completed_at is not None)
    return await status(scene, identity)


async def lines(scene: Scene, url: str) -> list[Any]:
    async with scene.session.get(url) as response:
        assert response.status == 200
        return [msgspec.json.decode(line) for line in (await response.read()).splitlines()]


async def test_a_bulk_operation_becomes_a_file_of_lines(scene: Scene) -> None:
    """Every row is a line; a child names its parent and stands apart from it; counts are texts."""
    made = await start(scene)
    assert made["userErrors"] == []
    assert made["bulkOperation"]["status"] == "CREATED"
    done = await ended(scene, made["bulkOperation"]["id"])
    assert (done["status"], done["objectCount"], done["rootObjectCount"]) == ("COMPLETED", "25", "12")
    rows = await lines(scene, done["url"])
    items = [row for row in rows if "__parentId" not in row]
    levels = [row for row in rows if "__parentId" in row]
    assert [row["sku"] for row in items] == [item.sku for item in scene.simulator.shop.goods.items]
    assert rows[:12] == items
    assert {row["__parentId"] for row in levels} == {row["id"] for row in items}
    assert [row["isActive"] for row in levels].count(False) == 1
    async with scene.session.get(done["url"]) as response:
        raw = await response.read()
    assert done["fileSize"] == str(len(raw))
    assert b"gid:\\/\\/shopify\\/InventoryItem\\/" in raw


async def test_grouped_children_follow_their_parent(scene: Scene) -> None:
    """With `groupObjects` a level is the line after its item."""
    done = await ended(scene, (await start(scene, grouped=True))["bulkOperation"]["id"])
    rows = await lines(scene, done["url"])
    assert rows[1]["__parentId"] == rows[0]["id"]


async def test_a_bulk_operation_takes_its_time(scene: Scene) -> None:
    """It is created, runs, and has no address before it is complete."""
    scene.simulator.time_scale = 1.0
    await scene.post("/_sim/shopify/knobs", {"bulk_wait_s": 0.05, "bulk_rows_per_s": 2_500})
    identity = (await start(scene))["bulkOperation"]["id"]
    first = await status(scene, identity)
    assert (first["status"], first["url"], first["fileSize"]) == ("CREATED", None, None)
    assert (await ended(scene, identity))["status"] == "COMPLETED"


async def test_at_most_five_run_at_a_time(scene: Scene) -> None:
    """The sixth is told which ones are running, and one that is cancelled makes room."""
    scene.simulator.time_scale = 1.0
    running = [(await start(scene))["bulkOperation"]["id"] for _ in range(5)]
    refused = await start(scene)
    assert refused["bulkOperation"] is None
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("OPERATION_IN_PROGRESS", None)
    assert all(identity in error["message"] for identity in running)
    cancel = "mutation C($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"
    assert (await scene.data(cancel, id=running[0]))["bulkOperationCancel"]["bulkOperation"]["status"] == "CANCELING"


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        (BULK_LEVELS, None),
        ("{ shop { name } }", "at least one connection"),
        ("{ orders { nodes { id } } }", "'edges' > 'node'"),
        ("{ inventoryItems { edges { node { sku inventoryLevels { edges { node { id } } } } } } }", "select the 'id'"),
        ("{ " + " ".join(f"a{n}: orders {{ edges {{ node {{ id }} }} }}" for n in range(6)) + " }", "more than 5"),
        (THREE_DEEP, "nesting depth greater than 2"),
        ('{ node(id: "gid://shopify/Order/1") { id } }', "top level `node`"),
        ("{ orders { edges ", "Invalid bulk query"),
    ],
)
def test_a_query_that_cannot_be_run_in_bulk_is_refused(query: str, fault: str | None) -> None:
    """The shape is judged before anything runs."""
    faults = query_faults(query)
    assert (faults == []) if fault is None else any(fault in text for text in faults)


async def test_a_refused_bulk_query_names_the_query(scene: Scene) -> None:
    """The user error has its code and its place, for the shape and for the schema."""
    for query in ("{ shop { name } }", "{ orders { edges { node { nmae } } } }"):
        (error,) = (await start(scene, query))["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID", ["query"])


async def test_a_bulk_operation_that_fails_says_why(scene: Scene) -> None:
    """A failure has its code; a missing scope is one."""
    await scene.post("/_sim/shopify/knobs", {"bulk_error": "TIMEOUT"})
    failed = await ended(scene, (await start(scene))["bulkOperation"]["id"])
    assert (failed["status"], failed["errorCode"], failed["url"]) == ("FAILED", "TIMEOUT", None)
    assert failed["partialDataUrl"] is not None
    await scene.post("/_sim/shopify/knobs", {"bulk_error": None, "scopes": ["read_products"]})
    denied = await ended(scene, (await start(scene))["bulkOperation"]["id"])
    assert (denied["status"], denied["errorCode"]) == ("FAILED", "ACCESS_DENIED")


async def test_a_connection_within_an_object_is_read_once(scene: Scene) -> None:
    """The levels of one location are the root rows; an id that is none fails the operation."""
    query = "{ location(id: %s) { inventoryLevels { edges { node { id } } } } }"
    known = f'"{scene.level().location.id}"'
    done = await ended(scene, (await start(scene, query % known))["bulkOperation"]["id"])
    assert (done["status"], done["rootObjectCount"]) == ("COMPLETED", "12")
    failed = await ended(scene, (await start(scene, query % '"7"'))["bulkOperation"]["id"])
    assert (failed["status"], failed["errorCode"]) == ("FAILED", "INTERNAL_SERVER_ERROR")


async def test_an_empty_result_has_no_address(scene: Scene) -> None:
    """Where nothing is found there is no file."""
    query = "{ orders { edges { node { id } } } }"
    done = await ended(scene, (await start(scene, query))["bulkOperation"]["id"])
    assert (done["status"], done["objectCount"], done["url"]) == ("COMPLETED", "0", None)


async def test_a_result_lives_for_seven_days(scene: Scene) -> None:
    """After that the operation is expired and its file is gone."""
    done = await ended(scene, identity := (await start(scene))["bulkOperation"]["id"])
    scene.clock.advance(7 * 86_400.0 + 1.0)
    expired = await status(scene, identity)
    assert (expired["status"], expired["url"]) == ("EXPIRED", None)
    async with scene.session.get(done["url"]) as response:
        assert response.status == 404


async def test_the_file_wants_no_token(scene: Scene) -> None:
    """The address is signed and elsewhere: whoever sends the token there is told off."""
    done = await ended(scene, (await start(scene))["bulkOperation"]["id"])
    headers = {"X-Shopify-Access-Token": scene.simulator.shop.tokens.fixed}
    async with scene.session.get(done["url"], headers=headers) as response:
        assert response.status == 400
    async with scene.session.get(done["url"].partition("?")[0]) as response:
        assert response.status == 400


async def test_the_end_of_a_bulk_operation_is_announced(scene: Scene) -> None:
    """Its webhook has the id and the state, and no address."""
    async with receiving() as receiver:
        scene.simulator.shop.subscriptions.create("BULK_OPERATIONS_FINISH", {"uri": receiver.url})
        identity = (await start(scene))["bulkOperation"]["id"]
        await receiver.topics(1)
        (body,) = receiver.bodies("bulk_operations/finish")
        assert (body["admin_graphql_api_id"], body["status"], body["error_code"]) == (identity, "completed", None)
        assert "url" not in body


async def test_rows_of_a_bulk_operation_are_of_different_moments() -> None:
    """A write while it runs is in the rows that are read later and not in those read before."""
    async with opened(skus=600) as scene:
        scene.simulator.time_scale = 1.0
        await scene.post("/_sim/shopify/knobs", {"bulk_wait_s": 0.0, "bulk_rows_per_s": 2_500})
        identity = (await start(scene))["bulkOperation"]["id"]
        operation = scene.simulator.shop.bulk.by_id[identity]
        await Receiver().until(lambda: operation.root_object_count >= 250)
        await scene.set(scene.row(1, quantity=7_777), scene.row(600, quantity=7_777))
        rows = await lines(scene, (await ended(scene, identity))["url"])
        shown = {row["__parentId"]: row["quantities"][0]["quantity"] for row in rows if row.get("isActive")}
        assert shown[scene.item(1).id] != 7_777
        assert shown[scene.item(600).id] == 7_777
