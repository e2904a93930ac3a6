"""The description of the API in OpenAPI 3.1, made from the routes and the very shapes that they read and answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

import msgspec

from syncd.sdk.errors import Problem
from syncd.web.api_shape import JSON, PLAIN, Shape, shape_of
from syncd.web.api_wire import CODES, CURSORS, Route

REF: Final = "#/components/schemas/{name}"
_PART: Final = re.compile(r"\{(\w+)(?::[^}]*)?\}")

ABOUT: Final = """Stock, listings, orders and those who wait, over all channels of a shop.

Every request has `Authorization: Bearer TOKEN`. A token has a scope: `read`, `operate` (what staff does every day) or
`admin`; `syncd token new` makes one. Pages go on with `cursor`, which is the `next` of the page before; the last page
has null there. A POST may have `Idempotency-Key`: a repeat of the same request gets the answer of the first one, for
24 hours; the same key with another request is refused with 422."""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong: a code for programs, a message for people, and every wrong row."""

    code: str
    message: str
    problems: list[Problem]


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Every answer above 399."""

    error: ErrorBody


def document(routes: Iterable[Route], *, prefix: str) -> dict[str, Any]:
    """Return the description of these routes; a route whose shapes were not told takes and gives any JSON."""
    known = [(method, path, shape_of(handler) or PLAIN, handler.__doc__ or "") for method, path, handler in routes]
    schemas = _Schemas(shape for _, _, shape, _ in known)
    paths: dict[str, dict[str, Any]] = {}
    for method, path, shape, text in known:
        place = paths.setdefault(_PART.sub(r"{\1}", path), {})
        place[method.lower()] = _operation(method, path, shape, text, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "syncd", "version": version("syncd"), "description": ABOUT,
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": prefix}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": {"IdempotencyKey": _IDEMPOTENCY},
            "responses": {name: _error(text) for name, text in _FAULTS.values()},
            "schemas": schemas.components,
        },
    }  # fmt: skip


class _Schemas:
    """The schemas of all shapes, and of each one its reference."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        kinds: list[Any] = [ErrorAnswer]
        for shape in shapes:
            kinds += [
                kind for kind in (shape.query, shape.body, shape.answer) if kind is not None and kind not in kinds
            ]
        made, self.components = msgspec.json.schema_components(kinds, ref_template=REF)
        self._by_kind = list(zip(kinds, made, strict=True))

    def of(self, kind: Any) -> Mapping[str, Any]:
        """Return the schema of a shape; of none, any JSON."""
        return next((schema for known, schema in self._by_kind if known is kind), {})

    def fields(self, kind: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the fields of a query with the schema of each."""
        schema = self.of(kind)
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        yield from self.components.get(name, schema).get("properties", {}).items()


def _operation(method: str, path: str, shape: Shape, text: str, schemas: _Schemas) -> dict[str, Any]:
    lines = text.strip().splitlines() or [""]
    scope = shape.scope_of(method)
    told: dict[str, Any] = {
        "operationId": _name(method, path),
        "summary": lines[0].strip(),
        "description": "\n".join([*(line.strip() for line in lines[1:]), f"Scope: `{scope}`."]).strip(),
        "tags": [path.split("/")[1]],
        "security": [{"token": [scope.value]}],
        "parameters": [*_path_parameters(path), *_query_parameters(shape, schemas)],
        "responses": _responses(shape, schemas),
    }
    if method == "POST":
        told["parameters"].append({"$ref": "#/components/parameters/IdempotencyKey"})
        schema = dict(schemas.of(shape.body)) if shape.body else {"type": "object"}
        told["requestBody"] = {"required": shape.body is not None, "content": {JSON: {"schema": schema}}}
    return told


def _name(method: str, path: str) -> str:
    words = re.sub(r"\W+", "_", _PART.sub(r"by_\1", path)).strip("_")
    return f"{method.lower()}_{words}"


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in _PART.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(shape: Shape, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    names = []
    for name, schema in schemas.fields(shape.query) if shape.query else ():
        names.append(name)
        yield {"name": name, "in": "query", "required": False, "schema": dict(schema)}
    if CURSORS.intersection(names):
        yield {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"},
               "description": "`next` of the page before"}  # fmt: skip


def _responses(shape: Shape, schemas: _Schemas) -> dict[str, Any]:
    plain = {"type": "string"} if shape.content_type != JSON else dict(schemas.of(shape.answer))
    content = {shape.content_type.partition(";")[0]: {"schema": plain}}
    good = {str(status): {"description": _GOOD[status], "content": content} for status in shape.accepts}
    return good | {str(status): {"$ref": f"#/components/responses/{name}"} for status, (name, _) in _FAULTS.items()}


def _error(text: str) -> dict[str, Any]:
    reference = {"$ref": REF.format(name=ErrorAnswer.__name__)}
    return {"description": text, "content": {JSON: {"schema": reference}}}


_GOOD: Final = {200: "Done.", 201: "Made.", 202: "Committed; it waits: it is pending, or held for a person."}
_FAULTS: Final = {
    400: ("Bad", "The request is wrong; nothing was changed."),
    401: ("NoToken", "There is no token, or not a valid one."),
    403: ("Forbidden", "The token's scope does not reach."),
    404: ("Missing", "There is no such thing."),
    408: ("Slow", "The body did not arrive in time."),
    409: ("Refused", "It was refused for the reason that is told."),
    413: ("TooLarge", "The body is too large."),
    422: ("KeyReused", "The idempotency key was used for another request."),
    429: ("TooMany", "Too many requests; `Retry-After` says when to go on."),
    500: ("Fault", "A fault of syncd; its log says more."),
    503: ("Away", "Nothing can be stored now; try again."),
}
assert set(_FAULTS) <= set(CODES)  # noqa: S101  (two tables of our own)
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Makes a repeat harmless: it gets the first answer.",
}
