"""A simulated Amazon over HTTP for tests, and calls to it that are written by hand."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from adapters.amazon.simulator import AmazonSimulator, make
from syncd.testing.clock import ManualClock
from syncd.testing.simulators import serve
from tests.adapters.amazon_simulation_models import all_faults, there

MARKETPLACE = "A1VC38T7YXB528"
AGENT = "syncd/1.0 (Language=Python/3.11; Platform=Linux)"
SCOPE = "sellingpartnerapi::notifications"
JSON = "application/json; charset=UTF-8"
PATIENCE_S = 5.0
ITEMS = "/listings/2021-08-01/items"
ORDERS = "/orders/2026-01-01/orders"
FEEDS = "/feeds/2021-06-30"
REPORTS = "/reports/2021-06-30"
NOTIFICATIONS = "/notifications/v1"
START = "2026-10-01T00:00:00Z"
"""When the clock of tests begins, in whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `body` is decoded JSON, None for no body."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """Return the code of the first error."""
        code: str = self.body["errors"][0]["code"]
        return code

    @property
    def details(self) -> str:
        """Return the details of the first error."""
        details: str = self.body["errors"][0]["details"]
        return details


@dataclass(slots=True, kw_only=True)
class Scene:
    """A served account and a client of it. `answers` are all answers so far."""

    simulator: AmazonSimulator
    clock: ManualClock
    url: str
    session: aiohttp.ClientSession
    token: str = ""
    grantless: str = ""
    answers: list[Answer] = field(default_factory=list)

    # --- tokens ---

    async def login(self, **form: str) -> Answer:
        """Ask for a token, by default with the refresh token."""
        tokens = self.simulator.shop.tokens
        whole = {"client_id": tokens.client_id, "client_secret": tokens.client_secret} | form
        if "grant_type" not in form:
            whole |= {"grant_type": "refresh_token", "refresh_token": form.get("refresh_token", tokens.refresh_token)}
        return await self.send("POST", "/auth/o2/token", data=urlencode(whole).encode(), kind=_FORM)

    async def enter(self) -> None:
        """Get a token of the seller, and one without a seller."""
        self.token = (await self.login()).body["access_token"]
        self.grantless = (await self.login(grant_type="client_credentials", scope=SCOPE)).body["access_token"]

    # --- calls ---

    async def send(
        self, method: str, path: str, *, data: bytes | None = None, kind: str = "", headers: Mapping[str, str] = {}
    ) -> Answer:
        """Send bytes, with no header but these."""
        given = {"User-Agent": AGENT} | ({"Content-Type": kind} if kind else {}) | dict(headers)
        url = URL(f"{self.url}{path}", encoded=True)
        async with self.session.request(method, url, data=data, headers=given) as response:
            raw = await response.read()
            decoded = msgspec.json.decode(raw) if raw and "json" in response.headers["Content-Type"] else raw or None
            answer = Answer(method=method, path=path, status=response.status, headers=response.headers, body=decoded)
        self.answers.append(answer)
        return answer

    async def call(
        self, method: str, path: str, *, body: Any = None, token: str | None = None, **query: str | int
    ) -> Answer:
        """Call an operation, by default with the seller's token; the query is encoded with nothing safe."""
        text = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        data = None if body is None else msgspec.json.encode(body)
        headers = {"x-amz-access-token": self.token if token is None else token}
        kind = "" if body is None else "application/json"
        return await self.send(method, f"{path}?{text}" if text else path, data=data, kind=kind, headers=headers)

    async def get(self, path: str, **query: str | int) -> Answer:
        """Read."""
        return await self.call("GET", path, **query)

    async def told(self, path: str, **query: str | int) -> Any:
        """Read, and return the body of a 200."""
        answer = await self.get(path, **query)
        assert answer.status == 200, answer.body
        return answer.body

    async def control(self, path: str, body: Any) -> Answer:
        """Call the control API."""
        return await self.send("POST", f"/_sim/{path}", data=msgspec.json.encode(body), kind="application/json")

    # --- listings ---

    def item_path(self, sku: str) -> str:
        """Return the path of an offer."""
        return f"{ITEMS}/{self.simulator.shop.seller}/{quote(sku, safe='')}"

    async def item(self, sku: str, data: str = "fulfillmentAvailability") -> Any:
        """Return an offer."""
        return await self.told(self.item_path(sku), marketplaceIds=MARKETPLACE, includedData=data)

    async def quantity(self, sku: str) -> int | None:
        """Return the live quantity of an offer."""
        found: int | None = (await self.item(sku))["fulfillmentAvailability"][0].get("quantity")
        return found

    async def patch(self, sku: str, *patches: Any, product_type: str = "PRODUCT", **query: str) -> Answer:
        """Patch an offer."""
        body = {"productType": product_type, "patches": list(patches)}
        return await self.call("PATCH", self.item_path(sku), body=body, **{"marketplaceIds": MARKETPLACE} | query)

    async def search(self, **query: str | int) -> Answer:
        """Search offers."""
        path = f"{ITEMS}/{self.simulator.shop.seller}"
        return await self.get(path, **{"marketplaceIds": MARKETPLACE} | query)

    # --- orders ---

    async def orders(self, **query: str | int) -> Any:
        """Search orders and return the body."""
        given: dict[str, str | int] = {"includedData": "FULFILLMENT,CANCELLATION", "marketplaceIds": MARKETPLACE}
        if "createdAfter" not in query:
            given["lastUpdatedAfter"] = START
        return await self.told(ORDERS, **given | query)

    async def order(self, order_id: str, data: str = "FULFILLMENT,CANCELLATION") -> Any:
        """Return an order."""
        return (await self.told(f"{ORDERS}/{order_id}", includedData=data))["order"]

    # --- files ---

    async def upload(self, content: bytes, *, kind: str = JSON) -> str:
        """Put a file up and return its id."""
        made = await self.call("POST", f"{FEEDS}/documents", body={"contentType": kind})
        assert made.status == 201, made.body
        async with self.session.put(made.body["url"], data=content, headers={"Content-Type": kind}) as response:
            assert response.status == 200, await response.text()
        identity: str = made.body["feedDocumentId"]
        return identity

    async def feed(self, content: bytes, *, feed_type: str = "JSON_LISTINGS_FEED", kind: str = JSON) -> str:
        """Send a feed and return its id."""
        document = await self.upload(content, kind=kind)
        body = {"feedType": feed_type, "marketplaceIds": [MARKETPLACE], "inputFeedDocumentId": document}
        made = await self.call("POST", f"{FEEDS}/feeds", body=body)
        assert made.status == 202, made.body
        identity: str = made.body["feedId"]
        return identity

    async def feed_status(self, feed_id: str) -> Any:
        """Return how far a feed is."""
        return await self.told(f"{FEEDS}/feeds/{feed_id}")

    async def result(self, feed_id: str) -> bytes:
        """Take the processing report of a feed down."""
        document = (await self.feed_status(feed_id))["resultFeedDocumentId"]
        where = await self.told(f"{FEEDS}/documents/{document}")
        raw, _ = await self.download(where["url"])
        return gzip.decompress(raw) if where.get("compressionAlgorithm") == "GZIP" else raw

    async def download(self, url: str) -> tuple[bytes, Mapping[str, str]]:
        """Take a file down."""
        async with self.session.get(URL(url, encoded=True)) as response:
            assert response.status == 200, await response.text()
            return await response.read(), response.headers

    # --- the truth ---

    def first(self, number: int = 1) -> Any:
        """Return what the n-th listing shows."""
        return self.simulator.shown()[number - 1]

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not enough():
                await asyncio.sleep(0.001)


