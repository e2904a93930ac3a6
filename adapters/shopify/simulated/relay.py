"""Relay connections: pages of sorted rows with opaque cursors.

A cursor holds the sort key of its row, so rows that move between two pages are neither skipped nor wrongly placed.
Limits: `first` at most 250, and 25,000 objects deep (shopify.dev, API limits, 2026-10); the wording of the errors about
`first` and `last` is recorded, that of the others is not.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import GraphQLError

MAX_PAGE = 250
MAX_DEPTH = 25_000

Key = Callable[[Any], tuple[Any, ...]]


class PageInfo:
    """Where a page begins and ends."""

    __slots__ = ("_key", "_nodes", "has_next_page", "has_previous_page")

    def __init__(self, nodes: Sequence[Any], *, key: Key, has_next: bool, has_previous: bool) -> None:
        self._nodes = nodes
        self._key = key
        self.has_next_page = has_next
        self.has_previous_page = has_previous

    @property
    def start_cursor(self) -> str | None:
        """Return the place of the first row."""
        return cursor_of(self._key(self._nodes[0])) if self._nodes else None

    @property
    def end_cursor(self) -> str | None:
        """Return the place of the last row."""
        return cursor_of(self._key(self._nodes[-1])) if self._nodes else None


class Edge:
    """One row with its cursor."""

    __slots__ = ("_key", "node")

    def __init__(self, node: Any, key: Key) -> None:
        self.node = node
        self._key = key

    @property
    def cursor(self) -> str:
        """Return the place of this row."""
        return cursor_of(self._key(self.node))


class Connection:
    """One page of rows."""

    __slots__ = ("_key", "nodes", "page_info")

    def __init__(self, nodes: Sequence[Any], *, key: Key, has_next: bool, has_previous: bool) -> None:
        self._key = key
        self.nodes = nodes
        self.page_info = PageInfo(nodes, key=key, has_next=has_next, has_previous=has_previous)

    @property
    def edges(self) -> list[Edge]:
        """Return the rows with their cursors."""
        return [Edge(node, self._key) for node in self.nodes]


def cursor_of(key: tuple[Any, ...]) -> str:
    """Return the opaque text of a sort key."""
    return base64.b64encode(json.dumps(key).encode()).decode()


def refusal(message: str, code: str = "BAD_REQUEST") -> GraphQLError:
    """Return a top-level error with its code."""
    return GraphQLError(message, extensions={"code": code})


def whole(rows: Sequence[Any], *, key: Key) -> Connection:
    """Return all rows as one page, as a bulk operation reads them."""
    return Connection(rows, key=key, has_next=False, has_previous=False)


def page(rows: Sequence[Any], args: Mapping[str, Any], *, key: Key, searched: bool = False) -> Connection:
    """Cut one page out of `rows`, which are sorted by `key`, rising; `searched` rows have a limit of depth."""
    size, forward = _size(args)
    upward = forward != bool(args.get("reverse"))  # whether the page is taken from the low end of the range
    low, high = _range(rows, args, key=key)
    if searched and (low if upward else len(rows) - high) >= MAX_DEPTH:
        raise refusal(f"Pagination beyond {MAX_DEPTH} objects is not supported; narrow the query")
    cut = rows[low : min(low + size, high)] if upward else rows[max(high - size, low) : high]
    more = high - low > size
    nodes = list(cut)[::-1] if args.get("reverse") else cut
    beyond = _is_beyond(args, forward=forward)
    return Connection(nodes, key=key, has_next=more if forward else beyond, has_previous=beyond if forward else more)


def _size(args: Mapping[str, Any]) -> tuple[int, bool]:
    first, last = args.get("first"), args.get("last")
    if first is None and last is None:
        raise refusal("you must provide one of first or last")
    if first is not None and last is not None:
        raise refusal("providing both first and last is not supported")
    size: int = last if first is None else first  # type: ignore[assignment]  # one of them is there
    if not 0 <= size <= MAX_PAGE:
        raise refusal(f"{'first' if first is not None else 'last'} must be between 0 and {MAX_PAGE}")
    return size, first is not None


def _is_beyond(args: Mapping[str, Any], *, forward: bool) -> bool:
    return bool(args.get("after") if forward else args.get("before"))


def _range(rows: Sequence[Any], args: Mapping[str, Any], *, key: Key) -> tuple[int, int]:
    low, high = 0, len(rows)
    lower, upper = args.get("after"), args.get("before")
    if args.get("reverse"):
        lower, upper = upper, lower
    try:
        if lower:
            low = bisect_right(rows, _decode(lower), key=key)
        if upper:
            high = max(low, bisect_left(rows, _decode(upper), key=key))
    except TypeError:  # the cursor was made for another sort key
        raise refusal("Invalid cursor for current pagination sort.") from None
    return low, high


def _decode(cursor: str) -> tuple[Any, ...]:
    try:
        return tuple(json.loads(base64.b64decode(cursor, validate=True)))
    except (binascii.Error, ValueError, TypeError):
        raise refusal("Invalid cursor for current pagination sort.") from None
