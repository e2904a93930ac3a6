"""The only caller of `push`: takes what is due, persists the intent, sends a batch, hands its end to the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from syncd.core.facts import AccountState, OutcomeFact
from syncd.core.plan import Lane, Send, decide
from syncd.core.terms import SECOND_US, Instant, Outcome, OutcomeKind, Write
from syncd.engine.belief import range_of, watermark
from syncd.engine.channels import Account
from syncd.engine.gating import Gate
from syncd.engine.intake import Intake
from syncd.engine.replan import lane_of, view_of
from syncd.engine.rules import House
from syncd.engine.timing import nap
from syncd.engine.work import Hint, Work
from syncd.sdk.channel import Clock, Paced
from syncd.sdk.errors import ChannelError, ProtocolError, RejectedError, TransientError
from syncd.sdk.features import Batches
from syncd.store import claims, history, listings
from syncd.store.history import Intent
from syncd.store.listings import Listing
from syncd.store.session import Store

RAISE_SHARE = 10
"""One row of so many goes to raises that wait, however many falls there are, so that they cannot starve."""
IDLE_S = 30.0
"""How long the loop rests that was not hinted; a lost hint costs this much."""
PIECE = 250
"""Rows that one transaction picks, and ends of writes in one fact: each must stay a short transaction."""
MOST_BULK = 25_000
"""Most rows of one push, whatever a channel asks for."""
AHEAD_S = 0.15
"""How long before its turn a batch is picked: the rest of the wait is the adapter's."""
LAST_LOOK_S = 0.01
"""So long before its turn a picked batch is looked at once more: what fell to zero meanwhile goes before it."""
_ZERO = (Lane.ZERO,)
_FALLS = (Lane.ZERO, Lane.FALL)
_RAISES = (Lane.RAISE,)
_NOT_ZERO = (Lane.FALL, Lane.RAISE)
_ALL = (Lane.ZERO, Lane.FALL, Lane.RAISE)
_UNANSWERED = (OutcomeKind.INDETERMINATE, OutcomeKind.UNSENT)

