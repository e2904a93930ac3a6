"""Bulk operations: which queries they take, their states, and the JSON lines of their result.

Facts: at most five at a time, then `OPERATION_IN_PROGRESS`; at least one connection and at most five, two deep, by
`edges` and `node` only, the parent of a nested one with its `id`; counts are texts; results live for seven days; an
empty result has no address (messages recorded in 2026-04; shopify.dev, bulk operations, 2026-10; the last one not
confirmed). `groupObjects` is false by default since 2026-01: children name their parent by `__parentId`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, SelectionSetNode, parse

from adapters.shopify.simulated.goods import gid
from adapters.shopify.simulated.stock_writes import UserError
from syncd.sdk.channel import Clock, Instant

MAX_CONCURRENT = 5
MAX_CONNECTIONS = 5
MAX_NESTING = 2
RESULT_LIFE_US = 7 * 86_400_000_000
RESULTS_KEPT = 20
"""Results that are held in memory; with more of them the oldest expires early."""
UNFINISHED = frozenset({"CREATED", "RUNNING", "CANCELING"})

_NO_CONNECTION = "Bulk queries must contain at least one connection."
_EDGES_ONLY = (
    "All connection fields in a bulk query must select their contents using 'edges' > 'node'. "
    "Selecting 'nodes' is not supported."
)
_TOO_DEEP = "Bulk queries cannot contain connections with a nesting depth greater than 2."
_TOO_MANY = "Bulk queries cannot contain more than 5 connections."
_NO_PARENT_ID = (
    "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' "
    "return type."
)


@dataclass(slots=True, eq=False, kw_only=True)
class BulkOperation:
    """One bulk query. `lines` are its result; counts rise while it runs."""

    id: str
    query: str
    created_at: Instant
    status: str = "CREATED"
    type: str = "QUERY"
    error_code: str | None = None
    completed_at: Instant | None = None
    object_count: int = 0
    root_object_count: int = 0
    url: str | None = None
    partial_data_url: str | None = None
    lines: list[bytes] = field(default_factory=list)
    grouped: bool = False

    @property
    def file_size(self) -> int | None:
        """Return the bytes of the result, None while there is none."""
        return sum(len(line) for line in self.lines) if self.url else None


@dataclass(slots=True, kw_only=True)
class BulkWritten:
    """The payload of a bulk mutation."""

    bulk_operation: BulkOperation | None = None
    user_errors: list[UserError] = field(default_factory=list)


class BulkOperations:
    """The bulk operations of one app on one shop. Whoever runs one calls `finish` at its end."""

    def __init__(self, clock: Clock, *, base_url: str = "") -> None:
        self._clock = clock
        self._ids = count(147595010)
        self.base_url = base_url
        self.by_id: dict[str, BulkOperation] = {}

    def create(self, query: str) -> BulkWritten:
        """Apply `bulkOperationRunQuery`."""
        faults = query_faults(query)
        if faults:
            return BulkWritten(user_errors=[_invalid(text) for text in faults])
        running = [known.id for known in self.by_id.values() if known.status in UNFINISHED]
        if len(running) >= MAX_CONCURRENT:
            text = f"A bulk query operation for this app and shop is already in progress: {', '.join(running)}."
            return BulkWritten(user_errors=[UserError(message=text, code="OPERATION_IN_PROGRESS")])
        operation = BulkOperation(id=gid("BulkOperation", next(self._ids)), query=query, created_at=self._clock.now())
        self.by_id[operation.id] = operation
        return BulkWritten(bulk_operation=operation)

    def cancel(self, identity: str) -> BulkWritten:
        """Apply `bulkOperationCancel`; the runner finds it CANCELING and stops."""
        operation = self.by_id.get(identity)
        if operation is None:
            return BulkWritten(user_errors=[UserError(field=("id",), message="Bulk operation does not exist")])
        if operation.status not in {"CREATED", "RUNNING"}:
            text = f"A bulk operation cannot be canceled when it is {operation.status.lower()}"
            return BulkWritten(bulk_operation=operation, user_errors=[UserError(field=None, message=text)])
        operation.status = "CANCELING"
        return BulkWritten(bulk_operation=operation)

    def finish(self, operation: BulkOperation, *, error: str | None = None) -> None:
        """End an operation as completed, failed or canceled."""
        operation.completed_at = self._clock.now()
        if operation.status == "CANCELING":
            operation.status, operation.lines = "CANCELED", []
        elif error is not None:
            operation.status, operation.error_code = "FAILED", error
            operation.partial_data_url = self._address(operation)
        else:
            operation.status = "COMPLETED"
            operation.url = self._address(operation)
            kept = [known for known in self.by_id.values() if known.url]
            for oldest in kept[:-RESULTS_KEPT]:
                _expire(oldest)

    def find(self, identity: str) -> BulkOperation | None:
        """Return an operation as it is now; after seven days its result is gone."""
        operation = self.by_id.get(identity)
        if operation is None or operation.completed_at is None or not operation.url:
            return operation
        if self._clock.now() > operation.completed_at + RESULT_LIFE_US:
            _expire(operation)
        return operation

    def _address(self, operation: BulkOperation) -> str | None:
        number = operation.id.rpartition("/")[2]
        return f"{self.base_url}/storage/bulk-{number}.jsonl?X-Goog-Signature={number}" if operation.lines else None


def _expire(operation: BulkOperation) -> None:
    operation.status, operation.url, operation.lines = "EXPIRED", None, []


def _invalid(text: str) -> UserError:
    return UserError(field=("query",), message=text, code="INVALID")


def query_faults(query: str) -> list[str]:
    """Return why a query cannot be run as a bulk operation; the schema itself is checked elsewhere."""
    try:
        document = parse(query)
    except GraphQLError as fault:
        return [f"Invalid bulk query: {fault.message}"]
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation.value != "query":
        return ["Invalid bulk query: exactly one query is needed"]
    if {_name(node) for node in _fields(operations[0].selection_set)} & {"node", "nodes"}:
        return ["Bulk queries cannot contain a top level `node` field."]
    shape = _Shape()
    shape.walk(operations[0].selection_set, depth=0)
    return shape.faults()


def _name(node: FieldNode) -> str:
    return node.name.value


def _fields(selections: SelectionSetNode | None) -> list[FieldNode]:
    """Return the fields of a selection, those in inline fragments too."""
    found: list[FieldNode] = []
    for node in selections.selections if selections else ():
        if isinstance(node, FieldNode):
            found.append(node)
        else:
            found += _fields(getattr(node, "selection_set", None))
    return found


class _Shape:
    """Counts the connections of a query; one is what selects `edges` or `nodes`."""

    def __init__(self) -> None:
        self.connections = 0
        self.deepest = 0
        self.by_nodes = False
        self.no_parent_id = False

    def walk(self, selections: SelectionSetNode | None, *, depth: int) -> bool:
        """Walk a selection; answers whether a connection is in it."""
        found = False
        for field_node in _fields(selections):
            inner = _fields(field_node.selection_set)
            rows = [node for node in inner if _name(node) in {"edges", "nodes"}]
            if not rows:
                found |= self.walk(field_node.selection_set, depth=depth)
                continue
            found = True
            self.connections += 1
            self.deepest = max(self.deepest, depth + 1)
            for row in rows:
                self._walk_rows(row, depth=depth + 1)
        return found

    def _walk_rows(self, row: FieldNode, *, depth: int) -> None:
        if _name(row) == "nodes":
            self.by_nodes = True
            self.walk(row.selection_set, depth=depth)
            return
        for node in _fields(row.selection_set):
            nested = self.walk(node.selection_set, depth=depth)
            ids = (inner for inner in _fields(node.selection_set) if _name(inner) == "id" and inner.alias is None)
            self.no_parent_id |= nested and next(ids, None) is None

    def faults(self) -> list[str]:
        """Return what is wrong with this shape."""
        rules = (
            (self.connections == 0, _NO_CONNECTION),
            (self.by_nodes, _EDGES_ONLY),
            (self.deepest > MAX_NESTING, _TOO_DEEP),
            (self.connections > MAX_CONNECTIONS, _TOO_MANY),
            (self.no_parent_id, _NO_PARENT_ID),
        )
        return [text for broken, text in rules if broken]


def lines_of(data: Mapping[str, Any]) -> Iterable[bytes]:
    """Yield the JSON lines of an answer: each row of a connection is a line, children after their parent."""
    for value in data.values():
        if isinstance(value, dict) and "edges" in value:
            for edge in value["edges"]:
                yield from _row_lines(edge["node"], parent=None)
        elif isinstance(value, dict):
            yield from lines_of(value)


def _row_lines(row: Mapping[str, Any], *, parent: str | None) -> Iterable[bytes]:
    own: dict[str, Any] = {}
    nested: list[Mapping[str, Any]] = []
    for key, value in row.items():
        if isinstance(value, dict) and "edges" in value:
            nested += [edge["node"] for edge in value["edges"]]
        else:
            own[key] = value
    if parent is not None:
        own["__parentId"] = parent
    # The real files write a slash as `\/`, as this does; a reader must not compare raw text.
    yield json.dumps(own, separators=(",", ":")).replace("/", "\\/").encode() + b"\n"
    for child in nested:
        yield from _row_lines(child, parent=row["id"])
