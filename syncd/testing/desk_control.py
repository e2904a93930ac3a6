"""The control API of simulated desks, the same for every desk; wrong requests are answered as those of channels.

GET  /_sim/health
GET  /_sim/tickets               every ticket as it stands: state, fields, events, letters, drafts, notes
POST /_sim/tickets               {"subject", "text", "state", "sku", ...}, each may be left out: a customer writes
POST /_sim/tickets/ID/reply      {"text"}: the customer answers
POST /_sim/tickets/ID/edit       {"status", "state"}: an agent changes it
POST /_sim/tickets/ID/close
POST /_sim/tickets/ID/delete
GET  /_sim/faults
POST /_sim/faults                the named rates are changed, {} ends all of them; unknown names: 400
GET  /_sim/log                   [{"at", "ticket_id", "what", "value", "by"}]; ?after=N leaves out the first N ever
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from aiohttp import web

from syncd.sdk.desk import Language, TicketId, TicketState, TicketStatus
from syncd.testing.control import PREFIX, answer, fault_routes, read_body
from syncd.testing.desk_trade import Held, Wish

if TYPE_CHECKING:
    from syncd.testing.desk_simulators import DeskSimulator


class _Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    subject: str = "When will it be back?"
    text: str = ""
    state: TicketState | None = None
    sku: str = ""
    quantity: Annotated[int, msgspec.Meta(ge=1)] = 1
    order_number: str = ""
    expected: str = ""
    amount: str = ""
    language: Language | None = None


class _Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str = ""


class _Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: TicketStatus | None = None
    state: TicketState | None = None


def routes(simulator: DeskSimulator) -> list[web.RouteDef]:
    """Return the control API of a desk."""
    api = _Control(simulator)
    return [
        web.get(f"{PREFIX}health", api.health),
        web.get(f"{PREFIX}tickets", api.tickets),
        web.post(f"{PREFIX}tickets", api.open_ticket),
        web.post(f"{PREFIX}tickets/{{ticket_id}}/reply", api.reply),
        web.post(f"{PREFIX}tickets/{{ticket_id}}/edit", api.edit),
        web.post(f"{PREFIX}tickets/{{ticket_id}}/close", api.close),
        web.post(f"{PREFIX}tickets/{{ticket_id}}/delete", api.delete),
        *fault_routes(simulator),
        web.get(f"{PREFIX}log", api.log),
    ]


class _Control:
    """The handlers: parse, ask the simulator, render."""

    def __init__(self, simulator: DeskSimulator) -> None:
        self._simulator = simulator

    async def health(self, _: web.Request) -> web.Response:
        self._simulator.settle()
        return answer({"status": "ok", "url": self._simulator.url, "entries": len(self._simulator.log)})

    async def tickets(self, _: web.Request) -> web.Response:
        self._simulator.settle()
        return answer([_held(held) for held in self._simulator.tickets()])

    async def open_ticket(self, request: web.Request) -> web.Response:
        wish = await read_body(request, _Wish) if request.can_read_body else _Wish()
        ticket_id = self._simulator.open_ticket(_wish(wish))
        return answer(_held(self._simulator.held(ticket_id)), status=201)

    async def reply(self, request: web.Request) -> web.Response:
        wish = await read_body(request, _Reply) if request.can_read_body else _Reply()
        self._simulator.reply(_id(request), wish.text)
        return self._now(request)

    async def edit(self, request: web.Request) -> web.Response:
        wish = await read_body(request, _Edit)
        self._simulator.edit(_id(request), status=wish.status, state=wish.state)
        return self._now(request)

    async def close(self, request: web.Request) -> web.Response:
        self._simulator.close(_id(request))
        return self._now(request)

    async def delete(self, request: web.Request) -> web.Response:
        self._simulator.delete(_id(request))
        return answer({})

    async def log(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        self._simulator.settle()
        return answer([dataclasses.asdict(entry) for entry in self._simulator.log.after(after)])

    def _now(self, request: web.Request) -> web.Response:
        return answer(_held(self._simulator.held(_id(request))))


def _id(request: web.Request) -> TicketId:
    return TicketId(request.match_info["ticket_id"])


def _wish(wish: _Wish) -> Wish:
    return Wish(**msgspec.structs.asdict(wish))


def _held(held: Held) -> dict[str, Any]:
    return dataclasses.asdict(held) | {"events": sorted(held.events), "own": sorted(held.own)}
