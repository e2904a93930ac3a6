"""A stand-in for the Selling Partner API that says what a test tells it to, in virtual time, without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from adapters.amazon import ADAPTER, AmazonSettings
from adapters.amazon.channel import AmazonChannel
from syncd.sdk.channel import AccountId, Context, ListingRef, Write
from syncd.sdk.secret import Secret
from syncd.testing.loop import VirtualConnector, run_virtual, running

JAPAN = "A1VC38T7YXB528"
SELLER = "A1SELLERSTUB"
RATES = {"patch": "5.0", "items": "5.0"}
LISTINGS = "/listings/2021-08-01/items"
ORDERS = "/orders/2026-01-01/orders"
FEEDS = "/feeds/2021-06-30"
REPORTS = "/reports/2021-06-30"
NOTIFICATIONS = "/notifications/v1"

Answer = Any
"""JSON of a good answer, a whole response, `Cut()`, or what is called with the request to make one of these."""


class Cut(Exception):  # noqa: N818  (what happens)
    """The connection is cut after the request was read."""


@dataclass
class Request:
    """A request that came in; `path` is as it was sent, without the query."""

    name: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stub:
    """`answers` are used up per operation, the last one stays. `requests` are all that came, tokens apart."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    tokens: list[Answer] = field(default_factory=list)
    token_forms: list[dict[str, str]] = field(default_factory=list)
    refused_tokens: set[str] = field(default_factory=set)
    rate: str = ""
    url: str = ""

    def says(self, name: str, *answers: Answer) -> None:
        self.answers[name] = list(answers)

    def of(self, name: str) -> list[Request]:
        return [request for request in self.requests if request.name == name]

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.token_forms.append(form)
        answer: Answer = {
            "access_token": f"Atza|stub-{form['grant_type']}-{len(self.token_forms)}",
            "token_type": "bearer",
            "expires_in": 3600,
        }
        if self.tokens:
            answer = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        return await self._answered(answer, request, None)

    async def api(self, request: web.Request) -> web.StreamResponse:
        name = operation(request)
        got = Request(
            name=name,
            method=request.method,
            path=request.rel_url.raw_path,
            query=dict(request.query),
            headers={key.lower(): value for key, value in request.headers.items()},
            body=await request.read(),
            at_s=asyncio.get_running_loop().time(),
        )
        self.requests.append(got)
        if request.headers.get("x-amz-access-token") in self.refused_tokens:
            return refused(403, "Unauthorized", "Access to requested resource is denied.")
        answers = self.answers[name]
        return await self._answered(answers.pop(0) if len(answers) > 1 else answers[0], request, got)

    async def _answered(self, answer: Answer, request: web.Request, got: Request | None) -> web.StreamResponse:
        if callable(answer) and not isinstance(answer, Exception | web.StreamResponse):
            answer = answer(got)
            if asyncio.iscoroutine(answer):
                answer = await answer
        if isinstance(answer, Exception):
            assert request.transport is not None
            request.transport.abort()
            raise answer
        if isinstance(answer, web.StreamResponse):
            return answer
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        headers = {"x-amzn-RateLimit-Limit": self.rate} if self.rate else {}
        return web.json_response(answer, status=STATUSES.get(got.name if got else "", 200), headers=headers)


STATUSES = {"createFeedDocument": 201, "createFeed": 202, "createReport": 202}


def operation(request: web.Request) -> str:
    """Return the vendor's name of an operation by method and path."""
    path, method = request.rel_url.raw_path, request.method
    if path.startswith("/files/"):
        return "upload" if method == "PUT" else "download"
    parts = path.strip("/").split("/")
    table = {
        ("listings", "PATCH", 5): "patchListingsItem",
        ("listings", "GET", 5): "getListingsItem",
        ("listings", "GET", 4): "searchListingsItems",
        ("orders", "GET", 3): "searchOrders",
        ("orders", "GET", 4): "getOrder",
        ("sellers", "GET", 3): "getMarketplaceParticipations",
    }
    found = table.get((parts[0], method, len(parts)))
    return found or {"GET": "get", "POST": "create", "DELETE": "delete"}[method] + {
        ("feeds", 3): "Feeds" if method == "GET" else "Feed",
        ("feeds", 4): "Feed",
        ("reports", 3): "Report",
        ("reports", 4): "Report",
        ("notifications", 3): "Destinations" if method == "GET" else "Destination",
        ("notifications", 4): "Subscription",
    }.get((parts[0], len(parts)), "") + ("Document" if parts[2] == "documents" else "") * (parts[0] in DOCUMENTED)


DOCUMENTED = ("feeds", "reports")


def refused(status: int, code: str, message: str = "no") -> web.Response:
    """Return a refusal in the form of all the APIs."""
    body = {"errors": [{"code": code, "message": message, "details": ""}]}
    return web.json_response(body, status=status)


