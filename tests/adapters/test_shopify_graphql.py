"""Every GraphQL document against the vendor's schema, and the rules that a schema cannot hold."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    get_named_type,
    is_composite_type,
    parse,
    validate,
)

from adapters.shopify import documents, draft_orders, push
from adapters.shopify.documents import Document
from adapters.shopify.wire import request_body
from syncd.sdk.channel import ListingRef, Write
from tests.adapters.shopify_draft_schema import with_drafts

SHARED = Path(os.environ.get("SYNCD_SHARED", Path(__file__).resolve().parents[3] / "shared"))
SCHEMA = SHARED / "reference" / "shopify_admin_2026-10_subset.graphql"

MOST_COST = 1_000
IDEMPOTENT = frozenset({
    "inventoryActivate", "inventoryAdjustQuantities", "inventoryMoveQuantities", "inventorySetOnHandQuantities",
    "inventorySetQuantities", "inventoryShipmentAddItems", "inventoryShipmentCreate",
    "inventoryShipmentCreateInTransit", "inventoryShipmentReceive", "inventoryTransferCreate",
    "inventoryTransferCreateAsReadyToShip", "inventoryTransferDuplicate", "inventoryTransferSetItems",
    "locationActivate", "locationDeactivate", "refundCreate",
})  # fmt: skip
"""The mutations that Shopify 2026-10 refuses without a key, although its schema does not say so."""
SIZES = {1: 1, 3: 2, 5: 3, 10: 4, 20: 5, 25: 6, 50: 7, 100: 9, 250: 11}
"""The factor of a page by its size, from recorded costs."""
PERSONAL = ("customer", "address", "email", "phone", "note", "displayName", "firstName", "lastName", "clientIp", "zip")


@cache
def schema() -> GraphQLSchema:
    if not SCHEMA.is_file():
        pytest.skip(f"the vendor's schema is not at {SCHEMA} (set SYNCD_SHARED)")
    return with_drafts(build_schema(SCHEMA.read_text(encoding="utf-8")))


def operation(text: str) -> OperationDefinitionNode:
    document: DocumentNode = parse(text)
    found = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    assert len(found) == 1
    return found[0]


def root_of(node: OperationDefinitionNode) -> Any:
    return schema().mutation_type if node.operation is OperationType.MUTATION else schema().query_type


def fields(selections: SelectionSetNode, parent: Any) -> list[tuple[FieldNode, Any]]:
    """Return the composite fields of a selection with their types, inline fragments opened."""
    found = []
    for node in selections.selections:
        if isinstance(node, InlineFragmentNode):
            owner = schema().type_map[node.type_condition.name.value] if node.type_condition else parent
            found += fields(node.selection_set, owner)
        elif isinstance(node, FieldNode) and node.selection_set is not None:
            kind = get_named_type(parent.fields[node.name.value].type)
            assert is_composite_type(kind)
            found.append((node, kind))
    return found


def cost(selections: SelectionSetNode, parent: Any) -> float:
    return sum(field_cost(node, kind) for node, kind in fields(selections, parent))


def field_cost(node: FieldNode, kind: Any) -> float:
    assert node.selection_set is not None
    if not kind.name.endswith("Connection"):
        return 1 + cost(node.selection_set, kind)
    size = next(argument.value for argument in node.arguments if argument.name.value == "first")
    assert isinstance(size, IntValueNode), "page sizes stand in the text"
    inner = {part.name.value: (part, kind) for part, kind in fields(node.selection_set, kind)}
    rows, row_kind = inner["nodes"]
    assert rows.selection_set is not None
    return 2 + SIZES[int(size.value)] * (1 + cost(rows.selection_set, row_kind))


def document_cost(text: str) -> float:
    node = operation(text)
    if node.operation is not OperationType.MUTATION:
        return cost(node.selection_set, root_of(node))
    return sum(
        10 + sum(field_cost(inner, inner_kind) - 1 for inner, inner_kind in fields(payload.selection_set, kind))
        for payload, kind in fields(node.selection_set, root_of(node))
        if payload.selection_set is not None
    )


def selected(text: str) -> set[str]:
    names: set[str] = set()

    def walk(selections: SelectionSetNode) -> None:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                names.add(node.name.value)
            inner = getattr(node, "selection_set", None)
            if inner is not None:
                walk(inner)

    walk(operation(text).selection_set)
    return names


EVERY = (*documents.ALL, *draft_orders.ALL)

each_document = pytest.mark.parametrize("document", EVERY, ids=lambda document: document.name)
each_bulk = pytest.mark.parametrize("text", [documents.BULK_LEVELS, documents.BULK_VARIANTS])


def test_all_documents_are_listed() -> None:
    """No document of the modules is missing from the lists that these tests walk."""
    for module in (documents, draft_orders):
        assert {value for value in vars(module).values() if isinstance(value, Document)} == set(module.ALL)


@each_document
def test_document_is_valid(document: Document) -> None:
    """A document fits the schema and bears the name that is sent as its operation name."""
    assert validate(schema(), parse(document.text)) == []
    node = operation(document.text)
    assert node.name is not None
    assert node.name.value == document.name


@each_bulk
def test_bulk_query_is_valid(text: str) -> None:
    """A query of a bulk operation fits the schema and its own rules: edges, ids, few connections, two deep."""
    assert validate(schema(), parse(text)) == []
    assert "nodes" not in selected(text)
    depth, count = nesting(operation(text).selection_set, schema().query_type)
    assert 1 <= count <= 5
    assert depth <= 2


def nesting(selections: SelectionSetNode, parent: Any) -> tuple[int, int]:
    """Return how deep connections stand in each other and how many there are; a parent node must have its id."""
    deepest, count = 0, 0
    for node, kind in fields(selections, parent):
        assert node.selection_set is not None
        below, more = nesting(node.selection_set, kind)
        here = kind.name.endswith("Connection")
        if node.name.value == "node" and below:
            assert "id" in {getattr(part, "name").value for part in node.selection_set.selections}  # noqa: B009
        deepest, count = max(deepest, below + here), count + more + here
    return deepest, count


@each_document
def test_idempotent_mutation_has_its_key(document: Document) -> None:
    """Every selection of a mutation that needs a key has one, given as a variable."""
    node = operation(document.text)
    if node.operation is not OperationType.MUTATION:
        return
    for selection in node.selection_set.selections:
        assert isinstance(selection, FieldNode)
        keys = [
            argument.value.kind
            for directive in selection.directives or ()
            if directive.name.value == "idempotent"
            for argument in directive.arguments or ()
            if argument.name.value == "key"
        ]
        assert keys == (["variable"] if selection.name.value in IDEMPOTENT else [])


def test_checked_mutations_are_used() -> None:
    """The check for keys has something to check."""
    used = {name for document in documents.ALL for name in selected(document.text)}
    assert used & IDEMPOTENT == {"inventorySetQuantities", "inventoryActivate"}


@pytest.mark.parametrize("expected", [None, 0, -3, 7])
def test_every_entry_says_what_it_changes_from(expected: int | None) -> None:
    """Every entry of a write has `changeFromQuantity`, an unconditional one as an explicit null."""
    writes = [
        Write(key=f"k{number}", ref=ListingRef(remote_id=f"{number}", remote_location="9"), quantity=1, expected=wanted)
        for number, wanted in enumerate([expected, None, 4], start=1)
    ]
    body = documents_body(push.variables(writes))
    entries = body["variables"]["input"]["quantities"]
    assert [entry["changeFromQuantity"] for entry in entries] == [expected, None, 4]
    assert all(list(entry) == ["inventoryItemId", "locationId", "quantity", "changeFromQuantity"] for entry in entries)


def documents_body(variables: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(request_body(documents.SET_QUANTITIES, variables))
    return made


@each_document
def test_cost_is_known_and_allowed(document: Document) -> None:
    """A document states its cost by Shopify's formula, and none comes near the limit of one query."""
    assert document_cost(document.text) == document.cost
    assert document.cost < MOST_COST / 2


def test_cost_formula_gives_recorded_values() -> None:
    """The formula gives the values that were recorded of the real API."""
    assert document_cost("{ locations(first: 100) { nodes { id name } pageInfo { hasNextPage } } }") == 11
    assert document_cost("{ locations(first: 250) { nodes { id name } } }") == 13


@pytest.mark.parametrize(
    "text",
    [*(document.text for document in EVERY), documents.BULK_LEVELS, documents.BULK_VARIANTS],
)
def test_nothing_personal_is_asked_for(text: str) -> None:
    """No document selects anything about a person."""
    lowered = {name.lower() for name in selected(text)}
    assert not {name for name in lowered if any(word.lower() in name for word in PERSONAL)}
