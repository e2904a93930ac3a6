"""The two HTTP applications of the daemon: one on the control socket, one for the network.

On the control socket whoever may open it may do everything: it is a file of mode 0600. On the network each request
needs `Authorization: Bearer TOKEN`, and without any token nobody gets in. All paths are below `/api/v1`:

| path | what |
|---|---|
| `GET status` | the daemon, each account, alerts, brakes |
| `GET why/SKU` | why each listing of it shows its number; `account`? |
| `GET postmortem/SKU`, `GET postmortem/ORDER` | its history, and why it was oversold; `account`?, `since`? |
| `GET stock`, `GET stock/SKU` | pages of `text`, `prefix`, `after`, `limit`; one SKU with all that is known of it |
| `GET shelf`, `GET lines`, `GET lines/SKU`, `GET oversells` | what the pages *Stock*, *Waiting* and *Incidents* list |
| `POST stock/count` | `rows` of `sku`, `quantity`, `location`?, `counted`?, `counted_at`? |
| `POST stock/move` | `move` (`receive`, `adjust`, `damage`), `at`?, `rows` of `sku`, `quantity`, `location`? |
| `GET skus`, `POST skus` | `rows` of `sku`, `title`?, `components`? (of `sku`, `quantity`) |
| `POST policy` | `rows` of `sku`, `account`?, values?, and for a season `season`, `since`, `until` |
| `GET policy/SKU` | what was set for it, and what is in force on each account |
| `GET listings` | pages of `account`, `text`, `unmapped`, `parked`, `held`, `vanished` |
| `GET listings/matches`, `POST mappings` | `rows` of `account`, `remote_id`, `remote_location`?, `sku` (or null) |
| `POST listings/refresh` | `account`? |
| `GET orders`, `GET orders/ACCOUNT/ID` | pages of `account`, `status`, `late`, `carrier` ...; one order |
| `GET orders.csv` | the same orders as a file; `encoding` (`utf-8`, `shift_jis`), `language` |
| `POST orders/ACCOUNT/ID/cancel` | `reason`, `lines`? of `line_id`, `quantity`; on the network `confirm` too |
| `GET inquiries` | open inquiries about stock, asked now; `account`? |
| `GET figures`, `GET figures.csv` | sold, cancelled, oversold and hidden units by day and account; `days` |
| `GET account-health` | how each channel judges the shop |
| `GET incidents`, `GET incidents/N`, `POST incidents/N/close` | `state`, `sku`; `reason`? |
| `GET escalations`, `POST escalations/release` | pages of `reason`, `released`; `ids`, `reason`? |
| `GET tickets/figures`, `GET tickets/figures.csv` | `days`, `by` (`day`, `week`), `sku`; the second as a file |
| `GET alternatives`, `POST alternatives` | `sku`?; `rows` of `sku`, `alternative`, `note`? |
| `GET ledger/verify` | every difference |
| `GET`, `POST adopt` | `believe`? or `rows` of a count, `apply`? |
| `GET accounts/NAME/go`, `POST accounts/NAME/go`, `.../pause` | `reason`? |
| `GET drift`, `POST drift/accept`, `drift/overwrite` | `ids` or `all` |
| `GET brake`, `POST brake/release`, `brake/refuse` | `ids` or `all` |
| `POST alerts/test` | |
| `GET tokens`, `POST tokens`, `tokens/NAME/revoke` | by an admin; of a new token only its hash |
| `GET openapi.json` | all of this as OpenAPI 3.1; without a token |

A POST may have `request_id` (a repeat changes nothing), `actor`, `reason`, and `force` to pass the brake. It is
answered 200 once it is applied, 202 while it is pending or held, 400 with every wrong row, 409 with the reason where it
was refused, 503 while nothing can be stored. Errors are `{"error": {"code", "message", "problems"}}`; times: RFC 3339.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import structlog
from aiohttp import web

from syncd.sdk.errors import ConfigError, Problem, ProtocolError, SyncdError, TransientError
from syncd.web import (
    api_adopt,
    api_control,
    api_desks,
    api_errands,
    api_figures,
    api_incidents,
    api_listings,
    api_orders,
    api_policy,
    api_shelf,
    api_stock,
    api_tickets,
    api_tokens,
    api_waiting,
    api_whatif,
    api_why,
)
from syncd.web.api_gate import Gate, Serve
from syncd.web.api_shape import PLAIN, shape_of, shaped
from syncd.web.api_wire import SHAPE, Answer, Fault, Handler, Route, Service, fault_response, response
from syncd.web.health import Health
from syncd.web.metrics import Metrics
from syncd.web.openapi import document
from syncd.web.plant import Plant
from syncd.web.status import Standings, routes_of

PREFIX: Final = "/api/v1"
RETRY_AFTER_S: Final = 5.0

_BACKLOG: Final = 64
_log = structlog.get_logger("syncd.web")


def control_app(plant: Plant, *, explain: api_why.Explain | None = None) -> web.Application:
    """Return the application of the control socket: the API without a token, health, metrics; `explain` says why."""
    standings = Standings(plant)
    service = Service(plant=plant, source="cli")
    app = web.Application()
    app.add_routes([*Health(plant).routes(), *Metrics(plant, standings).routes()])
    app.add_routes(_api(service, standings, explain))
    return app


def public_app(
    plant: Plant, routes: Iterable[web.RouteDef] = (), *, explain: api_why.Explain | None = None
) -> web.Application:
    """Return the application for the network: health, these routes (webhooks), and what the settings switch on."""
    http = plant.settings.http
    standings = Standings(plant)
    app = web.Application()
    app.add_routes([*Health(plant).routes(), *routes])
    if http.metrics:
        app.add_routes(Metrics(plant, standings).routes())
    app.add_routes(_api(Service(plant=plant, source="api"), standings, explain, gate=Gate(plant)))
    return app


def control_socket(path: Path) -> socket.socket:
    """Return a listening Unix socket that only its owner may open; one that a dead daemon left is taken away.

    The caller owns the store, so no other daemon can be behind it. Raises ConfigError where it cannot be made.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if stat.S_ISSOCK(_mode(path)):
            path.unlink()
        before = os.umask(0o177)
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        made.listen(_BACKLOG)
        made.settimeout(0)
    except OSError as error:
        made.close()
        remedy = "name another path by `socket` in [daemon]"
        raise ConfigError([Problem(place=str(path), message=error.strerror or "unusable", remedy=remedy)]) from None
    return made


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0


