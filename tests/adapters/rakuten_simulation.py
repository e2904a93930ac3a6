"""A simulated Rakuten shop over HTTP for tests, and requests to it that are written by hand."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from adapters.rakuten.simulator import RakutenSimulator, make
from syncd.testing.clock import ManualClock
from syncd.testing.simulators import serve

PATIENCE_S = 5.0
PACE_S = 1.0
"""How much time passes before each request, so that none is too soon."""
JST = timezone(timedelta(hours=9))
UPSERT = "/es/2.0/inventories/bulk-upsert"
BULK_GET = "/es/2.0/inventories/bulk-get"
SEARCH = "/es/2.0/purchaseItem/searchOrderItem/"
DETAIL = "/es/2.0/purchaseItem/getOrderItem/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `body` is JSON, None for an empty body, text for anything else."""

    status: int
    headers: Any
    body: Any

    @property
    def codes(self) -> list[str]:
        """Return the codes in `errors`."""
        return [error["code"] for error in self.body["errors"]]

    @property
    def paths(self) -> list[str]:
        """Return the places that `errors` name."""
        return [error.get("metadata", {}).get("propertyPath", "") for error in self.body["errors"]]

    @property
    def messages(self) -> list[str]:
        """Return the codes in `MessageModelList`, without what all of them begin with."""
        return [entry["messageCode"].removeprefix("ORDER_EXT_API_") for entry in self.body["MessageModelList"]]


@dataclass(slots=True, kw_only=True)
class Scene:
    """A served shop and a client of it."""

    simulator: RakutenSimulator
    clock: ManualClock
    url: str
    session: aiohttp.ClientSession

    def authorization(self, *, secret: str = "", key: str = "") -> str:
        """Return the header of these keys, by default the right ones."""
        settings = self.simulator.settings(self.url)
        pair = f"{secret or settings['service_secret']}:{key or settings['license_key']}"
        return f"ESA {base64.b64encode(pair.encode()).decode()}"

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        pace_s: float = PACE_S,
    ) -> Answer:
        """Send a request as the pages say, after a moment."""
        self.clock.advance(pace_s)
        usual = {"Authorization": self.authorization()}
        raw = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        if raw is not None:
            usual["Content-Type"] = "application/json; charset=utf-8"
        async with self.session.request(
            method, f"{self.url}{path}", data=raw, headers=usual | (headers or {})
        ) as response:
            text = await response.read()
            kind = response.content_type
        content = None if not text else msgspec.json.decode(text) if kind == "application/json" else text.decode()
        return Answer(status=response.status, headers=response.headers, body=content)

    async def get(self, path: str) -> Answer:
        """Get."""
        return await self.call("GET", path)

    async def post(self, path: str, body: Any) -> Answer:
        """Post JSON."""
        return await self.call("POST", path, body)

    async def upsert(self, *rows: dict[str, Any], version: str = "2.0") -> Answer:
        """Write rows in bulk."""
        return await self.post(f"/es/{version}/inventories/bulk-upsert", {"inventories": list(rows)})

    async def stock(self, *pairs: tuple[str, str], version: str = "2.0") -> list[dict[str, Any]]:
        """Read rows in bulk."""
        wanted = [{"manageNumber": number, "variantId": name} for number, name in pairs]
        answer = await self.post(f"/es/{version}/inventories/bulk-get", {"inventories": wanted})
        assert answer.status == 200, answer.body
        rows: list[dict[str, Any]] = answer.body["inventories"]
        return rows

    def pair(self, number: int = 1) -> tuple[str, str]:
        """Return the pair of the n-th SKU."""
        variant = self.simulator.goods.by_sku[f"SKU-{number:05d}"][0]
        return variant.page.manage_number, variant.variant_id

    def row(self, number: int = 1, *, mode: str = "ABSOLUTE", quantity: int = 7, **changes: Any) -> dict[str, Any]:
        """Return an entry that writes the n-th SKU."""
        page, name = self.pair(number)
        return {"manageNumber": page, "variantId": name, "mode": mode, "quantity": quantity, **changes}

    def shown(self, number: int = 1) -> int:
        """Return what the n-th SKU shows."""
        return self.simulator.goods.by_sku[f"SKU-{number:05d}"][0].stock.quantity

    def time(self, *, days: float = 0.0) -> str:
        """Return a time as the order API wants it, so many days from now."""
        now = datetime.fromtimestamp(self.clock.now() / 1e6, UTC) + timedelta(days=days)
        return now.astimezone(JST).strftime("%Y-%m-%dT%H:%M:%S+0900")

    def search(self, **changes: Any) -> dict[str, Any]:
        """Return a search of the last two days."""
        return {
            "dateType": 1,
            "startDatetime": self.time(days=-2),
            "endDatetime": self.time(days=1),
            "PaginationRequestModel": {"requestRecordsAmount": 1000, "requestPage": 1},
            **changes,
        }

    async def found(self, **changes: Any) -> list[str]:
        """Search and return the numbers, however none are told."""
        answer = await self.post(SEARCH, self.search(**changes))
        assert answer.status == 200, answer.body
        return answer.body.get("orderNumberList") or []

    async def order(self, number: str) -> dict[str, Any]:
        """Read one order as it is now."""
        answer = await self.post(DETAIL, {"orderNumberList": [number]})
        assert answer.status == 200, answer.body
        order: dict[str, Any] = answer.body["OrderModelList"][0]
        return order

    def buy(self, *lines: tuple[str, int]) -> str:
        """Let a shopper buy and return the order number."""
        return self.simulator.buy(lines).number


@asynccontextmanager
async def opened(*, skus: int = 12, seed: int = 1) -> AsyncIterator[Scene]:
    """Serve a shop on a clock that only the test moves."""
    clock = ManualClock()
    simulator = make(skus=skus, seed=seed, clock=clock)
    async with serve(simulator) as url, aiohttp.ClientSession() as session:
        yield Scene(simulator=simulator, clock=clock, url=url, session=session)


@dataclass(slots=True)
class Receiver:
    """Where notices go; it answers as the service wants."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Note a notice."""
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(
            text="<responseModel><resultCode>N-000-000</resultCode></responseModel>", content_type="text/xml"
        )

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not enough():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve a receiver of notices."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/webhooks/rakuten", receiver.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/rakuten"
        yield receiver
    finally:
        await runner.cleanup()
