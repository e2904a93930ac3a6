"""The simulated Shopify: a shop with its Admin API, token endpoint, bulk files and webhooks over real HTTP.

Beside the control API that every simulator has there is, for what only Shopify does:

    POST /_sim/orders/ID/pay        the money of a pending order comes
    POST /_sim/orders/ID/refund     {"sku", "quantity", "restock_type": CANCEL | RETURN | NO_RESTOCK}; {}: money only
    POST /_sim/orders/ID/return     {"restock"}: everything shipped comes back, is refunded, and is stock again or not
    POST /_sim/shopify/knobs        named fields of `Knobs` are changed, {} changes none; answers all of them
    POST /_sim/shopify/secret       {}: a new client secret; the old one signs webhooks until {"revoke": true}
    POST /_sim/shopify/tokens       {}: every granted token ends at once

Not the real one's: plain http to this machine for webhooks, any host name, and one set of rules for every version.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from adapters.shopify.simulated.access import Tokens, served
from adapters.shopify.simulated.api import Api, throttled
from adapters.shopify.simulated.bulk import BulkOperation
from adapters.shopify.simulated.bulk_run import run_bulk
from adapters.shopify.simulated.cost import PLANS
from adapters.shopify.simulated.goods import Goods, InventoryItem, InventoryLevel
from adapters.shopify.simulated.outbox import Done, Outbox, Post
from adapters.shopify.simulated.sales import LineItem, Order
from adapters.shopify.simulated.shop import Knobs, Shop
from adapters.shopify.simulated.stock_moves import Cut
from adapters.shopify.simulated.webhooks import Delivery as Written
from syncd.sdk.channel import Clock, ListingRef
from syncd.testing import simulators
from syncd.testing.simulators import Receipt, ReceiptLine, Refusal, Shown, Unknown

CLIENT_ID = "c0ffee00c0ffee00c0ffee00c0ffee00"
WRONG_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105  (a text)

T = TypeVar("T")


class _Document(msgspec.Struct, frozen=True):
    """The body of a call to the Admin API."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = msgspec.field(name="operationName", default=None)


class _Refund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sku: str | None = None
    quantity: int = 0
    restock_type: str = "NO_RESTOCK"


