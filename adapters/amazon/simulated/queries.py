"""Query strings: which parameters an operation has, and what each may hold (Amazon's models).

Stricter than the real one in one thing: a parameter that the model does not name is refused, so that a misspelt one is
found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from adapters.amazon.simulated.times import instant_of


class QueryFault(ValueError):  # noqa: N818  (a verdict)
    """A query is wrong; the text says which parameter."""


class Query(Protocol):
    """The parameters of a request as aiohttp has them: a name may come more than once."""

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """Return every value of a name."""


class Kind(StrEnum):
    """What a parameter holds; a list comes as csv or repeated."""

    TEXT = "text"
    LIST = "list"
    WHOLE = "whole"
    TIME = "time"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter; `least` and `most` bound a number, or how many entries a list has."""

    kind: Kind = Kind.TEXT
    required: bool = False
    words: frozenset[str] = frozenset()
    least: int | None = None
    most: int | None = None
    default: Any = None


TEXT = Parameter()
TIME = Parameter(kind=Kind.TIME)
FLAG = Parameter(kind=Kind.FLAG, default=False)


def words(*names: str, required: bool = False, default: Any = None) -> Parameter:
    """Return a list parameter of these words."""
    return Parameter(kind=Kind.LIST, words=frozenset(names), required=required, default=default)


def read(query: Query, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return every parameter with its value or default; raises `QueryFault`."""
    strangers = sorted(set(query) - set(parameters))
    if strangers:
        raise QueryFault(f"{strangers[0]} is not a parameter of this operation.")
    return {name: _value(name, query.getall(name, []), parameter) for name, parameter in parameters.items()}


def _value(name: str, given: list[str], parameter: Parameter) -> Any:
    if not any(given):
        if parameter.required:
            raise QueryFault(f"{name} is missing.")
        return parameter.default
    if parameter.kind is Kind.LIST:
        return _list(name, given, parameter)
    if len(given) > 1:
        raise QueryFault(f"{name} is there more than once.")
    if parameter.words and given[0] not in parameter.words:
        raise QueryFault(f"{name} is not one of its values.")
    match parameter.kind:
        case Kind.WHOLE:
            return _whole(name, given[0], parameter)
        case Kind.TIME:
            return _time(name, given[0])
        case Kind.FLAG:
            return _flag(name, given[0])
        case _:
            return given[0]


def _list(name: str, given: list[str], parameter: Parameter) -> list[str]:
    values = [part for text in given for part in text.split(",")]
    if "" in values:
        raise QueryFault(f"{name} has an empty entry.")
    if parameter.words and not parameter.words.issuperset(values):
        raise QueryFault(f"{name} is not one of its values.")
    if parameter.most is not None and len(values) > parameter.most:
        raise QueryFault(f"{name} has more than {parameter.most} entries.")
    return values


def _whole(name: str, text: str, parameter: Parameter) -> int:
    value = int(text) if text.isascii() and text.isdigit() else -1
    low = 0 if parameter.least is None else parameter.least
    if value < low or (parameter.most is not None and value > parameter.most):
        raise QueryFault(f"{name} is not a number in its range.")
    return value


def _time(name: str, text: str) -> int:
    moment = instant_of(text)
    if moment is None:
        raise QueryFault(f"{name} is not an ISO 8601 date-time.")
    return moment


def _flag(name: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise QueryFault(f"{name} is not true or false.")
    return text == "true"
