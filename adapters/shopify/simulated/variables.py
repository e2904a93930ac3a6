"""What is wrong with the variables of a document, in the words of the Admin API (recorded responses of 2026-04)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    is_leaf_type,
    type_from_ast,
)

Problem = dict[str, Any]


def problems_of(
    schema: GraphQLSchema, operation: OperationDefinitionNode | None, given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return one `INVALID_VARIABLE` error per variable that does not fit."""
    errors = []
    for node in (operation.variable_definitions if operation else None) or ():
        name = node.variable.name.value
        kind = type_from_ast(schema, node.type)
        value = given.get(name, Undefined)
        if value is Undefined and node.default_value is not None:
            continue
        problems = list(_problems(kind, value, ()))
        if problems:
            errors.append(_error(name, str(kind), given.get(name), problems))
    return errors


def _error(name: str, kind: str, value: object, problems: list[Problem]) -> dict[str, Any]:
    places = [".".join(map(str, problem["path"])) for problem in problems]
    told = ", ".join(
        f"{place} ({problem['explanation']})" if place else problem["explanation"]
        for place, problem in zip(places, problems, strict=True)
    )
    return {
        "message": f"Variable ${name} of type {kind} was provided invalid value for {told}",
        "extensions": {"code": "INVALID_VARIABLE", "value": value, "problems": problems},
    }


def _problems(kind: Any, value: Any, path: tuple[str | int, ...]) -> Iterable[Problem]:
    if isinstance(kind, GraphQLNonNull):
        if value is None or value is Undefined:
            yield {"path": list(path), "explanation": "Expected value to not be null"}
        else:
            yield from _problems(kind.of_type, value, path)
    elif value is None or value is Undefined:
        return
    elif isinstance(kind, GraphQLList):
        for index, entry in enumerate(value if isinstance(value, list) else [value]):
            yield from _problems(kind.of_type, entry, (*path, index))
    elif isinstance(kind, GraphQLInputObjectType):
        yield from _object_problems(kind, value, path)
    elif is_leaf_type(kind) and not _parses(kind, value):
        yield {"path": list(path), "explanation": f"Could not coerce value {value!r} to {kind.name}"}


def _object_problems(kind: GraphQLInputObjectType, value: Any, path: tuple[str | int, ...]) -> Iterable[Problem]:
    if not isinstance(value, dict):
        yield {"path": list(path), "explanation": f"Expected {value!r} to be a key-value object."}
        return
    for name in value:
        if name not in kind.fields:
            yield {"path": [*path, name], "explanation": f"Field is not defined on {kind.name}"}
    for name, definition in kind.fields.items():
        if name in value or definition.default_value is Undefined:
            yield from _problems(definition.type, value.get(name, Undefined), (*path, name))


def _parses(kind: Any, value: Any) -> bool:
    try:
        return kind.parse_value(value) is not Undefined
    except Exception:  # noqa: BLE001  (a scalar may raise whatever it likes; only that it did matters)
        return False
