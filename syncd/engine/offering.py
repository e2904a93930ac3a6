"""Bring private sales to one account: made once, looked for where the answer was lost, ended when not wanted."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection

from syncd.core.facts import AccountState
from syncd.core.offers import OfferState, OfferWord
from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.core.waitlist import OfferFact
from syncd.engine.channels import Account, Roster
from syncd.engine.offer_effects import MARGIN_US, note_sent
from syncd.engine.plant import Plant
from syncd.engine.replan import replan
from syncd.engine.timing import nap
from syncd.engine.work import Work
from syncd.sdk import features
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, RejectedError, TransientError
from syncd.sdk.features import OfferRequest, PrivateSale
from syncd.store import accounts, offers
from syncd.store.offers import Offer

IDLE_S: Final = 30.0
"""Longest rest: a hint that got lost costs this much time."""
CALL_S: Final = 60.0
MOST: Final = 20
"""Most private sales of one round."""
_ENDS: Final = {
    features.Withdrawal.WITHDRAWN: OfferWord.WITHDRAWN,
    features.Withdrawal.GONE: OfferWord.GONE,
    features.Withdrawal.BOUGHT: OfferWord.BOUGHT,
}

_log = structlog.get_logger("syncd.offers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a call brought: the channel's word, or why there is none. `link` is the customer's secret, in no text."""

    word: OfferWord
    offer: features.Offer | None = None
    order_id: str = ""
    reason: str = ""
    again_s: float = 0.0


_OFF: Final = Said(word=OfferWord.REFUSED, reason="private sales are switched off")


def private_accounts(roster: Roster) -> frozenset[AccountId]:
    """Return the accounts that sell in private to those who wait."""
    channels = {name: account.channel for name, account in roster.items()}
    return frozenset(n for n, one in channels.items() if isinstance(one, PrivateSale) and one.sells_privately)


