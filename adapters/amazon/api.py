"""The Selling Partner API of one seller: hosts, tokens, a budget per operation, and what an error answer means.

Rates and bursts are those of the vendor's models (2026-08), per seller and app; a good answer may tell another rate
(`x-amzn-RateLimit-Limit`), a refused one does not (SP-API docs, usage plans, 2026).
"""

from __future__ import annotations

import asyncio
import math
import platform
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec

from adapters.amazon.settings import AmazonSettings
from adapters.amazon.token import NOTIFICATIONS, renewing
from syncd.sdk.channel import Context
from syncd.sdk.errors import AuthError, RejectedError, SyncdError, TransientError
from syncd.sdk.http import Answer, Client, Timeouts
from syncd.sdk.limits import Budget
from syncd.sdk.secret import sample

USER_AGENT: Final = f"syncd/1 (Language=Python/{platform.python_version()}; Platform={platform.system() or 'unknown'})"
"""Mandatory, in this form (SP-API docs, include a User-Agent header in all requests, 2026)."""
READ_TIMEOUTS = Timeouts(connect_s=5.0, total_s=20.0, budget_s=60.0)
READ_TRIES = 3
WRITE_TIMEOUTS = Timeouts(connect_s=3.0, total_s=8.0, budget_s=12.0)
WRITE_TRIES = 2
RARE_PER_S = 0.1
RARE_TIMEOUTS = Timeouts(connect_s=5.0, total_s=20.0, budget_s=2.0)
"""Of operations that are allowed less than once in ten seconds: nobody waits for a turn that is minutes away."""
FILE_TIMEOUTS = Timeouts(connect_s=5.0, total_s=40.0, budget_s=1.0)
READ_S = 150.0
"""A call of the adapter that reads, with all that it asks for."""
RATE_HEADER = "x-amzn-ratelimit-limit"
MOST_RATE_PER_S = 1_000.0
_REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the API and its published limit."""

    name: str
    method: str
    rate_per_s: float
    burst: float


def _operation(name: str, method: str, rate_per_s: float, burst: float) -> Operation:
    return Operation(name=name, method=method, rate_per_s=rate_per_s, burst=burst)


PATCH_ITEM = _operation("patchListingsItem", "PATCH", 5.0, 5.0)
GET_ITEM = _operation("getListingsItem", "GET", 5.0, 5.0)
SEARCH_ITEMS = _operation("searchListingsItems", "GET", 5.0, 5.0)
SEARCH_ORDERS = _operation("searchOrders", "GET", 0.0056, 20.0)
GET_ORDER = _operation("getOrder", "GET", 0.5, 30.0)
CREATE_FEED_DOCUMENT = _operation("createFeedDocument", "POST", 0.5, 15.0)
CREATE_FEED = _operation("createFeed", "POST", 0.0083, 15.0)
GET_FEED = _operation("getFeed", "GET", 2.0, 15.0)
GET_FEEDS = _operation("getFeeds", "GET", 0.0222, 10.0)
GET_FEED_DOCUMENT = _operation("getFeedDocument", "GET", 0.0222, 10.0)
CREATE_REPORT = _operation("createReport", "POST", 0.0167, 15.0)
GET_REPORT = _operation("getReport", "GET", 2.0, 15.0)
GET_REPORT_DOCUMENT = _operation("getReportDocument", "GET", 0.0167, 15.0)
GET_INVENTORY = _operation("getInventorySummaries", "GET", 2.0, 2.0)
GET_PARTICIPATIONS = _operation("getMarketplaceParticipations", "GET", 0.016, 15.0)
GET_SUBSCRIPTION = _operation("getSubscription", "GET", 1.0, 5.0)
CREATE_SUBSCRIPTION = _operation("createSubscription", "POST", 1.0, 5.0)
GET_DESTINATIONS = _operation("getDestinations", "GET", 1.0, 5.0)
CREATE_DESTINATION = _operation("createDestination", "POST", 1.0, 5.0)

WRITING: Final = frozenset({PATCH_ITEM.name, CREATE_FEED.name, CREATE_FEED_DOCUMENT.name})
"""Operations with the short timeouts of a push."""
GRANTLESS: Final = frozenset({GET_DESTINATIONS.name, CREATE_DESTINATION.name})
"""Operations that act for no seller (SP-API docs, grantless operations, 2026)."""


class Fault(msgspec.Struct, frozen=True):
    """One error of an answer."""

    code: str = ""
    message: str = ""
    details: str | None = None


class Faults(msgspec.Struct, frozen=True):
    """The body of a refusal, the same in all APIs of the vendor's models."""

    errors: list[Fault] = []


