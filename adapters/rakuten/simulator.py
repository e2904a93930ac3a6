"""The simulated Rakuten Ichiba: RMS WEB SERVICE of one shop over real HTTP, its shoppers, and its notices.

Beside the control API that every simulator has there is, for what only Rakuten does:

    POST /_sim/orders/ID/edit        {"sku", "units", "restock"}: the shop changes the units of a line, 0 takes it out
    POST /_sim/rakuten/knobs         named fields of `Knobs` are changed, {} changes none; answers all of them
    POST /_sim/rakuten/key           {"expire": true} ends the newest licence key; {} makes a new one and answers it
    POST /_sim/rakuten/notify        {"url"}: where notices go (set in RMS by a person; there is no API for it)
    POST /_sim/rakuten/restock-wish  {"sku"}: somebody presses 再入荷お知らせ
    POST /_sim/rakuten/inquiries     {"category", "sku", "order_id"}: a customer asks; no category: 再入荷・在庫

Not the real one's: plain http to this machine for notices, and their values, which no public page lists in full.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import functools
import heapq
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from adapters.rakuten.simulated import bodies, notices, routing
from adapters.rakuten.simulated.gateway import Gateway
from adapters.rakuten.simulated.goods import Goods, Variant
from adapters.rakuten.simulated.inquiries import CATEGORIES, Inquiries
from adapters.rakuten.simulated.inventory import Inventory
from adapters.rakuten.simulated.items import Items
from adapters.rakuten.simulated.order_api import Orders
from adapters.rakuten.simulated.order_models import Buyer
from adapters.rakuten.simulated.reply import Reply
from adapters.rakuten.simulated.sales import AFTER_SHIPMENT, Order, OrderItem, Progress, Restore, Sales
from adapters.rakuten.simulated.times import SECOND_US
from adapters.rakuten.simulated.world import Action, Knobs, World
from syncd.sdk.channel import Clock, Instant, ListingRef
from syncd.testing import simulators
from syncd.testing.sales import Agenda
from syncd.testing.simulators import Receipt, ReceiptLine, Refusal, Shown, Unknown, Unsupported

SHOP_URL: Final = "syncd-shop"
SERVICE_SECRET: Final = "SP123456_simulatedsecret"  # noqa: S105  (of a shop that does not exist)
CONTRACT_ID: Final = "1234567890"
INQUIRY_GAP_S: Final = 7_200
_ROUNDING_S: Final = 0.000_002

T = TypeVar("T")

_RESTORES: Final = {None: Restore.BY_SKU, True: Restore.YES, False: Restore.NO}


class RakutenSimulator(simulators.Simulator):
    """One simulated shop.

    `notify_url` is where its notices go; empty: nowhere. `world`, `goods`, `sales`, `inquiries` and `gateway` are its
    inside, for tests in the same process.
    """

    signs = False

    def __init__(self, *, skus: int, seed: int, clock: Clock) -> None:
        super().__init__(seed=seed, clock=clock)
        self._agenda = Agenda()
        self._due: list[Instant] = []
        self._look_at: Instant | None = None
        self._sequence = count(1)
        self.auth_key = base64.b64encode(self.random.bytes(18)).decode()
        self.world = World(clock=clock, random=self.random, schedule=self._schedule, scale=lambda: self.time_scale)
        buyer = Buyer(name=simulators.CANARY_NAME, mail=simulators.CANARY_MAIL, phone=simulators.CANARY_PHONE)
        self.goods = Goods(self.world, simulators.opening_stock(skus, seed))
        self.sales = Sales(self.world, self.goods)
        self.inquiries = Inquiries(self.world, buyer)
        self.gateway = Gateway(self.world, secret=SERVICE_SECRET)
        self.goods.on_change = self._note
        self.sales.on_order = self._tell_order
        self.sales.on_change = self._tell_change
        self._orders = Orders(self.world, self.sales, buyer)
        self.rotate_key()
        self._seed_inquiries()

    # --- the shop behind it ------------------------------------------------------------------------------------------

    def settings(self, url: str) -> dict[str, Any]:
        """Return adapter settings with the newest licence key."""
        return {
            "service_secret": SERVICE_SECRET,
            "license_key": self.gateway.licenses[-1].key,
            "shop_url": SHOP_URL,
            "base_url": url,
            "notify_contract_id": CONTRACT_ID,
            "notify_auth_key": self.auth_key,
        }

    def shown(self) -> list[Shown]:
        """Return what every SKU shows; rows that belong to no page are seen by nobody."""
        self.settle()
        return [
            Shown(ref=variant.ref, sku=variant.sku, quantity=variant.stock.quantity)
            for variant in self.goods.variants()
        ]

    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell to a shopper; in maintenance too."""
        self.settle()
        wanted = [(self._offer(sku, quantity), quantity) for sku, quantity in simulators.units(lines).items()]
        order = self.sales.place(wanted)
        self.settle()
        return _receipt(order)

    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Cancel a whole order; `restock` None leaves it to each SKU's restockOnCancel."""
        self.settle()
        order = self._order(order_id)
        units = sum(item.units for item in order.items)
        open_still = order.progress not in {*AFTER_SHIPMENT, Progress.WAITING_CANCEL, Progress.CANCELLED}
        if not open_still or (quantity or 0) > units:
            raise Refusal(f"{order_id}: there is nothing, or not so much, to cancel")
        if quantity not in {None, units}:
            raise Unsupported(f"{order_id}: only whole orders can be cancelled here")
        self.sales.cancel(order, _RESTORES[restock], pending=self.world.knobs.cancel_pending_s)
        self.settle()
        return _receipt(order)

    def ship(self, order_id: str) -> Receipt:
        """Ship the order and report it."""
        self.settle()
        order = self._order(order_id)
        if order.progress in {*AFTER_SHIPMENT, Progress.WAITING_CANCEL, Progress.CANCELLED}:
            raise Refusal(f"{order_id}: nothing is left to ship")
        self.sales.ship(order)
        self.settle()
        return _receipt(order)

    def edit(self, order_id: str, sku: str, units: int, *, restock: bool | None = None) -> Receipt:
        """Let the shop change the units of a SKU's line before it is shipped; 0 takes the line out."""
        self.settle()
        order = self._order(order_id)
        lines = [item for item in order.items if item.variant.sku == sku]
        if not lines:
            raise Unknown(f"{sku}: not in the order")
        if order.progress in {*AFTER_SHIPMENT, Progress.WAITING_CANCEL, Progress.CANCELLED} or units < 0:
            raise Refusal(f"{order_id}: cannot be changed so")
        self.sales.edit(order, lines[0], units, _RESTORES[restock])
        self.settle()
        return _receipt(order)

    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit a number in RMS."""
        self.settle()
        self.goods.change(self._variant(place), quantity, "person", at=self.clock.now())

    def hide(self, sku: str) -> None:
        """Put the SKU, or its page where it is alone, into the storeroom (倉庫); its stock can still be written."""
        variant = self._variant(sku)
        if len(variant.page.variants) == 1:
            variant.page.hidden = True
        else:
            variant.hidden = True
        variant.page.updated = self.clock.now()

    def unmanage(self, sku: str) -> None:
        """Set 在庫設定なし on the SKU's page: it sells without end."""
        variant = self._variant(sku)
        variant.page.unlimited, variant.page.updated = True, self.clock.now()

    def settle(self) -> None:
        """Let everything happen that is due."""
        self._agenda.settle(self.clock.now())

    # --- for tests in the same process -------------------------------------------------------------------------------

    def turn(self, **knobs: Any) -> Knobs:
        """Change knobs; raises `ValueError` for one that there is not, or that does not fit."""
        known = {each.name for each in dataclasses.fields(Knobs)}
        if unknown := sorted(knobs.keys() - known):
            raise ValueError(f"no such knob: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        self.world.knobs = msgspec.convert(msgspec.to_builtins(self.world.knobs) | knobs, Knobs)
        return self.world.knobs

    def rotate_key(self, *, after_s: float = 0.0) -> str:
        """Make a new licence key that works after a while, and answer it."""
        return self.gateway.issue(f"SL123456_{self.random.bytes(8).hex()}", after_s=after_s).key

    def wish_restock(self, sku: str) -> None:
        """Let somebody press 再入荷お知らせ."""
        values = notices.wish_values(self._variant(sku), SHOP_URL, at=self.clock.now())
        self._tell_event(notices.RESTOCK_WISH, values)

    # --- the real API ------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """Return RMS WEB SERVICE, and the control of what only Rakuten does."""
        inventory, items = Inventory(self.world, self.goods), Items(self.world, self.goods)
        table = [
            *(route for version in routing.VERSIONS for route in routing.inventory_routes(inventory, version)),
            *routing.order_routes(self._orders),
            *routing.item_routes(items),
            *routing.inquiry_routes(self.inquiries),
            *routing.license_routes(self.gateway),
        ]
        return [
            *(web.route(route.method, route.path, functools.partial(self._serve, route)) for route in table),
            web.route("*", "/es/{version}/inventories/{rest:.*}", bodies.no_such_path),
            web.post("/_sim/orders/{order_id}/edit", self._edit),
            web.post("/_sim/rakuten/knobs", self._turn),
            web.post("/_sim/rakuten/key", self._key),
            web.post("/_sim/rakuten/notify", self._notify),
            web.post("/_sim/rakuten/restock-wish", self._restock_wish),
            web.post("/_sim/rakuten/inquiries", self._ask),
        ]

    def too_many(self, _: web.Request) -> web.StreamResponse:
        """Answer 429 as Rakuten does: with no body, and not saying how long to wait."""
        return web.Response(status=429)

    async def _serve(self, route: routing.Route, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.settle()
        media = request.headers.get("Content-Type", "") if request.method in {"POST", "PUT", "PATCH"} else None
        refusal = self.gateway.admit(
            route.function, authorization=request.headers.get("Authorization", ""), media=media
        )
        if refusal is not None:
            return bodies.response(refusal)
        stale_us = 0 if route.writes else self.stale_us()
        call = routing.Call(names=request.match_info, query=dict(request.query), raw=raw, stale_us=stale_us)
        reply = route.run(call)
        self.settle()
        if route.writes and self.world.knobs.write_time_s:
            await self.courier.pause(self.world.knobs.write_time_s)
        return bodies.response(reply)

    # --- the control of what only Rakuten does -----------------------------------------------------------------------

    async def _edit(self, request: web.Request) -> web.Response:
        wish = await _read(request, bodies.Edit)
        receipt = self.edit(request.match_info["order_id"], wish.sku, wish.units, restock=wish.restock)
        return bodies.response(Reply(body={"order_id": receipt.order_id}))

    async def _turn(self, request: web.Request) -> web.Response:
        return bodies.response(Reply(body=msgspec.to_builtins(self.turn(**await _read(request, dict[str, Any])))))

    async def _key(self, request: web.Request) -> web.Response:
        if (await _read(request, bodies.Key)).expire:
            self.gateway.expire()
            return bodies.response(Reply(body={}))
        return bodies.response(Reply(body={"license_key": self.rotate_key()}))

    async def _notify(self, request: web.Request) -> web.Response:
        self.notify_url = (await _read(request, bodies.Notify)).url
        return bodies.response(Reply(body={"url": self.notify_url}))

    async def _restock_wish(self, request: web.Request) -> web.Response:
        self.wish_restock((await _read(request, bodies.Wish)).sku)
        return bodies.response(Reply(body={}))

    async def _ask(self, request: web.Request) -> web.Response:
        wish = await _read(request, bodies.Ask)
        page = self._variant(wish.sku).page if wish.sku else None
        about, title = ("", "") if page is None else (page.manage_number, page.title)
        asked = self.inquiries.ask(wish.category, about=about, title=title, order_number=wish.order_id)
        return bodies.response(Reply(status=201, body={"inquiryNumber": asked.number}))

    # --- notices -----------------------------------------------------------------------------------------------------

    def _sender(self) -> notices.Sender:
        return notices.Sender(contract_id=CONTRACT_ID, shop_url=SHOP_URL, auth_key=self.auth_key)

    def _tell_order(self, order: Order) -> None:
        self._post(notices.order_notice(order, self._sender(), sequence=next(self._sequence)))

    def _tell_change(self, order: Order, field: str, before: str, after: str) -> None:
        values = notices.history_values(order, field, before, after, at=self.clock.now())
        self._tell_event(notices.HISTORY, values)

    def _tell_event(self, event: tuple[str, str], values: Mapping[int, str]) -> None:
        request_id = f"R{next(self._sequence):012d}"
        self._post(notices.event_notice(event, values, self._sender(), request_id=request_id))

    def _post(self, body: bytes) -> None:
        if not self.notify_url:
            return
        low, high = self.world.knobs.notify_delay_s
        delivery = simulators.Delivery(url=self.notify_url, body=body, headers=notices.HEADERS)
        self.notify(delivery, delay_s=self.random.between(low, high))

    # --- shared ------------------------------------------------------------------------------------------------------

    def _schedule(self, at: Instant, action: Action) -> None:
        self._agenda.add(at, action)
        heapq.heappush(self._due, at)
        self._plan_look()

    def _plan_look(self) -> None:
        """See to it that somebody looks when the next thing is due, so that its notice goes out in time."""
        now = self.clock.now()
        while self._due and self._due[0] <= now:
            heapq.heappop(self._due)
        if not self._due or (self._look_at is not None and now < self._look_at <= self._due[0]):
            return
        at = self._due[0]

        async def look() -> None:
            await asyncio.sleep((at - now) / SECOND_US + _ROUNDING_S)
            self.settle()
            if self._look_at == at:
                self._look_at = None
            self._plan_look()

        if self.courier.spawn(look, name="rakuten"):
            self._look_at = at

    def _note(self, variant: Variant, source: str, before: int, after: int, at: Instant) -> None:
        self.log.add(variant.ref, before, after, source, at=at)

    def _seed_inquiries(self) -> None:
        for place, category in enumerate(CATEGORIES, start=1):
            page = self.goods.pages[place % len(self.goods.pages)] if self.goods.pages else None
            about, title = ("", "") if page is None or place % 3 == 0 else (page.manage_number, page.title)
            at = self.clock.now() - place * INQUIRY_GAP_S * SECOND_US
            self.inquiries.seed(category, at=at, about=about, title=title)

    def _offer(self, sku: str, quantity: int) -> Variant:
        offers = [variant for variant in self.goods.by_sku.get(sku, ()) if variant.on_sale]
        if not offers:
            raise Unknown(f"{sku}: not for sale here")
        for variant in offers:
            if variant.page.unlimited or variant.back_order or variant.stock.quantity >= quantity:
                return variant
        raise Refusal(f"{sku}: {quantity} wanted, {max(each.stock.quantity for each in offers)} shown")

    def _order(self, order_id: str) -> Order:
        found = self.sales.by_number.get(order_id)
        if found is None:
            raise Unknown(f"{order_id}: no such order")
        return found

    def _variant(self, place: str | ListingRef) -> Variant:
        if isinstance(place, str):
            found = next(iter(self.goods.by_sku.get(place, ())), None)
        else:
            number, _, name = place.remote_id.partition("/")
            found = self.goods.variant((number, name)) if not place.remote_location else None
        if found is None:
            raise Unknown(f"{place}: no such listing")
        return found


def make(*, skus: int, seed: int, clock: Clock) -> RakutenSimulator:
    """Return a simulated shop with `skus` goods on pages of one to four variants."""
    return RakutenSimulator(skus=skus, seed=seed, clock=clock)


def _receipt(order: Order) -> Receipt:
    return Receipt(order_id=order.number, number=order.number, lines=tuple(_lines(order)))


def _lines(order: Order) -> list[ReceiptLine]:
    """Return the lines, those of one SKU in several packages as one."""
    grouped: dict[Variant, list[OrderItem]] = {}
    for item in order.items:
        grouped.setdefault(item.variant, []).append(item)
    cancelled, shipped = order.progress is Progress.CANCELLED, order.progress in AFTER_SHIPMENT
    return [
        ReceiptLine(
            sku=variant.sku,
            quantity=units,
            ref=variant.ref,
            cancelled=units if cancelled else 0,
            shipped=units if shipped else 0,
        )
        for variant, items in grouped.items()
        for units in (sum(item.units for item in items),)
    ]


async def _read(request: web.Request, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read() or b"{}", type=kind)
