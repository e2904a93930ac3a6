"""The access token of one shop: a fixed one, or one of the client credentials grant that renews itself.

Source: shopify.dev, client credentials grant, 2026-11: a token lives 24 hours, and there is no refresh token.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from adapters.shopify.settings import ShopifySettings
from syncd.sdk.channel import Clock
from syncd.sdk.errors import AuthError, ProtocolError
from syncd.sdk.http import Answer, Client
from syncd.sdk.renewing import Granted, RenewingToken
from syncd.sdk.secret import Secret, sample

PATH = "/admin/oauth/access_token"
RENEW_AHEAD = 0.2
"""The share of its life that is left when a token is renewed."""

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


def granted_token(client: Client, *, settings: ShopifySettings, clock: Clock) -> RenewingToken:
    """Return a token that is asked for with the app's credentials."""

    async def ask() -> Answer:
        return await client.request(
            "POST",
            PATH,
            form={
                "grant_type": "client_credentials",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.reveal(),
            },
            idempotent=True,
            expect=(200, 400, 401, 403, 404),
            content="text",
        )

    return RenewingToken(owner="Shopify", ask=ask, read=granted, ahead=lambda life_s: life_s * RENEW_AHEAD, clock=clock)


def granted(answer: Answer) -> Granted:
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
    return Granted(token=Secret(grant.access_token), life_s=grant.expires_in)


def _reason(body: bytes) -> str:
    try:
        word = msgspec.json.decode(body, type=Refusal).error
    except msgspec.DecodeError:
        word = ""
    if not word and b"invalid_client" in body:
        word = "invalid_client"
    return _REASONS.get(word, sample(word) or "check shop, client_id and client_secret")
