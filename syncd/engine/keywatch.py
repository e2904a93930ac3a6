"""Watch the keys of a channel that end by themselves: people are told ahead, and the channel is down at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from syncd.core.terms import AccountId, Instant
from syncd.engine.channels import Account
from syncd.engine.rules import DAY_US
from syncd.engine.sideline import Sideline
from syncd.engine.timing import nap
from syncd.sdk.channel import Clock
from syncd.sdk.errors import AuthError
from syncd.sdk.features import Key, KeyExpiry
from syncd.store import alerts
from syncd.store.session import Store

LEVELS = (1, 3, 7, 14)
"""Days before the end at which a person is told, once each."""
ENDED = 0
ASK_S = 86_400.0
ASK_ENDED_S = 60.0
"""How often a channel is asked whose key has ended: it may have been renewed there."""
LOOK_S = 60.0
CALL_S = 60.0
_KINDS = ("key_expiry", "key_expired")


def level_of(key: Key, now: Instant) -> int | None:
    """Return the least of LEVELS that still covers what is left of a key, ENDED, or None: nothing to tell."""
    if key.expires_at is None:
        return None
    left = key.expires_at - now
    return ENDED if left <= 0 else next((days for days in LEVELS if left <= days * DAY_US), None)


class KeyWatch:
    """The loop over the keys of one account."""

    def __init__(
        self, account: Account, channel: KeyExpiry, *, store: Store, clock: Clock, random: Callable[[], float]
    ) -> None:
        self._account = account
        self._channel = channel
        self._store = store
        self._clock = clock
        self._line = Sideline(account=account, name="keys", random=random)
        self._told: dict[str, int] | None = None
        self._due = clock.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until told to stop."""
        while not stop.is_set():
            if self._clock.monotonic() >= self._due:
                await self._ask(stop)
            await self.look()
            await nap(min(LOOK_S, max(1.0, self._due - self._clock.monotonic())), stop)

    async def _ask(self, stop: asyncio.Event) -> None:
        answer = await self._line.ask(self._channel.keys, within_s=CALL_S, stop=stop)
        if answer is None:
            self._due = self._clock.monotonic() + self._line.wait_s
            return
        self._account.keys = tuple(answer.value)
        ended = any(level_of(key, self._clock.now()) == ENDED for key in answer.value)
        self._due = self._clock.monotonic() + (ASK_ENDED_S if ended else ASK_S)

    async def look(self) -> None:
        """Tell what changed since the last look; a key that ends makes the channel down."""
        keys, now = self._account.keys, self._clock.now()
        levels = {key.name: level for key in keys if (level := level_of(key, now)) is not None}
        if levels == self._told or not keys:
            return
        account = self._account.name
        await self._store.write(lambda conn: _note(conn, account, keys, levels, now))
        fresh = [name for name, level in levels.items() if level == ENDED and (self._told or {}).get(name) != ENDED]
        if fresh:
            # Down, not silenced: it is asked on once a minute, and one answer brings it up again.
            self._account.pulse.failed(AuthError(f"{fresh[0]} has expired"))
            self._due = min(self._due, self._clock.monotonic() + ASK_ENDED_S)
        self._told = levels


def _note(conn: Connection, account: AccountId, keys: Sequence[Key], levels: Mapping[str, int], now: Instant) -> None:
    wanted: set[tuple[str, str]] = set()
    for key in keys:
        level = levels.get(key.name)
        if level is not None and key.expires_at is not None:
            kind = "key_expired" if level == ENDED else "key_expiry"
            wanted.add((kind, f"{account}/{key.name}"))
            days = max(0, -(-(key.expires_at - now) // DAY_US))
            _raise(conn, kind, account=account, name=key.name, level=level, days=days, now=now)
    for alert in alerts.standing(conn):
        ours = alert.kind in _KINDS and alert.key.startswith(f"{account}/")
        if ours and (alert.kind, alert.key) not in wanted:
            alerts.clear_alert(conn, kind=alert.kind, key=alert.key, now=now)


def _raise(conn: Connection, kind: str, *, account: str, name: str, level: int, days: int, now: Instant) -> None:
    # The text holds the level and not the days, so that each level is told once, also over a restart.
    when = "has expired" if level == ENDED else f"expires within {level} days"
    values: dict[str, str | int] = {"account": account, "name": name, "days": days}
    text = f"account {account}, {name} {when}"
    alerts.renew_alert(conn, kind=kind, key=f"{account}/{name}", text=text, values=values, now=now)
