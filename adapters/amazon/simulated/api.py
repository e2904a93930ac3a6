"""One call to the API: what is asked, what is answered, and what is refused before an operation is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from adapters.amazon.simulated.queries import Parameter, Query, QueryFault, read

MOST_USER_AGENT = 500
MOST_BODY_BYTES = 1024 * 1024


@dataclass(slots=True)
class Refused(Exception):  # noqa: N818  (a verdict, not a fault)
    """The API answers no: `{"errors": [...]}` with this status."""

    status: int
    code: str
    message: str
    details: str = ""

    def body(self) -> dict[str, Any]:
        """Return it as every API of Amazon's answers it."""
        return {"errors": [{"code": self.code, "message": self.message, "details": self.details}]}


def invalid(details: str, *, code: str = "InvalidInput", message: str = "Invalid Input") -> Refused:
    """Return the refusal of a request that is wrong in itself."""
    return Refused(400, code, message, details)


def missing(details: str) -> Refused:
    """Return the refusal of something that is not there."""
    return Refused(404, "NotFound", "The requested resource doesn't exist.", details)


def denied(details: str = "") -> Refused:
    """Return the refusal of a token, a role or a seller (issue 638 of selling-partner-api-docs)."""
    return Refused(403, "Unauthorized", "Access to requested resource is denied.", details)


def throttled(level: str = "") -> Refused:
    """Return the refusal of a request that came too soon (issue 746 of selling-partner-api-models)."""
    return Refused(429, "QuotaExceeded", f"You exceeded your quota for the requested resource{level}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that may be answered.

    `path` are the parts of the path that vary, decoded; `given` the query, checked; `body` the JSON of the body.
    `stale_us` is how far its reads look back, `base_url` where files are.
    """

    path: Mapping[str, str]
    given: Mapping[str, Any]
    body: Any = None
    stale_us: int = 0
    base_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an operation answers."""

    body: Any
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API. `role` is what the application must have been given for it."""

    name: str
    method: str
    path: str
    answer: Callable[[Call], Reply]
    query: Mapping[str, Parameter] = field(default_factory=dict)
    role: str = ""
    grantless: bool = False
    code: str = "InvalidInput"
    message: str = "Invalid Input"

    def query_of(self, query: Query) -> dict[str, Any]:
        """Return the query, checked; raises `Refused` in the words of this API."""
        try:
            return read(query, self.query)
        except QueryFault as fault:
            raise invalid(str(fault), code=self.code, message=self.message) from fault


def check_user_agent(value: str | None) -> None:
    """Raise `Refused` without a User-Agent, or with one that is too long.

    SP-API docs, include-a-user-agent-header-in-all-requests; the words of the refusal are not known.
    """
    if not value:
        raise invalid("The User-Agent header is required.")
    if len(value) > MOST_USER_AGENT:
        raise invalid("The User-Agent header is longer than 500 characters.")


def json_body(raw: bytes, content_type: str) -> Any:
    """Return the JSON of a body; raises `Refused` for another type, too much of it, or what is no JSON object."""
    if content_type != "application/json":
        raise Refused(415, "UnsupportedMediaType", "The request's Content-Type header is not supported.")
    if len(raw) > MOST_BODY_BYTES:
        raise Refused(413, "RequestTooLarge", "The request size exceeded the maximum accepted size.")
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise invalid("The request body is not valid JSON.") from fault
    if not isinstance(body, dict):
        raise invalid("The request body is not a JSON object.")
    return body
