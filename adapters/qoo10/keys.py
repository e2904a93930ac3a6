"""The seller authorisation key: how long it lasts, and how a new one is made.

Facts (CertificationAPI.CreateCertificationKey, QAPI guide, 2026; key rules as OMS makers describe them): the key ends
after a year, without a notice, and when the password of QSM is changed. It is made with the API key, the QSM user and
the password, which are used once here and not kept.
"""

from __future__ import annotations

from datetime import timedelta

from adapters.qoo10 import wire
from adapters.qoo10.api import Api
from adapters.qoo10.settings import Qoo10Settings
from syncd.sdk.channel import Clock, Instant
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError
from syncd.sdk.features import IssuedKey, Key
from syncd.sdk.secret import Secret

LIFE_DAYS = 365
WARNED_DAYS = 30
NAME = "Qoo10 seller authorisation key"
API_NAME = "Qoo10 API key"


def expires_at(settings: Qoo10Settings) -> Instant | None:
    """Return when the key ends; None where the day on which it was made is not told."""
    issued = settings.issued_on
    return None if issued is None else wire.day_start(issued + timedelta(days=LIFE_DAYS))


def keys(settings: Qoo10Settings) -> list[Key]:
    """Return the keys of a shop with their ends; that of the API key is not known to anybody but Qoo10."""
    own = Key(name=NAME, expires_at=expires_at(settings))
    return [own, Key(name=API_NAME, expires_at=None)] if settings.api_key else [own]


def advice(settings: Qoo10Settings, *, now: Instant) -> list[str]:
    """Return what a person should do about the key."""
    end = expires_at(settings)
    if end is None:
        return ["key_issued_on is not set: Qoo10 ends the key after a year without a notice, and syncd cannot warn."]
    day = wire.japan(end).date().isoformat()
    if end <= now:
        return [f"The seller authorisation key is older than a year ({day}): make a new one and set key_issued_on."]
    if end - now < WARNED_DAYS * wire.DAY_US:
        return [f"The seller authorisation key ends on {day}: make a new one before."]
    return []


async def issue(api: Api, settings: Qoo10Settings, clock: Clock, *, user: str, password: Secret) -> IssuedKey:
    """Have a new key made; raises `RejectedError` without an API key, `AuthError` where Qoo10 refuses."""
    if not settings.api_key:
        raise RejectedError("Qoo10: api_key is not set; a new key can be made only with it")
    try:
        answered = await api.ask_key(settings.api_key, {"user_id": user, "pwd": password.reveal()})
    except RejectedError as refusal:
        raise AuthError("Qoo10 refuses the user, the password or the API key") from refusal
    if not isinstance(answered.content, str) or not answered.content.strip():
        raise ProtocolError("Qoo10 said that it made a key, and sent none")
    ends_at = clock.now() + LIFE_DAYS * wire.DAY_US
    return IssuedKey(key=Secret(answered.content.strip()), expires_at=ends_at)
