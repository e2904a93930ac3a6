"""The schema of the simulator against the vendor's: names, types, arguments and values are the real ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, print_ast

from adapters.shopify.simulated import api
from tests.adapters.shopify_draft_schema import with_drafts

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SYNCD_SHARED", ROOT / ".." / "shared"))
VENDOR = SHARED / "reference" / "shopify_admin_2026-10_subset.graphql"


def faults(ours: GraphQLSchema, theirs: GraphQLSchema) -> Iterator[str]:
    """Say where a type that both have differs; what the vendor's cut does not have cannot be judged."""
    for name, kind in ours.type_map.items():
        other: Any = theirs.type_map.get(name)
        if name.startswith("__") or other is None:
            continue
        if type(kind) is not type(other):
            yield f"{name} is another kind of type"
        elif hasattr(kind, "values"):
            yield from (f"{name}.{value}" for value in kind.values if value not in other.values)
        elif hasattr(kind, "fields"):
            yield from _field_faults(name, kind, other)


def _field_faults(name: str, kind: Any, other: Any) -> Iterator[str]:
    for field_name, field in kind.fields.items():
        known = other.fields.get(field_name)
        if known is None:
            continue
        if str(field.type) != str(known.type):
            yield f"{name}.{field_name}: {field.type} is {known.type}"
        for argument_name, argument in getattr(field, "args", {}).items():
            same = known.args.get(argument_name)
            if same is None or str(same.type) != str(argument.type) or _default(same) != _default(argument):
                yield f"{name}.{field_name}({argument_name})"


def _default(argument: Any) -> str | None:
    value = argument.ast_node.default_value
    return None if value is None else print_ast(value)


def vendor() -> GraphQLSchema:
    if not VENDOR.exists():
        pytest.skip(f"the vendor's schema is not here: {VENDOR}")
    return with_drafts(build_schema(VENDOR.read_text("utf-8")))


def test_every_type_field_and_argument_that_the_vendor_has_is_the_same() -> None:
    """What the simulator answers has the names and the types of the real API."""
    assert list(faults(api.schema(), vendor())) == []


def test_every_type_of_the_vendors_cut_is_answered() -> None:
    """Whatever syncd's documents may ask for, the simulator knows it: no type, field, argument or value is missing."""
    ours, missing = api.schema(), []
    for name, kind in vendor().type_map.items():
        known: Any = ours.type_map.get(name)
        if known is None:
            missing.append(name)
        elif hasattr(kind, "fields"):
            for field_name, field in kind.fields.items():
                own = known.fields.get(field_name)
                missing += [f"{name}.{field_name}"] if own is None else []
                own_args = getattr(own, "args", {})
                missing += [f"{name}.{field_name}({a})" for a in getattr(field, "args", {}) if a not in own_args]
    assert missing == []


@pytest.mark.parametrize(
    ("ours", "fault"),
    [
        ("type Query { a(first: Int = 2): Int }", "Query.a(first)"),
        ("type Query { a(first: String): Int }", "Query.a(first)"),
        ("type Query { a(first: Int): Int! }", "Query.a: Int! is Int"),
        ("type Query { a(first: Int): Int b: E } enum E { ONE TWO }", "E.TWO"),
        ("type Query { a(first: Int): Int } scalar E", "E is another kind of type"),
    ],
)
def test_a_planted_difference_is_found(ours: str, fault: str) -> None:
    """The comparison names each kind of difference."""
    theirs = build_schema("type Query { a(first: Int): Int b: E } enum E { ONE }")
    assert list(faults(build_schema(ours), theirs)) == [fault]
