"""The way in: tokens of OAuth's client credentials, or the old API token.

Source: Zendesk, OAuth tokens for grant types (client_credentials since 2025-03-04, expires_in 300 to 172800), and
migrating API tokens to OAuth, 2026. A token acts as the user who made the client.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.zendesk.settings import ZendeskSettings
from syncd.sdk.channel import Clock
from syncd.sdk.errors import AuthError, ProtocolError, SyncdError
from syncd.sdk.http import Answer, Client
from syncd.sdk.renewing import Granted, RenewingToken
from syncd.sdk.secret import Secret, sample

LIFE_S: Final = 3_600
RENEW_BEFORE_S: Final = 300.0
"""How long before its end a token is renewed, at most a fifth of its life."""
RUN_SCOPE: Final = "read tickets:write"
ADMIN_SCOPE: Final = "read write"

_REASONS: Final[Mapping[str, str]] = {
    "invalid_client": "client_id or client_secret is wrong; look at the OAuth client in the Admin Centre",
    "invalid_grant": "the client was made for another way in; make one of the kind confidential",
    "unauthorized_client": "the client may not use client credentials; make one of the kind confidential",
    "invalid_scope": "the client's own scopes are narrower; allow what the README names",
    "unsupported_grant_type": "the account does not know client credentials",
}


class _Grant(msgspec.Struct, frozen=True):
    access_token: str = ""
    expires_in: float | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class Way:
    """Makes the Authorization header of one user; secrets are revealed only in it, and in the request for a token."""

    def __init__(self, token: RenewingToken | None, basic: Secret) -> None:
        self._token = token
        self._basic = basic

    async def header(self) -> str:
        """Return the header's value."""
        if self._token is None:
            return f"Basic {self._basic.reveal()}"
        return f"Bearer {await self._token.token()}"

    async def after(self, refused: str) -> str | None:
        """Return a newer value than the refused one; None where there cannot be one."""
        if self._token is None:
            return None
        return f"Bearer {await self._token.after(refused.removeprefix('Bearer '))}"


def run_way(client: Client, settings: ZendeskSettings, clock: Clock) -> Way:
    """Return the way in of the client that works every day."""
    if settings.by_token:
        pair = f"{settings.email}/token:{settings.api_token.reveal()}"
        return Way(None, Secret(base64.b64encode(pair.encode()).decode()))
    token = _renewing(client, settings.client_id, settings.client_secret, scope=RUN_SCOPE, clock=clock)
    return Way(token, Secret(""))


def admin_way(client: Client, settings: ZendeskSettings, clock: Clock) -> Way | None:
    """Return the way in of the admin's client; None where the settings name none."""
    if not settings.admin_client_id:
        return None
    token = _renewing(client, settings.admin_client_id, settings.admin_client_secret, scope=ADMIN_SCOPE, clock=clock)
    return Way(token, Secret(""))


def _renewing(client: Client, client_id: str, secret: Secret, *, scope: str, clock: Clock) -> RenewingToken:
    async def ask() -> Answer:
        return await client.request(
            "POST",
            "/oauth/tokens",
            json={
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": secret.reveal(),
                "scope": scope,
                "expires_in": LIFE_S,
            },
            idempotent=True,
            expect=(200, 201, 400, 401, 403),
            content="text",
        )

    return RenewingToken(
        owner="Zendesk", ask=ask, read=granted, ahead=lambda life_s: min(RENEW_BEFORE_S, life_s / 5), clock=clock
    )


def granted(answer: Answer) -> Granted:
    """Return what was granted; raises what `refused` says. A grant is never quoted: it holds the token."""
    if answer.status >= 400:
        raise refused(answer)
    try:
        grant = msgspec.json.decode(answer.body, type=_Grant)
    except msgspec.DecodeError:
        grant = _Grant()
    if not grant.access_token:
        raise ProtocolError("Zendesk: the answer to a request for a token holds none")
    return Granted(token=Secret(grant.access_token), life_s=grant.expires_in or LIFE_S / 2)


def refused(answer: Answer) -> SyncdError:
    """Return what a refusal means: each is for a person."""
    try:
        word = msgspec.json.decode(answer.body, type=_Refusal).error
    except msgspec.DecodeError:
        word = ""
    reason = _REASONS.get(word) or sample(word) or "check client_id and client_secret"
    return AuthError(f"Zendesk gives no token ({answer.status}): {reason}")
