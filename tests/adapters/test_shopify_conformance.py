"""The Shopify adapter holds the conformance kit: in virtual time, over real sockets, and on a shop that lags behind."""

from __future__ import annotations

import pytest

from adapters.shopify import ADAPTER
from adapters.shopify.simulator import ShopifySimulator, make
from syncd.sdk.channel import Clock
from syncd.testing.conformance import Case, Kit, cases
from syncd.testing.loop import run_virtual

KIT = Kit(adapter=ADAPTER, make=make)
QUICK = [case for case in cases() if not case.name.startswith("trouble:")]
"""Faults are waited out: they are played in virtual time only."""


def selling(*, skus: int, seed: int, clock: Clock) -> ShopifySimulator:
    """Make a shop that sells in private."""
    simulator = make(skus=skus, seed=seed, clock=clock)
    simulator.private_sales = True
    return simulator


def lagging(*, skus: int, seed: int, clock: Clock) -> ShopifySimulator:
    """Make a shop whose search index is a minute behind, and whose writes take their time."""
    simulator = selling(skus=skus, seed=seed, clock=clock)
    simulator.shop.knobs.search_lag_s = 60.0
    simulator.shop.knobs.write_time_s = 1.5
    return simulator


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_shopify_conforms(case: Case) -> None:
    """The adapter holds what every adapter has to hold."""
    run_virtual(lambda: case.run(KIT))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_shopify_conforms_on_a_lagging_shop(case: Case) -> None:
    """The adapter holds it also where orders are found late and everything takes its whole time."""
    run_virtual(lambda: case.run(Kit(adapter=ADAPTER, make=lagging, time_scale=1.0)))


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
async def test_shopify_conforms_over_sockets(case: Case) -> None:
    """The adapter holds it over real connections."""
    await case.run(KIT)


@pytest.mark.parametrize("case", [case for case in cases() if case.name.startswith("offers:")], ids=lambda c: c.name)
def test_private_sales_conform(case: Case) -> None:
    """A shop with private sales holds what is asked of them."""
    run_virtual(lambda: case.run(Kit(adapter=ADAPTER, make=selling)))
