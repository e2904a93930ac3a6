"""The API of the simulated account: who may ask what, and how it is answered."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.zendesk.simulated import render
from adapters.zendesk.simulated.access import Access, Limit, User
from adapters.zendesk.simulated.bulk import Bulk
from adapters.zendesk.simulated.hooks import Hooks
from adapters.zendesk.simulated.search import Search
from adapters.zendesk.simulated.setup import KINDS, SetUp
from adapters.zendesk.simulated.tickets import API, Ticket, Tickets
from adapters.zendesk.simulated.world import SECOND_US, Problem, World
from syncd.sdk.channel import Instant

MOST_SHOWN: Final = 100
EXPORT_PAGE: Final = 1_000
CURSOR_PAGE: Final = 20
NUMBERED_PAGE: Final = 100
IDEMPOTENT_US: Final = 7_200 * SECOND_US
MOST_KEY: Final = 255
ADMIN_LISTS: Final = frozenset({"trigger_categories", "webhooks"})
"""What only an admin may even read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that was let in."""

    user: User
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    def part(self, name: str) -> dict[str, Any]:
        """Return an object of the body; raises `Problem` where there is none."""
        found = self.body.get(name) if isinstance(self.body, dict) else None
        if not isinstance(found, dict):
            raise Problem(422, "RecordInvalid", f"{name} is missing")
        return found


Reply = tuple[int, Any]
Handle = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call: its address, what it needs, and of which limit it is."""

    method: str
    path: str
    handle: Handle
    scope: str
    admin: bool = False
    kind: str = ""


