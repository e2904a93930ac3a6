"""A request as it goes out: its address, headers and bytes. Pure, nothing here waits."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode

import msgspec
from yarl import URL

from syncd.sdk.answer import Content, Expectation
from syncd.sdk.errors import ConfigError, Problem, ProtocolError, RateLimited, TransientError
from syncd.sdk.limits import Budget, Window
from syncd.sdk.secret import redact

Query: TypeAlias = Mapping[str, str | int | float]

_ACCEPT: dict[Content, str] = {
    "json": "application/json",
    "xml": "application/xml, text/xml",
    "text": "*/*",
    "bytes": "*/*",
}
_CREDENTIAL_WORDS = ("auth", "token", "cookie", "key", "secret", "signature", "password", "credential")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Call:
    """A request, the same for each try."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    idempotent: bool
    budget: Budget | Window | None
    cost: float
    urgent: bool
    expectation: Expectation
    most_bytes: int

    @property
    def place(self) -> str:
        """Its name in messages."""
        return self.expectation.place

    def may_repeat(self, fault: BaseException) -> bool:
        """Say whether a quick try may follow `fault`: nothing can be applied twice, and the channel named no time."""
        return (
            isinstance(fault, TransientError)
            and not isinstance(fault, RateLimited)
            and fault.retry_after_s is None
            and (self.idempotent or not fault.sent)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an API lives; credentials go nowhere else."""

    base: URL

    @classmethod
    def parse(cls, text: str, *, allow_http: bool) -> Origin:
        """Take a base address from the settings; raises `ConfigError` unless it is https, this machine, or allowed."""
        try:
            url = URL(text)
        except ValueError:
            url = URL()
        if url.scheme not in ("http", "https") or not url.host or url.query_string or url.user is not None:
            message = "not an address of the form https://host/path"
        elif url.scheme == "http" and not (allow_http or is_here(url.host)):
            message = f"plain http to {url.host}: credentials would be readable on the way"
        else:
            return cls(base=url)
        raise ConfigError([Problem(place="base_url", message=message, remedy="give the address with https://")])

    def url(self, path_or_url: str, params: Query | None = None) -> URL:
        """Return the whole address of a path below the base, or of an address that a channel told us.

        Raises `ProtocolError` for an address that is none, or is not https.
        """
        if path_or_url.startswith(("http://", "https://")):
            url = self._told(path_or_url)
        else:
            url = URL(f"{str(self.base).rstrip('/')}/{path_or_url.lstrip('/')}")
        return url.extend_query(params) if params else url

    def headers(self, url: URL, given: Mapping[str, str] | None) -> dict[str, str]:
        """Return the headers that may go to `url`: those that hold a credential go to the origin only."""
        ours = url.origin() == self.base.origin()
        return {name: value for name, value in (given or {}).items() if ours or not _is_credential(name, value)}

    def _told(self, text: str) -> URL:
        """Take an address as it is spelled: a signature in it covers its very spelling."""
        try:
            url = URL(text, encoded=text.isascii() and text.isprintable() and " " not in text)
            host = url.host
        except ValueError:
            host = None
        if not host:
            raise ProtocolError("an address in an answer is none")
        ours = url.origin() == self.base.origin()
        if url.scheme != "https" and not (ours or (self.base.scheme == "http" and is_here(host))):
            raise ProtocolError(f"{host}: an address in an answer is not https")
        return url


def kind_headers(*, user_agent: str, content: Content, kind: str = "") -> dict[str, str]:
    """Return the headers that say who asks, what is wanted, and of which `kind` the body is."""
    made = {"User-Agent": user_agent, "Accept": _ACCEPT[content]}
    return made | {"Content-Type": kind} if kind else made


def payload(*, json: Any, body: bytes | None, form: Mapping[str, str] | None) -> tuple[bytes | None, str]:
    """Return the bytes to send and their content type; the same value always gives the same bytes.

    Raises `TypeError` when more than one of them is given.
    """
    if sum(part is not None for part in (json, body, form)) > 1:
        raise TypeError("a request has one body: json, body or form")
    if json is not None:
        return msgspec.json.encode(json), "application/json"
    if form is not None:
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    return body, ""


def is_here(host: str) -> bool:
    """Say whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_credential(name: str, value: str) -> bool:
    return any(word in name.lower() for word in _CREDENTIAL_WORDS) or redact(value) != value