def throttled() -> web.Response:
    """Return a 429 as it is seen: without the rate."""
    return refused(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


@asynccontextmanager
async def served(stub: Stub) -> AsyncIterator[Stub]:
    """Serve a stub in the virtual network."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/auth/o2/token", stub.token)
    app.router.add_route("*", "/{path:.*}", stub.api)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8081).start()
    stub.url = "http://127.0.0.1:8081"
    try:
        yield stub
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(stub: Stub, **changes: Any) -> AsyncIterator[AmazonChannel]:
    """Open the adapter on a stub."""
    given: dict[str, Any] = {
        "seller_id": SELLER,
        "client_id": "amzn1.application-oa2-client.stub",
        "client_secret": Secret("amzn1.oa2-cs.v1.stubsecret"),
        "refresh_token": Secret("Atzr|stubrefreshtoken"),
        "base_url": stub.url,
        "lwa_url": f"{stub.url}/auth/o2/token",
        **changes,
    }
    loop = running()
    async with aiohttp.ClientSession(connector=VirtualConnector()) as session:
        context = Context(
            account=AccountId("amazon"),
            session=session,
            clock=loop.clock,
            uuid=lambda: "00000000-0000-7000-8000-000000000001",
            random=lambda: loop.random.between(0.0, 1.0),
        )
        async with ADAPTER.open(AmazonSettings(**given), context) as channel:
            assert isinstance(channel, AmazonChannel)
            yield channel


Scene = Callable[[Stub, AmazonChannel], Coroutine[Any, Any, None]]


def play(scene: Scene, *, stub: Stub | None = None, **changes: Any) -> Stub:
    """Run a scene with a stub and an open channel in virtual time; returns the stub."""
    stage = stub or Stub()

    async def main() -> None:
        async with served(stage), opened(stage, **changes) as channel:
            await scene(stage, channel)

    run_virtual(main)
    return stage


# --- answers -----------------------------------------------------------------------------------------------------


def item(
    sku: str, quantity: int | None = 5, *, channel: str = "DEFAULT", status: tuple[str, ...] = ("BUYABLE",)
) -> Any:
    """Return a listing as the API states it."""
    availability: dict[str, Any] = {"fulfillmentChannelCode": channel}
    if quantity is not None:
        availability["quantity"] = quantity
    summary = {
        "marketplaceId": JAPAN,
        "asin": "B071VG5N9D",
        "productType": "LUGGAGE",
        "status": list(status),
        "itemName": f"品 {sku}",
        "createdDate": "2021-02-01T00:00:00Z",
        "lastUpdatedDate": "2021-03-01T00:00:00Z",
    }
    return {"sku": sku, "summaries": [summary], "fulfillmentAvailability": [availability]}


def found(*items: Any, total: int | None = None, after: str | None = None) -> Any:
    """Return a page of listings."""
    page = {"numberOfResults": len(items) if total is None else total, "items": list(items)}
    return page | ({"pagination": {"nextToken": after}} if after else {})


def stocked(**quantities: int) -> Callable[[Request], Any]:
    """Return an answer to searches that knows these SKUs; underscores stand for hyphens."""
    goods = {sku.replace("_", "-"): quantity for sku, quantity in quantities.items()}

    def answer(request: Request) -> Any:
        asked = request.query["identifiers"].split(",")
        return found(*[item(sku, goods[sku]) for sku in asked if sku in goods])

    return answer


def every(request: Request) -> Any:
    """Answer a search as a shop that has everything five times."""
    return found(*[item(sku, 5) for sku in request.query["identifiers"].split(",")])


def accepted(request: Request) -> Any:
    """Answer a patch as accepted."""
    return {"sku": request.path.rpartition("/")[2], "status": "ACCEPTED", "submissionId": "s-1", "issues": []}


def invalid(code: str = "90220", attribute: str = "fulfillment_availability") -> Any:
    """Return the answer to a patch that is refused."""
    issue = {
        "code": code,
        "message": "is required but not supplied.",
        "severity": "ERROR",
        "attributeNames": [attribute],
        "categories": ["MISSING_ATTRIBUTE"],
    }
    return {"sku": "A", "status": "INVALID", "submissionId": "s-2", "issues": [issue]}


def order(number: int, *, status: str = "UNSHIPPED", **changes: Any) -> dict[str, Any]:
    """Return an order of one line as the API states it."""
    node = {
        "orderId": f"250-{number:07d}-8901234",
        "createdTime": "2026-09-30T23:00:00Z",
        "lastUpdatedTime": "2026-09-30T23:30:00Z",
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": JAPAN, "marketplaceName": "Amazon.co.jp"},
        "fulfillment": {"fulfillmentStatus": status, "fulfilledBy": "MERCHANT"},
        "orderItems": [line(number)],
    }
    return {**node, **changes}


def line(number: int, *, quantity: int = 2, fulfilled: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a line of an order."""
    node = {
        "orderItemId": f"2501234567{number:04d}",
        "quantityOrdered": quantity,
        "product": {"asin": "B07PFFMP9P", "sellerSku": f"SKU-{number}"},
        "fulfillment": {"quantityFulfilled": fulfilled, "quantityUnfulfilled": quantity - fulfilled},
    }
    return {**node, **changes}


def writes(*skus: str, quantity: int = 1) -> list[Write]:
    """Return a write per SKU."""
    return [Write(key=f"key-{sku}", ref=ListingRef(remote_id=sku), quantity=quantity) for sku in skus]
