"""The Admin API: a document in, an answer with its cost out.

Documents are parsed, validated and priced once and remembered by their text. Facts on the shapes of answers: THROTTLED
comes with HTTP 200 and without data (community answers; staff did not confirm it); refusals of the whole document carry
a code in `extensions` (recorded responses of 2026-04).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from operator import attrgetter
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    get_named_type,
    get_operation_ast,
    is_object_type,
    parse,
    validate,
    value_from_ast_untyped,
)

from adapters.shopify.simulated import fields, mutations, reads
from adapters.shopify.simulated.access import Need, granted, needs
from adapters.shopify.simulated.cost import MAX_QUERY_COST, Price, Walker, price_of
from adapters.shopify.simulated.shop import Request, Shop
from adapters.shopify.simulated.times import utc
from adapters.shopify.simulated.variables import problems_of

DOCUMENTS_KEPT = 500

Answer = dict[str, Any]

_WORDS = {"Cannot query field": "undefinedField", "Unknown argument": "argumentNotAccepted"}
_WHOLE = frozenset({"MAX_INPUT_SIZE_EXCEEDED"})
"""Codes of errors after which an answer has no data at all."""


@cache
def schema() -> GraphQLSchema:
    """Return the schema with its resolvers."""
    built = build_schema(files("adapters.shopify.simulated").joinpath("schema.graphql").read_text("utf-8"))
    known = {**reads.RESOLVERS, **fields.RESOLVERS, **mutations.RESOLVERS}
    for kind in built.type_map.values():
        if is_object_type(kind) and not kind.name.startswith("__"):
            assert isinstance(kind, GraphQLObjectType), "narrowed above"  # noqa: S101
            for name, definition in kind.fields.items():
                own = known.pop(f"{kind.name}.{name}", None) or _reader(name)
                definition.resolve = _written(own, get_named_type(definition.type).name)
        elif hasattr(kind, "resolve_type"):
            kind.resolve_type = _kind_of
    assert not known, f"no such fields: {sorted(known)}"  # noqa: S101  (our own tables)
    return built


def _kind_of(value: object, *_: object) -> str:
    return type(value).__name__


def _reader(name: str) -> Callable[..., Any]:
    get = attrgetter("".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name))

    def resolve(source: Any, _: object, **__: Any) -> Any:
        return source[name] if isinstance(source, dict) else get(source)

    return resolve


def _written(resolve: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """Write instants and 64-bit numbers as the API does."""
    if kind not in {"DateTime", "UnsignedInt64"}:
        return resolve
    write: Callable[[Any], str] = utc if kind == "DateTime" else str

    def written(source: Any, info: Any, **args: Any) -> str | None:
        value = resolve(source, info, **args)
        return None if value is None else write(value)

    return written


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that was looked at: either its faults, or what it costs and needs."""

    document: DocumentNode | None = None
    operation: OperationDefinitionNode | None = None
    price: Price = field(default_factory=lambda: Price(kind="object"))
    needs: tuple[Need, ...] = ()
    faults: tuple[GraphQLError, ...] = ()

    def variables(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables with the defaults of the document."""
        defaults = {
            node.variable.name.value: value_from_ast_untyped(node.default_value)
            for node in (self.operation.variable_definitions if self.operation else None) or ()
            if node.default_value is not None
        }
        return {**defaults, **given}


class Api:
    """Answers documents on one shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._known: dict[tuple[str, str | None], Prepared] = {}

    def prepare(self, text: str, operation: str | None = None) -> Prepared:
        """Look at a document, once per text."""
        key = (text, operation)
        if key not in self._known:
            if len(self._known) >= DOCUMENTS_KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = _prepare(text, operation)
        return self._known[key]

    def answer(
        self, text: str, variables: Mapping[str, Any], *, operation: str | None = None, stale_us: int = 0
    ) -> Answer:
        """Answer a document: its cost first, then who may, then what is there."""
        self._shop.drafts.settle()
        prepared = self.prepare(text, operation)
        if prepared.faults:
            return {"errors": [_fault_body(fault) for fault in prepared.faults]}
        bucket = self._shop.bucket
        requested = prepared.price.requested(prepared.variables(variables))
        if requested > MAX_QUERY_COST:
            return {"errors": [_too_dear(requested)]}
        if not bucket.take(requested):
            return throttled(self._shop, requested)
        refusals = self._refusals(prepared)
        if refusals:
            bucket.give_back(requested)
            return {"errors": refusals, "data": None, "extensions": self._extensions(requested, 0)}
        request = Request(shop=self._shop, variables=variables, stale_us=stale_us)
        result = run(prepared, request, operation)
        return self._finish(prepared, result, request=request, requested=requested)

    def _finish(self, prepared: Prepared, result: ExecutionResult, *, request: Request, requested: int) -> Answer:
        answer: Answer = {}
        errors = result.errors or []
        if errors:
            answer["errors"] = [_fault_body(error) for error in errors]
        if result.data is None and any(error.path is None for error in errors):
            answer["errors"] = problems_of(schema(), prepared.operation, request.variables) or answer["errors"]
            self._shop.bucket.give_back(requested)
            return answer
        if any((error.extensions or {}).get("code") in _WHOLE for error in errors):
            return {**answer, "extensions": self._extensions(requested, None)}
        actual = min(prepared.price.actual(result.data or {}), requested)
        self._shop.bucket.give_back(requested - actual)
        answer["data"] = result.data
        answer["extensions"] = self._extensions(requested, actual)
        if request.warnings:
            answer["extensions"]["search"] = request.warnings
        return answer

    def _refusals(self, prepared: Prepared) -> list[Answer]:
        scopes = granted(self._shop.knobs.scopes)
        missing = [need for need in prepared.needs if not scopes.intersection(need.scopes)]
        return [_denied(need) for need in missing]

    def _extensions(self, requested: int, actual: int | None) -> Answer:
        return {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": self._shop.bucket.status(),
            }
        }


