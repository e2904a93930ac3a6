"""The two HTTP applications of the daemon: one on the control socket, one for the network.

On the control socket whoever may open it may do everything: it is a file of mode 0600. On the network the API is off
without a token; with one it asks for `Authorization: Bearer TOKEN`. All paths are below `/api/v1`:

| path | what |
|---|---|
| `GET status` | the daemon, each account, alerts, brakes |
| `GET why/SKU` | why each listing of it shows its number; `account`? |
| `GET postmortem/SKU`, `GET postmortem/ORDER` | its history, and why it was oversold; `account`?, `since`? |
| `GET stock`, `GET stock/SKU` | pages of `text`, `prefix`, `after`, `limit`; one SKU with all that is known of it |
| `POST stock/count` | `rows` of `sku`, `quantity`, `location`?, `counted`?, `counted_at`? |
| `POST stock/move` | `move` (`receive`, `adjust`, `damage`), `at`?, `rows` of `sku`, `quantity`, `location`? |
| `GET skus`, `POST skus` | `rows` of `sku`, `title`?, `components`? (of `sku`, `quantity`) |
| `POST policy` | `rows` of `sku`, `account`?, `safety_stock`?, `safety_percent`?, `cap`? |
| `GET listings` | pages of `account`, `text`, `unmapped`, `parked`, `held`, `vanished` |
| `GET listings/matches`, `POST mappings` | `rows` of `account`, `remote_id`, `remote_location`?, `sku` (or null) |
| `POST listings/refresh` | `account`? |
| `GET orders`, `GET orders/ACCOUNT/ID` | pages of `account`, `status`, `late`, `carrier` ...; one order |
| `GET orders.csv` | the same orders as a file; `encoding` (`utf-8`, `shift_jis`), `language` |
| `POST orders/ACCOUNT/ID/cancel` | `reason`, `lines`? of `line_id`, `quantity`; on the control socket only |
| `GET inquiries` | open inquiries about stock, asked now; `account`? |
| `GET account-health` | how each channel judges the shop |
| `GET ledger/verify` | every difference |
| `GET`, `POST adopt` | `believe`? or `rows` of a count, `apply`? |
| `GET accounts/NAME/go`, `POST accounts/NAME/go`, `.../pause` | `reason`? |
| `GET drift`, `POST drift/accept`, `drift/overwrite` | `ids` or `all` |
| `GET brake`, `POST brake/release`, `brake/refuse` | `ids` or `all` |
| `POST alerts/test` | |

A POST may have `request_id` (a repeat changes nothing), `actor`, `reason`, and `force` to pass the brake. It is
answered 200 once it is applied, 202 while it is pending or held, 400 with every wrong row, 409 with the reason where it
was refused, 503 while nothing can be stored. Errors are `{"error": {"message", "problems"}}`; times are RFC 3339.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from syncd.sdk.errors import ConfigError, Problem, ProtocolError, SyncdError, TransientError
from syncd.web import api_adopt, api_control, api_errands, api_listings, api_orders, api_stock, api_why
from syncd.web.api_wire import Fault, Handler, Route, Service, fault_response, response
from syncd.web.health import Health
from syncd.web.metrics import Metrics
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
    if http.api_token:
        service = Service(plant=plant, source="api")
        app.add_routes(_guarded(http.api_token.reveal(), _api(service, standings, explain)))
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


_Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _api(service: Service, standings: Standings, explain: api_why.Explain | None) -> list[web.RouteDef]:
    tables = (
        routes_of(standings),
        api_why.routes_of(explain),
        api_stock.ROUTES,
        api_listings.ROUTES,
        api_orders.ROUTES,
        api_control.ROUTES,
        api_errands.ROUTES,
        api_adopt.ROUTES,
    )
    made = [_route(service, route) for table in tables for route in table]
    return [*made, web.route("*", PREFIX + "/{rest:.*}", _unknown)]


def _route(service: Service, route: Route) -> web.RouteDef:
    method, path, handler = route
    return web.route(method, PREFIX + path, _serving(service, handler))


async def _unknown(request: web.Request) -> web.Response:
    return fault_response(Fault(404, f"there is no {request.method} {request.path}"))


def _serving(service: Service, handler: Handler) -> _Serve:
    """Wrap a handler: whatever goes wrong is told as JSON, and nothing secret is."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return response(await handler(service, request))
        except Fault as fault:
            return fault_response(fault)
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


def _guarded(token: str, routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    """Put the token before every handler."""
    return [web.route(route.method, route.path, _asking(token, route.handler)) for route in routes]


def _asking(token: str, handler: object) -> _Serve:
    wanted = token.encode()

    async def serve(request: web.Request) -> web.StreamResponse:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        fits = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), wanted)
        if not fits or scheme.lower() != "bearer":
            refused = fault_response(Fault(401, "this needs the API token, as `Authorization: Bearer TOKEN`"))
            refused.headers["WWW-Authenticate"] = 'Bearer realm="syncd"'
            return refused
        return await handler(request)  # type: ignore[operator,no-any-return]  # aiohttp types a handler loosely

    return serve
