"""A standard queue: at least once, in no order, hidden while somebody works on a message (AWS, SQS Developer Guide)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from adapters.amazon.simulated.times import SECOND_US
from syncd.sdk.channel import Clock, Instant

MOST_MESSAGES = 100_000
"""More are thrown away, the oldest first."""
DEFAULT_VISIBILITY_S = 30
LOOK_S = 0.25
"""How often a waiting receiver looks for a message that becomes visible again."""


@dataclass(slots=True, eq=False, kw_only=True)
class Message:
    """One message. `hidden_until` is when it is handed out again; `receipt` the newest that ends it."""

    message_id: str
    body: str
    sent_at: Instant
    hidden_until: Instant = 0
    receipt: str = ""
    received: int = 0

    @property
    def md5(self) -> str:
        """Return the digest that comes with a message."""
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest()


class Queue:
    """The queue. `identity` makes ids and receipts."""

    def __init__(self, clock: Clock, identity: Callable[[], str]) -> None:
        self._clock = clock
        self._identity = identity
        self._messages: dict[str, Message] = {}
        self._receipts: dict[str, Message] = {}
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, body: str) -> None:
        """Add a message."""
        message = Message(message_id=self._identity(), body=body, sent_at=self._clock.now())
        self._messages[message.message_id] = message
        if len(self._messages) > MOST_MESSAGES:
            del self._messages[next(iter(self._messages))]
        self._news.set()

    def take(self, most: int, *, visibility_s: int) -> list[Message]:
        """Hand out visible messages, and hide them for a while."""
        now = self._clock.now()
        found: list[Message] = []
        for message in self._messages.values():
            if len(found) == most:
                break
            if message.hidden_until <= now:
                message.hidden_until = now + visibility_s * SECOND_US
                message.received += 1
                message.receipt = self._identity()
                self._receipts[message.receipt] = message
                found.append(message)
        return found

    async def wait(self, most: int, *, visibility_s: int, wait_s: float) -> list[Message]:
        """Hand out visible messages; wait for the first one where there is none."""
        found = self.take(most, visibility_s=visibility_s)
        if found or wait_s <= 0:
            return found
        try:
            async with asyncio.timeout(wait_s):
                while not found:
                    await self._some_news()
                    found = self.take(most, visibility_s=visibility_s)
        except TimeoutError:
            return []
        return found

    async def _some_news(self) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(LOOK_S):
                await self._news.wait()
        except TimeoutError:
            return

    def end(self, receipt: str) -> bool:
        """Delete the message of a receipt, also where a newer receipt is out; answers False for an unknown receipt."""
        message = self._receipts.pop(receipt, None)
        if message is None:
            return False
        self._messages.pop(message.message_id, None)
        return True

    def hide(self, receipt: str, seconds: int) -> bool:
        """Let a message be visible again after so many seconds; answers False for an unknown receipt."""
        message = self._receipts.get(receipt)
        if message is None or message.message_id not in self._messages:
            return False
        message.hidden_until = self._clock.now() + seconds * SECOND_US
        return True
