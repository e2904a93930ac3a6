"""Writes stock: refuses what cannot work, looks at pairs that are not known, sends the rest as one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.rakuten import stock, wire
from adapters.rakuten.api import Function, Rms, is_open
from adapters.rakuten.goods import Known, Pair, certain_pair, pair_of
from syncd.sdk.answer import Answer
from syncd.sdk.channel import Clock, Instant, ListingRef, Outcome, OutcomeKind, Seen, Write
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, RateLimited

LONGEST_DELAY_S = 2.0
"""A push that would wait longer for its budget is not begun: it would take effect later than anybody reckons with."""
LOOK_S = 6.0
"""A look at the pairs, before a write or after a refused one."""
WRITE_S = 15.0
LATE_EFFECT_S = 5.0
"""A request that was cut off may still be worked on for so long."""
EFFECT_S = LOOK_S + WRITE_S + LOOK_S + LATE_EFFECT_S

_ANSWERED = (204, 400, 409)
_WAITS = "waits until the row is found for which Rakuten refuses larger calls"
_BLAMED = (OutcomeKind.REJECTED, OutcomeKind.STALE)


class Writer:
    """Reads and writes the stock of one shop.

    Where Rakuten refuses a call and nothing tells which row it means, the next calls are half as large, down to one.
    """

    def __init__(self, rms: Rms, *, known: Known, clock: Clock) -> None:
        self._rms = rms
        self._known = known
        self._clock = clock
        self._most = stock.MOST_WRITTEN

    # --- reading -----------------------------------------------------------------------------------------------------

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these listings show; what has no row at Rakuten has no number."""
        asked_at = self._clock.now()
        pairs = list(dict.fromkeys(pair for ref in refs if (pair := pair_of(ref)) is not None))
        shown = await self._rows(pairs) if pairs else {}
        answered_at = self._clock.now()
        readings = []
        for ref in refs:
            pair = pair_of(ref)
            row = shown.get(pair) if pair is not None else None
            quantity = None if row is None else row.quantity
            readings.append(Seen(ref=ref, quantity=quantity, asked_at=asked_at, answered_at=answered_at))
        return readings

    async def _rows(self, pairs: Sequence[Pair], *, quick: bool = False) -> dict[Pair, stock.Row]:
        answer = await self._rms.read(Function.STOCK_READ, stock.Rows, json=stock.asked(pairs), quick=quick)
        found = stock.found(answer, pairs)
        self._known.learn(found, at=self._clock.now())
        self._known.forget(set(pairs).difference(found))
        return found

    # --- writing -----------------------------------------------------------------------------------------------------

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Bring these numbers to the shop, one outcome per write, in order."""
        delay_s = self._rms.delay_s(Function.STOCK_WRITE)
        if delay_s > LONGEST_DELAY_S:
            raise RateLimited("Rakuten: the budget of stock writes is spent", retry_after_s=delay_s)
        known = _settled(writes)
        rest = [write for write in writes if write.key not in known]
        known.update(await self._strangers(rest))
        rest = [write for write in rest if write.key not in known]
        known.update((outcome.key, outcome) for outcome in stock.every(rest[self._most :], OutcomeKind.UNSENT, _WAITS))
        if rest:
            known.update((outcome.key, outcome) for outcome in await self._send(rest[: self._most]))
        return [known[write.key] for write in writes]

    async def _strangers(self, writes: Sequence[Write]) -> dict[str, Outcome]:
        """Return the outcomes of writes to pairs that nobody knows: an absolute one would make a row for nothing."""
        now = self._clock.now()
        strange = [write for write in writes if not self._known.trusts(certain_pair(write.ref), now=now)]
        if not strange:
            return {}
        pairs = [certain_pair(write.ref) for write in strange]
        try:
            async with asyncio.timeout(LOOK_S):
                found = await self._rows(pairs, quick=True)
        except AuthError:
            raise
        except (ChannelError, TimeoutError) as fault:
            reason = f"not looked up yet: {fault}"[:200]
            return {write.key: Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason=reason) for write in strange}
        gone = "Rakuten has no such SKU"
        return {
            write.key: Outcome(key=write.key, kind=OutcomeKind.REJECTED, reason=gone)
            for write in strange
            if certain_pair(write.ref) not in found
        }

    async def _send(self, writes: Sequence[Write]) -> list[Outcome]:
        """Send one call. Raises only where it had certainly no effect."""
        sent_at = self._clock.now()
        # Zero may be written twice without harm, a difference never; any other number could undo a sale in between.
        repeatable = all(write.delta is None and write.quantity == 0 for write in writes)
        try:
            async with asyncio.timeout(WRITE_S):
                answer = await self._rms.write(
                    Function.STOCK_WRITE, stock.body(writes), repeatable=repeatable, expect=_ANSWERED
                )
        except TimeoutError:
            return stock.every(writes, OutcomeKind.INDETERMINATE, f"no answer within {WRITE_S:g} s")
        except ChannelError as fault:
            if not is_open(fault):
                raise
            return stock.every(writes, OutcomeKind.INDETERMINATE, str(fault)[:200])
        if answer.status == 204:
            self._most = min(self._most * 2, stock.MOST_WRITTEN)
            return stock.every(writes, OutcomeKind.APPLIED)
        if answer.doubtful:
            return stock.every(writes, OutcomeKind.INDETERMINATE, "an earlier try got no answer")
        return await self._examined(writes, answer, sent_at=sent_at)

    async def _examined(self, writes: Sequence[Write], answer: Answer, *, sent_at: Instant) -> list[Outcome]:
        """Find the rows that a call was refused for, and what became of the others."""
        fault = wire.judge(Function.STOCK_WRITE.title)(answer)
        faults = wire.faults(answer.body)
        codes = wire.codes(faults)
        if isinstance(fault, AuthError | ProtocolError) and not codes & stock.ROW_CODES:
            raise fault
        if stock.NO_ROW in codes:
            self._known.forget(certain_pair(write.ref) for write in writes)
        shown = None if len(writes) == 1 else await self._look(writes)
        outcomes = stock.judged(writes, faults, shown, sent_at=sent_at)
        if answer.status == 400 and not any(one.kind in _BLAMED for one in outcomes):
            self._most = max(1, len(writes) // 2)
        return outcomes

    async def _look(self, writes: Sequence[Write]) -> dict[Pair, stock.Row] | None:
        try:
            async with asyncio.timeout(LOOK_S):
                return await self._rows([certain_pair(write.ref) for write in writes], quick=True)
        except (ChannelError, TimeoutError):
            return None


def _settled(writes: Sequence[Write]) -> dict[str, Outcome]:
    """Return the outcomes of writes that are not to be sent: impossible ones, repeats of a pair, no difference."""
    known: dict[str, Outcome] = {}
    met: set[Pair] = set()
    for write in writes:
        reason = stock.refused(write)
        pair = pair_of(write.ref)
        if reason or pair is None:
            known[write.key] = Outcome(key=write.key, kind=OutcomeKind.REJECTED, reason=reason)
        elif pair in met:
            twin = "the same SKU stands in this push already"
            known[write.key] = Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason=twin)
        elif write.delta == 0:
            known[write.key] = Outcome(key=write.key, kind=OutcomeKind.APPLIED, reason="no difference")
        if pair is not None:
            met.add(pair)
    return known
