"""A simulated Qoo10 over HTTP for tests, and calls to it as the QAPI guide has them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from adapters.qoo10.simulator import Qoo10Simulator, make
from syncd.testing.clock import ManualClock
from syncd.testing.simulators import serve

SERVICE = "/GMKT.INC.Front.QAPIService/ebayjapan.qapi"
PROMPT: dict[str, Any] = {
    "shows_s": (0.0, 0.0),
    "sale_shows_s": (0.0, 0.0),
    "feed_s": (0.0, 0.0),
    "restore_s": (0.0, 0.0),
    "texts": 0.0,
    "burst": 1e9,
}
"""A shop without delays that answers numbers as numbers, as often as it is asked."""
ITEM, SKU = "1100000001", "SKU-00001"
OPTIONS = "1100000002"
"""The first item with options: SKU-00002 and SKU-00003."""
TODAY = {"SearchStartDate": "20261001000000", "SearchEndDate": "20261001235959"}
"""The clock of tests starts at 2026-10-01 09:00:00.7 in Japan."""
CLAIM_TODAY = {"search_Sdate": "20261001000000", "search_Edate": "20261001235959"}


@dataclass(slots=True, kw_only=True)
class Scene:
    """A served shop and a client of it."""

    simulator: Qoo10Simulator
    clock: ManualClock
    url: str
    session: aiohttp.ClientSession

    async def raw(
        self, method: str, body: Any, *, headers: Mapping[str, str] | None = None, path: str = ""
    ) -> tuple[int, str, str]:
        """Send a call and return status, content type and text."""
        given = {"GiosisCertificationKey": self.simulator.shop.keys.current, "QAPIVersion": "1.1", **(headers or {})}
        async with self.session.post(f"{self.url}{path or SERVICE}/{method}", data=body, headers=given) as response:
            return response.status, response.content_type, await response.text()

    async def ask(self, method: str, headers: Mapping[str, str] | None = None, /, **params: str) -> Any:
        """Send a form and return its envelope, which always comes with HTTP 200."""
        status, kind, text = await self.raw(method, {"returnType": "application/json", **params}, headers=headers)
        assert (status, kind) == (200, "application/json"), text
        return msgspec.json.decode(text)

    async def code(self, method: str, **params: str) -> int:
        """Send a form and return its ResultCode."""
        return int((await self.ask(method, **params))["ResultCode"])

    async def result(self, method: str, **params: str) -> Any:
        """Send a form that succeeds and return its ResultObject."""
        envelope = await self.ask(method, **params)
        assert envelope["ResultCode"] == 0, envelope
        return envelope["ResultObject"]

    async def orders(self, status: int, **params: str) -> list[Any]:
        """Return the lines in a status that were ordered today."""
        given = {"SearchCondition": "1", **TODAY, **params}
        found: list[Any] = await self.result("ShippingBasic.GetShippingInfo_v3", ShippingStatus=str(status), **given)
        return found

    async def claims(self, status: int, **params: str) -> list[Any]:
        """Return the claims in a status that were asked for today."""
        given = {"search_condition": "2", **CLAIM_TODAY, **params}
        found: list[Any] = await self.result("ShippingBasic.GetClaimInfo_V3", ClaimStat=str(status), **given)
        return found

    async def quantity(self, item: str = ITEM) -> int:
        """Return what can be read of an item's number."""
        return int((await self.result("ItemsLookup.GetItemDetailInfo", ItemCode=item))[0]["ItemQty"])

    async def option_rows(self, item: str = OPTIONS) -> list[Any]:
        """Return the option rows of an item."""
        found: list[Any] = await self.result("ItemsLookup.GetGoodsInventoryInfo", ItemCode=item)
        return found

    def sells(self, sku: str) -> int:
        """Return what shoppers can buy of a SKU."""
        return next(shown.quantity for shown in self.simulator.shown() if shown.sku == sku)

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Use the control API."""
        async with self.session.post(f"{self.url}{path}", data=msgspec.json.encode(body or {})) as response:
            return response.status, msgspec.json.decode(await response.read())


@asynccontextmanager
async def opened(*, skus: int = 12, seed: int = 1, **knobs: Any) -> AsyncIterator[Scene]:
    """Serve a prompt shop, but for the knobs that are given."""
    clock = ManualClock()
    simulator = make(skus=skus, seed=seed, clock=clock)
    simulator.turn(**{**PROMPT, **knobs})
    async with serve(simulator) as url, aiohttp.ClientSession() as session:
        yield Scene(simulator=simulator, clock=clock, url=url, session=session)
