"""What goes over the wire to the Admin API and back, apart from orders: pure, parse and render.

Sources: shopify.dev, Admin GraphQL API 2026-10 and API rate limits; error shapes recorded of 2026-04.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import msgspec

from adapters.shopify.documents import Document
from syncd.sdk.channel import Instant
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, RateLimited, TransientError
from syncd.sdk.secret import redact, sample
from syncd.sdk.strict import decode

T = TypeVar("T")

LEAST_WAIT_S = 0.1
"""Shopify's own advice is one second; what its bucket says is closer."""
UNKNOWN_WAIT_S = 1.0
MOST_MESSAGE = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_FAULT_CODES: Final = frozenset({"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})
_AUTH_CODES: Final = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE"})
_REFUSED_CODES: Final = frozenset(
    {
        "BAD_REQUEST",
        "INVALID_FIELD_ARGUMENTS",
        "INVALID_VARIABLE",
        "MAX_COST_EXCEEDED",
        "MAX_INPUT_SIZE_EXCEEDED",
        "THROTTLED",
        *_AUTH_CODES,
    }
)
"""Codes of a request that was refused before anything happened."""


ANSWERED: Final = frozenset({200, 400, 401, 402, 403, 404, 406, 409, 413, 422, 423, 430})
"""HTTP statuses with which the endpoint has answered; all but 200 refuse the request before it is looked at."""
_AUTH_STATUSES: Final = frozenset({401, 402, 403, 423, 430})

# --- ids and instants --------------------------------------------------------------------------------------------


def gid(kind: str, number: str) -> str:
    """Return the global id of a numeric id."""
    return f"gid://shopify/{kind}/{number}"


def is_number(text: str) -> bool:
    """Tell whether a text is a numeric id as Shopify makes them."""
    return text.isascii() and text.isdigit()


def number(identifier: str) -> str:
    """Return the numeric id at the end of a global id; raises `ProtocolError` where there is none."""
    found = identifier.partition("?")[0].rpartition("/")[2]
    if not is_number(found):
        raise ProtocolError("Shopify: an id without a number", sample=sample(identifier))
    return found


def instant(text: str) -> Instant:
    """Return the instant of an ISO 8601 text with a zone; raises `ProtocolError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _EPOCH.replace(tzinfo=None)
    if moment.tzinfo is None:
        raise ProtocolError("Shopify: a time that is none", sample=sample(text))
    return (moment - _EPOCH) // _MICROSECOND


def timestamp(at: Instant) -> str:
    """Return an instant as Shopify's search takes it: UTC, cut to the second."""
    return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%dT%H:%M:%SZ}"


# --- the envelope ------------------------------------------------------------------------------------------------


class ThrottleStatus(msgspec.Struct, frozen=True, rename="camel"):
    """What is left in the bucket; whole or broken numbers."""

    maximum_available: float
    currently_available: float
    restore_rate: float


class Cost(msgspec.Struct, frozen=True, rename="camel"):
    """What a document asked for and cost."""

    requested_query_cost: float | None = None
    actual_query_cost: float | None = None
    throttle_status: ThrottleStatus | None = None


class SearchReport(msgspec.Struct, frozen=True):
    """How a search was understood."""

    warnings: list[Any] = []


class Extensions(msgspec.Struct, frozen=True):
    """What stands beside the data."""

    cost: Cost | None = None
    search: list[SearchReport] = []


class FaultExtensions(msgspec.Struct, frozen=True):
    """What stands beside the message of a fault."""

    code: str = ""


class Fault(msgspec.Struct, frozen=True):
    """A top-level error."""

    message: str = ""
    extensions: FaultExtensions | None = None

    @property
    def code(self) -> str:
        """Return the code, empty where there is none."""
        return self.extensions.code if self.extensions else ""


class Reply(msgspec.Struct, frozen=True):
    """An answer of the GraphQL endpoint; `data` is empty bytes where the answer has none, `null` where it is null."""

    data: msgspec.Raw = msgspec.Raw(b"")
    errors: list[Fault] = []
    extensions: Extensions | None = None

    @property
    def cost(self) -> Cost:
        """Return the cost, empty where the answer has none."""
        return (self.extensions and self.extensions.cost) or Cost()


def request_body(document: Document, variables: Mapping[str, Any]) -> bytes:
    """Return the exact bytes of a request; equal variables give equal bytes, so that a retry is the same request."""
    return msgspec.json.encode({"query": document.text, "operationName": document.name, "variables": variables})


def reply(body: bytes) -> Reply:
    """Read an answer; raises `ProtocolError` where it is no GraphQL answer (an HTML page, for example)."""
    found = decode(body, Reply)
    if not bytes(found.data) and not found.errors:
        raise ProtocolError("Shopify: an answer with neither data nor errors", sample=sample(body))
    return found


def refusal(status: int, body: bytes) -> ChannelError | None:
    """Return what an HTTP status means; None for an answer to be read.

    402 is a frozen shop, 423 a locked one, 430 a refusal for security (shopify.dev, response codes, 2026-11).
    """
    if status == 200:
        return None
    message = f"Shopify answers {status}: {sample(body)}"
    if status in _AUTH_STATUSES:
        return AuthError(f"{message}; check the token, and that the app is installed and the shop is open")
    return ProtocolError(f"{message}; check shop and api_version")


def data(found: Reply, kind: type[T]) -> T:
    """Return the data of an answer as `kind`; raises `ProtocolError` where it has another shape."""
    return shape(bytes(found.data), kind)


def shape(raw: bytes, kind: type[T]) -> T:
    """Return JSON as `kind`; raises `ProtocolError`. For what was checked before, and for the lines of files."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as fault:
        message = sample(str(fault))
    raise ProtocolError(f"Shopify: {message}", sample=sample(raw))


def wait_s(cost: Cost) -> float:
    """Return seconds until the bucket holds what the document asked for."""
    status = cost.throttle_status
    if status is None or cost.requested_query_cost is None or status.restore_rate <= 0:
        return UNKNOWN_WAIT_S
    return max(LEAST_WAIT_S, (cost.requested_query_cost - status.currently_available) / status.restore_rate)


def failure(found: Reply) -> ChannelError | None:
    """Return what an answer with errors means, None without errors.

    A throttled document is refused before it runs. An ignored search filter would match everything, so its warning is
    an error here.
    """
    codes = {fault.code for fault in found.errors}
    said = _said(fault.message for fault in found.errors)
    if "THROTTLED" in codes:
        return RateLimited("Shopify: throttled", retry_after_s=wait_s(found.cost))
    if codes & _AUTH_CODES:
        return AuthError(f"Shopify: access denied: {said}")
    if codes & _FAULT_CODES:
        return TransientError(f"Shopify: {' '.join(sorted(codes & _FAULT_CODES))}: {said}")
    if found.errors:
        return ProtocolError(f"Shopify: {' '.join(sorted(codes)) or 'error'}: {said}")
    if found.extensions and any(report.warnings for report in found.extensions.search):
        return ProtocolError("Shopify: a search filter was ignored")
    return None


def untouched(found: Reply) -> bool:
    """Tell whether an answer with errors says for certain that nothing was changed.

    A request that is refused has one of the known codes, or no data at all (GraphQL 2021, 7.1: no data, no execution).
    """
    codes = {fault.code for fault in found.errors}
    if codes & _FAULT_CODES or not codes:
        return False
    return codes <= _REFUSED_CODES or not bytes(found.data)


def _said(messages: Iterable[str]) -> str:
    return redact("; ".join(messages))[:MOST_MESSAGE]


# --- parts of answers --------------------------------------------------------------------------------------------


class PageInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Whether a connection goes on, and from where."""

    has_next_page: bool
    end_cursor: str | None = None


class Page(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    """One page of a connection."""

    nodes: list[T]
    page_info: PageInfo


class Rows(msgspec.Struct, Generic[T], frozen=True):
    """A connection of which one page is all there is."""

    nodes: list[T]


class Ref(msgspec.Struct, frozen=True):
    """An object of which the id is all that is asked."""

    id: str


class UserError(msgspec.Struct, frozen=True):
    """A refusal of one mutation."""

    message: str = ""
    code: str | None = None
    field: list[str] | None = None


def said(errors: Iterable[UserError]) -> str:
    """Return what errors say in one line, without secrets."""
    return _said(f"{error.code or 'error'}: {error.message}" for error in errors)


class Quantity(msgspec.Struct, frozen=True):
    """One named quantity of a level."""

    name: str
    quantity: int


def available(quantities: Iterable[Quantity]) -> int | None:
    """Return the quantity that can be sold."""
    return next((entry.quantity for entry in quantities if entry.name == "available"), None)


class LocationNode(msgspec.Struct, frozen=True, rename="camel"):
    """A place that holds stock."""

    id: str
    name: str
    is_active: bool
    ships_inventory: bool
    is_fulfillment_service: bool


class LocationsData(msgspec.Struct, frozen=True):
    """Answer of SyncdLocations."""

    locations: Page[LocationNode]


class LevelNode(msgspec.Struct, frozen=True, rename="camel"):
    """The level of one item at the location asked for."""

    is_active: bool
    quantities: list[Quantity]


class ItemNode(msgspec.Struct, frozen=True, rename="camel"):
    """An inventory item; without an id it is something else that has the id asked for."""

    id: str = ""
    inventory_level: LevelNode | None = None


class LevelsData(msgspec.Struct, frozen=True):
    """Answer of SyncdInventoryLevels: one entry per id, in order."""

    nodes: list[ItemNode | None]


class ScopeNode(msgspec.Struct, frozen=True):
    """A right that was granted."""

    handle: str


class Installation(msgspec.Struct, frozen=True, rename="camel"):
    """This app in this shop."""

    access_scopes: list[ScopeNode]


class ScopesData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdScopes."""

    current_app_installation: Installation


class ShopNode(msgspec.Struct, frozen=True, rename="camel"):
    """The shop itself."""

    myshopify_domain: str


class VersionNode(msgspec.Struct, frozen=True):
    """A version of the API."""

    handle: str
    supported: bool


class HealthData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdHealth."""

    shop: ShopNode
    current_app_installation: Installation
    public_api_versions: list[VersionNode]


def scopes(installation: Installation) -> frozenset[str]:
    """Return the rights that are granted, with those that they include: writing includes reading."""
    return with_implied(scope.handle for scope in installation.access_scopes)


def with_implied(handles: Iterable[str]) -> frozenset[str]:
    """Return rights with those that they include."""
    granted = frozenset(handles)
    return granted | {"read_" + handle.removeprefix("write_") for handle in granted if handle.startswith("write_")}
