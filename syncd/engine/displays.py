"""Bring to a channel what stands beside a number: limits of one order, closed pages, days of preorders.

What is wanted is decided with the targets and stored; this loop brings it there, and tries again what failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, TypeAlias

import structlog
from sqlalchemy import Connection

from syncd.core.facts import AccountState
from syncd.core.retry import RetryRule, delay_s
from syncd.core.terms import SECOND_US, Instant, ListingRef, Outcome, OutcomeKind
from syncd.engine.channels import CALL_S, Account, guarded
from syncd.engine.plant import Plant
from syncd.engine.timing import nap
from syncd.sdk.channel import Channel
from syncd.sdk.features import DayWish, LimitWish, PageWish, PreorderDates, PurchaseLimit, Visibility
from syncd.store import accounts, displays, listings
from syncd.store.displays import Display

LOOK_S: Final = 15.0
MOST: Final = 50
"""Listings of one round."""
_DONE: Final = (OutcomeKind.APPLIED, OutcomeKind.ACCEPTED)
_RETRY: Final = RetryRule(first_s=30.0, factor=2.0, most_s=3_600.0)

_log = structlog.get_logger("syncd.displays")

Due: TypeAlias = tuple[ListingRef, Display]


def can_display(channel: Channel) -> bool:
    """Say whether a channel shows anything beside its numbers that we set."""
    return isinstance(channel, PurchaseLimit | Visibility | PreorderDates)


class Displays:
    """The loop of one account."""

    def __init__(self, plant: Plant, account: Account) -> None:
        self._plant = plant
        self._account = account

    async def run(self, stop: asyncio.Event) -> None:
        """Bring what is due until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            if not self._plant.house.shadow:
                await guarded(self._account, self.step)
            await nap(LOOK_S, stop)

    async def step(self) -> int:
        """Bring what is due once; return how many listings that were."""
        plant, name, now = self._plant, self._account.name, self._plant.clock.now()
        due = await plant.store.read(lambda conn: _due(conn, plant, self._account, now))
        if due:
            ends = await self._bring(due)
            draw = plant.random()
            await plant.store.write(lambda conn: _keep(conn, due, ends, now=plant.clock.now(), draw=draw))
            hidden = [ref.remote_id for ref, one in due if one.wanted.hidden != one.there.hidden]
            _log.info("display.brought", account=name, listings=len(due), pages=len(hidden))
        return len(due)

    async def _bring(self, due: Sequence[Due]) -> dict[int, Outcome]:
        """Bring every kind that the channel has; the first end of a listing that is no success counts."""
        channel, uuid = self._account.channel, self._plant.uuid
        ends: dict[int, Outcome] = {}
        async with asyncio.timeout(CALL_S):
            if isinstance(channel, PurchaseLimit):
                mine = _differing(due, lambda x: x.wanted.purchase_limit != x.there.purchase_limit)
                limits = [LimitWish(key=uuid(), ref=ref, most=one.wanted.purchase_limit) for ref, one in mine]
                _note(ends, mine, await channel.set_purchase_limits(limits) if limits else [])
            if isinstance(channel, PreorderDates):
                mine = _differing(due, lambda x: x.wanted.ready_day != x.there.ready_day)
                days = [DayWish(key=uuid(), ref=ref, day=_day(one.wanted.ready_day)) for ref, one in mine]
                _note(ends, mine, await channel.set_preorder_days(days) if days else [])
            if isinstance(channel, Visibility):
                mine = _differing(due, lambda x: x.wanted.hidden != x.there.hidden)
                pages = [PageWish(key=uuid(), ref=ref, visible=not one.wanted.hidden) for ref, one in mine]
                _note(ends, mine, await channel.set_visible(pages) if pages else [])
        return ends


def _due(conn: Connection, plant: Plant, account: Account, now: Instant) -> list[Due]:
    known = accounts.accounts(conn).get(account.name)
    if known is None or known.state is not AccountState.LIVE or plant.house.shadow:
        return []
    return displays.due(conn, account.name, now=now, most=MOST)


def _differing(due: Sequence[Due], differs: Callable[[Display], bool]) -> list[Due]:
    return [(ref, one) for ref, one in due if differs(one)]


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _note(ends: dict[int, Outcome], mine: Sequence[Due], outcomes: Sequence[Outcome]) -> None:
    for (_, one), outcome in zip(mine, outcomes, strict=True):
        known = ends.get(one.listing_id)
        if known is None or known.kind is OutcomeKind.APPLIED:
            ends[one.listing_id] = outcome


def _keep(conn: Connection, due: Sequence[Due], ends: dict[int, Outcome], *, now: Instant, draw: float) -> None:
    """Note what is there now; what failed is due later, what was wanted otherwise meanwhile at once."""
    current = displays.load(conn, [one.listing_id for _, one in due])
    for _, asked in due:
        one, end = current[asked.listing_id], ends.get(asked.listing_id)
        if end is not None and end.kind not in _DONE:
            one.reason = end.reason[:200]
        if end is not None and end.kind is OutcomeKind.REJECTED:
            one.due_at, one.attempts = None, 0
        elif end is None or end.kind in _DONE:
            if asked.wanted.hidden != one.there.hidden:
                listings.set_active(conn, one.listing_id, active=not asked.wanted.hidden)
            one.there, one.attempts = asked.wanted, 0
            one.due_at = None if one.wanted == asked.wanted else now
        else:
            one.attempts += 1
            one.due_at = now + int(delay_s(one.attempts, rule=_RETRY, retry_after_s=None, draw=draw) * SECOND_US)
    displays.save(conn, current.values())
