"""Access tokens of Login with Amazon: asked for by one request at a time, before the one in use ends.

Source: SP-API docs, connect to the SP-API, and the vendor's client (LwaRequest, LwaExceptionErrorCode), 2026: a token
lives 3,600 seconds; operations that act for no seller take a token of the client credentials grant with a scope.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.amazon.settings import AmazonSettings
from syncd.sdk.channel import Clock
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, SyncdError, TransientError
from syncd.sdk.http import Answer, Client
from syncd.sdk.secret import Secret, sample

TOTAL_S = 10.0
"""A request for a token with its tries."""
RENEW_BEFORE_S = 300.0
"""How long before its end a token is renewed, at most a fifth of its life."""
LEAST_LIFE_S = 60.0
"""A token is used for so long whatever its answer says, so that a broken answer does not ask for a token per call."""
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


class Token:
    """One token that renews itself. `form` says what it is asked for with; its secrets are revealed only there."""

    def __init__(self, client: Client, *, settings: AmazonSettings, clock: Clock, scope: str = "") -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._scope = scope
        self._lock = asyncio.Lock()
        self._token = Secret("")
        self._renew_at_s = 0.0

    async def token(self) -> str:
        """Return the token, a new one where there is none or where it is about to end."""
        if not self._is_due():
            return self._token.reveal()
        async with self._lock:
            if self._is_due():
                await self._renew()
            return self._token.reveal()

    async def after(self, refused: str, /) -> str:
        """Return a newer token than the one that was refused; those who were refused together share it."""
        async with self._lock:
            if self._token.reveal() == refused:
                await self._renew()
            return self._token.reveal()

    def _is_due(self) -> bool:
        return not self._token or self._clock.monotonic() >= self._renew_at_s

    async def _renew(self) -> None:
        began_s = self._clock.monotonic()
        grant = granted(await self._ask())
        self._token = Secret(grant.access_token)
        ahead_s = min(RENEW_BEFORE_S, grant.expires_in / 5)
        self._renew_at_s = began_s + max(grant.expires_in - ahead_s, LEAST_LIFE_S)

    async def _ask(self) -> Answer:
        """Ask for a token. A failure here says nothing of the call that wanted one: that was certainly not sent."""
        try:
            async with asyncio.timeout(TOTAL_S):
                return await self._client.request(
                    "POST",
                    self._settings.login_url,
                    form=self._form(),
                    idempotent=True,
                    expect=(200, 400, 401, 403),
                    content="text",
                )
        except TimeoutError:
            error = TransientError(f"Amazon gives no token within {TOTAL_S:g} s", sent=False)
        except RateLimited:
            raise
        except TransientError as fault:
            error = TransientError(str(fault), retry_after_s=fault.retry_after_s, sent=False)
        raise error

    def _form(self) -> dict[str, str]:
        given = self._settings
        credentials = {"client_id": given.client_id, "client_secret": given.client_secret.reveal()}
        if self._scope:
            return {"grant_type": "client_credentials", "scope": self._scope, **credentials}
        return {"grant_type": "refresh_token", "refresh_token": given.refresh_token.reveal(), **credentials}


def granted(answer: Answer) -> Grant:
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
    return grant


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
