"""The door for commands: from bytes to a committed fact and the answer that its sender gets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import msgspec

from syncd.core.facts import Fact
from syncd.core.terms import UNPLACED, Location
from syncd.edges import commands
from syncd.sdk.channel import Clock
from syncd.sdk.errors import RejectedError

COMMIT_S: Final = 30.0
"""Longest wait for the inbox."""

SETTLE_S: Final = 10.0
"""Longest wait for the decision; after it the answer says that the command is pending."""


class Receipt(Protocol):
    """What the inbox answers: the fact is committed."""

    @property
    def duplicate(self) -> bool:
        """Return whether it was there before."""


R = TypeVar("R", bound=Receipt)

Intake: TypeAlias = Callable[[Fact, str, str], Awaitable[R]]
"""Commits a fact with its source and key. Takes its place in the order before its first wait.

Raises `TransientError` where nothing can be committed now, `RejectedError` where it never will be.
"""

Settle: TypeAlias = Callable[[R], Awaitable[str | None]]
"""Waits until the fact of a receipt is decided; returns why it was not applied, None when it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the sender gets: `{"request_id", "ok", "error"?, "pending"?}`. A repeated request gets the same."""

    request_id: str
    body: bytes


class Door:
    """Takes commands of one `source`. `home` is the location of one that names none.

    Without `settle` an answer tells that the command is committed, not that it was applied.
    """

    def __init__(
        self,
        *,
        source: str,
        intake: Intake[Any],
        clock: Clock,
        settle: Settle[Any] | None = None,
        home: Location = UNPLACED,
    ) -> None:
        self._source = source
        self._intake = intake
        self._clock = clock
        self._settle = settle
        self._home = home

    async def answer(self, name: str, body: bytes) -> Answer:
        """Commit the command `name` and say how it went; a bad one is an answer, never an error.

        Raises `TransientError` (or TimeoutError) where nothing can be committed now: the sender has to try again.
        """
        request = commands.parse(name, body, source=self._source, now=self._clock.now(), home=self._home)
        if isinstance(request, commands.Refusal):
            return _answer(request.request_id, error=request.reason)
        try:
            async with asyncio.timeout(COMMIT_S):
                receipt = await self._intake(request.fact, self._source, request.key)
        except RejectedError as error:
            return _answer(request.request_id, error=str(error))
        return await self._decided(request.request_id, receipt)

    async def _decided(self, request_id: str, receipt: Receipt) -> Answer:
        if self._settle is None:
            return _answer(request_id)
        try:
            async with asyncio.timeout(SETTLE_S):
                return _answer(request_id, error=await self._settle(receipt) or "")
        except TimeoutError:
            return _answer(request_id, pending=True)


def _answer(request_id: str, *, error: str = "", pending: bool = False) -> Answer:
    told: dict[str, Any] = {"request_id": request_id, "ok": not error}
    if error:
        told["error"] = error
    if pending:
        told["pending"] = True
    return Answer(request_id=request_id, body=msgspec.json.encode(told))
