"""The simulated Admin API as such: who may call, which version answers, what a document costs, what is refused."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.shopify import documents
from adapters.shopify.simulated import api
from adapters.shopify.simulated.bulk import query_faults
from adapters.shopify.simulated.cost import size_factor
from tests.adapters.shopify_simulation import LEVELS, SET, Scene, opened

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SYNCD_SHARED", ROOT / ".." / "shared"))
SHEET = SHARED / "reference" / "shopify.md"
SHOP = "{ shop { name } }"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


# --- who may call ----------------------------------------------------------------------------------------------------


async def grant(scene: Scene, **changes: str) -> Any:
    settings = scene.simulator.settings(scene.url)
    given = {
        "grant_type": "client_credentials",
        "client_id": settings["client_id"],
        "client_secret": settings["client_secret"],
        **changes,
    }
    return await scene.post("/admin/oauth/access_token", given)


async def test_the_settings_open_the_shop(scene: Scene) -> None:
    """Client id and secret of the settings get a token that is accepted; its scopes and its life are told."""
    granted = await grant(scene)
    assert granted.status == 200
    assert granted.body["expires_in"] == 86_399
    assert "write_inventory" in granted.body["scope"].split(",")
    assert (await scene.ask(SHOP, token=granted.body["access_token"])).body["data"] == {
        "shop": {"name": "syncd simulated"}
    }


async def test_a_form_is_taken_like_json(scene: Scene) -> None:
    """The grant reads a form body, which is what the documentation shows."""
    settings = scene.simulator.settings(scene.url)
    form = {"grant_type": "client_credentials", "client_id": settings["client_id"]}
    raw = urlencode(form | {"client_secret": settings["client_secret"]}).encode()
    assert (await scene.post("/admin/oauth/access_token", raw)).status == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "shpss_wrong"}, "invalid_client"),
        ({"client_id": "another"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_wrong_grant_is_refused(scene: Scene, change: dict[str, str], error: str) -> None:
    """Wrong credentials and wrong kinds of grant are told apart by name."""
    refused = await grant(scene, **change)
    assert (refused.status, refused.body) == (400, {"error": error})


async def test_an_app_that_was_removed_gets_no_token(scene: Scene) -> None:
    """After the app is taken off the shop neither its tokens nor its credentials work."""
    token = (await grant(scene)).body["access_token"]
    scene.simulator.uninstall()
    assert (await scene.ask(SHOP, token=token)).status == 401
    assert (await grant(scene)).body == {"error": "invalid_client"}


async def test_a_token_ends_with_its_time(scene: Scene) -> None:
    """A short-lived token opens the shop until its last second and not after."""
    await scene.post("/_sim/shopify/knobs", {"token_life_s": 60})
    token = (await grant(scene)).body["access_token"]
    scene.clock.advance(59.0)
    assert (await scene.ask(SHOP, token=token)).status == 200
    scene.clock.advance(1.0)
    assert (await scene.ask(SHOP, token=token)).status == 401


async def test_tokens_can_be_ended_at_once(scene: Scene) -> None:
    """Revoked tokens are refused, and so is one that never was."""
    token = (await grant(scene)).body["access_token"]
    await scene.post("/_sim/shopify/tokens", {})
    assert (await scene.ask(SHOP, token=token)).status == 401
    assert (await scene.ask(SHOP, token="shpat_made_up")).status == 401


@pytest.mark.parametrize(
    ("scopes", "document", "denied"),
    [
        (["read_products"], "{ orders(first: 1) { nodes { id } } }", [["orders"]]),
        (["read_orders"], "{ shop { name } orders(first: 1) { nodes { id } } }", []),
        (["write_orders"], "{ orders(first: 1) { nodes { id } } }", []),
        (["read_inventory"], "{ productVariants(first: 1) { nodes { id } } }", [["productVariants"]]),
        (
            ["read_orders"],
            "{ orders(first: 1) { nodes { returns(first: 1) { nodes { id } } } } }",
            [["orders", "nodes", "returns"], ["orders", "nodes", "returns", "nodes"]],
        ),
    ],
)
async def test_a_missing_scope_denies_access(
    scene: Scene, scopes: list[str], document: str, denied: list[list[str]]
) -> None:
    """A field whose type needs a scope that was not granted is denied by its path; write implies read."""
    await scene.post("/_sim/shopify/knobs", {"scopes": scopes})
    answer = await scene.ask(document)
    errors = answer.body.get("errors", [])
    assert [error["path"] for error in errors][: len(denied)] == denied
    assert {*answer.codes} == ({"ACCESS_DENIED"} if denied else set())
    assert (answer.body["data"] is None) is bool(denied)


async def test_a_mutation_needs_its_own_scope(scene: Scene) -> None:
    """Reading rights do not write."""
    await scene.post("/_sim/shopify/knobs", {"scopes": ["read_inventory", "read_products", "read_locations"]})
    answer = await scene.ask(SET, {"input": {"name": "x", "reason": "x", "quantities": []}, "key": "k"})
    assert answer.codes == ["ACCESS_DENIED"]


@pytest.mark.parametrize(
    ("asked", "status", "served"),
    [
        ("2026-10", 200, "2026-10"),
        ("2026-04", 200, "2026-04"),
        ("2025-07", 200, "2026-01"),
        ("unstable", 200, "unstable"),
        ("2027-01", 200, "2027-01"),
        ("2031-01", 404, None),
        ("latest", 404, None),
    ],
)
async def test_an_old_version_falls_forward(scene: Scene, asked: str, status: int, served: str | None) -> None:
    """The header says which version answered: an expired one falls forward, an unknown one is not found."""
    answer = await scene.ask(SHOP, version=asked)
    assert (answer.status, answer.headers.get("X-Shopify-API-Version")) == (status, served)


# --- what a document costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "factor"), [(0, 0), (1, 1), (3, 2), (5, 3), (10, 4), (20, 5), (25, 6), (50, 7), (100, 9), (250, 11)]
)
def test_the_factor_of_a_page_grows_slower_than_the_page(size: int, factor: int) -> None:
    """The factors are the recorded ones."""
    assert size_factor(size) == factor


@pytest.mark.parametrize(
    ("document", "cost"),
    [
        ("{ shop { name } }", 1),
        ("{ shop { name plan { shopifyPlus } } }", 2),
        ("{ locations(first: 100) { nodes { id name } } }", 11),
        ("{ locations(first: 250) { edges { cursor node { id } } pageInfo { hasNextPage } } }", 13),
        ("query Q($n: Int = 50) { orders(first: $n) { nodes { app { id } } } }", 16),
        ("query Q($n: Int!) { orders(first: $n) { nodes { ...O } } } fragment O on Order { app { id } }", 14),
        ("{ one: shop { id } two: shop { id } }", 2),
        ('mutation { webhookSubscriptionDelete(id: "gid://shopify/X/1") { userErrors { field } } }', 10),
    ],
)
async def test_a_document_costs_what_the_real_one_asks_for(scene: Scene, document: str, cost: int) -> None:
    """Scalars are free, objects cost one, mutations ten, a connection by its size."""
    variables = {"n": 25} if "Int!" in document else {}
    assert (await scene.ask(document, variables)).cost["requestedQueryCost"] == cost


async def test_what_was_not_used_is_given_back(scene: Scene) -> None:
    """A page that comes back empty costs its two points only, and the bucket shows it."""
    answer = await scene.ask("{ orders(first: 250) { nodes { app { id } } } }")
    assert answer.cost["requestedQueryCost"] == 24
    assert answer.cost["actualQueryCost"] == 2
    assert answer.cost["throttleStatus"] == {"maximumAvailable": 2000, "currentlyAvailable": 1998, "restoreRate": 100}


async def test_an_empty_bucket_answers_throttled_at_200(scene: Scene) -> None:
    """A document that does not fit is refused without data and without effect, until the points have flowed back."""
    scene.simulator.shop.bucket.take(1_995)
    variables = {"input": {"name": "available", "reason": "correction", "quantities": [scene.row()]}, "key": "k"}
    before = scene.level().available
    refused = await scene.ask(SET, variables)
    assert refused.status == 200
    assert "data" not in refused.body
    assert refused.codes == ["THROTTLED"]
    assert refused.body["errors"][0]["message"] == "Throttled"
    assert refused.cost["actualQueryCost"] is None
    assert scene.level().available == before
    missing = refused.cost["requestedQueryCost"] - refused.cost["throttleStatus"]["currentlyAvailable"]
    scene.clock.advance(missing / refused.cost["throttleStatus"]["restoreRate"])
    assert (await scene.ask(SET, variables)).body["data"]["inventorySetQuantities"]["userErrors"] == []


@pytest.mark.parametrize(("plan", "limits"), [("advanced", (4_000, 200)), ("plus", (20_000, 1_000))])
async def test_the_plan_decides_the_bucket(scene: Scene, plan: str, limits: tuple[int, int]) -> None:
    """A larger plan has a larger bucket that fills faster."""
    await scene.post("/_sim/shopify/knobs", {"plan": plan})
    status = (await scene.ask(SHOP)).cost["throttleStatus"]
    assert (status["maximumAvailable"], status["restoreRate"]) == limits


async def test_a_document_over_a_thousand_points_never_runs(scene: Scene) -> None:
    """It is refused whatever is in the bucket, and costs nothing."""
    nested = "orders(first: 250) { nodes { lineItems(first: 250) { nodes { id variant { id } } } } }"
    answer = await scene.ask(f"{{ a: {nested} b: {nested} c: {nested} d: {nested} }}")
    assert answer.codes == ["MAX_COST_EXCEEDED"]
    assert "data" not in answer.body
    assert scene.simulator.shop.bucket.status()["currentlyAvailable"] == 2_000


def test_the_adapters_documents_are_answered_at_the_cost_that_it_reckons_with() -> None:
    """Every document of the adapter is valid here, and asks for no more points than it says."""
    shop = api.Api.__new__(api.Api)
    shop._known = {}
    for document in documents.ALL:
        prepared = shop.prepare(document.text, document.name)
        assert prepared.faults == (), document.name
        assert prepared.price.requested({}) <= document.cost, document.name
    for query in (documents.BULK_LEVELS, documents.BULK_VARIANTS):
        assert shop.prepare(query).faults == ()
        assert query_faults(query) == []


# --- the reference documents -----------------------------------------------------------------------------------------


def reference() -> dict[str, str]:
    if not SHEET.exists():
        pytest.skip(f"the reference sheet is not here: {SHEET}")
    return dict(re.findall(r"### (\w+)\.graphql\n```graphql\n(.*?)```", SHEET.read_text("utf-8"), re.DOTALL))


def variables_of(scene: Scene, order_id: str) -> dict[str, dict[str, Any]]:
    item, goods = scene.item(), scene.simulator.shop.goods
    change = {"inventoryItemId": item.id, "locationId": goods.main.id, "delta": 2, "changeFromQuantity": None}
    end = {"locationId": goods.main.id, "changeFromQuantity": None}
    moved = {
        "inventoryItemId": item.id,
        "quantity": 1,
        "from": {**end, "name": "available"},
        "to": {**end, "name": "damaged", "ledgerDocumentUri": "ledger://syncd/1"},
    }
    since = {"query": "updated_at:>='2026-01-01T00:00:00Z'", "after": None}
    return {
        "inventory_set": {"idempotencyKey": "1", "input": {"name": "available", "reason": "correction"}},
        "inventory_adjust": {
            "idempotencyKey": "2",
            "input": {"name": "available", "reason": "correction", "changes": [change]},
        },
        "inventory_activate": {
            "idempotencyKey": "3",
            "inventoryItemId": item.id,
            "locationId": goods.spare.id,
            "available": None,
        },
        "inventory_move": {
            "idempotencyKey": "4",
            "input": {"reason": "correction", "referenceDocumentUri": "gid://syncd/Push/1", "changes": [moved]},
        },
        "adjustment_group": {"id": next(iter(scene.simulator.shop.groups), "gid://shopify/InventoryAdjustmentGroup/1")},
        "inventory_levels_read": {"ids": [item.id], "locationId": goods.main.id},
        "location_levels_changed": {"locationId": goods.main.id, "first": 250, **since},
        "variants_page": {"first": 250, "after": None, "query": 'sku:"SKU-00001"'},
        "locations": {"first": 250},
        "bulk_run": {"query": reference()["bulk_inner_inventory"]},
        "bulk_status": {"id": "gid://shopify/BulkOperation/147595010"},
        "orders_changed": {"first": 50, **since},
        "order_detail": {"id": order_id},
        "order_cancel": {"orderId": order_id, "reason": "CUSTOMER", "restock": True},
        "webhook_list": {"first": 250},
        "webhook_create": {
            "topic": "INVENTORY_LEVELS_UPDATE",
            "sub": {"uri": "https://sync.example.jp/webhooks/shopify", "format": "JSON", "name": "syncd"},
        },
        "webhook_delete": {"id": "gid://shopify/WebhookSubscription/1389476151346"},
    }


COSTS = {
    "inventory_set": 13,
    "inventory_adjust": 13,
    "inventory_levels_read": 3,
    "variants_page": 35,
    "location_levels_changed": 36,
    "orders_changed": 177,
    "bulk_run": 10,
    "bulk_status": 1,
    "order_cancel": 10,
}


@pytest.mark.parametrize("name", ["", *COSTS])
async def test_every_reference_document_is_answered(scene: Scene, name: str) -> None:
    """All documents of the sheet run without an error, and those with a known cost ask for it."""
    order_id = f"gid://shopify/Order/{(await scene.buy(('SKU-00002', 1)))['order_id']}"
    for each, document in reference().items():
        if each.startswith("bulk_inner") or (name and each != name):
            continue
        variables = variables_of(scene, order_id).get(each, {})
        if each == "inventory_set":
            variables["input"]["quantities"] = [scene.row()]
        answer = await scene.ask(document, variables)
        assert "errors" not in answer.body, (each, answer.body)
        assert answer.cost["requestedQueryCost"] == COSTS.get(each, answer.cost["requestedQueryCost"])


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ shop { nmae } }", "undefinedField"),
        ("{ shop(id: 1) { name } }", "argumentNotAccepted"),
        ("{ orders { nodes { id } } }", "BAD_REQUEST"),
        ("{ orders(first: 1, last: 1) { nodes { id } } }", "BAD_REQUEST"),
        ("{ orders(first: 251) { nodes { id } } }", "BAD_REQUEST"),
        ('{ orders(first: 1, after: "mine") { nodes { id } } }', "BAD_REQUEST"),
        ('{ node(id: "7") { id } }', "INVALID_VARIABLE"),
    ],
)
async def test_a_wrong_document_is_refused_at_200(scene: Scene, document: str, code: str) -> None:
    """GraphQL errors come with status 200 and a code."""
    answer = await scene.ask(document)
    assert (answer.status, answer.codes) == (200, [code])


async def test_a_document_that_does_not_parse_is_refused(scene: Scene) -> None:
    """A syntax error is told without data."""
    answer = await scene.ask("{ shop { name }")
    assert answer.status == 200
    assert "data" not in answer.body


@pytest.mark.parametrize("raw", [b"", b"not json", b'{"variables": {}}', b'{"query": 7}'])
async def test_a_body_that_is_no_document_is_a_bad_request(scene: Scene, raw: bytes) -> None:
    """Without a query the answer is 400."""
    headers = {"X-Shopify-Access-Token": scene.simulator.shop.tokens.fixed}
    answer = await scene.post("/admin/api/2026-10/graphql.json", raw, headers=headers)
    assert answer.status == 400


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"ignoreCompareQuantity": True},
            "ignoreCompareQuantity (Field is not defined on InventorySetQuantitiesInput)",
        ),
        ({"name": None}, "name (Expected value to not be null)"),
        ({"quantities": [{"quantity": "x"}]}, "quantities.0.inventoryItemId (Expected value to not be null)"),
    ],
)
async def test_variables_that_do_not_fit_are_named(scene: Scene, given: dict[str, Any], told: str) -> None:
    """An old or missing field is told by its path, and nothing runs."""
    variables = {"input": {"name": "available", "reason": "correction", "quantities": [], **given}, "key": "k"}
    answer = await scene.ask(SET, variables)
    assert answer.codes == ["INVALID_VARIABLE"]
    assert told in answer.body["errors"][0]["message"]
    assert "data" not in answer.body


async def test_more_than_250_ids_are_refused_as_a_whole(scene: Scene) -> None:
    """An array that is too long has neither data nor a refund."""
    ids = [f"gid://shopify/InventoryItem/{number}" for number in range(251)]
    answer = await scene.ask(LEVELS, {"ids": ids, "location": scene.level().location.id})
    assert answer.codes == ["MAX_INPUT_SIZE_EXCEEDED"]
    assert answer.body["errors"][0]["path"] == ["nodes", "ids"]
    assert "data" not in answer.body
    assert answer.cost["actualQueryCost"] is None
