"""JSON as strict as a bank: what is not plainly one JSON text is refused.

The contract: refused are NaN and Infinity, numbers out of range (1e400), text that is not UTF-8, lone surrogates, a
byte order mark, anything after the value, and, in bodies of at most `CHECKED_BYTES`, a key that stands twice in one
object and nesting deeper than `MOST_DEPTH`. In larger bodies (bulk answers of a channel that we asked ourselves) the
last of two equal keys counts and nesting is bounded by the decoder's own limit: there the second look would cost more
than the first.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Hashable
from typing import Any, NoReturn, TypeVar, cast

import msgspec

from syncd.sdk.errors import ProtocolError
from syncd.sdk.secret import redact, sample

__all__ = ["CHECKED_BYTES", "MOST_BYTES", "MOST_DEPTH", "decode", "loads"]

T = TypeVar("T")

MOST_BYTES = 64 * 1024 * 1024
"""The largest body that is read at all."""
CHECKED_BYTES = 1024 * 1024
"""Up to this size a body is looked at twice: for repeated keys and for depth."""
MOST_DEPTH = 64

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")
_TOKEN = re.compile(rb'(?P<key>"(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}\[\]]')
_TOKEN_OR_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|(?P<number>-?[0-9][0-9.eE+-]*)')
_MOST_DIGITS = 300  # about where the decoder gives up on whole numbers
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _TwinError(ValueError):
    """An object holds one key twice."""


def loads(data: bytes | str, *, most_bytes: int = MOST_BYTES) -> Any:
    """Return the value of a JSON text; raises `ProtocolError` with the offset of the fault and a redacted sample."""
    raw = _bytes(data, most_bytes)
    try:
        value = msgspec.json.decode(raw)
    except _FAULTS as fault:
        _refuse(fault, raw)
    _check(raw)
    return value


def decode(data: bytes | str, type: type[T], *, most_bytes: int = MOST_BYTES) -> T:  # noqa: A002  (msgspec's own word)
    """Return the value of a JSON text as `type` (dataclass, Struct, TypedDict, list of them); strict as `loads`.

    Raises `ProtocolError`, which names the path of the field that does not fit.
    """
    raw = _bytes(data, most_bytes)
    try:
        value: T = _decoder(cast("Hashable", type)).decode(raw)
    except _FAULTS as fault:
        _refuse(fault, raw)
    _check(raw)
    return value


@functools.lru_cache(maxsize=256)
def _decoder(type_: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast("type[Any]", type_))


def _bytes(data: bytes | str, most_bytes: int) -> bytes:
    try:
        raw = data.encode() if isinstance(data, str) else data
    except UnicodeEncodeError as fault:
        raise ProtocolError(f"JSON: not UTF-8 at character {fault.start}") from None
    if len(raw) > most_bytes:
        raise ProtocolError(f"JSON: {len(raw)} bytes, at most {most_bytes}", sample=sample(raw))
    return raw


def _check(raw: bytes) -> None:
    """Refuse repeated keys and deep nesting; `raw` is JSON already."""
    if len(raw) > CHECKED_BYTES:
        return
    opened = raw.count(b"{") + raw.count(b"[")
    if opened <= MOST_DEPTH and raw.count(b":") < 2:
        return
    try:
        value = json.loads(raw, object_pairs_hook=_once)
    except (_TwinError, RecursionError):
        _point_out(raw)
    if opened > MOST_DEPTH and _too_deep(value):
        _point_out(raw)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _TwinError
    return made


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _point_out(raw: bytes) -> NoReturn:
    """Find the offset of a fault that is known to be there: slow, and only walked when something is wrong."""
    stack: list[set[str]] = []
    for token in _TOKEN.finditer(raw):
        text = token.group()
        if text in b"{[":
            stack.append(set())
        elif text in b"}]":
            stack.pop()
        elif token.group("key") is not None:
            key = msgspec.json.decode(token.group("key"), type=str)
            if key in stack[-1]:
                name = f" {key!r}" if _PLAIN_KEY.fullmatch(key) else ""
                raise ProtocolError(f"JSON: key{redact(name)} stands twice (byte {token.start()})", sample=sample(raw))
            stack[-1].add(key)
        if len(stack) > MOST_DEPTH:
            raise ProtocolError(f"JSON: deeper than {MOST_DEPTH} (byte {token.start()})", sample=sample(raw))
    raise AssertionError("a fault that was seen is not found again")


def _refuse(fault: Exception, raw: bytes) -> NoReturn:
    """Raise the `ProtocolError` of a decoder's fault; its own text may quote the body, so it passes redaction."""
    raise ProtocolError(f"JSON: {_reason(fault, raw)}", sample=sample(raw)) from None


def _reason(fault: Exception, raw: bytes) -> str:
    match fault:
        case UnicodeDecodeError():
            return f"not UTF-8 (byte {_first_bad_byte(raw)})"
        case RecursionError():
            return f"deeper than {MOST_DEPTH} (byte {_first_deep_byte(raw)})"
        case msgspec.ValidationError():
            return sample(str(fault)) + _first_big_number(raw, str(fault))
    text = str(fault).removeprefix("JSON is malformed: ")
    return text if "(byte " in text else f"{text} (byte {len(raw)})"


def _first_bad_byte(raw: bytes) -> int:
    try:
        raw.decode()
    except UnicodeDecodeError as fault:
        return fault.start
    return 0


def _first_big_number(raw: bytes, fault: str) -> str:
    if "out of range" not in fault:
        return ""
    for token in _TOKEN_OR_NUMBER.finditer(raw):
        digits = token.group("number")
        if digits is not None and (math.isinf(float(digits)) or len(digits) > _MOST_DIGITS):
            return f" (byte {token.start()})"
    return ""


def _first_deep_byte(raw: bytes) -> int:
    depth = 0
    for token in _TOKEN.finditer(raw):
        depth += (token.group() in b"{[") - (token.group() in b"}]")
        if depth > MOST_DEPTH:
            return token.start()
    return 0
