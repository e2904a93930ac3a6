"""The control API: the same for every simulator, for rehearsals, demo and tests from outside.

    GET  /_sim/health
    GET  /_sim/listings             [{"listing": {"remote_id", "remote_location"}, "sku", "shown"}]
    POST /_sim/orders               {"lines": [{"sku", "quantity"}]}: 201 with the order, 409 when too little is shown
    POST /_sim/orders/ID/cancel     {"quantity", "restock"}, both may be left out: all units, by the channel's own rule
    POST /_sim/orders/ID/ship
    POST /_sim/offers/ID/pay        whoever has the link of a private sale buys: 201 with the order
    POST /_sim/set                  {"sku" or "listing", "quantity"}: a person edits a number
    GET  /_sim/faults
    POST /_sim/faults               the named rates are changed, {} ends all of them; unknown names: 400
    GET  /_sim/log                  [{"at", "listing", "from", "to", "by"}]; ?after=N leaves out the first N ever

Whatever is wrong is answered as {"error": "..."}. `at` is in microseconds UTC.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from syncd.core.terms import ListingRef
from syncd.testing.faults import merged
from syncd.testing.trade import Applied, Receipt, Refusal, Shown

if TYPE_CHECKING:
    from syncd.testing.remotes import SimulatedRemote
    from syncd.testing.simulators import Simulator

PREFIX = "/_sim/"

T = TypeVar("T")


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sku: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lines: Annotated[list[_Line], msgspec.Meta(min_length=1)]


class _Cancel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    quantity: Annotated[int, msgspec.Meta(ge=1)] | None = None
    restock: bool | None = None


class _Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    remote_id: str
    remote_location: str = ""


class _Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    quantity: Annotated[int, msgspec.Meta(ge=0)]
    sku: str | None = None
    listing: _Listing | None = None


def routes(simulator: Simulator) -> list[web.RouteDef]:
    """Return the control API of a simulator."""
    api = _Control(simulator)
    return [
        web.get(f"{PREFIX}health", api.health),
        web.get(f"{PREFIX}listings", api.listings),
        web.post(f"{PREFIX}orders", api.buy),
        web.post(f"{PREFIX}orders/{{order_id}}/cancel", api.cancel),
        web.post(f"{PREFIX}orders/{{order_id}}/ship", api.ship),
        web.post(f"{PREFIX}offers/{{offer_id}}/pay", api.pay_offer),
        web.post(f"{PREFIX}set", api.set),
        *fault_routes(simulator),
        web.get(f"{PREFIX}log", api.log),
    ]


def fault_routes(simulator: SimulatedRemote) -> list[web.RouteDef]:
    """Return the part of the control API that looks at faults and changes them."""

    async def look(_: web.Request) -> web.Response:
        return answer(dataclasses.asdict(simulator.faults))

    async def change(request: web.Request) -> web.Response:
        simulator.faults = merged(simulator.faults, await read_body(request, dict[str, Any]))
        return await look(request)

    return [web.get(f"{PREFIX}faults", look), web.post(f"{PREFIX}faults", change)]


@web.middleware
async def speak_plainly(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer refusals, wrong bodies and wrong addresses of the control API as JSON."""
    if not request.path.startswith(PREFIX):
        return await handler(request)
    try:
        return await handler(request)
    except Refusal as refusal:
        return answer({"error": str(refusal)}, status=refusal.status)
    except web.HTTPException as wrong:
        return answer({"error": wrong.reason}, status=wrong.status)
    except (msgspec.DecodeError, ValueError) as fault:  # ValidationError and UnicodeDecodeError are among them
        return answer({"error": str(fault)}, status=400)


class _Control:
    """The handlers: parse, ask the simulator, render."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def health(self, _: web.Request) -> web.Response:
        self._simulator.settle()
        return answer({"status": "ok", "url": self._simulator.url, "writes": len(self._simulator.log)})

    async def listings(self, _: web.Request) -> web.Response:
        return answer([_shown(shown) for shown in self._simulator.shown()])

    async def buy(self, request: web.Request) -> web.Response:
        order = await read_body(request, _Order)
        receipt = self._simulator.buy([(line.sku, line.quantity) for line in order.lines])
        return answer(_receipt(receipt), status=201)

    async def cancel(self, request: web.Request) -> web.Response:
        wish = await read_body(request, _Cancel) if request.can_read_body else _Cancel()
        order_id = request.match_info["order_id"]
        return answer(_receipt(self._simulator.cancel(order_id, quantity=wish.quantity, restock=wish.restock)))

    async def ship(self, request: web.Request) -> web.Response:
        return answer(_receipt(self._simulator.ship(request.match_info["order_id"])))

    async def pay_offer(self, request: web.Request) -> web.Response:
        return answer(_receipt(self._simulator.pay_offer(request.match_info["offer_id"])), status=201)

    async def set(self, request: web.Request) -> web.Response:
        wish = await read_body(request, _Set)
        self._simulator.set_shown(_place(wish), wish.quantity)
        return answer({"quantity": wish.quantity})

    async def log(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        self._simulator.settle()
        return answer([_applied(applied) for applied in self._simulator.log.after(after)])


async def read_body(request: web.Request, kind: type[T]) -> T:
    """Return the body of a control request, strictly; what does not fit is answered by 400."""
    return msgspec.json.decode(await request.read(), type=kind)


def answer(value: Any, *, status: int = 200) -> web.Response:
    """Answer a value as JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _place(wish: _Set) -> str | ListingRef:
    if wish.listing is not None and wish.sku is None:
        return ListingRef(remote_id=wish.listing.remote_id, remote_location=wish.listing.remote_location)
    if wish.sku is not None and wish.listing is None:
        return wish.sku
    raise ValueError("name either a sku or a listing")


def _listing(ref: ListingRef) -> dict[str, str]:
    return {"remote_id": ref.remote_id, "remote_location": ref.remote_location}


def _shown(shown: Shown) -> dict[str, Any]:
    return {"listing": _listing(shown.ref), "sku": shown.sku, "shown": shown.quantity}


def _receipt(receipt: Receipt) -> dict[str, Any]:
    lines = [
        {
            "sku": line.sku,
            "quantity": line.quantity,
            "listing": _listing(line.ref),
            "cancelled": line.cancelled,
            "shipped": line.shipped,
        }
        for line in receipt.lines
    ]
    return {"order_id": receipt.order_id, "number": receipt.number, "lines": lines}


def _applied(applied: Applied) -> dict[str, Any]:
    return {
        "at": applied.at,
        "listing": _listing(applied.ref),
        "from": applied.before,
        "to": applied.after,
        "by": applied.by.value,
    }
