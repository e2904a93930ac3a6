"""Calls beside orders and stock: what fails is told once, slows only itself, and never outlives a stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from syncd.core.terms import AccountId, Outcome, OutcomeKind
from syncd.engine.sideline import Sideline, attempt
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, RateLimited, RejectedError, TransientError
from tests.engine.double import Double
from tests.engine.features import tell
from tests.engine.world import World


def line_of(world: World) -> Sideline:
    return Sideline(account=world.plant.roster[AccountId("one")], name="test", random=lambda: 0.0)


def test_failures_slow_the_line_and_nothing_else(quick_path: Path) -> None:
    """Waits grow, follow the channel's word and an ended login; an answer ends them, and the channel was never down."""

    async def story(world: World, _: Double) -> None:
        line, stop = line_of(world), asyncio.Event()

        async def ask(error: ChannelError | None) -> float:
            async def call() -> int:
                if error is not None:
                    raise error
                return 7

            answer = await line.ask(call, within_s=1.0, stop=stop)
            assert (answer is None) == (error is not None)
            return line.wait_s

        gone = TransientError("gone")
        assert [await ask(gone) for _ in range(3)] == [1.0, 2.0, 4.0]
        assert await ask(RateLimited("slow", retry_after_s=90.0)) == 90.0
        assert await ask(AuthError("ended")) == 60.0
        assert line.reason == "AuthError: ended"
        assert await ask(None) == 0.0
        assert (line.failures, line.reason) == (0, "")
        pulse = world.plant.roster[AccountId("one")].pulse
        assert (pulse.failures, pulse.down_since) == (0, None)

    tell(quick_path, Double, story)


def test_a_stop_ends_a_call_and_a_wait_for_the_channel(quick_path: Path) -> None:
    """Neither a call under way nor a channel that is left alone keeps syncd from ending."""

    async def story(world: World, _: Double) -> None:
        line, pulse = line_of(world), world.plant.roster[AccountId("one")].pulse
        for held_s in (0.0, 3_600.0):
            stop = asyncio.Event()
            pulse.ending, pulse.held_until = stop, world.plant.clock.monotonic() + held_s
            asyncio.get_running_loop().call_later(5, stop.set)
            before = world.plant.clock.monotonic()
            assert await line.ask(asyncio.Event().wait, within_s=900.0, stop=stop) is None
            assert world.plant.clock.monotonic() - before == pytest.approx(5.0)
            assert line.failures == 0
        pulse.held_until = 0.0

    tell(quick_path, Double, story)


ENDS: list[tuple[Any, OutcomeKind]] = [
    (Outcome(key="k", kind=OutcomeKind.APPLIED), OutcomeKind.APPLIED),
    (RejectedError("no"), OutcomeKind.REJECTED),
    (AuthError("no"), OutcomeKind.UNSENT),
    (RateLimited("slow"), OutcomeKind.UNSENT),
    (TransientError("refused", sent=False), OutcomeKind.UNSENT),
    (TransientError("timeout", sent=True), OutcomeKind.INDETERMINATE),
    (ProtocolError("html"), OutcomeKind.INDETERMINATE),
    (TimeoutError(), OutcomeKind.INDETERMINATE),
]


@pytest.mark.parametrize(("end", "kind"), ENDS)
async def test_an_attempt_ends_as_what_is_known_of_it(end: Any, kind: OutcomeKind) -> None:
    """What may have had an effect is not known; what certainly had none is unsent or rejected."""

    async def call() -> Outcome:
        if isinstance(end, Exception):
            raise end
        assert isinstance(end, Outcome)
        return end

    assert (await attempt(call, key="k", within_s=1.0)).kind is kind