class _Return(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    restock: bool = True


class _Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    revoke: bool = False


class ShopifySimulator(simulators.Simulator):
    """One simulated shop.

    `shop` is its inside, for tests in the same process; `secrets` are those of the app, the oldest first.
    `private_sales` is what the settings say that open an adapter on it.
    """

    def __init__(self, *, skus: int, seed: int, clock: Clock) -> None:
        super().__init__(seed=seed, clock=clock)
        self.secrets = [self._new_secret()]
        post = Post(
            send=self._send, later=lambda work: self.courier.spawn(work, name="webhook"), pause=self.courier.pause
        )
        self.private_sales = False
        self.outbox = Outbox(lambda: self.shop, post=post, random=self.random, secrets=self.secrets)
        goods = Goods(simulators.opening_stock(skus, seed), clock)
        tokens = Tokens(clock, client_id=CLIENT_ID, make=lambda: self.random.bytes(16).hex())
        self.shop = Shop(
            goods=goods, clock=clock, tokens=tokens, announce=self.outbox.announce, start_bulk=self._start_bulk
        )
        self.api = Api(self.shop)
        goods.listeners += [self._note, self.outbox.level_changed]

    # --- the shop behind it ------------------------------------------------------------------------------------------

    def settings(self, url: str) -> dict[str, Any]:
        """Return adapter settings by client credentials; `shop.tokens.fixed` would do instead."""
        return {
            "shop": self.shop.domain,
            "client_id": CLIENT_ID,
            "client_secret": self.secrets[-1],
            "base_url": url,
            "private_sales": self.private_sales,
        }

    def shown(self) -> list[Shown]:
        """Return what every active level shows; below zero is shown as it is."""
        self.settle()
        return [
            Shown(ref=_ref(level), sku=item.sku, quantity=level.available)
            for item in self.shop.goods.items
            for level in self.shop.goods.sellable(item)
        ]

    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell to a shopper who pays at once."""
        self.settle()
        wanted = [(self._item(sku), quantity) for sku, quantity in simulators.units(lines).items()]
        with self.outbox.event():
            order = self.shop.orders.place(wanted)
        if order is None:
            raise Refusal("too little is shown")
        return _receipt(order)

    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Cancel the order where all of it is left; otherwise its units are refunded without being shipped."""
        order, back = self._order(order_id), restock is not False
        left = [(line, line.unfulfilled_quantity) for line in order.lines if line.unfulfilled_quantity]
        units = sum(open_units for _, open_units in left)
        if not left or order.cancelled_at is not None or (quantity or 0) > units:
            raise Refusal("there is nothing, or not so much, to cancel")
        with self.outbox.event():
            if quantity in {None, units} and not order.fulfillments:
                self.shop.orders.cancel(order, reason="CUSTOMER", restock=back)
            else:
                self.shop.orders.refund(order, _cuts(left, quantity or units, "CANCEL" if back else "NO_RESTOCK"))
        return _receipt(order)

    def pay_offer(self, offer_id: str) -> Receipt:
        """Let whoever has the link of a draft order pay it."""
        self.settle()
        with self.outbox.event():
            return _receipt(self.shop.drafts.pay(offer_id))

    def settle(self) -> None:
        """Let reservations lapse whose time is over."""
        if self.shop.drafts.due():
            with self.outbox.event():
                self.shop.drafts.settle()

    def ship(self, order_id: str) -> Receipt:
        """Ship all that is owed."""
        order = self._order(order_id)
        with self.outbox.event():
            if not self.shop.orders.ship(order):
                raise Refusal("there is nothing left to ship")
        return _receipt(order)

    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit `available` in the admin."""
        level = self._level(place)
        with self.outbox.event():
            self.shop.goods.change(level, "available", quantity - level.available, source="person")

    def hide(self, sku: str) -> None:
        """Make the product a draft."""
        product = self._item(sku).variant.product
        product.status, product.item.updated_at = "DRAFT", self.clock.now()
        self.outbox.announce("products/update", product)

    def unmanage(self, sku: str) -> None:
        """Let Shopify no longer track the item."""
        item = self._item(sku)
        item.tracked, item.updated_at = False, self.clock.now()
        self.outbox.announce("inventory_items/update", item)

    # --- for tests in the same process -------------------------------------------------------------------------------

    def turn(self, **knobs: Any) -> Knobs:
        """Change knobs; raises `ValueError` for one that there is not, or that does not fit."""
        before = self.shop.knobs
        known = {each.name for each in dataclasses.fields(Knobs)}
        if unknown := sorted(knobs.keys() - known):
            raise ValueError(f"no such knob: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        after = msgspec.convert(msgspec.to_builtins(before) | knobs, Knobs)
        if after.plan not in PLANS:
            raise ValueError(f"no such plan; known are {', '.join(PLANS)}")
        self.shop.knobs = after
        self.shop.tokens.lifetime_s = after.token_life_s
        if after.plan != before.plan:
            maximum, rate = PLANS[after.plan]
            self.shop.bucket.resize(maximum=maximum, restore_rate=rate)
        if after.scopes != before.scopes:
            self.outbox.announce("app/scopes_update", (before.scopes, after.scopes, self.clock.now()))
        return after

    def uninstall(self) -> None:
        """Take the app off the shop: its tokens end, its webhooks end after one last."""
        self.shop.tokens.installed = False
        self.outbox.announce("app/uninstalled", (self.shop.domain, self.clock.now()))

    def rotate_secret(self, *, revoke: bool = False) -> str:
        """Make a new client secret, or end all but the newest; answers the newest."""
        if revoke:
            del self.secrets[:-1]
        else:
            self.secrets.append(self._new_secret())
        return self.secrets[-1]

    # --- the real API ------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """Return the Admin API, the token endpoint, the bulk files, and the control of what only Shopify does."""
        return [
            web.post("/admin/oauth/access_token", self._grant),
            web.post("/admin/api/{version}/graphql.json", self._graphql),
            web.get("/storage/{name}", self._file),
            web.post("/_sim/orders/{order_id}/pay", self._pay),
            web.post("/_sim/orders/{order_id}/refund", self._refund),
            web.post("/_sim/orders/{order_id}/return", self._send_back),
            web.post("/_sim/shopify/knobs", self._turn),
            web.post("/_sim/shopify/secret", self._rotate),
            web.post("/_sim/shopify/tokens", self._revoke),
        ]

    def too_many(self, request: web.Request) -> web.StreamResponse:
        """Answer THROTTLED with HTTP 200 where documents are answered, now and then 429 as the edge does."""
        if not request.path.startswith("/admin/api/") or self.random.happens(0.25):
            return super().too_many(request)
        return _json(throttled(self.shop, requested=10))

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        version = served(request.match_info["version"])
        if version is None:
            return _json({"errors": "Not Found"}, status=404)
        headers = {"X-Shopify-API-Version": version}
        if not self.shop.tokens.accepts(request.headers.get("X-Shopify-Access-Token")):
            return _json({"errors": WRONG_TOKEN}, status=401, headers=headers)
        try:
            body = msgspec.json.decode(await request.read(), type=_Document)
        except msgspec.DecodeError:
            wrong = {"errors": {"query": "Required parameter missing or invalid"}}
            return _json(wrong, status=400, headers=headers)
        self.shop.bulk.base_url = self.url or str(request.url.origin())
        with self.outbox.event():
            answer = self.api.answer(
                body.query, body.variables or {}, operation=body.operation_name, stale_us=self.stale_us()
            )
        if self.shop.knobs.write_time_s and body.query.lstrip().startswith("mutation"):
            await self.courier.pause(self.shop.knobs.write_time_s)
        return _json(answer, headers=headers)

    async def _grant(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            given = msgspec.json.decode(raw, type=dict[str, str]) if raw.lstrip().startswith(b"{") else _form(raw)
        except msgspec.DecodeError:
            return _json({"error": "invalid_request"}, status=400)
        if given.get("grant_type") != "client_credentials":
            return _json({"error": "unsupported_grant_type"}, status=400)
        known = given.get("client_id") == CLIENT_ID and given.get("client_secret") in self.secrets
        if not known or not self.shop.tokens.installed:
            return _json({"error": "invalid_client"}, status=400)
        token, life_s = self.shop.tokens.grant()
        return _json({"access_token": token, "scope": ",".join(self.shop.knobs.scopes), "expires_in": life_s})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["name"].removeprefix("bulk-").removesuffix(".jsonl")
        operation = self.shop.bulk.find(f"gid://shopify/BulkOperation/{number}")
        if "X-Shopify-Access-Token" in request.headers or request.query.get("X-Goog-Signature") != number:
            # The real storage would not mind the token; here it is refused, because it must not leave Shopify.
            return web.Response(status=400, text="<Error><Code>InvalidRequest</Code></Error>")
        if operation is None or not operation.lines:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
        response.content_length = sum(len(line) for line in operation.lines)
        await response.prepare(request)
        for start in range(0, len(operation.lines), 500):
            await response.write(b"".join(operation.lines[start : start + 500]))
        return response

    # --- the control of what only Shopify does -----------------------------------------------------------------------

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        order = self._order(request.match_info["order_id"])
        with self.outbox.event():
            self.shop.orders.pay(order)
        return _json({"order_id": str(order.legacy_resource_id)})

    async def _refund(self, request: web.Request) -> web.StreamResponse:
        order, wish = self._order(request.match_info["order_id"]), await _read(request, _Refund)
        lines = [(line, line.current_quantity) for line in order.lines if line.item.sku == wish.sku]
        if wish.restock_type not in {"CANCEL", "RETURN", "NO_RESTOCK"}:
            raise ValueError("restock_type is CANCEL, RETURN or NO_RESTOCK")
        if wish.quantity > sum(units for _, units in lines):
            raise Refusal(f"{wish.sku}: the order does not hold so many")
        with self.outbox.event():
            refund = self.shop.orders.refund(order, _cuts(lines, wish.quantity, wish.restock_type))
        return _json({"refund_id": str(refund.legacy_resource_id)})

    async def _send_back(self, request: web.Request) -> web.StreamResponse:
        order, wish = self._order(request.match_info["order_id"]), await _read(request, _Return)
        with self.outbox.event():
            back = self.shop.orders.send_back(order)
            if back is None:
                raise Refusal("nothing was shipped")
            self.shop.orders.receive(back, restock=wish.restock)
        return _json({"return_id": str(back.legacy_resource_id)})

    async def _turn(self, request: web.Request) -> web.StreamResponse:
        return _json(msgspec.to_builtins(self.turn(**await _read(request, dict[str, Any]))))

    async def _rotate(self, request: web.Request) -> web.StreamResponse:
        return _json({"client_secret": self.rotate_secret(revoke=(await _read(request, _Secret)).revoke)})

    async def _revoke(self, _: web.Request) -> web.StreamResponse:
        self.shop.tokens.revoke()
        return _json({})

    # --- shared ------------------------------------------------------------------------------------------------------

    def _start_bulk(self, operation: BulkOperation) -> None:
        async def work() -> None:
            await run_bulk(self.shop, self.api, operation, sleep=self.courier.pause)

        self.courier.spawn(work, name="bulk operation")

    def _send(self, delivery: Written, delay_s: float, done: Done) -> None:
        parcel = simulators.Delivery(url=delivery.uri, body=delivery.body, headers=delivery.headers)
        self.courier.send(parcel, delay_s=delay_s, done=done)

    def _note(self, level: InventoryLevel, source: str, before: int, after: int) -> None:
        if level.is_active and before != after:
            self.log.add(_ref(level), before, after, source)

    def _new_secret(self) -> str:
        return f"shpss_{self.random.bytes(16).hex()}"

    def _item(self, sku: str) -> InventoryItem:
        known = self.shop.goods.by_sku.get(sku)
        if not known:
            raise Unknown(f"{sku}: no such SKU")
        return known[0]

    def _order(self, order_id: str) -> Order:
        order = self.shop.orders.by_number.get(int(order_id)) if order_id.isdigit() else None
        if order is None:
            raise Unknown(f"{order_id}: no such order")
        return order

    def _level(self, place: str | ListingRef) -> InventoryLevel:
        if isinstance(place, str):
            levels = self.shop.goods.sellable(self._item(place))
        else:
            item = self.shop.goods.by_id.get(f"gid://shopify/InventoryItem/{place.remote_id}")
            known = item.levels.values() if isinstance(item, InventoryItem) else ()
            levels = [level for level in known if _ref(level) == place]
        if not levels:
            raise Unknown(f"{place}: no such listing")
        return levels[0]


def make(*, skus: int, seed: int, clock: Clock) -> ShopifySimulator:
    """Return a simulated shop with `skus` goods, each with stock at one location."""
    return ShopifySimulator(skus=skus, seed=seed, clock=clock)


def _ref(level: InventoryLevel) -> ListingRef:
    return ListingRef(
        remote_id=str(level.item.legacy_resource_id), remote_location=str(level.location.legacy_resource_id)
    )


def _receipt(order: Order) -> Receipt:
    lines = tuple(_receipt_line(line) for line in order.lines)
    return Receipt(order_id=str(order.legacy_resource_id), number=order.name, lines=lines)


def _receipt_line(line: LineItem) -> ReceiptLine:
    return ReceiptLine(
        sku=line.item.sku,
        quantity=line.quantity,
        ref=ListingRef(
            remote_id=str(line.item.legacy_resource_id), remote_location=str(line.origin.legacy_resource_id)
        ),
        cancelled=min(line.removed, line.quantity - line.fulfilled),
        shipped=line.fulfilled,
    )


def _cuts(lines: Sequence[tuple[LineItem, int]], quantity: int, restock_type: str) -> list[Cut]:
    """Spread units over lines, in their order."""
    cuts: list[Cut] = []
    for line, most in lines:
        units = min(most, quantity - sum(cut.quantity for cut in cuts))
        if units > 0:
            cuts.append(Cut(line=line, quantity=units, restock_type=restock_type))
    return cuts


def _json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def _form(raw: bytes) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}


async def _read(request: web.Request, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read() or b"{}", type=kind)