class Offering:
    """The only one who makes and ends private sales on an account."""

    def __init__(self, plant: Plant, account: Account, channel: PrivateSale) -> None:
        self._plant = plant
        self._account = account
        self._channel = channel

    async def run(self, stop: asyncio.Event) -> None:
        """Do what is due until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            self._account.offers.clear()
            if not await self.step(stop):
                await nap(await self._rest_s(), self._account.offers, stop)

    async def _rest_s(self) -> float:
        """Return for how long nothing is due, or the channel is to be left alone."""
        now, name = self._plant.clock.now(), self._account.name
        held_s = self._account.pulse.until - self._plant.clock.monotonic()
        due = await self._plant.store.read(lambda conn: offers.next_due(conn, name) if _is_live(conn, name) else None)
        left_s = IDLE_S if due is None else (due - now) / SECOND_US
        return min(IDLE_S, max(1.0, held_s, left_s))

    async def step(self, stop: asyncio.Event) -> int:
        """Do one round; return how many private sales were asked about."""
        plant, name = self._plant, self._account.name
        if plant.house.shadow or self._account.pulse.until > plant.clock.monotonic():
            return 0
        found = await plant.store.read(lambda conn: _due(conn, name, plant.clock.now()))
        done = 0
        for offer in found:
            if stop.is_set():
                break
            done += await self._bring(offer)
        return done

    async def _bring(self, offer: Offer) -> int:
        """Do what is due for one, and have what the channel said decided before the next."""
        plant = self._plant
        if offer.state is OfferState.WAITING:
            wanted = self._account.name in plant.house.waiting.private
            request = await plant.store.write(lambda conn: self._intend(conn, offer.key)) if wanted else None
            if wanted and request is None:
                return 0
            sent_at, said = plant.clock.now(), _OFF if request is None else await self._make(request)
        else:
            # What is still intended here was sent, and the answer could not be stored.
            sent_at = plant.clock.now()
            said = await (self._withdraw(offer) if offer.state is OfferState.WITHDRAWING else self._find(offer))
        self._log(offer, said)
        fact = OfferFact(
            account=self._account.name,
            key=offer.key,
            word=said.word,
            sent_at=sent_at,
            answered_at=plant.clock.now(),
            offer_id="" if said.offer is None else said.offer.offer_id,
            link="" if said.offer is None else said.offer.link,
            order_id=said.order_id,
            reason=said.reason,
            again_s=said.again_s,
        )
        receipt = await plant.intake.put_one(fact, source=self._account.name, key=None)
        with suppress(TimeoutError):  # what is not decided yet is not asked about again
            await plant.intake.settle(receipt.inbox_id)
        return 1

    def _log(self, offer: Offer, said: Said) -> None:
        tell = _log.info if said.word in _WELL else _log.warning
        reason = {"reason": said.reason} if said.reason else {}
        tell(f"offer.{said.word.value}", account=self._account.name, entry=offer.entry_id, **reason)

    def _intend(self, conn: Connection, key: str) -> OfferRequest | None:
        """Store that one is about to be sent, on the writer's thread; None where it is not wanted any more."""
        now = self._plant.clock.now()
        offer = offers.by_keys(conn, [key])[key]
        if offer.state is not OfferState.WAITING:
            return None
        work = Work(conn, house=self._plant.house, now=now)
        until = now + self._plant.house.waiting.hold_us
        offer.state, offer.sent_at, offer.until = OfferState.INTENDED, now, until
        offers.save(conn, [offer])
        note_sent(work, offer)
        replan(work)
        work.flush()
        return OfferRequest(key=offer.key, ref=offer.ref, quantity=offer.units, until=until + MARGIN_US)

    # --- calls ---

    async def _make(self, request: OfferRequest) -> Said:
        try:
            async with asyncio.timeout(CALL_S):
                return Said(word=OfferWord.MADE, offer=await self._channel.make_offer(request))
        except RejectedError as error:
            return Said(word=OfferWord.REFUSED, reason=str(error)[:200])
        except (ChannelError, TimeoutError) as error:
            return _failed(error)

    async def _find(self, offer: Offer) -> Said:
        try:
            async with asyncio.timeout(CALL_S):
                found = await self._channel.find_offer(offer.key)
        except (ChannelError, TimeoutError) as error:
            return Said(word=OfferWord.UNKNOWN, reason=_failed(error).reason)
        return Said(word=OfferWord.ABSENT) if found is None else Said(word=OfferWord.MADE, offer=found)

    async def _withdraw(self, offer: Offer) -> Said:
        try:
            async with asyncio.timeout(CALL_S):
                found = await self._channel.withdraw_offer(offer.offer_id)
        except (RejectedError, AuthError) as error:
            return Said(word=OfferWord.REFUSED, reason=str(error)[:200])
        except (ChannelError, TimeoutError) as error:
            return _failed(error)
        return Said(word=_ENDS[found.end], order_id=found.order_id)


_WELL: Final = frozenset({OfferWord.MADE, OfferWord.WITHDRAWN, OfferWord.BOUGHT, OfferWord.GONE, OfferWord.ABSENT})


def _failed(error: ChannelError | TimeoutError) -> Said:
    """Return what a failed call means: certainly nothing, or nobody knows."""
    if isinstance(error, TimeoutError):
        return Said(word=OfferWord.UNKNOWN, reason=f"no answer within {CALL_S:.0f} s")
    again_s = (error.retry_after_s or 0.0) if isinstance(error, TransientError) else 0.0
    unknown = isinstance(error, ProtocolError) or (isinstance(error, TransientError) and error.sent)
    word = OfferWord.UNKNOWN if unknown else OfferWord.UNSENT
    return Said(word=word, reason=f"{type(error).__name__}: {error}"[:200], again_s=again_s)


def _due(conn: Connection, name: AccountId, now: Instant) -> list[Offer]:
    return offers.due(conn, name, now=now, limit=MOST) if _is_live(conn, name) else []


def _is_live(conn: Connection, name: AccountId) -> bool:
    known = accounts.accounts(conn).get(name)
    return known is not None and known.state is AccountState.LIVE
