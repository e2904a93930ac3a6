"""Who may do what at the simulated account, and how often: OAuth, the old token, roles, scopes, limits."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.zendesk.simulated.world import SECOND_US, Problem, World
from syncd.sdk.channel import Instant

MINUTE_US: Final = 60 * SECOND_US
LEAST_LIFE_S, MOST_LIFE_S, USUAL_LIFE_S = 300, 172_800, 1_800
KNOWN_SCOPES: Final = frozenset({"read", "write", "tickets:read", "tickets:write", "webhooks:read", "webhooks:write"})
LIMITS: Final[Mapping[str, int]] = {"export": 10, "search": 100, "update": 100}
"""Calls a minute beside the account's own (support article 8638126078234, 2026)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks. `scopes` None: everything that the role may."""

    user_id: int
    role: str
    scopes: frozenset[str] | None = None

    def may(self, scope: str) -> bool:
        """Say whether a scope such as `tickets:write` is granted, by its name or by the whole of its kind."""
        return self.scopes is None or scope in self.scopes or scope.rpartition(":")[2] in self.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """A confidential client: it acts as the user who made it."""

    client_id: str
    secret: str
    user_id: int
    role: str


@dataclass(slots=True, kw_only=True)
class _Token:
    user: User
    ends_at: Instant


class Access:
    """The door of the account."""

    def __init__(
        self, world: World, *, clients: tuple[OAuthClient, ...], basic: tuple[str, str], number: Callable[[int], bytes]
    ) -> None:
        self._world = world
        self._clients = {client.client_id: client for client in clients}
        self._basic = basic
        self._number = number
        self._tokens: dict[str, _Token] = {}
        self._calls: dict[str, deque[Instant]] = {}
        self.tokens_allowed = True
        self.per_minute = 700

    def grant(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request for a token; unknown scopes are dropped without a word."""
        client = self._clients.get(str(given.get("client_id")))
        if given.get("grant_type") != "client_credentials":
            raise Problem(400, "unsupported_grant_type", error_description="The grant type is not supported")
        if client is None or client.secret != given.get("client_secret"):
            raise Problem(401, "invalid_client", error_description="Client authentication failed")
        scopes = frozenset(str(given.get("scope", "read write")).split()) & KNOWN_SCOPES
        if not scopes:
            raise Problem(400, "invalid_scope", error_description="The scope is not known")
        life_s = int(given.get("expires_in", USUAL_LIFE_S))
        if not LEAST_LIFE_S <= life_s <= MOST_LIFE_S:
            raise Problem(400, "invalid_request", error_description="expires_in is out of range")
        text = self._number(24).hex()
        user = User(user_id=client.user_id, role=client.role, scopes=scopes)
        self._tokens[text] = _Token(user=user, ends_at=self._world.now() + life_s * SECOND_US)
        return {"access_token": text, "token_type": "bearer", "scope": " ".join(sorted(scopes)), "expires_in": life_s}

    def end_tokens(self) -> None:
        """End every token that was granted."""
        self._tokens.clear()

    def user(self, header: str) -> User:
        """Return who asks; raises `Problem`."""
        kind, _, text = header.partition(" ")
        token = self._tokens.get(text) if kind == "Bearer" else None
        if token is not None and token.ends_at > self._world.now():
            return token.user
        if kind == "Basic" and self.tokens_allowed and _decoded(text) == f"{self._basic[0]}/token:{self._basic[1]}":
            return User(user_id=self._clients[min(self._clients)].user_id, role="agent")
        raise Problem(401, "Couldn't authenticate you")

    @staticmethod
    def admit(user: User, *, scope: str, admin: bool) -> None:
        """Refuse what the role or the scopes do not allow; raises `Problem`."""
        if not user.may(scope):
            raise Problem(403, "Forbidden", "You are missing the following scope")
        if admin and user.role != "admin":
            raise Problem(403, "Forbidden", "You do not have access to this page")

    def count(self, kind: str) -> dict[str, str]:
        """Count a call and return the headers about what is left; raises `Limit`."""
        left, reset_s = self._taken("account", self.per_minute)
        headers = {
            "X-Rate-Limit": str(self.per_minute), "ratelimit-limit": str(self.per_minute),
            "X-Rate-Limit-Remaining": str(max(left, 0)), "ratelimit-remaining": str(max(left, 0)),
            "ratelimit-reset": str(reset_s),
        }  # fmt: skip
        if left < 0:
            raise Limit(headers, reset_s)
        if kind in LIMITS:
            left, reset_s = self._taken(kind, LIMITS[kind])
            headers[f"zendesk-ratelimit-{kind}"] = f"total={LIMITS[kind]}; remaining={max(left, 0)}; resets={reset_s}"
            if left < 0:
                raise Limit(headers, reset_s)
        return headers

    def _taken(self, kind: str, most: int) -> tuple[int, int]:
        """Take a call of a kind; return how many are left in this minute, and in how many seconds one comes."""
        now = self._world.now()
        calls = self._calls.setdefault(kind, deque())
        while calls and calls[0] <= now - MINUTE_US:
            calls.popleft()
        if len(calls) < most:
            calls.append(now)
            left = most - len(calls)
        else:
            left = -1
        return left, -(-(calls[0] + MINUTE_US - now) // SECOND_US)


class Limit(Exception):  # noqa: N818  (an answer, not a fault)
    """Too many calls: the headers of the answer, and after how many seconds to come again."""

    def __init__(self, headers: dict[str, str], reset_s: int) -> None:
        super().__init__("too many requests")
        self.headers = headers | {"Retry-After": str(max(reset_s, 1))}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""
