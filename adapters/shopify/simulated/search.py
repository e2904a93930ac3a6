"""The search syntax of the Admin API: `field:value`, comparators, AND, OR, NOT, parentheses.

An unknown field is no error: it is ignored, matches everything, and leaves a warning in `extensions.search`
(shopify.dev, API search syntax, 2026-10; recorded responses of 2026-04).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from adapters.shopify.simulated.times import SECOND_US, instant_of
from syncd.sdk.channel import Instant

_TOKEN = re.compile(r"""\s*(?:(?P<paren>[()])|(?P<word>(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s()"'])+))""")
_TERM = re.compile(r"(?P<minus>-?)(?P<field>[\w.]+):(?P<comparator>[<>]=?|=)?(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One `field:value` of a query; without a field the value is looked for anywhere."""

    field: str
    comparator: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Terms joined by AND or OR, or one that must not match."""

    kind: Literal["and", "or", "not"]
    parts: tuple[Node, ...]


Node: TypeAlias = Term | Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """How one search field is read off an object.

    `times` are instants, the rest are texts; `loose` ones match from the start of a word on, as SKUs do.
    """

    read: Callable[[Any], Any]
    times: bool = False
    loose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A parsed query: `matches` says whether an object passes, `warnings` are as the API gives them.

    `since` is a lower bound of `updated_at` that every match passes, where the query has one.
    """

    matches: Callable[[Any], bool]
    warnings: tuple[dict[str, Any], ...] = ()
    since: Instant | None = None


_EVERYTHING = Search(matches=lambda _: True)


def search(text: str | None, fields: Mapping[str, Field]) -> Search:
    """Parse a query over these fields; no text matches everything."""
    if not text or not text.strip():
        return _EVERYTHING
    tree = _Reader(text).read()
    warnings = tuple(_warnings(tree, fields))
    return Search(matches=_matcher(tree, fields), warnings=warnings, since=_since(tree, fields))


class _Reader:
    """Reads a query into a tree by recursive descent; what is not closed is closed at the end."""

    def __init__(self, text: str) -> None:
        self._tokens = [match.group("paren") or match.group("word") for match in _TOKEN.finditer(text)]
        self._at = 0

    def read(self) -> Node:
        branches = [self._conjunction()]
        while self._take("OR"):
            branches.append(self._conjunction())
        return branches[0] if len(branches) == 1 else Branch(kind="or", parts=tuple(branches))

    def _conjunction(self) -> Node:
        parts: list[Node] = []
        while self._at < len(self._tokens) and self._tokens[self._at] not in {")", "OR"}:
            if not self._take("AND"):
                parts.append(self._part())
        return parts[0] if len(parts) == 1 else Branch(kind="and", parts=tuple(parts))

    def _part(self) -> Node:
        if self._take("NOT"):
            return Branch(kind="not", parts=(self._part(),))
        if self._take("("):
            inner = self.read()
            self._take(")")
            return inner
        if self._at == len(self._tokens):
            return Branch(kind="and", parts=())
        self._at += 1
        return _term(self._tokens[self._at - 1])

    def _take(self, token: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += found
        return found


def _term(token: str) -> Node:
    match = _TERM.fullmatch(token)
    if match is None:
        return Term(field="", comparator="", value=_unquote(token))
    term = Term(field=match["field"], comparator=match["comparator"] or "", value=_unquote(match["value"]))
    return Branch(kind="not", parts=(term,)) if match["minus"] else term


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text)


def _matcher(node: Node, fields: Mapping[str, Field]) -> Callable[[Any], bool]:
    if isinstance(node, Branch):
        parts = [_matcher(part, fields) for part in node.parts]
        if node.kind == "not":
            return lambda row: not parts[0](row)
        joined = all if node.kind == "and" else any
        return lambda row: joined(part(row) for part in parts)
    if node.field not in fields:
        return (lambda _: True) if node.field else _anywhere(node.value, fields)
    return _compare(node, fields[node.field])


def _anywhere(value: str, fields: Mapping[str, Field]) -> Callable[[Any], bool]:
    wanted = value.lower()
    texts = [known for known in fields.values() if not known.times]
    return lambda row: any(wanted in str(known.read(row)).lower() for known in texts)


def _compare(term: Term, known: Field) -> Callable[[Any], bool]:
    if not known.times:
        value = f"{term.value}*" if known.loose and not term.value.endswith("*") else term.value
        loosened = Term(field=term.field, comparator=term.comparator, value=value)
        return lambda row: _text_matches(known.read(row), loosened)
    bound = instant_of(term.value)
    if bound is None:
        return lambda _: True
    # The index knows whole seconds, like the API's own timestamps.
    return lambda row: _ordered(known.read(row) // SECOND_US * SECOND_US, term.comparator, bound)


def _ordered(value: int, comparator: str, bound: int) -> bool:
    match comparator:
        case ">":
            return value > bound
        case ">=":
            return value >= bound
        case "<":
            return value < bound
        case "<=":
            return value <= bound
        case _:
            return value == bound


def _text_matches(value: Any, term: Term) -> bool:
    wanted = term.value.lower()
    if value is None or not wanted:
        return value is None and not wanted
    texts = value if isinstance(value, tuple | list | set) else (value,)
    if term.comparator and wanted.isdigit():
        numbers = (int(text) for text in texts if str(text).isdigit())
        return any(_ordered(number, term.comparator, int(wanted)) for number in numbers)
    if wanted == "*":
        return True
    if wanted.endswith("*"):
        return any(str(text).lower().startswith(wanted[:-1]) for text in texts)
    return any(str(text).lower() == wanted for text in texts)


def _warnings(node: Node, fields: Mapping[str, Field]) -> list[dict[str, Any]]:
    if isinstance(node, Branch):
        return [warning for part in node.parts for warning in _warnings(part, fields)]
    if node.field and node.field not in fields:
        return [{"field": node.field, "message": "Invalid search field for this query.", "code": "invalid_field"}]
    if node.field and fields[node.field].times and instant_of(node.value) is None:
        return [{"field": node.field, "message": f"Input `{node.value}` is not a time.", "code": "invalid_value"}]
    return []


def _since(node: Node, fields: Mapping[str, Field]) -> Instant | None:
    if isinstance(node, Branch):
        bounds = [_since(part, fields) for part in node.parts] if node.kind == "and" else []
        return max((bound for bound in bounds if bound is not None), default=None)
    if node.field == "updated_at" and node.comparator in {">", ">="} and node.field in fields:
        return instant_of(node.value)
    return None


def is_qualified(text: str) -> bool:
    """Say whether every term of a query names its field."""
    return _all_named(_Reader(text).read())


def _all_named(node: Node) -> bool:
    if isinstance(node, Branch):
        return all(_all_named(part) for part in node.parts)
    return bool(node.field)