class Api:
    """Sends requests with a token and within the budget of their operation."""

    def __init__(self, settings: AmazonSettings, context: Context) -> None:
        self._base = settings.url
        self._context = context
        self._reads = self._client(READ_TIMEOUTS, READ_TRIES)
        self._rare = self._client(RARE_TIMEOUTS, READ_TRIES)
        self._writes = self._client(WRITE_TIMEOUTS, WRITE_TRIES)
        self._files = self._client(FILE_TIMEOUTS, READ_TRIES)
        login = Client(
            context.session,
            base_url=settings.login_url,
            clock=context.clock,
            random=context.random,
            timeout=WRITE_TIMEOUTS,
            tries=READ_TRIES,
            user_agent=USER_AGENT,
        )
        self.seller = renewing(login, settings=settings, clock=context.clock)
        self._grantless = renewing(login, settings=settings, clock=context.clock, scope=NOTIFICATIONS)
        self._budgets: dict[str, Budget] = {}

    def _client(self, timeout: Timeouts, tries: int) -> Client:
        return Client(
            self._context.session,
            base_url=self._base,
            clock=self._context.clock,
            random=self._context.random,
            timeout=timeout,
            tries=tries,
            user_agent=USER_AGENT,
        )

    def budget(self, operation: Operation) -> Budget:
        """Return the budget of an operation, which all calls of it share."""
        found = self._budgets.get(operation.name)
        if found is None:
            found = self._budgets[operation.name] = Budget(
                f"amazon {operation.name}",
                capacity=operation.burst,
                rate_per_s=operation.rate_per_s,
                clock=self._context.clock,
            )
        return found

    async def call(
        self,
        operation: Operation,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        expect: Collection[int] = (200,),
    ) -> Answer:
        """Send a request, and once more with a newer token where its token was refused; `path` is encoded already.

        Raises `AuthError` where the newer token is refused too, and what `refusal` and the client's table say.
        """
        owner = self._grantless if operation.name in GRANTLESS else self.seller
        token = await owner.token()
        answer = await self._send(operation, path, token=token, params=params, json=json, expect=expect)
        if answer.status in _REFUSED:
            token = await owner.after(token)
            answer = await self._send(operation, path, token=token, params=params, json=json, expect=expect)
        if answer.status in _REFUSED:
            raise AuthError(f"Amazon refuses {operation.name} ({answer.status}): {said(answer)}; {_remedy(operation)}")
        self._learn(operation, answer)
        return answer

    async def _send(
        self,
        operation: Operation,
        path: str,
        *,
        token: str,
        params: Mapping[str, str | int] | None,
        json: Any,
        expect: Collection[int],
    ) -> Answer:
        return await self._client_of(operation).request(
            operation.method,
            f"{self._base}{path}",
            params=params,
            headers={"x-amz-access-token": token},
            json=json,
            idempotent=operation.method in ("GET", "PATCH"),
            budget=self.budget(operation),
            expect=(*expect, *_REFUSED),
            classify=lambda answer: None if answer.status in expect else refusal(answer),
        )

    def _client_of(self, operation: Operation) -> Client:
        if operation.name in WRITING:
            return self._writes
        return self._rare if operation.rate_per_s < RARE_PER_S else self._reads

    async def upload(self, url: str, body: bytes, *, kind: str) -> None:
        """Put a file where Amazon said; the address itself is the right to do so, no token goes there."""
        await self._files.request(
            "PUT", url, headers={"Content-Type": kind}, body=body, idempotent=True, expect=(200, 201), content="bytes"
        )

    async def download(self, url: str, *, most_bytes: int) -> Answer:
        """Read a file from where Amazon said."""
        return await self._files.request("GET", url, idempotent=True, content="bytes", most_bytes=most_bytes)

    def _learn(self, operation: Operation, answer: Answer) -> None:
        rate = rate_of(answer.headers.get(RATE_HEADER, ""))
        if rate is not None:
            self.budget(operation).correct(rate_per_s=rate)


def rate_of(text: str) -> float | None:
    """Return the rate of a header; None for what is no rate (a mock says "string")."""
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if math.isfinite(rate) and 0.0 < rate <= MOST_RATE_PER_S else None


def encoded(text: str) -> str:
    """Return a piece of a path in which nothing is left to read otherwise: SKUs hold slashes, spaces and Japanese."""
    return quote(text, safe="")


def refusal(answer: Answer) -> SyncdError | None:
    """Return what a refusal of the request for good is; every other status is the client's own table.

    400, 404, 413 and 415 hold a list of errors (the vendor's models, 2026-08).
    """
    if answer.status not in (400, 404, 409, 413, 415):
        return None
    return RejectedError(f"{answer.status} {said(answer)}".strip())


def said(answer: Answer) -> str:
    """Return code and message of the first error of a refusal, redacted; empty where it has none."""
    try:
        faults = msgspec.json.decode(answer.body, type=Faults).errors
    except msgspec.DecodeError:
        return ""
    if not faults:
        return ""
    first = faults[0]
    return sample(": ".join(part for part in (first.code, first.message, first.details or "") if part))


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Bound a call that asks several times; raises `TransientError` when it does not end in time."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        late = TransientError(f"Amazon: {what} did not end within {seconds:g} s")
    else:
        return
    raise late


def _remedy(operation: Operation) -> str:
    role = _ROLES.get(operation.name)
    return f"the app needs the role {role}" if role else "look at the roles of the app in Seller Central"


_ROLES: Final[Mapping[str, str]] = {
    **dict.fromkeys((PATCH_ITEM.name, GET_ITEM.name, SEARCH_ITEMS.name), "Product Listing"),
    **dict.fromkeys((SEARCH_ORDERS.name, GET_ORDER.name), "Inventory and Order Tracking"),
    GET_INVENTORY.name: "Amazon Fulfillment",
}
"""SP-API docs, roles, 2026."""