_log = structlog.get_logger("syncd.dispatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What one transaction found to send; `next_due` is when more is due, None when nothing is.

    `to_read` says that a listing has to be read before it can be written, `found` how many listings were looked at,
    `all_found` that these were all that was due.
    """

    writes: tuple[Write, ...]
    next_due: Instant | None
    live: bool
    to_read: bool = False
    found: int = 0
    all_found: bool = False


class Dispatch:
    """The writing loop of one account: one batch in flight."""

    def __init__(
        self,
        account: Account,
        *,
        store: Store,
        intake: Intake,
        clock: Clock,
        uuid: Callable[[], str],
        house: Callable[[], House],
    ) -> None:
        self._account = account
        self._store = store
        self._intake = intake
        self._clock = clock
        self._uuid = uuid
        self._house = house

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is due until told to stop; the batch in flight is ended first."""
        while not stop.is_set():
            self._account.writes.clear()
            await nap(self._hold_s(), stop)
            if stop.is_set():
                return
            picked = await self.step()
            if not picked.writes or picked.all_found:
                await nap(self._idle_s(picked), stop, self._account.writes)

    def _hold_s(self) -> float:
        """Return how long the channel is to be left alone: it is down, or its budget is spent."""
        channel = self._account.channel
        paced = channel.push_delay_s() - AHEAD_S if isinstance(channel, Paced) else 0.0
        return max(paced, self._account.pulse.until - self._clock.monotonic())

    def _idle_s(self, picked: Picked) -> float:
        if picked.next_due is None or not picked.live:
            return IDLE_S
        return min(IDLE_S, max(0.0, (picked.next_due - self._clock.now()) / SECOND_US))

    async def step(self) -> Picked:
        """Send one batch; return what was picked."""
        house, now = self._house(), self._clock.now()
        size = await self._bulk_size(now)
        if size:
            picked = await self._gather(size, house, now)
        else:
            picked = await self._store.write(lambda conn: self._pick(conn, house, now))
        if picked.to_read:
            self._account.wake(Hint.READ)
        if picked.writes:
            await self._send(picked.writes, await self._last_look(picked.writes, house))
        return picked

    async def _last_look(self, writes: Sequence[Write], house: House) -> tuple[Write, ...]:
        """Wait until the channel is about to take a batch; return the writes to zero that came due meanwhile."""
        rules, channel = self._account.rules, self._account.channel
        wait_s = channel.push_delay_s() - LAST_LOOK_S if isinstance(channel, Paced) else 0.0
        if wait_s <= 0.0 or len(writes) > rules.profile.max_push:
            return ()
        await asyncio.sleep(min(wait_s, AHEAD_S))
        if not self._account.writes.is_set():
            return ()
        now, most = self._clock.now(), rules.profile.max_push
        return (await self._store.write(lambda conn: self._pick(conn, house, now, _ZERO, most))).writes

    async def _bulk_size(self, now: Instant) -> int:
        """Return how many rows the channel would take at once in its second way of writing; 0 for the ordinary way.

        While anything is to go to zero it is always the ordinary way.
        """
        channel, name = self._account.channel, self._account.name
        if not isinstance(channel, Batches):
            return 0
        zeros, waiting = await self._store.read(
            lambda conn: (
                listings.due_count(conn, name, lanes=_ZERO, now=now, most=1),
                listings.due_count(conn, name, lanes=_NOT_ZERO, now=now, most=MOST_BULK),
            )
        )
        size = 0 if zeros else min(channel.push_size(waiting), MOST_BULK)
        return size if size > self._account.rules.profile.max_push else 0

    async def _gather(self, size: int, house: House, now: Instant) -> Picked:
        """Pick many rows, none to zero, in short transactions."""
        writes: list[Write] = []
        to_read = False
        while len(writes) < size:
            most = min(PIECE, size - len(writes))
            picked = await self._store.write(partial(self._pick, house=house, now=now, lanes=_NOT_ZERO, most=most))
            writes += picked.writes
            to_read = to_read or picked.to_read
            if not picked.found:
                break
        return Picked(writes=tuple(writes), next_due=now, live=True, to_read=to_read, found=len(writes))

    async def _send(self, writes: Sequence[Write], first: Sequence[Write] = ()) -> None:
        """Send a batch with `first` before it; what has no room any more is due again at once."""
        sent_at = self._clock.now()
        room = max(len(writes), self._account.rules.profile.max_push) - len(first)
        outcomes = await self._push([*first, *writes[:room]])
        outcomes += [_deferred(write) for write in writes[room:]]
        name, answered_at = self._account.name, self._clock.now()
        pieces = [tuple(outcomes[start : start + PIECE]) for start in range(0, len(outcomes), PIECE)]
        facts = [
            OutcomeFact(account=name, sent_at=sent_at, answered_at=answered_at, outcomes=piece) for piece in pieces
        ]
        await self._intake.put(facts, source=name)

    async def _push(self, writes: Sequence[Write]) -> list[Outcome]:
        limit_s = self._account.rules.profile.effect_delay_s
        try:
            async with asyncio.timeout(limit_s):
                outcomes = await self._account.channel.push(writes)
        except ChannelError as error:
            self._account.pulse.failed(error)
            return _failed(writes, error)
        except TimeoutError:
            late = TransientError(f"no answer to a push within {limit_s:.0f} s")
            self._account.pulse.failed(late)
            return _failed(writes, late)
        ends = _complete(writes, outcomes)
        silence = _silence(ends)
        if silence is not None:
            self._account.pulse.failed(silence)
        elif any(end.kind is not OutcomeKind.UNSENT for end in ends):
            self._account.pulse.answered()
        return ends

    # --- on the writer's thread ---

    def _pick(
        self,
        conn: Connection,
        house: House,
        now: Instant,
        lanes: tuple[Lane, ...] = _ALL,
        most: int | None = None,
    ) -> Picked:
        work = Work(conn, house=house, now=now)
        account = self._account.name
        known = work.accounts.get(account)
        if known is None or known.state is not AccountState.LIVE or house.shadow:
            return Picked(writes=(), next_due=None, live=False)
        size = self._account.rules.profile.max_push if most is None else most
        found = work.keep(self._due(conn, now, lanes, size))
        writes = self._plan(work, found, now, zero=Lane.ZERO in lanes) if found else ()
        all_found = lanes == _ALL and len(found) < size
        next_due = listings.next_due(conn, account, lanes=_ALL) if all_found or not writes else now
        to_read = any(listing.lane == Lane.READ for listing in found)
        return Picked(
            writes=tuple(writes),
            next_due=next_due,
            live=True,
            to_read=to_read,
            found=len(found),
            all_found=all_found,
        )

    def _due(self, conn: Connection, now: Instant, lanes: tuple[Lane, ...], most: int) -> list[Listing]:
        account = self._account.name
        first = tuple(lane for lane in lanes if lane in _FALLS)
        falls = listings.due(conn, account, lanes=first, now=now, limit=most)
        room = max(most - len(falls), most // RAISE_SHARE) if Lane.RAISE in lanes else 0
        raises = listings.due(conn, account, lanes=_RAISES, now=now, limit=room) if room else []
        return falls[: most - len(raises)] + raises

    def _plan(self, work: Work, found: Sequence[Listing], now: Instant, *, zero: bool) -> list[Write]:
        rules = self._account.rules
        ids = [listing.id for listing in found]
        effects, open_ = history.effects(work.conn, ids), history.open_writes(work.conn, ids)
        mark = watermark(work, rules.account, {}) if rules.absolute else None
        writes: list[Write] = []
        intents: list[Intent] = []
        gate = Gate(work)
        work.load_claims(ids)
        for listing in found:
            mine, unsettled = effects.get(listing.id, ()), open_.get(listing.id, ())
            shown = range_of(listing, rules, mine, unsettled, now=now)
            allotted = listing.id in work.claims and listing.sku_id is not None
            limit = gate.ceiling(listing, rules) if allotted else None
            book = work.house.outlook.book
            view = view_of(listing, rules, mine, unsettled, found=shown, mark=mark, limit=limit, now=now, book=book)
            step = decide(view, now=now)
            if isinstance(step, Send) and (zero or step.quantity):
                listing.in_flight, listing.lane, listing.due_at = True, None, None
                write = Write(
                    key=self._uuid(),
                    ref=listing.ref,
                    quantity=step.quantity,
                    expected=step.expected,
                    delta=step.delta,
                )
                if allotted:
                    gate.sent(listing, rules, step)
                writes.append(write)
                intents.append(self._intent(listing, write, step, now))
            else:
                listing.lane, listing.due_at = lane_of(step, now)
        history.add_intents(work.conn, intents)
        claims.save(work.conn, work.claims.values())
        listings.take(work.conn, (listing for listing in found if listing.in_flight))
        listings.save(work.conn, (listing for listing in found if not listing.in_flight), now=now)
        return writes

    def _intent(self, listing: Listing, write: Write, step: Send, now: Instant) -> Intent:
        return Intent(
            listing_id=listing.id,
            account=listing.account,
            key=write.key,
            mode=self._account.rules.profile.write_mode.value,
            quantity=write.quantity,
            expected=write.expected,
            delta=write.delta,
            target=listing.target or 0,
            lane=step.lane,
            intended_at=now,
            effect_until=now + self._account.rules.effect_us,
        )


def _failed(writes: Sequence[Write], error: ChannelError) -> list[Outcome]:
    """Return the ends of a batch whose call failed as a whole: not sent for certain, or not known."""
    unknown = isinstance(error, ProtocolError) or (isinstance(error, TransientError) and error.sent)
    kind = OutcomeKind.INDETERMINATE if unknown and not isinstance(error, RejectedError) else OutcomeKind.UNSENT
    reason = f"{type(error).__name__}: {error}"[:200]
    return [Outcome(key=write.key, kind=kind, reason=reason) for write in writes]


def _deferred(write: Write) -> Outcome:
    return Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason="stood back behind falls to zero", deferred=True)


def _silence(outcomes: Sequence[Outcome]) -> TransientError | None:
    """Return a failure where answers were lost and none came; rows that the adapter held back itself say nothing."""
    lost = [outcome for outcome in outcomes if outcome.kind is OutcomeKind.INDETERMINATE]
    if not lost or any(outcome.kind not in _UNANSWERED for outcome in outcomes):
        return None
    return TransientError(lost[0].reason or "a push had no answer")


def _complete(writes: Sequence[Write], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return one outcome per write: what an adapter forgot is not known."""
    by_key = {outcome.key: outcome for outcome in outcomes}
    forgotten = "the adapter gave no outcome"
    return [
        by_key.get(write.key, Outcome(key=write.key, kind=OutcomeKind.INDETERMINATE, reason=forgotten))
        for write in writes
    ]
