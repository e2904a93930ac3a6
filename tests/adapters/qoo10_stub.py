"""A stand-in for the QAPI that says what a test tells it to, in virtual time and an in-memory network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from adapters.qoo10 import ADAPTER, Qoo10Settings
from adapters.qoo10.channel import Qoo10Channel
from syncd.sdk.channel import AccountId, Context, ListingRef, Write
from syncd.sdk.secret import Secret
from syncd.testing.loop import VirtualConnector, run_virtual, running

KEY = "stub_S5bnbfynQvOITqzcbzMRK7Yy"
PORT = 8082


class Cut(Exception):  # noqa: N818  (what happens)
    """The connection is cut after the request was read."""


@dataclass
class Request:
    """A call that came in."""

    method: str
    fields: dict[str, str]
    headers: dict[str, str]
    at_s: float


@dataclass
class Stub:
    """`answers` are used up per method, the last one stays; a method without any finds nothing."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def says(self, method: str, *answers: Any) -> None:
        self.answers[method] = list(answers)

    def of(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]

    async def call(self, request: web.Request) -> web.StreamResponse:
        fields = dict(parse_qsl((await request.read()).decode(), keep_blank_values=True))
        asked = Request(request.match_info["method"], fields, dict(request.headers), asyncio.get_running_loop().time())
        self.requests.append(asked)
        answers = self.answers.get(asked.method, [ok([])])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(asked)
            if asyncio.iscoroutine(answer):
                answer = await answer
        if isinstance(answer, Cut):
            assert request.transport is not None
            request.transport.abort()
            raise answer
        if isinstance(answer, str):
            return web.Response(text=answer, content_type="text/html")
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.json_response(answer)


def ok(content: Any = None) -> dict[str, Any]:
    """Return an answer of success."""
    return {"ResultCode": 0, "ResultMsg": "SUCCESS", "ResultObject": content}


def code(number: int) -> dict[str, Any]:
    """Return a business error."""
    return {"ResultCode": number, "ResultMsg": "said by Canary Person", "ResultObject": None}


def detail(quantity: int, **changes: Any) -> dict[str, Any]:
    """Return the answer of an item's page."""
    page = {"ItemQty": str(quantity), "ItemStatus": "S2", "ExpireDate": "2027-11-22", "SellerCode": "S-1", **changes}
    return ok([page])


def option_row(code: str, quantity: int, **changes: Any) -> dict[str, Any]:
    """Return an option row of one axis."""
    row = {
        "Name1": "カラー",
        "Value1": code,
        "Name2": "",
        "Value2": "",
        "Price": 0,
        "Qty": quantity,
        "ItemTypeCode": code,
    }
    return {**row, **changes}


def line(number: int, **changes: Any) -> dict[str, Any]:
    """Return a paid order line as GetShippingInfo_v3 states it."""
    row = {
        "ShippingStatus": "On request(2)",
        "PackNo": 500 + number // 10,
        "OrderNo": number,
        "OrderDate": "2026-09-30 12:00:00",
        "PaymentDate": "2026-09-30 12:01:00",
        "EstimatedShippingDate": "",
        "ItemNo": "1000000001",
        "SellerItemCode": "S-1",
        "Option": "",
        "OptionCode": "",
        "OrderQty": 2,
        "Total": 3960,
        "Currency": "JPY",
        "Buyer": "Canary Person",
        "RelatedOrder": "",
        "claimStatus": "",
    }
    return {**row, **changes}


def writes(*numbers: tuple[str, int]) -> list[Write]:
    """Return a write per remote id."""
    return [
        Write(key=f"key-{place}", ref=ListingRef(remote_id=remote_id), quantity=quantity)
        for place, (remote_id, quantity) in enumerate(numbers)
    ]


Scene = Callable[[Stub, Qoo10Channel], Coroutine[Any, Any, None]]


def play(scene: Scene, **changes: Any) -> Stub:
    """Run a scene with a stub and an open channel in virtual time; returns the stub."""
    stub = Stub()

    async def main() -> None:
        async with served(stub), opened(**changes) as channel:
            await scene(stub, channel)

    run_virtual(main)
    return stub


@asynccontextmanager
async def served(stub: Stub) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/GMKT.INC.Front.QAPIService/ebayjapan.qapi/{method}", stub.call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT).start()
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(**changes: Any) -> AsyncIterator[Qoo10Channel]:
    given = {"key": Secret(KEY), "key_issued_on": "2026-09-01", "base_url": f"http://127.0.0.1:{PORT}", **changes}
    loop = running()
    async with aiohttp.ClientSession(connector=VirtualConnector()) as session:
        context = Context(
            account=AccountId("qoo10"), session=session, clock=loop.clock, uuid=lambda: "", random=lambda: 0.5
        )
        async with ADAPTER.open(Qoo10Settings(**given), context) as channel:
            assert isinstance(channel, Qoo10Channel)
            yield channel
