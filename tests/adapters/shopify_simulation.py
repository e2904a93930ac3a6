"""A simulated shop over HTTP for tests, and the documents that they send to it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from adapters.shopify.simulated.goods import InventoryItem, InventoryLevel
from adapters.shopify.simulator import ShopifySimulator, make
from syncd.testing.clock import ManualClock
from syncd.testing.simulators import serve

VERSION = "2026-10"
PATIENCE_S = 5.0

SET = """mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id changes { name delta quantityAfterChange item { id } location { id } } }
    userErrors { code field message }
  }
}"""
LEVELS = """query Levels($ids: [ID!]!, $location: ID!, $all: Boolean) {
  nodes(ids: $ids) { ... on InventoryItem { id sku inventoryLevel(locationId: $location, includeInactive: $all) {
    isActive quantities(names: ["available", "on_hand", "committed"]) { name quantity updatedAt } } } }
}"""
ORDER = """query Order($id: ID!) { order(id: $id) {
  name cancelledAt cancelReason closed displayFinancialStatus displayFulfillmentStatus returnStatus
  lineItems(first: 50) { nodes { id sku quantity currentQuantity unfulfilledQuantity } }
  fulfillmentOrders(first: 10) { nodes { status assignedLocation { location { id } }
    lineItems(first: 10) { nodes { totalQuantity remainingQuantity } } } }
  fulfillments(first: 10) { status fulfillmentLineItems(first: 10) { nodes { quantity } } }
  refunds(first: 10) { refundLineItems(first: 10) { nodes { quantity restockType restocked location { id } } } }
  returns(first: 10) { nodes { status totalQuantity } }
} }"""

SUBSCRIBE = """mutation Create($topic: WebhookSubscriptionTopic!, $sub: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $sub) {
    webhookSubscription { id topic uri format includeFields name filter apiVersion { handle supported } }
    userErrors { field message }
  }
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: Any

    @property
    def codes(self) -> list[str]:
        """Return the codes of the top-level errors."""
        return [error["extensions"]["code"] for error in self.body.get("errors", ())]

    @property
    def cost(self) -> Any:
        """Return what was asked for, used, and is left."""
        return self.body["extensions"]["cost"]


@dataclass(slots=True, kw_only=True)
class Scene:
    """A served shop and a client of it."""

    simulator: ShopifySimulator
    clock: ManualClock
    url: str
    session: aiohttp.ClientSession
    keys: int = 0
    token: str = ""

    async def ask(
        self, text: str, variables: dict[str, Any] | None = None, *, token: str = "", version: str = VERSION
    ) -> Answer:
        """Send a document."""
        return await self.post(
            f"/admin/api/{version}/graphql.json",
            {"query": text, "variables": variables or {}},
            headers={"X-Shopify-Access-Token": token or self.simulator.shop.tokens.fixed},
        )

    async def data(self, text: str, **variables: Any) -> Any:
        """Send a document that has no errors and return its data."""
        answer = await self.ask(text, variables)
        assert answer.status == 200
        assert "errors" not in answer.body, answer.body
        return answer.body["data"]

    async def set(self, *rows: dict[str, Any], key: str = "", **head: Any) -> Any:
        """Set quantities and return the payload."""
        self.keys += 1
        given = {"name": "available", "reason": "correction", "quantities": list(rows), **head}
        data = await self.data(SET, input=given, key=key or f"key-{self.keys}")
        return data["inventorySetQuantities"]

    async def post(self, path: str, body: Any, *, headers: dict[str, str] | None = None) -> Answer:
        """Post JSON."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.session.post(f"{self.url}{path}", data=raw, headers=headers) as response:
            return Answer(
                status=response.status, headers=response.headers, body=msgspec.json.decode(await response.read())
            )

    async def get(self, path: str) -> Any:
        """Get JSON."""
        async with self.session.get(f"{self.url}{path}") as response:
            return msgspec.json.decode(await response.read())

    async def buy(self, *lines: tuple[str, int]) -> Any:
        """Let a shopper buy and return the order of the control API."""
        answer = await self.post("/_sim/orders", {"lines": [{"sku": sku, "quantity": n} for sku, n in lines]})
        assert answer.status == 201, answer.body
        return answer.body

    def item(self, number: int = 1) -> InventoryItem:
        """Return the n-th good."""
        return self.simulator.shop.goods.items[number - 1]

    def level(self, number: int = 1) -> InventoryLevel:
        """Return the level of the n-th good at the main location."""
        return self.item(number).levels[self.simulator.shop.goods.main.legacy_resource_id]

    def row(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        """Return an entry that sets the n-th good to 7 from what it is."""
        level = self.level(number)
        return {
            "inventoryItemId": level.item.id,
            "locationId": level.location.id,
            "quantity": 7,
            "changeFromQuantity": level.available,
            **changes,
        }


@asynccontextmanager
async def opened(*, skus: int = 12, seed: int = 1) -> AsyncIterator[Scene]:
    """Serve a shop whose delays take no time."""
    clock = ManualClock()
    simulator = make(skus=skus, seed=seed, clock=clock)
    simulator.time_scale = 0.0
    async with serve(simulator) as url, aiohttp.ClientSession() as session:
        yield Scene(simulator=simulator, clock=clock, url=url, session=session)


@dataclass(slots=True)
class Receiver:
    """Where webhooks go: `status` is how it answers."""

    url: str = ""
    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Note a delivery."""
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.status)

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not enough():
                await asyncio.sleep(0.001)

    async def topics(self, count: int) -> list[str]:
        """Wait for so many deliveries and return their topics."""
        await self.until(lambda: len(self.got) >= count)
        return [headers["x-shopify-topic"] for headers, _ in self.got]

    def bodies(self, topic: str) -> list[Any]:
        """Return the bodies of a topic, as they came."""
        return [msgspec.json.decode(raw) for headers, raw in self.got if headers["x-shopify-topic"] == topic]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve a receiver of webhooks."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()


def told(payload: Any) -> list[tuple[str, str]]:
    """Return the code and the place of each user error."""
    return [(error["code"], ".".join(error["field"] or ())) for error in payload["userErrors"]]


def signed(raw: bytes, secret: str) -> str:
    """Return the signature that a body must have."""
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()


async def subscribe(scene: Scene, topic: str, **sub: Any) -> Any:
    """Subscribe by the API and return the payload."""
    data = await scene.data(SUBSCRIBE, topic=topic, sub={"format": "JSON", **sub})
    return data["webhookSubscriptionCreate"]


async def subscribed(scene: Scene, topic: str, **sub: Any) -> str:
    """Subscribe by the API and return the id."""
    payload = await subscribe(scene, topic, **sub)
    assert payload["userErrors"] == []
    identity: str = payload["webhookSubscription"]["id"]
    return identity
