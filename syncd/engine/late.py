"""Ask how writes ended that a channel had only accepted; each end is one more fact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from syncd.core.facts import Fact, OutcomeFact
from syncd.engine.channels import Account
from syncd.engine.intake import Intake
from syncd.engine.sideline import Sideline
from syncd.engine.timing import nap
from syncd.sdk.channel import Clock
from syncd.sdk.features import LateOutcomes

ASK_S = 15.0
CALL_S = 120.0
PIECE = 50
"""Outcomes of one fact: its decision must stay within one short transaction."""


class LateEnds:
    """The loop over the late ends of one account."""

    def __init__(
        self, account: Account, channel: LateOutcomes, *, intake: Intake, clock: Clock, random: Callable[[], float]
    ) -> None:
        self._account = account
        self._channel = channel
        self._intake = intake
        self._clock = clock
        self._line = Sideline(account=account, name="late_outcomes", random=random)

    async def run(self, stop: asyncio.Event) -> None:
        """Ask every ASK_S until told to stop."""
        while not stop.is_set():
            await self.step(stop)
            await nap(max(ASK_S, self._line.wait_s), stop)

    async def step(self, stop: asyncio.Event) -> int:
        """Ask once; return how many ends were told."""
        answer = await self._line.ask(self._channel.late_outcomes, within_s=CALL_S, stop=stop)
        if answer is None or not answer.value:
            return 0
        ends, now, name = answer.value, self._clock.now(), self._account.name
        facts: list[Fact] = [
            OutcomeFact(account=name, sent_at=now, answered_at=now, outcomes=tuple(ends[start : start + PIECE]))
            for start in range(0, len(ends), PIECE)
        ]
        await self._intake.put(facts, source=name)
        return len(ends)
