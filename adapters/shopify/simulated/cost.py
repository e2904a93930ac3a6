"""What a document costs, and the bucket that pays for it.

Facts (shopify.dev, API rate limits, 2026-10; recorded `requestedQueryCost` values of 2026-04): a scalar costs 0, an
object 1, a mutation 10 with its payload's own fields free, a list of objects counts once whatever its length, a
connection `2 + s(first) * cost(node)` with a size factor that grows slower than the page. The bucket belongs to one app
and shop; a document must fit before it runs, and what it did not use is given back. No document may ask for over 1,000.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from syncd.sdk.channel import Clock

MAX_QUERY_COST = 1_000
MUTATION_COST = 10
CONNECTION_COST = 2
PLANS = {"standard": (2_000, 100), "advanced": (4_000, 200), "plus": (20_000, 1_000), "enterprise": (40_000, 2_000)}
"""Bucket and points per second of each plan. Only the rates and the first bucket are confirmed."""

_SIZES = (1, 3, 5, 10, 20, 25, 50, 100, 250)
_FACTORS = (1, 2, 3, 4, 5, 6, 7, 9, 11)


def size_factor(size: int) -> int:
    """Return the factor of a page; between two recorded sizes the larger one counts."""
    return 0 if size <= 0 else _FACTORS[min(bisect_left(_SIZES, size), len(_FACTORS) - 1)]


@dataclass(slots=True, kw_only=True)
class Price:
    """What one selected field costs, with the prices of the objects under it by response key.

    A connection's `parts` are those of its node; `paths` say under which keys its answer holds the rows.
    """

    kind: Literal["object", "connection"]
    own: int = 1
    size: ValueNode | None = None
    parts: dict[str, Price] = field(default_factory=dict)
    paths: dict[str, str | None] = field(default_factory=dict)

    def requested(self, variables: Mapping[str, Any]) -> int:
        """Return the points to set aside before the document runs."""
        inner = sum(part.requested(variables) for part in self.parts.values())
        if self.kind == "object":
            return self.own + inner
        return CONNECTION_COST + size_factor(_number(self.size, variables)) * (1 + inner)

    def actual(self, answer: Any) -> int:
        """Return the points that an answer used."""
        if isinstance(answer, list):
            answer = next((entry for entry in answer if entry is not None), None)
        if not isinstance(answer, dict):
            return self.own if self.own == MUTATION_COST else 0  # a mutation that was refused costs what it does
        if self.kind == "object":
            return self.own + sum(part.actual(answer.get(key)) for key, part in self.parts.items())
        rows = list(self._rows(answer))
        dearest = max((sum(part.actual(row.get(key)) for key, part in self.parts.items()) for row in rows), default=0)
        return CONNECTION_COST + size_factor(len(rows)) * (1 + dearest)

    def _rows(self, answer: dict[str, Any]) -> Iterable[dict[str, Any]]:
        for key, inner in self.paths.items():
            rows = answer.get(key) or []
            return [row[inner] for row in rows] if inner else rows
        return []


def _number(node: ValueNode | None, variables: Mapping[str, Any]) -> int:
    if isinstance(node, IntValueNode):
        return int(node.value)
    value = variables.get(node.name.value) if isinstance(node, VariableNode) else None
    return value if isinstance(value, int) else 0


class Walker:
    """Walks the fields of one document, fragments opened."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def root(self, operation: OperationDefinitionNode) -> GraphQLObjectType:
        """Return the type that an operation begins with."""
        root = self._schema.get_root_type(operation.operation)
        assert root is not None, "validated before"  # noqa: S101  (validation knows the root)
        return root

    def fields(self, selections: SelectionSetNode, parent: Any) -> Iterable[tuple[FieldNode, Any]]:
        """Yield the fields of a selection with the type that each is read from."""
        for node in selections.selections:
            if isinstance(node, FieldNode):
                yield node, parent
                continue
            fragment = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            if isinstance(fragment, InlineFragmentNode | FragmentDefinitionNode):
                on = fragment.type_condition
                owner = self._schema.type_map[on.name.value] if on else parent
                yield from self.fields(fragment.selection_set, owner)


def price_of(walker: Walker, operation: OperationDefinitionNode) -> Price:
    """Return the price of an operation as one object that itself costs nothing."""
    whole = Price(kind="object", own=0)
    _add(walker, whole, operation.selection_set, walker.root(operation))
    if operation.operation.value == "mutation":
        for payload in whole.parts.values():
            payload.own = MUTATION_COST
            for part in payload.parts.values():
                part.own = 0
    return whole


def _add(walker: Walker, price: Price, selections: SelectionSetNode, parent: Any) -> None:
    for node, owner in walker.fields(selections, parent):
        definition = owner.fields.get(node.name.value) if hasattr(owner, "fields") else None
        if node.selection_set is None or definition is None:
            continue
        part = _field_price(walker, node, get_named_type(definition.type))
        known = price.parts.setdefault(_key(node), part)
        if known is not part:
            known.parts.update(part.parts)


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _field_price(walker: Walker, node: FieldNode, kind: Any) -> Price:
    assert node.selection_set is not None, "only objects come here"  # noqa: S101
    if not kind.name.endswith("Connection"):
        price = Price(kind="object")
        _add(walker, price, node.selection_set, kind)
        return price
    sizes = (argument.value for argument in node.arguments or () if argument.name.value in {"first", "last"})
    price = Price(kind="connection", size=next(sizes, None))
    for rows, owner in walker.fields(node.selection_set, kind):
        if rows.selection_set is not None and rows.name.value in {"nodes", "edges"}:
            _add_rows(walker, price, rows, get_named_type(owner.fields[rows.name.value].type))
    return price


def _add_rows(walker: Walker, price: Price, rows: FieldNode, kind: Any) -> None:
    assert rows.selection_set is not None, "only objects come here"  # noqa: S101
    if rows.name.value == "nodes":
        price.paths[_key(rows)] = None
        _add(walker, price, rows.selection_set, kind)
        return
    for inner, edge in walker.fields(rows.selection_set, kind):
        if inner.selection_set is not None:
            price.paths[_key(rows)] = _key(inner)
            _add(walker, price, inner.selection_set, get_named_type(edge.fields[inner.name.value].type))


class Bucket:
    """The points that one app may spend on one shop. They flow back with the clock."""

    def __init__(self, clock: Clock, *, plan: str = "standard") -> None:
        self._clock = clock
        self.maximum, self.restore_rate = PLANS[plan]
        self._points = float(self.maximum)
        self._at = clock.monotonic()

    def resize(self, *, maximum: int, restore_rate: int) -> None:
        """Change to other limits, with a full bucket."""
        self.maximum, self.restore_rate = maximum, restore_rate
        self._points = float(maximum)

    def take(self, points: int) -> bool:
        """Take points where they are there; otherwise nothing."""
        self._refill()
        if points > self._points:
            return False
        self._points -= points
        return True

    def give_back(self, points: int) -> None:
        """Return points that were not used."""
        self._points = min(float(self.maximum), self._points + points)

    def status(self) -> dict[str, int]:
        """Return `throttleStatus` as it stands now."""
        self._refill()
        return {
            "maximumAvailable": self.maximum,
            "currentlyAvailable": int(self._points),
            "restoreRate": self.restore_rate,
        }

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._points = min(float(self.maximum), self._points + (now - self._at) * self.restore_rate)
        self._at = now
