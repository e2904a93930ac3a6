"""Levels of the simulated shop that are not active, and the mutations that adjust, move, stock and unstock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.adapters.shopify_simulation import LEVELS, Scene, opened, told

ACTIVATE = """mutation Activate($item: ID!, $location: ID!, $available: Int, $onHand: Int, $key: String!) {
  inventoryActivate(inventoryItemId: $item, locationId: $location, available: $available, onHand: $onHand)
    @idempotent(key: $key) {
    inventoryLevel { isActive quantities(names: ["available", "on_hand"]) { quantity } } userErrors { field message }
  }
}"""
ADJUST = """mutation Adjust($input: InventoryAdjustQuantitiesInput!, $key: String!) {
  inventoryAdjustQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason changes { name delta } } userErrors { code field }
  }
}"""
MOVE = """mutation Move($input: InventoryMoveQuantitiesInput!, $key: String!) {
  inventoryMoveQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { changes { name delta } } userErrors { code field }
  }
}"""


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


# --- levels that are not active --------------------------------------------------------------------------------------


async def test_an_inactive_level_is_hidden_until_it_is_asked_for(scene: Scene) -> None:
    """Reads leave it out by default; an item that was never there has none at all."""
    spare = scene.simulator.shop.goods.spare.id
    ids = [scene.item(10).id, scene.item(1).id, "gid://shopify/InventoryItem/1"]
    hidden = await scene.data(LEVELS, ids=ids, location=spare, all=False)
    assert [node and node["inventoryLevel"] for node in hidden["nodes"]] == [None, None, None]
    known = await scene.data(LEVELS, ids=ids, location=spare, all=True)
    assert known["nodes"][0]["inventoryLevel"]["isActive"] is False
    assert known["nodes"][1]["inventoryLevel"] is None
    assert known["nodes"][2] is None


@pytest.mark.parametrize("number", [10, 1])
async def test_a_set_at_an_inactive_level_succeeds_and_sells_nothing(scene: Scene, number: int) -> None:
    """The number is kept, no error tells, and shoppers do not see it: the silent trap."""
    spare = scene.simulator.shop.goods.spare
    before = await scene.get("/_sim/listings")
    row = scene.row(number, locationId=spare.id, quantity=50, changeFromQuantity=None)
    assert told(await scene.set(row)) == []
    level = scene.item(number).levels[spare.legacy_resource_id]
    assert (level.available, level.is_active) == (50, False)
    assert await scene.get("/_sim/listings") == before
    assert await scene.get("/_sim/log") == []


async def activate(scene: Scene, number: int = 10, **given: Any) -> Any:
    scene.keys += 1
    data = await scene.data(
        ACTIVATE,
        item=scene.item(number).id,
        location=given.pop("location", scene.simulator.shop.goods.spare.id),
        key=f"activate-{scene.keys}",
        **given,
    )
    return data["inventoryActivate"]


async def test_activation_brings_the_kept_number_back(scene: Scene) -> None:
    """Without a quantity the level counts again with what it had."""
    kept = scene.item(10).levels[scene.simulator.shop.goods.spare.legacy_resource_id].available
    payload = await activate(scene)
    assert payload["userErrors"] == []
    assert payload["inventoryLevel"] == {"isActive": True, "quantities": [{"quantity": kept}, {"quantity": kept}]}
    shown = [listing for listing in await scene.get("/_sim/listings") if listing["sku"] == "SKU-00010"]
    assert len(shown) == 2


async def test_activation_can_bring_a_number(scene: Scene) -> None:
    """An item that was never at a location starts there with what is given."""
    payload = await activate(scene, 1, available=4)
    assert payload["inventoryLevel"]["quantities"][0]["quantity"] == 4


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"available": 3}, ["available"]),
        ({"onHand": 3}, ["onHand"]),
        ({"available": 3, "onHand": 3}, ["available"]),
        ({"location": "gid://shopify/Location/1"}, ["locationId"]),
    ],
)
async def test_an_activation_that_cannot_be_changes_nothing(
    scene: Scene, given: dict[str, Any], field: list[str]
) -> None:
    """An active level takes no quantity; the errors name their field and have no code."""
    before = scene.level().available
    payload = await activate(scene, 1, **{"location": scene.level().location.id, **given})
    assert [error["field"] for error in payload["userErrors"]] == [field]
    assert scene.level().available == before


async def test_deactivation_keeps_the_number_and_the_last_level(scene: Scene) -> None:
    """A level that is switched off keeps its units; the last active one of an item cannot be."""
    document = "mutation D($id: ID!) { inventoryDeactivate(inventoryLevelId: $id) { userErrors { field message } } }"
    assert (await scene.data(document, id=scene.level(10).id))["inventoryDeactivate"]["userErrors"] != []
    await activate(scene)
    assert (await scene.data(document, id=scene.level(10).id))["inventoryDeactivate"]["userErrors"] == []
    assert scene.level(10).is_active is False
    assert scene.level(10).available > 0


# --- adjusting and moving --------------------------------------------------------------------------------------------


def change(scene: Scene, **changes: Any) -> dict[str, Any]:
    level = scene.level()
    return {
        "inventoryItemId": level.item.id,
        "locationId": level.location.id,
        "delta": 2,
        "changeFromQuantity": level.available,
        **changes,
    }


async def adjust(scene: Scene, *changes: dict[str, Any], **head: Any) -> Any:
    scene.keys += 1
    given = {"name": "available", "reason": "correction", "changes": list(changes), **head}
    return (await scene.data(ADJUST, input=given, key=f"adjust-{scene.keys}"))["inventoryAdjustQuantities"]


@pytest.mark.parametrize(
    ("given", "head", "codes"),
    [
        ({}, {}, []),
        ({"delta": 0}, {}, []),
        ({"changeFromQuantity": 9_999}, {}, ["CHANGE_FROM_QUANTITY_STALE"]),
        ({"delta": 2_000_000_001}, {}, ["INVALID_QUANTITY_TOO_HIGH"]),
        ({}, {"name": "on_hand"}, ["INVALID_QUANTITY_NAME"]),
        ({"changeFromQuantity": None}, {"name": "damaged"}, ["INVALID_QUANTITY_DOCUMENT"]),
        ({"changeFromQuantity": 0, "ledgerDocumentUri": "ledger://a/1"}, {"name": "damaged"}, []),
        ({"ledgerDocumentUri": "ledger://a/1"}, {}, ["INVALID_AVAILABLE_DOCUMENT"]),
        (
            {"changeFromQuantity": 0, "ledgerDocumentUri": "gid://shopify/X/1"},
            {"name": "damaged"},
            ["INTERNAL_LEDGER_DOCUMENT"],
        ),
    ],
)
async def test_an_adjustment_has_its_own_rules(
    scene: Scene, given: dict[str, Any], head: dict[str, Any], codes: list[str]
) -> None:
    """Deltas are compared, bounded and documented as the quantity asks for."""
    assert [code for code, _ in told(await adjust(scene, change(scene, **given), **head))] == codes


async def test_an_adjustment_adds(scene: Scene) -> None:
    """The delta is added to available and to on_hand; a zero among others is left out."""
    before = scene.level().available
    payload = await adjust(
        scene, change(scene), change(scene, inventoryItemId=scene.item(2).id, delta=0, changeFromQuantity=None)
    )
    assert [(row["name"], row["delta"]) for row in payload["inventoryAdjustmentGroup"]["changes"]] == [
        ("available", 2),
        ("on_hand", 2),
    ]
    assert scene.level().available == before + 2


async def test_a_move_keeps_what_is_on_hand(scene: Scene) -> None:
    """Units change their name at one location, and on_hand stays."""
    level = scene.level()
    before = level.available
    end = {"locationId": level.location.id, "changeFromQuantity": None}
    moved = {
        "inventoryItemId": level.item.id,
        "quantity": 2,
        "from": {**end, "name": "available"},
        "to": {**end, "name": "damaged", "ledgerDocumentUri": "ledger://a/1"},
    }
    given = {"reason": "damaged", "referenceDocumentUri": "gid://syncd/Move/1", "changes": [moved]}
    payload = (await scene.data(MOVE, input=given, key="m"))["inventoryMoveQuantities"]
    assert payload["userErrors"] == []
    assert payload["inventoryAdjustmentGroup"]["changes"] == [
        {"name": "available", "delta": -2},
        {"name": "damaged", "delta": 2},
    ]
    assert (level.available, level.quantity("damaged"), level.quantity("on_hand")) == (before - 2, 2, before)


async def test_a_group_can_be_read_by_its_id(scene: Scene) -> None:
    """The group of a write is a node."""
    payload = await adjust(scene, change(scene))
    identity = payload["inventoryAdjustmentGroup"]["id"]
    data = await scene.data(
        "query G($id: ID!) { node(id: $id) { ... on InventoryAdjustmentGroup { reason changes { name } } } }",
        id=identity,
    )
    assert data["node"]["reason"] == "correction"


async def test_every_applied_write_is_logged(scene: Scene) -> None:
    """The log of the control API has the write with its numbers and its author."""
    before = scene.level().available
    await scene.set(scene.row())
    await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": 3})
    entries = await scene.get("/_sim/log")
    assert [(entry["from"], entry["to"], entry["by"]) for entry in entries] == [(before, 7, "api"), (7, 3, "person")]
    assert entries[0]["listing"] == {
        "remote_id": str(scene.item().legacy_resource_id),
        "remote_location": str(scene.level().location.legacy_resource_id),
    }
