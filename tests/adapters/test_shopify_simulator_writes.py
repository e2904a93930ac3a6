"""Inventory mutations of the simulated shop: compare-and-set, idempotency, inactive levels, and all that is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.shopify.simulated.idempotency import WINDOW_US
from adapters.shopify.simulated.stock_writes import REASONS
from syncd.testing.simulators import Faults
from tests.adapters.shopify_simulation import SET, Scene, opened, told


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


def variables(*rows: dict[str, Any], key: str = "k", **head: Any) -> dict[str, Any]:
    return {"key": key, "input": {"name": "available", "reason": "correction", "quantities": list(rows), **head}}


# --- compare and set -------------------------------------------------------------------------------------------------


async def test_a_set_moves_available_and_on_hand(scene: Scene) -> None:
    """Both changes come back with their difference, and no quantity after it, as recorded."""
    before = scene.level().available
    payload = await scene.set(scene.row(quantity=before + 3))
    changes = payload["inventoryAdjustmentGroup"]["changes"]
    assert [(change["name"], change["delta"]) for change in changes] == [("available", 3), ("on_hand", 3)]
    assert {change["quantityAfterChange"] for change in changes} == {None}
    assert changes[0]["item"]["id"] == scene.item().id
    assert scene.level().available == before + 3


async def test_a_stale_entry_keeps_the_whole_batch_from_happening(scene: Scene) -> None:
    """Each stale entry is named by its index as text, and none of the others is applied."""
    before = [scene.level(number).available for number in (1, 2, 3)]
    payload = await scene.set(scene.row(1), scene.row(2, changeFromQuantity=9_999), scene.row(3))
    assert told(payload) == [("CHANGE_FROM_QUANTITY_STALE", "input.quantities.1.changeFromQuantity")]
    assert payload["inventoryAdjustmentGroup"] is None
    assert [scene.level(number).available for number in (1, 2, 3)] == before


async def test_a_null_writes_whatever_is_there(scene: Scene) -> None:
    """An explicit null opts out of the comparison; available may go below zero."""
    assert told(await scene.set(scene.row(quantity=-5, changeFromQuantity=None))) == []
    assert scene.level().available == -5


async def test_a_set_to_what_is_there_has_no_group(scene: Scene) -> None:
    """Nothing moved: the group is null and there is no error."""
    payload = await scene.set(scene.row(quantity=scene.level().available))
    assert payload == {"inventoryAdjustmentGroup": None, "userErrors": []}


async def test_on_hand_moves_available(scene: Scene) -> None:
    """Setting on_hand changes available by the same difference and leaves committed alone."""
    await scene.buy(("SKU-00001", 2))
    available = scene.level().available
    row = scene.row(quantity=available + 2 + 5, changeFromQuantity=available + 2)
    assert told(await scene.set(row, name="on_hand")) == []
    assert (scene.level().available, scene.level().committed) == (available + 5, 2)


@pytest.mark.parametrize(
    ("row", "head", "error"),
    [
        ({"inventoryItemId": "gid://shopify/InventoryItem/1"}, {}, ("INVALID_INVENTORY_ITEM", "0.inventoryItemId")),
        ({"locationId": "gid://shopify/Location/1"}, {}, ("INVALID_LOCATION", "0.locationId")),
        ({"quantity": 1_000_000_001}, {}, ("INVALID_QUANTITY_TOO_HIGH", "0.quantity")),
        ({"quantity": -1_000_000_001}, {}, ("INVALID_QUANTITY_TOO_LOW", "0.quantity")),
        ({"quantity": -1}, {"name": "on_hand"}, ("INVALID_QUANTITY_NEGATIVE", "0.quantity")),
        ({}, {"name": "committed"}, ("INVALID_NAME", "input.name")),
        ({}, {"reason": "because"}, ("INVALID_REASON", "input.reason")),
        ({}, {"reason": ""}, ("INVALID_REASON", "input.reason")),
        ({}, {"referenceDocumentUri": "42"}, ("INVALID_REFERENCE_DOCUMENT", "input.referenceDocumentUri")),
        ({}, {"referenceDocumentUri": "gid://syncd/9"}, ("INVALID_REFERENCE_DOCUMENT", "input.referenceDocumentUri")),
    ],
)
async def test_an_invalid_entry_is_named(
    scene: Scene, row: dict[str, Any], head: dict[str, Any], error: tuple[str, str]
) -> None:
    """Each fault has its code and its place, and nothing is applied."""
    before = scene.level().available
    payload = await scene.set(scene.row(**row), **head)
    code, place = error
    assert told(payload) == [(code, place if place.startswith("input") else f"input.quantities.{place}")]
    assert scene.level().available == before


@pytest.mark.parametrize("uri", ["gid://syncd/Push/1", "https://syncd.example/1", "logistics://a/b", None])
async def test_a_document_of_any_kind_is_taken(scene: Scene, uri: str | None) -> None:
    """Global ids with three parts, addresses and own schemes are references; none is needed."""
    assert told(await scene.set(scene.row(), referenceDocumentUri=uri)) == []


async def test_errors_of_several_entries_come_together(scene: Scene) -> None:
    """Unknown item and location are both told, in one answer."""
    rows = (
        scene.row(1, inventoryItemId="gid://shopify/InventoryItem/1"),
        scene.row(2, locationId="gid://shopify/Location/1"),
    )
    codes = [code for code, _ in told(await scene.set(*rows))]
    assert codes == ["INVALID_INVENTORY_ITEM", "INVALID_LOCATION"]


async def test_a_pair_may_stand_once(scene: Scene) -> None:
    """Each row of a doubled pair is an error of its own."""
    payload = await scene.set(scene.row(1), scene.row(2), scene.row(1))
    code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
    assert told(payload) == [(code, "input.quantities.0.locationId"), (code, "input.quantities.2.locationId")]


async def test_a_bundle_is_not_written(scene: Scene) -> None:
    """An item that nobody may write says so."""
    scene.item().mutable = False
    assert told(await scene.set(scene.row())) == [("NON_MUTABLE_INVENTORY_ITEM", "input.quantities.0.inventoryItemId")]


async def test_every_known_reason_is_taken(scene: Scene) -> None:
    """The reasons are those that the API lists."""
    assert len(REASONS) == 17
    for reason in REASONS:
        assert told(await scene.set(scene.row(changeFromQuantity=None), reason=reason)) == []


async def test_more_than_250_entries_are_refused(scene: Scene) -> None:
    """The array is refused as a whole, with its size."""
    answer = await scene.ask(SET, variables(*[scene.row()] * 251))
    assert answer.codes == ["MAX_INPUT_SIZE_EXCEEDED"]
    assert "251" in answer.body["errors"][0]["message"]
    assert answer.body["errors"][0]["path"] == ["inventorySetQuantities", "input", "quantities"]
    assert "data" not in answer.body


# --- what the schema does not say ------------------------------------------------------------------------------------


async def test_a_write_without_a_key_is_a_bad_request(scene: Scene) -> None:
    """The directive is enforced at run time: a top-level error, and null for the field."""
    answer = await scene.ask(
        "mutation S($in: InventorySetQuantitiesInput!) { inventorySetQuantities(input: $in) { userErrors { code } } }",
        {"in": variables(scene.row())["input"]},
    )
    assert answer.codes == ["BAD_REQUEST"]
    assert answer.body["data"] == {"inventorySetQuantities": None}
    assert answer.body["errors"][0]["path"] == ["inventorySetQuantities"]
    assert answer.cost["actualQueryCost"] == 10


@pytest.mark.parametrize("key", ["", "   "])
async def test_a_blank_key_is_none(scene: Scene, key: str) -> None:
    """A key of nothing but space is refused."""
    assert (await scene.ask(SET, variables(scene.row(), key=key))).codes == ["BAD_REQUEST"]


async def test_the_value_to_change_from_must_be_there(scene: Scene) -> None:
    """An entry that leaves `changeFromQuantity` out is refused, unlike one that says null."""
    row = scene.row()
    del row["changeFromQuantity"]
    answer = await scene.ask(SET, variables(row))
    assert answer.codes == ["INVALID_FIELD_ARGUMENTS"]
    assert "changeFromQuantity" in answer.body["errors"][0]["message"]


# --- idempotency -----------------------------------------------------------------------------------------------------


async def test_a_key_stands_for_one_set_of_parameters(scene: Scene) -> None:
    """The same key with other parameters is a mismatch and changes nothing."""
    await scene.ask(SET, variables(scene.row()))
    await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": 40})
    other = await scene.ask(SET, variables(scene.row(changeFromQuantity=None)))
    assert told(other.body["data"]["inventorySetQuantities"]) == [("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "")]
    assert scene.level().available == 40


async def test_the_same_bytes_again_are_answered_alike(scene: Scene) -> None:
    """A retry after a lost answer gets the answer of the first one."""
    sent = variables(scene.row())
    first = await scene.ask(SET, sent)
    await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": 40})
    again = await scene.ask(SET, sent)
    assert again.body["data"] == first.body["data"]
    assert scene.level().available == 40


async def test_the_order_of_fields_is_part_of_the_parameters(scene: Scene) -> None:
    """The same values in another order are other parameters."""
    row = scene.row(changeFromQuantity=None)
    await scene.ask(SET, variables(row))
    other = await scene.ask(SET, variables(dict(reversed(row.items()))))
    errors = other.body["data"]["inventorySetQuantities"]["userErrors"]
    assert [(error["code"], error["field"]) for error in errors] == [("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", None)]


async def test_after_a_day_a_key_is_new(scene: Scene) -> None:
    """Within 24 hours a repeat is one; after them it is a new operation."""
    sent = variables(scene.row(changeFromQuantity=None))
    await scene.ask(SET, sent)
    await scene.post("/_sim/set", {"sku": "SKU-00001", "quantity": 40})
    scene.clock.advance(WINDOW_US / 1e6 - 1.0)
    await scene.ask(SET, sent)
    assert scene.level().available == 40
    scene.clock.advance(1.0)
    await scene.ask(SET, sent)
    assert scene.level().available == 7


async def test_a_key_of_a_failed_attempt_is_spent(scene: Scene) -> None:
    """After user errors the same request needs a new key."""
    sent = variables(scene.row(changeFromQuantity=9_999))
    await scene.ask(SET, sent)
    again = await scene.ask(SET, sent)
    assert told(again.body["data"]["inventorySetQuantities"]) == [("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "")]
    row = scene.row()
    assert told(await scene.set(row, key="another")) == []


async def test_a_repeat_in_flight_is_told_to_wait(scene: Scene) -> None:
    """While the first request is under way the second one has no effect and is asked to come again."""
    await scene.post("/_sim/shopify/knobs", {"write_time_s": 30.0})
    sent = variables(scene.row(changeFromQuantity=None))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(scene.ask(SET, sent))
        second = group.create_task(scene.ask(SET, sent))
    payloads = [task.result().body["data"]["inventorySetQuantities"] for task in (first, second)]
    assert sorted(told(payload) for payload in payloads) == [[], [("IDEMPOTENCY_CONCURRENT_REQUEST", "")]]
    scene.clock.advance(30.0)
    assert told((await scene.ask(SET, sent)).body["data"]["inventorySetQuantities"]) == []


async def test_a_cut_write_took_effect_once(scene: Scene) -> None:
    """An answer that is lost after the effect is found by the same key."""
    sent = variables(scene.row())
    scene.simulator.faults = Faults(cut_after_effect=1.0)
    with pytest.raises(Exception, match="disconnected"):
        await scene.ask(SET, sent)
    assert scene.level().available == 7
    scene.simulator.faults = Faults()
    assert told((await scene.ask(SET, sent)).body["data"]["inventorySetQuantities"]) == []
