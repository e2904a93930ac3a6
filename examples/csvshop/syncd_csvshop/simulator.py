"""A CSV shop as it behaves, over HTTP: a marketplace in memory that reads and writes the files of `wire`."""

from __future__ import annotations

import csv
import hmac
import io
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from aiohttp import web

from syncd.sdk.channel import Clock, Instant, ListingRef
from syncd.testing.market import Habits, Market
from syncd.testing.sales import Order
from syncd.testing.shelf import Good
from syncd.testing.simulators import (
    By,
    Receipt,
    Shown,
    Simulator,
    Unknown,
    Unsupported,
    opening_stock,
)
from syncd_csvshop import wire

MOST_QUANTITY = 1_000_000
HABITS = Habits(restore_s=None, feed_complete=False)
"""Cancelled units stay off sale until somebody puts them back."""


class CsvSimulator(Simulator):
    """The simulated shop."""

    token = "csvshop-token"  # noqa: S105  (of a shop that does not exist)

    def __init__(self, *, skus: int = 0, seed: int = 0, clock: Clock) -> None:
        super().__init__(seed=seed, clock=clock)
        self.shop = Market(clock=clock, seed=seed, habits=HABITS, log=self.log, scale=lambda: self.time_scale)
        for sku, quantity in opening_stock(skus, seed):
            self.shop.add(sku, quantity)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings that open it."""
        return {"base_url": url, "token": self.token}

    def shown(self) -> list[Shown]:
        """Return what every product shows now."""
        return self.shop.shown()

    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell to a shopper; an order has no number beside its id."""
        return _plain(self.shop.buy(lines))

    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Cancel units of an order; the shop never puts them back by itself."""
        if restock:
            raise Unsupported("cancelled units are put back by hand here")
        return _plain(self.shop.cancel(order_id, quantity=quantity))

    def ship(self, order_id: str) -> Receipt:
        """Ship what is left of an order."""
        return _plain(self.shop.ship(order_id))

    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit a number."""
        self.shop.set_shown(place, quantity)

    def hide(self, sku: str) -> None:
        """Take a SKU off sale."""
        self.shop.shelf.at(sku).active = False

    def unmanage(self, sku: str) -> None:
        """No longer track the stock of a SKU."""
        self.shop.shelf.at(sku).managed = False

    # --- the files ---

    def routes(self) -> list[web.RouteDef]:
        """Return the whole API."""
        return [
            web.get("/products.csv", self._guarded(self._products)),
            web.get("/orders.csv", self._guarded(self._orders)),
            web.post("/stock.csv", self._guarded(self._stock)),
        ]

    def _guarded(self, answer: Callable[[web.Request], Awaitable[web.Response]]) -> Any:
        async def handler(request: web.Request) -> web.Response:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return web.Response(status=401, text="the token is not valid")
            return await answer(request)

        return handler

    async def _products(self, _: web.Request) -> web.Response:
        at = self.shop.settle() - self.stale_us()
        return _file(wire.Product, (_product(good, at) for good in self.shop.shelf.all()))

    async def _orders(self, request: web.Request) -> web.Response:
        if "orders" in request.query:
            found = [(0, order) for order in map(self._found, request.query["orders"].split(",")) if order]
        else:
            found = list(self._changed(int(request.query["after"])))
        return _file(wire.OrderRow, (row for change, order in found for row in _order(order, change)))

    def _changed(self, after: int) -> Iterator[tuple[int, Order]]:
        self.shop.settle()
        for place in range(after, min(after + self.shop.habits.page, len(self.shop.feed))):
            (order,), change = self.shop.feed.page(place, 1)
            yield change, order

    def _found(self, order_id: str) -> Order | None:
        try:
            return self.shop.order(order_id)
        except Unknown:
            return None

    async def _stock(self, request: web.Request) -> web.Response:
        wanted = csv.DictReader(io.StringIO((await request.read()).decode()))
        return _file(wire.Result, [self._set(row["product"], int(row["quantity"])) for row in wanted])

    def _set(self, product: str, quantity: int) -> wire.Result:
        now = self.shop.settle()
        good = self.shop.shelf.find(ListingRef(remote_id=product))
        if good is None:
            return wire.Result(product=product, result="unknown")
        if not good.managed or not 0 <= quantity <= MOST_QUANTITY:
            return wire.Result(product=product, result="refused")
        self.shop.shelf.change(good, quantity, By.API, at=now)
        return wire.Result(product=product, result="ok")


def _plain(receipt: Receipt) -> Receipt:
    return Receipt(order_id=receipt.order_id, number=receipt.order_id, lines=receipt.lines)


def _product(good: Good, at: Instant) -> wire.Product:
    return wire.Product(
        product=good.ref.remote_id,
        sku=good.sku,
        title=good.title,
        quantity=good.as_of(at),
        active=good.active,
        tracked=good.managed,
    )


def _order(order: Order, change: int) -> Iterator[wire.OrderRow]:
    for line in order.lines:
        yield wire.OrderRow(
            change=change,
            order=order.order_id,
            revision=order.revision,
            at=order.at // wire.SECOND_US,
            line=line.line_id,
            product=line.good.ref.remote_id,
            sku=line.good.sku,
            quantity=line.quantity,
            cancelled=line.cancelled,
            shipped=line.shipped,
        )


def _file(kind: type[msgspec.Struct], rows: Iterable[msgspec.Struct]) -> web.Response:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, kind.__struct_fields__)
    writer.writeheader()
    writer.writerows(msgspec.to_builtins(row) for row in rows)
    return web.Response(text=out.getvalue(), content_type="text/csv", charset="utf-8")


def make(*, skus: int, seed: int, clock: Clock) -> CsvSimulator:
    """Return a simulated shop with `skus` products."""
    return CsvSimulator(skus=skus, seed=seed, clock=clock)