_FORM = "application/x-www-form-urlencoded;charset=UTF-8"


def merge(quantity: object, **more: Any) -> dict[str, Any]:
    """Return the patch that sets a quantity as it should be."""
    return availability("merge", {"fulfillment_channel_code": "DEFAULT", "quantity": quantity, **more})


def availability(op: str, *entries: Any) -> dict[str, Any]:
    """Return a patch of fulfillment_availability."""
    return {"op": op, "path": "/attributes/fulfillment_availability", "value": list(entries)}


def message(number: int, sku: str, quantity: int) -> dict[str, Any]:
    """Return a feed message that sets a quantity as it should be."""
    return {
        "messageId": number,
        "sku": sku,
        "operationType": "PATCH",
        "productType": "PRODUCT",
        "patches": [merge(quantity)],
    }


def listings_feed(scene: Scene, *messages: Any, **header: Any) -> bytes:
    """Return the file of a listings feed."""
    whole = {"sellerId": scene.simulator.shop.seller, "version": "2.0", "issueLocale": "ja_JP"} | header
    return msgspec.json.encode({"header": whole, "messages": list(messages)})


@asynccontextmanager
async def opened(*, skus: int = 12, seed: int = 1, scale: float = 0.0, enter: bool = True) -> AsyncIterator[Scene]:
    """Serve an account, by default one whose delays take no time, and log in.

    At the end every answer is held against Amazon's models, where they are.
    """
    clock = ManualClock()
    simulator = make(skus=skus, seed=seed, clock=clock)
    simulator.time_scale = scale
    async with serve(simulator) as url, aiohttp.ClientSession(auto_decompress=False) as session:
        scene = Scene(simulator=simulator, clock=clock, url=url, session=session)
        if enter:
            await scene.enter()
        yield scene
        if there():
            found = all_faults(scene.answers)
            assert not found, found[:5]
