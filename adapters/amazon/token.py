"""Access tokens of Login with Amazon: asked for by one request at a time, before the one in use ends.

Source: SP-API docs, connect to the SP-API, and the vendor's client (LwaRequest, LwaExceptionErrorCode), 2026: a token
lives 3,600 seconds; operations that act for no seller take a token of the client credentials grant with a scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.amazon.settings import AmazonSettings
from syncd.sdk.channel import Clock
from syncd.sdk.errors import AuthError, ProtocolError, SyncdError, TransientError
from syncd.sdk.http import Answer, Client
from syncd.sdk.renewing import Granted, RenewingToken
from syncd.sdk.secret import Secret, sample

RENEW_BEFORE_S = 300.0
"""How long before its end a token is renewed, at most a fifth of its life."""
NOTIFICATIONS = "sellingpartnerapi::notifications"
"""The scope of the grantless calls for destinations (SP-API docs, grantless operations, 2026)."""

_PASSING: Final = frozenset({"server_error", "temporarily_unavailable"})
_REASONS: Final[Mapping[str, str]] = {
    "invalid_grant": "the authorisation of the app was withdrawn or has ended; authorise it again in Seller Central "
    "and set the new refresh_token",
    "invalid_client": "client_id or client_secret is wrong; look at View LWA credentials of the app",
    "unauthorized_client": "the app may not use this grant; look at the app in Seller Central",
    "access_denied": "the app is not allowed to do this; look at the app in Seller Central",
    "invalid_scope": "the app may not use notifications",
    "invalid_request": "the request was not understood",
}


class Grant(msgspec.Struct, frozen=True):
    """The answer to a request for a token."""

    access_token: str = ""
    expires_in: float = 0.0


class Refusal(msgspec.Struct, frozen=True):
    """The answer to a request that was refused."""

    error: str = ""


def renewing(client: Client, *, settings: AmazonSettings, clock: Clock, scope: str = "") -> RenewingToken:
    """Return a token of the seller, or with a scope one that acts for nobody; secrets are revealed only in its form."""

    async def ask() -> Answer:
        return await client.request(
            "POST",
            settings.login_url,
            form=_form(settings, scope),
            idempotent=True,
            expect=(200, 400, 401, 403),
            content="text",
        )

    return RenewingToken(
        owner="Amazon", ask=ask, read=granted, ahead=lambda life_s: min(RENEW_BEFORE_S, life_s / 5), clock=clock
    )


def _form(given: AmazonSettings, scope: str) -> dict[str, str]:
    credentials = {"client_id": given.client_id, "client_secret": given.client_secret.reveal()}
    if scope:
        return {"grant_type": "client_credentials", "scope": scope, **credentials}
    return {"grant_type": "refresh_token", "refresh_token": given.refresh_token.reveal(), **credentials}


def granted(answer: Answer) -> Granted:
    """Return what was granted; raises what `refused` says, `ProtocolError` where it is not understood.

    The answer of a grant is never quoted: it holds the token.
    """
    if answer.status != 200:
        raise refused(answer)
    try:
        grant = msgspec.json.decode(answer.body, type=Grant)
    except msgspec.DecodeError:
        grant = Grant()
    if not grant.access_token:
        raise ProtocolError("Amazon: the answer to a request for a token holds none")
    return Granted(token=Secret(grant.access_token), life_s=grant.expires_in)


def refused(answer: Answer) -> SyncdError:
    """Return what a refusal means: its words for passing trouble are waited out, every other one is for a person."""
    try:
        word = msgspec.json.decode(answer.body, type=Refusal).error
    except msgspec.DecodeError:
        word = ""
    if word in _PASSING:
        return TransientError(f"Amazon gives no token ({word})", sent=False)
    reason = _REASONS.get(word) or sample(word) or "check client_id, client_secret and refresh_token"
    return AuthError(f"Amazon gives no token ({answer.status}): {reason}")