def run(prepared: Prepared, request: Request, operation: str | None = None) -> ExecutionResult:
    """Execute a prepared document."""
    assert prepared.document is not None, "it had no faults"  # noqa: S101  (callers look first)
    return execute_sync(
        schema(),
        prepared.document,
        context_value=request,
        variable_values=dict(request.variables),
        operation_name=operation,
    )


def _prepare(text: str, operation_name: str | None) -> Prepared:
    try:
        document = parse(text)
    except GraphQLError as fault:
        return Prepared(faults=(fault,))
    faults = validate(schema(), document)
    operation = get_operation_ast(document, operation_name)
    if not faults and operation is None:
        faults = [GraphQLError("An operation name is required" if operation_name is None else "No such operation")]
    if faults or operation is None:
        return Prepared(faults=tuple(faults))
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    walker = Walker(schema(), fragments)
    return Prepared(
        document=document,
        operation=operation,
        price=price_of(walker, operation),
        needs=tuple(needs(walker, operation)),
    )


def _fault_body(fault: GraphQLError) -> Answer:
    body: Answer = dict(fault.formatted)
    code = next((code for start, code in _WORDS.items() if fault.message.startswith(start)), None)
    if code is not None and "extensions" not in body:
        body["extensions"] = {"code": code}
    return body


def throttled(shop: Shop, requested: int) -> Answer:
    """Return the answer of an empty bucket: no data, at HTTP 200."""
    status = shop.bucket.status()
    status["currentlyAvailable"] = min(status["currentlyAvailable"], max(requested - 1, 0))
    return {
        "errors": [
            {
                "message": "Throttled",
                "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
            }
        ],
        "extensions": {
            "cost": {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": status},
        },
    }


def _too_dear(requested: int) -> Answer:
    text = f"Query cost is {requested}, which exceeds the single query max cost limit ({MAX_QUERY_COST})."
    detail = {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": MAX_QUERY_COST}
    return {"message": text, "extensions": {**detail, "documentation": "https://shopify.dev/api/usage/rate-limits"}}


def _denied(need: Need) -> Answer:
    wanted = " or ".join(f"`{scope}` access scope" for scope in need.scopes)
    return {
        "message": f"Access denied for {need.node.name.value} field. Required access: {wanted}.",
        "extensions": {
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": f"{wanted}.",
        },
        "path": list(need.path),
    }
