"""Login with Amazon: the application's credentials, its access tokens, and what each token opens.

Facts: grant types, answer and lifetime (SP-API docs, connect-to-the-selling-partner-api, 2026); error codes
(selling-partner-api-models, clients, LwaExceptionErrorCode); grantless operations (SP-API docs, grantless-operations).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.sdk.channel import Clock

NOTIFICATION_SCOPE = "sellingpartnerapi::notifications"
SCOPES = frozenset({NOTIFICATION_SCOPE, "sellingpartnerapi::client_credential:rotation"})
MOST_TOKENS = 10_000


@dataclass(slots=True, kw_only=True)
class LwaError(Exception):
    """Login with Amazon refuses."""

    status: int
    error: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token opens: the seller's data where `scope` is empty, otherwise the operations of that scope."""

    until_s: float
    scope: str = ""


class Tokens:
    """The tokens of one application.

    `life_s` is how long new ones live. `authorised` ends when the seller takes the application off; `secret_expired`
    when the client secret was not rotated in time.
    """

    def __init__(self, clock: Clock, make: Callable[[], str]) -> None:
        self._clock = clock
        self._make = make
        self._grants: dict[str, Grant] = {}
        self.client_id = f"amzn1.application-oa2-client.{make()}"
        self.client_secret = f"amzn1.oa2-cs.v1.{make()}{make()}"
        self.refresh_token = f"Atzr|{make()}{make()}"
        self.life_s = 3600.0
        self.authorised = True
        self.secret_expired = False

    def grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a token request; raises `LwaError`."""
        self._check_client(form)
        match form.get("grant_type"):
            case "refresh_token":
                return self._refreshed(form)
            case "client_credentials":
                return self._grantless(form)
            case None:
                raise LwaError(
                    status=400, error="invalid_request", description="Missing required parameter: grant_type"
                )
            case _:
                text = "The authorization grant type is not supported by the authorization server"
                raise LwaError(status=400, error="unsupported_grant_type", description=text)

    def _check_client(self, form: Mapping[str, str]) -> None:
        if not form.get("client_id") or not form.get("client_secret"):
            raise LwaError(status=400, error="invalid_request", description="Missing required parameter: client_id")
        known = form["client_id"] == self.client_id and form["client_secret"] == self.client_secret
        if not known or self.secret_expired:
            raise LwaError(status=401, error="invalid_client", description="Client authentication failed")

    def _refreshed(self, form: Mapping[str, str]) -> dict[str, Any]:
        if not form.get("refresh_token"):
            raise LwaError(status=400, error="invalid_request", description="Missing required parameter: refresh_token")
        if form["refresh_token"] != self.refresh_token or not self.authorised:
            text = "The request has an invalid grant parameter : refresh_token"
            raise LwaError(status=400, error="invalid_grant", description=text)
        return self._answer("") | {"refresh_token": self.refresh_token}

    def _grantless(self, form: Mapping[str, str]) -> dict[str, Any]:
        scope = form.get("scope", "")
        if scope not in SCOPES:
            raise LwaError(status=400, error="invalid_scope", description="An unknown scope was requested")
        return self._answer(scope)

    def _answer(self, scope: str) -> dict[str, Any]:
        token = f"Atza|{self._make()}{self._make()}"
        if len(self._grants) >= MOST_TOKENS:
            del self._grants[next(iter(self._grants))]
        self._grants[token] = Grant(until_s=self._clock.monotonic() + self.life_s, scope=scope)
        return {"access_token": token, "token_type": "bearer", "expires_in": int(self.life_s)}

    def refusal(self, token: str | None, *, grantless: bool) -> str | None:
        """Return why a token does not open an operation, as `details` say it; None where it does."""
        if not token:
            return "Access token is missing in the request header."
        grant = self._grants.get(token)
        if grant is None or not self.authorised:
            return "The access token you provided is revoked, malformed or invalid."
        if grant.until_s <= self._clock.monotonic():
            return "The access token you provided has expired."
        if (grant.scope == NOTIFICATION_SCOPE) is not grantless:
            return "The access token you provided does not have the scope of this operation."
        return None

    def revoke(self) -> None:
        """End every access token at once; the refresh token stays."""
        self._grants.clear()
