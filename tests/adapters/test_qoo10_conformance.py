"""The Qoo10 adapter holds the conformance kit: in virtual time, over real sockets, and on a shop that lags behind."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.qoo10 import ADAPTER
from adapters.qoo10.simulator import Qoo10Simulator, make
from syncd.sdk.channel import Clock
from syncd.testing.conformance import Case, Kit, cases
from syncd.testing.loop import run_virtual

KIT = Kit(adapter=ADAPTER, make=make)
QUICK = [case for case in cases() if not case.name.startswith("trouble:")]
"""Faults are waited out: they are played in virtual time only."""
FAST = 1_000.0


class Hasty(Qoo10Simulator):
    """A shop that takes any number of calls, so that real time does not pass by waiting for a turn."""

    def settings(self, url: str) -> dict[str, Any]:
        """Return settings that use it."""
        return super().settings(url) | {"calls_per_s": FAST}


def hasty(*, skus: int, seed: int, clock: Clock) -> Hasty:
    """Make a shop without a limit of calls."""
    simulator = Hasty(skus=skus, seed=seed, clock=clock)
    simulator.turn(calls_per_s=1e6, burst=1e6)
    return simulator


def lagging(*, skus: int, seed: int, clock: Clock) -> Qoo10Simulator:
    """Make a shop that sells by a new number only minutes after, and whose other lines of a cart are told late."""
    simulator = make(skus=skus, seed=seed, clock=clock)
    simulator.turn(
        effect_s=(0.0, 240.0), shows_s=(0.0, 300.0), late_line_s=(0.0, 90.0), restore_s=(0.0, 3_600.0), texts=0.5,
        date_layout="%Y/%m/%d %H:%M:%S",
    )  # fmt: skip
    return simulator


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_qoo10_conforms(case: Case) -> None:
    """The adapter holds what every adapter has to hold."""
    run_virtual(lambda: case.run(KIT))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_qoo10_conforms_on_a_lagging_shop(case: Case) -> None:
    """The adapter holds it also where everything takes its whole time."""
    run_virtual(lambda: case.run(Kit(adapter=ADAPTER, make=lagging, time_scale=1.0)))


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
async def test_qoo10_conforms_over_sockets(case: Case) -> None:
    """The adapter holds it over real connections."""
    await case.run(Kit(adapter=ADAPTER, make=hasty))
