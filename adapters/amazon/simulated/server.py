"""The API over HTTP: what every call must have, and what every answer has.

Facts: headers (SP-API docs, include-a-user-agent-header-in-all-requests, usage-plans-and-rate-limits); the rate header
is on 2xx, 400 and 404 and on no other answer (the models); 403 for tokens (selling-partner-api-docs issue 638).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from adapters.amazon.simulated.access import LwaError
from adapters.amazon.simulated.api import (
    Call,
    Operation,
    Refused,
    Reply,
    check_user_agent,
    denied,
    json_body,
    throttled,
)
from adapters.amazon.simulated.documents import PATH as DOCUMENTS
from adapters.amazon.simulated.documents import Document
from adapters.amazon.simulated.shop import Shop

TOKEN_PATH = "/auth/o2/token"  # noqa: S105  (a path)
FORM = "application/x-www-form-urlencoded"
WITH_BODY = frozenset({"POST", "PATCH", "PUT"})
MOST_UPLOAD_BYTES = 10 * 1024 * 1024
"""What Amazon advises a feed file to be smaller than; here it is a limit."""
WITH_RATE = frozenset({200, 201, 202, 204, 400, 404})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """The routes. `base_url` says where files are found; `stale_us` draws how far a read looks back."""

    def __init__(
        self,
        shop: Shop,
        operations: Sequence[Operation],
        *,
        base_url: Callable[[], str],
        stale_us: Callable[[], int],
    ) -> None:
        self._shop = shop
        self._operations = operations
        self._base_url = base_url
        self._stale_us = stale_us

    def routes(self) -> list[web.RouteDef]:
        """Return them all, and one for every other address."""
        return [
            web.post(TOKEN_PATH, self._token),
            web.put(f"{DOCUMENTS}/{{document_id}}", self._put),
            web.get(f"{DOCUMENTS}/{{document_id}}", self._get, allow_head=False),
            *(web.route(each.method, each.path, self._handler(each)) for each in self._operations),
            web.route("*", "/{anywhere:(?!_sim/).*}", self._nowhere),
        ]

    # --- operations ---

    def _handler(self, operation: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            try:
                reply = self._answer(operation, request, raw)
            except Refused as refused:
                return self._response(operation, Reply(status=refused.status, body=refused.body()))
            return self._response(operation, reply)

        return handle

    def _answer(self, operation: Operation, request: web.Request, raw: bytes) -> Reply:
        shop = self._shop
        shop.settle()
        if shop.knobs.maintenance:
            raise Refused(503, "ServiceUnavailable", "Service is unavailable.")
        check_user_agent(request.headers.get("User-Agent"))
        refusal = shop.tokens.refusal(request.headers.get("x-amz-access-token"), grantless=operation.grantless)
        if refusal is not None:
            raise denied(refusal)
        if operation.role and operation.role in shop.knobs.roles_missing:
            raise denied()
        if not shop.limits.allow(operation.name):
            raise throttled()
        body = json_body(raw, request.content_type) if operation.method in WITH_BODY else None
        call = Call(
            path=dict(request.match_info),
            given=operation.query_of(request.query),
            body=body,
            stale_us=self._stale_us(),
            base_url=self._base_url() or str(request.url.origin()),
        )
        reply = operation.answer(call)
        shop.settle()
        return reply

    def _response(self, operation: Operation, reply: Reply) -> web.Response:
        headers = {"x-amzn-RequestId": self._shop.identity()}
        if reply.status in WITH_RATE:
            headers["x-amzn-RateLimit-Limit"] = f"{self._shop.limits.rate(operation.name)}"
        if reply.status == 429:
            headers["x-amzn-ErrorType"] = "TooManyRequestsException"
        body = b"" if reply.body is None else msgspec.json.encode(reply.body)
        return web.Response(body=body, status=reply.status, headers=headers, content_type="application/json")

    def too_many(self) -> web.Response:
        """Answer 429 as the API does."""
        headers = {"x-amzn-RequestId": self._shop.identity(), "x-amzn-ErrorType": "TooManyRequestsException"}
        return _json(throttled().body(), status=429, headers=headers)

    async def _nowhere(self, _: web.Request) -> web.Response:
        headers = {"x-amzn-RequestId": self._shop.identity()}
        return _json(Refused(404, "NotFound", "Resource not found").body(), status=404, headers=headers)

    # --- Login with Amazon ---

    async def _token(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self._shop.settle()
        headers = {"x-amzn-RequestId": self._shop.identity(), "Cache-Control": "no-store"}
        try:
            form = _form(raw, request.content_type)
            self._shop.tokens.life_s = self._shop.knobs.token_life_s
            return _json(self._shop.tokens.grant(form), headers=headers)
        except LwaError as refused:
            body = {"error": refused.error, "error_description": refused.description}
            return _json(body, status=refused.status, headers=headers)

    # --- files ---

    async def _put(self, request: web.Request) -> web.Response:
        raw = await request.read()
        document = self._open(request)
        if document is None:
            return _xml("AccessDenied", status=403)
        if request.headers.get("Content-Type") != document.content_type:
            return _xml("SignatureDoesNotMatch", status=403)
        if len(raw) > MOST_UPLOAD_BYTES:
            return _xml("EntityTooLarge", status=400)
        document.body = raw
        return web.Response(status=200)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        document = self._open(request)
        if document is None:
            return _xml("AccessDenied", status=403)
        content = document.content()
        headers = {"Content-Type": document.content_type}
        if "x-encoded" in request.query:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=content, headers=headers)

    def _open(self, request: web.Request) -> Document | None:
        """Return the file of a signed address; an access token must not leave the API, and is refused here."""
        self._shop.settle()
        document = self._shop.documents.find(request.match_info["document_id"])
        signature = request.query.get("X-Amz-Signature", "")
        if document is None or "x-amz-access-token" in request.headers:
            return None
        return document if self._shop.documents.opens(document, signature) else None


def _json(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json")


def _form(raw: bytes, content_type: str) -> dict[str, str]:
    if content_type != FORM:
        raise LwaError(status=400, error="invalid_request", description="The Content-Type is not supported")
    return {name: values[-1] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}


def _xml(code: str, *, status: int) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return web.Response(text=text, status=status, content_type="application/xml")
