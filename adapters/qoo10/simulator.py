"""The simulated Qoo10 Japan: a shop with its API (QAPI) over real HTTP.

Beside the control API that every simulator has there is, for what only Qoo10 does:

    POST /_sim/orders/ID/pay        an unpaid cart is paid
    POST /_sim/orders/ID/confirm    a person presses 発注確認 in QSM
    POST /_sim/orders/ID/return     everything shipped comes back
    POST /_sim/qoo10/knobs          named fields of `Knobs` are changed, {} changes none; answers all of them
    POST /_sim/qoo10/password       {}: the password of QSM changes, and every key ends

Not the real one's: plain http, and answers to calls with a key in the address, which are counted in `keys_in_urls`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from adapters.qoo10.simulated.api import Asked, answer
from adapters.qoo10.simulated.call import Shop
from adapters.qoo10.simulated.gate import Gate
from adapters.qoo10.simulated.goods import WAITING, Goods
from adapters.qoo10.simulated.keys import Keys
from adapters.qoo10.simulated.knobs import DATE_LAYOUTS, Knobs
from adapters.qoo10.simulated.orders import Orders
from adapters.qoo10.simulated.sales import Line, Status, receipt
from adapters.qoo10.simulated.world import World
from syncd.sdk.channel import Clock, ListingRef
from syncd.testing.simulators import By, Receipt, Refusal, Shown, Simulator, opening_stock

__all__ = ["Knobs", "Qoo10Simulator", "make"]

SERVICE = "/GMKT.INC.Front.QAPIService"
PAGE = (
    "<!DOCTYPE html><html><head><title>Qoo10</title></head>"
    "<body>ただいまアクセスが集中しております。しばらくしてから再度お試しください。</body></html>"
)


class Qoo10Simulator(Simulator):
    """One simulated shop. `shop` is its inside, for tests in the same process.

    `keys_in_urls` counts the calls whose address held a key, which the real one takes and nobody should make.
    """

    def __init__(self, *, skus: int, seed: int, clock: Clock) -> None:
        super().__init__(seed=seed, clock=clock)
        self.world = World(clock=clock, random=self.random, scale=lambda: self.time_scale)
        goods = Goods(opening_stock(skus, seed), self.world, self.log)
        orders = Orders(world=self.world, goods=goods)
        self.shop = Shop(world=self.world, goods=goods, orders=orders, keys=Keys(self.world))
        self.gate = Gate(clock)
        self.keys_in_urls = 0

    # --- the shop behind it ------------------------------------------------------------------------------------------

    def settings(self, url: str) -> dict[str, Any]:
        """Return adapter settings; `visibility_s` is the longest time until a change shows, at a time scale of 1."""
        knobs = self.world.knobs
        visibility_s = knobs.effect_s[1] + max(knobs.shows_s[1], knobs.sale_shows_s[1])
        return {
            "key": self.shop.keys.current,
            "key_issued_on": self.shop.keys.issued_on().isoformat(),
            "api_key": self.shop.keys.api_key,
            "base_url": url,
            "visibility_s": math.ceil(visibility_s),
        }

    def shown(self) -> list[Shown]:
        """Return what every item and option row sells by now, which is not what can be read yet."""
        self.settle()
        return [Shown(ref=good.ref, sku=good.sku, quantity=good.quantity) for good in self.shop.goods.shelf.all()]

    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell a cart to a shopper, who pays at once unless `Knobs.unpaid` says otherwise."""
        return receipt(self.shop.orders.buy(lines))

    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Let the shopper cancel units that were not shipped."""
        lines = self.shop.orders.pack(order_id)
        left = sum(line.left for line in lines)
        if left == 0 or (quantity or 0) > left:
            raise Refusal(f"{order_id}: {left} units can be cancelled")
        wanted = left if quantity is None else quantity
        for line in lines:
            part = min(line.left, wanted)
            if part:
                wanted -= part
                self.shop.orders.cancel(line, part, reason="単純変心", at=self.clock.now(), restock=restock)
        self.settle()
        return receipt(lines)

    def ship(self, order_id: str) -> Receipt:
        """Let a person confirm and ship what is left in QSM."""
        lines = self._standing(order_id)
        now = self.clock.now()
        self.shop.orders.confirm_by_person(lines, now)
        for line in lines:
            self.shop.orders.send(line, carrier="ヤマト宅急便", tracking=f"4{line.order_no:011d}", at=now)
        self.settle()
        return receipt(self.shop.orders.pack(order_id))

    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit a number in QSM."""
        now = self.world.settle()
        self.shop.goods.change(self.shop.goods.at(place)[1], quantity, By.PERSON, at=now)

    def hide(self, sku: str) -> None:
        """Let the item of a SKU wait (取引待機); all its option rows go with it."""
        self.shop.goods.set_status(self.shop.goods.at(sku)[0], WAITING)

    def settle(self) -> None:
        """Let everything happen that is due."""
        self.world.settle()

    # --- for tests in the same process -------------------------------------------------------------------------------

    def turn(self, **knobs: Any) -> Knobs:
        """Change knobs; raises `ValueError` for one that there is not, or that does not fit."""
        known = {each.name for each in dataclasses.fields(Knobs)}
        if unknown := sorted(knobs.keys() - known):
            raise ValueError(f"no such knob: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        after = msgspec.convert(msgspec.to_builtins(self.world.knobs) | knobs, Knobs)
        if after.date_layout not in DATE_LAYOUTS:
            raise ValueError(f"no such date layout; known are {', '.join(DATE_LAYOUTS)}")
        self.world.knobs = after
        return after

    def change_password(self) -> None:
        """Change the password of QSM: every key ends."""
        self.shop.keys.password = f"password-{self.random.bytes(6).hex()}"
        self.shop.keys.void()

    # --- the real API ------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """Return the API by its three kinds of addresses, and the control of what only Qoo10 does."""
        return [
            web.post(SERVICE + "/ebayjapan.qapi/{method}", self._call),
            web.post(SERVICE + "/{service}.qapi/{method}", self._call_by_class),
            web.get(SERVICE + "/ebayjapan.qapi", self._call_by_address),
            web.post("/_sim/orders/{order_id}/pay", self._pay),
            web.post("/_sim/orders/{order_id}/confirm", self._confirm),
            web.post("/_sim/orders/{order_id}/return", self._send_back),
            web.post("/_sim/qoo10/knobs", self._turn),
            web.post("/_sim/qoo10/password", self._change_password),
        ]

    def too_many(self, _: web.Request) -> web.StreamResponse:
        """Answer as the servers before QAPI do: a page, with a status that says why."""
        return _page(status=429)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        return await self._answer_call(request, request.match_info["method"])

    async def _call_by_class(self, request: web.Request) -> web.StreamResponse:
        return await self._answer_call(request, f"{request.match_info['service']}.{request.match_info['method']}")

    async def _call_by_address(self, request: web.Request) -> web.StreamResponse:
        """Answer the older way of calling, with everything in the address, the key too."""
        query = dict(request.query)
        self.keys_in_urls += "key" in query
        asked = Asked(method=query.get("method", ""), key=query.get("key", ""), version=query.get("v", ""), given=query)
        return self._refusal(request) or self._reply(asked)

    async def _answer_call(self, request: web.Request, method: str) -> web.StreamResponse:
        body = await request.read()
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        given = _parameters(request.content_type, body)
        self.keys_in_urls += "key" in request.query
        key, version = (request.headers.get(name, "") for name in ("GiosisCertificationKey", "QAPIVersion"))
        return self._reply(Asked(method=method, key=key, version=version, given=given))

    def _reply(self, asked: Asked) -> web.StreamResponse:
        found = answer(self.shop, asked, stale_us=self.stale_us())
        return web.Response(body=found.body, content_type=found.content_type, charset="utf-8")

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        """Return how a call is turned away before anybody reads it; None where it is let in."""
        knobs = self.world.knobs
        if (request.host or "").startswith("www."):
            return web.Response(status=404, text="404 Not Found")
        if knobs.maintenance:
            return _page(status=200)
        if self.gate.lets_in(rate=knobs.calls_per_s, burst=knobs.burst):
            return None
        if request.transport is not None and self.random.happens(0.5):
            request.transport.abort()
        return _page(status=200)

    # --- the control of what only Qoo10 does -------------------------------------------------------------------------

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        lines = self.shop.orders.pack(request.match_info["order_id"])
        self.shop.orders.pay(lines, self.clock.now())
        return web.json_response({"paid": sum(line.paid_at is not None for line in lines)})

    async def _confirm(self, request: web.Request) -> web.StreamResponse:
        lines = self.shop.orders.pack(request.match_info["order_id"])
        self.shop.orders.confirm_by_person(lines, self.clock.now())
        return web.json_response({"confirmed": sum(line.status is Status.CONFIRMED for line in lines)})

    async def _send_back(self, request: web.Request) -> web.StreamResponse:
        order_id = request.match_info["order_id"]
        lines = [line for line in self.shop.orders.pack(order_id) if line.status >= Status.SENT and not line.claims]
        if not lines:
            raise Refusal(f"{order_id}: nothing was shipped")
        for line in lines:
            self.shop.orders.send_back(line, self.clock.now())
        return web.json_response({"returned": len(lines)})

    async def _turn(self, request: web.Request) -> web.StreamResponse:
        wish = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
        return web.json_response(msgspec.to_builtins(self.turn(**wish)))

    async def _change_password(self, _: web.Request) -> web.StreamResponse:
        self.change_password()
        return web.json_response({})

    def _standing(self, order_id: str) -> list[Line]:
        lines = [line for line in self.shop.orders.pack(order_id) if line.left]
        if not lines:
            raise Refusal(f"{order_id}: nothing is left to ship")
        return lines


def make(*, skus: int, seed: int, clock: Clock) -> Qoo10Simulator:
    """Return a simulated shop with `skus` goods, some of them option rows of one item."""
    return Qoo10Simulator(skus=skus, seed=seed, clock=clock)


def _page(*, status: int) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html", status=status)


def _parameters(content_type: str, body: bytes) -> Mapping[str, str | None]:
    """Return the parameters of a form or a JSON body; a body that is neither has none."""
    if content_type != "application/json":
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        given = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
    return {name: value if value is None else str(value) for name, value in given.items()}
