"""Ask a channel's queue of messages: what they say goes the way of a webhook, and only then they are ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection

from syncd.core.terms import Instant
from syncd.engine.channels import Account
from syncd.engine.intake import Intake
from syncd.engine.sideline import Sideline
from syncd.engine.timing import nap
from syncd.sdk.channel import Clock
from syncd.sdk.features import Notices, Received
from syncd.store import alerts
from syncd.store.hints import entries_of
from syncd.store.session import Store

RECEIVE_S = 60.0
"""Longest wait for messages; the queue itself waits up to 20 s for one."""
SETTLE_S = 30.0
REST_S = 0.2
"""Rest after an answer without messages, for a queue that does not wait by itself."""
OFF_S = 60.0
"""How often a queue is looked for that is not set up."""
DOWN_AFTER = 3
"""Failures in a row after which a person is told."""

_log = structlog.get_logger("syncd.notices")


class Queue:
    """The loop over the queue of one account.

    A queue that is away must not stop what is written: its failures slow only itself, and orders still come by the
    feed, later.
    """

    def __init__(
        self,
        account: Account,
        channel: Notices,
        *,
        store: Store,
        intake: Intake,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._account = account
        self._channel = channel
        self._store = store
        self._intake = intake
        self._clock = clock
        self._line = Sideline(account=account, name="notices", random=random)
        self._lost = False

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages until told to stop; one that was not ended by then comes again."""
        while not stop.is_set():
            if not self._channel.notices_on:
                await nap(OFF_S, stop)
                continue
            count = await self.step(stop)
            await self._tell_lost()
            await nap(max(self._line.wait_s, 0.0 if count else REST_S), stop)

    async def step(self, stop: asyncio.Event) -> int:
        """Take what waits; return how many messages that were."""
        answer = await self._line.ask(self._channel.receive, within_s=RECEIVE_S, stop=stop)
        if answer is None or not answer.value:
            return 0
        received = answer.value
        await self._store_all(received)
        receipts = [message.receipt for message in received]
        await self._line.ask(lambda: self._channel.settle(receipts), within_s=SETTLE_S, stop=stop)
        return len(received)

    async def _store_all(self, received: Sequence[Received]) -> None:
        """Commit what the messages say; from here on nothing of it can get lost."""
        name, now = self._account.name, self._clock.now()
        await self._intake.put_entries([entry for one in received for entry in entries_of(name, one.notice)])
        texts = [one.notice.text for one in received if one.notice.text]
        for one in received:
            if one.notice.text:
                _log.warning("notice.told", account=name, text=one.notice.text, stop=one.notice.stop)
        if texts:
            await self._store.write(lambda conn: _tell(conn, name, texts, now))

    async def _tell_lost(self) -> None:
        """Tell a person once that the queue is away, and once that it is back."""
        lost = self._line.failures >= DOWN_AFTER
        if lost == self._lost or (self._lost and self._line.failures):
            return
        self._lost = lost
        name, now = self._account.name, self._clock.now()
        await self._store.write(lambda conn: _note_lost(conn, name, lost=lost, now=now))


def _tell(conn: Connection, account: str, texts: Sequence[str], now: Instant) -> None:
    for text in texts:
        alert = alerts.Alert(kind="notice", key=account, text=text[:200], values={"account": account, "text": text})
        alerts.tell(conn, alert, now=now)


def _note_lost(conn: Connection, account: str, *, lost: bool, now: Instant) -> None:
    key, topics = f"{account}/queue", "the messages of its queue"
    if not lost:
        alerts.clear_alert(conn, kind="webhook_lost", key=key, now=now)
        return
    values = {"account": account, "topics": topics}
    text = f"account {account}, topics {topics}"
    alerts.raise_alert(conn, kind="webhook_lost", key=key, text=text, values=values, now=now)
