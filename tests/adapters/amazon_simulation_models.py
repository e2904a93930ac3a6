"""Holds answers against Amazon's own models (Swagger 2.0), where they lie beside the project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jsonschema import Draft4Validator, Draft7Validator, FormatChecker

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "amazon-models"
MODELS = (
    "listingsItems_2021-08-01",
    "orders_2026-01-01",
    "feeds_2021-06-30",
    "reports_2021-06-30",
    "fbaInventory",
    "notifications",
    "sellers",
)
FORMATS = FormatChecker(formats=())
_PART = re.compile(r'"(#/definitions/\w+Filter)"')
"""Definitions that are put together by allOf, and so must stay open; the model calls all of them filters."""


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a model: its responses, and the definitions that they refer to."""

    method: str
    path: re.Pattern[str]
    responses: dict[str, Any]
    definitions: dict[str, Any]


def there() -> bool:
    """Say whether the models lie beside the project."""
    return FOLDER.is_dir()


@cache
def operations() -> tuple[Operation, ...]:
    """Return every operation of the models."""
    found = []
    for name in MODELS:
        model = msgspec.json.decode((FOLDER / f"{name}.json").read_bytes())
        parts = {each.rpartition("/")[2] for each in _PART.findall(msgspec.json.encode(model).decode())}
        definitions = {key: value if key in parts else _closed(value) for key, value in model["definitions"].items()}
        for path, methods in model["paths"].items():
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
            found += [
                Operation(method=method.upper(), path=pattern, responses=each["responses"], definitions=definitions)
                for method, each in methods.items()
                if isinstance(each, dict) and "responses" in each
            ]
    return tuple(found)


def _closed(schema: Any) -> Any:
    """Forbid what a definition does not name: the models leave it open, but we answer nothing of our own."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: value if key in {"enum", "example"} else _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed["properties"] = {key: _closed(value) for key, value in schema["properties"].items()}
        closed.setdefault("additionalProperties", False)
    return closed


def faults(method: str, path: str, status: int, headers: Any, body: Any) -> list[str]:
    """Say what an answer has that the model of its operation does not allow; empty for what is no operation."""
    plain = path.partition("?")[0]
    known = [each for each in operations() if each.method == method and each.path.fullmatch(plain)]
    if not known:
        return []
    # A literal path is before one with a placeholder.
    operation = min(known, key=lambda each: each.path.pattern.count("[^/]+"))
    response = operation.responses.get(str(status))
    if response is None:
        return [f"{method} {plain}: has no answer {status}"]
    # The rate is told "when available", which on a 429 it is not.
    needed = [name for name in response.get("headers", {}) if status < 300 or name == "x-amzn-RequestId"]
    missing = [name for name in needed if name not in headers]
    wrong = [f"{method} {plain} {status}: {name} is missing" for name in missing]
    if "schema" not in response:
        return wrong
    schema = response["schema"] | {"definitions": operation.definitions}
    found = Draft4Validator(schema, format_checker=FORMATS).iter_errors(body)
    return wrong + [f"{method} {plain} {status}: {each.json_path}: {each.message[:200]}" for each in found]


def all_faults(answers: Sequence[Any]) -> list[str]:
    """Say what is wrong with answers of a scene."""
    return [
        fault
        for answer in answers
        for fault in faults(answer.method, answer.path, answer.status, answer.headers, answer.body)
    ]


def document_faults(name: str, body: Any) -> list[str]:
    """Say what a document has that its JSON Schema (a path under `schemas`) does not allow."""
    schema = msgspec.json.decode((FOLDER / "schemas" / name).read_bytes())
    found = Draft7Validator(schema, format_checker=FORMATS).iter_errors(body)
    return [f"{each.json_path}: {each.message[:200]}" for each in found]
