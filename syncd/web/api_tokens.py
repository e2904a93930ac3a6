"""The tokens of the API: made, listed and revoked by a person on the command line. A token itself never comes here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.store import api_tokens
from syncd.store.api_tokens import Token
from syncd.store.views import moment, moment_or_none
from syncd.web.api_facts import Word
from syncd.web.api_shape import Scope, shaped
from syncd.web.api_wire import Answer, Fault, Route, Service, body_of

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
OWN: Final = frozenset({"settings"})
"""Names that stand for something else."""


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to know: its name and scope, its public part, and the SHA-256 of all of it in hex."""

    name: Name
    scope: Scope
    public_id: Annotated[str, Meta(pattern=r"^[a-z0-9]{12}\Z")]
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    actor: Word = ""


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token as people see it."""

    name: str
    scope: str
    public_id: str
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """Every token there ever was."""

    rows: list[TokenView]


class Revoked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who revokes a token."""

    actor: Word = ""


@shaped(answer=TokenList, scope=Scope.ADMIN)
async def get_tokens(service: Service, _request: web.Request) -> Answer:
    """Return the tokens: what they may do, when they were used last, which are revoked."""
    found = await service.plant.store.read(api_tokens.all_of_them)
    return Answer(body=TokenList(rows=[_view(token) for token in found]))


@shaped(body=NewToken, answer=TokenView, scope=Scope.ADMIN, accepts=(201,))
async def post_token(service: Service, request: web.Request) -> Answer:
    """Make a token known; on the control socket only."""
    _require_person(service)
    body = await body_of(request, NewToken)
    token = Token(
        name=body.name,
        public_id=body.public_id,
        scope=body.scope,
        digest=body.digest,
        created_at=service.plant.clock.now(),
        created_by=body.actor,
    )
    if body.name in OWN or not await service.plant.store.write(lambda conn: api_tokens.add(conn, token)):
        raise Fault(409, f"there is or was a token called {body.name}; choose another name")
    return Answer(body=_view(token), status=201)


@shaped(body=Revoked, scope=Scope.ADMIN)
async def post_revoke(service: Service, request: web.Request) -> Answer:
    """Revoke a token, from this moment on; on the control socket only."""
    _require_person(service)
    await body_of(request, Revoked)
    name, now = request.match_info["name"], service.plant.clock.now()
    if not await service.plant.store.write(lambda conn: api_tokens.revoke(conn, name, now=now)):
        raise Fault(404, f"no token in use is called {name}")
    return Answer(body={"revoked": name})


def _require_person(service: Service) -> None:
    if service.source != "cli":
        raise Fault(403, "tokens are made and revoked by a person, on the command line: `syncd token`")


def _view(token: Token) -> TokenView:
    return TokenView(
        name=token.name,
        scope=token.scope,
        public_id=token.public_id,
        created_at=moment(token.created_at),
        created_by=token.created_by,
        last_used_at=moment_or_none(token.last_used_at),
        revoked_at=moment_or_none(token.revoked_at),
    )


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/tokens", get_tokens),
    ("POST", "/tokens", post_token),
    ("POST", "/tokens/{name}/revoke", post_revoke),
)
