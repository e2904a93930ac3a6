"""An access token that ends: asked for by one request at a time, before the one in use ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from syncd.sdk.channel import Clock
from syncd.sdk.errors import RateLimited, TransientError
from syncd.sdk.http import Answer
from syncd.sdk.secret import Secret

__all__ = ["TOTAL_S", "Granted", "RenewingToken"]

TOTAL_S: Final = 10.0
"""A request for a token with its tries."""
LEAST_LIFE_S: Final = 60.0
"""A token is used for so long whatever its answer says, so that a broken answer does not ask for a token per call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A token and for how many seconds it lives."""

    token: Secret
    life_s: float


class RenewingToken:
    """One token that renews itself.

    `ask` sends the request, `read` says what its answer grants (raising what a refusal means), `ahead` how many seconds
    before its end a token of a given life is renewed. `owner` is the channel's name, for messages.
    """

    def __init__(
        self,
        *,
        owner: str,
        ask: Callable[[], Awaitable[Answer]],
        read: Callable[[Answer], Granted],
        ahead: Callable[[float], float],
        clock: Clock,
    ) -> None:
        self._owner = owner
        self._send = ask
        self._read = read
        self._ahead = ahead
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
        granted = self._read(await self._ask())
        self._token = granted.token
        self._renew_at_s = began_s + max(granted.life_s - self._ahead(granted.life_s), LEAST_LIFE_S)

    async def _ask(self) -> Answer:
        """Ask for a token. A failure here says nothing of the call that wanted one: that was certainly not sent."""
        try:
            async with asyncio.timeout(TOTAL_S):
                return await self._send()
        except TimeoutError:
            error: TransientError = TransientError(f"{self._owner} gives no token within {TOTAL_S:g} s", sent=False)
        except RateLimited as fault:  # an earlier try of it may have marked it as sent
            error = RateLimited(str(fault), retry_after_s=fault.retry_after_s)
        except TransientError as fault:
            error = TransientError(str(fault), retry_after_s=fault.retry_after_s, sent=False)
        raise error