def api_routes(standings: Standings, explain: api_why.Explain | None) -> list[Route]:
    """Return every route of the API."""
    tables = (
        routes_of(standings),
        api_why.routes_of(explain),
        api_whatif.ROUTES,
        api_stock.ROUTES,
        api_shelf.ROUTES,
        api_policy.ROUTES,
        api_listings.ROUTES,
        api_orders.ROUTES,
        api_control.ROUTES,
        api_errands.ROUTES,
        api_figures.ROUTES,
        api_incidents.ROUTES,
        api_adopt.ROUTES,
        api_tokens.ROUTES,
        api_waiting.ROUTES,
        api_tickets.ROUTES,
        api_desks.ROUTES,
    )
    return [route for table in tables for route in table]


def _api(
    service: Service, standings: Standings, explain: api_why.Explain | None, *, gate: Gate | None = None
) -> list[web.RouteDef]:
    """Return the routes with their description; with a gate each one asks for a token."""
    routes = api_routes(standings, explain)
    told = msgspec.json.encode(document([*routes, DESCRIPTION], prefix=PREFIX))

    async def describe(_request: web.Request) -> web.Response:
        return web.Response(body=told, content_type="application/json")

    made = [_route(service, route, gate) for route in routes]
    rest: Serve = _unknown if gate is None else gate.guard("GET", PLAIN, _unknown)
    return [*made, web.get(PREFIX + DESCRIPTION[1], describe), web.route("*", PREFIX + "/{rest:.*}", rest)]


@shaped()
async def _described(_service: Service, _request: web.Request) -> Answer:
    """Return this description; it needs no token."""
    raise Fault(404, "the description is served by the application itself")


DESCRIPTION: Final[Route] = ("GET", "/openapi.json", _described)


def _route(service: Service, route: Route, gate: Gate | None) -> web.RouteDef:
    method, path, handler = route
    serve = _serving(service, handler)
    shape = shape_of(handler) or PLAIN
    return web.route(method, PREFIX + path, serve if gate is None else gate.guard(method, shape, serve))


async def _unknown(request: web.Request) -> web.Response:
    return fault_response(Fault(404, f"there is no {request.method} {request.path}"))


def _serving(service: Service, handler: Handler) -> Serve:
    """Wrap a handler: whatever goes wrong is told as JSON, and nothing secret is."""
    shape = shape_of(handler) or PLAIN

    async def serve(request: web.Request) -> web.StreamResponse:
        request[SHAPE] = shape
        try:
            return response(await handler(service, request))
        except Fault as fault:
            return fault_response(fault, retry_after_s=fault.retry_after_s)
        except ProtocolError as error:
            return fault_response(Fault(400, str(error)))
        except (TransientError, TimeoutError) as error:
            wait = error.retry_after_s if isinstance(error, TransientError) else None
            reason = str(error) or "the store did not answer in time"
            return fault_response(Fault(503, reason), retry_after_s=wait or RETRY_AFTER_S)
        except SyncdError as error:
            return fault_response(Fault(500, str(error)))
        except (asyncio.CancelledError, web.HTTPException, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001  (one bad request must not hide behind a closed connection)
            _log.exception("api.fault", path=request.path, fault=type(error).__name__)
            return fault_response(Fault(500, "a fault of syncd; its log says more"))

    return serve
