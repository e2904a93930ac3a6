"""What goes in and out of the API: strict bodies and queries in, answers and faults out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from aiohttp import web

from syncd.sdk import strict
from syncd.sdk.errors import Problem
from syncd.web.plant import Plant

T = TypeVar("T")

BODY_BYTES: Final = 16 * 1024 * 1024
"""The largest body: 100,000 rows fit in."""
BODY_S: Final = 30.0
"""Longest wait for a whole body."""
MOST_PROBLEMS: Final = 1_000
"""Most problems in one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The daemon as one door of the API serves it; `source` says in the ledger by which door a fact came."""

    plant: Plant
    source: Literal["api", "cli", "pages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A value to be told as JSON, with an HTTP status; of another `content_type`, the bytes themselves."""

    body: Any
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[Service, web.Request], Awaitable[Answer]]
Route: TypeAlias = tuple[str, str, Handler]
"""Method, path below `/api/v1`, handler."""


class Fault(Exception):  # noqa: N818  (an answer, not a fault of ours)
    """The request cannot be served; `problems` name everything that is wrong in it."""

    def __init__(self, status: int, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.problems = tuple(problems[:MOST_PROBLEMS])


def bad_rows(problems: Sequence[Problem]) -> None:
    """Raise a fault that names rows, if there is any: nothing of the request was applied."""
    if problems:
        count = f"{len(problems)} rows are" if len(problems) > 1 else "1 row is"
        raise Fault(400, f"{count} wrong; nothing was changed", problems)


def row_problem(number: int, message: str, remedy: str = "") -> Problem:
    """Return a problem of a row, counted from 1."""
    return Problem(place=f"row {number}", message=message, remedy=remedy)


async def body_of(request: web.Request, kind: type[T]) -> T:
    """Return the JSON body as a `kind`; raises `ProtocolError` where it does not fit, Fault where it is too large."""
    try:
        async with asyncio.timeout(BODY_S):
            raw = await _read(request)
    except TimeoutError:
        raise Fault(408, f"the body did not arrive within {BODY_S:.0f} s") from None
    return strict.decode(raw or b"{}", kind, most_bytes=BODY_BYTES)


async def _read(request: web.Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > BODY_BYTES:
            raise Fault(413, f"the body is larger than {BODY_BYTES} bytes; send fewer rows at once")
        parts.append(part)
    return b"".join(parts)


def query_of(request: web.Request, kind: type[T]) -> T:
    """Return the query as a `kind`; an unknown or wrong parameter is a fault."""
    given = dict(request.query)
    if len(given) != len(request.query):
        raise Fault(400, "a parameter stands twice")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Fault(400, f"the query is wrong: {error}") from None


def response(answer: Answer) -> web.Response:
    """Return an answer that nobody keeps."""
    plain = isinstance(answer.body, bytes)
    body = answer.body if plain else msgspec.json.encode(answer.body)
    headers = {**_PRIVATE, "Content-Type": answer.content_type, **answer.headers}
    return web.Response(body=body, status=answer.status, headers=headers)


def fault_response(fault: Fault, *, retry_after_s: float | None = None) -> web.Response:
    """Return a fault as `{"error": {"message", "problems"}}`."""
    told = response(Answer(body={"error": {"message": fault.message, "problems": fault.problems}}, status=fault.status))
    if retry_after_s is not None:
        told.headers["Retry-After"] = str(max(1, round(retry_after_s)))
    if fault.status in _UNREAD:
        told.force_close()
    return told


_PRIVATE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_UNREAD: Final = frozenset({408, 413})
