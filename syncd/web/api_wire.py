"""What goes in and out of the API: strict bodies and queries in, answers and faults out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web

from syncd.sdk import strict
from syncd.sdk.errors import Problem
from syncd.web.api_shape import PLAIN, Shape
from syncd.web.plant import Plant

T = TypeVar("T")

RAW: Final = web.RequestKey("raw", bytes)
"""The body of a request that was read already."""
ACTOR: Final = web.RequestKey("actor", str)
"""Who asks, by the name of the token."""
IDEMPOTENCY: Final = web.RequestKey("idempotency", str)
"""What stands for the idempotency key of a request, in hex."""
SHAPE: Final = web.RequestKey("shape", Shape)
"""What the handler of a request tells of itself."""
CURSORS: Final = frozenset({"after", "before"})
"""Parameters by which pages go on; `cursor` stands for either."""
CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "no_token",
    403: "forbidden",
    404: "not_found",
    408: "too_slow",
    409: "refused",
    413: "too_large",
    422: "key_reused",
    429: "too_many",
    500: "fault",
    501: "not_here",
    503: "away",
}
"""What a status means, as one word for programs."""

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

    def __init__(
        self, status: int, message: str, problems: Sequence[Problem] = (), *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.problems = tuple(problems[:MOST_PROBLEMS])
        self.retry_after_s = retry_after_s


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
    _agree(request, "body", kind)
    raw = request.get(RAW)
    body = strict.decode((await raw_of(request) if raw is None else raw) or b"{}", kind, most_bytes=BODY_BYTES)
    return _completed(request, body)


async def raw_of(request: web.Request) -> bytes:
    """Return the bytes of the body; raises Fault where it is too large or too slow."""
    try:
        async with asyncio.timeout(BODY_S):
            return await _read(request)
    except TimeoutError:
        raise Fault(408, f"the body did not arrive within {BODY_S:.0f} s") from None


def _completed(request: web.Request, body: T) -> T:
    """Return a body that says who asks, and under which id, where it does not say so itself."""
    names = getattr(body, "__struct_fields__", ())
    told: dict[str, str] = {}
    if (actor := request.get(ACTOR)) and getattr(body, "actor", None) == "" and "actor" in names:
        told["actor"] = actor
    if (key := request.get(IDEMPOTENCY)) and "request_id" in names and getattr(body, "request_id", None) is None:
        told["request_id"] = str(UUID(key[:32]))
    return msgspec.structs.replace(body, **told) if told else body  # type: ignore[type-var]  # what has struct fields is one


def _agree(request: web.Request, part: str, kind: type[Any]) -> None:
    """Raise AssertionError where a handler reads another shape than it tells: the description would be wrong."""
    shape = request.get(SHAPE, PLAIN)
    told = kind if shape is PLAIN else getattr(shape, part)
    if told is not kind:
        raise AssertionError(f"{request.path} reads {kind.__name__} as its {part}, and tells {told}")


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
    _agree(request, "query", kind)
    given = dict(request.query)
    if len(given) != len(request.query):
        raise Fault(400, "a parameter stands twice")
    place = next((name for name in getattr(kind, "__struct_fields__", ()) if name in CURSORS), None)
    if place is not None and "cursor" in given:
        given.setdefault(place, given.pop("cursor"))
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
    """Return a fault as `{"error": {"code", "message", "problems"}}`."""
    error = {"code": CODES.get(fault.status, "fault"), "message": fault.message, "problems": fault.problems}
    told = response(Answer(body={"error": error}, status=fault.status))
    if retry_after_s is not None:
        told.headers["Retry-After"] = str(max(1, round(retry_after_s)))
    if fault.status in _UNREAD:
        told.force_close()
    return told


_PRIVATE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_UNREAD: Final = frozenset({408, 413})
