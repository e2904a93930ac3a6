"""What a channel answered over HTTP, and what follows from it: pure, nothing here waits.

The table (an adapter's own `classify` comes before it):

    expected status, right kind of body   no error
    2xx that was not expected, 3xx        ProtocolError (3xx names the host it points to; redirects are not followed)
    400, 404, 409, 422, other 4xx         RejectedError with a redacted sample
    401, 402, 403, 423, 430               AuthError with a redacted sample
    408, 425, 5xx                         TransientError(retry_after_s)
    429                                   RateLimited(retry_after_s)
    HTML where JSON or XML was expected   ProtocolError with a redacted sample

402 is a frozen shop, 423 a locked one, 430 a request refused for security (shopify.dev/docs/api/usage/response-codes,
read 2026-11).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal, TypeAlias, TypeVar

from yarl import URL

from syncd.core.terms import SECOND_US, Instant
from syncd.sdk import strict
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, RejectedError, SyncdError, TransientError
from syncd.sdk.secret import redact, sample

T = TypeVar("T")

Content: TypeAlias = Literal["json", "xml", "text", "bytes"]
"""The kind of body that is expected; `text` and `bytes` are not looked at."""

MOST_RETRY_AFTER_S = 86_400.0
"""A longer Retry-After is not believed."""
_AUTH = frozenset({401, 402, 403, 423, 430})
_TRANSIENT = frozenset({408, 425})
_HTML = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """An HTTP answer read whole. `headers` have lower-case names; a name that came twice is joined by `, `.

    `asked_at` and `answered_at` are the start of the try that was answered (after waiting for the budget) and the end
    of its body, on syncd's clock. `doubtful` says that an earlier try of the same call got no answer and may have had
    an effect.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    asked_at: Instant = 0
    answered_at: Instant = 0
    doubtful: bool = False

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"

    def json(self) -> Any:
        """Return the body as JSON, strictly; raises `ProtocolError`."""
        return strict.loads(self.body)

    def decode(self, type: type[T]) -> T:  # noqa: A002  (msgspec's own word)
        """Return the body as JSON of `type`, strictly; raises `ProtocolError`."""
        return strict.decode(self.body, type)

    def text(self) -> str:
        """Return the body as UTF-8 text; raises `ProtocolError`."""
        try:
            return self.body.decode()
        except UnicodeDecodeError as fault:
            message = f"not UTF-8 (byte {fault.start})"
        raise ProtocolError(message, sample=sample(self.body))


Classify: TypeAlias = Callable[[Answer], SyncdError | None]
"""An adapter's own table: the error that an answer is, None to go on with the general one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a request takes for a good answer. `place` names the request in messages."""

    place: str
    statuses: Collection[int] = (200,)
    content: Content = "json"
    classify: Classify | None = None

    def fault(self, answer: Answer, *, now: Instant) -> SyncdError | None:
        """Return the error that this answer is; None when it is what was asked for."""
        if answer.status not in self.statuses:
            return self.refusal(answer, now=now)
        own = self.classify(answer) if self.classify is not None else None
        if own is None and _is_page(answer, self.content):
            return ProtocolError(
                f"{self.place}: a web page came where {self.content} was expected", sample=sample(answer.body)
            )
        return own

    def refusal(self, answer: Answer, *, now: Instant) -> SyncdError:
        """Return the error that an answer with a status that was not expected is."""
        own = self.classify(answer) if self.classify is not None else None
        return _by_status(answer, place=self.place, now=now) if own is None else own


def retry_after_s(answer: Answer, *, now: Instant) -> float | None:
    """Return the seconds of a Retry-After header, a number or an HTTP date; None without a usable one."""
    text = answer.headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is None:
        seconds = _until(text, now)
    return None if seconds is None else min(max(seconds, 0.0), MOST_RETRY_AFTER_S)


def place(method: str, url: URL) -> str:
    """Name a request for messages: no query, no secret in the path."""
    path = redact(url.path)
    return f"{method} {url.host}{path[:120]}"


def _number(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds


def _until(text: str, now: Instant) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": the time is UTC, its place unknown (RFC 5322, section 3.3)
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now / SECOND_US


def _by_status(answer: Answer, *, place: str, now: Instant) -> SyncdError:
    status = answer.status
    message = f"{place}: {status} {_phrase(status)}".rstrip()
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(message, retry_after_s=retry_after_s(answer, now=now))
    if status in _AUTH:
        return AuthError(_with_sample(message, answer))
    if status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransientError(message, retry_after_s=retry_after_s(answer, now=now))
    if status >= HTTPStatus.BAD_REQUEST:
        return RejectedError(_with_sample(message, answer))
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        return ProtocolError(f"{message}: points to {_host(answer.headers.get('location', ''))}")
    return ProtocolError(message, sample=sample(answer.body))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _with_sample(message: str, answer: Answer) -> str:
    said = sample(answer.body)
    return f"{message}: {said}" if said else message


def _host(location: str) -> str:
    try:
        return URL(location).host or "the same host"
    except ValueError:
        return "an address that is none"


def _is_page(answer: Answer, content: Content) -> bool:
    """Say whether a web page came: a login form, a maintenance notice, a proxy's error with status 200."""
    start = answer.body[:200].lstrip().lower()
    match content:
        case "json":
            return start.startswith(b"<") or (bool(start) and "text/html" in answer.headers.get("content-type", ""))
        case "xml":
            return start.startswith(_HTML)
        case "text" | "bytes":
            return False
