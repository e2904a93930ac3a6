"""What a person has done at a channel, or asks of it, right now: cancel an order, look at inquiries."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog
from sqlalchemy import Connection

from syncd.core.facts import AccountState
from syncd.core.terms import SECOND_US, AccountId, Outcome, OutcomeKind
from syncd.engine.channels import Account, Roster
from syncd.engine.rules import House
from syncd.engine.sideline import attempt
from syncd.engine.work import Hint
from syncd.sdk.channel import Clock
from syncd.sdk.errors import RejectedError, TransientError
from syncd.sdk.features import Cancels, CancelWish, Inquiries, Inquiry
from syncd.settings.windows import moment_of
from syncd.store import accounts, actions
from syncd.store.actions import ActionKind
from syncd.store.session import Store

CANCEL_S = 90.0
"""Longest wait for one cancel; what comes later is not known."""
ON_ITS_WAY_US = 150 * SECOND_US
"""For so long a cancel whose end was not stored may still be under way in this process."""
INQUIRY_S = 60.0
MOST_PAGES = 20
"""Most pages of inquiries of one account."""

_log = structlog.get_logger("syncd.errands")


class Ground(Protocol):
    """The part of the running daemon that errands need."""

    @property
    def store(self) -> Store:
        """Return the store."""

    @property
    def clock(self) -> Clock:
        """Return the clock."""

    @property
    def roster(self) -> Roster:
        """Return the open accounts."""

    @property
    def house(self) -> House:
        """Return what is the same for all of them."""

    def wake(self, name: AccountId, hint: Hint) -> None:
        """Hint that something may be due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errands:
    """Done at once and only by a person's word. A channel without the feature raises RejectedError."""

    ground: Ground

    async def cancel(self, name: AccountId, wish: CancelWish, *, actor: str) -> Outcome:
        """Cancel once, with the wish stored before; a repeat of its key answers how the first one ended.

        The order is fetched afterwards, so that the ledger follows what the channel says. Raises RejectedError where
        nothing was sent and nothing will be.
        """
        account = self.ground.roster[name]
        channel = account.channel
        if not isinstance(channel, Cancels):
            raise RejectedError(f"{name} does not let syncd cancel orders; cancel it there")
        self._refuse(account)
        now = self.ground.clock.now()
        before = await self.ground.store.write(lambda conn: _intend(conn, name, wish, actor=actor, now=now))
        if before is not None:
            return before
        outcome = await attempt(lambda: channel.cancel(wish), key=wish.key, within_s=CANCEL_S)
        await self._settle(name, wish, outcome)
        return outcome

    def _refuse(self, account: Account) -> None:
        if self.ground.house.shadow:
            raise RejectedError("syncd runs in shadow mode: nothing is changed at any channel")
        end = account.pulse.maintenance_until
        if end is not None:
            raise RejectedError(f"{account.name} is in maintenance until {moment_of(end).isoformat()}")

    async def _settle(self, name: AccountId, wish: CancelWish, outcome: Outcome) -> None:
        now = self.ground.clock.now()
        await self.ground.store.write(lambda conn: _settle(conn, name, wish, outcome, now))
        self.ground.wake(name, Hint.FETCH)
        tell = _log.info if outcome.kind in {OutcomeKind.APPLIED, OutcomeKind.ACCEPTED} else _log.warning
        tell("order.cancel", account=name, order=wish.order_id, end=outcome.kind.value, reason=outcome.reason)

    async def inquiries(self, name: AccountId) -> list[Inquiry]:
        """Read all open inquiries about stock of an account; raises what the channel raises."""
        account = self.ground.roster[name]
        channel = account.channel
        if not isinstance(channel, Inquiries):
            raise RejectedError(f"{name} has no inbox of inquiries that syncd can read")
        end = account.pulse.maintenance_until
        if end is not None:
            raise TransientError(f"{name} is in maintenance until {moment_of(end).isoformat()}", sent=False)
        try:
            async with asyncio.timeout(INQUIRY_S):
                return await _pages(channel)
        except TimeoutError:
            raise TransientError(f"{name} did not answer within {INQUIRY_S:.0f} s") from None


async def _pages(channel: Inquiries) -> list[Inquiry]:
    found: list[Inquiry] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await channel.inquiries(cursor)
        found += page.inquiries
        cursor = page.cursor
        if cursor is None:
            break
    return found


def _intend(conn: Connection, name: AccountId, wish: CancelWish, *, actor: str, now: int) -> Outcome | None:
    """Store a wish; return how it ended where it is there already. Raises RejectedError where it may not be sent."""
    known = actions.by_key(conn, wish.key)
    body = msgspec.json.encode(wish)
    if known is not None:
        return _known_end(known, body)
    state = accounts.accounts(conn)[name].state
    if state is AccountState.NEW:
        raise RejectedError(f"{name} was not released, so nothing is changed there: `syncd go {name}`")
    last = actions.latest(conn, name, ActionKind.CANCEL, [wish.order_id]).get(wish.order_id)
    if last is not None and last.state == actions.INTENDED and now - last.intended_at < ON_ITS_WAY_US:
        raise RejectedError("a cancel of this order is on its way")
    kind, order_id, key = ActionKind.CANCEL, wish.order_id, wish.key
    actions.intend(conn, account=name, remote_id=order_id, kind=kind, key=key, body=body, actor=actor, now=now)
    return None


def _known_end(known: actions.Action, body: bytes) -> Outcome:
    if known.body != body:
        raise RejectedError("this request_id was used for another cancel before; choose a new one")
    if known.state == actions.INTENDED:
        raise RejectedError("this cancel is on its way")
    return Outcome(key=known.key, kind=OutcomeKind(known.state), reason=known.reason)


def _settle(conn: Connection, name: AccountId, wish: CancelWish, outcome: Outcome, now: int) -> None:
    actions.end(conn, wish.key, state=outcome.kind, reason=outcome.reason, now=now)
    accounts.want_orders(conn, name, [wish.order_id], now=now)
