"""The Rakuten adapter holds the conformance kit: in virtual time, over real sockets, and on a shop that lags behind."""

from __future__ import annotations

import pytest

from adapters.rakuten import ADAPTER
from adapters.rakuten.simulated.world import FUNCTIONS
from adapters.rakuten.simulator import RakutenSimulator, make
from syncd.sdk.channel import Clock
from syncd.testing.conformance import Case, Kit, cases, samples
from syncd.testing.loop import run_virtual


def paid(*, skus: int, seed: int, clock: Clock) -> RakutenSimulator:
    """Make a shop that has 商品一括編集機能, and with it the functions that close pages."""
    simulator = make(skus=skus, seed=seed, clock=clock)
    simulator.turn(functions=(*FUNCTIONS, "itemapi_2.0.items.get", "itemapi_2.0.items.patch"))
    return simulator


KIT = Kit(adapter=ADAPTER, make=paid, orders=120)
"""120 orders are more than a page."""


def lagging(*, skus: int, seed: int, clock: Clock) -> RakutenSimulator:
    """Make a shop whose reads are old, whose search is a minute behind, and whose writes take their time."""
    simulator = paid(skus=skus, seed=seed, clock=clock)
    simulator.turn(search_lag_s=(0.0, 60.0), read_lag_s=(0.0, 3.0), write_time_s=1.5, notify_delay_s=(0.0, 0.0))
    return simulator


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_rakuten_conforms(case: Case) -> None:
    """The adapter holds what every adapter has to hold."""
    run_virtual(lambda: case.run(KIT))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_rakuten_conforms_on_a_lagging_shop(case: Case) -> None:
    """The adapter holds it also where orders are found late and everything takes its whole time."""
    run_virtual(lambda: case.run(Kit(adapter=ADAPTER, make=lagging, orders=120, time_scale=1.0)))


@pytest.mark.parametrize("case", samples(), ids=lambda case: case.name)
async def test_rakuten_conforms_over_sockets(case: Case) -> None:
    """The adapter holds some of it over real connections, at the shop's own pace."""
    await case.run(KIT)
