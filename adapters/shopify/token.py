"""The access token of one shop: a fixed one, or one of the client credentials grant that renews itself.

Source: shopify.dev, client credentials grant, 2026-11: a token lives 24 hours, and there is no refresh token.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from adapters.shopify.settings import ShopifySettings
from syncd.sdk.channel import Clock
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, TransientError
from syncd.sdk.http import Answer, Client
from syncd.sdk.secret import Secret, sample

PATH = "/admin/oauth/access_token"
RENEW_AT = 0.8
"""The share of its life after which a token is renewed."""
TOTAL_S = 10.0
"""A request for a token with its tries."""
LEAST_LIFE_S = 60.0
"""A token is used for so long whatever its answer says, so that a broken answer does not ask for a token per call."""

_REASONS = {
    "invalid_client": "client_id or client_secret is wrong, or the app is not installed in this shop any more",
    "shop_not_permitted": "the app belongs to another organisation than the shop",
    "app_not_installed": "the app is not installed in this shop",
    "invalid_request": "the request was not understood",
    "application_cannot_be_found": "client_id is not known",
}


class Grant(msgspec.Struct, frozen=True):
    """The answer to a request for a token."""

    access_token: str = ""
    expires_in: float = 0.0


class Refusal(msgspec.Struct, frozen=True):
    """The answer to a request that was refused."""

    error: str = ""


class Tokens(Protocol):
    """Where the token comes from."""

    async def token(self) -> str:
        """Return a token that is valid as far as is known."""

    async def after(self, refused: str, /) -> str:
        """Return another token than the one that was refused; raises `AuthError` where there is none."""


class FixedToken:
    """A token from the settings."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def token(self) -> str:
        """Return the token of the settings."""
        return self._token.reveal()

    async def after(self, _refused: str, /) -> str:
        """Raise `AuthError`: there is no other."""
        raise AuthError("Shopify: access_token is not accepted; make a new one in the app's settings")


class GrantedToken:
    """A token that is asked for with the app's credentials, by one request at a time, before it ends."""

    def __init__(self, client: Client, *, settings: ShopifySettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
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
        self._renew_at_s = began_s + max(grant.expires_in * RENEW_AT, LEAST_LIFE_S)

    async def _ask(self) -> Answer:
        """Ask for a token. A failure here says nothing of the call that wanted one: that was certainly not sent."""
        try:
            async with asyncio.timeout(TOTAL_S):
                return await self._client.request(
                    "POST",
                    PATH,
                    form={
                        "grant_type": "client_credentials",
                        "client_id": self._settings.client_id,
                        "client_secret": self._settings.client_secret.reveal(),
                    },
                    idempotent=True,
                    expect=(200, 400, 401, 403, 404),
                    content="text",
                )
        except TimeoutError:
            error: TransientError = TransientError(f"Shopify gives no token within {TOTAL_S:g} s", sent=False)
        except RateLimited as fault:
            error = RateLimited(str(fault), retry_after_s=fault.retry_after_s)
        except TransientError as fault:
            error = TransientError(str(fault), retry_after_s=fault.retry_after_s, sent=False)
        raise error


def granted(answer: Answer) -> Grant:
    """Return what was granted; raises `AuthError` with what to mend, `ProtocolError` where it is not understood.

    The answer of a refusal may be a page instead of JSON. Neither is quoted: a grant holds the token.
    """
    if answer.status != 200:
        raise AuthError(f"Shopify gives no token ({answer.status}): {_reason(answer.body)}")
    try:
        grant = msgspec.json.decode(answer.body, type=Grant)
    except msgspec.DecodeError:
        grant = Grant()
    if not grant.access_token:
        raise ProtocolError("Shopify: the answer to a request for a token holds none")
    return grant


def _reason(body: bytes) -> str:
    try:
        word = msgspec.json.decode(body, type=Refusal).error
    except msgspec.DecodeError:
        word = ""
    if not word and b"invalid_client" in body:
        word = "invalid_client"
    return _REASONS.get(word, sample(word) or "check shop, client_id and client_secret")
