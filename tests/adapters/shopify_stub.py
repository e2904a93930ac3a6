"""A stand-in for the Admin API that says what a test tells it to, in virtual time and an in-memory network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from adapters.shopify import ADAPTER, ShopifySettings
from adapters.shopify.channel import ShopifyChannel
from syncd.sdk.channel import AccountId, Context, ListingRef, Write
from syncd.sdk.secret import Secret
from syncd.testing.loop import VirtualConnector, run_virtual, running

SHOP = "stub.myshopify.com"
TOKEN = "shpat_stub0123456789"
COST = {"requestedQueryCost": 13, "actualQueryCost": 13}
STATUS = {"maximumAvailable": 2000, "currentlyAvailable": 1987, "restoreRate": 100}

Answer = dict[str, Any] | web.StreamResponse | Exception | Callable[[dict[str, Any]], Any]
"""The data of an answer, a whole response, `Cut()`, or what is called with the variables to make one of these."""


class Cut(Exception):  # noqa: N818  (what happens)
    """The connection is cut after the request was read."""


@dataclass
class Request:
    """A request that came in."""

    name: str
    body: bytes
    headers: dict[str, str]
    at_s: float

    @property
    def variables(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["variables"]
        return found


@dataclass
class Stub:
    """`answers` are used up per operation name, the last one stays. `requests` are all that came."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    tokens: list[Answer] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    token_requests: int = 0
    refused_tokens: set[str] = field(default_factory=set)
    answered_version: str = "2026-10"
    base_url: str = ""
    file_headers: dict[str, str] = field(default_factory=dict)

    def says(self, name: str, *answers: Answer) -> None:
        self.answers[name] = list(answers)

    def of(self, name: str) -> list[Request]:
        return [request for request in self.requests if request.name == name]

    async def graphql(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        name = json.loads(body)["operationName"]
        self.requests.append(Request(name, body, dict(request.headers), asyncio.get_running_loop().time()))
        if request.headers.get("X-Shopify-Access-Token") in self.refused_tokens:
            return web.json_response({"errors": "[API] Invalid API key or access token"}, status=401)
        answers = self.answers[name]
        return await self._answer(request, answers.pop(0) if len(answers) > 1 else answers[0], body)

    async def _answer(self, request: web.Request, answer: Answer, body: bytes) -> web.StreamResponse:
        if callable(answer) and not isinstance(answer, Exception | web.StreamResponse):
            answer = answer(json.loads(body)["variables"])
            if asyncio.iscoroutine(answer):
                answer = await answer
        if isinstance(answer, Exception):
            assert request.transport is not None
            request.transport.abort()
            raise answer
        if isinstance(answer, dict):
            whole = answer if answer.keys() & {"data", "errors"} else {"data": answer}
            whole = {"extensions": {"cost": {**COST, "throttleStatus": STATUS}}, **whole}
            return web.json_response(whole, headers={"X-Shopify-API-Version": self.answered_version})
        assert isinstance(answer, web.StreamResponse)
        return answer

    async def token(self, request: web.Request) -> web.StreamResponse:
        self.token_requests += 1
        form = dict(await request.post())
        assert form["grant_type"] == "client_credentials"
        if self.tokens:
            answer = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
            if isinstance(answer, Exception):
                assert request.transport is not None
                request.transport.abort()
                raise answer
            if isinstance(answer, dict):
                return web.json_response(answer)
            assert isinstance(answer, web.StreamResponse)
            return answer
        return web.json_response(
            {
                "access_token": f"{TOKEN}{self.token_requests}",
                "scope": "read_orders,write_inventory",
                "expires_in": 86399,
            }
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        self.file_headers = dict(request.headers)
        return web.Response(body=self.files[request.match_info["name"]])


@asynccontextmanager
async def served(stub: Stub) -> AsyncIterator[Stub]:
    """Serve a stub in the virtual network."""
    app = web.Application()
    app.router.add_post("/admin/api/2026-10/graphql.json", stub.graphql)
    app.router.add_post("/admin/oauth/access_token", stub.token)
    app.router.add_get("/files/{name}", stub.file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8080).start()
    stub.base_url = "http://127.0.0.1:8080"
    try:
        yield stub
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(stub: Stub, **changes: Any) -> AsyncIterator[ShopifyChannel]:
    """Open the adapter on a stub."""
    given: dict[str, Any] = {
        "shop": SHOP,
        "client_id": "id",
        "client_secret": Secret("shpss_stub_secret"),
        "base_url": stub.base_url,
        "location_ids": ("9",),
        **changes,
    }
    numbers = iter(range(10_000_000))
    loop = running()
    async with aiohttp.ClientSession(connector=VirtualConnector()) as session:
        context = Context(
            account=AccountId("shopify"),
            session=session,
            clock=loop.clock,
            uuid=lambda: f"00000000-0000-7000-8000-{next(numbers):012d}",
            random=lambda: loop.random.between(0.0, 1.0),
        )
        async with ADAPTER.open(ShopifySettings(**given), context) as channel:
            assert isinstance(channel, ShopifyChannel)
            yield channel


Scene = Callable[[Stub, ShopifyChannel], Coroutine[Any, Any, None]]


def play(scene: Scene, *, stub: Stub | None = None, **changes: Any) -> Stub:
    """Run a scene with a stub and an open channel in virtual time; returns the stub."""
    stage = stub or Stub()

    async def main() -> None:
        async with served(stage), opened(stage, **changes) as channel:
            await scene(stage, channel)

    run_virtual(main)
    return stage


def order(number: int, **changes: Any) -> dict[str, Any]:
    """Return an order of one line as the API states it."""
    node = {
        "id": f"gid://shopify/Order/{number}",
        "name": f"#{number}",
        "createdAt": "2026-09-30T23:00:00Z",
        "updatedAt": "2026-09-30T23:30:00Z",
        "cancelledAt": None,
        "closed": False,
        "confirmed": True,
        "test": False,
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "returnStatus": "NO_RETURN",
        "lineItems": page([line(number * 10)]),
        "fulfillments": [],
        "refunds": [],
    }
    return {**node, **changes}


def line(number: int) -> dict[str, Any]:
    """Return a line of one unit."""
    item = {"id": f"gid://shopify/InventoryItem/{number}5", "tracked": True}
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "sku": f"SKU-{number}",
        "quantity": 1,
        "currentQuantity": 1,
        "unfulfilledQuantity": 1,
        "variant": {"id": f"gid://shopify/ProductVariant/{number}3", "inventoryItem": item},
    }


def page(nodes: list[Any], after: str | None = None) -> dict[str, Any]:
    """Return one page of a connection; `after` says that there are more."""
    return {"nodes": nodes, "pageInfo": {"hasNextPage": after is not None, "endCursor": after}}


def level(item: int, quantity: int | None, *, active: bool = True) -> dict[str, Any]:
    """Return an item with its level, None for one without a level."""
    made = {
        "id": f"gid://shopify/InventoryLevel/1?inventory_item_id={item}",
        "isActive": active,
        "quantities": [{"name": "available", "quantity": quantity}],
    }
    return {"id": f"gid://shopify/InventoryItem/{item}", "inventoryLevel": None if quantity is None else made}


def refs(*items: int, location: str = "9") -> list[ListingRef]:
    """Return listings of items at a location."""
    return [ListingRef(remote_id=str(item), remote_location=location) for item in items]


def writes(*items: int, location: str = "9") -> list[Write]:
    """Return a write per item."""
    return [
        Write(key=f"key-{ref.remote_id}", ref=ref, quantity=1, expected=5) for ref in refs(*items, location=location)
    ]


def location(number: int, *, active: bool = True, ships: bool = True, service: bool = False) -> dict[str, Any]:
    """Return a place that holds stock."""
    return {
        "id": f"gid://shopify/Location/{number}",
        "name": f"Place {number}",
        "isActive": active,
        "shipsInventory": ships,
        "isFulfillmentService": service,
    }


PLACES = [location(1), location(2, active=False), location(3, ships=False), location(4, service=True), location(5)]