class Remote:
    """The handlers."""

    def __init__(
        self, world: World, *, access: Access, setup: SetUp, tickets: Tickets, bulk: Bulk, search: Search, hooks: Hooks,
        settle: Callable[[], None], look_at: Callable[[Instant], None],
    ) -> None:  # fmt: skip
        self._world = world
        self._access = access
        self._setup = setup
        self._tickets = tickets
        self._bulk = bulk
        self._search = search
        self._hooks = hooks
        self._settle = settle
        self._look_at = look_at
        self._keys: dict[str, tuple[Instant, bytes, Any]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return all of it, with and without `.json`."""
        return [
            web.post("/oauth/tokens", self._token),
            *(
                web.route(route.method, f"/api/v2{route.path}{suffix}", functools.partial(self._serve, route))
                for route in [*self._ticket_routes(), *self._setup_routes()]
                for suffix in ("", ".json")
            ),
        ]

    def _ticket_routes(self) -> list[Route]:
        read, write = "tickets:read", "tickets:write"
        return [
            Route(method="GET", path="/users/me", handle=self._me, scope="users:read"),
            Route(method="GET", path="/tickets", handle=self._listed, scope=read),
            Route(method="POST", path="/tickets", handle=self._open, scope=write),
            Route(method="GET", path="/tickets/show_many", handle=self._show_many, scope=read),
            Route(method="PUT", path="/tickets/update_many", handle=self._update_many, scope=write),
            Route(method="GET", path=r"/tickets/{id:\d+}", handle=self._show, scope=read),
            Route(method="PUT", path=r"/tickets/{id:\d+}", handle=self._update, scope=write, kind="update"),
            Route(method="GET", path=r"/tickets/{id:\d+}/comments", handle=self._comments, scope=read),
            Route(method="GET", path=r"/job_statuses/{id:\w+}", handle=self._job, scope=read),
            Route(
                method="GET", path="/incremental/tickets/cursor", handle=self._export, scope=read, admin=True,
                kind="export",
            ),
            Route(method="GET", path="/search/export", handle=self._search_export, scope="read", kind="search"),
            Route(method="GET", path="/search", handle=self._plain_search, scope="read"),
        ]  # fmt: skip

    def _setup_routes(self) -> list[Route]:
        made = []
        for kind in KINDS:
            admin = kind in ADMIN_LISTS
            handles = {
                "list": functools.partial(self._list_setup, kind),
                "add": functools.partial(self._add_setup, kind),
                "change": functools.partial(self._change_setup, kind),
            }
            one = f"/{kind}/{{id:[0-9]+}}"
            made += [
                Route(method="GET", path=f"/{kind}", handle=handles["list"], scope=f"{kind}:read", admin=admin),
                Route(method="POST", path=f"/{kind}", handle=handles["add"], scope=f"{kind}:write", admin=True),
                Route(method="PUT", path=one, handle=handles["change"], scope=f"{kind}:write", admin=True),
                Route(method="PATCH", path=one, handle=handles["change"], scope=f"{kind}:write", admin=True),
            ]
        options = "/ticket_fields/{id:[0-9]+}/options"
        signing = "/webhooks/{id:[0-9]+}/signing_secret"
        return [
            *made,
            Route(method="POST", path=options, handle=self._option, scope="ticket_fields:write", admin=True),
            Route(method="GET", path=signing, handle=self._secret, scope="webhooks:read", admin=True),
        ]

    # --- the door ----------------------------------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.StreamResponse:
        try:
            return self._answer(200, self._access.grant(_body(await request.read())))
        except Problem as problem:
            return self._answer(problem.status, problem.body)

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self._settle()
        headers: dict[str, str] = {}
        try:
            user = self._access.user(request.headers.get("Authorization", ""))
            headers = self._access.count(route.kind)
            self._access.admit(user, scope=route.scope, admin=route.admin)
            self._admit_body(route, raw, request.content_type)
            body = _body(raw) if raw else None
            call = Call(user=user, names=request.match_info, query=request.query, headers=request.headers, body=body)
            status, told = route.handle(call)
        except Limit as limit:
            body = {"error": "TooManyRequests", "description": "API rate limit exceeded"}
            return self._answer(429, body, limit.headers)
        except Problem as problem:
            return self._answer(problem.status, problem.body, headers)
        lookup = {"x-idempotency-lookup": "miss"} if "Idempotency-Key" in request.headers else {}
        return self._answer(status, told, headers | lookup)

    def _admit_body(self, route: Route, raw: bytes, media: str) -> None:
        if raw and media != "application/json":
            raise Problem(415, "Unsupported Media Type", "Content-Type is not application/json")
        if route.method != "GET" and self._world.happens(self._world.faults.database_conflicts):
            raise Problem(409, "DatabaseConflict", "Database collision")

    def _answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
        date = formatdate(self._world.now() / SECOND_US, usegmt=True)
        return web.Response(
            body=msgspec.json.encode(body),
            status=status,
            content_type="application/json",
            headers={**(headers or {}), "Date": date},
        )

    # --- tickets -----------------------------------------------------------------------------------------------------

    def _me(self, call: Call) -> Reply:
        user = call.user
        return 200, {"user": {"id": user.user_id, "name": "syncd", "role": user.role, "email": "syncd@example.jp"}}

    def _told(self, row: Ticket, call: Call) -> dict[str, Any]:
        metrics = "metric_sets" in call.query.get("include", "").split(",")
        return render.ticket(row, self._world, self._setup, agent_id=call.user.user_id, metrics=metrics)

    def _listed(self, call: Call) -> Reply:
        external_id = call.query.get("external_id")
        rows = self._tickets.by_external_id(external_id) if external_id else self._tickets.all()[:MOST_SHOWN]
        return 200, {"tickets": [self._told(row, call) for row in rows], "count": len(rows), "next_page": None}

    def _show_many(self, call: Call) -> Reply:
        ids = [int(each) for each in call.query.get("ids", "").split(",") if each.isdecimal()]
        if not 1 <= len(ids) <= MOST_SHOWN:
            raise Problem(400, "TooManyIds", f"1 to {MOST_SHOWN} ids")
        found = (self._tickets.get(each) for each in dict.fromkeys(ids))
        rows = [self._told(row, call) for row in found if row is not None]
        return 200, {"tickets": rows, "count": len(rows), "next_page": None, "previous_page": None}

    def _show(self, call: Call) -> Reply:
        return 200, {"ticket": self._told(self._ticket(call), call)}

    def _ticket(self, call: Call) -> Ticket:
        row = self._tickets.get(int(call.names["id"]))
        if row is None:
            raise Problem(404, "RecordNotFound", "Not found")
        return row

    def _comments(self, call: Call) -> Reply:
        """Tell comments, oldest first, or newest first where that is asked of its cursor pages."""
        rows = render.comments(self._ticket(call), agent_id=call.user.user_id)
        if call.query.get("sort") == "-created_at":
            rows = rows[::-1]
        size = min(MOST_SHOWN, int(call.query.get("page[size]", str(MOST_SHOWN))))
        meta = {"has_more": len(rows) > size, "after_cursor": None, "before_cursor": None}
        return 200, {"comments": rows[:size], "meta": meta}

    def _update(self, call: Call) -> Reply:
        row = self._ticket(call)
        self._bulk.count(row.ticket_id)
        self._tickets.change(row, call.part("ticket"), by=API)
        return 200, {"ticket": self._told(row, call)}

    def _update_many(self, call: Call) -> Reply:
        rows = call.body.get("tickets") if isinstance(call.body, dict) else None
        if rows is None:
            given = call.part("ticket")
            rows = [{**given, "id": int(each)} for each in call.query.get("ids", "").split(",") if each.isdecimal()]
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise Problem(422, "RecordInvalid", "tickets: each needs an id")
        job = self._bulk.submit(rows)
        self._look_at(job.ends_at)
        return 200, {"job_status": self._bulk.told(job)}

    def _job(self, call: Call) -> Reply:
        return 200, {"job_status": self._bulk.status(call.names["id"])}

    def _open(self, call: Call) -> Reply:
        key = call.headers.get("Idempotency-Key", "")
        given = call.part("ticket")
        told = json.dumps(given, sort_keys=True).encode()
        if len(key) > MOST_KEY:
            raise Problem(400, "IdempotentRequestError", "The key is too long")
        known = self._keys.get(key) if key else None
        if known is not None and self._world.now() - known[0] <= IDEMPOTENT_US:
            if known[1] != told:
                raise Problem(400, "IdempotentRequestError", "The key was used with another body")
            return 201, known[2]
        row = self._tickets.open(given, by=API)
        made = {"ticket": self._told(row, call), "audit": {"id": self._world.next_id(), "ticket_id": row.ticket_id}}
        if key:
            self._keys[key] = (self._world.now(), told, made)
        return 201, made

    # --- reading many ------------------------------------------------------------------------------------------------

    def _export(self, call: Call) -> Reply:
        """Tell changes in their order; the last minute is held back, and the last row of a page comes again."""
        now = self._world.now()
        cursor = call.query.get("cursor")
        after = _serial(cursor) if cursor else 0
        start = 0
        if not cursor:
            start = int(call.query.get("start_time", "-1"))
            if not 0 <= start <= now // SECOND_US - 60:
                raise Problem(400, "InvalidValue", "start_time must be at least a minute ago")
        until = now - self._world.scaled_us(self._world.faults.held_back_s)
        rows = sorted(self._tickets.all(), key=lambda row: row.serial)
        due = [
            row
            for row in rows
            if row.serial >= after and start <= row.updated_at // SECOND_US and row.updated_at <= until
        ]
        page = due[:EXPORT_PAGE]
        last = page[-1].serial if page else after
        mark = base64.b64encode(f"{last}|{now}".encode()).decode()
        return 200, {
            "tickets": [self._told(row, call) for row in page],
            "after_cursor": mark, "after_url": f"{self._world.url}/api/v2/incremental/tickets/cursor?cursor={mark}",
            "before_cursor": None, "before_url": None, "end_of_stream": len(due) <= EXPORT_PAGE,
        }  # fmt: skip

    def _search_export(self, call: Call) -> Reply:
        if call.query.get("filter[type]") != "ticket":
            raise Problem(422, "invalid", "filter[type] is missing")
        size = int(call.query.get("page[size]", "100"))
        return 200, self._search.export(
            call.query.get("query", ""), size=size, cursor=call.query.get("page[after]", "")
        )

    def _plain_search(self, call: Call) -> Reply:
        return 200, self._search.plain(call.query.get("query", ""), page=int(call.query.get("page", "1")))

    # --- set-up ------------------------------------------------------------------------------------------------------

    def _list_setup(self, kind: str, call: Call) -> Reply:
        """List by a cursor or by numbered pages, as each list does."""
        rows = self._setup.rows(kind)
        if kind in ADMIN_LISTS:
            after = int(call.query.get("page[after]", "0"))
            more = len(rows) > after + CURSOR_PAGE
            meta = {"has_more": more} | ({"after_cursor": str(after + CURSOR_PAGE)} if more else {})
            return 200, {kind: rows[after : after + CURSOR_PAGE], "meta": meta, "links": {}}
        page = int(call.query.get("page", "1"))
        start, end = (page - 1) * NUMBERED_PAGE, page * NUMBERED_PAGE
        following = f"{self._world.url}/api/v2/{kind}.json?page={page + 1}" if len(rows) > end else None
        return 200, {kind: rows[start:end], "count": len(rows), "next_page": following, "previous_page": None}

    def _add_setup(self, kind: str, call: Call) -> Reply:
        # Macros, views and categories are answered by 200 (Zendesk's own description of its API).
        status = 200 if kind in ("macros", "views", "trigger_categories") else 201
        return status, {KINDS[kind]: self._setup.add(kind, call.part(KINDS[kind]))}

    def _change_setup(self, kind: str, call: Call) -> Reply:
        made = self._setup.change(kind, call.names["id"], call.part(KINDS[kind]))
        return 200, {KINDS[kind]: made}

    def _option(self, call: Call) -> Reply:
        return 200, {"custom_field_option": self._setup.add_option(call.names["id"], call.part("custom_field_option"))}

    def _secret(self, call: Call) -> Reply:
        self._setup.get("webhooks", call.names["id"])
        return 200, {"signing_secret": {"algorithm": "SHA256", "secret": self._hooks.secret(call.names["id"])}}


def _body(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(400, "Unparsable request body", "The body is no JSON") from None


def _serial(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor).decode().partition("|")[0])
    except ValueError:
        raise Problem(400, "InvalidValue", "The cursor is none") from None
