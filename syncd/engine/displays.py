"""Bring to a channel what stands beside a number: limits of one order, closed pages, days of preorders.

What is wanted is decided with the targets and stored; this loop brings it there, and tries again what failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
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
from syncd.sdk.errors import TransientError
from syncd.sdk.features import DayWish, LimitWish, PageWish, PreorderDates, PurchaseLimit, Visibility
from syncd.store import accounts, displays, listings
from syncd.store.displays import KINDS, Display

LOOK_S: Final = 15.0
MOST: Final = 50
"""Listings of one round."""
_DONE: Final = (OutcomeKind.APPLIED, OutcomeKind.ACCEPTED)
_NO_EFFECT: Final = (OutcomeKind.REJECTED, OutcomeKind.UNSENT, OutcomeKind.STALE)
_RETRY: Final = RetryRule(first_s=30.0, factor=2.0, most_s=3_600.0)

_log = structlog.get_logger("syncd.displays")

Due: TypeAlias = tuple[ListingRef, Display]
Ends: TypeAlias = dict[int, Outcome]
"""How the call of one kind ended for each listing that it was for."""


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
        """Bring what is due once, one kind after the other; return how many listings that were."""
        plant, name, now = self._plant, self._account.name, self._plant.clock.now()
        due = await plant.store.read(lambda conn: _due(conn, plant, self._account, now))
        if due:
            ends = {kind: await self._bring(kind, [x for x in due if x[1].is_open(kind)]) for kind in KINDS}
            draw = plant.random()
            await plant.store.write(lambda conn: _settle(conn, due, ends, now=plant.clock.now(), draw=draw))
            _log.info("display.brought", account=name, listings=len(due), pages=len(ends["hidden"]))
        return len(due)

    async def _bring(self, kind: str, mine: Sequence[Due]) -> Ends:
        """Bring one kind; that its end is not known is noted before, and stays so while no end says what is there."""
        write = self._plant.store.write
        if not mine:
            return {}
        call = self._call(kind, mine)
        if call is None:
            await write(lambda conn: _note(conn, kind, mine, _all(mine, OutcomeKind.APPLIED)))
            return {}
        await write(lambda conn: _doubt(conn, kind, mine))
        try:
            async with asyncio.timeout(CALL_S):
                outcomes = await call()
        except TransientError as error:
            if not error.sent:
                await write(lambda conn: _note(conn, kind, mine, _all(mine, OutcomeKind.UNSENT)))
            raise
        ends = {one.listing_id: outcome for (_, one), outcome in zip(mine, outcomes, strict=True)}
        await write(lambda conn: _note(conn, kind, mine, ends))
        return ends

    def _call(self, kind: str, mine: Sequence[Due]) -> Callable[[], Awaitable[Sequence[Outcome]]] | None:
        """Return the call that brings one kind, None where the channel has no such kind."""
        channel, uuid = self._account.channel, self._plant.uuid
        match kind:
            case "purchase_limit" if isinstance(channel, PurchaseLimit):
                limits = [LimitWish(key=uuid(), ref=ref, most=one.wanted.purchase_limit) for ref, one in mine]
                return lambda: channel.set_purchase_limits(limits)
            case "ready_day" if isinstance(channel, PreorderDates):
                days = [DayWish(key=uuid(), ref=ref, day=_day(one.wanted.ready_day)) for ref, one in mine]
                return lambda: channel.set_preorder_days(days)
            case "hidden" if isinstance(channel, Visibility):
                pages = [PageWish(key=uuid(), ref=ref, visible=not one.wanted.hidden) for ref, one in mine]
                return lambda: channel.set_visible(pages)
            case _:
                return None


def _due(conn: Connection, plant: Plant, account: Account, now: Instant) -> list[Due]:
    known = accounts.accounts(conn).get(account.name)
    if known is None or known.state is not AccountState.LIVE or plant.house.shadow:
        return []
    return displays.due(conn, account.name, now=now, most=MOST)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _all(mine: Sequence[Due], kind: OutcomeKind) -> Ends:
    return {one.listing_id: Outcome(key="", kind=kind) for _, one in mine}


def _doubt(conn: Connection, kind: str, mine: Sequence[Due]) -> None:
    """Note that what is there of a kind is not known from now on."""
    current = displays.load(conn, [one.listing_id for _, one in mine])
    for one in current.values():
        one.unsure |= {kind}
    displays.save(conn, current.values())


def _note(conn: Connection, kind: str, mine: Sequence[Due], ends: Ends) -> None:
    """Note what is there of a kind now. A call without effect leaves it as it was, known or not."""
    current = displays.load(conn, [one.listing_id for _, one in mine])
    for _, asked in mine:
        one, end = current[asked.listing_id], ends[asked.listing_id]
        if end.kind in _DONE:
            one.there = replace(one.there, **{kind: getattr(asked.wanted, kind)})
            if kind == "hidden":
                listings.set_active(conn, one.listing_id, active=not asked.wanted.hidden)
        if end.kind in _DONE or (end.kind in _NO_EFFECT and kind not in asked.unsure):
            one.unsure -= {kind}
    displays.save(conn, current.values())


def _settle(conn: Connection, due: Sequence[Due], ends: Mapping[str, Ends], *, now: Instant, draw: float) -> None:
    """Note when more is to be done: what failed is due later, what was wanted otherwise meanwhile at once."""
    current = displays.load(conn, [one.listing_id for _, one in due])
    for _, asked in due:
        one = current[asked.listing_id]
        bad = [x for kind in KINDS if (x := ends[kind].get(asked.listing_id)) is not None and x.kind not in _DONE]
        if bad:
            one.reason = bad[0].reason[:200]
        if one.wanted != asked.wanted:
            one.due_at, one.attempts = now, 0
        elif all(x.kind is OutcomeKind.REJECTED for x in bad):
            one.due_at, one.attempts = None, 0
        else:
            one.attempts += 1
            one.due_at = now + int(delay_s(one.attempts, rule=_RETRY, retry_after_s=None, draw=draw) * SECOND_US)
    displays.save(conn, current.values())
