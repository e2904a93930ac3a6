"""What a route of the API takes and gives, told beside its handler: the description of the API is made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar
from weakref import WeakKeyDictionary

import msgspec

H = TypeVar("H", bound=Callable[..., Any])

JSON: Final = "application/json"


class Scope(StrEnum):
    """What a token may do; each one may also do what stands before it."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def allows(self, wanted: Scope) -> bool:
        """Say whether this scope is enough."""
        order = list(Scope)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shapes of a route: of its query, its body and its answer. `scope` is None where the method decides it."""

    query: type | None = None
    body: type | None = None
    answer: Any = None
    scope: Scope | None = None
    content_type: str = JSON
    accepts: tuple[int, ...] = (200,)

    def scope_of(self, method: str) -> Scope:
        """Return the scope that a request needs."""
        return self.scope or (Scope.READ if method == "GET" else Scope.OPERATE)


PLAIN: Final = Shape()
_SHAPES: Final[WeakKeyDictionary[Callable[..., Any], Shape]] = WeakKeyDictionary()


def shaped(
    *,
    query: type | None = None,
    body: type | None = None,
    answer: Any = None,
    scope: Scope | None = None,
    content_type: str = JSON,
    accepts: tuple[int, ...] = (200,),
) -> Callable[[H], H]:
    """Tell what a handler takes and gives. Its query and body are then read by no other shape."""
    told = Shape(query=query, body=body, answer=answer, scope=scope, content_type=content_type, accepts=accepts)

    def note(handler: H) -> H:
        _SHAPES[handler] = told
        return handler

    return note


def shape_of(handler: Callable[..., Any]) -> Shape | None:
    """Return what was told of a handler, None where nothing was."""
    return _SHAPES.get(handler)


T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page of rows; `next` is the `cursor` of the page after it, null on the last one."""

    rows: list[T]
    next: str | int | None


class Rows(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """All rows that there are."""

    rows: list[T]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How a change ended: applied, still pending, or held by the brake with the reason."""

    inbox_id: int
    duplicate: bool
    applied: bool | msgspec.UnsetType = msgspec.UNSET
    pending: bool | msgspec.UnsetType = msgspec.UNSET
    held: bool | msgspec.UnsetType = msgspec.UNSET
    brake_id: int | msgspec.UnsetType | None = msgspec.UNSET
    reason: str | msgspec.UnsetType | None = msgspec.UNSET
