"""The memory adapter holds the conformance kit: over real sockets, and in virtual time with late and vague habits."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.memory import ADAPTER
from adapters.memory.simulator import Habits, MemorySimulator, make
from syncd.sdk.channel import Clock, WriteMode
from syncd.testing.conformance import Case, Kit, NotApplicable, cases
from syncd.testing.loop import run_virtual

KIT = Kit(adapter=ADAPTER, make=make)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
async def test_conformance(case: Case) -> None:
    """The adapter holds what every adapter has to hold."""
    await case.run(KIT)


LATE = Habits(
    effect_s=(0.0, 20.0),
    confirms=False,
    staleness_s=8.0,
    feed_lateness_s=(0.0, 90.0),
    restore_s=(0.0, 60.0),
    precision_s=7.0,
    page=7,
)
VAGUE = Habits(restore_s=None, feed_complete=False, versions=False, page=3)

WORLDS: dict[str, dict[str, Any]] = {
    "prompt": {},
    "late": {"habits": LATE, "write_mode": WriteMode.ABSOLUTE},
    "private": {"private_sales": True},
    "vague": {"habits": VAGUE, "write_mode": WriteMode.DELTA, "whole_orders": False},
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_conformance_in_virtual_time(case: Case, world: str) -> None:
    """The adapter holds it also where the shop is late, coarse and says little."""

    def make_it(*, skus: int, seed: int, clock: Clock) -> MemorySimulator:
        return MemorySimulator(skus=skus, seed=seed, clock=clock, **WORLDS[world])

    kit = Kit(adapter=ADAPTER, make=make_it, time_scale=1.0, many=260)
    run_virtual(lambda: case.run(kit))


def test_nothing_is_skipped_in_every_world() -> None:
    """Every case of the kit but bulk reading is played by this adapter in one world or another."""
    idle = {case.name for case in cases()}
    for settings in WORLDS.values():
        kit = Kit(
            adapter=ADAPTER,
            make=lambda skus, seed, clock, given=settings: MemorySimulator(skus=skus, seed=seed, clock=clock, **given),
            many=60,
            orders=10,
        )
        idle -= {case.name for case in cases() if case.name in idle and _plays(case, kit)}
    assert idle == {"seen:bulk_reads_everything_once"}


def _plays(case: Case, kit: Kit) -> bool:
    try:
        run_virtual(lambda: case.run(kit))
    except NotApplicable:
        return False
    return True
