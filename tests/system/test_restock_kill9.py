"""The daemon is killed with -9 while a delivery is told to hundreds who wait: each is moved once and told once."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.zendesk.simulated.world import ZendeskFaults
from syncd.testing.chance import SeededRandom
from tests.system.waiters import waiters

WAITING, UNITS, KILLS = 1_000, 600, 8
MOST_S = 20.0
"""Longest wait for the next piece of the work before the daemon is killed anyhow."""

pytestmark = [pytest.mark.slow, pytest.mark.real]


async def test_a_delivery_and_kills(tmp_path: Path) -> None:
    """Of 1,000 who wait 600 are served; through eight kills nobody is lost or told twice, no unit promised twice."""
    async with waiters(tmp_path) as scene:
        await scene.crowd(WAITING)
        scene.account.faults = ZendeskFaults(cut_writes=0.1, lost_jobs=0.2)
        await scene.deliver(UNITS)
        await scene.kill(SeededRandom(1), kills=KILLS, units=UNITS, most_s=MOST_S)
        await scene.done(UNITS)
        await scene.quiet()
        assert scene.wrong(UNITS) == []
        assert len(set(scene.killed_at)) > KILLS // 2, "the kills came on the way"
