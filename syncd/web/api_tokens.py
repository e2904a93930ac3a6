"""The tokens of the API: made, listed and revoked by an admin. A token itself never comes here, only its hash."""

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
from syncd.web.plant import Plant

NAME = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
OWN: Final = frozenset({"settings"})
"""Names that stand for something else."""


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to know: its name and scope, its public part, and the SHA-256 of all of it in hex."""

    name: NAME
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
    return Answer(body=TokenList(rows=[view_of(token) for token in found]))


@shaped(body=NewToken, answer=TokenView, scope=Scope.ADMIN, accepts=(201,))
async def post_token(service: Service, request: web.Request) -> Answer:
    """Make a token known: `syncd_` + `public_id` + `_` + 43 signs of base64url (32 random bytes), told by its SHA-256.

    Whoever makes a token keeps it; syncd is never told it. A repeat of the same request changes nothing.
    """
    body = await body_of(request, NewToken)
    return Answer(body=await add_token(service.plant, body), status=201)


async def add_token(plant: Plant, body: NewToken) -> TokenView:
    """Make a token known; raises Fault where its name or id is taken, also by one that was revoked."""
    token = Token(
        name=body.name,
        public_id=body.public_id,
        scope=body.scope,
        digest=body.digest,
        created_at=plant.clock.now(),
        created_by=body.actor,
    )
    if body.name not in OWN and await plant.store.write(lambda conn: api_tokens.add(conn, token)):
        return view_of(token)
    known = await plant.store.read(lambda conn: api_tokens.by_id(conn, body.public_id))
    if known is None or (known.name, known.digest, known.scope) != (token.name, token.digest, token.scope):
        raise Fault(409, f"there is or was a token called {body.name}; choose another name")
    return view_of(known)


@shaped(body=Revoked, scope=Scope.ADMIN)
async def post_revoke(service: Service, request: web.Request) -> Answer:
    """Revoke a token, from this moment on; of one that is revoked already nothing changes."""
    await body_of(request, Revoked)
    name = request.match_info["name"]
    await revoke_token(service.plant, name)
    return Answer(body={"revoked": name})


async def revoke_token(plant: Plant, name: str) -> None:
    """Revoke a token; raises Fault where there never was one of this name."""
    now = plant.clock.now()
    if await plant.store.write(lambda conn: api_tokens.revoke(conn, name, now=now)):
        return
    if all(token.name != name for token in await plant.store.read(api_tokens.all_of_them)):
        raise Fault(404, f"no token is called {name}")


def view_of(token: Token) -> TokenView:
    """Return a token as people see it."""
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
